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
 *	R T0 T1 T2 T3 NODE GROUP TERM	a reader of this node called xr_is_leader() again and again, and
 *					was told TERM each time: the first of these calls began at T0
 *					and returned at T1, the last T2 and T3
 *	Q T NODE CALLS WORST		such a reader ended after so many calls, at most WORST apart
 *	M T TEXT			a note: what was done to the nodes. "heal LIMIT" ends all
 *					faults: within LIMIT ms all must agree, until "storm" or the
 *					end of the history. After "wiped NODE" that is another
 *					node; "members ..." says that they change
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
 *	- something was recorded of each node.
 */
#ifndef XRAFT_CHAOS_HISTORY_H
#define XRAFT_CHAOS_HISTORY_H

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
	unsigned long readers, read_terms; /* terms in which one was told that its node leads */
	uint64_t calls, worst_call_ns;
};

/* Returns the number of violations, each of them explained in `out`; -1: not a history. */
int xr_history_check(FILE *history, FILE *out, struct xr_figures *figures);

#endif
