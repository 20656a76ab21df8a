/* SPDX-License-Identifier: GPL-2.0-only */
/* A binary heap of one timer a group; the event loop has one clock source for the earliest. */
#ifndef XRAFT_TIMERS_H
#define XRAFT_TIMERS_H

#include "common/common.h"

struct xr_timers {
	uint32_t *heap;	 /* group ids, earliest first */
	uint32_t *place; /* [id] in the heap, UINT32_MAX: not armed */
	uint64_t *at_ns; /* [id] */
	uint32_t armed, size;
};

/* For ids below `size`. -ENOMEM. */
int xr_timers_init(struct xr_timers *t, uint32_t size);
void xr_timers_free(struct xr_timers *t);

/* Arm, or move; UINT64_MAX disarms. */
void xr_timers_set(struct xr_timers *t, uint32_t id, uint64_t at_ns);

/* When the earliest is due; UINT64_MAX: never. */
uint64_t xr_timers_next_ns(const struct xr_timers *t);

/* Disarm the earliest and return its id; UINT32_MAX if none is due by `now_ns`. */
uint32_t xr_timers_due(struct xr_timers *t, uint64_t now_ns);

#endif
