#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Bad input ends with a non-zero code and one sentence that says what is wrong and what to do. No
# file of the node is touched by it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 1 --xdp off
cluster kill 1
good=$run/node.1.conf
state=$run/node.1
bad=$work/bad.conf
failures=0

fingerprint() {
	(cd "$1" && find . -type f -exec sha256sum {} + | sort)
}

# refused NAME PATTERN COMMAND...: the sentence matches the pattern (case does not matter).
refused() {
	local name=$1 pattern=$2 rc=0 lines
	shift 2
	timeout 5 "$@" >"$work/out" 2>&1 || rc=$?
	lines=$(grep -c . "$work/out" || true)
	if [[ $rc -eq 0 || $rc -ge 124 ]]; then
		say "FAILED: $name: ends with $rc"
	elif [[ $lines -ne 1 && $rc -ne 2 ]]; then # 2: wrong usage; a word about it may follow
		say "FAILED: $name: one sentence is due, not $lines lines"
	elif ! head -n 1 "$work/out" | grep -qiE -e "$pattern"; then
		say "FAILED: $name: the sentence does not say '$pattern'"
	elif [[ $before && $(fingerprint "$state") != "$before" ]]; then
		say "FAILED: $name: the node's state has changed"
	else
		say "$name: $rc: $(head -n 1 "$work/out")"
		return
	fi
	sed 's/^/    /' "$work/out"
	failures=$((failures + 1))
}

daemon=(nsenter "--net=/run/netns/xr-$XR_CLUSTER-1" xraftd)

# broken NAME PATTERN SED-SCRIPT: the configuration, changed by the script.
broken() {
	sed -E "$3" "$good" >"$bad"
	refused "$1" "$2" "${daemon[@]}" --config "$bad"
}

before=$(fingerprint "$state")
refused "no such configuration" "$work/none" "${daemon[@]}" --config "$work/none"
broken "unknown node" "node" 's/^node = 1/node = 4/'
broken "node that cannot be" "node" 's/^node = 1/node = 77/'
broken "node that is no number" "node" 's/^node = 1/node = one/'
broken "duplicate node" "1|twice|duplicate" 's/^(1 = 10.*)$/\1\n1 = 10.77.0.9/'
broken "duplicate group id" "group|id" 's/^(g1 = .*)$/\1\ng2 = 1: 1/'
broken "duplicate group name" "g1" 's/^(g1 = .*)$/\1\ng1 = 2: 1/'
broken "unknown voter" "5|voter|node" 's/^g1 = 1: 1/g1 = 1: 1 5/'
broken "group without voters" "g1|voter" 's/^g1 = 1: 1/g1 = 1:/'
broken "address that is none" "10\.77\.0\.x" 's/^1 = 10.*/1 = 10.77.0.x/'
broken "unknown key word" "colour" 's/^node = 1/node = 1\ncolour = red/'
broken "unknown section" "weather" 's/^\[timing\]/[weather]\nrain = 1\n[timing]/'
broken "line without a value" "line|:[0-9]+" 's/^heartbeat_ms.*/heartbeat_ms/'
broken "timing the wrong way round" "300|150|election" 's/150-300/300-150/'
broken "timing that is no number" "election" 's/150-300/soon/'
broken "heartbeat above the election timeout" "heartbeat" 's/^heartbeat_ms = .*/heartbeat_ms = 400/'
broken "XDP mode that is none" "fast" 's/^xdp = off/xdp = fast/'
broken "interface missing" "eth7" 's/^interface = eth0/interface = eth7/'
broken "interface that sees nothing" "eth0, or xdp = off" 's/^interface = eth0/interface = lo/; s/^xdp = .*/xdp = auto/'
broken "address of a network" "10\.77\.0\.255, node 2's" 's/^(1 = 10.*)$/\1\n2 = 10.77.0.255/; s/^g1 = 1: 1/g1 = 1: 1 2/'
broken "user missing" "useradd .* nosuch" 's/^user = .*/user = nosuch/'
id xraft >/dev/null 2>&1 || broken "no user named, and no xraft" "useradd .* xraft, or set" '/^user = /d'
broken "state that is somebody else's" "/etc holds .*somebody else's" 's|^state = .*|state = /etc|'
install -d -m 777 "$work/open"
broken "state that all can write" "chmod go-w $work/open" "s|^state = .*|state = $work/open|"
broken "socket without its folders" "install -d -m 0755 $work/no/no" "s|^socket = .*|socket = $work/no/no/socket|"
broken "key file missing" "$work/no-key" "s|^key = .*|key = $work/no-key|"
broken "cluster name too long" "name|cluster" 's/^name = .*/name = a-name-that-is-too-long/'
broken "state without its folder" "$work/no/state" "s|^state = .*|state = $work/no/state|"
echo short >"$work/short-key"
chmod 600 "$work/short-key"
broken "bad key" "key" "s|^key = .*|key = $work/short-key|"
xraft keygen "$work/open-key" >/dev/null
chmod 644 "$work/open-key"
broken "key that others can read" "key|chmod|mode|0?600" "s|^key = .*|key = $work/open-key|"
mkdir -m 700 "$work/empty"
broken "no state, and not started as new" "--new|new|state" "s|^state = .*|state = $work/empty|"

# A check says what a start would run into, and what is only unwise. A start waits for its address.
unready() {
	sed -E "$3" "$good" >"$bad"
	refused "$1" "$2" sh -c '"$@" >/dev/null' sh "${daemon[@]}" --check --config "$bad"
}
unready "address not on this machine" "10\.77\.0\.200.* is on no interface" 's/^1 = 10.*/1 = 10.77.0.200/'
unready "new state without its folders" "install -d -m 0755 $work/no/no" "s|^state = .*|state = $work/no/no/state|"
unwise() {
	sed -E "$2" "$good" >"$bad"
	"${daemon[@]}" --check --config "$bad" | grep "^warning: .*; " >"$work/out" || true
	grep -E "$1" "$work/out" || fail "of $2 a check says only: $(cat "$work/out")"
}
in_node() {
	nsenter "--net=/run/netns/xr-$XR_CLUSTER-1" "$@"
}
in_node ip link add eth1 type veth peer name peer1
in_node ip address add 10.78.0.1/24 dev eth1
in_node ip link set eth1 mtu 9000
unwise "eth1 is down; ip link set dev eth1 up" 's/^interface = .*/interface = eth1/; s/^xdp = .*/xdp = auto/'
unwise "eth1 has an MTU of 9000" 's/^interface = .*/interface = eth1/; s/^xdp = .*/xdp = auto/'
unwise "is on eth0.* not pass eth1: the NIC path" 's/^interface = .*/interface = eth1/; s/^xdp = .*/xdp = auto/'
unwise "10\.78\.0\.1, node 2's .* is on eth1 of this machine" 's/^(1 = 10.*)$/\1\n2 = 10.78.0.1/; s/^g1 = 1: 1/g1 = 1: 1 2/'
unwise "no way to node 2" 's/^(1 = 10.*)$/\1\n2 = 10.79.0.1/; s/^g1 = 1: 1/g1 = 1: 1 2/'
unwise "port 40000" 's/^1 = 10.*/1 = 10.77.0.1:40000/'
unwise "/no/such, a hook, cannot be called" '$ a [hooks]\nbecome_leader = /no/such'
unwise "/etc/passwd, a hook, is no program" '$ a [hooks]\nnew_leader = /etc/passwd'
unwise "no user nobody-else, .* correct \[agent\] user" '$ a [agent]\nuser = nobody-else'
unwise "no user nobody-else, .* correct \[hooks\] user" '$ a [hooks]\nuser = nobody-else'
unwise "is in memory" "s|^state = .*|state = /dev/shm/xraft-state|"

# The kernel's own reason, from the daemon and from the doctor, who tries and leaves nothing behind.
in_node ip link set eth1 up
in_node ip link set peer1 mtu 9000
broken "native XDP at a large MTU" "native XDP is refused: veth: .*MTU" 's/^interface = .*/interface = eth1/; s/^xdp = .*/xdp = native/'
native() {
	in_node xraft doctor --interface eth1 --try | grep "  native XDP  "
}
[[ $(native) == *"refused a program: veth: "*MTU* ]] || fail "the doctor hides the reason: $(native)"
for end in eth1 peer1; do in_node ip link set "$end" mtu 1500; done
[[ $(native) == ok*"which is off again" ]] || fail "the doctor: $(native)"
[[ $(in_node ip link show eth1) != *xdp* ]] || fail "the doctor has left a program behind"
in_node ip link set dev eth1 xdpgeneric obj "$XR_BUILD/bpf/pass.bpf.o" sec xdp
[[ $(native) != *again ]] || fail "the doctor tries where another program is: $(native)"
[[ $(in_node ip link show eth1) == *xdpgeneric* ]] || fail "the doctor has taken another's program off"
in_node ip link set dev eth1 xdpgeneric off

in_node ip link add br0 type bridge
in_node ip link set eth1 master br0
in_node ip address add 10.80.0.1/24 dev br0
sed -E 's/^interface = .*/interface = eth1/; s/^1 = 10.*/1 = 10.80.0.1/; s/^xdp = .*/xdp = auto/' "$good" >"$bad"
! "${daemon[@]}" --check --config "$bad" | grep "not pass" || fail "what br0 receives has passed eth1, its port"
in_node ip link del br0
in_node ip link del eth1

# Limits, before anything is attached or opened.
refused "few files" "64 files open here, and a node needs 128; set LimitNOFILE=" \
	prlimit --nofile=64:64 -- "${daemon[@]}" --config "$good"
refused "small files" "4 kB here, and the journal takes up to .* set LimitFSIZE=" \
	prlimit --fsize=4096:4096 -- "${daemon[@]}" --config "$good"
in_node prlimit --nofile=64:64 -- xraft doctor --config "$good" >"$work/out" 2>&1 || true
grep -A 1 "FAIL  limits .* 64 files open" "$work/out" | grep "LimitNOFILE=" || fail "the doctor does not see the limit"

# While it runs its state may change.
cluster start 1
before=
refused "a node that runs already" "run|lock|use" "${daemon[@]}" --config "$good"
cluster kill 1
before=$(fingerprint "$state")

# All that it needs is its own; only the rights are missing.
install -d -o nobody -m 700 "$work/nobody"
sed -E "s|^(state = ).*|\1$work/nobody/state|; s|^(key = ).*|\1$work/nobody/key|; s|^xdp = off|xdp = native|" \
	"$good" >"$work/nobody/conf"
cp "$run/key" "$work/nobody/key"
chown nobody "$work/nobody/"*
chmod 711 "$work"
refused "no rights" "root|right|capab|permi" nsenter "--net=/run/netns/xr-$XR_CLUSTER-1" \
	setpriv --reuid nobody --clear-groups --inh-caps=-all --bounding-set=-all \
	"$XR_BUILD/xraftd" --config "$work/nobody/conf" --new

refused "unknown option" "--frob" xraftd --frob
refused "unknown command" "frob" xraft frob
refused "no change of members" "list, add, promote or remove" xraft member
refused "unknown change of members" "list, add, promote or remove" xraft member frob g 4
refused "no node to add" "something is missing" xraft member add g
refused "two nodes to add" "too much" xraft member add g 4 5
refused "list of a node" "too much" xraft member list g 4
refused "no such node" "from 1 to 9" xraft member add g 10
refused "long name of a group" "15 characters" xraft member list sixteen-letters-
refused "learner removed" "--learner is an option of add" xraft member remove --learner g 4
refused "unknown option of member" "--frob" xraft member list --frob g
refused "unknown node of xraft" "nobody.1|nobody" xraft -n nobody.1 status
refused "key file that exists" "exist|over" xraft keygen "$run/key"
refused "key that cannot be written" "$work/no/key" xraft keygen "$work/no/key"

# State that is damaged is never guessed around.
cp -a "$state" "$work/damaged"
find "$work/damaged" -type f -exec perl -0777 -pi -e \
	'for ($at = 8; $at + 4 < length; $at += 512) { substr($_, $at, 4) = "\xff\0\xff\0" }' {} +
damaged=$(fingerprint "$work/damaged")
[[ $damaged != "$before" ]] || fail "the state is not damaged"
broken "damaged state" "damage|corrupt|checksum" "s|^state = .*|state = $work/damaged|"
[[ $(fingerprint "$work/damaged") == "$damaged" ]] || fail "the damaged state has been changed"

# A full disk.
mkdir "$work/full"
if mount -t tmpfs -o size=64k none "$work/full" 2>/dev/null; then
	dd if=/dev/zero of="$work/full/ballast" bs=4k status=none 2>/dev/null || true
	sed -E "s|^state = .*|state = $work/full/state|" "$good" >"$bad"
	refused "full disk" "space|full" "${daemon[@]}" --config "$bad" --new
	umount "$work/full"
fi

# After all that it starts as if nothing had happened.
cluster start 1
agreed 1 || fail "node 1 does not lead its cluster of one any more"
[[ $failures -eq 0 ]] || fail "$failures of the cases above"
down
