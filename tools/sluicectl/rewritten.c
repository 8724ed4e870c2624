/*
 * rewritten.c -- what compact and backup show: how far they are, and what came of it.
 */
#include "rewritten.h"

bool ctl_rewrite_progress(void *progress, uint64_t done_bytes, uint64_t total_bytes)
{
    double fraction = total_bytes > 0 ? (double)done_bytes / (double)total_bytes : -1;

    ctl_progress_move(progress, done_bytes, fraction < 1 ? fraction : 1);
    return true;
}

int ctl_rewritten_print(const struct ctl *ctl, const struct sl_rewritten *rewritten,
                        double seconds)
{
    struct sl_buffer out = {0};

    sl_buffer_format(&out,
                     ctl->json ? "{\"before_bytes\": %llu, \"after_bytes\": %llu, \"slots_dropped\": %llu, "
                                 "\"seconds\": %.3f}\n"
                               : "%llu bytes before, %llu after, %llu places of deleted vectors "
                                 "dropped, %.1f s\n",
                     (unsigned long long)rewritten->before_bytes,
                     (unsigned long long)rewritten->after_bytes,
                     (unsigned long long)rewritten->slots_dropped, seconds);
    return ctl_print(ctl, &out);
}
