#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What chaos and soak share: options, chance, what can be done to a node, the recorder, the
# beginning and the end. Sourced, never run. Who sources it defines usage(), sets the defaults
# below and `takes`, and calls parse, begin_cluster, start_recorder, stop_recorder, judge.
# shellcheck disable=SC2034,SC2154 # who sources it uses these, and sets those
set -Eeuo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tool=${0##*/}
declare -A takes=() # options of this tool alone: [--minutes]=minutes sets $minutes
raised=0 seed='' nodes=3 groups=1 timing=150-300 heartbeat=50 stall=1000 xdp=native history='' show='' reads=''
up_options=()

build=${XR_BUILD:-$xr_root/build}
[[ $build == /* ]] || build=$PWD/$build
export XR_CLUSTER=$tool-$$
readonly run=/run/xraft-cluster/$XR_CLUSTER tools=$build/tests/chaos

parse() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--ipv6 | --no-build) up_options+=("$1") ;;
		--show) show=1 ;;
		--readers) reads=1 ;;
		-h | --help)
			usage
			exit
			;;
		*)
			case $1 in
			--seed | --nodes | --groups | --timing | --heartbeat | --stall | --xdp | --history) takes[$1]=${1#--} ;;
			esac
			[[ ${takes[$1]-} ]] || misuse "unknown option '$1'; see scripts/cluster $tool --help"
			[[ $# -ge 2 ]] || misuse "$1 needs a value; see scripts/cluster $tool --help"
			printf -v "${takes[$1]}" %s "$2"
			shift
			;;
		esac
		shift
	done
	[[ $nodes =~ ^[2-9]$ ]] || die "--nodes '$nodes': write 2 to 9"
	[[ $groups =~ ^[1-9][0-9]?$ && $groups -le 63 ]] || die "--groups '$groups': write 1 to 63"
	[[ $timing =~ ^([0-9]+)-([0-9]+)$ ]] || die "--timing '$timing': write MIN-MAX in ms, for example 150-300"
	max_ms=$((10#${BASH_REMATCH[2]}))
	[[ $stall =~ ^[1-9][0-9]*$ ]] || die "--stall '$stall': write ms"
	[[ ! $seed || $seed =~ ^[0-9]{1,9}$ ]] || die "--seed '$seed': write up to nine digits"
	seed=${seed:-$((SRANDOM % 1000000000))}
	# All must agree so soon after the end of all faults: a start's promise, the longest timeout,
	# three split votes, and what a busy machine takes to start daemons.
	limit_ms=$((5 * max_ms + 1500))
}

# ---- chance ----

# Sets r to 0 ... $1-1 (Knuth's MMIX generator).
state=0
random() {
	state=$((state * 6364136223846793005 + 1442695040888963407))
	r=$((((state >> 33) & 0x7fffffff) % $1))
}

between() {
	random $(($2 - $1 + 1))
	r=$((r + $1))
}

seed_random() {
	state=$seed
	random 2 # the first few say little of the seed
	random 2
}

# parse_mix KNOWN: sets kinds, by $mix, each as often as it weighs.
parse_mix() {
	local known=$1 part i
	for part in ${mix//,/ }; do
		[[ $part =~ ^([a-z]+)(:([0-9]{1,3}))?$ && $known == *" ${BASH_REMATCH[1]} "* ]] ||
			misuse "--kinds: '$part' is no kind; see scripts/cluster $tool --help"
		for ((i = 0; i < ${BASH_REMATCH[3]:-1}; i++)); do
			kinds+=("${BASH_REMATCH[1]}")
		done
	done
	[[ ${#kinds[@]} -gt 0 ]] || die "--kinds '$mix': which?"
}

# ---- time ----

read_clock() {
	now_ms=$((${EPOCHREALTIME/./} / 1000))
}

nap_ms() {
	nap "$(($1 / 1000)).$((($1 % 1000) / 100))$((($1 % 100) / 10))$(($1 % 10))"
}

sleep_until() {
	read_clock
	((now_ms >= $1)) || nap_ms $(($1 - now_ms))
	read_clock
}

# ---- what can be done to a node ----

kinds=()
declare -A cut_in cut_out cut_pair loss_of count

note() {
	echo "$*" >&"$notes"
}

# Sets pid, if the node's daemon runs. Forks nothing.
find_pid() {
	local id
	{ read -r id <"$run/node.$1.pid"; } 2>/dev/null && proc_alive "$id" && pid=${id%%:*}
}

signal() {
	find_pid "$1" || wrong "the daemon of node $1 has ended by itself"
	kill "-$2" -- "-$pid"
}

wrong() {
	say "VIOLATION: $*"
	note "VIOLATION: $*"
	failed=1
	exit 1
}

# Whoever died in the middle of a write holds the lock until the disk has done it.
has_ended() {
	! find_pid "$1" && flock -n "$run/node.$1/lock" true
}

# As scripts/cluster does it, without its waiting. One that was killed or asked to end must be
# gone first.
start() {
	local node=$1 tries
	shift
	for ((tries = 0; tries < 1000; tries++)); do
		! has_ended "$node" || break
		nap 0.01
	done
	# nice: this process has raised its own priority.
	setsid nsenter --net="/run/netns/xr-$XR_CLUSTER-$node" nice -n "$raised" "$build/xraftd" --config "$run/node.$node.conf" "$@" \
		</dev/null >>"$run/node.$node.log" 2>&1 {notes}>&- {xr_idle}>&- &
	proc_id $! >"$run/node.$node.pid" || wrong "node $node does not start"
	# Until it leads a session of its own, by which signals reach it.
	for ((tries = 0; tries < 1000; tries++)); do
		! kill -0 -- "-$!" 2>/dev/null || break
		nap 0.002
	done
	disown
}

all_run() {
	local node
	for ((node = 1; node <= nodes; node++)); do
		find_pid "$node" || wrong "the daemon of node $node has ended by itself"
	done
}

in_switch() {
	nsenter --net="/run/netns/xr-$XR_CLUSTER-sw" "$@"
}

# All cuts and losses at once. Where they are put, and why, stands in scripts/cluster.
apply_net() {
	local node pair
	{
		echo 'add table netdev xraft_chaos'
		echo 'delete table netdev xraft_chaos'
		echo 'add table netdev xraft_chaos'
		for ((node = 1; node <= nodes; node++)); do
			for hook in ingress egress; do
				echo "add chain netdev xraft_chaos ${hook}_$node { type filter hook $hook device \"port$node\" priority 1; policy accept; }"
				[[ ! ${loss_of[$node]-} ]] ||
					echo "add rule netdev xraft_chaos ${hook}_$node numgen random mod 100 < ${loss_of[$node]} drop"
			done
			[[ ! ${cut_in[$node]-} ]] || echo "add rule netdev xraft_chaos egress_$node drop"
			[[ ! ${cut_out[$node]-} ]] || echo "add rule netdev xraft_chaos ingress_$node drop"
		done
		for pair in "${!cut_pair[@]}"; do
			echo "add rule netdev xraft_chaos egress_${pair#* } ether saddr 02:00:00:77:00:0${pair% *} drop"
		done
	} | in_switch nft -f - || die "nft refuses what is needed; does this kernel have nf_tables with netdev egress and numgen?"
}

# Sets engine, the warden's child; between two of them there is none.
find_engine() {
	engine=
	find_pid "$1" || wrong "the daemon of node $1 has ended by itself"
	{ read -r engine <"/proc/$pid/task/$pid/children"; } 2>/dev/null || true
	engine=${engine%% *}
	[[ $engine ]]
}

signal_engine() {
	! find_engine "$1" || kill "-$2" "$engine" 2>/dev/null || true
}

# ---- values ----

# Sets leads: who has the lease of group $1, as the recorder shows it; 0: nobody.
find_leader() {
	local lines
	mapfile -t lines <"$run/leader"
	leads=${lines[$1 - 1]-0}
	leads=${leads%% *}
}

# set_value GROUP VALUE: asked of whoever leads. What comes of it is noted; true where it is told to be
# committed. A value that is set once tells its order from all others.
set_value() {
	local group=$1 value=$2 said rc=0 ended=unknown leads
	find_leader "$group"
	((leads)) || return 1
	note "asked $group $leads $value"
	# nice: this process has raised its own priority.
	said=$(nice -n "$raised" "$build/xraft" -n "$XR_CLUSTER.$leads" set "g$group" "$value" 2>/dev/null {notes}>&-) || rc=$?
	case $rc in
	0) [[ ! $said =~ ^committed\ as\ entry\ ([0-9]+\.[0-9]+), ]] || ended="committed ${BASH_REMATCH[1]}" ;;
	1) ended=refused ;;
	esac
	note "told $group $leads $ended $value"
	[[ $ended == committed* ]]
}

# While nothing is wrong a value has to be set.
set_first() {
	local tries
	for ((tries = 1; tries <= 100; tries++)); do
		! set_value 1 "first $tries" || return 0
		nap 0.1
	done
	wrong "no value of g1 is set, though nothing was done"
}

# One after the other, of many sizes, until $run/set.GROUP is gone.
set_values() {
	local group=$1 name=$2 i value
	for ((i = 1; ; i++)); do
		[[ -e $run/set.$group ]] || return 0
		printf -v value '%s.%s %0*d' "$name" "$i" $((i * 37 % 100)) 0
		set_value "$group" "$value" || true
		nap 0.02
	done
}

# Faults of this kind are over; what is under way may take seconds to end, and is a part of the history.
await_orders() {
	for setter in "${setters[@]}"; do
		wait "${setter%%:*}" || wrong "an order to set a value does not end as it should"
	done
	setters=()
}

begin_fault() {
	local kind=$1 node=$2 argument=$3 peer=
	case $kind in
	kill) signal "$node" KILL ;;
	crash) signal_engine "$node" KILL ;; # its warden starts another
	hang) signal_engine "$node" STOP ;;  # until its warden kills it
	order) "$build/xraft" -n "$XR_CLUSTER.$node" step-down >/dev/null 2>&1 {notes}>&- & ;;
	transfer) "$build/xraft" -n "$XR_CLUSTER.$node" transfer g1 "$argument" >/dev/null 2>&1 {notes}>&- & ;;
	set)
		: >"$run/set.$node" # here it is a group
		set_values "$node" "$argument" &
		# shellcheck disable=SC2154 # proc_stat sets it
		proc_stat $! && setters+=("$!:$proc_start")
		;;
	term) signal "$node" TERM ;;
	pause | stall) signal "$node" STOP ;;
	link) in_switch ip link set "port$node" down ;;
	loss) loss_of[$node]=$argument ;;
	cut) cut_in[$node]=1 cut_out[$node]=1 ;;
	cut-in) cut_in[$node]=1 ;;
	cut-out) cut_out[$node]=1 ;;
	pair*)
		peer=$(((node - 1 + argument) % nodes + 1))
		[[ $kind == pair-out ]] || cut_pair["$peer $node"]=$node
		[[ $kind == pair-in ]] || cut_pair["$node $peer"]=$node
		;;
	esac
	case $kind in loss | cut* | pair*) apply_net ;; esac
}

end_fault() {
	local kind=$1 node=$2 pair
	case $kind in
	kill | term) start "$node" ;;
	pause | stall) signal "$node" CONT ;;
	hang) signal_engine "$node" CONT ;; # if it was not killed
	set) rm "$run/set.$node" ;;
	crash | order | transfer) ;;
	link) in_switch ip link set "port$node" up ;;
	*)
		unset "loss_of[$node]" "cut_in[$node]" "cut_out[$node]"
		for pair in "${!cut_pair[@]}"; do
			[[ ${cut_pair[$pair]} != "$node" ]] || unset "cut_pair[$pair]"
		done
		apply_net
		;;
	esac
}

# ---- beginning and end ----

notes='' recorder='' failed='' readers=() setters=()
finish() {
	local rc=$?
	trap '' INT TERM HUP
	for setter in "${setters[@]}"; do
		! proc_alive "$setter" || kill "${setter%%:*}" || true
	done
	[[ ! $notes ]] || stop_recorder || true
	[[ -d $run ]] || exit "$rc"
	if [[ $failed ]]; then
		rc=1
		tail -n 40 "$run"/node.?.log || true
		keep || true
	fi
	"$xr_root/scripts/cluster" down >/dev/null || rc=1
	exit "$rc"
}

# again() prints the options with which it is done once more.
keep() {
	history=${history:-${TMPDIR:-/tmp}/xraft-$tool-$seed.history}
	cp "$run/history" "$history"
	say "seed $seed"
	say "what was recorded: $history"
	say "once more: scripts/cluster $tool --seed $seed $(again) --nodes $nodes --groups $groups --timing $timing --heartbeat $heartbeat --stall $stall --xdp $xdp"
}

begin_cluster() {
	local file
	trap finish EXIT
	trap 'say "failed: line $LINENO: $BASH_COMMAND"' ERR
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	"$xr_root/scripts/cluster" up "$nodes" --owner $$ --groups "$groups" --timing "$timing" --heartbeat "$heartbeat" \
		--stall "$stall" --xdp "$xdp" "${up_options[@]}" {xr_idle}>&- >/dev/null
	for file in chaos_record chaos_read chaos_check; do
		[[ -x $tools/$file ]] || die "$tools/$file is missing; scripts/build builds it"
	done
}

# The recorder ends when nobody can write a note any more, so also when this process is killed.
start_recorder() {
	exec {notes}> >(exec "$tools/chaos_record" "$XR_CLUSTER" "$nodes" "$groups" "$run/history" "$run/leader" {xr_idle}>&-)
	recorder=$!
	until [[ -s $run/leader ]]; do
		kill -0 "$recorder" 2>/dev/null || die "the recorder does not start"
		nap 0.01
	done
	# A fault that comes late is another one; what it is done to has no part in this.
	! renice -n -10 -p $$ >/dev/null || raised=10
	[[ ! $reads ]] || start_readers
}

# On each node a process that asks libxraft all the time whether its node leads g1.
start_readers() {
	local node
	for ((node = 1; node <= nodes; node++)); do
		"$tools/chaos_read" "$XR_CLUSTER" "$node" g1 >"$run/read.$node" {notes}>&- {xr_idle}>&- &
		readers+=($!)
	done
}

# What the readers were told becomes a part of the history, whose last line stays the last.
stop_recorder() {
	local pid=$recorder rc=0
	[[ ${#readers[@]} -eq 0 ]] || kill -TERM "${readers[@]}" || rc=1
	for reader in "${readers[@]}"; do
		wait "$reader" || rc=1
	done
	exec {notes}>&-
	notes='' recorder=''
	wait "$pid" || rc=1
	[[ ${#readers[@]} -gt 0 ]] || return "$rc"
	{
		head -n -1 "$run/history"
		cat "$run"/read.?
		tail -n 1 "$run/history"
	} >"$run/history.all" && mv "$run/history.all" "$run/history" || rc=1
	readers=()
	return "$rc"
}

# Is anything wrong with what was recorded?
judge() {
	"$tools/chaos_check" "$run/history" || failed=1
	[[ ! $history || $failed ]] || cp "$run/history" "$history"
	[[ ! $failed ]]
}
