/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the agent asks of its daemon, at the unix socket (daemon/api.h). Nothing of it is needed: while
 * the daemon is hung or dead the agent goes by the maps.
 */
#ifndef XRAFT_AGENT_DAEMON_H
#define XRAFT_AGENT_DAEMON_H

#include <curl/curl.h>
#include "agent/agent.h"

/* A GET of `path`, to be performed and cleaned up by the caller. NULL: no memory. */
CURL *xr_daemon_get(const struct xr_agent *a, const char *path);

/* The object that the daemon answers, a new reference; NULL: it does not, within half a second. */
json_t *xr_daemon_json(const struct xr_agent *a, const char *path);

#endif
