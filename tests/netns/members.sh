#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Members that change: a dead machine is replaced, a removed node stays quiet, a leader is removed.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 4 --voters 3
agreed 1 2 3 || fail "no leader"

done_well() {
	[[ $rc -eq 0 && $said == "committed as entry $term."* ]] || fail "it was not done"
}

# members VOTERS LEARNERS NODE...: they all say so, and that it is committed.
members() {
	local n
	for n in "${@:3}"; do
		[[ $(xraft -n "$XR_CLUSTER.$n" member list --json g1 |
			jq -r '"\([.members[] | select(.role == "voter").node] | join(" ")), \([.members[] | select(.role == "learner").node] | join(" ")), \(.committed)"') == "$1, $2, true" ]] || return 1
	done
}

# A node that is in no file yet comes by SIGHUP.
cp "$run/node.1.conf" "$work/before"
sed -i '/^4 = /d' "$run"/node.[123].conf
reload 1 2 3
takes() {
	[[ $(cat "$run"/node.[123].log | grep -c "0 new group(s), 1 changed node(s)") == "$1" ]]
}
wait_for 5000 "three know no node 4" takes 3
order "$leader" member add g1 4
order_refused "is not in [nodes] here: add it there on all nodes, and reload each (SIGHUP)"
for n in 1 2 3; do grep '^4 = ' "$work/before" | sed -i '/^3 = /r /dev/stdin' "$run/node.$n.conf"; done
reload 1 2 3
wait_for 5000 "three know it again" takes 6

order "$leader" set g1 "what it holds stays"
members "1 2 3" "" 1 2 3 || fail "the first voters are those of [groups]"
[[ $(field 4 '.g.member') == false ]] || fail "node 4 is no member yet"

# Who may, and what may be.
mapfile -t rest < <(others 3 "$leader")
order "${rest[0]}" member add g1 4
order_refused "node $leader leads: run xraft -n $XR_CLUSTER.$leader member there"
order "$leader" member add g1 "${rest[0]}"
order_refused "is a voter of g1 already"
order "$leader" member add g1 7
order_refused "is not in [nodes] here"
order "$leader" member promote g1 4
order_refused "is no learner of g1: add it first"

# One machine dies, and another takes its place, by two commands.
cluster kill "${rest[1]}"
order "$leader" member remove g1 "${rest[1]}"
done_well
order "$leader" member add g1 4
done_well
now="$(printf '%s\n' "$leader" "${rest[0]}" 4 | sort | paste -sd' ')"
wait_for 5000 "all know" members "$now" "" "$leader" "${rest[0]}" 4
[[ $(xraft -n "$XR_CLUSTER.4" get g1) == "what it holds stays" ]] || fail "node 4 lacks the value"
wait_for 5000 "all agree" agreed "$leader" "${rest[0]}" 4

# The one that was removed comes back, asks for votes, and is told; it stays quiet.
cluster start "${rest[1]}" --no-wait
wait_for 10000 "it knows that it is out" members "$now" "" "${rest[1]}"
[[ $(field "${rest[1]}" '.g.member') == false ]] || fail "it is a member"
wait_for 5000 "it says so" grep -q "this node is none of them, and stays quiet" "$run/node.${rest[1]}.log"
before=$(counter "$leader" pass_vote)
sleep 1 # of silence, in which a voter without a leader would have asked three times
[[ $(counter "$leader" pass_vote) == "$before" ]] || fail "it goes on asking for votes"
order "$leader" member add g1 "${rest[1]}"
order_refused "was not started to join"

# The three hold an election without it.
old=$leader
cluster kill "$leader"
wait_for 10000 "the other two agree" agreed "${rest[0]}" 4
cluster start "$old"
wait_for 10000 "all agree" agreed "$old" "${rest[0]}" 4

# Its disk is lost, and its id is used again: another birth, which is added anew.
again=${rest[1]}
cluster kill "$again"
cluster start "$again" --join
order "$leader" member add --learner g1 "$again"
done_well
wait_for 5000 "it learns" members "$now" "$again" "$leader" "$again"
order "$leader" member promote g1 "$again"
done_well
wait_for 5000 "four vote" members "1 2 3 4" "" 1 2 3 4

# A leader that is removed hands over.
old=$leader
order "$leader" member remove g1 "$leader"
done_well
mapfile -t rest < <(others 4 "$old")
wait_for 10000 "the others agree" agreed "${rest[@]}"
wait_for 5000 "and know" members "${rest[*]}" "" "${rest[@]}"
[[ $(field "$old" '.g.member') == false ]] || fail "it is a member"
grep -q "no longer leads in term .*: this node is a voter no longer" "$run/node.$old.log" || fail "it does not say why"
[[ $(xraft -n "$XR_CLUSTER.$leader" get g1) == "what it holds stays" ]] || fail "the value is lost"
down
