/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP as daemon and agent both speak it: answers that nobody may keep, a thread for each connection,
 * and no request with a body.
 */
#ifndef XRAFT_ANSWER_H
#define XRAFT_ANSWER_H

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>

/* Of MHD_start_daemon(). A connection may wait without keeping another one waiting. */
#define XR_HTTP_FLAGS                                                                     \
	(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | \
	 MHD_USE_ITC)

/* Frees `body`. `allow`: the methods that a path has, for a 405; else NULL. */
enum MHD_Result xr_answer(struct MHD_Connection *c, unsigned int code, char *body, const char *type,
			  const char *allow);

/* Takes the reference. */
enum MHD_Result xr_answer_json(struct MHD_Connection *c, unsigned int code, json_t *json,
			       const char *allow);

/* {"error": text} */
enum MHD_Result xr_answer_error(struct MHD_Connection *c, unsigned int code, const char *text,
				const char *allow);

/*
 * libmicrohttpd calls once with the header, again for each piece of a body, and a last time without
 * any. True for that one; a body is passed over.
 */
bool xr_answer_is_due(size_t *body_size, void **per_request);

#endif
