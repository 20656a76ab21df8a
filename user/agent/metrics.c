// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prometheus' text format. Names follow its conventions: seconds, and counters that end with _total.
 * What is counted by events is what this agent has heard of, which begins with its engine's start.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>
#include "agent/daemon.h"
#include "agent/http.h"
#include "engine/words.h"
#include "lib/status.h"
#include "lib/value.h"

struct page {
	FILE *out;
	const struct xr_agent *agent;
	const struct xr_maps *maps;
	uint64_t now_ns;
};

static void head(struct page *p, const char *name, const char *type, const char *help)
{
	fprintf(p->out, "# HELP xraft_%s %s\n# TYPE xraft_%s %s\n", name, help, name, type);
}

static double seconds(uint64_t ns)
{
	return 1e-9 * (double)ns;
}

/* Of a stamp; one that another CPU made just after we read the clock has no age. */
static double age(const struct page *p, uint64_t stamp_ns)
{
	return xr_before(p->now_ns, stamp_ns) ? 0 : seconds(p->now_ns - stamp_ns);
}

/*
 * ---- the node ----
 */
static void put_node(struct page *p)
{
	static const char *const modes[] = {"off", "native", "generic"};
	const struct xr_control *c = p->maps->control;
	uint64_t deadline_ns = *(const volatile __u64 *)&c->alive_until_ns;
	uint64_t heard_ns = *(const volatile __u64 *)&c->heard_ns;

	head(p, "info", "gauge", "What this node is; always 1.");
	fprintf(p->out, "xraft_info{cluster=\"%.16s\",node=\"%u\",version=\"%s\",xdp=\"%s\"} 1\n",
		c->cluster, c->self, XR_VERSION,
		c->nic_mode < ARRAY_SIZE(modes) ? modes[c->nic_mode] : "?");
	head(p, "answering", "gauge",
	     "Whether the daemon exists and has renewed its deadline, so that heartbeats are "
	     "answered.");
	fprintf(p->out, "xraft_answering %d\n",
		xr_before(p->now_ns, deadline_ns) && xr_status_alive(c));
	head(p, "loop_age_seconds", "gauge", "Since the daemon last turned its loop.");
	fprintf(p->out, "xraft_loop_age_seconds %.6f\n", age(p, heard_ns));
	head(p, "paused_groups", "gauge",
	     "Groups in which this node stands for no election until xraft resume.");
	fprintf(p->out, "xraft_paused_groups %u\n", xr_status_pauses(p->maps));
}

static void put_counters(struct page *p)
{
	static const char *const reasons[] = {
#define X(name, text) #name,
		XR_REASONS(X)
#undef X
	};
	static const char *const paths[] = {[XR_STATS_NIC] = "nic", [XR_STATS_DAEMON] = "daemon"};
	struct xr_stats stats[2];

	if (xr_maps_stats(p->maps, stats))
		return;
	head(p, "verdicts_total", "counter",
	     "Datagrams and records by what became of them, and where it was decided; xraft status "
	     "--counters explains each.");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (int r = 0; r < XR_REASON_END; r++)
			fprintf(p->out, "xraft_verdicts_total{path=\"%s\",verdict=\"%s\"} %llu\n",
				paths[i], reasons[r],
				(unsigned long long)((uint64_t *)&stats[i])[r]);
}

static void put_peers(struct page *p)
{
	struct xr_peer peers[XR_NODE_MAX + 1] = {0};

	xr_each_node(node)
		bpf_map_lookup_elem(p->maps->peers_fd, &(uint32_t){node}, &peers[node]);
	head(p, "peer_received_total", "counter",
	     "Datagrams of a peer with a valid tag, at the NIC path.");
	xr_each_node(node)
		if (peers[node].used)
			fprintf(p->out, "xraft_peer_received_total{peer=\"%u\"} %llu\n", node,
				(unsigned long long)peers[node].received);
	head(p, "peer_answered_total", "counter", "Of these, answered at the NIC path.");
	xr_each_node(node)
		if (peers[node].used)
			fprintf(p->out, "xraft_peer_answered_total{peer=\"%u\"} %llu\n", node,
				(unsigned long long)peers[node].answered);
}

/*
 * ---- groups ----
 */
struct group_metric {
	const char *name, *help;
	bool (*value)(const struct page *p, uint32_t id, double *out); /* false: it has none */
};

static bool leads(const struct page *p, uint32_t id, double *out)
{
	*out = xr_is_leader(p->agent->handle, (int)id, NULL);
	return true;
}

static bool leader(const struct page *p, uint32_t id, double *out)
{
	*out = xr_leader(p->agent->handle, (int)id, NULL);
	return true;
}

static bool term(const struct page *p, uint32_t id, double *out)
{
	const struct xr_group *g = &p->maps->groups[id];
	uint32_t viewed = xr_view_read(g).view.term;

	*out = viewed > g->durable_term ? viewed : g->durable_term;
	return true;
}

static bool lease_left(const struct page *p, uint32_t id, double *out)
{
	*out = seconds(xr_lease_left(p->agent->handle, (int)id, NULL));
	return true;
}

static bool contact_age(const struct page *p, uint32_t id, double *out)
{
	const struct xr_group *g = &p->maps->groups[id];
	uint64_t contact_ns = *(const volatile __u64 *)&g->contact_ns;

	*out = age(p, contact_ns);
	return contact_ns && xr_view_read(g).view.mode != XR_LEAD;
}

/* False: nobody ever set a value. */
static bool look_at_entry(const struct page *p, uint32_t id, struct xr_value *shown)
{
	const struct xr_value *v = xr_maps_value(p->maps, id);
	struct xr_entry entry;
	int err;

	if (!p->maps->copied && v && !*(const volatile __u64 *)&v->id)
		return false;
	err = xr_value_look(p->maps, id, &entry, shown);
	return !err || err == -EMSGSIZE;
}

static bool entry_term(const struct page *p, uint32_t id, double *out)
{
	struct xr_value shown;

	if (!look_at_entry(p, id, &shown))
		return false;
	*out = xr_entry_term(shown.id);
	return true;
}

static bool entry_index(const struct page *p, uint32_t id, double *out)
{
	struct xr_value shown;

	if (!look_at_entry(p, id, &shown))
		return false;
	*out = (uint32_t)shown.id;
	return true;
}

static bool entry_committed(const struct page *p, uint32_t id, double *out)
{
	struct xr_value shown;

	if (!look_at_entry(p, id, &shown))
		return false;
	*out = shown.committed == shown.id;
	return true;
}

static const struct group_metric group_metrics[] = {
	{"leader", "Whether this node holds the lease of the group now.", leads},
	{"leader_node", "Who leads, as far as this node knows; 0: it knows of nobody.", leader},
	{"term", "The term of the group.", term},
	{"lease_remaining_seconds", "For how long the lease still holds; 0: it is not held.",
	 lease_left},
	{"contact_age_seconds", "Since a heartbeat of the leader was accepted; not at the leader.",
	 contact_age},
	{"entry_term", "The term in which the entry was made that holds the group's value.",
	 entry_term},
	{"entry_index", "The number of that entry: it grows with each value, and each new leader.",
	 entry_index},
	{"entry_committed", "Whether a majority is known to have that entry.", entry_committed},
};

static bool exists(const struct page *p, size_t id)
{
	return p->maps->groups[id].members;
}

static void put_groups(struct page *p, const struct group_metric *m)
{
	double value;

	head(p, m->name, "gauge", m->help);
	for (size_t id = 0; id < p->maps->ngroups; id++)
		if (exists(p, id) && m->value(p, (uint32_t)id, &value))
			fprintf(p->out, "xraft_%s{group=\"%.16s\"} %.10g\n", m->name,
				p->maps->groups[id].name, value);
}

static void put_acks(struct page *p)
{
	head(p, "ack_age_seconds", "gauge",
	     "At a leader: since it sent the newest heartbeat that the peer has acked.");
	for (size_t id = 0; id < p->maps->ngroups; id++) {
		const struct xr_group *g = &p->maps->groups[id];

		if (!exists(p, id) || xr_view_read(g).view.mode != XR_LEAD)
			continue;
		xr_each_node_of(node, xr_members(g->members) & ~(1u << p->agent->config.self)) {
			uint64_t echo_ns =
				*(const volatile __u64 *)&p->maps->acks[id].echo_ns[node];

			if (echo_ns)
				fprintf(p->out,
					"xraft_ack_age_seconds{group=\"%.16s\",peer=\"%u\"} %.6f\n",
					g->name, node, age(p, echo_ns));
		}
	}
}

static void put_addresses(struct page *p)
{
	const struct xr_config *c = &p->agent->config;

	if (c->naddresses)
		head(p, "virtual_address_served", "gauge",
		     "Whether this node serves the virtual address: else the kernel drops what is "
		     "sent to it.");
	for (size_t i = 0; i < c->naddresses; i++) {
		struct xr_peer at = {.used = 1};
		char text[46];

		memcpy(at.ip, c->addresses[i].key.ip, sizeof(at.ip));
		fprintf(p->out, "xraft_virtual_address_served{address=\"%s\",group=\"%.16s\"} %d\n",
			xr_machine_address(&at, text),
			p->maps->groups[c->addresses[i].value.group].name,
			xr_is_leader(p->agent->handle, (int)c->addresses[i].value.group, NULL));
	}
}

/*
 * ---- what events tell ----
 */
static const struct {
	const char *event, *name, *help;
} counted[XR_COUNTED_EVENTS] = {
	{"election_started", "elections_started_total",
	 "Elections that this node has started, by cause."},
	{"elected", "elections_won_total", "Elections that this node has won, by cause."},
	{"stepped_down", "step_downs_total", "Leaderships that this node has given up, by cause."},
	{"stalled", "stalls_total", "Times that the event loop stood still for too long."},
};

static int cause_of(const json_t *event)
{
	const char *word = json_string_value(json_object_get(event, "cause"));

	for (int cause = 0; word && cause < XR_CAUSE_END; cause++)
		if (!strcmp(xr_cause_words[cause].word, word))
			return cause;
	return XR_CAUSE_NONE;
}

void xr_metrics_event(struct xr_agent *a, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "event"));
	json_int_t more = json_integer_value(json_object_get(event, "more"));

	for (int i = 0; kind && i < XR_COUNTED_EVENTS; i++)
		if (!strcmp(counted[i].event, kind))
			atomic_fetch_add(&a->counts[i][cause_of(event)], 1 + (uint64_t)more);
}

static void put_events(struct page *p)
{
	for (int i = 0; i < XR_COUNTED_EVENTS; i++) {
		head(p, counted[i].name, "counter", counted[i].help);
		for (int cause = 0; cause < XR_CAUSE_END; cause++) {
			uint64_t n = atomic_load(&p->agent->counts[i][cause]);

			if (n || cause == XR_CAUSE_NONE)
				fprintf(p->out, "xraft_%s{cause=\"%s\"} %llu\n", counted[i].name,
					xr_cause_words[cause].word, (unsigned long long)n);
		}
	}
}

/*
 * ---- what the daemon has looked at, and its disk ----
 */

/* Absent while it does not answer: xraft_answering says that. */
static void put_daemon(struct page *p)
{
	json_t *said = xr_daemon_json(p->agent, "/v1/looks"), *look;
	json_int_t writes = 0, write_ns = 0;
	const char *name;
	size_t i;
	int ok;

	head(p, "wrong", "gauge",
	     "Whether a look of the node found this wrong; xraft status says what, and the "
	     "remedy.");
	json_array_foreach(json_object_get(said, "looks"), i,
			   look) if (!json_unpack(look, "{s:s, s:b}", "name", &name, "ok", &ok))
		fprintf(p->out, "xraft_wrong{look=\"%s\",peer=\"%lld\"} %d\n", name,
			json_integer_value(json_object_get(look, "node")), !ok);
	if (!json_unpack(said, "{s:{s:I, s:I}}", "journal", "writes", &writes, "write_ns",
			 &write_ns)) {
		head(p, "journal_write_seconds", "summary",
		     "Writes of votes to the disk, each with its fsync.");
		fprintf(p->out, "xraft_journal_write_seconds_sum %.6f\n",
			seconds((uint64_t)write_ns));
		fprintf(p->out, "xraft_journal_write_seconds_count %lld\n", writes);
	}
	json_decref(said);
}

char *xr_metrics_text(const struct xr_agent *a)
{
	struct page p = {.agent = a, .maps = &a->maps, .now_ns = xr_now_ns()};
	char *text = NULL;
	size_t size;

	p.out = open_memstream(&text, &size);
	if (!p.out)
		return NULL;
	put_node(&p);
	for (size_t i = 0; i < ARRAY_SIZE(group_metrics); i++)
		put_groups(&p, &group_metrics[i]);
	put_acks(&p);
	put_addresses(&p);
	put_events(&p);
	put_daemon(&p);
	put_peers(&p);
	put_counters(&p);
	if (!fclose(p.out))
		return text;
	free(text);
	return NULL;
}
