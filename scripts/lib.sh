#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What the scripts here and in tests/netns/ share. Sourced, never run.
# shellcheck disable=SC2034 # who sources it uses these

xr_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH=$PATH:/usr/sbin:/sbin

# One sentence on stderr: what is wrong and what to do.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The same of the command line, with the exit code that wrong usage has everywhere here.
misuse() {
	(die "$@") || exit 2
}

say() {
	printf '%s\n' "$*"
}

# A test that cannot run here says so with its exit code (ctest's SKIP_RETURN_CODE).
readonly skip_code=77
skip() {
	say "skipped: $*"
	exit "$skip_code"
}

# need_built [FILES...]: for a test; in $XR_BUILD. And root, which each test of whole nodes needs.
need_built() {
	local file
	[[ $EUID -eq 0 ]] || skip "needs root"
	for file; do
		[[ -e $XR_BUILD/$file ]] || skip "$XR_BUILD/$file is not built"
	done
}

need_root() {
	[[ $EUID -eq 0 ]] || die "needs root (namespaces, XDP, bpffs): run it with sudo"
}

# Sleep without forking: nothing is ever written to this pipe.
exec {xr_idle}<> <(:)
nap() {
	read -rt "$1" -u "$xr_idle" || true
}

# Sets the state letter of a process, and the time at which it began: with its pid the latter
# names a process for good, as pids are used again. Forks nothing.
proc_stat() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	read -ra stat <<<"${stat##*) }"
	[[ ${#stat[@]} -ge 20 ]] || return 1
	proc_state=${stat[0]} proc_start=${stat[19]}
}

proc_id() {
	proc_stat "$1" && printf '%s:%s\n' "$1" "$proc_start"
}

# Does the process that proc_id() named still run? A zombie does not.
proc_alive() {
	[[ $1 == *:* ]] && proc_stat "${1%%:*}" && [[ $proc_start == "${1#*:}" && $proc_state != [ZX] ]]
}

# Run a command in a session of its own, and wait in a way that a signal can interrupt: bash runs
# a trap only between foreground commands. step_end() ends the command and all it started. Its
# session is written to a file, for whoever has to end it in our place.
xr_step=
xr_step_file=/dev/null
step() {
	local rc=0
	setsid "$@" {xr_idle}<&- &
	xr_step=$!
	echo "$xr_step" >"$xr_step_file"
	wait "$xr_step" || rc=$?
	xr_step=
	echo >"$xr_step_file"
	return "$rc"
}

session_end() {
	local sid=$1 tries
	[[ $sid ]] && pgrep -s "$sid" >/dev/null || return 0
	kill -TERM -- "-$sid" 2>/dev/null || true
	for ((tries = 0; tries < 150; tries++)); do
		pgrep -s "$sid" >/dev/null || return 0
		nap 0.1
	done
	pkill -KILL -s "$sid" || true
}

step_end() {
	local sid=$xr_step
	xr_step=
	session_end "$sid"
}

# The time of day in microseconds: now, or as a log line begins.
day_us() {
	local now=$EPOCHREALTIME h m s
	if [[ $# -eq 0 ]]; then
		printf -v s '%(%H:%M:%S)T.%s' "${now%.*}" "${now#*.}"
		set -- "$s"
	fi
	IFS=:. read -r h m s now <<<"$1"
	echo $(((10#$h * 3600 + 10#$m * 60 + 10#$s) * 1000000 + 10#$now))
}

# From one time of day to another, past midnight too.
day_diff_ms() {
	echo $(((($2 - $1 + 86400000000) % 86400000000) / 1000))
}

# ---- who serves a virtual address (tests/netns/witness.c): who calls this has XR_BUILD and a cluster up
# with --client ----

# witness ADDRESS NODES [--no-maps]
witness() {
	coproc eye { exec "$XR_BUILD/tests/witness" "$XR_CLUSTER" "$@" {xr_idle}>&-; }
	# shellcheck disable=SC2154 # coproc sets eye_PID
	xr_eye=$eye_PID xr_to=${eye[1]} xr_from=${eye[0]}
}

# A line to it; sets said to its answer.
tell() {
	echo "$*" >&"$xr_to"
	hear
}

hear() {
	read -r said <&"$xr_from" || die "the witness has ended, and has said why"
}

# Sets said to its verdict. False: something was wrong.
witness_end() {
	exec {xr_to}>&-
	hear
	wait "$xr_eye"
}
