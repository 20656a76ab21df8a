// SPDX-License-Identifier: GPL-2.0-only
/* Rule 3: decide, fence, look again, persist, publish; and stickiness, which each look asks for. */
#include "core/internal.h"

bool xr_decide_sticky(const struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why)
{
	uint64_t now_ns = ev->now_ns, heard_ns = ev->contact_ns;

	if (r->resigned)
		return false;
	if (r->role == XR_LEADER && ev->lease) {
		*why = (struct xr_why_event){.cause = XR_CAUSE_LEASE};
		return true;
	}
	/* A stamp a little ahead of `now` is one that the NIC path has only just written. */
	if (heard_ns && xr_before(now_ns, heard_ns + r->timing->min_timeout_ns)) {
		bool its = r->leader && !xr_before(heard_ns, r->since_ns);

		*why = (struct xr_why_event){
			.cause = its ? XR_CAUSE_HAS_LEADER : XR_CAUSE_HAD_LEADER,
			.node = its ? r->leader : 0,
			.ns = xr_before(now_ns, heard_ns) ? 0 : now_ns - heard_ns,
		};
		return true;
	}
	if (xr_before(now_ns, r->promise_until_ns)) {
		*why = (struct xr_why_event){
			.cause = XR_CAUSE_PROMISE,
			.ns = r->promise_until_ns - now_ns,
		};
		return true;
	}
	return false;
}

bool xr_decide_stranger(const struct xr_raft *r, const struct xr_event *ev,
			struct xr_why_event *why)
{
	if (xr_majority(r, ~ev->strangers | xr_bit(r->self)))
		return false;
	*why = (struct xr_why_event){.cause = XR_CAUSE_STRANGER};
	return true;
}

#define ALONE_TIMEOUTS 8 /* without a leader, before a leap that no majority holds is followed */

void xr_decide_note(struct xr_raft *r, const struct xr_message *m)
{
	bool votes = m->type == XR_VOTE || m->type == XR_PREVOTE || m->type == XR_VOTE_ANSWER ||
		     m->type == XR_PREVOTE_ANSWER;

	if (votes)
		r->met |= xr_bit(m->node);
	if (m->term > r->claimed[m->node] && m->term > r->term && m->term - r->term > XR_TERM_LEAP)
		r->claimed[m->node] = m->term;
}

/* The n-th largest term that others claim, if it is a leap; else 0. n >= 1. */
static uint32_t claimed_term(const struct xr_raft *r, int n)
{
	uint32_t left = r->voters & ~xr_bit(r->self);

	for (;;) {
		uint8_t largest = 0;

		xr_each_node_of(node, left)
			if (r->claimed[node] > r->claimed[largest])
				largest = node;
		if (!largest || r->claimed[largest] <= r->term ||
		    r->claimed[largest] - r->term <= XR_TERM_LEAP)
			return 0;
		if (--n == 0)
			return r->claimed[largest];
		left &= ~xr_bit(largest);
	}
}

/*
 * Two ways back from a leap (rule 14). The largest term that a majority of the voters has reached is
 * no fault of one node. And where a majority meets, and finds no leader for long, it goes up to the
 * nearest of its terms, step by step, or its members would refuse each other for ever. Terms may
 * rise whatever was promised: what a vote waits for is looked at as ever (rule 3).
 */
static uint32_t followed_term(const struct xr_raft *r, const struct xr_event *ev)
{
	int majority = __builtin_popcount(r->voters) / 2 + 1;
	uint32_t term = claimed_term(r, majority), next;
	uint64_t alone_ns = ev->now_ns - xr_raft_heard_ns(r, ev->contact_ns);

	if (term || r->role == XR_LEADER || !xr_majority(r, r->met | xr_bit(r->self)) ||
	    (int64_t)alone_ns < (int64_t)(ALONE_TIMEOUTS * r->timing->max_timeout_ns))
		return term;
	for (int n = 1; (next = claimed_term(r, n)); n++)
		term = next;
	return term;
}

bool xr_decide_leaps(const struct xr_raft *r, const struct xr_event *ev)
{
	uint32_t from = xr_raft_term(r), term = ev->message.term, followed;

	if (term <= from || term - from <= XR_TERM_LEAP)
		return false;
	followed = followed_term(r, ev);
	return followed < term && term - followed > XR_TERM_LEAP;
}

/*
 * The heir's request may overtake the resignation, or the resignation may be lost; so it carries
 * (term, leader) and lifts the same. All that this node heard in its durable term came from that
 * term's one leader.
 */
bool xr_decide_lifted(const struct xr_raft *r, const struct xr_message *m)
{
	return r->role != XR_LEADER && !r->op.writing && m->lift_leader &&
	       m->lift_term == r->term && m->term == r->term + 1 &&
	       (r->leader == 0 || r->leader == m->lift_leader);
}

void xr_decide_begin(struct xr_raft *r, struct xr_update *up, const struct xr_op *op)
{
	r->op = *op;
	up->what |= XR_DO_FENCE;
}

void xr_decide_enter_term(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	struct xr_op op = {
		.kind = XR_OP_TERM,
		.node = m->node,
		.term = m->term,
		/* A leader that was refused has to make way, or the refuser stays out for ever. */
		.lifted = r->role == XR_LEADER,
		.asked = m->type == XR_VOTE,
		.round = m->round,
		.why = {.cause = XR_CAUSE_NEWER_TERM, .node = m->node, .term = m->term},
	};
	struct xr_why_event why = {.cause = XR_CAUSE_LEAP, .node = m->node, .term = m->term};

	if (r->op.writing)
		return;
	if (xr_decide_leaps(r, ev)) {
		xr_update_report(up, XR_RAFT_VOTE_REFUSED, m->term, m->node, &why);
		return;
	}
	if (op.lifted || !xr_decide_sticky(r, ev, &why))
		xr_decide_begin(r, up, &op);
}

/* What is asked of the disk: rule 7 clears a vote only with a higher term. */
static uint8_t op_vote(const struct xr_raft *r, const struct xr_op *op)
{
	switch (op->kind) {
	case XR_OP_CAMPAIGN:
		return r->self;
	case XR_OP_VOTE:
		return op->node;
	default:
		return 0;
	}
}

/* Leave what this node was: the view is NONE, and stays so until the disk has answered. */
static void leave_role(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (r->role == XR_LEADER) {
		xr_update_report(up, XR_RAFT_STEPPED_DOWN, r->term, 0, &r->op.why);
		/* No rival for the one that it makes way for. */
		xr_update_send(r, up, XR_RESIGN, 0, r->term)->heir = r->op.kind == XR_OP_TERM
									     ? ev->heir
									     : r->op.node;
	}
	if (r->role == XR_LEADER)
		r->since_ns = ev->now_ns;
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = 0;
}

bool xr_decide_looked(struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why,
		      struct xr_update *up)
{
	struct xr_op *op = &r->op;

	/* A newer leader's election has waited already (rule 3). */
	if (op->kind != XR_OP_FOLLOW && !op->lifted && xr_decide_sticky(r, ev, why)) {
		*op = (struct xr_op){0};
		up->what |= XR_DO_RESTORE;
		return false;
	}
	leave_role(r, ev, up);
	op->writing = true;
	up->what |= XR_DO_PERSIST;
	up->term = op->term;
	up->vote = op_vote(r, op);
	return true;
}

void xr_decide_durable(struct xr_raft *r, struct xr_update *up)
{
	r->vote = op_vote(r, &r->op);
	r->term = r->op.term;
	r->resigned = false;
	r->op = (struct xr_op){0};
	up->what |= XR_DO_PUBLISH;
	up->view = (struct xr_view){.term = r->term, .mode = XR_NONE};
}
