/* fuzz_config.c -- any bytes as a configuration file: either a configuration or at least one problem, never both. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_config *config = NULL;
    struct sl_buffer problems = {0};
    struct sl_error err = {0};
    enum sl_err result = sl_config_parse(
        "f", (struct sl_view){data != NULL ? (const char *)data : "", size}, &config, &problems, &err);

    if ((result == SL_OK) != (config != NULL) || (result == SL_OK) != (problems.size == 0))
        abort();
    sl_config_free(config);
    sl_buffer_fini(&problems);
    return 0;
}
