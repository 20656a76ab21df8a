// SPDX-License-Identifier: GPL-2.0-only
/* The journal's thread: many votes under one fsync, in order, errors that stay, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "journal/writer.h"
#include "fake_disk.h"

struct setup {
	struct fake_disk *f;
	struct xr_journal *j;
	struct xr_writer *w;
};

static struct xr_journal *open_journal(struct fake_disk *f, bool create, uint32_t blocks)
{
	struct xr_journal_opts o = {
		.dir = "state",
		.cluster = "blue",
		.node = 3,
		.create = create,
		.capacity_blocks = blocks,
		.disk = &f->ops,
	};
	struct xr_journal *j = NULL;
	struct xr_why why;

	if (xr_journal_open(&j, &o, &why) < 0)
		fail_msg("%s", why.text);
	return j;
}

static struct setup begin(uint32_t blocks)
{
	struct setup s = {.f = fake_disk_new(1)};
	struct xr_why why;

	s.j = open_journal(s.f, true, blocks);
	if (xr_writer_start(&s.w, s.j, 0, &why) < 0)
		fail_msg("%s", why.text);
	return s;
}

static void end(struct setup *s)
{
	xr_writer_stop(s->w);
	xr_journal_close(s->j);
	fake_disk_free(s->f);
}

static void submit(struct xr_writer *w, uint32_t group, uint32_t term)
{
	struct xr_vote v = {.group = group, .term = term, .vote = 1, .name = "g"};

	assert_int_equal(xr_writer_submit(w, &v, NULL), 0);
}

static bool readable(const struct xr_writer *w, int timeout_ms)
{
	struct pollfd p = {.fd = xr_writer_fd(w), .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

/* Wait for exactly `n` completions; `max` at a time. */
static void reap(struct xr_writer *w, struct xr_done *out, size_t n, size_t max)
{
	for (size_t got = 0; got < n;) {
		assert_true(readable(w, 10000));
		got += xr_writer_reap(w, out + got, n - got < max ? n - got : max);
	}
}

/* The thread stands in its fdatasync. */
static void wait_in_sync(struct fake_disk *f)
{
	while (atomic_load(&f->waiting) != 1)
		usleep(100);
}

static void ungate(struct fake_disk *f)
{
	atomic_store(&f->gated, false);
	sem_post(&f->gate);
}

static void one_fsync_for_all_that_waits(void **state)
{
	struct setup s = begin(256);
	unsigned long syncs = s.f->count[FAKE_SYNC];
	static struct xr_done done[1000];

	(void)state;
	atomic_store(&s.f->gated, true);
	submit(s.w, 0, 1);
	xr_writer_kick(s.w);
	wait_in_sync(s.f);
	for (uint32_t g = 1; g < 1000; g++)
		submit(s.w, g, 1);
	xr_writer_kick(s.w);
	assert_int_equal(xr_writer_reap(s.w, done, 1000), 0); /* nothing before it is durable */
	ungate(s.f);
	reap(s.w, done, 1000, 1000);
	assert_int_equal(s.f->count[FAKE_SYNC], syncs + 2);
	for (uint32_t g = 0; g < 1000; g++) {
		assert_int_equal(done[g].vote.group, g);
		assert_int_equal(done[g].err, 0);
	}
	end(&s);
}

static void readable_while_completions_wait(void **state)
{
	struct setup s = begin(64);
	struct xr_done done[10];

	(void)state;
	assert_false(readable(s.w, 0));
	assert_int_equal(xr_writer_reap(s.w, done, 10), 0);
	for (uint32_t g = 0; g < 10; g++)
		submit(s.w, g, 1);
	xr_writer_kick(s.w);
	while (xr_writer_oldest_ns(s.w))
		usleep(100);
	for (int i = 0; i < 10; i++) {
		assert_true(readable(s.w, 1000));
		assert_int_equal(xr_writer_reap(s.w, &done[i], 1), 1);
		assert_int_equal(done[i].vote.group, i);
	}
	xr_writer_reap(s.w, done, 1);
	assert_false(readable(s.w, 0));
	end(&s);
}

static void oldest_tells_how_long_the_disk_hangs(void **state)
{
	struct setup s = begin(64);
	struct xr_done done[2];
	uint64_t before, between, after;

	(void)state;
	assert_int_equal(xr_writer_oldest_ns(s.w), 0);
	atomic_store(&s.f->gated, true);
	before = xr_now_ns();
	submit(s.w, 1, 1);
	between = xr_now_ns();
	xr_writer_kick(s.w);
	wait_in_sync(s.f);
	submit(s.w, 2, 1);
	xr_writer_probe(s.w);
	after = xr_now_ns();
	assert_in_range(xr_writer_oldest_ns(s.w), before, between);
	sem_post(&s.f->gate);
	reap(s.w, done, 1, 1);
	wait_in_sync(s.f); /* now the second vote, and the probe with it */
	assert_in_range(xr_writer_oldest_ns(s.w), between, after);
	ungate(s.f);
	reap(s.w, done, 1, 1);
	while (xr_writer_oldest_ns(s.w)) /* the probe is done right after */
		usleep(100);
	end(&s);
}

static void a_probe_is_written_when_idle(void **state)
{
	struct setup s = begin(64);
	unsigned long syncs = s.f->count[FAKE_SYNC];
	uint64_t before = xr_now_ns(), after;
	struct xr_done done;

	(void)state;
	atomic_store(&s.f->gated, true);
	xr_writer_probe(s.w);
	after = xr_now_ns();
	xr_writer_probe(s.w); /* one at a time; the first one's age counts */
	wait_in_sync(s.f);
	assert_in_range(xr_writer_oldest_ns(s.w), before, after);
	ungate(s.f);
	while (xr_writer_oldest_ns(s.w))
		usleep(100);
	assert_int_equal(s.f->count[FAKE_SYNC], syncs + 1);
	assert_int_equal(xr_writer_reap(s.w, &done, 1), 0);
	end(&s);
}

static void assert_failed(struct setup *s, int err, const char *text)
{
	struct xr_vote v = {.group = 9, .term = 1};
	struct xr_why why;

	assert_int_equal(xr_writer_error(s->w, &why), err);
	assert_non_null(strstr(why.text, text));
	assert_int_equal(xr_writer_submit(s->w, &v, NULL), -EIO);
	assert_int_equal(xr_writer_oldest_ns(s->w), 0);
}

static void an_error_stays(void **state)
{
	struct setup s = begin(64);
	struct xr_done done[3];
	struct xr_why why;

	(void)state;
	submit(s.w, 1, 1);
	xr_writer_kick(s.w);
	reap(s.w, done, 1, 1);
	assert_int_equal(xr_writer_error(s.w, &why), 0);
	s.f->fail_op = FAKE_SYNC;
	s.f->fail_err = EIO;
	s.f->fail_at = s.f->count[FAKE_SYNC] + 1;
	atomic_store(&s.f->gated, true);
	submit(s.w, 2, 1);
	xr_writer_kick(s.w);
	wait_in_sync(s.f);
	submit(s.w, 3, 1);
	ungate(s.f);
	reap(s.w, done + 1, 2, 1);
	assert_int_equal(done[0].err, 0);
	assert_int_equal(done[1].err, -EIO);
	assert_int_equal(done[2].err, -EIO);
	assert_int_equal(done[2].vote.group, 3);
	assert_failed(&s, -EIO, "votes no more");
	end(&s);
}

static void a_probe_that_fails_is_noticed(void **state)
{
	struct setup s = begin(64);
	struct xr_done done;

	(void)state;
	s.f->fail_op = FAKE_SYNC;
	s.f->fail_err = EIO;
	s.f->fail_at = s.f->count[FAKE_SYNC] + 1;
	xr_writer_probe(s.w);
	assert_true(readable(s.w, 10000));
	assert_int_equal(xr_writer_reap(s.w, &done, 1), 0);
	while (xr_writer_oldest_ns(s.w))
		usleep(100);
	assert_failed(&s, -EIO, "votes no more");
	end(&s);
}

static void a_second_vote_in_a_term_stops_all(void **state)
{
	struct setup s = begin(64);
	struct xr_vote v = {.group = 1, .term = 1, .vote = 2};
	struct xr_done done[2];

	(void)state;
	submit(s.w, 1, 1);
	xr_writer_kick(s.w);
	reap(s.w, done, 1, 1);
	assert_int_equal(xr_writer_submit(s.w, &v, NULL), 0);
	xr_writer_kick(s.w);
	reap(s.w, done + 1, 1, 1);
	assert_int_equal(done[1].err, -EIO);
	assert_failed(&s, -EINVAL, "second vote");
	xr_writer_stop(s.w);
	assert_int_equal(xr_journal_find(s.j, 1)->vote, 1);
	s.w = NULL;
	end(&s);
}

static void a_full_ring_is_said(void **state)
{
	struct setup s = begin(64);
	struct xr_vote v = {.group = 0, .term = 1, .vote = 1};
	struct xr_done *done = calloc(XR_WRITER_SLOTS, sizeof(*done));

	(void)state;
	atomic_store(&s.f->gated, true);
	for (uint32_t i = 0; i < XR_WRITER_SLOTS; i++)
		submit(s.w, i % 100, i + 1);
	assert_int_equal(xr_writer_submit(s.w, &v, NULL), -ENOBUFS);
	xr_writer_kick(s.w);
	ungate(s.f);
	reap(s.w, done, 100, 7);
	for (uint32_t i = 0; i < 100; i++)
		submit(s.w, i, XR_WRITER_SLOTS + 200);
	assert_int_equal(xr_writer_submit(s.w, &v, NULL), -ENOBUFS);
	xr_writer_kick(s.w);
	reap(s.w, done, XR_WRITER_SLOTS, 1000);
	assert_int_equal(done[XR_WRITER_SLOTS - 1].vote.term, XR_WRITER_SLOTS + 200);
	free(done);
	end(&s);
}

static void stop_finishes_what_was_submitted(void **state)
{
	struct setup s = begin(64);

	(void)state;
	for (uint32_t g = 0; g < 5000; g++)
		submit(s.w, g, 7);
	xr_writer_stop(s.w);
	xr_journal_close(s.j);
	s.f->luck = FAKE_NONE_SURVIVE;
	fake_disk_power_cut(s.f);
	s.j = open_journal(s.f, false, 64);
	for (uint32_t g = 0; g < 5000; g++) {
		assert_non_null(xr_journal_find(s.j, g));
		assert_int_equal(xr_journal_find(s.j, g)->term, 7);
	}
	s.w = NULL;
	end(&s);
}

/* Round the ring, in small bursts, with a journal that compacts all the while. */
static void a_long_run_stays_in_order(void **state)
{
	struct setup s = begin(16);
	static struct xr_done done[512];
	uint64_t seed = 1;
	uint32_t sent = 0, seen = 0, total = XR_WRITER_SLOTS + 20000;

	(void)state;
	while (seen < total) {
		uint32_t burst = 1 + (uint32_t)fake_rand(&seed, 400);
		size_t n;

		for (; burst && sent < total; burst--, sent++)
			submit(s.w, sent % 64, 1 + sent / 64);
		xr_writer_kick(s.w);
		n = xr_writer_reap(s.w, done, ARRAY_SIZE(done));
		for (size_t i = 0; i < n; i++, seen++) {
			assert_int_equal(done[i].err, 0);
			assert_int_equal(done[i].vote.group, seen % 64);
			assert_int_equal(done[i].vote.term, 1 + seen / 64);
		}
		if (sent - seen > 10000 || sent == total)
			readable(s.w, 1000);
		if (!fake_rand(&seed, 16))
			xr_writer_probe(s.w);
	}
	assert_true(s.f->count[FAKE_SYNC] < total / 4);
	end(&s);
}

static void assert_line(const char *path, const char *line)
{
	_cleanup_file_ FILE *f = fopen(path, "r");
	char buf[256];

	assert_non_null(f);
	while (fgets(buf, sizeof(buf), f))
		if (!strncmp(buf, line, strlen(line)))
			return;
	fail_msg("%s: no %s", path, line);
}

/* No signal is ever delivered to the thread; the caller's mask is as before. */
static void the_thread_blocks_all_signals(void **state)
{
	struct setup s = begin(64);
	DIR *tasks = opendir("/proc/self/task");
	struct xr_done done;
	sigset_t mine;
	bool found = false;

	(void)state;
	submit(s.w, 1, 1); /* the thread runs when this is done */
	xr_writer_kick(s.w);
	reap(s.w, &done, 1, 1);
	for (struct dirent *e; (e = readdir(tasks));) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, "xr-journal\n")) {
			found = true;
			snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
			assert_line(path, "SigBlk:\tfffffffe");
		}
		fclose(f);
	}
	closedir(tasks);
	assert_true(found);
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_fsync_for_all_that_waits),
		cmocka_unit_test(readable_while_completions_wait),
		cmocka_unit_test(oldest_tells_how_long_the_disk_hangs),
		cmocka_unit_test(a_probe_is_written_when_idle),
		cmocka_unit_test(an_error_stays),
		cmocka_unit_test(a_probe_that_fails_is_noticed),
		cmocka_unit_test(a_second_vote_in_a_term_stops_all),
		cmocka_unit_test(a_full_ring_is_said),
		cmocka_unit_test(stop_finishes_what_was_submitted),
		cmocka_unit_test(a_long_run_stays_in_order),
		cmocka_unit_test(the_thread_blocks_all_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
