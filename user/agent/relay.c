// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's events for who asks by TCP: what it sends is handed on as it comes. Called in the
 * connection's own thread, so that it may wait.
 */
#include <string.h>
#include "agent/daemon.h"
#include "agent/http.h"

#define WAIT_MS	    200 /* so long a stream takes to notice that its client has left */
#define ANSWER_MS   2000
#define PATH_SIZE   2000
#define MAX_AT_ONCE 32 /* the other half of the connections is for checks that must not wait */

struct relay {
	struct xr_agent *agent;
	CURLM *multi;
	CURL *curl;
	int running; /* transfers: 1 or 0 */
	bool began;  /* the header is there */
	size_t len, sent;
	char data[CURL_MAX_WRITE_SIZE];
};

/* What is not sent on yet has to be, before more is taken. */
static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct relay *r = arg;

	if (r->sent < r->len)
		return CURL_WRITEFUNC_PAUSE;
	memcpy(r->data, data, size * n);
	r->len = size * n;
	r->sent = 0;
	r->began = true;
	return size * n;
}

/* More of it, or nothing after a while. */
static void wait_for_more(struct relay *r, int timeout_ms)
{
	curl_easy_pause(r->curl, CURLPAUSE_CONT);
	curl_multi_perform(r->multi, &r->running);
	if (!r->running || r->sent < r->len)
		return;
	curl_multi_poll(r->multi, NULL, 0, timeout_ms, NULL);
	curl_multi_perform(r->multi, &r->running);
}

static ssize_t relay_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct relay *r = arg;
	size_t n;

	(void)pos;
	if (r->sent == r->len)
		wait_for_more(r, WAIT_MS);
	n = r->len - r->sent < max ? r->len - r->sent : max;
	memcpy(buf, r->data + r->sent, n);
	r->sent += n;
	return n || r->running ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void relay_end(void *arg)
{
	struct relay *r = arg;

	if (r->curl && r->multi)
		curl_multi_remove_handle(r->multi, r->curl);
	curl_easy_cleanup(r->curl);
	curl_multi_cleanup(r->multi);
	atomic_fetch_sub(&r->agent->relays, 1);
	free(r);
}

/* One of the query, as it was written; the daemon judges it. */
static enum MHD_Result add_argument(void *arg, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	char *path = arg, *name = curl_easy_escape(NULL, key, 0);
	char *text = curl_easy_escape(NULL, value ? value : "", 0);
	size_t len = strlen(path);
	bool fits = name && text &&
		    (size_t)snprintf(path + len, PATH_SIZE - len, "%c%s=%s",
				     strchr(path, '?') ? '&' : '?', name, text) < PATH_SIZE - len;

	(void)kind;
	curl_free(name);
	curl_free(text);
	return fits ? MHD_YES : MHD_NO;
}

static bool start(struct relay *r, struct MHD_Connection *c)
{
	uint64_t began_ns = xr_now_ns();
	char path[PATH_SIZE] = "/v1/events";

	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, add_argument, path);
	r->curl = xr_daemon_get(r->agent, path);
	r->multi = curl_multi_init();
	if (!r->curl || !r->multi)
		return false;
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	if (curl_multi_add_handle(r->multi, r->curl))
		return false;
	r->running = 1;
	while (r->running && !r->began && xr_now_ns() - began_ns < ANSWER_MS * NS_PER_MS)
		wait_for_more(r, WAIT_MS);
	return r->began;
}

static enum MHD_Result send_on(struct relay *r, struct MHD_Connection *c)
{
	struct MHD_Response *response;
	enum MHD_Result queued;
	const char *type = NULL;
	long code = 0;

	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(r->curl, CURLINFO_CONTENT_TYPE, &type);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, sizeof(r->data), relay_read,
						     r, relay_end);
	if (!response)
		return MHD_NO;
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* silence is normal */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				type ? type : "application/x-ndjson");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	queued = MHD_queue_response(c, (unsigned int)code, response);
	MHD_destroy_response(response);
	return queued;
}

enum MHD_Result xr_relay_events(struct xr_agent *a, struct MHD_Connection *c)
{
	struct relay *r;

	if (atomic_fetch_add(&a->relays, 1) >= MAX_AT_ONCE) {
		atomic_fetch_sub(&a->relays, 1);
		return xr_answer_error(c, MHD_HTTP_SERVICE_UNAVAILABLE,
				       "this node hands its events to 32 clients already", NULL);
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		atomic_fetch_sub(&a->relays, 1);
		return MHD_NO;
	}
	r->agent = a;
	if (start(r, c))
		return send_on(r, c);
	relay_end(r);
	return xr_answer_error(
		c, MHD_HTTP_SERVICE_UNAVAILABLE,
		"the daemon of this node tells no events: it is stopped, starting or "
		"hung",
		NULL);
}
