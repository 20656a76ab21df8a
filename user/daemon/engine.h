/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine: the thread that runs timers and sockets. Data flows one way through it: datagrams
 * and timers become events for the core (receive.c, loop.c), the core's updates become views in
 * the maps, records for the journal and datagrams (group.c). It never touches the disk.
 */
#ifndef XRAFT_ENGINE_H
#define XRAFT_ENGINE_H

#include <systemd/sd-event.h>
#include "common/common.h"
#include "core/raft.h"
#include "daemon/ballot.h"
#include "daemon/crowd.h"
#include "daemon/orders.h"
#include "daemon/report.h"
#include "daemon/timers.h"
#include "daemon/warden.h"
#include "journal/writer.h"
#include "net/datagram.h"
#include "nic/nic.h"

/* A group as the engine holds it. */
struct xr_member {
	struct xr_raft raft;
	union xr_word published; /* what we last wrote: rule 2's compare-exchange starts from it */
	union xr_word unfenced;	 /* what stood there before the fence */
	bool has_state;		 /* the journal knew this id at start, configured or not */
};

/* Of a group whose timer needs no step (xr_update.quiet_ns), in an array of their own: small. */
struct xr_quiet {
	uint32_t us; /* 0: it needs one */
	bool leads;
};

/* Is what the NIC path sends really delivered? (xraft/wire.h, XR_PATH_ASK) */
struct xr_path_test {
	uint64_t next_ns; /* next question; UINT64_MAX: answered */
	uint64_t echoed;  /* echoes sent by the NIC path before the first question */
	int asked;
};

struct xr_engine {
	const struct xr_config *config;
	struct xr_shared *shared; /* what a SIGHUP brought */
	int fresh_fd;		  /* readable when it brought something */
	struct xr_nic *nic;
	struct xr_writer *writer;
	struct xr_reporter *reporter;
	struct xr_crowd crowd; /* of reports */
	struct xr_orders orders;

	struct xr_member *members; /* [env.ngroups], by id; voters 0: none */
	struct xr_quiet *quiet;	   /* [env.ngroups] */
	struct xr_timing timing;
	struct xr_timers timers;
	uint64_t random;

	struct xr_env env; /* rules.h over our maps: the slow path */
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_key keys[2];
	struct xr_stats stats;			       /* of the slow path */
	struct xr_stats shown;			       /* as last written to xr_stats */
	uint32_t peer_min_timeout_us[XR_NODE_MAX + 1]; /* the largest D heard from each */
	struct xr_outbox outbox;
	struct xr_datagram in;

	sd_event *loop;
	sd_event_source *timer;
	struct ring_buffer *ring;

	uint64_t armed_ns;  /* what the loop's timer was set to */
	uint64_t turned_ns; /* start of the last turn */
	uint64_t probed_ns;
	uint64_t shown_ns; /* counters */
	uint64_t watched_ns;
	uint64_t stall_said_ns;
	uint64_t ended_ns;		 /* end of the last turn */
	uint64_t rested_ns;		 /* when it last had nothing to do, or gave way */
	uint64_t dropped[XR_REASON_END]; /* counters as of the last look */
	uint64_t unsent;		 /* likewise of the outbox */
	struct xr_path_test path;
	bool submitted; /* votes that the writer has not been woken for */
	bool disk_bad, disk_said;

	bool fenced; /* by another process (rule 2): nothing more leaves this one */
};

/*
 * Set up for `e->config, nic, reporter` (set by the caller; `writer` before xr_engine_run()):
 * groups start as followers from what the journal holds, which the writer must not own yet.
 * `promise_until_ns`: rule 6.
 */
int xr_engine_init(struct xr_engine *e, const struct xr_journal *journal, uint64_t promise_until_ns,
		   struct xr_why *why);

/* Accept these keys, and send with the first. The NIC path has its own copy. */
void xr_engine_keys(struct xr_engine *e, const struct xr_key *keys, int n);

/* Between two pieces of work: see that the disk has its votes, and that others get the CPU. */
void xr_engine_give_way(struct xr_engine *e);

/* Run until SIGTERM or SIGINT; steps down first. Returns the exit code. */
int xr_engine_run(struct xr_engine *e, struct xr_why *why);

/* group.c */
void xr_group_start(struct xr_engine *e, const struct xr_config_group *config,
		    const struct xr_vote *vote, uint64_t promise_until_ns);
void xr_group_step(struct xr_engine *e, uint32_t id, struct xr_event *ev);
/* Timers of `n` groups are due. Returns for how many there was something to decide. */
uint32_t xr_group_timers(struct xr_engine *e, const struct xr_due *due, uint32_t n, uint64_t now_ns,
			 bool late);
void xr_group_message(struct xr_engine *e, uint32_t id, const struct xr_message *m);
void xr_group_step_down_all(struct xr_engine *e, const struct xr_why_event *why);
void xr_group_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r);

/*
 * A late ack goes to whatever heartbeat asked for it, and datagrams overtake each other: only the
 * largest D that a peer ever told is sure to be no smaller than the one of that heartbeat (rule 5).
 */
static inline void xr_engine_note_timing(struct xr_engine *e, uint8_t node, uint32_t min_timeout_us)
{
	if (min_timeout_us > e->peer_min_timeout_us[node])
		e->peer_min_timeout_us[node] = min_timeout_us;
}

/* receive.c */
void xr_receive_all(struct xr_engine *e, int most);
/* A heartbeat that an answered datagram left to be decided (rule 15). */
void xr_receive_left(struct xr_engine *e, const struct xr_event_rec *left);

/* watch.c: what the engine looks at now and then */
void xr_watch_path(struct xr_engine *e, uint64_t now_ns);
void xr_watch_path_delivered(struct xr_engine *e, uint8_t node);
void xr_watch_counters(struct xr_engine *e, uint64_t now_ns);

__attribute__((format(printf, 3, 4))) void xr_engine_say(struct xr_engine *e,
							 enum xr_report_kind kind, const char *fmt,
							 ...);

#endif
