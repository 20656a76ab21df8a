/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the core share. */
#ifndef XRAFT_CORE_INTERNAL_H
#define XRAFT_CORE_INTERNAL_H

#include <string.h>
#include "core/raft.h"

static inline uint32_t xr_bit(uint8_t node)
{
	return 1u << node;
}

static inline bool xr_majority(const struct xr_raft *r, uint32_t nodes)
{
	return __builtin_popcount(nodes & r->voters) > __builtin_popcount(r->voters) / 2;
}

/* The term this node acts in: the one being written counts for refusing others (SAFETY). */
static inline uint32_t xr_raft_term(const struct xr_raft *r)
{
	return r->op.writing ? r->op.term : r->term;
}

/* Between polls, and before a request that nobody answered is repeated. */
static inline uint64_t xr_raft_gap_ns(const struct xr_raft *r)
{
	return r->timing->min_timeout_ns / 6;
}

/*
 * When to repeat a request: soon, since a datagram may be lost; then at twice the time since, and
 * again. Where nobody answers in time the reason is work, of which many groups would make more.
 */
static inline uint64_t xr_raft_resend_ns(const struct xr_raft *r, uint64_t now_ns)
{
	uint64_t wait_ns = now_ns - r->election_ns;

	if (wait_ns < xr_raft_gap_ns(r))
		wait_ns = xr_raft_gap_ns(r);
	return now_ns + (wait_ns < r->timing->max_timeout_ns ? wait_ns : r->timing->max_timeout_ns);
}

/* Is the leader's socket gone, and has nothing been heard of it since? */
static inline bool xr_raft_hinted(const struct xr_raft *r, uint64_t contact_ns)
{
	return r->hint_ns && (int64_t)(r->hint_ns - contact_ns) > 0;
}

static inline void xr_raft_draw(struct xr_raft *r, uint64_t random)
{
	const struct xr_timing *t = r->timing;

	r->timeout_ns = t->min_timeout_ns + random % (t->max_timeout_ns - t->min_timeout_ns + 1);
}

/* A fresh election timeout that counts from now. */
static inline void xr_raft_rearm(struct xr_raft *r, const struct xr_event *ev)
{
	r->base_ns = ev->now_ns;
	r->hint_ns = 0;
	xr_raft_draw(r, ev->random);
}

struct xr_message *xr_raft_send(struct xr_raft *r, struct xr_update *up, uint8_t type, uint8_t node,
				uint32_t term);
void xr_raft_report(struct xr_update *up, enum xr_raft_report kind, uint32_t term, uint8_t node,
		    const struct xr_why_event *why);

/*
 * Vote stickiness (dissertation 4.2.3): true, with the reason, while this node may give its vote
 * to nobody, because it heard a leader, promised at its start, or leads with a lease.
 */
bool xr_raft_sticky(const struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why);

/* Does the request bring word that this node's leader has resigned? */
bool xr_raft_lifted(const struct xr_raft *r, const struct xr_message *m);

/* Rule 3, first step: fence, and come back with XR_EV_LOOKED. */
void xr_raft_decide(struct xr_raft *r, struct xr_update *up, const struct xr_op *op);

/* Stop leading (rule 12): fence for good, resign, say why. */
void xr_raft_step_down(struct xr_raft *r, const struct xr_event *ev, const struct xr_why_event *why,
		       struct xr_update *up);

/* Enter a newer term that was heard of, without a vote in it. */
void xr_raft_enter_term(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* Follow `node`, leader of the durable term, and ack the heartbeat that said so. */
void xr_raft_follow(struct xr_raft *r, const struct xr_event *ev, uint8_t node, uint64_t echo_ns,
		    struct xr_update *up);

/* Heartbeats now, and again at the next common instant. */
void xr_raft_beat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* election.c */
void xr_election_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
bool xr_election_waits(const struct xr_raft *r); /* for the answers of this term, however long */
void xr_election_campaign(struct xr_raft *r, const struct xr_event *ev,
			  const struct xr_why_event *why, struct xr_update *up);
void xr_election_requests(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_election_own_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_election_prevote_answer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_election_vote_answer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* voter.c */
void xr_voter_prevote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_voter_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_voter_answer(struct xr_raft *r, uint8_t node, uint32_t round, bool granted,
		     struct xr_update *up);

/* follower.c */
void xr_follower_heartbeat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_resignation(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_poll(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_hint(struct xr_raft *r, const struct xr_event *ev);

#endif
