#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many elections on three nodes: what they cost, and how long they are without a leader.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench groups [OPTIONS]

Independent elections ("groups") on 3 nodes, 10 heartbeats a second, election timeout 150-300 ms:
CPU, packets and memory while nothing happens; then a node dies that leads a third of them, or all.

  --sizes LIST    numbers of groups (1,100,10000,100000; with --quick all but the last)
  --seconds S     of quiet that are measured (5)
  --quick         2 seconds
  --check         exit 1 where a target is missed, and name it on the last line

CPU is the time for which engine and warden have run, in the mean of the nodes and in each; on veth
the softirqs are in it in which the XDP programs of both ends run, and so is the bridge between the
nodes, which a real network has elsewhere. "XDP" is the NIC paths' part, as the kernel counts it; a
record is one group's heartbeat or its ack. Memory is the share of engine and warden in what they
use, and the maps once; socket buffers fill only in a mass election (RcvbufErrors are shown as lost).
When a group is led again its new leader notes in the maps; that all survivors follow is seen from
outside every 10 ms. All three nodes share two CPUs and one disk.
END
}

sizes='' seconds=''
takes=([--sizes]=sizes [--seconds]=seconds)
bench_begin "$@"
sizes=${sizes:-$(by_form 1,100,10000 1,100,10000,100000 1,100,10000,100000)}
seconds=${seconds:-$(by_form 2 5 5)}

cluster() {
	"$xr_root/scripts/cluster" "$@" >/dev/null
}

# sample NAME ARGUMENTS...: of bench_groups, with the number of groups, into the samples.
sample() {
	local name=$1
	shift
	"$build/tests/bench/bench_groups" --cluster "$XR_CLUSTER" --nodes 3 --groups "$groups" "$@" |
		jq -c --arg name "$name" --argjson groups "$groups" '{$name, $groups} + .' | tee "$work/last" >>"$work/samples"
}

# Node 1 leads all: the others' groups have no other heir while node 3 is away.
lead_all() {
	cluster kill 3
	nap 1.5
	"$build/xraft" -n "$XR_CLUSTER.2" step-down >/dev/null || true
	nap 1
	cluster start 3 --no-wait
	sample settled await
}

die_and_return() {
	local kind=$1 share=$2
	progress "$groups groups: the node that leads $share dies ($kind)"
	sample fault fail "$kind" "$share"
	[[ $kind == engine ]] || cluster start "$(jq .victim "$work/last")" --no-wait
	sample settled await
}

for groups in ${sizes//,/ }; do
	progress "$groups groups start"
	bench_up 3 --no-wait --groups "$groups" --heartbeat 100
	sample start await
	nap 1
	sample each steady "$seconds"
	if ((groups > 1)); then
		die_and_return engine third
		die_and_return both third
	fi
	lead_all
	nap 1
	sample one steady "$seconds"
	die_and_return engine all
	lead_all
	die_and_return both all
	bench_down
done

# shellcheck disable=SC2016 # the variables are jq's
bench_json '{heartbeat_ms: 100, election_ms: [150, 300], samples: .} + {
	start: map(select(.name == "start") | {groups, await_ms}),
	costs: map(select(.name == "each" or .name == "one") | {groups, led_by: .name, elections,
		cpu: (.node | map(.process) | add / 3), nic: (.nic / 3),
		nic_record_ns: (.nic * 1e7 / (.groups * 10 * 4)),
		engine: (.node | map(.process)), wakeups: (.node | map(.wakeups)), received: (.node | map(.received) | add / 3),
		lost: (.node | map(.full + .drops) | add),
		memory_mb: (.node | map(.engine_kib + .warden_kib + .maps_kib) | max / 1024),
		maps_mb: (.node[0].maps_kib / 1024)}),
	faults: map(select(.name == "fault") | del(.name))}'
bench_query '(["groups", "led by", "CPU % a node", "each", "of it XDP", "XDP ns a record", "wake-ups/s", "packets in/s", "memory MB", "of it maps", "elections", "lost"]),
	(.costs[] | [.groups, .led_by, (.cpu | round(2)), (.engine | map(round(1) | tostring) | join(" ")), (.nic | round(2)), (.nic_record_ns | round(0)),
		(.wakeups | map(tostring) | join(" ")), (.received | round(0)), (.memory_mb, .maps_mb | round(1)), .elections, .lost])
	| @tsv' | bench_table
{
	echo
	bench_query '(["groups", "dies", "it led", "of", "first ms", "half", "99 %", "all", "all follow", "more terms", "lost"]),
		(.faults[] | [.groups, ({both: "node"}[.kind] // .kind), .led, .share, (.first_ms, .half_ms, .most_ms, .all_ms, .followed_ms
			| round(0)), .terms - .led, .full]) | @tsv' | column -t -s $'\t'
} | bench_say
# shellcheck disable=SC2016 # the variables are jq's
bench_query '.faults[] | select(.groups > 1) | . as $f | .ms[]
	| ["\($f.groups) groups, \({both: "node"}[$f.kind] // $f.kind) that led \($f.led)", .] | @tsv' |
	bench_cdf 'ms from the death until a group is led again'

largest=$(bench_query '.costs | map(.groups) | max')
if ((largest >= 100000)); then
	bench_target "CPU a node, $largest groups" "$(bench_query ".costs[] | select(.groups == $largest and .led_by == \"each\").cpu | round(2)")" '<=' 15 '% of a core'
	bench_target "memory a node, $largest groups" "$(bench_query "[.costs[] | select(.groups == $largest).memory_mb] | max | round(1)")" '<=' 200 MB
	for fault in both:1000 engine:300; do
		for share in third all; do
			bench_target "${fault%:*} of a node that led $share of $largest, until all are led" \
				"$(bench_query "[.faults[] | select(.groups == $largest and .kind == \"${fault%:*}\" and .share == \"$share\" and .left == 0).all_ms][0] | round(1)")" \
				'<=' "${fault#*:}" ms
		done
	done
fi
bench_end
