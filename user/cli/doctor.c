// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/value.h"

#define LISTED_MOST    8 /* groups, in one sentence */
#define DEFAULT_CONFIG "/etc/xraft/xraft.conf"

static const char *const words[] = {
	[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "FAIL"};

void doctor_add(struct doctor *d, const char *name, enum doctor_result result, const char *remedy,
		const char *found, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, found);
	vsnprintf(text, sizeof(text), found, ap);
	va_end(ap);
	json_array_append_new(d->checks, json_pack("{s:s, s:s, s:s, s:s}", "name", name, "result",
						   result == DOCTOR_FAIL ? "fail" : words[result],
						   "found", text, "remedy", remedy));
	if (result == DOCTOR_FAIL)
		d->failed++;
}

static void check_config(struct doctor *d)
{
	bool named = d->config_path;
	struct xr_why why;

	if (!named)
		d->config_path = DEFAULT_CONFIG;
	if (!named && access(d->config_path, F_OK)) {
		doctor_add(d, "configuration", DOCTOR_WARN,
			   "write it, or name it with --config FILE", "there is no %s",
			   d->config_path);
		return;
	}
	if (xr_config_read(&d->config, d->config_path, &why)) {
		doctor_add(d, "configuration", DOCTOR_FAIL, "correct it; xraftd --check says more",
			   "%s", why.text);
		return;
	}
	d->configured = true;
	d->want_xdp = d->config.xdp != XR_XDP_OFF;
	if (!d->interface)
		d->interface = d->config.interface;
	doctor_add(d, "configuration", DOCTOR_OK, "", "%s: node %d of cluster %s, %zu group%s",
		   d->config_path, d->config.self, d->config.cluster, d->config.ngroups,
		   d->config.ngroups == 1 ? "" : "s");
}

/* As xraftd --check says it: "what is so; what to do". */
static void check_machine(struct doctor *d)
{
	static struct xr_findings found;

	xr_config_unwise(&d->config, &found);
	xr_machine_look(&d->config, XR_OCCASION_CHECK, &found);
	for (size_t i = 0; i < found.n; i++) {
		const struct xr_finding *f = &found.list[i];
		const char *remedy = strstr(f->text, "; ");
		int len = remedy ? (int)(remedy - f->text) : (int)strlen(f->text);

		doctor_add(d, f->about, f->grade == XR_WRONG ? DOCTOR_FAIL : DOCTOR_WARN,
			   remedy ? remedy + 2 : "", "%.*s", len, f->text);
	}
	if (!found.n)
		doctor_add(d, "machine", DOCTOR_OK, "",
			   "interface, addresses, user, folders and limits are as configured");
}

/* Whether what the NIC path answers arrives only the peers can tell, and they have told the node. */
static void check_answers(struct doctor *d)
{
	json_t *said = NULL;
	const char *path = NULL;

	if (!cli_try_json(d->config.socket, "/v1/status", &said))
		return;
	json_unpack(said, "{s:{s:s}}", "nic", "path", &path);
	if (path && !strcmp(path, "lost"))
		doctor_add(d, "answers", DOCTOR_WARN, XR_PATH_REMEDY,
			   "what XDP answers on %s does not arrive, so the daemon answers instead",
			   d->config.interface);
	else if (path && !strcmp(path, "delivered"))
		doctor_add(d, "answers", DOCTOR_OK, "", "what XDP answers on %s arrives",
			   d->config.interface);
	json_decref(said);
}

/* What the node itself has found since it runs. */
static void check_looks(struct doctor *d)
{
	json_t *said = NULL;
	const json_t *l;
	size_t i;
	int wrong = 0;

	if (!cli_try_json(d->config.socket, "/v1/looks", &said)) {
		doctor_add(d, "node", DOCTOR_OK, "", "no xraftd answers at %s: it is not asked",
			   d->config.socket);
		return;
	}
	json_array_foreach(json_object_get(said, "looks"), i, l)
	{
		if (json_is_true(json_object_get(l, "ok")))
			continue;
		wrong++;
		doctor_add(d, json_string_value(json_object_get(l, "name")), DOCTOR_FAIL,
			   json_string_value(json_object_get(l, "remedy")),
			   "the running node says: %s, since %s",
			   json_string_value(json_object_get(l, "detail")),
			   json_string_value(json_object_get(l, "since")));
	}
	if (!wrong)
		doctor_add(d, "node", DOCTOR_OK, "", "the running node finds nothing wrong");
	if (json_integer_value(json_object_get(said, "paused")))
		doctor_add(d, "paused", DOCTOR_WARN, "xraft resume, when its maintenance is over",
			   "the running node is paused in %d group(s): it votes, and stands for no "
			   "election there",
			   (int)json_integer_value(json_object_get(said, "paused")));
	json_decref(said);
}

static void list_nodes(char text[2 * XR_NODE_MAX + 1], uint32_t nodes)
{
	char *at = text;

	*at = '\0';
	xr_each_node_of(node, nodes)
		at += sprintf(at, " %d", node);
}

/* Returns whether they differ; says so while `left` is more than 0. */
static bool compare_voters(struct doctor *d, const struct xr_config_group *g,
			   const struct xr_maps *m, int left)
{
	char first[2 * XR_NODE_MAX + 1], now[2 * XR_NODE_MAX + 1];
	size_t id = xr_maps_group(m, g->name);
	struct xr_entry entry;
	struct xr_value shown;
	int err = id < m->ngroups ? xr_value_look(m, id, &entry, &shown) : -ENOENT;

	if (id == g->id && m->groups[id].digest != g->digest) {
		doctor_add(d, "voters", DOCTOR_FAIL,
			   "put its first ones back; members change by xraft member",
			   "[groups] has other voters of %s by now than the node has started with, "
			   "and a start will refuse that",
			   g->name);
		return false;
	}
	if ((err && err != -EMSGSIZE) || entry.voters == g->voters)
		return false;
	list_nodes(first, g->voters);
	list_nodes(now, entry.voters);
	if (left > 0)
		doctor_add(d, "voters", DOCTOR_OK, "",
			   "of %s are%s, as its entry says, which counts; [groups] names the "
			   "first,%s, and stays as it is",
			   g->name, now, first);
	return true;
}

/* From the maps, where there are some: so of a node that is dead, too. */
static void check_voters(struct doctor *d)
{
	struct xr_maps maps = XR_MAPS_NONE;
	char pins[128];
	int n = 0;

	xr_maps_dir(pins, sizeof(pins), d->config.cluster, d->config.self);
	if (xr_maps_open(&maps, pins, false, NULL))
		return;
	for (size_t i = 0; i < d->config.ngroups; i++)
		n += compare_voters(d, &d->config.groups[i], &maps, LISTED_MOST - n);
	xr_maps_close(&maps);
	if (n > LISTED_MOST)
		doctor_add(d, "voters", DOCTOR_OK, "",
			   "of %d more groups are others than [groups] names, and so their "
			   "entries count",
			   n - LISTED_MOST);
}

static void run_checks(struct doctor *d)
{
	check_config(d);
	if (d->configured)
		check_machine(d);
	if (d->configured)
		check_looks(d), check_answers(d), check_voters(d);
	if (!d->interface)
		d->interface = "";
	doctor_kernel(d);
	doctor_rights(d);
	doctor_bpffs(d);
	doctor_xdp(d);
	doctor_interface(d);
	doctor_clock(d);
	doctor_realtime(d);
	doctor_disk(d);
}

static void print_checks(const struct doctor *d)
{
	const json_t *c;
	size_t i;

	json_array_foreach(d->checks, i, c)
	{
		const char *result = json_string_value(json_object_get(c, "result"));
		const char *remedy = json_string_value(json_object_get(c, "remedy"));

		printf("%-4s  %-16s  %s\n", !strcmp(result, "fail") ? words[DOCTOR_FAIL] : result,
		       json_string_value(json_object_get(c, "name")),
		       json_string_value(json_object_get(c, "found")));
		if (remedy[0])
			printf("                        -> %s\n", remedy);
	}
	if (d->failed)
		printf("\n%d of the checks failed\n", d->failed);
}

static int doctor(struct doctor *d, bool as_json)
{
	json_t *all;

	d->checks = json_array();
	d->want_xdp = true;
	run_checks(d);
	if (as_json) {
		all = json_pack("{s:b, s:O}", "ok", d->failed == 0, "checks", d->checks);
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	} else {
		print_checks(d);
	}
	json_decref(d->checks);
	if (d->configured)
		xr_config_free(&d->config);
	return d->failed ? CLI_FAILED : CLI_OK;
}

int cli_doctor(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"interface", required_argument, NULL, 'i'},
		{"cluster", no_argument, NULL, 'C'},
		{"try", no_argument, NULL, 't'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static struct doctor d;
	bool as_json = false, cluster = false;
	int c;

	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			d.config_path = optarg;
			break;
		case 'i':
			d.interface = optarg;
			break;
		case 'C':
			cluster = true;
			break;
		case 't':
			d.try = true;
			break;
		case 'j':
			as_json = true;
			break;
		case 'h':
			return cli_help("doctor");
		case ':':
			return cli_usage("doctor", "%s needs a value", argv[optind - 1]);
		default:
			return cli_usage("doctor", "there is no option %s", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return cli_usage("doctor", "\"%s\" is too much", argv[optind]);
	return cluster ? doctor_cluster(cli, as_json) : doctor(&d, as_json);
}
