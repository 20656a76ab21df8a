// SPDX-License-Identifier: GPL-2.0-only
/* For health checks: does this node hold the lease at this moment? From its maps alone. */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/status.h"
#include "xraft/xraft.h"

/* Exit codes of their own: a health check asks for one bit, and has to tell "no" from "cannot ask". */
enum { CHECK_LEADS = 0, CHECK_FOLLOWS = 1, CHECK_NOBODY = 2, CHECK_FAILED = 3 };

static const char *const results[] = {"leads", "follows", "nobody"};

struct check {
	int result;
	uint64_t token, left_ns, term;
	unsigned int leader; /* 0: not known */
};

/*
 * A view outlives what it tells of. So a leader is one that this node heard within its longest
 * election timeout, and the node itself must not be overdue: else it would not know.
 */
static bool follows(const struct xr_maps *m, int group)
{
	const struct xr_group *g = &m->groups[group];
	uint64_t deadline_ns = *(const volatile __u64 *)&m->control->alive_until_ns;
	uint64_t contact_ns = *(const volatile __u64 *)&g->contact_ns, now_ns = xr_now_ns();

	return xr_view_read(g).view.mode == XR_FOLLOW && xr_before(now_ns, deadline_ns) &&
	       xr_before(now_ns, contact_ns + m->control->max_timeout_us * NS_PER_US);
}

static int look(const struct cli_node *node, const char *name, struct check *c)
{
	struct xr_handle *h = NULL;
	struct xr_maps maps;
	struct xr_why why = {""};
	int group, err = xr_open(&h, node->cluster, node->node, why.text, sizeof(why.text));

	if (err)
		return cli_fail(CHECK_FAILED, "%s", why.text);
	group = xr_group_id(h, name);
	if (group < 0) {
		xr_close(h);
		return cli_fail(CHECK_FAILED, "node %s.%u has no group %s; xraft status lists them",
				node->cluster, node->node, name);
	}
	c->result = CHECK_NOBODY;
	xr_leader(h, group, &c->term);
	c->left_ns = xr_lease_left(h, group, &c->token);
	if (c->left_ns) {
		c->result = CHECK_LEADS;
		c->leader = node->node;
		c->term = c->token;
	} else if (!xr_maps_open(&maps, node->path, false, &why)) {
		if (follows(&maps, group)) {
			c->leader = xr_leader(h, group, &c->term);
			c->result = c->leader ? CHECK_FOLLOWS : CHECK_NOBODY;
		}
		xr_maps_close(&maps);
	}
	xr_close(h);
	return 0;
}

static void print_json(const struct cli_node *node, const char *name, const struct check *c)
{
	json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:o, s:I}", "cluster", node->cluster, "node",
				 (int)node->node, "group", name, "result", results[c->result],
				 "leader", c->leader ? json_integer(c->leader) : json_null(),
				 "term", (json_int_t)c->term);
	char *text;

	if (c->result == CHECK_LEADS) {
		json_object_set_new(json, "token", json_integer((json_int_t)c->token));
		json_object_set_new(json, "lease_left_ms", json_real((double)c->left_ns / 1e6));
	}
	text = xr_status_dump(json, false);
	puts(text);
	free(text);
	json_decref(json);
}

static void print(const struct cli_node *node, const char *name, const struct check *c)
{
	if (c->result == CHECK_LEADS)
		printf("node %u leads %s in term %llu; its lease holds for another %.1f ms\n",
		       node->node, name, (unsigned long long)c->token, (double)c->left_ns / 1e6);
	else if (c->result == CHECK_FOLLOWS)
		printf("node %u follows node %u, which leads %s in term %llu\n", node->node,
		       c->leader, name, (unsigned long long)c->term);
	else
		printf("node %u does not lead %s, and knows of no node that does\n", node->node,
		       name);
}

static int find_node(const struct cli *cli, struct cli_node *node)
{
	if (cli_name_node(cli->node, node))
		return 0;
	return cli_find_pins(cli->node, node) ? CHECK_FAILED : 0;
}

int cli_check(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool as_json = false, quiet = false;
	struct cli_node node;
	struct check check = {0};
	int c;

	while ((c = getopt_long(argc, argv, "+:qh", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("check");
		if (c != 'j' && c != 'q')
			return cli_usage("check", "there is no option %s", argv[optind - 1]),
			       CHECK_FAILED;
		if (c == 'j')
			as_json = true;
		else
			quiet = true;
	}
	if (optind + 1 != argc)
		return cli_usage("check", "name one group"), CHECK_FAILED;
	if (find_node(cli, &node) || look(&node, argv[optind], &check))
		return CHECK_FAILED;
	if (as_json)
		print_json(&node, argv[optind], &check);
	else if (!quiet)
		print(&node, argv[optind], &check);
	return check.result;
}
