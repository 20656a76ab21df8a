/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One group's election as a pure step function: an event goes in, an update comes out. No I/O, no
 * clock, no random numbers, no allocation: time, randomness and what the maps say are inputs.
 * (Ongaro and Ousterhout 2014, section 5.2; PreVote and CheckQuorum: Ongaro 2014, 9.6 and 6.2.)
 *
 * Rule 3 (decide, fence, look again, persist, publish, reply) is a conversation with the caller:
 * XR_DO_FENCE asks it to set the view to NONE, execute a full barrier, read the stamps anew and
 * step with XR_EV_LOOKED; XR_DO_PERSIST asks it to write term and vote and to step with
 * XR_EV_DURABLE once that is done; only then come XR_DO_PUBLISH and the reply.
 */
#ifndef XRAFT_RAFT_H
#define XRAFT_RAFT_H

#include <stdbool.h>
#include <stdint.h>
#include "xraft/maps.h"

#define XR_TERM_LEAP (1u << 20) /* rule 14 */

/* Why something happens; the words that people read are in engine/words.c. */
enum xr_cause {
	XR_CAUSE_NONE,
	XR_CAUSE_START,	      /* no leader heard since this node started */
	XR_CAUSE_SILENCE,     /* no heartbeat from `node` for `ns` */
	XR_CAUSE_NO_LEADER,   /* no leader heard for `ns` */
	XR_CAUSE_SPLIT,	      /* nobody won term `term` in `ns` */
	XR_CAUSE_RESIGNED,    /* `node` resigned term `term` */
	XR_CAUSE_ALONE,	      /* the only voter */
	XR_CAUSE_NEWER_TERM,  /* `node` is in term `term` */
	XR_CAUSE_HAS_LEADER,  /* heard node `node` `ns` ago (stickiness) */
	XR_CAUSE_PROMISE,     /* promised at its start not to vote for another `ns` */
	XR_CAUSE_LEASE,	      /* leads, with a lease that holds */
	XR_CAUSE_VOTED,	      /* voted for `node` in this term */
	XR_CAUSE_OLD_TERM,    /* asks for term `term`, which is over */
	XR_CAUSE_OLD_LOG,     /* its log is older */
	XR_CAUSE_NOT_VOTER,   /* is no voter of the group */
	XR_CAUSE_LEAP,	      /* term `term` is a leap beyond reason (rule 14) */
	XR_CAUSE_QUORUM_LOST, /* no majority has answered for `ns` */
	XR_CAUSE_STALLED,     /* the own event loop stood still for `ns` */
	XR_CAUSE_DISK,	      /* a disk write has not completed for `ns` */
	XR_CAUSE_SHUTDOWN,    /* asked to stop */
	XR_CAUSE_GONE,	      /* the socket of `node` is gone, and no heartbeat came for `ns` */
	XR_CAUSE_ORDER,	      /* asked to step down */
	XR_CAUSE_TRANSFER,    /* asked to hand over to `node` */
	XR_CAUSE_STRANGER,    /* not introduced to a majority yet (rule 18) */
	XR_CAUSE_ORPHAN,      /* its warden is gone */
	XR_CAUSE_REMOVED,     /* is a voter no longer */
	XR_CAUSE_HAD_LEADER,  /* heard the leader of an earlier term `ns` ago (stickiness) */
	XR_CAUSE_PAUSED,      /* paused: it does not stand until it is resumed */
	XR_CAUSE_FAILBACK,    /* `node` has a higher priority, and was well for `ns` */
	XR_CAUSE_END,
};

struct xr_why_event {
	enum xr_cause cause;
	uint8_t node;
	uint32_t term;
	uint64_t ns;
};

enum xr_phase { XR_IDLE, XR_PREVOTING, XR_VOTING };

/* What waits for the fence's second look, and then for the disk. */
enum xr_op_kind { XR_OP_NONE, XR_OP_CAMPAIGN, XR_OP_VOTE, XR_OP_FOLLOW, XR_OP_TERM };

struct xr_op {
	enum xr_op_kind kind;
	bool writing; /* looked, and handed to the disk */
	bool lifted;  /* stickiness lifted by a resignation */
	bool asked;   /* a RequestVote led to it: answer that, whatever comes of it */
	uint8_t node; /* candidate or leader */
	uint32_t term;
	uint32_t round;	  /* of the RequestVote to answer */
	uint8_t heard;	  /* leader of `term` that was heard while the disk was still busy */
	uint64_t echo_ns; /* of the heartbeat to ack */
	struct xr_why_event why;
};

struct xr_timing {
	uint64_t min_timeout_ns; /* D */
	uint64_t max_timeout_ns;
	uint64_t heartbeat_ns;
};

struct xr_raft {
	/* what it is */
	uint32_t group;
	uint32_t voters;   /* bit n: node n; of the durable entry, or as configured */
	uint32_t learners; /* likewise */
	bool reborn; /* it names this node by another birth, if at all: it is no member (rule 27) */
	uint8_t self;
	const struct xr_timing *timing; /* not owned */
	const struct xr_peer *peers;	/* not owned: their priorities, by node */
	uint64_t beat_shift_ns; /* its place in the heartbeat interval, shared with other groups */

	/* durable: as of the last XR_EV_DURABLE, or the journal at start */
	uint32_t term;
	uint8_t vote; /* 0: none */
	bool paused;  /* it stands for no election: as of the last XR_EV_PAUSE */

	/* volatile */
	enum xr_role role;
	enum xr_phase phase;
	uint8_t leader; /* of `term`, 0: not known */
	bool resigned;	/* the leader of `term` has resigned: stickiness is lifted (rule 3) */
	uint8_t resigned_leader;
	uint8_t lift_leader; /* what this campaign may tell its voters of that */
	uint32_t lift_term;
	uint32_t granted, refused; /* bit n: node n, in this phase and round */
	uint32_t round;
	struct xr_why_event why; /* of the election under way */
	uint64_t election_ns;	 /* when it started */
	struct xr_op op;

	uint64_t promise_until_ns; /* rule 6 */
	uint64_t base_ns;	   /* the election timer counts from here, or from the contact */
	uint64_t timeout_ns;	   /* drawn anew for each election (5.2) */
	uint64_t resend_ns;	   /* next poll, or next repetition of an unanswered request */
	uint64_t overdue_ns;	   /* a follower's: when it last had to poll; 0: never */
	uint64_t beat_ns;	   /* of a leader: its next heartbeat */
	uint64_t hint_ns;	   /* when the leader's socket was found gone; 0: it was not */
	uint64_t grace_ns;	   /* of a leader that slept: so long its quorum may answer */

	uint64_t since_ns; /* when it began to follow `leader`, or last led, or started */

	/* rule 14: what others say of terms, so that a leap that a majority made has a way back */
	uint32_t claimed[XR_NODE_MAX + 1]; /* [node]: the newest term that is a leap from ours */
	uint32_t met; /* bit n: node n has voted or asked for votes since a leader was heard */

	/* rules 22 to 27: ids, term << 32 | index; 0: none */
	uint64_t entry;	     /* durable */
	uint64_t entry_next; /* on its way to the disk */
	uint64_t committed;  /* the newest that is known to be */
	uint32_t acked;	     /* of a leader: bit n: node n has the newer of entry and entry_next */
	uint64_t made_ns;    /* of a leader: when that was made */
};

/* The term this node acts in: the one being written counts for refusing others (rule 7). */
static inline uint32_t xr_raft_term(const struct xr_raft *r)
{
	return r->op.writing ? r->op.term : r->term;
}

/* The newest entry that this node has, durable or not. */
static inline uint64_t xr_raft_newest(const struct xr_raft *r)
{
	return r->entry_next ? r->entry_next : r->entry;
}

/* Rule 26: the next entry has to wait for this one. */
static inline bool xr_raft_under_way(const struct xr_raft *r)
{
	return xr_raft_newest(r) != r->committed ||
	       (r->entry && xr_entry_term(r->entry) != r->term);
}

/* Voters and learners, whoever this node is. */
static inline uint32_t xr_raft_members(const struct xr_raft *r)
{
	return r->voters | r->learners;
}

/* Is this node a voter, by its own entry and birth (rule 27)? */
static inline bool xr_raft_votes(const struct xr_raft *r)
{
	return r->voters >> r->self & 1 && !r->reborn;
}

/*
 * May it become candidate, and lead? A witness never does, and whoever is paused not now. Who is no voter
 * does not either, but for a leader that has removed itself, for as long as it does not know that others
 * have that entry: nobody without it can be elected, and it may be alone to have it (4.2.2).
 */
static inline bool xr_raft_stands(const struct xr_raft *r)
{
	if (r->paused || !r->peers[r->self].priority)
		return false;
	return xr_raft_votes(r) ||
	       (!(xr_raft_members(r) >> r->self & 1) && r->committed != r->entry);
}

enum xr_event_kind {
	XR_EV_TIMER,   /* `update.timer_ns` has come; socket drained, stamps read anew (rule 11) */
	XR_EV_MESSAGE, /* an authenticated message; heartbeats only where the rules pass them up */
	XR_EV_LOOKED,  /* fenced, barrier executed, stamps read after it */
	XR_EV_DURABLE, /* the term and vote asked for are on disk */
	XR_EV_STEP_DOWN, /* lead no longer, for `why`; `heir` goes first */
	XR_EV_HINT,	 /* the network says that `message.node` has no socket any more */
	XR_EV_PROPOSE,	 /* a leader shall make an entry, of which the caller has the body */
	XR_EV_TAKEN,	 /* entry `entry` is on disk; `message` is the APPEND that brought it */
	XR_EV_NEWS,	 /* something that each step reads anew may have changed: `committed` */
	XR_EV_PAUSE,	 /* that it is paused, or resumed (`paused`), is on disk */
};

struct xr_message {
	uint8_t type;	     /* enum xr_type */
	uint8_t node;	     /* sender, or addressee; 0: all other voters but those in `skip` */
	uint32_t skip;	     /* bit n: node n has answered already */
	bool granted;	     /* XR_ACK: no refusal */
	bool lacking;	     /* XR_ACK: of who lacks the entry, and promises nothing */
	uint8_t heir;	     /* XR_RESIGN */
	uint8_t lift_leader; /* XR_VOTE */
	uint32_t lift_term;
	uint32_t term;
	uint32_t round;
	uint64_t entry; /* requests, XR_APPEND, XR_HAND_ON: an id; XR_ACK: as its record names it */
	uint64_t sent_ns; /* XR_HEARTBEAT, XR_APPEND: what an ack has to echo */
};

struct xr_event {
	enum xr_event_kind kind;
	uint64_t now_ns;
	uint64_t contact_ns; /* the contact stamp, read for this event; 0: never */
	bool lease;	     /* this node's own lease holds now */
	bool may_lead;	     /* a majority's acks have not lapsed (CheckQuorum) */
	bool paused;	     /* XR_EV_PAUSE */
	bool late;	 /* the caller's own loop stood still: it suspects itself first (rule 11) */
	uint64_t random; /* 64 fresh random bits */
	uint32_t strangers; /* bit n: node n has not told yet what it knows of this one (rule 18) */
	uint8_t heir;	    /* the voter with the newest ack, or the one that was asked for */
	bool committed;	    /* the own durable entry is, as the maps say */
	uint64_t entry;	    /* XR_EV_TAKEN, and whom it names */
	uint32_t voters, learners;
	bool reborn;
	bool handed; /* it was handed on: no question to be acked */
	bool agreed; /* and is committed, as who handed it on knows */
	struct xr_message message;
	struct xr_why_event why;
};

enum {
	XR_DO_FENCE = 1 << 0,	   /* set the view to NONE, keeping its term; then XR_EV_LOOKED */
	XR_DO_RESTORE = 1 << 1,	   /* put the view back as it was before the fence */
	XR_DO_PERSIST = 1 << 2,	   /* write `term`, `vote`; then XR_EV_DURABLE */
	XR_DO_PUBLISH = 1 << 3,	   /* publish `view`; lead_since first where it is LEAD */
	XR_DO_BEAT = 1 << 4,	   /* send heartbeats now, and go on */
	XR_DO_ACK = 1 << 5,	   /* answer the heartbeat {ack_to, ack_echo_ns}, by the rules */
	XR_DO_FENCE_ONLY = 1 << 6, /* set the view to NONE for good; no second look follows */
	XR_DO_TAKE = 1 << 7,	   /* write the entry `entry`; then XR_EV_TAKEN */
	XR_DO_SHOW = 1 << 8,	   /* show the durable entry, and whether it is committed */
};

#define XR_SEND_MAX   2
#define XR_REPORT_MAX 2

/*
 * The caller carries it out in this order: fence, persist, publish, take, show, ack, beat, send,
 * reports.
 */
struct xr_update {
	unsigned int what; /* XR_DO_* */
	struct xr_view view;
	uint32_t term; /* XR_DO_PERSIST */
	uint8_t vote;
	uint8_t ack_to;
	uint64_t ack_echo_ns;
	uint64_t
		entry; /* XR_DO_TAKE: its id; its body is that of the event, or of the entry before */
	struct xr_message send[XR_SEND_MAX];
	int nsend;
	struct {
		int kind; /* enum xr_raft_report */
		uint32_t term;
		uint8_t node;
		uint64_t took_ns;
		struct xr_why_event why;
	} report[XR_REPORT_MAX];
	int nreport;
	bool two_leaders;  /* rule 14: `send`, `what` are void; crash with a full report */
	uint64_t timer_ns; /* when to step with XR_EV_TIMER; UINT64_MAX: never. Always set */
	/*
	 * Most timers find nothing to decide, which whoever has many groups can see without a step.
	 * A follower's timer may be put off to the newest contact and this; a leader that may lead
	 * need only send its heartbeats again, at this interval. 0: not so, a step is needed.
	 */
	uint64_t quiet_ns;
};

/* What an update tells people; engine/report.h has the sentences. */
enum xr_raft_report {
	XR_RAFT_PREVOTE_STARTED,
	XR_RAFT_ELECTION_STARTED,
	XR_RAFT_ELECTED,
	XR_RAFT_FOLLOWING,
	XR_RAFT_VOTE_GRANTED,
	XR_RAFT_VOTE_REFUSED,
	XR_RAFT_STEPPED_DOWN,
	XR_RAFT_RESIGNATION,
	XR_RAFT_TERM_ADOPTED,
	XR_RAFT_COMMITTED,
};

/*
 * Start as a follower (5.2) in the durable `term` with `vote`. `promise_until_ns`: rule 6; 0 for a
 * node that is new. `r->group`, `voters`, `self`, `timing`, `entry`, `peers`, `paused` are set by the caller before. Fills
 * `up->timer_ns`.
 */
void xr_raft_start(struct xr_raft *r, uint32_t term, uint8_t vote, uint64_t now_ns,
		   uint64_t promise_until_ns, uint64_t random, struct xr_update *up);

/* One step. `up` is overwritten. A leader that sent heartbeats without one notes it in `beat_ns`. */
void xr_raft_step(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up);

#endif
