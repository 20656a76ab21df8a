/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulator: up to nine nodes with many groups in one thread, in virtual time; one 64-bit seed
 * replays everything. Engine, core, rules, journal, wire and libxraft, which readers on all nodes
 * ask all the time (reader.c), are what ships; the simulator is the world around them: a host for
 * each engine (host.c), a network, disks, clocks, and what goes wrong (faults.c). Nodes exchange
 * datagrams as bytes through xr_rules_run(), so that tags, replay marks and partly answered
 * datagrams (rule 15) are part of what is tested.
 *
 * Steps of one node overlap in time: wherever the code says XR_PAUSE, a NIC path's run, a daemon or a
 * reader may be held while all others go on: the event loop is entered again from there, until it is
 * time to return. What is held returns in the reverse order; which of two held runs waits for the
 * other is chance. A daemon that died while it was held does not return into its own code: it goes
 * straight to the end of its turn (longjmp).
 */
#ifndef XRAFT_SIM_H
#define XRAFT_SIM_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include "daemon/warden.h"
#include "engine/engine.h"
#include "unit/fake_disk.h"

#define SIM_GROUPS  16
#define SIM_HOSTS   (XR_NODE_MAX + 2) /* machines: one for each node from 1 on, and a copy of one */
#define SIM_PACKETS 4096	      /* under way or waiting in a socket */
#define SIM_SOCKET  128		      /* datagrams in a socket's buffer */
#define SIM_TERMS   (1u << 16)
#define SIM_TRACE   60
#define SIM_HOLDS   6 /* held at the same time */
#define SIM_BYTES   XR_DATAGRAM_MAX
#define SIM_VALUE   64

#define US(x) ((uint64_t)((x)*1000.0))
#define MS(x) ((uint64_t)((x)*1000000.0))

enum sim_fault {
	SIM_LOST,
	SIM_DOUBLED,
	SIM_DELAYED,
	SIM_REPLAYED,
	SIM_FLIPPED,
	SIM_ISOLATED, /* one node: both ways, cannot send, cannot receive */
	SIM_PARTITIONED,
	SIM_BRIDGED, /* two halves and one node that reaches both */
	SIM_LINK_CUT,
	SIM_HEALED,
	SIM_CRASHED, /* the engine: its warden, maps and page cache survive */
	SIM_KILLED,  /* both */
	SIM_REBOOTED,
	SIM_STOPPED,
	SIM_TORN,     /* ... while a write was under way */
	SIM_ROTTEN,   /* a bit of the journal flipped */
	SIM_PAUSED,   /* for less than the stall limit */
	SIM_STALLED,  /* for more */
	SIM_NIC_HELD, /* a NIC path between two of its steps */
	SIM_DAEMON_HELD,
	SIM_DISK_SLOW,
	SIM_DISK_FAILED,
	SIM_CLOCK_RATE,
	SIM_STEPPED_DOWN,
	SIM_HANDED_OVER,
	SIM_SOCKET_GONE, /* and the network said so */
	SIM_READER_HELD,
	SIM_RELOADED,
	SIM_VALUES_SET,
	SIM_VALUES_COMMITTED,
	SIM_MEMBERS_CHANGED,
	SIM_WIPED,
	SIM_PUT_BACK, /* an older journal, from a backup */
	SIM_SET_BACK, /* the same, and the maps are gone: only its peers know better */
	SIM_COPIED,   /* a machine with its state: two are one node */
	SIM_OTHER_CLOCK,
	SIM_ASKED_TO_PAUSE, /* by an order: it stands for no election; or resumed */
	SIM_FAILED_BACK,    /* no fault: a leader made way for a node of higher priority */
	SIM_FAULTS,
};

struct packet {
	uint8_t from, to; /* hosts, whatever the header says */
	uint16_t port;	  /* of the sender */
	uint16_t size;
	union {
		struct xr_wire wire;
		unsigned char bytes[SIM_BYTES];
	};
};

enum sim_event {
	SIM_EV_DATAGRAM, /* arg: packet */
	SIM_EV_TIMER,
	SIM_EV_TURN,  /* arg: life of the engine */
	SIM_EV_DISK,  /* likewise */
	SIM_EV_HUNG,  /* likewise: the warden looks whether it is */
	SIM_EV_BURY,  /* arg: life of the warden */
	SIM_EV_REAP,  /* likewise */
	SIM_EV_SPAWN, /* likewise */
	SIM_EV_START, /* likewise */
	SIM_EV_FAULT,
	SIM_EV_STAND,  /* somebody pauses or resumes a node */
	SIM_EV_HEAL,   /* of the network */
	SIM_EV_REPLAY, /* an attacker, in the calm phase */
	SIM_EV_WATCH,  /* of liveness */
	SIM_EV_READER, /* arg: group */
	SIM_EV_SET,
	SIM_EV_RELOAD,
	SIM_EV_MOVE, /* of members */
	SIM_EV_GONE, /* arg: the node whose socket is gone */
};

struct event {
	uint64_t at_ns, sequence;
	enum sim_event kind;
	uint8_t node;
	uint32_t arg;
};

/* The maps of one node; they outlive its daemon. */
struct maps {
	struct xr_group groups[SIM_GROUPS];
	struct xr_acks acks[SIM_GROUPS];
	struct xr_control control;
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_key keys[2];
	struct xr_stats stats;
	struct shown {
		struct xr_value v;
		char value[SIM_VALUE];
	} values[SIM_GROUPS];
};

/* The daemon's disk: journal.h in place of the writer's thread, which does what this does. */
struct store {
	struct fake_disk *disk;
	struct xr_journal *journal;
	struct record {
		struct xr_vote vote;
		struct xr_entry entry; /* id 0: none */
	} waiting[SIM_GROUPS * 4], writing[SIM_GROUPS * 4], done[SIM_GROUPS * 4];
	int nwaiting, nwriting, ndone;
	bool busy;	       /* a write is under way */
	bool failed;	       /* rule 7: this process votes no more */
	bool rotten;	       /* since it was last opened */
	bool probing;	       /* the write under way answers the probe */
	uint64_t submitted_ns; /* of the oldest record that is not done, 0 none; local clock */
	uint64_t writing_ns;
	uint64_t probe_ns;
	uint64_t slow_until_ns; /* true time */
	uint64_t slow_ns;
	struct backup {
		unsigned char *bytes; /* of the journal's medium */
		size_t size;
		bool rotten; /* then, since it was last opened */
		uint32_t term[SIM_GROUPS];
	} old, newest;
	bool put_back; /* `old` is on the disk, and its promises are older than the node's */
};

/* What the checker remembers of a node and a group, whatever happens to the node. */
struct ghost {
	uint32_t term; /* durable */
	uint8_t vote;
	struct {
		uint32_t term;
		uint64_t at_ns; /* true time; 0: none */
	} voted[4];		/* the newest votes that were decided, durable or not yet */
	uint32_t nvoted;
	uint32_t asked_term; /* what the disk was asked for last */
	uint8_t asked_vote;
	bool paused,
		to_be_paused; /* its engine knows that it is, on disk; by the end of this turn */
	uint64_t ack_ns;      /* when the newest ack that left was stamped; true time */
	uint32_t ack_term;
	uint64_t entry, before; /* durable; and the one before it */
	uint64_t entry_ns;	/* since when; true time */
};

/* The warden's, or the engine's. */
struct process {
	bool lives;
	uint32_t life;	/* changes with each start and each end */
	jmp_buf *frame; /* of what it does now: where it goes when it is dead */
};

struct node {
	struct world *w;
	uint8_t id, host; /* the same, but for a copy */
	bool powered, socket, no_nic;
	uint32_t birth; /* of its state (rule 27); 0: it never joined */
	bool wiped;	/* it starts without state, to join */
	bool doomed; /* others know that it is not, or not the only one, that it takes itself for */
	struct process parent, child;
	struct xr_warden warden;
	int wait_status; /* of the dead child */
	uint64_t began_ns;
	uint32_t boots;
	int held; /* NIC runs between two of their steps */
	struct clock {
		uint64_t true_ns, local_ns; /* from when on */
		int64_t ppm;
	} clock, clocks[4]; /* now, and at its last rates */
	struct maps maps;
	union xr_word views[SIM_GROUPS]; /* as the checker last saw them */
	uint64_t contact_ns[SIM_GROUPS]; /* likewise */
	uint64_t committed[SIM_GROUPS];	 /* likewise, of what it shows */
	uint64_t stamped_ns[SIM_GROUPS]; /* the same in true time */
	struct xr_config config;	 /* the file; its groups are `groups` */
	struct xr_config_group groups[SIM_GROUPS];
	struct xr_config forked; /* the engine's copy of the warden's */
	struct {
		struct xr_config_group groups[SIM_GROUPS];
		uint32_t ngroups, nkeys;
		struct xr_key keys[2];
	} given; /* by a reload, as struct xr_shared: the engine's until it has `reloaded` */
	struct xr_engine engine;
	struct xr_looks looks;
	struct store store;
	struct ghost ghost[SIM_GROUPS];

	uint32_t inbox[SIM_SOCKET];
	int ninbox;
	struct xr_event_rec ring[SIM_SOCKET];
	int nring;

	bool in_turn, turn_due, again;
	uint64_t paused_until_ns; /* true time */
	uint64_t slow_ns;	  /* each wake-up takes up to so long */
	uint64_t armed_ns, timer_at_ns;
	bool asked_to_stop, reloaded, over;
	uint32_t asked_to_step_down; /* bit g */
	uint32_t asked_to_set;	     /* likewise */
	struct xr_order change;	     /* of members, where it names a group */
	bool asked_to_pause,
		asked_to_resume;    /* in the group `stands`; the latter outlives an engine */
	int stands;		    /* -1: in all */
	uint8_t asked_to_hand_over; /* all groups, to this node; 0: no */
	uint32_t gone;		    /* bit n: the network says that node n has no socket */
	int readers[SIM_GROUPS];
};

struct term {
	uint8_t leader;
	bool resigned;
	uint16_t acked;		 /* bit n: node n has acked its leader */
	uint32_t min_timeout_us; /* the leader's */
	uint32_t life;		 /* the leader's, when it began to lead */
	uint64_t entry;		 /* likewise */
	uint8_t vote[XR_NODE_MAX + 1];
};

/* An entry that somebody made, whatever became of it. */
struct made {
	uint64_t id, hash;
	uint32_t acked; /* bit n: node n had it durable, and acked it in its term */
	bool committed;
	uint16_t voters, learners;
	uint32_t birth[XR_NODE_MAX + 1];
};

struct trace_line {
	uint64_t at_ns;
	uint8_t node;
	bool fine;	    /* of every day */
	const char *format; /* NULL: a report */
	const char *word;
	uint64_t arg[4];
};

struct sim_options {
	uint64_t seed;
	int nodes, groups; /* 0: drawn */
	bool quiet;	   /* nothing is left to chance, and nothing goes wrong of itself */
	FILE *trace;	   /* NULL: none */
	bool fine;	   /* trace also what is of every day */
};

struct sim_result {
	uint64_t elections, events, datagrams, writes, reads, virtual_ns;
	uint64_t faults[SIM_FAULTS];
	bool violated, tried_liveness;
	char invariant[64];
	char detail[160];
	uint64_t settled_ns; /* how long after the faults stopped all groups had a leader */
};

/* All that was ever sent, to be sent again. */
struct tape {
	unsigned char *bytes;
	size_t size, room;
	uint32_t *at; /* [n]: where the packets stand */
	size_t n, at_room;
};

struct world {
	const struct sim_options *options;
	struct sim_result *result;
	uint64_t random, now_ns, sequence;
	int n, groups, holds;
	int first;	 /* nodes 1 to this one are voters by the configuration; the others join */
	int late_groups; /* that a reload brings */
	bool failed, calm, mixed_d;
	bool ranked; /* nodes have priorities, and are paused and resumed */
	bool lies;   /* told by somebody who has the key */
	struct node node[SIM_HOSTS];
	uint8_t odd; /* the only node outside the core, which is to be copied or set back; 0: none */
	struct term *terms[SIM_GROUPS]; /* [SIM_TERMS], grown on demand */
	uint32_t nterms[SIM_GROUPS];
	struct made *made[SIM_GROUPS]; /* grown on demand */
	uint32_t nmade[SIM_GROUPS];
	bool values;			  /* somebody sets values */
	bool moves;			  /* and changes members, and wipes disks */
	uint64_t chance_set;		  /* of its own: seeds without values are as before */
	uint32_t lead_views[SIM_GROUPS];  /* bit n: node n's view says LEAD */
	uint32_t newest_read[SIM_GROUPS]; /* the newest term that a reader was told it leads in */

	struct event *heap;
	int nheap, heap_room;
	struct packet packets[SIM_PACKETS];
	uint32_t free_packets[SIM_PACKETS];
	int nfree;

	/* network */
	uint8_t at[XR_NODE_MAX + 1]; /* where the network has last heard a node */
	bool cut[SIM_HOSTS][SIM_HOSTS];
	int loss, twice, late; /* permille */
	uint64_t delay_ns, jitter_ns;
	uint64_t slow_ns[SIM_HOSTS][SIM_HOSTS]; /* of a story: added to the way */
	struct tape tape;
	struct packet newest_beat[XR_NODE_MAX + 1][XR_NODE_MAX + 1];

	/* drawn once a seed */
	struct xr_timing timing;
	uint64_t stall_ns, disk_ns, fault_ns, chaos_ns;
	int hold_nic, hold_daemon, hold_reader; /* permille */
	int drift;				/* permille: r of rule 5 */
	uint8_t priority[XR_NODE_MAX + 1];
	uint32_t failback_ms;

	/* liveness */
	uint32_t core;	 /* bit n */
	bool fails_back; /* in the calm all are well or dead, and the highest leads in the end */
	uint64_t calm_since_ns;
	uint64_t settled[SIM_GROUPS]; /* leader and term that every later look must find */

	struct trace_line trace[SIM_TRACE];
	struct xr_report reports[SIM_TRACE]; /* of the lines that are reports */
	uint64_t ntrace;
};

/* world.c: time, chance, events */
uint64_t sim_random(struct world *w);
uint64_t sim_below(struct world *w, uint64_t limit);
bool sim_chance(struct world *w, int permille);
uint64_t sim_between(struct world *w, uint64_t low, uint64_t high);
uint64_t sim_local(const struct node *n);
uint64_t sim_true_at(const struct node *n, uint64_t local_ns);
uint64_t sim_true_of(const struct node *n, uint64_t local_ns); /* of the past */
void sim_clock_set(struct node *n, uint64_t local_ns, int64_t ppm);
void sim_at(struct world *w, uint64_t at_ns, enum sim_event kind, uint8_t node, uint32_t arg);
void sim_run_until(struct world *w, uint64_t until_ns);

/* Who runs at this moment; for XR_PAUSE. Returns who did before. */
enum sim_kind { SIM_NOBODY, SIM_PROCESS, SIM_NIC, SIM_READER };
struct sim_actor {
	enum sim_kind kind;
	struct node *n;
	struct process *process;
	int g; /* of a reader */
};
struct sim_actor sim_act(struct sim_actor a);
void sim_pause(void);
/* The node that runs. */
struct node *sim_self(void);
/* Run `step` as a part of a process' life: false when that ended on the way. */
bool sim_process(struct node *n, struct process *p, void (*step)(struct node *n));

/* net.c */
struct packet *sim_packet(struct world *w, uint32_t *index);
void sim_packet_free(struct world *w, uint32_t index);
void net_send(struct world *w, const struct packet *p);
void net_replay(struct world *w, const struct packet *p);
void net_replay_any(struct world *w);
void net_forget(struct world *w);
void net_say_gone(struct node *n, const struct packet *p);

/* nic.c */
void nic_receive(struct node *n, uint32_t index);

/* reader.c */
void reader_start(struct node *n, int g);
void reader_turn(struct node *n, int g);

/* store.c */
void store_new(struct node *n);
int store_open(struct node *n);
void store_submit(struct node *n, const struct xr_vote *v, const struct xr_entry *entry);
void store_kick(struct node *n);
void store_probe(struct node *n);
uint64_t store_oldest_ns(const struct node *n);
void store_on_disk(struct node *n);
void store_crash(struct node *n, bool power);
void store_back_up(struct node *n);
bool store_is_older(const struct node *n, const uint32_t *known);
void store_put_back(struct node *n);
bool store_copy(struct node *to, struct node *from);
void store_restore(struct node *n);
void store_free(struct node *n);
void store_wipe(struct node *n);

/* node.c: lives and deaths of a warden and its engines, and an engine's turns */
void node_init(struct world *w, uint8_t host, uint8_t id);
void node_start(struct node *n, bool fresh);
void node_spawn(struct node *n);
void node_bury(struct node *n);
void node_reap(struct node *n);
void node_look_if_hung(struct node *n);
void node_reload(struct node *n);
void node_kill_engine(struct node *n, int wait_status);
void node_kill(struct node *n); /* warden and engine */
void node_reboot(struct node *n, int64_t ppm);
void node_join(struct node *n); /* at its next start */
void node_wipe(struct node *n);
void node_wake(struct node *n);
void node_turn(struct node *n);
void node_timer(struct node *n);
void node_arm(struct node *n, uint64_t local_ns);

/* host.c: the world, as an engine sees it */
extern const struct xr_host sim_host, sim_warden_host;

/* faults.c */
void faults_strike(struct world *w);
void faults_stand(struct world *w);
void faults_heal_network(struct world *w);
void faults_end(struct world *w);
void faults_replay(struct world *w);
void faults_strike_state(struct world *w);
bool faults_wait(const struct world *w);
void faults_set(struct world *w);
void faults_move(struct world *w);
uint64_t sim_chance_set(struct world *w, uint64_t limit);
extern const char *const sim_fault_names[SIM_FAULTS];

/* check.c */
__attribute__((format(printf, 3, 4))) void sim_violation(struct world *w, const char *invariant,
							 const char *fmt, ...);
bool check_lease(const struct node *n, int g);
void check_leases(struct world *w);
void check_lease_is_promised(struct node *n);
/* See what changed in the maps of a node since the last call. */
void check_maps(struct node *n);
void check_leaves(struct node *n, const struct packet *p, uint64_t stamped_ns);
void check_decided(struct node *n, int g, uint32_t term, uint8_t vote);
void check_durable(struct node *n, const struct xr_vote *v);
void check_entry(struct node *n, int g, const struct xr_entry *entry);
void check_entry_found(struct node *n, int g, const struct xr_entry *entry);
void check_found(struct node *n, int g, const struct xr_vote *v);
/* May this node lose its disk, and all groups still have a majority that has not? */
bool check_may_wipe(struct world *w, const struct node *n);
void check_wiped(struct node *n);
/* What an engine begins with, whether or not it is the newest. */
void check_begins(struct node *n, int g, const struct xr_vote *v);
/* The disk is asked for it: a vote, or only a word whether the node stands. */
void check_asked(struct node *n, const struct xr_vote *v);
/* An engine is told that it is durable. */
void check_told(struct node *n, const struct xr_vote *v);
void check_failback(struct node *n, int g, uint8_t to);
void check_turn(struct node *n);
/* `newest`: of what readers had been told when this call began. */
void check_read(struct node *n, int g, uint64_t token, uint32_t newest, bool alive);
void check_liveness(struct world *w);
uint64_t check_calm_ns(const struct world *w);

/* trace.c; `word` is for the first %s, all other arguments are %llu */
void sim_trace(struct world *w, uint8_t node, const char *format, const char *word, uint64_t a,
	       uint64_t b, uint64_t c, uint64_t d);
void sim_trace_fine(struct world *w, uint8_t node, const char *format, const char *word, uint64_t a,
		    uint64_t b, uint64_t c, uint64_t d);
void sim_trace_report(struct world *w, uint8_t node, const struct xr_report *r);
void sim_trace_print(const struct world *w, FILE *out);

/* run.c */
struct world *sim_new(const struct sim_options *o, struct sim_result *r);
void sim_free(struct world *w);
/* One seed from start to end. On a violation the trace goes to `out`, if there is one. */
void sim_run(const struct sim_options *o, struct sim_result *r, FILE *out);

#endif
