#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: warden.sh crash|stopped|hung|orphan|rights|loop
# xraftd is two processes: what becomes of a node when one of them ends, and what the other may do.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)

engine_pid() {
	field "$1" '.pid // 0'
}

warden_pid() {
	daemon_pid "$1"
}

# The engine of the leader was killed: is another node leader in the next term, by resignation?
replaced() {
	agreed "${all[@]}" && [[ $leader != "$old" && $term -gt $old_term ]]
}

says() {
	grep -q "$2" "$run/node.$1.log"
}

ended() {
	[[ ! -d /proc/$1 ]]
}

case $1 in
crash)
	up 3
	agreed "${all[@]}" || fail "no leader"
	for ((round = 1; round <= 5; round++)); do
		# shellcheck disable=SC2154 # agreed() sets them
		old=$leader old_term=$term
		kill -KILL "$(engine_pid "$old")"
		wait_for 15000 "killed the engine of node $old, another leads, node $old follows" replaced
		[[ $term -eq $((old_term + 1)) ]] || fail "the term went from $old_term to $term"
		says "$leader" "starts an election for term $term: node $old resigned term $old_term" ||
			fail "not the resignation made node $leader lead"
	done
	says "$old" "started: .*again after signal 9" || fail "node $old does not say why it started again"
	;;
stopped)
	# A stopped warden is seen, before it is missed.
	up 1
	warden=$(warden_pid 1)
	[[ $(field 1 .warden_stopped) == false ]] || fail "a warden that runs is called stopped"
	kill -STOP "$warden"
	wait_for 5000 "status says so" eval "[[ \$(field 1 .warden_stopped) == true ]]"
	xraft -n "$XR_CLUSTER.1" status | grep -q "its warden is STOPPED.*kill -CONT $warden" || fail "not in words"
	kill -CONT "$warden"
	wait_for 5000 "and that it runs again" eval "[[ \$(field 1 .warden_stopped) == false ]]"
	;;
hung)
	# Killed by its warden, not waited for: a loop that does not turn is no node.
	up 3 --stall 500
	agreed "${all[@]}" || fail "no leader"
	old=$leader old_term=$term pid=$(engine_pid "$leader")
	kill -STOP "$pid"
	wait_for 15000 "the hung engine is dead" ended "$pid"
	wait_for 15000 "another leads, and node $old follows" replaced
	says "$old" "has not turned for 1000 ms: killing" || fail "the warden does not say what it did"
	;;
orphan)
	# An engine without its warden steps down, and ends.
	up 3
	agreed "${all[@]}" || fail "no leader"
	old=$leader old_term=$term pid=$(engine_pid "$leader")
	kill -KILL "$(warden_pid "$old")"
	wait_for 15000 "the engine has ended" ended "$pid"
	says "$old" "no longer leads in term $old_term: its warden is gone" || fail "it did not step down"
	says "$old" "stopped: its warden was killed" || fail "it does not say why it ended"
	cluster start "$old"
	wait_for 15000 "all three agree" agreed "${all[@]}"
	;;
rights)
	# What the engine has given up; and that it holds nothing of which it has no need.
	up 1
	pid=$(engine_pid 1)
	awk '
		/^Uid:/ { for (i = 2; i <= 5; i++) if ($i == 0) bad = 1 }
		/^Cap(Prm|Eff|Inh|Amb):/ { if ($2 !~ /^0+$/) bad = 1 }
		/^NoNewPrivs:/ { if ($2 != 1) bad = 1 }
		/^Seccomp:/ { if ($2 != 2) bad = 1 }
		END { exit bad }' /proc/"$pid"/task/*/status || {
		cat "/proc/$pid/status"
		fail "the engine has rights left"
	}
	[[ $(stat -c %U "$run/node.1") != root ]] || fail "the state folder is still root's"
	# The warden holds no UDP socket on the node's port.
	inodes=$(nsenter --net="/run/netns/xr-$XR_CLUSTER-1" ss -Hulnpe 'sport = :7007')
	[[ $inodes == *"pid=$pid,"* ]] || fail "the engine has no socket on its port"
	[[ $inodes != *"pid=$(warden_pid 1),"* ]] || fail "the warden holds the engine's socket"
	say "no root, no capabilities, seccomp, and a socket of its own"
	;;
loop)
	# Killed as soon as it is there: the warden waits longer and longer, and ends when told to.
	up 1
	for ((kills = 0; kills < 6; kills++)); do
		pid=$(engine_pid 1)
		kill -KILL "$pid"
		another() {
			local now
			now=$(engine_pid 1)
			[[ $now -gt 0 && $now != "$pid" ]]
		}
		wait_for 15000 "killed $((kills + 1)) times, and started again" another
	done
	warden=$(warden_pid 1)
	kill -TERM "$warden"
	wait_for 5000 "the warden has ended as told" ended "$warden"
	wait_for 5000 "and so has its engine" ended "$(engine_pid 1)"
	;;
*)
	fail "usage: warden.sh crash|stopped|hung|orphan|rights|loop"
	;;
esac
down
