/* config_edit.h -- settings put into a configuration file, with everything else left as it stands. */
#ifndef SLUICECTL_CONFIG_EDIT_H
#define SLUICECTL_CONFIG_EDIT_H

#include "ctl.h"

struct ctl_setting {
    char section[16], key[32], value[48];
};

/*
 * `text` with one setting changed or added: in its own line where it is set, else below the line where the sample
 * file has it switched off, else at the end of its section, which is made when there is none.
 *
 * Owns:    appended to `out`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  out->failed
 */
void ctl_config_edit(struct sl_view text, const struct ctl_setting *setting, struct sl_buffer *out);

/*
 * A process that waits for settings to put into a file, begun while this one may still write there: root becomes
 * the owner of the index when the configuration is read.
 */
struct ctl_config_writer {
    int settings; /* end of a pipe; -1: none */
    int process;
};

/* Errors: the exit code after saying why: 71 */
int ctl_config_writer_open(struct ctl *ctl, const char *path, struct ctl_config_writer *ret_writer);

/*
 * Have the settings written and wait for it: into a file beside it, which then takes its place. What was there
 * before is kept as PATH.TIME. With a count of 0 nothing is done.
 *
 * Owns:    closes the writer.
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 74, 77; 78 it would no longer be a configuration
 */
int ctl_config_writer_close(struct ctl_config_writer *writer, const struct ctl_setting *settings,
                            uint32_t count);

#endif
