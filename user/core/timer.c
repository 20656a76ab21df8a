// SPDX-License-Identifier: GPL-2.0-only
/* When: timeouts, polls, repetitions, and what the caller may put off. It decides nothing. */
#include "core/internal.h"

/* Between polls, and before a request that nobody answered is repeated. */
uint64_t xr_timer_gap_ns(const struct xr_raft *r)
{
	return r->timing->min_timeout_ns / 6;
}

/*
 * When to repeat a request: soon, since a datagram may be lost; then at twice the time since, and
 * again. Where nobody answers in time the reason is work, of which many groups would make more.
 */
uint64_t xr_timer_resend_ns(const struct xr_raft *r, uint64_t now_ns)
{
	uint64_t wait_ns = now_ns - r->election_ns;

	if (wait_ns < xr_timer_gap_ns(r))
		wait_ns = xr_timer_gap_ns(r);
	return now_ns + (wait_ns < r->timing->max_timeout_ns ? wait_ns : r->timing->max_timeout_ns);
}

/* Is the leader's socket gone, and has nothing been heard of it since? */
bool xr_timer_hinted(const struct xr_raft *r, uint64_t contact_ns)
{
	return r->hint_ns && xr_before(contact_ns, r->hint_ns);
}

static void draw(struct xr_raft *r, uint64_t random)
{
	const struct xr_timing *t = r->timing;

	r->timeout_ns = t->min_timeout_ns + random % (t->max_timeout_ns - t->min_timeout_ns + 1);
}

/* A fresh election timeout that counts from now. */
void xr_timer_rearm(struct xr_raft *r, const struct xr_event *ev)
{
	r->base_ns = ev->now_ns;
	r->hint_ns = 0;
	draw(r, ev->random);
}

/*
 * A new term is for a vote that was split (5.2). The own vote has to reach the disk first; and where
 * nobody has refused, the voters are slow: in another term they would only write once more.
 */
bool xr_timer_waits(const struct xr_raft *r)
{
	return r->phase == XR_VOTING && (r->op.writing || !r->refused);
}

/*
 * The place of this node among those that the leader leaves: the highest priority first. Among
 * equals in another group another is first. Witnesses come last, and stand for nothing.
 */
static uint32_t rank_of(const struct xr_raft *r)
{
	uint8_t own = r->peers[r->self].priority;
	uint32_t higher = 0, before = 0, equal = 0;

	xr_each_node_of(node, r->voters & ~xr_bit(r->leader)) {
		uint8_t priority = r->peers[node].priority;

		higher += priority > own;
		equal += priority == own;
		before += priority == own && node < r->self;
	}
	return higher + (equal ? (before + r->group) % equal : 0);
}

/*
 * After a hint all survivors would ask at the same instant, and split the vote; so they go by rank,
 * the first as soon as the stickiness of the others has run out.
 */
static uint64_t hinted_timeout_ns(const struct xr_raft *r)
{
	uint32_t rank = rank_of(r);
	uint64_t d_ns = r->timing->min_timeout_ns;
	uint64_t timeout_ns = d_ns + d_ns / 50 + d_ns / 5 * rank;

	return timeout_ns < r->timeout_ns ? timeout_ns : r->timeout_ns;
}

/* When silence becomes an election. A start's promise (rule 6) puts it off further. */
uint64_t xr_timer_expiry_ns(const struct xr_raft *r, uint64_t contact_ns)
{
	uint64_t from = xr_later(r->base_ns, contact_ns);
	uint64_t expiry = from +
			  (xr_timer_hinted(r, contact_ns) ? hinted_timeout_ns(r) : r->timeout_ns);

	return r->resigned ? r->base_ns + r->timeout_ns : xr_later(expiry, r->promise_until_ns);
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
uint64_t xr_timer_poll_ns(const struct xr_raft *r, const struct xr_event *ev)
{
	const struct xr_timing *t = r->timing;
	uint64_t wait_ns = patience_ns(r);
	uint64_t early_ns = xr_later(t->min_timeout_ns / 2, 2 * t->heartbeat_ns);

	if (is_overdue(r, ev) && early_ns < wait_ns)
		wait_ns = early_ns;
	return xr_later(xr_later(r->base_ns, ev->contact_ns) + wait_ns, r->resend_ns);
}

uint64_t xr_timer_next_ns(const struct xr_raft *r, const struct xr_event *ev)
{
	uint64_t expiry, other;

	if (r->role == XR_LEADER)
		return r->beat_ns;
	if (!xr_raft_votes(r) && !xr_raft_stands(r))
		return UINT64_MAX;
	expiry = xr_timer_expiry_ns(r, ev->contact_ns);
	if (xr_timer_waits(r))
		return r->resend_ns;
	if (r->op.writing)
		return UINT64_MAX;
	if (r->phase == XR_IDLE && !r->leader)
		return xr_raft_stands(r) ? expiry : UINT64_MAX;
	other = r->phase == XR_IDLE ? xr_timer_poll_ns(r, ev) : r->resend_ns;
	return expiry < other ? expiry : other;
}

/* For xr_update.quiet_ns: what else than the contact may a timer depend on? */
uint64_t xr_timer_quiet_ns(const struct xr_raft *r, const struct xr_event *ev)
{
	if (r->role == XR_LEADER)
		return r->grace_ns ? 0 : r->timing->heartbeat_ns;
	if (r->role != XR_FOLLOWER || r->phase != XR_IDLE || r->op.kind != XR_OP_NONE ||
	    !r->leader || r->resigned || xr_timer_hinted(r, ev->contact_ns) || is_overdue(r, ev))
		return 0;
	return patience_ns(r);
}
