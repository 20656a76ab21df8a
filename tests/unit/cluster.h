/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cluster in memory: nodes of one group, each a whole engine over maps of its own, with virtual
 * time, a network that can be cut, and a disk that takes its time. A seed replays all.
 *
 *   datagram -> xr_rules_run(), as the NIC path -> answered, dropped, or up to the engine's socket
 *
 * The cluster is the engines' host. The safety rules are asserted where an engine says or writes
 * something, at each XR_PAUSE, and after every turn (see check_*() in cluster.c), so every test
 * tests them too. Include after cmocka.h.
 */
#ifndef XRAFT_TESTS_CLUSTER_H
#define XRAFT_TESTS_CLUSTER_H

#include "engine/engine.h"

#define MS(n) ((uint64_t)((n)*1000000.0))

/* D, the largest election timeout, the heartbeat and the stall limit of every cluster here. */
#define D_MS	     150
#define MAX_MS	     300
#define HEARTBEAT_MS 25
#define STALL_MS     1000

#define NEVER_MS 1e9

#define CLUSTER_TRACE 2048
#define CLUSTER_TERMS 4096

struct packet {
	struct packet *next;
	uint64_t due_ns;
	struct xr_datagram d;
};

/* A message that left `from` for `to`, whether or not it arrived. */
struct sent {
	uint64_t at_ns;
	uint8_t from, to;
	struct xr_message m; /* XR_ACK: granted, or refused */
};

struct durable {
	uint32_t term;
	uint8_t vote;
};

struct node {
	struct cluster *c;
	uint8_t id;
	bool up;
	bool paused;	 /* the daemon stands still; its NIC path answers on */
	uint64_t lag_ns; /* its loop comes to every timer so late */

	struct xr_config config;
	struct xr_config_group voting;
	struct xr_engine *engine; /* NULL: it was never up */
	struct xr_looks looks;

	/* its maps, and the NIC path over them */
	struct xr_group group;
	struct xr_acks acks;
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_control control;
	struct xr_maps maps; /* all these */
	struct xr_stats stats;
	struct xr_env nic;

	struct packet *inbox; /* its socket */
	uint32_t gone;	      /* bit n: ICMP says that node n has none */
	uint64_t timer_ns;

	/* its disk: one vote and one probe may wait or be under way */
	struct durable disk, writing;
	uint64_t submitted_ns;	/* `writing`; 0: no vote waits */
	uint64_t probed_ns;	/* 0: no probe waits */
	uint64_t written_ns;	/* when the write under way completes; 0: none is */
	bool wrote_vote, done;	/* that write is of `writing`; the engine has yet to hear of it */
	uint64_t disk_delay_ns; /* UINT64_MAX: the disk hangs */
	int writes;		/* of votes */

	union xr_word seen;	/* the view, when it was last looked at */
	bool deciding;		/* fenced, and not looked again yet (rule 3) */
	int fences, restores;	/* of decisions */
	uint32_t resigned_term; /* the newest that this node itself has resigned */
	bool ended;		/* by itself, with exit code 1 */

	struct xr_report report[XR_REPORT_END]; /* the newest of each kind ... */
	bool reported[XR_REPORT_END];		/* ... if there was one */
};

struct cluster {
	int n;
	bool staged; /* node 1 alone is there ... */
	bool mute;   /* ... and the others do not even tell who they are */
	uint64_t now_ns, seed;
	uint64_t said_ns;			    /* when a test last spoke for a node */
	int turns;				    /* since time last moved */
	struct node node[XR_NODE_MAX + 1];	    /* by id */
	bool cut[XR_NODE_MAX + 1][XR_NODE_MAX + 1]; /* [from][to] */
	int loss_permille, twice_permille;
	uint64_t delay_ns, jitter_ns;
	struct packet *packets; /* under way, the next to arrive first */
	struct sent trace[CLUSTER_TRACE];
	int ntrace;
	struct {
		uint32_t term;
		uint8_t node;
	} leads[CLUSTER_TERMS]; /* who published LEAD in a term, of late */
	jmp_buf crash;		/* out of a turn that does not end */
	int two_leaders;	/* the node that stopped for rule 14 */
	bool expect_two_leaders, expect_end;
	struct xr_order order;
	struct xr_order_result result;
	/* Called between a fence and the second look: what an in-flight NIC run does there. */
	void (*on_fence)(struct cluster *c, struct node *n);
	/* Sees all that leaves, also what is lost. */
	void (*on_send)(struct cluster *c, const struct xr_datagram *d);
};

/* All `n` nodes are up, new, introduced, and followers in term 0; the time is one second. */
struct cluster *cluster_new(int n);
struct cluster *cluster_new_seeded(int n, uint64_t seed);

/*
 * Node 1 alone; the test speaks for the others with cluster_hear(). They tell who they are when
 * they are asked, and no more.
 */
struct cluster *cluster_new_stage(int n);

void cluster_free(struct cluster **c);
#define _cleanup_cluster_ __attribute__((cleanup(cluster_free)))

uint64_t cluster_random(struct cluster *c);

/* ---- time ---- */

void cluster_run_ms(struct cluster *c, double ms);
/* One event, if one is due up to `until_ns`; else time moves there and it returns false. */
bool cluster_turn(struct cluster *c, uint64_t until_ns);

/* ---- the network ---- */

void cluster_cut(struct cluster *c, int from, int to); /* one way */
void cluster_cut_both(struct cluster *c, int a, int b);
void cluster_isolate(struct cluster *c, int id);
void cluster_heal(struct cluster *c);

/* `m` from `m.node` arrives at `to` now, and the disk has a millisecond to write. */
void cluster_hear(struct cluster *c, int to, struct xr_message m);
/* The same, without the millisecond. */
void cluster_deliver(struct cluster *c, int to, struct xr_message m);
/* Facts arrive at `h.dest`, sent now and in the life of `h.source`, where it says nothing else. */
void cluster_facts(struct cluster *c, struct xr_wire h, const struct xr_fact *fact, int n);
/* These very bytes arrive at the node they are for, now. */
void cluster_replay(struct cluster *c, const struct xr_datagram *d);

/* ---- nodes ---- */

struct xr_raft *raft_of(const struct cluster *c, int id);
void cluster_crash(struct cluster *c, int id);
/* The daemon starts again over the same maps, fenced, and promises as rule 6 says. */
/* As node `id` has it configured, and from now on. */
void cluster_set_priority(struct cluster *c, int id, int of, int priority);
void cluster_restart(struct cluster *c, int id);
/* Power comes on: the maps are empty, and only the disk remembers. */
void cluster_boot(struct cluster *c, int id, struct durable d, uint64_t promise_until_ns);
/* "Lead no longer": `heir` goes first, 0: the voter that acked last. */
struct xr_order_result cluster_order(struct cluster *c, int id, int heir);
void cluster_hint(struct cluster *c, int id, int about); /* ICMP: nobody listens there */
/* Its election timer fires in `ms`, unless it hears a leader before. NEVER_MS: it is patient. */
void cluster_set_timeout(struct cluster *c, int id, double ms);
bool cluster_lease(const struct cluster *c, int id);

/* ---- elections ---- */

/* Who publishes LEAD in the highest term, 0 for nobody. */
int cluster_leader(const struct cluster *c);
/* Run until a majority follows one leader that is reachable to it. Fails after `ms`. */
int cluster_await_leader(struct cluster *c, double ms);
/* Only `id` may time out, until it leads, and all that are up follow it and have said so. */
void cluster_elect(struct cluster *c, int id);
bool cluster_follows(const struct cluster *c, int id, int leader);

/* ---- node 1 on its stage ---- */

void stage_time_out(struct cluster *c); /* until it asks for prevotes */
void stage_answer(struct cluster *c, int from, bool granted);
void stage_candidate(struct cluster *c); /* if it is one, that vote is split first */
void stage_leader(struct cluster *c);
void stage_follow(struct cluster *c, int leader, uint32_t term);

/* ---- what was said ---- */

void cluster_forget(struct cluster *c);
/* The newest message of this kind; `from`, `to` 0: of anyone. NULL if there is none. */
const struct sent *cluster_sent(const struct cluster *c, int from, int to, enum xr_type type);
int cluster_count(const struct cluster *c, int from, int to, enum xr_type type);
/* The newest report of this kind, or NULL. */
const struct xr_report *cluster_report(const struct cluster *c, int id, enum xr_report_kind kind);

/* ---- what the tests say for others ---- */

struct xr_message say_heartbeat(struct cluster *c, int from, uint32_t term);
struct xr_message say_ack(const struct cluster *c, int from,
			  int to); /* of `to`'s newest heartbeat */
struct xr_message say_vote(int from, uint32_t term);
struct xr_message say_prevote(int from, uint32_t term);
struct xr_message say_resign(int from, uint32_t term, int heir);
/* The answer of `from` to the newest (Pre)RequestVote of `to`. */
struct xr_message say_answer(const struct cluster *c, int from, int to, bool granted);

#endif
