/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One node as a function of its world. A host (engine/host.h) tells it what happened: datagrams
 * wait, a timer is due, the disk has written, somebody orders something. Each of these is a turn.
 * Data flows one way through it: datagrams and timers become events for the core (receive.c,
 * turn.c), the core's updates become views in the maps, votes for the disk and datagrams (group.c,
 * pack.c). It never waits: not for the disk, nor for anything else.
 */
#ifndef XRAFT_ENGINE_H
#define XRAFT_ENGINE_H

#include "common/common.h"
#include "core/raft.h"
#include "config/config.h"
#include "engine/crowd.h"
#include "engine/host.h"
#include "engine/introduce.h"
#include "engine/looks.h"
#include "engine/order.h"
#include "engine/pack.h"
#include "engine/timers.h"
#include "journal/journal.h"
#include "nic/maps.h"

/* The bodies of a group's entries, of which the core has the ids. Only groups that have one have this. */
struct xr_bodies {
	struct xr_entry now;  /* durable */
	struct xr_entry next; /* filled, or on its way to the disk; that until the disk has it */
	uint64_t echo_ns;     /* of the APPEND that brought it */
	bool handed, agreed;  /* a HAND_ON brought it, and says that it is committed */
};

/* A group as the engine holds it. */
struct xr_member {
	struct xr_raft raft;
	union xr_word published; /* what we last wrote: rule 2's compare-exchange starts from it */
	union xr_word unfenced;	 /* what stood there before the fence */
	bool has_state;		 /* the journal knew this id at start, configured or not */
	bool nobody;		 /* at the last look nobody was left who may lead it */
	/* What the disk was last asked for: term, vote, and whether this node stands (stand.c). */
	struct {
		uint32_t term;
		uint8_t vote;
		uint32_t paused_s;
	} asked;
	/* Of a leader: to whom it would hand over (failback), seen well since then. */
	struct {
		uint8_t node;
		uint32_t term;
		uint64_t life, since_ns;
	} favourite;
	/* As configured: what of its record nobody changes. */
	uint16_t digest;
	uint16_t first_voters;
	char name[XR_NAME_SIZE];
	struct xr_bodies *bodies; /* owned; NULL: there was never an entry */
};

/* Of a group whose timer needs no step (xr_update.quiet_ns), in an array of their own: small. */
struct xr_quiet {
	uint32_t us; /* 0: it needs one */
	bool leads;
};

/* Is what the NIC path sends really delivered? (xraft/wire.h, XR_PATH_TEST) */
struct xr_path_test {
	uint64_t next_ns; /* next question; UINT64_MAX: answered */
	uint64_t echoed;  /* echoes sent by the NIC path before the first question */
	uint64_t from_ns; /* when they were counted */
	int asked;
};

/* What was heard of each node (look.c). */
struct xr_heard {
	uint64_t nic_ns;    /* what it acked, or the newest heartbeat of it as a leader */
	uint64_t daemon_ns; /* the newest answer of its daemon to this one */
	uint64_t since_ns;  /* from when on its silence counts: before that this node was deaf */
};

struct xr_engine {
	const struct xr_config *config;
	const struct xr_host *host;
	void *world;
	struct xr_looks *looks; /* not owned */
	struct xr_crowd crowd;	/* of reports */
	/* By group id, not 0: somebody asked for each report of this group. NULL: nobody ever does. */
	const _Atomic uint8_t *named;

	struct xr_member *members; /* [env.ngroups], by id; voters 0: none */
	struct xr_quiet *quiet;	   /* [env.ngroups] */
	struct xr_timing timing;
	struct xr_timers timers;
	uint64_t random; /* the seed, then the state, of a generator */

	struct xr_maps *maps; /* not owned */
	struct xr_env env;    /* rules.h over them: the slow path */
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_key keys[2];
	struct xr_stats stats;			       /* of the slow path */
	uint32_t peer_min_timeout_us[XR_NODE_MAX + 1]; /* the largest D heard from each */
	struct xr_outbox outbox;
	struct xr_datagram in;

	uint64_t armed_ns;  /* what the host's timer was set to */
	uint64_t turned_ns; /* start of the last turn */
	uint64_t probed_ns;
	uint64_t shown_ns;
	uint64_t stall_said_ns;
	uint64_t ended_ns;  /* end of the last turn */
	uint64_t rested_ns; /* when it last had nothing to do, or gave way */
	int received;	    /* datagrams, in the last turn that took any */
	struct xr_path_test path;
	struct xr_acquaintance known[XR_NODE_MAX + 1];
	uint32_t birth;		/* of the own state (rule 27) */
	uint64_t groups_digest; /* as told to others */
	uint32_t pauses;	/* groups in which this node does not stand */
	uint32_t paused_there;	/* bit n: node n has told of such */
	uint32_t nobodys;	/* groups in which `nobody` stands */
	bool news;		/* others are to be told of pauses */
	char asked_by[40];	/* of the last order to pause or resume */
	uint32_t strangers;	/* bit n: node n has not told yet what it knows of us (rule 18) */
	uint64_t doubted_ns;	/* when all were last asked again */
	struct xr_heard heard[XR_NODE_MAX + 1];
	uint32_t deaf; /* bit n: the last look says that node n can neither vote nor lead */
	uint64_t looked_since_ns;  /* the first look */
	uint64_t looked_ns;	   /* the last one */
	struct xr_control control; /* what it holds of this node, but for what changes */
	uint32_t look_at;	   /* the group to be looked at next */
	uint32_t restored;	   /* records that others had changed */
	uint64_t restored_ns;	   /* the last */
	uint32_t path_again;	   /* of looks->path_again, as last seen */
	bool submitted;		   /* votes that the disk has not been woken for */
	bool disk_bad, disk_said;

	/* Another process has fenced it (rule 2), or its state is older than its promises: nothing leaves. */
	bool over;
};

/*
 * Set up over `maps` for what the caller has set in `e`, zero but for config, host, world, looks,
 * peers and random. Groups start as followers from what the journal holds, which nobody may own yet but the
 * caller. `promise_until_ns`: rule 6; 0 for a node that is new. -ENOMEM. The maps must outlive it.
 */
int xr_engine_init(struct xr_engine *e, struct xr_maps *maps, const struct xr_journal *journal,
		   uint64_t promise_until_ns, struct xr_why *why);
void xr_engine_free(struct xr_engine *e);

/* Accept these keys, and send with the first. The NIC path has its own copy. */
void xr_engine_keys(struct xr_engine *e, const struct xr_key *keys, int n);

/* ---- turns ---- */

/* The first: from its deadline on, this node answers. */
void xr_engine_begin(struct xr_engine *e);
/* Datagrams, or word of what became of some, wait. */
void xr_engine_receive(struct xr_engine *e);
/* The time that was armed has come. */
void xr_engine_timer(struct xr_engine *e);
/* The disk has done something. */
void xr_engine_durable(struct xr_engine *e);
void xr_engine_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r);
/*
 * After xr_engine_keys(): nodes [XR_NODE_MAX + 1] that come, move, go or rank otherwise, which the maps
 * have already, and groups whose ids are new. All else would change what was promised.
 */
void xr_engine_take(struct xr_engine *e, const struct xr_peer *nodes,
		    const struct xr_config_group *groups, uint32_t ngroups);
/* Step down, say so, end: XR_CAUSE_SHUTDOWN or XR_CAUSE_ORPHAN. */
void xr_engine_stop(struct xr_engine *e, enum xr_cause cause);

/* Within a turn, from host->left(): a heartbeat that an answered datagram left (rule 15). */
void xr_engine_left(struct xr_engine *e, const struct xr_event_rec *left);

__attribute__((format(printf, 3, 4))) void xr_engine_say(struct xr_engine *e,
							 enum xr_report_kind kind, const char *fmt,
							 ...);

/* ---- among the engine's own files ---- */

static inline uint64_t xr_engine_now_ns(const struct xr_engine *e)
{
	return e->host->now_ns(e->world);
}

/*
 * A late ack goes to whatever heartbeat asked for it, and datagrams overtake each other: only the
 * largest D that a peer ever told is sure to be no smaller than the one of that heartbeat (rule 5).
 */
static inline void xr_engine_note_timing(struct xr_engine *e, uint8_t node, uint32_t min_timeout_us)
{
	if (min_timeout_us > e->peer_min_timeout_us[node])
		e->peer_min_timeout_us[node] = min_timeout_us;
}

/* 64 fresh random bits. */
uint64_t xr_engine_random(struct xr_engine *e);

/* turn.c: between two pieces of work, see that the disk has its votes and that others get the CPU. */
void xr_engine_give_way(struct xr_engine *e);

/* group.c */
void xr_group_start(struct xr_engine *e, const struct xr_config_group *config,
		    const struct xr_vote *vote, const struct xr_entry *entry,
		    uint64_t promise_until_ns);
void xr_group_step(struct xr_engine *e, uint32_t id, struct xr_event *ev);
/* Timers of `n` groups are due. Returns for how many there was something to decide. */
uint32_t xr_group_timers(struct xr_engine *e, const struct xr_due *due, uint32_t n, uint64_t now_ns,
			 bool late);
void xr_group_message(struct xr_engine *e, uint32_t id, const struct xr_message *m);
/* The disk has this. */
void xr_group_durable(struct xr_engine *e, const struct xr_vote *v);
/* Ask the disk for it, with `entry`, or NULL; and for what m->asked says of pauses. */
void xr_group_persist(struct xr_engine *e, struct xr_member *m, uint32_t term, uint8_t vote,
		      const struct xr_entry *entry);
/* Who would go first if this leader ended; 0: nobody can. */
uint8_t xr_group_heir(const struct xr_engine *e, const struct xr_member *m);
/* Has it acked this leader lately, and does its daemon answer? */
bool xr_group_answers(const struct xr_engine *e, const struct xr_member *m, uint8_t node);
struct xr_member *xr_group_find(struct xr_engine *e, const char *name);
void xr_group_step_down_all(struct xr_engine *e, const struct xr_why_event *why);
void xr_group_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r);

/* value.c: the bodies of entries, between wire, disk and maps (rules 22 to 26). */
void xr_value_start(struct xr_engine *e, struct xr_member *m, const struct xr_entry *entry);
void xr_value_take(struct xr_engine *e, struct xr_member *m, const struct xr_update *up);
void xr_value_taken(struct xr_engine *e, uint32_t id, uint64_t entry);
/* Before a view of `term` is published, and where entry or commitment changed: name it in the record. */
void xr_value_name(struct xr_engine *e, struct xr_member *m, uint32_t term);
void xr_value_show(struct xr_engine *e, struct xr_member *m);
bool xr_value_is_committed(const struct xr_engine *e, const struct xr_member *m);
void xr_value_send(struct xr_engine *e, struct xr_member *m, uint8_t to, uint8_t type);
void xr_value_passed(struct xr_engine *e, const struct xr_datagram *d);
void xr_value_again(struct xr_engine *e, struct xr_member *m);
void xr_value_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r);
/* members.c: who is a member, of which birth, and orders to change it (rules 25 to 27). */
void xr_members_start(struct xr_engine *e, struct xr_member *m, uint32_t voters,
		      const struct xr_entry *entry);
/* The durable entry names others than the one before: what it says, for the core and the maps. */
void xr_members_name(const struct xr_engine *e, const struct xr_entry *entry, struct xr_event *ev);
void xr_members_show(struct xr_engine *e, struct xr_member *m);
void xr_members_taken(struct xr_engine *e, struct xr_member *m, const struct xr_entry *before);
uint32_t xr_members_word(const struct xr_raft *r);
/* By which `node` is known here. */
uint32_t xr_members_birth(const struct xr_member *m, uint8_t node);
/* Of groups: warn of members that [nodes] leaves out, bit n: node n. */
void xr_members_left_out(struct xr_engine *e, uint32_t nodes);
/* XR_ORDER_ADD, _PROMOTE, _REMOVE: `next`, as it is now, without or with that node. */
int xr_members_change(struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
		      struct xr_entry *next, struct xr_why *why);

/* stand.c: who stands for election. */
void xr_stand_start(struct xr_engine *e, struct xr_member *m, uint32_t paused_s);
void xr_stand_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r);
void xr_stand_durable(struct xr_engine *e, struct xr_member *m, uint32_t paused_s);
/* `first`: what was told of it before is over. */
void xr_stand_told(struct xr_engine *e, uint8_t node, const struct xr_fact *fact, int n,
		   bool first);
/* Now and then: is anybody left who may lead the group, and is it time to hand it over? */
void xr_stand_look(struct xr_engine *e, struct xr_member *m, uint64_t now_ns);

/* receive.c: up to so many datagrams, and for no longer than a part of D; and what they left. */
void xr_receive_all(struct xr_engine *e, int most);

/* look.c: four times a second (rule 20). */
void xr_look_around(struct xr_engine *e, uint64_t now_ns);
/* This came from a node that heard us, if it is an answer that only a daemon gives. */
void xr_look_answered(struct xr_engine *e, uint8_t node, uint8_t type);
/* Before each step of a group: where somebody wrote over its record, it is put back. */
void xr_look_at_record(struct xr_engine *e, struct xr_member *m);

/* path.c */
void xr_path_look(struct xr_engine *e, uint64_t now_ns);
void xr_path_again(struct xr_engine *e, uint64_t at_ns);
void xr_path_met(struct xr_engine *e);
void xr_path_asked(struct xr_engine *e, uint8_t node, uint64_t nonce);
void xr_path_echoed(struct xr_engine *e, uint8_t node, uint64_t nonce);
void xr_path_delivered(struct xr_engine *e, uint8_t node, uint64_t nonce);

#endif
