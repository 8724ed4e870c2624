/*
 * cmd_status.c -- `sluicectl status`: one request to the daemon's control socket, one line of JSON
 * back.
 *
 * With --json the daemon's line is passed on as it came. As text, members are printed one a line,
 * nested ones under the names of those they are in: what a later daemon adds is shown without a
 * change here.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "control_client.h"
#include "ctl.h"

static void print_value(struct sl_buffer *out, const char *path, const cJSON *value)
{
    char name[160];
    const cJSON *member;
    int i = 0;

    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        cJSON_ArrayForEach(member, value)
        {
            if (cJSON_IsObject(value))
                snprintf(name, sizeof(name), "%s%s%s", path, path[0] ? "." : "", member->string);
            else
                snprintf(name, sizeof(name), "%s[%d]", path, i++);
            print_value(out, name, member);
        }
        return;
    }
    if (cJSON_IsString(value)) {
        sl_buffer_format(out, "%-36s %s\n", path, value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        sl_buffer_format(out, "%-36s ", path);
        sl_json_number(out, value->valuedouble);
        sl_buffer_format(out, "\n");
    } else {
        sl_buffer_format(out, "%-36s %s\n", path,
                         cJSON_IsTrue(value)    ? "yes"
                         : cJSON_IsFalse(value) ? "no"
                                                : "-");
    }
}

static int print_status(const struct ctl *ctl, struct sl_view line)
{
    struct sl_buffer out = {0};
    struct sl_error err = {0};
    cJSON *root = NULL;

    if (sl_json_parse(line, &root, &err) != SL_OK)
        return ctl_fail(ctl, SL_EXIT_DATA, "the daemon's answer is not JSON: %s", err.message);
    if (ctl->json) {
        sl_buffer_view(&out, line);
        sl_buffer_format(&out, "\n");
    } else {
        print_value(&out, "", root);
    }
    cJSON_Delete(root);
    return ctl_print(ctl, &out);
}

int cmd_status(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "status",
        "Ask the running daemon how it is.\nExit: 69 no daemon answers at the control socket.",
        NULL,
        0,
        0,
        0};
    struct ctl_list args = {0};
    struct sl_buffer answer = {0};
    struct sl_error err = {0};
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    if (ctl_control_ask(ctl->config, "status", &answer, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_UNAVAILABLE);
    exit_code = print_status(ctl, (struct sl_view){answer.data, answer.size});
    sl_buffer_fini(&answer);
    return exit_code;
}
