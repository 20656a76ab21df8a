/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the checker share: a history's lines, and a way to say what is wrong with them. */
#ifndef XRAFT_CHAOS_JUDGE_H
#define XRAFT_CHAOS_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include "chaos/history.h"

#define NODES	   9
#define GROUPS_MAX 64
#define SHOWN	   10 /* violations that are printed in full */

struct line {
	char kind;
	char mode; /* of a view; of an entry; of a note on an order: its SAID, or the word's first letter */
	uint64_t t0, t1, t2, t3;
	int node, group;
	uint32_t term;
	int peer;		     /* leader, or whom the vote went to */
	uint64_t id, value, members; /* of an entry, or an order to set one */
	uint64_t until;		     /* told for certain until then */
	char *text;
};

struct check {
	FILE *out;
	struct xr_figures *f;
	struct line *lines;
	size_t n, room;
	const struct line **sorted; /* room for as many */
	int nodes, groups, violations;
};

/* False: it is not a history, which is said. */
bool xr_judge_read(struct check *c, FILE *history);

/* `a` and `b`, which may be NULL, are quoted, and what was done about the time of the last of them. */
__attribute__((format(printf, 4, 5))) void xr_judge_violation(struct check *c, const struct line *a,
							      const struct line *b, const char *fmt,
							      ...);

/* Sorted pointers to what a filter takes, in c->sorted. Returns how many. */
size_t xr_judge_collect(struct check *c, bool (*take)(const struct line *),
			int (*order)(const void *, const void *));
/* For qsort(): by group, then by what is given of each, then as they stand in the history. */
int xr_judge_by(const struct line *a, const struct line *b, uint64_t of_a, uint64_t of_b);
int xr_judge_by_term(const void *x, const void *y);

/* A note that begins with this word. */
bool xr_judge_note_is(const struct line *e, const char *word);

/* Of a note that begins with "heal ". */
uint64_t xr_judge_limit_ns(const struct line *heal);

/* Whoever comes back under this id is somebody else (rule 27). */
bool xr_judge_wipes(const struct line *e, int node);

/* Entries and the orders that set them (entries.c). */
void xr_judge_entries(struct check *c);

#endif
