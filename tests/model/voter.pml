/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The voter: what it has answered, and what it votes. Rules 3, 4 and 6 with weak memory.
 *
 * One node. CPUS processors run the NIC path's heartbeat rule, one daemon decides, crashes and
 * starts again, at any point and as often as it likes. Two things are proved:
 *
 *   no vote leaves this node within D of a heartbeat of the leader in force that it has acked,
 *   no ack of such a heartbeat leaves it within D of the heartbeat after a vote in a newer term.
 *
 * The leader in force is that of the newest term that this node has heard a leader of (`leader`),
 * until it resigns: leases of older terms ended before that leader was elected, which is this very
 * property on other nodes. lease.pml builds on it.
 *
 * Time is kept as ages, in ticks, counted up to D: nothing that is D old matters any more. So
 * there is no bound on time, and none on crashes; the number of terms is bounded. A heartbeat
 * that is not lost may come at any moment, be late, doubled or replayed: the freshest is the worst
 * for the property, so each run answers one that was sent when the run read its clock.
 *
 * Weak memory: the daemon's fence waits in a store buffer until the barrier, or until it leaves by
 * itself. A compare-exchange that stores is a full barrier; one that fails orders nothing, so the
 * second look may have happened before it.
 */
#ifndef D
#define D 2
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef CPUS
#define CPUS 2
#endif
#ifdef TWO_DS
#define D_HERE (D - 1) /* rule 5: a node with a smaller D than the leader's must not answer */
#else
#define D_HERE D
#endif

/* The view, one word (rule 2): term and mode. The leader of a term is that term's one leader. */
#define NONE(t)	   ((t) * 2)
#define FOLLOW(t)  ((t) * 2 + 1)
#define TERM(v)	   ((v) / 2)
#define FOLLOWS(v) ((v) % 2)

/* shared memory */
byte view = FOLLOW(1);
byte contact = D; /* age of the contact stamp; D: old, or never */

/* the daemon's store buffer, one entry: the fence */
bool buffered;
byte buffer;

/* NIC path */
bool alive = true; /* rule 8: the engine's socket and deadline */
byte run_age[CPUS] = D; /* since the run read its clock, and at least since the heartbeat left */
byte running;

/* the daemon; `durable` outlives a crash */
byte durable = 1;
byte promise = D;  /* age of the last start (rule 6) */
byte slow_age = D; /* of the heartbeat that the daemon answers itself */
bool crashed;

/* what the property speaks of */
byte leader = 1;    /* newest term whose leader this node has heard */
bool resigned;	    /* that leader has fenced itself and resigned */
byte acked = D;	    /* age of the newest heartbeat of that leader that this node has acked */
byte voted = 1;	    /* newest term in which a vote has left this node */

#ifdef LIFT_NOT_BOUND
bool lift_heard;
#define LIFTED	 lift_heard
#else
#define LIFTED	 (resigned && leader == durable) /* bound to (leader, term) (rule 3) */
#endif
#define STICKY	 (contact < D_HERE || promise < D_HERE)
#define YOUNG(a) (a < D)

inline ack_leaves(t, age)
{
	assert(!(t == leader && !resigned && voted > t && YOUNG(age)));
	if
	:: t == leader && age < acked -> acked = age
	:: else
	fi
}

inline vote_leaves(t)
{
	assert(!(leader < t && !resigned && YOUNG(acked)));
	voted = t
}

inline hear_leader(t)
{
	if
	:: t > leader -> leader = t; resigned = false; acked = D
	:: else
	fi
}

/* Rule 4. A run may end at any point: its answer may be lost, too. */
active [CPUS] proctype Nic()
{
	byte seen;

	do
	:: atomic { /* the heartbeat is here, the clock is read */
		alive ->
		run_age[_pid] = 0;
		running++
	   }
	   atomic { /* rule 4: read the view, match */
		seen = view;
		if
		:: FOLLOWS(seen)
		:: else -> goto done
		fi
	   }
#ifdef SKIPPED_CAS_ANSWERS
	   /* The second look, early: what comes next orders nothing if it does not store. */
	   if
	   :: view == seen;
	      atomic {
		if
		:: contact <= run_age[_pid] -> ack_leaves(TERM(seen), run_age[_pid]); goto done
		:: else
		fi
	      }
	   :: true
	   fi;
#endif
#ifdef NO_STAMP_BARRIER
	   /* The stamp waits in this CPU's store buffer: it leaves before the look, or after. */
	   if
	   :: true
	   :: atomic {
		if
		:: view == seen -> ack_leaves(TERM(seen), run_age[_pid])
		:: else
		fi
	      };
	      atomic {
		if
		:: run_age[_pid] < contact -> contact = run_age[_pid]
		:: else
		fi;
		goto done
	      }
	   fi;
#endif
	   atomic { /* rule 4: the atomic maximum. Younger than a tick: either may be the newer */
		if
#ifdef PLAIN_EXCHANGE
		:: contact = run_age[_pid]
#else
		:: run_age[_pid] < contact -> contact = run_age[_pid]
		:: run_age[_pid] == contact
		:: run_age[_pid] >= contact -> goto done /* not stored: not answered */
#endif
		fi
	   }
	   atomic { /* rule 4: only who stored looks again, and answers if nothing has changed */
		if
#ifdef NO_SECOND_LOOK
		:: true -> ack_leaves(TERM(seen), run_age[_pid])
#else
		:: view == seen -> ack_leaves(TERM(seen), run_age[_pid])
#endif
		:: true
		fi
	   }
done:
	   atomic {
		run_age[_pid] = D;
		seen = 0;
		running--
	   }
	od
}

/* Rule 3: NONE, keeping the old term, and a barrier. */
inline fence()
{
#ifndef NO_FENCE
	atomic {
		saved = view;
		buffer = NONE(TERM(view));
		buffered = true
	}
#ifndef NO_BARRIER
	!buffered;
#endif
#else
	saved = view;
#endif
}

/* Rule 3: wait until durable. Handing over to the disk's thread drains the store buffer. */
inline persist(t)
{
	atomic {
		!buffered ->
		durable = t
	}
}

/* Rule 4 holds for the daemon's answers, too: publish, stamp, look, answer. */
inline answer_slowly(t)
{
	view = FOLLOW(t);
#ifndef SLOW_PATH_WITHOUT_STAMP
	contact = 0;
#endif
	atomic {
		ack_leaves(t, slow_age);
		slow_age = D;
		t = 0
	}
}

active proctype Daemon()
{
	byte t, saved;
	bool lifted;

	do
	:: {
		do
		:: atomic { /* a RequestVote, or the own campaign: decide without a fence */
			durable < TERMS && (LIFTED || !STICKY) ->
			if
			:: t = durable + 1
			:: t = TERMS
			fi;
			lifted = LIFTED
		   }
		   fence();
		   if
		   :: atomic { /* rule 3: look again. Heard a leader: the same word is restored */
			!lifted && STICKY && !buffered ->
			view = saved;
			saved = 0;
			t = 0
		      }
		   :: atomic {
			lifted || !STICKY ->
			saved = 0
		      }
		      persist(t);
		      view = NONE(t);
		      atomic {
			vote_leaves(t);
			t = 0;
			lifted = false
		      }
		   fi
#ifdef OWN_VOTE_WITHOUT_LOOK
		:: atomic {
			durable < TERMS ->
			t = durable + 1
		   }
		   fence();
		   persist(t);
		   view = NONE(t);
		   atomic {
			vote_leaves(t);
			t = 0;
			saved = 0
		   }
#endif
		:: atomic { /* heartbeat of a newer leader: the fence and the write, but no look */
			durable < TERMS ->
			if
			:: t = durable + 1
			:: t = TERMS
			fi;
			slow_age = 0;
			hear_leader(t)
		   }
		   fence();
		   atomic {
			saved = 0
		   }
		   persist(t);
		   answer_slowly(t)
		:: atomic { /* heartbeat of the durable term, not followed yet */
			!FOLLOWS(view) && durable >= leader && !LIFTED ->
			t = durable;
			slow_age = 0;
			hear_leader(t)
		   }
		   answer_slowly(t)
		:: atomic { /* the leader's resignation: no longer followed */
			FOLLOWS(view) && LIFTED ->
			view = NONE(durable)
		   }
		od
	   } unless {
		atomic {
			crashed ->
			t = 0;
			saved = 0;
			lifted = false;
			slow_age = D
		}
	   };
	   /* Rule 6: a start fences first, and remembers its promise. */
	   atomic {
		if
		:: view = NONE(TERM(view)) /* the maps survived */
		:: running == 0 -> /* reboot, or new maps: the stamp is lost */
		   view = NONE(durable);
		   contact = D
		fi;
#ifndef NO_PROMISE
		promise = 0;
#endif
		crashed = false
	   }
	   atomic {
		view = NONE(durable);
		alive = true
	   }
	od
}

active proctype World()
{
	byte i;

	do
	:: atomic { /* a tick */
		contact = (contact < D -> contact + 1 : D);
		promise = (promise < D -> promise + 1 : D);
		slow_age = (slow_age < D -> slow_age + 1 : D);
		acked = (acked < D -> acked + 1 : D);
		for (i : 0 .. CPUS - 1) {
			run_age[i] = (run_age[i] < D -> run_age[i] + 1 : D)
		}
		i = 0
	   }
	:: atomic { /* the store buffer drains */
		buffered ->
		view = buffer;
		buffered = false;
		buffer = 0
	   }
	:: atomic { /* the leader resigns: its fence is visible before this leaves it (rule 5) */
		!resigned ->
		resigned = true
#ifdef LIFT_NOT_BOUND
		;
		lift_heard = true
#endif
	   }
	:: atomic { /* crash: the socket is gone, runs that are under way go on */
		alive ->
		if
		:: buffered -> view = buffer; buffered = false; buffer = 0
		:: else
		fi;
		alive = false;
		crashed = true
	   }
	od
}
