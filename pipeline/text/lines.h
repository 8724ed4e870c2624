/* lines.h -- the small text files a user writes: one entry a line, # begins a comment. */
#ifndef SLUICE_TEXT_LINES_H
#define SLUICE_TEXT_LINES_H

#include <sluice/error.h>
#include <sluice/view.h>

#define SL_LINES_BYTES_MAX (16u << 20)

/* One line, without its comment and the white space around it; never empty. */
typedef enum sl_err (*sl_line_fn)(void *context, const char *path, uint32_t number,
                                  struct sl_view line, struct sl_error *err);

/*
 * Call `each` for the lines of a file until it fails.
 *
 * Errors:  SL_STOP  bad_file (78): names the file, and the line that is not UTF-8; as `each`;
 * memory (71)
 */
enum sl_err sl_lines_read(const char *path, sl_line_fn each, void *context, struct sl_error *err);

/* What is wrong with a line: bad_file (78), "FILE:LINE: ...". */
enum sl_err sl_line_bad(const char *path, uint32_t number, struct sl_error *err, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

#endif
