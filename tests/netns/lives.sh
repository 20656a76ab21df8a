#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: lives.sh backup|lost|copy|recording
# What was said to one life counts in no other, and no life forgets what another has promised (rules 17, 18).
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 3
agreed 1 2 3 || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets it
old=$leader
mapfile -t rest < <(others 3 "$old")
victim=${rest[0]}
log=$run/node.$victim.log
all=(1 2 3)

next_term() {
	cluster crash "$leader"
	wait_for 15000 "a newer term, which all know" agreed "${all[@]}"
}

# ended SENTENCE: the victim said so, and it neither runs nor comes back.
ended() {
	grep -q "$1" "$log" && ! pgrep -f "$run/node.$victim.conf" >/dev/null
}

in_victim=(nsenter "--net=/run/netns/xr-$XR_CLUSTER-$victim")

# From now on nobody on its machine knows what it has promised.
forget_maps() {
	"${in_victim[@]}" xraft -n "$XR_CLUSTER.$victim" detach >/dev/null
	[[ ! -e $pins-$victim ]] || fail "detach leaves the pins"
}

case $1 in
backup)
	cluster kill "$victim"
	cp "$run/node.$victim/journal" "$work/old"
	cluster start "$victim"
	next_term
	next_term
	[[ $leader != "$victim" ]] || next_term
	cluster kill "$victim"
	cp "$run/node.$victim/journal" "$work/newest"
	cp "$work/old" "$run/node.$victim/journal"
	! cluster start "$victim" >/dev/null 2>&1 || fail "it starts with an old journal"
	wait_for 5000 "its own maps know better" ended "maps pinned on this machine know this node in term"
	forget_maps
	cluster start "$victim" --no-wait >/dev/null 2>&1 || true
	wait_for 5000 "and so do its peers" ended "has known this node in term"
	[[ $(field "$victim" '.g.role') != leader ]] || fail "it leads"
	cp "$work/newest" "$run/node.$victim/journal"
	cluster start "$victim"
	wait_for 15000 "with its newest journal it takes part" agreed "${all[@]}"
	;;
lost)
	cluster kill "$victim"
	rm -rf "$run/node.$victim"
	mkdir -m 0700 "$run/node.$victim"
	! "${in_victim[@]}" xraftd --config "$run/node.$victim.conf" --new 2>"$work/said" || fail "--new starts over what the maps know"
	grep -q "maps pinned on this machine know this node in term" "$work/said" || fail "it says: $(cat "$work/said")"
	forget_maps
	rm -rf "$run/node.$victim"
	mkdir -m 0700 "$run/node.$victim"
	! "${in_victim[@]}" xraftd --config "$run/node.$victim.conf" --new 2>"$work/said" || fail "--new goes on over what the peers know"
	grep -q "has known this node in term" "$work/said" || fail "it says: $(cat "$work/said")"
	agreed "$old" "${rest[1]}" || fail "the others have no leader any more"
	;;
copy)
	# The same machine a second time: address, hardware address, state.
	clone=xr-$XR_CLUSTER-copy
	ip netns add "$clone"
	clean_up() {
		ip netns delete "$clone"
	}
	ip -n "xr-$XR_CLUSTER-sw" link add portcopy type veth peer name eth0 netns "$clone"
	bridge=$(ip -n "xr-$XR_CLUSTER-sw" -j link show type bridge | jq -r '.[0].ifname')
	ip -n "xr-$XR_CLUSTER-sw" link set portcopy master "$bridge" up
	ip -n "$clone" link set eth0 address "02:00:00:77:00:0$victim"
	ip -n "$clone" address add "10.77.0.$victim/24" dev eth0
	ip -n "$clone" link set eth0 up
	cp -a "$run/node.$victim" "$work/state"
	sed "s|^state = .*|state = $work/state|; s|^socket = .*|socket = $work/sock|; s|^xdp = .*|xdp = off|" \
		"$run/node.$victim.conf" >"$work/conf"
	grep -q '^socket' "$work/conf" || sed -i "s|^state = .*|&\nsocket = $work/sock|" "$work/conf"
	nsenter --net="/run/netns/$clone" unshare --mount --propagation private \
		bash -c "mount -t bpf bpf /sys/fs/bpf && exec \"\$0\" --config '$work/conf'" "$(command -v xraftd)" 2>"$work/copy.log" &
	copy=$!
	helpers+=("$copy")
	told() {
		cat "$run/node.$old.log" "$run/node.${rest[1]}.log" | grep -q "node $victim runs twice"
	}
	wait_for 20000 "a peer says that node $victim runs twice" told
	wait_for 20000 "the first one ends" ended "hears two that both are node $victim"
	copy_ended() {
		grep -q "hears two that both are node $victim" "$work/copy.log" && ! kill -0 "$copy" 2>/dev/null
	}
	wait_for 20000 "and so does its copy" copy_ended
	agreed "$old" "${rest[1]}" || fail "the others have no leader any more"
	;;
recording)
	# All that was said to the victim, and in an election too, is said again to its next lives.
	frames catch "port$victim" "$work/heard" 1 "$old" 10
	frames catch "port$victim" "$work/votes" 4 "${rest[1]}" 1 &
	votes=$!
	cluster crash "$old"
	wait_for 15000 "another leader" agreed "${all[@]}"
	kill "$votes" 2>/dev/null || true
	cat "$work/votes" >>"$work/heard" 2>/dev/null || true
	cluster crash "$victim"
	wait_for 15000 "the victim lives again" agreed "${all[@]}"
	was="$leader $term"
	before=$(counter "$victim" drop_life)
	sent=0
	for _ in {1..20}; do
		sent=$((sent + $(frames send "port$victim" "$work/heard")))
	done
	dropped() {
		[[ $(($(counter "$victim" drop_life) - before)) -ge $sent ]]
	}
	wait_for 5000 "all $sent are dropped, as said to another life" dropped
	agreed "${all[@]}" || fail "after a recording they do not agree"
	[[ "$leader $term" == "$was" ]] || fail "a recording has moved somebody"
	;;
esac
