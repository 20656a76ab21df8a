/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's ear for commands: HTTP/1.1 with JSON on a unix socket, at which root, the engine's user
 * and the readers' group may read; orders are taken from root and from whoever started the daemon.
 *
 *   GET /v1/status                 the object of lib/status.h, and "looks" as of daemon/looks.h
 *   GET /v1/looks                  {"node", "pid" of the engine that answers, "paused" in so many
 *                                  groups, "looks",
 *                                  "journal": {"writes", "write_ns" altogether, with fsync}}
 *   GET /v1/peers                  what the other nodes tell now, of daemon/peers.h
 *   GET /v1/events[?from=oldest | ?since=EPOCH:SEQ][&group=NAME]...
 *                                  events as lines of JSON (events.schema.json), until either side
 *                                  ends: those kept that were asked for, the state of each group,
 *                                  then what happens; of these groups alone, if any is named
 *   GET /v1/value?group=NAME       "entry" of lib/status.h: the value that the group agrees on, or null
 *   POST /v1/set?group=NAME&value=TEXT[&if=TERM.INDEX]
 *                                  set it, and wait until it is committed: {"id", "ms"}. 409: it
 *                                  does not lead, or the entry is another than that; 503: no
 *                                  majority has it in time; 403: as below
 *   POST /v1/step-down[?group=NAME[&to=NODE]]
 *                                  lead that group no longer, or any; NODE goes first. {"groups":
 *                                  how many it led, "term": of the last}. 409: it does not lead;
 *                                  403: neither root asks nor who started it
 *   POST /v1/pause[?group=NAME]    stand for no election in that group, or any, until POST /v1/resume, of
 *                                  the same form; also after a restart. {"changed": how many groups,
 *                                  "groups": how many of them it led, "term": of the last}. The maps
 *                                  tell once it is durable
 *
 * An error is {"error": "a sentence"} with a fitting status. It runs on threads of its own, all of
 * normal priority with all signals blocked, whatever the priority of the thread that starts it;
 * it never touches the election's thread.
 */
#ifndef XRAFT_API_H
#define XRAFT_API_H

#include "daemon/orders.h"
#include "daemon/report.h"
#include "engine/looks.h"
#include "journal/writer.h"
#include "nic/maps.h"

struct xr_api;

/* What it tells of, and hands orders to; all of it outlives the API. */
struct xr_api_world {
	const struct xr_maps *maps;
	const struct xr_looks *looks;
	const struct xr_writer *writer; /* NULL: nothing is written */
	struct xr_reporter *reporter;
	struct xr_orders *orders; /* NULL: none are taken */
};

/*
 * Listen at `path`, for the group `readers` too (a gid; 0: none); its folder is made if only that is
 * missing. A socket file that nobody listens on is replaced; -EADDRINUSE: another daemon does;
 * -EEXIST: it is no socket.
 */
int xr_api_start(struct xr_api **out, const char *path, uint32_t readers,
		 const struct xr_api_world *world, struct xr_why *why);

/* Ends open event streams, within half a second, for a process that then ends. NULL does nothing. */
void xr_api_end_streams(struct xr_api *api);

/* Ends open event streams too, within half a second; removes the socket file. NULL does nothing. */
void xr_api_stop(struct xr_api *api);

#endif
