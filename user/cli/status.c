// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/status.h"

struct options {
	bool json;
	bool counters;
	bool brief;
	bool check; /* for monitors */
};

/*
 * ---- where it comes from ----
 */
/*
 * What the daemon has looked at only it can tell; null where it does not answer. It also tells whether
 * the pins are its own.
 */
static void ask_daemon(const struct cli_node *node, json_t *status)
{
	json_t *said = NULL, *looks, *pid, *here = json_object_get(status, "pid");
	char socket[300];

	snprintf(socket, sizeof(socket), CLI_SOCKETS "/%s.%u.sock", node->cluster, node->node);
	cli_try_json(socket, "/v1/looks", &said);
	looks = json_object_get(said, "looks");
	json_object_set(status, "looks", looks ? looks : json_null());
	pid = json_object_get(said, "pid");
	if (pid && !json_equal(pid, here) && !json_is_null(here))
		json_object_set_new(
			status, "differs",
			json_sprintf("process %d answers at %s, and the pinned maps are not its "
				     "own; restart xraftd, which pins its maps anew",
				     (int)json_integer_value(pid), socket));
	json_decref(said);
}

static int from_pins(const struct cli *cli, bool brief, json_t **status)
{
	struct xr_maps maps;
	struct cli_node node;
	struct xr_why why;
	int code = cli_find_pins(cli->node, &node);
	int err;

	if (code)
		return code;
	err = xr_maps_open(&maps, node.path, false, &why);
	if (err)
		return cli_fail(err == -ENOENT ? CLI_NO_NODE : CLI_FAILED, "%s", why.text);
	*status = brief ? xr_status_brief(&maps, &why) : xr_status_json(&maps, &why);
	xr_maps_close(&maps);
	if (*status)
		ask_daemon(&node, *status);
	return *status ? CLI_OK : cli_fail(CLI_FAILED, "%s", why.text);
}

static int from_daemon(const struct cli *cli, json_t **status)
{
	struct cli_node node;
	int code;

	if (cli->socket)
		return cli_get_json(cli->socket, "/v1/status", status);
	code = cli_find_socket(cli->node, &node);
	return code ? code : cli_get_json(node.path, "/v1/status", status);
}

/*
 * ---- for people ----
 */
static const char *word(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "?";
}

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static bool yes(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static void print_life(const json_t *s)
{
	printf("node %d of cluster %s: ", (int)number(s, "node"), word(s, "cluster"));
	if (!yes(s, "alive"))
		printf("NOT RUNNING. This is what it left in its maps; it leads and follows "
		       "nobody\n");
	else if (json_is_null(json_object_get(s, "pid")))
		printf("running (in another pid namespace, as a container has)\n");
	else if (!yes(s, "answering"))
		printf("NOT ANSWERING. Process %d exists, but let its deadline lapse: it is "
		       "stopped, starting or hung\n",
		       (int)number(s, "pid"));
	else
		printf("running (process %d, warden %d)\n", (int)number(s, "pid"),
		       (int)number(s, "warden"));
	if (yes(s, "warden_stopped"))
		printf("  its warden is STOPPED: when the engine dies, nobody tells the peers or "
		       "starts "
		       "another one; kill -CONT %d\n",
		       (int)number(s, "warden"));
}

static void print_nic(const json_t *nic)
{
	const char *path = word(nic, "path");

	if (json_is_null(json_object_get(nic, "mode"))) {
		printf("  nic     %s; whether its program is there is not known while nobody "
		       "looks\n",
		       word(nic, "interface"));
		return;
	}
	if (!strcmp(word(nic, "mode"), "off")) {
		printf("  nic     no XDP: the daemon answers heartbeats itself\n");
		return;
	}
	printf("  nic     %s, %s XDP, %s", word(nic, "interface"), word(nic, "mode"),
	       !strcmp(word(nic, "attach"), "dispatcher") ? "beside others (dispatcher)"
							  : "the only program");
	if (!yes(nic, "answers"))
		printf("; its answers are switched off");
	if (!strcmp(path, "lost"))
		printf(": they do not arrive; " XR_PATH_REMEDY);
	else if (!strcmp(path, "delivered"))
		printf("; its answers arrive");
	else
		printf("; not yet tested whether its answers arrive");
	putchar('\n');
}

static size_t count_wrong(const json_t *s)
{
	size_t i, wrong = !!json_object_get(s, "differs");
	const json_t *l;

	json_array_foreach(json_object_get(s, "looks"), i, l) wrong += !yes(l, "ok");
	return wrong;
}

/* What is wrong, and what to do; of the rest only how many they are, and how old the oldest look is. */
static void print_looks(const json_t *s)
{
	const json_t *looks = json_object_get(s, "looks"), *l;
	double oldest = 0;
	size_t i;

	if (json_object_get(s, "differs"))
		printf("  WRONG   %s\n", word(s, "differs"));
	json_array_foreach(looks, i, l)
	{
		if (number(l, "looked_ms_ago") > oldest)
			oldest = number(l, "looked_ms_ago");
		if (!yes(l, "ok"))
			printf("  WRONG   %s, since %s\n          -> %s\n", word(l, "detail"),
			       word(l, "since"), word(l, "remedy"));
	}
	if (json_is_array(looks))
		printf("  looks   at %zu things, the last of them %.0f ms ago: %s\n",
		       json_array_size(looks), oldest,
		       count_wrong(s) ? "all else is well" : "all well");
	else
		printf("  looks   not known%s\n",
		       yes(s, "alive") ? ": the daemon does not answer" : "");
}

static void print_timing(const json_t *t)
{
	printf("  timing  election timeout %g-%g ms, heartbeat %g ms, stall limit %g ms\n",
	       number(t, "min_timeout_ms"), number(t, "max_timeout_ms"), number(t, "heartbeat_ms"),
	       number(t, "stall_limit_ms"));
}

/* What is out of the ordinary. */
static const char *priority_text(char text[32], const json_t *node)
{
	int priority = (int)number(node, "priority");

	snprintf(text, 32, "  priority %d", priority);
	if (!priority)
		return "  witness: never leads";
	return priority == XR_PRIORITY ? "" : text;
}

static void print_nodes(const json_t *nodes, int self)
{
	const json_t *n;
	char text[32];
	size_t i;

	json_array_foreach(nodes, i, n)
		printf("  node %d  %s port %d%s%s\n", (int)number(n, "node"), word(n, "address"),
		       (int)number(n, "port"), (int)number(n, "node") == self ? "  (this one)" : "",
		       priority_text(text, n));
}

static void print_addresses(const json_t *addresses)
{
	const json_t *a;
	size_t i;

	json_array_foreach(addresses, i, a) printf(
		"  address %s/%d of %s: %s\n", word(a, "address"), (int)number(a, "prefix"),
		word(a, "group"), yes(a, "served") ? "served here" : "fenced: not led from here");
}

/* A cell of the table; "-" for null. */
static const char *cell_node(char text[16], const json_t *group, const char *name, int self)
{
	const json_t *value = json_object_get(group, name);

	if (!json_is_integer(value))
		return "-";
	snprintf(text, 16, "%d%s", (int)json_integer_value(value),
		 json_integer_value(value) == self ? " (this)" : "");
	return text;
}

static const char *cell_age(char text[24], const json_t *group, const char *name)
{
	const json_t *value = json_object_get(group, name);
	double ms = json_number_value(value);

	if (!json_is_number(value))
		return "-";
	if (ms < 10000)
		snprintf(text, 24, "%.1f ms", ms);
	else
		snprintf(text, 24, "%.0f s", ms / 1000);
	return text;
}

/* Under its group, where somebody set a value. */
static void print_entry(const json_t *entry)
{
	_cleanup_free_ char *text = cli_value_line(json_object_get(entry, "value"), 76);
	const json_t *node;
	size_t i;

	if (!json_is_object(entry))
		return;
	printf("  entry %s, %s", word(entry, "id"),
	       yes(entry, "committed") ? "committed" : "not known to be committed");
	json_array_foreach(json_object_get(entry, "missing"), i, node)
		printf("%s%d", i ? "," : ", not at node ", (int)json_integer_value(node));
	if (text)
		printf(number(entry, "size") ? ": %s\n" : ", without a value\n", text);
	else
		printf(": its %d bytes are more than value_bytes\n", (int)number(entry, "size"));
}

static void print_group(const json_t *g, int self, int name_width)
{
	char leader[16], vote[16], contact[24], quorum[24], lease[24];
	const json_t *voter;
	size_t i;

	printf("%-*s %6d  %-9s %10.0f  %-8s %-8s %11s %11s %11s  ", name_width, word(g, "name"),
	       (int)number(g, "id"), yes(g, "member") ? word(g, "role") : "no member",
	       number(g, "term"), cell_node(leader, g, "leader", self),
	       cell_node(vote, g, "voted_for", self), cell_age(contact, g, "contact_age_ms"),
	       cell_age(quorum, g, "quorum_age_ms"),
	       yes(g, "leads") ? cell_age(lease, g, "lease_left_ms") : "-");
	json_array_foreach(json_object_get(g, "voters"), i, voter)
		printf("%s%d", i ? "," : "", (int)json_integer_value(voter));
	json_array_foreach(json_object_get(g, "learners"), i, voter)
		printf("%s%d", i ? "," : "  learners: ", (int)json_integer_value(voter));
	json_array_foreach(json_object_get(g, "paused_voters"), i, voter)
		printf("%s%d", i ? "," : "  paused: ", (int)json_integer_value(voter));
	putchar('\n');
	print_entry(json_object_get(g, "entry"));
	if (json_is_false(json_object_get(g, "as_configured")))
		printf("  the voters are those of its entry, which counts: [groups] names the "
		       "first, which were others\n");
}

/*
 * contact: since a leader was heard; quorum: since a leader sent what a majority has acked; lease: how
 * long it may lead if nobody acks any more.
 */
static void print_groups(const json_t *groups, int self)
{
	int width = 5;
	const json_t *g;
	size_t i;

	json_array_foreach(groups, i, g) if ((int)strlen(word(g, "name")) > width)
		width = (int)strlen(word(g, "name"));
	printf("\n%-*s %6s  %-9s %10s  %-8s %-8s %11s %11s %11s  %s\n", width, "GROUP", "ID",
	       "ROLE", "TERM", "LEADER", "VOTE", "CONTACT", "QUORUM", "LEASE", "VOTERS");
	json_array_foreach(groups, i, g) print_group(g, self, width);
}

static void print_counters(const json_t *counters)
{
	static const char *const names[][2] = {
#define X(name, text) {#name, text},
		XR_REASONS(X)
#undef X
	};
	const json_t *nic = json_object_get(counters, "nic");
	const json_t *daemon = json_object_get(counters, "daemon");

	printf("\n%14s %14s  %-18s\n", "NIC PATH", "DAEMON", "REASON");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		printf("%14.0f %14.0f  %-18s  %s\n", number(nic, names[i][0]),
		       number(daemon, names[i][0]), names[i][0], names[i][1]);
}

static void print_summary(const json_t *summary)
{
	printf("  groups  leads %.0f, follows in %.0f, knows no leader of %.0f\n",
	       number(summary, "leads"), number(summary, "follows"), number(summary, "leaderless"));
}

/* Whoever looks why this node does not lead finds it here. */
static void print_pauses(const json_t *s)
{
	double paused = number(json_object_get(s, "summary"), "paused");

	if (paused > 0)
		printf("  paused  in %.0f group%s: this node stands for no election there until "
		       "xraft "
		       "resume\n",
		       paused, paused > 1 ? "s" : "");
}

static void print_table(const json_t *s, const struct options *o)
{
	int self = (int)number(s, "node");

	print_life(s);
	print_nic(json_object_get(s, "nic"));
	print_looks(s);
	print_pauses(s);
	print_timing(json_object_get(s, "timing"));
	print_nodes(json_object_get(s, "nodes"), self);
	print_addresses(json_object_get(s, "addresses"));
	if (o->brief)
		print_summary(json_object_get(s, "summary"));
	else
		print_groups(json_object_get(s, "groups"), self);
	if (o->counters)
		print_counters(json_object_get(s, "counters"));
}

static int print(const json_t *status, const struct options *o)
{
	char *text;

	if (!o->json) {
		print_table(status, o);
		return CLI_OK;
	}
	text = xr_status_dump(status, false);
	if (!text)
		return cli_fail(CLI_FAILED, "no memory");
	puts(text);
	free(text);
	return CLI_OK;
}

/* For monitors: only what is wrong, and an exit code. */
static int check(const json_t *s, const struct options *o)
{
	double leaderless = number(json_object_get(s, "summary"), "leaderless");
	bool runs = yes(s, "alive") && yes(s, "answering");
	size_t wrong = count_wrong(s);

	if (o->json)
		print(s, o);
	else if (!runs)
		print_life(s);
	else
		print_looks(s);
	if (!runs)
		return CLI_NOT_RUNNING;
	if (leaderless > 0 && !o->json)
		printf("  WRONG   this node knows no leader of %.0f group(s)\n", leaderless);
	return wrong || leaderless > 0 || !json_is_array(json_object_get(s, "looks")) ? CLI_WRONG
										      : CLI_OK;
}

int cli_status(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},  {"counters", no_argument, NULL, 'c'},
		{"brief", no_argument, NULL, 'b'}, {"check", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},  {NULL, 0, NULL, 0},
	};
	struct options o = {0};
	json_t *status = NULL;
	int c, code;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("status");
		if (c != 'j' && c != 'c' && c != 'b' && c != 'k')
			return cli_usage("status", "there is no option %s", argv[optind - 1]);
		*(c == 'j'   ? &o.json
		  : c == 'c' ? &o.counters
		  : c == 'b' ? &o.brief
			     : &o.check) = true;
	}
	if (optind < argc)
		return cli_usage("status", "\"%s\" is too much; name a node with -n", argv[optind]);
	if (cli->socket || cli_only_socket(cli->node))
		code = from_daemon(cli, &status);
	else
		code = from_pins(cli, o.brief || o.check, &status);
	if (!code && o.brief)
		json_object_del(status, "groups");
	if (!code)
		code = o.check ? check(status, &o) : print(status, &o);
	json_decref(status);
	return code;
}
