/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP on TCP, which only reads. Every answer is computed from the maps when it is asked for.
 *
 *   GET /leader/GROUP     200 while this node holds the group's lease, else 503
 *   GET /follower/GROUP   200 while this node follows a leader that it hears, else 503
 *   GET /healthz          200 while the daemon answers its peers, else 503
 *   GET /readyz           200 while it does, and knows a leader of each of its groups, else 503
 *   GET /v1/status        the object of lib/status.h
 *   GET /metrics          in Prometheus' text format
 *
 * All but the last are JSON; user/agent/openapi.json describes them. HEAD is GET without a body. It
 * runs on a thread of its own.
 */
#ifndef XRAFT_AGENT_HTTP_H
#define XRAFT_AGENT_HTTP_H

#include "agent/agent.h"

/* Take the address, which may need rights. 0 where none is configured. */
int xr_http_open(struct xr_agent *a, struct xr_why *why);
/* Begin to answer. */
int xr_http_start(struct xr_agent *a, struct xr_why *why);
void xr_http_stop(struct xr_agent *a);

/* The text of /metrics. The caller frees; NULL: no memory. */
char *xr_metrics_text(const struct xr_agent *a);
/* Count an event of the daemon. On the loop's thread. */
void xr_metrics_event(struct xr_agent *a, const json_t *event);

#endif
