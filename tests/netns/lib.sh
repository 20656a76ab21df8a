#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What the tests here share: a cluster of their own, waiting for conditions, what nodes say.
# A test prints what it does; it ends with 0 (passed), 77 (skipped, with the reason) or else.
# shellcheck disable=SC2034 # tests use these
set -Eeuo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export XR_BUILD=${XR_BUILD:-$xr_root/build}
export XR_CLUSTER=t$$
readonly run=/run/xraft-cluster/$XR_CLUSTER
readonly pins=/sys/fs/bpf/xraft/$XR_CLUSTER
work=$(mktemp -d /tmp/xraft-netns.XXXXXX)

fail() {
	say "FAILED: $*"
	exit 1
}

cluster() {
	"$xr_root/scripts/cluster" "$@"
}

# What a test started besides, and what else it has to take back, where it ends with code $1. This is the
# one way: a trap of its own would lose $?.
helpers=()
clean_up() { :; }

finish() {
	local rc=$?
	trap '' INT TERM HUP
	[[ ${#helpers[@]} -eq 0 ]] || kill "${helpers[@]}" 2>/dev/null || true
	clean_up "$rc" || true
	if [[ -d $run ]]; then
		if [[ $rc -ne 0 && $rc -ne $skip_code ]]; then
			cluster status || true
			tail -n 40 "$run"/node.?.log || true
		fi
		cluster down || rc=1
	fi
	rm -rf "$work"
	exit "$rc"
}
trap finish EXIT
trap 'say "FAILED: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR
trap 'exit 130' INT
trap 'exit 143' TERM HUP

need_built xraftd xraft bpf/pass.bpf.o
export PATH=$XR_BUILD:$PATH

up() {
	cluster up --no-build --owner $$ "$@"
}

# ---- waiting: for conditions, never for time to pass ----

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# wait_for MILLISECONDS "what" COMMAND...: sets took_ms.
wait_for() {
	local limit=$1 what=$2 began
	shift 2
	began=$(now_ms)
	until "$@"; do
		took_ms=$(($(now_ms) - began))
		((took_ms < limit)) || fail "not within $limit ms: $what"
		nap 0.01
	done
	took_ms=$(($(now_ms) - began))
	say "after $took_ms ms: $what"
}

# holds_for MILLISECONDS "what" COMMAND...: true all the time.
holds_for() {
	local limit=$1 what=$2 end
	shift 2
	end=$(($(now_ms) + limit))
	while (($(now_ms) < end)); do
		"$@" || fail "did not hold for $limit ms: $what"
		nap 0.02
	done
	say "for $limit ms: $what"
}

# ---- what a node says ----

node() {
	xraft -n "$XR_CLUSTER.$1" status --json
}

# field NODE FILTER: of its status; for its first group as .g
field() {
	{ node "$1" 2>/dev/null || true; } | jq -r ".g = (.groups // [])[0] | $2"
}

leader_of() {
	field "$1" '.g.leader // 0'
}

term_of() {
	field "$1" '.g.term // 0'
}

role_of() {
	field "$1" '.g.role // "none"'
}

leads() {
	[[ $(field "$1" 'select(.alive) | .g.role') == leader ]]
}

no_longer_leads() {
	[[ $(field "$1" '.alive and .g.role == "leader"') == false ]]
}

follows() {
	[[ $(field "$1" '"\(.g.leader) \(.g.role)"') == "$2 follower" ]]
}

in_term() {
	[[ $(term_of "$1") == "$2" ]]
}

# The nodes given know one leader, one of them, which alone leads; all in one term. Sets leader, term.
agreed() {
	local n view
	# shellcheck disable=SC2016 # the variables are jq's
	view=$(for n in "$@"; do
		node "$n" 2>/dev/null || true
	done | jq -rs --argjson count $# '
		(map(select(.alive) | .groups[0] | [.leader, .term]) | unique) as $views
		| [.[] | select(.groups[0].role == "leader").node] as $leaders
		| select(length == $count and all(.alive) and ($views | length) == 1 and $leaders == [$views[0][0]])
		| $views[0] | "\(.[0]) \(.[1])"')
	[[ $view ]] || return 1
	read -r leader term <<<"$view"
}

others() {
	local n
	for n in $(seq 1 "$1"); do
		[[ " ${*:2} " == *" $n "* ]] || echo "$n"
	done
}

# ---- what a node is asked to do ----

# order NODE ARGUMENTS...: sets said and rc
order() {
	rc=0
	said=$(xraft -n "$XR_CLUSTER.$1" "${@:2}" 2>&1) || rc=$?
	say "node $1: xraft ${*:2} -> $rc: $said"
}

order_refused() {
	[[ $rc -eq 1 && $said == *"$1"* ]] || fail "expected a refusal with '$1'"
}

# reload NODE...: each reads its configuration again.
reload() {
	local n
	for n in "$@"; do
		kill -HUP "$(daemon_pid "$n")"
	done
}

# The sum over all CPUs of a counter of the NIC path (0), or of the daemon (1).
counter() {
	bpftool -j map dump pinned "$pins-$1/xr_stats" |
		jq --arg name "$2" --argjson key "${3-0}" \
			'[.[$key].formatted.values[].value[$name]] | add'
}

daemon_pid() {
	local id
	read -r id <"$run/node.$1.pid"
	echo "${id%%:*}"
}

# Without the detour of scripts/cluster, where time counts.
signal() {
	kill "-$2" -- "-$(daemon_pid "$1")"
}

# When this node began to lead in a term, by its log: the time at which a test notices is later.
led_since() {
	local time rest
	read -r time rest < <(grep -m 1 " g1: leads in term $2," "$run/node.$1.log") && day_us "$time"
}

# How often a node's daemon has slept, all threads and processes: being preempted is another's doing.
switches() {
	local pid
	for pid in $(pgrep -s "$(daemon_pid "$1")"); do
		cat /proc/"$pid"/task/*/status
	done | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}

reaches() {
	cluster exec "$1" ping -n -q -c 1 -W 1 "${3-10.77.0.}$2" >/dev/null
}

in_switch() {
	nsenter --net="/run/netns/xr-$XR_CLUSTER-sw" "$@"
}

# Another interface in the place of that of node $1, which is gone with its port.
new_interface() {
	in_switch ip -batch - <<-END
		link add port$1 type veth peer name eth0 address 02:00:00:77:00:0$1 netns xr-$XR_CLUSTER-$1
		link set dev port$1 xdpdrv obj $XR_BUILD/bpf/pass.bpf.o sec xdp
		link set port$1 master bridge up
	END
	cluster exec "$1" ip -batch - <<-END
		addr add 10.77.0.$1/24 dev eth0
		link set eth0 up
	END
}

# A helper that catches frames at a port of the bridge and sends them again.
frames() {
	local helper=$XR_BUILD/tests/frames
	if [[ ! -x $helper ]]; then
		helper=$work/frames
		[[ -x $helper ]] || gcc -std=gnu17 -O1 -o "$helper" "$xr_root/tests/netns/frames.c"
	fi
	nsenter --net="/run/netns/xr-$XR_CLUSTER-sw" "$helper" "$@"
}

# Nothing of the cluster is left on this machine.
nothing_left() {
	[[ ! -e $run ]] && ! ip netns list | grep -q "^xr-$XR_CLUSTER-" &&
		! compgen -G "$pins-*" >/dev/null && ! pgrep -f "$run/node" >/dev/null
}

down() {
	cluster down
	wait_for 2000 "nothing is left behind" nothing_left
}
