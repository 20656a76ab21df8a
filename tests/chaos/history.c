// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "common/common.h"
#include "chaos/judge.h"

/*
 * ---- one leader a term ----
 */
static bool names_leader(const struct line *e)
{
	return e->kind == 'L' || e->kind == 'R' || (e->kind == 'V' && e->mode != 'n');
}

static void check_leaders(struct check *c)
{
	size_t n = xr_judge_collect(c, names_leader, xr_judge_by_term);
	const struct line *known = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct line *e = c->sorted[i];

		if (e->kind == 'V' && (e->mode == 'l') != (e->peer == e->node))
			xr_judge_violation(c, e, NULL, "node %d leads and follows in one view",
					   e->node);
		if (!known || known->group != e->group || known->term != e->term) {
			known = e;
			c->f->elections++;
		} else if (known->peer != e->peer) {
			xr_judge_violation(c, known, e, "group %d, term %u: two leaders, %d and %d",
					   e->group, e->term, known->peer, e->peer);
		}
	}
}

static bool leads_or_votes(const struct line *e)
{
	return (e->kind == 'V' && e->mode == 'l') || (e->kind == 'D' && e->peer);
}

/* How many nodes gave their vote in this term to another one than its leader? */
static void check_majority(struct check *c, size_t from, size_t to)
{
	const struct line *leads = NULL, *other = NULL;
	unsigned int lost = 0;

	for (size_t i = from; i < to; i++)
		if (c->sorted[i]->kind == 'V')
			leads = c->sorted[i];
	for (size_t i = from; leads && i < to; i++) {
		const struct line *e = c->sorted[i];

		if (e->kind != 'D' || e->peer == leads->node)
			continue;
		lost |= 1u << e->node;
		other = e;
	}
	if (c->nodes - __builtin_popcount(lost) <= c->nodes / 2)
		xr_judge_violation(c, leads, other,
				   "group %d, term %u: node %d leads without a majority",
				   leads->group, leads->term, leads->node);
}

/* Whose votes count, and how many they are, changes with the members. */
static bool has_moved(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (xr_judge_note_is(&c->lines[i], "members"))
			return true;
	return false;
}

static void check_majorities(struct check *c)
{
	size_t n = xr_judge_collect(c, leads_or_votes, xr_judge_by_term), from = 0;

	for (size_t i = 1; i <= n && !has_moved(c); i++) {
		if (i < n && c->sorted[i]->group == c->sorted[from]->group &&
		    c->sorted[i]->term == c->sorted[from]->term)
			continue;
		check_majority(c, from, i);
		from = i;
	}
}

/*
 * ---- a node by itself ----
 */
static void check_node(struct check *c, int node, int group)
{
	const struct line *view = NULL, *vote = NULL;
	bool seen_view = false, seen_vote = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct line *e = &c->lines[i];

		if (xr_judge_wipes(e, node))
			view = vote = NULL;
		if (e->node != node || e->group != group)
			continue;
		/* Term 0: maps that were just made anew. */
		if (e->kind == 'V' && (e->term || e->mode != 'n')) {
			if (view && e->term < view->term)
				xr_judge_violation(c, view, e,
						   "group %d: node %d's view went back from "
						   "term %u to %u",
						   group, node, view->term, e->term);
			view = e;
			seen_view = true;
		}
		if (e->kind == 'D') {
			if (vote && e->term < vote->term)
				xr_judge_violation(c, vote, e,
						   "group %d: node %d's durable term went back "
						   "from %u to %u",
						   group, node, vote->term, e->term);
			if (vote && e->term == vote->term && vote->peer && e->peer != vote->peer)
				xr_judge_violation(c, vote, e,
						   "group %d, term %u: node %d changed its vote "
						   "from %d to %d",
						   group, e->term, node, vote->peer, e->peer);
			vote = e;
			seen_vote = true;
		}
	}
	if (!seen_view || !seen_vote)
		xr_judge_violation(c, NULL, NULL, "group %d: nothing was seen of node %d", group,
				   node);
}

/*
 * ---- leases ----
 */
static int by_start(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	return xr_judge_by(a, b, a->t0, b->t0);
}

static bool is_lease(const struct line *e)
{
	return e->kind == 'L';
}

static int by_size(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* `last`: the newest lease of each node so far. Those of one node follow one another. */
static void check_lease(struct check *c, const struct line *last[NODES + 1], const struct line *e)
{
	for (int node = 1; node <= c->nodes; node++) {
		const struct line *l = last[node];

		if (l && l->group == e->group && (l->node != e->node || l->term != e->term) &&
		    l->t1 >= e->t0)
			xr_judge_violation(c, l, e,
					   "group %d: two leases at once, node %d's of term %u and "
					   "node %d's of term %u, for at least %.3f ms",
					   e->group, l->node, l->term, e->node, e->term,
					   (double)((l->t1 < e->t1 ? l->t1 : e->t1) - e->t0) / 1e6);
		else if (l && l->group == e->group && l->term > e->term)
			xr_judge_violation(c, l, e,
					   "group %d: a lease of term %u after one of term %u",
					   e->group, e->term, l->term);
	}
	last[e->node] = e;
}

static void check_leases(struct check *c)
{
	size_t n = xr_judge_collect(c, is_lease, by_start), ngaps = 0;
	const struct line *last[NODES + 1] = {0}, *newest = NULL;
	_cleanup_free_ uint64_t *gaps = calloc(n + 1, sizeof(*gaps));

	for (size_t i = 0; i < n; i++) {
		const struct line *e = c->sorted[i];
		uint64_t gap = newest && newest->group == e->group && newest->t1 < e->t0
				       ? e->t0 - newest->t1
				       : 0;

		check_lease(c, last, e);
		if (gap > c->f->worst_gap_ns)
			c->f->worst_gap_ns = gap;
		if (gap && gaps && newest->term != e->term)
			gaps[ngaps++] = gap;
		if (!newest || newest->group != e->group || newest->t1 < e->t1)
			newest = e;
	}
	c->f->leases = n;
	if (!n)
		xr_judge_violation(c, NULL, NULL, "not one lease was seen: nothing was shown");
	if (!ngaps)
		return;
	qsort(gaps, ngaps, sizeof(*gaps), by_size);
	c->f->typical_gap_ns = gaps[ngaps / 2];
}

/*
 * ---- readers ----
 */
static bool is_read(const struct line *e)
{
	return e->kind == 'R';
}

static const struct line *returned_first(const struct line *a, const struct line *b)
{
	return a && (!b || a->t1 <= b->t1) ? a : b;
}

/* From the newest term back: `newer` is the call of all newer terms that returned true first. */
static void check_readers(struct check *c)
{
	size_t n = xr_judge_collect(c, is_read, xr_judge_by_term);
	const struct line *newer = NULL, *same = NULL;

	for (size_t i = n; i-- > 0;) {
		const struct line *e = c->sorted[i];

		if (same && (same->group != e->group || same->term != e->term)) {
			newer = same->group == e->group ? returned_first(same, newer) : NULL;
			same = NULL;
		}
		c->f->read_terms += !same;
		same = returned_first(same, e);
		if (newer && e->t2 > newer->t1)
			xr_judge_violation(
				c, newer, e,
				"group %d: node %d's reader was told that it leads in term %u by a "
				"call that began %.3f ms after one of term %u had returned on "
				"node %d",
				e->group, e->node, e->term, (double)(e->t2 - newer->t1) / 1e6,
				newer->term, newer->node);
	}
	if (c->f->readers && !n)
		xr_judge_violation(c, NULL, NULL, "no reader was ever told that its node leads");
}

/*
 * ---- after the faults ----
 */
static bool agree(const struct check *c, const struct line *views[NODES + 1])
{
	int leaders = 0;

	for (int node = 1; node <= c->nodes; node++) {
		if (!views[node] || views[node]->mode == 'n' ||
		    views[node]->term != views[1]->term || views[node]->peer != views[1]->peer)
			return false;
		leaders += views[node]->mode == 'l';
	}
	return leaders == 1;
}

/* Views change, `from` is a heal; until the next storm, which may come before they have to agree. */
static void check_heal(struct check *c, size_t from, int group, const struct line *views[NODES + 1])
{
	const struct line *heal = &c->lines[from];
	uint64_t limit_ns = xr_judge_limit_ns(heal);
	uint64_t agreed_ns = agree(c, views) ? heal->t1 : 0, end_ns = 0;

	for (size_t i = from + 1; i < c->n && !xr_judge_note_is(&c->lines[i - 1], "storm"); i++) {
		const struct line *e = &c->lines[i];

		end_ns = e->t1;
		if (e->kind != 'V' || e->group != group)
			continue;
		views[e->node] = e;
		if (!agree(c, views))
			agreed_ns = 0;
		else if (!agreed_ns)
			agreed_ns = e->t1 > heal->t1 ? e->t1 : heal->t1;
	}
	if (!agreed_ns && end_ns - heal->t1 < limit_ns)
		return;
	if (!agreed_ns)
		xr_judge_violation(c, heal, NULL, "group %d: the nodes do not agree", group);
	else if (agreed_ns - heal->t1 > limit_ns)
		xr_judge_violation(c, heal, NULL,
				   "group %d: all faults over, the nodes agreed for good only "
				   "after %.0f ms",
				   group, (double)(agreed_ns - heal->t1) / 1e6);
	else if (agreed_ns - heal->t1 > c->f->worst_heal_ns)
		c->f->worst_heal_ns = agreed_ns - heal->t1;
}

static void check_heals(struct check *c, int group)
{
	const struct line *views[NODES + 1] = {0};

	for (size_t i = 0; i < c->n; i++) {
		const struct line *e = &c->lines[i];
		const struct line *then[NODES + 1];

		if (e->kind == 'V' && e->group == group) {
			views[e->node] = e;
		} else if (xr_judge_note_is(e, "heal ")) {
			memcpy(then, views, sizeof(then));
			check_heal(c, i, group, then);
			c->f->heals += group == 1;
		}
	}
}

int xr_history_check(FILE *history, FILE *out, struct xr_figures *figures)
{
	struct check c = {.out = out, .f = figures};
	bool whole;

	memset(figures, 0, sizeof(*figures));
	whole = xr_judge_read(&c, history);
	c.sorted = calloc(c.n + 1, sizeof(*c.sorted));
	if (whole && c.sorted) {
		check_leaders(&c);
		check_majorities(&c);
		check_leases(&c);
		check_readers(&c);
		xr_judge_entries(&c);
		for (int group = 1; group <= c.groups; group++) {
			for (int node = 1; node <= c.nodes; node++)
				check_node(&c, node, group);
			check_heals(&c, group);
		}
		figures->span_ns = c.lines[c.n - 1].t1 - c.lines[0].t1;
	}
	for (size_t i = 0; i < c.n; i++) {
		figures->views += c.lines[i].kind == 'V';
		free(c.lines[i].text);
	}
	if (c.violations > SHOWN)
		fprintf(out, "and %d more violations\n", c.violations - SHOWN);
	free(c.lines);
	free(c.sorted);
	return whole ? c.violations : -1;
}
