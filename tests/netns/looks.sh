#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: looks.sh machine|cards|maps|fence|peers|large|auto
# Rule 20: what changes under a running node is said once when it begins and once when it ends, in the
# log, the status and the doctor, with a remedy; and what can be mended is mended.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
address=10.77.0.100
case $1 in
fence) up 3 --virtual "$address/24" ;;
large) up 3 --groups 60 ;;
*) up 3 ;;
esac
wait_for 15000 "a leader" agreed "${all[@]}"
# shellcheck disable=SC2154 # agreed() sets it
old=$leader
mapfile -t rest < <(others 3 "$old")
one=${rest[0]} two=${rest[1]}

# What a node says from here on.
declare -A heard=()
listen() {
	local n
	for n in "${all[@]}"; do
		heard[$n]=$(wc -l <"$run/node.$n.log")
	done
}

said() {
	tail -n "+$((heard[$1] + 1))" "$run/node.$1.log" | grep -qF -- "$2"
}

times_said() {
	tail -n "+$((heard[$1] + 1))" "$run/node.$1.log" | grep -cF -- "$2" || true
}

# look NODE NAME [ABOUT]: what its status holds of it.
look() {
	field "$1" ".looks // [] | map(select(.name == \"$2\" and .node == ${3-null})) | .[0]"
}

is_wrong() {
	[[ $(look "$@" | jq -r '.ok') == false ]]
}

is_well() {
	[[ $(look "$@" | jq -r '.ok') == true ]]
}

checked() {
	local rc=0
	xraft -n "$XR_CLUSTER.$1" status --check >"$work/checked" || rc=$?
	[[ $rc -eq $2 ]]
}

all_well() {
	local n
	for n in "${all[@]}"; do
		checked "$n" 0 || return 1
	done
}

# begins NODE "what it says" NAME [ABOUT]
begins() {
	wait_for 15000 "node $1 says: $2" said "$1" "$2"
	wait_for 15000 "its status, too" is_wrong "$1" "${@:3}"
	checked "$1" 5 || fail "status --check of node $1: $(<"$work/checked")"
}

ends() {
	wait_for 15000 "node $1 says: $2" said "$1" "$2"
	wait_for 15000 "its status, too" is_well "$1" "${@:3}"
}

once() {
	[[ $(times_said "$1" "$2") -eq 1 ]] || fail "node $1 says $(times_said "$1" "$2") times: $2"
}

doctor_says() {
	cluster exec "$1" xraft doctor --config "$run/node.$1.conf" >"$work/doctor" 2>&1 || true
	grep -qF -- "$2" "$work/doctor" || fail "the doctor of node $1 does not say: $2: $(<"$work/doctor")"
}

answers_more() {
	[[ $(counter "$1" heartbeat_answered) -gt $2 ]]
}

# The NIC path of a follower answers.
answers() {
	wait_for 15000 "the NIC path of node $1 answers" answers_more "$1" "$(counter "$1" heartbeat_answered)"
}

is_native() {
	[[ $(field "$1" .nic.mode) == native ]]
}

program_on() {
	cluster exec "$1" ip -json link show dev eth0 | jq -r '.[0].xdp.prog.id // .[0].xdp.attached[0].prog.id // 0'
}

firewall() {
	cluster exec "$1" nft -f - <<-END
		table inet looks { chain it { type filter hook $2 priority 0; udp dport 7007 drop; }; }
	END
}

no_firewall() {
	cluster exec "$1" nft delete table inet looks
}

has_fence() {
	[[ $(cluster exec "$1" tc filter show dev eth0 egress 2>/dev/null) == *xr_fence_out* ]]
}

has_address() {
	[[ $(cluster exec "$1" ip -o address show dev eth0) == *" $address/"* ]]
}

# zero NODE MAP KEY
zero() {
	local i size zeros=()
	size=$(bpftool --json map show pinned "$pins-$1/$2" | jq .bytes_value)
	for ((i = 0; i < size; i++)); do zeros+=(00); done
	bpftool map update pinned "$pins-$1/$2" key "$3" 0 0 0 value hex "${zeros[@]}"
}

# Each word of the remedy that the status shows, as a command, in the node's network.
follow_remedy() {
	local remedy
	remedy=$(look "$1" "$2" | jq -r .remedy)
	[[ $remedy =~ $3 ]] || fail "node $1: the remedy is no command: $remedy"
	say "node $1: ${BASH_REMATCH[0]}"
	# shellcheck disable=SC2086 # words
	cluster exec "$1" ${BASH_REMATCH[0]}
}

wait_for 15000 "all is well" all_well

case $1 in
machine)
	# The program taken off: it comes back by itself, and answers.
	listen
	cluster exec "$one" ip link set dev eth0 xdp off
	wait_for 15000 "node $one says it" said "$one" "the XDP program of this node is not on eth0: somebody took it off"
	ends "$one" "the XDP program of this node is on eth0 again" program
	answers "$one"
	once "$one" "the XDP program of this node is on eth0 again"

	# Another one in its place: that is left alone until somebody takes it off, by the remedy.
	listen
	cluster exec "$one" ip -force link set dev eth0 xdpdrv obj "$XR_BUILD/bpf/pass.bpf.o" sec xdp
	foreign=$(program_on "$one")
	begins "$one" "the XDP program of this node is not on eth0: the XDP program xr_pass" program
	[[ $(field "$one" .nic.mode) == off ]] || fail "status shows mode $(field "$one" .nic.mode)"
	doctor_says "$one" "the running node says: the XDP program of this node is not on eth0"
	[[ $(program_on "$one") == "$foreign" ]] || fail "xraftd has taken another's program off"
	once "$one" "the XDP program of this node is not on eth0"
	follow_remedy "$one" program 'ip link set dev eth0 [a-z]* off'
	ends "$one" "the XDP program of this node is on eth0 again" program
	answers "$one"

	# The own address goes, and comes back by the remedy.
	listen
	cluster exec "$one" ip address del "10.77.0.$one/24" dev eth0
	begins "$one" "10.77.0.$one, this node's address, is on no interface of this machine" address
	begins "$old" "node $one " peer "$one"
	follow_remedy "$one" address 'ip address add [0-9./]* dev eth0'
	ends "$one" "this node's address is on this machine again" address
	ends "$old" "node $one answers again" peer "$one"
	! said "$one" "a firewall" || fail "node $one takes a missing address for a firewall"
	wait_for 15000 "all agree" agreed "${all[@]}"

	# The interface goes, and comes back as another with its name.
	listen
	in_switch ip link del "port$one"
	begins "$one" "there is no interface eth0 here any more" interface
	begins "$one" "the XDP program of this node is not on eth0: that interface is gone" program
	new_interface "$one"
	ends "$one" "eth0 is as it should be again" interface
	ends "$one" "the XDP program of this node is on eth0 again" program
	wait_for 15000 "all agree" agreed "${all[@]}"
	[[ $leader == "$one" ]] || answers "$one"
	;;
cards)
	# Under another name the program stays; the next start would not find it.
	listen
	rename() {
		cluster exec "$one" ip -batch - <<-END
			link set $1 down
			link set $1 name $2
			link set $2 up
		END
	}
	rename eth0 lan0
	begins "$one" "eth0 is called lan0 now" interface
	rename lan0 eth0
	ends "$one" "eth0 is as it should be again" interface

	# Its cable: nobody else is blamed for it.
	listen
	in_switch ip link set "port$one" down
	begins "$one" "eth0 has no carrier" interface
	in_switch ip link set "port$one" up
	ends "$one" "eth0 is as it should be again" interface
	! said "$one" "has answered nothing" || fail "node $one says of others what its own cable does"

	# A route that is there to refuse is neither a firewall nor a missing address.
	listen
	wait_for 15000 "all agree" agreed "${all[@]}"
	cluster exec "$one" ip route add blackhole "10.77.0.$old/32"
	begins "$one" "nothing leaves for node $old: Invalid argument; see ip route get 10.77.0.$old" output "$old"
	cluster exec "$one" ip route del blackhole "10.77.0.$old/32"
	ends "$one" "datagrams leave for node $old again" output "$old"

	# A second card in the same network answers for the first, unless it is told not to.
	listen
	in_switch ip -batch - <<-END
		link add port7 type veth peer name eth1 address 02:00:00:77:00:07 netns xr-$XR_CLUSTER-$one
		link set port7 master bridge up
	END
	cluster exec "$one" ip -batch - <<-END
		addr add 10.77.0.107/24 dev eth1
		link set eth1 up
	END
	begins "$one" "eth1 has an address in the network of eth0" cards
	follow_remedy "$one" cards 'sysctl -w .*'
	ends "$one" "no other interface takes datagrams for eth0 any more" cards

	# Others that still send to that one: the program on the first sees nothing of it.
	for n in "$old" "$two"; do
		cluster exec "$n" ip neigh replace "10.77.0.$one" lladdr 02:00:00:77:00:07 dev eth0
	done
	begins "$one" "did not come by eth0, whose program answers" detour
	for n in "$old" "$two"; do
		cluster exec "$n" ip neigh del "10.77.0.$one" dev eth0
	done
	ends "$one" "the others' datagrams come in by eth0 again" detour
	;;
maps)
	# Pins and lock removed: they are made again, and readers find the maps that the NIC path uses.
	listen
	rm -rf "$pins-$one" "/sys/fs/bpf/xraft/lock/$XR_CLUSTER-$one"
	wait_for 15000 "node $one says it" said "$one" "pins were removed"
	wait_for 15000 "it pins again" follows "$one" "$old"
	ends "$one" "the pins are this node's again" pins
	answers "$one"
	! flock -n "/sys/fs/bpf/xraft/lock/$XR_CLUSTER-$one" true || fail "nobody holds the lock of node $one"

	# With the readers' group, where one is configured.
	if getent group games >/dev/null; then
		cluster kill "$two"
		sed -i '/^user = /a group = games' "$run/node.$two.conf"
		cluster start "$two"
		listen
		rm -rf "$pins-$two"
		ends "$two" "the pins are this node's again" pins
		[[ $(stat -c '%a %G' "$pins-$two" "$pins-$two/xr_groups" | xargs) == "750 games 640 games" ]] ||
			fail "readers are shut out: $(stat -c '%n %a %G' "$pins-$two" "$pins-$two/xr_groups")"
	fi

	# Records zeroed, at a follower and at the leader, who leads on.
	term_before=$(term_of "$old")
	for n in "$one" "$old"; do
		listen
		zero "$n" xr_groups 1
		wait_for 15000 "node $n says it" said "$n" "the record of g1 (group 1) in the maps was changed from outside"
		ends "$n" "the records in the maps are this node's own" records
		wait_for 15000 "all agree" agreed "${all[@]}"
	done
	[[ $leader == "$old" && $(term_of "$old") == "$term_before" ]] || fail "node $leader leads in term $(term_of "$leader")"
	[[ $(field "$old" .g.name) == g1 && $(field "$old" '.g.voters | length') == 3 ]] || fail "the record of node $old"
	listen
	zero "$one" xr_control 0
	wait_for 15000 "node $one says it" said "$one" "xr_control in the maps was changed from outside"
	ends "$one" "the records in the maps are this node's own" records
	wait_for 15000 "its NIC mode is shown again" is_native "$one"
	listen
	zero "$one" xr_peers "$old"
	wait_for 15000 "node $one says it" said "$one" "node $old in xr_peers was changed from outside"
	ends "$one" "xr_peers is as configured" addresses
	wait_for 15000 "all agree" agreed "${all[@]}"
	answers "$one"
	;;
fence)
	# clsact taken off, and the fence with it: it comes back by itself, at a follower and at the leader.
	for n in "$one" "$old"; do
		listen
		cluster exec "$n" tc qdisc del dev eth0 clsact
		wait_for 15000 "node $n says it" said "$n" "the fence of the virtual addresses is not on eth0: somebody took it off"
		ends "$n" "the fence of the virtual addresses is on eth0 again" fence
		has_fence "$n" || fail "there is no fence on node $n"
		once "$n" "the fence of the virtual addresses is on eth0 again"
	done
	[[ $(role_of "$old") == leader ]] || fail "node $old leads no longer"

	# Which addresses it fences nobody can change.
	! bpftool map delete pinned "$pins-$old/xr_addresses" \
		key hex 00 00 00 00 00 00 00 00 00 00 ff ff 0a 4d 00 64 2>/dev/null || fail "an address was removed from the fence"

	# The leader's interface is made again: the fence is on the new one, and with it the address.
	listen
	in_switch ip link del "port$old"
	wait_for 15000 "node $old says it" said "$old" "there is no interface eth0 here any more"
	wait_for 15000 "the others agree" agreed "$one" "$two"
	new_interface "$old"
	ends "$old" "eth0 is as it should be again" interface
	wait_for 15000 "its fence is on the new one" has_fence "$old"
	wait_for 15000 "all agree" agreed "${all[@]}"
	[[ $leader == "$old" ]] || xraft -n "$XR_CLUSTER.$leader" transfer g1 "$old" >/dev/null
	wait_for 15000 "node $old has the address" has_address "$old"
	;;
peers)
	# A firewall in INPUT of a follower, whose card answers on: it says so itself, and so do the others.
	listen
	firewall "$one" input
	begins "$one" "a firewall on this machine drops (INPUT) what its card passed up" input
	begins "$old" "node $one answers heartbeats by its card, and its daemon answers nothing" peer "$one"
	doctor_says "$one" "the running node says: a firewall on this machine drops (INPUT)"
	doctor_says "$old" "the running node says: node $one answers heartbeats by its card"
	[[ $(look "$one" input | jq -r .remedy) == *"allow UDP port 7007 from "*"10.77.0.$old"* ]] || fail "no remedy"
	no_firewall "$one"
	ends "$one" "what the card passes up arrives again" input
	ends "$old" "node $one answers again" peer "$one"
	once "$one" "a firewall on this machine drops (INPUT)"
	once "$old" "node $one answers heartbeats by its card"
	! said "$one" "node $old " || fail "who is deaf himself speaks of others"

	# In OUTPUT of the leader: the kernel says EPERM.
	listen
	firewall "$old" output
	begins "$old" "nothing leaves for node $one: a firewall on this machine drops it (OUTPUT" output "$one"
	begins "$old" "nothing leaves for node $two: a firewall on this machine drops it (OUTPUT" output "$two"
	begins "$one" "node $old " peer "$old"
	doctor_says "$old" "the running node says: nothing leaves for node $one"
	no_firewall "$old"
	ends "$old" "datagrams leave for node $one again" output "$one"
	once "$old" "nothing leaves for node $one"

	# Nobody there: redundancy is lost, and the leader says so.
	wait_for 15000 "all is well" all_well
	agreed "${all[@]}" || fail "no leader"
	mapfile -t rest < <(others 3 "$leader")
	listen
	cluster kill "${rest[0]}"
	begins "$leader" "node ${rest[0]} has answered nothing" peer "${rest[0]}"
	cluster start "${rest[0]}"
	ends "$leader" "node ${rest[0]} answers again" peer "${rest[0]}"
	once "$leader" "node ${rest[0]} has answered nothing"

	# Its state is gone: it votes no more, and ends (rule 7).
	listen
	victim=${rest[0]}
	rm -rf "${run:?}/node.$victim"
	wait_for 15000 "node $victim says it" said "$victim" "journal was removed while this node ran"
	wait_for 15000 "it has ended" checked "$victim" 4
	[[ $(field "$victim" .nic.mode) == null ]] || fail "status knows the NIC of the dead node $victim"
	begins "$leader" "node $victim has answered nothing" peer "$victim"
	;;
large)
	# A path that loses large frames only, as to a follower behind a tunnel: heartbeats of many groups.
	listen
	in_switch nft -f - <<-END
		table netdev looks { chain it { type filter hook ingress device "port$old" priority 0; meta length > 900 drop; }; }
	END
	begins "$old" "datagrams of 1440 bytes do not arrive at node $one, and smaller ones do" size "$one"
	begins "$old" "datagrams of 1440 bytes do not arrive at node $two, and smaller ones do" size "$two"
	doctor_says "$old" "the running node says: datagrams of 1440 bytes do not arrive"
	in_switch nft delete table netdev looks
	ends "$old" "large datagrams arrive at node $one again" size "$one"
	once "$old" "do not arrive at node $one,"
	;;
auto)
	# Another's program is there at the start, and goes: with xdp = auto ours takes its place.
	cluster kill "$one"
	cluster exec "$one" xraft -n "$XR_CLUSTER.$one" detach
	cluster exec "$one" ip link set dev eth0 xdp obj "$XR_BUILD/bpf/pass.bpf.o" sec xdp
	sed -i 's/^xdp = .*/xdp = auto/' "$run/node.$one.conf"
	cluster start "$one"
	wait_for 15000 "beside another's program it takes part" agreed "${all[@]}"
	[[ $(field "$one" .nic.mode) == off ]] || fail "with another's program there its mode is $(field "$one" .nic.mode)"
	listen
	cluster exec "$one" ip link set dev eth0 xdp off
	wait_for 15000 "without it node $one attaches its own" is_native "$one"
	said "$one" "eth0 takes an XDP program now: it is attached" || fail "it does not say so"
	[[ $leader == "$one" ]] || answers "$one"
	;;
*)
	fail "there is no case $1"
	;;
esac
