#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# No reader needs root: a member of the group reads maps and socket, and can change nothing; anyone
# else can do neither. On a bpffs as systemd mounts it, with what tmpfiles.d/xraft.conf makes of it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [[ ! ${XR_INSIDE-} ]]; then
	getent group games >/dev/null || skip "there is no group games here"
	XR_INSIDE=1 unshare --mount --propagation private "${BASH_SOURCE[0]}"
	exit
fi
mount -t bpf -o mode=0700 none /sys/fs/bpf

as() {
	local group=$1
	shift
	setpriv --reuid 54321 --regid 54321 --groups "$group" "$@"
}
member() {
	as games "$@"
}
stranger() {
	as 54322 "$@"
}
# refused WORDS COMMAND...: it fails, and says so in one line.
refused() {
	local words=$1
	shift
	! "$@" >"$work/said" 2>&1 || fail "this should have been refused: $*"
	if [[ $(wc -l <"$work/said") -ne 1 ]] || ! grep -q "$words" "$work/said"; then
		fail "$*: $(cat "$work/said")"
	fi
}

# The programs where a stranger can run them.
chmod 0755 "$work"
install -m 0755 "$XR_BUILD/xraft" "$work/xraft"
cc -Wall -Wextra -Werror -o "$work/leader" -I "$xr_root/include" "$xr_root/tests/example/leader.c" \
	-L "$XR_BUILD/user" -l:libxraft.so.0 "-Wl,-rpath,$work" ${XR_SANITIZED:+-fsanitize=address,undefined} ||
	fail "the example does not compile"
cp "$XR_BUILD/user/libxraft.so.0" "$work/"

up 3
for n in 1 2 3; do
	[[ $(stat -c '%a %G' "$pins-$n" "$pins-$n/xr_groups" | xargs) == "700 root 600 root" ]] ||
		fail "pins without a group: $(stat -c '%a %G' "$pins-$n" "$pins-$n/xr_groups")"
	cluster kill "$n"
	sed -i '/^user = /a group = games' "$run/node.$n.conf"
done
cluster exec 1 xraftd --check --config "$run/node.1.conf" >"$work/said" 2>&1 || fail "$(cat "$work/said")"
grep -q "warning: members of group games cannot pass /sys/fs/bpf" "$work/said" || fail "nobody says that bpffs is root's"
chgrp games /sys/fs/bpf && chmod 0710 /sys/fs/bpf
! cluster exec 1 xraftd --check --config "$run/node.1.conf" | grep "cannot pass" || fail "said of a bpffs that they can pass"
for n in 1 2 3; do
	cluster start "$n"
done
wait_for 15000 "all agree" agreed 1 2 3
# shellcheck disable=SC2154 # agreed() sets them
me=$XR_CLUSTER.$leader socket=$(jq -nr --arg s "$(grep '^socket' "$run/node.$leader.conf")" '$s | sub("socket = "; "")')
[[ $(stat -c '%a %U %G' "$pins-$leader" "$pins-$leader/xr_groups" "$socket" | xargs) == \
	"750 root games 640 root games 660 root games" ]] || fail "$(stat -c '%n %a %U %G' "$pins-$leader"{,/xr_groups} "$socket")"

[[ $(member "$work/xraft" -n "$me" status --json | jq -r '.groups[0] | "\(.role) \(.term)"') == "leader $term" ]] || fail "status"
[[ $(member "$work/xraft" --socket "$socket" status --json | jq -r '.groups[0].role') == leader ]] || fail "status of the daemon"
xraft -n "$me" set g1 "to whom it may concern" >/dev/null || fail "no value is set"
[[ $(member "$work/xraft" -n "$me" get g1) == "to whom it may concern" ]] || fail "a member reads no value"
member "$work/xraft" -n "$me" status --counters >/dev/null || fail "status --counters"
member "$work/leader" "$XR_CLUSTER" "$leader" g1 >"$work/acts" 2>&1 &
helpers+=($!)
member timeout 30 "$work/xraft" -n "$me" watch --oldest >"$work/watch" 2>&1 &
helpers+=($!)
wait_for 5000 "a member knows that its node leads" grep -q "acting with token $term" "$work/acts"
wait_for 5000 "a member watches" grep -q "leads in term $term" "$work/watch"

# It orders nothing, and writes nothing, by whatever way.
refused "as root" member "$work/xraft" -n "$me" step-down g1
refused "as root" member "$work/xraft" -n "$me" set g1 "mine now"
refused "as root" member "$work/xraft" -n "$me" transfer g1 $((leader % 3 + 1))
! member bpftool map update pinned "$pins-$leader/xr_groups" key 1 0 0 0 value hex "$(printf '00 %.0s' {1..64})" 2>/dev/null ||
	fail "a member writes to a map"
! member rm "$pins-$leader/xr_groups" 2>/dev/null || fail "a member removes a pin"
for what in status "status --json"; do
	# shellcheck disable=SC2086 # two words
	refused "no right to\|cannot be read" stranger "$work/xraft" -n "$me" $what
done
refused "ermission denied\|cannot be read\|no right" stranger "$work/xraft" --socket "$socket" status
refused "no right" stranger "$work/leader" "$XR_CLUSTER" "$leader" g1
agreed 1 2 3 || fail "there is no leader any more"
[[ $me == "$XR_CLUSTER.$leader" ]] || fail "the leader has changed"

# Whom it no longer is, it no longer believes itself.
xraft -n "$me" step-down g1 >/dev/null
said=$(wc -l <"$work/acts")
wait_for 15000 "another leads" agreed 1 2 3
[[ $me != "$XR_CLUSTER.$leader" ]] || { xraft -n "$me" step-down g1 && wait_for 15000 "another leads" agreed 1 2 3; }
nap 0.3
(($(wc -l <"$work/acts") <= said + 1)) || [[ $me == "$XR_CLUSTER.$leader" ]] || fail "a reader believes in a leader that has resigned"
kill "${helpers[@]}"
down
