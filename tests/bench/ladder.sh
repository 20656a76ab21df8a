#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034,SC2154 # lib.sh and the benches share these
#
# The ladder of loads that benches put on the machine. Sourced after lib.sh, never run.
#
#   load_start RUNG SECONDS NODES    in the background; returns at once
#   load_stop
#
# Every load ends by itself after SECONDS, and with the bench.

readonly rungs=idle,cpu,fifo,memory,disk,flood,flood-other
readonly memory_mb=512

ladder_help() {
	cat <<'END'
Rungs of the ladder:
  idle         nothing
  cpu          busy loops, 4 on each CPU
  fifo         the same at SCHED_FIFO 50
  memory       page faults, and reading what does not fit, in a memory cgroup of 512 MB
  disk         a writer on each CPU, 256 KB and fsync, on the disk that holds the journals
  flood        100,000 datagrams a second to all nodes' xraft, with right addresses and wrong tags
  flood-other  as many to another port
END
}

load_pids=()

load_run() {
	"$@" </dev/null {xr_idle}<&- &
	load_pids+=($!)
}

# The folder of a cgroup of ours that may hold so much memory, by cgroup v1 or v2. Without one the
# hogs are bounded all the same, but reclaim nothing.
memory_group=
make_memory_group() {
	local root=/sys/fs/cgroup/memory limit=memory.limit_in_bytes
	if [[ ! -d $root ]]; then
		root=/sys/fs/cgroup limit=memory.max
		grep -qsw memory "$root/cgroup.subtree_control" || return 0
	fi
	mkdir "$root/xraft-bench-$$" 2>/dev/null || return 0
	memory_group=$root/xraft-bench-$$
	echo $((memory_mb << 20)) >"$memory_group/$limit"
}

run_in_memory_group() {
	[[ ! $memory_group ]] || echo "$BASHPID" >"$memory_group/cgroup.procs"
	exec "$@"
}

# From the last node to all others, and from the first to the last, which else would get nothing;
# each target gets as much.
start_flood() {
	local seconds=$1 nodes=$2 port=$3
	if ((nodes == 2)); then
		flood_from 2 "$seconds" "$port" 100 1
		return
	fi
	# shellcheck disable=SC2046 # a list of numbers
	flood_from "$nodes" "$seconds" "$port" $((100 - 100 / nodes)) $(seq 1 $((nodes - 1)))
	flood_from 1 "$seconds" "$port" $((100 / nodes)) "$nodes"
}

flood_from() {
	local node=$1 seconds=$2
	shift 2
	load_run nsenter --net="/run/netns/xr-$XR_CLUSTER-$node" "$build/tests/bench/bench_load" flood \
		"$seconds" "/run/xraft-cluster/$XR_CLUSTER/node.$node.conf" "$@"
}

load_start() {
	local rung=$1 seconds=$2 nodes=$3 load=$build/tests/bench/bench_load
	case $rung in
	idle) ;;
	cpu | fifo) load_run "$load" "$rung" "$seconds" ;;
	disk) load_run "$load" disk "$seconds" "$out" ;;
	memory)
		make_memory_group
		load_run run_in_memory_group "$load" memory "$seconds" "$out"
		;;
	flood) start_flood "$seconds" "$nodes" 7007 ;;
	flood-other) start_flood "$seconds" "$nodes" 9 ;;
	*) die "there is no rung '$rung': ${rungs//,/, }" ;;
	esac
}

load_stop() {
	local pid tries
	for pid in "${load_pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	load_pids=()
	# The hogs die with their parent, but a moment later.
	for ((tries = 0; tries < 100; tries++)); do
		[[ -d $memory_group ]] || break
		rmdir "$memory_group" 2>/dev/null || nap 0.05
	done
	memory_group=
}
