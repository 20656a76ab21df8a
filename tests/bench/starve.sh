#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does a cluster keep its leader on a machine that is busy?
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=ladder.sh
. "$(dirname "${BASH_SOURCE[0]}")/ladder.sh"

usage() {
	cat <<'END'
usage: scripts/bench starve [OPTIONS]

Elections that nothing but load has caused, and missed heartbeats, in a cluster of three, by election
timeout, by arm and by rung. Seen from outside in the maps of all nodes.

  --timings LIST  election timeouts in ms (5-10,12-24,50-100,150-300; with --quick and --full 5-10);
                  the heartbeat is a fifth of the smaller one
  --arms LIST     xdp            XDP, polls
                  xdp-nopoll     XDP; polls are lost on the way, by an nft rule at the bridge
                  daemon         xdp = off, polls, realtime = 0
                  daemon-fifo    xdp = off, polls, realtime = 60, so above the hogs
                  xdp-20         as xdp, but realtime = 20, the default, so below the FIFO hogs
                  (the first four; with --full xdp)
  --rungs LIST    of the ladder, and pause-50, pause-200: the leader's processes are stopped for so
                  many milliseconds once a second (all; with --quick idle,cpu,pause-50)
  --seconds S     a cell in each round (3 at 5-10, else 2; with --quick 2, with --full 600)
  --rounds N      times that the arms take turns (2 below 50 ms, else 1; with --quick and --full 1)
  --quick, --full, --check

END
	ladder_help
}

declare -A xdp_of=([xdp]=native [xdp-nopoll]=native [xdp-20]=native [daemon]=off [daemon-fifo]=off)
declare -A realtime_of=([xdp]=60 [xdp-nopoll]=60 [xdp-20]=20 [daemon]=0 [daemon-fifo]=60)
declare -A words=([xdp]='XDP' [xdp-nopoll]='XDP, no polls' [xdp-20]='XDP, FIFO 20' [daemon]='daemon'
	[daemon-fifo]='daemon, FIFO 60')

timings='' arms='' only='' seconds='' rounds=''
takes=([--timings]=timings [--arms]=arms [--rungs]=only [--seconds]=seconds [--rounds]=rounds)
bench_begin "$@"
timings=${timings:-$(by_form 5-10 5-10,12-24,50-100,150-300 5-10)}
arms=${arms:-$(by_form xdp,xdp-nopoll,daemon,daemon-fifo xdp,xdp-nopoll,daemon,daemon-fifo xdp)}
only=${only:-$(by_form idle,cpu,pause-50 "$rungs,pause-50,pause-200" "$rungs,pause-50,pause-200")}

bench_stop() {
	load_stop
}

seconds_of() {
	echo "${seconds:-$(by_form 2 "$([[ $1 == 5-10 ]] && echo 3 || echo 2)" 600)}"
}

rounds_of() {
	echo "${rounds:-$(by_form 1 "$((${1%-*} < 50 ? 2 : 1))" 1)}"
}

# A poll's type stands at byte 5 of the datagram, behind 8 bytes of UDP header.
lose_polls() {
	local node
	{
		echo 'add table netdev xraft_bench'
		for node in 1 2 3; do
			echo "add chain netdev xraft_bench polls_$node {" \
				"type filter hook ingress device \"port$node\" priority 0; }"
			echo "add rule netdev xraft_bench polls_$node udp dport 7007 @th,104,8 3 drop"
		done
	} | nsenter --net="/run/netns/xr-$XR_CLUSTER-sw" nft -f - ||
		die "nft cannot drop polls here: leave --arms without xdp-nopoll"
}

# Under FIFO hogs the kernel's own workers, of lesser priority, get a CPU now and then only, and a
# write to the disk takes seconds: with the default stall limit all nodes would fall silent.
readonly stall_ms=10000

set_up() {
	local arm=$1 timing=$2
	[[ ${xdp_of[$arm]-} ]] || misuse "there is no arm '$arm'; see scripts/bench starve --help"
	bench_up 3 --timing "$timing" --heartbeat "$(awk "BEGIN { print ${timing%-*} / 5 }")" \
		--stall "$stall_ms" --xdp "${xdp_of[$arm]}" --realtime "${realtime_of[$arm]}"
	[[ $arm != xdp-nopoll ]] || lose_polls
}

# Why the nodes say that they started elections, since the log was so long.
log_sizes() {
	wc -l "/run/xraft-cluster/$XR_CLUSTER"/node.?.log | awk '$2 != "total" { print $1 }'
}

causes() {
	local node=0 before
	for before in "$@"; do
		node=$((node + 1))
		tail -n +$((before + 1)) "/run/xraft-cluster/$XR_CLUSTER/node.$node.log"
	done | sort | { grep -E 'starts an election|no longer leads|stood still|disk|killed' || true; } |
		head -n 40 | jq -R . | jq -cs .
}

measure() {
	local arm=$1 timing=$2 rung=$3 s pause=0 load=$3 sizes
	s=$(seconds_of "$timing")
	if [[ $rung == pause-* ]]; then
		pause=${rung#pause-} load=idle
	fi
	load_start "$load" $((s + 15)) 3
	nap 0.3
	mapfile -t sizes < <(log_sizes)
	bench_run "$build/tests/bench/bench_starve" --cluster "$XR_CLUSTER" --nodes 3 --seconds "$s" --pause "$pause" \
		>"$work/seen"
	load_stop
	nap 0.1
	jq -c --arg arm "${words[$arm]}" --arg timing "$timing" --arg rung "$rung" \
		--argjson causes "$(causes "${sizes[@]}")" '{$timing, $rung, $arm} + . + {$causes}' \
		"$work/seen" >>"$work/samples"
}

for timing in ${timings//,/ }; do
	for ((round = $(rounds_of "$timing"); round; round--)); do
		for arm in ${arms//,/ }; do
			set_up "$arm" "$timing"
			for rung in ${only//,/ }; do
				progress "$timing ms, ${words[$arm]}, $rung"
				measure "$arm" "$timing" "$rung"
			done
			bench_down
		done
	done
done

# shellcheck disable=SC2016 # the variables are jq's
bench_json '{
	what: "elections that nothing but load has caused, and heartbeats that did not arrive, a minute",
	runs: (($rungs / ",") as $order | ($timings / ",") as $times | ($arms / ",") as $names
		| group_by([.timing, .rung, .arm]) | map((map(.seconds) | add) as $seconds | (map(.elections) | add) as $elections
		| {timing: .[0].timing, rung: .[0].rung, arm: .[0].arm, seconds: $seconds, elections: $elections,
			elections_a_minute: ($elections * 60 / $seconds | round(1)),
			missed_a_minute: ((map(.missed) | add) * 60 / $seconds | round(0)),
			missed_percent: ((map(.missed) | add) * 100 / ([(map(.due) | add), 1] | max) | round(2)),
			longest_silence_ms: (map(.worst_gap_ms) | max),
			cpu_away_ms: (map(.cpu_away_ms) | max), unseen_s: (map(.unseen_s) | add),
			causes: (map(.causes) | add)})
		| sort_by(.timing as $t | .rung as $r | [($times | index($t)), ($order | index($r))]))}' \
	--arg rungs "$only" --arg timings "$timings" --arg arms "$arms"
bench_query '(["timeout ms", "rung", "arm", "seconds", "elections", "a minute", "missed a minute", "missed %",
		"longest silence ms", "CPU away ms"]),
	(.runs[] | [.timing, .rung, .arm, .seconds, .elections, .elections_a_minute, .missed_a_minute, .missed_percent,
		.longest_silence_ms, .cpu_away_ms]) | @tsv' | bench_table
{
	echo
	echo "Elections are new terms: nothing failed, so each is a false one. Missed: heartbeats that neither came nor"
	echo "were fetched by a poll, seen in the contact stamps. CPU away: for so long at worst a CPU ran nothing, not even"
	echo "a thread of priority 95, because the host took it, the kernel throttled real-time tasks, or interrupts had it."
	echo "Against FIFO hogs realtime = 60: at the default, 20, the engine gets no CPU (--arms xdp-20). And stall_limit_ms ="
	echo "$stall_ms: the kernel's workers starve too, a write takes seconds, and a node whose disk hangs falls silent."
} | bench_say
bench_query '.runs[] | select(.timing == "'"${timings%%,*}"'") | [.rung, .arm, .elections_a_minute] | @tsv' |
	bench_bars "elections a minute at ${timings%%,*} ms"

# The target of a rung, unless the machine itself stood still for longer than the election timeout.
judge() {
	local rung=$1 got s away
	read -r got s away < <(bench_query ".runs[] | select(.timing == \"5-10\" and .rung == \"$rung\"
		and .arm == \"${words[xdp]}\") | \"\(.elections) \(.seconds) \(.cpu_away_ms)\"")
	if ((got > 0 && ${away%.*} >= 5)); then
		echo "5-10 ms, XDP, $rung: $got false elections in $s s, not judged, since a CPU was away for $away ms" | bench_say
	else
		bench_target "5-10 ms, XDP, $rung: false elections in $s s" "$got" '<=' 0 ''
	fi
}

if [[ ,$timings, == *,5-10,* && ,$arms, == *,xdp,* ]]; then
	for rung in ${only//,/ }; do
		judge "$rung"
	done
fi
bench_end
