// SPDX-License-Identifier: GPL-2.0-only
/*
 * Request bytes over the unix socket to the real API, with libmicrohttpd behind it. The reporter
 * is a stub with one line to tell, so that an open stream wakes at once and ends with its client.
 * Everything that comes back has to be whole HTTP, and what is ours in it JSON.
 *
 * libmicrohttpd gives each connection a thread, so this makes a few hundred requests a second
 * under ASan; the API itself is small. Coverage counts what all of the threads did.
 */
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "daemon/api.h"
#include "fuzz.h"

#define ANSWER_MS  3000 /* longer than any answer may take */
#define ANSWER_MAX (256 * 1024)

static struct xr_maps maps = XR_MAPS_NONE;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char folder[] = "/tmp/xraft-fuzz-XXXXXX";
static struct xr_api *api;
static char text[ANSWER_MAX + 1];

const struct xr_origin *xr_reporter_origin(const struct xr_reporter *r)
{
	static const struct xr_origin origin = {"demo", 1, "0123456789abcdef", &maps};

	(void)r;
	return &origin;
}

_Atomic uint8_t *xr_reporter_named(struct xr_reporter *r)
{
	static _Atomic uint8_t named[XR_GROUPS_MAX];

	(void)r;
	return named;
}

/* Called by a stream's own thread: one line, then silence that is short. */
size_t xr_reporter_read(struct xr_reporter *r, uint64_t *cursor, const struct xr_filter *f,
			char *line, size_t size, int timeout_ms)
{
	static const char said[] = "{\"kind\":\"started\"}\n";

	(void)r, (void)f;
	(void)timeout_ms;
	if (*cursor == 1) {
		poll(NULL, 0, 1);
		return 0;
	}
	*cursor = 1;
	must(size >= sizeof(said), "no room for a line");
	memcpy(line, said, sizeof(said) - 1);
	return sizeof(said) - 1;
}

static void stop(void)
{
	xr_api_stop(api);
	rmdir(folder);
	xr_maps_close(&maps);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct xr_looks looks;
	struct xr_api_world world = {.maps = &maps, .looks = &looks};
	struct xr_why why = {""};

	(void)argc;
	(void)argv;
	must(mkdtemp(folder), "no folder: %m");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", folder);
	must(!xr_maps_alloc(&maps, 2, 256, &why), "%s", why.text);
	maps.control->self = 1;
	strcpy(maps.control->cluster, "demo");
	maps.groups[1].members = 0xe;
	strcpy(maps.groups[1].name, "main");
	must(!xr_api_start(&api, address.sun_path, 0, &world, &why), "%s", why.text);
	atexit(stop);
	return 0;
}

/*
 * ---- a client ----
 */
static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)),
	     "does not answer: %m");
	return fd;
}

static bool is_stream(void)
{
	return strstr(text, "x-ndjson") != NULL;
}

/* To the end of what it says, or to the first line of a stream, which has no end. */
static size_t listen_to(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	while (len < ANSWER_MAX) {
		ssize_t n;

		must(poll(&p, 1, ANSWER_MS) == 1, "silent after %zu bytes: %.200s", len, text);
		n = recv(fd, text + len, ANSWER_MAX - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = 0;
		if (is_stream() && strstr(text, "started"))
			break;
	}
	text[len] = 0;
	return len;
}

static size_t ask(const uint8_t *data, size_t size, size_t split_at)
{
	int fd = dial();
	size_t len;

	text[0] = 0;
	if (split_at < size) {
		send(fd, data, split_at, MSG_NOSIGNAL);
		data += split_at;
		size -= split_at;
	}
	send(fd, data, size, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	len = listen_to(fd);
	close(fd);
	return len;
}

/*
 * ---- what must hold ----
 */
static void check_json(const char *body, size_t size)
{
	json_t *json = json_loadb(body, size, 0, NULL);

	must(json_is_object(json), "no object: %.*s", (int)size, body);
	json_decref(json);
}

/* The first answer; those of later requests in the same bytes stand behind it. */
static void check_answer(bool head_only)
{
	const char *body = strstr(text, "\r\n\r\n"), *length;
	int code, minor;

	must(sscanf(text, "HTTP/1.%d %d ", &minor, &code) == 2, "no HTTP: %.100s", text);
	must(code >= 100 && code < 600, "status %d", code);
	must(body, "its header does not end: %.200s", text);
	if (code == 405)
		must(strcasestr(text, "\r\nAllow: GET\r\n"), "405 without Allow");
	length = strcasestr(text, "\r\nContent-Length: ");
	if (!strstr(text, "application/json") || !length || length > body || head_only)
		return;
	body += 4;
	must(strtoul(length + 18, NULL, 10) <= strlen(body), "cut short: %.400s", text);
	check_json(body, strtoul(length + 18, NULL, 10));
}

static void check_alive(void)
{
	static const char status[] = "GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n";

	must(ask((const uint8_t *)status, sizeof(status) - 1, SIZE_MAX) > 0, "hung up");
	must(!strncmp(text, "HTTP/1.1 200", 12), "not served any more: %.100s", text);
	check_answer(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned long runs;
	size_t split_at = size ? data[0] : 0;

	if (!size)
		return 0;
	data++;
	size--;
	/* What answers a request that is cut short, or none at all, is nothing. */
	if (ask(data, size, split_at & 1 ? split_at : SIZE_MAX))
		check_answer(size >= 4 && memmem(data, size, "HEAD", 4));
	if (runs++ % 64 == 0)
		check_alive();
	return 0;
}
