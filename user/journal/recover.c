// SPDX-License-Identifier: GPL-2.0-only
/* Reading a journal back: the rules stand in journal.c. First all is read, then it is mended. */
#include "journal/private.h"

#include <inttypes.h>
#include <string.h>

#define REMEDY                                                                                 \
	"mend the disk, or " XR_JOIN_ANEW "; an older copy of the file forgets votes, do not " \
	"restore one"

/* What was found beside the records. */
struct survey {
	uint64_t sequence; /* of the head: pair p has sequence + p - 1 */
	uint32_t snapshot_pairs;
	uint32_t dirty_end; /* pairs from j->next to this one are not all zero */
	unsigned char *bad; /* a pair: bit 0, 1 = that copy is damaged, the other is whole */
};

static uint64_t sequence_of(const struct survey *s, uint32_t pair)
{
	return pair == XR_PAIR_HEAD ? s->sequence : s->sequence + pair - 1;
}

__attribute__((format(printf, 4, 5))) static int damaged(const struct xr_journal *j, uint32_t pair,
							 struct xr_why *why, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return xr_fail(why, -EBADMSG, "%s/%s is damaged at offset %" PRIu64 ": %s; %s", j->path,
		       XR_JOURNAL_FILE, xr_pair_at(pair), what, REMEDY);
}

static int cannot_read(const struct xr_journal *j, uint64_t at, int err, struct xr_why *why)
{
	return xr_fail(why, err, "cannot read %s/%s at offset %" PRIu64 ": %s; %s", j->path,
		       XR_JOURNAL_FILE, at, strerror(-err), REMEDY);
}

/*
 * Both copies of a pair into j->pair. A copy that the medium cannot give is damaged like any other
 * as long as its twin is whole; `*unreadable` keeps the error for when it is not. A file that ends
 * before it is no such error, only damage.
 */
static void load(struct xr_journal *j, uint32_t pair, int *unreadable)
{
	*unreadable = 0;
	for (int copy = 0; copy < 2; copy++) {
		uint64_t at = xr_pair_at(pair) + (uint64_t)copy * XR_BLOCK_SIZE;
		int ret = xr_disk_read_all(j->disk, j->file, &j->pair[copy], XR_BLOCK_SIZE, at);

		if (ret < 0)
			memset(&j->pair[copy], 0, XR_BLOCK_SIZE);
		if (ret < 0 && ret != -ENODATA)
			*unreadable = ret;
	}
}

/*
 * The whole copy of a pair, at its place in the sequence. NULL and `*err` = 0: there is none;
 * NULL and an error: nobody can know.
 */
static struct xr_block *load_pair(struct xr_journal *j, const struct survey *s, uint32_t pair,
				  int *err, struct xr_why *why)
{
	bool whole[2];

	load(j, pair, err);
	for (int copy = 0; copy < 2; copy++)
		whole[copy] = xr_block_whole(&j->pair[copy], j->identity) &&
			      j->pair[copy].top.sequence == sequence_of(s, pair);
	if (whole[0] || whole[1])
		*err = 0;
	if (whole[0] && whole[1] &&
	    memcmp((const char *)&j->pair[0], (const char *)&j->pair[1], XR_BLOCK_SIZE))
		*err = damaged(j, pair, why, "the two copies of a record contradict each other");
	else if (*err)
		*err = cannot_read(j, xr_pair_at(pair), *err, why);
	if (*err || (!whole[0] && !whole[1]))
		return NULL;
	if (!whole[0] || !whole[1])
		s->bad[pair] = whole[0] ? 2 : 1;
	return whole[0] ? &j->pair[0] : &j->pair[1];
}

/* The head is read before anything is known: it says whose file this is, and in which format. */
static int check_head(struct xr_journal *j, struct xr_block **head, struct xr_why *why)
{
	int err;

	load(j, XR_PAIR_HEAD, &err);
	*head = xr_block_intact(&j->pair[0]) ? &j->pair[0] : &j->pair[1];
	if (!xr_block_intact(*head)) {
		const struct xr_block_top *top = &j->pair[0].top;

		if (err)
			return cannot_read(j, 0, err, why);
		if (memcmp(top->magic, "xrj", 3) || top->version == XR_BLOCK_VERSION ||
		    top->version != j->pair[1].top.version)
			return damaged(j, XR_PAIR_HEAD, why, "no copy of its head is whole");
	}
	if ((*head)->top.version != XR_BLOCK_VERSION)
		return xr_fail(why, -EPROTONOSUPPORT,
			       "%s/%s has format version %u, this xraftd knows version %u: run "
			       "the xraftd that wrote it",
			       j->path, XR_JOURNAL_FILE, (*head)->top.version, XR_BLOCK_VERSION);
	if ((*head)->top.identity != j->identity)
		return xr_fail(why, -EMEDIUMTYPE,
			       "%s/%s belongs to node %u of cluster %.15s, not to node %u of "
			       "cluster %s: correct the node id, the cluster or the state folder",
			       j->path, XR_JOURNAL_FILE, (*head)->head.node, (*head)->head.cluster,
			       j->node, j->cluster);
	return 0;
}

static int read_head(struct xr_journal *j, struct survey *s, struct xr_why *why)
{
	int64_t bytes = j->disk->size(j->disk->ctx, j->file);
	struct xr_block *head;
	int ret;

	if (bytes < 0)
		return cannot_read(j, 0, (int)bytes, why);
	ret = check_head(j, &head, why);
	if (ret < 0)
		return ret;
	s->sequence = head->top.sequence;
	s->snapshot_pairs = head->head.snapshot_pairs;
	j->promise_ns = head->head.promise_ns;
	j->birth = head->head.birth;
	j->pairs = head->head.pairs;
	/* A file cut short has lost records, but it looks like one that ends there. */
	if ((uint64_t)bytes != xr_pair_at(j->pairs))
		return damaged(j, XR_PAIR_HEAD, why,
			       "it has %" PRId64 " bytes, its head says %" PRIu64, bytes,
			       xr_pair_at(j->pairs));
	if (j->pairs < XR_PAIR_FIRST || s->snapshot_pairs > j->pairs - XR_PAIR_FIRST)
		return damaged(j, XR_PAIR_HEAD, why, "its head speaks of %u pairs in a file of %u",
			       s->snapshot_pairs, j->pairs);
	s->bad = calloc(j->pairs, 1);
	if (!s->bad)
		return xr_fail(why, -ENOMEM, "out of memory for a journal of %u pairs", j->pairs);
	if (!load_pair(j, s, XR_PAIR_HEAD, &ret, why))
		return ret ? ret : damaged(j, XR_PAIR_HEAD, why, "no copy of its head is whole");
	return 0;
}

/* The records of a block one by one: they are as long as their values. */
static int stage_entries(struct xr_journal *j, const struct xr_block *b, struct xr_why *why)
{
	const unsigned char *at = b->entries, *end = at + sizeof(b->entries);
	int ret = 0;

	for (int i = 0; !ret && i < b->top.count; i++) {
		struct xr_block_entry r = {0};
		const struct xr_entry *entry = &r.entry;
		size_t left = (size_t)(end - at);

		memcpy(&r, at, left < sizeof(r) ? left : sizeof(r));
		if (entry->size > XR_VALUE_MAX || sizeof(r.vote) + xr_entry_size(entry) > left)
			return xr_fail(why, -EINVAL, "an entry ends behind its block");
		ret = xr_table_stage(&j->table, &r.vote, &entry, 1, why);
		if (!ret)
			xr_table_commit(&j->table);
		at += sizeof(r.vote) + xr_entry_size(entry);
	}
	return ret;
}

/* Rule 7 holds for what is read too: a record that breaks it is damage, however whole. */
static int apply(struct xr_journal *j, uint32_t pair, const struct xr_block *b, struct xr_why *why)
{
	struct xr_why detail;
	int ret;

	if (b->top.kind == XR_BLOCK_PROMISE) {
		if (b->promise_ns > j->promise_ns)
			j->promise_ns = b->promise_ns;
		return 0;
	}
	if (b->top.kind != XR_BLOCK_VOTE && b->top.kind != XR_BLOCK_ENTRY)
		return damaged(j, pair, why, "a record of unknown kind %u", b->top.kind);
	if (b->top.kind == XR_BLOCK_ENTRY)
		ret = stage_entries(j, b, &detail);
	else
		ret = xr_table_stage(&j->table, b->votes, NULL, b->top.count, &detail);
	if (ret == -ENOMEM)
		return xr_fail(why, ret, "%s", detail.text);
	if (ret < 0)
		return damaged(j, pair, why, "records contradict each other");
	xr_table_commit(&j->table);
	return 0;
}

/* Apply pair after pair up to the first of which no whole copy exists; there j->next ends up. */
static int read_records(struct xr_journal *j, struct survey *s, struct xr_why *why)
{
	uint32_t log = XR_PAIR_FIRST + s->snapshot_pairs, pair;

	for (pair = XR_PAIR_FIRST; pair < j->pairs; pair++) {
		int ret;
		const struct xr_block *b = load_pair(j, s, pair, &ret, why);

		if (!ret && b)
			ret = apply(j, pair, b, why);
		if (ret < 0)
			return ret;
		if (!b)
			break;
	}
	if (pair < log)
		return damaged(j, pair, why, "both copies of a part of the snapshot");
	j->next = pair;
	j->sequence = sequence_of(s, pair) - 1;
	return 0;
}

/*
 * One block after the end. Nothing whole may follow, with one exception: the rest of the batch
 * that the missing pair itself belongs to. One fsync covers a batch and its pairs reach the medium
 * in any order, so this is what a crash before that fsync leaves, and nothing of it was answered.
 */
static int check_follower(const struct xr_journal *j, const struct survey *s, uint32_t pair,
			  struct xr_block *b, struct xr_why *why)
{
	uint64_t missing = j->sequence + 1;

	if (!xr_block_whole(b, j->identity) || b->top.sequence < missing)
		return 0;
	if (b->top.sequence - b->top.back <= missing && b->top.sequence == sequence_of(s, pair))
		return 0;
	return damaged(j, j->next, why,
		       "both copies of a record, and a later one stands at offset %" PRIu64,
		       xr_pair_at(pair));
}

/* Is the end the end? */
static int check_end(struct xr_journal *j, struct survey *s, struct xr_why *why)
{
	s->dirty_end = j->next;
	for (uint32_t pair = j->next; pair < j->pairs; pair++) {
		int ret;

		load(j, pair, &ret);
		if (ret < 0)
			return cannot_read(j, xr_pair_at(pair), ret, why);
		for (int copy = 0; copy < 2; copy++) {
			ret = check_follower(j, s, pair, &j->pair[copy], why);
			if (ret < 0)
				return ret;
			if (!xr_block_unused(&j->pair[copy]))
				s->dirty_end = pair + 1;
		}
	}
	return 0;
}

/* A probe notes how far the journal was durable: an end before that is no end. */
static int check_probes(struct xr_journal *j, struct xr_why *why)
{
	int unreadable;

	load(j, XR_PAIR_PROBE, &unreadable);
	for (int copy = 0; copy < 2; copy++) {
		struct xr_block *b = &j->pair[copy];

		if (!xr_block_whole(b, j->identity) || b->top.kind != XR_BLOCK_PROBE)
			continue;
		if (b->probes > j->probes)
			j->probes = b->probes;
		if (b->top.sequence > j->sequence)
			return damaged(j, j->next, why,
				       "both copies of a record that was durable once");
	}
	return 0;
}

/* A damaged copy is written anew from its twin, which is left alone. */
static int mend_copies(struct xr_journal *j, const struct survey *s)
{
	int ret = 0;

	for (uint32_t pair = 0; !ret && pair < j->next; pair++) {
		uint64_t bad = s->bad[pair] == 2, at = xr_pair_at(pair);

		if (!s->bad[pair])
			continue;
		ret = xr_disk_read_all(j->disk, j->file, &j->pair[0], XR_BLOCK_SIZE,
				       at + !bad * XR_BLOCK_SIZE);
		if (!ret && !xr_block_whole(&j->pair[0], j->identity))
			ret = -EIO;
		if (!ret)
			ret = xr_disk_write_all(j->disk, j->file, &j->pair[0], XR_BLOCK_SIZE,
						at + bad * XR_BLOCK_SIZE);
	}
	return ret;
}

/* A torn batch must not come back behind the records that will take its place. */
static int wipe_tail(struct xr_journal *j, const struct survey *s)
{
	int ret = 0;

	memset(j->pair, 0, sizeof(j->pair));
	for (uint32_t pair = j->next; !ret && pair < s->dirty_end; pair++)
		ret = xr_disk_write_all(j->disk, j->file, j->pair, XR_PAIR_SIZE, xr_pair_at(pair));
	return ret;
}

static int mend(struct xr_journal *j, const struct survey *s, struct xr_why *why)
{
	bool torn = s->dirty_end > j->next;
	int ret;

	if (!torn && !memchr(s->bad, 1, j->pairs) && !memchr(s->bad, 2, j->pairs))
		return 0;
	ret = mend_copies(j, s);
	if (!ret)
		ret = wipe_tail(j, s);
	if (!ret)
		ret = j->disk->fdatasync(j->disk->ctx, j->file);
	if (ret < 0)
		return xr_fail(why, ret, "cannot mend %s/%s: %s; nothing is lost, mend the disk",
			       j->path, XR_JOURNAL_FILE, strerror(-ret));
	return 0;
}

/*
 * Records that an earlier process left in the page cache may not be durable: this one would answer
 * for them, and then lose them with the power. So first all is written out, its folder too (the
 * rename of a compaction), then the cache is dropped, since after a failed fsync the kernel calls
 * pages clean that never reached the medium. 1: not all of it could be dropped.
 */
static int settle(struct xr_journal *j, struct xr_why *why)
{
	const struct xr_disk *d = j->disk;
	int ret = d->fdatasync(d->ctx, j->file);

	if (!ret)
		ret = d->fsync_dir(d->ctx, j->dir);
	if (!ret)
		ret = d->forget(d->ctx, j->file);
	if (ret < 0)
		return xr_fail(why, ret, "cannot make %s/%s durable: %s; mend the disk", j->path,
			       XR_JOURNAL_FILE, strerror(-ret));
	return ret;
}

int xr_journal_recover(struct xr_journal *j, struct xr_why *why)
{
	struct survey s = {};
	int kept = settle(j, why), ret = kept < 0 ? kept : read_head(j, &s, why);
	bool harmless;

	if (!ret)
		ret = read_records(j, &s, why);
	if (!ret)
		ret = check_end(j, &s, why);
	if (!ret)
		ret = check_probes(j, why);
	if (!ret) /* where the medium may hold less than what was read, all of it is written anew */
		ret = kept ? xr_journal_compact(j, &harmless, why) : mend(j, &s, why);
	free(s.bad);
	return ret;
}
