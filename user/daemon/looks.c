// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/looks.h"

static json_t *json_time(uint64_t at_ns)
{
	time_t s = (time_t)((xr_wall_ns() - (xr_now_ns() - at_ns)) / NS_PER_S);
	char text[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* What a message holds of another process' names may be no UTF-8. */
static json_t *json_sentence(const struct xr_text *t)
{
	json_t *json = json_string(t->s);

	return json ? json : json_string("?");
}

static json_t *json_look(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
			 const struct xr_look *look)
{
	bool ok = look->state == XR_LOOK_WELL;
	struct xr_text wrong, remedy;
	uint64_t now_ns = xr_now_ns();
	int64_t ago_ns = (int64_t)(now_ns - look->looked_ns);

	xr_look_says(looks, kind, node, look, &wrong, &remedy);
	return json_pack("{s:s, s:o, s:b, s:o, s:I, s:o, s:o}", "name", xr_look_name(kind), "node",
			 node ? json_integer(node) : json_null(), "ok", ok, "since",
			 json_time(look->since_ns), "looked_ms_ago",
			 (json_int_t)(ago_ns > 0 ? ago_ns / (int64_t)NS_PER_MS : 0), "detail",
			 ok ? json_null() : json_sentence(&wrong), "remedy",
			 ok ? json_null() : json_sentence(&remedy));
}

json_t *xr_looks_json(const struct xr_looks *looks)
{
	json_t *list = json_array();
	struct xr_look look;

	for (int kind = 0; kind < XR_LOOK_END; kind++)
		for (uint8_t node = 0; node <= XR_NODE_MAX; node++) {
			xr_look_read(looks, kind, node, &look);
			if (look.state != XR_LOOK_NEVER)
				json_array_append_new(list, json_look(looks, kind, node, &look));
		}
	return list;
}
