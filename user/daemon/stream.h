/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream of events for one client: first what is kept of the past, if it asked for that, then an
 * event "state" for each group, then what happens, as it happens.
 */
#ifndef XRAFT_STREAM_H
#define XRAFT_STREAM_H

#include "daemon/report.h"
#include "nic/maps.h"

struct xr_stream;

/* What a client may ask for; NULL: not. */
struct xr_stream_query {
	const char *from;  /* "oldest": with all that is kept */
	const char *since; /* "EPOCH:SEQ": with what followed that event */
	struct xr_filter filter;
};

/* -ENOENT: there is no group of a name that the filter has; -EINVAL: the query is none; -ENOMEM. */
int xr_stream_open(struct xr_stream **out, struct xr_reporter *reporter, const struct xr_maps *maps,
		   const struct xr_stream_query *query, struct xr_why *why);

/* The next line, newline included; waits as xr_reporter_read() does. 0: nothing yet. */
size_t xr_stream_next(struct xr_stream *s, char *line, size_t size, int timeout_ms);

void xr_stream_close(struct xr_stream *s);

#endif
