// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "lib/lease.h"
#include "lib/status.h"
#include "lib/value.h"
#include "net/env.h"

#define DUMP_FLAGS (JSON_REAL_PRECISION(12) | JSON_ENCODE_ANY)

/*
 * ---- the process ----
 */

/* Fields of /proc/PID/stat behind the name, which may hold spaces and parentheses itself. */
static uint64_t read_stat(pid_t pid, char *state)
{
	_cleanup_file_ FILE *f = NULL;
	unsigned long long start = 0;
	char path[64], line[1024], *rest;
	size_t len;

	*state = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	len = fread(line, 1, sizeof(line) - 1, f);
	line[len] = '\0';
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1,
			    " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %llu",
			    state, &start) != 2)
		return 0;
	return *state == 'Z' || *state == 'X' ? 0 : start;
}

uint64_t xr_status_pid_start(pid_t pid)
{
	char state;

	return read_stat(pid, &state);
}

/* Then nobody resigns for the engine, or starts another one. */
static bool is_stopped(pid_t pid)
{
	char state;

	return read_stat(pid, &state) && (state == 'T' || state == 't');
}

uint64_t xr_status_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

/* The kernel gives the inodes of namespaces 32 bits. */
uint32_t xr_status_pidns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) ? 0 : (uint32_t)st.st_ino;
}

/* Of a daemon in another pid namespace, such as a container's, the pids are other processes here. */
bool xr_status_knows_pids(const struct xr_control *c)
{
	return !c->pidns || c->pidns == xr_status_pidns();
}

static bool is_answering(const struct xr_control *c)
{
	return xr_before(xr_now_ns(), *(const volatile __u64 *)&c->alive_until_ns);
}

bool xr_status_alive(const struct xr_control *c)
{
	pid_t pid = c->pid;
	uint64_t start;

	if (!xr_status_knows_pids(c))
		return is_answering(c);
	if (pid <= 0 || (kill(pid, 0) && errno == ESRCH))
		return false;
	start = xr_status_pid_start(pid);
	if (!start)
		return access("/proc/self/stat", R_OK) != 0; /* gone since, or no /proc to ask */
	/* In another time namespace /proc tells other times. */
	return !c->pid_start || c->pid_start == start ||
	       (c->timens && c->timens != xr_maps_timens());
}

/*
 * ---- pieces ----
 */

/* With microseconds as decimals. */
static json_t *json_ms(uint64_t ns)
{
	uint64_t us = ns / NS_PER_US;

	return json_real((double)us / 1000.0);
}

/* A stamp newer than our clock was stored after we read it. */
static json_t *json_age(uint64_t now_ns, uint64_t stamp_ns)
{
	return json_ms(xr_before(now_ns, stamp_ns) ? 0 : now_ns - stamp_ns);
}

static json_t *json_us_as_ms(uint32_t us)
{
	if (us % 1000 == 0)
		return json_integer(us / 1000);
	return json_real(us / 1000.0);
}

static json_t *json_node(unsigned int node)
{
	return node ? json_integer(node) : json_null();
}

/* A name in shared memory may lack its NUL, or be garbage: show what can be shown. */
static json_t *json_name(const char *name, size_t max)
{
	char text[32];
	size_t len = strnlen(name, max < sizeof(text) ? max : sizeof(text) - 1);

	for (size_t i = 0; i < len; i++)
		text[i] = name[i] >= ' ' && name[i] < 0x7f ? name[i] : '?';
	return json_stringn(text, len);
}

/* An enum in shared memory may hold a value of a later version. */
static json_t *json_word(const char *const *words, size_t n, unsigned int i)
{
	return json_string(i < n ? words[i] : "unknown");
}

static const char *const role_words[] = {"follower", "candidate", "leader"};
static const char *const view_words[] = {"none", "follow", "lead"};
static const char *const mode_words[] = {"off", "native", "generic"};
static const char *const attach_words[] = {"none", "single", "dispatcher"};
static const char *const path_words[] = {"untested", "delivered", "lost"};

/*
 * ---- groups ----
 */
static struct xr_view read_view(const struct xr_group *g)
{
	union {
		uint64_t word;
		struct xr_view view;
	} v = {.word = *(const volatile __u64 *)&g->view};

	return v.view;
}

static json_t *json_ids(uint32_t nodes)
{
	json_t *list = json_array();

	xr_each_node_of(node, nodes)
		json_array_append_new(list, json_integer(node));
	return list;
}

static json_t *json_view(struct xr_view view)
{
	return json_pack("{s:I, s:o, s:o}", "term", (json_int_t)view.term, "mode",
			 json_word(view_words, ARRAY_SIZE(view_words), view.mode), "leader",
			 json_node(view.mode == XR_NONE ? 0 : view.leader));
}

/* Of a node that leads by its view: does it hold the lease, and until when? */
static bool read_lease(const struct xr_maps *m, size_t id, struct xr_lease *l, uint64_t *until_ns)
{
	const struct xr_control *c = m->control;

	if (!xr_lease_look(m, id, l) || (l->timens && l->timens != xr_maps_timens()))
		return false;
	*until_ns = l->now_ns + xr_lease_ns(c) -
		    xr_quorum_age_ns(&l->group, &l->acks, c->self, l->now_ns);
	if (xr_before(l->deadline_ns, *until_ns))
		*until_ns = l->deadline_ns;
	return true;
}

static json_t *json_quorum_age(const struct xr_maps *m, size_t id, uint64_t now_ns)
{
	uint64_t age_ns = xr_quorum_age_ns(&m->groups[id], &m->acks[id], m->control->self, now_ns);

	return age_ns == XR_NO_QUORUM ? json_null() : json_ms(age_ns);
}

/* As the maps have it, which a daemon's life does not change. */
static json_t *json_since(const struct xr_acks *acks)
{
	time_t since = acks->paused_s;
	char text[32];
	struct tm tm;

	if (!since || !gmtime_r(&since, &tm))
		return json_null();
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static bool is_paused(const struct xr_maps *m, size_t id)
{
	return m->groups[id].members && m->acks[id].paused >> m->control->self & 1;
}

unsigned int xr_status_pauses(const struct xr_maps *m)
{
	unsigned int n = 0;

	for (size_t id = 0; id < m->ngroups; id++)
		n += is_paused(m, id);
	return n;
}

static json_t *json_id(uint64_t id)
{
	return json_sprintf("%u.%u", xr_entry_term(id), (uint32_t)id);
}

/* The voters that have not told the leader that they have the entry; null elsewhere. */
static json_t *json_missing(const struct xr_maps *m, size_t id, const struct xr_value *shown)
{
	struct xr_view view = xr_view_read(&m->groups[id]).view;

	if (view.mode != XR_LEAD || view.term != xr_entry_term(shown->id))
		return json_null();
	return json_ids(shown->voters & ~shown->acked);
}

json_t *xr_status_entry(const struct xr_maps *m, size_t id)
{
	struct xr_entry entry;
	struct xr_value shown;
	int err = xr_value_look(m, id, &entry, &shown);
	json_t *value;

	if (err && err != -EMSGSIZE)
		return json_null();
	value = err ? NULL : json_stringn(entry.value, entry.size);
	return json_pack("{s:o, s:b, s:i, s:o, s:o}", "id", json_id(entry.id), "committed",
			 shown.committed == entry.id, "size", (int)entry.size, "value",
			 value ? value : json_null(), "missing", json_missing(m, id, &shown));
}

/* [groups] names a group's first voters; of these the maps have the digest alone. */
static bool is_as_configured(const struct xr_maps *m, size_t id)
{
	const struct xr_group *g = &m->groups[id];
	struct xr_entry entry;
	struct xr_value shown;
	int err = xr_value_look(m, id, &entry, &shown);

	return (err && err != -EMSGSIZE) || g->digest == xr_config_digest(g->name, entry.voters);
}

static json_t *json_group(const struct xr_maps *m, size_t id, bool alive)
{
	const struct xr_group *g = &m->groups[id];
	struct xr_view view = read_view(g);
	uint64_t contact_ns = *(const volatile __u64 *)&g->contact_ns, now_ns = xr_now_ns();
	uint32_t term = view.term > g->durable_term ? view.term : g->durable_term;
	bool leader = alive && view.mode == XR_LEAD;
	struct xr_lease lease;
	uint64_t until_ns;
	bool leads = leader && read_lease(m, id, &lease, &until_ns);

	return json_pack(
		"{s:o, s:I, s:o, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:b, s:o, "
		"s:o, s:o, s:o}",
		"name", json_name(g->name, sizeof(g->name)), "id", (json_int_t)id, "role",
		json_word(role_words, ARRAY_SIZE(role_words), alive ? g->role : XR_FOLLOWER),
		"leads", leads, "lease_left_ms",
		leads ? json_ms(until_ns - lease.now_ns) : json_null(), "term", (json_int_t)term,
		"leader", json_node(alive && view.mode != XR_NONE ? view.leader : 0), "voted_for",
		json_node(g->voted_for), "contact_age_ms",
		contact_ns && !leader ? json_age(now_ns, contact_ns) : json_null(), "quorum_age_ms",
		leader ? json_quorum_age(m, id, now_ns) : json_null(), "voters",
		json_ids(g->members & XR_NODES), "as_configured", is_as_configured(m, id),
		"learners", json_ids(g->members >> XR_LEARNER_SHIFT & XR_NODES), "member",
		xr_is_member(g, m->control->self), "paused", is_paused(m, id), "paused_since",
		json_since(&m->acks[id]), "paused_voters",
		json_ids(g->members & XR_NODES & m->acks[id].paused), "view", json_view(view),
		"entry", xr_status_entry(m, id));
}

static json_t *json_groups(const struct xr_maps *m, bool alive)
{
	json_t *list = json_array();

	for (size_t id = 0; id < m->ngroups && id < m->control->groups; id++)
		if (m->groups[id].members)
			json_array_append_new(list, json_group(m, id, alive));
	return list;
}

/* How many groups this node holds the lease of, follows in, and knows no leader of. */
static json_t *json_summary(const struct xr_maps *m, bool alive)
{
	json_int_t leads = 0, follows = 0, leaderless = 0;
	struct xr_lease lease;
	uint64_t until_ns;

	for (size_t id = 0; id < m->ngroups && id < m->control->groups; id++) {
		struct xr_view view = read_view(&m->groups[id]);

		if (!m->groups[id].members)
			continue;
		if (alive && view.mode == XR_LEAD && read_lease(m, id, &lease, &until_ns))
			leads++;
		else if (alive && view.mode == XR_FOLLOW)
			follows++;
		else
			leaderless++;
	}
	return json_pack("{s:I, s:I, s:I, s:I}", "leads", leads, "follows", follows, "leaderless",
			 leaderless, "paused", (json_int_t)xr_status_pauses(m));
}

/*
 * ---- the node ----
 */
static json_t *json_nic(const struct xr_control *c, bool alive)
{
	if (!alive) /* nobody has looked since */
		return json_pack("{s:o, s:n, s:n, s:b, s:n}", "interface",
				 json_name(c->interface, sizeof(c->interface)), "mode", "attach",
				 "answers", false, "path");
	return json_pack("{s:o, s:o, s:o, s:b, s:o}", "interface",
			 json_name(c->interface, sizeof(c->interface)), "mode",
			 json_word(mode_words, ARRAY_SIZE(mode_words), c->nic_mode), "attach",
			 json_word(attach_words, ARRAY_SIZE(attach_words), c->nic_attach),
			 "answers", c->answer && c->nic_mode != XR_NIC_OFF, "path",
			 json_word(path_words, ARRAY_SIZE(path_words), c->tx_path));
}

static json_t *json_timing(const struct xr_control *c)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:I}", "min_timeout_ms",
		json_us_as_ms(c->min_timeout_us), "max_timeout_ms",
		json_us_as_ms(c->max_timeout_us), "heartbeat_ms", json_us_as_ms(c->heartbeat_us),
		"stall_limit_ms", json_us_as_ms(c->stall_limit_us), "quorum_lapse_ms",
		json_us_as_ms(c->quorum_lapse_us), "drift_permille", (json_int_t)c->drift_permille);
}

static void format_address(char text[INET6_ADDRSTRLEN], const uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(ip, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, ip + sizeof(mapped), text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, ip, text, INET6_ADDRSTRLEN);
}

/* An empty list where there is no map. */
static json_t *json_nodes(const struct xr_maps *m)
{
	json_t *list = json_array();

	if (m->peers_fd < 0)
		return list;
	xr_each_node(node) {
		uint32_t key = node;
		char address[INET6_ADDRSTRLEN];
		struct xr_peer p;

		if (bpf_map_lookup_elem(m->peers_fd, &key, &p) || !p.used)
			continue;
		format_address(address, p.ip);
		json_array_append_new(list, json_pack("{s:I, s:s, s:i, s:i, s:I, s:I}", "node",
						      (json_int_t)node, "address", address, "port",
						      p.port, "priority", p.priority, "received",
						      (json_int_t)p.received, "answered",
						      (json_int_t)p.answered));
	}
	return list;
}

/* Served: as the fence of rule 21 has it. */
static json_t *json_addresses(const struct xr_maps *m)
{
	struct xr_ip key, *last = NULL;
	json_t *list = json_array();

	while (m->addresses_fd >= 0 && !bpf_map_get_next_key(m->addresses_fd, last, &key)) {
		char text[INET6_ADDRSTRLEN];
		struct xr_address a;
		struct xr_lease lease;
		uint64_t until_ns;

		last = &key;
		if (bpf_map_lookup_elem(m->addresses_fd, &key, &a) || a.group >= m->ngroups)
			continue;
		format_address(text, key.ip);
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:o, s:b}", "address", text, "prefix", a.prefix,
					"group", json_name(m->groups[a.group].name, XR_NAME_SIZE),
					"served", read_lease(m, a.group, &lease, &until_ns)));
	}
	return list;
}

static json_t *json_stats(const struct xr_stats *s)
{
	json_t *object = json_object();

#define X(name, text) json_object_set_new(object, #name, json_integer((json_int_t)s->name));
	XR_REASONS(X)
#undef X
	return object;
}

static json_t *json_counters(const struct xr_maps *m)
{
	struct xr_stats stats[2];

	if (xr_maps_stats(m, stats))
		return json_object();
	return json_pack("{s:o, s:o}", "nic", json_stats(&stats[XR_STATS_NIC]), "daemon",
			 json_stats(&stats[XR_STATS_DAEMON]));
}

json_t *xr_status_brief(const struct xr_maps *m, struct xr_why *why)
{
	const struct xr_control *c = m->control;
	uint64_t heard_ns = *(const volatile __u64 *)&c->heard_ns, now_ns = xr_now_ns();
	bool alive = xr_status_alive(c), pids = alive && xr_status_knows_pids(c);
	json_t *status;

	status = json_pack("{s:i, s:o, s:b, s:b, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			   "node", c->self, "cluster", json_name(c->cluster, sizeof(c->cluster)),
			   "alive", alive, "answering", alive && is_answering(c), "pid",
			   pids ? json_integer(c->pid) : json_null(), "warden",
			   pids ? json_integer(c->warden_pid) : json_null(), "warden_stopped",
			   pids && is_stopped(c->warden_pid), "loop_age_ms",
			   heard_ns ? json_age(now_ns, heard_ns) : json_null(), "nic",
			   json_nic(c, alive), "timing", json_timing(c), "nodes", json_nodes(m),
			   "addresses", json_addresses(m), "summary", json_summary(m, alive),
			   "counters", json_counters(m));
	if (!status)
		xr_fail(why, -ENOMEM, "no memory for the status of a node");
	return status;
}

json_t *xr_status_json(const struct xr_maps *m, struct xr_why *why)
{
	json_t *status = xr_status_brief(m, why);

	if (!json_object_set_new(status, "groups", json_groups(m, xr_status_alive(m->control))))
		return status;
	json_decref(status);
	xr_fail(why, -ENOMEM, "no memory for the status of %u groups", m->control->groups);
	return NULL;
}

char *xr_status_dump(const json_t *status, bool indent)
{
	return json_dumps(status, DUMP_FLAGS | (indent ? JSON_INDENT(2) : JSON_COMPACT));
}
