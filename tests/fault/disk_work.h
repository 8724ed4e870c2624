/* disk_work.h -- what tool_disk_work does to an index, for those who look at what became of it. */
#ifndef SLUICE_TEST_DISK_WORK_H
#define SLUICE_TEST_DISK_WORK_H

#include "history.h"

#define WORK_DIM 16

static const struct history work_history = {.keys = 60, .batch = 20, .records = 200};

#endif
