// SPDX-License-Identifier: GPL-2.0-only
#include "nic/nic.h"
#include "xraft/testing.h"

/* Returns what stood there before. */
static struct xr_view fence_view(struct xr_group *g, bool all)
{
	union xr_word old, fenced;

	do {
		old = xr_view_read(g);
		fenced.view = (struct xr_view){.term = old.view.term, .mode = XR_NONE};
	} while ((all || old.view.mode == XR_LEAD) &&
		 !__sync_bool_compare_and_swap((__u64 *)&g->view, old.word, fenced.word));
	return old.view;
}

uint32_t xr_nic_fence(struct xr_maps *m, struct xr_view *led)
{
	uint32_t n = 0;

	*(volatile __u64 *)&m->control->alive_until_ns = 0;
	XR_PAUSE;
	for (size_t id = 0; id < m->ngroups; id++) {
		struct xr_view was = fence_view(&m->groups[id], !led);

		n += was.mode == XR_LEAD;
		if (led)
			led[id] = was;
		XR_PAUSE;
	}
	__sync_synchronize(); /* rule 5: the fence is visible before a resignation leaves */
	return n;
}

static void forget(__u64 *stamp, uint64_t now_ns)
{
	__u64 was;

	do {
		was = *(volatile __u64 *)stamp;
		if (!xr_before(now_ns, was))
			return;
	} while (!__sync_bool_compare_and_swap(stamp, was, 0)); /* rule 13 */
}

/*
 * Rule 6 makes this safe. All that a contact stands for was heard before the fence, and the promise
 * counts D from the fence. Nobody leads here: lead_since is written anew before a LEAD is published,
 * and an ack that is missing only shortens a lease. The replay mark is by the leader's clock, of
 * which ours says nothing.
 */
void xr_nic_forget_future(struct xr_maps *m, uint64_t now_ns)
{
	for (size_t id = 0; id < m->ngroups; id++) {
		forget(&m->groups[id].contact_ns, now_ns);
		forget(&m->groups[id].lead_since_ns, now_ns);
		xr_each_node(node)
			forget(&m->acks[id].echo_ns[node], now_ns);
	}
}
