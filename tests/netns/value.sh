#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The value that a group agrees on: who may set it, who has it, and that nothing loses it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
up 3 --groups 2
agreed "${all[@]}" || fail "no leader"

entry() {
	xraft -n "$XR_CLUSTER.$1" get --json g1 | jq -r '"\(.id) \(.committed) \(.value)"'
}

# have VALUE NODE...: they have it, and know that it is committed. Sets id.
have() {
	local n got
	for n in "${@:2}"; do
		got=$(entry "$n")
		[[ $got == *" true $1" ]] || return 1
		id=${got%% *}
	done
}

# Until somebody sets one there is none.
order 1 get g1
order_refused "nobody ever set a value"
[[ $(xraft -n "$XR_CLUSTER.1" get --json g1) == null ]] || fail "null is the JSON of nothing"

# shellcheck disable=SC2154 # agreed() sets them
mapfile -t rest < <(others 3 "$leader")
order "${rest[0]}" set g1 mine
order_refused "and node $leader leads: run xraft -n $XR_CLUSTER.$leader set there"
order "$leader" set --if 0 g1 "10.0.0.1:5432"
[[ $rc -eq 0 && $said == "committed as entry $term.1,"* ]] || fail "it was not set"
wait_for 5000 "all have it" have "10.0.0.1:5432" "${all[@]}"
order "$leader" set --if 0 g1 another
order_refused "the entry of g1 is $term.1 by now"
order "$leader" set --if "$term.1" g1 'two words, "quoted" & 100%'
[[ $rc -eq 0 ]] || fail "it was not set"
wait_for 5000 "all have it" have 'two words, "quoted" & 100%' "${all[@]}"
order "$leader" set g1 "$(printf '%0257d' 0)"
order_refused "there is room for 256"
order "$leader" set g1 $'no text: \xff'
order_refused "a value is text"
order "$leader" set g1 $'no text: \x1b[2J'
order_refused "a value is text"
order "$leader" set g1 ""
[[ $rc -eq 0 ]] || fail "nothing is a value, too"
wait_for 5000 "all have it" have "" "${all[@]}"
order "$leader" set g1 - < <(printf 'two\nlines\n')
[[ $rc -eq 0 && $(xraft -n "$XR_CLUSTER.$leader" get g1) == $'two\nlines' ]] || fail "it was not read from stdin"
order "$leader" set --json g1 'two words, "quoted" & 100%'
[[ $rc -eq 0 && $(jq -r '"\(.id) \(.committed)"' <<<"$said") == "$term."*" true" ]] || fail "--json tells otherwise"
wait_for 5000 "all have it" have 'two words, "quoted" & 100%' "${all[@]}"
order "$leader" set nobody x
order_refused "there is no group nobody"
order "$leader" get g2
order_refused "nobody ever set a value of g2"
xraft -n "$XR_CLUSTER.$leader" status | grep -q '  entry .*, committed: two words, "quoted" & 100%' || fail "status does not tell"
xraft -n "$XR_CLUSTER.$leader" watch --json --oldest g1 </dev/null >"$work/events" &
helpers+=($!)
tells() {
	jq -se --arg event "$1" --arg id "$id" 'any(.[]; .event == $event and .entry == $id and .value == "two words, \"quoted\" & 100%")' \
		"$work/events" >/dev/null
}
wait_for 5000 "an event tells" tells committed
wait_for 5000 "and the state at the beginning of a stream" tells state
xraft -n "$XR_CLUSTER.$leader" watch --oldest g1 </dev/null >"$work/watched" &
helpers+=($!)
wait_for 5000 "watch shows it" grep -q "  g1: entry $id is committed: two words, \"quoted\" & 100%\$" "$work/watched"
wait_for 5000 "and where it begins" grep -q "  g1: leads in term $term, entry $id is committed: two words, \"quoted\" & 100%\$" "$work/watched"

# A leader that dies takes nothing along: the next one makes the entry its own.
for fault in crash kill; do
	old=$leader old_term=$term old_id=$id
	cluster "$fault" "$old"
	wait_for 10000 "node ${rest[0]} follows or leads another term" eval "[[ \$(term_of ${rest[0]}) -gt $old_term && \$(leader_of ${rest[0]}) != 0 ]]"
	wait_for 10000 "the survivors have it" have 'two words, "quoted" & 100%' "${rest[@]}"
	[[ ${id%.*} -gt ${old_id%.*} && ${id#*.} -gt ${old_id#*.} ]] || fail "entry $old_id became $id"
	[[ $fault == crash ]] || cluster start "$old"
	wait_for 10000 "all agree" agreed "${all[@]}"
	wait_for 10000 "and have it" have 'two words, "quoted" & 100%' "${all[@]}"
	mapfile -t rest < <(others 3 "$leader")
done

# Without a majority nothing is committed, and whoever waits is told: paused nodes ack heartbeats, and no
# entry, until the stall limit is over.
cluster stop "${rest[0]}"
cluster stop "${rest[1]}"
order "$leader" set g1 lonely
[[ $rc -eq 6 && $said == *"may"* ]] || fail "a value was committed by one node of three, or nobody says what becomes of it"
cluster cont "${rest[0]}"
cluster cont "${rest[1]}"
wait_for 10000 "all agree" agreed "${all[@]}"

# One that was away gets what it missed.
mapfile -t rest < <(others 3 "$leader")
away=${rest[0]}
cluster kill "$away"
wait_for 10000 "the others agree" agreed "$leader" "${rest[1]}"
order "$leader" set g1 "while it was away"
[[ $rc -eq 0 ]] || fail "two of three cannot set it"
shown() {
	xraft -n "$XR_CLUSTER.$leader" status | grep -qx "  entry $1: while it was away"
}
wait_for 5000 "status tells who has not got it" shown "[0-9.]*, committed, not at node $away"
cluster start "$away"
wait_for 10000 "it has what it missed" have "while it was away" "${all[@]}"
wait_for 5000 "status tells that all have it" shown "[0-9.]*, committed"

# One whose maps have less room has it on disk, and cannot show it: it says so, and who compares.
cluster kill "$away"
sed -i 's/^realtime = .*/&\nvalue_bytes = 8/' "$run/node.$away.conf"
cluster start "$away"
wait_for 10000 "all agree" agreed "${all[@]}"
too_long() {
	order "$away" get g1
	[[ $rc -eq 1 && $said == *"has 17 bytes, for which there is no room"* ]]
}
wait_for 5000 "it says that there is no room" too_long
xraft -n "$XR_CLUSTER.$away" status | grep -q '  entry .*: its 17 bytes are more than value_bytes' || fail "status does not say why there is no value"
doctor() {
	! xraft -n "$XR_CLUSTER.$leader" doctor --cluster >"$work/doctor" && grep -q "node $away has another value_bytes" "$work/doctor"
}
wait_for 10000 "doctor tells of another value_bytes" doctor
cluster kill "$away"
sed -i '/^value_bytes/d' "$run/node.$away.conf"
cluster start "$away"
wait_for 10000 "with as much as the others it shows the value" have "while it was away" "${all[@]}"

# The whole cluster dies at once: what was committed is on its disks.
for n in "${all[@]}"; do
	cluster kill "$n"
done
[[ $(xraft -n "$XR_CLUSTER.1" get g1) == "while it was away" ]] || fail "the maps of a dead node can be read"
for n in "${all[@]}"; do
	cluster start "$n" --no-wait
done
wait_for 15000 "all agree" agreed "${all[@]}"
wait_for 10000 "and have it" have "while it was away" "${all[@]}"
down
