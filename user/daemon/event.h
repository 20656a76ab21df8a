/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events as programs read them: JSON, one object a line. events.schema.json says what each member
 * means; whatever is sent here fits it.
 */
#ifndef XRAFT_EVENT_H
#define XRAFT_EVENT_H

#include <jansson.h>
#include "engine/report.h"
#include "nic/maps.h"

#define XR_EVENT_SCHEMA 1
#define XR_EPOCH_SIZE	17 /* 16 hexadecimal digits */

/* Whose events they are. An epoch is one life of an engine: sequence numbers count within it. */
struct xr_origin {
	char cluster[XR_NAME_SIZE];
	unsigned int node;
	char epoch[XR_EPOCH_SIZE];
	const struct xr_maps *_Atomic maps; /* that hold the values; NULL: none are told */
};

void xr_origin_init(struct xr_origin *o, const char *cluster, unsigned int node);

/*
 * Each returns a line without its newline, which the caller frees; NULL: no memory. The value of an
 * entry is told where it is still the newest: else the event of that follows.
 */
char *xr_event_report(const struct xr_origin *o, uint64_t seq, const struct xr_report *r,
		      const char *text, size_t len);

/* The present state of a group, read from the maps: as of event `seq`, or later. */
char *xr_event_state(const struct xr_origin *o, uint64_t seq, const struct xr_maps *m, uint32_t id);

/* `count` events are missing here; 0: nobody knows how many. */
char *xr_event_lost(const struct xr_origin *o, uint64_t seq, uint64_t count, const char *text);

#endif
