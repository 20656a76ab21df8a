// SPDX-License-Identifier: GPL-2.0-only
/* What an update is filled with: messages for others, and reports for people. */
#include "core/internal.h"

struct xr_message *xr_update_send(struct xr_raft *r, struct xr_update *up, uint8_t type,
				  uint8_t node, uint32_t term)
{
	struct xr_message *m = &up->send[up->nsend++];

	*m = (struct xr_message){
		.type = type,
		.node = node,
		.term = term,
		.round = r->round,
		.entry = r->entry, /* rule 23: of those that are durable */
	};
	return m;
}

void xr_update_report(struct xr_update *up, enum xr_raft_report kind, uint32_t term, uint8_t node,
		      const struct xr_why_event *why)
{
	if (up->nreport == XR_REPORT_MAX)
		return;
	up->report[up->nreport].kind = kind;
	up->report[up->nreport].term = term;
	up->report[up->nreport].node = node;
	if (why)
		up->report[up->nreport].why = *why;
	up->nreport++;
}
