// SPDX-License-Identifier: GPL-2.0-only
/* Counters, as people see them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "daemon/node.h"

#define WATCH_NS  (5 * NS_PER_S)
#define OVER_NS	  (3 * NS_PER_S) /* without a loss */
#define FEW	  3		 /* datagrams are none */
#define WAIT_MOST 100

/* Drops that a person must hear of, since the cluster cannot heal them. */
static const struct {
	enum xr_reason reason;
	const char *remedy;
} alarms[] = {
	{XR_R_drop_tag, "wrong tag: do all nodes have the same key file and cluster name?"},
	{XR_R_drop_key, "unknown key id: reload all nodes after a key was changed"},
	{XR_R_drop_address, "not from the sender's configured address: do all [nodes] agree?"},
	{XR_R_drop_digest, "another idea of a group's name or voters: do all [groups] agree?"},
	{XR_R_drop_timing, "the leader's election_ms is larger than ours: do all [timing] agree?"},
	{XR_R_drop_version, "another version of the wire format: update all nodes"},
};

static void publish_stats(struct xr_node *n)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t slot = XR_STATS_DAEMON;
	_cleanup_free_ struct xr_stats *values = NULL;

	if (n->warden->nic.maps.stats_fd < 0 || cpus < 1 ||
	    !memcmp(&n->engine.stats, &n->watch.shown, sizeof(n->watch.shown)))
		return;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return;
	n->watch.shown = values[0] = n->engine.stats;
	bpf_map_update_elem(n->warden->nic.maps.stats_fd, &slot, values, BPF_ANY);
}

/*
 * ---- what does not leave, and what does not arrive (rule 20) ----
 */

/* What the kernel means, and what to do. */
static void explain(const struct xr_node *n, uint8_t node, int err, char *what, size_t size)
{
	const char *text = strerror(-err);
	char address[46];

	xr_machine_address(&n->engine.peers[node], address);
	bool no_address = n->engine.looks->of[XR_LOOK_address][0].look.state == XR_LOOK_WRONG;

	if (err == -EPERM)
		snprintf(what, size,
			 "a firewall on this machine drops it (OUTPUT: %s); allow UDP port {port} "
			 "to {others}: nft list ruleset shows the rule",
			 text);
	else if (err == -ENETDOWN)
		snprintf(what, size, "%s; ip link set dev {interface} up", text);
	else if (no_address && (err == -EINVAL || err == -EADDRNOTAVAIL))
		snprintf(what, size,
			 "%s: this node's address is not on this machine; put it back, see ip "
			 "address",
			 text);
	else if (err == -EMSGSIZE)
		snprintf(what, size,
			 "%s: the MTU on the way is too small; ip link set dev {interface} mtu "
			 "1500, on all nodes",
			 text);
	else if (err == -ENETUNREACH || err == -EHOSTUNREACH)
		snprintf(what, size,
			 "%s; see ip route get %s, and whether that machine is up: add the route, "
			 "or correct [nodes]",
			 text, address);
	else /* EINVAL and EACCES are what routes say that are there to refuse */
		snprintf(what, size,
			 "%s; see ip route get %s: is there a blackhole or prohibit route?", text,
			 address);
}

/* Some are lost between others that are not: it is over after a while without. */
static void look_at_sends(struct xr_node *n, uint64_t now_ns)
{
	char what[sizeof(((struct xr_look *)0)->what)];

	xr_each_node(node) {
		uint64_t taken = n->trains.of[node].taken, lost = n->trains.of[node].lost;
		bool fails = lost != n->watch.sent[node].lost;

		if (fails) {
			n->watch.sent[node].lost_ns = now_ns;
			explain(n, node, n->trains.of[node].err, what, sizeof(what));
			xr_look_note(n->engine.looks, XR_LOOK_output, node, now_ns, what);
		} else if (n->engine.peers[node].used && node != n->engine.config->self &&
			   (!n->watch.sent[node].lost_ns ||
			    (taken != n->watch.sent[node].taken &&
			     now_ns - n->watch.sent[node].lost_ns > OVER_NS))) {
			n->watch.sent[node].lost_ns = 0;
			xr_look_well(n->engine.looks, XR_LOOK_output, node, now_ns);
		}
		n->watch.sent[node].taken = taken;
		n->watch.sent[node].lost = lost;
	}
}

/* What the NIC path has passed up for this socket: at least so many datagrams, some by the record. */
static uint64_t passed_up(const struct xr_stats *s)
{
	return s->pass_heartbeat + s->pass_ack + s->pass_poll + s->pass_vote + s->pass_fact +
	       s->pass_not_alive + s->pass_no_socket + s->pass_no_answer + s->pass_busy;
}

/* What arrives and was not passed up has come by another way; fragments are passed uncounted. */
static void look_at_detour(struct xr_node *n, const struct xr_stats *s, uint64_t now_ns)
{
	uint64_t by_nic = passed_up(s) + s->pass_shape, all = n->received;
	struct xr_watch *w = &n->watch;
	uint64_t came = all - w->by_others, passed = by_nic - w->came_by;
	uint64_t waits = passed > came ? passed - came : 0; /* in the socket, perhaps */

	if (now_ns - w->window_ns < 2 * NS_PER_S)
		return;
	if (w->window_ns && now_ns - w->window_ns < 3 * NS_PER_S && came > passed + FEW &&
	    w->detours++)
		xr_look_wrong(
			n->engine.looks, XR_LOOK_detour, 0, now_ns,
			"%llu of the %llu datagrams that arrived in %.1f s did not come by "
			"%s, whose program answers: by another interface of this machine, then; "
			"on this machine: sysctl -w net.ipv4.conf.all.arp_ignore=1 "
			"net.ipv4.conf.all.arp_announce=2; on the others: ip neigh flush all",
			(unsigned long long)(came - passed), (unsigned long long)came,
			1e-9 * (double)(now_ns - w->window_ns), n->engine.looks->interface);
	else if (w->window_ns && came <= passed + FEW)
		xr_look_well(n->engine.looks, XR_LOOK_detour, 0, now_ns);
	if (came <= passed + FEW)
		w->detours = 0;
	w->window_ns = now_ns;
	w->by_others = all;
	w->came_by = by_nic - (waits < WAIT_MOST ? waits : WAIT_MOST);
}

static void look(struct xr_node *n, uint64_t now_ns)
{
	struct xr_stats stats[2];

	look_at_sends(n, now_ns);
	if (n->engine.env.control->nic_mode == XR_NIC_OFF ||
	    xr_maps_stats(&n->warden->nic.maps, stats)) {
		xr_look_forget(n->engine.looks, XR_LOOK_input, 0);
		xr_look_forget(n->engine.looks, XR_LOOK_detour, 0);
		n->watch.arrivals.looked_ns = n->watch.window_ns = 0;
		return;
	}
	xr_look_at_arrivals(n->engine.looks, &n->watch.arrivals, passed_up(&stats[XR_STATS_NIC]),
			    n->received, now_ns);
	look_at_detour(n, &stats[XR_STATS_NIC], now_ns);
}

void xr_watch_counters(struct xr_node *n, uint64_t now_ns)
{
	struct xr_engine *e = &n->engine;
	struct xr_watch *w = &n->watch;
	struct xr_stats stats[2] = {0};
	bool first = !w->at_ns; /* adopted maps hold what an earlier life has counted */

	publish_stats(n);
	look(n, now_ns);
	if (now_ns - w->at_ns < WATCH_NS)
		return;
	w->at_ns = now_ns;
	xr_maps_stats(&n->warden->nic.maps, stats);
	for (size_t i = 0; i < ARRAY_SIZE(alarms); i++) {
		enum xr_reason reason = alarms[i].reason;
		uint64_t total = ((uint64_t *)&stats[XR_STATS_NIC])[reason] +
				 ((uint64_t *)&e->stats)[reason];

		if (total > w->dropped[reason] && !first)
			xr_engine_say(e, XR_REPORT_warning, "dropped %llu datagrams or records: %s",
				      (unsigned long long)(total - w->dropped[reason]),
				      alarms[i].remedy);
		w->dropped[reason] = total;
	}
}
