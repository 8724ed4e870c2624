/*
 * process.c -- process_* metrics from /proc/self and getrusage().
 *
 * Resident memory counts the mapped index file too, which the kernel gives back at will; the anonymous part is
 * what the daemon really holds, so both are shown.
 */
#include "daemon/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#include <sluice/json.h>

static void render_number(struct sl_buffer *out, const char *name, const char *type,
                          const char *help, double value)
{
    sl_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n%s ", name, help, name, type, name);
    sl_json_number(out, value);
    sl_buffer_add(out, "\n", 1);
}

/* Bytes of a "Name:   123 kB" line of /proc/self/status; negative when it is not there. */
static double status_bytes(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    double bytes = -1;
    unsigned long long kibibytes;
    size_t size = strlen(name);

    if (file == NULL)
        return -1;
    while (bytes < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, size) == 0 && sscanf(line + size, " %llu", &kibibytes) == 1)
            bytes = (double)kibibytes * 1024;
    (void)fclose(file);
    return bytes;
}

static double open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -1; /* the one used to look */

    if (directory == NULL)
        return -1;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        if (entry->d_name[0] != '.')
            count++;
    (void)closedir(directory);
    return count;
}

void sl_process_render(struct sl_buffer *out)
{
    double resident = status_bytes("VmRSS:"), anonymous = status_bytes("RssAnon:");
    double descriptors = open_descriptors();
    struct rusage usage;

    if (resident >= 0)
        render_number(out, "process_resident_memory_bytes", "gauge",
                      "Resident memory, the mapped index included.", resident);
    if (anonymous >= 0)
        render_number(out, "process_resident_anonymous_bytes", "gauge",
                      "Resident memory without mapped files.", anonymous);
    if (descriptors >= 0)
        render_number(out, "process_open_fds", "gauge", "Open file descriptors.", descriptors);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        render_number(out, "process_cpu_seconds_total", "counter",
                      "Processor time, user and system.",
                      (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}
