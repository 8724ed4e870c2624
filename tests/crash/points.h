/*
 * points.h -- every place at which a process changes a file, counted, so that it can be killed at any of them.
 *
 * Linking points.c puts these calls in the place of the C library's, for LMDB too: write, writev, pwrite,
 * ftruncate, fallocate, fsync, fdatasync, msync, rename, unlink, rmdir, mkdir.
 */
#ifndef SLUICE_TEST_POINTS_H
#define SLUICE_TEST_POINTS_H

enum points_way {
    POINTS_HALF, /* killed when half of a write is done, up to a page of 4 KiB; nothing of other calls */
    POINTS_AFTER, /* killed when the call is done */
    POINTS_WAYS
};

/* From now on this process dies by SIGKILL at its n-th call; 0: it only counts. */
void points_arm(int n, enum points_way way);

/* Calls since it was armed. */
int points_passed(void);

#endif
