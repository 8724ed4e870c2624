/* damage.h -- documents whose records were found damaged, until somebody takes care of them. */
#ifndef SLUICE_DAMAGE_H
#define SLUICE_DAMAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

struct sl_damage {
    pthread_mutex_t lock;
    uint32_t *documents; /* in order */
    uint32_t count, capacity;
};

void sl_damage_init(struct sl_damage *damage);
void sl_damage_fini(struct sl_damage *damage);
/* Note a document once. Without memory for it, it is met again when it is read again. Any thread. */
void sl_damage_note(struct sl_damage *damage, uint32_t document);
/* Take one out; 0: none. Any thread. */
uint32_t sl_damage_take(struct sl_damage *damage);
bool sl_damage_has(struct sl_damage *damage, uint32_t document);
uint32_t sl_damage_count(struct sl_damage *damage);

/* A key as something a person can read and look up: text as it is, anything else in hex. */
void sl_damage_describe(struct sl_view key, char *ret_text, size_t size);

#endif /* SLUICE_DAMAGE_H */
