/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * libxraft: "do I lead at this moment?", answered from the maps of the node on this machine.
 *
 * xr_is_leader() reads memory and clocks: no system call (but one after a fork, and one after the
 * wall clock was set), no lock, no allocation. So it is as true right after a crash of the daemon as
 * it is while the daemon is paused, and may be called from any thread and from a signal handler,
 * before each thing that only a leader may do. The kernel maps memory only for those who may write
 * it: a process that may only read asks the kernel each time instead, in a few microseconds.
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
 * Look at node `node` of `cluster`, which runs, or ran, on this machine. Needs the right to read its
 * pins: root has it, and the members of the group that the node's configuration names. The caller
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
 * For how many nanoseconds the lease holds that xr_is_leader() tells of, if no further heartbeat is
 * acked and the node does not give it up before: 0 where xr_is_leader() is false. *token as there.
 * It grows again with each ack. What must have ended before the lease does, begins to end while
 * there is still time for it.
 */
uint64_t xr_lease_left(const struct xr_handle *h, int group, uint64_t *token);

/* As configured at this node; nanoseconds. */
struct xr_lease_timing {
	uint64_t lease_ns;     /* the most that xr_lease_left() returns */
	uint64_t heartbeat_ns; /* about how often it is renewed */
	/*
	 * A node may give its lease up early, as on a step-down, and another one leads a moment later.
	 * What the first one had begun, and ends by what xr_lease_left() last told it, has ended once
	 * the second one has led for this long. So begin what must not run twice only then.
	 */
	uint64_t handover_ns;
};
void xr_timing(const struct xr_handle *h, struct xr_lease_timing *timing);

/*
 * Who leads, as far as this node knows: a node's id, 0 if it knows of none, and *term. A hint for
 * routing requests; it promises nothing.
 */
unsigned int xr_leader(const struct xr_handle *h, int group, uint64_t *term);

/* Of the value that a group agrees on, which its leader sets (xraft set): text, as UTF-8. */
struct xr_value_state {
	uint64_t id;	/* of the entry that holds it, term << 32 | index: it only grows */
	bool committed; /* no leader ever loses it; else the next one may have another */
	size_t size;	/* in bytes */
};

/*
 * The group's value as this node last took it, into `value`, which has `size` bytes (1024 are always
 * enough). No system call where the maps are mapped. A node that is cut off has an old one. That there
 * is no newer is certain where it is committed and xr_is_leader(), called behind this, returns true
 * with the term of `id` as its token. Returns 0, or
 *   -ENOENT    nobody ever set one
 *   -EMSGSIZE  it is longer than `size`, or than value_bytes of this node; *state tells the rest
 *   -EAGAIN    the daemon died while it wrote it; it writes it again when it starts
 *   -EINVAL    there is no such group
 *   -ENODEV    the maps can be read no more
 */
int xr_value(const struct xr_handle *h, int group, void *value, size_t size,
	     struct xr_value_state *state);

/*
 * Have the maps been replaced since xr_open(), as a start with many more groups does? Then
 * xr_is_leader() stays false on this handle, and a new one is needed. Makes system calls.
 */
bool xr_stale(const struct xr_handle *h);

/* NULL does nothing. */
void xr_close(struct xr_handle *h);

/*
 * ---- waiting for a change ----
 *
 * A watch is a handle that looks again and again, for one group, and opens itself anew when the maps
 * are replaced, removed or made again, also where the node does not run yet. It needs neither the
 * daemon nor its socket. One thread at a time uses a watch; after a fork, the parent alone.
 */
struct xr_watch;

/* What is known now. All 0: nothing, or nobody leads. */
struct xr_state {
	uint64_t token;	     /* the term in which this node holds the lease; 0: it does not */
	uint64_t left_ns;    /* xr_lease_left(), at the moment of the look */
	unsigned int leader; /* xr_leader(), a hint */
	uint64_t term;	     /* likewise */
};

/*
 * Returns 0; -EINVAL: no such name can be; -ENOMEM, -EMFILE. The caller closes it. Whether the node
 * is there, xr_watch_look() tells.
 */
int xr_watch_open(struct xr_watch **out, const char *cluster, unsigned int node, const char *group);

/*
 * The watch's descriptor: readable (POLLIN) when it is time to look, four times a heartbeat
 * interval, at least each 20 ms and at most each ms, and at the moment at which the lease ends.
 * A node that cannot be looked at is tried each 100 ms. It stays the watch's; do not read from it.
 */
int xr_watch_fd(const struct xr_watch *w);

/*
 * Look now, at any time. Returns 1 if token, leader or term are others than at the last look, 0 if
 * not, or a negative errno where nothing can be known at present (then *now is all 0): those of
 * xr_open(), or -ESRCH: the node has no group of this name. Look again when the descriptor says so.
 */
int xr_watch_look(struct xr_watch *w, struct xr_state *now);

/* Why the last look returned an error, in a sentence; valid until the next look. */
const char *xr_watch_why(const struct xr_watch *w);

/* The timing of the node, as at the last look that told anything; false: there was none. */
bool xr_watch_timing(const struct xr_watch *w, struct xr_lease_timing *timing);

/* NULL does nothing. */
void xr_watch_close(struct xr_watch *w);

#ifdef __cplusplus
}
#endif

#endif
