#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: partition.sh leader|leader-in|leader-out|follower|follower-in|follower-out|bridge-3|bridge-5
# Cuts in all directions: a majority has a leader, whoever cannot reach one leads no longer, and
# whoever comes back disturbs nobody.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

shape=$1
count=3
[[ $shape != *-5 ]] || count=5
mapfile -t all < <(seq 1 "$count")
up "$count"
agreed "${all[@]}" || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader old_term=$term
mapfile -t rest < <(others "$count" "$old")

as_before() {
	agreed "$@" && [[ $leader == "$old" && $term == "$old_term" ]]
}

# The node leads no longer, the others have a leader in a higher term, and all meet after healing.
replaced() {
	local new_term
	wait_for 15000 "the others have another leader" agreed "${rest[@]}"
	[[ $leader != "$old" && $term -gt $old_term ]] || fail "node $leader leads in term $term after term $old_term"
	new_term=$term
	wait_for 5000 "node $old no longer leads" no_longer_leads "$old"
	# One that still hears the others may learn of their new term first.
	[[ $shape == leader-out ]] || grep -q "no longer leads in term $old_term: no majority has answered" "$run/node.$old.log" ||
		fail "node $old does not say why it stepped down"
	holds_for 1500 "node $old does not lead while cut off" no_longer_leads "$old"
	if ! agreed "${rest[@]}" || [[ $term -ne $new_term ]]; then
		fail "the others did not keep their leader"
	fi
	cluster heal "$old"
	wait_for 15000 "all agree again" agreed "${all[@]}"
	[[ $term -eq $new_term ]] || fail "node $old came back and raised the term from $new_term to $term"
}

# Nothing changes for the others while a follower is cut off, nor when it comes back.
undisturbed() {
	local lost=$1 kept
	mapfile -t kept < <(others "$count" "$lost")
	holds_for 2500 "node $old leads the others in term $old_term" as_before "${kept[@]}"
	cluster heal "$lost"
	wait_for 15000 "all agree again" agreed "${all[@]}"
	as_before "${all[@]}" || fail "node $lost came back and changed the leader or the term"
	in_term "$lost" "$old_term" || fail "node $lost raised its term while it was cut off"
}

case $shape in
leader)
	cluster cut "$old"
	replaced
	;;
leader-in | leader-out)
	cluster cut "$old" "${shape#leader-}"
	replaced
	;;
follower)
	cluster cut "${rest[0]}"
	undisturbed "${rest[0]}"
	;;
follower-in | follower-out)
	cluster cut "${rest[0]}" "${shape#follower-}"
	undisturbed "${rest[0]}"
	;;
bridge-3)
	# One follower does not reach the leader, but reaches the other follower, which does.
	cluster cut "$old" "${rest[0]}"
	holds_for 3000 "node $old leads node ${rest[1]} in term $old_term" as_before "$old" "${rest[1]}"
	cluster heal "$old"
	wait_for 15000 "all agree again" agreed "${all[@]}"
	as_before "${all[@]}" || fail "the leader or the term changed"
	;;
bridge-5)
	# The leader reaches one node only, which reaches all: it must not keep that node loyal.
	for n in "${rest[@]:1}"; do
		cluster cut "$old" "$n"
	done
	wait_for 5000 "node $old no longer leads" no_longer_leads "$old"
	wait_for 15000 "the other four have a leader" agreed "${rest[@]}"
	[[ $term -gt $old_term ]] || fail "term $term is not above $old_term"
	new=$leader new_term=$term
	holds_for 2000 "node $old does not lead" no_longer_leads "$old"
	if ! agreed "${rest[@]}" || [[ "$leader $term" != "$new $new_term" ]]; then
		fail "the four did not keep their leader"
	fi
	cluster heal "$old"
	wait_for 15000 "all agree again" agreed "${all[@]}"
	;;
*) fail "no such partition: $shape" ;;
esac
down
