// SPDX-License-Identifier: GPL-2.0-only
/* Events, through restarts of the daemon. */
#include <ctype.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>

#include "cli/cli.h"

#define AGAIN_MS 100 /* until the next look for a daemon */

struct watch {
	char query[1800]; /* after the first request without its beginning in time */
	char since[64];	  /* EPOCH:SEQ of the last event */
	bool as_json, once;
};

/* CLOCK_BOOTTIME of an event as a time of day. */
static void print_time(uint64_t at_ns)
{
	struct timespec now;
	uint64_t then_ns;
	struct tm tm;
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	then_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec - (xr_now_ns() - at_ns);
	seconds = (time_t)(then_ns / NS_PER_S);
	localtime_r(&seconds, &tm);
	printf("%02d:%02d:%02d.%03d  ", tm.tm_hour, tm.tm_min, tm.tm_sec,
	       (int)(then_ns % NS_PER_S / NS_PER_MS));
}

static bool print_event(const char *line, void *arg)
{
	struct watch *w = arg;
	json_t *event = json_loads(line, 0, NULL);
	const char *text = json_string_value(json_object_get(event, "text"));
	const char *epoch = json_string_value(json_object_get(event, "epoch"));
	_cleanup_free_ char *value = cli_value_line(json_object_get(event, "value"), 200);

	if (epoch)
		snprintf(w->since, sizeof(w->since), "%.40s:%lld", epoch,
			 (long long)json_integer_value(json_object_get(event, "seq")));
	if (text && !w->as_json) {
		print_time((uint64_t)json_integer_value(json_object_get(event, "at_ns")));
		printf("%s%s%s\n", text, value ? ": " : "", value ? value : "");
	} else {
		puts(line);
	}
	json_decref(event);
	return fflush(stdout) == 0; /* the reader may have left */
}

static bool is_name(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-_.:", *s))
			return false;
	return true;
}

static int add_query(struct watch *w, const char *key, const char *value)
{
	size_t len = strlen(w->query);

	if (!is_name(value))
		return cli_usage("watch", "\"%s\" cannot be", value);
	if ((size_t)snprintf(w->query + len, sizeof(w->query) - len, "&%s=%s", key, value) >=
	    sizeof(w->query) - len)
		return cli_usage("watch", "these are too many groups");
	return 0;
}

/* After a break it goes on behind the last event, and the daemon says what is missing. */
static int follow(struct watch *w, const char *socket, const char *start)
{
	char path[1900];
	int code;

	for (;;) {
		if (w->since[0])
			snprintf(path, sizeof(path), "/v1/events?since=%s%s", w->since, w->query);
		else
			snprintf(path, sizeof(path), "/v1/events?%s%s", start, w->query);
		code = cli_get_lines(socket, path, print_event, w);
		if (ferror(stdout) || (code && code != CLI_NOT_RUNNING))
			return code;
		if (w->once && !code)
			return cli_fail(CLI_NOT_RUNNING, "the daemon has ended; its log says why");
		if (w->once || !w->since[0])
			return code;
		cli_fail(0, "the daemon has ended; waits for the next");
		while (!cli_daemon_listens(socket))
			poll(NULL, 0, AGAIN_MS);
		cli_fail(0, "the daemon is there again");
	}
}

/* By the pins where there are any: then a daemon that left no socket is not running. */
int cli_watch(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},	 {"oldest", no_argument, NULL, 'o'},
		{"since", required_argument, NULL, 's'}, {"once", no_argument, NULL, '1'},
		{"help", no_argument, NULL, 'h'},	 {NULL, 0, NULL, 0},
	};
	struct watch w = {.query = ""};
	const char *start = "";
	struct cli_node node;
	int c, code;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("watch");
		if (c == ':')
			return cli_usage("watch", "%s needs a value", argv[optind - 1]);
		if (c == '?')
			return cli_usage("watch", "there is no option %s", argv[optind - 1]);
		w.as_json |= c == 'j';
		w.once |= c == '1';
		if (c == 'o')
			start = "from=oldest";
		if (c == 's')
			snprintf(w.since, sizeof(w.since), "%s", optarg);
	}
	if (!is_name(w.since))
		return cli_usage("watch", "--since takes EPOCH:SEQ, as an event has them");
	for (; optind < argc; optind++) {
		code = add_query(&w, "group", argv[optind]);
		if (code)
			return code;
	}
	code = cli_daemon_socket(cli, &node);
	return code ? code : follow(&w, node.path, start);
}
