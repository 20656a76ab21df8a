// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports on their way to people. The election thread copies each into a ring of one producer and
 * one consumer and goes on; the reporter's thread makes the sentence, keeps it as a line of JSON
 * for those who watch, and prints it. Only that thread waits for stderr.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include "common/thread.h"
#include "daemon/report.h"
#include "engine/words.h"

#define SLOTS	     4096 /* reports on their way */
#define LINES	     4096 /* kept */
#define LAST_WAIT_MS 2000 /* for a stderr that nobody reads, when told to stop */
#define POLL_MS	     100
#define STACK_SIZE   (256 * 1024) /* it may be locked in memory */

struct slot {
	struct xr_report report;
	uint64_t lost; /* reports lost before this one, ever */
};

/* Of JSON, kept. */
struct line {
	char *text;
	char group[XR_NAME_SIZE]; /* that it is about; "": of the node, or of several groups */
	bool to_all;		  /* also to those who named groups */
};

struct xr_reporter {
	/* the producer's */
	_Alignas(64) _Atomic uint64_t head; /* reports put in, ever */
	_Atomic uint64_t lost;		    /* reports that found the ring full, ever */
	/* the consumer's */
	_Alignas(64) _Atomic uint64_t tail; /* reports taken out, ever */
	uint64_t lost_told;
	int waited_ms; /* for stderr, since told to stop */
	/* everyone's */
	_Alignas(64) _Atomic bool stopping;
	int wake_fd;
	pthread_t thread;
	char name[40];
	bool journal; /* stderr is the journal */
	struct xr_origin origin;
	_Atomic uint8_t named[XR_GROUPS_MAX]; /* by group id: how many filters name it */

	pthread_mutex_t lock; /* for what follows; the election thread never takes it */
	pthread_cond_t changed;
	struct line lines[LINES];
	uint64_t nlines; /* ever; number n, from 1, is in lines[(n - 1) % LINES] */
	int readers;	 /* inside xr_reporter_read() */
	bool ended;

	struct slot slots[SLOTS];
};

/*
 * ---- lines, for those who watch ----
 */
static void keep_line(struct xr_reporter *p, struct line line)
{
	struct line *place;

	if (!line.text)
		return;
	pthread_mutex_lock(&p->lock);
	place = &p->lines[p->nlines++ % LINES];
	free(place->text);
	*place = line;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static bool is_wanted(const struct line *l, const struct xr_filter *f)
{
	if (!f || !f->n || l->to_all)
		return true;
	for (size_t i = 0; l->group[0] && i < f->n; i++)
		if (!strncmp(l->group, f->groups[i].name, sizeof(l->group)))
			return true;
	return false;
}

/* The cursor points to what is no longer kept: move it, and say so. */
static char *tell_gap(const struct xr_reporter *p, uint64_t *cursor, uint64_t oldest)
{
	uint64_t count = oldest - *cursor;
	char text[80];

	snprintf(text, sizeof(text), "%llu events are no longer kept", (unsigned long long)count);
	*cursor = oldest;
	return xr_event_lost(&p->origin, oldest, count, text);
}

static size_t copy_line(char *line, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len + 2 > size)
		return 0; /* half a line would be worse than none */
	snprintf(line, size, "%s\n", text);
	return len + 1;
}

/* The next line behind *cursor that is wanted; 0 if there is none yet. Under the lock. */
static size_t take_line(struct xr_reporter *p, uint64_t *cursor, const struct xr_filter *f,
			char *line, size_t size)
{
	uint64_t oldest = p->nlines > LINES ? p->nlines - LINES : 0;
	size_t len = 0;

	if (*cursor == XR_FROM_OLDEST)
		*cursor = oldest;
	if (*cursor > p->nlines)
		*cursor = p->nlines;
	if (*cursor < oldest) {
		_cleanup_free_ char *gap = tell_gap(p, cursor, oldest);

		len = gap ? copy_line(line, size, gap) : 0;
	}
	while (!len && *cursor < p->nlines) {
		const struct line *kept = &p->lines[(*cursor)++ % LINES];

		if (is_wanted(kept, f))
			len = copy_line(line, size, kept->text);
	}
	return len;
}

static void add_ms(struct timespec *t, int ms)
{
	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * (long)NS_PER_MS;
	if (t->tv_nsec >= (long)NS_PER_S) {
		t->tv_sec++;
		t->tv_nsec -= (long)NS_PER_S;
	}
}

size_t xr_reporter_read(struct xr_reporter *p, uint64_t *cursor, const struct xr_filter *f,
			char *line, size_t size, int timeout_ms)
{
	struct timespec until;
	size_t len;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, timeout_ms > 0 ? timeout_ms : 0);
	pthread_mutex_lock(&p->lock);
	p->readers++;
	while (!(len = take_line(p, cursor, f, line, size)) && !p->ended && !err && timeout_ms > 0)
		err = pthread_cond_timedwait(&p->changed, &p->lock, &until);
	p->readers--;
	if (p->ended)
		pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return len;
}

/*
 * ---- stderr, for people ----
 */

/* systemd names the journal's stream; anything may have been put in its place since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

static void add_time_of_day(struct xr_text *t, uint64_t at_ns)
{
	struct timespec now;
	uint64_t wall_ns;
	struct tm tm;
	time_t s;

	clock_gettime(CLOCK_REALTIME, &now);
	wall_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	wall_ns -= xr_now_ns() - at_ns;
	s = (time_t)(wall_ns / NS_PER_S);
	localtime_r(&s, &tm);
	xr_text_add(t, "%02d:%02d:%02d.%06u ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		    (unsigned int)(wall_ns % NS_PER_S / NS_PER_US));
}

/* Wait until stderr takes a line: for ever, but once told to stop not much longer. */
static bool wait_for_stderr(struct xr_reporter *p)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	while (p->waited_ms < LAST_WAIT_MS) {
		int ready = poll(&fd, 1, POLL_MS);

		if (ready > 0)
			return fd.revents & POLLOUT;
		if (ready < 0 && errno != EINTR)
			return false;
		if (atomic_load(&p->stopping))
			p->waited_ms += POLL_MS;
	}
	return false;
}

static void make_line(struct xr_text *line, bool journal, const char *name, int level,
		      uint64_t at_ns, const char *s)
{
	*line = (struct xr_text){0};
	if (journal)
		xr_text_add(line, "<%d>", level);
	else
		add_time_of_day(line, at_ns);
	xr_text_add(line, "%s: %s", name, s);
	if (line->len > sizeof(line->s) - 2)
		line->len = sizeof(line->s) - 2;
	line->s[line->len++] = '\n';
}

static void print_at_once(const struct xr_text *line)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&fd, 1, 0) > 0 && write(STDERR_FILENO, line->s, line->len) < 0)
		return; /* there is nobody left to tell */
}

void xr_last_words(const char *program, const struct xr_why *why)
{
	struct xr_text line = {0};

	if (stderr_is_journal())
		xr_text_add(&line, "<3>");
	xr_text_add(&line, "%s: %s\n", program, why->text);
	print_at_once(&line);
}

void xr_say(const char *name, int level, const char *fmt, ...)
{
	struct xr_text line;
	char s[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	make_line(&line, stderr_is_journal(), name, level, xr_now_ns(), s);
	print_at_once(&line);
}

static void print_line(struct xr_reporter *p, const struct xr_report *r, const struct xr_text *t)
{
	struct xr_text line;
	const char *s = line.s;

	make_line(&line, p->journal, p->name, xr_kind_words[r->kind].level, r->at_ns, t->s);
	while (line.len) {
		ssize_t n;

		if (!wait_for_stderr(p))
			return;
		n = write(STDERR_FILENO, s, line.len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n > 0) {
			s += n;
			line.len -= (size_t)n;
		}
	}
}

/*
 * ---- the thread ----
 */

/* First to those who watch: they need not wait for stderr. */
static void hand_out(struct xr_reporter *p, const struct xr_report *r, bool to_all)
{
	struct line line = {.to_all = to_all};
	struct xr_text t;

	xr_words_report(&t, r);
	line.text = xr_event_report(&p->origin, p->nlines + 1, r, t.s, t.len);
	if (!r->more)
		memcpy(line.group, r->group_name, sizeof(line.group));
	keep_line(p, line);
	print_line(p, r, &t);
}

/* `lost`: how many had been lost, ever, at this place in the order of the reports. */
static void tell_lost(struct xr_reporter *p, uint64_t lost)
{
	struct xr_report r = {.at_ns = xr_now_ns(), .kind = XR_REPORT_warning};

	if (lost == p->lost_told)
		return;
	snprintf(r.note, sizeof(r.note),
		 "%llu reports were lost here: they came faster than they could be printed",
		 (unsigned long long)(lost - p->lost_told));
	p->lost_told = lost;
	hand_out(p, &r, true);
}

/* Everything in the ring. The counter is read before `head`: what it counts came earlier. */
static void drain(struct xr_reporter *p)
{
	uint64_t tail = atomic_load_explicit(&p->tail, memory_order_relaxed);

	for (;;) {
		uint64_t lost = atomic_load_explicit(&p->lost, memory_order_acquire);
		struct slot slot;

		if (tail == atomic_load_explicit(&p->head, memory_order_acquire)) {
			tell_lost(p, lost);
			return;
		}
		slot = p->slots[tail % SLOTS];
		atomic_store_explicit(&p->tail, ++tail, memory_order_release);
		tell_lost(p, slot.lost);
		hand_out(p, &slot.report, false);
	}
}

static void *run(void *arg)
{
	struct xr_reporter *p = arg;
	eventfd_t count;

	for (;;) {
		bool last = atomic_load(&p->stopping);

		drain(p);
		if (last)
			return NULL;
		eventfd_read(p->wake_fd, &count);
	}
}

/* The election thread is here: copy, publish, wake, go on. (The eventfd is full after 2^64 - 2.) */
void xr_report(struct xr_reporter *p, const struct xr_report *report)
{
	uint64_t head = atomic_load_explicit(&p->head, memory_order_relaxed);
	uint64_t lost = atomic_load_explicit(&p->lost, memory_order_relaxed);
	struct slot *slot = &p->slots[head % SLOTS];

	if (head - atomic_load_explicit(&p->tail, memory_order_acquire) == SLOTS) {
		atomic_store_explicit(&p->lost, lost + 1, memory_order_release);
		return;
	}
	slot->report = *report;
	slot->lost = lost;
	if (slot->report.kind >= XR_REPORT_END)
		slot->report.kind = XR_REPORT_error;
	if (slot->report.cause >= XR_CAUSE_END)
		slot->report.cause = XR_CAUSE_NONE;
	if (!slot->report.at_ns)
		slot->report.at_ns = xr_now_ns();
	atomic_store_explicit(&p->head, head + 1, memory_order_release);
	eventfd_write(p->wake_fd, 1);
}

void xr_reporter_values(struct xr_reporter *p, const struct xr_maps *maps)
{
	p->origin.maps = maps;
}

const struct xr_origin *xr_reporter_origin(const struct xr_reporter *p)
{
	return &p->origin;
}

_Atomic uint8_t *xr_reporter_named(struct xr_reporter *p)
{
	return p->named;
}

static void release(struct xr_reporter *p)
{
	for (int i = 0; i < LINES; i++)
		free(p->lines[i].text);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	xr_close_fd(&p->wake_fd);
	free(p);
}

int xr_reporter_start(struct xr_reporter **out, const char *cluster, unsigned int node,
		      struct xr_why *why)
{
	struct xr_reporter *p = aligned_alloc(_Alignof(struct xr_reporter), sizeof(*p));
	pthread_condattr_t monotonic;
	int err;

	if (!p)
		return xr_fail(why, -ENOMEM, "no memory for the reporter; free some");
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s.%u", cluster, node);
	xr_origin_init(&p->origin, cluster, node);
	p->journal = stderr_is_journal();
	tzset();
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	p->wake_fd = eventfd(0, EFD_CLOEXEC);
	err = p->wake_fd < 0 ? errno
			     : xr_thread_start(&p->thread, "xraft-report", 0, STACK_SIZE, run, p);
	if (err) {
		release(p);
		errno = err;
		return xr_fail(why, -err,
			       "the reporter's thread cannot start (%m); raise its limits");
	}
	*out = p;
	return 0;
}

void xr_reporter_stop(struct xr_reporter *p)
{
	atomic_store(&p->stopping, true);
	eventfd_write(p->wake_fd, 1);
	pthread_join(p->thread, NULL);
	pthread_mutex_lock(&p->lock);
	p->ended = true;
	pthread_cond_broadcast(&p->changed);
	while (p->readers)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	release(p);
}
