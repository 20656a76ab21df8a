// SPDX-License-Identifier: GPL-2.0-only
/* The follower's side: its leader's silence, heartbeats that came up, and resignations. */
#include "core/internal.h"

/*
 * Rule 11: a late wake-up is not a silent leader. True while the leader has time left; whoever
 * slept itself gives it the time to answer a poll.
 */
static bool ask_first(struct xr_raft *r, const struct xr_event *ev)
{
	uint64_t grace_ns = 2 * xr_timer_gap_ns(r);

	if (xr_before(ev->now_ns, xr_timer_expiry_ns(r, ev->contact_ns)))
		return true;
	if (!ev->late || !r->leader || xr_before(ev->contact_ns, r->base_ns))
		return false; /* grace is given once for a contact */
	r->base_ns = ev->now_ns + grace_ns - r->timeout_ns;
	r->hint_ns = 0; /* a socket that is gone will say so once more */
	r->resend_ns = ev->now_ns;
	return true;
}

/* True while there is no silence to act on. A leader that is overdue is asked for a heartbeat. */
bool xr_follower_waits(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (r->phase != XR_IDLE || !ask_first(r, ev))
		return false;
	if (r->leader && !xr_before(ev->now_ns, xr_timer_poll_ns(r, ev))) {
		xr_update_send(r, up, XR_POLL, r->leader, r->term);
		r->overdue_ns = ev->now_ns;
		r->resend_ns = ev->now_ns + xr_timer_gap_ns(r);
	}
	return true;
}

/* Follow `node`, leader of the durable term, and ack the heartbeat that said so. */
void xr_follower_follow(struct xr_raft *r, const struct xr_event *ev, uint8_t node,
			uint64_t echo_ns, struct xr_update *up)
{
	if (r->leader != node) {
		xr_update_report(up, XR_RAFT_FOLLOWING, r->term, node, NULL);
		r->since_ns = ev->now_ns;
	}
	r->met = 0;
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = node;
	r->why.cause = XR_CAUSE_NONE;
	xr_timer_rearm(r, ev);
	up->what |= XR_DO_PUBLISH | XR_DO_ACK;
	up->view = (struct xr_view){.term = r->term, .leader = node, .mode = XR_FOLLOW};
	up->ack_to = node;
	up->ack_echo_ns = echo_ns;
}

/* The leader of the durable term speaks: a candidate gives up, a follower follows (5.2). */
static void heard_leader(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	uint8_t known = r->resigned ? r->resigned_leader : r->leader;

	if (known && known != m->node) {
		up->two_leaders = true; /* rule 14 */
		return;
	}
	if (r->resigned)
		return; /* a late heartbeat: it does not take its resignation back */
	xr_follower_follow(r, ev, m->node, m->sent_ns, up);
}

/* Of a term that is not durable yet: remember it, so that no time is lost once it is. */
static void heard_early(struct xr_raft *r, const struct xr_message *m, struct xr_update *up)
{
	if (m->term != r->op.term)
		return;
	up->two_leaders = r->op.heard && r->op.heard != m->node;
	r->op.heard = m->node;
	r->op.echo_ns = m->sent_ns;
}

void xr_follower_heartbeat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	struct xr_why_event why = {.cause = XR_CAUSE_LEAP, .node = m->node, .term = m->term};
	struct xr_op op = {
		.kind = XR_OP_FOLLOW,
		.node = m->node,
		.heard = m->node,
		.term = m->term,
		.echo_ns = m->sent_ns,
		.why = {.cause = XR_CAUSE_NEWER_TERM, .node = m->node, .term = m->term},
	};

	if (r->op.writing) {
		heard_early(r, m, up);
	} else if (m->term == r->term) {
		heard_leader(r, ev, up);
	} else if (xr_decide_leaps(r, ev)) {
		xr_update_report(up, XR_RAFT_VOTE_REFUSED, m->term, m->node, &why);
	} else if (m->term > r->term) {
		xr_decide_begin(r, up, &op);
	}
}

/* A heartbeat with the group's entry. From a leader that is new here it is that first. */
void xr_follower_append(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (!r->op.writing && m->term == r->term && r->role == XR_FOLLOWER && r->leader == m->node)
		xr_entry_append(r, ev, up);
	else if (m->term >= r->term)
		xr_follower_heartbeat(r, ev, up);
}

/*
 * "I no longer lead in this term." Lifts stickiness for exactly that leader and term; the heir
 * campaigns at once, without PreVote. The others leave it D, so long as an election may take where
 * a hundred thousand groups hold theirs at once, and a random part of their usual time. Where there
 * is no heir they wait for nobody: D protects no lease here, since who resigns has fenced first, as
 * leader (rule 5), or when it started (rule 6), and never leads in that term again.
 */
void xr_follower_resignation(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	struct xr_why_event why = {.cause = XR_CAUSE_RESIGNED, .node = m->node, .term = m->term};
	struct xr_why_event not_now;

	if (r->op.writing || r->role == XR_LEADER || m->term != r->term || r->resigned ||
	    (r->leader && r->leader != m->node))
		return;
	r->resigned = true;
	r->resigned_leader = m->node;
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = 0;
	xr_update_report(up, XR_RAFT_RESIGNATION, m->term, m->node, NULL);
	if (m->heir == r->self && xr_raft_stands(r) && !xr_decide_stranger(r, ev, &not_now)) {
		xr_candidate_campaign(r, ev, &why, up);
		return;
	}
	up->what |= XR_DO_FENCE_ONLY;
	xr_timer_rearm(r, ev);
	if (m->heir)
		r->timeout_ns = r->timing->min_timeout_ns + r->timeout_ns / 4;
	else
		r->timeout_ns = (r->timeout_ns - r->timing->min_timeout_ns) / 4;
}

/*
 * Somebody still takes this node for the leader of a term that it led in an earlier life, and will
 * never lead in again (rule 5). Nothing changes here; to say so is a resignation.
 */
void xr_follower_poll(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	bool led = m->term < r->term || (m->term == r->term && r->vote == r->self);
	struct xr_message *answer;

	if (!led || r->role != XR_FOLLOWER || r->op.writing)
		return;
	answer = xr_update_send(r, up, XR_RESIGN, m->node, m->term);
	answer->heir = ev->heir;
}

/*
 * Rule 11: a dead socket is a hint, never a proof. It only brings the PreVote forward, to the
 * moment at which the others may grant it.
 */
void xr_follower_hint(struct xr_raft *r, const struct xr_event *ev)
{
	if (r->role == XR_FOLLOWER && r->phase == XR_IDLE && r->op.kind == XR_OP_NONE &&
	    r->leader && r->leader == ev->message.node)
		r->hint_ns = ev->now_ns;
}
