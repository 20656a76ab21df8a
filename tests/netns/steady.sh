#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# In steady state heartbeats and their acks wake no daemon: ten times as many of them cost neither
# a follower nor the leader's receiving side a context switch more.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# In a second the warden wakes 4 times, its looker every other second; the engine's timer 4 times; a probe of
# the disk twice, each time 3 sleeps of the journal's thread and one of the engine; and each of two peers asks
# and is asked every 1.5 s (rule 20): 19. A third more, for what comes by chance.
readonly seconds=10 most=250

# measure HEARTBEAT_MS: sets due; answered, switched (of a follower); stamped, passed (at the leader).
measure() {
	local follower before_answered before_switched before_stamped before_passed began
	up 3 --heartbeat "$1" --xdp native
	agreed 1 2 3 || fail "no leader"
	# shellcheck disable=SC2154 # agreed() sets it
	follower=$((leader % 3 + 1))
	nap 1
	before_answered=$(counter "$follower" heartbeat_answered)
	before_switched=$(switches "$follower")
	before_stamped=$(counter "$leader" ack_stamped)
	before_passed=$(counter "$leader" pass_ack)
	began=$(now_ms)
	nap "$seconds"
	switched=$(($(switches "$follower") - before_switched))
	answered=$(($(counter "$follower" heartbeat_answered) - before_answered))
	stamped=$(($(counter "$leader" ack_stamped) - before_stamped))
	passed=$(($(counter "$leader" pass_ack) - before_passed))
	due=$((($(now_ms) - began) / $1))
	say "heartbeats of $1 ms, $due due: node $follower answered $answered at the NIC," \
		"its daemon was switched $switched times; the leader's NIC path stamped $stamped acks and passed up $passed"
	cluster down
}

# Ten seconds, so about 1000 and 10000; a busy machine makes it a little longer.
check() {
	((answered * 10 >= due * 9 && answered * 10 <= due * 11)) || fail "about $due answers were due"
	((stamped * 10 >= due * 18)) || fail "about $((due * 2)) acks were due at the leader"
	((passed == 0)) || fail "acks woke the leader's daemon"
}

measure 10
check
slow=$switched

measure 1
check
fast=$switched

((slow < most && fast < most)) || fail "the daemon was switched $slow and $fast times in $seconds s; fewer than $most are allowed"
low=$((slow < fast ? slow : fast)) high=$((slow < fast ? fast : slow))
((high * 10 <= low * 12)) || fail "$slow and $fast differ by more than 20 %: the daemon wakes for heartbeats"
wait_for 15000 "nothing is left behind" nothing_left
