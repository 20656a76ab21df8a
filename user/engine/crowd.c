// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/crowd.h"

bool xr_crowd_hold(struct xr_crowd *c, const struct xr_report *r)
{
	uint8_t node = r->node <= XR_NODE_MAX ? r->node : 0;
	struct xr_report *longest = &c->of[r->kind][node].longest;

	if (!c->since_ns)
		c->since_ns = r->at_ns;
	if (c->of[r->kind][node].count++ < XR_CROWD_FEW)
		return false;
	if (c->of[r->kind][node].count == XR_CROWD_FEW + 1 || r->took_ns > longest->took_ns)
		*longest = *r;
	return true;
}

void xr_crowd_tell(struct xr_crowd *c, uint64_t now_ns,
		   void (*tell)(void *world, const struct xr_report *r), void *world)
{
	if (!c->since_ns || now_ns < c->since_ns + XR_CROWD_PERIOD_NS)
		return;
	for (int kind = 0; kind < XR_REPORT_END; kind++)
		for (int node = 0; node <= XR_NODE_MAX; node++) {
			struct xr_report *r = &c->of[kind][node].longest;

			if (c->of[kind][node].count > XR_CROWD_FEW) {
				r->at_ns = 0; /* now */
				r->more = c->of[kind][node].count - XR_CROWD_FEW;
				tell(world, r);
			}
			c->of[kind][node].count = 0;
		}
	c->since_ns = 0;
}
