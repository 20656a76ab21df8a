/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Known bugs, planted on purpose in a build of their own (XR_PLANT_BUGS), one at a time: name, what
 * it does wrong, the rule broken (0: none, but somebody waits, or is told something wrong), seeds of
 * the simulator within which it has to be found (0: it need not), and unit tests that have to find
 * it. planted.patch puts the switches into a copy of what is shipped, which knows nothing of them.
 *
 * Not planted, since nobody could tell:
 * - a reader without the first fence: this is one CPU
 * - a reader that reads the acks after its second look: what was sent before its clock was read, and
 *   acked since, is promised all the same
 * - a lift that names another leader than the voter knows: a term has one
 * - an heir that is no voter, named by xr_heir(): it draws among voters
 * - a hint to groups of another leader: the core compares the leader itself
 * - a request that is packed before its vote is handed to the disk: neither waits for the other, and
 *   it leaves at the end of the turn
 * - a hint that is said again: it moves hint_ns within the same silence
 * - a request that names an entry on its way to the disk: the vote is written behind it, and counts once
 *   both are durable
 * - a ballot that is sent twice in a turn: a datagram holds it once
 * - what a datagram left, decided anew with each that follows: it is followed by then
 */
#ifndef XRAFT_SIM_BUGS_H
#define XRAFT_SIM_BUGS_H

/* clang-format off */
#define XR_BUGS(X) \
	X(vote_forgotten, "a restart forgets the vote: it votes twice in a term", 7, 100, "core_paper") \
	X(second_vote, "another candidate of the same term gets a second vote", 7, 20, "core_paper") \
	X(vote_cleared, "entering the own term again clears the vote in it", 7, 50, "core_election") \
	X(prevote_counts, "a late prevote grant counts as a vote", 3, 0, "core_election") \
	X(reply_before_durable, "the vote is answered while it is still being written", 3, 20, "engine") \
	X(own_vote_early, "the own vote counts before it is durable", 3, 20, "core_election") \
	X(no_fence, "the daemon decides without fencing the view", 3, 20, "engine") \
	X(no_barrier, "the fence becomes visible only after the second look", 3, 8000, "") \
	X(look_not_again, "the second look uses what the first one read", 3, 8000, "engine") \
	X(own_vote_unlooked, "a candidate gives itself its vote without the second look", 3, 200, "engine") \
	X(not_sticky, "votes although a leader was heard within D", 3, 20, "engine") \
	X(no_second_look, "the NIC path does not look again after its stamp", 4, 2000, "rules") \
	X(stamp_goes_back, "a late run moves the contact stamp back", 4, 3000, "rules") \
	X(ack_without_stamp, "the slow path answers a heartbeat without stamping", 4, 100, "engine") \
	X(lease_from_arrival, "the lease counts from the arrival of the ack", 5, 500, "engine") \
	X(no_lead_since, "acks of an earlier leadership count in this one", 5, 1000, "rules") \
	X(no_drift, "the lease lasts D, whatever the clocks do", 5, 5000, "rules") \
	X(smaller_d, "a voter with a smaller D than the leader's answers it", 5, 1000, "engine") \
	X(resign_before_fence, "the resignation leaves before the fence", 5, 20, "engine") \
	X(lead_again, "a leader that resigned counts a late vote and leads again", 5, 50, "core_election") \
	X(any_resignation, "a resignation of another term lifts the stickiness", 5, 50, "core_election") \
	X(maps_not_fenced, "a start leaves the views of the life before", 6, 0, "warden") \
	X(promise_forgotten, "a reboot forgets that a leader may hold a lease", 6, 4000, "engine") \
	X(promise_of_new_d, "a start promises its new D, not the largest it ever used", 6, 4000, "warden") \
	X(no_fsync, "the journal does not wait for the disk", 7, 50, "warden") \
	X(rename_not_synced, "a compaction's rename is not made durable", 7, 50, "") \
	X(flip_is_torn_tail, "one damaged copy at the end of the log is taken for a torn write", 7, 50, "") \
	X(zombie_answers, "the NIC path answers for a daemon that hangs", 8, 1000, "") \
	X(tag_not_checked, "datagrams with a wrong tag are accepted", 10, 100, "") \
	X(replay_accepted, "heartbeats seen before refresh the contact", 10, 100, "rules") \
	X(no_check_quorum, "a leader goes on without the acks of a majority", 12, 500, "engine") \
	X(beat_put_off, "each message puts off the leader's next heartbeat", 12, 1000, "engine") \
	X(lift_claimed, "a candidate speaks of a resignation that nobody sent", 3, 100, "core_election") \
	X(warden_resigns_first, "the warden tells the peers before it fences", 5, 20, "warden") \
	X(hint_is_proof, "a dead socket lifts the stickiness", 11, 200, "core_election") \
	X(reader_old_clock, "a reader takes the time of its last call for now", 16, 100, "xraft") \
	X(reader_view_once, "a reader does not read the view again", 16, 1000, "xraft") \
	X(reader_no_since, "a reader counts acks of an earlier leadership", 16, 4000, "xraft") \
	X(reader_no_deadline, "a reader does not ask whether its daemon is late", 16, 100, "xraft") \
	X(mark_without_term, "the replay mark of another term counts: a leader with a younger clock is refused", 10, 0, "rules") \
	X(any_source, "a heartbeat of another node than the leader is answered", 4, 0, "engine") \
	X(half_is_quorum, "half of the voters hold a lease", 5, 0, "rules") \
	X(ack_of_the_future, "an ack that echoes a time still to come spoils the stamp", 5, 0, "engine") \
	X(grace_doubled, "a new leader without a quorum stays twice as long", 12, 0, "rules") \
	X(poll_without_quorum, "the NIC path answers polls for a leader without a quorum", 12, 0, "engine") \
	X(any_port, "datagrams from any port of a peer are believed", 10, 0, "engine") \
	X(stamped_goes_up, "a datagram of which records were stamped goes up", 15, 0, "engine") \
	X(pending_is_heartbeat, "a record that the leader could not answer counts as its heartbeat", 15, 0, "engine") \
	X(pending_not_told, "what an answered datagram leaves is not reported to the daemon", 15, 0, "engine") \
	X(lift_any_term, "word of a resignation lifts the stickiness for any later term", 3, 0, "engine") \
	X(follows_resigned, "a late heartbeat takes its resignation back", 5, 0, "core_election") \
	X(resigns_while_leading, "a leader answers a poll with its resignation, unfenced", 5, 0, "core_election") \
	X(term_not_looked, "a newer term is adopted without the second look", 3, 0, "engine") \
	X(lease_not_sticky, "a leader whose lease holds gives its vote away", 12, 0, "engine") \
	X(resigned_for_ever, "the stickiness that a resignation lifted never comes back", 3, 0, "core_election") \
	X(vote_round, "votes that an earlier round or life asked for count", 3, 0, "engine") \
	X(prevote_round, "prevotes that an earlier round asked for count", 3, 0, "core_election") \
	X(leap_entered, "a term that leaps beyond reason is entered", 14, 0, "core_election") \
	X(leap_of_one, "a term that leaps is followed because one node claims it", 14, 0, "core_election") \
	X(leap_alone, "a node that was away for long does not follow the majority's terms", 14, 0, "core_election") \
	X(leap_for_ever, "nodes whose terms lie far apart refuse each other for ever", 14, 0, "core_election") \
	X(leap_of_few, "fewer than a majority follow a leap", 14, 0, "core_election") \
	X(leap_despite_leader, "a leap is followed although there is a leader", 14, 0, "core_election") \
	X(term_is_vote, "a term that is being written without a vote refuses candidates", 0, 0, "core_election") \
	X(waits_for_no_heir, "a resignation without an heir is waited out", 0, 0, "core_election") \
	X(silence_of_another, "a silence counts from the heartbeat of another leader", 0, 0, "engine") \
	X(grace_renewed, "a leader that is always late never stops", 12, 0, "core_election") \
	X(prevote_while_writing, "a prevote is granted while a vote in that term is being written", 0, 0, "core_election") \
	X(given_up_goes_on, "a campaign that the second look ended goes on in its phase", 0, 0, "engine") \
	X(early_of_any_term, "an older leader that is heard while the disk is busy is followed in the new term", 14, 0, "core_election") \
	X(times_out_on_disk, "a candidate's timeout counts from before its own vote is on disk", 0, 0, "core_election") \
	X(restore_none, "what the second look ends leaves the view fenced", 3, 0, "engine") \
	X(since_after_lead, "lead_since is read after the LEAD is published", 5, 0, "engine") \
	X(since_kept, "lead_since stays that of an earlier leadership", 5, 0, "engine") \
	X(fenced_goes_on, "a process that was fenced goes on publishing and sending", 2, 0, "engine") \
	X(fenced_sends, "a process that was fenced goes on sending", 2, 0, "engine") \
	X(fence_forgets_term, "the fence does not keep the term", 3, 0, "engine") \
	X(ack_when_dead, "the daemon acks after its deadline", 8, 0, "engine") \
	X(ack_by_last_d, "an ack is judged by the D of the newest datagram, not of its heartbeat", 5, 0, "engine") \
	X(skip_ignored, "voters that have answered are asked again", 0, 0, "engine") \
	X(answer_to_all, "what is meant for one voter goes to all", 0, 0, "engine") \
	X(lease_assumed, "a leader never loses its lease", 12, 0, "engine") \
	X(quorum_assumed, "a leader never loses its quorum", 12, 0, "engine") \
	X(heir_always_drawn, "a transfer goes to whoever acked last", 0, 0, "engine") \
	X(no_heir, "resignations name no heir", 0, 0, "engine") \
	X(quiet_without_quorum, "a quiet leader does not ask for its quorum", 12, 0, "engine") \
	X(quiet_by_due, "a quiet follower counts from its timer, not from the contact", 11, 0, "engine") \
	X(quiet_beats_for_ever, "a quiet leader beats however late it is", 12, 0, "engine") \
	X(quiet_leader_is_mute, "a quiet leader does not beat", 12, 0, "engine") \
	X(quiet_slips, "a quiet group's next timer counts from when this one was looked at", 12, 0, "engine") \
	X(late_not_told, "the core is not told that its timer was late", 11, 0, "engine") \
	X(quiet_beat_not_noted, "beats of a quiet leader are not noted: it beats twice", 12, 0, "engine") \
	X(stays_after_step_down, "asked to lead no longer, a node does so in its first group alone", 0, 0, "engine") \
	X(heir_is_away, "a leader hands over to a node that is not there", 0, 0, "engine") \
	X(heir_is_no_voter, "a leader hands over to a node that is no voter", 0, 0, "engine") \
	X(hands_over_to_itself, "a leader that is to hand over to itself resigns", 0, 0, "engine") \
	X(replay_kept, "a node without state keeps a replay mark of an earlier cluster", 10, 0, "engine") \
	X(starts_where_no_voter, "a node takes part in a group of which it is no voter", 10, 0, "engine") \
	X(start_trusts_zero, "a start takes the word that it finds for one that it has fenced", 2, 0, "engine") \
	X(two_leaders_answer_on, "after two leaders in a term this node answers on until it is gone", 14, 0, "engine") \
	X(two_leaders_go_on, "two leaders in a term are only said", 14, 0, "engine") \
	X(submit_error_ignored, "a vote that the disk could not take is no failure", 7, 0, "engine") \
	X(beat_without_digest, "heartbeats do not say what this node takes the group for", 10, 0, "engine") \
	X(durable_not_shown, "people are shown an old durable term", 0, 0, "engine") \
	X(record_digest, "the digest of a record that goes up is not compared", 10, 0, "engine") \
	X(ballot_digest, "the digest of a ballot is not compared", 10, 0, "engine") \
	X(ack_is_refusal, "an ack beside a refusal is taken for one", 15, 0, "engine") \
	X(refusal_of_old_term, "the slow path refuses a heartbeat without its newer term", 1, 0, "engine") \
	X(timing_not_noted, "the D of a peer is not noted for acks that come late", 5, 0, "engine") \
	X(left_dropped, "what an answered datagram left is dropped by the slow path", 15, 0, "engine") \
	X(left_is_not_taken, "what the NIC path left to the daemon is not fetched", 15, 0, "engine") \
	X(own_echo, "the daemon's own echo is taken for the NIC path's", 0, 0, "engine") \
	X(hint_not_noticed, "a dead socket is never noticed", 11, 0, "engine") \
	X(dead_slow_path, "the slow path decides about heartbeats after the deadline", 8, 0, "engine") \
	X(slow_path_is_silent, "the slow path does not answer what it has stamped", 1, 0, "engine") \
	X(echo_of_arrival, "a late ack echoes when its heartbeat came, not when it was sent", 5, 0, "engine") \
	X(first_record_only, "of a datagram that goes up only the first record is looked at", 15, 0, "engine") \
	X(disk_not_woken, "the disk is not woken for a vote", 0, 0, "engine") \
	X(failed_disk_goes_on, "a process whose write failed votes on", 7, 0, "engine") \
	X(failed_write_counts, "a write that failed counts as durable", 7, 0, "engine") \
	X(hung_disk_leads, "a leader with a hung disk leads on", 12, 0, "engine") \
	X(deadline_despite_disk, "the deadline moves although writes do not complete", 8, 0, "engine") \
	X(disk_not_probed, "a quiet node never probes its disk", 8, 0, "engine") \
	X(stall_not_noticed, "a leader that stood still for the stall limit leads on", 12, 0, "engine") \
	X(timer_acts_first, "a timer acts before the socket is drained", 11, 0, "engine") \
	X(never_late, "a timer is never late", 11, 0, "engine") \
	X(always_late, "a timer is always late: the first suspicion is never acted on", 11, 0, "engine") \
	X(not_armed_to_renew, "a quiet node does not wake to renew its deadline", 8, 0, "engine") \
	X(path_not_armed, "the next question about the path is not waited for", 0, 0, "engine") \
	X(armed_and_forgotten, "the timer is armed once and never again", 8, 0, "engine") \
	X(stop_without_word, "a node that stops does not resign what it leads", 0, 0, "engine") \
	X(stop_unsent, "a node that stops does not send its resignations", 0, 0, "engine") \
	X(stop_keeps_deadline, "a node that stopped answers until its deadline", 8, 0, "engine") \
	X(turn_ends_fenced, "a fenced process sends what it had packed", 2, 0, "engine") \
	X(deadline_first, "the deadline is renewed before a stall is seen", 12, 0, "engine") \
	X(flood_starves_timers, "a timer that is due waits until nothing arrives", 8, 0, "engine") \
	X(flood_has_last_word, "a timer asks the socket for as long as there is an answer", 11, 0, "engine") \
	X(untimely_turn_renews, "a turn that leaves its timer waiting renews the deadline", 8, 0, "engine") \
	X(flood_is_missing_cpu, "a loop that was busy says that it did not get the CPU", 0, 0, "engine") \
	X(says_again, "each repetition of a question is answered", 0, 0, "engine") \
	X(old_key_stays, "a key that was taken out is still accepted", 10, 0, "engine") \
	X(seals_with_slot_0, "a new key is accepted, but nothing is sealed with it", 10, 0, "engine") \
	X(state_of_another_group, "a group starts with the vote that its id has under another name", 10, 0, "engine") \
	X(left_out_has_no_state, "a group that comes back by reload forgets its vote", 7, 0, "engine") \
	X(reload_starts_anew, "a reload starts groups anew that run", 7, 0, "engine") \
	X(voters_of_old_maps, "voters that only the adopted maps know count", 10, 0, "engine") \
	X(echoes_share, "acks of two heartbeats share a datagram, and so its echo", 5, 0, "engine") \
	X(sent_later, "heartbeats say that they were sent a little later", 5, 0, "engine") \
	X(resign_not_flushed, "the last type of datagram does not leave at the end of a turn", 0, 0, "engine") \
	X(sealed_twice, "a sealed datagram leaves once more with the next turn", 9, 0, "engine") \
	X(d_not_said, "datagrams do not say their D", 5, 0, "engine") \
	X(lost_path_answers, "where XDP_TX is lost the NIC path answers on", 0, 0, "engine") \
	X(delivered_for_ever_lost, "a path that is delivered after all stays with the daemon", 0, 0, "engine") \
	X(path_counts_old_echoes, "echoes from before the first question count against the path", 0, 0, "engine") \
	X(path_asked_for_ever, "a path that is known is asked about on and on", 0, 0, "engine") \
	X(burial_keeps_deadline, "a burial leaves the deadline as it is", 8, 0, "warden") \
	X(fence_all_or_none, "the fence of a start leaves FOLLOW views", 6, 0, "warden") \
	X(reaped_not_fenced, "between two engines views are not fenced", 6, 0, "warden") \
	X(promise_not_written, "the largest D is not remembered", 6, 0, "warden") \
	X(opens_before_it_looks, "a start touches maps before it knows its state", 6, 0, "warden") \
	X(aborted_comes_back, "an engine that found two leaders is started again", 14, 0, "warden") \
	X(ended_comes_back, "an engine that ended by itself is started again", 7, 0, "warden") \
	X(warden_is_mute, "the warden tells nobody", 0, 0, "warden") \
	X(fork_is_trusted, "after a fork the clock is not looked at", 16, 0, "xraft") \
	X(reader_no_drift, "a reader leaves out what clocks may be wrong by", 16, 0, "xraft") \
	X(any_life, "what was said in another life is taken for said in this one", 17, 400, "rules") \
	X(no_life, "a peer that is not introduced may speak of no life", 17, 0, "rules") \
	X(one_life, "an engine has the life of the one before it", 17, 100, "") \
	X(lives_kept, "a start keeps whom the life before it has met", 17, 0, "introduce") \
	X(asked_is_believed, "a life is believed that nobody was asked for", 17, 100, "introduce") \
	X(told_unasked, "an answer is believed to a question that is not open", 17, 100, "introduce") \
	X(asked_anew, "a question that is asked again is another, and its answer comes too late", 17, 0, "introduce") \
	X(hints_for_ever, "each question of an unknown life is answered and asked back", 17, 0, "introduce") \
	X(taken_twice, "votes, their answers and resignations sent again count again", 17, 0, "engine") \
	X(marks_kept, "a peer's marks outlive its life", 17, 400, "") \
	X(mark_stays, "a mark that lies ahead of its leader stays there", 17, 0, "rules") \
	X(mark_by_anybody, "any heartbeat moves a mark back", 17, 0, "rules") \
	X(never_doubts, "nobody is asked again, whatever happens", 20, 0, "engine") \
	X(strangers_vote, "a node votes before a majority has told what it knows of it", 18, 0, "introduce") \
	X(told_in_vain, "a node that is told of a newer term goes on", 18, 200, "introduce") \
	X(twice_not_seen, "a life that comes back is not noticed", 18, 200, "introduce") \
	X(twice_goes_on, "a node that is told of its copy goes on", 18, 200, "introduce") \
	X(vote_not_known, "who got a vote forgets who gave it", 18, 0, "introduce") \
	X(ack_not_known, "a leader forgets who acked it", 18, 2000, "introduce") \
	X(lead_not_known, "a follower forgets whom it follows", 18, 0, "introduce") \
	X(own_vote_not_known, "a candidate forgets who has voted for it in its term", 18, 0, "introduce") \
	X(one_is_told, "of two machines that are one node only one is told", 18, 0, "introduce") \
	X(no_more_asked, "the first part of what a peer knows is taken for all", 18, 0, "introduce") \
	X(pins_not_asked, "a start does not look into the maps for what was promised", 18, 200, "engine") \
	X(ends_leading, "a node whose state is too old ends with its views as they are", 18, 0, "introduce") \
	X(ends_answering, "a node whose state is too old lets the NIC path answer on", 18, 0, "introduce") \
	X(new_promises_nothing, "a new node promises nothing", 6, 0, "warden") \
	X(future_adopted, "stamps of tomorrow are adopted from an earlier life", 19, 4000, "warden") \
	X(path_unasked, "a recorded word that answers arrive is believed", 20, 0, "engine") \
	X(path_never_again, "the path of the answers is tested once", 20, 0, "engine") \
	X(record_not_restored, "a group's record that others wrote over stays as it is", 20, 0, "engine") \
	X(restored_as_silent, "a record that is put back tells of no leader that was heard", 20, 0, "engine") \
	X(restored_with_old_acks, "acks from before a record was put back count", 20, 0, "engine") \
	X(fence_undone, "a fence beside other damage is undone", 20, 0, "engine") \
	X(silence_not_told, "nobody is told of a peer that answers nothing", 20, 0, "engine") \
	X(deaf_not_told, "nobody is told of a peer whose daemon answers nothing", 20, 0, "engine") \
	X(all_are_asked, "peers are asked although they were just heard", 20, 0, "engine") \
	X(entry_not_told, "a leader does not tell who has acked which entry", 18, 0, "introduce") \
	X(pinned_entry_not_asked, "a start does not look into the maps for an entry that it acked", 18, 0, "engine") \
	X(entry_index_stays, "a leader makes two entries of one id", 22, 100, "") \
	X(entry_not_compared, "votes for a candidate whose entry is older", 23, 100, "core_paper") \
	X(entry_early, "names an entry that is not durable yet", 24, 100, "") \
	X(entry_of_any_term, "names the entry of an older term as if it were of this one", 24, 100, "") \
	X(entry_read_late, "the NIC path reads the entry after its second look", 24, 200, "") \
	X(entry_forgotten, "a start forgets its entry", 24, 100, "") \
	X(entry_not_kept, "a compaction leaves entries out", 24, 100, "") \
	X(entry_of_half, "an entry counts as committed before a majority has it", 25, 100, "") \
	X(entry_called_committed, "another entry that is committed is taken for the own one", 25, 100, "") \
	X(entry_not_resent, "who lacks the entry does not get it again", 25, 100, "rules") \
	X(entry_two, "an entry is made while another is under way", 26, 100, "") \
	X(entry_not_anew, "a new leader does not make the entry of its predecessor its own", 26, 100, "") \
	X(entry_under_way_unseen, "votes against its entry that is on its way to the disk", 23, 3000, "core_members") \
	X(not_handed_on, "who lacks the committed entry is refused, and not told of it", 24, 300, "core_members") \
	X(members_not_taken, "the voters of an entry do not count", 25, 100, "core_members") \
	X(members_before_own, "members change before an entry of the own term is committed", 26, 0, "members") \
	X(birth_ignored, "the vote of a node that was wiped counts as that of the node before", 27, 500, "members") \
	X(reborn_answers, "a node that was wiped answers as the one before", 27, 300, "members") \
	X(birth_not_forgotten, "what a node acked before it was wiped is held against it", 18, 0, "members") \
	X(told_of_another, "a node that was wiped is told what the one before has promised", 18, 3000, "members") \
	X(stands_unnamed, "a node that no entry names asks for votes", 27, 100, "core_members") \
	X(sent_to_removed, "an entry goes to the node that it removes, before it is committed", 25, 200, "members") \
	X(removed_gives_up, "a leader that removed itself campaigns no more, though it alone has that entry", 25, 0, "core_members") \
	X(removed_leads, "a leader that was removed goes on", 27, 300, "core_members") \
	X(lacking_not_sent, "a learner that lacks the entry does not get it again", 24, 300, "members") \
	X(witness_stands, "a witness stands for election", 0, 50, "core_election") \
	X(witness_is_heir, "a leader names a witness its heir", 0, 200, "engine") \
	X(witness_is_asked, "a leadership is handed to a witness", 0, 0, "engine") \
	X(rank_without_priority, "after a crash survivors go by their ids alone", 0, 0, "core_election") \
	X(pause_ignored, "who is paused stands for election", 0, 50, "engine") \
	X(pause_forgotten, "a restart forgets a pause", 0, 100, "engine") \
	X(vote_forgets_pause, "a vote's record forgets a pause", 0, 0, "engine") \
	X(paused_leads_on, "a leader that is paused leads on", 0, 50, "engine") \
	X(candidate_not_paused, "a candidate that is paused goes on", 0, 500, "engine") \
	X(vote_after_pause, "the own vote, durable after a pause, is counted", 0, 0, "engine") \
	X(heir_need_not_stand, "an heir that is paused campaigns", 0, 500, "engine") \
	X(pause_of_old_vote, "a pause is written with the vote before the one under way", 7, 500, "engine") \
	X(any_write_is_the_vote, "a durable pause is taken for a durable vote", 3, 500, "engine") \
	X(pause_not_told, "nobody hears of a pause before he asks", 0, 0, "engine") \
	X(resumption_not_heard, "a node that was paused is so for its peers for ever", 0, 1000, "engine") \
	X(paused_is_heir, "a leader names one its heir that is paused", 0, 0, "engine") \
	X(paused_is_asked, "a leadership is handed to one that is paused", 0, 0, "engine") \
	X(failback_to_equals, "a leader makes way for an equal", 0, 500, "engine") \
	X(failback_to_paused, "a leader makes way for one that is paused", 0, 0, "engine") \
	X(failback_to_absent, "a leader makes way for one that is not there", 0, 1000, "engine") \
	X(failback_after_a_break, "a leader makes way for one that was away meanwhile", 0, 0, "engine") \
	X(left_by_newest, "a lease is left for as long as the newest ack says", 16, 0, "xraft")            \
	X(left_beyond_deadline, "a lease is left beyond the deadline", 16, 0, "xraft")
/* clang-format on */

enum xr_bug {
	XR_BUG_none,
#define X(name, ...) XR_BUG_##name,
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
