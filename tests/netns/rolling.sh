#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: rolling.sh
# All nodes are stopped and started again in turn, twice, as for an upgrade: it costs one hand-over where the
# leader is stopped, and nothing elsewhere. What speaks another version of the wire is told apart.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t all < <(seq 1 3)
up 3
wait_for 15000 "a leader" agreed "${all[@]}"

stopped() {
	! kill -0 "$1" 2>/dev/null
}

for round in 1 2; do
	for n in "${all[@]}"; do
		# shellcheck disable=SC2154 # agreed() sets them
		was=$leader before=$term
		pid=$(daemon_pid "$n")
		kill -TERM "$pid"
		wait_for 5000 "node $n has ended" stopped "$pid"
		mapfile -t rest < <(others 3 "$n")
		wait_for 5000 "the others agree without it" agreed "${rest[@]}"
		cluster start "$n"
		wait_for 15000 "all agree, round $round" agreed "${all[@]}"
		cost=$((term - before))
		if [[ $n == "$was" ]]; then
			((cost >= 1 && cost <= 2)) || fail "the leader's restart has cost $cost terms"
		else
			((cost == 0)) || fail "a follower's restart has cost $cost terms"
		fi
	done
done

# A datagram of another version, as a node sends that is not upgraded yet.
mapfile -t rest < <(others 3 "$leader")
frames catch "port${rest[0]}" "$work/beats" 1 "$leader" 1
frames forge "port${rest[0]}" "$work/beats" 4 9
told() {
	grep -q "dropped 1 datagrams or records: another version of the wire format: update all nodes" "$run/node.${rest[0]}.log"
}
wait_for 15000 "node ${rest[0]} says that another version was heard" told
agreed "${all[@]}" || fail "another version has moved somebody"
down
