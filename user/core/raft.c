// SPDX-License-Identifier: GPL-2.0-only
/* The step function: start, dispatch, and rule 3's way from a decision to its publication. */
#include "core/internal.h"

struct xr_message *xr_raft_send(struct xr_raft *r, struct xr_update *up, uint8_t type, uint8_t node,
				uint32_t term)
{
	struct xr_message *m = &up->send[up->nsend++];

	*m = (struct xr_message){
		.type = type,
		.node = node,
		.term = term,
		.round = r->round,
		.last_term = r->last_term,
		.last_index = r->last_index,
	};
	return m;
}

void xr_raft_report(struct xr_update *up, enum xr_raft_report kind, uint32_t term, uint8_t node,
		    const struct xr_why_event *why)
{
	if (up->nreport == XR_REPORT_MAX)
		return;
	up->report[up->nreport].kind = kind;
	up->report[up->nreport].term = term;
	up->report[up->nreport].node = node;
	if (why)
		up->report[up->nreport].why = *why;
	up->nreport++;
}

bool xr_raft_sticky(const struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why)
{
	uint64_t age_ns = ev->now_ns - ev->contact_ns;

	if (r->resigned)
		return false;
	if (r->role == XR_LEADER && ev->lease) {
		*why = (struct xr_why_event){.cause = XR_CAUSE_LEASE};
		return true;
	}
	/* A stamp a little ahead of `now` is one that the NIC path has only just written. */
	if (ev->contact_ns && (int64_t)(age_ns - r->timing->min_timeout_ns) < 0) {
		*why = (struct xr_why_event){
			.cause = XR_CAUSE_HAS_LEADER,
			.node = r->leader,
			.ns = (int64_t)age_ns < 0 ? 0 : age_ns,
		};
		return true;
	}
	if ((int64_t)(r->promise_until_ns - ev->now_ns) > 0) {
		*why = (struct xr_why_event){
			.cause = XR_CAUSE_PROMISE,
			.ns = r->promise_until_ns - ev->now_ns,
		};
		return true;
	}
	return false;
}

/*
 * The heir's request may overtake the resignation, or the resignation may be lost; so it carries
 * (term, leader) and lifts the same. All that this node heard in its durable term came from that
 * term's one leader.
 */
bool xr_raft_lifted(const struct xr_raft *r, const struct xr_message *m)
{
	return r->role != XR_LEADER && !r->op.writing && m->lift_leader &&
	       m->lift_term == r->term && m->term == r->term + 1 &&
	       (r->leader == 0 || r->leader == m->lift_leader);
}

void xr_raft_decide(struct xr_raft *r, struct xr_update *up, const struct xr_op *op)
{
	r->op = *op;
	up->what |= XR_DO_FENCE;
}

void xr_raft_step_down(struct xr_raft *r, const struct xr_event *ev, const struct xr_why_event *why,
		       struct xr_update *up)
{
	up->what |= XR_DO_FENCE_ONLY;
	xr_raft_send(r, up, XR_RESIGN, 0, r->term)->heir = ev->heir;
	xr_raft_report(up, XR_RAFT_STEPPED_DOWN, r->term, 0, why);
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = 0;
	r->resigned = true; /* rule 5: never LEAD again in this term */
	r->resigned_leader = r->self;
	xr_raft_rearm(r, ev);
}

void xr_raft_enter_term(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
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
		xr_raft_report(up, XR_RAFT_VOTE_REFUSED, m->term, m->node, &why);
		return;
	}
	if (op.lifted || !xr_raft_sticky(r, ev, &why))
		xr_raft_decide(r, up, &op);
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
		xr_raft_report(up, XR_RAFT_STEPPED_DOWN, r->term, 0, &r->op.why);
		/* No rival for the one that it makes way for. */
		xr_raft_send(r, up, XR_RESIGN, 0, r->term)->heir = r->op.kind == XR_OP_TERM
									   ? ev->heir
									   : r->op.node;
	}
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = 0;
}

/* Rule 3: fenced, barrier executed. Look again; go back, or on to the disk. */
static void on_looked(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_op *op = &r->op;
	struct xr_why_event why;

	if (op->kind == XR_OP_NONE)
		return;
	/* A newer leader's election has waited already (SAFETY). */
	if (op->kind != XR_OP_FOLLOW && !op->lifted && xr_raft_sticky(r, ev, &why)) {
		struct xr_op given_up = *op;

		*op = (struct xr_op){0};
		up->what |= XR_DO_RESTORE;
		if (given_up.kind == XR_OP_VOTE || given_up.asked) {
			xr_voter_answer(r, given_up.node, given_up.round, false, up);
			xr_raft_report(up, XR_RAFT_VOTE_REFUSED, given_up.term, given_up.node,
				       &why);
		}
		if (given_up.kind == XR_OP_CAMPAIGN) {
			r->phase = XR_IDLE;
			xr_raft_rearm(r, ev);
		}
		return;
	}
	leave_role(r, ev, up);
	op->writing = true;
	up->what |= XR_DO_PERSIST;
	up->term = op->term;
	up->vote = op_vote(r, op);
	if (op->kind == XR_OP_CAMPAIGN)
		xr_election_requests(r, ev, up);
}

void xr_raft_follow(struct xr_raft *r, const struct xr_event *ev, uint8_t node, uint64_t echo_ns,
		    struct xr_update *up)
{
	if (r->leader != node)
		xr_raft_report(up, XR_RAFT_FOLLOWING, r->term, node, NULL);
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->leader = node;
	r->why.cause = XR_CAUSE_NONE;
	xr_raft_rearm(r, ev);
	up->what |= XR_DO_PUBLISH | XR_DO_ACK;
	up->view = (struct xr_view){.term = r->term, .leader = node, .mode = XR_FOLLOW};
	up->ack_to = node;
	up->ack_echo_ns = echo_ns;
}

/* Rule 3: durable; now publish, then reply. */
static void on_durable(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_op op = r->op;

	if (!op.writing)
		return;
	r->vote = op_vote(r, &op);
	r->term = op.term;
	r->resigned = false;
	r->op = (struct xr_op){0};
	up->what |= XR_DO_PUBLISH;
	up->view = (struct xr_view){.term = r->term, .mode = XR_NONE};

	switch (op.kind) {
	case XR_OP_CAMPAIGN:
		xr_election_own_vote(r, ev, up);
		break;
	case XR_OP_VOTE:
		xr_raft_rearm(r, ev); /* only a granted vote puts the timer off (5.2) */
		xr_voter_answer(r, op.node, op.round, true, up);
		xr_raft_report(up, XR_RAFT_VOTE_GRANTED, r->term, op.node, NULL);
		break;
	case XR_OP_TERM:
		xr_raft_rearm(r, ev);
		xr_raft_report(up, XR_RAFT_TERM_ADOPTED, r->term, op.node, &op.why);
		if (op.asked)
			xr_voter_answer(r, op.node, op.round, false, up);
		break;
	default:
		break;
	}
	if (op.heard && r->role == XR_LEADER)
		up->two_leaders = true; /* rule 14 */
	else if (op.heard)
		xr_raft_follow(r, ev, op.heard, op.echo_ns, up);
}

static void on_message(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (m->node == r->self || m->node > XR_NODE_MAX || !(r->voters & xr_bit(m->node)))
		return;
	switch (m->type) {
	case XR_HEARTBEAT:
		xr_follower_heartbeat(r, ev, up);
		break;
	case XR_ACK: /* comes up only as a refusal with a newer term */
		if (r->role == XR_LEADER && m->term > r->term)
			xr_raft_enter_term(r, ev, up);
		break;
	case XR_POLL: /* likewise only where nothing can be answered for this node */
		xr_follower_poll(r, ev, up);
		break;
	case XR_VOTE:
		xr_voter_vote(r, ev, up);
		break;
	case XR_VOTE_ANSWER:
		xr_election_vote_answer(r, ev, up);
		break;
	case XR_PREVOTE:
		xr_voter_prevote(r, ev, up);
		break;
	case XR_PREVOTE_ANSWER:
		xr_election_prevote_answer(r, ev, up);
		break;
	case XR_RESIGN:
		xr_follower_resignation(r, ev, up);
		break;
	default:
		break;
	}
}

/*
 * Groups with the same place in the interval beat at the same instants, so that they share
 * datagrams. The next one is fixed here and not at each event, or a stream of messages would put
 * it off for ever.
 */
void xr_raft_beat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	uint64_t gap_ns = r->timing->heartbeat_ns, shift_ns = r->beat_shift_ns;

	up->what |= XR_DO_BEAT;
	r->beat_ns = ((ev->now_ns - shift_ns) / gap_ns + 1) * gap_ns + shift_ns;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) > 0 ? a : b;
}

/*
 * After a hint all survivors would ask at the same instant, and split the vote; so they go by rank,
 * the first as soon as the stickiness of the others has run out. In another group another is first.
 */
static uint64_t hinted_timeout_ns(const struct xr_raft *r)
{
	uint32_t others = r->voters & ~xr_bit(r->leader);
	uint32_t before = __builtin_popcount(others & (xr_bit(r->self) - 1));
	uint32_t rank = (before + r->group) % __builtin_popcount(others);
	uint64_t d_ns = r->timing->min_timeout_ns;
	uint64_t timeout_ns = d_ns + d_ns / 50 + d_ns / 5 * rank;

	return timeout_ns < r->timeout_ns ? timeout_ns : r->timeout_ns;
}

/* When silence becomes an election. A start's promise (rule 6) puts it off further. */
static uint64_t expiry_ns(const struct xr_raft *r, uint64_t contact_ns)
{
	uint64_t from = later(r->base_ns, contact_ns);
	uint64_t expiry = from +
			  (xr_raft_hinted(r, contact_ns) ? hinted_timeout_ns(r) : r->timeout_ns);

	return r->resigned ? r->base_ns + r->timeout_ns : later(expiry, r->promise_until_ns);
}

/* Late enough that a quiet cluster never polls, and that a dead socket is gone by then. */
static uint64_t patience_ns(const struct xr_raft *r)
{
	return r->timing->min_timeout_ns * 4 / 5;
}

/* Had it to be asked for a heartbeat of late? */
static bool is_overdue(const struct xr_raft *r, const struct xr_event *ev)
{
	return r->overdue_ns && ev->now_ns - r->overdue_ns < r->timing->max_timeout_ns;
}

/*
 * A leader whose heartbeats do not come of themselves is asked again earlier, so that one poll may
 * fail.
 */
static uint64_t poll_ns(const struct xr_raft *r, const struct xr_event *ev)
{
	const struct xr_timing *t = r->timing;
	uint64_t wait_ns = patience_ns(r);
	uint64_t early_ns = later(t->min_timeout_ns / 2, 2 * t->heartbeat_ns);

	if (is_overdue(r, ev) && early_ns < wait_ns)
		wait_ns = early_ns;
	return later(later(r->base_ns, ev->contact_ns) + wait_ns, r->resend_ns);
}

static uint64_t next_timer(const struct xr_raft *r, const struct xr_event *ev)
{
	uint64_t expiry = expiry_ns(r, ev->contact_ns), other;

	if (!(r->voters & xr_bit(r->self)))
		return UINT64_MAX;
	if (r->role == XR_LEADER)
		return r->beat_ns;
	if (xr_election_waits(r))
		return r->resend_ns;
	if (r->op.writing)
		return UINT64_MAX;
	if (r->phase == XR_IDLE && !r->leader)
		return expiry;
	other = r->phase == XR_IDLE ? poll_ns(r, ev) : r->resend_ns;
	return expiry < other ? expiry : other;
}

/* For xr_update.quiet_ns: what else than the contact may a timer depend on? */
static uint64_t quiet_ns(const struct xr_raft *r, const struct xr_event *ev)
{
	if (r->role == XR_LEADER)
		return r->grace_ns ? 0 : r->timing->heartbeat_ns;
	if (r->role != XR_FOLLOWER || r->phase != XR_IDLE || r->op.kind != XR_OP_NONE ||
	    !r->leader || r->resigned || xr_raft_hinted(r, ev->contact_ns) || is_overdue(r, ev))
		return 0;
	return patience_ns(r);
}

/*
 * Rule 11: a late wake-up is not a silent leader. True while the leader has time left; whoever
 * slept itself gives it the time to answer a poll.
 */
static bool ask_first(struct xr_raft *r, const struct xr_event *ev)
{
	uint64_t grace_ns = 2 * xr_raft_gap_ns(r);

	if ((int64_t)(ev->now_ns - expiry_ns(r, ev->contact_ns)) < 0)
		return true;
	if (!ev->late || !r->leader || (int64_t)(r->base_ns - ev->contact_ns) > 0)
		return false; /* grace is given once for a contact */
	r->base_ns = ev->now_ns + grace_ns - r->timeout_ns;
	r->hint_ns = 0; /* a socket that is gone will say so once more */
	r->resend_ns = ev->now_ns;
	return true;
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
	return ev->may_lead || (int64_t)(ev->now_ns - r->grace_ns) < 0;
}

static void on_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	struct xr_why_event lost = {
		.cause = XR_CAUSE_QUORUM_LOST,
		.ns = r->timing->max_timeout_ns,
	};

	if (r->role == XR_LEADER && !quorum_has_time(r, ev)) {
		xr_raft_step_down(r, ev, &lost, up);
	} else if (r->role == XR_LEADER) {
		xr_raft_beat(r, ev, up);
	} else if (r->phase == XR_IDLE && ask_first(r, ev)) {
		if (r->leader && (int64_t)(ev->now_ns - poll_ns(r, ev)) >= 0) {
			xr_raft_send(r, up, XR_POLL, r->leader, r->term);
			r->overdue_ns = ev->now_ns;
			r->resend_ns = ev->now_ns + xr_raft_gap_ns(r);
		}
	} else {
		xr_election_timer(r, ev, up);
	}
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
	case XR_EV_STEP_DOWN:
		if (r->role == XR_LEADER)
			xr_raft_step_down(r, ev, &ev->why, up);
		break;
	}
}

void xr_raft_step(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	memset(up, 0, sizeof(*up));
	step(r, ev, up);
	up->timer_ns = next_timer(r, ev);
	up->quiet_ns = quiet_ns(r, ev);
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
	/* Rounds tell answers to the last life's requests from answers to this one's. */
	r->round = random >> 32;
	r->why.cause = XR_CAUSE_START;
	xr_raft_rearm(r, &ev);
	up->what = XR_DO_PUBLISH;
	up->view = (struct xr_view){.term = term, .mode = XR_NONE};
	up->timer_ns = next_timer(r, &ev);
}
