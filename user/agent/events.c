// SPDX-License-Identifier: GPL-2.0-only
/*
 * libcurl blocks, so a thread of its own reads the stream, and hands each line to the loop by a
 * pipe. A loop that is late makes this thread wait, and nobody else: the daemon drops what a slow
 * reader leaves.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include "agent/daemon.h"
#include "common/thread.h"

#define STACK_BYTES (1 << 20)
#define DEAF_AFTER  100 /* attempts in a row that brought nothing */
#define AGAIN_MS    50	/* after the end of a stream, that of an engine which died */

struct xr_events {
	struct xr_agent *agent;
	xr_event_fn on_event;
	int pipe[2];
	pthread_t thread;
	char line[2 * XR_REPORT_LINE_MAX]; /* the loop's: what has come of a line, or several */
	size_t len;
};

/*
 * ---- the thread ----
 */
static bool hand_over(const struct xr_events *e, const char *data, size_t n)
{
	while (n) {
		ssize_t done = write(e->pipe[1], data, n);

		if (done < 0 && errno != EINTR)
			return false;
		if (done > 0) {
			data += done;
			n -= (size_t)done;
		}
	}
	return true;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	return hand_over(arg, data, size * n) ? size * n : 0;
}

/* True if there was one. */
static bool read_stream(struct xr_events *e)
{
	CURL *curl = xr_daemon_get(e->agent, "/v1/events?from=oldest");
	long code = 0;

	if (!curl)
		return false;
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
	curl_easy_perform(curl); /* however it ends, it begins anew */
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(curl);
	return code == 200;
}

static void *run(void *arg)
{
	struct xr_events *e = arg;
	unsigned int failures = 0;

	for (;;) {
		failures = read_stream(e) ? 0 : failures + 1;
		if (failures == DEAF_AFTER)
			xr_say(e->agent->name, 4,
			       "no events come from %s: the agent looks ten times a second, and "
			       "counts no elections; is [agent] user of a group that may read it?",
			       e->agent->config.socket);
		/* Ends half a line; the empty one says that something may have been missed. */
		hand_over(e, "\n\n", 2);
		poll(NULL, 0, AGAIN_MS);
	}
	return NULL;
}

/*
 * ---- the loop ----
 */
static void take_lines(struct xr_events *e)
{
	char *line = e->line, *end;

	while ((end = memchr(line, '\n', e->len - (size_t)(line - e->line)))) {
		*end = '\0';
		e->on_event(e->agent, *line ? line : NULL);
		line = end + 1;
	}
	e->len -= (size_t)(line - e->line);
	memmove(e->line, line, e->len);
	if (e->len == sizeof(e->line))
		e->len = 0; /* no line of the daemon is so long */
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct xr_events *e = arg;
	ssize_t n = read(fd, e->line + e->len, sizeof(e->line) - e->len);

	(void)source;
	(void)events;
	if (n <= 0)
		return 0;
	e->len += (size_t)n;
	take_lines(e);
	return 0;
}

int xr_events_start(struct xr_agent *a, xr_event_fn on_event, struct xr_why *why)
{
	struct xr_events *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return xr_fail(why, -ENOMEM, "no memory");
	a->events = e;
	e->agent = a;
	e->on_event = on_event;
	if (pipe2(e->pipe, O_CLOEXEC))
		return xr_fail(why, -errno, "cannot make a pipe: %m");
	fcntl(e->pipe[0], F_SETFL, O_NONBLOCK);
	err = sd_event_add_io(a->loop, NULL, e->pipe[0], EPOLLIN, on_readable, e);
	if (!err)
		err = -xr_thread_start(&e->thread, "events", 0, STACK_BYTES, run, e);
	return err ? xr_fail(why, err, "cannot read events: %s", strerror(-err)) : 0;
}
