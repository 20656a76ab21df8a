#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a packet costs in the NIC path.
# shellcheck disable=SC2016 # the variables are jq's
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench fastpath [OPTIONS]

What a packet costs in the XDP program, verdict by verdict, in nanoseconds; beside a bare reflector,
and beside the floor, which is the least that an authenticated answer can do: reflector, clock, two
SipHash over the same bytes. Then the rate of answers that really leave, on one CPU.

  --rounds N   each round runs every program some hundred times in a row (1000)
  --quick      100 rounds
  --full       5000 rounds
  --loose      with --check: fail only where a ratio is far off, as on a busy machine
  --check      exit 1 where a target is missed, and name it on the last line

The frame is in the cache and the same branches are taken over and over, which flatters all of them
alike. The live rate is over veth, of which the other end is emptied by the same CPU.
END
}

declare -A limits=([one]=1.25 [more]=50 [rate]=60)
# Ratios only, that a busy or instrumented machine keeps too.
declare -A loose_limits=([one]=3 [share]=4 [rate]=20)

rounds='' loose=''
takes=([--rounds]=rounds)
switches=([--loose]=loose)
[[ $EUID -eq 0 ]] || skip "needs root (network namespaces, BPF)"
bench_begin "$@"
if [[ ! $rounds ]]; then
	rounds=1000
	[[ ! $quick ]] || rounds=100
	[[ ! $full ]] || rounds=5000
fi

progress "$rounds rounds"
rc=0
"$build/tests/bench/bench_fastpath" "$build/bpf/xraft.bpf.o" "$build/tests/bench/fastpath.bpf.o" "$rounds" \
	>"$work/samples" || rc=$?
[[ $rc -eq 0 ]] || exit "$rc"

# A sample is the mean of a batch, so percentiles are those of batches and not of packets.
bench_json '{rounds: (.[0].ns | length),
	arms: map({arm, records, ns: (.ns | spread), rate: (if .rate == [] then null else .rate | spread end)})}
	| . as $all
	| def of($arm): $all.arms[] | select(.arm == $arm) | .ns.p50;
	  def rate($arm): $all.arms[] | select(.arm == $arm) | .rate.p50;
	  . + {floor_ns: of("+ two SipHash: the floor"), one_ns: of("heartbeat answered"),
		needed_ns: of("+ view, mark, stamp, second look"),
		more_ns: ((of("87 heartbeats answered") - of("heartbeat answered")) / 86),
		floor_more_ns: ((of("floor of 87") - of("+ two SipHash: the floor")) / 86),
		rate_share: (100 * rate("heartbeat answered") / rate("reflector"))}
	| . + {one_ratio: (.one_ns / .floor_ns), needed_ratio: (.needed_ns / .floor_ns)}'
bench_query '. as $all | (["program", "median ns", "99 %", "max", "of the floor", "live frames/s"]),
	(.arms[] | [.arm, (.ns | (.p50, .p99, .max) | round(1)), (.ns.p50 / $all.floor_ns | round(2)),
		(if .rate then .rate.p50 | round(0) else "" end)]) | @tsv' | bench_table
bench_query '"",
	"A heartbeat answered is \(.one_ratio | round(2)) x the floor; socket, view, mark, stamp and second look alone, which",
	"rules 4, 8 and 10 ask for, make it \(.needed_ratio | round(2)) x. Each further group costs \(.more_ns | round(1)) ns, of which",
	"\(.floor_more_ns | round(1)) ns are the two SipHash."' | bench_say
one=$(bench_query '.one_ratio | round(2)') rate=$(bench_query '.rate_share | round(1)')
if [[ $loose ]]; then # and no picture
	bench_target 'a heartbeat answered' "$one" '<=' "${loose_limits[one]}" 'x the floor'
	bench_target 'each further group' "$(bench_query '.more_ns / .floor_more_ns | round(2)')" '<=' \
		"${loose_limits[share]}" 'x its two SipHash'
	bench_target 'live rate' "$rate" '>=' "${loose_limits[rate]}" '% of the reflector'
else
	jq -r 'select(.arm | test("^(reflector|\\+ two SipHash: the floor|\\+ view.*|heartbeat answered)$"))
		| .arm as $arm | .ns[] | select(. > 0) | "\($arm)\t\(.)"' "$work/samples" | bench_cdf 'ns a packet'
	bench_target 'a heartbeat answered' "$one" '<=' "${limits[one]}" 'x the floor'
	bench_target 'each further group' "$(bench_query '.more_ns | round(1)')" '<=' "${limits[more]}" ns
	bench_target 'live rate' "$rate" '>=' "${limits[rate]}" '% of the reflector'
fi
bench_end
