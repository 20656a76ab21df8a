#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The way without packages onto a machine that has never seen xraft, word for word: the lines of user/README.md,
# then those of the README, and its file.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What this machine has already, or would keep.
if [[ ! ${XR_INSIDE-} ]]; then
	command -v systemd-tmpfiles >/dev/null || skip "there is no systemd-tmpfiles here"
	XR_INSIDE=1 unshare --mount --net --propagation private "${BASH_SOURCE[0]}"
	exit
fi
mount -t tmpfs none /mnt
cp -a /etc/. /mnt
rm -rf /mnt/xraft
mount --bind /mnt /etc
for dir in /var/lib /run /usr/local; do
	mount -t tmpfs none "$dir"
done
mount -t sysfs none /sys
mount -t bpf none /sys/fs/bpf
! id xraft >/dev/null 2>&1 || userdel xraft
ip link set lo up
ip link add eth0 type veth peer name peer0
ip address add 10.0.0.1/24 dev eth0
ip link set eth0 up
ip link set peer0 up

export PATH=/usr/local/bin:$PATH
# section FILE HEAD: the commands under it.
section() {
	sed -n "/^## $2/,/^## /p" "$xr_root/$1" | sed -n 's/^    \([a-z].*\)/\1/p'
}
awk '/^```/ { inside = /ini/; next } inside' "$xr_root/README.md" >"$work/xraft.conf"
mapfile -t lines < <(section user/README.md "Without packages"
	section README.md "On real machines" | grep "^xraft keygen\|^xraftd --check\|^xraft doctor"
	echo "xraftd --new")
[[ -s $work/xraft.conf && ${#lines[@]} -eq 6 ]] || fail "there are other lines by now: ${lines[*]}"
for line in "${lines[@]}"; do
	line=${line%%#*}
	say "# $line"
	case $line in
	scripts/*) cmake --install "$XR_BUILD" --prefix /usr/local >/dev/null && hash -r ;;
	systemd-sysusers*)
		bash -c "$line"
		[[ $(stat -c "%a %G" /sys/fs/bpf) == "710 xraft" ]] || fail "readers cannot pass: $(stat -c "%a %G" /sys/fs/bpf)"
		;;
	xraftd\ --new*)
		xraftd --new 2>"$work/log" &
		wait_for 5000 "it runs as user xraft" grep -q "started: node 1 .* engine as xraft" "$work/log"
		kill "$!"
		wait "$!" || fail "it ends with $?: $(cat "$work/log")"
		;;
	*)
		bash -c "$line" >"$work/out" 2>&1 || fail "$? $(cat "$work/out")"
		[[ $line != xraftd* ]] || ! grep -v "in memory" "$work/out" | grep "^warning" || fail "of a good start"
		cp -n "$work/xraft.conf" /etc/xraft/ 2>/dev/null || true
		;;
	esac
done
[[ $(stat -c "%U %a" /var/lib/xraft /var/lib/xraft/demo.1 | xargs) == "root 755 xraft 700" ]] ||
	fail "the state folders: $(stat -c "%U %a" /var/lib/xraft /var/lib/xraft/demo.1)"
