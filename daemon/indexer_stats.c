/*
 * indexer_stats.c -- figures of the index after a commit, for gauges and the status object.
 *
 * Read at most once a second and by the indexer, so that whoever looks at them waits for nothing.
 */
#include <sys/statvfs.h>

#include "daemon/indexer.h"

static void show_stats(const struct sl_engine *engine, const struct sl_index_stats *stats)
{
    struct statvfs disk;

    sl_metric_set(SL_METRIC_INDEX_DOCUMENTS, (double)stats->documents);
    sl_metric_set(SL_METRIC_INDEX_COPIES, (double)stats->copies);
    sl_metric_set(SL_METRIC_INDEX_CHUNKS, (double)stats->chunks);
    sl_metric_set(SL_METRIC_INDEX_TOMBSTONES, (double)stats->vectors_dead);
    sl_metric_set(SL_METRIC_INDEX_UNREACHABLE_NODES, (double)stats->unreachable);
    sl_metric_set(SL_METRIC_QUARANTINED_DOCUMENTS, (double)stats->quarantined);
    sl_metric_set(SL_METRIC_LMDB_MAP_BYTES, (double)stats->map_bytes);
    sl_metric_set(SL_METRIC_LMDB_USED_BYTES, (double)stats->used_bytes);
    sl_metric_set(SL_METRIC_LMDB_FREE_PAGES, (double)stats->free_pages);
    sl_metric_set(SL_METRIC_LMDB_READERS, stats->readers);
    sl_metric_set(SL_METRIC_INDEX_RETIRED_BYTES,
                  (double)sl_generation_bytes(engine->config->index.path, SL_GENERATION_RETIRED));
    if (statvfs(engine->config->index.path, &disk) == 0)
        sl_metric_set(SL_METRIC_DISK_FREE_BYTES, (double)disk.f_bavail * (double)disk.f_frsize);
}

static void show_oldest_reader(const struct sl_engine *engine)
{
    int64_t now = clock_us(), oldest = 0;

    for (uint32_t i = 0; i < ENGINE_WORKERS_MAX; i++) {
        int64_t since = engine->snapshot_since_us[i];

        if (since > 0 && now - since > oldest)
            oldest = now - since;
    }
    sl_metric_set(SL_METRIC_LMDB_OLDEST_READER, (double)oldest / 1e6);
}

void indexer_stats(struct indexer *indexer)
{
    struct sl_engine *engine = indexer->engine;
    struct sl_snapshot *snapshot = NULL;
    struct sl_index_stats stats;

    indexer->stats_us = clock_us();
    if (sl_snapshot_open(engine->index, &snapshot, NULL) != SL_OK)
        return;
    if (sl_snapshot_stats(snapshot, &stats, NULL) == SL_OK) {
        pthread_mutex_lock(&engine->mutex);
        engine->stats = stats;
        pthread_mutex_unlock(&engine->mutex);
        show_stats(engine, &stats);
    }
    sl_snapshot_close(snapshot);
    show_oldest_reader(engine);
}
