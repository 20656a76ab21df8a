// SPDX-License-Identifier: GPL-2.0-only
/* The ceiling: start, and take each event to the room that it concerns. */
#include "core/internal.h"

static void on_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (r->role == XR_LEADER)
		xr_leader_timer(r, ev, up);
	else if (!xr_follower_waits(r, ev, up))
		xr_candidate_timer(r, ev, up);
}

static void (*const on_type[XR_TYPE_END])(struct xr_raft *r, const struct xr_event *ev,
					  struct xr_update *up) = {
	[XR_HEARTBEAT] = xr_follower_heartbeat,
	[XR_ACK] = xr_leader_ack,
	[XR_POLL] = xr_follower_poll,
	[XR_VOTE] = xr_voter_vote,
	[XR_VOTE_ANSWER] = xr_candidate_vote_answer,
	[XR_PREVOTE] = xr_voter_prevote,
	[XR_PREVOTE_ANSWER] = xr_candidate_prevote_answer,
	[XR_RESIGN] = xr_follower_resignation,
	[XR_APPEND] = xr_follower_append,
	[XR_HAND_ON] = xr_entry_handed,
};

static void on_message(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	/* Members need not be so by this node's own idea, which may be older than theirs (4.2.2). */
	if (m->node == r->self || m->node > XR_NODE_MAX)
		return;
	xr_decide_note(r, m);
	if (m->type < XR_TYPE_END && on_type[m->type])
		on_type[m->type](r, ev, up);
}

static void on_looked(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_op op = r->op;
	struct xr_why_event why;

	if (op.kind == XR_OP_NONE)
		return;
	if (xr_decide_looked(r, ev, &why, up)) {
		if (op.kind == XR_OP_CAMPAIGN)
			xr_candidate_requests(r, ev, up);
		return;
	}
	if (op.kind == XR_OP_CAMPAIGN)
		xr_candidate_gave_up(r, ev);
	else if (op.kind == XR_OP_VOTE || op.asked)
		xr_voter_gave_up(r, &op, &why, up);
}

static void on_durable(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_op op = r->op;

	if (!op.writing)
		return;
	xr_decide_durable(r, up);
	switch (op.kind) {
	case XR_OP_CAMPAIGN:
		xr_candidate_own_vote(r, ev, up);
		break;
	case XR_OP_VOTE:
		xr_voter_voted(r, ev, &op, up);
		break;
	case XR_OP_TERM:
		xr_voter_entered_term(r, ev, &op, up);
		break;
	default:
		break;
	}
	if (op.heard && r->role == XR_LEADER)
		up->two_leaders = true; /* rule 14 */
	else if (op.heard)
		xr_follower_follow(r, ev, op.heard, op.echo_ns, up);
}

/* What it has begun to ask for ends here; a leader hands over. */
static void on_pause(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_why_event why = {.cause = XR_CAUSE_PAUSED};

	r->paused = ev->paused;
	if (!r->paused)
		xr_timer_rearm(r, ev);
	else if (r->role == XR_LEADER)
		xr_leader_step_down(r, ev, &why, up);
	else if (r->phase != XR_IDLE)
		xr_candidate_pause(r, ev);
}

static void step(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	switch (ev->kind) {
	case XR_EV_TIMER:
		on_timer(r, ev, up);
		break;
	case XR_EV_MESSAGE:
		on_message(r, ev, up);
		break;
	case XR_EV_LOOKED:
		on_looked(r, ev, up);
		break;
	case XR_EV_DURABLE:
		on_durable(r, ev, up);
		break;
	case XR_EV_HINT:
		xr_follower_hint(r, ev);
		break;
	case XR_EV_PROPOSE:
		xr_entry_propose(r, ev, up);
		break;
	case XR_EV_TAKEN:
		xr_leader_taken(r, ev, up);
		break;
	case XR_EV_PAUSE:
		on_pause(r, ev, up);
		break;
	case XR_EV_NEWS:
		break;
	case XR_EV_STEP_DOWN:
		if (r->role == XR_LEADER)
			xr_leader_step_down(r, ev, &ev->why, up);
		break;
	}
}

void xr_raft_step(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	memset(up, 0, sizeof(*up));
	if (ev->committed)
		xr_entry_note(r, ev, up);
	step(r, ev, up);
	up->timer_ns = xr_timer_next_ns(r, ev);
	up->quiet_ns = xr_timer_quiet_ns(r, ev);
}

void xr_raft_start(struct xr_raft *r, uint32_t term, uint8_t vote, uint64_t now_ns,
		   uint64_t promise_until_ns, uint64_t random, struct xr_update *up)
{
	struct xr_event ev = {.now_ns = now_ns, .random = random};

	memset(up, 0, sizeof(*up));
	r->term = term;
	r->vote = vote;
	r->role = XR_FOLLOWER;
	r->promise_until_ns = promise_until_ns;
	r->since_ns = now_ns;
	/* Rounds tell answers to the last life's requests from answers to this one's. */
	r->round = random >> 32;
	r->why.cause = XR_CAUSE_START;
	xr_timer_rearm(r, &ev);
	up->what = XR_DO_PUBLISH;
	up->view = (struct xr_view){.term = term, .mode = XR_NONE};
	up->timer_ns = xr_timer_next_ns(r, &ev);
}
