/*
 * replay_main.c -- a main() for fuzz targets where libFuzzer is not there: each file of a corpus
 * folder, then the same file cut short and with some bytes changed, always the same ones.
 *
 * It finds little that is new; it keeps what was found once from coming back, in every build. A
 * folder without files is an error, so that a lost corpus shows.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES_MAX = 1 << 20, CHANGES = 40 };

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* An exact-size copy, so that a sanitizer sees one byte too far. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));

    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_changes(uint8_t *data, size_t size)
{
    random_state = 88172645463325252u;
    for (int i = 0; i < CHANGES && size > 0; i++) {
        size_t at = next_random() % size;
        uint8_t kept = data[at];

        run(data, at);
        data[at] = (uint8_t)next_random();
        run(data, size);
        data[at] = kept;
    }
}

static void replay(const char *path)
{
    static uint8_t data[FILE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    run_changes(data, size);
}

static int replay_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    int count = 0;

    if (directory == NULL) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return 0;
    }
    while ((entry = readdir(directory)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        count++;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%d inputs, each with %d changes\n", count, 2 * CHANGES);
    return count > 0 ? 0 : 1;
}
