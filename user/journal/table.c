// SPDX-License-Identifier: GPL-2.0-only
#include "journal/table.h"

#include <string.h>

/* How a group's record was before the staged one; `fresh`: there was none. */
struct xr_undo {
	struct xr_vote before;
	struct xr_entry *entry; /* likewise, owned; only where `replaced` */
	bool fresh, replaced;
};

const struct xr_vote *xr_table_find(const struct xr_table *t, uint32_t group)
{
	if (group >= t->slots_room || !t->slots[group])
		return NULL;
	return &t->votes[t->slots[group] - 1];
}

const struct xr_entry *xr_table_entry(const struct xr_table *t, uint32_t group)
{
	return xr_table_find(t, group) ? t->entries[t->slots[group] - 1] : NULL;
}

/* Grow an array of `*room` items to at least `need`, by doubling, new items zeroed. */
static void *grow(void *array, size_t item_bytes, size_t room, size_t need, size_t *new_room)
{
	char *bigger;

	*new_room = room ? room : 64;
	while (*new_room < need)
		*new_room *= 2;
	bigger = reallocarray(array, *new_room, item_bytes);
	if (bigger)
		memset(bigger + room * item_bytes, 0, (*new_room - room) * item_bytes);
	return bigger;
}

static int room_for_group(struct xr_table *t, uint32_t group)
{
	size_t room;
	void *bigger;

	if (group >= t->slots_room) {
		bigger = grow(t->slots, sizeof(*t->slots), t->slots_room, group + 1ul, &room);
		if (!bigger)
			return -ENOMEM;
		t->slots = bigger;
		t->slots_room = (uint32_t)room;
	}
	if (t->count == t->votes_room) {
		bigger = grow(t->votes, sizeof(*t->votes), t->votes_room, t->count + 1ul, &room);
		if (!bigger)
			return -ENOMEM;
		t->votes = bigger;
		bigger = grow((void *)t->entries, sizeof(void *), t->votes_room, t->count + 1ul,
			      &room);
		if (!bigger)
			return -ENOMEM;
		t->entries = bigger;
		t->votes_room = (uint32_t)room;
	}
	return 0;
}

static int room_for_undo(struct xr_table *t, size_t n)
{
	size_t room;
	void *bigger;

	if (n <= t->undo_room)
		return 0;
	bigger = grow(t->undo, sizeof(*t->undo), t->undo_room, n, &room);
	if (!bigger)
		return -ENOMEM;
	t->undo = bigger;
	t->undo_room = room;
	return 0;
}

/* Rule 7: a term never falls, and a vote is cleared or changed only by a strictly higher term. */
static int check(const struct xr_vote *now, const struct xr_vote *next, struct xr_why *why)
{
	if (next->group >= XR_JOURNAL_GROUPS_MAX)
		return xr_fail(why, -EINVAL, "group %u is beyond the limit of %u groups",
			       next->group, XR_JOURNAL_GROUPS_MAX);
	if (next->name[XR_JOURNAL_NAME_SIZE - 1])
		return xr_fail(why, -EINVAL, "the name of group %u is longer than %d characters",
			       next->group, XR_JOURNAL_NAME_SIZE - 1);
	if (!now || next->term > now->term)
		return 0;
	if (next->term < now->term)
		return xr_fail(why, -EINVAL,
			       "group %u: term %u after term %u would forget votes (rule 7); this "
			       "is a bug in xraftd, please report it",
			       next->group, next->term, now->term);
	if (now->vote && next->vote != now->vote)
		return xr_fail(why, -EINVAL,
			       "group %u: a vote for node %u in term %u, where node %u has it "
			       "already, would be a second vote (rule 7); this is a bug in xraftd, "
			       "please report it",
			       next->group, next->vote, next->term, now->vote);
	return 0;
}

/* Rule 24: an entry makes way only for a newer one, of no later term than the node's. */
static int check_entry(const struct xr_vote *v, const struct xr_entry *now,
		       const struct xr_entry *next, struct xr_why *why)
{
	if ((!now || next->id > now->id) && xr_entry_term(next->id) <= v->term &&
	    xr_entry_is_made(next->id) && next->size <= XR_VALUE_MAX)
		return 0;
	return xr_fail(
		why, -EINVAL,
		"group %u: entry %u.%u in term %u after entry %u.%u (rule 24); this is a bug "
		"in xraftd, please report it",
		v->group, xr_entry_term(next->id), (uint32_t)next->id, v->term,
		xr_entry_term(now ? now->id : 0), (uint32_t)(now ? now->id : 0));
}

static int stage_entry(struct xr_table *t, struct xr_undo *undo, const struct xr_vote *v,
		       const struct xr_entry *next, struct xr_why *why)
{
	struct xr_entry **at = &t->entries[t->slots[v->group] - 1];
	int ret = check_entry(v, *at, next, why);

	if (ret < 0)
		return ret;
	undo->entry = *at;
	*at = calloc(1, sizeof(**at));
	if (!*at) {
		*at = undo->entry;
		return xr_fail(why, -ENOMEM, "out of memory for the entry of group %u", v->group);
	}
	memcpy(*at, next, XR_ENTRY_BASE + next->size);
	undo->replaced = true;
	t->nentries += !undo->entry;
	return 0;
}

static int stage_one(struct xr_table *t, const struct xr_vote *v, const struct xr_entry *entry,
		     struct xr_why *why)
{
	struct xr_undo *undo = &t->undo[t->staged];
	const struct xr_vote *now = xr_table_find(t, v->group);
	int ret = check(now, v, why);

	if (ret < 0)
		return ret;
	*undo = (struct xr_undo){.fresh = !now};
	if (now) {
		undo->before = *now;
	} else {
		ret = room_for_group(t, v->group);
		if (ret < 0)
			return xr_fail(why, ret, "out of memory for group %u", v->group);
		undo->before = *v;
		t->slots[v->group] = ++t->count;
	}
	t->votes[t->slots[v->group] - 1] = *v;
	t->staged++;
	return entry ? stage_entry(t, undo, v, entry, why) : 0;
}

int xr_table_stage(struct xr_table *t, const struct xr_vote *v,
		   const struct xr_entry *const *entries, size_t n, struct xr_why *why)
{
	int ret = room_for_undo(t, n);

	if (ret < 0)
		return xr_fail(why, ret, "out of memory for a batch of %zu votes", n);
	for (size_t i = 0; i < n; i++) {
		ret = stage_one(t, &v[i], entries ? entries[i] : NULL, why);
		if (ret < 0) {
			xr_table_undo(t);
			return ret;
		}
	}
	return 0;
}

void xr_table_commit(struct xr_table *t)
{
	for (; t->staged; t->staged--)
		if (t->undo[t->staged - 1].replaced)
			free(t->undo[t->staged - 1].entry);
}

/* Backwards, so that a group staged twice ends as it began, and new groups leave from the end. */
void xr_table_undo(struct xr_table *t)
{
	while (t->staged) {
		const struct xr_undo *undo = &t->undo[--t->staged];
		uint32_t *slot = &t->slots[undo->before.group];
		struct xr_entry **entry = &t->entries[*slot - 1];

		if (undo->replaced) {
			free(*entry);
			*entry = undo->entry;
			t->nentries -= !*entry;
		}
		if (undo->fresh) {
			*slot = 0;
			t->count--;
		} else {
			t->votes[*slot - 1] = undo->before;
		}
	}
}

void xr_table_free(struct xr_table *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		free(t->entries[i]);
	free((void *)t->entries);
	free(t->votes);
	free(t->slots);
	free(t->undo);
}
