/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One datagram, many groups. Rule 15: a datagram of which records were stamped is answered, never
 * passed up; what could not be answered in it is marked so, and reported to the daemon.
 *
 * A leader's datagram carries GROUPS records; DATAGRAMS of them are sent, one after the other. It
 * may be an answered poll, in which the records of groups that the leader does not lead any more
 * are marked. At the follower the NIC path decides record by record, as xr_step_heartbeat() does,
 * then writes the answer, as xr_step_write_ack() does; meanwhile the daemon fences, restores,
 * enters newer terms and follows. The ring of events may be full. Three things are proved:
 *
 *   what was stamped, and found unchanged, is acked: no answer is lost with its datagram;
 *   the leader counts no ack that was not stamped first, and nothing is stamped for a leader that
 *   did not lead when it answered the poll;
 *   what only the daemon can decide reaches it, or is counted as lost; nothing is told twice.
 */
#ifndef GROUPS
#define GROUPS 2
#endif
#ifndef DATAGRAMS
#define DATAGRAMS 3
#endif

mtype = { follows, fenced, newer }; /* the follower's view of a group, as seen by this leader */
mtype = { answered, withheld, refused, pass, replay, ignored }; /* reasons */
mtype = { beat, pending, acked, nack };				/* flags of a record */

mtype view[GROUPS] = fenced;
byte mark[GROUPS];	  /* the replay mark: newest datagram accepted */
bool stamped[GROUPS];	  /* by this datagram, before its answer left */
bool counted[GROUPS];	  /* by the leader: ack of this datagram */
bool told[GROUPS];	  /* to the daemon */
bool lost[GROUPS];	  /* and counted so */
bool led[GROUPS];	  /* by the leader, when this datagram left */
mtype flag[GROUPS] = beat; /* the datagram itself: the answer is built in place */
mtype reason[GROUPS] = ignored;
byte number;		  /* of the datagram, by the leader's clock */
bool busy;		  /* it is on its way */

/* xr_rule_heartbeat(), between whose steps the daemon may fence */
inline decide(g)
{
	if
#ifndef PENDING_IS_HEARTBEAT
	:: flag[g] == pending -> reason[g] = ignored
	:: flag[g] != pending && view[g] == newer -> reason[g] = refused
	:: flag[g] != pending && view[g] == fenced -> reason[g] = pass
	:: flag[g] != pending && view[g] == follows ->
#else
	:: view[g] == newer -> reason[g] = refused
	:: view[g] == fenced -> reason[g] = pass
	:: view[g] == follows ->
#endif
	   if
	   :: mark[g] >= number -> reason[g] = replay
	   :: mark[g] < number ->
	      atomic {
		mark[g] = number;
		assert(led[g]);
		stamped[g] = true
	      }
	      if
	      :: view[g] == follows -> reason[g] = answered
	      :: view[g] != follows -> reason[g] = withheld
	      fi
	   fi
	fi
}

inline decide_all()
{
	g = 0;
	do
	:: g < GROUPS ->
	   decide(g);
	   g++
	:: g == GROUPS -> break
	od;
	n_stamped = 0;
	n_refused = 0;
	n_up = 0;
	for (g : 0 .. GROUPS - 1) {
		if
		:: reason[g] == answered || reason[g] == withheld -> n_stamped++
		:: reason[g] == refused -> n_refused++
		:: reason[g] == pass -> n_up++
		:: else
		fi
	}
}

/* xr_step_write_ack(), and what the leader does with it (xr_step_ack()) */
inline write_answer()
{
	for (g : 0 .. GROUPS - 1) {
		if
		:: reason[g] == pass ->
#ifndef NOT_REPORTED
		   if
		   :: assert(!told[g]); told[g] = true
		   :: lost[g] = true /* the ring is full */
		   fi;
#endif
#ifdef NOT_MARKED
		   flag[g] = acked
#else
		   flag[g] = pending
#endif
		:: reason[g] == answered -> flag[g] = acked
		:: reason[g] == refused -> flag[g] = nack
		:: else -> flag[g] = pending
		fi;
		if
		:: flag[g] == acked ->
		   assert(stamped[g]);
		   counted[g] = true
		:: else
		fi
	}
}

/* The daemon's turn with a datagram that was passed up: the same rules, then the core. */
inline slow_path()
{
	decide_all();
	if
	:: n_stamped == 0 && n_up > 0 ->
	   for (g : 0 .. GROUPS - 1) {
		if
		:: reason[g] == pass -> told[g] = true
		:: else
		fi
	   }
	:: else -> write_answer()
	fi
}

active proctype Network()
{
	byte g, n_stamped, n_refused, n_up;
	bool was_answered[GROUPS], was_up[GROUPS];

	do
	:: number < DATAGRAMS ->
	   atomic { /* a heartbeat; or a poll's answer, for what is led */
		number++;
		for (g : 0 .. GROUPS - 1) {
			if
			:: led[g] = true; flag[g] = beat
#ifdef POLL_NOT_MARKED
			:: led[g] = false; flag[g] = beat
#else
			:: led[g] = false; flag[g] = pending
#endif
			fi;
			reason[g] = ignored;
			stamped[g] = false;
			counted[g] = false;
			told[g] = false;
			lost[g] = false
		}
	   }
	   decide_all();
	   atomic {
		for (g : 0 .. GROUPS - 1) {
			was_answered[g] = (reason[g] == answered);
			was_up[g] = (reason[g] == pass)
		}
	   }
	   if
#ifdef PASS_PARTLY
	   :: n_up > 0 -> slow_path()
	   :: n_up == 0 -> atomic { write_answer() }
#else
	   :: n_stamped == 0 && n_up > 0 -> slow_path()
	   :: !(n_stamped == 0 && n_up > 0) -> atomic { write_answer() }
#endif
	   fi;
	   atomic { /* the datagram has been dealt with */
		for (g : 0 .. GROUPS - 1) {
			assert(!was_answered[g] || counted[g]);
			assert(!(was_up[g] && !counted[g]) || told[g] || lost[g] ||
			       reason[g] != pass)
		}
	   }
	od
}

/* The daemon, on another CPU: rule 3 for each group, by itself. */
active proctype Daemon()
{
	byte g;

	do
	:: atomic {
		g = 0;
		do
		:: g < GROUPS - 1 -> g++
		:: break
		od;
		if
		:: view[g] == follows -> view[g] = fenced
		:: view[g] == fenced -> view[g] = follows
		:: view[g] == fenced -> view[g] = newer
		:: view[g] == newer -> view[g] = fenced
		fi;
		g = 0
	   }
	od
}
