/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a node dies that led thirty thousand groups, people want to hear of some of them, and of
 * the others how many there were; and of what somebody says again and again, no more than that it
 * does. Of each kind of report, and node that it speaks of, a few pass at once, and then one a
 * period; the rest are counted, and told as one.
 */
#ifndef XRAFT_CROWD_H
#define XRAFT_CROWD_H

#include "engine/report.h"
#include "xraft/wire.h"

#define XR_CROWD_FEW	   16
#define XR_CROWD_PERIOD_NS NS_PER_S

struct xr_crowd {
	uint64_t since_ns; /* of the period; 0: nothing was reported of late */
	struct xr_crowd_of {
		uint32_t passed; /* of late: each period one of them is forgotten */
		uint32_t held;
		struct xr_report longest; /* of those held back, by took_ns */
	} of[XR_REPORT_END][XR_NODE_MAX + 1];
};

/* True: `r`, about a group, is one of a crowd, and will be told with it. */
bool xr_crowd_hold(struct xr_crowd *c, const struct xr_report *r);

/* At the end of each turn: tell of the crowd, if the period is over. */
void xr_crowd_tell(struct xr_crowd *c, uint64_t now_ns,
		   void (*tell)(void *world, const struct xr_report *r), void *world);
/* The last time, and at once. */
void xr_crowd_end(struct xr_crowd *c, void (*tell)(void *world, const struct xr_report *r),
		  void *world);

#endif
