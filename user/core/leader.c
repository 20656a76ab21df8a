// SPDX-License-Identifier: GPL-2.0-only
/* The leader's side: heartbeats, CheckQuorum (rule 12; 6.2), and the end of it. */
#include "core/internal.h"

/*
 * Groups with the same place in the interval beat at the same instants, so that they share
 * datagrams. The next one is fixed here and not at each event, or a stream of messages would put
 * it off for ever.
 */
static void beat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	uint64_t gap_ns = r->timing->heartbeat_ns, shift_ns = r->beat_shift_ns;

	up->what |= XR_DO_BEAT;
	r->beat_ns = ((ev->now_ns - shift_ns) / gap_ns + 1) * gap_ns + shift_ns;
}

/* A majority voted for this node in its durable term (5.2). */
void xr_leader_begin(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	r->role = XR_LEADER;
	r->phase = XR_IDLE;
	r->leader = r->self;
	r->grace_ns = 0;
	r->met = 0;
	up->what |= XR_DO_PUBLISH;
	beat(r, ev, up); /* at once, to prevent new elections (5.2) */
	up->view = (struct xr_view){.term = r->term, .leader = r->self, .mode = XR_LEAD};
	xr_update_report(up, XR_RAFT_ELECTED, r->term, 0, &r->why);
	up->report[up->nreport - 1].took_ns = ev->now_ns - r->election_ns;
	r->why.cause = XR_CAUSE_NONE;
	if (r->entry)
		xr_entry_make(r, ev, up); /* rule 26: the same anew, in its own term */
}

/* Stop leading (rule 12): fence for good, resign, say why. A transfer is no more than its heir. */
void xr_leader_step_down(struct xr_raft *r, const struct xr_event *ev,
			 const struct xr_why_event *why, struct xr_update *up)
{
	up->what |= XR_DO_FENCE_ONLY;
	xr_update_send(r, up, XR_RESIGN, 0, r->term)->heir = ev->heir;
	xr_update_report(up, XR_RAFT_STEPPED_DOWN, r->term, 0, why);
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = 0;
	r->resigned = true; /* rule 5: never LEAD again in this term */
	r->resigned_leader = r->self;
	r->since_ns = ev->now_ns;
	xr_timer_rearm(r, ev);
}

/*
 * Rule 12, and rule 11 for a leader: acks that lapsed while it slept itself say nothing of its
 * followers, which it has asked nothing. It asks, and they have D to answer; once for a lapse.
 */
static bool quorum_has_time(struct xr_raft *r, const struct xr_event *ev)
{
	if (ev->may_lead)
		r->grace_ns = 0;
	else if (ev->late && !r->grace_ns)
		r->grace_ns = ev->now_ns + r->timing->min_timeout_ns;
	return ev->may_lead || xr_before(ev->now_ns, r->grace_ns);
}

void xr_leader_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_why_event lost = {
		.cause = XR_CAUSE_QUORUM_LOST,
		.ns = r->timing->max_timeout_ns,
	};

	if (quorum_has_time(r, ev))
		beat(r, ev, up);
	else
		xr_leader_step_down(r, ev, &lost, up);
}

/* Who is removed leads until the others have committed that, and then one of them (4.2.2). */
static void end_if_removed(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_why_event why = {.cause = XR_CAUSE_REMOVED};

	if (r->role == XR_LEADER && !xr_raft_votes(r) && !r->entry_next && r->committed == r->entry)
		xr_leader_step_down(r, ev, &why, up);
}

/* An ack comes up as a refusal with a newer term (5.1), or for the entry that it names. */
void xr_leader_ack(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (r->role != XR_LEADER)
		return;
	if (m->lacking)
		xr_entry_lacking(r, ev, up);
	else if (!m->granted && m->term > r->term)
		xr_decide_enter_term(r, ev, up);
	else if (m->granted && m->term == r->term)
		xr_entry_acked(r, ev, up);
	end_if_removed(r, ev, up);
}

void xr_leader_taken(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	xr_entry_taken(r, ev, up);
	end_if_removed(r, ev, up);
}
