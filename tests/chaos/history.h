/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A history: what was seen of a cluster, a line each, times in nanoseconds of one clock.
 *
 *	C T NODES GROUPS		nodes 1 ... NODES, groups 1 ... GROUPS
 *	O T NODE			its maps were opened (again)
 *	V T0 T1 NODE GROUP TERM MODE LEADER	a new view (MODE n, f or l), seen first at T1; the
 *					one before was seen last at T0
 *	D T0 T1 NODE GROUP TERM VOTE	what is durable, likewise (VOTE 0: nobody)
 *	L T0 T1 NODE GROUP TERM		a lease: a reader at T0 would have been told that this node
 *					leads, one at T1 too, and it did not lapse between them
 *	E T0 T1 NODE GROUP TERM INDEX SAID VALUE MEMBERS	what readers of this node are told of the
 *					group's entry, new at T1; the one before was told until T0, and
 *					once more at the end of the history. SAID: c as committed, u as not
 *					known to be. VALUE and MEMBERS: their hashes
 *	R T0 T1 T2 T3 NODE GROUP TERM	a reader of this node called xr_is_leader() again and again, and
 *					was told TERM each time: the first of these calls began at T0
 *					and returned at T1, the last T2 and T3
 *	Q T NODE CALLS WORST		such a reader ended after so many calls, at most WORST apart
 *	M T TEXT			a note: what was done to the nodes. "heal LIMIT" ends all
 *					faults: within LIMIT ms all must agree, until "storm" or the
 *					end of the history. After "wiped NODE" that is another
 *					node; "members ..." says that they change. "asked GROUP NODE
 *					VALUE": this node is about to be asked to set this value;
 *					"told GROUP NODE committed TERM.INDEX VALUE", or refused, or
 *					unknown, in place of the first two words: what came of it
 *	S T ROUNDS MEAN WORST LATE	all nodes were sampled ROUNDS times, this far apart; LATE
 *					of them by more than 1 ms
 *
 * What falls between two samples is not seen, so that a violation may be missed; but one that is
 * reported did happen: a lease is known to be valid only from the first to the last sample that
 * found it so, and no time is added at either end.
 *
 * What is checked, for each group:
 *	- a term has one leader, whoever speaks of it, and he has not lost his majority's votes;
 *	- a node's terms, published and durable, never go back;
 *	- its vote never changes within a term;
 *	- leases do not overlap, and never return to an older term;
 *	- no reader's call that began after one of a newer term had returned true, wherever, is true;
 *	- after each "heal" all nodes agree in time, and go on agreeing;
 *	- an entry's id stands for one value and the same members, wherever it is told (rule 22);
 *	- a node's entry never goes back (rule 24), unless the node is wiped;
 *	- nothing committed is lost: every entry with a larger id was made after it, and so has a larger
 *	  index (rules 22, 23, 25);
 *	- a value that another one has replaced does not come back, one whose order was refused is told by
 *	  nobody, and none is told that nobody asked for, once anybody asks;
 *	- when a leader's readers are told of an entry of its term as committed, and its lease holds after
 *	  that, then nobody was told of a newer committed one before (xraft.h);
 *	- after each "heal" all nodes tell the same entry as committed in time, and none older than
 *	  what anybody was ever told of as committed;
 *	- something was recorded of each node.
 */
#ifndef XRAFT_CHAOS_HISTORY_H
#define XRAFT_CHAOS_HISTORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct xr_figures {
	unsigned long lines, views, leases, heals;
	unsigned long elections; /* (group, term) pairs with a leader */
	uint64_t span_ns;
	uint64_t worst_gap_ns;	 /* the longest time in which a group had no valid lease */
	uint64_t typical_gap_ns; /* the median of those between leases of different terms */
	uint64_t worst_heal_ns;	 /* from the end of all faults until all agree */
	uint64_t rounds, mean_ns, worst_sample_ns, late;
	unsigned long asked, set, refused, unknown; /* orders to set a value */
	unsigned long told, committed; /* entries, and those of them that were told as committed */
	unsigned long certain;	       /* looks at a committed entry beside its leader's lease */
	uint64_t worst_entry_ns; /* from the end of all faults until all have the same entry */
	unsigned long readers, read_terms; /* terms in which one was told that its node leads */
	uint64_t calls, worst_call_ns;
};

/* Of a value or of members, as lines E have it (FNV-1a). */
static inline uint64_t xr_history_hash(const void *data, size_t size)
{
	const unsigned char *byte = data;
	uint64_t hash = 0xcbf29ce484222325;

	while (size--)
		hash = (hash ^ *byte++) * 0x100000001b3;
	return hash;
}

/* Returns the number of violations, each of them explained in `out`; -1: not a history. */
int xr_history_check(FILE *history, FILE *out, struct xr_figures *figures);

#endif
