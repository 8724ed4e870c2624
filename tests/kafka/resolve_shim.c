/*
 * resolve_shim.c -- a name server that a test holds in its hand: getaddrinfo() of "embed.test" gives what the file
 * named by SLUICE_TEST_RESOLVE says: an address, "gone" (no such name) or "slow" (no answer for half a minute). All
 * other names go to the real one.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    resolve real = (resolve)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("SLUICE_TEST_RESOLVE");
    char word[64] = "gone";
    FILE *file;

    if (node == NULL || strcmp(node, "embed.test") != 0 || path == NULL)
        return real(node, service, hints, result);
    file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%63s", word) != 1)
            (void)snprintf(word, sizeof word, "gone");
        (void)fclose(file);
    }
    if (strcmp(word, "slow") == 0)
        (void)sleep(30);
    if (strcmp(word, "slow") == 0 || strcmp(word, "gone") == 0)
        return EAI_NONAME;
    return real(word, service, hints, result);
}
