// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"

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
	const bool *as_json = arg;
	json_t *event = *as_json ? NULL : json_loads(line, 0, NULL);
	const char *text = json_string_value(json_object_get(event, "text"));

	if (text) {
		print_time((uint64_t)json_integer_value(json_object_get(event, "at_ns")));
		puts(text);
	} else {
		puts(line);
	}
	json_decref(event);
	return fflush(stdout) == 0; /* the reader may have left */
}

/* By the pins where there are any: then a daemon that left no socket is not running. */
int cli_watch(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"oldest", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *path = "/v1/events";
	struct cli_node node;
	bool as_json = false;
	int c, code;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("watch");
		if (c != 'j' && c != 'o')
			return cli_usage("watch", "there is no option %s", argv[optind - 1]);
		if (c == 'j')
			as_json = true;
		else
			path = "/v1/events?from=oldest";
	}
	if (optind < argc)
		return cli_usage("watch", "\"%s\" is too much", argv[optind]);
	code = cli_daemon_socket(cli, &node);
	if (code)
		return code;
	code = cli_get_lines(node.path, path, print_event, &as_json);
	if (code || ferror(stdout))
		return code;
	return cli_fail(CLI_NOT_RUNNING, "the daemon has ended; its log says why");
}
