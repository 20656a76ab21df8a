#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Machines with a systemd of their own, one at each node of a cluster without daemons: this machine's
# files under an overlay, in which all that is written is lost in the end. Sourced after lib.sh.
# shellcheck disable=SC2154 # lib.sh sets them

# Packages from these sources; and a mount namespace, in which the test begins anew.
enter_machines() {
	local tool
	[[ ! ${XR_INSIDE-} ]] || return 0
	for tool in dpkg systemd-analyze systemd-sysusers cpack dpkg-shlibdeps; do
		command -v "$tool" >/dev/null || skip "there is no $tool here"
	done
	grep -qw overlay /proc/filesystems || skip "this kernel has no overlayfs"
	[[ -x /lib/systemd/systemd ]] || skip "there is no systemd here"
	! dpkg-query -W xraft 2>/dev/null | grep -q . || skip "xraft is installed on this machine"
	XR_INSIDE=1 unshare --mount --propagation private "$0"
	exit
}

# A systemd takes the control group in which it begins for the root of all, so each has one. Those of
# tests that were killed are empty.
remove_groups() {
	local group
	for group; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}
make_group() {
	local old
	if [[ ! -d $work/groups ]]; then
		mkdir "$work/groups"
		mount -t cgroup2 none "$work/groups"
	fi
	for old in "$work"/groups/xr-t*; do
		old=${old##*/xr-t}
		[[ -d /proc/${old%.*} ]] || remove_groups "$work/groups/xr-t$old"
	done
	mkdir "$work/groups/xr-$XR_CLUSTER.$1"
}

packages=$XR_BUILD/package
# make_packages RELEASE...
make_packages() {
	local release
	rm -f "$packages"/*.deb
	for release; do
		nice "$xr_root/scripts/package" --dir "$packages" --release "$release" >/dev/null || fail "scripts/package"
	done
}

# Of each by its number: the process that holds it, its init as it is seen from here.
machines=() inits=()
machine_root() {
	echo "$work/root.$1"
}

# Of what a boot does it does nothing: it would do it to this machine.
make_root() {
	local n=$1 root up=$work/overlay/up.$1
	root=$(machine_root "$n")
	if ! mountpoint -q "$work/overlay"; then
		mkdir "$work/overlay"
		mount -t tmpfs none "$work/overlay"
	fi
	mkdir -p "$root" "$up" "$work/overlay/work.$n"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$up,workdir=$work/overlay/work.$n" "$root"
	rm -rf "$root"/{etc,lib}/systemd/system/{sysinit,multi-user,basic,sockets,timers}.target.wants
	rm -rf "$root"/{etc,var/lib,run}/xraft "$root/etc/systemd/system/xraftd.service"*
	! grep -q '^xraft:' /etc/passwd || chroot "$root" userdel xraft
}

# boot N: the machine of node N.
boot() {
	local n=$1
	make_root "$n"
	cat >"$work/boot.$n" <<-END
		cd "$(machine_root "$n")"
		mount --rbind /dev dev
		mount -t proc none proc
		mount -t sysfs none sys
		mount -t bpf -o mode=0700 none sys/fs/bpf
		mount -t tmpfs -o mode=0755 none run
		mkdir run/lock
		mount -t tmpfs none sys/fs/cgroup
		mkdir sys/fs/cgroup/unified
		mount -t cgroup2 none sys/fs/cgroup/unified
		exec chroot . env -i container=xraft PATH=$PATH /lib/systemd/systemd --system --unit=basic.target
	END
	make_group "$n"
	(
		echo "$BASHPID" >"$work/groups/xr-$XR_CLUSTER.$n/cgroup.procs"
		exec nsenter "--net=/run/netns/xr-$XR_CLUSTER-$n" setsid setpriv --pdeathsig KILL \
			unshare --mount --pid --fork --kill-child --uts --ipc --cgroup bash "$work/boot.$n"
	) </dev/null >"$work/console.$n" 2>&1 &
	machines[n]=$!
	wait_for 60000 "machine $n has started" boots "$n"
	at "$n" systemctl start systemd-journald.service
}

boots() {
	inits[$1]=$(pgrep -P "${machines[$1]}" -x systemd) && at "$1" systemctl is-active -q basic.target 2>/dev/null
}

# at N COMMAND...: in the machine of node N.
at() {
	local n=$1
	shift
	nsenter --all --target "${inits[n]}" --root --wd env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# As if its plug were pulled.
pull_plug() {
	kill -KILL "${machines[$1]}" 2>/dev/null || true
	wait "${machines[$1]}" 2>/dev/null || true
}

# Not after a test that said all there is to say.
said_all=
clean_up() {
	local n
	[[ ${XR_INSIDE-} ]] || return 0
	trap - ERR
	for n in "${!machines[@]}"; do
		[[ $said_all ]] || at "$n" systemctl --no-pager --full --lines 30 status xraftd || true
		pull_plug "$n"
		umount -l "$(machine_root "$n")"
	done
	remove_groups "$work/groups/xr-$XR_CLUSTER."*
	umount -l "$work/overlay" "$work/groups"
}
