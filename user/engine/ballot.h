/* SPDX-License-Identifier: GPL-2.0-only */
/* A vote, its answer or a resignation, between the core's message and its form on the wire. */
#ifndef XRAFT_BALLOT_H
#define XRAFT_BALLOT_H

#include "core/raft.h"
#include "xraft/wire.h"

static inline struct xr_ballot xr_ballot_of(const struct xr_message *m, uint32_t group,
					    uint16_t digest, uint32_t birth)
{
	return (struct xr_ballot){
		.group = group,
		.term = m->term,
		.digest = digest,
		.flags = m->granted ? XR_GRANTED : 0,
		.round = m->round,
		.entry = m->entry,
		.birth = birth,
		.lift_term = m->lift_term,
		.lift_leader = m->lift_leader,
		.node = m->heir,
	};
}

static inline struct xr_message xr_ballot_message(const struct xr_wire *h,
						  const struct xr_ballot *b)
{
	return (struct xr_message){
		.type = h->type,
		.node = h->source,
		.granted = b->flags & XR_GRANTED,
		.heir = b->node,
		.lift_leader = b->lift_leader,
		.lift_term = b->lift_term,
		.term = b->term,
		.round = b->round,
		.entry = b->entry,
	};
}

/*
 * Who goes first after a resignation: of the voters that acked last the one of highest priority; 0:
 * nobody ever has. Equals share the groups among them. Witnesses and the paused do not lead, nor those
 * that are `deaf` (bit n: node n): whose cards may ack, and whose daemons answer nothing.
 */
static inline uint8_t xr_heir(const struct xr_group *g, const struct xr_acks *acks,
			      const struct xr_control *c, const struct xr_peer *peers,
			      uint32_t deaf, uint32_t group)
{
	uint32_t others = g->members & XR_NODES & ~deaf & ~acks->paused & ~(1u << c->self);
	uint64_t newest_ns = 0;
	uint8_t heirs[XR_NODE_MAX], highest = 0;
	int n = 0;

	xr_each_node(node)
		if (!peers[node].priority)
			others &= ~(1u << node);
	xr_each_node_of(node, others)
		if (acks->echo_ns[node] > newest_ns)
			newest_ns = acks->echo_ns[node];
	xr_each_node_of(node, others) {
		uint8_t priority = peers[node].priority;

		if (priority < highest || !acks->echo_ns[node] ||
		    newest_ns - acks->echo_ns[node] > c->heartbeat_us * 500ull)
			continue;
		n = priority > highest ? 0 : n;
		highest = priority;
		heirs[n++] = node;
	}
	return n ? heirs[group % (uint32_t)n] : 0;
}

#endif
