// SPDX-License-Identifier: GPL-2.0-only
/* [groups]: a name, an id and voters a line. */
#include "config/private.h"

/* Node ids between blanks and commas. */
static bool read_voters(struct xr_parse *p, const char *s, uint32_t *voters)
{
	static const char between[] = XR_BLANKS ",";
	uint32_t node;

	*voters = 0;
	for (s += strspn(s, between); *s; s += strspn(s, between)) {
		size_t len = strcspn(s, between);
		const char *word = s;

		if (!xr_scan_number(&s, XR_NODE_MAX, &node) || !node || s != word + len) {
			fail(p, "voter \"%.*s\" is no node id; list the voters as in \"1: 1 2 3\"",
			     len < 40 ? (int)len : 40, word);
			return false;
		}
		if (*voters >> node & 1) {
			fail(p, "voter %u is listed twice; list each once", node);
			return false;
		}
		*voters |= 1u << node;
	}
	if (!*voters)
		fail(p, "the group has no voters; list them as in \"1: 1 2 3\"");
	return *voters;
}

static void add_group(struct xr_parse *p, const struct xr_config_group *g)
{
	struct xr_config *c = p->c;

	if (c->ngroups == XR_GROUPS_MAX) {
		fail(p, "there are more than %d groups; split them over clusters", XR_GROUPS_MAX);
		return;
	}
	if (c->ngroups == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		void *groups = reallocarray(c->groups, room, sizeof(*c->groups));

		if (!groups) {
			fail(p, "no memory for %zu groups; free some", room);
			p->err = -ENOMEM;
			return;
		}
		c->groups = groups;
		p->room = room;
	}
	c->groups[c->ngroups++] = *g;
}

void xr_groups_read(struct xr_parse *p, const char *name, const char *value)
{
	struct xr_config_group g = {.line = p->line};
	const char *id = value;

	if (!xr_scan_name(name, g.name)) {
		fail(p, "\"%.40s\" is no name for a group; use 1 to 15 of A-Z a-z 0-9 _ -", name);
		return;
	}
	if (!xr_scan_number(&value, XR_GROUPS_MAX - 1, &g.id) || !g.id ||
	    *(value = xr_scan_blanks(value)) != ':') {
		fail(p, "group %s has %s; write NAME = ID: VOTERS with an id from 1 to %d", g.name,
		     id[strspn(id, "0123456789")] == ':' ? "an id out of range" : "no id",
		     XR_GROUPS_MAX - 1);
		return;
	}
	if (!read_voters(p, value + 1, &g.voters))
		return;
	g.digest = xr_config_digest(g.name, g.voters);
	add_group(p, &g);
}

static int by_name(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->line - y->line;
}

static int compare_ids(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;
	int order = compare_ids(a, b);

	return order ? order : x->line - y->line;
}

/* Sorted, so that what is equal stands side by side; leaves them in the order of their ids. */
void xr_groups_check(struct xr_parse *p)
{
	struct xr_config_group *g = p->c->groups;
	size_t n = p->c->ngroups;

	if (!n)
		return;
	qsort(g, n, sizeof(*g), by_name);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(g[i - 1].name, g[i].name))
			fail_at(p, g[i].line,
				"group %s is already in line %d; rename one of the two", g[i].name,
				g[i - 1].line);
	qsort(g, n, sizeof(*g), by_id);
	for (size_t i = 1; i < n; i++)
		if (g[i - 1].id == g[i].id)
			fail_at(p, g[i].line,
				"group id %u is already that of %s in line %d; give each group its "
				"own",
				g[i].id, g[i - 1].name, g[i - 1].line);
}

const struct xr_config_group *xr_config_group(const struct xr_config *c, uint32_t id)
{
	struct xr_config_group key = {.id = id};

	return bsearch(&key, c->groups, c->ngroups, sizeof(key), compare_ids);
}

static bool is_new_group(const struct xr_config *c, const struct xr_peer *nodes,
			 const struct xr_config_group *g, uint32_t ngroups)
{
	uint32_t known = 0;

	xr_each_node(node)
		known |= (uint32_t)nodes[node].used << node;
	return g->id < ngroups && !(g->voters & ~known) && !xr_config_group(c, g->id);
}

/* A group's id keeps its name and voters for as long as it has state (rule 10). */
int xr_groups_differ(const struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		     struct xr_names *names, struct xr_why *why)
{
	const struct xr_peer *nodes = xr_nodes_taken(c, fresh);

	for (size_t i = 0; i < fresh->ngroups; i++) {
		const struct xr_config_group *g = &fresh->groups[i];
		const struct xr_config_group *old = xr_config_group(c, g->id);

		if (old && old->digest != g->digest)
			return xr_fail(
				why, -EINVAL,
				"line %d: group %s (id %u) has another name or other voters "
				"than before, which a start would refuse, too; put its first "
				"ones back (members change by xraft member), or give it an id "
				"that was never used",
				g->line, g->name, g->id);
		if (!old && !is_new_group(c, nodes, g, ngroups))
			xr_names_add(names, "group %s", g->name);
	}
	for (size_t i = 0; i < c->ngroups; i++)
		if (!xr_config_group(fresh, c->groups[i].id))
			xr_names_add(names, "group %s (left out)", c->groups[i].name);
	return 0;
}

int xr_config_take(struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		   struct xr_why *why)
{
	size_t n = c->ngroups;
	struct xr_config_group *groups;

	/* Keys are derived from the cluster's name: those of another would fit no peer. */
	if (strcmp(fresh->cluster, c->cluster) || fresh->self != c->self)
		return xr_fail(why, -EINVAL,
			       "the file is now of node %u of cluster %s; restart xraftd",
			       fresh->self, fresh->cluster);
	groups = reallocarray(c->groups, n + fresh->ngroups + 1, sizeof(*groups));
	if (!groups)
		return xr_fail(why, -ENOMEM, "no memory for the groups");
	c->groups = groups;
	memmove(c->nodes, xr_nodes_taken(c, fresh), sizeof(c->nodes));
	for (size_t i = 0; i < fresh->ngroups; i++)
		if (is_new_group(c, c->nodes, &fresh->groups[i], ngroups))
			c->groups[n++] = fresh->groups[i];
	n -= c->ngroups;
	c->ngroups += n;
	qsort(c->groups, c->ngroups, sizeof(*c->groups), by_id);
	memcpy(c->keys, fresh->keys, sizeof(c->keys));
	c->nkeys = fresh->nkeys;
	return (int)n;
}
