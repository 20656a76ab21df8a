// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal on a disk that dies, tears, forgets and lies (rule 7). The heart is a script of
 * appends and compactions that is crashed at each single operation, then reopened and compared
 * with a model: what was confirmed is there, nothing went back, nothing was invented.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "journal/block.h"
#include "fake_disk.h"

#define FILE_NAME "journal"
#define PAIR	  XR_PAIR_SIZE
#define GROUPS	  300 /* three pairs */

/* What was ever asked of the journal for a group, in order; from `floor` on it may be found. */
struct history {
	struct record {
		struct xr_vote vote;
		uint64_t entry; /* the newest up to here; 0: none */
	} * records;
	int count, room;
	int floor; /* index of the newest confirmed one, -1 = none */
};

struct model {
	struct history group[GROUPS];
	uint64_t promise_floor_ns, promise_max_ns;
	bool created; /* the first open was confirmed */
	uint64_t seed;
};

static struct xr_journal_opts options(struct fake_disk *f, bool create, uint32_t blocks)
{
	return (struct xr_journal_opts){
		.dir = "state",
		.cluster = "blue",
		.node = 3,
		.create = create,
		.capacity_blocks = blocks,
		.disk = f ? &f->ops : NULL,
	};
}

static int open_on(struct xr_journal **j, struct fake_disk *f, bool create, uint32_t blocks)
{
	struct xr_journal_opts o = options(f, create, blocks);
	struct xr_why why = {};
	int ret = xr_journal_open(j, &o, &why);

	assert_true((ret < 0) == (why.text[0] != 0));
	return ret;
}

static struct xr_journal *must_open(struct fake_disk *f, bool create, uint32_t blocks)
{
	struct xr_journal_opts o = options(f, create, blocks);
	struct xr_journal *j = NULL;
	struct xr_why why = {};

	if (xr_journal_open(&j, &o, &why) < 0)
		fail_msg("%s", why.text);
	return j;
}

static struct xr_vote a_vote(uint32_t group, uint32_t term, uint8_t vote)
{
	struct xr_vote v = {.group = group, .term = term, .vote = vote, .digest = 77};

	snprintf(v.name, sizeof(v.name), "group-%u", group);
	return v;
}

static void must_append(struct xr_journal *j, uint32_t group, uint32_t term, uint8_t vote)
{
	struct xr_vote v = a_vote(group, term, vote);
	struct xr_why why;

	if (xr_journal_append(j, &v, NULL, 1, &why) < 0)
		fail_msg("%s", why.text);
}

static void assert_vote(const struct xr_journal *j, uint32_t group, uint32_t term, uint8_t vote)
{
	struct xr_vote want = a_vote(group, term, vote);
	const struct xr_vote *got = xr_journal_find(j, group);

	assert_non_null(got);
	assert_memory_equal(got, &want, sizeof(want));
}

/* The body that goes with an id: most are short, some fill a third of a block. */
static struct xr_entry an_entry(uint64_t id)
{
	struct xr_entry e = {.id = id, .voters = 0xe, .size = id % 40};

	if (id % 11 == 0)
		e.size = (uint16_t)(XR_VALUE_MAX - id % 9);
	memset(e.value, 'a' + (int)(id % 26), e.size);
	return e;
}

static uint64_t id_of(uint32_t term, uint32_t index)
{
	return (uint64_t)term << 32 | index;
}

static void assert_entry(const struct xr_journal *j, uint32_t group, uint64_t id)
{
	const struct xr_entry *got = xr_journal_entry(j, group);
	const struct xr_entry want = an_entry(id);

	assert_int_equal(got ? got->id : 0, id);
	if (got)
		assert_memory_equal(got, &want, sizeof(want));
}

/* With term and vote, in one record. */
static void must_append_entry(struct xr_journal *j, struct xr_vote v, uint64_t id)
{
	const struct xr_entry e = an_entry(id), *entries = &e;
	struct xr_why why;

	if (xr_journal_append(j, &v, &entries, 1, &why) < 0)
		fail_msg("%s", why.text);
}

/* ---- the model ---- */

static struct model *model_new(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	for (int g = 0; g < GROUPS; g++)
		m->group[g].floor = -1;
	m->seed = seed;
	return m;
}

static void model_free(struct model *m)
{
	for (int g = 0; g < GROUPS; g++)
		free(m->group[g].records);
	free(m);
}

/*
 * A next step that Raft allows: a vote in the same term if there was none, or a higher term; or an entry
 * of the term that there is.
 */
static struct record model_next(struct model *m, uint32_t g)
{
	struct history *h = &m->group[g];
	const struct record *last = h->count ? &h->records[h->count - 1] : NULL;
	struct record r = {a_vote(g, 1, (uint8_t)fake_rand(&m->seed, 6)), last ? last->entry : 0};

	if (last && !fake_rand(&m->seed, 4)) {
		r.vote = last->vote;
		r.entry = id_of(last->vote.term, (uint32_t)last->entry + 1);
	} else if (last && !last->vote.vote && r.vote.vote) {
		r.vote.term = last->vote.term;
	} else if (last) {
		r.vote.term = last->vote.term + 1 + (uint32_t)fake_rand(&m->seed, 3);
	}
	if (h->count == h->room) {
		h->room = h->room ? 2 * h->room : 4;
		h->records = reallocarray(h->records, (size_t)h->room, sizeof(r));
	}
	h->records[h->count++] = r;
	return r;
}

static const struct record *before(const struct model *m, uint32_t g)
{
	const struct history *h = &m->group[g];

	return h->count > 1 ? &h->records[h->count - 2] : NULL;
}

static int model_append(struct model *m, struct xr_journal *j, size_t n, bool spread)
{
	static struct xr_vote batch[2 * GROUPS];
	static struct xr_entry bodies[2 * GROUPS];
	static const struct xr_entry *entries[2 * GROUPS];
	struct xr_why why;
	int ret;

	for (size_t i = 0; i < n; i++) {
		uint32_t g = spread ? (uint32_t)(i % GROUPS) : (uint32_t)fake_rand(&m->seed, 5);
		struct record r = model_next(m, g);
		const struct record *was = before(m, g);

		batch[i] = r.vote;
		bodies[i] = an_entry(r.entry);
		entries[i] = r.entry != (was ? was->entry : 0) ? &bodies[i] : NULL;
	}
	ret = xr_journal_append(j, batch, entries, n, &why);
	for (size_t i = 0; !ret && i < n; i++)
		m->group[batch[i].group].floor = m->group[batch[i].group].count - 1;
	return ret;
}

static int model_promise(struct model *m, struct xr_journal *j)
{
	uint64_t ns = 1 + fake_rand(&m->seed, 1000);
	struct xr_why why;
	int ret;

	if (ns > m->promise_max_ns)
		m->promise_max_ns = ns;
	ret = xr_journal_promise(j, ns, &why);
	if (!ret && ns > m->promise_floor_ns)
		m->promise_floor_ns = ns;
	return ret;
}

/* What is found was asked for, and is not older than what was confirmed. */
static int model_check_group(const struct model *m, const struct xr_journal *j, uint32_t g)
{
	const struct history *h = &m->group[g];
	const struct xr_vote *v = xr_journal_find(j, g);
	const struct xr_entry *e = xr_journal_entry(j, g);
	uint64_t id = e ? e->id : 0;
	int i = h->count - 1;

	while (v && i >= 0 &&
	       (memcmp(v, &h->records[i].vote, sizeof(*v)) || id != h->records[i].entry))
		i--;
	if (v && i < 0)
		fail_msg("group %u: invented term %u vote %u entry %" PRIx64, g, v->term, v->vote,
			 id);
	assert_entry(j, g, id);
	if (!v)
		i = -1;
	if (i < h->floor)
		fail_msg("group %u: forgot term %u vote %u, found term %u vote %u", g,
			 h->records[h->floor].vote.term, h->records[h->floor].vote.vote,
			 v ? v->term : 0, v ? v->vote : 0);
	return i;
}

/* All of it. After an open, what was found counts from now on, and nothing else does. */
static void model_check(struct model *m, const struct xr_journal *j, bool opened)
{
	uint64_t ns = xr_journal_promise_ns(j);

	assert_true(ns >= m->promise_floor_ns && ns <= m->promise_max_ns);
	if (opened)
		m->promise_floor_ns = m->promise_max_ns = ns;
	for (uint32_t g = 0; g < GROUPS; g++) {
		int found = model_check_group(m, j, g);

		if (opened) {
			m->group[g].floor = found;
			m->group[g].count = found + 1;
		}
	}
}

static int step(struct model *m, struct xr_journal *j)
{
	struct xr_why why;
	int ret;

	switch (fake_rand(&m->seed, 10)) {
	case 0:
		return model_append(m, j, GROUPS, true);
	case 1:
		return model_append(m, j, 150, false);
	case 2:
		return model_promise(m, j);
	case 3:
		return xr_journal_probe(j, &why);
	case 4:
		ret = xr_journal_tidy(j, &why);
		return ret == -ENOSPC ? 0 : ret;
	case 5:
		return model_append(m, j, 20, false);
	default:
		return model_append(m, j, 1, false);
	}
}

/* Make a journal and work on it until something fails; NULL if it was the making. */
static struct xr_journal *run_script(struct model *m, struct fake_disk *f, int steps,
				     uint32_t blocks, int *ret)
{
	struct xr_journal *j = NULL;

	*ret = open_on(&j, f, true, blocks);
	if (*ret < 0)
		return NULL;
	m->created = true;
	for (int i = 0; !*ret && i < steps; i++)
		*ret = step(m, j);
	return j;
}

/* After a crash of the making there may be nothing; then, and only then, it may be made again. */
static struct xr_journal *reopen(struct model *m, struct fake_disk *f, uint32_t blocks)
{
	struct xr_journal *j;

	if (!m->created && open_on(&j, f, false, blocks) == -ENOENT) {
		fake_disk_restart(f);
		return must_open(f, true, blocks);
	}
	if (!m->created)
		xr_journal_close(j);
	return must_open(f, false, blocks);
}

/* Each way to lose a process: the power goes, in three kinds of luck, or only the process dies. */
static void lose(struct fake_disk *f, uint64_t seed)
{
	f->luck = (enum fake_luck)(seed % 3);
	if (seed % 4 == 3)
		fake_disk_restart(f);
	else
		fake_disk_power_cut(f);
}

/* Open, and perhaps append, crashing on the way. */
static void crash_again(struct model *m, struct fake_disk *f, uint32_t blocks, uint64_t *seed)
{
	struct xr_journal *j;
	struct xr_why why;

	f->crash_at = f->count[FAKE_ANY] + 1 + fake_rand(seed, 60);
	if (open_on(&j, f, false, blocks) < 0)
		return;
	model_check(m, j, true);
	f->crash_at = f->count[FAKE_ANY] + 1 + fake_rand(seed, 6);
	while (!model_append(m, j, fake_rand(seed, 3) ? 1 : GROUPS, false))
		;
	assert_int_equal(xr_journal_probe(j, &why), -EIO);
	xr_journal_close(j);
}

/* Crash again in the recovery, go on, lose everything unsynced, and compare each time. */
static void aftermath(struct model *m, struct fake_disk *f, uint32_t blocks, uint64_t seed)
{
	struct xr_journal *j;

	lose(f, seed);
	crash_again(m, f, blocks, &seed);
	lose(f, fake_rand(&seed, 12));
	j = reopen(m, f, blocks);
	model_check(m, j, true);
	m->created = true;
	if (fake_rand(&seed, 2))
		assert_int_equal(model_append(m, j, 1, false), 0);
	if (!fake_rand(&seed, 4))
		assert_int_equal(model_append(m, j, GROUPS, true), 0);
	xr_journal_close(j);
	f->luck = FAKE_NONE_SURVIVE; /* what was found once stays, even if nothing was added */
	fake_disk_power_cut(f);
	j = must_open(f, false, blocks);
	model_check(m, j, true);
	xr_journal_close(j);
}

static unsigned long crash_once(uint64_t seed, int steps, uint32_t blocks, unsigned long at)
{
	struct fake_disk *f = fake_disk_new(seed * 7919 + at);
	struct model *m = model_new(seed);
	unsigned long ops;
	int ret;
	struct xr_journal *j;

	f->crash_at = at;
	j = run_script(m, f, steps, blocks, &ret);
	ops = f->count[FAKE_ANY];
	if (at)
		assert_true(f->down);
	else
		assert_int_equal(ret, 0);
	xr_journal_close(j);
	aftermath(m, f, blocks, seed + at);
	model_free(m);
	fake_disk_free(f);
	return ops;
}

static void crash_at_every_operation(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		uint32_t blocks = 4 + 4 * (uint32_t)(seed % 4);
		unsigned long ops = crash_once(seed, 12, blocks, 0);

		for (unsigned long at = 1; at <= ops; at++)
			crash_once(seed, 12, blocks, at);
	}
}

/* ---- failures that do not kill the process ---- */

static void assert_dead(struct xr_journal *j, struct fake_disk *f)
{
	struct xr_vote v = a_vote(1, 4000000, 1);
	unsigned long ops = f->count[FAKE_ANY];
	struct xr_why first, why;

	assert_int_equal(xr_journal_append(j, &v, NULL, 1, &first), -EIO);
	assert_non_null(strstr(first.text, "votes no more"));
	assert_int_equal(xr_journal_append(j, &v, NULL, 0, &why), -EIO);
	assert_int_equal(xr_journal_promise(j, UINT64_MAX, &why), -EIO);
	assert_int_equal(xr_journal_promise(j, 0, &why), -EIO);
	assert_int_equal(xr_journal_tidy(j, &why), -EIO);
	assert_int_equal(xr_journal_probe(j, &why), -EIO);
	assert_string_equal(first.text, why.text);
	assert_int_equal(f->count[FAKE_ANY], ops); /* it does not even try */
}

static void fail_once(uint64_t seed, enum fake_op op, int err, unsigned long at)
{
	struct fake_disk *f = fake_disk_new(seed + at);
	struct model *m = model_new(seed);
	struct xr_journal *j;
	int ret;

	f->fail_op = op;
	f->fail_at = at;
	f->fail_err = err;
	j = run_script(m, f, 12, 6, &ret);
	if (j && ret)
		assert_dead(j, f);
	if (j)
		model_check(m, j, false);
	xr_journal_close(j);
	aftermath(m, f, 6, seed % 2 ? 3 : at);
	model_free(m);
	fake_disk_free(f);
}

static void fail_at_every_operation(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 106; seed++) {
		unsigned long ops = crash_once(seed, 12, 6, 0);

		for (unsigned long at = 1; at <= ops; at++) {
			fail_once(seed, FAKE_ANY, EIO, at);
			fail_once(seed, FAKE_WRITE, ENOSPC, at);
		}
	}
}

static void a_failed_fsync_is_never_forgiven(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 0);
	struct xr_vote v = a_vote(2, 9, 1);
	struct xr_why why;

	(void)state;
	must_append(j, 1, 1, 1);
	f->fail_op = FAKE_SYNC;
	f->fail_at = f->count[FAKE_SYNC] + 1;
	f->fail_err = EIO;
	assert_int_equal(xr_journal_append(j, &v, NULL, 1, &why), -EIO);
	assert_non_null(strstr(why.text, "state/journal"));
	assert_non_null(strstr(why.text, "Input/output error"));
	assert_dead(j, f);
	assert_null(xr_journal_find(j, 2));
	assert_vote(j, 1, 1, 1);
	xr_journal_close(j);
	fake_disk_free(f);
}

/* RLIMIT_FSIZE is no fault of the disk. */
static void a_file_limit_has_its_own_remedy(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 0);
	struct xr_vote v = a_vote(2, 9, 1);
	struct xr_why why;

	(void)state;
	f->fail_op = FAKE_WRITE;
	f->fail_at = f->count[FAKE_WRITE] + 1;
	f->fail_err = EFBIG;
	assert_int_equal(xr_journal_append(j, &v, NULL, 1, &why), -EIO);
	assert_non_null(strstr(why.text, "File too large; raise LimitFSIZE="));
	assert_dead(j, f);
	xr_journal_close(j);
	fake_disk_free(f);
}

/*
 * A failed fsync leaves pages that the kernel calls clean and the medium may not hold. The next
 * process reads them, votes by them, and has to find them after a power cut.
 */
static void what_is_read_from_a_cache_that_stays_is_durable(void **state)
{
	unsigned int lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct fake_disk *f = fake_disk_new(seed);
		struct xr_journal *j = must_open(f, true, 0);
		struct xr_vote v = a_vote(2, 9, 1);
		struct xr_why why;
		bool read;

		must_append(j, 1, 1, 1);
		f->fail_op = FAKE_SYNC;
		f->fail_at = f->count[FAKE_SYNC] + 1;
		f->fail_err = EIO;
		assert_int_equal(xr_journal_append(j, &v, NULL, 1, &why), -EIO);
		xr_journal_close(j);
		fake_disk_restart(f);
		f->mapped = seed % 2;
		j = must_open(f, false, 0);
		read = xr_journal_find(j, 2);
		lost += !read;
		assert_true(read || !f->mapped);
		xr_journal_close(j);
		f->luck = FAKE_NONE_SURVIVE;
		fake_disk_power_cut(f);
		f->mapped = false;
		j = must_open(f, false, 0);
		assert_vote(j, 1, 1, 1);
		if (read)
			assert_vote(j, 2, 9, 1);
		xr_journal_close(j);
		fake_disk_free(f);
	}
	assert_int_not_equal(lost, 0); /* or the medium held them all, and nothing was tried */
}

static void a_full_disk_spares_the_old_journal(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 16);
	struct xr_why why;

	(void)state;
	for (uint32_t term = 1; term <= 6; term++)
		must_append(j, 1, term, 1);
	f->fail_op = FAKE_WRITE;
	f->fail_at = f->count[FAKE_WRITE] + 2;
	f->fail_err = ENOSPC;
	assert_int_equal(xr_journal_tidy(j, &why), -ENOSPC);
	assert_int_equal(xr_journal_tidy(j, &why), 0); /* not tried again */
	assert_int_equal(fake_disk_size(f, "journal.new"), 0);
	must_append(j, 1, 7, 1); /* there is room yet */
	must_append(j, 1, 8, 1);
	f->fail_at = f->count[FAKE_WRITE] + 2;
	{
		struct xr_vote v = a_vote(1, 9, 1);

		assert_int_equal(xr_journal_append(j, &v, NULL, 1, &why), -EIO);
	}
	assert_non_null(strstr(why.text, "No space left"));
	assert_dead(j, f);
	xr_journal_close(j);
	f->luck = FAKE_NONE_SURVIVE;
	fake_disk_power_cut(f);
	j = must_open(f, false, 16);
	assert_vote(j, 1, 8, 1);
	xr_journal_close(j);
	fake_disk_free(f);
}

static void short_and_interrupted_io(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct fake_disk *f = fake_disk_new(seed);
		struct model *m = model_new(seed);
		struct xr_journal *j;
		int ret;

		f->short_io = true;
		j = run_script(m, f, 20, 8, &ret);
		assert_int_equal(ret, 0);
		xr_journal_close(j);
		fake_disk_power_cut(f);
		j = must_open(f, false, 8);
		model_check(m, j, true);
		xr_journal_close(j);
		model_free(m);
		fake_disk_free(f);
	}
}

/* ---- damage ---- */

/* A snapshot of two pairs (2, 3), three single votes (4, 5, 6); group 0 voted for 3 in term 3. */
#define LAST_PAIR 6

static struct fake_disk *small_journal(bool probed)
{
	struct fake_disk *f = fake_disk_new(5);
	struct xr_journal *j = must_open(f, true, 2);
	struct xr_vote v[200];
	struct xr_why why;

	for (uint32_t g = 0; g < 200; g++)
		v[g] = a_vote(g, 1, 0);
	assert_int_equal(xr_journal_append(j, v, NULL, 200, &why),
			 0); /* compacts: it has one pair */
	xr_journal_close(j);
	j = must_open(f, false, 8);
	for (uint32_t g = 0; g < 200; g++)
		v[g].term = 2;
	assert_int_equal(xr_journal_append(j, v, NULL, 200, &why), 0); /* two pairs of room */
	v[0].term = 3;
	assert_int_equal(xr_journal_append(j, v, NULL, 1, &why),
			 0); /* compacts, room is now four */
	must_append(j, 0, 3, 3);
	must_append(j, 1, 3, 1);
	must_append(j, 0, 4, 4);
	if (probed)
		assert_int_equal(xr_journal_probe(j, &why), 0);
	xr_journal_close(j);
	assert_int_equal(fake_disk_size(f, FILE_NAME), 8 * PAIR);
	return f;
}

static void check_small_journal(struct fake_disk *f)
{
	struct xr_journal *j = must_open(f, false, 8);

	assert_vote(j, 0, 4, 4);
	assert_vote(j, 1, 3, 1);
	assert_vote(j, 199, 2, 0);
	xr_journal_close(j);
}

static void assert_refused(struct fake_disk *f, int err, const char *text)
{
	size_t bytes = fake_disk_size(f, FILE_NAME);
	unsigned char *before = malloc(bytes + 1), *after = malloc(bytes + 1);
	struct xr_journal_opts o = options(f, false, 8);
	struct xr_journal *j = NULL;
	struct xr_why why = {};

	fake_disk_peek(f, FILE_NAME, before, bytes, 0);
	assert_int_equal(xr_journal_open(&j, &o, &why), err);
	assert_null(j);
	if (!strstr(why.text, text))
		fail_msg("no \"%s\" in: %s", text, why.text);
	/* What was refused is left as it was found. */
	fake_disk_peek(f, FILE_NAME, after, bytes, 0);
	assert_memory_equal(before, after, bytes);
	free(before);
	free(after);
}

/* One flipped bit is never a torn tail: the other copy has it, and the bad one is mended. */
static void a_flipped_bit_in_the_last_record(void **state)
{
	struct fake_disk *f = small_journal(false);

	(void)state;
	for (size_t byte = 0; byte < 2 * XR_BLOCK_SIZE; byte++) {
		size_t at = LAST_PAIR * PAIR + byte, twin = at ^ XR_BLOCK_SIZE;

		/* All of header and record, a sample of the rest. */
		if (byte % XR_BLOCK_SIZE > 64 && byte % 61)
			continue;
		fake_disk_flip(f, FILE_NAME, at, byte % 8);
		check_small_journal(f);
		fake_disk_flip(f, FILE_NAME, twin, byte % 8);
		check_small_journal(f);
	}
	fake_disk_free(f);
}

static void every_single_copy_can_go(void **state)
{
	static const unsigned char nothing[XR_BLOCK_SIZE];
	struct fake_disk *f = small_journal(true);

	(void)state;
	for (size_t pair = 0; pair <= LAST_PAIR; pair++)
		for (size_t copy = 0; copy < 2; copy++) {
			size_t at = pair * PAIR + copy * XR_BLOCK_SIZE;

			fake_disk_poke(f, FILE_NAME, nothing, sizeof(nothing), at);
			check_small_journal(f);
			fake_disk_spoil(f, FILE_NAME, XR_BLOCK_SIZE, at);
			check_small_journal(f);
		}
	fake_disk_free(f);
}

static void both_copies_damaged_is_refused(void **state)
{
	(void)state;
	for (size_t pair = 0; pair < LAST_PAIR; pair++) {
		struct fake_disk *f = small_journal(false);
		char where[32];

		if (pair == 1) { /* probes: nothing is decided there */
			fake_disk_free(f);
			continue;
		}
		snprintf(where, sizeof(where), "offset %zu:", pair * PAIR);
		fake_disk_flip(f, FILE_NAME, pair * PAIR + 40, 3);
		fake_disk_flip(f, FILE_NAME, pair * PAIR + XR_BLOCK_SIZE + 4000, 5);
		assert_refused(f, -EBADMSG, where);
		assert_refused(f, -EBADMSG, "do not restore");
		fake_disk_free(f);
	}
}

static void an_unreadable_pair_is_refused(void **state)
{
	(void)state;
	for (size_t pair = 0; pair < 8; pair++) {
		struct fake_disk *f = small_journal(false);

		fake_disk_spoil(f, FILE_NAME, PAIR, pair * PAIR);
		if (pair == 1)
			check_small_journal(f);
		else
			assert_refused(f, -EIO, "cannot read");
		fake_disk_free(f);
	}
}

/* Only what was never followed by anything can pass for torn; a probe is enough to tell. */
static void the_end_and_the_probe(void **state)
{
	(void)state;
	for (int probed = 0; probed < 2; probed++) {
		struct fake_disk *f = small_journal(probed);
		struct xr_journal *j;

		fake_disk_flip(f, FILE_NAME, LAST_PAIR * PAIR + 40, 3);
		fake_disk_flip(f, FILE_NAME, LAST_PAIR * PAIR + XR_BLOCK_SIZE + 40, 3);
		if (probed) {
			assert_refused(f, -EBADMSG, "durable once");
		} else {
			j = must_open(f, false, 8);
			assert_vote(j, 0, 3, 3);
			xr_journal_close(j);
		}
		fake_disk_free(f);
	}
}

static void a_torn_probe_is_nothing(void **state)
{
	struct fake_disk *f = small_journal(true);
	struct xr_journal *j = must_open(f, false, 8);
	struct xr_why why;

	(void)state;
	f->luck = FAKE_NONE_SURVIVE;
	f->crash_at = f->count[FAKE_ANY] + 2;
	assert_int_equal(xr_journal_probe(j, &why), -EIO);
	xr_journal_close(j);
	f->luck = FAKE_MIXED;
	fake_disk_power_cut(f);
	check_small_journal(f);
	fake_disk_free(f);
}

static void a_write_that_the_disk_lost(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 8);

	(void)state;
	f->lose_write_at = f->count[FAKE_WRITE] + 1;
	must_append(j, 5, 3, 1);
	must_append(j, 6, 3, 1); /* this one tells */
	xr_journal_close(j);
	fake_disk_power_cut(f);
	assert_refused(f, -EBADMSG, "a later one stands at offset");
	fake_disk_free(f);
}

static void a_file_cut_short_is_refused(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < 8 * PAIR; bytes += XR_BLOCK_SIZE / 2) {
		struct fake_disk *f = small_journal(true);

		fake_disk_cut(f, FILE_NAME, bytes);
		assert_refused(f, -EBADMSG, "state/journal");
		fake_disk_free(f);
	}
}

/* A whole block in the wrong place: the disk wrote it where it should not. */
static void a_misplaced_block_is_refused(void **state)
{
	struct fake_disk *f = small_journal(false);
	unsigned char block[XR_BLOCK_SIZE];

	(void)state;
	fake_disk_peek(f, FILE_NAME, block, sizeof(block), LAST_PAIR * PAIR);
	fake_disk_poke(f, FILE_NAME, block, sizeof(block), 7 * PAIR);
	check_small_journal(f); /* an old one behind the end: wiped */
	fake_disk_poke(f, FILE_NAME, block, sizeof(block), 7 * PAIR);
	fake_disk_flip(f, FILE_NAME, LAST_PAIR * PAIR + 50, 1);
	fake_disk_flip(f, FILE_NAME, LAST_PAIR * PAIR + XR_BLOCK_SIZE + 50, 1);
	assert_refused(f, -EBADMSG, "offset 49152:");
	fake_disk_free(f);

	f = small_journal(false);
	for (size_t copy = 0; copy < 2; copy++) { /* pair 4 over pair 5 */
		fake_disk_peek(f, FILE_NAME, block, sizeof(block), 4 * PAIR);
		fake_disk_poke(f, FILE_NAME, block, sizeof(block), 5 * PAIR + copy * sizeof(block));
	}
	assert_refused(f, -EBADMSG, "offset 40960:");
	fake_disk_free(f);
}

/*
 * A batch of three pairs of which a crash took one. What stands before the gap stays, what stands
 * after it goes, and is gone for good when open returns: it would fit behind the next record.
 */
static void a_torn_batch_ends_at_its_gap(void **state)
{
	static const unsigned char nothing[PAIR];
	struct xr_vote v[GROUPS];
	struct xr_why why;

	(void)state;
	for (uint32_t g = 0; g < GROUPS; g++)
		v[g] = a_vote(g, 2, 1);
	for (size_t gap = 2; gap <= 4; gap++) {
		struct fake_disk *f = fake_disk_new(gap);
		struct xr_journal *j = must_open(f, true, 64);
		unsigned char tail[PAIR];

		assert_int_equal(xr_journal_append(j, v, NULL, GROUPS, &why), 0);
		xr_journal_close(j);
		fake_disk_poke(f, FILE_NAME, nothing, PAIR, gap * PAIR);
		j = must_open(f, false, 64);
		for (uint32_t g = 0; g < GROUPS; g++)
			assert_int_equal(!!xr_journal_find(j, g), g / XR_BLOCK_VOTES + 2 < gap);
		xr_journal_close(j);
		f->luck = FAKE_NONE_SURVIVE;
		fake_disk_power_cut(f);
		for (size_t pair = gap; pair <= 4; pair++) {
			assert_true(fake_disk_peek(f, FILE_NAME, tail, PAIR, pair * PAIR));
			assert_memory_equal(tail, nothing, PAIR);
		}
		fake_disk_free(f);
	}
}

/* A whole pair of another node's journal is no record of ours. */
static void a_foreign_block_is_not_ours(void **state)
{
	struct fake_disk *f = small_journal(false);
	struct xr_journal *j;
	struct xr_block b;

	(void)state;
	fake_disk_peek(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	b.top.identity = xr_block_identity("blue", 4);
	b.votes[0].term = 9;
	xr_block_seal(&b);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR + XR_BLOCK_SIZE);
	j = must_open(f, false, 8);
	assert_vote(j, 0, 3, 3);
	xr_journal_close(j);
	fake_disk_free(f);
}

/* The snapshot is whole or damaged, also when nothing was written after it. */
static void the_snapshot_is_never_cut(void **state)
{
	struct fake_disk *f = fake_disk_new(5);
	struct xr_journal *j = must_open(f, true, 2);
	struct xr_vote v[200];
	struct xr_why why;

	(void)state;
	for (uint32_t g = 0; g < 200; g++)
		v[g] = a_vote(g, 1, 0);
	assert_int_equal(xr_journal_append(j, v, NULL, 200, &why),
			 0); /* room for one pair: compacts */
	xr_journal_close(j);
	fake_disk_flip(f, FILE_NAME, 3 * PAIR + 40, 3);
	fake_disk_flip(f, FILE_NAME, 3 * PAIR + XR_BLOCK_SIZE + 40, 3);
	assert_refused(f, -EBADMSG, "a part of the snapshot");
	fake_disk_free(f);
}

/* Whole by every check, but not what a journal can hold. */
static void contradictions_are_refused(void **state)
{
	struct xr_block b;
	struct fake_disk *f = small_journal(false);

	(void)state;
	fake_disk_peek(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	b.votes[0].term = 1;
	xr_block_seal(&b);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	assert_refused(f, -EBADMSG, "the two copies of a record contradict");
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR + XR_BLOCK_SIZE);
	assert_refused(f, -EBADMSG, "records contradict each other");
	b.votes[0].group = UINT32_MAX;
	b.votes[0].term = 9;
	xr_block_seal(&b);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR + XR_BLOCK_SIZE);
	assert_refused(f, -EBADMSG, "records contradict each other");
	b.top.kind = '?';
	xr_block_seal(&b);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR);
	fake_disk_poke(f, FILE_NAME, &b, sizeof(b), LAST_PAIR * PAIR + XR_BLOCK_SIZE);
	assert_refused(f, -EBADMSG, "unknown kind");
	fake_disk_free(f);
}

static void another_format_version_is_refused(void **state)
{
	struct fake_disk *f = small_journal(false);
	struct xr_block b;

	(void)state;
	fake_disk_peek(f, FILE_NAME, &b, sizeof(b), 0);
	b.top.version = 9;
	for (int sealed = 0; sealed < 2; sealed++) { /* a later format may sum differently */
		if (sealed)
			xr_block_seal(&b);
		fake_disk_poke(f, FILE_NAME, &b, sizeof(b), 0);
		fake_disk_poke(f, FILE_NAME, &b, sizeof(b), XR_BLOCK_SIZE);
		assert_refused(f, -EPROTONOSUPPORT, "format version 9");
	}
	fake_disk_free(f);
}

static void spoil(struct fake_disk *f, uint64_t *seed)
{
	size_t bytes = fake_disk_size(f, FILE_NAME);
	unsigned char block[XR_BLOCK_SIZE] = {};
	size_t blocks = bytes / XR_BLOCK_SIZE;
	size_t to = fake_rand(seed, blocks) * XR_BLOCK_SIZE;

	switch (fake_rand(seed, 5)) {
	case 0:
		fake_disk_poke(f, FILE_NAME, block, sizeof(block), to);
		break;
	case 1:
		fake_disk_peek(f, FILE_NAME, block, sizeof(block),
			       fake_rand(seed, blocks) * XR_BLOCK_SIZE);
		fake_disk_poke(f, FILE_NAME, block, sizeof(block), to);
		break;
	case 2:
		for (size_t i = 0; i < 512; i++)
			block[i] = (unsigned char)fake_rand(seed, 256);
		fake_disk_poke(f, FILE_NAME, block, 512, to + 512 * fake_rand(seed, 8));
		break;
	default:
		fake_disk_flip(f, FILE_NAME, to + fake_rand(seed, 200), fake_rand(seed, 8));
	}
}

static void fuzz_once(uint64_t seed)
{
	struct fake_disk *f = fake_disk_new(seed);
	struct model *m = model_new(seed);
	struct xr_journal *j;
	int ret;

	j = run_script(m, f, 15, 12, &ret);
	assert_int_equal(ret, 0);
	xr_journal_close(j);
	for (uint64_t n = 1 + fake_rand(&seed, 12); n; n--)
		spoil(f, &seed);
	if (!open_on(&j, f, false, 12)) {
		/* Damage beyond what rule 7 can see may cost the last batch, no more than that. */
		for (int g = 0; g < GROUPS; g++)
			m->group[g].floor = -1;
		m->promise_floor_ns = 0;
		model_check(m, j, true);
		assert_int_equal(model_append(m, j, 1, false), 0);
		xr_journal_close(j);
	}
	model_free(m);
	fake_disk_free(f);
}

static void fuzz(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++)
		fuzz_once(seed * 1000003);
}

/* ---- identity, lock, use ---- */

static void the_wrong_owner_is_refused(void **state)
{
	struct fake_disk *f = small_journal(false);
	struct xr_journal_opts o = options(f, false, 0);
	struct xr_journal *j = NULL;
	struct xr_why why;

	(void)state;
	o.node = 4;
	assert_int_equal(xr_journal_open(&j, &o, &why), -EMEDIUMTYPE);
	assert_non_null(strstr(why.text, "belongs to node 3 of cluster blue, not to node 4"));
	o.node = 3;
	o.cluster = "green";
	assert_int_equal(xr_journal_open(&j, &o, &why), -EMEDIUMTYPE);
	assert_non_null(strstr(why.text, "cluster green"));
	o.cluster = "0123456789abcdef";
	assert_int_equal(xr_journal_open(&j, &o, &why), -EINVAL);
	o.cluster = "blue";
	o.node = 0;
	assert_int_equal(xr_journal_open(&j, &o, &why), -EINVAL);
	assert_null(j);
	check_small_journal(f);
	fake_disk_free(f);
}

static void new_means_new(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal_opts o = options(f, false, 4);
	struct xr_journal *j = NULL;
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_journal_open(&j, &o, &why), -ENOENT); /* no folder */
	assert_non_null(strstr(why.text, "--new only if node 3 never took part"));
	j = must_open(f, true, 4);
	must_append(j, 1, 5, 2);
	xr_journal_close(j);
	o.create = true;
	assert_int_equal(xr_journal_open(&j, &o, &why), -EEXIST);
	assert_non_null(strstr(why.text, "start without --new"));
	j = must_open(f, false, 4);
	assert_vote(j, 1, 5, 2); /* never wiped */
	xr_journal_close(j);
	fake_disk_free(f);

	f = fake_disk_new(1);
	o = options(f, false, 4);
	fake_disk_restart(f);
	assert_true(f->ops.open_dir(f, "state", true) >= 0);
	assert_int_equal(xr_journal_open(&j, &o, &why), -ENOENT); /* a folder without a journal */
	fake_disk_free(f);
}

/* Rule 27: of this state, for as long as it is there; and drawn only where there is none. */
static void the_birth_stays(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal_opts o = options(f, false, 1);
	struct xr_journal *j = NULL;
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_journal_open(&j, &o, &why), -ENOENT);
	assert_non_null(strstr(why.text, "or with --join, and xraft member add makes it a member"));
	o.create = true;
	o.birth = 0xb1b2b3b4;
	assert_int_equal(xr_journal_open(&j, &o, &why), 0);
	for (uint32_t term = 1; term <= 40; term++) {
		assert_int_equal(xr_journal_birth(j), 0xb1b2b3b4);
		must_append(j, term % 7, term, 1);
		if (term % 10)
			continue;
		xr_journal_close(j);
		j = must_open(f, false, 1);
	}
	assert_true(f->count[FAKE_RENAME] > 5); /* it was compacted */
	assert_int_equal(xr_journal_birth(j), 0xb1b2b3b4);
	xr_journal_close(j);
	o.birth++;
	assert_int_equal(xr_journal_open(&j, &o, &why), -EEXIST);
	assert_non_null(strstr(why.text, "start without --join (nothing was changed)"));
	j = must_open(f, false, 1);
	assert_int_equal(xr_journal_birth(j), 0xb1b2b3b4);
	assert_vote(j, 40 % 7, 40, 1);
	xr_journal_close(j);
	fake_disk_free(f);
	f = fake_disk_new(1);
	j = must_open(f, true, 1);
	assert_int_equal(xr_journal_birth(j), 0);
	xr_journal_close(j);
	j = must_open(f, false, 1);
	assert_int_equal(xr_journal_birth(j), 0);
	xr_journal_close(j);
	fake_disk_free(f);
}

static void the_lock_is_held(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 4), *other = NULL;
	struct xr_journal_opts o = options(f, false, 4);
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_journal_open(&other, &o, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another xraftd runs on state"));
	assert_null(other);
	must_append(j, 1, 1, 1); /* the first one is not disturbed */
	xr_journal_close(j);
	xr_journal_close(must_open(f, false, 4));
	fake_disk_free(f);
}

static void refuse(struct xr_journal *j, struct fake_disk *f, struct xr_vote *v, size_t n)
{
	unsigned long ops = f->count[FAKE_ANY];
	struct xr_why why = {};

	assert_int_equal(xr_journal_append(j, v, NULL, n, &why), -EINVAL);
	assert_true(why.text[0]);
	assert_int_equal(f->count[FAKE_ANY], ops);
	assert_vote(j, 1, 5, 2);
	assert_null(xr_journal_find(j, 2));
}

static void one_vote_a_term(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 64);
	struct xr_vote v[3];

	(void)state;
	must_append(j, 1, 5, 0);
	must_append(j, 1, 5, 2);
	must_append(j, 1, 5, 2); /* the same again */
	v[0] = a_vote(1, 4, 2);
	refuse(j, f, v, 1); /* a lower term */
	v[0] = a_vote(1, 5, 3);
	refuse(j, f, v, 1); /* another vote */
	v[0] = a_vote(1, 5, 0);
	refuse(j, f, v, 1); /* a cleared vote */
	v[0] = a_vote(2, 1, 1);
	v[1] = a_vote(1, 6, 1);
	v[2] = a_vote(1, 6, 2);
	refuse(j, f, v, 3); /* against an earlier one of its own batch; nothing of it stays */
	v[0] = a_vote(XR_JOURNAL_GROUPS_MAX, 1, 1);
	refuse(j, f, v, 1);
	v[0] = a_vote(2, 1, 1);
	memset(v[0].name, 'x', sizeof(v[0].name));
	refuse(j, f, v, 1);
	must_append(j, 1, 6, 0); /* a higher term clears it */
	xr_journal_close(j);
	j = must_open(f, false, 64);
	assert_vote(j, 1, 6, 0);
	xr_journal_close(j);
	fake_disk_free(f);
}

/* ---- entries: rule 24 ---- */

/* Over a restart, over later votes, and over compactions; of each group the last. */
static void entries_stay(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 8);
	struct xr_why why;

	(void)state;
	must_append(j, 1, 3, 2);
	assert_entry(j, 1, 0);
	must_append_entry(j, a_vote(1, 3, 2), id_of(3, 11)); /* a long one */
	must_append_entry(j, a_vote(2, 5, 0), id_of(5, 1));
	must_append(j, 3, 1, 1);
	must_append(j, 1, 4, 0);
	for (int round = 0; round < 4; round++) {
		assert_vote(j, 1, 4, 0);
		assert_entry(j, 1, id_of(3, 11));
		assert_vote(j, 2, 5, 0);
		assert_entry(j, 2, id_of(5, 1));
		assert_entry(j, 3, 0);
		assert_entry(j, 4, 0);
		if (round == 1)
			assert_int_equal(xr_journal_tidy(j, &why), 0);
		for (uint32_t i = 0; round == 2 && i < 40; i++) /* fills the file: compacts */
			must_append(j, 9, i + 1, 1);
		xr_journal_close(j);
		f->luck = FAKE_NONE_SURVIVE;
		fake_disk_power_cut(f);
		j = must_open(f, false, 8);
	}
	must_append_entry(j, a_vote(1, 4, 2), id_of(4, 12)); /* a vote of the same record */
	xr_journal_close(j);
	j = must_open(f, false, 8);
	assert_vote(j, 1, 4, 2);
	assert_entry(j, 1, id_of(4, 12));
	xr_journal_close(j);
	fake_disk_free(f);
}

static void refuse_entry(struct xr_journal *j, struct fake_disk *f, struct xr_vote v,
			 struct xr_entry e)
{
	const struct xr_entry *entries = &e;
	unsigned long ops = f->count[FAKE_ANY];
	struct xr_why why = {};

	assert_int_equal(xr_journal_append(j, &v, &entries, 1, &why), -EINVAL);
	assert_non_null(strstr(why.text, "rule"));
	assert_int_equal(f->count[FAKE_ANY], ops);
	assert_vote(j, 1, 5, 2);
	assert_entry(j, 1, id_of(5, 7));
}

/* To an older one, to the same, to one of a later term than the node's; nor is it larger than it may be. */
static void entries_never_go_back(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 64);
	struct xr_entry large = an_entry(id_of(5, 8));
	const struct xr_entry *entries[3];
	struct xr_entry bodies[3];
	struct xr_vote v[3] = {a_vote(2, 1, 1), a_vote(1, 5, 2), a_vote(1, 5, 2)};
	struct xr_why why;

	(void)state;
	must_append_entry(j, a_vote(1, 5, 2), id_of(5, 7));
	refuse_entry(j, f, a_vote(1, 5, 2), an_entry(id_of(5, 6)));
	refuse_entry(j, f, a_vote(1, 5, 2), an_entry(id_of(5, 7)));
	refuse_entry(j, f, a_vote(1, 6, 1), an_entry(id_of(4, 9)));
	refuse_entry(j, f, a_vote(1, 5, 2), an_entry(id_of(6, 8)));
	refuse_entry(j, f, a_vote(1, 4, 2), an_entry(id_of(4, 8))); /* nor does the vote */
	refuse_entry(j, f, a_vote(1, 6, 2), an_entry(id_of(6, 0))); /* there is no such index */
	refuse_entry(j, f, a_vote(1, 5, 2), an_entry(id_of(5, XR_COMMITTED | 9)));
	large.size = XR_VALUE_MAX + 1;
	refuse_entry(j, f, a_vote(1, 5, 2), large);
	for (uint32_t i = 0; i < 3;
	     i++) { /* against an earlier one of its batch: nothing of it stays */
		bodies[i] = an_entry(id_of(i ? 5 : 1, 10 - i));
		entries[i] = &bodies[i];
	}
	assert_int_equal(xr_journal_append(j, v, entries, 3, &why), -EINVAL);
	assert_entry(j, 1, id_of(5, 7));
	assert_null(xr_journal_find(j, 2));
	assert_entry(j, 2, 0);
	xr_journal_close(j);
	j = must_open(f, false, 64);
	assert_entry(j, 1, id_of(5, 7));
	xr_journal_close(j);
	fake_disk_free(f);
}

/* In any order, as they were handed over, with one fsync; entries that no block holds in several. */
static void entries_and_votes_share_a_batch(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 512);
	unsigned long syncs = f->count[FAKE_SYNC];
	static const struct xr_entry *entries[300];
	static struct xr_entry bodies[300];
	struct xr_vote v[300];
	struct xr_why why;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		v[i] = a_vote(i / 2, 1 + i % 2, i % 3 ? 1 : 0);
		v[i].vote = i % 2 ? 1 : 0;
		bodies[i] = an_entry(id_of(1 + i % 2, i % 7 ? i + 1 : 11 * i + 11));
		entries[i] = i % 5 == 0 || i % 11 == 3 || i > 250 ? &bodies[i] : NULL;
	}
	assert_int_equal(xr_journal_append(j, v, entries, 300, &why), 0);
	assert_int_equal(f->count[FAKE_SYNC], syncs + 1);
	for (int opened = 0; opened < 3; opened++) {
		for (uint32_t g = 0; g < 150; g++) {
			uint32_t i = 2 * g + 1;

			assert_vote(j, g, 2, 1);
			assert_entry(j, g,
				     entries[i]	      ? bodies[i].id
				     : entries[i - 1] ? bodies[i - 1].id
						      : 0);
		}
		if (opened == 1)
			assert_int_equal(xr_journal_tidy(j, &why), 0);
		xr_journal_close(j);
		j = must_open(f, false, 512);
	}
	xr_journal_close(j);
	fake_disk_free(f);
}

/* Of the last batch both copies of a block are gone: all of it is, votes and entries. */
static void a_torn_entry_is_nothing(void **state)
{
	(void)state;
	for (int copies = 1; copies <= 2; copies++) {
		struct fake_disk *f = fake_disk_new(1);
		struct xr_journal *j = must_open(f, true, 16);
		size_t at;

		must_append_entry(j, a_vote(1, 3, 2), id_of(3, 1));
		must_append_entry(j, a_vote(1, 4, 1), id_of(4, 2));
		at = 3 * PAIR + 32 + 32 + 20; /* in the second's body */
		xr_journal_close(j);
		for (int copy = 0; copy < copies; copy++)
			fake_disk_flip(f, FILE_NAME, at + (size_t)copy * XR_BLOCK_SIZE, 3);
		j = must_open(f, false, 16);
		assert_vote(j, 1, copies == 1 ? 4 : 3, copies == 1 ? 1 : 2);
		assert_entry(j, 1, copies == 1 ? id_of(4, 2) : id_of(3, 1));
		xr_journal_close(j);
		fake_disk_free(f);
	}
}

/* A block that is sealed, and says of an entry that it ends behind it. */
static void an_entry_beyond_its_block_is_refused(void **state)
{
	struct xr_entry large = an_entry(id_of(1, 1));
	const struct xr_entry *entries[3] = {&large, &large, &large};
	const struct xr_vote v[3] = {a_vote(1, 1, 1), a_vote(2, 1, 1), a_vote(3, 1, 1)};
	unsigned char *fourth;
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 16);
	struct xr_block b;

	(void)state;
	large.size = XR_VALUE_MAX;
	assert_int_equal(xr_journal_append(j, v, entries, 3, NULL), 0);
	xr_journal_close(j);
	for (int copy = 0; copy < 2; copy++) {
		size_t at = 2 * PAIR + (size_t)copy * XR_BLOCK_SIZE;

		assert_true(fake_disk_peek(f, FILE_NAME, &b, sizeof(b), at));
		assert_int_equal(b.top.kind, XR_BLOCK_ENTRY);
		assert_int_equal(b.top.count, 3);
		b.top.count = 4;
		fourth = b.entries + 3 * sizeof(struct xr_block_entry);
		memcpy(fourth, &v[2], sizeof(v[2]));
		large.id = id_of(1, 2);
		memcpy(fourth + sizeof(v[2]), &large, XR_ENTRY_BASE);
		xr_block_seal(&b);
		fake_disk_poke(f, FILE_NAME, &b, sizeof(b), at);
	}
	assert_refused(f, -EBADMSG, "records contradict each other");
	fake_disk_free(f);
}

static void one_fsync_a_batch(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 64);
	unsigned long syncs = f->count[FAKE_SYNC], ops;
	struct xr_vote v[1000];
	struct xr_why why;

	(void)state;
	for (uint32_t g = 0; g < 1000; g++)
		v[g] = a_vote(g, 1, 1);
	assert_int_equal(xr_journal_append(j, v, NULL, 1000, &why), 0);
	assert_int_equal(f->count[FAKE_SYNC], syncs + 1);
	assert_int_equal(xr_journal_probe(j, &why), 0);
	assert_int_equal(f->count[FAKE_SYNC], syncs + 2);
	assert_int_equal(xr_journal_promise(j, 100, &why), 0);
	assert_int_equal(f->count[FAKE_SYNC], syncs + 3);
	ops = f->count[FAKE_ANY];
	assert_int_equal(xr_journal_promise(j, 99, &why), 0);
	assert_int_equal(xr_journal_promise(j, 100, &why), 0);
	assert_int_equal(xr_journal_append(j, v, NULL, 0, &why), 0);
	assert_int_equal(f->count[FAKE_ANY], ops);
	assert_int_equal(xr_journal_promise_ns(j), 100);
	xr_journal_close(j);
	fake_disk_free(f);
}

/* With the least room each second vote compacts, and the promise comes along. */
static void many_compactions(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal *j = must_open(f, true, 1);
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_journal_promise(j, 12345, &why), 0);
	for (uint32_t term = 1; term <= 500; term++) {
		must_append(j, term % 7, term, 1);
		if (term % 50)
			continue;
		xr_journal_close(j);
		j = must_open(f, false, 1);
		assert_vote(j, term % 7, term, 1);
		assert_vote(j, (term - 3) % 7, term - 3, 1);
		assert_int_equal(xr_journal_promise_ns(j), 12345);
	}
	assert_true(f->count[FAKE_RENAME] > 200);
	xr_journal_close(j);
	fake_disk_free(f);
}

/* ---- the real disk ---- */

static int count_votes(const struct xr_vote *v, void *arg)
{
	uint32_t *next = arg;

	assert_int_equal(v->group, (*next)++);
	return v->group == 99999 ? 42 : 0;
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = {"journal", "journal.new", "lock"};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void assert_mode(const char *dir, const char *name, unsigned int mode)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, mode);
}

static void a_hundred_thousand_groups(void **state)
{
	char base[] = "/tmp/test_journal.XXXXXX", dir[64];
	struct xr_vote *v = calloc(100000, sizeof(*v));
	struct xr_journal_opts o = options(NULL, true, 0);
	struct xr_journal *j, *other;
	struct xr_why why = {};
	uint32_t next = 0;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
	o.dir = dir;
	o.create = false;
	assert_int_equal(xr_journal_open(&j, &o, &why), -ENOENT);
	o.create = true;
	assert_int_equal(xr_journal_open(&j, &o, &why), 0);
	assert_int_equal(xr_journal_open(&other, &o, &why), -EBUSY);
	assert_mode(dir, "", 0700);
	assert_mode(dir, "journal", 0600);
	for (uint32_t term = 1; term <= 3; term++) {
		for (uint32_t g = 0; g < 100000; g++)
			v[g] = a_vote(g, term, (uint8_t)(g % 9));
		assert_int_equal(xr_journal_append(j, v, NULL, 100000, &why), 0);
	}
	must_append(j, 500, 4, 1);
	assert_int_equal(xr_journal_promise(j, 150 * NS_PER_MS, &why), 0);
	assert_int_equal(xr_journal_probe(j, &why), 0);
	xr_journal_close(j);

	o.create = false;
	assert_int_equal(xr_journal_open(&j, &o, &why), 0);
	for (uint32_t g = 0; g < 100000; g++)
		if (g != 500)
			assert_vote(j, g, 3, (uint8_t)(g % 9));
	assert_vote(j, 500, 4, 1);
	assert_null(xr_journal_find(j, 100000));
	assert_int_equal(xr_journal_each(j, count_votes, &next), 42);
	assert_int_equal(next, 100000);
	assert_int_equal(xr_journal_promise_ns(j), 150 * NS_PER_MS);
	xr_journal_close(j);
	remove_dir(dir);
	rmdir(base);
	free(v);
}

static void a_file_that_is_cut_short_ends_the_writing(void **state)
{
	struct fake_disk *f = fake_disk_new(1);
	struct xr_journal_opts o = {
		.dir = "state",
		.cluster = "demo",
		.node = 1,
		.create = true,
		.disk = &f->ops,
	};
	struct xr_journal *j;
	struct xr_why why;

	(void)state;
	assert_int_equal(xr_journal_open(&j, &o, &why), 0);
	assert_int_equal(xr_journal_probe(j, &why), 0);
	fake_disk_cut(f, "journal", fake_disk_size(f, "journal") - 1);
	assert_int_equal(xr_journal_probe(j, &why), -EIO);
	assert_non_null(strstr(why.text, "cut short"));
	xr_journal_close(j);
	fake_disk_free(f);
}

/* Rule 7: what is written into a file without its name is lost with the process. */
static void a_file_that_is_no_longer_in_its_place_ends_the_writing(void **state)
{
	static const struct {
		const char *how, *says;
	} cases[] = {
		{"rm -r %1$s/state", "removed"},
		{"rm %1$s/state/journal", "removed"},
		{"mv %1$s/state %1$s/old", "removed"},
		{"mv %1$s/state/journal %1$s/j && cp %1$s/j %1$s/state/journal", "replaced"},
		{"mv %1$s/state %1$s/old && cp -r %1$s/old %1$s/state", "replaced"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		char base[] = "/tmp/xraft-journal-XXXXXX", dir[64], command[256];
		struct xr_journal_opts o = {.cluster = "demo", .node = 1, .create = true};
		struct xr_vote vote = a_vote(1, 1, 2);
		struct xr_journal *j;
		struct xr_why why;

		assert_non_null(mkdtemp(base));
		snprintf(dir, sizeof(dir), "%s/state", base);
		o.dir = dir;
		assert_int_equal(xr_journal_open(&j, &o, &why), 0);
		assert_int_equal(xr_journal_probe(j, &why), 0);
		assert_int_equal(xr_journal_append(j, &vote, NULL, 1, &why), 0);
		snprintf(command, sizeof(command), cases[i / 2].how, base);
		assert_int_equal(system(command), 0);
		vote.term = 2;
		assert_int_equal(i % 2 ? xr_journal_probe(j, &why)
				       : xr_journal_append(j, &vote, NULL, 1, &why),
				 -EIO);
		assert_non_null(strstr(why.text, cases[i / 2].says));
		assert_non_null(strstr(why.text, "votes no more"));
		assert_int_equal(xr_journal_probe(j, &why), -EIO); /* for ever */
		xr_journal_close(j);
		snprintf(command, sizeof(command), "rm -rf %s", base);
		assert_int_equal(system(command), 0);
	}
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* The real cache lets go of pages, or is found to keep them. */
static void a_file_that_somebody_maps_is_written_anew(void **state)
{
	char base[] = "/var/tmp/xraft-journal-XXXXXX", path[64];
	struct xr_journal_opts o = {.dir = base, .cluster = "demo", .node = 1, .create = true};
	struct xr_journal *j;
	struct xr_why why;
	struct statfs fs;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/journal", base);
	for (int mapped = -1; mapped < 2; mapped++) {
		int fd = open(path, O_RDONLY);
		ino_t before = fd < 0 ? 0 : inode_of(path);
		void *map = mapped != 1 ? NULL
					: mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
					       (off_t)256 * 4096);

		assert_true(map != MAP_FAILED);
		assert_int_equal(xr_journal_open(&j, &o, &why), 0);
		o.create = false;
		assert_int_equal(statfs(base, &fs), 0);
		if (fs.f_type == TMPFS_MAGIC)
			assert_true(mapped < 0 || inode_of(path) == before);
		else if (mapped >= 0)
			assert_true((inode_of(path) != before) == mapped);
		if (mapped < 0)
			must_append(j, 1, 1, 2);
		assert_vote(j, 1, 1, 2);
		xr_journal_close(j);
		if (map)
			munmap(map, 4096);
		if (fd >= 0)
			close(fd);
	}
	remove_dir(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_vote_a_term),
		cmocka_unit_test(entries_stay),
		cmocka_unit_test(entries_never_go_back),
		cmocka_unit_test(entries_and_votes_share_a_batch),
		cmocka_unit_test(a_torn_entry_is_nothing),
		cmocka_unit_test(an_entry_beyond_its_block_is_refused),
		cmocka_unit_test(one_fsync_a_batch),
		cmocka_unit_test(new_means_new),
		cmocka_unit_test(the_birth_stays),
		cmocka_unit_test(the_wrong_owner_is_refused),
		cmocka_unit_test(the_lock_is_held),
		cmocka_unit_test(many_compactions),
		cmocka_unit_test(short_and_interrupted_io),
		cmocka_unit_test(a_failed_fsync_is_never_forgiven),
		cmocka_unit_test(a_file_limit_has_its_own_remedy),
		cmocka_unit_test(what_is_read_from_a_cache_that_stays_is_durable),
		cmocka_unit_test(a_full_disk_spares_the_old_journal),
		cmocka_unit_test(a_flipped_bit_in_the_last_record),
		cmocka_unit_test(every_single_copy_can_go),
		cmocka_unit_test(both_copies_damaged_is_refused),
		cmocka_unit_test(an_unreadable_pair_is_refused),
		cmocka_unit_test(the_end_and_the_probe),
		cmocka_unit_test(a_torn_probe_is_nothing),
		cmocka_unit_test(a_write_that_the_disk_lost),
		cmocka_unit_test(a_file_cut_short_is_refused),
		cmocka_unit_test(a_misplaced_block_is_refused),
		cmocka_unit_test(a_torn_batch_ends_at_its_gap),
		cmocka_unit_test(a_foreign_block_is_not_ours),
		cmocka_unit_test(the_snapshot_is_never_cut),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(another_format_version_is_refused),
		cmocka_unit_test(fuzz),
		cmocka_unit_test(a_file_that_is_no_longer_in_its_place_ends_the_writing),
		cmocka_unit_test(a_file_that_is_cut_short_ends_the_writing),
		cmocka_unit_test(a_file_that_somebody_maps_is_written_anew),
		cmocka_unit_test(fail_at_every_operation),
		cmocka_unit_test(crash_at_every_operation),
		cmocka_unit_test(a_hundred_thousand_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
