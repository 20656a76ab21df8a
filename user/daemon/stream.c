// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "daemon/stream.h"

enum phase { LOST, PAST, STATE, LIVE };

struct xr_stream {
	struct xr_reporter *reporter;
	const struct xr_maps *maps;
	struct xr_filter filter;
	enum phase phase;
	uint64_t cursor;
	size_t next; /* group of which to tell the state */
};

/* "EPOCH:SEQ". Another life's numbers say nothing of this one. */
static int read_since(struct xr_stream *s, const char *since, struct xr_why *why)
{
	const char *epoch = xr_reporter_origin(s->reporter)->epoch, *colon = strchr(since, ':');
	char *end = NULL;
	uint64_t seq = colon ? strtoull(colon + 1, &end, 10) : 0;

	if (!colon || colon == since || end == colon + 1 || *end || seq >= XR_FROM_OLDEST)
		return xr_fail(why, -EINVAL,
			       "since=%.40s: write EPOCH:SEQ, as the last event had them", since);
	s->cursor = seq;
	if ((size_t)(colon - since) == strlen(epoch) && !strncmp(since, epoch, strlen(epoch)))
		return 0;
	s->cursor = XR_FROM_OLDEST;
	s->phase = LOST;
	return 0;
}

static void name_groups(const struct xr_stream *s, int by)
{
	_Atomic uint8_t *named = xr_reporter_named(s->reporter);

	for (size_t i = 0; i < s->filter.n; i++)
		named[s->filter.groups[i].id] += (uint8_t)by;
}

static int set_up(struct xr_stream *s, const struct xr_stream_query *q, struct xr_why *why)
{
	if (q->from && strcmp(q->from, "oldest"))
		return xr_fail(why, -EINVAL,
			       "from can only be \"oldest\"; leave it out for what comes next");
	if (q->from && q->since)
		return xr_fail(why, -EINVAL, "from and since exclude each other");
	s->phase = PAST;
	s->cursor = q->from ? XR_FROM_OLDEST : XR_FROM_NOW;
	s->filter = q->filter;
	for (size_t i = 0; i < s->filter.n; i++) {
		size_t id = xr_maps_group(s->maps, s->filter.groups[i].name);

		if (id == s->maps->ngroups)
			return xr_fail(why, -ENOENT,
				       "there is no group %.15s; xraft status lists them",
				       s->filter.groups[i].name);
		s->filter.groups[i].id = (uint32_t)id;
	}
	return q->since ? read_since(s, q->since, why) : 0;
}

int xr_stream_open(struct xr_stream **out, struct xr_reporter *reporter, const struct xr_maps *maps,
		   const struct xr_stream_query *query, struct xr_why *why)
{
	struct xr_stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return xr_fail(why, -ENOMEM, "no memory for a stream of events");
	s->reporter = reporter;
	s->maps = maps;
	err = set_up(s, query, why);
	if (err) {
		free(s);
		return err;
	}
	name_groups(s, 1);
	*out = s;
	return 0;
}

void xr_stream_close(struct xr_stream *s)
{
	name_groups(s, -1);
	free(s);
}

static size_t hand_on(char *text, char *line, size_t size)
{
	size_t len = text ? strlen(text) : size;

	if (len + 2 <= size)
		snprintf(line, size, "%s\n", text);
	free(text);
	return len + 2 <= size ? len + 1 : 0;
}

static size_t tell_restart(struct xr_stream *s, char *line, size_t size)
{
	s->phase = PAST;
	return hand_on(
		xr_event_lost(xr_reporter_origin(s->reporter), 0, 0,
			      "the engine has been restarted since: what followed then is lost"),
		line, size);
}

static bool is_named(const struct xr_filter *f, uint32_t id)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->groups[i].id == id)
			return true;
	return !f->n;
}

static size_t tell_state(struct xr_stream *s, char *line, size_t size)
{
	while (s->next < s->maps->ngroups) {
		uint32_t id = (uint32_t)s->next++;
		size_t len = 0;

		if (s->maps->groups[id].members && is_named(&s->filter, id))
			len = hand_on(xr_event_state(xr_reporter_origin(s->reporter), s->cursor,
						     s->maps, id),
				      line, size);
		if (len)
			return len;
	}
	s->phase = LIVE;
	return 0;
}

size_t xr_stream_next(struct xr_stream *s, char *line, size_t size, int timeout_ms)
{
	size_t len = 0;

	if (s->phase == LOST)
		return tell_restart(s, line, size);
	if (s->phase == PAST) {
		len = xr_reporter_read(s->reporter, &s->cursor, &s->filter, line, size, 0);
		s->phase = len ? PAST : STATE;
	}
	if (!len && s->phase == STATE)
		len = tell_state(s, line, size);
	if (!len && s->phase == LIVE)
		len = xr_reporter_read(s->reporter, &s->cursor, &s->filter, line, size, timeout_ms);
	return len;
}
