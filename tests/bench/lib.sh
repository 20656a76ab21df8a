#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the benches share. A bench (NAME.sh) sources this, sets `takes` and `switches`, defines
# usage(), and calls
#
#   bench_begin "$@"         options, build, traps; from here on $out, $build, $quick ... are set
#   bench_json FILTER        its figures, from $work/samples, into $out/NAME.json with the machine's
#   bench_table              tab-separated lines on stdin: what people read, kept in $out/NAME.txt
#   bench_cdf LABEL          lines "TITLE<tab>VALUE" on stdin: the distribution as SVG and PNG
#   bench_bars LABEL         lines "CLUSTER<tab>BAR<tab>VALUE": bars in clusters, as SVG and PNG
#   bench_target WHAT GOT OP LIMIT UNIT
#   bench_end                says which targets are met; with --check that decides the exit code
#
# Figures are printed as they were measured; nothing here judges time unless asked to by --check.
set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

# shellcheck disable=SC2034 # the benches read these
name=$(basename "$0" .sh) check='' quick='' full='' missed='' out='' work=''
build=${XR_BUILD:-$xr_root/build}
# Options of this bench alone: [--rounds]=rounds sets $rounds to what follows, or, of a switch, to 1.
declare -A takes=() switches=()

bench_options() {
	local value
	while [[ $# -gt 0 ]]; do
		case $1 in
		--check | --quick | --full) printf -v "${1#--}" 1 ;;
		-h | --help)
			usage
			exit
			;;
		--*=*)
			value=${1#*=}
			set -- "${1%%=*}" "$value" "${@:2}"
			continue
			;;
		*)
			if [[ ${switches[$1]-} ]]; then
				printf -v "${switches[$1]}" 1
				shift
				continue
			fi
			[[ ${takes[$1]-} ]] || misuse "unknown argument '$1'; see scripts/bench $name --help"
			[[ $# -ge 2 ]] || misuse "$1 needs a value; see scripts/bench $name --help"
			printf -v "${takes[$1]}" %s "$2"
			shift
			;;
		esac
		shift
	done
	[[ ! $quick || ! $full ]] || misuse "--quick or --full, not both; see scripts/bench $name --help"
}

# Run what takes long, in a way that a signal can interrupt: no trap runs before a command ends.
bench_run() {
	"$@" &
	wait $!
}

# by_form QUICK USUAL FULL: what goes with --quick, with neither, with --full.
by_form() {
	if [[ $quick ]]; then
		echo "$1"
	elif [[ $full ]]; then
		echo "$3"
	else
		echo "$2"
	fi
}

# Whatever a bench started ends with it: its background jobs, its cluster, and what only bench_stop()
# knows.
bench_finish() {
	local rc=$? job
	trap '' INT TERM HUP
	for job in $(jobs -p); do
		kill "$job" 2>/dev/null || true
	done
	if declare -F bench_stop >/dev/null; then bench_stop || true; fi
	"$xr_root/scripts/cluster" down >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$rc"
}

# Two at a time would measure each other, and build over each other.
bench_alone() {
	local lock
	mkdir -p "$build"
	exec {lock}>"$build/bench.lock"
	if ! flock -n "$lock"; then
		progress "waits until another bench has ended"
		flock "$lock"
	fi
}

bench_begin() {
	bench_options "$@"
	need_root
	bench_alone
	if [[ ! ${XR_BUILD-} ]]; then
		"$xr_root/scripts/setup" >&2
		"$xr_root/scripts/build" >&2
	fi
	export XR_CLUSTER=b$$ XR_BUILD=$build
	work=$(mktemp -d /tmp/xraft-bench.XXXXXX)
	trap bench_finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	out=$build/bench
	mkdir -p "$out"
	: >"$work/samples"
	rm -f "$out/$name".{txt,json,svg,png}
}

progress() {
	printf '%s: %s\n' "$name" "$*" >&2
}

# ---- programs of others, to compare with ----

no_fetch='' peer_env=(env) apt_updated=''

bench_fetch_help() {
	cat <<'END'
What is not installed is fetched by apt-get and unpacked in build/peers: nothing is installed, and
no service starts. What cannot be fetched is left out.
END
}

# Find what was fetched: programs by PATH, and with ${peer_env[@]} before them their libraries.
use_fetched() {
	local folder libraries='' root=$build/peers
	for folder in "$root"/{,usr/}lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu/frr; do
		libraries+=:$folder
	done
	# shellcheck disable=SC2034 # the benches use it
	peer_env=(env LD_LIBRARY_PATH="${libraries#:}")
	PATH=$root/usr/bin:$root/usr/sbin:$root/usr/lib/frr:$PATH:/usr/lib/frr
	hash -r
}

unpack() {
	local package=$1 file
	mkdir -p "$work/debs/partial" "$build/peers"
	rm -f "$work"/debs/*.deb
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends --download-only \
		-o DPkg::Lock::Timeout=300 -o Dir::Cache::archives="$work/debs" \
		install "$package" >"$work/apt" 2>&1 || return 1
	for file in "$work"/debs/*.deb; do
		dpkg-deb -x "$file" "$build/peers"
	done
}

# bench_fetch COMMAND PACKAGE: is the command here, if need be fetched (unless $no_fetch)?
bench_fetch() {
	local package=$2
	use_fetched
	if ! command -v "$1" >/dev/null && [[ ! $no_fetch ]] && command -v apt-get >/dev/null; then
		progress "fetching $package with apt-get, into $build/peers; nothing is installed"
		unpack "$package" || { [[ ! $apt_updated ]] && apt-get -qq update && apt_updated=1 && unpack "$package"; } ||
			progress "cannot fetch $package: $(tail -n 1 "$work/apt")"
		use_fetched
	fi
	command -v "$1" >/dev/null
}

# configure_keepalived NODE - SECONDS: priorities so far apart that two backups do not become masters at
# once, and realtime where it is to be fast, with more of it at a time than the 10 ms after which it is
# killed by default.
configure_keepalived() {
	local node=$1 interval_s=$3 realtime='vrrp_rt_priority 20
		    vrrp_rlimit_rttime 500000'
	[[ $interval_s != 1 ]] || realtime=
	cat <<-END
		global_defs {
		    vrrp_version 3
		    $realtime
		}
		vrrp_instance g1 {
		    state BACKUP
		    nopreempt
		    interface eth0
		    virtual_router_id 77
		    priority $((300 - 50 * node))
		    advert_int $interval_s
		    virtual_ipaddress {
		        10.77.0.100/24
		    }
		}
	END
}

# start_etcd NODE HEARTBEAT_MS: becomes it, in the node's namespace.
start_etcd() {
	local node=$1 heartbeat_ms=$2 at=http://10.77.0.$1 run=/run/xraft-cluster/$XR_CLUSTER
	exec "${peer_env[@]}" nsenter --net="/run/netns/xr-$XR_CLUSTER-$node" etcd --name "n$node" --data-dir "$run/node.$node/etcd" \
		--heartbeat-interval "$heartbeat_ms" --election-timeout $((heartbeat_ms < 100 ? 1000 : 3000)) \
		--listen-peer-urls "$at:2380" --initial-advertise-peer-urls "$at:2380" \
		--listen-client-urls "$at:2379" --advertise-client-urls "$at:2379" --initial-cluster \
		n1=http://10.77.0.1:2380,n2=http://10.77.0.2:2380,n3=http://10.77.0.3:2380
}

# The node that leads, as it says itself; nothing while there is none.
etcd_leader() {
	local node leader
	for node in 1 2 3; do
		leader=$(nsenter --net="/run/netns/xr-$XR_CLUSTER-$node" curl -s -m 1 -d '{}' \
			"http://10.77.0.$node:2379/v3/maintenance/status" |
			jq -r 'select(.leader and .leader == .header.member_id) | "yes"' 2>/dev/null) || true
		[[ $leader != yes ]] || echo "$node"
	done | head -n 1
}

bench_up() {
	"$xr_root/scripts/cluster" up "$@" --no-build --owner $$ >/dev/null
}

bench_down() {
	"$xr_root/scripts/cluster" down >/dev/null
}

# The machine, as every table and file names it.
bench_machine() {
	jq -n --arg bench "$name" --arg cpu "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
		--argjson cpus "$(nproc)" --arg kernel "$(uname -r)" --arg date "$(date -u +%F)" \
		--arg virtual "$(systemd-detect-virt 2>/dev/null || true)" \
		--arg commit "$(git -C "$xr_root" describe --always --dirty 2>/dev/null || echo unknown)" \
		'{$bench, machine: {$cpu, $cpus, $kernel, $virtual}, $commit, $date}'
}

# Functions that every filter may use: nearest-rank percentiles of a list.
# shellcheck disable=SC2016 # the variables are jq's
readonly bench_defs='
	def at($p): sort | if length == 0 then null else .[([length * $p | ceil, 1] | max) - 1] end;
	def spread: {n: length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: max};
	def round($digits): . * pow(10; $digits) | round / pow(10; $digits);'

# bench_json FILTER [JQ OPTIONS]: what the filter makes of the list of all samples.
bench_json() {
	local filter=$1
	shift
	bench_machine >"$work/machine"
	jq -s --slurpfile machine "$work/machine" "$@" "$bench_defs \$machine[0] + ($filter)" \
		"$work/samples" >"$out/$name.json"
}

# bench_query FILTER: of the figures that bench_json() has written.
bench_query() {
	jq -r "$bench_defs $1" "$out/$name.json"
}

bench_say() {
	tee -a "$out/$name.txt"
}

bench_table() {
	{
		bench_query '"\(.machine.cpu), \(.machine.cpus) CPUs" + (.machine.virtual | if . == "" then . else " (\(.))" end)
			+ ", kernel \(.machine.kernel), commit \(.commit), \(.date)"'
		column -t -s $'\t'
	} | bench_say
}

bench_cdf() {
	local label=$1 plots='' titles title form number=0
	if ! command -v gnuplot >/dev/null; then
		progress "no picture: there is no gnuplot; scripts/setup installs it"
		return
	fi
	sort -t $'\t' -k 1,1 -k 2,2g >"$work/cdf"
	mapfile -t titles < <(cut -f 1 "$work/cdf" | uniq)
	for title in "${titles[@]}"; do
		number=$((number + 1))
		awk -F '\t' -v title="$title" '$1 == title { v[n++] = $2 }
			END { for (i = 0; i < n; i++) print v[i], (i + 1) / n }' "$work/cdf" >"$work/cdf.$number"
		# gnuplot has eight colours.
		plots+="'$work/cdf.$number' with steps lw 2 dt $(((number + 7) / 8)) title '$title', "
	done
	for form in svg png; do
		gnuplot -e "set terminal $form size 900,500; set output '$out/$name.$form'; set logscale x;
			set xlabel '$label'; set ylabel 'share'; set yrange [0:1]; set key outside right; set grid;
			plot ${plots%, }"
	done
	echo "distribution: $out/$name.svg, .png" >&2
}

bench_bars() {
	local label=$1 plots='' form bar at=2
	if ! command -v gnuplot >/dev/null; then
		progress "no picture: there is no gnuplot; scripts/setup installs it"
		return
	fi
	# A row a cluster, a column a bar, both in the order in which they come.
	awk -F '\t' '
		!($1 in row) { row[$1]; rows[++nr] = $1 }
		!($2 in col) { col[$2]; cols[++nc] = $2 }
		{ value[$1, $2] = $3 }
		END {
			printf "-"
			for (c = 1; c <= nc; c++)
				printf "\t%s", cols[c]
			for (r = 1; r <= nr; r++) {
				printf "\n%s", rows[r]
				for (c = 1; c <= nc; c++)
					printf "\t%s", (rows[r], cols[c]) in value ? value[rows[r], cols[c]] : "NaN"
			}
			print ""
		}' >"$work/bars"
	while read -r bar; do
		plots+="'$work/bars' skip 1 using $((at++)):xtic(1) title '$bar', "
	done < <(head -n 1 "$work/bars" | cut -f 2- | tr '\t' '\n')
	for form in svg png; do
		gnuplot -e "set terminal $form size 900,500; set output '$out/$name.$form'; set datafile separator tab;
			set style data histogram; set style histogram cluster gap 1; set style fill solid 0.8;
			set ylabel '$label'; set yrange [0:*]; set key top left; set grid y; set xtics rotate by -20;
			plot ${plots%, }"
	done
	echo "bars: $out/$name.svg, .png" >&2
}

# bench_target WHAT GOT OP LIMIT UNIT: OP is <= or >=. A figure that is missing is missed.
bench_target() {
	local verdict=met
	if [[ ! $2 || $2 == null ]] || ! awk -v got="$2" -v limit="$4" -v op="$3" \
		'BEGIN { exit !(op == "<=" ? got + 0 <= limit + 0 : got + 0 >= limit + 0) }'; then
		verdict=MISSED
		missed+="$1 is ${2:-unknown} $5, the target $3 $4; "
	fi
	printf '%s\t%s\t%s %s %s\t%s\n' "$verdict" "$1" "$3" "$4" "$5" "${2:-unknown}" >>"$work/targets"
}

bench_end() {
	if [[ -s $work/targets ]]; then
		{
			echo
			{
				printf 'target\twhat\tlimit\tmeasured\n'
				cat "$work/targets"
			} | column -t -s $'\t'
		} | bench_say
	fi
	echo "all figures: $out/$name.json" >&2
	[[ $check ]] || return 0
	[[ ! $missed ]] || die "missed: ${missed%; }"
	echo "all targets of $name are met"
}
