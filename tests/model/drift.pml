/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks that go wrong. Rule 5: the lease is D(1-r)/(1+r) by the leader's clock, and voters wait D
 * by theirs; r bounds the rate error of any clock.
 *
 * Three equal nodes, each with a clock of its own. In each tick of true time a clock advances by
 * SLOW, by FAST or, with more steps, by anything between, as it likes, each tick anew: with 2 and
 * 4, r is 1/3, and the lease is half of D. Everything else is a single step: voter.pml and
 * lease.pml look inside these. Any node may lead, and three terms follow each other.
 *
 * Two leases never hold at one time. Time is kept as ages by the clock that counts them, so that
 * there is no bound on time. Heartbeats and acks are lost, late and doubled; the freshest is kept.
 */
#ifndef SLOW
#define SLOW 2
#endif
#ifndef FAST
#define FAST 4
#endif
#ifndef D
#define D (2 * FAST)
#endif
#ifndef TERMS
#define TERMS 3
#endif

#ifdef DRIFT_IGNORED
#define LEASE D
#elif defined(DRIFT_OF_ONE_CLOCK)
#define LEASE (D * 2 * SLOW / (SLOW + FAST)) /* D(1-r) */
#else
#define LEASE (D * SLOW / FAST) /* D(1-r)/(1+r) */
#endif

#define N 3
#define AT(leader, node) ((leader) * 3 + (node))

byte term[N] = 1;
bool leads[N];
bool led[TERMS + 1];
byte contact[N] = D;  /* by the node's clock */
byte ask[N];	      /* term that it is a candidate in; 0: none */
byte beat[N] = D;     /* a leader's newest heartbeat, by its clock */
byte acked[9] = D;    /* echo of an ack under way to a leader, by the leader's clock */
byte ack[9] = D;      /* echo that the leader has counted */

#define FRESH(l, n) (ack[AT(l, n)] < LEASE)
#define HOLDS(l)    (leads[l] && (FRESH(l, 0) || FRESH(l, 1) || FRESH(l, 2)))

inline check()
{
	assert(!(HOLDS(0) && HOLDS(1)) && !(HOLDS(0) && HOLDS(2)) && !(HOLDS(1) && HOLDS(2)))
}

/* What a leader has sent and heard is void in another term (lease.pml). */
inline enter(n, t)
{
	term[n] = t;
	leads[n] = false;
	ask[n] = 0;
	beat[n] = D;
	for (k : 0 .. N - 1) {
		acked[AT(n, k)] = D;
		ack[AT(n, k)] = D
	}
	k = 0
}

inline advance(age, by)
{
	age = (age + by < D -> age + by : D)
}

active [N] proctype Node()
{
	byte k, other;

	do
	:: atomic { /* a heartbeat, counted from the leader's clock when it was sent */
		leads[_pid] ->
		beat[_pid] = 0
	   }
	:: atomic { /* a heartbeat comes: stamp, ack */
		if
		:: other = (_pid + 1) % N
		:: other = (_pid + 2) % N
		fi;
		if
		:: beat[other] < LEASE && term[other] >= term[_pid] && !leads[_pid] ->
		   if
		   :: term[other] > term[_pid] -> enter(_pid, term[other])
		   :: else
		   fi;
		   ask[_pid] = 0;
#ifdef TWO_DS
		   /* the node that waits for less */
		   contact[_pid] = (_pid == 2 -> FAST : 0);
#else
		   contact[_pid] = 0;
#endif
		   acked[AT(other, _pid)] = beat[other]
		:: else
		fi;
		other = 0
	   }
	:: atomic { /* an ack comes */
		if
		:: other = (_pid + 1) % N
		:: other = (_pid + 2) % N
		fi;
		if
		:: leads[_pid] && acked[AT(_pid, other)] < ack[AT(_pid, other)] ->
#ifdef LEASE_FROM_ARRIVAL
		   ack[AT(_pid, other)] = 0;
#else
		   ack[AT(_pid, other)] = acked[AT(_pid, other)];
#endif
		   check()
		:: else
		fi;
		other = 0
	   }
	:: atomic { /* D has passed by the own clock, and the own lease is over: a campaign */
		term[_pid] < TERMS && contact[_pid] >= D && !HOLDS(_pid) ->
		enter(_pid, term[_pid] + 1);
		ask[_pid] = term[_pid]
	   }
	:: atomic { /* a vote, which elects: two of three */
		if
		:: other = (_pid + 1) % N
		:: other = (_pid + 2) % N
		fi;
		if
		:: ask[other] > term[_pid] && contact[_pid] >= D && !HOLDS(_pid) ->
		   enter(_pid, ask[other]);
		   assert(!led[term[other]]);
		   led[term[other]] = true;
		   ask[other] = 0;
		   leads[other] = true
		:: else
		fi;
		other = 0
	   }
	od
}

/* A tick of true time: each clock at a rate of its own. */
active proctype Clocks()
{
	byte n, k, by;

	do
	:: atomic {
		for (n : 0 .. N - 1) {
			if
			:: by = SLOW
			:: by = FAST
#ifdef STEPS
			:: by = (SLOW + FAST) / 2
#endif
#ifdef CLOCK_STOPS
			:: by = 0 /* CLOCK_MONOTONIC while the machine sleeps */
#endif
			fi;
			advance(contact[n], by);
			advance(beat[n], by);
			for (k : 0 .. N - 1) {
				advance(acked[AT(n, k)], by);
				advance(ack[AT(n, k)], by)
			}
		}
		n = 0;
		k = 0;
		by = 0
	   }
	od
}
