// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ring serves both ways: slots are submitted (head), completed in place and in order (done),
 * and reaped by the submitter. The thread that moves an index releases the slots behind it to the
 * other, so neither ever waits. Indexes only grow; a slot is index modulo size.
 */
#include "common/thread.h"
#include "journal/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#define SLOT(index) ((index) & (XR_WRITER_SLOTS - 1))
/* Small, as the engine locks its memory, and its death takes longer the more there is. */
#define STACK_BYTES (256 * 1024)

_Static_assert((XR_WRITER_SLOTS & (XR_WRITER_SLOTS - 1)) == 0, "SLOT() masks");

struct xr_writer {
	struct xr_journal *journal;
	struct xr_vote *votes;		 /* ring */
	const struct xr_entry **entries; /* ring */
	_Atomic uint64_t *submitted_ns;	 /* ring */
	int wake;			 /* eventfd: the thread sleeps on it */
	int ready;			 /* eventfd: the submitter polls it */
	pthread_t thread;
	atomic_bool stopping;
	_Atomic uint64_t probe_ns; /* when a probe was asked for, 0 = none */

	/* `failed_from` and `why` are written before `error`, and never after. */
	atomic_int error;
	uint64_t failed_from; /* completions from here on carry the error */
	struct xr_why why;

	_Alignas(64) _Atomic uint64_t head; /* the submitter's */
	uint64_t reaped;
	_Alignas(64) _Atomic uint64_t done; /* the thread's */
	_Atomic uint64_t writes, write_ns;  /* likewise */
};

/* An eventfd overflows after 2^64 - 2 signals: this never blocks. */
static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static void drain_fd(int fd)
{
	uint64_t count;
	ssize_t n;

	do
		n = read(fd, &count, sizeof(count));
	while (n < 0 && errno == EINTR);
}

static void fail(struct xr_writer *w, int err, const struct xr_why *why)
{
	w->failed_from = atomic_load_explicit(&w->done, memory_order_relaxed);
	w->why = *why;
	atomic_store_explicit(&w->error, err, memory_order_release);
	signal_fd(w->ready);
}

/* One batch; one that runs over the ring's end takes two, once in 131072 votes. */
static void write_batch(struct xr_writer *w, uint64_t from, uint64_t to)
{
	uint64_t to_end = XR_WRITER_SLOTS - SLOT(from);
	uint64_t n = to - from < to_end ? to - from : to_end;
	struct xr_why why;

	if (!atomic_load_explicit(&w->error, memory_order_relaxed)) {
		int ret = xr_journal_append(w->journal, &w->votes[SLOT(from)],
					    &w->entries[SLOT(from)], n, &why);

		if (ret < 0)
			fail(w, ret, &why);
	}
	atomic_store_explicit(&w->done, from + n, memory_order_release);
	signal_fd(w->ready);
}

static void write_probe(struct xr_writer *w)
{
	struct xr_why why;
	int ret;

	if (atomic_load_explicit(&w->error, memory_order_relaxed))
		return;
	ret = xr_journal_probe(w->journal, &why);
	if (ret < 0)
		fail(w, ret, &why);
}

/* One write of what waits; false when nothing does. */
static bool turn(struct xr_writer *w)
{
	/* Read before the batch is taken: only a write that starts after the request is proof. */
	uint64_t probe_ns = atomic_load_explicit(&w->probe_ns, memory_order_acquire);
	uint64_t from = atomic_load_explicit(&w->done, memory_order_relaxed);
	uint64_t to = atomic_load_explicit(&w->head, memory_order_acquire), began_ns;

	if (from == to && !probe_ns)
		return false;
	began_ns = xr_now_ns();
	if (from != to)
		write_batch(w, from, to);
	else
		write_probe(w);
	atomic_fetch_add_explicit(&w->write_ns, xr_now_ns() - began_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->writes, 1, memory_order_relaxed);
	if (probe_ns)
		atomic_store_explicit(&w->probe_ns, 0, memory_order_release);
	return true;
}

/* Nothing waits: the moment to make room, so that no vote will have to wait for a compaction. */
static void tidy(struct xr_writer *w)
{
	struct xr_why why;
	int ret;

	if (atomic_load_explicit(&w->error, memory_order_relaxed))
		return;
	ret = xr_journal_tidy(w->journal, &why);
	if (ret < 0 && ret != -ENOSPC)
		fail(w, ret, &why);
}

static void *writer_main(void *arg)
{
	struct xr_writer *w = arg;

	for (;;) {
		/* Read first: what was submitted before stop is then seen below. */
		bool last = atomic_load_explicit(&w->stopping, memory_order_acquire);

		while (turn(w))
			;
		if (last)
			return NULL;
		tidy(w);
		drain_fd(w->wake);
	}
}

static int start_thread(struct xr_writer *w, int priority)
{
	return -xr_thread_start(&w->thread, "xr-journal", priority, STACK_BYTES, writer_main, w);
}

static void free_writer(struct xr_writer *w)
{
	xr_close_fd(&w->wake);
	xr_close_fd(&w->ready);
	free((void *)w->submitted_ns);
	free((void *)w->entries);
	free(w->votes);
	free(w);
}

static struct xr_writer *new_writer(struct xr_journal *j)
{
	struct xr_writer *w = aligned_alloc(_Alignof(struct xr_writer), sizeof(*w));

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->journal = j;
	w->wake = eventfd(0, EFD_CLOEXEC);
	w->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->votes = calloc(XR_WRITER_SLOTS, sizeof(*w->votes));
	w->entries = calloc(XR_WRITER_SLOTS, sizeof(void *));
	w->submitted_ns = calloc(XR_WRITER_SLOTS, sizeof(*w->submitted_ns));
	return w;
}

int xr_writer_start(struct xr_writer **out, struct xr_journal *j, int priority, struct xr_why *why)
{
	struct xr_writer *w = new_writer(j);
	int ret;

	if (!w)
		return xr_fail(why, -ENOMEM, "out of memory for the journal's thread");
	if (!w->votes || !w->entries || !w->submitted_ns)
		ret = -ENOMEM;
	else if (w->wake < 0 || w->ready < 0)
		ret = -EMFILE;
	else
		ret = start_thread(w, priority);
	if (ret < 0) {
		free_writer(w);
		return xr_fail(why, ret,
			       "cannot start the journal's thread: %s; look at the limits for "
			       "memory, open files and tasks",
			       strerror(-ret));
	}
	*out = w;
	return 0;
}

int xr_writer_fd(const struct xr_writer *w)
{
	return w->ready;
}

int xr_writer_submit(struct xr_writer *w, const struct xr_vote *v, const struct xr_entry *entry)
{
	uint64_t head = atomic_load_explicit(&w->head, memory_order_relaxed);

	if (atomic_load_explicit(&w->error, memory_order_relaxed))
		return -EIO;
	if (head - w->reaped >= XR_WRITER_SLOTS)
		return -ENOBUFS;
	w->votes[SLOT(head)] = *v;
	w->entries[SLOT(head)] = entry;
	atomic_store_explicit(&w->submitted_ns[SLOT(head)], xr_now_ns(), memory_order_relaxed);
	atomic_store_explicit(&w->head, head + 1, memory_order_release);
	return 0;
}

void xr_writer_kick(struct xr_writer *w)
{
	signal_fd(w->wake);
}

size_t xr_writer_reap(struct xr_writer *w, struct xr_done *out, size_t max)
{
	uint64_t done;
	size_t n = 0;
	int error;

	/* Before `done` is read: a completion after that makes it readable again. */
	drain_fd(w->ready);
	done = atomic_load_explicit(&w->done, memory_order_acquire);
	error = atomic_load_explicit(&w->error, memory_order_acquire);
	for (; n < max && w->reaped != done; n++, w->reaped++) {
		bool failed = error && w->reaped >= w->failed_from;

		const struct xr_entry *entry = w->entries[SLOT(w->reaped)];

		out[n] = (struct xr_done){
			.vote = w->votes[SLOT(w->reaped)],
			.entry = entry ? entry->id : 0,
			.err = failed ? -EIO : 0,
		};
	}
	if (w->reaped != done)
		signal_fd(w->ready);
	return n;
}

void xr_writer_probe(struct xr_writer *w)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&w->probe_ns, &none, xr_now_ns());
	xr_writer_kick(w);
}

uint64_t xr_writer_oldest_ns(const struct xr_writer *w)
{
	uint64_t probe_ns = atomic_load_explicit(&w->probe_ns, memory_order_acquire);
	uint64_t done = atomic_load_explicit(&w->done, memory_order_acquire);
	uint64_t vote_ns;

	if (done == atomic_load_explicit(&w->head, memory_order_acquire))
		return probe_ns;
	vote_ns = atomic_load_explicit(&w->submitted_ns[SLOT(done)], memory_order_relaxed);
	return probe_ns && probe_ns < vote_ns ? probe_ns : vote_ns;
}

void xr_writer_took(const struct xr_writer *w, uint64_t *writes, uint64_t *write_ns)
{
	*writes = atomic_load_explicit(&w->writes, memory_order_relaxed);
	*write_ns = atomic_load_explicit(&w->write_ns, memory_order_relaxed);
}

int xr_writer_error(const struct xr_writer *w, struct xr_why *why)
{
	int error = atomic_load_explicit(&w->error, memory_order_acquire);

	if (error && why)
		*why = w->why;
	return error;
}

void xr_writer_stop(struct xr_writer *w)
{
	if (!w)
		return;
	atomic_store_explicit(&w->stopping, true, memory_order_release);
	xr_writer_kick(w);
	pthread_join(w->thread, NULL);
	free_writer(w);
}
