// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "lib/answer.h"
#include "lib/status.h"

enum MHD_Result xr_answer(struct MHD_Connection *c, unsigned int code, char *body, const char *type,
			  const char *allow)
{
	struct MHD_Response *r;
	enum MHD_Result queued;

	if (!body)
		return MHD_NO;
	r = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(body);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (allow)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
	queued = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return queued;
}

enum MHD_Result xr_answer_json(struct MHD_Connection *c, unsigned int code, json_t *json,
			       const char *allow)
{
	char *body = json ? xr_status_dump(json, false) : NULL;

	json_decref(json);
	return xr_answer(c, code, body, "application/json", allow);
}

enum MHD_Result xr_answer_error(struct MHD_Connection *c, unsigned int code, const char *text,
				const char *allow)
{
	return xr_answer_json(c, code, json_pack("{s:s}", "error", text), allow);
}

bool xr_answer_is_due(size_t *body_size, void **per_request)
{
	static char header_seen;

	if (*per_request && !*body_size)
		return true;
	if (*per_request)
		*body_size = 0;
	*per_request = &header_seen;
	return false;
}
