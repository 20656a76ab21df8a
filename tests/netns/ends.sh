#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# How xraft run ends, with what code, and that nothing is left of what it ran: on one node, which
# always leads.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 1 >/dev/null
mark=$work/mark # a name that only what runs here has
all_of() {
	pgrep -f "[a]lone $mark" || true
}
clean_up() {
	local pid
	for pid in $(all_of); do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# Two who ignore SIGTERM, one of them in a session of its own.
cat >"$work/stubborn" <<-END
	trap '' TERM
	echo "\$XRAFT_CLUSTER \$XRAFT_NODE \$XRAFT_GROUP \$XRAFT_TOKEN" >>$mark.said
	setsid sh -c 'while :; do sleep 0.01; done' alone $mark &
	sh -c 'while :; do sleep 0.01; done' alone $mark
END

nothing_runs() {
	[[ ! $(all_of) ]]
}

runs() {
	[[ $(all_of | wc -l) -ge 1 && $(wc -l <"$mark.said" 2>/dev/null) -ge $1 ]]
}

# ended CODE ARGUMENTS...: of a run
ended() {
	local want=$1 rc=0
	shift
	timeout -k 5 20 xraft -n "$XR_CLUSTER.1" run "$@" >"$work/out" 2>&1 || rc=$?
	[[ $rc -eq $want ]] || fail "run $* ends with $rc, not $want: $(cat "$work/out")"
	wait_for 2000 "run ${*:1:6} ends with $want, and nothing is left" nothing_runs
}

ended 7 g1 -- sh -c "setsid sh $work/stubborn & until [ -s $mark.said ]; do sleep 0.01; done; exit 7"
[[ $(cat "$mark.said") == "$XR_CLUSTER 1 g1 1" ]] || fail "its environment: $(cat "$mark.said")"
ended 7 g1 --pid-namespace -- sh -c "setsid sh $work/stubborn & exit 7"
ended 137 g1 -- sh -c 'kill -KILL $$'
ended 127 g1 -- "$work/no-such-command"
ended 126 g1 -- "$work"
ended 2 g1
ended 2 g1 --grace soon -- true
ended 1 no-such-group -- true

# start [OPTIONS]: sets guard, and runner once the command runs
start() {
	rm -f "$mark.said"
	xraft -n "$XR_CLUSTER.1" run g1 --grace 0.2 "$@" -- sh "$work/stubborn" >>"$work/out" 2>&1 {xr_idle}>&- &
	guard=$!
	wait_for 10000 "it runs" runs 1
	runner=$(<"/proc/$guard/task/$guard/children")
	runner=${runner% }
}

for options in "" --pid-namespace; do
	# shellcheck disable=SC2086 # none or one word
	start $options
	kill -TERM "$guard"
	rc=0 && wait "$guard" || rc=$?
	[[ $rc -eq 137 ]] || fail "asked to stop, it ends with $rc"
	wait_for 2000 "asked to stop $options, nothing is left" nothing_runs

	# shellcheck disable=SC2086
	start $options
	kill -KILL "$guard"
	wait "$guard" 2>/dev/null || true
	wait_for 10000 "without a guard $options, nothing is left" nothing_runs

	# shellcheck disable=SC2086
	start $options
	kill -KILL "$runner"
	wait_for 10000 "the guard starts another runner $options" runs 2
	kill -TERM "$guard"
	wait "$guard" 2>/dev/null || true
	wait_for 2000 "nothing is left" nothing_runs
done

start
cluster kill 1
wait_for 10000 "without a lease nothing runs" nothing_runs
cluster start 1 --no-wait
wait_for 15000 "it runs again, once its node leads again" runs 2
tokens=$(awk '{ print $4 }' "$mark.said" | xargs)
[[ $tokens == "1 "* && ${tokens#* } -gt 1 ]] || fail "tokens $tokens"
kill -TERM "$guard"
wait "$guard" 2>/dev/null || true
start --once
cluster kill 1
rc=0 && wait "$guard" || rc=$?
[[ $rc -eq 75 ]] || fail "--once ends with $rc when the lease is lost"
wait_for 2000 "nothing is left" nothing_runs
down
