/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libxraft: "do I lead at this moment?", answered from the maps of the node on this machine.
 *
 * xr_is_leader() reads memory and clocks: no system call (but one after a fork, and one after the
 * wall clock was set), no lock, no allocation. So it is as true right after a crash of the daemon as
 * it is while the daemon is paused, and may be called from any thread and from a signal handler,
 * before each thing that only a leader may do.
 *
 * What it promises: when it returns true with token T, then at a moment during the call this node
 * held the lease of term T, and no other node of the cluster held one; and a call that begins after
 * a call with a larger token has returned true, on whatever node, does not return T. This rests on
 * clocks whose rates differ by no more than the configured clock_drift_permille.
 *
 * What it cannot promise: that the lease still holds when the caller acts upon it. Between the
 * return and the act the process may be paused for as long as you like. So hand the token to the
 * resource with each act, and let it refuse a token smaller than the largest it has seen. A
 * resource that does not check tokens is not protected, with this or with any other lease.
 */
#ifndef XRAFT_H
#define XRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xr_handle;

/*
 * Look at node `node` of `cluster`, which runs, or ran, on this machine. Needs root, or the right to
 * read and write its pins: the kernel maps memory only for those who may write it. The caller
 * closes the handle. Returns 0, or a negative errno with a sentence in `why` (cut to `size`, which
 * may be 0):
 *   -ENOENT  no such node here
 *   -EACCES  no right to its maps
 *   -EPROTO  another version of xraft wrote them
 *   -EXDEV   this process lives in another time namespace, so that its clock is another; or /proc
 *            does not tell, here or where xraftd runs
 *   -ENOMEM
 */
int xr_open(struct xr_handle **out, const char *cluster, unsigned int node, char *why, size_t size);

/* The number of the group of this name, for the calls below; -1: the node has none. */
int xr_group_id(const struct xr_handle *h, const char *name);

/*
 * Does this node lead the group, with a lease that holds? If so *token (which may be NULL) is the
 * term, the fencing token. False for a group that does not exist, and once this
 * process, a child of it, or xraftd has another clock (fork, setns, a restart in another time
 * namespace), or /proc did not tell after a fork.
 */
bool xr_is_leader(const struct xr_handle *h, int group, uint64_t *token);

/*
 * Who leads, as far as this node knows: a node's id, 0 if it knows of none, and *term. A hint for
 * routing requests; it promises nothing.
 */
unsigned int xr_leader(const struct xr_handle *h, int group, uint64_t *term);

/*
 * Have the maps been replaced since xr_open(), as a start with many more groups does? Then
 * xr_is_leader() stays false on this handle, and a new one is needed. Makes system calls.
 */
bool xr_stale(const struct xr_handle *h);

/* NULL does nothing. */
void xr_close(struct xr_handle *h);

#ifdef __cplusplus
}
#endif

#endif
