#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# [groups] of the configuration is a group's first list of voters: where the entry names others, people are
# told so by every node, whether its daemon runs or not, and nothing is wrong with it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 4 --voters 3
agreed 1 2 3 || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets it
boss=$leader

# tells NODE VOTERS: status and doctor say that the entry has these, and not 1 2 3.
tells() {
	local doctor
	[[ $(field "$1" '.g.as_configured') == false ]] || return 1
	xraft -n "$XR_CLUSTER.$1" status | grep -q "  the voters are those of its entry, which counts: \[groups\] names the first" || return 1
	doctor=$(cluster exec "$1" xraft doctor --config "$run/node.$1.conf") || true
	grep "^ok    voters " <<<"$doctor" | grep -q "of g1 are $2, as its entry says, which counts; \[groups\] names the first, 1 2 3, and stays"
}

# says_nothing NODE: they are the same.
says_nothing() {
	[[ $(field "$1" '.g.as_configured') == true ]] &&
		! xraft -n "$XR_CLUSTER.$1" status | grep "which counts" &&
		! cluster exec "$1" xraft doctor --config "$run/node.$1.conf" | grep "^ok    voters "
}

says_nothing 1 || fail "it names others before there is an entry"
xraft -n "$XR_CLUSTER.$boss" set g1 "a value, and so an entry"
says_nothing "$boss" || fail "an entry with the first voters is no other list"
xraft -n "$XR_CLUSTER.$boss" member add g1 4
for n in 1 2 3 4; do wait_for 5000 "node $n tells" tells "$n" "1 2 3 4"; done
xraft -n "$XR_CLUSTER.$boss" status --check >"$work/out" || fail "a monitor takes it for wrong: $(<"$work/out")"
# Whoever "corrects" the list is told before a restart refuses it.
sed 's/^g1 = 1: 1 2 3/& 4/' "$run/node.1.conf" >"$work/conf"
! cluster exec 1 xraft doctor --config "$work/conf" >"$work/out" || fail "the doctor takes another first list"
grep -A 1 "^FAIL  voters .* of g1 " "$work/out" | grep "put its first ones back; members change by xraft member" || fail "$(<"$work/out")"
mapfile -t rest < <(others 3 "$boss")
cluster kill "${rest[0]}"
tells "${rest[0]}" "1 2 3 4" || fail "a dead node does not tell"
cluster start "${rest[0]}"
xraft -n "$XR_CLUSTER.$boss" member remove g1 4
for n in 1 2 3 4; do wait_for 5000 "node $n is silent again" says_nothing "$n"; done
down
