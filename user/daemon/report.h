/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened and why, from the election thread to people. The election thread puts fixed-size
 * reports into a ring that never blocks; a thread of normal priority turns each into a log line
 * on stderr and a JSON line for `xraft watch`.
 */
#ifndef XRAFT_REPORT_H
#define XRAFT_REPORT_H

#include "engine/report.h"

#define XR_REPORT_LINE_MAX 3072 /* no JSON line is longer, newline and NUL included */

struct xr_reporter;

/*
 * One line on stderr at once, in the reporter's form: for a process that has none. Where stderr
 * takes nothing at this moment the line is lost: nobody waits for it.
 */
__attribute__((format(printf, 3, 4))) void xr_say(const char *name, int level, const char *fmt,
						  ...);

/* Starts the thread. `name` stands before each line ("demo.1"). stderr gets lines with a syslog
 * level prefix <N> only when it is the journal ($JOURNAL_STREAM), a time of day otherwise. */
int xr_reporter_start(struct xr_reporter **out, const char *name, struct xr_why *why);

/* From one thread only; never blocks, allocates or locks. A full ring counts a loss, which is
 * reported once there is room. */
void xr_report(struct xr_reporter *r, const struct xr_report *report);

/*
 * Prints and hands out all that was put in, wakes the readers, then ends the thread and frees `r`:
 * nobody may enter xr_reporter_read() any more. A stderr that takes nothing is given two
 * seconds.
 */
void xr_reporter_stop(struct xr_reporter *r);

/*
 * Read the JSON lines that the reporter keeps (the last 4096). `*cursor` is the next line's
 * number; 0 at first begins with the oldest kept, UINT64_MAX with the next to come. Waits until
 * there is a line or `timeout_ms` has passed. Returns the length of the line, newline included,
 * or 0. A line that does not fit is skipped; XR_REPORT_LINE_MAX is enough for all. Callable from
 * any thread of normal priority.
 */
size_t xr_reporter_read(struct xr_reporter *r, uint64_t *cursor, char *line, size_t size,
			int timeout_ms);

#endif
