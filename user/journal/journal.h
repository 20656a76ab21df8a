/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: what this node has durably decided, (term, vote) for each group and its entry, if
 * it has one, and the promise of rule 6. It is the only truth after a restart. Synchronous and single-threaded; writer.h puts
 * a thread around it. All I/O goes through struct xr_disk. Raft section 5.2: one vote a term needs
 * a vote that outlives the process; the format and its recovery are explained in journal.c.
 */
#ifndef XRAFT_JOURNAL_H
#define XRAFT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/common.h"
#include "journal/disk.h"
#include "xraft/wire.h"

#define XR_JOURNAL_GROUPS_MAX 131072u	 /* group ids are below this */
#define XR_JOURNAL_BATCH_MAX  (1u << 20) /* records in one append */
#define XR_JOURNAL_NAME_SIZE  16	 /* of group and cluster names, with the final NUL */

struct xr_journal;

/* One record: what this node has durably decided about a group. Also its form on disk. */
struct xr_vote {
	uint32_t group; /* dense id */
	uint32_t term;
	uint8_t vote; /* node voted for in term, 0 = none */
	uint8_t pad;
	uint16_t digest;   /* of the group's name and voters */
	uint32_t paused_s; /* since when, by CLOCK_REALTIME, the node does not stand; 0: it does */
	char name[XR_JOURNAL_NAME_SIZE]; /* NUL padded, at most 15 characters */
};

_Static_assert(sizeof(struct xr_vote) == 32, "layout on disk");

struct xr_journal_opts {
	const char *dir;	    /* state folder */
	const char *cluster;	    /* at most 15 characters */
	uint8_t node;		    /* this node's id, from 1 */
	bool create;		    /* --new: this id never took part in this cluster */
	uint32_t birth;		    /* with `create`: --join, random (rule 27); else 0 */
	int lock_fd;		    /* held already, from xr_journal_lock(); 0: not */
	uint32_t capacity_blocks;   /* 4096-byte blocks kept free for appends; 0 = default */
	const struct xr_disk *disk; /* NULL = the real one; must outlive the journal */
};

/*
 * Take the lock of the folder `o->dir`, made when `create`, and leave the journal in it closed: for
 * a caller that holds the lock longer than the journal is open. Returns a descriptor, which may be
 * handed down to children; closing the last copy gives the lock back. Errors: as below.
 */
int xr_journal_lock(const struct xr_journal_opts *o, struct xr_why *why);

/*
 * Open the journal of this node, or make it when `create`. Holds the folder's lock until
 * xr_journal_close(). Find and each then show what is on the medium. The journal keeps nothing of
 * `o` but `disk`. `*out` is untouched on failure. Errors, each with a sentence and its remedy:
 *   -ENOENT           no state, and not told that the node is new
 *   -EEXIST           told that it is new, but there is state: it is left as it is
 *   -EBUSY            another process runs on this folder
 *   -EBADMSG          damaged where it must be whole (rule 7: never guessed around)
 *   -EMEDIUMTYPE      the journal of another node or cluster
 *   -EPROTONOSUPPORT  written in a format this version does not know
 *   -EINVAL, -ENOMEM, and what the disk returned
 */
int xr_journal_open(struct xr_journal **out, const struct xr_journal_opts *o, struct xr_why *why);

/*
 * Remove the journal of this node, if nothing was ever decided in it: whoever starts without state then
 * finds none, as before. The folder's lock is held, and its file goes, too. Returns 1, also where there
 * was no journal, or 0: it stays.
 */
int xr_journal_remove_empty(const struct xr_journal_opts *o);

/*
 * For a thread that has descriptors of its own (unshare(CLONE_FILES)) and leaves the journal to
 * another: close the copies here, so that a compaction can give back the old file.
 */
void xr_journal_let_go(const struct xr_journal *j);

/* Releases the lock and all memory. Writes nothing: what returned 0 is durable already. NULL ok. */
void xr_journal_close(struct xr_journal *j);

/*
 * What was decided in `group`; NULL: never anything. The journal owns the record; the pointer is
 * good until the next append.
 */
const struct xr_vote *xr_journal_find(const struct xr_journal *j, uint32_t group);

/* Likewise the group's entry; NULL: it never had one. */
const struct xr_entry *xr_journal_entry(const struct xr_journal *j, uint32_t group);

/*
 * Call `visit` once for each group with a record, in order of first appearance. Ends early and
 * returns its value when that is not 0; else returns 0. `visit` must not append.
 */
int xr_journal_each(const struct xr_journal *j, int (*visit)(const struct xr_vote *v, void *arg),
		    void *arg);

/* What tells this state from others that the node id had (rule 27); 0: it did not join. */
uint32_t xr_journal_birth(const struct xr_journal *j);

/* The largest minimum election timeout this node ever used, in nanoseconds (rule 6); 0 = none. */
uint64_t xr_journal_promise_ns(const struct xr_journal *j);

/*
 * Remember that a minimum election timeout of `d_ns` is in use; keeps the maximum. Durable on
 * return. Errors: -EIO, the journal is dead (see append).
 */
int xr_journal_promise(struct xr_journal *j, uint64_t d_ns, struct xr_why *why);

/*
 * Make `n` records durable by one fsync: all, or (on failure) none of which the caller may speak.
 * Later records of a group overwrite earlier ones. entries[i], where it is not NULL, is v[i]'s group's
 * new entry, and one record with it; `entries` NULL: there are none. Errors:
 *   -EINVAL  a record would break rule 7 (a lower term; in the same term another vote or a cleared
 *            one) or rule 24 (an older entry, or one of a later term), or is malformed: a bug in the caller. Nothing was written or changed.
 *   -ENOMEM  nothing was written or changed
 *   -EIO     a write failed, now or before. The journal is dead: this process votes no more.
 *            Earlier batches are durable as before; this one may or may not be.
 */
int xr_journal_append(struct xr_journal *j, const struct xr_vote *v,
		      const struct xr_entry *const *entries, size_t n, struct xr_why *why);

/*
 * Prove that the disk completes writes (rule 8), by a durable write in blocks kept for it. It also
 * notes how far the journal is known durable, so that later damage at its end cannot pass for a
 * torn write. Errors: -EIO, the journal is dead.
 */
int xr_journal_probe(struct xr_journal *j, struct xr_why *why);

/*
 * For idle moments: compact when little room is left, so that no vote has to wait for it. Does
 * nothing when there is room. A full disk is returned as -ENOSPC and harms nothing yet; it is not
 * tried again. Other errors: -EIO, the journal is dead.
 */
int xr_journal_tidy(struct xr_journal *j, struct xr_why *why);

#endif
