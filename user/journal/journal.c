// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal's format and its recovery (rule 7).
 *
 * The state folder holds `lock`, locked while a process runs on it, and `journal`: pairs of
 * 4096-byte blocks, preallocated by writing zeros, so that a vote changes no metadata.
 *
 *     pair 0      head: whose journal, its size, size of the snapshot, promise of rule 6
 *     pair 1      probes (rule 8), the two blocks in turn
 *     pair 2 ...  snapshot: the newest record of every group when the file was made
 *          ...    log: batches in order of time, then zeros
 *
 * A block is a top of 32 bytes (kind, version, count, sequence, identity of cluster and node, and
 * a checksum over all the rest of the block) and up to 127 records of 32 bytes, or fewer that have an
 * entry behind them, in blocks of their own. The two blocks of a pair are equal, save for probes: each record stands twice. A batch is as many pairs as it
 * needs, each knowing how many of the batch precede it, then one fdatasync; only after that may
 * anyone be told. Sequence numbers grow by one a pair, for ever; in a file they follow from the
 * place, so that a block written to the wrong place is not taken for the right one.
 *
 * Recovery:
 *  1. The page cache is written out and dropped, then the medium is read. Where the cache stays,
 *     since another process has the file mapped, all that was read is written into a new file.
 *  2. A pair counts if one copy is whole: right checksum, identity and sequence. The damaged copy
 *     is written anew. Two whole copies that differ are damage.
 *  3. Head and snapshot were durable before the file got its name: each pair must count, and the
 *     file must have the size that its head says.
 *  4. The log ends before the first pair that does not count, unless a whole block of a later batch
 *     follows: that one was written only once the missing one was durable. Then the journal is
 *     damaged, and open refuses it. A whole block of the same batch proves nothing, as one fsync
 *     covers the batch and its pairs reach the medium in any order. Recovery keeps the pairs of a
 *     torn batch before the gap and drops those after it: none was ever answered, so both are safe.
 *  5. A probe carries the last sequence number known to be durable. A log that ends before it is
 *     damaged too. So the one loss that recovery cannot tell from a crash, both copies in the
 *     last batch, is told from it once a batch or a probe has followed.
 *  6. The rest of the file is wiped, durably, before the next append: a dropped pair would
 *     fit behind the record that takes the place of the missing one, and bring back a vote.
 *
 * When the log is full, compaction writes a new file beside it (compact.c).
 */
#include "journal/private.h"

#include <sodium.h>
#include <string.h>

#define ROOM_DEFAULT_BLOCKS 1024u /* 4 MiB: 512 elections of few groups */

int xr_journal_write_pair(struct xr_journal *j, int file, uint32_t pair)
{
	xr_block_seal(&j->pair[0]);
	j->pair[1] = j->pair[0];
	return xr_disk_write_all(j->disk, file, j->pair, XR_PAIR_SIZE, xr_pair_at(pair));
}

/*
 * How many of `n` records the next block takes: as many votes as there is room for, or as many entries.
 * `used`: bytes behind its top.
 */
static size_t next_block(const struct xr_entry *const *entries, size_t n, size_t *used)
{
	const size_t room = sizeof(((struct xr_block *)NULL)->entries);
	bool entry = entries && entries[0];
	size_t i, bytes;

	for (*used = i = 0; i < n && (entries && entries[i]) == entry; i++, *used += bytes) {
		bytes = sizeof(struct xr_vote) + (entry ? xr_entry_size(entries[i]) : 0);
		if (*used + bytes > room)
			break;
	}
	return i;
}

uint32_t xr_pairs_for(const struct xr_entry *const *entries, size_t n)
{
	uint32_t pairs = 0;
	size_t used;

	if (!entries)
		return (uint32_t)((n + XR_BLOCK_VOTES - 1) / XR_BLOCK_VOTES);
	for (; n; pairs++) {
		size_t taken = next_block(entries, n, &used);

		entries += taken;
		n -= taken;
	}
	return pairs;
}

static void fill_block(struct xr_block *b, const struct xr_vote *v,
		       const struct xr_entry *const *entries, size_t n)
{
	unsigned char *at = b->entries;

	for (size_t i = 0; i < n; i++) {
		memcpy(at, &v[i], sizeof(v[i]));
		at += sizeof(v[i]);
		if (b->top.kind == XR_BLOCK_VOTE)
			continue;
		memcpy(at, entries[i], XR_ENTRY_BASE + entries[i]->size);
		at += xr_entry_size(entries[i]);
	}
	b->top.count = (uint8_t)n;
}

int xr_journal_write_records(struct xr_journal *j, struct xr_run_of_pairs *to,
			     const struct xr_vote *v, const struct xr_entry *const *entries,
			     size_t n)
{
	struct xr_block *b = &j->pair[0];
	int ret = 0;

	while (!ret && n) {
		enum xr_block_kind kind = entries && entries[0] ? XR_BLOCK_ENTRY : XR_BLOCK_VOTE;
		size_t used, taken = next_block(entries, n, &used);

		xr_block_begin(b, kind, j->identity, to->sequence++);
		b->top.back = (uint16_t)to->back++;
		fill_block(b, v, entries, taken);
		ret = xr_journal_write_pair(j, to->file, to->next++);
		v += taken;
		n -= taken;
		if (entries)
			entries += taken;
	}
	return ret;
}

static int dead(const struct xr_journal *j, struct xr_why *why)
{
	return xr_fail(why, -EIO, "%s", j->why.text);
}

/* Rule 7: nobody knows what the medium holds after a failed write, so nothing follows it. */
static int die(struct xr_journal *j, const char *reason, struct xr_why *why)
{
	j->dead = true;
	xr_fail(&j->why, -EIO, "this process votes no more: %s", reason);
	return dead(j, why);
}

static int die_writing(struct xr_journal *j, int err, struct xr_why *why)
{
	struct xr_why reason;

	xr_fail(&reason, err, "cannot write %s/%s: %s; %s, and start xraftd again", j->path,
		XR_JOURNAL_FILE, strerror(-err), xr_journal_remedy(err));
	return die(j, reason.text, why);
}

static int sync_log(struct xr_journal *j, uint32_t pairs, int ret, struct xr_why *why)
{
	if (!ret)
		ret = j->disk->fdatasync(j->disk->ctx, j->file);
	if (ret < 0)
		return die_writing(j, ret, why);
	j->next += pairs;
	j->sequence += pairs;
	return 0;
}

static int compact_or_die(struct xr_journal *j, struct xr_why *why)
{
	struct xr_why reason;
	bool harmless;
	int ret = xr_journal_compact(j, &harmless, &reason);

	return ret < 0 ? die(j, reason.text, why) : 0;
}

/*
 * What is written into a file without a name is lost with this process, and with it the votes that it
 * gave (rule 7).
 */
static int check_place(struct xr_journal *j, struct xr_why *why)
{
	char reason[sizeof(why->text)];
	int ret = j->disk->in_place(j->disk->ctx, j->path, j->dir, XR_JOURNAL_FILE, j->file);

	if (ret != -ENOENT && ret != -ESTALE)
		return 0;
	snprintf(reason, sizeof(reason),
		 "%.100s/%s was %s while this node ran: its votes are in a file without a name. "
		 "Move the old one back; if it is lost, " XR_JOIN_ANEW,
		 j->path, XR_JOURNAL_FILE, ret == -ENOENT ? "removed" : "replaced");
	return die(j, reason, why);
}

/* Likewise the votes that a file held which was cut short. */
static int check_size(struct xr_journal *j, struct xr_why *why)
{
	char reason[sizeof(why->text)];
	int64_t size = j->disk->size(j->disk->ctx, j->file);

	if (size < 0 || (uint64_t)size >= xr_pair_at(j->pairs))
		return 0;
	snprintf(reason, sizeof(reason),
		 "%.100s/%s was cut short while this node ran, and what it held is "
		 "lost; " XR_JOIN_ANEW,
		 j->path, XR_JOURNAL_FILE);
	return die(j, reason, why);
}

int xr_journal_append(struct xr_journal *j, const struct xr_vote *v,
		      const struct xr_entry *const *entries, size_t n, struct xr_why *why)
{
	struct xr_run_of_pairs to = {.file = j->file, .next = j->next, .sequence = j->sequence + 1};
	uint32_t pairs;
	int ret;

	if (j->dead)
		return dead(j, why);
	ret = check_place(j, why);
	if (ret)
		return ret;
	if (n > XR_JOURNAL_BATCH_MAX)
		return xr_fail(why, -EINVAL, "a batch of %zu votes is over the limit of %u", n,
			       XR_JOURNAL_BATCH_MAX);
	ret = xr_table_stage(&j->table, v, entries, n, why);
	if (ret < 0 || !n)
		return ret;
	pairs = xr_pairs_for(entries, n);
	if (pairs <= j->pairs - j->next) {
		ret = xr_journal_write_records(j, &to, v, entries, n);
		ret = sync_log(j, pairs, ret, why);
	} else {
		/* The snapshot holds what is staged: it is this batch's write. */
		ret = compact_or_die(j, why);
	}
	if (ret < 0)
		xr_table_undo(&j->table);
	else
		xr_table_commit(&j->table);
	return ret;
}

int xr_journal_promise(struct xr_journal *j, uint64_t d_ns, struct xr_why *why)
{
	uint64_t before = j->promise_ns;
	int ret;

	if (j->dead)
		return dead(j, why);
	if (d_ns <= before)
		return 0;
	j->promise_ns = d_ns;
	if (j->next < j->pairs) {
		xr_block_begin(&j->pair[0], XR_BLOCK_PROMISE, j->identity, j->sequence + 1);
		j->pair[0].promise_ns = d_ns;
		ret = sync_log(j, 1, xr_journal_write_pair(j, j->file, j->next), why);
	} else {
		ret = compact_or_die(j, why);
	}
	if (ret < 0)
		j->promise_ns = before;
	return ret;
}

/* The two blocks in turn: a torn probe leaves the one before it. */
int xr_journal_probe(struct xr_journal *j, struct xr_why *why)
{
	struct xr_block *b = &j->pair[0];
	uint64_t at = xr_pair_at(XR_PAIR_PROBE);
	int ret;

	if (j->dead)
		return dead(j, why);
	ret = check_place(j, why);
	if (!ret)
		ret = check_size(j, why);
	if (ret)
		return ret;
	j->probes++;
	xr_block_begin(b, XR_BLOCK_PROBE, j->identity, j->sequence);
	b->probes = j->probes;
	xr_block_seal(b);
	ret = xr_disk_write_all(j->disk, j->file, b, XR_BLOCK_SIZE,
				at + (j->probes & 1) * XR_BLOCK_SIZE);
	return sync_log(j, 0, ret, why);
}

int xr_journal_tidy(struct xr_journal *j, struct xr_why *why)
{
	uint32_t left = j->pairs - j->next;
	struct xr_why reason;
	bool harmless;
	int ret;

	if (j->dead)
		return dead(j, why);
	if (j->no_tidy || (left > j->room / 4 && left >= xr_journal_mass(j)))
		return 0;
	ret = xr_journal_compact(j, &harmless, &reason);
	if (!ret)
		return 0;
	if (!harmless || (ret != -ENOSPC && ret != -EDQUOT))
		return die(j, reason.text, why);
	j->no_tidy = true;
	return xr_fail(why, -ENOSPC, "%s", reason.text);
}

const struct xr_vote *xr_journal_find(const struct xr_journal *j, uint32_t group)
{
	return xr_table_find(&j->table, group);
}

const struct xr_entry *xr_journal_entry(const struct xr_journal *j, uint32_t group)
{
	return xr_table_entry(&j->table, group);
}

int xr_journal_each(const struct xr_journal *j, int (*visit)(const struct xr_vote *v, void *arg),
		    void *arg)
{
	for (uint32_t i = 0; i < j->table.count; i++) {
		int ret = visit(&j->table.votes[i], arg);

		if (ret)
			return ret;
	}
	return 0;
}

uint64_t xr_journal_promise_ns(const struct xr_journal *j)
{
	return j->promise_ns;
}

uint32_t xr_journal_birth(const struct xr_journal *j)
{
	return j->birth;
}

static int fail_no_state(const struct xr_journal *j, struct xr_why *why)
{
	return xr_fail(why, -ENOENT,
		       "%s holds no state, and an id without state may have voted before: restore "
		       "the folder's disk, or start with --new only if node %u never took part in "
		       "cluster %s, or with --join, and xraft member add makes it a member anew; "
		       "man xraftd tells how",
		       j->path, j->node, j->cluster);
}

static int fail_has_state(const struct xr_journal *j, struct xr_why *why)
{
	return xr_fail(why, -EEXIST,
		       "%s holds state already, so node %u of cluster %s is not new: start "
		       "without %s (nothing was changed)",
		       j->path, j->node, j->cluster, j->birth ? "--join" : "--new");
}

static int fail_open(const struct xr_journal *j, const char *name, int err, struct xr_why *why)
{
	return xr_fail(why, err, "cannot open %s%s%s: %s; check its owner, mode and disk", j->path,
		       *name ? "/" : "", name, strerror(-err));
}

static int take_lock(struct xr_journal *j, struct xr_why *why)
{
	const struct xr_disk *d = j->disk;
	int ret;

	j->lock = d->open(d->ctx, j->dir, XR_JOURNAL_LOCK, XR_DISK_CREATE);
	if (j->lock < 0)
		return fail_open(j, XR_JOURNAL_LOCK, j->lock, why);
	ret = d->lock(d->ctx, j->lock);
	if (ret == -EWOULDBLOCK)
		return xr_fail(why, -EBUSY,
			       "another xraftd runs on %s: stop it, or give this one a state "
			       "folder of its own",
			       j->path);
	return ret < 0 ? fail_open(j, XR_JOURNAL_LOCK, ret, why) : 0;
}

static int open_folder(struct xr_journal *j, bool create, struct xr_why *why)
{
	const struct xr_disk *d = j->disk;

	j->dir = d->open_dir(d->ctx, j->path, create);
	if (j->dir == -ENOENT && !create)
		return fail_no_state(j, why);
	if (j->dir < 0)
		return fail_open(j, "", j->dir, why);
	return 0;
}

/* With the lock held, so that what is there stays there. */
static int open_file(struct xr_journal *j, bool create, struct xr_why *why)
{
	const struct xr_disk *d = j->disk;
	int ret;

	j->file = d->open(d->ctx, j->dir, XR_JOURNAL_FILE, XR_DISK_EXISTING);
	if (j->file >= 0 && create)
		return fail_has_state(j, why);
	if (j->file == -ENOENT) {
		bool harmless;

		return create ? xr_journal_compact(j, &harmless, why) : fail_no_state(j, why);
	}
	if (j->file < 0)
		return fail_open(j, XR_JOURNAL_FILE, j->file, why);
	ret = xr_journal_recover(j, why);
	if (!ret) /* what a crash during a compaction left; if it stays, it only takes space */
		d->unlink(d->ctx, j->dir, XR_JOURNAL_NEW_FILE);
	return ret;
}

static int setup(struct xr_journal *j, const struct xr_journal_opts *o, struct xr_why *why)
{
	uint32_t blocks = o->capacity_blocks ? o->capacity_blocks : ROOM_DEFAULT_BLOCKS;

	j->dir = j->lock = j->file = -1;
	j->disk = o->disk ? o->disk : &xr_disk_real;
	if (!o->cluster[0] || strlen(o->cluster) >= XR_JOURNAL_NAME_SIZE)
		return xr_fail(why, -EINVAL, "a cluster name has 1 to %d characters, \"%s\" not",
			       XR_JOURNAL_NAME_SIZE - 1, o->cluster);
	if (!o->node)
		return xr_fail(why, -EINVAL, "node ids start at 1");
	strcpy(j->cluster, o->cluster);
	j->node = o->node;
	j->birth = o->birth;
	j->identity = xr_block_identity(j->cluster, j->node);
	j->room = blocks < 2 ? 1 : blocks / 2;
	j->path = strdup(o->dir);
	return j->path ? 0 : xr_fail(why, -ENOMEM, "out of memory");
}

int xr_journal_open(struct xr_journal **out, const struct xr_journal_opts *o, struct xr_why *why)
{
	struct xr_journal *j = calloc(1, sizeof(*j));
	int ret;

	if (!j || sodium_init() < 0) {
		free(j);
		return xr_fail(why, -ENOMEM, "out of memory, or libsodium cannot start");
	}
	ret = setup(j, o, why);
	if (!ret)
		ret = open_folder(j, o->create, why);
	if (!ret && !o->lock_fd)
		ret = take_lock(j, why);
	if (!ret)
		ret = open_file(j, o->create, why);
	if (ret < 0) {
		xr_journal_close(j);
		return ret;
	}
	*out = j;
	return 0;
}

int xr_journal_lock(const struct xr_journal_opts *o, struct xr_why *why)
{
	struct xr_journal *j = calloc(1, sizeof(*j));
	int ret;

	if (!j)
		return xr_fail(why, -ENOMEM, "out of memory");
	ret = setup(j, o, why);
	if (!ret)
		ret = open_folder(j, o->create, why);
	if (!ret)
		ret = take_lock(j, why);
	if (!ret)
		ret = xr_steal_fd(&j->lock);
	xr_journal_close(j);
	return ret;
}

int xr_journal_remove_empty(const struct xr_journal_opts *o)
{
	struct xr_journal *j = calloc(1, sizeof(*j));
	const struct xr_disk *d;
	bool gone = false;
	int ret;

	if (!j)
		return 0;
	ret = setup(j, o, NULL);
	d = j->disk;
	if (!ret)
		ret = open_folder(j, false, NULL);
	if (!ret) {
		ret = open_file(j, false, NULL);
		gone = ret == -ENOENT ||
		       (!ret && !j->table.count && !d->unlink(d->ctx, j->dir, XR_JOURNAL_FILE));
	}
	if (gone) {
		d->unlink(d->ctx, j->dir, XR_JOURNAL_LOCK);
		d->fsync_dir(d->ctx, j->dir);
	}
	xr_journal_close(j);
	return gone;
}

void xr_journal_let_go(const struct xr_journal *j)
{
	j->disk->close(j->disk->ctx, j->file);
	j->disk->close(j->disk->ctx, j->dir);
}

/* The lock goes last: until then nobody else may open what is being closed. */
void xr_journal_close(struct xr_journal *j)
{
	if (!j)
		return;
	if (j->file >= 0)
		j->disk->close(j->disk->ctx, j->file);
	if (j->lock >= 0)
		j->disk->close(j->disk->ctx, j->lock);
	if (j->dir >= 0)
		j->disk->close(j->disk->ctx, j->dir);
	xr_table_free(&j->table);
	free(j->path);
	free(j);
}
