#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Explore the models with spin: the rules as they stand have to hold in every state, and each rule
# that is taken away has to be missed. Exit code 77: skipped, and said why.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PATH=$PATH:/usr/sbin:/sbin

usage() {
	cat <<'END'
usage: tests/model/run.sh [--deep] [NAME]
       tests/model/run.sh --trace NAME

  NAME           only the runs whose name contains it, e.g. voter or NO_FENCE
  --deep         larger bounds: up to 6 GB, and an hour
  --trace NAME   the shortest trace to the violation of the run of this name

XR_MODEL_JOBS: how many at a time (2).
END
}

# name | model | what is defined. The rules as they stand, every reachable state:
sound='
voter                 | voter    |
lease: 3 terms        | lease    | NO_READER NO_CRASH NO_POLLS
lease: reader, crash  | lease    | TERMS=2 NO_POLLS
lease: polls          | lease    | TERMS=2 NO_READER NO_CRASH
lease: B and C ack    | lease    | TERMS=2 NO_READER NO_CRASH NO_POLLS BOTH_ACK
lease: 2 CPUs         | lease    | TERMS=2 NO_READER NO_CRASH NO_POLLS CPUS=2
drift: 3 elections    | drift    | TERMS=4
replay                | replay   |
datagram              | datagram |
entry: 2 terms        | entry    | TERMS=2 INDEXES=2
members: 3 terms      | members  | TERMS=3 START=15 STANDS=5
members: 2 changes each | members | CHANGES=2
members: disks lost   | members  | WIPED=12
members: out and back | members  | CHANGES=2 NODES=3 WIPED=4
'
deep='
entry: 3 terms, 2 indexes | entry | INDEXES=2
entry: 3 terms        | entry    | INDEXES=1
members: 3 terms, all stand | members | TERMS=3
members: 4 terms      | members  | TERMS=4 NODES=3 STANDS=5
members: all disks lost | members | WIPED=15
voter: 3 CPUs         | voter    | CPUS=3 TERMS=2
voter: D=3, 4 terms   | voter    | D=3 TERMS=4
lease: 3 terms, crash | lease    | NO_READER NO_POLLS
lease: 3 terms, reader | lease   | NO_CRASH NO_POLLS
lease: 2 terms, all   | lease    | TERMS=2
drift: 3 speeds       | drift    | TERMS=4 STEPS
replay: 3 terms       | replay   | TERMS=3
datagram: 3 groups    | datagram | GROUPS=3 DATAGRAMS=2
'
# One thing left out or done wrong; what stands first names it.
mutants='
NO_SECOND_LOOK           | voter |
NO_BARRIER               | voter |
NO_STAMP_BARRIER         | voter |
NO_FENCE                 | voter |
NO_PROMISE               | voter |
SLOW_PATH_WITHOUT_STAMP  | voter |
OWN_VOTE_WITHOUT_LOOK    | voter |
SKIPPED_CAS_ANSWERS      | voter |
PLAIN_EXCHANGE           | voter |
TWO_DS                   | voter |
LIFT_NOT_BOUND           | voter |
LEASE_FROM_ARRIVAL       | lease | TERMS=2 NO_READER NO_CRASH NO_POLLS
OLD_ACKS                 | lease | NO_READER NO_CRASH NO_POLLS
SINCE_AFTER_VIEW         | lease | NO_READER NO_CRASH NO_POLLS
RESIGN_BEFORE_FENCE      | lease | TERMS=2 NO_READER NO_CRASH NO_POLLS
FENCE_WITHOUT_BARRIER    | lease | TERMS=2 NO_READER NO_CRASH NO_POLLS
RESUME_AFTER_RESIGN      | lease | TERMS=2 NO_READER NO_CRASH NO_POLLS
NO_START_FENCE           | lease | TERMS=2 NO_READER NO_POLLS
WARDEN_RESIGNS_FIRST     | lease | TERMS=2 NO_READER NO_POLLS
READER_WITHOUT_FENCE     | lease | TERMS=2 NO_CRASH NO_POLLS
READER_WITHOUT_SECOND_LOOK | lease | NO_CRASH NO_POLLS
DRIFT_IGNORED            | drift |
DRIFT_OF_ONE_CLOCK       | drift |
CLOCK_STOPS              | drift |
TWO_DS                   | drift |
LEASE_FROM_ARRIVAL       | drift |
MARK_WITHOUT_TERM        | replay |
MARK_BY_STORE            | replay |
MARK_UNVERIFIED          | replay |
NO_MARK                  | replay |
PASS_PARTLY              | datagram |
NOT_MARKED               | datagram |
NOT_REPORTED             | datagram |
PENDING_IS_HEARTBEAT     | datagram |
POLL_NOT_MARKED          | datagram |
INDEX_STAYS              | entry | TERMS=1 INDEXES=2
NOT_COMPARED             | entry | TERMS=2 INDEXES=1
ACKED_EARLY              | entry | TERMS=2 INDEXES=1
HALF_IS_MAJORITY         | entry | TERMS=2 INDEXES=1
BEFORE_OWN               | members | TERMS=3 START=15 STANDS=5
TWO_UNDER_WAY            | members | CHANGES=2
TWO_AT_ONCE              | members |
REPLACED_AT_ONCE         | members | NODES=3 WIPED=4
OLD_VOTERS_ELECT         | members | CHANGES=2
OLDER_ELECTED            | members |
HANDED_IS_ACKED          | members |
OLD_TERM_COUNTED         | members | TERMS=5 CHANGES=0 NODES=3 STANDS=5
LEARNER_ACKS             | members |
LEARNER_VOTES            | members |
BIRTH_IGNORED            | members | NODES=3 WIPED=4
REBORN_ANSWERS           | members | NODES=3 WIPED=4
'

only='' trace='' jobs=${XR_MODEL_JOBS:-2} depth=500000
while [[ $# -gt 0 ]]; do
	case $1 in
	--deep)
		sound+=$deep
		depth=20000000
		;;
	--trace) trace=1 ;;
	-h | --help)
		usage
		exit
		;;
	-*)
		usage >&2
		exit 2
		;;
	*) only=$1 ;;
	esac
	shift
done
if [[ $trace && ! $only ]]; then
	usage >&2
	exit 2
fi

for tool in spin gcc; do
	if ! command -v "$tool" >/dev/null; then
		echo "skipped: no $tool here; apt-get install spin gcc"
		exit 77
	fi
done

# All that is started is in sessions of its own, noted in $tmp/sessions; a guard ends them and
# removes the folder when this shell is gone, however it went.
tmp=$(mktemp -d "${TMPDIR:-/tmp}/xraft-model.XXXXXX")
export TMPDIR=$tmp # gcc's, too
: >"$tmp/sessions"
end_all() {
	local sid
	while read -r sid; do
		kill -TERM -- "-$sid" 2>/dev/null || true
	done <"$tmp/sessions"
	rm -rf "$tmp" 2>/dev/null || { sleep 0.5 && rm -rf "$tmp"; } # someone was still writing
}
guard() {
	while kill -0 "$1" 2>/dev/null; do
		sleep 0.5
	done
	[[ ! -d $tmp ]] || end_all
}
export -f guard end_all
tmp=$tmp setsid bash -c "guard $$" >/dev/null 2>&1 </dev/null &
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# build FOLDER MODEL "DEFINES" CFLAGS...: the verifier, as FOLDER/pan
build() {
	local folder=$1 model=$2 define
	local -a flags=()
	for define in $3; do
		flags+=("-D$define")
	done
	shift 3
	mkdir "$folder"
	cp "$here/$model.pml" "$folder/"
	printf '%s\n' "${flags[@]}" >"$folder/flags"
	(
		cd "$folder"
		spin -a "${flags[@]}" "$model.pml" >spin.log 2>&1 || exit 1
		gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=6000 "$@" -o pan pan.c 2>&1
	) >"$folder/build.log"
}

# one KIND FOLDER NAME MODEL DEFINES: build, explore, one line into FOLDER.line; 0: as expected
one() {
	local kind=$1 folder=$2 name=$3 model=$4 defines=$5 verdict states steps took
	local -a how=()
	[[ $kind == sound ]] || how=(-DBFS) # breadth first: the shortest trace
	if ! build "$folder" "$model" "$defines" "${how[@]}"; then
		verdict='DOES NOT BUILD'
	else
		(cd "$folder" && nice -n 10 ./pan -E "-m$depth") >"$folder/log" 2>&1 || true
		if ! grep -q 'errors: ' "$folder/log"; then
			verdict='DID NOT FINISH'
		elif grep -q 'errors: 0' "$folder/log"; then
			verdict='no violation'
			if grep -qE 'search not completed|depth too small|out of memory|limit' \
				"$folder/log"; then
				verdict='NOT EXHAUSTIVE'
			fi
		else
			verdict='violation'
		fi
	fi
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$folder/log" 2>/dev/null || true)
	steps=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' "$folder/log" 2>/dev/null || true)
	took=$(sed -n 's/.*elapsed time \([0-9.e+-]*\) .*/\1/p' "$folder/log" 2>/dev/null || true)
	local expected='no violation' good=ok rc=0
	[[ $kind == sound ]] || expected=violation
	if [[ $verdict != "$expected" ]]; then
		good=FAILED
		rc=1
	fi
	printf '%-27s %-9s %-14s %10s %8s %8s  %s\n' "$name" "$model" "$verdict" "${states:--}" \
		"${steps:--}" "${took:--}" "$good" >"$folder.line"
	cat "$folder.line"
	[[ $rc -eq 0 ]] || tail -n 5 "$folder/build.log" "$folder/log" 2>/dev/null || true
	rm -rf "$folder"
	return "$rc"
}

trim() {
	local text=$1
	text=${text#"${text%%[![:space:]]*}"}
	printf '%s' "${text%"${text##*[![:space:]]}"}"
}

export -f build one
export here tmp depth

n=0 running=0 failed=0
reap() {
	wait -n && return 0
	failed=$((failed + 1))
}

# runs KIND TABLE
runs() {
	local kind=$1 name model defines
	while IFS='|' read -r name model defines; do
		name=$(trim "$name") model=$(trim "$model") defines=$(trim "$defines")
		[[ $name ]] || continue
		[[ "$model $name" == *"$only"* ]] || continue
		[[ $kind == sound ]] || defines="$name $defines"
		n=$((n + 1))
		while ((running >= jobs)); do
			reap
			running=$((running - 1))
		done
		# shellcheck disable=SC2016 # expanded by the shell that is started
		setsid --wait bash -c 'echo $$ >>"$tmp/sessions"; one "$@"' - \
			"$kind" "$tmp/$n" "$name" "$model" "$defines" &
		running=$((running + 1))
	done <<<"$2"
}

show_trace() {
	local name model defines
	while IFS='|' read -r name model defines; do
		name=$(trim "$name") model=$(trim "$model") defines=$(trim "$defines")
		[[ $name == "$only" ]] || continue
		build "$tmp/trace" "$model" "$name $defines" -DBFS
		cd "$tmp/trace"
		./pan -E >log 2>&1 || true
		mapfile -t flags <flags
		spin -t -p -g "${flags[@]}" "$model.pml"
		return
	done <<<"$mutants"
	echo "no such run: $only" >&2
	return 2
}

if [[ $trace ]]; then
	show_trace
	exit
fi

# The guard is a job, too: it is not waited for.
disown -a
printf '%-27s %-9s %-14s %10s %8s %8s\n' name model result states depth seconds
runs sound "$sound"
runs mutant "$mutants"
while ((running > 0)); do
	reap
	running=$((running - 1))
done
if ((n == 0)); then
	echo "no run is named so: $only" >&2
	exit 2
fi
echo "$((n - failed)) of $n as expected"
[[ $failed -eq 0 ]]
