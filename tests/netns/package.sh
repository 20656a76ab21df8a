#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages on a machine with systemd: installed, started by the unit, upgraded, removed,
# purged; and what the agent can do there, its hooks among it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck source=machines.sh
. "$(dirname "${BASH_SOURCE[0]}")/machines.sh"

enter_machines
make_packages 1 2
readonly address=10.77.0.100/24
cluster up 3 --no-daemons --no-build --owner $$ --virtual "$address"
boot 1
root=$(machine_root 1)
in_machine() {
	at 1 "$@"
}

# Its pins are there, and its processes have other numbers.
node() {
	if [[ $1 == 1 ]]; then in_machine xraft status --json; else xraft -n "$XR_CLUSTER.$1" status --json; fi
}

# ---- installed ----

install_release() {
	cp "$packages"/*-"$1"_*.deb "$root/mnt/"
	in_machine sh -c "dpkg --install /mnt/*-$1_*.deb && rm /mnt/*.deb" >"$work/out" 2>&1 || fail "$(cat "$work/out")"
}
in_machine find / -xdev -not -path '/tmp/*' -not -path '/proc/*' >"$work/before"
install_release 1
in_machine id xraft >/dev/null || fail "there is no user xraft"
[[ $(in_machine stat -c '%a %G' /etc/xraft /sys/fs/bpf | xargs) == "755 root 710 xraft" ]] || fail "the folders"
in_machine systemd-analyze verify xraftd.service >"$work/out" 2>&1 || fail "systemd-analyze: $(cat "$work/out")"
! grep xraft "$work/out" || fail "systemd-analyze complains"
in_machine systemd-analyze security --threshold=40 xraftd.service >"$work/out" || fail "the unit has more rights than it needs: $(cat "$work/out")"
say "systemd-analyze security: $(tail -n 1 "$work/out")"
in_machine systemctl start xraftd || fail "a node that is not configured does not fail, it is not started"
! in_machine systemctl is-active -q xraftd || fail "started without a configuration"

# ---- started ----

for n in 2 3; do
	nsenter "--net=/run/netns/xr-$XR_CLUSTER-$n" setpriv --pdeathsig KILL \
		"$XR_BUILD/xraftd" --config "$run/node.$n.conf" --new >"$work/log.$n" 2>&1 &
	helpers+=($!)
done
in_machine tee /etc/xraft/demo.key <"$run/key" >/dev/null
in_machine chmod 0600 /etc/xraft/demo.key
sed -E '/^(state|socket|user) /d; s|^key .*|key = /etc/xraft/demo.key|' "$run/node.1.conf" |
	in_machine tee /etc/xraft/xraft.conf >/dev/null
# Why the agent is under the unit: it lets systemd start what goes with the leader, and leaves a file.
in_machine tee /etc/systemd/system/with-leader.service <<-END >/dev/null
	[Service]
	ExecStart=sleep infinity
END
in_machine tee /usr/local/sbin/hook <<-"END" >/dev/null
	#!/bin/sh
	echo "begins $XRAFT_EVENT $XRAFT_TOKEN" >>/var/lib/hook/told
	case $XRAFT_EVENT in
	become_leader) systemctl start with-leader ;;
	lose_leadership) sleep 0.5 && systemctl stop with-leader ;; # longer than others need to end
	esac
	echo "ends $XRAFT_EVENT $XRAFT_TOKEN" >>/var/lib/hook/told
END
in_machine chmod 0755 /usr/local/sbin/hook
in_machine mkdir /var/lib/hook
in_machine tee -a /etc/xraft/xraft.conf <<-END >/dev/null
	[http]
	listen = 127.0.0.1
	[hooks]
	become_leader = /usr/local/sbin/hook
	lose_leadership = /usr/local/sbin/hook
	user = root
END
in_machine xraftd --check >"$work/out" 2>&1 || fail "$(cat "$work/out")"
! grep "^warning: members" "$work/out" || fail "readers cannot pass"
in_machine systemctl set-environment XRAFTD=--new
in_machine systemctl start xraftd || fail "the unit does not start"
in_machine systemctl unset-environment XRAFTD
wait_for 15000 "all agree" agreed 1 2 3
[[ $(node 1 | jq -r '"\(.nic.mode) \(.nic.attach != "none")"') == "native true" ]] || fail "no XDP under the unit: $(node 1)"
! in_machine journalctl --no-pager -o cat -u xraftd -p warning | grep -v "MTU\|overlayfs\|-- " || fail "it warns under its unit"
[[ $(in_machine ps -o cls= -p "$(in_machine pgrep -n xraftd)") == *FF* ]] || fail "its engine has no SCHED_FIFO"
[[ $(in_machine stat -c '%U %a' "/var/lib/xraft/$XR_CLUSTER.1") == "xraft 700" ]] || fail "whose are the votes?"
in_machine setpriv --reuid 54321 --regid 54321 --groups xraft xraft status >/dev/null || fail "a member of xraft reads no status"
in_machine systemctl reload xraftd || fail "reload"

# What a shell offers after `xraft WORDS`.
completes() {
	# shellcheck disable=SC2016 # the inner shell's
	in_machine bash -c '. /usr/share/bash-completion/completions/xraft
		COMP_WORDS=(xraft "$@") COMP_CWORD=$#
		_xraft; echo "${COMPREPLY[*]}"' - "$@"
}
[[ $(completes st) == "status step-down" ]] || fail "commands are not completed: $(completes st)"
[[ $(completes status --) == "--brief --json --counters --check" ]] || fail "options are not completed: $(completes status --)"
[[ $(completes -n "") == "$XR_CLUSTER.1" ]] || fail "nodes are not completed: $(completes -n "")"
[[ $(completes transfer "") == g1 && $(completes transfer g1 "") == "2 3" && $(completes check "") == g1 && $(completes watch "") == g1 ]] ||
	fail "groups and voters are not completed"
# And after `xraftd WORD`, or another command that has options alone.
completes_options() {
	# shellcheck disable=SC2016 # the inner shell's
	in_machine bash -c '. "/usr/share/bash-completion/completions/$1"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_xraftd "$1"; echo "${COMPREPLY[*]}"' - "$@"
}
[[ $(completes_options xraftd --j) == --join && $(completes_options xraftd "") == "--config --new --join --check --keys --version --help" ]] ||
	fail "options of xraftd are not completed: $(completes_options xraftd "")"
[[ $(completes_options xraft-agent --c) == --config && $(completes_options xraftd --config /etc/xraft/xraft.c) == /etc/xraft/xraft.conf ]] ||
	fail "the configuration is not completed"

lead() {
	# shellcheck disable=SC2154 # agreed() sets them
	[[ $leader == 1 ]] || xraft -n "$XR_CLUSTER.$leader" transfer g1 1 >/dev/null || true
	agreed 1 2 3 && [[ $leader == 1 ]]
}

# ---- upgraded: while it leads, which costs one hand-over ----

wait_for 15000 "node 1 leads" lead
has_address() {
	cluster exec 1 ip -o address show dev eth0 | grep -q " $address "
}
serves() {
	has_address && [[ $(node 1 | jq -c '[.addresses[].served]') == "[true]" ]] && in_machine systemctl is-active -q with-leader
}
wait_for 15000 "its agent has put the virtual address there, and called its hook" serves
[[ $(in_machine ps -o user= -p "$(in_machine pgrep -x xraft-agent)") == xraft ]] || fail "whose is the agent?"
[[ $(in_machine curl -s http://127.0.0.1:7070/leader/g1 | jq .token) == "$term" ]] || fail "HTTP does not say that it leads"
! in_machine journalctl --no-pager -o cat -u xraftd | grep "cannot" || fail "something is not permitted under the unit"
before=$term pid=$(in_machine systemctl show -P MainPID xraftd)
install_release 2
[[ $(in_machine systemctl show -P MainPID xraftd) != "$pid" ]] || fail "the upgrade has not restarted it"
wait_for 15000 "all agree" agreed 1 2 3
[[ $leader != 1 && $term -eq $((before + 1)) ]] || fail "an upgrade cost more than a hand-over: node $leader, term $term after $before"
grep -q "resign" "$work/log.2" "$work/log.3" || grep -q "heir\|handed" "$work/log.2" "$work/log.3" || fail "nobody was told: $(tail "$work"/log.?)"

! in_machine systemctl is-active -q with-leader || fail "what goes with the leader runs on: $(in_machine cat /var/lib/hook/told)"
in_machine grep -q "ends lose_leadership $before" /var/lib/hook/told || fail "the hook was ended in its midst: $(in_machine cat /var/lib/hook/told)"
wait_for 5000 "and it has no virtual address" eval "! has_address"

# ---- killed, and refused ----

pid=$(in_machine systemctl show -P MainPID xraftd)
in_machine sh -c "kill -KILL $pid"
is_back() {
	[[ $(in_machine systemctl show -P MainPID xraftd) != ["0$pid"] ]] && in_machine systemctl is-active -q xraftd
}
wait_for 15000 "systemd starts what was killed" is_back
wait_for 15000 "all agree" agreed 1 2 3

# ---- removed, while it leads, and purged ----

wait_for 15000 "node 1 leads" lead
wait_for 15000 "and serves the virtual address" serves

in_machine dpkg --remove xraft libxraft-dev libxraft0 >"$work/out" 2>&1 || fail "$(cat "$work/out")"
! in_machine find /sys/fs/bpf/xraft -name "xr_*" | grep . || fail "pins stay: $(cat "$work/out")"
! cluster exec 1 ip -d link show eth0 | grep "prog/xdp" || fail "the XDP program stays"
! cluster exec 1 tc qdisc show dev eth0 | grep clsact || fail "the fence of virtual addresses stays"
! has_address || fail "a virtual address stays"
in_machine rm -r /usr/local/sbin/hook /etc/systemd/system/with-leader.service /var/lib/hook
in_machine test -e "/var/lib/xraft/$XR_CLUSTER.1/journal" || fail "votes are gone before a purge"
in_machine dpkg --purge xraft libxraft-dev libxraft0 >"$work/out" 2>&1 || fail "$(cat "$work/out")"
in_machine find / -xdev -not -path '/tmp/*' -not -path '/proc/*' >"$work/after"
! comm -13 <(sort "$work/before") <(sort "$work/after") | grep -v "^/var/log\|^/var/cache\|^/etc/.*-$\|^/var/lib/dpkg\|^/var/lib/systemd" ||
	fail "files stay after a purge"
! in_machine ls -d /run/xraft /sys/fs/bpf/xraft 2>/dev/null | grep . || fail "folders stay after a purge"
said_all=yes
