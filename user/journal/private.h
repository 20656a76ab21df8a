/* SPDX-License-Identifier: GPL-2.0-only */
/* What the journal's own files share; nobody else includes it. */
#ifndef XRAFT_JOURNAL_PRIVATE_H
#define XRAFT_JOURNAL_PRIVATE_H

#include "journal/block.h"
#include "journal/table.h"

#define XR_JOURNAL_FILE	    "journal"
#define XR_JOURNAL_NEW_FILE "journal.new"
#define XR_JOURNAL_LOCK	    "lock"

/* Places in the file, in pairs of blocks. */
#define XR_PAIR_HEAD  0u
#define XR_PAIR_PROBE 1u
#define XR_PAIR_FIRST 2u /* the snapshot, then the log */

struct xr_journal {
	const struct xr_disk *disk;
	int dir, lock, file; /* handles of `disk`, -1 = none */
	char *path;	     /* of the folder, for people */
	char cluster[XR_JOURNAL_NAME_SIZE];
	uint8_t node;
	uint64_t identity;

	struct xr_table table;
	uint64_t promise_ns;
	uint32_t birth;

	uint64_t sequence; /* of the last pair that is durable */
	uint32_t next;	   /* where the next pair goes */
	uint32_t pairs;	   /* the file's size */
	uint32_t room;	   /* pairs that a compaction leaves free, at least */
	uint64_t probes;
	bool no_tidy; /* an early compaction found the disk full */

	bool dead; /* a write failed: this process votes no more (rule 7) */
	struct xr_why why;

	struct xr_block pair[2]; /* work space: both copies */
};

static inline uint64_t xr_pair_at(uint32_t pair)
{
	return (uint64_t)pair * XR_PAIR_SIZE;
}

/* After a failed write. */
static inline const char *xr_journal_remedy(int err)
{
	return err == -EFBIG ? "raise LimitFSIZE= of the service, or ulimit -f" : "mend the disk";
}

/* Pairs that `n` records take, in their order: votes and entries stand in blocks of their own. */
uint32_t xr_pairs_for(const struct xr_entry *const *entries, size_t n);
/* Of a whole snapshot: all votes, then all entries. */
uint32_t xr_pairs_for_snapshot(const struct xr_journal *j);

/*
 * Pairs that thousands of groups fill if they elect at once, in batches that do not fill their last
 * ones. There shall be room for it: not in the midst of this a new file has to be made.
 */
static inline uint32_t xr_journal_mass(const struct xr_journal *j)
{
	return j->table.count / 1024 * (2 * 1024 / XR_BLOCK_VOTES); /* twice what they need */
}

/* Seal j->pair[0] and write it twice as pair number `pair` of `file`. Not yet durable. */
int xr_journal_write_pair(struct xr_journal *j, int file, uint32_t pair);

/* Some groups with their entries; a few pairs' worth, and no more than a thread's stack bears. */
#define XR_SOME 32
struct xr_some {
	struct xr_vote votes[XR_SOME];
	const struct xr_entry *entries[XR_SOME];
};

/* Where pairs of records go: `next` has `sequence`, and `back` of its batch before it. */
struct xr_run_of_pairs {
	int file;
	uint32_t next, back;
	uint64_t sequence;
};

/* Write `n` records as pairs. Not yet durable. */
int xr_journal_write_records(struct xr_journal *j, struct xr_run_of_pairs *to,
			     const struct xr_vote *v, const struct xr_entry *const *entries,
			     size_t n);

/*
 * Read j->file into j, mend what can be mended, and leave j ready for the next append; or refuse.
 * Errors as of xr_journal_open().
 */
int xr_journal_recover(struct xr_journal *j, struct xr_why *why);

/*
 * Write all that j holds, staged records included, as a new journal and put it in the place of the
 * old one. Durable on return. `*harmless` tells whether, after an error, the old file is still in
 * its place for certain.
 */
int xr_journal_compact(struct xr_journal *j, bool *harmless, struct xr_why *why);

#endif
