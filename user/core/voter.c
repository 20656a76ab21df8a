// SPDX-License-Identifier: GPL-2.0-only
/* The voter's side: RequestVote and PreVote (5.2, 5.4.1; 9.6). */
#include "core/internal.h"

/*
 * Rule 23 (5.4.1): ids are (term, index), compared as numbers. An entry on its way to the disk is there
 * before the vote is.
 */
static bool log_is_older(const struct xr_raft *r, const struct xr_message *m)
{
	return m->entry < xr_raft_newest(r);
}

static void answer(struct xr_raft *r, uint8_t node, uint32_t round, bool granted,
		   struct xr_update *up)
{
	struct xr_message *m = xr_update_send(r, up, XR_VOTE_ANSWER, node, xr_raft_term(r));

	m->round = round;
	m->granted = granted;
}

/*
 * May this node vote for the sender in the term it asks for? One answer for both RPCs. It decides
 * without a fence, so that a noisy node cannot make views flap (rule 3).
 */
static bool would_vote(const struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why)
{
	const struct xr_message *m = &ev->message;
	uint32_t term = xr_raft_term(r);

	if (m->term < term) {
		*why = (struct xr_why_event){.cause = XR_CAUSE_OLD_TERM, .term = m->term};
		return false;
	}
	if (xr_decide_leaps(r, ev)) {
		*why = (struct xr_why_event){.cause = XR_CAUSE_LEAP, .term = m->term};
		return false;
	}
	if (log_is_older(r, m)) {
		*why = (struct xr_why_event){.cause = XR_CAUSE_OLD_LOG};
		return false;
	}
	return !xr_decide_stranger(r, ev, why) &&
	       (xr_decide_lifted(r, m) || !xr_decide_sticky(r, ev, why));
}

/*
 * Changes nothing here: no term, no vote, no timer. Who waits for the disk with another vote could
 * not give this one: to say so would only bring that election to nothing.
 */
void xr_voter_prevote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	struct xr_why_event why = {0};
	bool granted = !r->op.writing && m->term > r->term && would_vote(r, ev, &why);
	struct xr_message *reply;

	if (why.cause == XR_CAUSE_LEAP) /* rule 14; other refusals of a prevote are everyday */
		xr_update_report(up, XR_RAFT_VOTE_REFUSED, m->term, m->node, &why);
	if (log_is_older(r, m))
		xr_entry_hand_on(r, up, m->node);
	reply = xr_update_send(r, up, XR_PREVOTE_ANSWER, m->node,
			       granted ? m->term : xr_raft_term(r));
	reply->round = m->round;
	reply->granted = granted;
}

static void refuse(struct xr_raft *r, const struct xr_message *m, const struct xr_why_event *why,
		   struct xr_update *up)
{
	answer(r, m->node, m->round, false, up);
	xr_update_report(up, XR_RAFT_VOTE_REFUSED, m->term, m->node, why);
}

/* Who has the term that is being written: its candidate, or the leader that was heard; 0: nobody. */
static uint8_t taken_by(const struct xr_raft *r)
{
	if (r->op.kind == XR_OP_CAMPAIGN)
		return r->self;
	return r->op.kind == XR_OP_TERM ? r->op.heard : r->op.node;
}

/* One vote a term, first come first served (5.2). True: there is nothing left to decide. */
static bool already_voted(struct xr_raft *r, const struct xr_message *m, struct xr_update *up)
{
	struct xr_why_event voted = {.cause = XR_CAUSE_VOTED, .node = r->vote, .term = r->term};

	if (r->op.writing) {
		/*
		 * Not durable yet: it counts for refusing others, not for answering. A term without a
		 * vote refuses nobody: who asks will ask again, and a refusal would cost him the term.
		 */
		voted.node = taken_by(r);
		if (m->term == r->op.term && voted.node && m->node != voted.node)
			refuse(r, m, &voted, up);
		return m->term >= r->op.term;
	}
	if (m->term != r->term)
		return false;
	if (r->vote == m->node) {
		answer(r, m->node, m->round, true, up);
		return true;
	}
	if (r->vote || r->leader || r->resigned) {
		if (!r->vote)
			voted.node = r->leader ? r->leader : r->resigned_leader;
		refuse(r, m, &voted, up);
		return true;
	}
	return false;
}

void xr_voter_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	struct xr_why_event why = {0};
	struct xr_op op = {
		.kind = XR_OP_VOTE,
		.node = m->node,
		.term = m->term,
		.round = m->round,
		.lifted = xr_decide_lifted(r, m),
		.why = {.cause = XR_CAUSE_NEWER_TERM, .node = m->node, .term = m->term},
	};

	if (already_voted(r, m, up))
		return;
	if (would_vote(r, ev, &why)) {
		xr_decide_begin(r, up, &op);
		return;
	}
	/* A refusal for stickiness does not raise the term (rule 12); one for the log does (5.1). */
	if (why.cause == XR_CAUSE_OLD_LOG && m->term > r->term)
		xr_decide_enter_term(r, ev, up);
	if (!(up->what & XR_DO_FENCE))
		refuse(r, m, &why, up);
}

/* Fenced, and found that it may not: the vote that was asked for is refused after all. */
void xr_voter_gave_up(struct xr_raft *r, const struct xr_op *op, const struct xr_why_event *why,
		      struct xr_update *up)
{
	answer(r, op->node, op->round, false, up);
	xr_update_report(up, XR_RAFT_VOTE_REFUSED, op->term, op->node, why);
}

void xr_voter_voted(struct xr_raft *r, const struct xr_event *ev, const struct xr_op *op,
		    struct xr_update *up)
{
	xr_timer_rearm(r, ev); /* only a granted vote puts the timer off (5.2) */
	answer(r, op->node, op->round, true, up);
	xr_update_report(up, XR_RAFT_VOTE_GRANTED, r->term, op->node, NULL);
}

void xr_voter_entered_term(struct xr_raft *r, const struct xr_event *ev, const struct xr_op *op,
			   struct xr_update *up)
{
	xr_timer_rearm(r, ev);
	xr_update_report(up, XR_RAFT_TERM_ADOPTED, r->term, op->node, &op->why);
	if (op->asked)
		answer(r, op->node, op->round, false, up);
}
