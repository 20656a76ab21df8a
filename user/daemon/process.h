/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xraftd is two processes. The warden keeps root: it takes the lock, fences what an earlier life
 * left, loads, attaches and pins, and then it waits. The engine, its child, does everything else,
 * and with few rights. The engine's election thread holds a robust mutex for as long as it lives;
 * the kernel hands that to the warden some 0.1 ms after the thread's death, much sooner than it
 * reports the death of the process. Then the warden ends the lease of every reader, lets the peers
 * know that this node has resigned, and starts the engine anew (rules 5, 8, 13).
 */
#ifndef XRAFT_PROCESS_H
#define XRAFT_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include "daemon/warden.h"

/* What warden and engine share besides the maps. */
struct xr_shared {
	pthread_mutex_t life;	/* robust; the engine's election thread holds it until it dies */
	_Atomic uint32_t asked; /* the warden has handed on that they should end */
	int fresh_fd;		/* eventfd: the engine should look at what follows */
	/* What a SIGHUP brought. Written by the warden while given == taken, then read by the engine. */
	_Atomic uint32_t given, taken;
	struct xr_key keys[2];
	int nkeys;
	struct xr_peer nodes[XR_NODE_MAX + 1];
	struct xr_looks looks;
	uint32_t ngroups;
	struct xr_config_group groups[];
};

/*
 * Take part as node `w->config.self`; `fresh`: --new. Returns the exit code once the engine has
 * ended as asked or by itself; -errno with a sentence if it never came so far.
 */
int xr_warden_run(struct xr_warden *w, bool fresh, struct xr_why *why);

/* start.c: be the engine. Writes a byte to `ready_fd` once it is one. Returns the exit code. */
int xr_engine_main(struct xr_warden *w, struct xr_shared *shared, int ready_fd);

#endif
