/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP on TCP, which only reads. Answers are computed from the maps when they are asked for.
 *
 *   GET /leader/GROUP     200 while this node holds the group's lease, else 503
 *   GET /follower/GROUP   200 while this node follows a leader that it hears, else 503
 *   GET /healthz          200 while the daemon answers its peers, else 503
 *   GET /readyz           200 while it does, and knows a leader of each of its groups, else 503
 *   GET /v1/status        the object of lib/status.h
 *   GET /v1/events        the daemon's stream of events, with its query (daemon/api.h)
 *   GET /metrics          in Prometheus' text format
 *
 * All but the last are JSON; user/agent/openapi.json describes them. HEAD is GET without a body. It
 * runs on threads of its own. Events are the daemon's; all else is also true while that is paused or
 * dead.
 */
#ifndef XRAFT_AGENT_HTTP_H
#define XRAFT_AGENT_HTTP_H

#include "agent/agent.h"
#include "lib/answer.h"

/* Take the address, which may need rights. 0 where none is configured. */
int xr_http_open(struct xr_agent *a, struct xr_why *why);
/* Begin to answer. */
int xr_http_start(struct xr_agent *a, struct xr_why *why);
void xr_http_stop(struct xr_agent *a);

/* relay.c: the daemon's events, as they come. */
enum MHD_Result xr_relay_events(struct xr_agent *a, struct MHD_Connection *c);

/* The text of /metrics. The caller frees; NULL: no memory. */
char *xr_metrics_text(const struct xr_agent *a);
/* Count an event of the daemon. On the loop's thread. */
void xr_metrics_event(struct xr_agent *a, const json_t *event);

#endif
