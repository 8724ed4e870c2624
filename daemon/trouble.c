/*
 * trouble.c -- see trouble.h. A table behind a lock; whoever logs or shows asks it what is news.
 *
 * Rejected: counting errors and guessing from rates. librdkafka tells each refusal once or once a retry, and what
 * ends one is something that works, not the silence after it.
 */
#include "daemon/trouble.h"

#include <stdio.h>
#include <string.h>

void sl_troubles_init(struct sl_troubles *troubles)
{
    pthread_mutex_init(&troubles->mutex, NULL);
    for (size_t i = 0; i < SL_TROUBLE_COUNT; i++)
        troubles->of[i].text[0] = '\0';
}

void sl_troubles_fini(struct sl_troubles *troubles)
{
    pthread_mutex_destroy(&troubles->mutex);
}

bool sl_trouble_begin(struct sl_troubles *troubles, enum sl_trouble kind, const char *subject,
                      int64_t now_us, const char *text)
{
    bool news;

    pthread_mutex_lock(&troubles->mutex);
    news = strncmp(troubles->of[kind].text, text, sizeof(troubles->of[kind].text) - 1) != 0;
    if (troubles->of[kind].text[0] == '\0')
        troubles->of[kind].since_us = now_us;
    if (news)
        (void)snprintf(troubles->of[kind].text, sizeof(troubles->of[kind].text), "%s", text);
    (void)snprintf(troubles->of[kind].subject, sizeof(troubles->of[kind].subject), "%s", subject);
    pthread_mutex_unlock(&troubles->mutex);
    return news;
}

bool sl_trouble_end(struct sl_troubles *troubles, enum sl_trouble kind, const char *subject)
{
    bool news;

    pthread_mutex_lock(&troubles->mutex);
    news = troubles->of[kind].text[0] != '\0' &&
           (subject == NULL || strcmp(subject, troubles->of[kind].subject) == 0);
    if (news)
        troubles->of[kind].text[0] = '\0';
    pthread_mutex_unlock(&troubles->mutex);
    return news;
}

bool sl_troubles_show(struct sl_troubles *troubles, enum sl_trouble end, int64_t now_us,
                      int64_t age_us, char *text, size_t size)
{
    size_t used = 0;

    pthread_mutex_lock(&troubles->mutex);
    for (size_t i = 0; i < (size_t)end && used < size; i++)
        if (troubles->of[i].text[0] != '\0' && now_us - troubles->of[i].since_us >= age_us)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "; " : "",
                                     troubles->of[i].text);
    pthread_mutex_unlock(&troubles->mutex);
    return used > 0;
}
