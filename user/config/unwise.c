// SPDX-License-Identifier: GPL-2.0-only
/* What a file may say, but had better not. */
#include <arpa/inet.h>
#include "config/private.h"

static const uint8_t *ipv4(const struct xr_peer *node)
{
	return xr_config_is_ipv4(node) ? node->ip + 12 : NULL;
}

static void look_at_timing(const struct xr_config *c, struct xr_findings *f)
{
	double min = c->min_timeout_us / 1e3, max = c->max_timeout_us / 1e3;

	if (c->max_timeout_us - c->min_timeout_us < c->min_timeout_us / 4)
		xr_find(f, XR_UNWISE, "timing",
			"election_ms = %.7g-%.7g is narrow: nodes that draw from it ask at the "
			"same time, and split the votes; write it as %.7g-%.7g",
			min, max, min, 2 * min);
	if (c->max_timeout_us > 10ull * c->min_timeout_us)
		xr_find(f, XR_UNWISE, "timing",
			"election_ms = %.7g-%.7g is wide: a leader without a majority steps down "
			"only after %.7g ms; write it as %.7g-%.7g",
			min, max, max, min, 2 * min);
	if (c->stall_limit_us < c->max_timeout_us)
		xr_find(f, XR_UNWISE, "timing",
			"stall_limit_ms = %.7g is less than the larger election_ms: a daemon that "
			"is busy is given up before others miss it; set it to 1000 or more",
			c->stall_limit_us / 1e3);
	if (c->heartbeat_us < 1000 && c->min_timeout_us > 50 * c->heartbeat_us)
		xr_find(f, XR_UNWISE, "timing",
			"heartbeat_ms = %.7g makes %.7g heartbeats in an election timeout; a third "
			"of the smaller election_ms is enough: %.7g",
			c->heartbeat_us / 1e3, 1.0 * c->min_timeout_us / c->heartbeat_us, min / 3);
	if (!c->drift_permille)
		xr_find(f, XR_UNWISE, "timing",
			"clock_drift_permille = 0 says that all clocks run at one rate, which none "
			"do, and two leases can overlap; set it to 1 or more");
}

static bool same_ip(const struct xr_peer *a, const struct xr_peer *b)
{
	return a->used && b->used && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

static void look_at_nodes(const struct xr_config *c, struct xr_findings *f)
{
	bool all_here = true, shared = false, local_link = false;

	for (int i = 1; i <= XR_NODE_MAX; i++) {
		const struct xr_peer *node = &c->nodes[i];
		const uint8_t *v4 = node->used ? ipv4(node) : NULL;

		all_here &= !node->used || xr_config_is_loopback(node);
		local_link |= v4 && v4[0] == 169 && v4[1] == 254;
		for (int j = 1; j < i; j++)
			shared |= same_ip(node, &c->nodes[j]);
	}
	if (all_here)
		xr_find(f, XR_UNWISE, "nodes",
			"all nodes have loopback addresses: they run and die on one machine; give "
			"each its own machine, and the address that the others reach");
	else if (shared)
		xr_find(f, XR_UNWISE, "nodes",
			"nodes share an address: they die together, and what they send each other "
			"passes no network card; give each its own machine");
	if (local_link)
		xr_find(f, XR_UNWISE, "nodes",
			"addresses in 169.254.0.0/16 are made up at random where nobody has set "
			"them, and reach one link only; give each node a fixed address");
}

/* A number that nobody's priority gives a meaning to is a mistake. */
static void look_at_priorities(const struct xr_config *c, struct xr_findings *f)
{
	uint8_t least = UINT8_MAX, most = 0;

	xr_each_node(node) {
		uint8_t priority = c->nodes[node].priority;

		if (!c->nodes[node].used || !priority)
			continue;
		least = priority < least ? priority : least;
		most = priority > most ? priority : most;
	}
	if (c->failback_ms && least == most)
		xr_find(f, XR_UNWISE, "priorities",
			"failback = %u hands over to nodes of higher priority, of which there are "
			"none; give the node that shall lead a higher one in [nodes]",
			c->failback_ms / 1000);
}

static void look_at_groups(const struct xr_config *c, struct xr_findings *f)
{
	uint32_t largest = c->groups[c->ngroups - 1].id, voters = 0, even = 0;
	const struct xr_config_group *two = NULL;

	for (size_t i = 0; i < c->ngroups; i++) {
		const struct xr_config_group *g = &c->groups[i];

		voters |= g->voters;
		if (__builtin_popcount(g->voters) % 2 == 0 && !even++)
			two = g;
	}
	if (even)
		xr_find(f, XR_UNWISE, "groups",
			"group %s has %d voters, which can lose no more nodes than %d could (%u "
			"such group%s); use an odd number",
			two->name, __builtin_popcount(two->voters),
			__builtin_popcount(two->voters) - 1, even, even == 1 ? "" : "s");
	for (int i = 1; i <= XR_NODE_MAX; i++)
		if (c->nodes[i].used && !(voters >> i & 1))
			xr_find(f, XR_UNWISE, "groups",
				"node %d votes in no group by [groups], and does nothing unless "
				"xraft member added it to one; else remove it from [nodes]",
				i);
	if (largest > 1024 && largest > 16 * c->ngroups)
		xr_find(f, XR_UNWISE, "groups",
			"group ids go up to %u for %zu groups, and the maps have room for every id "
			"below it; number the groups from 1",
			largest, c->ngroups);
}

static void look_at_rights(const struct xr_config *c, struct xr_findings *f)
{
	if (!strcmp(c->user, "root"))
		xr_find(f, XR_UNWISE, "user",
			"user = root: the engine keeps root's rights over files; set user = xraft");
	else if (!strcmp(c->user, "nobody"))
		xr_find(f, XR_UNWISE, "user",
			"user = nobody: whatever else runs as nobody can change this node's votes; "
			"set user = xraft");
	if (c->realtime > 90)
		xr_find(f, XR_UNWISE, "realtime",
			"realtime = %d keeps the kernel's own threads from the CPU; 60 is above "
			"what else there is",
			c->realtime);
	if (c->auth_none)
		xr_find(f, XR_UNWISE, "key",
			"auth = none: anyone on the network can make and unmake leaders; make a "
			"key with \"xraft keygen FILE\", and write key = FILE");
}

void xr_config_unwise(const struct xr_config *c, struct xr_findings *f)
{
	look_at_timing(c, f);
	look_at_nodes(c, f);
	look_at_priorities(c, f);
	look_at_groups(c, f);
	look_at_rights(c, f);
}
