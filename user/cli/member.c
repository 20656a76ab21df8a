// SPDX-License-Identifier: GPL-2.0-only
/* A group's members: shown from the maps of any node, changed by its leader. */
#include <arpa/inet.h>
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/status.h"
#include "lib/value.h"

struct options {
	bool json, learner;
};

/* -1: help was given; else an exit code. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"learner", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			cli_help("member");
			return -1;
		}
		if (c == 'j')
			o->json = true;
		else if (c == 'l')
			o->learner = true;
		else
			return cli_usage("member", "there is no option %s", argv[optind - 1]);
	}
	return CLI_OK;
}

/*
 * ---- list ----
 */
struct members {
	struct xr_entry entry; /* id 0: as configured */
	bool committed;
};

/* No value need have room: only whom it names is asked for. */
static int read_members(const struct xr_maps *m, size_t id, struct members *out)
{
	uint64_t committed = 0;
	int err = xr_value_read(m, id, &out->entry, &committed);

	if (err && err != -ENOENT && err != -EMSGSIZE)
		return err;
	if (err == -ENOENT)
		out->entry = (struct xr_entry){
			.voters = m->groups[id].members & XR_NODES,
			.learners = m->groups[id].members >> XR_LEARNER_SHIFT & XR_NODES,
		};
	out->committed = !out->entry.id || committed == out->entry.id;
	return 0;
}

static json_t *json_member(const struct xr_maps *m, size_t id, const struct members *all, int node)
{
	const struct xr_peer *p = &m->peers[node];
	uint64_t echo_ns = *(const volatile __u64 *)&m->acks[id].echo_ns[node];
	bool leads = xr_view_read(&m->groups[id]).view.mode == XR_LEAD;
	bool mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)p->ip);
	char ip[INET6_ADDRSTRLEN] = "";

	if (p->used)
		inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? p->ip + 12 : p->ip, ip, sizeof(ip));
	return json_pack("{s:i, s:s, s:o, s:o, s:o}", "node", node, "role",
			 all->entry.voters >> node & 1 ? "voter" : "learner", "birth",
			 all->entry.birth[node] ? json_sprintf("%08x", all->entry.birth[node])
						: json_null(),
			 "address", ip[0] ? json_string(ip) : json_null(), "ack_age_ms",
			 leads && echo_ns ? json_real((double)(xr_now_ns() - echo_ns) / NS_PER_MS)
					  : json_null());
}

static json_t *json_members(const struct xr_maps *m, size_t id, const struct members *all)
{
	json_t *list = json_array();

	xr_each_node_of(node, all->entry.voters | all->entry.learners)
		json_array_append_new(list, json_member(m, id, all, node));
	return json_pack("{s:s, s:o, s:b, s:o}", "group", m->groups[id].name, "entry",
			 all->entry.id ? json_sprintf("%u.%u", xr_entry_term(all->entry.id),
						      (uint32_t)all->entry.id)
				       : json_null(),
			 "committed", all->committed, "members", list);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void print_members(const struct xr_maps *m, const json_t *all)
{
	const char *entry = json_string_value(json_object_get(all, "entry"));
	const json_t *member;
	size_t i;

	if (entry)
		printf("%s, by entry %s%s\n", text_of(all, "group"), entry,
		       json_is_true(json_object_get(all, "committed"))
			       ? ""
			       : ", which is not known to be committed");
	else
		printf("%s, as configured\n", text_of(all, "group"));
	json_array_foreach(json_object_get(all, "members"), i, member)
	{
		int node = (int)json_integer_value(json_object_get(member, "node"));
		const json_t *age = json_object_get(member, "ack_age_ms");

		printf("  node %d  %-7s  birth %-8s  %s", node, text_of(member, "role"),
		       text_of(member, "birth"),
		       node == m->control->self ? "this node" : text_of(member, "address"));
		if (json_is_real(age))
			printf(", acked %.1f ms ago", json_real_value(age));
		putchar('\n');
	}
}

static int list_members(const struct xr_maps *m, const char *group, bool json)
{
	size_t id = xr_maps_group(m, group);
	struct members all;
	json_t *object;
	char *text;
	int err;

	if (id == m->ngroups)
		return cli_fail(CLI_FAILED, "there is no group %s here; see xraft status", group);
	err = read_members(m, id, &all);
	if (err)
		return cli_fail(CLI_FAILED, "the members of %s cannot be read: %s", group,
				strerror(-err));
	object = json_members(m, id, &all);
	text = json ? xr_status_dump(object, false) : NULL;
	if (text)
		puts(text);
	else if (!json)
		print_members(m, object);
	free(text);
	json_decref(object);
	return CLI_OK;
}

static int list(const struct cli *cli, const char *group, bool json)
{
	struct xr_maps maps = XR_MAPS_NONE;
	struct cli_node pins;
	struct xr_why why;
	int code = cli_find_pins(cli->node, &pins);

	if (code)
		return code;
	if (xr_maps_open(&maps, pins.path, false, &why))
		return cli_fail(CLI_FAILED, "%s", why.text);
	code = list_members(&maps, group, json);
	xr_maps_close(&maps);
	return code;
}

/*
 * ---- change ----
 */
static int change(const struct cli *cli, const char *what, char **words, bool json)
{
	struct cli_node socket;
	char path[128];
	int code = cli_daemon_socket(cli, &socket);

	snprintf(path, sizeof(path), "/v1/member?change=%s&group=%s&node=%s", what, words[1],
		 words[2]);
	return code ? code : cli_post_entry(socket.path, path, json);
}

static bool is_change(const char *what)
{
	return !strcmp(what, "add") || !strcmp(what, "remove") || !strcmp(what, "promote");
}

int cli_member(const struct cli *cli, int argc, char **argv)
{
	struct options o = {0};
	int code = parse(argc, argv, &o), n;
	const char *what, *node;

	if (code)
		return code < 0 ? CLI_OK : code;
	n = argc - optind;
	what = n ? argv[optind] : "";
	if (strcmp(what, "list") && !is_change(what))
		return cli_usage("member", "say list, add, promote or remove");
	if (n != (is_change(what) ? 3 : 2))
		return cli_usage("member", n < 3 ? "something is missing" : "that is too much");
	if (strlen(argv[optind + 1]) >= XR_NAME_SIZE)
		return cli_usage("member", "a group's name has at most 15 characters");
	if (o.learner && strcmp(what, "add"))
		return cli_usage("member", "--learner is an option of add");
	if (!is_change(what))
		return list(cli, argv[optind + 1], o.json);
	node = argv[optind + 2];
	if (strlen(node) != 1 || node[0] < '1' || node[0] > '9')
		return cli_usage("member", "a node is a number from 1 to 9");
	return change(cli, o.learner ? "learn" : what, argv + optind, o.json);
}
