// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is what the NIC path answers delivered? Until a peer has said so the daemon answers in its place,
 * and after each change that could have ended it the question is put again (rule 20).
 */
#include "engine/engine.h"

#define PATH_ASK_NS   (200 * NS_PER_MS)
#define PATH_AGAIN_NS (5 * NS_PER_S)  /* after the verdict "lost", or with no peer up */
#define PATH_FRESH_NS (60 * NS_PER_S) /* what was true so long ago is asked again */
#define PATH_EAGER    50	      /* questions before patience sets in */
#define PATH_PATIENCE 5		      /* echoes that nobody confirmed */

static bool is_off(const struct xr_engine *e)
{
	return e->env.control->nic_mode == XR_NIC_OFF;
}

/* Unless a test is under way. */
void xr_path_again(struct xr_engine *e, uint64_t at_ns)
{
	if (is_off(e) || e->path.asked)
		return;
	if (at_ns < e->path.next_ns)
		e->path.next_ns = at_ns;
}

/* There is one more to ask. */
void xr_path_met(struct xr_engine *e)
{
	if (e->path.asked)
		e->path.next_ns = 0;
}

static void path_lost(struct xr_engine *e)
{
	struct xr_control *c = e->env.control;

	c->tx_path = XR_TX_LOST;
	c->answer = 0; /* the daemon answers in its place: slower, but it arrives */
	xr_engine_say(e, XR_REPORT_path_lost,
		      "what XDP_TX sends on %s is not delivered, so the daemon answers "
		      "instead; " XR_PATH_REMEDY,
		      c->interface);
}

/* A peer asks whether what its NIC path answers arrives here. */
void xr_path_asked(struct xr_engine *e, uint8_t node, uint64_t nonce)
{
	const struct xr_fact fact = {XR_FACT_nonce, 0, nonce};

	xr_outbox_facts(&e->outbox, node, XR_PATH_TEST, &fact, 1);
}

/* Its echo came through, by XDP_TX: say so. */
void xr_path_echoed(struct xr_engine *e, uint8_t node, uint64_t nonce)
{
	const struct xr_fact fact = {XR_FACT_nonce, 0, nonce};

	xr_outbox_facts(&e->outbox, node, XR_PATH_DELIVERED, &fact, 1);
}

/* A peer says: your echo came through. Only an answer to our own question counts (rule 17). */
void xr_path_delivered(struct xr_engine *e, uint8_t node, uint64_t nonce)
{
	struct xr_acquaintance *a = &e->known[node];
	struct xr_control *c = e->env.control;
	struct xr_report r = {
		.at_ns = xr_engine_now_ns(e),
		.kind = XR_REPORT_path_delivered,
		.node = node,
	};

	if (!nonce || (nonce != a->path_nonce && nonce != a->path_former))
		return;
	a->path_nonce = a->path_former = 0;
	e->path = (struct xr_path_test){.next_ns = r.at_ns + PATH_FRESH_NS};
	if (c->tx_path != XR_TX_DELIVERED)
		e->host->report(e->world, &r);
	c->tx_path = XR_TX_DELIVERED;
	c->answer = 1;
}

/* Who is deaf himself hears nobody's word of his echoes, and knows nothing of them. */
static bool hears(const struct xr_engine *e)
{
	xr_each_node(node)
		if (xr_before(e->path.from_ns, e->known[node].told_ns))
			return true;
	return false;
}

void xr_path_look(struct xr_engine *e, uint64_t now_ns)
{
	if (now_ns < e->path.next_ns)
		return;
	if (!e->path.asked) /* what is still said of a test before this one counts no more */
		xr_each_node(to)
			e->known[to].path_nonce = e->known[to].path_former = 0;
	e->path.next_ns = now_ns + (e->path.asked < PATH_EAGER ? PATH_ASK_NS : PATH_AGAIN_NS);
	if (e->path.asked++ == 0 || !hears(e)) {
		e->path.echoed = e->host->echoes(e->world);
		e->path.from_ns = now_ns;
	} else if (e->host->echoes(e->world) - e->path.echoed >= PATH_PATIENCE) {
		if (e->env.control->tx_path != XR_TX_LOST)
			path_lost(e);
		e->path.next_ns = now_ns + PATH_AGAIN_NS;
	}
	xr_each_node(to)
		if (e->known[to].introduced)
			xr_introduce_ask(e, to, true);
}
