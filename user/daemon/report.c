// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports on their way to people. The election thread copies each into a ring of one producer and
 * one consumer and goes on; the reporter's thread makes the sentence, keeps it as a line of JSON
 * for those who watch, and prints it. Only that thread waits for stderr.
 */
#include <jansson.h>
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
#define LINES	     4096 /* of JSON kept */
#define LAST_WAIT_MS 2000 /* for a stderr that nobody reads, when told to stop */
#define POLL_MS	     100
#define STACK_SIZE   (256 * 1024) /* it may be locked in memory */

struct slot {
	struct xr_report report;
	uint64_t lost; /* reports lost before this one, ever */
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

	pthread_mutex_t lock; /* for what follows; the election thread never takes it */
	pthread_cond_t changed;
	char *lines[LINES];
	uint64_t nlines; /* ever; number n is in lines[n % LINES] */
	int readers;	 /* inside xr_reporter_read() */
	bool ended;

	struct slot slots[SLOTS];
};

/*
 * ---- JSON, for those who watch ----
 */

/* A note cut in the middle of a character is no UTF-8: then plain ASCII of it. */
static json_t *json_text(const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	json_t *json = json_stringn(s, len);
	char plain[sizeof(((struct xr_text *)0)->s)];

	if (json)
		return json;
	for (size_t i = 0; i < len; i++)
		plain[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
	return json_stringn(plain, len);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	if (value)
		json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Allocated, without a newline; NULL if memory is short. */
static char *make_json(const struct xr_report *r, const struct xr_text *t)
{
	json_t *object = json_object();
	char *line;

	set_number(object, "at_ns", r->at_ns);
	json_object_set_new(object, "event", json_string(xr_kind_words[r->kind].name));
	if (r->group_name[0])
		json_object_set_new(object, "group",
				    json_text(r->group_name, sizeof(r->group_name)));
	set_number(object, "more", r->more);
	set_number(object, "term", r->term);
	set_number(object, "node", r->node ? r->node : r->cause_node);
	if (r->cause)
		json_object_set_new(object, "cause", json_string(xr_cause_words[r->cause].word));
	set_number(object, "cause_ns", r->cause_ns);
	set_number(object, "took_ns", r->took_ns);
	json_object_set_new(object, "text", json_text(t->s, t->len));
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return line;
}

static void keep_line(struct xr_reporter *p, char *line)
{
	char **place;

	if (!line)
		return;
	pthread_mutex_lock(&p->lock);
	place = &p->lines[p->nlines++ % LINES];
	free(*place);
	*place = line;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* The line at *cursor, which moves behind it; 0 if there is none yet. Under the lock. */
static size_t take_line(struct xr_reporter *p, uint64_t *cursor, char *line, size_t size)
{
	uint64_t oldest = p->nlines > LINES ? p->nlines - LINES : 0;

	if (*cursor > p->nlines)
		*cursor = p->nlines;
	if (*cursor < oldest)
		*cursor = oldest;
	while (*cursor < p->nlines) {
		const char *kept = p->lines[(*cursor)++ % LINES];
		size_t len = strlen(kept);

		if (len + 2 > size)
			continue; /* half a line would be worse than none */
		snprintf(line, size, "%s\n", kept);
		return len + 1;
	}
	return 0;
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

size_t xr_reporter_read(struct xr_reporter *p, uint64_t *cursor, char *line, size_t size,
			int timeout_ms)
{
	struct timespec until;
	size_t len;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ms(&until, timeout_ms > 0 ? timeout_ms : 0);
	pthread_mutex_lock(&p->lock);
	p->readers++;
	while (!(len = take_line(p, cursor, line, size)) && !p->ended && !err && timeout_ms > 0)
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

void xr_say(const char *name, int level, const char *fmt, ...)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	struct xr_text line;
	char s[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	make_line(&line, stderr_is_journal(), name, level, xr_now_ns(), s);
	if (poll(&fd, 1, 0) > 0 && write(STDERR_FILENO, line.s, line.len) < 0)
		return; /* there is nobody left to tell */
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
static void hand_out(struct xr_reporter *p, const struct xr_report *r)
{
	struct xr_text t;

	xr_words_report(&t, r);
	keep_line(p, make_json(r, &t));
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
	hand_out(p, &r);
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
		hand_out(p, &slot.report);
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

static void release(struct xr_reporter *p)
{
	for (int i = 0; i < LINES; i++)
		free(p->lines[i]);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	xr_close_fd(&p->wake_fd);
	free(p);
}

int xr_reporter_start(struct xr_reporter **out, const char *name, struct xr_why *why)
{
	struct xr_reporter *p = aligned_alloc(_Alignof(struct xr_reporter), sizeof(*p));
	pthread_condattr_t monotonic;
	int err;

	if (!p)
		return xr_fail(why, -ENOMEM, "no memory for the reporter; free some");
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
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
