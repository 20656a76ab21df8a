#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a heartbeat costs: CPU time, wake-ups, memory.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench cpu [OPTIONS]

CPU time and wake-ups a heartbeat, on the leader and on a follower of three nodes, beside the same
daemon without XDP, and beside etcd, at the same heartbeats a second. Election timeout 300-600 ms.

  --rates LIST    heartbeats a second (10,100,1000; with --quick 100,1000)
  --seconds S     a measurement, at least 3 (6; with --quick 3, with --full 60)
  --no-fetch      etcd only if it is installed or was fetched before
  --quick, --full, --check

END
	bench_fetch_help
}

rates='' seconds=''
takes=([--rates]=rates [--seconds]=seconds)
switches=([--no-fetch]=no_fetch)
bench_begin "$@"
rates=${rates:-$(by_form 100,1000 10,100,1000 10,100,1000)}
seconds=${seconds:-$(by_form 3 6 60)}
run=/run/xraft-cluster/$XR_CLUSTER

started=() # in the background, and to be ended
bench_stop() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	started=()
}

meter() {
	"$build/tests/bench/bench_meter" "$@"
}

# note ARM RATE [JQ OPTIONS]: what a program says on stdin becomes a sample.
note() {
	local arm=$1 rate=$2
	shift 2
	jq -c --arg arm "$arm" --argjson rate "$rate" "$@" '{$arm, $rate} + $ARGS.named + .' >>"$work/samples"
}

# Sets leader, and pids: of each node the warden and then the engine.
look() {
	local status
	status=$("$xr_root/scripts/cluster" status --json)
	leader=$(jq -r '[.[].groups[0] | select(.role == "leader").leader][0]' <<<"$status")
	mapfile -t pids < <(jq -r '.[].pid // empty' <<<"$status" | while read -r pid; do
		echo "$(ps -o ppid= -p "$pid" | tr -d ' '),$pid"
	done)
}

# ---- three nodes ----

measure_cluster() {
	local arm=$1 rate=$2 xdp=$3
	bench_up 3 --timing 300-600 --heartbeat $((1000 / rate)) --xdp "$xdp"
	nap 1
	look
	meter "$seconds" "${pids[@]}" | note "$arm" "$rate" --argjson leader "$leader"
	bench_down
}

# ---- a follower alone ----

# From node 2, whose daemon is gone: a stand-in for the leader.
stand_in() {
	local count=$1 rate=$2
	shift 2
	nsenter --net="/run/netns/xr-$XR_CLUSTER-2" "$build/tests/bench/bench_rtt" "$@" \
		--config "$run/node.2.conf" --count "$count" --interval $((1000000 / rate)) | jq -c 'del(.rtt_us)'
}

# A node without daemon and program.
bare() {
	"$xr_root/scripts/cluster" kill "$1"
	"$xr_root/scripts/cluster" exec "$1" "$build/xraft" -n "$XR_CLUSTER.$1" detach >/dev/null
}

# A program that drops all on a device in the namespace of a node, or of the bridge (sw).
drop_at() {
	nsenter --net="/run/netns/xr-$XR_CLUSTER-$1" "$build/tests/bench/bench_drop" "$2" >"$work/drop.$1" {xr_idle}<&- &
	started+=($!)
	until [[ -s $work/drop.$1 ]]; do
		kill -0 "$!" 2>/dev/null || die "bench_drop has ended; it says why"
		nap 0.05
	done
}

# The same frames in turn to a follower's NIC path, at node 1, and to a program that drops them, at
# node 3. The answers are dropped where they leave the veth pair: the difference is the follower's.
measure_follower() {
	local rate=$1 count=$((seconds * $1 / 3)) turn meter
	bench_up 3 --timing 300-600 --heartbeat $((1000 / rate))
	bare 2
	bare 3
	look
	drop_at 3 eth0
	stand_in 50 1000 --to 1 >/dev/null # it follows from here on
	drop_at sw port1
	for turn in {1..6}; do
		if ((turn % 2)); then
			meter $((count / rate)) "${pids[0]}" >"$work/follower" &
			meter=$!
			stand_in "$count" "$rate" --to 1 --blind | note "sender, answered" "$rate"
			wait "$meter"
			note "follower, answering" "$rate" <"$work/follower"
		else
			stand_in "$count" "$rate" --to 3 --blind | note "sender, dropped" "$rate"
		fi
	done
	bench_stop
	bench_down
}

# ---- etcd ----

measure_etcd() {
	local rate=$1 node tries
	bench_up 3 --no-daemons
	for node in 1 2 3; do
		start_etcd "$node" $((1000 / rate)) >"$work/etcd.$node" 2>&1 </dev/null {xr_idle}<&- &
		started+=($!)
	done
	for ((tries = 0; tries < 100; tries++)); do
		leader=$(etcd_leader)
		[[ ! $leader ]] || break
		nap 0.2
	done
	if [[ $leader ]]; then
		nap 1
		meter "$seconds" "${started[@]}" | note etcd "$rate" --argjson leader "$leader"
	else
		progress "etcd elects nobody at $rate heartbeats a second: skipped"
	fi
	bench_stop
	bench_down
}

has_etcd=''
if bench_fetch etcd etcd-server; then has_etcd=1; else progress "etcd is skipped: it is not here"; fi
for rate in ${rates//,/ }; do
	progress "$rate heartbeats a second"
	measure_cluster XDP "$rate" native
	measure_cluster daemon "$rate" off
	measure_follower "$rate"
	[[ ! $has_etcd ]] || measure_etcd "$rate"
done

# shellcheck disable=SC2016 # the variables are jq's
bench_json '
	def beats: .seconds * .rate;
	def row($role; $p): beats as $n | (if .arm == "etcd" then $p.switches else $p.main_switches end) as $woken
		| {rate, arm, role: $role, cpu_us: ($p.cpu_us / $n | round(2)), wakeups: ($woken / $n | round(4)),
			wakeups_a_second: ($woken / .seconds | round(1)), memory_mb: ($p.memory_kb / 1024 | round(1))};
	def mean($list): $list | {cpu_us: (map(.cpu_us) | add / length), main_switches: (map(.main_switches) | add / length),
		switches: (map(.switches) | add / length), memory_kb: (map(.memory_kb) | add / length)};
	. as $all
	| def one($arm; $rate): [$all[] | select(.arm == $arm and .rate == $rate)][0];
	def each($arm; $rate): [$all[] | select(.arm == $arm and .rate == $rate)];
	def sent($arm; $rate): each($arm; $rate) | (map(.cpu_us) | add) / (map(.sent) | add);
	{what: "CPU time and wake-ups a heartbeat",
	nodes: [.[] | select(.leader) | .leader as $l | row("leader"; .processes[$l - 1]),
		row("follower"; mean([.processes[range(0; 3)] as $p | $p] | del(.[$l - 1])))],
	follower: [[.[] | select(.arm == "sender, answered").rate] | unique[] | . as $rate
		| each("follower, answering"; $rate) as $daemon
		| {rate: $rate, answered_us: sent("sender, answered"; $rate), dropped_us: sent("sender, dropped"; $rate),
			daemon_us: (([$daemon[].processes[0].cpu_us] | add) / ([$daemon[].seconds] | add) / $rate)}
		| .cpu_us = (.answered_us - .dropped_us + .daemon_us) | map_values(round(2))]}'
bench_query '(["a second", "arm", "role", "CPU us a heartbeat", "wake-ups", "a second", "memory MB"]),
	(.nodes[] | [.rate, .arm, .role, .cpu_us, .wakeups, .wakeups_a_second, .memory_mb]) | @tsv' | bench_table
{
	echo
	bench_query '(["a second", "answered", "dropped", "daemon", "a follower, us a heartbeat"]),
		(.follower[] | [.rate, .answered_us, .dropped_us, .daemon_us, .cpu_us]) | @tsv' | column -t -s $'\t'
	echo
	echo "By the clocks of the processes, which on veth hold the softirqs too: the leader's holds the way of its"
	echo "heartbeats through both followers' NIC paths, and of the acks through its own. Hence the second table: a"
	echo "stand-in for the leader sends to a follower's NIC path, and to a program that drops all; the difference (the"
	echo "NIC path and the way of its answer out of the veth pair) and the daemon's own are what a heartbeat costs a"
	echo "follower. The daemon does nothing for a heartbeat: its part is housekeeping, so much a second, of which the"
	echo "probes of the disk are most. Of etcd only what is charged to its process; its wake-ups are all threads'."
} | bench_say
bench_query '(.nodes[] | select(.role == "follower" and .arm != "XDP") | ["\(.rate) a second", .arm, .cpu_us]),
	(.follower[] | ["\(.rate) a second", "XDP", .cpu_us]) | @tsv' | bench_bars 'us of CPU a heartbeat, a follower'

# What more heartbeats add, between the slowest and the fastest rate: the rest is housekeeping.
added() {
	bench_query "[.nodes[] | select(.arm == \"XDP\" and .role == \"$1\")] | sort_by(.rate) | (.[-1].wakeups_a_second
		- .[0].wakeups_a_second) / (.[-1].rate - .[0].rate) | round(4)"
}

bench_target "wake-ups a heartbeat, follower" "$(added follower)" '<=' 0.02 ''
bench_target "wake-ups a heartbeat, leader, without the one in which it sends" \
	"$(awk -v n="$(added leader)" 'BEGIN { print (n > 1 ? n - 1 : 0) }')" '<=' 0.02 ''
# Where heartbeats are few, the housekeeping of either is most of it.
ratio_at() {
	bench_query "(.nodes[] | select(.arm == \"etcd\" and .role == \"follower\" and .rate == $1).cpu_us)
		/ (.follower[] | select(.rate == $1).cpu_us) | round(1)"
}

if [[ $has_etcd ]]; then
	for rate in ${rates//,/ }; do
		if ((rate < 1000)); then
			echo "$rate a second: etcd's CPU a heartbeat on a follower is $(ratio_at "$rate") times XDP's" | bench_say
		else
			bench_target "$rate a second: etcd's CPU a heartbeat on a follower to XDP's" "$(ratio_at "$rate")" '>=' 50 times
		fi
	done
fi
bench_end
