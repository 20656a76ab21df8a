/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine gives up once it is set up: root, every capability, and every system call that
 * its loop and its threads do not make. It keeps what it holds by then: its socket, the journal,
 * the maps, SCHED_FIFO and locked memory. A bug in what reads the network ends there.
 */
#ifndef XRAFT_RIGHTS_H
#define XRAFT_RIGHTS_H

#include "machine/machine.h"

/* Make the state folder and the files in it the user's: a compaction makes files anew. */
int xr_rights_own(const struct xr_user *user, const char *dir, struct xr_why *why);

/*
 * Give up the rights, in all threads. Call it on the thread that keeps its priority, when nothing
 * more has to be opened. Without root, or with user = root, only the system calls go.
 */
int xr_rights_drop(const struct xr_user *user, struct xr_why *why);

#endif
