#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# libxraft as others use it: installed, found by pkg-config, the examples of the manual on each node.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cmake --install "$XR_BUILD" --prefix "$work/usr" >/dev/null
flags=$(PKG_CONFIG_PATH=$work/usr/lib/pkgconfig pkg-config --cflags --libs xraft)
for example in leader value; do
	# shellcheck disable=SC2086 # several words
	cc -Wall -Wextra -Werror -o "$work/$example" "$xr_root/tests/example/$example.c" $flags "-Wl,-rpath,$work/usr/lib" \
		${XR_SANITIZED:+-fsanitize=address,undefined} || fail "the example $example does not compile"
done
[[ -e $work/usr/share/man/man3/libxraft.3 ]] || fail "the manual page is not installed"

mapfile -t all < <(seq 1 3)
up 3
! "$work/leader" "$XR_CLUSTER" 257 g1 2>"$work/said" || fail "it opens a node that cannot be"
grep -q "no maps of node 257" "$work/said" || fail "it does not say which node is missing: $(cat "$work/said")"
for n in "${all[@]}"; do
	nsenter --net="/run/netns/xr-$XR_CLUSTER-$n" "$work/leader" "$XR_CLUSTER" "$n" g1 >"$work/said.$n" 2>&1 &
	helpers+=($!)
	"$work/value" "$XR_CLUSTER" "$n" g1 >"$work/read.$n" 2>&1 &
	helpers+=($!)
done

read_by() {
	[[ $(tail -n 1 "$work/read.$1") == "$2" ]]
}

acted() {
	[[ $(tail -n 1 "$work/said.$1") == "acting with token $2" ]]
}

# Nobody but the leader acts any more: what the others said does not grow.
alone() {
	local n before after
	before=$(for n in $(others 3 "$1"); do wc -l <"$work/said.$n"; done)
	nap 0.5
	after=$(for n in $(others 3 "$1"); do wc -l <"$work/said.$n"; done)
	[[ $before == "$after" ]]
}

for fault in crash kill step-down; do
	wait_for 15000 "all agree" agreed "${all[@]}"
	# shellcheck disable=SC2154 # agreed() sets them
	wait_for 5000 "node $leader acts with token $term" acted "$leader" "$term"
	alone "$leader" || fail "another than node $leader acts"
	xraft -n "$XR_CLUSTER.$leader" set g1 "before a $fault" >/dev/null || fail "no value is set"
	id=$(xraft -n "$XR_CLUSTER.$leader" get --json g1 | jq -r .id)
	for n in "${all[@]}"; do
		wait_for 5000 "node $n tells its readers" read_by "$n" "$id: before a $fault"
	done
	old=$leader
	case $fault in
	step-down) xraft -n "$XR_CLUSTER.$old" step-down g1 >/dev/null ;;
	*) cluster "$fault" "$old" ;;
	esac
	[[ $fault != kill ]] || cluster start "$old"
done
wait_for 15000 "all agree" agreed "${all[@]}"
wait_for 5000 "node $leader acts with token $term" acted "$leader" "$term"
kill "${helpers[@]}"
down
