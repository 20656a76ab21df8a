/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's process: the engine, and the world that this process is to it (host.c): a socket, the
 * journal's thread, the reporter's, the API's, and sd-event.
 */
#ifndef XRAFT_NODE_H
#define XRAFT_NODE_H

#include <systemd/sd-event.h>
#include "daemon/api.h"
#include "daemon/orders.h"
#include "daemon/report.h"
#include "daemon/process.h"
#include "engine/engine.h"
#include "net/datagram.h"

/* What people were last told of counters. */
struct xr_watch {
	uint64_t at_ns;
	struct xr_stats shown;		 /* as last written to xr_stats */
	uint64_t dropped[XR_REASON_END]; /* as of the last look */
	/* Rule 20, each as of the last look, and the time when it last was as it should be. */
	struct {
		uint64_t taken, lost, lost_ns;
	} sent[XR_NODE_MAX + 1];
	struct xr_look_arrivals arrivals;
	uint64_t came_by, by_others; /* in this window: by the NIC path, and all of them */
	uint64_t window_ns;
	int detours; /* windows on end in which some came by another way */
};

/* All that an engine's process holds, in the order in which it is taken. */
struct xr_node {
	struct xr_warden *warden;
	struct xr_shared *shared;
	struct xr_journal *journal;
	struct xr_orders orders;
	struct xr_reporter *reporter;
	struct xr_writer *writer;
	struct xr_api *api;
	struct xr_trains trains;
	uint64_t received; /* datagrams */
	sd_event *loop;
	sd_event_source *timer;
	struct ring_buffer *ring; /* xr_events; NULL without BPF */
	int left_most;		  /* records that this turn still takes from it */
	struct xr_watch watch;
	struct xr_engine engine;
};

/* host.c: `world` is the struct xr_node. */
extern const struct xr_host xr_node_host;

int xr_node_init(struct xr_node *n, struct xr_why *why);
/* Run until SIGTERM or SIGINT; the engine steps down first. Returns the exit code. */
int xr_node_run(struct xr_node *n, struct xr_why *why);

/* watch.c: four times a second, see what is dropped, what does not leave, and what does not arrive. */
void xr_watch_counters(struct xr_node *n, uint64_t now_ns);

#endif
