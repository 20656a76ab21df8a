#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The README on three machines, word for word: its commands and its file make a cluster with a virtual
# address, which outlives the machine that served it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"

enter_machines
section() {
	sed -n '/^## On real machines/,/^## /p' "$xr_root/README.md"
}
section | awk '/^```/ { inside = /ini/; next } inside' >"$work/xraft.conf"
mapfile -t lines < <(section | sed -n 's/^    \([a-z].*\)/\1/p' | sed 's/ *#.*//')
[[ -s $work/xraft.conf && ${#lines[@]} -eq 10 ]] || fail "the README has other lines by now: ${lines[*]}"

# Three that only have their addresses.
make_packages 1
cluster up 3 --no-daemons --no-build --owner $$
for n in 1 2 3; do
	cluster exec "$n" ip address flush dev eth0
	cluster exec "$n" ip address add "10.0.0.$n/24" dev eth0
	boot "$n"
done

# Of itself a machine has what the README says that one has to bring there.
bring() {
	local root
	root=$(machine_root "$1")
	case $2 in
	apt*)
		mkdir -p "$root/root/build/package"
		cp "$packages"/*.deb "$root/root/build/package/"
		;;
	xraftd*)
		[[ $1 == 1 ]] || at 1 cat /etc/xraft/demo.key | at "$1" install -m 0600 /dev/stdin /etc/xraft/demo.key
		sed "s/^node = .*/node = $1/" "$work/xraft.conf" | at "$1" tee /etc/xraft/xraft.conf >/dev/null
		;;
	esac
}
# type MACHINE LINE
type_line() {
	at "$1" bash -c "cd /root; $2" >"$work/out" 2>&1 </dev/null || fail "machine $1: $2: $? $(cat "$work/out")"
}
works() {
	at "$1" bash -c "$2" >"$work/out" 2>&1
}

for n in 1 2 3; do
	for line in "${lines[@]}"; do
		case $line in
		scripts/* | "xraft status" | ping*) continue ;; # done; once all run
		"xraft keygen"*) [[ $n == 1 ]] || continue ;;
		esac
		say "$n # $line"
		bring "$n" "$line"
		type_line "$n" "$line"
		[[ $line != "xraftd --check" ]] || ! grep -v "in memory\|overlayfs" "$work/out" | grep "^warning" || fail "of a good start"
	done
done
for n in 1 2 3; do
	wait_for 15000 "machine $n: ${lines[-1]}" works "$n" "${lines[-1]}"
	type_line "$n" "xraft status"
	grep -q "10.0.0.100/24 of main" "$work/out" || fail "machine $n: xraft status tells no address: $(cat "$work/out")"
done

# By the words of xraft status. Sets server.
served_by_one() {
	local n
	server=
	for n; do
		at "$n" xraft status | grep -q "10.0.0.100/24 of main: served here" || continue
		[[ ! $server ]] || fail "machines $server and $n serve it"
		server=$n
	done
	[[ $server ]]
}
wait_for 5000 "one machine serves it" served_by_one 1 2 3
gone=$server
say "# machine $gone loses its power"
pull_plug "$gone"
mapfile -t rest < <(others 3 "$gone")
wait_for 15000 "another one serves it" served_by_one "${rest[@]}"
for n in "${rest[@]}"; do
	wait_for 15000 "machine $n: ${lines[-1]}" works "$n" "${lines[-1]}"
done
said_all=yes
