#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: joins.sh refused|older|damaged
# A state that lacks promises of its node comes back by the remedy that the node itself names, step by step;
# and a first start that is refused leaves no state, so that it can be asked for again.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 3
agreed 1 2 3 || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets it
boss=$leader
mapfile -t rest < <(others 3 "$boss")
lost=${rest[0]} conf=$run/node.${rest[0]}.conf state=$run/node.${rest[0]} log=$run/node.${rest[0]}.log
in_lost=(nsenter "--net=/run/netns/xr-$XR_CLUSTER-$lost")
xraft -n "$XR_CLUSTER.$boss" set g1 "what it holds stays"

# refused SENTENCE OPTIONS...: the start ends with it, and leaves no state.
refused() {
	! timeout 20 "${in_lost[@]}" xraftd "${@:2}" 2>"$work/said" >&2 || fail "it starts with ${*:2}"
	grep "$1" "$work/said" || fail "it says: $(<"$work/said")"
	[[ ! -e $state ]] || fail "a refused start leaves $(ls -A "$state") in $state"
}

# The words of XR_JOIN_ANEW, which are in the file $1.
remedy="let this machine join anew: xraft detach, remove its state folder, xraftd --join, and where the group is led xraft member remove and add (man xraftd, A DEAD MACHINE)"
join_anew() {
	grep -qF "$remedy" "$1" || fail "the remedy is not named: $(tail -n 3 "$1")"
	"${in_lost[@]}" xraft -n "$XR_CLUSTER.$lost" detach
	rm -rf "$state"
	join
}

join() {
	setsid "${in_lost[@]}" xraftd --config "$conf" --join </dev/null >>"$log" 2>&1 &
	proc_id $! >"$run/node.$lost.pid"
	disown
	wait_for 10000 "it follows nobody, and is no member" says '.alive and .answering and (.g.member | not)'
	agreed "$boss" "${rest[1]}" || fail "the others have no leader any more"
	xraft -n "$XR_CLUSTER.$boss" member remove g1 "$lost"
	xraft -n "$XR_CLUSTER.$boss" member add g1 "$lost"
	wait_for 10000 "all agree" agreed 1 2 3
	[[ $(xraft -n "$XR_CLUSTER.$lost" get g1) == "what it holds stays" ]] || fail "it lacks the value"
	# Its vote counts: of the other two one is dead.
	cluster kill "$boss"
	wait_for 15000 "the two elect" agreed "$lost" "${rest[1]}"
}

says() {
	[[ $(field "$lost" "$1") == true ]]
}

case $1 in
refused)
	cluster kill "$lost"
	rm -rf "$state"
	sed 's/^interface = .*/interface = eth7/' "$conf" >"$work/conf"
	refused "eth7" --config "$work/conf" --join
	"${in_lost[@]}" ip link add eth1 mtu 9000 type veth peer name peer1 mtu 9000
	for end in eth1 peer1; do "${in_lost[@]}" ip link set "$end" up; done
	sed 's/^interface = .*/interface = eth1/; s/^xdp = .*/xdp = native/' "$conf" >"$work/conf"
	refused "native XDP is refused" --config "$work/conf" --join
	refused "native XDP is refused" --config "$work/conf" --new
	"${in_lost[@]}" ip link del eth1
	refused "maps pinned on this machine know this node" --config "$conf" --new
	refused "maps pinned on this machine know this node" --config "$conf" --join
	"${in_lost[@]}" xraft -n "$XR_CLUSTER.$lost" detach
	refused "has known this node" --config "$conf" --new
	install -d -m 0700 "$state"
	! "${in_lost[@]}" xraftd --config "$conf" --new 2>"$work/said" || fail "it starts with --new"
	[[ -d $state && ! $(ls -A "$state") ]] || fail "of a folder that was there $(ls -A "$state") is left"
	rmdir "$state"
	join
	;;
older)
	# A backup of its state, in the place of what it has promised since.
	cluster kill "$lost"
	cp -a "$state" "$work/backup"
	cluster start "$lost"
	old=$term
	cluster crash "$boss"
	wait_for 15000 "another leader" agreed 1 2 3
	[[ $leader != "$lost" ]] || xraft -n "$XR_CLUSTER.$lost" transfer g1 "${rest[1]}"
	wait_for 15000 "all agree" agreed 1 2 3
	[[ $term != "$old" ]] || fail "no other term"
	boss=$leader
	mapfile -t both < <(others 3 "$lost")
	rest=("$lost" "$([[ ${both[0]} == "$boss" ]] && echo "${both[1]}" || echo "${both[0]}")")
	cluster kill "$lost"
	rm -rf "$state"
	cp -a "$work/backup" "$state"
	! timeout 20 "${in_lost[@]}" xraftd --config "$conf" 2>"$work/said" || fail "it starts with an old state"
	grep "maps pinned on this machine" "$work/said"
	grep -qF "$remedy" "$work/said" || fail "its maps know better, and the remedy is not named"
	# A copy on another machine has no such maps; its peers know.
	"${in_lost[@]}" xraft -n "$XR_CLUSTER.$lost" detach
	! timeout 20 "${in_lost[@]}" xraftd --config "$conf" 2>"$work/said" || fail "it goes on with an old state"
	grep "has known this node" "$work/said"
	[[ -e $state/journal ]] || fail "a state that is there goes"
	join_anew "$work/said"
	;;
damaged)
	cluster kill "$lost"
	dd if=/dev/urandom of="$state/journal" bs=4096 count=2 conv=notrunc status=none
	! timeout 20 "${in_lost[@]}" xraftd --config "$conf" 2>"$work/said" || fail "it starts with a damaged journal"
	cat "$work/said"
	join_anew "$work/said"
	;;
esac
down
