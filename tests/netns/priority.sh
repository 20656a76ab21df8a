#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: priority.sh witness|pause
# Two nodes and a witness, as xraft.conf(5) tells it: each of the three is lost in turn, the witness never
# leads, and the node of the highest priority gets the leadership back. And nodes that are paused.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

restart() {
	cluster kill "$1"
	cluster start "$1"
}

# Node $1 leads, as all that are named say.
leader_is() {
	agreed "${@:2}" && [[ $leader == "$1" ]]
}

up 3
for n in 1 2 3; do
	cluster kill "$n"
	sed -i -e 's/^1 = .*/& priority 200/' -e 's/^3 = .*/& priority 0/' -e 's/^stall_limit_ms.*/&\nfailback = 1/' \
		"$run/node.$n.conf"
	: >"$run/node.$n.log"
done
for n in 1 2 3; do cluster start "$n"; done
wait_for 15000 "node 1, the highest, leads" leader_is 1 1 2 3

witness() {
	order 1 transfer g1 3
	[[ $rc -eq 1 && $said == *"node 3 is a witness"* ]] || fail "a witness was handed the leadership"
	cluster kill 3
	holds_for 1500 "without the witness the two go on" leader_is 1 1 2
	cluster start 3
	wait_for 15000 "all three agree" leader_is 1 1 2 3

	cluster kill 2
	holds_for 1500 "without the other node it goes on" leader_is 1 1 3
	cluster start 2
	wait_for 15000 "all three agree" leader_is 1 1 2 3

	cluster kill 1
	wait_for 15000 "node 2 leads by the witness' vote" leader_is 2 2 3
	cluster start 1
	wait_for 20000 "the leadership comes back to node 1" leader_is 1 1 2 3
	grep -q "g1: no longer leads in term [0-9]*: hands over to node 1, of higher priority and well for" "$run/node.2.log" ||
		fail "node 2 does not say why it made way"

	cluster kill 1
	cluster kill 2
	holds_for 2000 "the witness alone leads nothing" no_longer_leads 3
	cluster start 1
	wait_for 15000 "with the witness node 1 leads" leader_is 1 1 3
	cluster start 2
	wait_for 15000 "all three agree" leader_is 1 1 2 3
	! grep -E "g1: (asks whether|starts an election|leads)" "$run/node.3.log" || fail "the witness stood for election"
	grep -q "g1: votes for node" "$run/node.3.log" || fail "the witness has never voted"
	[[ $(node 2 | jq -c '[.nodes[].priority]') == '[200,100,0]' ]] || fail "the status does not tell the priorities"
}

paused() {
	[[ $(field "$1" '.g.paused') == "$2" ]]
}

knows_paused() {
	[[ $(field "$1" '.g.paused_voters | join(",")') == "$2" ]]
}

nobody_may() {
	[[ $(xraft -n "$XR_CLUSTER.$1" status) == *"WRONG   all voters of g1 that are no witnesses are paused"* ]]
}

pause() {
	order 1 pause g1
	[[ $rc -eq 0 && $said == *"it led g1, which node 2 does now"* ]] || fail "the leader was not paused"
	grep -q "g1: paused here.*asked by root; it hands over to node 2" "$run/node.1.log" || fail "node 1 does not say who paused it"
	paused 1 true || fail "its status does not tell of the pause"
	wait_for 5000 "the others know of it" knows_paused 2 1
	order 2 transfer g1 1
	[[ $rc -eq 1 && $said == *"node 1 is paused"* ]] || fail "a paused node was handed the leadership"
	holds_for 3000 "failback leaves it alone" leader_is 2 1 2 3
	order 1 doctor --config "$run/node.1.conf"
	[[ $said == *"warn  paused "*"is paused in 1 group"* ]] || fail "doctor does not mention it"
	order 2 doctor --cluster
	[[ $said == *"node 1 is paused in 1 group(s)"* ]] || fail "doctor --cluster does not mention it"

	restart 1
	wait_for 15000 "all three agree" leader_is 2 1 2 3
	paused 1 true || fail "a restart has forgotten the pause"
	grep -q "g1: paused here.*as it was when it ended, since 20" "$run/node.1.log" || fail "node 1 does not say that it is paused still"
	cluster kill 2
	holds_for 2000 "nor does it lead where nobody else can" no_longer_leads 1
	cluster start 2
	wait_for 15000 "node 2 leads again" leader_is 2 1 2 3

	order 2 pause --all
	[[ $rc -eq 0 ]] || fail "the last one was not paused"
	wait_for 15000 "it is told that nobody may lead" nobody_may 1
	order 2 resume g1
	[[ $rc -eq 0 && $said == *"stands for elections in g1"* ]] || fail "it was not resumed"
	wait_for 15000 "node 2 leads again" leader_is 2 1 2 3
	order 1 resume --all
	[[ $rc -eq 0 ]] || fail "node 1 was not resumed"
	wait_for 20000 "the leadership comes back to node 1" leader_is 1 1 2 3
	order 3 pause nobody
	[[ $rc -eq 1 && $said == *"there is no group nobody"* ]] || fail "an unknown group was paused"
	order 3 pause
	[[ $rc -eq 2 && $said == *"give a group, or --all"* ]] || fail "a pause of nothing is none"
}

"$1"
down
