#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# xraft run on all nodes, with a command that forks, leaves its session and ignores SIGTERM: never on
# two nodes at once, and no token after a larger one, whatever happens to the leader.
#   crash     its engine is killed
#   kill      its daemon is
#   stop      its daemon is paused beyond the stall limit
#   freeze    and so are xraft run's own two processes (with --pid-namespace)
#   link      its card goes down
#   transfer  it hands over
#
#   tests/netns/run.sh [--rounds N | --full] [--timing MIN-MAX] [--heartbeat MS] [--pid-namespace] [KIND...]
# --full: 500 rounds.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

alone=$XR_BUILD/tests/alone
[[ -x $alone ]] || skip "$alone is not built"
rounds=1 timing=150-300 heartbeat=50 options=() kinds=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--full) rounds=500 ;;
	--rounds) rounds=$2 && shift ;;
	--timing) timing=$2 && shift ;;
	--heartbeat) heartbeat=$2 && shift ;;
	--pid-namespace) options+=("$1") ;;
	*) kinds+=("$1") ;;
	esac
	shift
done
[[ ${#kinds[@]} -gt 0 ]] || kinds=(crash kill stop link transfer)
patience_ms=20000

seen=$work/seen
declare -A runner
start_runner() {
	xraft -n "$XR_CLUSTER.$1" run g1 --grace 0.2 "${options[@]}" -- "$alone" play "$seen" 2>>"$work/run.$1" {xr_idle}>&- &
	runner[$1]=$!
}

no_runner() {
	! kill -0 "${runner[@]}" 2>/dev/null
}

# Whatever they do, nothing of them outlives this test.
end_runners() {
	local tries pid
	kill -CONT "${runner[@]}" 2>/dev/null || true
	kill -TERM "${runner[@]}" 2>/dev/null || true
	for ((tries = 0; tries < 1500; tries++)); do
		! no_runner || break
		nap 0.01
	done
	# By the file's name, which is this test's alone; also the command lines of xraft run hold it.
	for pid in $(pgrep -f "play $seen" || true); do
		say "pid $pid does not end"
		ended=no
		kill -KILL "$pid" 2>/dev/null || true
	done
}
ended=
code=
trap 'code=$?; end_runners; finish "$code"' EXIT

# A command with a larger token than that of the last runs. Sets holder, token.
token=0
next() {
	local found
	found=$("$alone" wait "$seen" "$token" "$patience_ms") || {
		tail -n 5 "$work"/run.?
		fail "nothing runs with a token above $token"
	}
	read -r holder token <<<"$found"
}

port() {
	nsenter --net="/run/netns/xr-$XR_CLUSTER-sw" ip link set "port$1" "$2"
}

# The guard, and its child, the runner.
both() {
	# shellcheck disable=SC2046 # one pid, and a space
	kill "-$2" "${runner[$1]}" $(</proc/"${runner[$1]}"/task/"${runner[$1]}"/children)
}

fault() {
	case $1 in
	crash) cluster crash "$2" ;;
	kill) cluster kill "$2" ;;
	stop) cluster stop "$2" ;;
	freeze) both "$2" STOP && cluster stop "$2" ;;
	link) port "$2" down ;;
	transfer) xraft -n "$XR_CLUSTER.$2" transfer g1 $(($2 % 3 + 1)) >/dev/null ;;
	esac
}

mend() {
	case $1 in
	kill) cluster start "$2" --no-wait ;;
	stop | freeze) cluster cont "$2" ;;
	link) port "$2" up ;;
	esac
	[[ $1 != freeze ]] || kill -CONT "${runner[$2]}"
}

all=(1 2 3)
up 3 --timing "$timing" --heartbeat "$heartbeat" >/dev/null
for n in "${all[@]}"; do
	start_runner "$n"
done
next
for ((round = 0; round < rounds; round++)); do
	for kind in "${kinds[@]}"; do
		[[ $rounds -lt 100 ]] || kind=${kinds[RANDOM % ${#kinds[@]}]}
		was=$holder
		fault "$kind" "$was" || say "$kind of node $was came too late"
		next
		mend "$kind" "$was"
		[[ $rounds -ge 100 ]] || say "$kind of node $was: node $holder runs it with token $token"
		until agreed "${all[@]}"; do
			nap 0.02
		done
		[[ $rounds -lt 100 ]] || break
	done
	((rounds < 100 || (round + 1) % 50)) || say "$((round + 1)) rounds, token $token: $("$alone" judge "$seen")"
done
end_runners
"$alone" judge "$seen" || fail "it ran where it must not"
[[ ! $ended ]] || fail "something that it ran is left"
trap finish EXIT
down
