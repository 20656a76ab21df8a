#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How soon a virtual address is served by the next node, and whether ever by two.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench address [OPTIONS]

A client asks a virtual address a thousand times a second, while the node that serves it fails:
xraft-agent at 5-10 and 150-300 ms, and keepalived from Debian at its fastest advert_int of 10 ms
and at its default of 1 s, in the same namespaces. Time from the fault to the first answer of the
next node, and all answers that left a node which was no longer to serve (tests/netns/witness.c says
how both are seen). On each node something answers at the address, whatever becomes of the daemon.

  --rounds N      of each fault (30; 3 with --quick, 100 with --full), half or a third of that at settings
                  whose failovers take seconds
  --arms LIST     of xraft, default, unfenced (the fence of the kernel switched off), keepalived,
                  keepalived-default (all)
  --kinds LIST    crash     kill -9 of the engine; xraft only
                  kill      kill -9 of all processes
                  stop      all processes are paused, beyond the stall limit (100 ms at 5-10)
                  link      the node's port goes down
                  transfer  handed over on request; xraft only
  --no-fetch      keepalived only if it is installed or was fetched before
  --check         exit 1 where two nodes served, or the unfenced did not

END
	bench_fetch_help
}

# Of each arm: timing, heartbeat, stall limit of xraft, or advert_int in s of keepalived; the time that
# has to be quiet after a fault, in ms; and the part of the rounds.
declare -A settings=(
	[xraft]='5-10 1 100 300 1' [default]='150-300 50 1000 400 2' [unfenced]='5-10 1 100 300 3'
	[keepalived]='0.01 0.01 0 300 1' [keepalived-default]='1 1 0 4500 3'
)
readonly address=10.77.0.100
nodes=(1 2 3)
declare -A pid_of

# ---- what fails, and comes back ----

start_keepalived() {
	local base=$run/peer.$1
	rm -f "$base".pid "$base".vrrp # it takes its dead self for alive
	setsid nsenter --net="/run/netns/xr-$XR_CLUSTER-$1" "${peer_env[@]}" keepalived -n -l -D -P -f "$base.conf" -p "$base.pid" \
		-r "$base.vrrp" </dev/null >>"$base.log" 2>&1 {xr_idle}>&- &
	pid_of[$1]=-$!
	disown
}

# Nobody puts them back while all of the node is dead or paused; they may still be off since the last time,
# for on a busy machine it takes seconds to load the program.
unfence() {
	"$xr_root/scripts/cluster" exec "$1" sh -c 'tc qdisc del dev eth0 clsact; ip link set dev eth0 xdp off' 2>/dev/null
}

start() {
	if [[ $arm == keepalived* ]]; then
		start_keepalived "$1"
		return
	fi
	"$xr_root/scripts/cluster" start "$1" --no-wait
}

# ---- the rounds ----

round() {
	local kind=$1 node=$2
	tell "fault $kind $node ${pid_of[$node]-}"
	[[ $arm != unfenced ]] || unfence "$node"
	nap 0.2 # for whoever still answers
	[[ $kind != kill ]] || start "$node"
	tell "mend $kind $node ${pid_of[$node]-}"
	echo "$said" >>"$work/samples.$arm"
}

run_arm() {
	local timing heartbeat stall quiet part kind node i n
	read -r timing heartbeat stall quiet part <<<"${settings[$arm]}"
	n=$(((rounds + part - 1) / part))
	progress "$arm: $n rounds of each fault"
	run=/run/xraft-cluster/$XR_CLUSTER
	pid_of=()
	if [[ $arm == keepalived* ]]; then
		bench_up 3 --client --no-daemons
		for node in "${nodes[@]}"; do
			configure_keepalived "$node" - "$timing" >"$run/peer.$node.conf"
			start "$node"
		done
		witness "$address" 3 --no-maps
	else
		bench_up 3 --client --virtual "$address/24" --timing "$timing" --heartbeat "$heartbeat" --stall "$stall"
		witness "$address" 3
	fi
	tell "quiet $quiet"
	node=${said#* }
	for kind in ${kinds//,/ }; do
		[[ $arm != keepalived* || ! $kind =~ crash|transfer ]] || continue
		[[ $arm != unfenced || $kind =~ kill|stop ]] || continue
		for ((i = 0; i < n; i++)); do
			round "$kind" "$node"
			node=$(jq .leader <<<"$said")
		done
	done
	witness_end || true # the table tells
	jq -c --arg arm "$arm" '{$arm} + .' "$work/samples.$arm" <(echo "$said") >>"$work/samples"
	bench_stop
	bench_down
}

bench_stop() {
	[[ ${#pid_of[@]} -eq 0 ]] || kill -KILL -- "${pid_of[@]}" || true
	pid_of=()
}

rounds='' arms=xraft,default,unfenced,keepalived,keepalived-default kinds=crash,kill,stop,link,transfer
takes=([--rounds]=rounds [--arms]=arms [--kinds]=kinds)
switches=([--no-fetch]=no_fetch)
bench_begin "$@"
rounds=${rounds:-$(by_form 3 30 100)}
load=$(cut -d ' ' -f 1 /proc/loadavg)
for arm in ${arms//,/ }; do
	[[ ${settings[$arm]-} ]] || misuse "there is no arm '$arm'; see scripts/bench address --help"
	if [[ $arm == keepalived* ]] && ! bench_fetch keepalived keepalived; then
		progress "SKIPPED: $arm, since keepalived is neither here nor can be fetched"
		continue
	fi
	run_arm
done

# shellcheck disable=SC2016 # the variables are jq's
bench_json '{$load, samples: ., runs: (map(select(.kind)) | group_by([.arm, .kind]) | map(
		{arm: .[0].arm, kind: .[0].kind, first_ms: (map(.first_ms) | spread), straight_ms: (map(.straight_ms) | spread),
		old_ms: (map(.last_ms) | spread), stale: (map(.stale) | add),
		interleaved: (map(.interleaved | .asked + .knocked) | add), asked: (map(.interleaved.asked) | add),
		rounds_with_two: (map(select(.interleaved | .asked + .knocked > 0)) | length),
		two_ms: (map(.both_ms) | max)})),
	wholes: map(select(.faults))}' --arg load "$load"
# shellcheck disable=SC2016 # likewise
bench_query '(["served by", "fault", "rounds", "first answer: median ms", "99 %", "max", "last of the old: median ms", "max",
		"rounds with two", "interleaved", "of them to the client", "for ms", "stale"]),
	(.arms = ["xraft", "default", "unfenced", "keepalived", "keepalived-default"] | . as $all
	| .arms[] as $arm | $all.runs[] | select(.arm == $arm) | [.arm, .kind, .first_ms.n,
		((.first_ms | .p50, .p99, .max), (.old_ms | .p50, .max) | round(2)),
		.rounds_with_two, .interleaved, .asked, (.two_ms | round(1)),
		(if $arm | startswith("keepalived") then "-" else .stale end)])
	| @tsv' | bench_table
{
	bench_query '.wholes[] | "\(.arm): \(.faults) faults, \(.a_second | round) questions a second to the address, \(.answered) answered; straight to each node \(.knocks), \(.knocks_answered) answered; stale \(.stale), interleaved \(.interleaved)"'
	echo "load at the beginning: $load"
	cat <<-'END'
		Served by: xraft at 5-10 ms with a stall limit of 100 ms, "default" at 150-300 and 1000, "unfenced" as xraft
		with clsact and XDP program taken off a node that has failed, keepalived at advert_int 0.01 and 1. Last of the old: the last answer
		that left the node at fault before it was mended; a paused leader of xraft leads on until the stall limit.
		Interleaved: answers that left a node after one of the next node's had left that, to a client that follows its
		neighbour table, or (the rest) to those that have not heard of the change. They count until the fault is mended,
		0.2 s after the first answer of the next, of xraft also after that. Stale: answers that left a node whose maps
		held no lease. The service itself is a process of its own, and never paused.
	END
} | bench_say
bench_query '.samples[] | select(.kind) | ["\(.arm), \(.kind)", .first_ms] | @tsv' |
	bench_cdf 'ms from the fault to the first answer of the next node'

for arm in ${arms//,/ }; do
	wrong=$(bench_query "[.runs[] | select(.arm == \"$arm\") | [.stale, .interleaved] | max] | add")
	case $arm in
	unfenced) bench_target "$arm: answers too many" "$wrong" '>=' 1 answers ;;
	xraft | default) bench_target "$arm: answers too many" "$wrong" '<=' 0 answers ;;
	esac
done
bench_end
