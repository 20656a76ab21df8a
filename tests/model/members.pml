/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Members that change by entries (rules 23 to 27).
 *
 * Up to four nodes. Node 0 leads in term 1, and its first entry is committed: START are the voters. From
 * there on a node may campaign, vote, win, make entries that add a voter or remove one, take them, ack
 * them, and lose its disk. What was made may come to anybody at any time later, or never. Proved: one
 * leader a term; whoever is elected has each entry that was committed in an older term, before or after
 * that, or one that was made from it; and a leader that was outlived has no majority of its voters left
 * that could give it a lease.
 *
 * What would only narrow what may follow is left out: a vote for somebody who campaigns no more, a term
 * that is entered without a vote, a crash (who leads no more campaigns, votes, or takes). A learner is
 * any node that takes an entry which does not name it. Who campaigns need not be a voter: that rule is for
 * the others' peace. What is taken is durable (entry.pml has the disk); only at the leader that makes an
 * entry it may be so later than at those to whom it was sent.
 */
#ifndef TERMS
#define TERMS 2
#endif
#ifndef CHANGES
#define CHANGES 1 /* by each leader, after the entry that it makes anew */
#endif
#ifndef NODES
#define NODES 4
#endif
#ifndef START
#define START 7
#endif
#ifndef STANDS
#define STANDS 15 /* who campaigns; the others are witnesses */
#endif
#ifndef WIPED
#define WIPED 0 /* who may lose its disk, once */
#endif
#define N	  4
#define EACH	  (CHANGES + 1)
#define IDS	  (TERMS * EACH + 1)
#define ID(t, i)  (((t) - 1) * EACH + (i) + 1) /* 0: a disk without an entry */
#define TERM(e)	  (((e) - 1) / EACH + 1)
#define FIRST(e)  (((e) - 1) % EACH == 0)
#define BIT(n)	  (1 << (n))
#define SIZE(set) (((set) & 1) + ((set) >> 1 & 1) + ((set) >> 2 & 1) + ((set) >> 3 & 1))

#if TERMS > 5 || TERMS * EACH > 9
#error ALL_OF has to list more
#endif

#define FOLLOWER  0
#define CANDIDATE 1
#define LEADER	  2

/* of each node: its disk, of which birth that is, and what it is just now */
byte term[N], entry[N], birth[N], role[N], granted[N];
/* of each entry: its voters (0: not made), and four bits up their births */
byte voters[IDS];
byte acked[IDS]; /* by whom; 0 again once it is committed */
byte at[IDS];	 /* the term in which it was committed; 0: it is not */
byte won[TERMS + 1]; /* the entry with which that term was won, and 1 more; 0: nobody has */

byte n, m;

#define VOTERS(e)	 (voters[e] & 15)
#define IS_VOTER(v, e)	 (voters[e] >> (v) & 1)
#define NAMED(v, e)	 (IS_VOTER(v, e) && (voters[e] >> ((v) + 4) & 1) == birth[v])
#define MAJORITY(set, e) (2 * SIZE((set) & VOTERS(e)) > SIZE(VOTERS(e)))
#define ANYBODY(set, e)	 (2 * SIZE(set) > SIZE(VOTERS(e)))

/* Whose acks count for entry e, and when it is committed (rules 25 and 27). */
#ifdef LEARNER_ACKS
#define ACKS(v, e) true
#define COMMITTED  ANYBODY
#elif defined(REBORN_ANSWERS)
#define ACKS(v, e) IS_VOTER(v, e)
#define COMMITTED  MAJORITY
#else
#define ACKS(v, e) NAMED(v, e)
#define COMMITTED  MAJORITY
#endif

/* Whose votes elect who has entry e, and when (rules 25 and 27). */
#define BEFORE(e) ((e) - !FIRST(e))
#if defined(LEARNER_VOTES)
#define VOTES(v, e)	true
#define ELECTED		ANYBODY
#elif defined(OLD_VOTERS_ELECT)
#define VOTES(v, e)	NAMED(v, BEFORE(e))
#define ELECTED(set, e) MAJORITY(set, BEFORE(e))
#elif defined(BIRTH_IGNORED)
#define VOTES(v, e)	IS_VOTER(v, e)
#define ELECTED		MAJORITY
#else
#define VOTES(v, e)	NAMED(v, e)
#define ELECTED		MAJORITY
#endif

#ifdef OLDER_ELECTED
#define COMPARED(v, k) true
#else
#define COMPARED(v, k) (entry[v] <= entry[k]) /* rule 23 */
#endif

/* When leader v may change its members, and by which entry (rule 26). */
#define OWN(v) (TERM(entry[v]) == term[v])
#if defined(BEFORE_OWN)
#define SETTLED(v) (!OWN(v) || at[entry[v]])
#define NEXT(v)	   (OWN(v) -> entry[v] + 1 : ID(term[v], 0))
#elif defined(TWO_UNDER_WAY)
#define SETTLED(v) OWN(v)
#define NEXT(v)	   (entry[v] + 1)
#else
#define SETTLED(v) (OWN(v) && at[entry[v]])
#define NEXT(v)	   (entry[v] + 1)
#endif

inline follow(v)
{
	role[v] = FOLLOWER;
	granted[v] = 0
}

/* Was `id` made from `from`, and all between from one another? */
#define MADE_FROM(id) (FIRST(id) -> won[TERM(id)] - 1 : (id) - 1)
inline descends(id, from)
{
	m = id;
	do
	:: m > from -> m = MADE_FROM(m)
	:: else -> break
	od;
	assert(m == from);
	m = 0
}

inline commit(id, t)
{
	at[id] = t;
	acked[id] = 0;
	n = t + 1;
	do
	:: n <= TERMS && won[n] -> descends(won[n] - 1, id); n++
	:: n <= TERMS && !won[n] -> n++
	:: else -> break
	od;
	n = 0
}

inline have(v, id)
{
	entry[v] = id;
	if
	:: !at[id] && ACKS(v, id) ->
		acked[id] = acked[id] | BIT(v);
		if
		:: COMMITTED(acked[id], id) -> commit(id, TERM(id))
		:: else
		fi
	:: else
	fi
}

/* Leader l, if another leads in a newer term: who is left to follow it? */
inline outlived(l)
{
	n = term[l] + 1;
	do
	:: n <= TERMS && !won[n] -> n++
	:: else -> break
	od;
	if
	:: role[l] == LEADER && n <= TERMS ->
		for (n : 0 .. N - 1) {
			if
			:: term[n] <= term[l] && ACKS(n, entry[l]) -> m = m | BIT(n)
			:: else
			fi
		}
		assert(!MAJORITY(m, entry[l]))
	:: else
	fi;
	m = 0;
	n = 0
}

inline win(v)
{
	assert(!won[term[v]]);
	won[term[v]] = entry[v] + 1;
	for (n : 1 .. IDS - 1) {
		if
		:: at[n] && at[n] < term[v] -> descends(entry[v], n)
		:: else
		fi
	}
	role[v] = LEADER;
	granted[v] = 0;
#ifndef BEFORE_OWN
	voters[ID(term[v], 0)] = voters[entry[v]]; /* rule 26: the same anew, in its own term */
#endif
	outlived(0);
	outlived(1);
	outlived(2);
	outlived(3)
}

/* Voter k more, as who it is now, or one less. */
inline change(id, k)
{
	voters[id] = (voters[id] ^ BIT(k)) & ~BIT(k + 4);
	if
	:: IS_VOTER(k, id) -> voters[id] = voters[id] | birth[k] << (k + 4)
	:: else
	fi
}

#define NODE(v) \
	:: d_step { role[v] == CANDIDATE && ELECTED(granted[v], entry[v]) -> win(v) } \
	:: d_step { (WIPED >> v & 1) && !birth[v] -> \
		follow(v); term[v] = 0; entry[v] = 0; birth[v] = 1 }

#define CAMPAIGN(v, t) \
	:: d_step { v < NODES && (STANDS >> v & 1) && term[v] < t && t <= TERMS -> \
		term[v] = t; role[v] = CANDIDATE; granted[v] = (VOTES(v, entry[v]) -> BIT(v) : 0) }

#define VOTE(v, k) \
	:: d_step { role[k] == CANDIDATE && term[v] < term[k] && COMPARED(v, k) && VOTES(v, entry[k]) -> \
		follow(v); term[v] = term[k]; granted[k] = granted[k] | BIT(v) }

#define MAY_CHANGE(v, k) \
	(role[v] == LEADER && SETTLED(v) && (OWN(v) -> !FIRST(entry[v] + 1) : true) && \
		!voters[NEXT(v)] && NAMED(v, entry[v]) && k < NODES)

#define CHANGE(v, k) \
	:: d_step { MAY_CHANGE(v, k) && VOTERS(entry[v]) != BIT(k) -> \
		m = NEXT(v); voters[m] = voters[entry[v]]; change(m, k); m = 0 }

#define CHANGE_TWO(v, k, l) \
	:: d_step { MAY_CHANGE(v, k) && l < NODES && VOTERS(entry[v]) != (BIT(k) | BIT(l)) -> \
		m = NEXT(v); voters[m] = voters[entry[v]]; change(m, k); change(m, l); m = 0 }

#if defined(TWO_AT_ONCE)
#define CHANGES_OF(v) \
	CHANGE_TWO(v, 0, 1) CHANGE_TWO(v, 0, 2) CHANGE_TWO(v, 0, 3) CHANGE_TWO(v, 1, 2) \
	CHANGE_TWO(v, 1, 3) CHANGE_TWO(v, 2, 3)
#elif defined(REPLACED_AT_ONCE)
/* Who lost its disk is removed and added, by one entry. */
#define CHANGES_OF(v) \
	CHANGE_TWO(v, 0, 0) CHANGE_TWO(v, 1, 1) CHANGE_TWO(v, 2, 2) CHANGE_TWO(v, 3, 3)
#else
#define CHANGES_OF(v) CHANGE(v, 0) CHANGE(v, 1) CHANGE(v, 2) CHANGE(v, 3)
#endif

/* Rule 24: of the leader of its term; or once more, if it was handed on before. */
#define TAKE(v, id) \
	:: d_step { id < IDS && voters[id] && term[v] <= TERM(id) && (entry[v] < id || \
		(entry[v] == id && !at[id] && !(acked[id] & BIT(v)) && ACKS(v, id))) -> \
		if \
		:: role[v] == LEADER && term[v] == TERM(id) \
		:: else -> follow(v) \
		fi; \
		term[v] = TERM(id); \
		have(v, id); \
		outlived(v) }

/* Rule 24: of anyone, in a newer term; it is not acked. */
#ifdef HANDED_IS_ACKED
#define HANDED(v, id) have(v, id)
#else
#define HANDED(v, id) entry[v] = id
#endif
#define HAND_ON(v, id) \
	:: d_step { id < IDS && voters[id] && term[v] > TERM(id) && entry[v] < id -> \
		follow(v); HANDED(v, id) }

#ifdef OLD_TERM_COUNTED
/* A leader counts who has the entry of its predecessor (Raft's figure 8). */
#define HAS(l, v) (term[v] == term[l] && entry[v] == entry[l] -> BIT(v) : 0)
#define COUNT(l) \
	:: d_step { role[l] == LEADER && !OWN(l) && !at[entry[l]] && \
		MAJORITY((HAS(l, 0) | HAS(l, 1) | HAS(l, 2) | HAS(l, 3)), entry[l]) -> \
		commit(entry[l], term[l]) }
#else
#define COUNT(l)
#endif

#define GETS(v, id) TAKE(v, id) HAND_ON(v, id)
#define ALL_OF(v) \
	NODE(v) \
	CAMPAIGN(v, 2) CAMPAIGN(v, 3) CAMPAIGN(v, 4) CAMPAIGN(v, 5) \
	CHANGES_OF(v) COUNT(v) \
	GETS(v, 2) GETS(v, 3) GETS(v, 4) GETS(v, 5) GETS(v, 6) GETS(v, 7) GETS(v, 8) GETS(v, 9)

active proctype cluster()
{
	d_step {
		voters[0] = START;
		voters[ID(1, 0)] = START;
		at[ID(1, 0)] = 1;
		won[1] = 1;
		role[0] = LEADER;
		for (n : 0 .. N - 1) {
			term[n] = 1;
			entry[n] = ID(1, 0)
		}
		n = 0
	};
	do
	ALL_OF(0)
	ALL_OF(1)
	ALL_OF(2)
	ALL_OF(3)
	VOTE(0, 1) VOTE(0, 2) VOTE(0, 3)
	VOTE(1, 0) VOTE(1, 2) VOTE(1, 3)
	VOTE(2, 0) VOTE(2, 1) VOTE(2, 3)
	VOTE(3, 0) VOTE(3, 1) VOTE(3, 2)
	od
}
