#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: machine.sh interface|bpffs|link|twice|late|second|clock|orphan|limits|words
# What a machine or its administrator does to a node that runs.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
up 3
agreed "${all[@]}" || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader old_term=$term
mapfile -t rest < <(others 3 "$old")

as_before() {
	agreed "${all[@]}" && [[ $leader == "$old" && $term == "$old_term" ]]
}

replaced() {
	wait_for 5000 "node $old no longer leads" no_longer_leads "$old"
	wait_for 15000 "the others have another leader" agreed "${rest[@]}"
	[[ $term -gt $old_term ]] || fail "node $leader leads in term $term"
	grep -q "g1: no longer leads in term $old_term: no majority has answered" "$run/node.$old.log" ||
		fail "node $old does not say why it stepped down"
}

no_daemon_of() {
	flock -n "$run/node.$1/lock" true
}

# CPU time of a node's daemon, in clock ticks.
ticks() {
	local pid
	for pid in $(pgrep -s "$(daemon_pid "$1")"); do
		cut -d ' ' -f 14,15 "/proc/$pid/stat"
	done | awk '{ n += $1 + $2 } END { print n }'
}

case $1 in
interface)
	# Gone with its address, the XDP program and all; later another one is there in its place.
	in_switch ip link del "port$old"
	replaced
	before=$(ticks "$old")
	holds_for 2000 "node $old does not lead" no_longer_leads "$old"
	(($(ticks "$old") - before < 100)) || fail "node $old spins without its interface"
	new_interface "$old"
	# Without a program there the daemon answers by itself; a start puts one there.
	wait_for 15000 "with another interface node $old takes part" agreed "${all[@]}"
	cluster kill "$old"
	cluster start "$old"
	wait_for 15000 "after a start, too" agreed "${all[@]}"
	before=$(counter "$old" heartbeat_answered)
	answers() {
		[[ $leader == "$old" || $(counter "$old" heartbeat_answered) -gt $before ]]
	}
	wait_for 15000 "its NIC path answers again" answers
	;;
bpffs)
	# What runs holds its maps; a start makes new ones.
	rm -rf "$pins-$old"
	as_before_by_others() {
		follows "${rest[0]}" "$old" && follows "${rest[1]}" "$old" && in_term "${rest[0]}" "$old_term"
	}
	holds_for 1500 "the others follow node $old, whose pins were removed" as_before_by_others
	signal "$old" KILL
	wait_for 15000 "the others have another leader" agreed "${rest[@]}"
	cluster start "$old"
	wait_for 15000 "after a start node $old takes part, with new maps" agreed "${all[@]}"
	[[ $(find "$pins-$old" -type f | wc -l) -ge 6 ]] || fail "node $old has no pins"
	;;
link)
	in_switch ip link set "port$old" down
	replaced
	in_switch ip link set "port$old" up
	wait_for 15000 "its link up again, all agree" agreed "${all[@]}"
	;;
twice)
	# Every datagram arrives twice, the second on a way of its own.
	in_switch nft -f - <<-END || skip "nft cannot duplicate here"
		table netdev xraft_twice {
			$(for from in "${all[@]}"; do
				echo "chain in_$from { type filter hook ingress device \"port$from\" priority 2; policy accept;"
				for to in "${all[@]}"; do
					[[ $from == "$to" ]] || echo "ether daddr 02:00:00:77:00:0$to udp dport 7007 dup to \"port$to\""
				done
				echo "}"
			done)
		}
	END
	before=$(counter "${rest[0]}" drop_replay)
	holds_for 1500 "all comes twice, and node $old leads in term $old_term" as_before
	dropped=$(($(counter "${rest[0]}" drop_replay) - before))
	((dropped >= 10)) || fail "node ${rest[0]} dropped $dropped copies only"
	say "node ${rest[0]} dropped $dropped copies"
	for ((round = 0; round < 5; round++)); do
		cluster crash "$leader"
		wait_for 15000 "another leader, though all comes twice" agreed "${all[@]}"
	done
	;;
late)
	# At boot the address may come later than the daemon, which then waits for it, and says so once.
	cluster kill "$old"
	in_old=(nsenter "--net=/run/netns/xr-$XR_CLUSTER-$old")
	"${in_old[@]}" ip address flush dev eth0
	waits() {
		[[ $(grep -c "waits for .* 10.77.0.$old, .* is on no interface" "$1") -eq 1 ]]
	}
	"${in_old[@]}" xraftd --config "$run/node.$old.conf" 2>"$work/log" &
	pid=$!
	wait_for 5000 "node $old waits for its address" waits "$work/log"
	kill -TERM "$pid"
	wait "$pid" || fail "told to end, it ends with $?: $(cat "$work/log")"
	: >"$run/node.$old.log"
	cluster start "$old" &
	wait_for 5000 "started again it waits" waits "$run/node.$old.log"
	holds_for 1000 "and says so once" waits "$run/node.$old.log"
	"${in_old[@]}" ip address add "10.77.0.$old/24" dev eth0
	wait "$!" || fail "it does not start"
	wait_for 15000 "with its address it takes part" agreed "${all[@]}"
	;;
second)
	# A second daemon of the same node, wherever it runs and whatever its folder: refused, and nothing else happens.
	pid=$(daemon_pid "$old")
	second() {
		local rc=0
		sed "s|^state.*|state = $work/$1|" "$run/node.$old.conf" >"$work/conf"
		"${@:2}" xraftd --config "$work/conf" --new >"$work/said" 2>&1 || rc=$?
		cat "$work/said"
		[[ $rc == 75 ]] || fail "a second daemon of node $old ends with $rc"
		grep -q "node $old of cluster $XR_CLUSTER runs on this machine already: process $pid holds" "$work/said" ||
			fail "it does not say whose the node is"
		[[ ! -e $work/$1 ]] || fail "it has made a state"
		as_before || fail "it has changed the leader or the term"
	}
	second here nsenter --net="/run/netns/xr-$XR_CLUSTER-$old"
	# shellcheck disable=SC2016 # the other shell's
	second elsewhere unshare --net bash -c 'ip link add eth0 type veth peer name peer0 && ip link set eth0 up &&
		ip address add "$0" dev eth0 && exec "$@"' "10.77.0.$old/24"
	# The lock dies with its holders, and leaves nothing to clear away.
	cluster kill "$old"
	cluster start "$old"
	agreed "${all[@]}" || fail "node $old does not come back"
	signal "$old" TERM
	lock_is_gone() {
		[[ ! -e /sys/fs/bpf/xraft/lock/$XR_CLUSTER-$old ]]
	}
	wait_for 5000 "it takes its lock along when it ends" lock_is_gone
	;;
clock)
	# A daemon in a time namespace has another clock than its NIC path.
	victim=${rest[0]}
	tomorrow=(nsenter --net="/run/netns/xr-$XR_CLUSTER-$victim" unshare --time --boottime 86400 --monotonic 86400 --fork --kill-child)
	"${tomorrow[@]}" true || skip "no time namespaces here"
	cluster kill "$victim"
	for mode in native auto; do
		sed "s|^xdp.*|xdp = $mode|" "$run/node.$victim.conf" >"$work/conf"
		! "${tomorrow[@]}" xraftd --config "$work/conf" >"$work/said" 2>&1 || fail "it starts with xdp = $mode"
		cat "$work/said"
		grep -q "clock is -86[34].* set xdp = off" "$work/said" || fail "it does not say why"
	done
	# As told. It leaves stamps of tomorrow in its maps, which a start must not believe.
	sed "s|^xdp.*|xdp = off|" "$run/node.$victim.conf" >"$work/conf"
	"${tomorrow[@]}" xraftd --config "$work/conf" >"$work/said" 2>&1 &
	wait_for 15000 "with xdp = off node $victim takes part" agreed "${all[@]}"
	kill -KILL $!
	wait_for 5000 "it has ended" no_daemon_of "$victim"
	cluster start "$victim"
	wait_for 15000 "with the machine's clock, too" agreed "${all[@]}"
	cluster kill "$old"
	wait_for 5000 "it votes at once" agreed "${rest[@]}"
	;;
limits)
	# A limit that comes while it runs is no fault of the disk.
	engine=$(pgrep -P "$(daemon_pid "$old")")
	read -r uid gid < <(awk '/^[UG]id:/ { print $2 }' "/proc/$engine/status" | paste -s)
	setpriv --reuid "$uid" --regid "$gid" --clear-groups prlimit --pid "$engine" --fsize=4096:4096
	wait_for 5000 "node $old has ended" no_daemon_of "$old"
	grep "votes no more: cannot write .*/journal: File too large; raise LimitFSIZE=" "$run/node.$old.log" ||
		fail "node $old does not say why"
	;;
words)
	# A stderr that nobody reads takes no last words, and holds nobody up.
	in_old=(nsenter "--net=/run/netns/xr-$XR_CLUSTER-$old")
	cluster kill "$old"
	mkfifo "$work/pipe"
	exec 3<>"$work/pipe"
	dd if=/dev/zero of=/proc/self/fd/3 bs=4096 oflag=nonblock status=none 2>/dev/null || true
	unheard() {
		local rc=0
		timeout -k 1 10 "${@:2}" 2>&3 || rc=$?
		[[ $rc == 1 ]] || fail "$1 ends with $rc"
		say "$1: ends, though nobody reads"
	}
	unheard "a warden that cannot start" "${in_old[@]}" xraftd --config "$work/none"
	# shellcheck disable=SC2016 # perl's
	"${in_old[@]}" perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(Proto => "udp", LocalAddr => "'"10.77.0.$old:7007"'") or die; sleep' &
	helpers+=($!)
	bound() {
		"${in_old[@]}" ss -Huln "sport = 7007" | grep -q .
	}
	wait_for 5000 "another process has the port" bound
	unheard "an engine that cannot start" "${in_old[@]}" xraftd --config "$run/node.$old.conf"
	kill "${helpers[0]}"
	wait "${helpers[0]}" 2>/dev/null || true
	helpers=()
	exec 3>&-
	truncate -s 7M "$work/log"
	exec 3>>"$work/log"
	unheard "a warden whose log is as long as it may be" "${in_old[@]}" \
		prlimit --fsize=6291456:6291456 xraftd --config "$work/none"
	exec 3>&-

	# An engine that never says that it is ready ends with its warden. It may be ready before it is stopped.
	started() {
		engine=$(cat "/proc/$warden/task/$warden/children" 2>/dev/null) && [[ $engine ]]
	}
	for ((try = 0; try < 50; try++)); do
		"${in_old[@]}" xraftd --config "$run/node.$old.conf" 2>"$work/said" &
		warden=$!
		until started; do kill -0 "$warden" || fail "it does not start: $(cat "$work/said")"; done
		kill -STOP "$engine"
		! grep -q "started: node" "$work/said" || {
			kill -KILL "$engine" "$warden"
			wait "$warden" || true
			wait_for 5000 "it has ended" no_daemon_of "$old"
			continue
		}
		kill -TERM "$warden"
		wait_for 10000 "told to end, its warden ends" no_daemon_of "$old"
		wait "$warden" || fail "it ends with $?"
		grep "the engine has not started within 2 s: killing the engine" "$work/said" || fail "it says only: $(cat "$work/said")"
		break
	done
	((try < 50)) || fail "an engine is always ready before it can be stopped"
	;;
orphan)
	# A program whose pins are gone is still this node's: for a start, for another daemon, for detach.
	victim=${rest[0]}
	in_victim=(nsenter --net="/run/netns/xr-$XR_CLUSTER-$victim")
	said() {
		cat "$work/said"
		grep -q "$1" "$work/said" || fail "it does not say: $1"
	}
	attached() {
		"${in_victim[@]}" ip link show eth0 | grep -q prog/xdp
	}
	no_net_admin=(setpriv --bounding-set=-net_admin)

	# Another daemon, with a bpffs of its own, while the first one runs.
	sed "s|^state.*|state = $work/state|" "$run/node.$victim.conf" >"$work/conf"
	! "${in_victim[@]}" unshare --mount bash -c "mount -t bpf bpf /sys/fs/bpf && exec xraftd --config '$work/conf' --new" \
		>"$work/said" 2>&1 || fail "a second daemon with another bpffs starts"
	said "node $victim of cluster $XR_CLUSTER runs already: its XDP program"
	# A third one, that is another node.
	sed -e "s|^name = .*|name = other|" -e "s|^state.*|state = $work/other|" "$run/node.$victim.conf" >"$work/conf"
	! "${in_victim[@]}" xraftd --config "$work/conf" --new >"$work/said" 2>&1 || fail "another node starts on the same interface"
	said "the XDP program of node $victim of xraft's cluster $XR_CLUSTER (id [0-9]*) is attached.*xraft -n $XR_CLUSTER.$victim detach"
	! "${in_victim[@]}" xraft -n "$XR_CLUSTER.$victim" detach >"$work/said" 2>&1 || fail "a running node is detached"
	as_before || fail "another daemon has moved something"

	# A start fences the maps of the program that it finds.
	clean_up() {
		rm -f "$pins-kept"
	}
	bpftool map pin pinned "$pins-$victim/xr_groups" "$pins-kept"
	rm -rf "$pins-$victim"
	cluster kill "$victim"
	bpftool -j map lookup pinned "$pins-kept" key 1 0 0 0 | grep -q XR_FOLLOW || fail "the old maps do not follow"
	cluster start "$victim"
	wait_for 15000 "after a start without pins node $victim takes part" agreed "${all[@]}"
	bpftool -j map lookup pinned "$pins-kept" key 1 0 0 0 | grep -q XR_NONE || fail "the old maps are not fenced"
	rm "$pins-kept"

	# One that cannot be taken off lets everything pass.
	cluster kill "$victim"
	sed "s|^xdp.*|xdp = off|" "$run/node.$victim.conf" >"$work/conf"
	"${in_victim[@]}" "${no_net_admin[@]}" xraftd --config "$work/conf" >"$work/said" 2>&1 &
	wait_for 15000 "with xdp = off node $victim takes part" agreed "${all[@]}"
	attached || fail "the program is gone, and nobody had the right to take it off"
	ids=$("${in_victim[@]}" bpftool -j net show | jq '.[].xdp[].id')
	port=$(for id in $(bpftool -j prog show id "$ids" | jq '.map_ids[]'); do
		bpftool -j map show id "$id" | jq -e '.name == "xr_control"' >/dev/null || continue
		bpftool -j map lookup id "$id" key 0 0 0 0 | jq .formatted.value.port
	done)
	[[ $port == 0 ]] || fail "the program that stays looks at port $port"
	said "of an earlier start stays on eth0, and lets everything pass: .*(Operation not permitted); run as root"
	kill -KILL $!
	wait_for 5000 "it has ended" no_daemon_of "$victim"

	# detach says success only if nothing stays.
	! "${in_victim[@]}" "${no_net_admin[@]}" xraft -n "$XR_CLUSTER.$victim" detach >"$work/said" 2>&1 || fail "detach without rights succeeds"
	said "XDP program [0-9]* cannot be taken off: Operation not permitted; run as root"
	[[ -d $pins-$victim ]] || fail "the pins are gone, and the program is not"
	! xraft -n "$XR_CLUSTER.$victim" detach >"$work/said" 2>&1 || fail "detach succeeds in another network namespace"
	said "nsenter --net=/run/netns/xr-$XR_CLUSTER-$victim xraft -n $XR_CLUSTER.$victim detach"
	rm -rf "$pins-$victim"
	! xraft -n "$XR_CLUSTER.$victim" detach >"$work/said" 2>&1 || fail "without pins detach succeeds there, too"
	said "is in another network namespace"
	"${in_victim[@]}" xraft -n "$XR_CLUSTER.$victim" detach
	! attached || fail "the program is still there"

	# A foreign one is named, and nobody is told to take it off.
	"${in_victim[@]}" ip link set dev eth0 xdp obj "$XR_BUILD/bpf/pass.bpf.o" sec xdp
	sed "s|^xdp.*|xdp = native|" "$run/node.$victim.conf" >"$work/conf"
	! "${in_victim[@]}" xraftd --config "$work/conf" >"$work/said" 2>&1 || fail "it starts beside a foreign program"
	said "eth0: the XDP program xr_pass (id [0-9]*) is attached and does not share"
	! grep -q "xdp off" "$work/said" || fail "it tells to take a foreign program off"
	attached || fail "the foreign program is gone"
	! "${in_victim[@]}" xraft doctor --config "$work/conf" >"$work/said" 2>&1 || fail "doctor finds nothing wrong"
	said "eth0: the XDP program xr_pass (id [0-9]*) leaves no room for another"
	;;
*) fail "usage: machine.sh interface|bpffs|link|twice|late|second|clock|orphan|limits|words" ;;
esac
down
