// SPDX-License-Identifier: GPL-2.0-only
#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/cli.h"

#define BODY_MAX (256u << 20) /* a status of 100,000 groups has some 30 MB */
#define START_S	 5L	      /* a daemon may take this long to begin its answer */
#define TRY_MS	 1000L

struct body {
	char *data;
	size_t len, size;
	cli_line_fn on_line; /* NULL: keep it all */
	void *arg;
	bool stopped;
	bool quiet; /* nothing is said, and nobody waits for long */
};

static void free_curl(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void free_body(struct body *b)
{
	free(b->data);
}

/* Always room for a NUL behind it. */
static bool append(struct body *b, const char *data, size_t n)
{
	if (n > BODY_MAX - b->len)
		return false;
	if (b->len + n + 1 > b->size) {
		size_t size = (b->len + n + 1) * 2;
		char *more = realloc(b->data, size);

		if (!more)
			return false;
		b->data = more;
		b->size = size;
	}
	memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
	return true;
}

/* Hand on whole lines, keep the rest. */
static bool take_lines(struct body *b)
{
	char *line = b->data, *end;

	while ((end = memchr(line, '\n', b->len - (size_t)(line - b->data)))) {
		*end = '\0';
		if (!b->on_line(line, b->arg))
			return false;
		line = end + 1;
	}
	b->len -= (size_t)(line - b->data);
	memmove(b->data, line, b->len + 1);
	return true;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct body *b = arg;

	if (!append(b, data, size * n))
		return 0;
	if (b->on_line && !take_lines(b)) {
		b->stopped = true;
		return 0;
	}
	return size * n;
}

static int explain(const char *socket, CURLcode err)
{
	if (err == CURLE_COULDNT_CONNECT && access(socket, W_OK) && errno == EACCES)
		return cli_fail(CLI_FAILED,
				"%s: no right to ask there; run as root, or as a member of the "
				"group to which [self] group gives it",
				socket);
	if (err == CURLE_COULDNT_CONNECT)
		return cli_fail(
			CLI_NOT_RUNNING,
			"no daemon listens at %s; start xraftd (systemctl start xraftd), or "
			"give --socket PATH if it is elsewhere",
			socket);
	if (err == CURLE_OPERATION_TIMEDOUT)
		return cli_fail(CLI_NOT_RUNNING,
				"the daemon at %s does not answer; is it stopped? See xraft status",
				socket);
	return cli_fail(err == CURLE_OUT_OF_MEMORY ? CLI_FAILED : CLI_NOT_RUNNING,
			"the daemon at %s broke off: %s; see its log", socket,
			curl_easy_strerror(err));
}

/* The error that the daemon states, or the bare HTTP code. 202: it has begun, and not ended. */
static int refused(const char *path, long code, const struct body *b)
{
	json_t *json = b->data ? json_loads(b->data, 0, NULL) : NULL;
	const char *text = json_string_value(json_object_get(json, "error"));

	if (text)
		cli_fail(CLI_FAILED, "%s", text);
	else
		cli_fail(CLI_FAILED, "the daemon refuses %.*s (%ld): is it of another version?",
			 (int)strcspn(path, "?"), path, code);
	json_decref(json);
	return code == 202 ? CLI_UNKNOWN : CLI_FAILED;
}

static int request(const char *socket, const char *path, bool post, struct body *b)
{
	__attribute__((cleanup(free_curl))) CURL *curl = curl_easy_init();
	cli_line_fn on_line = b->on_line;
	char url[8192]; /* a value of 1 KiB, each byte as %XX, and more */
	CURLcode err;
	long code = 0;

	if (!curl)
		return cli_fail(CLI_FAILED, "no memory");
	if (access(socket, F_OK) && errno == EACCES && !b->quiet)
		return cli_fail(CLI_FAILED, "%s: no right to use it; run as root", socket);
	snprintf(url, sizeof(url), "http://xraft%s", path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	if (post)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, START_S);
	if (b->quiet)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TRY_MS);
	else if (!on_line)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, START_S * 6);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, b);
	err = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	if (b->quiet)
		return !err && code == 200 ? CLI_OK : CLI_FAILED;
	if (err && !b->stopped)
		return explain(socket, err);
	return code == 200 ? CLI_OK : refused(path, code, b);
}

static int ask_json(const char *socket, const char *path, bool post, json_t **out)
{
	__attribute__((cleanup(free_body))) struct body b = {0};
	int code = request(socket, path, post, &b);

	if (code)
		return code;
	*out = b.data ? json_loadb(b.data, b.len, 0, NULL) : NULL;
	if (!*out)
		return cli_fail(CLI_FAILED, "%s: what answers there is no xraftd", socket);
	return CLI_OK;
}

int cli_get_json(const char *socket, const char *path, json_t **out)
{
	return ask_json(socket, path, false, out);
}

bool cli_try_json(const char *socket, const char *path, json_t **out)
{
	__attribute__((cleanup(free_body))) struct body b = {.quiet = true};

	*out = request(socket, path, false, &b) || !b.data ? NULL
							   : json_loadb(b.data, b.len, 0, NULL);
	return *out;
}

int cli_post_json(const char *socket, const char *path, json_t **out)
{
	return ask_json(socket, path, true, out);
}

bool cli_daemon_listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int cli_get_lines(const char *socket, const char *path, cli_line_fn on_line, void *arg)
{
	__attribute__((cleanup(free_body))) struct body b = {.on_line = on_line, .arg = arg};

	return request(socket, path, false, &b);
}
