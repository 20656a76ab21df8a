// SPDX-License-Identifier: GPL-2.0-only
/* Orders for a leader: transfer, step-down. The maps tell what came of a transfer. */
#include <getopt.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define WAIT_NS (5 * NS_PER_S)

static int parse(const char *command, int argc, char **argv, int least, int most)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h') {
			cli_help(command);
			return -1;
		}
		cli_usage(command, "there is no option %s", argv[optind - 1]);
		return CLI_USAGE;
	}
	if (argc - optind < least || argc - optind > most)
		return cli_usage(command, argc - optind < least ? "something is missing"
								: "that is too much");
	return CLI_OK;
}

/* The first leader after `term`, by this node's view; 0: none in time. */
static unsigned int await_leader(const struct xr_group *g, uint32_t term, uint32_t *new_term)
{
	uint64_t until_ns = xr_now_ns() + WAIT_NS;

	while (xr_now_ns() < until_ns) {
		union xr_word v = xr_view_read(g);

		if (v.view.term > term && v.view.mode != XR_NONE) {
			*new_term = v.view.term;
			return v.view.leader;
		}
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	return 0;
}

static int tell(const struct xr_group *g, const char *name, unsigned int to, uint32_t term,
		uint64_t began_ns)
{
	uint32_t new_term = 0;
	unsigned int leader = await_leader(g, term, &new_term);
	double ms = (double)(xr_now_ns() - began_ns) / 1e6;

	if (!leader)
		return cli_fail(CLI_FAILED, "%s has had no leader for %.0f ms; see xraft status",
				name, ms);
	if (leader != to)
		return cli_fail(CLI_FAILED, "node %u leads %s in term %u instead, after %.1f ms",
				leader, name, new_term, ms);
	printf("node %u leads %s in term %u, after %.1f ms\n", leader, name, new_term, ms);
	return CLI_OK;
}

int cli_transfer(const struct cli *cli, int argc, char **argv)
{
	struct xr_maps maps = XR_MAPS_NONE;
	struct cli_node socket, pins;
	size_t id;
	uint64_t began_ns;
	const char *group, *to;
	struct xr_why why;
	json_t *done = NULL;
	uint32_t term;
	char path[128];
	int code = parse("transfer", argc, argv, 2, 2);

	if (code)
		return code < 0 ? CLI_OK : code;
	group = argv[optind];
	to = argv[optind + 1];
	if (strlen(to) != 1 || to[0] < '1' || to[0] > '9' || strlen(group) >= XR_NAME_SIZE)
		return cli_usage("transfer", "a node is a number from 1 to 9, a group's name has "
					     "at most 15 characters");
	code = cli_daemon_socket(cli, &socket);
	if (!code)
		code = cli_find_pins(cli->node, &pins);
	if (code)
		return code;
	if (xr_maps_open(&maps, pins.path, false, &why))
		return cli_fail(CLI_FAILED, "%s", why.text);
	id = xr_maps_group(&maps, group);
	snprintf(path, sizeof(path), "/v1/step-down?group=%s&to=%s", group, to);
	began_ns = xr_now_ns();
	code = cli_post_json(socket.path, path, &done);
	term = (uint32_t)json_integer_value(json_object_get(done, "term"));
	if (!code && (unsigned int)(to[0] - '0') == maps.control->self)
		printf("node %s leads %s already, in term %u\n", to, group, term);
	else if (!code && id < maps.ngroups)
		code = tell(&maps.groups[id], group, to[0] - '0', term, began_ns);
	json_decref(done);
	xr_maps_close(&maps);
	return code;
}

int cli_step_down(const struct cli *cli, int argc, char **argv)
{
	struct cli_node socket;
	json_t *done = NULL;
	char path[128] = "/v1/step-down";
	int code = parse("step-down", argc, argv, 0, 1);

	if (code)
		return code < 0 ? CLI_OK : code;
	if (optind < argc) {
		if (strlen(argv[optind]) >= XR_NAME_SIZE)
			return cli_usage("step-down", "a group's name has at most 15 characters");
		snprintf(path, sizeof(path), "/v1/step-down?group=%s", argv[optind]);
	}
	code = cli_daemon_socket(cli, &socket);
	if (!code)
		code = cli_post_json(socket.path, path, &done);
	if (!code)
		printf("led %lld group(s), and leads none of them any more\n",
		       (long long)json_integer_value(json_object_get(done, "groups")));
	json_decref(done);
	return code;
}
