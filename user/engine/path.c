// SPDX-License-Identifier: GPL-2.0-only
/* Is what the NIC path answers delivered? If not, the daemon answers in its place. */
#include "engine/engine.h"

#define PATH_ASK_NS   (200 * NS_PER_MS)
#define PATH_AGAIN_NS (5 * NS_PER_S) /* after the verdict "lost", or with no peer up */
#define PATH_EAGER    50	     /* questions before patience sets in */
#define PATH_PATIENCE 5		     /* echoes that nobody confirmed */

static void path_lost(struct xr_engine *e)
{
	struct xr_control *c = e->env.control;

	c->tx_path = XR_TX_LOST;
	c->answer = 0; /* the daemon answers in its place: slower, but it arrives */
	xr_engine_say(
		e, XR_REPORT_path_lost,
		"what XDP_TX sends on %s is not delivered, so the daemon answers instead. On a "
		"veth load a native XDP program on the other end (pass.bpf.o), or set xdp = "
		"generic",
		c->interface);
}

/* A peer says: your echo came through. */
void xr_path_delivered(struct xr_engine *e, uint8_t node)
{
	struct xr_report r = {
		.at_ns = xr_engine_now_ns(e),
		.kind = XR_REPORT_path_delivered,
		.node = node,
	};

	if (e->path.next_ns == UINT64_MAX)
		return;
	e->path.next_ns = UINT64_MAX;
	e->env.control->tx_path = XR_TX_DELIVERED;
	e->env.control->answer = 1;
	e->host->report(e->world, &r);
}

void xr_path_look(struct xr_engine *e, uint64_t now_ns)
{
	if (now_ns < e->path.next_ns)
		return;
	e->path.next_ns = now_ns + (e->path.asked < PATH_EAGER ? PATH_ASK_NS : PATH_AGAIN_NS);
	if (e->path.asked++ == 0)
		e->path.echoed = e->host->echoes(e->world);
	else if (e->host->echoes(e->world) - e->path.echoed >= PATH_PATIENCE) {
		if (e->env.control->tx_path != XR_TX_LOST)
			path_lost(e);
		e->path.next_ns = now_ns + PATH_AGAIN_NS;
	}
	xr_each_node(to)
		if (to != e->config->self && e->peers[to].used)
			xr_outbox_bare(&e->outbox, to, XR_PATH_ASK, 0);
}
