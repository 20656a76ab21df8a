// SPDX-License-Identifier: GPL-2.0-only
/* The settings: all that [cluster], [self] and [timing] may hold, a row each. */
#include <sys/un.h>
#include "config/private.h"

#define IN(field) \
	.at = offsetof(struct xr_config, field), .size = sizeof(((struct xr_config *)0)->field)
#define NODE_NAME "CLUSTER.NODE" /* in a default: this node's own */

const char *const xr_section_names[XR_SECTIONS] = {
	[XR_NO_SECTION] = "",
	[XR_SECTION_CLUSTER] = "cluster",
	[XR_SECTION_SELF] = "self",
	[XR_SECTION_TIMING] = "timing",
	[XR_SECTION_NODES] = "nodes",
	[XR_SECTION_GROUPS] = "groups",
	[XR_SECTION_ADDRESSES] = "addresses",
	[XR_SECTION_AGENT] = "agent",
	[XR_SECTION_HTTP] = "http",
	[XR_SECTION_HOOKS] = "hooks",
};

static const char *const auth_words[] = {[false] = "", [true] = "none", NULL};
static const char *const xdp_words[] = {
	[XR_XDP_AUTO] = "auto",
	[XR_XDP_NATIVE] = "native",
	[XR_XDP_GENERIC] = "generic",
	[XR_XDP_OFF] = "off",
	NULL,
};

/* An interval is kept as two numbers, one behind the other. */
_Static_assert(offsetof(struct xr_config, max_timeout_us) ==
		       offsetof(struct xr_config, min_timeout_us) + sizeof(uint32_t),
	       "an interval");

static const struct xr_setting settings[XR_SETTINGS] = {
	/* clang-format off */
	[XR_SET_NAME] = {XR_SECTION_CLUSTER, "name", &xr_type_name, IN(cluster),
		.unit = "characters", .min = 1, .max = XR_NAME_SIZE - 1,
		.unset = "(needed)", .what = "name for a cluster",
		.text = "the cluster; its nodes hear no other's"},
	[XR_SET_KEY] = {XR_SECTION_CLUSTER, "key", &xr_type_path, IN(key_file),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1,
		.unset = "(needed, or auth = none)",
		.text = "the key file, made by xraft keygen; the same on all nodes"},
	[XR_SET_AUTH] = {XR_SECTION_CLUSTER, "auth", &xr_type_word, IN(auth_none),
		.words = auth_words,
		.unset = "(a key is needed)",
		.text = "none: whoever can send a datagram can take part"},
	[XR_SET_NODE] = {XR_SECTION_SELF, "node", &xr_type_number, IN(self),
		.min = 1, .max = XR_NODE_MAX,
		.unset = "(needed)", .what = "node id",
		.text = "which of [nodes] this is"},
	[XR_SET_INTERFACE] = {XR_SECTION_SELF, "interface", &xr_type_interface, IN(interface),
		.unit = "characters", .min = 1, .max = IF_NAMESIZE - 1,
		.unset = "(needed, or xdp = off)", .what = "name of an interface",
		.text = "where the node's address is and the XDP program goes"},
	[XR_SET_XDP] = {XR_SECTION_SELF, "xdp", &xr_type_word, IN(xdp),
		.words = xdp_words, .preset = "auto",
		.text = "auto: native, else generic, else off; or one of them"},
	[XR_SET_STATE] = {XR_SECTION_SELF, "state", &xr_type_path, IN(state_dir),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1,
		.preset = "/var/lib/xraft/" NODE_NAME,
		.text = "the folder of what is durable: term and votes"},
	[XR_SET_SOCKET] = {XR_SECTION_SELF, "socket", &xr_type_path, IN(socket),
		.unit = "characters", .min = 1,
		.max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
		.preset = "/run/xraft/" NODE_NAME ".sock",
		.text = "where the daemon answers the xraft command"},
	[XR_SET_USER] = {XR_SECTION_SELF, "user", &xr_type_user, IN(user),
		.unit = "characters", .min = 1,
		.max = sizeof(((struct xr_config *)0)->user) - 1,
		.unset = "(xraft)", .what = "user's name",
		.text = "whom the engine becomes"},
	[XR_SET_GROUP] = {XR_SECTION_SELF, "group", &xr_type_user, IN(group),
		.unit = "characters", .min = 1,
		.max = sizeof(((struct xr_config *)0)->group) - 1,
		.unset = "(xraft, if there is one)", .what = "group's name",
		.text = "whose members may read the maps and ask the daemon"},
	[XR_SET_REALTIME] = {XR_SECTION_SELF, "realtime", &xr_type_number, IN(realtime),
		.min = 0, .max = 98, .preset = "20", .what = "priority",
		.text = "SCHED_FIFO priority of the election thread; 0: ordinary"},
	[XR_SET_VALUE] = {XR_SECTION_SELF, "value_bytes", &xr_type_number, IN(value_bytes),
		.unit = "bytes", .min = 0, .max = XR_VALUE_MAX, .preset = "256", .what = "size",
		.text = "room for each group's value in the maps; the same on all nodes"},
	[XR_SET_ELECTION] = {XR_SECTION_TIMING, "election_ms", &xr_type_interval, IN(min_timeout_us),
		.unit = "ms", .min = 2000, .max = XR_MS_MAX * 1000,
		.preset = "150-300", .what = "interval",
		.text = "election timeouts are drawn from it; the same on all nodes"},
	[XR_SET_HEARTBEAT] = {XR_SECTION_TIMING, "heartbeat_ms", &xr_type_duration, IN(heartbeat_us),
		.unit = "ms", .min = 100, .max = XR_MS_MAX * 1000,
		.preset = "50", .what = "duration",
		.text = "from one to the next; two thirds of the smaller election_ms at most"},
	[XR_SET_STALL] = {XR_SECTION_TIMING, "stall_limit_ms", &xr_type_duration, IN(stall_limit_us),
		.unit = "ms", .min = 20000, .max = XR_MS_MAX * 1000,
		.preset = "1000", .what = "usable limit",
		.text = "a hung daemon is answered for so long"},
	[XR_SET_DRIFT] = {XR_SECTION_TIMING, "clock_drift_permille", &xr_type_number,
		IN(drift_permille),
		.unit = "permille", .min = 0, .max = 500, .preset = "100", .what = "rate",
		.text = "bound of any clock's rate error"},
	[XR_SET_FAILBACK] = {XR_SECTION_TIMING, "failback", &xr_type_seconds, IN(failback_ms),
		.unit = "s", .min = 1000, .max = 86400 * 1000,
		.preset = "never", .what = "number of seconds",
		.text = "a node of higher priority that was well for so long is handed the leadership"},
	[XR_SET_AGENT_USER] = {XR_SECTION_AGENT, "user", &xr_type_user, IN(agent_user),
		.unit = "characters", .min = 1,
		.max = sizeof(((struct xr_config *)0)->agent_user) - 1,
		.unset = "(as in [self])", .what = "user's name",
		.text = "whom the agent becomes, which does what follows from a leadership"},
	[XR_SET_HTTP_LISTEN] = {XR_SECTION_HTTP, "listen", &xr_type_listen, IN(http),
		.unset = "(nowhere)", .what = "address",
		.text = "where the agent tells state and metrics by HTTP, as in 127.0.0.1:7070"},
	[XR_SET_HOOK_BECOME] = {XR_SECTION_HOOKS, "become_leader", &xr_type_path, IN(hooks[XR_HOOK_BECOME]),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1, .unset = "(none)",
		.text = "called when this node holds the lease of a group"},
	[XR_SET_HOOK_LOSE] = {XR_SECTION_HOOKS, "lose_leadership", &xr_type_path, IN(hooks[XR_HOOK_LOSE]),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1, .unset = "(none)",
		.text = "called when it no longer does"},
	[XR_SET_HOOK_NEW] = {XR_SECTION_HOOKS, "new_leader", &xr_type_path, IN(hooks[XR_HOOK_NEW]),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1, .unset = "(none)",
		.text = "called when this node hears of another leader or term"},
	[XR_SET_HOOK_QUORUM] = {XR_SECTION_HOOKS, "quorum_lost", &xr_type_path, IN(hooks[XR_HOOK_QUORUM]),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1, .unset = "(none)",
		.text = "called when this node stopped to lead, since no majority answered"},
	[XR_SET_HOOK_VALUE] = {XR_SECTION_HOOKS, "new_value", &xr_type_path, IN(hooks[XR_HOOK_VALUE]),
		.unit = "characters", .min = 1, .max = PATH_MAX - 1, .unset = "(none)",
		.text = "called when a group agrees on another value"},
	[XR_SET_HOOK_USER] = {XR_SECTION_HOOKS, "user", &xr_type_user, IN(hook_user),
		.unit = "characters", .min = 1,
		.max = sizeof(((struct xr_config *)0)->hook_user) - 1,
		.unset = "(as in [agent])", .what = "user's name",
		.text = "who calls hooks"},
	[XR_SET_HOOK_LIMIT] = {XR_SECTION_HOOKS, "time_limit_ms", &xr_type_duration,
		IN(hook_limit_us),
		.unit = "ms", .min = 1000, .max = XR_MS_MAX * 1000,
		.preset = "10000", .what = "duration",
		.text = "a hook that takes longer is ended"},
	/* clang-format on */
};

void xr_settings_read(struct xr_parse *p, const char *name, const char *value)
{
	for (int i = 0; i < XR_SETTINGS; i++) {
		if (settings[i].section != p->section || strcmp(settings[i].name, name))
			continue;
		if (p->setting_line[i]) {
			fail(p, "%s is already set in line %d; keep one of the two", name,
			     p->setting_line[i]);
			return;
		}
		p->setting_line[i] = p->line;
		p->c->given |= 1u << i;
		settings[i].type->read(p, &settings[i], value);
		return;
	}
	fail(p, "[%s] knows no key \"%.40s\"; xraftd --keys lists all that there are",
	     xr_section_names[p->section], name);
}

/* The defaults, once cluster and node are known: by the readers that a file's values go through. */
void xr_settings_fill(struct xr_parse *p)
{
	for (int i = 0; i < XR_SETTINGS; i++) {
		const char *preset = settings[i].preset, *own;
		char value[64];

		if (p->setting_line[i] || !preset)
			continue;
		own = strstr(preset, NODE_NAME);
		if (own) {
			snprintf(value, sizeof(value), "%.*s%s.%u%s", (int)(own - preset), preset,
				 p->c->cluster, p->c->self, own + strlen(NODE_NAME));
			preset = value;
		}
		settings[i].type->read(p, &settings[i], preset);
	}
}

void xr_config_print(const struct xr_config *c, FILE *out)
{
	enum xr_section section = XR_NO_SECTION;

	for (int i = 0; i < XR_SETTINGS; i++) {
		const struct xr_setting *s = &settings[i];
		char value[PATH_MAX];

		s->type->show(s, (const char *)c + s->at, value, sizeof(value));
		if (!value[0])
			continue;
		if (s->section != section)
			fprintf(out, "\n[%s]\n", xr_section_names[s->section]);
		section = s->section;
		if (c->given >> i & 1)
			fprintf(out, "%-20s = %s\n", s->name, value);
		else
			fprintf(out, "%-20s = %-30s ; default\n", s->name, value);
	}
}

void xr_names_add(struct xr_names *names, const char *fmt, ...)
{
	size_t len = strlen(names->text->text), room = sizeof(names->text->text) - 40;
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (len + strlen(name) + 2 < room)
		sprintf(names->text->text + len, "%s%s", names->n ? ", " : "", name);
	else
		names->left_out++;
	names->n++;
}

static void settings_differ(const struct xr_config *c, const struct xr_config *fresh,
			    struct xr_names *names)
{
	char old[PATH_MAX], now[PATH_MAX];

	for (int i = 0; i < XR_SETTINGS; i++) {
		const struct xr_setting *s = &settings[i];

		s->type->show(s, (const char *)c + s->at, old, sizeof(old));
		s->type->show(s, (const char *)fresh + s->at, now, sizeof(now));
		if (strcmp(old, now))
			xr_names_add(names, "%s", s->name);
	}
}

int xr_config_differs(const struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		      struct xr_why *text, struct xr_why *why)
{
	struct xr_names names = {.text = text};
	size_t len;
	int err;

	text->text[0] = '\0';
	settings_differ(c, fresh, &names);
	xr_nodes_differ(c, fresh, &names);
	err = xr_groups_differ(c, fresh, ngroups, &names, why);
	len = strlen(text->text);
	if (names.n && names.left_out)
		snprintf(text->text + len, 40, " and %d more: need a restart", names.left_out);
	else if (names.n)
		snprintf(text->text + len, 40, ": need%s a restart", names.n > 1 ? "" : "s");
	return err;
}

/* Of a row: "-" where there is nothing to say. */
static void limit(const struct xr_setting *s, uint32_t value, char text[16])
{
	if (s->max)
		snprintf(text, 16, "%.7g", 1.0 * value / s->type->scale);
	else
		strcpy(text, "-");
}

void xr_config_print_keys(FILE *out)
{
	static const char format[] = "%-9s  %-20s  %-9s  %-10s  %-7s  %-7s  %-28s  %s\n";

	fprintf(out, format, "SECTION", "KEY", "TYPE", "UNIT", "MINIMUM", "MAXIMUM", "DEFAULT",
		"MEANING");
	for (int i = 0; i < XR_SETTINGS; i++) {
		const struct xr_setting *s = &settings[i];
		char min[16], max[16];

		limit(s, s->min, min);
		limit(s, s->max, max);
		fprintf(out, format, xr_section_names[s->section], s->name, s->type->name,
			s->unit ? s->unit : "-", min, max, s->preset ? s->preset : s->unset,
			s->text);
	}
	fprintf(out, format, "nodes", "1 to 9", "address", "-", "-", "-", "(needed)",
		"a node's address, as in \"1 = 10.0.0.1:7007\" or \"2 = fd00::2 priority 50\"; the "
		"priority is 0 to 255, else 100, and 0 a witness, which never leads");
	fprintf(out, format, "groups", "NAME", "voters", "-", "-", "-", "(needed)",
		"id and voters of a group, as in \"main = 1: 1 2 3\"");
	fprintf(out, format, "addresses", "GROUP", "addresses", "-", "-", "-", "(none)",
		"virtual addresses that the group's leader serves, as in \"main = "
		"10.0.0.100/24\"");
}
