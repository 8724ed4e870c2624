/* guard.h -- a memory fault inside the index's map ends the daemon with a sentence instead of a crash. */
#ifndef SLUICE_GUARD_H
#define SLUICE_GUARD_H

/*
 * From here on a SIGBUS or SIGSEGV in the mapped index, or in the library that reads it, is said on standard
 * error, and the process exits 74. Any other takes its usual course.
 *
 * Owns:    nothing; stays for the life of the process.
 * Thread:  main, before others start.
 * Blocks:  no.
 * Errors:  none: without it a fault is a crash.
 */
void sl_guard_install(void);

#endif
