#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: pause.sh follower-short|follower-long|follower-killed|leader-short|leader-long|all
# A daemon that is stopped goes on being answered for by its NIC path, but only for the stall
# limit; one that is killed is not answered for at all.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Long against what a busy machine adds, and against the election timeout of 150-300 ms.
readonly stall=3000 short=1000

mapfile -t all < <(seq 1 3)
up 3 --stall "$stall"
agreed "${all[@]}" || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader old_term=$term
mapfile -t rest < <(others 3 "$old")

as_before() {
	agreed "$@" && [[ $leader == "$old" && $term == "$old_term" ]]
}

old_leads() {
	leads "$old" && in_term "$old" "$old_term"
}

# The leader's majority is then itself and one follower, so that it shows who is counted.
alone_with() {
	cluster kill "${rest[1]}"
	holds_for 700 "node $old leads with node ${rest[0]} alone" old_leads
}

case $1 in
follower-short)
	alone_with
	signal "${rest[0]}" STOP
	holds_for "$short" "node $old counts the stopped node ${rest[0]}" old_leads
	signal "${rest[0]}" CONT
	holds_for 1500 "node $old leads" as_before "$old" "${rest[0]}"
	;;
follower-long)
	alone_with
	began=$(now_ms)
	signal "${rest[0]}" STOP
	wait_for $((stall * 2)) "node $old no longer leads" no_longer_leads "$old"
	lasted=$(($(now_ms) - began))
	((lasted >= stall * 9 / 10)) || fail "node ${rest[0]} was counted for $lasted ms only; the stall limit is $stall"
	holds_for 500 "node $old does not lead" no_longer_leads "$old"
	signal "${rest[0]}" CONT
	wait_for 15000 "the two have a leader again" agreed "$old" "${rest[0]}"
	;;
follower-killed)
	alone_with
	cluster kill "${rest[0]}"
	wait_for 2500 "node $old no longer leads" no_longer_leads "$old"
	;;
leader-short)
	signal "$old" STOP
	rest_follow() {
		follows "${rest[0]}" "$old" && follows "${rest[1]}" "$old" && in_term "${rest[0]}" "$old_term"
	}
	holds_for "$short" "the others follow the stopped leader, whose NIC path answers" rest_follow
	signal "$old" CONT
	holds_for 1500 "node $old leads on in term $old_term" as_before "${all[@]}"
	! grep "firewall" "$run/node.$old.log" || fail "node $old takes its own pause for a firewall"
	;;
leader-long)
	began=$(now_ms)
	signal "$old" STOP
	wait_for $((stall * 2)) "the others have another leader" agreed "${rest[@]}"
	lasted=$(($(now_ms) - began))
	[[ $leader != "$old" && $term -gt $old_term ]] || fail "node $leader leads in term $term"
	new=$leader new_term=$term
	((lasted >= stall * 9 / 10)) || fail "the others waited for $lasted ms only; the stall limit is $stall"
	signal "$old" CONT
	wait_for 15000 "all agree" agreed "${all[@]}"
	[[ "$leader $term" == "$new $new_term" ]] || fail "the old leader came back and moved it to node $leader, term $term"
	grep -q "no longer leads in term $old_term: the event loop of this node stood still" "$run/node.$old.log" ||
		fail "node $old does not say why it stepped down"
	;;
all)
	for n in "${all[@]}"; do
		signal "$n" STOP
	done
	nap $((stall / 1000 + 1))
	for n in "${all[@]}"; do
		signal "$n" CONT
	done
	wait_for 15000 "one leader again" agreed "${all[@]}"
	;;
*) fail "no such pause: $1" ;;
esac
down
