#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/cluster itself: it refuses nonsense, two clusters do not meet, cuts cut, and whatever
# happens to the process that wanted a cluster, nothing of it is left behind.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refused() {
	local out
	if out=$(cluster "$@" 2>&1 >/dev/null); then fail "cluster $* should have been refused"; fi
	[[ $(wc -l <<<"$out") -eq 1 ]] || fail "cluster $*: one sentence is due, not: $out"
	say "$out"
}

refused up 0
refused up 10
refused up 3 --timing fast
refused up 3 --xdp fast
refused status
refused kill 1
refused frob
cluster down >/dev/null || fail "down of nothing is no error"

up 2
refused up 2
refused kill 3
refused kill x
refused start 1
refused cut 1 1
[[ $(cluster status --json | jq -c '[.[] | [.node, .alive]]') == '[[1,true],[2,true]]' ]] || fail "status --json"
cluster kill 1
refused kill 1
[[ $(cluster status --json | jq -c '[.[] | [.node, .alive]]') == '[[1,false],[2,true]]' ]] || fail "status --json of a dead node"
cluster start 1

cluster cut 1 || fail "cut"
! reaches 1 2 || fail "ping gets through a cut"
cluster heal 1
reaches 1 2 || fail "ping does not get through after heal"
for dir in in out; do
	cluster cut 2 "$dir"
	! reaches 1 2 || fail "ping gets through a cut $dir"
	cluster heal 2
done

# A second cluster, with the same addresses, does not meet the first.
other=o$$
XR_CLUSTER=$other up 1 >/dev/null
agreed 1 2 || fail "another cluster has disturbed this one"
XR_CLUSTER=$other cluster down
agreed 1 2 || fail "the end of another cluster has disturbed this one"
down

# Its owner ends: the cluster ends.
sleep 60 &
owner=$!
cluster up 1 --no-build --owner "$owner" >/dev/null
kill -KILL "$owner"
wait_for 15000 "nothing is left of a cluster whose owner was killed" nothing_left

# The command itself is ended, by a signal that it can catch, or by one that it cannot.
for sig in TERM INT KILL; do
	set -m # so that SIGINT is not ignored in the background
	bash -c 'exec "$0" up 3 --no-build --owner $$ >/dev/null' "$xr_root/scripts/cluster" &
	victim=$!
	set +m
	wait_for 15000 "a namespace of a cluster that is being started" test -e "/run/netns/xr-$XR_CLUSTER-1"
	kill "-$sig" "$victim"
	wait "$victim" 2>/dev/null || true
	wait_for 15000 "nothing is left of it after SIG$sig" nothing_left
done
