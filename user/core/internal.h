/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the core share, from the floor to the ceiling: each calls only those that come
 * before it here. So nothing is called back: what returns from the fence or from the disk is taken
 * by raft.c to the room that asked for it.
 */
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

static inline uint64_t xr_later(uint64_t a, uint64_t b)
{
	return xr_before(a, b) ? b : a;
}

/* Since when has this node heard no leader? A stamp of an earlier term's is older than `since_ns`. */
static inline uint64_t xr_raft_heard_ns(const struct xr_raft *r, uint64_t contact_ns)
{
	return xr_later(r->since_ns, contact_ns);
}

/* update.c, the floor: what an update is filled with. */
struct xr_message *xr_update_send(struct xr_raft *r, struct xr_update *up, uint8_t type,
				  uint8_t node, uint32_t term);
void xr_update_report(struct xr_update *up, enum xr_raft_report kind, uint32_t term, uint8_t node,
		      const struct xr_why_event *why);

/* timer.c: when. It decides nothing. */
uint64_t xr_timer_gap_ns(const struct xr_raft *r);
uint64_t xr_timer_resend_ns(const struct xr_raft *r, uint64_t now_ns);
bool xr_timer_hinted(const struct xr_raft *r, uint64_t contact_ns);
bool xr_timer_waits(const struct xr_raft *r); /* for the answers of this term, however long */
uint64_t xr_timer_expiry_ns(const struct xr_raft *r, uint64_t contact_ns);
uint64_t xr_timer_poll_ns(const struct xr_raft *r, const struct xr_event *ev);
uint64_t xr_timer_next_ns(const struct xr_raft *r, const struct xr_event *ev);
uint64_t xr_timer_quiet_ns(const struct xr_raft *r, const struct xr_event *ev);
void xr_timer_rearm(struct xr_raft *r, const struct xr_event *ev);

/* decide.c: rule 3. */

/*
 * Vote stickiness (dissertation 4.2.3): true, with the reason, while this node may give its vote
 * to nobody, because it heard a leader, promised at its start, or leads with a lease.
 */
bool xr_decide_sticky(const struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why);

/*
 * Rule 18: true, with the reason, until a majority, this node counted, has told what it knows of
 * it: a vote may be one too many for a node that has forgotten another.
 */
bool xr_decide_stranger(const struct xr_raft *r, const struct xr_event *ev,
			struct xr_why_event *why);

/* Of whom it comes from, and of the term that it claims, whatever becomes of the message. */
void xr_decide_note(struct xr_raft *r, const struct xr_message *m);

/* Rule 14: does the message's term leap, and no majority with it? */
bool xr_decide_leaps(const struct xr_raft *r, const struct xr_event *ev);

/* Does the request bring word that this node's leader has resigned? */
bool xr_decide_lifted(const struct xr_raft *r, const struct xr_message *m);

/* First step: fence, and come back with XR_EV_LOOKED. */
void xr_decide_begin(struct xr_raft *r, struct xr_update *up, const struct xr_op *op);

/* Enter a newer term that was heard of, without a vote in it. */
void xr_decide_enter_term(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* Fenced, barrier executed. Look again: on to the disk, or back (false, with the reason). */
bool xr_decide_looked(struct xr_raft *r, const struct xr_event *ev, struct xr_why_event *why,
		      struct xr_update *up);

/* On disk: publish. Whoever is owed a reply gets it next. */
void xr_decide_durable(struct xr_raft *r, struct xr_update *up);

/* entry.c: rules 22 to 27. */

/* Of a leader: an entry of its term, to the disk and to all others. */
void xr_entry_make(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_entry_propose(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_entry_acked(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_entry_taken(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_entry_note(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
/* Who asks for votes without the entry that is committed here gets it. */
void xr_entry_hand_on(struct xr_raft *r, struct xr_update *up, uint8_t to);
void xr_entry_handed(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
/* Of a leader: somebody lacks the entry that makes it a member. */
void xr_entry_lacking(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
/* Of a follower: an APPEND of the leader that it follows. */
void xr_entry_append(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* leader.c */
void xr_leader_begin(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_leader_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_leader_ack(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_leader_taken(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_leader_step_down(struct xr_raft *r, const struct xr_event *ev,
			 const struct xr_why_event *why, struct xr_update *up);

/* voter.c */
void xr_voter_prevote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_voter_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_voter_gave_up(struct xr_raft *r, const struct xr_op *op, const struct xr_why_event *why,
		      struct xr_update *up);
void xr_voter_voted(struct xr_raft *r, const struct xr_event *ev, const struct xr_op *op,
		    struct xr_update *up);
void xr_voter_entered_term(struct xr_raft *r, const struct xr_event *ev, const struct xr_op *op,
			   struct xr_update *up);

/* candidate.c */
void xr_candidate_timer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_candidate_campaign(struct xr_raft *r, const struct xr_event *ev,
			   const struct xr_why_event *why, struct xr_update *up);
void xr_candidate_pause(struct xr_raft *r, const struct xr_event *ev);
void xr_candidate_gave_up(struct xr_raft *r, const struct xr_event *ev);
void xr_candidate_requests(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_candidate_own_vote(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_candidate_prevote_answer(struct xr_raft *r, const struct xr_event *ev,
				 struct xr_update *up);
void xr_candidate_vote_answer(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

/* follower.c; above it only raft.c, the ceiling. */
bool xr_follower_waits(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_follow(struct xr_raft *r, const struct xr_event *ev, uint8_t node,
			uint64_t echo_ns, struct xr_update *up);
void xr_follower_heartbeat(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_append(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_resignation(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_poll(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);
void xr_follower_hint(struct xr_raft *r, const struct xr_event *ev);

#endif
