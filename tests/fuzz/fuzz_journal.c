// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal over the fake disk. Odd first byte: the rest is the file, as it is. Even: a script
 * that appends, probes, loses power, fails, and spoils the file, with and without a right checksum.
 *
 * What append returned is there on reopen, exactly, whatever the power did; damage to one copy
 * costs nothing; damage to more may make it refuse, but never invent a record. Only a forged block
 * (damage that is sealed again) may say what it likes: then nothing is asked but not to crash, and
 * that what was there when it opened, and since, is there the next time.
 */
#include <sodium.h>
#include "journal/block.h"
#include "journal/private.h"
#include "fuzz.h"
#include "unit/fake_disk.h"

#define GROUPS	  64
#define HISTORY	  8192
#define BIRTH	  0xb1b2b3b4u /* it joined */
#define BATCH_MAX 300
#define STEPS	  200
#define IMAGE_MAX (64 * XR_BLOCK_SIZE)

/* How far the file may be trusted. */
enum trust { WHOLE, DAMAGED, FORGED };

static struct {
	struct input in;
	struct fake_disk *disk;
	struct xr_journal *j;
	enum trust trust;
	struct xr_vote model[GROUPS]; /* what append returned; term 0 and vote 0: nothing */
	uint64_t entry[GROUPS];	      /* likewise: the id, by which its body is known; 0: none */
	bool known[GROUPS];
	uint64_t promise_ns;
	struct xr_vote batch[BATCH_MAX]; /* under way in a crash: any first part may be there */
	uint64_t batch_entry[BATCH_MAX];
	size_t unsure;
	uint64_t unsure_promise_ns;
	struct xr_vote history[HISTORY]; /* all that was ever handed to append */
	size_t handed;
	bool mended[64]; /* pairs with one damaged copy since the last open */
	bool over;
} s;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0, "libsodium does not start");
	return 0;
}

static struct xr_journal_opts options(bool create)
{
	return (struct xr_journal_opts){.dir = "/state",
					.cluster = "demo",
					.node = 1,
					.create = create,
					.birth = create ? BIRTH : 0,
					.capacity_blocks = 8,
					.disk = &s.disk->ops};
}

/*
 * ---- what must hold ----
 */
static bool same(const struct xr_vote *a, const struct xr_vote *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static int never_invented(const struct xr_vote *v, void *arg)
{
	(void)arg;
	for (size_t i = s.handed; i; i--)
		if (same(&s.history[i - 1], v))
			return 0;
	must(false, "invents term %u, vote %u of group %u", v->term, v->vote, v->group);
}

/* Is this what the crash may have left of the batch under way? */
static bool of_the_batch(const struct xr_vote *v)
{
	for (size_t i = 0; i < s.unsure; i++)
		if (same(&s.batch[i], v))
			return true;
	return false;
}

static bool entry_of_the_batch(uint32_t group, uint64_t id)
{
	for (size_t i = 0; i < s.unsure; i++)
		if (s.batch[i].group == group && s.batch_entry[i] == id && id)
			return true;
	return false;
}

/* Of an id there is one body (rule 22): its size, and its bytes. */
static void make_entry(struct xr_entry *e, uint64_t id)
{
	memset(e, 0, sizeof(*e));
	e->id = id;
	e->voters = 0xe;
	e->size = id % 7 ? id % 40 : id * 0x9e3779b9u % (XR_VALUE_MAX + 1);
	memset(e->value, 'a' + id % 26, e->size);
}

static void check_entry(uint32_t group)
{
	const struct xr_entry *e = xr_journal_entry(s.j, group);
	struct xr_entry whole;

	must((e ? e->id : 0) == s.entry[group] || (e && entry_of_the_batch(group, e->id)),
	     "group %u: entry %llx, not %llx", group, (unsigned long long)(e ? e->id : 0),
	     (unsigned long long)s.entry[group]);
	if (!e)
		return;
	make_entry(&whole, e->id);
	must(!memcmp(e, &whole, sizeof(whole)), "group %u: entry %llx has another body", group,
	     (unsigned long long)e->id);
}

static void check_content(void)
{
	for (uint32_t group = 0; group < GROUPS; group++) {
		const struct xr_vote *v = xr_journal_find(s.j, group);

		check_entry(group);
		if (v && of_the_batch(v))
			continue;
		must(!v == !s.known[group], "group %u: %s", group, v ? "is new" : "is lost");
		must(!v || same(v, &s.model[group]), "group %u: term %u, vote %u, not %u, %u",
		     group, v->term, v->vote, s.model[group].term, s.model[group].vote);
	}
	must(xr_journal_promise_ns(s.j) == s.promise_ns ||
		     xr_journal_promise_ns(s.j) == s.unsure_promise_ns,
	     "another promise");
}

/* From here on, what it shows is what it has to keep. */
static void adopt(void)
{
	for (uint32_t group = 0; group < GROUPS; group++) {
		const struct xr_vote *v = xr_journal_find(s.j, group);

		s.known[group] = v != NULL;
		if (v)
			s.model[group] = *v;
		s.entry[group] = xr_journal_entry(s.j, group) ? xr_journal_entry(s.j, group)->id
							      : 0;
	}
	s.promise_ns = xr_journal_promise_ns(s.j);
	s.unsure = 0;
	s.unsure_promise_ns = s.promise_ns;
	memset(s.mended, 0, sizeof(s.mended));
}

static void reopen(void)
{
	struct xr_journal_opts o = options(false);
	struct xr_why why = {""};
	int err = xr_journal_open(&s.j, &o, &why);

	if (err) {
		must(s.trust != WHOLE, "does not open what it wrote: %s", why.text);
		must(err < 0 && why.text[0], "refuses without a sentence");
		s.j = NULL;
		s.over = true;
		return;
	}
	must(s.trust == FORGED || xr_journal_birth(s.j) == BIRTH, "another birth (rule 27)");
	if (s.trust == WHOLE)
		check_content();
	if (s.trust != FORGED)
		xr_journal_each(s.j, never_invented, NULL);
	adopt();
	if (s.trust == DAMAGED)
		s.trust = WHOLE; /* it has seen the damage and mended what it could */
}

/* What it holds now it holds on the medium, too: a second look shows the same. */
static void restart(bool power)
{
	xr_journal_close(s.j);
	s.j = NULL;
	if (power)
		fake_disk_power_cut(s.disk);
	else
		fake_disk_restart(s.disk);
	reopen();
}

/*
 * ---- steps ----
 */
static bool may_follow(const struct xr_vote *v, const struct xr_vote *earlier)
{
	return v->term > earlier->term ||
	       (v->term == earlier->term && (!earlier->vote || v->vote == earlier->vote));
}

static struct xr_entry bodies[BATCH_MAX];
static const struct xr_entry *entries[BATCH_MAX]; /* of a batch */

static size_t make_batch(struct xr_vote *votes)
{
	uint8_t shape = take8(&s.in);
	size_t n = shape & 0x80 ? 100u + (shape & 0x7f) : 1u + (shape & 3);

	for (size_t i = 0; i < n; i++) {
		uint8_t which = take8(&s.in), step = take8(&s.in);
		uint32_t group = (which + i) % GROUPS;

		votes[i] = (struct xr_vote){.group = group,
					    .term = s.model[group].term + (step >> 4) % 3,
					    .vote = step & 3,
					    .digest = which,
					    .name = "g"};
		entries[i] = step & 8 ? &bodies[i] : NULL;
		if (step & 8)
			make_entry(&bodies[i],
				   (uint64_t)votes[i].term << 32 |
					   ((uint32_t)s.entry[group] + (step >> 2 & 1)));
		if (step == 0xff)
			votes[i].group = take32(&s.in);
	}
	return n;
}

static void remember(const struct xr_vote *votes, size_t n)
{
	if (s.handed + n > HISTORY) {
		s.over = true;
		return;
	}
	memcpy(s.history + s.handed, votes, n * sizeof(*votes));
	s.handed += n;
}

/* Do rules 7 and 24 allow it, record by record? */
static bool allowed(const struct xr_vote *votes, size_t n)
{
	static struct xr_vote now[GROUPS];
	static bool known[GROUPS];
	uint64_t entry[GROUPS];

	memcpy(entry, s.entry, sizeof(entry));
	memcpy(now, s.model, sizeof(now));
	memcpy(known, s.known, sizeof(known));
	for (size_t i = 0; i < n; i++) {
		uint32_t group = votes[i].group;

		if (group >= GROUPS)
			return true; /* not ours to say */
		if (known[group] && !may_follow(&votes[i], &now[group]))
			return false;
		if (entries[i] && (entries[i]->id <= entry[group] || !(uint32_t)entries[i]->id ||
				   xr_entry_term(entries[i]->id) > votes[i].term))
			return false;
		entry[group] = entries[i] ? entries[i]->id : entry[group];
		now[group] = votes[i];
		known[group] = true;
	}
	return true;
}

static void append(void)
{
	static struct xr_vote votes[BATCH_MAX];
	size_t n = make_batch(votes);
	struct xr_why why;
	int err;

	remember(votes, n);
	if (s.over)
		return;
	err = xr_journal_append(s.j, votes, entries, n, &why);
	must(err == 0 || err == -EINVAL || err == -EIO, "append returned %d", err);
	must(err || allowed(votes, n), "appended what is forbidden");
	if (err == -EIO) {
		memcpy(s.batch, votes, n * sizeof(*votes));
		s.unsure = n;
		for (size_t i = 0; i < n; i++)
			s.batch_entry[i] = entries[i] ? entries[i]->id : 0;
	}
	for (size_t i = 0; !err && i < n; i++)
		if (votes[i].group < GROUPS) {
			s.model[votes[i].group] = votes[i];
			s.known[votes[i].group] = true;
			if (entries[i])
				s.entry[votes[i].group] = entries[i]->id;
		}
}

static void promise(void)
{
	uint64_t d_ns = take8(&s.in) * 1000ull;
	struct xr_why why;
	int err = xr_journal_promise(s.j, d_ns, &why);

	must(err == 0 || err == -EIO, "promise returned %d", err);
	if (d_ns > s.promise_ns && !err)
		s.promise_ns = d_ns;
	s.unsure_promise_ns = d_ns > s.promise_ns ? d_ns : s.promise_ns;
}

static void work(uint8_t what)
{
	struct xr_why why;

	switch (what & 3) {
	case 0:
	case 1:
		append();
		break;
	case 2:
		promise();
		break;
	case 3:
		if (what & 4)
			xr_journal_probe(s.j, &why);
		else
			xr_journal_tidy(s.j, &why);
		break;
	}
}

/* The disk dies in the midst of something, or fails one call of it; then the power goes. */
static void crash(uint8_t what)
{
	unsigned long at = atomic_load(&s.disk->count[FAKE_ANY]) + 1 + take8(&s.in) % 24;

	s.disk->luck = what >> 6 & 3 ? FAKE_MIXED : (enum fake_luck)(take8(&s.in) % 3);
	if (what & 32) {
		s.disk->crash_at = at;
	} else {
		s.disk->fail_op = FAKE_ANY;
		s.disk->fail_at = at;
		s.disk->fail_err = EIO;
	}
	work(what >> 3);
	s.disk->crash_at = s.disk->fail_at = 0;
	if (s.trust != WHOLE) /* half a compaction of what is forged: no model fits */
		s.over = true;
	restart(true);
}

static void reseal(size_t at)
{
	struct xr_block b;

	if (!fake_disk_peek(s.disk, "journal", &b, sizeof(b), at))
		return;
	xr_block_seal(&b);
	fake_disk_poke(s.disk, "journal", &b, sizeof(b), at);
}

/* Some bytes of one block; `copies` 1: its twin is left as it is. */
static void scribble(size_t at, uint8_t copies, bool seal)
{
	size_t offset = take8(&s.in) & 1 ? take8(&s.in) % 128u : take16(&s.in) % 4032u;
	uint8_t bytes[8], n = 1 + take8(&s.in) % 8;

	take(&s.in, bytes, sizeof(bytes));
	for (uint8_t copy = 0; copy < copies; copy++) {
		size_t to = (at ^ copy * XR_BLOCK_SIZE) + offset;
		uint8_t was[8];

		if (!fake_disk_peek(s.disk, "journal", was, n, to))
			return;
		for (uint8_t i = 0; i < n; i++)
			was[i] ^= bytes[i];
		fake_disk_poke(s.disk, "journal", was, n, to);
		if (seal)
			reseal(at ^ copy * XR_BLOCK_SIZE);
	}
}

static void copy_block(size_t from, size_t to)
{
	uint8_t block[XR_BLOCK_SIZE];

	if (fake_disk_peek(s.disk, "journal", block, sizeof(block), from))
		fake_disk_poke(s.disk, "journal", block, sizeof(block), to);
}

/* While it is closed, as a disk does it, or somebody with an editor. */
static void spoil(uint8_t what)
{
	size_t size = fake_disk_size(s.disk, "journal"), blocks = size / XR_BLOCK_SIZE;
	size_t block = blocks ? take8(&s.in) % blocks : 0, at = block * XR_BLOCK_SIZE;

	if (!blocks)
		return;
	switch (what >> 3 & 7) {
	case 0:
	case 1: /* one copy only, and at most one of each pair: costs nothing */
		if (block / 2 != XR_PAIR_PROBE && block / 2 < 64 && !s.mended[block / 2])
			scribble(at, 1, false);
		else
			return;
		s.mended[block / 2] = true;
		return;
	case 2:
		scribble(at, 2, false);
		break;
	case 3:
		copy_block(at, take8(&s.in) % blocks * XR_BLOCK_SIZE);
		break;
	case 4:
		fake_disk_cut(s.disk, "journal", take16(&s.in) % (size + 1));
		break;
	case 5:
		fake_disk_spoil(s.disk, "journal", XR_BLOCK_SIZE, at);
		break;
	case 6:
		s.trust = FORGED;
		scribble(at, 1 + (what >> 6 & 1), true);
		return;
	case 7:
		s.trust = FORGED;
		scribble(at, 2, true);
		return;
	}
	if (s.trust == WHOLE)
		s.trust = DAMAGED;
}

static void spoil_and_open(uint8_t what)
{
	xr_journal_close(s.j);
	s.j = NULL;
	fake_disk_power_cut(s.disk);
	do
		spoil(what);
	while ((what = take8(&s.in)) & 0x80);
	reopen();
	if (s.over)
		return;
	restart(what & 1); /* what it showed once, it shows again */
	must(!s.over, "opens once, and not again");
}

static void step(uint8_t what)
{
	switch (what & 7) {
	case 0:
	case 1:
	case 2:
	case 3:
		work(what & 3 ? what >> 3 : 0);
		break;
	case 4:
		restart(what >> 3 & 1);
		break;
	case 5:
		crash(what);
		break;
	case 6:
	case 7:
		spoil_and_open(what);
		break;
	}
}

/*
 * ---- runs ----
 */
static void run_image(void)
{
	size_t size = s.in.left < IMAGE_MAX ? s.in.left : IMAGE_MAX;
	const struct xr_disk *d = &s.disk->ops;
	int dir = d->open_dir(d->ctx, "/state", true);
	int file = d->open(d->ctx, dir, "journal", XR_DISK_FRESH);

	must(xr_disk_write_all(d, file, s.in.at, size, 0) == 0, "no room");
	d->fdatasync(d->ctx, file);
	d->fsync_dir(d->ctx, dir);
	fake_disk_restart(s.disk);
	s.trust = FORGED;
	s.in.left = 0;
	reopen();
	if (!s.over)
		append();
}

static void run_script(void)
{
	struct xr_journal_opts o = options(true);
	struct xr_why why;

	must(!xr_journal_open(&s.j, &o, &why), "cannot be made: %s", why.text);
	for (int i = 0; i < STEPS && s.in.left && !s.over; i++)
		step(take8(&s.in));
	if (!s.over)
		restart(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.at = data, .left = size};
	uint8_t shape = take8(&in);

	memset(&s, 0, sizeof(s));
	s.in = in;
	s.disk = fake_disk_new(shape);
	s.disk->short_io = shape & 2;
	if (shape & 1)
		run_image();
	else
		run_script();
	xr_journal_close(s.j);
	fake_disk_free(s.disk);
	return 0;
}
