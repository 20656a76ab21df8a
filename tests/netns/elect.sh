#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: elect.sh NODES native|generic|off [--ipv6]
# Nodes elect one leader and keep it; ping is answered as ever; nothing is left behind.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

count=$1 mode=$2 ip=${3-}
prefix=10.77.0.
[[ $ip != --ipv6 ]] || prefix=fd77::
mapfile -t all < <(seq 1 "$count")

up "$count" --xdp "$mode" ${ip:+"$ip"}
agreed "${all[@]}" || fail "up has returned, but the nodes do not agree"
for n in "${all[@]}"; do
	found=$(field "$n" .nic.mode)
	[[ $found == "$mode" ]] || fail "node $n says that its NIC path is '$found', not '$mode'"
done

# shellcheck disable=SC2154 # agreed() sets them
elected="$leader $term"
same() {
	agreed "${all[@]}" && [[ "$leader $term" == "$elected" ]]
}
mapfile -t followers < <(others "$count" "$leader")
if [[ $count -eq 1 ]]; then
	holds_for 1000 "node 1 leads itself in term $term" same
	down
	exit
fi
follower=${followers[0]}
before=$(counter "$follower" heartbeat_answered)
holds_for 2000 "node $leader leads in term $term" same
grown=$(($(counter "$follower" heartbeat_answered) - before))
say "the NIC path of node $follower has answered $grown heartbeats"
if [[ $mode == off ]]; then
	[[ $grown -eq 0 ]] || fail "XDP is off, and yet something has answered $grown heartbeats"
else
	[[ $grown -ge 30 ]] || fail "at 50 ms these should have been about 40 in 2 s"
	[[ $(counter "$leader" ack_stamped) -ge 30 ]] || fail "the leader's NIC path has not stamped the acks"
fi
[[ $(field "$follower" '.g.contact_age_ms < 150') == true ]] || fail "node $follower has not heard its leader lately"

reaches "$follower" "$leader" "$prefix" || fail "ping to the leader is not answered"
reaches "$leader" "$follower" "$prefix" || fail "ping to a follower is not answered"
down
