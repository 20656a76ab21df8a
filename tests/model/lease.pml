/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lease: who may believe that node A leads, and for how long. Rules 3, 5, 6, 12 and 16.
 *
 * Three nodes. A is shown in full: its view, acks and lead_since; its NIC path, which stamps acks
 * (CPUS of them) and answers polls; its daemon, which beats, resigns, votes, campaigns, crashes;
 * the warden; and a reader on A that may be interrupted between any two loads. B and C are single
 * steps: they ack, vote, campaign and win. That a single step is enough is what voter.pml proves.
 * The worst is assumed of them: a rival's lease counts as valid from the moment of its election.
 *
 *   A's lease never holds while a rival of a newer term has been elected,
 *   a reader that begins after a newer term was true never returns an older one,
 *   nobody is elected beside another in one term.
 *
 * Time as in voter.pml: ages in ticks up to D, no bound on time. Of A's heartbeats and their acks
 * the freshest of its newest term is kept and stays deliverable until it is D old; an older one
 * shortens leases, makes voters more loyal, and does nothing else. Echoes and lead_since of one
 * tick are told apart by their terms, as a disk write lies between two leaderships. Acks come from
 * B alone, for a majority needs no more; with BOTH_ACK from C, too.
 *
 * Parts of it can be left out, for smaller runs: NO_READER, NO_CRASH, NO_POLLS.
 */
#ifndef D
#define D 2
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef CPUS
#define CPUS 1
#endif

#ifdef BOTH_ACK
#define ACKS(node) true
#else
#define ACKS(node) (node == B)
#endif

#define A 0
#define B 1
#define C 2
#define NOBODY 3
#define AT(t, node) ((t) * 3 + (node))

#define NONE(t)	 ((t) * 2)
#define LEAD(t)	 ((t) * 2 + 1)
#define TERM(v)	 ((v) / 2)
#define LEADS(v) ((v) % 2)

/* A's shared memory (rule 13 says who writes what) */
byte view = LEAD(1);
byte since = D, since_term = 1;
byte ack[3] = D, ack_term[3];
bool buffered;
byte buffer;

/* the network: ages of what is under way, by A's clock */
byte beat = D;	    /* A's newest heartbeat, in its newest term */
byte acked[3] = D;  /* the newest of them that B, C has acked */
bool resigned[TERMS + 1];
byte vote[AT(TERMS + 1, 0)] = NOBODY;

/* the nodes */
byte durable[3] = 1;
byte contact[3] = D;
byte rival;	     /* newest term that B or C has won */
byte won[TERMS + 1]; /* by whom, plus 1; term 1 by A */
bool alive = true, crashed;

/* runs under way, and the reader, keep what they have loaded: it ages as they wait */
byte run_echo[CPUS] = D;
byte poll_age = D;
byte got_since = D, got_since_term;
byte got[3] = D, got_term[3];

/* Rule 5: does the ack lie after lead_since, and has it been sent less than D ago? */
#ifdef OLD_ACKS
#define COUNTS(age, term, from, from_term) (age < D)
#else
#define COUNTS(age, term, from, from_term) \
	(age < D && (age < from || (age == from && term >= from_term)))
#endif
#define ACKS_OF(n) COUNTS(ack[n], ack_term[n], since, since_term)
#define LEASE_HOLDS (LEADS(view) && (ACKS_OF(B) || ACKS_OF(C)))

#define LED_BY_A(t) ((t) == 1 || won[t] == A + 1)

inline check()
{
	assert(!(LEASE_HOLDS && TERM(view) < rival))
}

/* A enters a newer term: what it has sent in older ones can only be late. */
inline enter(t)
{
	durable[A] = t;
	beat = D;
	acked[B] = D;
	acked[C] = D
}

inline elected(t, node)
{
	assert(won[t] == 0 || won[t] == node + 1);
	won[t] = node + 1
}

/* Rule 4: a maximum; the younger stays. */
inline store_ack(node, age, t)
{
#ifdef LEASE_FROM_ARRIVAL
	ack[node] = 0;
	ack_term[node] = t;
#else
	if
	:: age < ack[node] || (age == ack[node] && t > ack_term[node]) ->
	   ack[node] = age;
	   ack_term[node] = t
	:: else
	fi;
#endif
	check()
}

/* The answer to a heartbeat at A's NIC path. Between the match and the stamp anything happens. */
active [CPUS] proctype Acks()
{
	byte t, node;

	do
	:: atomic {
		alive && LEADS(view) ->
		t = TERM(view);
		if
		:: node = B
#ifdef BOTH_ACK
		:: node = C
#endif
		fi;
		if
		:: t == durable[A] && COUNTS(acked[node], t, since, since_term) ->
		   run_echo[_pid] = acked[node]
		:: else -> goto done
		fi
	   }
	   atomic {
		store_ack(node, run_echo[_pid], t)
	   }
done:
	   atomic {
		run_echo[_pid] = D;
		t = 0;
		node = 0
	   }
	od
}

#ifndef NO_POLLS
/* A poll becomes a heartbeat, sent when this run read its clock; no second look (rule 4). */
active proctype Polls()
{
	byte t;

	do
	:: atomic {
		alive ->
		poll_age = 0
	   }
	   atomic {
		if
		:: LEADS(view) -> t = TERM(view)
		:: else -> goto done
		fi
	   }
	   atomic {
		if
		:: t == durable[A] && poll_age < beat -> beat = poll_age
		:: else
		fi
	   }
done:
	   atomic {
		poll_age = D;
		t = 0
	   }
	od
}

#else
active proctype Polls()
{
	false
}
#endif

/* Rule 3. The daemon writes the view by compare-exchange; the store may wait in its buffer. */
inline fence()
{
	atomic {
		saved = view;
		buffer = NONE(TERM(view));
		buffered = true
	}
#ifndef FENCE_WITHOUT_BARRIER
	!buffered;
#endif
}

active proctype DaemonA()
{
	byte t, saved, node = NOBODY;

	do
	:: {
		do
		:: atomic { /* a heartbeat */
			LEADS(view) && !buffered ->
			beat = 0
		   }
		:: LEADS(view) -> /* rules 5, 12: fence, and only then resign */
#ifdef RESIGN_BEFORE_FENCE
		   resigned[durable[A]] = true;
		   fence();
#else
		   fence();
		   resigned[durable[A]] = true;
#endif
		   !buffered;
		   saved = 0
#ifdef RESUME_AFTER_RESIGN
		:: atomic {
			!LEADS(view) && LED_BY_A(durable[A]) && resigned[durable[A]] ->
			view = LEAD(durable[A]);
			check()
		   }
#endif
		:: atomic { /* a RequestVote, or the heartbeat of a newer leader */
			durable[A] < TERMS ->
			t = durable[A] + 1;
			if
			:: true
			:: t < TERMS -> t = t + 1
			fi;
			if
			:: vote[AT(t, B)] == B -> node = B
			:: vote[AT(t, C)] == C -> node = C
			:: rival >= t -> t = rival
			:: else -> t = 0
			fi
		   }
		   if
		   :: t == 0
		   :: t > 0 ->
		      fence();
		      if
		      :: atomic { /* rule 3: leading with a lease, it votes for nobody */
			   node != NOBODY && LEADS(saved) && (ACKS_OF(B) || ACKS_OF(C)) ->
			   view = saved;
			   check()
			 }
		      :: !(node != NOBODY && LEADS(saved) && (ACKS_OF(B) || ACKS_OF(C))) ->
			 if
			 :: LEADS(saved) -> resigned[durable[A]] = true /* it makes way */
			 :: else
			 fi;
			 !buffered;
			 atomic { /* persist, then publish, then reply */
				enter(t);
				view = NONE(t)
			 }
			 vote[AT(t, A)] = node
		      fi
		   fi;
		   atomic {
			t = 0;
			saved = 0;
			node = NOBODY
		   }
		:: atomic { /* a campaign */
			!LEADS(view) && durable[A] < TERMS ->
			enter(durable[A] + 1);
			view = NONE(durable[A]);
			vote[AT(durable[A], A)] = A
		   }
		:: atomic { /* won. Rule 5: lead_since is read and stored before LEAD */
			!LEADS(view) && vote[AT(durable[A], A)] == A && won[durable[A]] == 0 &&
			(vote[AT(durable[A], B)] == A || vote[AT(durable[A], C)] == A) ->
			elected(durable[A], A);
#ifdef SINCE_AFTER_VIEW
			view = LEAD(durable[A]);
			check()
		   }
		   atomic {
			since = 0;
			since_term = durable[A];
		   }
#else
			since = 0;
			since_term = durable[A];
		   }
		   atomic {
			view = LEAD(durable[A]);
			check()
		   }
#endif
		od
	   } unless {
		atomic {
			crashed ->
			t = 0;
			saved = 0;
			node = NOBODY
		}
	   };
	   /* The warden outlives the engine: it fences, then resigns for it (rule 5). */
	   if
	   :: LEADS(view) ->
#ifdef WARDEN_RESIGNS_FIRST
	      resigned[TERM(view)] = true;
	      view = NONE(TERM(view))
#else
	      view = NONE(TERM(view));
	      resigned[TERM(view)] = true
#endif
	   :: true /* or it died, too */
	   fi;
	   /* Rule 6: a start fences the maps that it finds, before it says anything. */
	   atomic {
#ifndef NO_START_FENCE
		view = NONE(TERM(view));
#endif
		crashed = false
	   }
	   atomic { /* it is asked, and says that it leads no more */
		if
		:: LED_BY_A(durable[A]) -> resigned[durable[A]] = true
		:: else
		fi;
		alive = true
	   }
	od
}

#define MAY_VOTE(me) (contact[me] >= D || resigned[durable[me]])

/* B and C, a step each. */
active [2] proctype Peer()
{
	byte me = (_pid == CPUS + 2 -> B : C);
	byte t;

	do
	:: atomic { /* a heartbeat of A: stamped, and acked */
		beat < D && durable[A] >= durable[me] ->
		durable[me] = durable[A];
		contact[me] = 0;
		if
		:: ACKS(me) && beat < acked[me] -> acked[me] = beat
		:: else
		fi
	   }
	:: atomic { /* the heartbeat of a newer leader */
		rival > durable[me] ->
		durable[me] = rival;
		contact[me] = 0
	   }
	:: atomic { /* a campaign */
		durable[me] < TERMS && MAY_VOTE(me) ->
		durable[me] = durable[me] + 1;
		vote[AT(durable[me], me)] = me
	   }
	:: atomic { /* a vote for the other, or for A */
		MAY_VOTE(me) ->
		t = durable[me];
		if
		:: t < TERMS -> t = t + 1
		:: else
		fi;
		if
		:: t < TERMS -> t = t + 1
		:: true
		fi;
		if
		:: t > durable[me] && vote[AT(t, A)] == A ->
		   durable[me] = t;
		   vote[AT(t, me)] = A
		:: t > durable[me] && vote[AT(t, B + C - me)] == B + C - me ->
		   durable[me] = t;
		   vote[AT(t, me)] = B + C - me
		:: else
		fi;
		t = 0
	   }
	:: atomic { /* won */
		vote[AT(durable[me], me)] == me && won[durable[me]] != me + 1 &&
		(vote[AT(durable[me], A)] == me || vote[AT(durable[me], B + C - me)] == me) ->
		elected(durable[me], me);
		rival = (durable[me] > rival -> durable[me] : rival);
		check()
	   }
	:: atomic { /* and resigned */
		won[durable[me]] == me + 1 && !resigned[durable[me]] ->
		resigned[durable[me]] = true
	   }
	od
}

#define GOT(n) COUNTS(got[n], got_term[n], got_since, got_since_term)

inline load_since()
{
	atomic {
		got_since = since;
		got_since_term = since_term
	}
}

inline load_ack(n)
{
	atomic {
		got[n] = ack[n];
		got_term[n] = ack_term[n]
	}
}

/*
 * Rule 16: a fence, then view, lead_since, acks, then the clock, then the view again. A call that
 * reads of a term that nobody has outdone yet cannot be wrong; only the others are followed.
 */
#ifndef NO_READER
active proctype Reader()
{
	byte seen, newest;
	bool holds;

	do
#ifdef READER_SINCE_FIRST
	:: load_since(); /* the loads are not ordered: lead_since comes before the view */
	   atomic {
		newest = rival;
		seen = view;
		if
		:: LEADS(seen) && TERM(seen) < newest
		:: else -> goto done
		fi
	   }
#else
	:: atomic { /* it begins, and loads the view */
#ifdef READER_WITHOUT_FENCE
		LEADS(view) -> /* loaded before the call began */
#else
		LEADS(view) && TERM(view) < rival ->
#endif
		newest = rival;
		seen = view
	   }
	   load_since();
#endif
	   load_ack(B);
#ifdef BOTH_ACK
	   load_ack(C);
#endif
	   atomic { /* the clock: from here on the lease is what it was at this instant */
		holds = GOT(B) || GOT(C);
		got_since = D;
		got_since_term = 0;
		got[B] = D;
		got[C] = D;
		got_term[B] = 0;
		got_term[C] = 0;
		if
		:: !holds -> goto done
		:: else
		fi
	   }
#ifdef READER_WITHOUT_FENCE
	   newest = rival; /* here it begins */
#endif
	   atomic {
#ifdef READER_WITHOUT_SECOND_LOOK
		assert(TERM(seen) >= newest);
#else
		assert(view != seen || TERM(seen) >= newest);
#endif
	   }
done:
	   atomic {
		got_since = D;
		got_since_term = 0;
		seen = 0;
		newest = 0;
		holds = false
	   }
	od
}
#endif

inline older(age)
{
	age = (age < D -> age + 1 : D)
}

active proctype World()
{
	byte i;

	do
	:: atomic { /* a tick */
		older(since);
		older(ack[B]);
		older(ack[C]);
		older(contact[B]);
		older(contact[C]);
		older(poll_age);
		older(got_since);
		older(got[B]);
		older(got[C]);
		older(beat);
		older(acked[B]);
		older(acked[C]);
		for (i : 0 .. CPUS - 1) {
			older(run_echo[i])
		}
		i = 0;
		/* What is too old to count is all the same. */
		if
		:: ack[B] == D -> ack_term[B] = 0
		:: else
		fi;
		if
		:: ack[C] == D -> ack_term[C] = 0
		:: else
		fi
	   }
	:: atomic { /* the store buffer drains */
		buffered ->
		view = buffer;
		buffered = false;
		buffer = 0
	   }
#ifndef NO_CRASH
	:: atomic { /* the engine crashes */
		alive ->
		if
		:: buffered -> view = buffer; buffered = false; buffer = 0
		:: else
		fi;
		alive = false;
		crashed = true
	   }
#endif
	od
}
