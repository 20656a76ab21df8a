// SPDX-License-Identifier: GPL-2.0-only
/* `xraft doctor --cluster`: what all nodes tell the one of this machine, and where they differ. */
#include <string.h>

#include "cli/doctor.h"

static double ms_of(const json_t *node, const char *name)
{
	return (double)json_integer_value(json_object_get(node, name)) / 1e3;
}

static const char *text_of(const json_t *node, const char *name)
{
	const char *text = json_string_value(json_object_get(node, name));

	return text ? text : "-";
}

static bool is(const json_t *node, const char *name)
{
	return json_is_true(json_object_get(node, name));
}

static void print_told(const json_t *node)
{
	char told[16] = "asks", election[48], heartbeat[24];
	const json_t *took = json_object_get(node, "told_in_ms");

	if (took)
		snprintf(told, sizeof(told), "%.2f", json_real_value(took));
	snprintf(election, sizeof(election), "%g-%g", ms_of(node, "min_timeout_us"),
		 ms_of(node, "max_timeout_us"));
	snprintf(heartbeat, sizeof(heartbeat), "%g", ms_of(node, "heartbeat_us"));
	printf("%-6d%-9s%-13s%-11s%-10s%-18s%-12s%s%s\n",
	       (int)json_integer_value(json_object_get(node, "node")), told, election, heartbeat,
	       text_of(node, "keys"), text_of(node, "groups"), text_of(node, "nic"),
	       text_of(node, "path"), is(node, "twice") ? "  runs twice" : "");
}

/* Says what is not as it should be, with its remedy. Returns whether there is anything. */
static bool complain(const json_t *node)
{
	int id = (int)json_integer_value(json_object_get(node, "node"));
	const json_t *differs = json_object_get(node, "differs"), *name;
	bool wrong = false;
	size_t i;

	if (!is(node, "told")) {
		printf("FAIL  node %d does not answer\n"
		       "      -> see there whether xraftd runs, and whether a firewall drops UDP "
		       "on "
		       "its port\n",
		       id);
		return true;
	}
	if (is(node, "twice")) {
		printf("FAIL  node %d runs twice, on a copied machine or state\n"
		       "      -> stop both, and do as their logs say: each lacks what the other "
		       "has promised\n",
		       id);
		wrong = true;
	}
	if (json_integer_value(json_object_get(node, "pauses")))
		printf("warn  node %d is paused in %d group(s): it votes, and stands for no "
		       "election "
		       "there\n"
		       "      -> xraft resume there, when its maintenance is over\n",
		       id, (int)json_integer_value(json_object_get(node, "pauses")));
	json_array_foreach(differs, i, name)
	{
		printf("warn  node %d has another %s\n"
		       "      -> make the configurations alike, and restart the node that is "
		       "wrong\n",
		       id, json_string_value(name));
		wrong = true;
	}
	return wrong;
}

static bool print_nodes(const json_t *all)
{
	const json_t *nodes = json_object_get(all, "nodes"), *node;
	bool wrong = false;
	size_t i;

	printf("%-6s%-9s%-13s%-11s%-10s%-18s%-12s%s\n", "node", "told ms", "election ms", "beat ms",
	       "keys", "groups", "XDP", "answers");
	json_array_foreach(nodes, i, node)
	{
		if (is(node, "told"))
			print_told(node);
		else
			printf("%-6d-\n", (int)json_integer_value(json_object_get(node, "node")));
	}
	json_array_foreach(nodes, i, node) wrong |= complain(node);
	return wrong;
}

static bool any_wrong(const json_t *all)
{
	const json_t *node;
	size_t i;

	json_array_foreach(json_object_get(all, "nodes"), i,
			   node) if (!is(node, "told") || is(node, "twice") ||
				     json_array_size(json_object_get(node, "differs"))) return true;
	return false;
}

int doctor_cluster(const struct cli *cli, bool as_json)
{
	struct cli_node socket;
	json_t *all = NULL;
	int code = cli_daemon_socket(cli, &socket);
	bool wrong;

	if (!code)
		code = cli_get_json(socket.path, "/v1/peers", &all);
	if (code)
		return code;
	if (as_json) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		wrong = any_wrong(all);
	} else {
		wrong = print_nodes(all);
	}
	json_decref(all);
	return wrong ? CLI_FAILED : CLI_OK;
}
