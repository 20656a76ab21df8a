// SPDX-License-Identifier: GPL-2.0-only
/* The lines of a history: read, sorted, and quoted where something is wrong with them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "common/common.h"
#include "chaos/judge.h"

#define BEFORE_NS (3 * NS_PER_S)
#define AFTER_NS  NS_PER_S

/*
 * ---- reading ----
 */
static bool parse_entry(struct line *e, const char *line)
{
	uint32_t index;
	int got = sscanf(line, "E %" SCNu64 " %" SCNu64 " %d %d %u %u %c %16" SCNx64 " %16" SCNx64,
			 &e->t0, &e->t1, &e->node, &e->group, &e->term, &index, &e->mode, &e->value,
			 &e->members);

	e->id = (uint64_t)e->term << 32 | index;
	e->until = e->t1;
	return got == 9 && (e->mode == 'c' || e->mode == 'u') && e->term && index;
}

/* Of the value a note has the text, which may be empty and have blanks. */
static bool parse_order(struct line *e, const char *note)
{
	uint32_t index = 0;
	char word[16];
	int at = 0;

	if (strncmp(note, "asked ", 6) && strncmp(note, "told ", 5))
		return true;
	e->mode = 'a';
	if (note[0] == 'a')
		sscanf(note, "asked %d %d%n", &e->group, &e->node, &at);
	else if (sscanf(note, "told %d %d %15s%n", &e->group, &e->node, word, &at) == 3)
		e->mode = word[0];
	if (!at || !strchr("acru", e->mode))
		return false;
	if (e->mode == 'c') {
		int more = 0;

		sscanf(note + at, " %u.%u%n", &e->term, &index, &more);
		if (!more)
			return false;
		at += more;
	}
	e->id = (uint64_t)e->term << 32 | index;
	note += at + (note[at] == ' ');
	e->value = xr_history_hash(note, strlen(note));
	return true;
}

static bool parse(struct line *e, const char *line)
{
	char mode = 0;
	int got, at = 0;

	*e = (struct line){.kind = line[0]};
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
		return sscanf(line, "M %" SCNu64 " %n", &e->t1, &at) == 1 && at > 0 &&
		       parse_order(e, line + at);
	case 'E':
		return parse_entry(e, line);
	case 'S':
		return sscanf(line, "S %" SCNu64, &e->t1) == 1;
	}
	return false;
}

static bool in_range(const struct check *c, const struct line *e)
{
	if (!strchr("VDLRE", e->kind) && !e->mode)
		return true;
	return e->node >= 1 && e->node <= c->nodes && e->group >= 1 && e->group <= c->groups &&
	       e->peer >= 0 && e->peer <= NODES;
}

static bool append(struct check *c, const struct line *e, const char *line)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 1024;
		struct line *more = realloc(c->lines, room * sizeof(*more));

		if (!more)
			return false;
		c->lines = more;
		c->room = room;
	}
	c->lines[c->n] = *e;
	c->lines[c->n].text = strdup(line);
	return c->lines[c->n++].text;
}

static void note_figures(struct xr_figures *f, const struct line *e, const char *line)
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

bool xr_judge_read(struct check *c, FILE *history)
{
	_cleanup_free_ char *line = NULL;
	struct xr_figures *f = c->f;
	size_t size = 0;
	struct line e;
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
	if (c->n && c->lines[c->n - 1].kind == 'S')
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
		const struct line *e = &c->lines[i];

		if (e->kind == 'M' && e->t1 + BEFORE_NS >= t && e->t1 <= t + AFTER_NS)
			fprintf(c->out, "    %+9.3f %s\n", (double)(int64_t)(e->t1 - t) / 1e9,
				strchr(e->text + 2, ' ') + 1);
	}
}

__attribute__((format(printf, 4, 5))) void xr_judge_violation(struct check *c, const struct line *a,
							      const struct line *b, const char *fmt,
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
		fprintf(c->out, "  line %td: %s\n", a - c->lines + 1, a->text);
	if (b)
		fprintf(c->out, "  line %td: %s\n", b - c->lines + 1, b->text);
	if (b && b->kind == 'L')
		print_around(c, b->t0);
	else if (b && b->kind == 'R')
		print_around(c, b->t2);
	else if (a || b)
		print_around(c, (b ? b : a)->t1);
}

/*
 * ---- choosing ----
 */
int xr_judge_by(const struct line *a, const struct line *b, uint64_t of_a, uint64_t of_b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (of_a != of_b)
		return of_a < of_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

int xr_judge_by_term(const void *x, const void *y)
{
	const struct line *a = *(const struct line *const *)x;
	const struct line *b = *(const struct line *const *)y;

	return xr_judge_by(a, b, a->term, b->term);
}

/* Sorted pointers to what a filter takes. */
size_t xr_judge_collect(struct check *c, bool (*take)(const struct line *),
			int (*order)(const void *, const void *))
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (take(&c->lines[i]))
			c->sorted[n++] = &c->lines[i];
	qsort(c->sorted, n, sizeof(*c->sorted), order);
	return n;
}

bool xr_judge_note_is(const struct line *e, const char *word)
{
	const char *text = e->kind == 'M' ? strchr(e->text + 2, ' ') : NULL;

	return text && !strncmp(text + 1, word, strlen(word));
}

uint64_t xr_judge_limit_ns(const struct line *heal)
{
	return strtoull(strstr(heal->text, "heal ") + 5, NULL, 10) * NS_PER_MS;
}

/* Whoever comes back under this id is somebody else (rule 27). */
bool xr_judge_wipes(const struct line *e, int node)
{
	return xr_judge_note_is(e, "wiped ") && atoi(strstr(e->text, "wiped ") + 6) == node;
}
