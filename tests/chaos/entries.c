// SPDX-License-Identifier: GPL-2.0-only
/* What readers were told of entries, and who ordered values, was told of them. */
#include <stdlib.h>
#include <string.h>
#include "common/common.h"
#include "chaos/judge.h"

#define ID(id) (uint32_t)((id) >> 32), (uint32_t)(id)

static bool is_order(const struct line *e)
{
	return e->kind == 'M' && e->mode;
}

/* By a node, or to who ordered it. */
static bool is_told(const struct line *e)
{
	return e->kind == 'E' || (is_order(e) && e->mode == 'c');
}

static bool is_committed(const struct line *e)
{
	return is_told(e) && e->mode == 'c';
}

static int by_id(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	return xr_judge_by(a, b, a->id, b->id);
}

static int by_value(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	return xr_judge_by(a, b, a->value, b->value);
}

static int by_time(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	return xr_judge_by(a, b, a->t1, b->t1);
}

/*
 * ---- ids ----
 */

/* `a` and `b` are of one id, and an order knows of no members. */
static void check_body(struct check *c, const struct line *a, const struct line *b)
{
	if (a->value != b->value)
		xr_judge_violation(c, a, b, "group %d: entry %u.%u stands for two values", a->group,
				   ID(a->id));
	else if (a->kind == 'E' && b->kind == 'E' && a->members != b->members)
		xr_judge_violation(c, a, b, "group %d: entry %u.%u names two sets of members",
				   a->group, ID(a->id));
}

/*
 * A leader makes an entry from the one that it has, with the next index (rule 22), and has what was
 * committed before it was elected (rules 23 and 25). So an entry that was made without a committed
 * one shows by its index.
 */
static void check_ids(struct check *c)
{
	size_t n = xr_judge_collect(c, is_told, by_id);
	const struct line *before = NULL, *committed = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct line *e = c->sorted[i];
		bool again = before && before->group == e->group && before->id == e->id;

		if (committed && committed->group != e->group)
			committed = NULL;
		if (again)
			check_body(c, before, e);
		else if (committed && (uint32_t)e->id <= (uint32_t)committed->id)
			xr_judge_violation(
				c, committed, e,
				"group %d: entry %u.%u was made without %u.%u, which was committed",
				e->group, ID(e->id), ID(committed->id));
		before = e;
		c->f->told += !again;
		if (!is_committed(e) || (committed && committed->id == e->id))
			continue;
		committed = e;
		c->f->committed++;
	}
}

/* Also notes until when each was told. */
static void check_nodes(struct check *c)
{
	struct line *last[NODES + 1][GROUPS_MAX + 1] = {0};

	for (size_t i = 0; i < c->n; i++) {
		struct line *e = &c->lines[i], **before;

		for (int node = 1; e->kind == 'M' && node <= c->nodes; node++)
			if (xr_judge_wipes(e, node))
				memset(last[node], 0, sizeof(last[node]));
		if (e->kind != 'E')
			continue;
		before = &last[e->node][e->group];
		if (*before)
			(*before)->until = e->t0;
		if (*before && e->id < (*before)->id)
			xr_judge_violation(
				c, *before, e,
				"group %d: node %d's entry went back from %u.%u to %u.%u", e->group,
				e->node, ID((*before)->id), ID(e->id));
		*before = e;
	}
}

/*
 * ---- values ----
 */
struct value {
	int group;
	uint64_t hash;
	int asked;
	const struct line *refused;
	const struct line *replaced; /* by this one, which is committed */
};

static int compare_values(const void *x, const void *y)
{
	const struct value *a = x, *b = y;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static void note_order(struct xr_figures *f, struct value *v, const struct line *e)
{
	f->asked += e->mode == 'a';
	f->set += e->mode == 'c';
	f->refused += e->mode == 'r';
	f->unknown += e->mode == 'u';
	v->group = e->group;
	v->hash = e->value;
	v->asked += e->mode == 'a';
	if (e->mode == 'r')
		v->refused = e;
}

/* Each that was ordered, sorted. Returns how many; there is room for as many as lines. */
static size_t list_values(struct check *c, struct value *values)
{
	size_t n = xr_judge_collect(c, is_order, by_value), used = 0;

	for (size_t i = 0; i < n; i++) {
		const struct line *e = c->sorted[i];

		used += !i || e->group != c->sorted[i - 1]->group ||
			e->value != c->sorted[i - 1]->value;
		note_order(c->f, &values[used - 1], e);
	}
	return used;
}

/* `before`: the committed entry before it, of the same group. */
static void check_value(struct check *c, const struct line *before, struct value *had,
			const struct line *e, const struct value *v)
{
	if (v->refused && v->asked == 1)
		xr_judge_violation(c, v->refused, e,
				   "group %d: entry %u.%u has a value whose order was refused",
				   e->group, ID(e->id));
	if (!is_committed(e) || !before || before->value == e->value)
		return;
	if (had)
		had->replaced = e;
	if (v->replaced && v->asked == 1)
		xr_judge_violation(
			c, v->replaced, e,
			"group %d: entry %u.%u has a value again that %u.%u had replaced", e->group,
			ID(e->id), ID(v->replaced->id));
}

static void check_all_values(struct check *c, struct value *values)
{
	size_t nvalues = list_values(c, values), n = xr_judge_collect(c, is_told, by_id);
	const struct line *before = NULL;
	bool asked[GROUPS_MAX + 1] = {0};
	struct value *had = NULL;

	for (size_t i = 0; i < nvalues; i++)
		asked[values[i].group] |= values[i].asked > 0;
	for (size_t i = 0; i < n; i++) {
		const struct line *e = c->sorted[i];
		struct value key = {.group = e->group, .hash = e->value}, *v;

		v = bsearch(&key, values, nvalues, sizeof(*values), compare_values);
		if (before && before->group != e->group)
			before = NULL;
		if (v)
			check_value(c, before, before ? had : NULL, e, v);
		else if (asked[e->group] && e->value != xr_history_hash("", 0))
			xr_judge_violation(
				c, e, NULL,
				"group %d: entry %u.%u has a value that nobody asked for", e->group,
				ID(e->id));
		if (!is_committed(e))
			continue;
		before = e;
		had = v;
	}
	if (c->f->asked && !c->f->set)
		xr_judge_violation(c, NULL, NULL, "no value was set: nothing was shown");
	if (c->f->set && !c->f->told)
		xr_judge_violation(c, NULL, NULL, "no node's entry was seen: nothing was shown");
}

static void check_values(struct check *c)
{
	struct value *values = calloc(c->n + 1, sizeof(*values));

	if (values)
		check_all_values(c, values);
	free(values);
}

/*
 * ---- a leader's entry, beside its lease ----
 */
static bool is_lease_or_entry(const struct line *e)
{
	return e->kind == 'L' || (e->kind == 'E' && e->mode == 'c');
}

/* Sorted by time; newest[i]: the largest id of the group among known[0 ... i]. */
struct known {
	const struct line **known, **newest;
	size_t n;
};

static bool list_known(struct check *c, struct known *k)
{
	k->n = xr_judge_collect(c, is_committed, by_time);
	k->known = calloc(k->n + 1, sizeof(*k->known));
	k->newest = calloc(k->n + 1, sizeof(*k->newest));
	if (!k->known || !k->newest)
		return false;
	memcpy(k->known, c->sorted, k->n * sizeof(*k->known));
	for (size_t i = 0; i < k->n; i++) {
		const struct line *e = k->known[i], *newest = i ? k->newest[i - 1] : NULL;
		bool newer = !newest || newest->group != e->group || newest->id < e->id;

		k->newest[i] = newer ? e : newest;
	}
	return true;
}

/* That of which somebody had been told before this moment. */
static const struct line *newest_before(const struct known *k, int group, uint64_t t)
{
	size_t from = 0, to = k->n;

	while (from < to) {
		size_t middle = (from + to) / 2;
		const struct line *e = k->known[middle];

		if (e->group < group || (e->group == group && e->t1 < t))
			from = middle + 1;
		else
			to = middle;
	}
	return from && k->newest[from - 1]->group == group ? k->newest[from - 1] : NULL;
}

/* A reader at `t` would have been told of both. */
static void check_look(struct check *c, const struct known *k, const struct line *e,
		       const struct line *lease)
{
	uint64_t t = e->until < lease->t1 ? e->until : lease->t1;
	const struct line *newest;

	if (e->node != lease->node || t < e->t1 || t < lease->t0)
		return;
	c->f->certain++;
	newest = newest_before(k, e->group, t);
	if (newest && newest->id > e->id)
		xr_judge_violation(c, newest, e,
				   "group %d: node %d led, with a lease, and told of %u.%u as "
				   "committed, %.3f ms after %u.%u was told of as committed",
				   e->group, e->node, ID(e->id), (double)(t - newest->t1) / 1e6,
				   ID(newest->id));
}

static void check_term(struct check *c, const struct known *k, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		for (size_t j = from; c->sorted[i]->kind == 'E' && j < to; j++)
			if (c->sorted[j]->kind == 'L')
				check_look(c, k, c->sorted[i], c->sorted[j]);
}

static void check_certain(struct check *c)
{
	struct known k = {0};
	size_t n = 0, from = 0;

	if (list_known(c, &k))
		n = xr_judge_collect(c, is_lease_or_entry, xr_judge_by_term);
	for (size_t i = 1; i <= n; i++) {
		if (i < n && c->sorted[i]->group == c->sorted[from]->group &&
		    c->sorted[i]->term == c->sorted[from]->term)
			continue;
		check_term(c, &k, from, i);
		from = i;
	}
	free(k.known);
	free(k.newest);
}

/*
 * ---- after the faults ----
 */
struct state {
	int group;
	const struct line *told[NODES + 1];
	const struct line *newest; /* that anybody was told of as committed */
	int under_way;		   /* orders */
	bool any;
};

static void step(struct state *s, const struct line *e)
{
	s->any |= is_told(e);
	if (e->kind == 'E')
		s->told[e->node] = e;
	if (is_order(e))
		s->under_way += e->mode == 'a' ? 1 : -1;
	if (is_committed(e) && (!s->newest || s->newest->id < e->id))
		s->newest = e;
}

static bool agree(const struct check *c, const struct state *s)
{
	for (int node = 1; node <= c->nodes; node++)
		if (!s->told[node] || s->told[node]->mode != 'c' ||
		    s->told[node]->id != s->told[1]->id)
			return false;
	return true;
}

/* All faults over, and `waited_ns` after the last order had ended, the nodes agreed; 0: they do not. */
static void judge_heal(struct check *c, const struct line *heal, const struct state *s, bool agreed,
		       uint64_t waited_ns)
{
	if (!agreed)
		xr_judge_violation(c, heal, s->newest,
				   "group %d: the nodes do not tell the same entry as committed",
				   s->group);
	else if (waited_ns > xr_judge_limit_ns(heal))
		xr_judge_violation(c, heal, s->told[1],
				   "group %d: all faults and orders over, the nodes had the same "
				   "entry only after %.0f ms",
				   s->group, (double)waited_ns / 1e6);
	else if (s->newest->id > s->told[1]->id)
		xr_judge_violation(
			c, s->newest, s->told[1],
			"group %d: all nodes have %u.%u, and %u.%u was told of as committed",
			s->group, ID(s->told[1]->id), ID(s->newest->id));
	else if (waited_ns > c->f->worst_entry_ns)
		c->f->worst_entry_ns = waited_ns;
}

/* Until the next storm. Where that comes before the nodes have to agree, there is nothing to judge. */
static void check_heal(struct check *c, size_t from, struct state s)
{
	const struct line *heal = &c->lines[from];
	uint64_t quiet_ns = heal->t1, agreed_ns = heal->t1, end_ns = heal->t1;
	bool agreed = agree(c, &s);

	for (size_t i = from + 1; i < c->n && !xr_judge_note_is(&c->lines[i - 1], "storm"); i++) {
		const struct line *e = &c->lines[i];

		end_ns = e->t1;
		if (e->group != s.group)
			continue;
		step(&s, e);
		if (is_order(e))
			quiet_ns = e->t1;
		if (e->kind != 'E')
			continue;
		if (!agreed && e->t1 > agreed_ns)
			agreed_ns = e->t1;
		agreed = agree(c, &s);
	}
	if (s.any && !s.under_way && end_ns - quiet_ns >= xr_judge_limit_ns(heal))
		judge_heal(c, heal, &s, agreed, agreed_ns > quiet_ns ? agreed_ns - quiet_ns : 0);
}

static void check_heals(struct check *c, int group)
{
	struct state s = {.group = group};

	for (size_t i = 0; i < c->n; i++) {
		const struct line *e = &c->lines[i];

		if (e->group == group)
			step(&s, e);
		else if (xr_judge_note_is(e, "heal "))
			check_heal(c, i, s);
	}
}

void xr_judge_entries(struct check *c)
{
	check_ids(c);
	check_nodes(c);
	check_values(c);
	check_certain(c);
	for (int group = 1; group <= c->groups; group++)
		check_heals(c, group);
}
