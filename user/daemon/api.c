// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/thread.h"
#include "daemon/api.h"
#include "daemon/looks.h"
#include "daemon/peers.h"
#include "daemon/setter.h"
#include "daemon/stream.h"
#include "lib/answer.h"
#include "lib/status.h"

#define CONNECTIONS_MAX	   32
#define IDLE_LIMIT_S	   30
#define LINE_MAX_BYTES	   8192
#define TELL_WAIT_NS	   (500 * NS_PER_MS) /* so long a peer may take to tell */
#define EVENT_WAIT_MS	   200		/* so long a stream takes to notice that it should end */
#define THREAD_STACK_BYTES (512 * 1024) /* small: the daemon locks its memory */

struct xr_api {
	struct MHD_Daemon *http;
	struct xr_api_world world;
	atomic_bool stopping;
	atomic_int streams; /* of events, open */
	uid_t owner;	    /* who started it */
	int listen_fd;	    /* until http owns it */
	struct sockaddr_un address;
	gid_t readers;
	dev_t dev; /* the socket file, to remove ours only */
	ino_t ino;
};

/*
 * ---- answers ----
 */
static unsigned int code_of(int err)
{
	switch (err) {
	case -ENOENT:
		return MHD_HTTP_NOT_FOUND;
	case -EINVAL:
		return MHD_HTTP_BAD_REQUEST;
	case -ETIMEDOUT:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_CONFLICT;
	}
}

static enum MHD_Result get_status(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_why why;
	json_t *status = xr_status_json(api->world.maps, &why);

	if (!status)
		return xr_answer_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, why.text, NULL);
	json_object_set_new(status, "looks", xr_looks_json(api->world.looks));
	return xr_answer_json(c, MHD_HTTP_OK, status, NULL);
}

/* Also who says so: pins that somebody reads may be another's. */
static enum MHD_Result get_looks(struct xr_api *api, struct MHD_Connection *c)
{
	const struct xr_maps *m = api->world.maps;
	json_t *said = json_pack("{s:i, s:i, s:i, s:o}", "node", m->control->self, "pid",
				 (int)getpid(), "paused", (int)xr_status_pauses(m), "looks",
				 xr_looks_json(api->world.looks));
	uint64_t writes, write_ns;

	if (api->world.writer) {
		xr_writer_took(api->world.writer, &writes, &write_ns);
		json_object_set_new(said, "journal",
				    json_pack("{s:I, s:I}", "writes", (json_int_t)writes,
					      "write_ns", (json_int_t)write_ns));
	}
	return xr_answer_json(c, MHD_HTTP_OK, said, NULL);
}

/*
 * ---- a stream of events ----
 */
struct client {
	struct xr_api *api;
	struct xr_stream *stream;
	size_t len, sent; /* of `line` */
	char line[LINE_MAX_BYTES];
};

/*
 * Called in the connection's own thread, so that it may wait. 0: nothing yet, ask again; between
 * two calls libmicrohttpd notices a client that has left.
 */
static ssize_t client_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct client *s = arg;
	size_t n;

	(void)pos;
	if (s->sent == s->len) {
		s->sent = s->len = 0;
		if (atomic_load(&s->api->stopping))
			return MHD_CONTENT_READER_END_OF_STREAM;
		s->len = xr_stream_next(s->stream, s->line, sizeof(s->line), EVENT_WAIT_MS);
	}
	n = s->len - s->sent < max ? s->len - s->sent : max;
	memcpy(buf, s->line + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void client_end(void *arg)
{
	struct client *s = arg;

	atomic_fetch_sub(&s->api->streams, 1);
	xr_stream_close(s->stream);
	free(s);
}

/* Each group=NAME. Too many, or too long a name, is none that there is. */
static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *key,
				     const char *value)
{
	struct xr_stream_query *q = arg;
	struct xr_filter *f = &q->filter;

	(void)kind;
	if (!strcmp(key, "from"))
		q->from = value ? value : "";
	if (!strcmp(key, "since"))
		q->since = value ? value : "";
	if (strcmp(key, "group"))
		return MHD_YES;
	if (!value || strlen(value) >= sizeof(f->groups[0].name) || f->n == XR_FILTER_MAX) {
		f->n = XR_FILTER_MAX + 1;
		return MHD_NO;
	}
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->groups[i].name, value))
			return MHD_YES;
	snprintf(f->groups[f->n++].name, sizeof(f->groups[0].name), "%s", value);
	return MHD_YES;
}

static enum MHD_Result get_events(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_stream_query query = {0};
	struct MHD_Response *r;
	enum MHD_Result queued;
	struct xr_why why = {""};
	struct client *s;
	int err;

	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, take_argument, &query);
	if (query.filter.n > XR_FILTER_MAX)
		return xr_answer_error(c, MHD_HTTP_BAD_REQUEST,
				       "group=NAME takes the name of a group, at most 64 times",
				       NULL);
	s = calloc(1, sizeof(*s));
	if (!s)
		return MHD_NO;
	s->api = api;
	err = xr_stream_open(&s->stream, api->world.reporter, api->world.maps, &query, &why);
	if (err) {
		free(s);
		return xr_answer_error(c, code_of(err), why.text, NULL);
	}
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* silence is normal */
	atomic_fetch_add(&api->streams, 1);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LINE_MAX_BYTES, client_read, s,
					      client_end);
	if (!r) {
		client_end(s);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	queued = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return queued;
}

/*
 * ---- orders ----
 */
static bool read_order(struct MHD_Connection *c, struct xr_order *order)
{
	const char *group = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "group");
	const char *to = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "to");

	*order = (struct xr_order){0};
	if ((group && strlen(group) >= sizeof(order->group)) ||
	    (to && (!group || strlen(to) != 1 || to[0] < '1' || to[0] > '9')))
		return false;
	if (group)
		snprintf(order->group, sizeof(order->group), "%s", group);
	if (to)
		order->heir = to[0] - '0';
	return true;
}

/* The socket's file lets in root, the engine's user and those that may read. `uid`: who it is. */
static bool may_order(const struct xr_api *api, struct MHD_Connection *c, uid_t *uid)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred who;
	socklen_t size = sizeof(who);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return false;
	*uid = who.uid;
	return who.uid == 0 || who.uid == api->owner;
}

static enum MHD_Result answer_no_right(struct MHD_Connection *c)
{
	return xr_answer_error(c, MHD_HTTP_FORBIDDEN,
			       "orders are root's, and reading is the group's; run xraft as root",
			       NULL);
}

/* The order that comes with `kind`, carried out. False: it was not, and that is answered. */
static bool carry_out(struct xr_api *api, struct MHD_Connection *c, enum xr_order_kind kind,
		      struct xr_order_result *result, enum MHD_Result *answered)
{
	struct xr_order order;
	uid_t uid;
	int err;

	snprintf(result->why.text, sizeof(result->why.text), "the election thread does not turn");
	if (!may_order(api, c, &uid)) {
		*answered = answer_no_right(c);
		return false;
	}
	if (!read_order(c, &order) || (order.heir && kind != XR_ORDER_STEP_DOWN)) {
		*answered = xr_answer_error(
			c, MHD_HTTP_BAD_REQUEST,
			kind == XR_ORDER_STEP_DOWN
				? "give group=NAME, and perhaps to=NODE (1 to 9); or nothing, "
				  "for all groups"
				: "give group=NAME; or nothing, for all groups",
			NULL);
		return false;
	}
	order.kind = kind;
	order.at_s = (uint32_t)(xr_wall_ns() / NS_PER_S);
	snprintf(order.who, sizeof(order.who), "%s%.0u", uid ? "user " : "root", uid);
	err = api->world.orders ? xr_orders_ask(api->world.orders, &order, result) : -ETIMEDOUT;
	if (!err)
		err = result->err;
	if (err)
		*answered = xr_answer_error(c, code_of(err), result->why.text, NULL);
	return !err;
}

static enum MHD_Result post_step_down(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_order_result result = {0};
	enum MHD_Result answered;
	json_t *done;

	if (!carry_out(api, c, XR_ORDER_STEP_DOWN, &result, &answered))
		return answered;
	done = json_pack("{s:i, s:i}", "groups", (int)result.groups, "term", (int)result.term);
	return xr_answer_json(c, MHD_HTTP_OK, done, NULL);
}

/* On its way to the disk by now; the maps tell when it is there. */
static enum MHD_Result post_stand(struct xr_api *api, struct MHD_Connection *c,
				  enum xr_order_kind kind)
{
	struct xr_order_result result = {0};
	enum MHD_Result answered;
	json_t *done;

	if (!carry_out(api, c, kind, &result, &answered))
		return answered;
	done = json_pack("{s:i, s:i, s:i}", "changed", (int)result.changed, "groups",
			 (int)result.groups, "term", (int)result.term);
	return xr_answer_json(c, MHD_HTTP_OK, done, NULL);
}

static enum MHD_Result post_pause(struct xr_api *api, struct MHD_Connection *c)
{
	return post_stand(api, c, XR_ORDER_PAUSE);
}

static enum MHD_Result post_resume(struct xr_api *api, struct MHD_Connection *c)
{
	return post_stand(api, c, XR_ORDER_RESUME);
}

/* Text, since it goes into JSON, into the environment of hooks, and onto terminals. */
static bool is_text(const char *value, size_t size)
{
	json_t *text = json_stringn(value, size); /* UTF-8 alone */
	bool plain = text;

	json_decref(text);
	for (size_t i = 0; i < size; i++)
		plain &= ((unsigned char)value[i] >= ' ' && value[i] != 0x7f) || value[i] == '\n' ||
			 value[i] == '\t';
	return plain;
}

/* NULL, or what is wrong with the question. */
static const char *read_value(struct MHD_Connection *c, struct xr_order *order)
{
	const char *id = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "if"), *value;
	size_t size;

	if (!read_order(c, order) || !order->group[0] || order->heir ||
	    MHD_lookup_connection_value_n(c, MHD_GET_ARGUMENT_KIND, "value", 5, &value, &size) !=
		    MHD_YES ||
	    !value)
		return "give group=NAME and value=TEXT, and perhaps if=TERM.INDEX";
	if (size > sizeof(order->value))
		return "a value has at most 1024 bytes";
	if (!is_text(value, size))
		return "a value is text: UTF-8, and of control characters only newline and tab; "
		       "encode other bytes, as base64 does";
	if (id && !xr_set_read_id(id, &order->if_id))
		return "if= takes the id of an entry, TERM.INDEX as xraft get --json tells it, or "
		       "0: there is none yet";
	order->kind = XR_ORDER_SET;
	order->size = (uint16_t)size;
	memcpy(order->value, value, size);
	order->conditional = id;
	return NULL;
}

/* What was asked for is under way: it is committed, or with `err` nobody knows yet. */
static enum MHD_Result answer_set(struct MHD_Connection *c, const struct xr_set *set, int err,
				  const struct xr_why *why)
{
	json_t *id = json_sprintf("%u.%u", xr_entry_term(set->entry), (uint32_t)set->entry);
	json_t *done = json_pack("{s:o, s:b, s:f}", "id", id, "committed", !err, "ms",
				 (double)set->took_ns / NS_PER_MS);

	if (err && !set->entry) {
		json_decref(done);
		return xr_answer_error(c, code_of(err), why->text, NULL);
	}
	if (err)
		json_object_set_new(done, "error", json_string(why->text));
	return xr_answer_json(c, err ? MHD_HTTP_ACCEPTED : MHD_HTTP_OK, done, NULL);
}

static enum MHD_Result post_set(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_order order;
	const char *wrong;
	struct xr_set set = {0};
	struct xr_why why;
	uid_t uid;
	int err;

	if (!may_order(api, c, &uid))
		return answer_no_right(c);
	wrong = read_value(c, &order);
	if (wrong)
		return xr_answer_error(c, MHD_HTTP_BAD_REQUEST, wrong, NULL);
	err = xr_set_value(api->world.maps, api->world.orders, &order, &set, &why);
	return answer_set(c, &set, err, &why);
}

static bool read_member(struct MHD_Connection *c, struct xr_order *order, bool *both)
{
	static const struct {
		const char *word;
		enum xr_order_kind kind;
	} changes[] = {
		{"add", XR_ORDER_ADD},
		{"learn", XR_ORDER_ADD},
		{"promote", XR_ORDER_PROMOTE},
		{"remove", XR_ORDER_REMOVE},
	};
	const char *change = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "change");
	const char *node = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "node");
	size_t i = 0;

	if (!read_order(c, order) || !order->group[0] || order->heir || !change || !node ||
	    strlen(node) != 1 || node[0] < '1' || node[0] > '9')
		return false;
	while (i < ARRAY_SIZE(changes) && strcmp(changes[i].word, change))
		i++;
	if (i == ARRAY_SIZE(changes))
		return false;
	order->kind = changes[i].kind;
	order->node = (uint8_t)(node[0] - '0');
	*both = !strcmp(change, "add");
	return true;
}

/* Rule 26: one change at a time, so that who is added learns first, and then votes. */
static enum MHD_Result post_member(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_order order;
	struct xr_set set = {0};
	struct xr_why why;
	uint64_t learned_ns;
	bool both;
	uid_t uid;
	int err;

	if (!may_order(api, c, &uid))
		return answer_no_right(c);
	if (!read_member(c, &order, &both))
		return xr_answer_error(c, MHD_HTTP_BAD_REQUEST,
				       "give change=add, learn, promote or remove, group=NAME and "
				       "node=NODE (1 to 9)",
				       NULL);
	err = xr_set_value(api->world.maps, api->world.orders, &order, &set, &why);
	if (!err && both) {
		learned_ns = set.took_ns;
		set = (struct xr_set){0};
		order.kind = XR_ORDER_PROMOTE;
		err = xr_set_value(api->world.maps, api->world.orders, &order, &set, &why);
		set.took_ns += learned_ns;
	}
	return answer_set(c, &set, err, &why);
}

static enum MHD_Result get_value(struct xr_api *api, struct MHD_Connection *c)
{
	const char *name = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "group");
	size_t id = name ? xr_maps_group(api->world.maps, name) : 0;

	if (!name || id == api->world.maps->ngroups)
		return xr_answer_error(c, name ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST,
				       "give group=NAME, of a group that this node has", NULL);
	return xr_answer_json(c, MHD_HTTP_OK, xr_status_entry(api->world.maps, id), NULL);
}

/*
 * ---- what the peers tell ----
 */

/* Both are read after the question was put, so that nothing of yesterday is shown. */
static bool all_told(const struct xr_api *api, const struct xr_acquaintance *known,
		     uint64_t asked_ns)
{
	const struct xr_peer *peers = api->world.maps->peers;

	xr_each_node(node)
		if (node != api->world.maps->control->self && peers[node].used &&
		    known[node].told_ns < asked_ns)
			return false;
	return true;
}

static enum MHD_Result get_peers(struct xr_api *api, struct MHD_Connection *c)
{
	struct xr_order order = {.kind = XR_ORDER_ASK};
	struct xr_order_result result = {.why.text = "the election thread does not turn"};
	uint64_t asked_ns = xr_now_ns();
	json_t *peers;
	int err = api->world.orders ? xr_orders_ask(api->world.orders, &order, &result)
				    : -ETIMEDOUT;

	order.kind = XR_ORDER_TELL;
	do {
		if (!err)
			err = xr_orders_ask(api->world.orders, &order, &result);
		if (err)
			return xr_answer_error(c, code_of(err), result.why.text, NULL);
		poll(NULL, 0, 2);
	} while (!all_told(api, result.known, asked_ns) && xr_now_ns() - asked_ns < TELL_WAIT_NS);
	peers = xr_peers_json(api->world.maps, result.known, asked_ns);
	return xr_answer_json(c, MHD_HTTP_OK, peers, NULL);
}

/*
 * ---- routes ----
 */
static const struct route {
	const char *method;
	const char *path;
	enum MHD_Result (*serve)(struct xr_api *api, struct MHD_Connection *c);
} routes[] = {
	{MHD_HTTP_METHOD_GET, "/v1/status", get_status},
	{MHD_HTTP_METHOD_GET, "/v1/peers", get_peers},
	{MHD_HTTP_METHOD_GET, "/v1/looks", get_looks},
	{MHD_HTTP_METHOD_GET, "/v1/events", get_events},
	{MHD_HTTP_METHOD_GET, "/v1/value", get_value},
	{MHD_HTTP_METHOD_POST, "/v1/set", post_set},
	{MHD_HTTP_METHOD_POST, "/v1/member", post_member},
	{MHD_HTTP_METHOD_POST, "/v1/step-down", post_step_down},
	{MHD_HTTP_METHOD_POST, "/v1/pause", post_pause},
	{MHD_HTTP_METHOD_POST, "/v1/resume", post_resume},
};

static enum MHD_Result route(struct xr_api *api, struct MHD_Connection *c, const char *path,
			     const char *method)
{
	const struct route *other = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(routes[i].path, path))
			continue;
		if (!strcmp(routes[i].method, method))
			return routes[i].serve(api, c);
		other = &routes[i];
	}
	if (other)
		return xr_answer_error(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				       "this path knows another method; see the Allow header",
				       other->method);
	return xr_answer_error(
		c, MHD_HTTP_NOT_FOUND,
		"there is no such path; try /v1/status, /v1/looks, /v1/peers, /v1/events, "
		"/v1/value, /v1/set, /v1/member, /v1/step-down, /v1/pause or /v1/resume",
		NULL);
}

static enum MHD_Result serve(void *arg, struct MHD_Connection *c, const char *path,
			     const char *method, const char *version, const char *body,
			     size_t *body_size, void **per_request)
{
	(void)version;
	(void)body;
	return xr_answer_is_due(body_size, per_request) ? route(arg, c, path, method) : MHD_YES;
}

/*
 * ---- the socket ----
 */
static int make_folder(const char *path, int above)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	if (above && access(folder, F_OK) && errno == ENOENT && make_folder(folder, above - 1))
		return -errno;
	return mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
}

/* Does anybody listen? A full queue (EAGAIN) is somebody's. */
static bool listened_on(const struct sockaddr_un *address)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	       errno == EAGAIN;
}

static int remove_stale(const struct sockaddr_un *address, struct xr_why *why)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return xr_fail(why, -EEXIST,
			       "%s: is there already and no socket; move it away, or set socket = "
			       "to another path",
			       path);
	if (listened_on(address))
		return xr_fail(why, -EADDRINUSE,
			       "%s: another xraftd listens there; stop it, or set socket = to "
			       "another path",
			       path);
	return unlink(path) ? -errno : 0;
}

static int open_socket(struct xr_api *api, struct xr_why *why)
{
	const char *path = api->address.sun_path;
	_cleanup_fd_ int fd = -1;
	struct stat st = {0};
	int err = remove_stale(&api->address, why);

	if (err == -EEXIST || err == -EADDRINUSE)
		return err;
	if (!err)
		err = make_folder(path, 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The mode that a socket has before bind() is the mode that its file gets. */
	if (!err &&
	    (fd < 0 || fchmod(fd, 0600) ||
	     bind(fd, (struct sockaddr *)&api->address, sizeof(api->address)) ||
	     (api->readers && (lchown(path, (uid_t)-1, api->readers) || chmod(path, 0660))) ||
	     listen(fd, CONNECTIONS_MAX) || lstat(path, &st)))
		err = -errno;
	if (err)
		return xr_fail(why, err,
			       "%s: cannot listen there: %s; check that its folder exists and can "
			       "be written, or set socket = to another path",
			       path, strerror(-err));
	api->dev = st.st_dev;
	api->ino = st.st_ino;
	api->listen_fd = xr_steal_fd(&fd);
	return 0;
}

static void remove_socket(const struct xr_api *api)
{
	struct stat st;

	if (!lstat(api->address.sun_path, &st) && st.st_dev == api->dev && st.st_ino == api->ino)
		unlink(api->address.sun_path);
}

/*
 * ---- start and stop ----
 */

/*
 * Threads inherit priority and signal mask from the one that makes them. This one is made with
 * what libmicrohttpd's threads should have, and makes them.
 */
static void *start_http(void *arg)
{
	struct xr_api *api = arg;

	api->http = MHD_start_daemon(
		XR_HTTP_FLAGS, 0, NULL, NULL, serve, api, MHD_OPTION_LISTEN_SOCKET, api->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_LIMIT_S,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK_BYTES, MHD_OPTION_END);
	return NULL;
}

static int start_at_normal_priority(struct xr_api *api)
{
	pthread_t starter;
	int err = xr_thread_start(&starter, "xraft-http", 0, THREAD_STACK_BYTES, start_http, api);

	if (err)
		return -err;
	pthread_join(starter, NULL);
	return api->http ? 0 : -ENOMEM;
}

int xr_api_start(struct xr_api **out, const char *path, uint32_t readers,
		 const struct xr_api_world *world, struct xr_why *why)
{
	struct xr_api *api;
	int err;

	if (strlen(path) >= sizeof(api->address.sun_path))
		return xr_fail(
			why, -ENAMETOOLONG,
			"%s: too long for a socket (at most %zu characters); set socket = to "
			"a shorter path",
			path, sizeof(api->address.sun_path) - 1);
	api = calloc(1, sizeof(*api));
	if (!api)
		return xr_fail(why, -ENOMEM, "no memory for the API");
	api->readers = readers;
	api->world = *world;
	api->owner = geteuid();
	api->listen_fd = -1;
	api->address.sun_family = AF_UNIX;
	strcpy(api->address.sun_path, path);
	err = open_socket(api, why);
	if (!err) {
		err = start_at_normal_priority(api);
		if (err) {
			xr_fail(why, err,
				"the API cannot start its threads: %s; raise TasksMax= "
				"or the memory limits of the service",
				strerror(-err));
			remove_socket(api);
			xr_close_fd(&api->listen_fd);
		}
	}
	if (err)
		free(api);
	else
		*out = api;
	return err;
}

void xr_api_end_streams(struct xr_api *api)
{
	if (!api)
		return;
	atomic_store(&api->stopping, true);
	/* Let streams end as HTTP has it, so that a client can tell it from a crash. */
	for (int ms = 0; ms < 2 * EVENT_WAIT_MS && atomic_load(&api->streams); ms += 10)
		poll(NULL, 0, 10);
}

void xr_api_stop(struct xr_api *api)
{
	if (!api)
		return;
	remove_socket(api);
	xr_api_end_streams(api);
	MHD_stop_daemon(api->http);
	free(api);
}
