// SPDX-License-Identifier: GPL-2.0-only
/* What needs the whole file. */
#include "config/private.h"

/* Where to complain about what is not there: its section, or the end of the file. */
static int missing_line(const struct xr_parse *p, enum xr_section section)
{
	if (p->heading[section])
		return p->heading[section];
	return p->line ? p->line : 1;
}

void xr_check_present(struct xr_parse *p)
{
	static const enum xr_section required[] = {XR_SECTION_CLUSTER, XR_SECTION_SELF,
						   XR_SECTION_NODES, XR_SECTION_GROUPS};
	const struct xr_config *c = p->c;

	for (unsigned int i = 0; i < ARRAY_SIZE(required); i++)
		if (!p->heading[required[i]])
			fail_at(p, missing_line(p, required[i]), "there is no section [%s]; add it",
				xr_section_names[required[i]]);
	if (!p->setting_line[XR_SET_NAME])
		fail_at(p, missing_line(p, XR_SECTION_CLUSTER),
			"the cluster has no name; add name = NAME");
	if (!p->setting_line[XR_SET_NODE])
		fail_at(p, missing_line(p, XR_SECTION_SELF),
			"it is not said which node this is; add node = ID");
	if (!p->setting_line[XR_SET_INTERFACE] && c->xdp != XR_XDP_OFF)
		fail_at(p, missing_line(p, XR_SECTION_SELF),
			"no interface is named; add interface = NAME, or xdp = off");
	if (p->setting_line[XR_SET_KEY] && p->setting_line[XR_SET_AUTH])
		fail_at(p, p->setting_line[XR_SET_AUTH],
			"there are both a key and auth = none; remove one of the two");
	if (!p->setting_line[XR_SET_KEY] && !p->setting_line[XR_SET_AUTH])
		fail_at(p, missing_line(p, XR_SECTION_CLUSTER),
			"the cluster has no key; make one with \"xraft keygen FILE\" and add key = "
			"FILE, or write auth = none");
	if (!c->ngroups)
		fail_at(p, missing_line(p, XR_SECTION_GROUPS),
			"there is no group; add NAME = ID: VOTERS, as in \"main = 1: 1 2 3\"");
}

/*
 * A follower polls after four fifths of the minimum election timeout: by then a heartbeat that was
 * not lost has to have come.
 */
void xr_check_timing(struct xr_parse *p)
{
	const struct xr_config *c = p->c;
	int line = p->setting_line[XR_SET_HEARTBEAT];

	if (3ull * c->heartbeat_us > 2ull * c->min_timeout_us)
		fail_at(p, line ? line : p->setting_line[XR_SET_ELECTION],
			"heartbeat_ms = %g%s is more than two thirds of the minimum election "
			"timeout; set heartbeat_ms to at most %g",
			c->heartbeat_us / 1000.0, line ? "" : " (the default)",
			c->min_timeout_us / 1500.0);
	if (c->min_timeout_us == c->max_timeout_us)
		fail_at(p, p->setting_line[XR_SET_ELECTION],
			"election_ms = %.7g-%.7g leaves nothing to draw: all nodes would ask at "
			"the same time, and split the votes for ever; write it as %.7g-%.7g",
			c->min_timeout_us / 1e3, c->max_timeout_us / 1e3, c->min_timeout_us / 1e3,
			c->min_timeout_us / 500.0);
	line = p->setting_line[XR_SET_STALL];
	if (c->stall_limit_us < c->min_timeout_us)
		fail_at(p, line ? line : p->setting_line[XR_SET_ELECTION],
			"stall_limit_ms = %.7g%s is less than an election timeout: a daemon would "
			"be given up that nobody misses yet; set stall_limit_ms to at least %.7g",
			c->stall_limit_us / 1e3, line ? "" : " (the default)",
			c->max_timeout_us / 1e3);
}

/* Somebody has to be able to lead. */
static void check_witnesses(struct xr_parse *p, uint32_t nodes)
{
	const struct xr_config *c = p->c;
	uint32_t witnesses = xr_config_witnesses(c);

	if (nodes && nodes == witnesses)
		fail_at(p, p->heading[XR_SECTION_NODES],
			"all nodes are witnesses (priority 0), so nobody could lead; give one of "
			"them a priority from 1 to 255");
	for (size_t i = 0; i < c->ngroups && !p->err; i++)
		if (!(c->groups[i].voters & ~witnesses))
			fail_at(p, c->groups[i].line,
				"all voters of group %s are witnesses (priority 0), so nobody "
				"could "
				"lead it; add a voter that may, or give one a priority from 1 to "
				"255",
				c->groups[i].name);
}

void xr_check_nodes(struct xr_parse *p)
{
	const struct xr_config *c = p->c;
	uint32_t nodes = 0;

	for (int i = 1; i <= XR_NODE_MAX; i++)
		nodes |= (uint32_t)c->nodes[i].used << i;
	if (c->self && !c->nodes[c->self].used)
		fail_at(p, p->setting_line[XR_SET_NODE],
			"this is node %d, which is not in [nodes]; add it there or correct the id",
			c->self);
	for (size_t i = 0; i < c->ngroups && !p->err; i++) {
		const struct xr_config_group *g = &c->groups[i];
		uint32_t unknown = g->voters & ~nodes;

		if (unknown)
			fail_at(p, g->line,
				"voter %d of group %s is not in [nodes]; add it there or correct "
				"the voters",
				__builtin_ctz(unknown), g->name);
	}
	check_witnesses(p, nodes);
}
