/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The newest record of each group, in memory. Changes are staged, then committed once they are
 * durable, or undone: rule 7 is checked here and nowhere else, for new records and replayed ones.
 */
#ifndef XRAFT_JOURNAL_TABLE_H
#define XRAFT_JOURNAL_TABLE_H

#include "journal/journal.h"

struct xr_table {
	struct xr_vote *votes;	   /* one a group, dense, in order of first appearance */
	struct xr_entry **entries; /* of the same group, owned; NULL: it has none */
	uint32_t nentries;
	uint32_t count, votes_room;
	uint32_t *slots; /* by group: 1 + index into votes, 0 = no record */
	uint32_t slots_room;
	struct xr_undo *undo;
	size_t staged, undo_room;
};

const struct xr_vote *xr_table_find(const struct xr_table *t, uint32_t group);
const struct xr_entry *xr_table_entry(const struct xr_table *t, uint32_t group);

/*
 * Apply `n` records, all or none; `entries` as in xr_journal_append(). -EINVAL with a sentence for one
 * that breaks rule 7 or 22; -ENOMEM.
 */
int xr_table_stage(struct xr_table *t, const struct xr_vote *v,
		   const struct xr_entry *const *entries, size_t n, struct xr_why *why);

/* What was staged stays. */
void xr_table_commit(struct xr_table *t);

/* What was staged never was. */
void xr_table_undo(struct xr_table *t);

void xr_table_free(struct xr_table *t);

#endif
