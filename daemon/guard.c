/*
 * guard.c -- a memory fault inside the index's map ends the daemon with a sentence instead of a crash.
 *
 * The index is read through a map: what read() would return as an error arrives as a signal. A file cut short
 * or a bad sector is SIGBUS at an address in the map; pages that rotted since the start can lead LMDB
 * anywhere, which is SIGSEGV in its code. Both mean the same: the index cannot be read, and going on is no
 * option. The exit code is 74; the next start checks the file before it maps it, and says what is wrong.
 *
 * In a signal handler only system calls are safe: the maps are read from /proc with read(), the sentence is
 * written with write().
 */
#include "daemon/guard.h"

#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include <sluice/error.h>

#define INDEX_FILE "/data.mdb"

static uintptr_t library_begin, library_end; /* the code of liblmdb */

static int find_library(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size, (void)context;
    if (info->dlpi_name == NULL || strstr(info->dlpi_name, "liblmdb") == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0) {
            library_begin = info->dlpi_addr + segment->p_vaddr;
            library_end = library_begin + segment->p_memsz;
        }
    }
    return 1;
}

/* One line of /proc/self/maps: "from-to rights ... path". */
static bool line_holds(const char *line, size_t size, uintptr_t address)
{
    uintptr_t ends[2] = {0, 0};
    size_t at = 0, name = sizeof INDEX_FILE - 1;

    for (int i = 0; i < 2; i++, at++)
        for (; at < size && line[at] != '-' && line[at] != ' '; at++)
            ends[i] = ends[i] * 16 + (uintptr_t)(line[at] <= '9' ? line[at] - '0' : line[at] - 'a' + 10);
    return address >= ends[0] && address < ends[1] && size > name &&
           memcmp(line + size - name, INDEX_FILE, name) == 0;
}

static bool is_in_map(uintptr_t address)
{
    char line[4400], bytes[512];
    size_t used = 0;
    bool found = false;
    ssize_t got = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && !found && (got = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n') {
                found = found || line_holds(line, used, address);
                used = 0;
            } else if (used < sizeof line) {
                line[used++] = bytes[i];
            }
        }
    if (fd >= 0)
        (void)close(fd);
    return found;
}

static uintptr_t code_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    static const char sentence[] =
        "sluiced: failed: the index file cannot be read: it was cut short, lies on a bad disk, or is damaged; "
        "the next start checks it (exit code 74)\n";
    uintptr_t code = code_of(context);

    if (is_in_map((uintptr_t)info->si_addr) || (code >= library_begin && code < library_end)) {
        ssize_t ignored = write(STDERR_FILENO, sentence, sizeof sentence - 1);
        (void)ignored;
        _exit(SL_EXIT_IO);
    }
    (void)signal(number, SIG_DFL); /* happens again, and ends the process as it would have */
}

void sl_guard_install(void)
{
    static const int numbers[] = {SIGBUS, SIGSEGV};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;

    (void)dl_iterate_phdr(find_library, NULL);
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            (void)sigaction(numbers[i], &action, NULL);
}
