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

/*
 * What a call looks at: the maps, or copies of its own where it may not map them. Each look at such
 * a copy is one system call.
 */
struct xr_sight {
	const struct xr_group *group;
	const struct xr_acks *acks;
	const struct xr_control *control;
	struct xr_group group_copy;
	struct xr_acks acks_copy;
	struct xr_control control_copy;
};

/* False: the kernel lets it look no more. */
static inline bool xr_sight_group(const struct xr_maps *m, size_t group, struct xr_sight *s)
{
	s->group = m->copied ? &s->group_copy : &m->groups[group];
	return !m->copied || xr_maps_look(m->groups_fd, (uint32_t)group, &s->group_copy);
}

static inline bool xr_sight_all(const struct xr_maps *m, size_t group, struct xr_sight *s)
{
	s->acks = m->copied ? &s->acks_copy : &m->acks[group];
	s->control = m->copied ? &s->control_copy : m->control;
	return xr_sight_group(m, group, s) &&
	       (!m->copied || (xr_maps_look(m->acks_fd, (uint32_t)group, &s->acks_copy) &&
			       xr_maps_look(m->control_fd, 0, &s->control_copy)));
}

/* What a look at a group took. */
struct xr_lease {
	union xr_word view;
	struct xr_group group; /* of which lead_since and members were read */
	struct xr_acks acks;
	uint64_t deadline_ns, now_ns;
	uint64_t timens; /* of the daemon; whose clock `now_ns` is by, the caller has to know */
};

/* Rule 16: a reader loads these between its two looks at the view. */
static inline void xr_lease_copy(const struct xr_group *g, const struct xr_acks *a,
				 struct xr_lease *l)
{
	l->group.lead_since_ns = *(const volatile __u64 *)&g->lead_since_ns;
	l->group.members = *(const volatile __u32 *)&g->members;
	xr_each_node(node)
		l->acks.echo_ns[node] = *(const volatile __u64 *)&a->echo_ns[node];
}

/* True: at a moment during the call this node held the lease. `group` is below m->ngroups. */
static inline bool xr_lease_look(const struct xr_maps *m, size_t group, struct xr_lease *l)
{
	struct xr_sight s;

	atomic_thread_fence(memory_order_seq_cst);
	if (!xr_sight_group(m, group, &s))
		return false;
	l->view = xr_view_read(s.group);
	if (l->view.view.mode != XR_LEAD)
		return false;
	atomic_thread_fence(memory_order_acquire); /* nothing below is older than the view */
	XR_PAUSE;
	if (!xr_sight_all(m, group, &s))
		return false;
	xr_lease_copy(s.group, s.acks, l);
	l->deadline_ns = *(const volatile __u64 *)&s.control->alive_until_ns;
	l->timens = *(const volatile __u64 *)&s.control->timens;
	atomic_thread_fence(memory_order_seq_cst); /* and the clock not older than that */
	XR_PAUSE;
	l->now_ns = xr_now_ns();
	atomic_thread_fence(memory_order_seq_cst);
	XR_PAUSE;
	return xr_sight_group(m, group, &s) && xr_view_read(s.group).word == l->view.word &&
	       xr_before(l->now_ns, l->deadline_ns) &&
	       xr_quorum_fresh(&l->group, &l->acks, s.control->self, l->now_ns,
			       xr_lease_ns(s.control));
}

#define XR_NO_QUORUM ((uint64_t)INT64_MAX)

/*
 * How old the majority-th newest echo of this leadership is, by the function that counts them
 * (rule 5): the shortest window in which there is a majority. XR_NO_QUORUM: there is none.
 */
static inline uint64_t xr_quorum_age_ns(const struct xr_group *g, const struct xr_acks *acks,
					uint8_t self, uint64_t now_ns)
{
	uint64_t age_ns = XR_NO_QUORUM;

	if (xr_quorum_fresh(g, acks, self, now_ns, 0))
		return 0; /* of itself alone */
	xr_each_node(node) {
		uint64_t echo_ns = *(const volatile __u64 *)&acks->echo_ns[node];
		uint64_t this_ns = echo_ns ? now_ns - echo_ns : XR_NO_QUORUM;

		if (this_ns < age_ns && xr_quorum_fresh(g, acks, self, now_ns, this_ns + 1))
			age_ns = this_ns;
	}
	return age_ns;
}

#endif
