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
		*why = (struct xr_why_event){
			.cause = XR_CAUSE_HAS_LEADER,
			.node = r->leader,
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
	if (m->term - r->term > XR_TERM_LEAP) {
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
