// SPDX-License-Identifier: GPL-2.0-only
/* Pause and resume: whether a node stands for election. The maps tell once it is on disk. */
#include <getopt.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define WAIT_NS (5 * NS_PER_S)
#define LOOK_NS (200 * NS_PER_US)

/* What was asked for, and how it was when that began. */
struct asked {
	const char *command, *group; /* group "": all */
	bool pause;
	struct xr_maps maps;
	uint64_t began_ns;
	unsigned int led; /* groups that it led until now */
	uint32_t term;	  /* of the last of them */
};

static int parse(struct asked *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool all = false;
	int c;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h') {
			cli_help(a->command);
			return -1;
		}
		if (c != 'a')
			return cli_usage(a->command, "there is no option %s", argv[optind - 1]);
		all = true;
	}
	if (argc - optind != !all)
		return cli_usage(a->command, "give a group, or --all");
	a->group = all ? "" : argv[optind];
	if (strlen(a->group) >= XR_NAME_SIZE)
		return cli_usage(a->command, "a group's name has at most 15 characters");
	return CLI_OK;
}

static bool is_meant(const struct asked *a, size_t id)
{
	const struct xr_group *g = &a->maps.groups[id];

	return g->members >> a->maps.control->self & 1 &&
	       (!a->group[0] || !strncmp(g->name, a->group, sizeof(g->name)));
}

static bool is_done(const struct asked *a)
{
	for (size_t id = 0; id < a->maps.ngroups; id++) {
		const volatile __u32 *paused = &a->maps.acks[id].paused;

		if (is_meant(a, id) && (*paused >> a->maps.control->self & 1) != a->pause)
			return false;
	}
	return true;
}

/* Of the group that was named: whoever leads it after `term`, 0 nobody yet. */
static unsigned int successor(const struct asked *a)
{
	for (size_t id = 0; id < a->maps.ngroups; id++) {
		union xr_word v = xr_view_read(&a->maps.groups[id]);

		if (is_meant(a, id) && v.view.term > a->term && v.view.mode != XR_NONE)
			return v.view.leader;
	}
	return 0;
}

static bool await(const struct asked *a, bool (*is_so)(const struct asked *a))
{
	uint64_t until_ns = a->began_ns + WAIT_NS;

	while (!is_so(a)) {
		if (!xr_before(xr_now_ns(), until_ns))
			return false;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
	}
	return true;
}

static bool has_successor(const struct asked *a)
{
	return successor(a);
}

static int tell(const struct asked *a)
{
	const char *what = a->group[0] ? a->group : "each group";

	if (!await(a, is_done))
		return cli_fail(CLI_FAILED, "that is not on disk after 5 s; see xraft status");
	if (!a->pause) {
		printf("this node stands for elections in %s\n", what);
		return CLI_OK;
	}
	printf("this node stands for no election in %s, until xraft resume\n", what);
	if (!a->led)
		return CLI_OK;
	if (!a->group[0]) {
		printf("it led %u of them, and leads none any more\n", a->led);
		return CLI_OK;
	}
	if (!await(a, has_successor))
		return cli_fail(CLI_FAILED,
				"it led %s, which nobody does any more; see xraft status",
				a->group);
	printf("it led %s, which node %u does now, after %.1f ms\n", a->group, successor(a),
	       (double)(xr_now_ns() - a->began_ns) / 1e6);
	return CLI_OK;
}

static int order(const struct cli *cli, struct asked *a)
{
	struct cli_node socket, pins;
	json_t *done = NULL;
	struct xr_why why;
	char path[64];
	int code = cli_daemon_socket(cli, &socket);

	if (!code)
		code = cli_find_pins(cli->node, &pins);
	if (code)
		return code;
	if (xr_maps_open(&a->maps, pins.path, false, &why))
		return cli_fail(CLI_FAILED, "%s", why.text);
	snprintf(path, sizeof(path), "/v1/%s%s%s", a->command, a->group[0] ? "?group=" : "",
		 a->group);
	a->began_ns = xr_now_ns();
	code = cli_post_json(socket.path, path, &done);
	a->led = (unsigned int)json_integer_value(json_object_get(done, "groups"));
	a->term = (uint32_t)json_integer_value(json_object_get(done, "term"));
	if (!code)
		code = tell(a);
	json_decref(done);
	xr_maps_close(&a->maps);
	return code;
}

static int run(const struct cli *cli, struct asked *a, int argc, char **argv)
{
	int code = parse(a, argc, argv);

	if (code)
		return code < 0 ? CLI_OK : code;
	return order(cli, a);
}

int cli_pause(const struct cli *cli, int argc, char **argv)
{
	struct asked a = {.command = "pause", .pause = true, .maps = XR_MAPS_NONE};

	return run(cli, &a, argc, argv);
}

int cli_resume(const struct cli *cli, int argc, char **argv)
{
	struct asked a = {.command = "resume", .maps = XR_MAPS_NONE};

	return run(cli, &a, argc, argv);
}
