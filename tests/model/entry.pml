/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entry: a log of which only the last one is kept (rules 22 to 26), with voters that do not change.
 *
 * Three nodes. Each may campaign, vote, win, make an entry, take one, have it on its disk, ack it, and
 * crash, at any point. What was ever said may be heard at any time later, or never: requests, entries and
 * acks are kept for ever. Proved: whoever is elected in a later term has each entry that was committed,
 * before or after; and an id has one body.
 *
 * A disk keeps its order: a vote is durable only once the entry that was handed over before it is. So a
 * voter compares what is durable, and what is on its way is durable with its vote, and never acked.
 */
#ifndef TERMS
#define TERMS 3
#endif
#ifndef INDEXES
#define INDEXES 3
#endif
#define N      3
#define IDS    16
#define ID(t, i) ((t) * 4 + (i))
#define TERM(e)	 ((e) / 4)
#define INDEX(e) ((e) % 4)
#define BIT(n)	 (1 << (n))
#ifdef HALF_IS_MAJORITY
#define MAJORITY(set) ((set) != 0)
#else
#define MAJORITY(set) ((set) == 3 || (set) == 5 || (set) == 6 || (set) == 7)
#endif
#define ELECTS(set) ((set) == 3 || (set) == 5 || (set) == 6 || (set) == 7)

#define FOLLOWER  0
#define CANDIDATE 1
#define LEADER	  2

/* durable */
byte term[N], vote[N], entry[N];
/* volatile */
byte role[N], next[N], granted[N];
/* said, for ever */
byte asked[12];	      /* [term * 3 + node]: the entry that its request names, and 1 more; 0: none */
bool made[IDS];
byte acked[IDS];      /* bit n: node n has acked it, in its term */
/* what the property speaks of */
bool committed[IDS];
byte won[TERMS + 1];  /* the entry with which that term was won, and 1 more; 0: nobody has */

byte e, t;

inline enter(v, to)
{
	if
	:: term[v] < to -> term[v] = to; vote[v] = 0; role[v] = FOLLOWER; granted[v] = 0
	:: else
	fi
}

/* The entry that was handed to the disk before. */
inline flush(v)
{
	if
	:: next[v] -> entry[v] = next[v]; next[v] = 0
	:: else
	fi
}

inline commit(id)
{
	if
	:: !committed[id] && MAJORITY(acked[id]) ->
		committed[id] = true;
		t = TERM(id) + 1;
		do
		:: t <= TERMS -> assert(!won[t] || won[t] > id); t++
		:: else -> break
		od;
		t = 0
	:: else
	fi
}

inline ack(v, id)
{
	acked[id] = acked[id] | BIT(v);
	commit(id)
}

#ifdef NOT_COMPARED
#define COMPARED(v, id) true
#else
#define COMPARED(v, id) ((id) >= entry[v]) /* rule 23 */
#endif

#ifdef ACKED_EARLY
#define TAKEN(v, id) next[v] = id; ack(v, id)
#else
#define TAKEN(v, id) next[v] = id
#endif

#ifdef INDEX_STAYS
#define NEXT_INDEX(v) (INDEX(entry[v]) + (TERM(entry[v]) == term[v] -> 0 : 1))
#else
#define NEXT_INDEX(v) (INDEX(entry[v]) + 1)
#endif

inline win(v)
{
	role[v] = LEADER;
	assert(!won[term[v]]);
	won[term[v]] = entry[v] + 1;
	for (e : 0 .. IDS - 1) {
		assert(!committed[e] || TERM(e) >= term[v] || e <= entry[v])
	}
	e = 0
}

#define NODE(v) \
	:: atomic { role[v] != LEADER && term[v] < TERMS -> \
		flush(v); term[v]++; vote[v] = v + 1; role[v] = CANDIDATE; granted[v] = BIT(v); \
		asked[term[v] * 3 + v - 3] = entry[v] + 1 } \
	:: atomic { role[v] == CANDIDATE && ELECTS(granted[v]) -> win(v) } \
	/* rule 26: a new one only once the last, of its own term, is committed */ \
	:: atomic { role[v] == LEADER && !next[v] && NEXT_INDEX(v) <= INDEXES && \
		(TERM(entry[v]) != term[v] || committed[entry[v]]) -> \
		e = ID(term[v], NEXT_INDEX(v)); \
		assert(!made[e]); \
		made[e] = true; next[v] = e; e = 0 } \
	:: atomic { next[v] -> \
		e = next[v]; flush(v); \
		if \
		:: term[v] == TERM(e) -> ack(v, e) \
		:: else \
		fi; \
		e = 0 } \
	:: atomic { role[v] != FOLLOWER || next[v] -> role[v] = FOLLOWER; next[v] = 0; granted[v] = 0 }

/* Voter v, candidate k, who asked in term tt. */
#define VOTE(v, k, tt) \
	:: atomic { asked[tt * 3 + k - 3] && tt >= term[v] && (tt > term[v] || !vote[v]) && \
		COMPARED(v, asked[tt * 3 + k - 3] - 1) -> \
		flush(v); enter(v, tt); vote[v] = k + 1; role[v] = FOLLOWER; \
		if \
		:: term[k] == tt && role[k] == CANDIDATE -> granted[k] = granted[k] | BIT(v) \
		:: else \
		fi }

/* Rule 24: from the leader of its term, or of a newer one; larger than its own. */
#define TAKE(v, tt, ii) \
	:: atomic { made[ID(tt, ii)] && term[v] <= tt && ID(tt, ii) > entry[v] && !next[v] && \
		!(role[v] == LEADER && term[v] == tt) -> \
		enter(v, tt); role[v] = FOLLOWER; TAKEN(v, ID(tt, ii)) }

#ifdef ACKED_OF_OLD_TERM
/* The index alone, whatever term it is of. */
#define STALE(v, tt) \
	:: atomic { term[v] == tt && entry[v] && TERM(entry[v]) != tt && made[ID(tt, INDEX(entry[v]))] -> \
		ack(v, ID(tt, INDEX(entry[v]))) }
#else
#define STALE(v, tt)
#endif

#ifdef NOT_ANEW
/* A leader hands on the entry of its predecessor, and counts who has it (Raft's figure 8). */
#define OLD(l, v) \
	:: atomic { role[l] == LEADER && TERM(entry[l]) && TERM(entry[l]) < term[l] && \
		term[v] <= term[l] && entry[v] < entry[l] -> \
		enter(v, term[l]); next[v] = 0; entry[v] = entry[l]; \
		acked[entry[l]] = acked[entry[l]] | BIT(v) | BIT(l); \
		commit(entry[l]) }
#else
#define OLD(l, v)
#endif

#define PAIR(v, k) VOTE(v, k, 1) VOTE(v, k, 2) VOTE(v, k, 3) OLD(v, k)
#define ALL_OF(v) \
	NODE(v) \
	TAKE(v, 1, 1) TAKE(v, 1, 2) TAKE(v, 1, 3) TAKE(v, 2, 1) TAKE(v, 2, 2) TAKE(v, 2, 3) \
	TAKE(v, 3, 1) TAKE(v, 3, 2) TAKE(v, 3, 3) \
	STALE(v, 2) STALE(v, 3)

active proctype cluster()
{
	do
	ALL_OF(0)
	ALL_OF(1)
	ALL_OF(2)
	PAIR(0, 1)
	PAIR(0, 2)
	PAIR(1, 0)
	PAIR(1, 2)
	PAIR(2, 0)
	PAIR(2, 1)
	od
}
