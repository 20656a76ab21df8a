// SPDX-License-Identifier: GPL-2.0-only
/* What the engine looks at now and then: is the NIC path's answer delivered, and what is dropped. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "daemon/engine.h"

#define PATH_ASK_NS   (200 * NS_PER_MS)
#define PATH_AGAIN_NS (5 * NS_PER_S) /* after the verdict "lost", or with no peer up */
#define PATH_EAGER    50	     /* questions before patience sets in */
#define PATH_PATIENCE 5		     /* echoes that nobody confirmed */
#define WATCH_NS      (5 * NS_PER_S)

static uint64_t echoes(struct xr_engine *e)
{
	struct xr_stats stats[2];

	return xr_maps_stats(&e->nic->maps, stats) ? 0 : stats[XR_STATS_NIC].path_answered;
}

static void path_lost(struct xr_engine *e)
{
	struct xr_control *c = e->env.control;

	c->tx_path = XR_TX_LOST;
	c->answer = 0; /* the daemon answers in its place: slower, but it arrives */
	xr_engine_say(
		e, XR_REPORT_path_lost,
		"what XDP_TX sends on %s is not delivered, so the daemon answers instead. On a "
		"veth load a native XDP program on the other end (pass.bpf.o), or set xdp = "
		"generic",
		c->interface);
}

/* A peer says: your echo came through. */
void xr_watch_path_delivered(struct xr_engine *e, uint8_t node)
{
	struct xr_report r = {
		.at_ns = xr_now_ns(),
		.kind = XR_REPORT_path_delivered,
		.node = node,
	};

	if (e->path.next_ns == UINT64_MAX)
		return;
	e->path.next_ns = UINT64_MAX;
	e->env.control->tx_path = XR_TX_DELIVERED;
	e->env.control->answer = 1;
	xr_report(e->reporter, &r);
}

void xr_watch_path(struct xr_engine *e, uint64_t now_ns)
{
	if (now_ns < e->path.next_ns)
		return;
	e->path.next_ns = now_ns + (e->path.asked < PATH_EAGER ? PATH_ASK_NS : PATH_AGAIN_NS);
	if (e->path.asked++ == 0)
		e->path.echoed = echoes(e);
	else if (echoes(e) - e->path.echoed >= PATH_PATIENCE) {
		if (e->env.control->tx_path != XR_TX_LOST)
			path_lost(e);
		e->path.next_ns = now_ns + PATH_AGAIN_NS;
	}
	for (uint8_t to = 1; to <= XR_NODE_MAX; to++)
		if (to != e->config->self && e->peers[to].used)
			xr_outbox_bare(&e->outbox, to, XR_PATH_ASK, 0);
}

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

static void publish_stats(struct xr_engine *e)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t slot = XR_STATS_DAEMON;
	_cleanup_free_ struct xr_stats *values = NULL;

	if (e->nic->maps.stats_fd < 0 || cpus < 1 ||
	    !memcmp(&e->stats, &e->shown, sizeof(e->stats)))
		return;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return;
	e->shown = values[0] = e->stats;
	bpf_map_update_elem(e->nic->maps.stats_fd, &slot, values, BPF_ANY);
}

void xr_watch_counters(struct xr_engine *e, uint64_t now_ns)
{
	struct xr_stats stats[2] = {0};
	bool first = !e->watched_ns; /* adopted maps hold what an earlier life has counted */

	publish_stats(e);
	if (now_ns - e->watched_ns < WATCH_NS)
		return;
	e->watched_ns = now_ns;
	if (e->outbox.lost > e->unsent)
		xr_engine_say(
			e, XR_REPORT_warning,
			"%llu datagrams could not be sent: is %s up, with a route to all nodes?",
			(unsigned long long)(e->outbox.lost - e->unsent),
			e->env.control->interface);
	e->unsent = e->outbox.lost;
	xr_maps_stats(&e->nic->maps, stats);
	for (size_t i = 0; i < ARRAY_SIZE(alarms); i++) {
		enum xr_reason reason = alarms[i].reason;
		uint64_t total = ((uint64_t *)&stats[XR_STATS_NIC])[reason] +
				 ((uint64_t *)&e->stats)[reason];

		if (total > e->dropped[reason] && !first)
			xr_engine_say(e, XR_REPORT_warning, "dropped %llu datagrams or records: %s",
				      (unsigned long long)(total - e->dropped[reason]),
				      alarms[i].remedy);
		e->dropped[reason] = total;
	}
}
