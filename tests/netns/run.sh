#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# xraft run on all nodes, with a command that forks, leaves its session and ignores SIGTERM: never on
# two nodes at once, and no token after a larger one, whatever happens to the leader. Nor do two nodes
# serve its virtual address meanwhile, which a client asks a thousand times a second (witness.c).
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
need_built tests/alone tests/witness xraft-agent
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
declare -A runner count
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
clean_up() {
	end_runners
}

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

# The guard, and its child, the runner.
both() {
	# shellcheck disable=SC2046 # one pid, and a space
	kill "-$2" "${runner[$1]}" $(</proc/"${runner[$1]}"/task/"${runner[$1]}"/children)
}

# The witness does what is to happen at once. Each returns when that has had its effect.
fault() {
	[[ $1 != freeze ]] || both "$2" STOP
	tell "fault ${1/freeze/stop} $2"
}

mend() {
	[[ $1 != kill ]] || cluster start "$2" --no-wait
	tell "mend ${1/freeze/stop} $2"
	[[ $1 != freeze ]] || kill -CONT "${runner[$2]}"
}

all=(1 2 3)
up 3 --timing "$timing" --heartbeat "$heartbeat" --client --virtual 10.77.0.100/24 >/dev/null
witness 10.77.0.100 3
tell "quiet 30"
for n in "${all[@]}"; do
	start_runner "$n"
done
next
for ((round = 0; round < rounds; round++)); do
	for kind in "${kinds[@]}"; do
		[[ $rounds -lt 100 ]] || kind=${kinds[RANDOM % ${#kinds[@]}]}
		was=$holder
		fault "$kind" "$was"
		count[$kind]=$((${count[$kind]-0} + 1))
		next
		mend "$kind" "$was"
		[[ $rounds -ge 100 ]] || say "$kind of node $was: node $holder runs it with token $token"
		[[ $rounds -lt 100 ]] || break
	done
	((rounds < 100 || (round + 1) % 50)) || say "$((round + 1)) rounds, token $token: $("$alone" judge "$seen")"
done
witness_end || fail "two nodes served the address: $said"
say "$said"
for kind in "${!count[@]}"; do say "${count[$kind]} times $kind"; done
end_runners
"$alone" judge "$seen" || fail "it ran where it must not"
[[ ! $ended ]] || fail "something that it ran is left"
down
