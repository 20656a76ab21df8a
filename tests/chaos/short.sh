#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A little chaos: a seed that is always the same, and a fresh one, which is printed; then once
# more to see that whatever ends it, nothing is left behind.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export XR_BUILD=${XR_BUILD:-$xr_root/build}

need_built xraftd xraft bpf/pass.bpf.o tests/chaos/chaos_record tests/chaos/chaos_read tests/chaos/chaos_check

chaos() {
	"$xr_root/scripts/cluster" chaos --no-build "$@"
}

nothing_left() {
	[[ ! -e /run/xraft-cluster/chaos-$1 ]] && ! ip netns list | grep -q "^xr-chaos-$1-" &&
		! compgen -G "/sys/fs/bpf/xraft/chaos-$1-*" >/dev/null && ! pgrep -f "chaos_record chaos-$1 " >/dev/null
}

killed() {
	local victim tries
	# Not by the function above: a shell would stand between, and be what is killed.
	"$xr_root/scripts/cluster" chaos --no-build --seconds 60 --seed 3 >/dev/null 2>&1 &
	victim=$!
	for ((tries = 0; tries < 1500; tries++)); do
		[[ ! -s /run/xraft-cluster/chaos-$victim/leader ]] || break
		nap 0.01
	done
	((tries < 1500)) || { say "FAILED: no chaos-$victim has a leader after 15 s" && exit 1; }
	nap 1
	kill "-$1" "$victim"
	wait "$victim" 2>/dev/null || true
	for ((tries = 0; tries < 1500; tries++)); do
		nothing_left "$victim" && return
		nap 0.01
	done
	say "FAILED: something is left of it 15 s after SIG$1"
	exit 1
}

chaos --seconds 15 --seed 1
chaos --seconds 15 --nodes 5 --timing 50-100 --heartbeat 10
killed TERM
killed KILL
say "nothing is left behind when it is ended or killed"
