// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compaction: a new file with a snapshot, written aside, made durable, renamed over the old one,
 * the folder made durable. A crash before the rename leaves the old file, after it the new one,
 * and until the folder is durable either, with the same content: nothing is appended in between.
 * The first journal of a new node is made in the same way from nothing.
 */
#include "journal/private.h"

#include <string.h>

/*
 * Zeros, not fallocate: an unwritten extent would have to be converted by the first write to it,
 * under that vote's fsync (measured p99 63 ms against 1.4 ms).
 */
static int write_zeros(struct xr_journal *j, int file, uint32_t from, uint32_t to)
{
	static const char zeros[8 * XR_PAIR_SIZE];
	uint64_t at = xr_pair_at(from), end = xr_pair_at(to);
	int ret = 0;

	while (!ret && at < end) {
		size_t bytes = end - at < sizeof(zeros) ? end - at : sizeof(zeros);

		ret = xr_disk_write_all(j->disk, file, zeros, bytes, at);
		at += bytes;
	}
	return ret;
}

/* The next groups with an entry, from number `*i` on, at most as many as XR_SOME. */
static uint32_t gather(const struct xr_table *t, uint32_t *i, struct xr_some *some)
{
	uint32_t n = 0;

	for (; *i < t->count && n < XR_SOME; ++*i)
		if (t->entries[*i]) {
			some->votes[n] = t->votes[*i];
			some->entries[n++] = t->entries[*i];
		}
	return n;
}

uint32_t xr_pairs_for_snapshot(const struct xr_journal *j)
{
	struct xr_some some;
	uint32_t pairs = xr_pairs_for(NULL, j->table.count);

	for (uint32_t i = 0, n; j->table.nentries && (n = gather(&j->table, &i, &some));)
		pairs += xr_pairs_for(some.entries, n);
	return pairs;
}

static int write_head(struct xr_journal *j, int file, uint32_t pairs, uint32_t snapshot_pairs)
{
	struct xr_block *b = &j->pair[0];

	xr_block_begin(b, XR_BLOCK_HEAD, j->identity, j->sequence + 1);
	b->head.promise_ns = j->promise_ns;
	b->head.pairs = pairs;
	b->head.snapshot_pairs = snapshot_pairs;
	b->head.groups = j->table.count;
	b->head.node = j->node;
	b->head.birth = j->birth;
	memcpy(b->head.cluster, j->cluster, sizeof(b->head.cluster));
	return xr_journal_write_pair(j, file, XR_PAIR_HEAD);
}

/* Votes of all groups, then the entries of those that have one, a block at a time. */
static int write_snapshot(struct xr_journal *j, int file)
{
	const struct xr_table *t = &j->table;
	struct xr_run_of_pairs to = {
		.file = file,
		.next = XR_PAIR_FIRST,
		.sequence = j->sequence + 2,
	};
	struct xr_some some;
	int ret = xr_journal_write_records(j, &to, t->votes, NULL, t->count);

	to.back = 0;
	for (uint32_t i = 0, n; !ret && t->nentries && (n = gather(t, &i, &some));)
		ret = xr_journal_write_records(j, &to, some.votes, some.entries, n);
	return ret;
}

/* The whole new file, durable, but not yet under its name. */
static int write_file(struct xr_journal *j, int file, uint32_t pairs, uint32_t snapshot_pairs)
{
	uint32_t log = XR_PAIR_FIRST + snapshot_pairs;
	int ret = write_head(j, file, pairs, snapshot_pairs);

	if (!ret)
		ret = write_zeros(j, file, XR_PAIR_PROBE, XR_PAIR_FIRST);
	if (!ret)
		ret = write_snapshot(j, file);
	if (!ret)
		ret = write_zeros(j, file, log, pairs);
	if (!ret)
		ret = j->disk->fdatasync(j->disk->ctx, file);
	return ret;
}

/* The rename is the point of no return; it is durable only with the folder (rule 7). */
static int put_in_place(struct xr_journal *j)
{
	const struct xr_disk *d = j->disk;
	int ret = d->rename(d->ctx, j->dir, XR_JOURNAL_NEW_FILE, XR_JOURNAL_FILE);

	if (ret < 0)
		return ret;
	return d->fsync_dir(d->ctx, j->dir);
}

int xr_journal_compact(struct xr_journal *j, bool *harmless, struct xr_why *why)
{
	const struct xr_disk *d = j->disk;
	uint32_t snapshot_pairs = xr_pairs_for_snapshot(j);
	/* At least as much room as snapshot: however many groups, a vote costs O(1) writes. */
	uint32_t least = snapshot_pairs > j->room ? snapshot_pairs : j->room;
	uint32_t room = 2 * xr_journal_mass(j) > least ? 2 * xr_journal_mass(j) : least;
	uint32_t pairs = XR_PAIR_FIRST + snapshot_pairs + room;
	int file, ret;

	*harmless = true;
	file = d->open(d->ctx, j->dir, XR_JOURNAL_NEW_FILE, XR_DISK_FRESH);
	ret = file < 0 ? file : write_file(j, file, pairs, snapshot_pairs);
	if (!ret) {
		*harmless = false;
		ret = put_in_place(j);
	}
	if (ret < 0) {
		if (file >= 0)
			d->close(d->ctx, file);
		if (*harmless)
			d->unlink(d->ctx, j->dir, XR_JOURNAL_NEW_FILE);
		return xr_fail(why, ret,
			       "cannot write %s/%s, %llu KiB: %s; %s and start xraftd again, "
			       "nothing that was decided is lost",
			       j->path, XR_JOURNAL_NEW_FILE,
			       (unsigned long long)xr_pair_at(pairs) / 1024, strerror(-ret),
			       ret == -ENOSPC || ret == -EDQUOT ? "free some of the disk"
								: xr_journal_remedy(ret));
	}
	if (j->file >= 0)
		d->close(d->ctx, j->file);
	j->file = file;
	j->sequence += 1 + snapshot_pairs;
	j->next = XR_PAIR_FIRST + snapshot_pairs;
	j->pairs = pairs;
	j->no_tidy = false;
	return 0;
}
