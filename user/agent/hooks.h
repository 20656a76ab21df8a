/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: programs that are called when leadership, or a group's value, comes and goes. Per group one at a time, and
 * always of what is true when the last has ended: a program that takes long misses what has come and
 * gone meanwhile, but is never left believing that its node leads. An agent that starts does not know
 * what an earlier one has told, and tells again.
 */
#ifndef XRAFT_AGENT_HOOKS_H
#define XRAFT_AGENT_HOOKS_H

#include "agent/agent.h"
#include "xraft/wire.h"

/* What the runner is to call. */
struct xr_call {
	uint32_t group;
	uint8_t hook; /* enum xr_hook */
	uint8_t leader;
	uint64_t token;
	char name[XR_NAME_SIZE]; /* of the group */
	char cause[24];
	uint64_t entry; /* of new_value, whose value it has; else 0 */
	char value[XR_VALUE_MAX + 1];
};

/* And what came of it. */
struct xr_called {
	uint32_t group;
	int status; /* as from waitpid() */
};

extern const char *const xr_hook_names[XR_HOOKS]; /* in the file, and in XRAFT_EVENT */

/*
 * runner.c: a process of its own, as [hooks] user, that calls programs and ends them at their time
 * limit. Returns the socket that takes struct xr_call and gives struct xr_called; its end is the
 * runner's, once the calls under way are over. To be started before anything else is open.
 */
int xr_runner_start(const struct xr_agent *a, const struct xr_user *user, struct xr_why *why);

#endif
