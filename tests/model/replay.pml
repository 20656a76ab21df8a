/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The replay mark of rule 10: low bits of the term beside the send time, advanced by
 * compare-exchange in xr_mark_advance().
 *
 * A follower with CPUS processors receives heartbeats of several terms, whose leaders' clocks
 * have nothing to do with each other. Heartbeats are doubled, late and replayed, and a run that
 * began in an older term may end in a newer one. The daemon moves the view to newer terms, in
 * between it is fenced. Two things are proved:
 *
 *   a heartbeat newer than all that were accepted of its term is never taken for a replay, however
 *   old leaders' clocks differ: nobody is locked out for days;
 *   a heartbeat is accepted once, but for one more time for each run of an older term that sets
 *   the mark back meanwhile. That cannot be had better with one word, and costs nothing but
 *   stickiness: voter.pml accepts any heartbeat any number of times.
 */
#ifndef TERMS
#define TERMS 2
#endif
#ifndef CPUS
#define CPUS 2
#endif
#ifndef TIMES
#define TIMES 3 /* a leader sends heartbeats at 1 ... TIMES by its own clock */
#endif

#ifdef MARK_WITHOUT_TERM
#define MARK(t, s) (s)
#define HEARD_BEFORE(mark, old) (mark <= old)
#else
#define MARK(t, s) ((t) * 8 + (s))
#define HEARD_BEFORE(mark, old) ((mark) / 8 == (old) / 8 && (mark) <= (old))
#endif

byte view = 1; /* the term that is followed; 0: fenced */
byte mark;
byte sent[TERMS + 1];	  /* the leaders' clocks: each starts anywhere */
byte newest[TERMS + 1];	  /* newest heartbeat of each term that was accepted */
byte accepted[(TERMS + 1) * (TIMES + 1)];
byte set_back;		  /* how often a run of an older term has replaced the mark of a newer */
byte terms_seen = 1;

#define ONE(t, s) accepted[(t) * (TIMES + 1) + (s)]

active [CPUS] proctype Nic()
{
	byte t, s, old;

	do
	:: atomic { /* a heartbeat of the followed term; a replay has no other worth trying */
		view != 0 ->
		t = view;
		s = 1;
		do
		:: s < sent[t] -> s++
		:: break
		od;
		if
		:: sent[t] == 0 -> goto done
		:: else
		fi
	   }
#ifdef MARK_UNVERIFIED
	   atomic { /* the mark is moved before the tag is known to be right: a forged time */
		if
		:: mark = MARK(t, 7); goto done
		:: true
		fi
	   }
#endif
again:
	   atomic {
#ifdef NO_MARK
		skip
#else
		old = mark;
		if
		:: HEARD_BEFORE(MARK(t, s), old) ->
		   /* Refused: then it, or a newer one of this term, has been accepted. */
		   assert(newest[t] >= s);
		   goto done
		:: else
		fi
#endif
	   }
	   atomic { /* compare-exchange; it may fail four times, and withholds then */
#if !defined(NO_MARK) && !defined(MARK_BY_STORE)
		if
		:: mark != old -> goto again
		:: mark != old -> goto done
		:: mark == old
		fi;
#endif
		if
		:: mark / 8 > t -> set_back++
		:: else
		fi;
		mark = MARK(t, s);
		ONE(t, s) = ONE(t, s) + 1;
		newest[t] = (s > newest[t] -> s : newest[t]);
		assert(ONE(t, s) <= 1 + set_back)
	   }
done:
	   atomic {
		t = 0;
		s = 0;
		old = 0
	   }
	od
}

active proctype Leaders()
{
	byte t;

	do
	:: atomic { /* clocks are unrelated: the first heartbeat has any time */
		t = 1;
		do
		:: t < terms_seen -> t++
		:: break
		od;
		if
		:: sent[t] < TIMES ->
		   sent[t] = sent[t] + 1;
		   if
		   :: sent[t] < TIMES -> sent[t] = sent[t] + 1
		   :: true
		   fi
		:: else
		fi;
		t = 0
	   }
	od
}

active proctype Daemon()
{
	do
	:: view != 0 -> view = 0 /* fenced; then it goes on as before, or follows a newer leader */
	:: view == 0 -> view = terms_seen
	:: view == 0 && terms_seen < TERMS ->
	   atomic {
		terms_seen++;
		view = terms_seen
	   }
	od
}
