#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGHUP: a key is rotated, a group added and nodes changed without anybody losing the leadership; what
# is wrong in the file is said, and changes nothing.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
up 3
agreed "${all[@]}" || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader old_term=$term

as_before() {
	agreed "${all[@]}" && [[ $leader == "$old" && $term == "$old_term" ]]
}

# said TIMES "what": each node's log has it so often
said() {
	local n
	for n in "${all[@]}"; do
		[[ $(grep -c "$2" "$run/node.$n.log") -ge $1 ]] || return 1
	done
}

xraft keygen --add "$run/key" >/dev/null
reload "${all[@]}"
wait_for 15000 "all have two keys" said 1 "configuration reloaded: 2 key(s), sending with key 1"
as_before || fail "a new key unmade the leader"
xraft keygen --use "$run/key" >/dev/null
reload "${all[@]}"
wait_for 15000 "all send with the second" said 1 "configuration reloaded: 2 key(s), sending with key 2"
holds_for 700 "node $old leads as before" as_before

for n in "${all[@]}"; do
	echo "more = 2: 1 2 3" >>"$run/node.$n.conf"
done
reload "${all[@]}"
wait_for 15000 "all have the new group" said 1 "1 new group(s)"
has_leader() {
	[[ $(field 1 '[.groups[] | select(.name == "more").leader][0] // 0') != 0 ]]
}
wait_for 15000 "the new group has a leader" has_leader
as_before || fail "a new group unmade the leader of the old one"

for n in "${all[@]}"; do
	echo "nonsense" >>"$run/node.$n.conf"
done
reload "${all[@]}"
wait_for 15000 "all refuse what is wrong" said 1 "not reloaded, all goes on as before: .*node.[1-3].conf:"
as_before || fail "a refused file unmade the leader"

# What a reload cannot take is named; what a start would refuse is refused.
sed -i '/nonsense/d; s/^heartbeat_ms.*/heartbeat_ms = 40/' "$run"/node.?.conf
reload "${all[@]}"
wait_for 15000 "all name it" said 1 "conf differs in what a reload does not take: heartbeat_ms: needs a restart"
sed -i 's/^interface.*/interface = nope/' "$run"/node.?.conf
reload "${all[@]}"
wait_for 15000 "all refuse what a start refuses" said 1 "not reloaded, all goes on as before: .*nope"
sed -i 's/^interface.*/interface = eth0/' "$run"/node.?.conf
as_before || fail "what was not taken unmade the leader"

# Nodes come, rank otherwise and go. Where a node itself would move, it takes none of them.
sed -i 's/^heartbeat_ms.*/heartbeat_ms = 50/; s/^3 = .*/& priority 50\n4 = 10.77.0.40/' "$run"/node.?.conf
reload "${all[@]}"
wait_for 15000 "all take two nodes" said 1 "0 new group(s), 2 changed node(s)"
nodes_are() {
	[[ $(field 1 '[.nodes[] | "\(.node) \(.address) \(.priority)"] | join(", ")') == "$1" ]]
}
nodes_are "1 10.77.0.1 100, 2 10.77.0.2 100, 3 10.77.0.3 50, 4 10.77.0.40 100" || fail "the maps have others: $(field 1 .nodes)"
as_before || fail "new nodes unmade the leader"
sed -i 's/^4 = .*/4 = 10.77.0.41/; s/^1 = .*/1 = 10.77.0.1:7008/' "$run/node.1.conf"
reload 1
wait_for 5000 "node 1 would move" grep -q "does not take: node 1, node 4: need a restart" "$run/node.1.log"
sed -i '/^4 = /d; s/^1 = .*/1 = 10.77.0.1/' "$run"/node.?.conf
reload "${all[@]}"
wait_for 15000 "all let one go" said 1 "0 new group(s), 1 changed node(s)"
nodes_are "1 10.77.0.1 100, 2 10.77.0.2 100, 3 10.77.0.3 50" || fail "the maps have others: $(field 1 .nodes)"
as_before || fail "a node that goes unmade the leader"
! grep "was changed from outside" "$run"/node.?.log || fail "its own work is taken for another's"

# What came by reload is there after a crash, too.
sed -i '/nonsense/d' "$run"/node.?.conf
cluster crash "$old"
wait_for 15000 "all agree, by the second key" agreed "${all[@]}"
has_both() {
	[[ $(field "$old" '[.groups[] | select(.leader != null)] | length') == 2 ]]
}
wait_for 15000 "node $old takes part in both groups" has_both
down
