// SPDX-License-Identifier: GPL-2.0-only
/* Counters, as people see them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "daemon/node.h"

#define WATCH_NS (5 * NS_PER_S)

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

void xr_watch_counters(struct xr_node *n, uint64_t now_ns)
{
	struct xr_engine *e = &n->engine;
	struct xr_watch *w = &n->watch;
	struct xr_stats stats[2] = {0};
	bool first = !w->at_ns; /* adopted maps hold what an earlier life has counted */

	publish_stats(n);
	if (now_ns - w->at_ns < WATCH_NS)
		return;
	w->at_ns = now_ns;
	if (n->trains.lost > w->unsent)
		xr_engine_say(
			e, XR_REPORT_warning,
			"%llu datagrams could not be sent: is %s up, with a route to all nodes?",
			(unsigned long long)(n->trains.lost - w->unsent),
			e->env.control->interface);
	w->unsent = n->trains.lost;
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
