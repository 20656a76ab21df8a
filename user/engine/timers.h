/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One timer a group, and for the event loop the earliest of all. Groups of neighbouring ids beat,
 * and are heard, together; so they stand in blocks, and a binary heap holds the blocks. It is small
 * enough to stay in a cache with a hundred thousand groups, and most of them fire in passing.
 */
#ifndef XRAFT_TIMERS_H
#define XRAFT_TIMERS_H

#include "common/common.h"

#define XR_TIMERS_BLOCK 64 /* groups */

struct xr_timers {
	uint64_t *at_ns;    /* [id], UINT64_MAX: not armed */
	uint64_t *early_ns; /* [block]: the earliest in it, or before that */
	uint32_t *heap;	    /* blocks, earliest first */
	uint32_t *place;    /* [block] in the heap */
	uint32_t nblocks;
};

struct xr_due {
	uint64_t at_ns;
	uint32_t id;
};

/* For ids below `size`. -ENOMEM. */
int xr_timers_init(struct xr_timers *t, uint32_t size);
void xr_timers_free(struct xr_timers *t);

/* Arm, or move; UINT64_MAX disarms. */
void xr_timers_set(struct xr_timers *t, uint32_t id, uint64_t at_ns);

/* When the earliest is due; UINT64_MAX: never. */
uint64_t xr_timers_next_ns(struct xr_timers *t);

/*
 * Disarm what is due by `now_ns` in the block of the earliest timer; returns how many. 0: nothing
 * is due in any.
 */
uint32_t xr_timers_due(struct xr_timers *t, uint64_t now_ns, struct xr_due due[XR_TIMERS_BLOCK]);

#endif
