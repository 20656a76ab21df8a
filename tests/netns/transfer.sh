#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The leadership handed over on request: to whom, what is refused, and what if the heir is not able.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
up 3 --groups 2
agreed "${all[@]}" || fail "no leader"

for ((round = 0; round < 3; round++)); do
	agreed "${all[@]}" || wait_for 5000 "all agree" agreed "${all[@]}"
	# shellcheck disable=SC2154 # agreed() sets them
	old=$leader old_term=$term
	mapfile -t rest < <(others 3 "$old")
	order "$old" transfer g1 "${rest[round % 2]}"
	[[ $rc -eq 0 ]] || fail "the transfer failed"
	wait_for 5000 "all follow node ${rest[round % 2]}" agreed "${all[@]}"
	[[ $leader == "${rest[round % 2]}" && $term -eq $((old_term + 1)) ]] ||
		fail "node $leader leads in term $term"
	grep -q "g1: no longer leads in term $old_term: asked to hand over to node $leader" "$run/node.$old.log" ||
		fail "node $old does not say why it stepped down"
done

old=$leader old_term=$term
mapfile -t rest < <(others 3 "$old")
order "${rest[0]}" transfer g1 "${rest[1]}"
order_refused "node $old leads g1"
order "$old" transfer g1 9
order_refused "node 9 is no voter"
order "$old" transfer nobody 1
order_refused "there is no group nobody"
order "$old" transfer g1 "$old"
[[ $rc -eq 0 && $said == *already* ]] || fail "a transfer to itself is no success"
agreed "${all[@]}" || fail "a refusal unmade the leader"
[[ $leader == "$old" && $term == "$old_term" ]] || fail "a refusal changed the leader"

# An heir whose engine hangs is answered for by its NIC path, so it seems to be there.
kill -STOP "$(field "${rest[0]}" .pid)"
order "$old" transfer g1 "${rest[0]}"
kill -CONT "$(field "${rest[0]}" .pid)"
wait_for 5000 "all agree again" agreed "${all[@]}"
[[ $term -gt $old_term ]] || fail "still term $old_term"

# One that is dead is not.
mapfile -t rest < <(others 3 "$leader")
old=$leader
cluster kill "${rest[0]}"
nap 0.5
order "$old" transfer g1 "${rest[0]}"
order_refused "has not answered"
order "$old" step-down
[[ $rc -eq 0 ]] || fail "step-down failed"
wait_for 5000 "the two agree" agreed "$old" "${rest[1]}"
down
