#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# From a fault of the leader until every survivor has the next one.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench failover [OPTIONS]

Time from a fault of the leader until every survivor has the next one, seen from outside in the maps
of all nodes; election timeout 5-10 ms, heartbeat 1 ms.

  --rounds N      of each kind (300; 1000 with --full)
  --nodes LIST    sizes of the cluster (3,5)
  --kinds LIST    engine    kill -9 of the engine; the warden resigns for it
                  both      kill -9 of warden and engine
                  link      the leader's port goes down
                  transfer  handed over on request
  --seed S        of the moments at which the faults happen (1)
  --quick         20 rounds, 3 nodes
  --check         exit 1 where a target is missed, and name it on the last line

Between the rounds the disk is measured alone (fdatasync of what a vote writes), since two votes
on it are most of a failover.
END
}

# kind nodes what limit_ms: what has to hold, median or 99 in 100
targets='engine 3 p50 2
engine 5 p50 2.5
engine 3 p99 6
engine 5 p99 6
both 3 p50 7
both 5 p50 7
link 3 p50 10
link 5 p50 10
link 3 p99 40
link 5 p99 40
transfer 3 p50 2
transfer 5 p50 2'

rounds='' sizes='' kinds=engine,both,link,transfer seed=1
takes=([--rounds]=rounds [--nodes]=sizes [--kinds]=kinds [--seed]=seed)
bench_begin "$@"
rounds=${rounds:-$(by_form 20 300 1000)}
sizes=${sizes:-$(by_form 3 3,5 3,5)}

for nodes in ${sizes//,/ }; do
	for kind in ${kinds//,/ }; do
		progress "$rounds rounds of $kind with $nodes nodes"
		bench_up "$nodes" --timing 5-10 --heartbeat 1
		bench_run "$build/tests/bench/bench_failover" --cluster "$XR_CLUSTER" --nodes "$nodes" --kind "$kind" \
			--rounds "$rounds" --seed "$seed" --script "$xr_root/scripts/cluster" >"$work/rounds"
		jq -c --arg kind "$kind" --argjson nodes "$nodes" '{$kind, $nodes} + .' "$work/rounds" >>"$work/samples"
		bench_down
	done
done

bench_json '{election_ms: [5, 10], heartbeat_ms: 1, samples: .,
	runs: (group_by([.nodes, .kind]) | map({kind: .[0].kind, nodes: .[0].nodes,
		total_ms: (map(.total_us / 1000) | spread),
		phases_ms: ([.[].phases_us] | transpose | map(at(0.5) / 1000)
			| {noticed: .[0], decided: .[1], durable: .[2], elected: .[3]}),
		one_term: (map(select(.after - .before == 1)) | length),
		disk_ms: ([.[].disk_us[] / 1000] | spread)}))}'
bench_query '(["fault", "nodes", "rounds", "median ms", "99 %", "max", "noticed", "decided", "durable", "elected",
		"disk ms", "99 %", "max", "one term"]),
	(.runs[] | [.kind, .nodes, .total_ms.n, ((.total_ms | .p50, .p99, .max),
		(.phases_ms | .noticed, .decided, .durable, .elected), (.disk_ms | .p50, .p99, .max) | round(2)), .one_term])
	| @tsv' | bench_table
bench_query '.samples[] | ["\(.kind), \(.nodes) nodes", .total_us / 1000] | @tsv' |
	bench_cdf 'ms from the fault until every survivor has the new leader'

while read -r kind nodes what limit; do
	read -r got disk < <(bench_query ".runs[] | select(.kind == \"$kind\" and .nodes == $nodes)
		| \"\\(.total_ms.$what | round(2)) \\(.disk_ms.p99 | round(2))\"") || continue
	# The slowest rounds are the disk's, where the disk alone is as slow.
	if [[ $kind == engine && $what == p99 && ${disk%.*} -ge 3 ]]; then
		echo "$kind, $nodes nodes, 99 %: not judged, since the disk's own is $disk ms" | bench_say
	else
		bench_target "$kind, $nodes nodes, ${what/p50/median}" "$got" '<=' "$limit" ms
	fi
done <<<"$targets"
bench_end
