/* fuzz_json.c -- any bytes as JSON. What the check lets through cJSON must read, and print, and
 * read again. */
#include <sluice/decode.h>

#include <cjson/cJSON.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_view json = {(const char *)data, size};
    struct sl_error err = {0};
    cJSON *root = NULL, *again = NULL;
    char *printed;

    if (sl_json_parse(json, &root, &err) != SL_OK) {
        if (err.code != SL_REJECT || err.reason[0] == '\0' || err.message[0] == '\0' ||
            strstr(err.message, "parser refused") != NULL)
            abort();
        return 0;
    }
    printed = cJSON_PrintUnformatted(root);
    if (printed == NULL || sl_json_parse(sl_view_of(printed), &again, &err) != SL_OK ||
        !cJSON_Compare(root, again, true))
        abort();
    cJSON_Delete(again);
    cJSON_Delete(root);
    cJSON_free(printed);
    return 0;
}
