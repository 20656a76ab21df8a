/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened and why, from the election thread to people. The election thread puts fixed-size
 * reports into a ring that never blocks; a thread of normal priority turns each into a log line
 * on stderr and a JSON line for `xraft watch`.
 */
#ifndef XRAFT_REPORT_H
#define XRAFT_REPORT_H

#include "daemon/event.h"

#define XR_REPORT_LINE_MAX 3072 /* no JSON line is longer, newline and NUL included */

struct xr_reporter;

/*
 * One line on stderr at once, in the reporter's form: for a process that has none. Where stderr
 * takes nothing at this moment the line is lost: nobody waits for it.
 */
__attribute__((format(printf, 3, 4))) void xr_say(const char *name, int level, const char *fmt,
						  ...);

/* "PROGRAM: what is wrong", as a command says it at its end; bounded likewise. */
void xr_last_words(const char *program, const struct xr_why *why);

/* Starts the thread. "CLUSTER.NODE" stands before each line. stderr gets lines with a syslog
 * level prefix <N> only when it is the journal ($JOURNAL_STREAM), a time of day otherwise. */
int xr_reporter_start(struct xr_reporter **out, const char *cluster, unsigned int node,
		      struct xr_why *why);

/* From one thread only; never blocks, allocates or locks. A full ring counts a loss, which is
 * reported once there is room. */
void xr_report(struct xr_reporter *r, const struct xr_report *report);

/*
 * Prints and hands out all that was put in, wakes the readers, then ends the thread and frees `r`:
 * nobody may enter xr_reporter_read() any more. A stderr that takes nothing is given two
 * seconds.
 */
void xr_reporter_stop(struct xr_reporter *r);

/* Groups of which somebody wants to hear; n 0: of all, and of the node itself. */
#define XR_FILTER_MAX 64
struct xr_filter {
	size_t n;
	struct {
		char name[XR_NAME_SIZE];
		uint32_t id;
	} groups[XR_FILTER_MAX];
};

#define XR_FROM_NOW    UINT64_MAX
#define XR_FROM_OLDEST (UINT64_MAX - 1)

/*
 * Read the lines of JSON that the reporter keeps (the last 4096). `*cursor` is the sequence number
 * of the last line that was read, or one of the above. Where lines behind it are no longer kept, the
 * next one is an event "lost". Waits until there is a line that the filter (NULL: all) wants, or
 * `timeout_ms` has passed. Returns the length of the line, newline included, or 0. A line that does
 * not fit is skipped; XR_REPORT_LINE_MAX is enough for all. Callable from any thread of normal
 * priority.
 */
size_t xr_reporter_read(struct xr_reporter *r, uint64_t *cursor, const struct xr_filter *f,
			char *line, size_t size, int timeout_ms);

const struct xr_origin *xr_reporter_origin(const struct xr_reporter *r);

/* From here on values are told with what is committed; the maps outlive the reporter. */
void xr_reporter_values(struct xr_reporter *r, const struct xr_maps *maps);

/*
 * [XR_GROUPS_MAX] By group id, how many filters name it: the engine then tells of that group one by
 * one. Any thread counts up and down.
 */
_Atomic uint8_t *xr_reporter_named(struct xr_reporter *r);

#endif
