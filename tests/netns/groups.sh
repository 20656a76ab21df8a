#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Thousands of groups: each gets one leader, keeps it, and gets another when that one's engine or
# node dies, or steps down in all of them; people are told of some groups and the number of the rest.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly groups=3000

# summaries NODE...: a line "LEADS FOLLOWS LEADERLESS" a node.
summaries() {
	local n
	for n in "$@"; do
		xraft -n "$XR_CLUSTER.$n" status --brief --json | jq -r '.summary | "\(.leads) \(.follows) \(.leaderless)"'
	done
}

# These nodes lead all groups among them, each one once.
all_led() {
	summaries "$@" | awk -v groups=$groups -v nodes=$# '{ leads += $1; rest += $3 }
		END { exit !(NR == nodes && leads == groups && rest == 0) }'
}

# Group by group: one leader, one term.
same_everywhere() {
	local n
	for n in "$@"; do
		node "$n"
	done | jq -es '[.[].groups[] | [.id, .term, .leader]] | unique | length == '$groups >/dev/null
}

leads_most() {
	local n
	for n in "$@"; do
		echo "$(summaries "$n") $n"
	done | sort -rn | awk 'NR == 1 { print $4 }'
}

up 3 --groups $groups --no-wait
wait_for 15000 "all $groups groups have a leader" all_led 1 2 3
same_everywhere 1 2 3 || fail "the nodes do not agree"
terms() {
	node 1 | jq '[.groups[].term] | add'
}
before=$(terms)
nap 2
[[ $(terms) == "$before" ]] || fail "elections in a quiet cluster"

victim=$(leads_most 1 2 3)
cluster crash "$victim"
wait_for 10000 "all have a leader after the engine of node $victim was killed" all_led 1 2 3
same_everywhere 1 2 3 || fail "the nodes do not agree"

victim=$(leads_most 1 2 3)
read -r -a rest <<<"$(others 3 "$victim" | tr '\n' ' ')"
cluster kill "$victim"
wait_for 10000 "all have a leader after node $victim was killed" all_led "${rest[@]}"
same_everywhere "${rest[@]}" || fail "the nodes do not agree"

xraft -n "$XR_CLUSTER.${rest[0]}" step-down
wait_for 10000 "node ${rest[1]} leads all once node ${rest[0]} leads none" \
	eval "[[ \$(summaries ${rest[1]}) == '$groups 0 0' ]]"
cluster start "$victim" --no-wait
wait_for 10000 "node $victim follows in all" eval "[[ \$(summaries $victim) == '0 $groups 0' ]]"

grep -q "; and [0-9]* more like it" "$run/node.${rest[1]}.log" || fail "the log does not count groups"
lines=$(wc -l <"$run/node.${rest[1]}.log")
((lines < groups)) || fail "the log has $lines lines: a line a group is too many"
say "node ${rest[1]}'s log has $lines lines"
grep -h "are lost\|were lost\|could not be sent" "$run"/node.?.log && fail "reports or datagrams were lost"
down
