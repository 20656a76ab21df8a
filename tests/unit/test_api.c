// SPDX-License-Identifier: GPL-2.0-only
/* user/daemon/api.c over a real unix socket, asked by curl and, for streams, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/api.h"

/*
 * ---- a reporter of our own: lines that the test says ----
 */
struct xr_reporter {
	pthread_mutex_t lock;
	pthread_cond_t said;
	char lines[16][64];
	uint64_t n;
	struct xr_origin origin;
	_Atomic uint8_t named[XR_GROUPS_MAX];
};

const struct xr_origin *xr_reporter_origin(const struct xr_reporter *r)
{
	return &r->origin;
}

_Atomic uint8_t *xr_reporter_named(struct xr_reporter *r)
{
	return r->named;
}

static void say(struct xr_reporter *r, const char *line)
{
	pthread_mutex_lock(&r->lock);
	assert_true(r->n < ARRAY_SIZE(r->lines));
	snprintf(r->lines[r->n++], sizeof(r->lines[0]), "%s\n", line);
	pthread_cond_broadcast(&r->said);
	pthread_mutex_unlock(&r->lock);
}

static bool is_wanted(const char *line, const struct xr_filter *f)
{
	return !f->n || strstr(line, f->groups[0].name);
}

size_t xr_reporter_read(struct xr_reporter *r, uint64_t *cursor, const struct xr_filter *f,
			char *line, size_t size, int timeout_ms)
{
	struct timespec until;
	size_t len = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += timeout_ms * (long)NS_PER_MS;
	until.tv_sec += until.tv_nsec / (long)NS_PER_S;
	until.tv_nsec %= (long)NS_PER_S;
	pthread_mutex_lock(&r->lock);
	if (*cursor == XR_FROM_OLDEST)
		*cursor = 0;
	if (*cursor > r->n)
		*cursor = r->n;
	while (*cursor == r->n && !pthread_cond_timedwait(&r->said, &r->lock, &until))
		;
	while (*cursor < r->n && !is_wanted(r->lines[*cursor], f))
		++*cursor;
	if (*cursor < r->n) {
		len = strlen(r->lines[*cursor]);
		assert_true(len < size);
		memcpy(line, r->lines[(*cursor)++], len);
	}
	pthread_mutex_unlock(&r->lock);
	return len;
}

/*
 * ---- fixture ----
 */
struct fixture {
	char dir[64], path[96];
	uint32_t readers;
	struct xr_maps maps;
	struct xr_looks looks;
	struct xr_reporter reporter;
	struct xr_orders *orders;
	struct xr_api *api;
	struct xr_why why;
};

static int start_at(struct fixture *f, struct xr_api **api, const char *path)
{
	struct xr_api_world world = {.maps = &f->maps,
				     .looks = &f->looks,
				     .reporter = &f->reporter,
				     .orders = f->orders};

	return xr_api_start(api, path, f->readers, &world, &f->why);
}

static int start(struct fixture *f, struct xr_api **api)
{
	return start_at(f, api, f->path);
}

static int setup_folder(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	pthread_mutex_init(&f->reporter.lock, NULL);
	pthread_cond_init(&f->reporter.said, NULL);
	snprintf(f->dir, sizeof(f->dir), "/tmp/xraft-api-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/demo.1.sock", f->dir);
	xr_origin_init(&f->reporter.origin, "demo", 1);
	assert_int_equal(xr_maps_alloc(&f->maps, 3, 256, &f->why), 0);
	f->maps.groups[1] = (struct xr_group){
		.members = 0xe, .name = "main", .view = {.term = 7, .leader = 1, .mode = XR_LEAD}};
	f->maps.groups[2] = (struct xr_group){.members = 0xe,
					      .name = "other",
					      .view = {.term = 4, .leader = 3, .mode = XR_FOLLOW}};
	f->maps.control->self = 1;
	f->maps.control->pid = getpid();
	strcpy(f->maps.control->cluster, "demo");
	return 0;
}

static int setup(void **state)
{
	struct fixture *f;

	setup_folder(state);
	f = *state;
	return start(f, &f->api);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	xr_api_stop(f->api);
	unlink(f->path);
	rmdir(f->dir);
	xr_maps_close(&f->maps);
	free(f);
	return 0;
}

/*
 * ---- clients ----
 */
struct reply {
	long code;
	char allow[32];
	char type[64];
	size_t len;
	char body[16384];
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct reply *r = arg;

	assert_true(r->len + size * n < sizeof(r->body));
	memcpy(r->body + r->len, data, size * n);
	r->len += size * n;
	return size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct reply *r = arg;

	sscanf(data, "Allow: %31s", r->allow);
	sscanf(data, "Content-Type: %63s", r->type);
	return size * n;
}

static CURLcode ask(struct fixture *f, const char *method, const char *path, struct reply *r)
{
	CURL *curl = curl_easy_init();
	char url[2048];
	CURLcode err;

	memset(r, 0, sizeof(*r));
	snprintf(url, sizeof(url), "http://xraft%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, f->path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, r);
	if (!strcmp(method, "POST"))
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"a\": 1}");
	err = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &r->code);
	curl_easy_cleanup(curl);
	return err;
}

static void expect_error(struct fixture *f, const char *method, const char *path, long code)
{
	struct reply r;
	json_t *json;

	assert_int_equal(ask(f, method, path, &r), CURLE_OK);
	assert_int_equal(r.code, code);
	assert_string_equal(r.type, "application/json");
	json = json_loadb(r.body, r.len, 0, NULL);
	assert_non_null(json_string_value(json_object_get(json, "error")));
	json_decref(json);
}

static int open_stream(struct fixture *f, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: xraft\r\n\r\n", path);
	return fd;
}

static char got[65536]; /* by the last stream_brings() */

/* Read until `text` has come, for at most 3 s. */
static bool stream_brings(int fd, const char *text)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	got[0] = '\0';
	while (poll(&p, 1, 3000) > 0 && (n = read(fd, got + len, sizeof(got) - 1 - len)) > 0) {
		len += (size_t)n;
		got[len] = '\0';
		if (strstr(got, text))
			return true;
	}
	return false;
}

/*
 * ---- tests ----
 */
static void status_is_the_object_of_the_maps(void **state)
{
	struct fixture *f = *state;
	struct reply r;
	json_t *json;

	assert_int_equal(ask(f, "GET", "/v1/status", &r), CURLE_OK);
	assert_int_equal(r.code, 200);
	assert_string_equal(r.type, "application/json");
	json = json_loadb(r.body, r.len, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "node")), 1);
	assert_string_equal(json_string_value(json_object_get(json, "cluster")), "demo");
	assert_true(json_is_true(json_object_get(json, "alive")));
	json_decref(json);
}

/* Rule 20: what is wrong, since when, how old the look is, what to do. */
static void looks_tell_what_is_wrong(void **state)
{
	static const char *const paths[] = {"/v1/looks", "/v1/status"};
	uint64_t now_ns = xr_now_ns();
	struct fixture *f = *state;
	struct reply r;

	strcpy(f->looks.interface, "eth0");
	f->looks.port = 7007;
	xr_look_well(&f->looks, XR_LOOK_address, 0, now_ns);
	xr_look_wrong(&f->looks, XR_LOOK_peer, 3, now_ns - NS_PER_S, "is silent");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		json_t *json, *list, *peer;

		assert_int_equal(ask(f, "GET", paths[i], &r), CURLE_OK);
		json = json_loadb(r.body, r.len, 0, NULL);
		list = json_object_get(json, "looks");
		peer = json_array_get(list, 1);
		assert_int_equal(json_array_size(list), 2);
		assert_true(json_is_true(json_object_get(json_array_get(list, 0), "ok")));
		assert_true(json_is_false(json_object_get(peer, "ok")));
		assert_int_equal(json_integer_value(json_object_get(peer, "node")), 3);
		assert_in_range(json_integer_value(json_object_get(peer, "looked_ms_ago")), 1000,
				5000);
		assert_string_equal(json_string_value(json_object_get(peer, "detail")),
				    "node 3 is silent");
		assert_non_null(strstr(json_string_value(json_object_get(peer, "remedy")), "7007"));
		json_decref(json);
	}
}

static void only_root_may_ask(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* In a child that is nobody's but this group's: GET answers, POST does not. */
static int ask_as_reader(struct fixture *f, gid_t group)
{
	struct reply get, post;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(1, &group) || setgid(54321) || setuid(54321) ||
		    ask(f, "GET", "/v1/status", &get) != CURLE_OK ||
		    ask(f, "GET", "/v1/value?group=main", &get) != CURLE_OK ||
		    ask(f, "POST", "/v1/set?group=main&value=x", &post) != CURLE_OK ||
		    get.code != 200 || post.code != 403 ||
		    ask(f, "POST", "/v1/step-down", &post) != CURLE_OK)
			_exit(1);
		_exit(get.code == 200 && post.code == 403 && strstr(post.body, "as root") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void readers_ask_and_order_nothing(void **state)
{
	struct fixture *f = *state;

	if (geteuid()) {
		print_message("SKIPPED, NOT TESTED: needs root\n");
		skip();
	}
	f->readers = 54322;
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(start(f, &f->api), 0);
	assert_int_equal(ask_as_reader(f, 54322), 0);
	assert_int_equal(ask_as_reader(f, 54323), 1);
}

static void errors_are_json(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	expect_error(f, "GET", "/", 404);
	expect_error(f, "GET", "/v1/statuses", 404);
	expect_error(f, "POST", "/v1/status", 405);
	expect_error(f, "DELETE", "/v1/events", 405);
	expect_error(f, "GET", "/v1/step-down", 405);
	expect_error(f, "POST", "/v1/step-down?to=2", 400); /* of which group? */
	expect_error(f, "POST", "/v1/step-down?group=g&to=10", 400);
	expect_error(f, "POST", "/v1/step-down?group=sixteen-and-more", 400);
	expect_error(f, "POST", "/v1/step-down", 503); /* nobody takes orders here */
	expect_error(f, "POST", "/v1/set?group=main&value=x", 503);
	expect_error(f, "GET", "/v1/pause", 405);
	expect_error(f, "POST", "/v1/pause?group=g&to=2", 400);
	expect_error(f, "POST", "/v1/resume?group=sixteen-and-more", 400);
	expect_error(f, "POST", "/v1/pause", 503);
	expect_error(f, "POST", "/v1/resume?group=g", 503);
	expect_error(f, "GET", "/v1/events?from=yesterday", 400);
	expect_error(f, "GET", "/v1/events?since=yesterday", 400);
	expect_error(f, "GET", "/v1/events?since=:1", 400);
	expect_error(f, "GET", "/v1/events?since=0123456789abcdef:1x", 400);
	expect_error(f, "GET", "/v1/events?since=0123456789abcdef:1&from=oldest", 400);
	expect_error(f, "GET", "/v1/events?group=sixteen-and-more", 400);
	expect_error(f, "GET", "/v1/events?group", 400);
	expect_error(f, "GET", "/v1/events?group=nobody", 404);
	assert_int_equal(ask(f, "POST", "/v1/status", &r), CURLE_OK);
	assert_string_equal(r.allow, "GET");
}

/*
 * ---- the value ----
 */

/* An election thread that makes entry 7.3 of what it is asked to set, after so many refusals. */
static struct elected {
	struct fixture *f;
	struct xr_orders orders;
	pthread_t thread;
	atomic_bool stop;
	struct xr_order asked; /* the last */
	int norders, busy, err;
	bool loses, newer; /* the leadership meanwhile; an entry after this one is committed */
} elected;

static void carry_out(struct elected *e, struct xr_order_result *r)
{
	struct xr_value *v = xr_maps_value(&e->f->maps, 1);

	if (e->busy-- > 0 || e->err) {
		r->err = e->busy >= 0 ? -EBUSY : e->err;
		snprintf(r->why.text, sizeof(r->why.text), "as scripted");
		return;
	}
	r->entry = 7ull << 32 | 3;
	v->id = r->entry + e->newer;
	v->size = e->asked.size;
	memcpy(v + 1, e->asked.value, e->asked.size);
	v->committed = e->newer || e->loses ? v->id - 1 : v->id;
	if (e->loses)
		e->f->maps.groups[1].view = (struct xr_view){
			.term = 8, .leader = 2, .mode = XR_FOLLOW};
}

static void *elect(void *arg)
{
	struct elected *e = arg;

	while (!atomic_load(&e->stop)) {
		struct pollfd p = {.fd = e->orders.asked_fd, .events = POLLIN};
		struct xr_order_result r = {0};
		const struct xr_order *order = poll(&p, 1, 50) > 0 ? xr_orders_take(&e->orders)
								   : NULL;

		if (!order)
			continue;
		e->asked = *order;
		e->norders++;
		carry_out(e, &r);
		xr_orders_done(&e->orders, &r);
	}
	return NULL;
}

static int setup_elected(void **state)
{
	struct fixture *f;

	setup_folder(state);
	f = *state;
	memset(&elected, 0, sizeof(elected));
	elected.f = f;
	f->orders = &elected.orders;
	assert_int_equal(xr_orders_init(f->orders, &f->why), 0);
	assert_int_equal(pthread_create(&elected.thread, NULL, elect, &elected), 0);
	return start(f, &f->api);
}

static int teardown_elected(void **state)
{
	atomic_store(&elected.stop, true);
	pthread_join(elected.thread, NULL);
	close(elected.orders.asked_fd);
	close(elected.orders.done_fd);
	return teardown(state);
}

static void set_waits_until_it_is_committed(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	assert_int_equal(ask(f, "POST", "/v1/set?group=main&value=two%20words&if=7.2", &r),
			 CURLE_OK);
	assert_int_equal(r.code, 200);
	assert_non_null(strstr(r.body, "\"id\":\"7.3\""));
	assert_non_null(strstr(r.body, "\"ms\":"));
	assert_int_equal(elected.asked.kind, XR_ORDER_SET);
	assert_string_equal(elected.asked.group, "main");
	assert_int_equal(elected.asked.size, 9);
	assert_memory_equal(elected.asked.value, "two words", 9);
	assert_true(elected.asked.conditional);
	assert_true(elected.asked.if_id == (7ull << 32 | 2));
	assert_int_equal(ask(f, "GET", "/v1/value?group=main", &r), CURLE_OK);
	assert_int_equal(r.code, 200);
	assert_non_null(strstr(r.body, "{\"id\":\"7.3\",\"committed\":true,\"size\":9,"
				       "\"value\":\"two words\""));
	elected.busy = 2; /* another is under way: it is tried again */
	elected.norders = 0;
	elected.newer = true; /* and one after it is not committed yet: so this one is */
	assert_int_equal(ask(f, "POST", "/v1/set?group=main&value=", &r), CURLE_OK);
	assert_int_equal(r.code, 200);
	assert_int_equal(elected.norders, 3);
	assert_false(elected.asked.conditional);
	assert_int_equal(elected.asked.size, 0);
}

static void set_that_fails_says_why(void **state)
{
	struct fixture *f = *state;
	struct reply r;

	elected.err = -EPERM;
	expect_error(f, "POST", "/v1/set?group=main&value=x", 409);
	elected.err = -ESTALE;
	expect_error(f, "POST", "/v1/set?group=main&value=x&if=0", 409);
	assert_int_equal(elected.asked.if_id, 0);
	assert_true(elected.asked.conditional);
	elected.err = -ENOENT;
	expect_error(f, "POST", "/v1/set?group=nobody&value=x", 404);
	elected.err = -EINVAL;
	assert_int_equal(ask(f, "POST", "/v1/set?group=main&value=x", &r), CURLE_OK);
	assert_int_equal(r.code, 400);
	assert_non_null(strstr(r.body, "as scripted"));
	elected.err = 0;
	elected.loses = true;
	assert_int_equal(ask(f, "POST", "/v1/set?group=main&value=x", &r), CURLE_OK);
	assert_int_equal(r.code, 202); /* nobody knows */
	assert_non_null(
		strstr(r.body, "lost the leadership of main before a majority had entry 7.3"));
	assert_non_null(strstr(r.body, "xraft get tells which"));
	assert_int_equal(ask(f, "POST", "/v1/member?change=remove&group=main&node=3", &r),
			 CURLE_OK);
	assert_int_equal(r.code, 202);
	assert_non_null(strstr(r.body, "xraft member list tells which"));
}

static void values_that_are_asked_for_wrongly(void **state)
{
	static const char *const wrong[] = {
		"",
		"group=main",
		"value=x",
		"group=&value=x",
		"group=main&value=x&to=2",
		"group=sixteen-and-more&value=x",
		"group=main&value=x&if=",
		"group=main&value=x&if=7",
		"group=main&value=x&if=7.",
		"group=main&value=x&if=.7",
		"group=main&value=x&if=0.1",
		"group=main&value=x&if=7.0",
		"group=main&value=x&if=7.2x",
		"group=main&value=x&if=-7.2",
		"group=main&value=x&if=4294967296.1",
		"group=main&value=x&if=7.2147483648",
	};
	struct fixture *f = *state;
	char path[1200] = "/v1/set?group=main&value=";
	struct reply r;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(path, sizeof(path), "/v1/set?%s", wrong[i]);
		expect_error(f, "POST", path, 400);
	}
	snprintf(path, sizeof(path), "/v1/set?group=main&value=%01025d", 0);
	expect_error(f, "POST", path, 400);
	expect_error(f, "GET", "/v1/set?group=main&value=x", 405);
	expect_error(f, "POST", "/v1/value?group=main", 405);
	expect_error(f, "GET", "/v1/value", 400);
	expect_error(f, "GET", "/v1/value?group=nobody", 404);
	assert_int_equal(elected.norders, 0);
	assert_int_equal(ask(f, "GET", "/v1/value?group=main", &r), CURLE_OK);
	assert_int_equal(r.code, 200);
	assert_memory_equal(r.body, "null", 4); /* nobody ever set one */
}

static void events_come_as_they_happen(void **state)
{
	struct fixture *f = *state;
	int old_and_new, new;

	say(&f->reporter, "{\"event\":\"before\"}");
	old_and_new = open_stream(f, "/v1/events?from=oldest");
	assert_true(stream_brings(old_and_new, "before"));
	new = open_stream(f, "/v1/events");
	assert_true(stream_brings(new, "other: follows")); /* the last state */
	assert_null(strstr(got, "before"));
	say(&f->reporter, "{\"event\":\"after\"}");
	assert_true(stream_brings(old_and_new, "{\"event\":\"after\"}\n"));
	assert_true(stream_brings(new, "\r\n{\"event\":\"after\"}\n"));
	assert_null(strstr(got, "before"));
	close(old_and_new);
	close(new);
}

/* What is kept, the state of each group, what comes: in this order. */
static void a_stream_begins_with_the_state(void **state)
{
	struct fixture *f = *state;
	int fd;
	char *before, *main_state, *other_state;

	say(&f->reporter, "{\"event\":\"before\"}");
	fd = open_stream(f, "/v1/events?from=oldest");
	assert_true(stream_brings(fd, "other: follows node 3 in term 4"));
	before = strstr(got, "before");
	main_state = strstr(got, "main: leads in term 7");
	other_state = strstr(got, "other: follows");
	assert_true(before && main_state && before < main_state && main_state < other_state);
	assert_non_null(strstr(got, "\"seq\":1,"));
	assert_non_null(strstr(got, "\"leader\":1,\"role\":\"leader\""));
	say(&f->reporter, "{\"event\":\"after\"}");
	assert_true(stream_brings(fd, "after"));
	close(fd);
}

static void a_stream_of_one_group(void **state)
{
	struct fixture *f = *state;
	int fd = open_stream(f, "/v1/events?group=other&group=other");

	assert_true(stream_brings(fd, "other: follows node 3 in term 4"));
	assert_null(strstr(got, "main"));
	assert_int_equal(f->reporter.named[2], 1); /* of which the engine then tells one by one */
	assert_int_equal(f->reporter.named[1], 0);
	say(&f->reporter, "{\"group\":\"main\"}");
	say(&f->reporter, "{\"group\":\"other\"}");
	assert_true(stream_brings(fd, "\"other\""));
	assert_null(strstr(got, "main"));
	close(fd);
	for (int tries = 0; tries < 500 && f->reporter.named[2]; tries++)
		poll(NULL, 0, 10);
	assert_int_equal(f->reporter.named[2], 0);
}

/* Behind an event of this life; and what came of another life's is lost, and said so. */
static void a_stream_goes_on_where_another_ended(void **state)
{
	struct fixture *f = *state;
	char path[80];
	int fd;

	say(&f->reporter, "{\"event\":\"first\"}");
	say(&f->reporter, "{\"event\":\"second\"}");
	snprintf(path, sizeof(path), "/v1/events?since=%s:1", f->reporter.origin.epoch);
	fd = open_stream(f, path);
	assert_true(stream_brings(fd, "other: follows"));
	assert_null(strstr(got, "first"));
	assert_non_null(strstr(got, "second"));
	assert_null(strstr(got, "\"lost\""));
	close(fd);
	fd = open_stream(f, "/v1/events?since=0123456789abcdef:7");
	assert_true(stream_brings(fd, "other: follows"));
	assert_non_null(strstr(got, "\"event\":\"lost\""));
	assert_true(strstr(got, "\"event\":\"lost\"") < strstr(got, "first"));
	close(fd);
}

static void stop_ends_open_streams(void **state)
{
	struct fixture *f = *state;
	int reading = open_stream(f, "/v1/events"), silent = open_stream(f, "/v1/events");
	int idle = open_stream(f, "/v1/sta"); /* and one that never finishes its request */
	uint64_t before_ns;

	assert_true(stream_brings(reading, "200 OK"));
	before_ns = xr_now_ns();
	xr_api_stop(f->api);
	f->api = NULL;
	assert_true(xr_now_ns() - before_ns < 2 * NS_PER_S);
	assert_true(stream_brings(reading, "\r\n0\r\n\r\n") || !strcmp(got, "0\r\n\r\n"));
	assert_int_equal(access(f->path, F_OK), -1);
	close(reading);
	close(silent);
	close(idle);
}

/* More of them than there may be connections: a place is free again soon after. */
static void clients_that_leave_are_noticed(void **state)
{
	struct fixture *f = *state;
	CURLcode err = CURLE_COULDNT_CONNECT;
	struct reply r;
	int fds[32];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open_stream(f, "/v1/events");
		assert_true(stream_brings(fds[i], "200 OK"));
	}
	assert_int_not_equal(ask(f, "GET", "/v1/status", &r), CURLE_OK); /* full */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	for (int tries = 0; tries < 50 && err; tries++) {
		poll(NULL, 0, 100);
		err = ask(f, "GET", "/v1/status", &r);
	}
	assert_int_equal(err, CURLE_OK);
	assert_int_equal(r.code, 200);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct reply r;

	strcpy(address.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* the file stays, and nobody listens */
	assert_int_equal(start(f, &f->api), 0);
	assert_int_equal(ask(f, "GET", "/v1/status", &r), CURLE_OK);
}

static void a_living_one_is_not(void **state)
{
	struct fixture *f = *state;
	struct xr_api *second = NULL;
	struct reply r;

	assert_int_equal(start(f, &second), -EADDRINUSE);
	assert_non_null(strstr(f->why.text, "another xraftd"));
	assert_null(second);
	assert_int_equal(ask(f, "GET", "/v1/status", &r), CURLE_OK);
}

static void other_files_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	close(open(f->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(start(f, &f->api), -EEXIST);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void a_path_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	char longer[200];

	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(start_at(f, &f->api, longer), -ENAMETOOLONG);
	assert_int_equal(start_at(f, &f->api, "/proc/nowhere/at/all"), -ENOENT);
	assert_non_null(strstr(f->why.text, "cannot listen"));
	assert_null(f->api);
}

/* Threads but the calling one that are not SCHED_OTHER, or that may get a signal. */
static int unfit_threads(int *all)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int unfit = 0;

	*all = 0;
	while ((e = readdir(d))) {
		char path[300], line[256];
		unsigned long long blocked = 0;
		FILE *f;

		if (e->d_name[0] == '.' || atoi(e->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			sscanf(line, "SigBlk: %llx", &blocked);
		if (f)
			fclose(f);
		(*all)++;
		unfit += sched_getscheduler(atoi(e->d_name)) != SCHED_OTHER || !(blocked >> 14 & 1);
	}
	closedir(d);
	return unfit;
}

static void its_threads_are_of_normal_priority(void **state)
{
	struct fixture *f = *state;
	struct sched_param fifo = {.sched_priority = 1}, other = {0};
	int before, after, fd;

	if (sched_setscheduler(0, SCHED_FIFO, &fifo)) {
		print_message("SKIPPED, NOT TESTED: no right to SCHED_FIFO\n");
		skip();
	}
	unfit_threads(&before);
	assert_int_equal(start(f, &f->api), 0);
	fd = open_stream(f, "/v1/events");
	assert_true(stream_brings(fd, "200 OK"));
	assert_int_equal(unfit_threads(&after), 0);
	assert_int_equal(after, before + 2); /* one accepts, one streams */
	sched_setscheduler(0, SCHED_OTHER, &other);
	close(fd);
}

/*
 * ---- members ----
 */

/* An election thread that makes entry after entry, unless it is told to refuse. */
static struct {
	struct fixture *f;
	struct xr_orders orders;
	pthread_t thread;
	_Atomic bool over;
	struct xr_order asked[16];
	int nasked;
	int refusals[16]; /* of the n-th order; 0: it is carried out */
} changer;

static void change(const struct xr_order *order, struct xr_order_result *r)
{
	struct xr_value *v = xr_maps_value(&changer.f->maps, 1);
	int n = changer.nasked++;

	changer.asked[n] = *order;
	if (changer.refusals[n]) {
		r->err = xr_fail(&r->why, changer.refusals[n], "refused as order %d", n);
		return;
	}
	r->entry = 7ull << 32 | (uint32_t)(n + 3);
	v->id = v->committed = r->entry;
}

static void *change_all(void *arg)
{
	while (!changer.over) {
		struct pollfd p = {.fd = changer.orders.asked_fd, .events = POLLIN};
		struct xr_order_result r = {0};
		const struct xr_order *order = poll(&p, 1, 20) > 0 ? xr_orders_take(&changer.orders)
								   : NULL;

		if (!order)
			continue;
		change(order, &r);
		xr_orders_done(&changer.orders, &r);
	}
	return arg;
}

static int setup_changer(void **state)
{
	struct xr_api_world world;
	struct fixture *f;

	setup_folder(state);
	f = *state;
	memset(&changer, 0, sizeof(changer));
	changer.f = f;
	f->readers = geteuid() ? 0 : 54322;
	world = (struct xr_api_world){.maps = &f->maps,
				      .looks = &f->looks,
				      .reporter = &f->reporter,
				      .orders = &changer.orders};
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(xr_orders_init(&changer.orders, &f->why), 0);
	assert_int_equal(pthread_create(&changer.thread, NULL, change_all, NULL), 0);
	return xr_api_start(&f->api, f->path, f->readers, &world, &f->why);
}

static int teardown_changer(void **state)
{
	changer.over = true;
	pthread_join(changer.thread, NULL);
	close(changer.orders.asked_fd);
	close(changer.orders.done_fd);
	return teardown(state);
}

#define CHANGER(f) cmocka_unit_test_setup_teardown(f, setup_changer, teardown_changer)

static void assert_asked(int n, enum xr_order_kind kind, uint8_t node)
{
	assert_in_range(n, 0, changer.nasked - 1);
	assert_int_equal(changer.asked[n].kind, kind);
	assert_int_equal(changer.asked[n].node, node);
	assert_string_equal(changer.asked[n].group, "main");
}

static void ask_member(struct fixture *f, const char *query, long code, const char *answer)
{
	char path[96];
	struct reply r;

	changer.nasked = 0;
	snprintf(path, sizeof(path), "/v1/member?%s", query);
	assert_int_equal(ask(f, "POST", path, &r), CURLE_OK);
	if (r.code != code || !strstr(r.body, answer))
		fail_msg("%s: %ld, %.*s, not %s", query, r.code, (int)r.len, r.body, answer);
}

/* Rule 26: it learns first, and votes once it follows. */
static void who_is_added_learns_and_then_votes(void **state)
{
	struct fixture *f = *state;

	ask_member(f, "change=add&group=main&node=4", 200,
		   "{\"id\":\"7.4\",\"committed\":true,\"ms\":");
	assert_int_equal(changer.nasked, 2);
	assert_asked(0, XR_ORDER_ADD, 4);
	assert_asked(1, XR_ORDER_PROMOTE, 4);
}

static void each_change_is_one_order(void **state)
{
	static const struct {
		const char *query;
		enum xr_order_kind kind;
		uint8_t node;
	} changes[] = {
		{"change=learn&group=main&node=9", XR_ORDER_ADD, 9},
		{"change=promote&group=main&node=1", XR_ORDER_PROMOTE, 1},
		{"change=remove&group=main&node=2", XR_ORDER_REMOVE, 2},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		ask_member(f, changes[i].query, 200, "{\"id\":\"7.3\"");
		assert_int_equal(changer.nasked, 1);
		assert_asked(0, changes[i].kind, changes[i].node);
	}
}

/* What is so for a moment is tried again; what is not is the answer, and ends it. */
static void changes_that_are_refused(void **state)
{
	struct fixture *f = *state;

	changer.refusals[1] = -EAGAIN;
	changer.refusals[2] = -EBUSY;
	ask_member(f, "change=add&group=main&node=4", 200, "{\"id\":\"7.6\"");
	assert_int_equal(changer.nasked, 4);
	assert_asked(3, XR_ORDER_PROMOTE, 4);
	changer.refusals[1] = -EHOSTDOWN;
	ask_member(f, "change=add&group=main&node=4", 409, "refused as order 1");
	assert_int_equal(changer.nasked, 2);
	changer.refusals[0] = -EEXIST;
	ask_member(f, "change=add&group=main&node=4", 409, "refused as order 0");
	assert_int_equal(changer.nasked, 1);
	changer.refusals[0] = -ENOENT;
	ask_member(f, "change=remove&group=main&node=4", 404, "refused as order 0");
	changer.refusals[0] = -EINVAL;
	ask_member(f, "change=remove&group=main&node=4", 400, "refused as order 0");
}

static void members_that_are_asked_for_wrongly(void **state)
{
	static const char *const wrong[] = {
		"",
		"group=main&node=4",
		"change=add&node=4",
		"change=add&group=main",
		"change=add&group=&node=4",
		"change=add&group=main&node=",
		"change=add&group=main&node=0",
		"change=add&group=main&node=10",
		"change=add&group=main&node=x",
		"change=add&group=main&node=4&to=2",
		"change=Add&group=main&node=4",
		"change=list&group=main&node=4",
		"change=add&group=sixteen-and-more&node=4",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ask_member(f, wrong[i], 400, "give change=add, learn, promote or remove");
		assert_int_equal(changer.nasked, 0);
	}
	expect_error(f, "GET", "/v1/member?change=add&group=main&node=4", 405);
	assert_int_equal(changer.nasked, 0);
}

static void readers_change_no_members(void **state)
{
	struct fixture *f = *state;
	gid_t readers = f->readers;
	struct reply r;
	int status;
	pid_t pid;

	if (geteuid()) {
		print_message("SKIPPED, NOT TESTED: needs root\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		if (setgroups(1, &readers) || setgid(54321) || setuid(54321) ||
		    ask(f, "POST", "/v1/member?change=remove&group=main&node=2", &r) != CURLE_OK)
			_exit(1);
		_exit(r.code == 403 && strstr(r.body, "as root") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(changer.nasked, 0);
}

#define RUNNING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ELECTED(f) cmocka_unit_test_setup_teardown(f, setup_elected, teardown_elected)
#define FOLDER(f)  cmocka_unit_test_setup_teardown(f, setup_folder, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNNING(status_is_the_object_of_the_maps),
		RUNNING(looks_tell_what_is_wrong),
		RUNNING(only_root_may_ask),
		FOLDER(readers_ask_and_order_nothing),
		RUNNING(errors_are_json),
		ELECTED(set_waits_until_it_is_committed),
		ELECTED(set_that_fails_says_why),
		ELECTED(values_that_are_asked_for_wrongly),
		RUNNING(events_come_as_they_happen),
		RUNNING(a_stream_begins_with_the_state),
		RUNNING(a_stream_of_one_group),
		RUNNING(a_stream_goes_on_where_another_ended),
		RUNNING(stop_ends_open_streams),
		RUNNING(clients_that_leave_are_noticed),
		RUNNING(a_living_one_is_not),
		FOLDER(a_stale_socket_is_replaced),
		FOLDER(other_files_are_left_alone),
		FOLDER(a_path_that_cannot_be),
		FOLDER(its_threads_are_of_normal_priority),
		CHANGER(who_is_added_learns_and_then_votes),
		CHANGER(each_change_is_one_order),
		CHANGER(changes_that_are_refused),
		CHANGER(members_that_are_asked_for_wrongly),
		CHANGER(readers_change_no_members),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
