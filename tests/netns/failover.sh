#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: failover.sh ROUNDS [NODES [OPTIONS OF up]]
# Each round kills the leader: another one leads within a second, in a higher term; the one that
# was killed comes back as a follower and does not raise the term.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=$1 count=${2-3}
shown_dead() {
	[[ $(field "$1" .alive) == false ]]
}

mapfile -t all < <(seq 1 "$count")
up "$count" "${@:3}"
agreed "${all[@]}" || fail "no leader"
worst=0
for ((round = 1; round <= rounds; round++)); do
	# shellcheck disable=SC2154 # agreed() sets them
	old=$leader old_term=$term
	mapfile -t rest < <(others "$count" "$old")
	began=$(day_us)
	signal "$old" KILL
	wait_for 15000 "another leader" agreed "${rest[@]}" >/dev/null
	took=$(day_diff_ms "$began" "$(led_since "$leader" "$term")")
	((took <= worst)) || worst=$took
	((term > old_term)) || fail "round $round: node $leader leads in term $term, which is not above $old_term"
	((took <= 1000)) || fail "round $round: a new leader took $took ms"
	wait_for 15000 "the killed node $old is shown dead" shown_dead "$old" >/dev/null
	new_term=$term
	cluster start "$old"
	agreed "${all[@]}" || fail "round $round: start has returned, but the nodes do not agree"
	[[ $term -eq $new_term ]] || fail "round $round: the restart of node $old moved the term from $new_term to $term"
	say "round $round: node $leader replaced node $old after $took ms, term $old_term -> $term"
done
say "worst: $worst ms"
down
