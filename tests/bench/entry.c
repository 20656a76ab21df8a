// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the request to set a value until the answer that a majority has it, one after the other over one
 * connection that stays open.
 *
 *   bench_entry --system xraft --socket PATH | --system etcd --url URL
 *               --disk FILE [--rounds R] [--rest-us U] [--size BYTES]
 *
 * xraft is asked at its unix socket, etcd at its HTTP port: each as its own command asks, but for the
 * time that a command takes to start. Behind each request FILE is written alone: 8 KB and fdatasync,
 * as an entry costs. Prints an object for each round.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <string.h>
#include <time.h>
#include "common/common.h"

#define WARM_UP 20 /* rounds that are not told: connection, files and caches */

static struct {
	const char *socket, *url, *disk;
	bool etcd;
	long rounds, rest_us, size;
	CURL *curl;
	int disk_fd;
	char answer[4096];
	size_t len;
} b = {.rounds = 1000, .rest_us = 2000, .size = 32};

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench_entry: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	size_t room = sizeof(b.answer) - 1 - b.len, got = size * n < room ? size * n : room;

	(void)arg;
	memcpy(b.answer + b.len, data, got);
	b.len += got;
	b.answer[b.len] = '\0';
	return size * n;
}

/* Each round's value is another one. */
static void make_value(char *value, long round)
{
	memset(value, 'x', (size_t)b.size);
	value[b.size] = '\0';
	value[snprintf(value, (size_t)b.size, "%ld.", round)] = 'x';
}

static void ask_xraft(const char *value)
{
	char url[2048];

	snprintf(url, sizeof(url), "http://xraft/v1/set?group=g1&value=%s", value);
	curl_easy_setopt(b.curl, CURLOPT_URL, url);
	curl_easy_setopt(b.curl, CURLOPT_POSTFIELDS, "");
}

static void ask_etcd(const char *value)
{
	char coded[2048], body[2200];

	sodium_bin2base64(coded, sizeof(coded), (const unsigned char *)value, strlen(value),
			  sodium_base64_VARIANT_ORIGINAL);
	snprintf(body, sizeof(body), "{\"key\":\"ZzE=\",\"value\":\"%s\"}", coded);
	curl_easy_setopt(b.curl, CURLOPT_URL, b.url);
	curl_easy_setopt(b.curl, CURLOPT_COPYPOSTFIELDS, body);
}

static uint64_t request(long round)
{
	char value[1025];
	uint64_t t0_ns;
	CURLcode err;
	long code = 0;

	make_value(value, round);
	b.len = 0;
	b.answer[0] = '\0';
	if (b.etcd)
		ask_etcd(value);
	else
		ask_xraft(value);
	t0_ns = xr_now_ns();
	err = curl_easy_perform(b.curl);
	t0_ns = xr_now_ns() - t0_ns;
	curl_easy_getinfo(b.curl, CURLINFO_RESPONSE_CODE, &code);
	if (err || code != 200)
		die("round %ld: %s, %ld: %s", round, curl_easy_strerror(err), code, b.answer);
	return t0_ns;
}

/* What the daemon itself says, from the order to what it saw in the maps; of etcd nothing. */
static double told_ms(void)
{
	const char *ms = b.etcd ? NULL : strstr(b.answer, "\"ms\":");

	return ms ? strtod(ms + 5, NULL) : 0;
}

static uint64_t write_disk(void)
{
	static char block[8192]; /* a pair (user/journal/journal.c) */
	uint64_t t0_ns = xr_now_ns();

	block[0]++;
	if (pwrite(b.disk_fd, block, sizeof(block), 0) < 0 || fdatasync(b.disk_fd))
		die("%s cannot be written: %m", b.disk);
	return xr_now_ns() - t0_ns;
}

static void rest(void)
{
	nanosleep(&(struct timespec){.tv_sec = b.rest_us / 1000000,
				     .tv_nsec = b.rest_us % 1000000 * 1000},
		  NULL);
}

static void run(void)
{
	for (long round = -WARM_UP; round < b.rounds; round++) {
		uint64_t took_ns, disk_ns;
		double told;

		rest();
		took_ns = request(round);
		told = told_ms();
		rest();
		disk_ns = write_disk();
		if (round >= 0)
			printf("{\"us\":%.1f,\"told_us\":%.1f,\"disk_us\":%.1f}\n",
			       (double)took_ns / 1e3, told * 1e3, (double)disk_ns / 1e3);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"system", required_argument, NULL, 's'}, {"socket", required_argument, NULL, 'p'},
		{"url", required_argument, NULL, 'u'},	  {"disk", required_argument, NULL, 'd'},
		{"rounds", required_argument, NULL, 'r'}, {"rest-us", required_argument, NULL, 'w'},
		{"size", required_argument, NULL, 'z'},	  {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			b.etcd = !strcmp(optarg, "etcd");
		else if (c == 'p')
			b.socket = optarg;
		else if (c == 'u')
			b.url = optarg;
		else if (c == 'd')
			b.disk = optarg;
		else if (c == 'r')
			b.rounds = atol(optarg);
		else if (c == 'w')
			b.rest_us = atol(optarg);
		else if (c == 'z')
			b.size = atol(optarg);
		else
			exit(2);
	}
	if (!b.disk || (b.etcd ? !b.url : !b.socket) || b.size < 16 || b.size > 1024)
		die("see the head of entry.c for what it takes");
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	b.disk_fd = open(b.disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b.disk_fd < 0)
		die("%s: %m", b.disk);
	b.curl = curl_easy_init();
	if (!b.curl)
		die("no memory");
	if (!b.etcd)
		curl_easy_setopt(b.curl, CURLOPT_UNIX_SOCKET_PATH, b.socket);
	curl_easy_setopt(b.curl, CURLOPT_PROXY, "");
	curl_easy_setopt(b.curl, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(b.curl, CURLOPT_WRITEFUNCTION, on_data);
	run();
	curl_easy_cleanup(b.curl);
	return fflush(stdout) ? 1 : 0;
}
