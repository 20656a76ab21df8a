#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# xraft watch as programs use it: the present first, each event as the schema says, nothing of a group
# that is named left out, through the death of the daemon.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
groups=60 # a third of them is more than are told one by one
all=(1 2 3)

watchers=()
clean_up() {
	kill "${watchers[@]}" 2>/dev/null || true
}
watch() {
	local n=$1 to=$2
	shift 2
	xraft -n "$XR_CLUSTER.$n" watch --json "$@" >"$work/$to" 2>"$work/$to.said" {xr_idle}>&- &
	watchers+=($!)
}

# seen FILE FILTER: an event, as jq has it
seen() {
	[[ $(jq -c "select($2)" "$work/$1" 2>/dev/null | head -n 1) ]]
}

leads_how_many() {
	node "$1" | jq '[.groups[] | select(.role == "leader")] | length'
}

all_led() {
	local n sum=0
	for n in "${all[@]}"; do
		sum=$((sum + $(leads_how_many "$n")))
	done
	((sum == groups))
}

# It told the state in two lives.
two_lives() {
	[[ $(jq -r 'select(.event == "state").epoch' "$work/dying" | sort -u | wc -l) -eq 2 ]]
}

up 3 --groups "$groups" >/dev/null
wait_for 15000 "each group has a leader" all_led
read -r _ dies < <(for n in "${all[@]}"; do echo "$(leads_how_many "$n") $n"; done | sort -rn | head -n 1)
last=$(node "$dies" | jq -r '[.groups[] | select(.role == "leader").name][-1]')
read -r stays _ < <(others 3 "$dies" | xargs)
watch "$stays" some "$last"
watch "$stays" everything
watch "$dies" dying "$last"
watch "$dies" once --once
for file in some dying; do
	wait_for 5000 "$file: the state of $last" seen "$file" '.event == "state"'
	[[ $(wc -l <"$work/$file") -eq 1 ]] || fail "a watch of one group begins with $(cat "$work/$file")"
done
wait_for 5000 "the state of all groups" seen everything ".event == \"state\" and .group == \"$last\""
[[ $(jq -r .group "$work/everything" | sort -u | wc -l) -eq $groups ]] || fail "not of each group"

kill -KILL "$(node "$dies" | jq .pid)" # the engine: another follows
wait_for 15000 "$last follows another, or leads" seen some '.event == "elected" or .event == "following"'
wait_for 5000 "others are told as one" seen everything '.more'
! seen some '.more' || fail "what speaks of several groups comes to who named one"
! seen some ".group != \"$last\"" || fail "another group's event comes to who named one"
jq -es 'map(select(.event == "following" or .event == "elected")) | all(.leader != .cause_node)' "$work/some" >/dev/null ||
	fail "the leader is the node that the cause speaks of: $(cat "$work/some")"
wait_for 15000 "the watch of the dead one goes on" seen dying '.event == "lost"'
wait_for 15000 "and tells the state in its new life" two_lives
grep -q "waits for the next" "$work/dying.said" || fail "it does not say that the daemon ended: $(cat "$work/dying.said")"
rc=0
wait "${watchers[3]}" || rc=$?
[[ $rc -eq 4 ]] || fail "watch --once ends with $rc, not 4: $(cat "$work/once.said")"

# From an event on: nothing twice, nothing missing.
read -r epoch seq < <(jq -r 'select(.event != "state") | "\(.epoch) \(.seq)"' "$work/everything" | head -n 1)
watch "$stays" since --since "$epoch:$seq"
wait_for 5000 "what followed an event, then the state" seen since '.event == "state"'
[[ $(jq "select(.event != \"state\").seq" "$work/since" | head -n 1) -eq $((seq + 1)) ]] || fail "it does not go on behind event $seq"

kill "${watchers[@]}" 2>/dev/null || true
for file in some everything dying since; do
	jq -es 'map(select(.event != "state" and .event != "lost")) | group_by(.epoch) | all(map(.seq) == (map(.seq) | unique))' \
		"$work/$file" >/dev/null || fail "$file: the numbers do not rise"
	python3 - "$xr_root/user/daemon/events.schema.json" "$work/$file" <<-'END' || fail "$file: not as the schema says"
		import json, sys, jsonschema
		check = jsonschema.Draft7Validator(json.load(open(sys.argv[1])))
		wrong = 0
		for line in open(sys.argv[2]):
		    for error in check.iter_errors(json.loads(line)):
		        print(line.strip(), error.message)
		        wrong += 1
		sys.exit(wrong != 0)
	END
done
rc=0
xraft -n "$XR_CLUSTER.$stays" watch no-such-group 2>"$work/said" || rc=$?
{ [[ $rc -eq 1 ]] && grep -q "no group no-such-group" "$work/said"; } || fail "a group that it does not have: $rc, $(cat "$work/said")"
cluster kill "$stays"
rc=0
xraft -n "$XR_CLUSTER.$stays" watch 2>/dev/null || rc=$?
[[ $rc -eq 4 ]] || fail "without a daemon watch ends with $rc, not 4"
down
