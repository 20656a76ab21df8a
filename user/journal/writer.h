/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread that owns the journal, so that the election thread never touches the disk. Votes go in
 * by submit, any number of them under one kick, and come back by reap, in order, each durable or
 * failed. Everything that waits when the thread wakes becomes one batch under one fsync.
 *
 * One thread submits, kicks, probes and reaps (the election thread); oldest_ns, took and error
 * may be called from any. From start to stop nobody else may call xr_journal_*() on the journal, not even
 * to read: the election thread takes what it needs before start.
 */
#ifndef XRAFT_JOURNAL_WRITER_H
#define XRAFT_JOURNAL_WRITER_H

#include "journal/journal.h"

#define XR_WRITER_SLOTS 131072u /* submitted and not yet reaped, at most */

struct xr_writer;

struct xr_done {
	struct xr_vote vote;
	uint64_t entry; /* the id of the entry that came with it; 0: none */
	int err;	/* 0: durable. -EIO: not known to be; this process votes no more (rule 7) */
};

/*
 * Start the thread: SCHED_FIFO at `priority` (0: ordinary), all signals blocked. The journal stays
 * the caller's, to close after stop. `*out` is untouched on failure. Errors: -ENOMEM, and what
 * eventfd and pthread_create return.
 */
int xr_writer_start(struct xr_writer **out, struct xr_journal *j, int priority, struct xr_why *why);

/* An eventfd, readable while completions wait and once after a failure. The writer owns it. */
int xr_writer_fd(const struct xr_writer *w);

/*
 * Queue a record. Never blocks, allocates or takes a lock. The thread may start on it at once, but
 * needs a kick to be sure. `entry`, NULL or the group's new one, stays the caller's, unchanged until it
 * is reaped. Errors: -ENOBUFS, too many wait; -EIO, the writer has failed.
 */
int xr_writer_submit(struct xr_writer *w, const struct xr_vote *v, const struct xr_entry *entry);

/* Wake the thread for all that was submitted. */
void xr_writer_kick(struct xr_writer *w);

/* Take up to `max` completions, oldest first; returns how many. */
size_t xr_writer_reap(struct xr_writer *w, struct xr_done *out, size_t max);

/*
 * Ask for proof that the disk completes writes (rule 8); kicks. A batch that goes out with it is
 * proof enough; else a probe is written. Does nothing while an earlier probe waits.
 */
void xr_writer_probe(struct xr_writer *w);

/* CLOCK_BOOTTIME when the oldest write or probe not yet complete was submitted; 0 = none. */
uint64_t xr_writer_oldest_ns(const struct xr_writer *w);

/* How many batches and probes were written, and how long that took altogether, fsync included. */
void xr_writer_took(const struct xr_writer *w, uint64_t *writes, uint64_t *write_ns);

/*
 * 0, or the error that ended the writing, with its sentence; it never goes away. -EIO: a write
 * failed. -EINVAL: a record broke rule 7, so the engine's idea of the past is wrong and it must
 * not go on; no other of its batch was written either.
 */
int xr_writer_error(const struct xr_writer *w, struct xr_why *why);

/* Finishes what was submitted, joins the thread, frees all, unreaped completions too. NULL ok. */
void xr_writer_stop(struct xr_writer *w);

#endif
