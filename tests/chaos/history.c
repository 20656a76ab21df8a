// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "common/common.h"
#include "chaos/history.h"

#define NODES	   9
#define GROUPS_MAX 64
#define SHOWN	   10 /* violations that are printed in full */
#define BEFORE_NS  (3 * NS_PER_S)
#define AFTER_NS   NS_PER_S

struct entry {
	char kind;
	char mode;
	uint64_t t0, t1, t2, t3;
	int node, group;
	uint32_t term;
	int peer; /* leader, or whom the vote went to */
	char *text;
};

struct check {
	FILE *out;
	struct xr_figures *f;
	struct entry *entries;
	size_t n, room;
	const struct entry **sorted; /* room for as many */
	int nodes, groups, violations;
};

/*
 * ---- reading ----
 */
static bool parse(struct entry *e, const char *line)
{
	char mode = 0;
	int got, at = 0;

	*e = (struct entry){.kind = line[0]};
	switch (line[0]) {
	case 'C':
		got = sscanf(line, "C %" SCNu64 " %d %d", &e->t1, &e->node, &e->group);
		return got == 3 && e->node >= 1 && e->node <= NODES && e->group >= 1 &&
		       e->group <= GROUPS_MAX;
	case 'O':
		return sscanf(line, "O %" SCNu64 " %d", &e->t1, &e->node) == 2;
	case 'V':
		got = sscanf(line, "V %" SCNu64 " %" SCNu64 " %d %d %u %c %d", &e->t0, &e->t1,
			     &e->node, &e->group, &e->term, &mode, &e->peer);
		e->mode = mode;
		return got == 7 && (mode == 'n' || mode == 'f' || mode == 'l');
	case 'D':
		return sscanf(line, "D %" SCNu64 " %" SCNu64 " %d %d %u %d", &e->t0, &e->t1,
			      &e->node, &e->group, &e->term, &e->peer) == 6;
	case 'L':
		got = sscanf(line, "L %" SCNu64 " %" SCNu64 " %d %d %u", &e->t0, &e->t1, &e->node,
			     &e->group, &e->term);
		e->peer = e->node;
		return got == 5 && e->t0 <= e->t1;
	case 'R':
		got = sscanf(line, "R %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %d %u",
			     &e->t0, &e->t1, &e->t2, &e->t3, &e->node, &e->group, &e->term);
		e->peer = e->node;
		return got == 7 && e->t0 <= e->t1 && e->t0 <= e->t2 && e->t1 <= e->t3;
	case 'Q':
		return sscanf(line, "Q %" SCNu64 " %d", &e->t1, &e->node) == 2;
	case 'M':
		return sscanf(line, "M %" SCNu64 " %n", &e->t1, &at) == 1 && at > 0;
	case 'S':
		return sscanf(line, "S %" SCNu64, &e->t1) == 1;
	}
	return false;
}

static bool in_range(const struct check *c, const struct entry *e)
{
	if (!strchr("VDLR", e->kind))
		return true;
	return e->node >= 1 && e->node <= c->nodes && e->group >= 1 && e->group <= c->groups &&
	       e->peer >= 0 && e->peer <= NODES;
}

static bool append(struct check *c, const struct entry *e, const char *line)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 1024;
		struct entry *more = realloc(c->entries, room * sizeof(*more));

		if (!more)
			return false;
		c->entries = more;
		c->room = room;
	}
	c->entries[c->n] = *e;
	c->entries[c->n].text = strdup(line);
	return c->entries[c->n++].text;
}

static void note_figures(struct xr_figures *f, const struct entry *e, const char *line)
{
	uint64_t calls = 0, worst_ns = 0;

	if (e->kind == 'S')
		sscanf(line, "S %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &f->rounds,
		       &f->mean_ns, &f->worst_sample_ns, &f->late);
	if (e->kind != 'Q')
		return;
	sscanf(line, "Q %*u %*d %" SCNu64 " %" SCNu64, &calls, &worst_ns);
	f->readers++;
	f->calls += calls;
	if (worst_ns > f->worst_call_ns)
		f->worst_call_ns = worst_ns;
}

static bool read_all(struct check *c, FILE *history)
{
	_cleanup_free_ char *line = NULL;
	struct xr_figures *f = c->f;
	size_t size = 0;
	struct entry e;
	ssize_t len;

	while ((len = getline(&line, &size, history)) > 0) {
		bool whole = line[len - 1] == '\n';

		line[len - whole] = '\0';
		f->lines++;
		if (!whole || !parse(&e, line) || (e.kind == 'C') != (f->lines == 1) ||
		    (c->nodes && !in_range(c, &e)) || !append(c, &e, line)) {
			fprintf(c->out, "line %lu is no line of a history: %s\n", f->lines, line);
			return false;
		}
		if (e.kind == 'C') {
			c->nodes = e.node;
			c->groups = e.group;
		}
		note_figures(f, &e, line);
	}
	if (c->n && c->entries[c->n - 1].kind == 'S')
		return true;
	fprintf(c->out, "the history has no end (S): the recorder did not end as it should\n");
	return false;
}

/*
 * ---- saying what is wrong ----
 */
static void print_around(const struct check *c, uint64_t t)
{
	fprintf(c->out, "  what was done around it, in seconds relative to it:\n");
	for (size_t i = 0; i < c->n; i++) {
		const struct entry *e = &c->entries[i];

		if (e->kind == 'M' && e->t1 + BEFORE_NS >= t && e->t1 <= t + AFTER_NS)
			fprintf(c->out, "    %+9.3f %s\n", (double)(int64_t)(e->t1 - t) / 1e9,
				strchr(e->text + 2, ' ') + 1);
	}
}

__attribute__((format(printf, 4, 5))) static void violation(struct check *c, const struct entry *a,
							    const struct entry *b, const char *fmt,
							    ...)
{
	va_list ap;

	if (c->violations++ >= SHOWN)
		return;
	fprintf(c->out, "VIOLATION: ");
	va_start(ap, fmt);
	vfprintf(c->out, fmt, ap);
	va_end(ap);
	fputc('\n', c->out);
	if (a)
		fprintf(c->out, "  line %td: %s\n", a - c->entries + 1, a->text);
	if (b)
		fprintf(c->out, "  line %td: %s\n", b - c->entries + 1, b->text);
	if (b && b->kind == 'L')
		print_around(c, b->t0);
	else if (b && b->kind == 'R')
		print_around(c, b->t2);
	else if (a || b)
		print_around(c, (b ? b : a)->t1);
}

/*
 * ---- one leader a term ----
 */
static int by_term(const void *x, const void *y)
{
	const struct entry *a = *(const struct entry *const *)x;
	const struct entry *b = *(const struct entry *const *)y;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->term != b->term)
		return a->term < b->term ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Sorted pointers to what a filter takes. */
static size_t collect(struct check *c, bool (*take)(const struct entry *),
		      int (*order)(const void *, const void *))
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (take(&c->entries[i]))
			c->sorted[n++] = &c->entries[i];
	qsort(c->sorted, n, sizeof(*c->sorted), order);
	return n;
}

static bool names_leader(const struct entry *e)
{
	return e->kind == 'L' || e->kind == 'R' || (e->kind == 'V' && e->mode != 'n');
}

static void check_leaders(struct check *c)
{
	size_t n = collect(c, names_leader, by_term);
	const struct entry *known = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = c->sorted[i];

		if (e->kind == 'V' && (e->mode == 'l') != (e->peer == e->node))
			violation(c, e, NULL, "node %d leads and follows in one view", e->node);
		if (!known || known->group != e->group || known->term != e->term) {
			known = e;
			c->f->elections++;
		} else if (known->peer != e->peer) {
			violation(c, known, e, "group %d, term %u: two leaders, %d and %d",
				  e->group, e->term, known->peer, e->peer);
		}
	}
}

static bool leads_or_votes(const struct entry *e)
{
	return (e->kind == 'V' && e->mode == 'l') || (e->kind == 'D' && e->peer);
}

/*
 * ---- notes ----
 */
static bool note_is(const struct entry *e, const char *word)
{
	const char *text = e->kind == 'M' ? strchr(e->text + 2, ' ') : NULL;

	return text && !strncmp(text + 1, word, strlen(word));
}

/* How many nodes gave their vote in this term to another one than its leader? */
static void check_majority(struct check *c, size_t from, size_t to)
{
	const struct entry *leads = NULL, *other = NULL;
	unsigned int lost = 0;

	for (size_t i = from; i < to; i++)
		if (c->sorted[i]->kind == 'V')
			leads = c->sorted[i];
	for (size_t i = from; leads && i < to; i++) {
		const struct entry *e = c->sorted[i];

		if (e->kind != 'D' || e->peer == leads->node)
			continue;
		lost |= 1u << e->node;
		other = e;
	}
	if (c->nodes - __builtin_popcount(lost) <= c->nodes / 2)
		violation(c, leads, other, "group %d, term %u: node %d leads without a majority",
			  leads->group, leads->term, leads->node);
}

/* Whose votes count, and how many they are, changes with the members. */
static bool has_moved(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (note_is(&c->entries[i], "members"))
			return true;
	return false;
}

static void check_majorities(struct check *c)
{
	size_t n = collect(c, leads_or_votes, by_term), from = 0;

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

/* Whoever comes back under this id is somebody else (rule 27). */
static bool wipes(const struct entry *e, int node)
{
	return note_is(e, "wiped ") && atoi(strstr(e->text, "wiped ") + 6) == node;
}

static void check_node(struct check *c, int node, int group)
{
	const struct entry *view = NULL, *vote = NULL;
	bool seen_view = false, seen_vote = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct entry *e = &c->entries[i];

		if (wipes(e, node))
			view = vote = NULL;
		if (e->node != node || e->group != group)
			continue;
		/* Term 0: maps that were just made anew. */
		if (e->kind == 'V' && (e->term || e->mode != 'n')) {
			if (view && e->term < view->term)
				violation(c, view, e,
					  "group %d: node %d's view went back from "
					  "term %u to %u",
					  group, node, view->term, e->term);
			view = e;
			seen_view = true;
		}
		if (e->kind == 'D') {
			if (vote && e->term < vote->term)
				violation(c, vote, e,
					  "group %d: node %d's durable term went back "
					  "from %u to %u",
					  group, node, vote->term, e->term);
			if (vote && e->term == vote->term && vote->peer && e->peer != vote->peer)
				violation(c, vote, e,
					  "group %d, term %u: node %d changed its vote "
					  "from %d to %d",
					  group, e->term, node, vote->peer, e->peer);
			vote = e;
			seen_vote = true;
		}
	}
	if (!seen_view || !seen_vote)
		violation(c, NULL, NULL, "group %d: nothing was seen of node %d", group, node);
}

/*
 * ---- leases ----
 */
static int by_start(const void *x, const void *y)
{
	const struct entry *a = *(const struct entry *const *)x;
	const struct entry *b = *(const struct entry *const *)y;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->t0 != b->t0)
		return a->t0 < b->t0 ? -1 : 1;
	return a < b ? -1 : a > b;
}

static bool is_lease(const struct entry *e)
{
	return e->kind == 'L';
}

static int by_size(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* `last`: the newest lease of each node so far. Those of one node follow one another. */
static void check_lease(struct check *c, const struct entry *last[NODES + 1], const struct entry *e)
{
	for (int node = 1; node <= c->nodes; node++) {
		const struct entry *l = last[node];

		if (l && l->group == e->group && (l->node != e->node || l->term != e->term) &&
		    l->t1 >= e->t0)
			violation(c, l, e,
				  "group %d: two leases at once, node %d's of term %u and "
				  "node %d's of term %u, for at least %.3f ms",
				  e->group, l->node, l->term, e->node, e->term,
				  (double)((l->t1 < e->t1 ? l->t1 : e->t1) - e->t0) / 1e6);
		else if (l && l->group == e->group && l->term > e->term)
			violation(c, l, e, "group %d: a lease of term %u after one of term %u",
				  e->group, e->term, l->term);
	}
	last[e->node] = e;
}

static void check_leases(struct check *c)
{
	size_t n = collect(c, is_lease, by_start), ngaps = 0;
	const struct entry *last[NODES + 1] = {0}, *newest = NULL;
	_cleanup_free_ uint64_t *gaps = calloc(n + 1, sizeof(*gaps));

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = c->sorted[i];
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
		violation(c, NULL, NULL, "not one lease was seen: nothing was shown");
	if (!ngaps)
		return;
	qsort(gaps, ngaps, sizeof(*gaps), by_size);
	c->f->typical_gap_ns = gaps[ngaps / 2];
}

/*
 * ---- readers ----
 */
static bool is_read(const struct entry *e)
{
	return e->kind == 'R';
}

static const struct entry *returned_first(const struct entry *a, const struct entry *b)
{
	return a && (!b || a->t1 <= b->t1) ? a : b;
}

/* From the newest term back: `newer` is the call of all newer terms that returned true first. */
static void check_readers(struct check *c)
{
	size_t n = collect(c, is_read, by_term);
	const struct entry *newer = NULL, *same = NULL;

	for (size_t i = n; i-- > 0;) {
		const struct entry *e = c->sorted[i];

		if (same && (same->group != e->group || same->term != e->term)) {
			newer = same->group == e->group ? returned_first(same, newer) : NULL;
			same = NULL;
		}
		c->f->read_terms += !same;
		same = returned_first(same, e);
		if (newer && e->t2 > newer->t1)
			violation(
				c, newer, e,
				"group %d: node %d's reader was told that it leads in term %u by a "
				"call that began %.3f ms after one of term %u had returned on "
				"node %d",
				e->group, e->node, e->term, (double)(e->t2 - newer->t1) / 1e6,
				newer->term, newer->node);
	}
	if (c->f->readers && !n)
		violation(c, NULL, NULL, "no reader was ever told that its node leads");
}

/*
 * ---- after the faults ----
 */
static bool agree(const struct check *c, const struct entry *views[NODES + 1])
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
static void check_heal(struct check *c, size_t from, int group,
		       const struct entry *views[NODES + 1])
{
	const struct entry *heal = &c->entries[from];
	uint64_t limit_ns = strtoull(strstr(heal->text, "heal ") + 5, NULL, 10) * NS_PER_MS;
	uint64_t agreed_ns = agree(c, views) ? heal->t1 : 0, end_ns = 0;

	for (size_t i = from + 1; i < c->n && !note_is(&c->entries[i - 1], "storm"); i++) {
		const struct entry *e = &c->entries[i];

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
		violation(c, heal, NULL, "group %d: the nodes do not agree", group);
	else if (agreed_ns - heal->t1 > limit_ns)
		violation(c, heal, NULL,
			  "group %d: all faults over, the nodes agreed for good only "
			  "after %.0f ms",
			  group, (double)(agreed_ns - heal->t1) / 1e6);
	else if (agreed_ns - heal->t1 > c->f->worst_heal_ns)
		c->f->worst_heal_ns = agreed_ns - heal->t1;
}

static void check_heals(struct check *c, int group)
{
	const struct entry *views[NODES + 1] = {0};

	for (size_t i = 0; i < c->n; i++) {
		const struct entry *e = &c->entries[i];
		const struct entry *then[NODES + 1];

		if (e->kind == 'V' && e->group == group) {
			views[e->node] = e;
		} else if (note_is(e, "heal ")) {
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
	whole = read_all(&c, history);
	c.sorted = calloc(c.n + 1, sizeof(*c.sorted));
	if (whole && c.sorted) {
		check_leaders(&c);
		check_majorities(&c);
		check_leases(&c);
		check_readers(&c);
		for (int group = 1; group <= c.groups; group++) {
			for (int node = 1; node <= c.nodes; node++)
				check_node(&c, node, group);
			check_heals(&c, group);
		}
		figures->span_ns = c.entries[c.n - 1].t1 - c.entries[0].t1;
	}
	for (size_t i = 0; i < c.n; i++) {
		figures->views += c.entries[i].kind == 'V';
		free(c.entries[i].text);
	}
	if (c.violations > SHOWN)
		fprintf(out, "and %d more violations\n", c.violations - SHOWN);
	free(c.entries);
	free(c.sorted);
	return whole ? c.violations : -1;
}
