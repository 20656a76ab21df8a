/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Known bugs, planted on purpose in a build of their own (XR_PLANT_BUGS), one at a time: name, what
 * it does wrong, the rule broken, seeds within which it has to be found. planted.patch puts the
 * switches of core, rules and journal into a copy of these; what is shipped knows nothing of them.
 *
 * Not planted, since no honest node's history can show them: a reader without the first fence (this
 * is one CPU), a lift that names another leader than the voter knows (a term has one), an heir that
 * is no voter (all are).
 */
#ifndef XRAFT_SIM_BUGS_H
#define XRAFT_SIM_BUGS_H

/* clang-format off */
#define XR_BUGS(X) \
	X(vote_forgotten, "a restart forgets the vote: it votes twice in a term", 7, 100) \
	X(second_vote, "another candidate of the same term gets a second vote", 7, 20) \
	X(vote_cleared, "entering the own term again clears the vote in it", 7, 50) \
	X(prevote_counts, "a late prevote grant counts as a vote", 3, 20) \
	X(reply_before_durable, "the vote is answered while it is still being written", 3, 20) \
	X(own_vote_early, "the own vote counts before it is durable", 3, 20) \
	X(no_fence, "the daemon decides without fencing the view", 3, 20) \
	X(no_barrier, "the fence becomes visible only after the second look", 3, 8000) \
	X(look_not_again, "the second look uses what the first one read", 3, 8000) \
	X(own_vote_unlooked, "a candidate gives itself its vote without the second look", 3, 200) \
	X(not_sticky, "votes although a leader was heard within D", 3, 20) \
	X(no_second_look, "the NIC path does not look again after its stamp", 4, 2000) \
	X(stamp_goes_back, "a late run moves the contact stamp back", 4, 3000) \
	X(ack_without_stamp, "the slow path answers a heartbeat without stamping", 4, 100) \
	X(lease_from_arrival, "the lease counts from the arrival of the ack", 5, 500) \
	X(no_lead_since, "acks of an earlier leadership count in this one", 5, 1000) \
	X(no_drift, "the lease lasts D, whatever the clocks do", 5, 5000) \
	X(smaller_d, "a voter with a smaller D than the leader's answers it", 5, 1000) \
	X(resign_before_fence, "the resignation leaves before the fence", 5, 20) \
	X(lead_again, "a leader that resigned counts a late vote and leads again", 5, 50) \
	X(any_resignation, "a resignation of another term lifts the stickiness", 5, 50) \
	X(maps_not_fenced, "a start leaves the views of the life before", 6, 20) \
	X(promise_forgotten, "a reboot forgets that a leader may hold a lease", 6, 1000) \
	X(promise_of_new_d, "a start promises its new D, not the largest it ever used", 6, 4000) \
	X(no_fsync, "the journal does not wait for the disk", 7, 50) \
	X(rename_not_synced, "a compaction's rename is not made durable", 7, 50) \
	X(flip_is_torn_tail, "one damaged copy at the end of the log is taken for a torn write", 7, 50) \
	X(zombie_answers, "the NIC path answers for a daemon that hangs", 8, 1000) \
	X(tag_not_checked, "datagrams with a wrong tag are accepted", 10, 100) \
	X(replay_accepted, "heartbeats seen before refresh the contact", 10, 100) \
	X(no_check_quorum, "a leader goes on without the acks of a majority", 12, 500) \
	X(beat_put_off, "each message puts off the leader's next heartbeat", 12, 1000) \
	X(lift_claimed, "a candidate speaks of a resignation that nobody sent", 3, 100) \
	X(warden_resigns_first, "the warden tells the peers before it fences", 5, 20) \
	X(hint_is_proof, "a dead socket lifts the stickiness", 11, 200) \
	X(reader_old_clock, "a reader takes the time of its last call for now", 16, 100) \
	X(reader_view_once, "a reader does not read the view again", 16, 1000) \
	X(reader_no_since, "a reader counts acks of an earlier leadership", 16, 1000) \
	X(reader_no_deadline, "a reader does not ask whether its daemon is late", 16, 100)
/* clang-format on */

enum xr_bug {
	XR_BUG_none,
#define X(name, text, rule, seeds) XR_BUG_##name,
	XR_BUGS(X)
#undef X
};

extern enum xr_bug xr_planted;

#ifdef XR_PLANT_BUGS
#define XR_BUG(name) (xr_planted == XR_BUG_##name)
#else
#define XR_BUG(name) 0
#endif

#endif
