#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The section CONTAINERS of xraftd(8), by its very lines: two nodes are containers, each on a host of its own, and
# one is not. doctor names each right that is missing; a container that is killed has a successor.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ -x $(command -v podman) ]] || skip "there is no podman here; scripts/setup --vm installs it"

# ---- a host: a network namespace, and a mount namespace with /etc/xraft and a podman of its own ----
declare -A host
clean_up() {
	local n
	for n in "${!host[@]}"; do
		on "$n" "podman kill --all; podman rm --all --force; podman volume rm --all --force" >/dev/null 2>&1 || true
		kill "${host[$n]}" 2>/dev/null || true
	done
	find /sys/fs/cgroup -depth -path '*/libpod_parent*' -type d -exec rmdir {} + 2>/dev/null || true # the empty ones
}

make_host() {
	local here=$work/host.$1
	mkdir -p "$here"
	install -m 600 "$run/key" "$here/key"
	sed -e '/^user/d; /^state/d; /^socket/d; /^realtime/d' -e 's|^key.*|key = /etc/xraft/key|' "$run/node.$1.conf" >"$here/xraft.conf"
	cat >"$here/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:$(ulimit -Hn)", "nproc=4096:4096"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "$runtime"
		tmp_dir = "$here/tmp"
	END
	cat >"$here/storage.conf" <<-END
		[storage]
		driver = "vfs"
		graphroot = "$here/images"
		runroot = "$here/run"
	END
	# shellcheck disable=SC2016 # for the inner shell
	setpriv --pdeathsig KILL nsenter --net="/run/netns/xr-$XR_CLUSTER-$1" unshare --mount --propagation private bash -c '
		mkdir -p /etc/xraft && mount --bind "$0" /etc/xraft && exec sleep infinity' "$here" &
	host[$1]=$!
	wait_for 5000 "host $1 has its /etc/xraft" cmp -s "/proc/$!/root/etc/xraft/xraft.conf" "$here/xraft.conf"
}

# on HOST LINES
on() {
	nsenter --target "${host[$1]}" --net --mount env CONTAINERS_CONF="$work/host.$1/containers.conf" \
		CONTAINERS_STORAGE_CONF="$work/host.$1/storage.conf" bash -c "$2" 2>&1
}

# ---- the image: what the package holds, and what it needs ----
make_image() {
	local root=$work/image program library
	mkdir -p "$root"/{etc,run,tmp,usr/bin,usr/lib,usr/lib64,var/lib}
	ln -s usr/bin usr/lib usr/lib64 "$root"
	for program in xraft xraftd xraft-agent; do
		cp "$XR_BUILD/$program" "$root/usr/bin"
		ldd "$XR_BUILD/$program"
	done | grep -o '/[^ ]*' | sort -u >"$work/libraries"
	for library in $(<"$work/libraries") /usr/lib/*-linux-gnu/bpf/*.o; do
		cp -L --parents "$library" "$root"
	done
	printf '%s\n' root:x:0:0::/:/bin/sh xraft:x:999:999::/:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: xraft:x:999: >"$root/etc/group"
	tar -C "$root" -cf "$work/image.tar" .
}

# ---- the lines ----
recipe=$(awk '/^\.S[hH] / { here = $2 == "CONTAINERS" } here && /^\.Ed/ { exit } here && on; here && /^\.Bd/ { on = 1 }' \
	"$xr_root/user/man/xraftd.8")
options=${recipe%%\"$'\n'*}\"
line() {
	grep -e "$1" <<<"$recipe" || fail "the recipe has no line with $1"
}
# Other tests have nodes on this machine, too, so these are named.
does() {
	say "$1# $2" >&2
	on "$1" "$options; $(sed -E "s/ xraft (status|detach)$/ xraft -n $XR_CLUSTER.$1 \1/" <<<"$2")"
}

for runtime in runc crun ''; do
	[[ ! $(command -v "$runtime") ]] || break
done
[[ $runtime ]] || skip "there is neither crun nor runc here"
up 3 --no-daemons
make_image
for n in 1 2; do
	make_host "$n"
	on "$n" "podman import '$work/image.tar' xraft" >"$work/out" || skip "podman cannot import an image: $(<"$work/out")"
done
on 1 "podman run --rm --network host xraft xraft --version" >"$work/out" || skip "podman cannot run a container here: $(tail -n 1 "$work/out")"

# ---- each right ----
does 1 "$(line 'xraft doctor')" >"$work/out" || fail "doctor: $(<"$work/out")"
grep -q '^ok *rights' "$work/out" || fail "doctor misses a right: $(<"$work/out")"
for right in NET_ADMIN SYS_ADMIN SETUID SETGID SETPCAP CHOWN DAC_OVERRIDE KILL; do
	less=$(sed -E "/--cap-add/s/\b$right\b,?//; s/,$//; s|xraft:/var/lib|/var/lib|" <<<"$options")
	! on 1 "$less; $(line 'xraft doctor')" >"$work/out" || fail "doctor does not miss $right: $(<"$work/out")"
	grep -q "^FAIL *rights *CAP_$right missing" "$work/out" || fail "doctor does not miss $right: $(<"$work/out")"
	[[ $right != KILL ]] || continue
	! on 1 "$less; timeout 10 \$run xraft xraftd --new" >"$work/out" || fail "it starts without $right: $(<"$work/out")"
	say "without $right: $(tail -n 1 "$work/out")"
done
less=${options/SYS_ADMIN/BPF,PERFMON}
on 1 "$less; $(line 'xraft doctor')" >"$work/out" || true
grep -q "^FAIL *XDP *bpf() is refused in spite of CAP_BPF" "$work/out" || fail "who refuses bpf()? $(<"$work/out")"
on 1 "${options/--volume \/sys\/fs\/bpf:\/sys\/fs\/bpf/}; $(line 'xraft doctor')" >"$work/out" || true
grep -A 1 "^warn *bpffs" "$work/out" | grep -q -e "--volume /sys/fs/bpf" || fail "no bpffs: $(<"$work/out")"

# ---- a cluster ----
for n in 1 2; do
	does "$n" "$(line 'xraftd --new')" >"$work/out" || fail "$(<"$work/out")"
done
nsenter --net="/run/netns/xr-$XR_CLUSTER-3" xraftd --config "$run/node.3.conf" --new 2>"$run/node.3.log" &
helpers+=("$!")
wait_for 10000 "two containers and a host agree" agreed 1 2 3
does 1 "$(line 'exec xraft')" >"$work/out" || fail "$(<"$work/out")"
grep -q "node 1 of cluster $XR_CLUSTER: running" "$work/out" || fail "inside: $(<"$work/out")"
xraft -n "$XR_CLUSTER.1" status | grep -q "running (in another pid namespace" || fail "outside: $(xraft -n "$XR_CLUSTER.1" status)"
! xraft -n "$XR_CLUSTER.1" detach 2>/dev/null || fail "a running node was detached from outside of its container"
if [[ $leader == 3 ]]; then
	xraft -n "$XR_CLUSTER.3" transfer g1 1
	wait_for 5000 "a container leads" leads 1
	wait_for 5000 "all know" agreed 1 2 3
fi
old=$leader
on "$old" "podman kill --signal KILL xraft" >"$work/out" || fail "$(<"$work/out")"
# shellcheck disable=SC2046 # words
wait_for 10000 "container $old was killed, and another leads" agreed $(others 3 "$old")
again=$(line 'xraftd --new')
wait_for 5000 "the container is gone" eval "[[ -z \$(on $old 'podman ps --all --quiet') ]]"
does "$old" "${again% --new}" >"$work/out" || fail "$(<"$work/out")"
wait_for 10000 "it is back" agreed 1 2 3

# ---- nothing is left ----
for n in 1 2; do
	does "$n" "$(line 'podman stop')" >"$work/out" || fail "$(<"$work/out")"
	does "$n" "$(line 'xraft detach')" >"$work/out" || fail "$(<"$work/out")"
	! compgen -G "$pins-$n" || fail "pins of node $n are left"
	cluster exec "$n" ip -j link show dev eth0 | jq -e '.[0].xdp == null' >/dev/null || fail "node $n: its program is left"
	[[ ! $(on "$n" "podman ps --all --quiet") ]] || fail "host $n: a container is left"
	kill "${host[$n]}"
	unset "host[$n]"
done
kill "${helpers[@]}"
wait "${helpers[@]}" || fail "node 3 ends with $?"
helpers=()
down
