#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How long a heartbeat takes to be answered, idle and under load.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=ladder.sh
. "$(dirname "${BASH_SOURCE[0]}")/ladder.sh"

usage() {
	cat <<'END'
usage: scripts/bench rtt [OPTIONS]

Round trip of a heartbeat between two namespaces, a veth pair each with a bridge between them:
a stand-in for the leader sends one a millisecond, and a follower's NIC path or daemon answers.

  --seconds S     a cell: an arm under a rung, in each round (2; with --quick 1, with --full 30)
  --rounds N      times that the arms take turns (2; with --quick 1)
  --rungs LIST    of the ladder (all; with --quick idle,cpu)
  --arms LIST     xdp          the NIC path answers; packets come by an interrupt of another CPU
                  xdp-inline   the same in the sender's own context, as veth does it by default
                  daemon       xdp = off, realtime = 0; by interrupt
                  daemon-fifo  xdp = off, realtime = 60, so above the hogs; by interrupt
  --quick, --full, --check

END
	ladder_help
}

declare -A xdp_of=([xdp]=native [xdp-inline]=native [daemon]=off [daemon-fifo]=off)
declare -A words=([xdp]='XDP' [xdp-inline]='XDP, inline' [daemon]='daemon' [daemon-fifo]='daemon, FIFO 60')

seconds='' rounds='' only='' arms=xdp,xdp-inline,daemon,daemon-fifo
takes=([--seconds]=seconds [--rounds]=rounds [--rungs]=only [--arms]=arms)
bench_begin "$@"
seconds=${seconds:-$(by_form 1 2 30)}
rounds=${rounds:-$(by_form 1 2 2)}
only=${only:-$(by_form idle,cpu "$rungs" "$rungs")}

bench_stop() {
	load_stop
}

# Hand what comes in at the bridge to another CPU than the one that sent it: to the second on the
# way there, to the first on the way back.
by_interrupt() {
	# shellcheck disable=SC2016 # the variable is the inner shell's
	ip netns exec "xr-$XR_CLUSTER-sw" sh -c 'for port in 1 2; do
			echo $port >/sys/class/net/port$port/queues/rx-0/rps_cpus; done' ||
		die "this kernel has no RPS to make interrupts with: leave --arms xdp-inline only"
}

# Node 2's daemon is gone, and a stand-in sends in its place; node 1 can elect nobody alone.
set_up() {
	local arm=$1 priority=0
	[[ $arm == daemon ]] || priority=60
	bench_up 2 --xdp "${xdp_of[$arm]}" --realtime "$priority"
	"$xr_root/scripts/cluster" kill 2
	[[ ${xdp_of[$arm]} == off ]] ||
		"$xr_root/scripts/cluster" exec 2 "$build/xraft" -n "$XR_CLUSTER.2" detach >/dev/null
	[[ $arm == xdp-inline ]] || by_interrupt
}

measure() {
	local arm=$1 rung=$2
	load_start "$rung" $((seconds + 15)) 2
	nap 0.3
	bench_run nsenter --net="/run/netns/xr-$XR_CLUSTER-2" "$build/tests/bench/bench_rtt" --to 1 \
		--config "/run/xraft-cluster/$XR_CLUSTER/node.2.conf" --count $((seconds * 1000)) >"$work/seen"
	load_stop
	jq -c --arg arm "${words[$arm]}" --arg rung "$rung" '{$arm, $rung} + .' "$work/seen" >>"$work/samples"
}

for ((round = 1; round <= rounds; round++)); do
	for arm in ${arms//,/ }; do
		[[ ${xdp_of[$arm]-} ]] || misuse "there is no arm '$arm'; see scripts/bench rtt --help"
		set_up "$arm"
		for rung in ${only//,/ }; do
			progress "round $round, ${words[$arm]}, $rung"
			measure "$arm" "$rung"
		done
		bench_down
	done
done

# The distribution in thousandths; the file would else be a hundred thousand numbers long.
# shellcheck disable=SC2016 # the variables are jq's
bench_json '{
	what: "from a heartbeat sent to its ack received, microseconds; one a millisecond, sent by the clock",
	runs: (($rungs / ",") as $order | group_by([.rung, .arm]) | map(([.[].rtt_us[]] | sort) as $all
		| {rung: .[0].rung, arm: .[0].arm, sent: (map(.sent) | add), lost: (map(.sent - .answered) | add),
			rtt_us: ($all | spread), cdf_us: [range(1; 1000) as $i | $all | .[(length * $i / 1000) | floor]]})
		| sort_by(.rung as $rung | $order | index($rung)))}' --arg rungs "$only"
bench_query '(["rung", "arm", "sent", "unanswered", "median us", "99 %", "99.9 %", "max"]),
	(.runs[] | [.rung, .arm, .sent, .lost, (.rtt_us | .p50, .p99, .p999, .max)]) | @tsv' | bench_table
{
	echo
	echo "A heartbeat a millisecond, to its ack, as the sender's kernel receives it. Veth has no card: packets"
	echo "come by an interrupt that the other CPU raises (RPS), but \"inline\" in the sender's own context,"
	echo "which flatters XDP. This is a virtual machine: its host takes CPUs away for milliseconds."
} | bench_say
# shellcheck disable=SC2016 # the variable is jq's
bench_query '.runs[] | select(.rung == "idle" or .rung == "cpu" or .rung == "fifo") | "\(.arm), \(.rung)" as $title
	| .cdf_us[] | [$title, .] | @tsv' | bench_cdf 'us from a heartbeat to its answer'

ratio_of() {
	bench_query "[.runs[] | select(.rung == \"$1\")] | (.[] | select(.arm == \"${words[xdp]}\").rtt_us.$3)
		/ (.[] | select(.arm == \"${words[$2]}\").rtt_us.$3) | round(3)"
}

for rung in ${only//,/ }; do
	[[ ,$arms, == *,xdp,* && ,$arms, == *,daemon,* ]] || break
	bench_target "$rung: XDP's median to the daemon's" "$(ratio_of "$rung" daemon p50)" '<=' 2 times
done
bench_end
