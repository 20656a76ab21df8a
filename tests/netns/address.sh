#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: address.sh native|generic|off [--ipv6]
# A virtual address is where the leader is, and never at two nodes: a client asks it all the time,
# while leaders go in every way. On each node something answers at the address, whatever becomes of
# the daemon: only the fence keeps it from being heard.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_built xraft-agent tests/virtual
for tool in arping ping; do
	command -v "$tool" >/dev/null || skip "there is no $tool; scripts/setup installs it"
done
xdp=$1
shift
address=10.77.0.100 length=24 family=-4
if [[ ${1-} == --ipv6 ]]; then
	address=fd77::100 length=64 family=-6
fi
nodes=(1 2 3)

in_client() {
	nsenter --net="/run/netns/xr-$XR_CLUSTER-9" "$@"
}

# Nobody's child but this test's, so that no fault of a node ends it.
start_servers() {
	local n
	for n in "${nodes[@]}"; do
		nsenter --net="/run/netns/xr-$XR_CLUSTER-$n" "$XR_BUILD/tests/virtual" serve "$address" "$n" &
		helpers+=($!)
	done
	nsenter --net="/run/netns/xr-$XR_CLUSTER-9" "$XR_BUILD/tests/virtual" ask "$address" >"$work/answers" &
	helpers+=($!)
}

served_by() {
	[[ $(tail -n 1 "$work/answers") == "$1" ]]
}

has_address() {
	[[ $(cluster exec "$1" ip -o address show dev eth0) == *" $address/"* ]]
}

has_not() {
	! has_address "$1"
}

leads_now() {
	local n
	for n in "$@"; do
		! leads "$n" || return 0
	done
	return 1
}

# Sets leader; those given can elect.
find_leader() {
	wait_for 15000 "one of $* leads" leads_now "$@"
	for leader in "$@"; do
		! leads "$leader" || break
	done
}

drops() {
	local name sum=0
	for name in drop_virtual_in drop_virtual_ask drop_virtual_out; do
		sum=$((sum + $(counter "$1" "$name")))
	done
	echo "$sum"
}

dropped_more_than() {
	[[ $(drops "$1") -gt $2 ]]
}

# Asked straight, by its own link address, a node that does not lead is silent: it drops all of
# that, and the client does not hear of it. Its address is asked every other millisecond.
stays_silent() {
	local before
	has_address "$1" || fail "the address is not on node $1: this proves nothing"
	before=$(drops "$1")
	in_client ip neighbour replace "$address" lladdr "02:00:00:77:00:0$1" dev eth0 nud permanent
	wait_for 5000 "node $1 dropped what was sent to it straight" dropped_more_than "$1" $((before + 50))
	in_client ip neighbour del "$address" dev eth0
}

# Alone at one node: that which answers, and on the interfaces of no other that is in order.
only_at() {
	local n
	wait_for 15000 "node $1 serves $address" served_by "$1"
	has_address "$1" || fail "node $1 serves an address that it does not have"
	for n in "${nodes[@]}"; do
		[[ $n == "$1" || " $broken " == *" $n "* ]] || wait_for 5000 "node $n does not have it" has_not "$n"
	done
	expected+=("$1")
}

# Does anybody say that he has it, where another wants it for himself?
is_duplicate() {
	local state
	if [[ $family == -4 ]]; then
		if in_client arping -q -D -I eth0 -c 2 -w 1 "$address"; then return 1; else return 0; fi
	fi
	in_client ip -6 address replace "$address/$length" dev eth0
	for ((i = 0; i < 300; i++)); do
		state=$(in_client ip -6 -o address show dev eth0 to "$address")
		[[ $state == *tentative* && $state != *dadfailed* ]] || break
		nap 0.01
	done
	in_client ip -6 address del "$address/$length" dev eth0
	[[ $state == *dadfailed* ]]
}

broken=
expected=()
up 3 --xdp "$xdp" --virtual "$address/$length" --client --stall 500 "$@"
start_servers

find_leader 1 2 3
first=$leader
only_at "$first"
is_duplicate || fail "nobody defends the address that node $first serves"
say "who wants the address for himself is told that it is taken"
for n in "${nodes[@]}"; do
	[[ $n == "$first" ]] || wait_for 5000 "node $n drops what is not for it to answer" dropped_more_than "$n" 0
done
[[ $(counter "$first" pass_virtual) -gt 0 ]] || fail "the leader's counter pass_virtual does not count"

say "--- handed over"
second=$((first % 3 + 1))
xraft -n "$XR_CLUSTER.$first" transfer g1 "$second" >/dev/null
only_at "$second"

say "--- the engine is killed: its warden resigns, and starts another"
cluster crash "$second"
find_leader 1 2 3
only_at "$leader"
third=$leader

say "--- all of a node is killed: the address stays on its interface, and nobody hears it"
signal "$third" KILL
broken=$third
mapfile -t rest < <(others 3 "$third")
find_leader "${rest[@]}"
only_at "$leader"
fourth=$leader
stays_silent "$third"
wait_for 15000 "node $fourth serves $address" served_by "$fourth"

say "--- started again it takes the address off"
cluster start "$third"
broken=
wait_for 15000 "node $third does not have it" has_not "$third"

say "--- all of the leader stands still for longer than the stall limit"
signal "$fourth" STOP
broken=$fourth
mapfile -t rest < <(others 3 "$fourth")
find_leader "${rest[@]}"
only_at "$leader"
fifth=$leader
stays_silent "$fourth"
wait_for 15000 "node $fifth serves $address" served_by "$fifth"
signal "$fourth" CONT
broken=
wait_for 15000 "node $fourth does not have it" has_not "$fourth"

say "--- the agent is killed: the warden starts another, and nobody notices"
agent_of() {
	pgrep -f "xraft-agent --config $run/node.$1.conf"
}
old_agent=$(agent_of "$fifth")
kill -KILL "$old_agent"
another_agent() {
	local now
	now=$(agent_of "$fifth") && [[ $now != "$old_agent" ]]
}
wait_for 15000 "there is another agent" another_agent
served_by "$fifth" || fail "node $fifth no longer serves the address"

say "--- an agent that is paused while its xraftd is replaced leaves the address to the next one's"
old_agent=$(agent_of "$fifth")
kill -STOP "$old_agent"
kill -KILL "$(daemon_pid "$fifth")"
broken=$fifth
mapfile -t rest < <(others 3 "$fifth")
find_leader "${rest[@]}"
only_at "$leader"
cluster start "$fifth"
broken=
wait_for 15000 "node $fifth does not have it" has_not "$fifth"
wait_for 15000 "all agree" agreed "${nodes[@]}"
xraft -n "$XR_CLUSTER.$leader" transfer g1 "$fifth" >/dev/null
only_at "$fifth"
kill -CONT "$old_agent"
old_agent_ends() {
	! kill -0 "$old_agent" 2>/dev/null
}
wait_for 5000 "the old agent ends" old_agent_ends
has_address "$fifth" || fail "it took away what the next one had put there"

say "--- stopped as told it takes the address away itself"
kill -TERM "$(daemon_pid "$fifth")"
broken=$fifth
mapfile -t rest < <(others 3 "$fifth")
find_leader "${rest[@]}"
only_at "$leader"
wait_for 5000 "node $fifth does not have it" has_not "$fifth"

say "--- all nodes are killed: nobody serves the address, though one has it"
last=$leader
for n in "${rest[@]}"; do
	signal "$n" KILL
done
nobody() {
	! is_duplicate
}
has_address "$last" || fail "the address is not on node $last: this proves nothing"
wait_for 15000 "nobody defends the address" nobody
in_client ping -q -c 1 -W 1 "$address" >/dev/null && fail "somebody answers a ping"

! grep overlap "$work/answers" || fail "two nodes served the address at a time"
# Each of them served once, in this order: nobody came back between.
[[ $(<"$work/answers") == "$(printf '%s\n' "${expected[@]}" | uniq)" ]] || {
	cat "$work/answers"
	fail "the address was not served by ${expected[*]} in turn"
}

# `xraft detach` leaves no filter, and no clsact either.
for n in "${nodes[@]}"; do
	[[ $(cluster exec "$n" tc filter show dev eth0 egress) == *xr_fence_out* ]] || fail "node $n has no fence"
	cluster exec "$n" xraft -n "$XR_CLUSTER.$n" detach >/dev/null
	[[ -z $(cluster exec "$n" tc qdisc show dev eth0 clsact) ]] || fail "detach left a clsact on node $n"
done
kill "${helpers[@]}"
helpers=()
down
