/*
 * lanes.h -- per-key order among parallel workers.
 *
 * A lane is hash(topic, key) mod SL_LANES. At most one item of a lane runs; the others wait in the
 * order they came. Items of one key therefore never overtake each other; different keys (nearly)
 * always run side by side.
 */
#ifndef SLUICE_LANES_H
#define SLUICE_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

#define SL_LANES (1u << 18)

struct sl_lanes;

/* First member of what goes through a lane. */
struct sl_lane_item {
    struct sl_lane_item *next;
    uint32_t lane;
};

/*
 * Make the lanes, all idle.
 *
 * Owns:    caller gets them; free with sl_lanes_free(). NULL: no memory.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_lanes *sl_lanes_make(void);

/* Free them; items still waiting are the caller's (sl_lanes_drain()). NULL is fine. Always returns
 * NULL. */
struct sl_lanes *sl_lanes_free(struct sl_lanes *lanes);

/* The lane of a document. */
uint32_t sl_lane_of(struct sl_view topic, struct sl_view key);

/*
 * Enter item->lane. True: it is free, run the item now. False: the item waits.
 *
 * Owns:    a waiting item belongs to the lanes until sl_lanes_leave() returns it.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_lanes_enter(struct sl_lanes *lanes, struct sl_lane_item *item);

/*
 * The running item of `lane` is done. Returns the next of that lane, which runs from here on; NULL:
 * it is idle.
 *
 * Pre:     the lane is running.
 * Owns:    the item returned is the caller's.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_lane_item *sl_lanes_leave(struct sl_lanes *lanes, uint32_t lane);

/* Take out any item that waits, at the end; NULL when there is none. */
struct sl_lane_item *sl_lanes_drain(struct sl_lanes *lanes);

#endif
