/* SPDX-License-Identifier: GPL-2.0-only */
/* The warden's part in the agent: it runs, if the configuration asks for it. */
#ifndef XRAFT_DAEMON_AGENT_H
#define XRAFT_DAEMON_AGENT_H

#include "daemon/warden.h"

/* Start it where it does not run, with pauses that grow. Never waits. */
void xr_agent_keep(const struct xr_warden *w);

/* Let it take its addresses away, for two seconds at most, and its hooks end, each by its limit. */
void xr_agent_end(const struct xr_warden *w);

#endif
