// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/crowd.h"

bool xr_crowd_hold(struct xr_crowd *c, const struct xr_report *r)
{
	struct xr_crowd_of *of = &c->of[r->kind][r->node <= XR_NODE_MAX ? r->node : 0];

	if (!c->since_ns)
		c->since_ns = r->at_ns;
	if (of->passed < XR_CROWD_FEW) {
		of->passed++;
		return false;
	}
	if (!of->held++ || r->took_ns > of->longest.took_ns)
		of->longest = *r;
	return true;
}

/* True while there is something left to tell, or to forget. */
static bool tell_of(struct xr_crowd_of *of, uint64_t periods,
		    void (*tell)(void *world, const struct xr_report *r), void *world)
{
	if (of->held) {
		of->longest.at_ns = 0; /* now */
		of->longest.more = of->held - 1;
		tell(world, &of->longest);
		of->held = 0;
		periods--; /* this line was that period's */
	}
	of->passed = of->passed > periods ? of->passed - periods : 0;
	return of->passed;
}

void xr_crowd_tell(struct xr_crowd *c, uint64_t now_ns,
		   void (*tell)(void *world, const struct xr_report *r), void *world)
{
	uint64_t periods = (now_ns - c->since_ns) / XR_CROWD_PERIOD_NS;
	bool more = false;

	if (!c->since_ns || xr_before(now_ns, c->since_ns + XR_CROWD_PERIOD_NS))
		return;
	for (int kind = 0; kind < XR_REPORT_END; kind++)
		for (int node = 0; node <= XR_NODE_MAX; node++)
			more |= tell_of(&c->of[kind][node], periods, tell, world);
	c->since_ns = more ? now_ns : 0;
}

void xr_crowd_end(struct xr_crowd *c, void (*tell)(void *world, const struct xr_report *r),
		  void *world)
{
	if (c->since_ns)
		xr_crowd_tell(c, c->since_ns + XR_CROWD_PERIOD_NS, tell, world);
}
