#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What others do, on the same machine in the same run.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<'END'
usage: scripts/bench peers [OPTIONS]

Kill -9 of the leader until every survivor knows the next one, and CPU time a heartbeat: etcd,
keepalived and FRR's bfdd from Debian, at their defaults and at their fastest stable setting, beside
xraft at its defaults and at 5-10 ms. Three nodes each, in the namespaces of scripts/cluster.

  --rounds N    kills of each (30; 10 with --quick, 100 with --full)
  --steady S    seconds in which nothing happens, for the CPU time (15; 3 and 60). A setting is
                stable if nobody's mind changes in them; of each system the first stable one counts
  --quick       without the others' defaults, which take seconds a kill
  --peers LIST  etcd,keepalived,bfdd
  --no-fetch    only what is installed or was fetched before
  --seed S      of the moments of the kills (1)
  --check       exit 1 if xraft at 5-10 ms is not faster than each of them, by the median

END
	bench_fetch_help
}

# Of each system: the setting, the heartbeat interval in ms, and what configure_SYSTEM makes of it.
# The first is the default, the others from fast to slow.
declare -A settings=(
	[etcd]='default:100:1000 1/5:1:5 2/10:2:10 5/25:5:25 10/50:10:50'
	[keepalived]='default:1000:1 10:10:0.01 20:20:0.02'
	[bfdd]='default:300:3 2x10:10:2 3x10:10:3 3x20:20:3'
)
declare -A what=(
	[etcd]='a whole database: votes and log durable, a majority'
	[keepalived]='no majority, no durable vote; the dead node keeps its address'
	[bfdd]='detects only, elects nobody'
	[xraft]='votes durable, a majority; no log'
)

# Sets peers to those that are there.
find_peers() {
	local peer package there=''
	for peer in ${peers//,/ }; do
		[[ ${settings[$peer]-} ]] || misuse "there is no peer '$peer'; see scripts/bench peers --help"
		package=$peer
		[[ $peer != etcd ]] || package=etcd-server
		[[ $peer != bfdd ]] || package=frr
		if bench_fetch "$peer" "$package"; then there+="$peer "; else progress "$peer is skipped: it is not here"; fi
	done
	peers=${there% }
}

version() {
	case $1 in
	etcd) "${peer_env[@]}" etcd --version 2>&1 | sed -n 's/^etcd Version: */etcd /p' ;;
	keepalived) "${peer_env[@]}" keepalived --version 2>&1 | sed -n 's/^Keepalived v\([^ ]*\).*/keepalived \1/p' ;;
	bfdd) "${peer_env[@]}" bfdd --version 2>&1 | sed -n 's/^bfdd version /FRR bfdd /p' ;;
	esac
}

# ---- their configuration: files in $run, as the command of each names them ----

configure_etcd() {
	local node=$1 heartbeat_ms=$2 election_ms=$3
	cat <<-END
		name: n$node
		data-dir: $run/node.$node/etcd
		logger: zap
		log-outputs: [stderr]
		listen-peer-urls: http://10.77.0.$node:2380
		listen-client-urls: http://10.77.0.$node:2379
		advertise-client-urls: http://10.77.0.$node:2379
		initial-advertise-peer-urls: http://10.77.0.$node:2380
		initial-cluster: n1=http://10.77.0.1:2380,n2=http://10.77.0.2:2380,n3=http://10.77.0.3:2380
		heartbeat-interval: $heartbeat_ms
		election-timeout: $election_ms
	END
}

configure_bfdd() {
	local node=$1 interval_ms=$2 multiplier=$3 peer
	printf 'log stdout debugging\ndebug bfd peer\nbfd\n'
	for peer in 1 2 3; do
		[[ $peer != "$node" ]] || continue
		printf ' peer 10.77.0.%s\n  receive-interval %s\n  transmit-interval %s\n  detect-multiplier %s\n exit\n' \
			"$peer" "$interval_ms" "$interval_ms" "$multiplier"
	done
}

# Sets command; {} becomes the number of the node.
# shellcheck disable=SC2016 # the variables are the inner shell's
command_of() {
	local base="$run/peer.{}"
	case $1 in
	etcd) command=(etcd --config-file "$base.conf") ;;
	keepalived) # takes its dead self for alive while nobody has waited for it
		command=(sh -c 'rm -f "$0".pid "$0".vrrp && exec keepalived -n -l -D -P -f "$0".conf -p "$0".pid -r "$0".vrrp'
			"$base")
		;;
	bfdd) # asks for a group that only its package makes: it is shown one
		(sed '/^frrvty:/d' /etc/group && echo frrvty:x:65533:root) >"$run/group"
		command=(unshare --mount sh -c 'mount --bind "$0" /etc/group && exec bfdd "$@"' "$run/group"
			-u root -g root -f "$base.conf" -i "$base.pid" --vty_socket "$run/node.{}" --bfdctl "$base.ctl")
		;;
	xraft) command=("$build/xraftd" --config "$run/node.{}.conf" --new) ;;
	esac
}

# ---- measuring ----

# run_nodes SYSTEM SETTING:INTERVAL[:MORE] OPTIONS...: a cluster of it under bench_peers.
run_nodes() {
	local system=$1 setting interval more node command up=()
	IFS=: read -r setting interval more <<<"$2"
	shift 2
	run=/run/xraft-cluster/$XR_CLUSTER
	[[ $system != xraft ]] || up=(--timing "$more" --heartbeat "$interval")
	bench_up 3 --no-daemons "${up[@]}"
	for node in 1 2 3; do
		[[ $system == xraft ]] || "configure_$system" "$node" "$interval" "$more" >"$run/peer.$node.conf"
	done
	command_of "$system"
	if ! bench_run "${peer_env[@]}" "$build/tests/bench/bench_peers" --system "$system" --cluster "$XR_CLUSTER" \
		--owner $$ --seed "$seed" --phase $((${interval%.*} * 2)) "$@" -- "${command[@]}" >"$work/$system"; then
		tail -n 3 "$run"/peer.*.log >&2
		progress "$system at $setting: something went wrong; the nodes' last words stand above"
	fi
	jq -c --arg system "$system" --arg setting "$setting" --argjson interval_ms "$interval" \
		'{$system, $setting, $interval_ms, kind: "daemon"} + .' "$work/$system" >>"$work/samples"
	bench_down
}

# Was its last steady time quiet?
stable() {
	jq -se --arg system "$1" --arg setting "${2%%:*}" 'map(select(.system == $system and .setting == $setting
		and .steady_s)) | length > 0 and last.changes == 0' "$work/samples" >/dev/null
}

run_fast() {
	local system=$1 entry
	for entry in ${settings[$system]#* }; do
		progress "$system at ${entry%%:*}: $steady s steady, then $rounds kills"
		run_nodes "$system" "$entry" --pause "${pause[$system]}" --steady "$steady" --rounds "$rounds"
		! stable "$system" "$entry" || return 0
		progress "$system at ${entry%%:*}: not stable"
	done
}

# At their defaults they wait for seconds, so all do it at the same time.
run_defaults() {
	local system
	[[ ! $peers ]] || progress "$peers at their defaults, side by side: $steady s steady, then $rounds kills"
	for system in $peers; do
		XR_CLUSTER+=${system::1} run_nodes "$system" "${settings[$system]%% *}" \
			--pause "${pause[$system]}" --steady "$steady" --rounds "$rounds" &
	done
	wait
}

run_xraft() {
	local setting=$1 timing=$2 heartbeat=$3 kind
	shift 3
	progress "xraft at $setting: $steady s steady, then $rounds kills each"
	run_nodes xraft "$setting:$heartbeat:$timing" --steady "$steady"
	for kind; do
		bench_up 3 --timing "$timing" --heartbeat "$heartbeat"
		bench_run "$build/tests/bench/bench_failover" --cluster "$XR_CLUSTER" --nodes 3 --kind "$kind" \
			--rounds "$rounds" --seed "$seed" --script "$xr_root/scripts/cluster" >"$work/xraft"
		jq -c --arg setting "$setting" --arg kind "${kind/both/daemon}" \
			'{system: "xraft", $setting, $kind} + .' "$work/xraft" >>"$work/samples"
		bench_down
	done
}

# length QUICK USUAL FULL
length() {
	if [[ $quick ]]; then echo "$1"; elif [[ $full ]]; then echo "$3"; else echo "$2"; fi
}

bench_stop() {
	local system
	for system in e k b; do
		XR_CLUSTER=b$$$system "$xr_root/scripts/cluster" down >/dev/null 2>&1 || true
	done
}

rounds='' steady='' peers=etcd,keepalived,bfdd seed=1
takes=([--rounds]=rounds [--steady]=steady [--peers]=peers [--seed]=seed)
switches=([--no-fetch]=no_fetch)
bench_begin "$@"
: "${rounds:=$(length 10 30 100)}" "${steady:=$(length 3 15 60)}"
# After a start bfdd sends once a second, until both ends have agreed on more.
declare -A pause=([etcd]=100 [keepalived]=100 [bfdd]=1200)
find_peers

run_xraft 5-10 5-10 1 engine both link
for system in $peers; do
	run_fast "$system"
done
run_xraft default 150-300 50 engine both
[[ $quick ]] || run_defaults

words() {
	local system
	for system in "${!what[@]}"; do
		printf '%s\t%s\n' "$system" "${what[$system]}"
	done | jq -Rn '[inputs / "\t" | {(.[0]): .[1]}] | add'
}

# The leader sends its heartbeat to two, each of whom hears one; with BFD all do the same, at 7/8 of the
# interval on average. CPU time of the unstable ones is not comparable.
# shellcheck disable=SC2016 # the variables are jq's
bench_json '
	def per_heartbeat: . as $s | (.steady_s * 1000 / .interval_ms) as $heard
		| (.cpu_us | add) as $all | .cpu_us[.leader - 1] as $leader
		| if .system == "bfdd" then ($all / 3 / 2 / $heard * 0.875) as $us | {leader: $us, follower: $us}
		else {leader: ($leader / 2 / $heard), follower: (($all - $leader) / 2 / $heard)} end;
	{$versions, samples: ., runs: (group_by([.system, .setting]) | map(
		. as $of | ([.[] | select(.steady_s)] | last) as $steady
		| ([.[] | select(.total_us) | .kind] | unique)[] as $kind
		| [$of[] | select(.kind == $kind and .total_us)] as $kills
		| {system: .[0].system, setting: .[0].setting, $kind, what: $what[.[0].system],
			total_ms: ($kills | map(.total_us / 1000) | spread),
			false_changes: {steady: $steady.changes, between_kills: ([$kills[].changes // 0] | add)},
			cpu_us: (if $steady.changes == 0 then $steady | per_heartbeat else null end)})),
	unstable: map(select((.changes // 0) > 0 and .steady_s) | {system, setting, after_s: .steady_s})}' \
	--argjson what "$(words)" \
	--argjson versions "$(for system in $peers; do version "$system"; done | jq -R . | jq -s .)"
bench_query '(["system", "setting", "killed", "rounds", "median ms", "99 %", "max", "false changes",
		"us a heartbeat: leader", "follower", "what it is"]),
	(.runs | sort_by(.total_ms.p50)[] | [.system, .setting, .kind, .total_ms.n,
		(.total_ms | .p50, .p99, .max | round(2)), "\(.false_changes.steady)+\(.false_changes.between_kills)",
		(if .cpu_us then .cpu_us | .leader, .follower | round(1) else "-", "-" end), .what])
	| @tsv' | bench_table

{
	bench_query '"compared with: \(.versions | join(", "))",
		(.unstable[] | "not stable: \(.system) at \(.setting), a false change after \(.after_s | round(1)) s")'
	cat <<-'END'
		False changes: in the steady time, and before the kills of the rounds. What a node decides is read from its log,
		of xraft from its maps. All nodes share the CPUs named above and one disk. Killing a process leaves its kernel
		alive, which tells xraft's followers that a port is closed; "link" is the death of a machine, where the others
		take as long as here. CPU time is by the clocks of the processes: all that they do in the time, with the softirqs
		that run in their context, without those that interrupt an idle CPU. xraft, and keepalived where it is to be
		fast, run with realtime priority; the others have no such setting. The others at their defaults run side by side.
	END
} | bench_say
bench_query '.samples[] | select(.total_us) | ["\(.system) \(.setting)" + (if .system == "xraft" then ", \(.kind)" else "" end),
	.total_us / 1000] | @tsv' | bench_cdf 'ms from the kill of the leader until every survivor knows'

for system in $peers; do
	for kind in engine daemon; do
		bench_target "$kind of xraft at 5-10, median / $system's fastest" "$(bench_query "
			def median(f): [.runs[] | select(f) | .total_ms.p50] | min;
			median(.system == \"xraft\" and .setting == \"5-10\" and .kind == \"$kind\") as \$ours
			| median(.system == \"$system\") as \$theirs
			| if \$ours and \$theirs then \$ours / \$theirs | round(2) else empty end")" '<=' 1 times
	done
done
bench_end
