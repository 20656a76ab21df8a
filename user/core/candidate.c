// SPDX-License-Identifier: GPL-2.0-only
/* The candidate's side: PreVote, RequestVote, and the counting of answers (5.2; 9.6). */
#include "core/internal.h"

/* All of `what` that this node asks for says which leader's resignation set it off, if one did. */
static void send_request(struct xr_raft *r, struct xr_update *up, uint8_t type, uint32_t term)
{
	struct xr_message *m = xr_update_send(r, up, type, 0, term);

	m->lift_leader = r->lift_leader;
	m->lift_term = r->lift_term;
	/* A refused prevote may be granted a moment later; a vote is refused for its whole term. */
	m->skip = type == XR_PREVOTE ? r->granted : r->granted | r->refused;
}

static void note_resignation(struct xr_raft *r)
{
	r->lift_leader = r->resigned ? r->resigned_leader : 0;
	r->lift_term = r->resigned ? r->term : 0;
}

/* Why does an election start? Whoever reads the log wants to know. */
static struct xr_why_event timer_cause(const struct xr_raft *r, const struct xr_event *ev)
{
	if (r->phase == XR_VOTING)
		return (struct xr_why_event){
			.cause = XR_CAUSE_SPLIT,
			.term = r->term,
			.ns = ev->now_ns - r->election_ns,
		};
	if (r->phase == XR_PREVOTING)
		return r->why; /* still the same silence, another round */
	if (r->resigned && r->resigned_leader != r->self)
		return (struct xr_why_event){
			.cause = XR_CAUSE_RESIGNED,
			.node = r->resigned_leader,
			.term = r->term,
		};
	if (r->leader)
		return (struct xr_why_event){
			.cause = xr_timer_hinted(r, ev->contact_ns) ? XR_CAUSE_GONE
								    : XR_CAUSE_SILENCE,
			.node = r->leader,
			.ns = ev->now_ns - xr_raft_heard_ns(r, ev->contact_ns),
		};
	if (r->why.cause == XR_CAUSE_START)
		return r->why;
	return (struct xr_why_event){
		.cause = XR_CAUSE_NO_LEADER,
		.ns = ev->now_ns - xr_raft_heard_ns(r, ev->contact_ns),
	};
}

static void start_prevote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	bool another_round = r->phase == XR_PREVOTING; /* of which there may be many: said once */

	r->why = timer_cause(r, ev);
	/*
	 * The view stays as it is: a prevote changes nothing (9.6), and if the leader is heard
	 * again its heartbeats are answered as before.
	 */
	r->role = XR_FOLLOWER;
	r->phase = XR_PREVOTING;
	r->round++;
	r->granted = xr_bit(r->self);
	r->refused = 0;
	r->election_ns = ev->now_ns;
	r->resend_ns = xr_timer_resend_ns(r, ev->now_ns);
	xr_timer_rearm(r, ev);
	note_resignation(r);
	if (!another_round)
		xr_update_report(up, XR_RAFT_PREVOTE_STARTED, r->term + 1, 0, &r->why);
	if (xr_majority(r, r->granted))
		xr_candidate_campaign(r, ev, &r->why, up);
	else
		send_request(r, up, XR_PREVOTE, r->term + 1);
}

/* Once a timeout a new election, until there is a leader (5.2); in between, ask the silent again. */
void xr_candidate_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	bool expired = !xr_before(ev->now_ns, r->base_ns + r->timeout_ns);

	if (r->phase == XR_PREVOTING && ev->contact_ns &&
	    xr_before(r->election_ns, ev->contact_ns)) {
		r->phase = XR_IDLE; /* heard the leader meanwhile: no election */
		return;
	}
	if (!xr_raft_stands(r)) {
		xr_timer_rearm(r, ev); /* it waits for those who do */
		return;
	}
	if ((expired && !xr_timer_waits(r)) || r->phase == XR_IDLE) {
		start_prevote(r, ev, up);
	} else if (!xr_before(ev->now_ns, r->resend_ns)) {
		r->resend_ns = xr_timer_resend_ns(r, ev->now_ns);
		if (r->phase == XR_PREVOTING)
			send_request(r, up, XR_PREVOTE, r->term + 1);
		else
			send_request(r, up, XR_VOTE, xr_raft_term(r));
	}
}

void xr_candidate_gave_up(struct xr_raft *r, const struct xr_event *ev)
{
	r->phase = XR_IDLE;
	xr_timer_rearm(r, ev);
}

/* It stands no more: no answer that is still to come makes it leader, nor its own vote on disk. */
void xr_candidate_pause(struct xr_raft *r, const struct xr_event *ev)
{
	r->role = XR_FOLLOWER;
	xr_candidate_gave_up(r, ev);
}

/* A majority would vote for this node, or its leader named it heir: increment the term (5.2). */
void xr_candidate_campaign(struct xr_raft *r, const struct xr_event *ev,
			   const struct xr_why_event *why, struct xr_update *up)
{
	struct xr_op op = {.kind = XR_OP_CAMPAIGN, .term = r->term + 1, .why = *why};
	struct xr_why_event not_now;

	note_resignation(r);
	r->why = *why;
	r->election_ns = ev->now_ns;
	if (!xr_decide_stranger(r, ev, &not_now) && !xr_decide_sticky(r, ev, &not_now)) {
		xr_decide_begin(r, up, &op);
		return;
	}
	xr_candidate_gave_up(r, ev);
}

/* Looked: ask all others in parallel, while the own vote is still being written (rule 3). */
void xr_candidate_requests(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	r->role = XR_CANDIDATE;
	r->phase = XR_VOTING;
	r->round++;
	r->granted = 0;
	r->refused = 0;
	r->resend_ns = xr_timer_resend_ns(r, ev->now_ns);
	xr_timer_rearm(r, ev);
	xr_update_report(up, XR_RAFT_ELECTION_STARTED, r->op.term, 0, &r->why);
	if (r->voters != xr_bit(r->self))
		send_request(r, up, XR_VOTE, r->op.term);
}

/* Won: a majority for this term, the own vote among it, durable (5.2). */
static void lead_if_won(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (!r->op.writing && r->phase == XR_VOTING && xr_majority(r, r->granted))
		xr_leader_begin(r, ev, up);
}

/*
 * The timeout counts from here: where disks are slower than it, candidates that split a vote would
 * all go on at the same instant, with their writes, and the votes that come a little later be lost.
 */
void xr_candidate_own_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	xr_timer_rearm(r, ev);
	r->granted |= xr_bit(r->self);
	lead_if_won(r, ev, up);
}

/* An answer counts in the phase, term and round that asked for it, and in no other. */
void xr_candidate_prevote_answer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (!m->granted) {
		if (m->term > xr_raft_term(r))
			xr_decide_enter_term(r, ev, up);
		return;
	}
	if (r->phase != XR_PREVOTING || m->term != r->term + 1 || m->round != r->round)
		return;
	r->granted |= xr_bit(m->node);
	if (xr_majority(r, r->granted))
		xr_candidate_campaign(r, ev, &r->why, up);
}

void xr_candidate_vote_answer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (!m->granted && m->term > xr_raft_term(r)) {
		xr_decide_enter_term(r, ev, up);
		return;
	}
	if (r->phase != XR_VOTING || m->term != xr_raft_term(r) || m->round != r->round)
		return;
	if (!m->granted) {
		r->refused |= xr_bit(m->node);
		return;
	}
	r->granted |= xr_bit(m->node);
	lead_if_won(r, ev, up);
}
