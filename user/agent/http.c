// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include "agent/http.h"
#include "lib/status.h"

#define CONNECTIONS_MAX 64
#define IDLE_LIMIT_S	10
#define STACK_BYTES	(512 * 1024)

/*
 * ---- a group ----
 */
static json_t *json_group(const struct xr_agent *a, int id, const char *name)
{
	uint64_t term = 0;
	unsigned int leader = xr_leader(a->handle, id, &term);

	return json_pack("{s:s, s:i, s:o, s:I}", "group", name, "node", a->config.self, "leader",
			 leader ? json_integer(leader) : json_null(), "term", (json_int_t)term);
}

static enum MHD_Result get_leader(struct xr_agent *a, struct MHD_Connection *c, int id,
				  const char *name)
{
	json_t *body = json_group(a, id, name);
	uint64_t token;

	if (!xr_is_leader(a->handle, id, &token))
		return xr_answer_json(c, MHD_HTTP_SERVICE_UNAVAILABLE, body, NULL);
	json_object_set_new(body, "token", json_integer((json_int_t)token));
	return xr_answer_json(c, MHD_HTTP_OK, body, NULL);
}

static enum MHD_Result get_value(struct xr_agent *a, struct MHD_Connection *c, int id,
				 const char *name)
{
	json_t *entry = xr_status_entry(&a->maps, (size_t)id);

	if (!json_is_object(entry)) {
		json_decref(entry);
		return xr_answer_error(c, MHD_HTTP_NOT_FOUND, "nobody ever set a value of it",
				       NULL);
	}
	json_object_set_new(entry, "group", json_string(name));
	json_object_set_new(entry, "node", json_integer(a->config.self));
	return xr_answer_json(c,
			      json_is_string(json_object_get(entry, "value"))
				      ? MHD_HTTP_OK
				      : MHD_HTTP_SERVICE_UNAVAILABLE,
			      entry, NULL);
}

/* Rule 8's deadline, by the clock. */
static bool is_answering(const struct xr_agent *a)
{
	const struct xr_control *control = a->maps.control;

	return xr_before(xr_now_ns(), *(const volatile __u64 *)&control->alive_until_ns) &&
	       xr_status_alive(control);
}

static bool follows(const struct xr_agent *a, int id)
{
	const struct xr_group *g = &a->maps.groups[id];
	uint64_t contact_ns = *(const volatile __u64 *)&g->contact_ns;

	return is_answering(a) && xr_view_read(g).view.mode == XR_FOLLOW &&
	       xr_now_ns() - contact_ns < a->maps.control->max_timeout_us * NS_PER_US;
}

static enum MHD_Result get_follower(struct xr_agent *a, struct MHD_Connection *c, int id,
				    const char *name)
{
	return xr_answer_json(c, follows(a, id) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
			      json_group(a, id, name), NULL);
}

/*
 * ---- the node ----
 */

/* Groups of which this node is a voter and knows no leader. */
static json_int_t count_leaderless(const struct xr_agent *a)
{
	const struct xr_maps *m = &a->maps;
	json_int_t n = 0;

	for (size_t id = 0; id < m->ngroups && id < m->control->groups; id++)
		n += m->groups[id].members >> a->config.self & 1 &&
		     xr_view_read(&m->groups[id]).view.mode == XR_NONE;
	return n;
}

static enum MHD_Result get_health(struct xr_agent *a, struct MHD_Connection *c, int id,
				  const char *name)
{
	bool well = is_answering(a);

	(void)id;
	(void)name;
	return xr_answer_json(c, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
			      json_pack("{s:b}", "answering", well), NULL);
}

static enum MHD_Result get_ready(struct xr_agent *a, struct MHD_Connection *c, int id,
				 const char *name)
{
	bool well = is_answering(a);
	json_int_t leaderless = count_leaderless(a);

	(void)id;
	(void)name;
	return xr_answer_json(c, well && !leaderless ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
			      json_pack("{s:b, s:I}", "answering", well, "leaderless", leaderless),
			      NULL);
}

static enum MHD_Result get_status(struct xr_agent *a, struct MHD_Connection *c, int id,
				  const char *name)
{
	struct xr_why why;
	json_t *status = xr_status_json(&a->maps, &why);

	(void)id;
	(void)name;
	if (!status)
		return xr_answer_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, why.text, NULL);
	return xr_answer_json(c, MHD_HTTP_OK, status, NULL);
}

static enum MHD_Result get_events(struct xr_agent *a, struct MHD_Connection *c, int id,
				  const char *name)
{
	(void)id;
	(void)name;
	return xr_relay_events(a, c);
}

static enum MHD_Result get_metrics(struct xr_agent *a, struct MHD_Connection *c, int id,
				   const char *name)
{
	(void)id;
	(void)name;
	return xr_answer(c, MHD_HTTP_OK, xr_metrics_text(a),
			 "text/plain; version=0.0.4; charset=utf-8", NULL);
}

/*
 * ---- routes ----
 */
static const struct {
	const char *path; /* one that ends with / is followed by a group's name */
	enum MHD_Result (*get)(struct xr_agent *a, struct MHD_Connection *c, int id,
			       const char *name);
} routes[] = {
	{"/leader/", get_leader},   {"/follower/", get_follower}, {"/value/", get_value},
	{"/healthz", get_health},   {"/readyz", get_ready},	  {"/v1/status", get_status},
	{"/v1/events", get_events}, {"/metrics", get_metrics},
};

static enum MHD_Result no_such_path(struct MHD_Connection *c)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		json_array_append_new(paths, json_string(routes[i].path));
	return xr_answer_json(c, MHD_HTTP_NOT_FOUND,
			      json_pack("{s:s, s:o}", "error", "there is no such path; see paths",
					"paths", paths),
			      NULL);
}

static enum MHD_Result route(struct xr_agent *a, struct MHD_Connection *c, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		size_t len = strlen(routes[i].path);
		bool of_group = routes[i].path[len - 1] == '/';
		int id;

		if (strncmp(path, routes[i].path, len) || (!of_group && path[len]))
			continue;
		id = of_group ? xr_group_id(a->handle, path + len) : 0;
		if (id < 0)
			return xr_answer_error(c, MHD_HTTP_NOT_FOUND,
					       "this node has no group of that name; /v1/status "
					       "lists those that it has",
					       NULL);
		return routes[i].get(a, c, id, path + len);
	}
	return no_such_path(c);
}

static enum MHD_Result serve(void *arg, struct MHD_Connection *c, const char *path,
			     const char *method, const char *version, const char *body,
			     size_t *body_size, void **per_request)
{
	(void)version;
	(void)body;
	if (!xr_answer_is_due(body_size, per_request))
		return MHD_YES;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return xr_answer_error(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				       "here one can only look; orders are for the xraft command",
				       "GET, HEAD");
	return route(arg, c, path);
}

/*
 * ---- the socket ----
 */
static int listen_at(const struct xr_peer *at)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(at->port)};
	bool ipv4 = xr_config_is_ipv4(at);
	_cleanup_fd_ int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	memcpy(&v6.sin6_addr, at->ip, sizeof(v6.sin6_addr));
	memcpy(&v4.sin_addr, at->ip + 12, sizeof(v4.sin_addr));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 ||
	    bind(fd, ipv4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		 ipv4 ? sizeof(v4) : sizeof(v6)) ||
	    listen(fd, CONNECTIONS_MAX))
		return -errno;
	return xr_steal_fd(&fd);
}

int xr_http_open(struct xr_agent *a, struct xr_why *why)
{
	const struct xr_peer *at = &a->config.http;
	char text[46];

	a->http_fd = -1;
	if (!at->used)
		return 0;
	a->http_fd = listen_at(at);
	if (a->http_fd >= 0)
		return 0;
	return xr_fail(why, a->http_fd,
		       "cannot listen at %s port %u for HTTP: %s; correct [http] listen",
		       xr_machine_address(at, text), at->port, strerror(-a->http_fd));
}

int xr_http_start(struct xr_agent *a, struct xr_why *why)
{
	if (a->http_fd < 0)
		return 0;
	a->http = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
					   MHD_USE_POLL | MHD_USE_ITC,
				   0, NULL, NULL, serve, a, MHD_OPTION_LISTEN_SOCKET, a->http_fd,
				   MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				   MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_LIMIT_S,
				   MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
				   MHD_OPTION_END);
	if (!a->http)
		return xr_fail(why, -EIO, "HTTP cannot start its thread; raise TasksMax=");
	return 0;
}

void xr_http_stop(struct xr_agent *a)
{
	if (a->http)
		MHD_stop_daemon(a->http); /* and closes the socket */
	a->http = NULL;
}
