/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a node hold the lease of a group at this moment (rules 5 and 16)? One look for everyone who
 * asks: programs through libxraft, people through the status.
 */
#ifndef XRAFT_LEASE_H
#define XRAFT_LEASE_H

#include <stdatomic.h>
#include "common/common.h"
#include "net/env.h"
#include "nic/maps.h"

/* What a look at a group took. */
struct xr_lease {
	union xr_word view;
	struct xr_group group; /* of which lead_since and voters were read */
	struct xr_acks acks;
	uint64_t deadline_ns, now_ns;
	uint64_t timens; /* of the daemon; whose clock `now_ns` is by, the caller has to know */
};

/* Rule 16: a reader loads these between its two looks at the view. */
static inline void xr_lease_copy(const struct xr_group *g, const struct xr_acks *a,
				 struct xr_lease *l)
{
	l->group.lead_since_ns = *(const volatile __u64 *)&g->lead_since_ns;
	l->group.voters = *(const volatile __u32 *)&g->voters;
	xr_each_node(node)
		l->acks.echo_ns[node] = *(const volatile __u64 *)&a->echo_ns[node];
}

/* True: at a moment during the call this node held the lease. `group` is below m->ngroups. */
static inline bool xr_lease_look(const struct xr_maps *m, size_t group, struct xr_lease *l)
{
	const struct xr_control *c = m->control;
	const struct xr_group *g = &m->groups[group];

	atomic_thread_fence(memory_order_seq_cst);
	l->view = xr_view_read(g);
	if (l->view.view.mode != XR_LEAD)
		return false;
	atomic_thread_fence(memory_order_acquire); /* nothing below is older than the view */
	XR_PAUSE;
	xr_lease_copy(g, &m->acks[group], l);
	l->deadline_ns = *(const volatile __u64 *)&c->alive_until_ns;
	l->timens = *(const volatile __u64 *)&c->timens;
	atomic_thread_fence(memory_order_seq_cst); /* and the clock not older than that */
	XR_PAUSE;
	l->now_ns = xr_now_ns();
	atomic_thread_fence(memory_order_seq_cst);
	XR_PAUSE;
	return xr_view_read(g).word == l->view.word && xr_before(l->now_ns, l->deadline_ns) &&
	       xr_quorum_fresh(&l->group, &l->acks, c->self, l->now_ns, xr_lease_ns(c));
}

#endif
