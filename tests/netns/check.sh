#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# xraft check, as a load balancer asks: leads (0), follows (1), nobody leads (2), cannot ask (3).
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# says NODE CODE
says() {
	local rc=0
	xraft -n "$XR_CLUSTER.$1" check -q g1 || rc=$?
	[[ $rc -eq $2 ]]
}

result() {
	xraft -n "$XR_CLUSTER.$1" check --json g1 | jq -r "$2"
}

all=(1 2 3)
up 3 --stall 3000 >/dev/null
wait_for 15000 "all agree" agreed "${all[@]}"
# shellcheck disable=SC2154 # agreed() sets them
read -r follower other < <(others 3 "$leader" | xargs)
wait_for 5000 "the leader leads" says "$leader" 0
wait_for 5000 "a follower follows" says "$follower" 1
[[ $(result "$leader" '"\(.result) \(.leader) \(.token == .term) \(.lease_left_ms > 0)"') == "leads $leader true true" ]] ||
	fail "it says: $(result "$leader" .)"
[[ $(result "$follower" '"\(.result) \(.leader) \(.token)"') == "follows $leader null" ]] ||
	fail "it says: $(result "$follower" .)"

cluster stop "$follower"
holds_for 500 "a follower whose daemon is paused follows" says "$follower" 1
wait_for 10000 "beyond the stall limit it knows of nobody" says "$follower" 2
cluster cont "$follower"
wait_for 10000 "it follows again" says "$follower" 1

cluster kill "$follower"
cluster kill "$other"
wait_for 10000 "a leader without a quorum leads no more" says "$leader" 2
cluster kill "$leader"
wait_for 10000 "nor does a dead one" says "$leader" 2
for wrong in "-n $XR_CLUSTER.1 check no-such-group" "-n $XR_CLUSTER.1 check" "-n $XR_CLUSTER.9 check g1" "check --nonsense g1"; do
	rc=0
	# shellcheck disable=SC2086 # several words
	xraft $wrong >/dev/null 2>&1 || rc=$?
	[[ $rc -eq 3 ]] || fail "xraft $wrong ends with $rc, not 3"
done
down
