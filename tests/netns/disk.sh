#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: disk.sh hung|read-only|full
# The leader's state lies on a small filesystem of its own, whose disk then hangs, refuses to be
# written, or is full: a leader that cannot write leads no longer, in time, and says why.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly stall=1000
kind=$1 frozen=''
for tool in mkfs.ext4 fsfreeze; do
	command -v "$tool" >/dev/null || skip "there is no $tool here"
done
[[ -e /dev/loop-control ]] || skip "the kernel has no loop devices"

# What is frozen cannot be ended; all else is done by `down`.
clean_up() {
	[[ ! $frozen ]] || fsfreeze -u "$run/node.$old"
}

mapfile -t all < <(seq 1 3)
up 3 --stall "$stall"
agreed "${all[@]}" || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader
mapfile -t rest < <(others 3 "$old")

# Move the state of node $old to a disk of 16 MB, and make it the leader again.
cluster kill "$old"
truncate -s 16M "$work/disk"
mkfs.ext4 -q -F -m 0 "$work/disk"
mkdir "$work/mnt"
mount -o loop "$work/disk" "$work/mnt" 2>/dev/null || skip "no loop device can be mounted here"
cp -a "$run/node.$old/." "$work/mnt/"
chown --reference="$run/node.$old" "$work/mnt"
chmod 700 "$work/mnt"
umount "$work/mnt"
mount -o loop "$work/disk" "$run/node.$old"
cluster start "$old"

lead() {
	agreed "${all[@]}" || return 1
	[[ $leader != "$1" ]] || return 0
	xraft -n "$XR_CLUSTER.$leader" transfer g1 "$1" >/dev/null 2>&1 || true
	return 1
}

says() {
	grep -q "$2" "$run/node.$1.log"
}

# Not the log's time: when the first was seen without LEAD, or without a lease.
stopped_leading() {
	wait_for $((stall * 3)) "node $old no longer leads" no_longer_leads "$old"
	wait_for 15000 "the others have another leader" agreed "${rest[@]}"
	[[ $leader != "$old" && $term -gt $old_term ]] || fail "node $leader leads in term $term"
}

wait_for 15000 "node $old leads" lead "$old"
old_term=$term
case $kind in
hung)
	# A quiet node writes every half stall limit, and waits for it as long as the limit.
	fsfreeze -f "$run/node.$old"
	frozen=1
	stopped_leading
	holds_for 1500 "node $old does not lead while its disk hangs" no_longer_leads "$old"
	fsfreeze -u "$run/node.$old"
	frozen=''
	says "$old" "the disk has not completed a write for" || fail "node $old does not say what is wrong"
	says "$old" "no longer leads in term $old_term: .*disk" || fail "node $old does not say why it stepped down"
	wait_for 15000 "all agree again" agreed "${all[@]}"
	says "$old" "the disk completes writes again" || fail "node $old does not say that it is over"
	;;
read-only)
	# As a kernel does that has met an error.
	mount -o remount,abort "$run/node.$old" || skip "ext4 cannot be aborted here"
	stopped_leading
	says "$old" "no longer leads in term $old_term: .*disk" || fail "node $old does not say why it stepped down"
	gone() {
		[[ ! -d /proc/$(daemon_pid "$old") ]]
	}
	wait_for 15000 "after a failed write the daemon has ended (rule 7)" gone
	grep -iE "error|fail|cannot|read-only" "$run/node.$old.log" | tail -n 3
	umount "$run/node.$old"
	mount -o loop "$work/disk" "$run/node.$old"
	cluster start "$old"
	wait_for 15000 "with a disk that works, all agree again" agreed "${all[@]}"
	;;
full)
	# The journal has its room already, of which these votes take a part.
	dd if=/dev/zero of="$run/node.$old/ballast" bs=64k status=none 2>/dev/null || true
	dd if=/dev/zero of="$run/node.$old/ballast" bs=512 oflag=append conv=notrunc status=none 2>/dev/null || true
	[[ $(stat -f -c %a "$run/node.$old") -eq 0 ]] || fail "the disk is not full"
	for ((round = 0; round < 20; round++)); do
		wait_for 15000 "node ${rest[round % 2]} leads" lead "${rest[round % 2]}" >/dev/null
		wait_for 15000 "node $old leads" lead "$old" >/dev/null
	done
	say "node $old was elected 20 times, its disk being full; term $term"
	cluster kill "$old"
	cluster start "$old"
	wait_for 15000 "started on the full disk, it takes part" agreed "${all[@]}"
	! says "$old" "error" || fail "node $old complains"
	;;
*) fail "usage: disk.sh hung|read-only|full" ;;
esac
down
