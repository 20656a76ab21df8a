#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: agent.sh http|metrics|haproxy|hooks
# What the agent tells by HTTP, and the programs that it calls.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_built xraft-agent
command -v curl >/dev/null || skip "there is no curl; scripts/setup installs it"
readonly source=$xr_root/user/agent

# get NODE PATH [CURL OPTIONS]: sets code, type and body. A stream of events is read for half a second.
get() {
	local node=$1 path=$2 seconds=5 error=0
	shift 2
	[[ $path != /v1/events* ]] || seconds=0.5
	body=$(cluster exec "$node" curl -s --max-time "$seconds" -o - -w '\n%{http_code} %{content_type}' "$@" \
		"http://127.0.0.1:7070$path") || error=$?
	[[ $error == 0 || ($error == 28 && $path == /v1/events*) ]] || return 1
	read -r code type <<<"${body##*$'\n'}"
	body=${body%$'\n'*}
}

answers() {
	get "$1" "$2" && [[ $code == "$3" ]]
}

# The schema of an answer, as far as it says which members there have to be.
check_answer() {
	local node=$1 path=$2 described=$3 answer
	get "$node" "$path" || fail "$path does not answer"
	answer=$(jq -c --arg path "$described" --arg code "$code" '
		def deref($root): if has("$ref") then .["$ref"] | ltrimstr("#/") | split("/") as $at | $root | getpath($at) else . end;
		. as $root | .paths[$path].get.responses[$code] | select(.) | deref($root)
		| .content | to_entries[0] | {type: .key, required: (.value.schema | deref($root) | .required // [])}' "$source/openapi.json")
	[[ $answer ]] || fail "$path answers $code, of which openapi.json says nothing"
	[[ $type == "$(jq -r .type <<<"$answer")"* ]] || fail "$path: $type is not as openapi.json says"
	[[ $type != application/json ]] || jq -e --argjson want "$answer" '. as $b | $want.required | all(. as $name | $b | has($name))' \
		<<<"$body" >/dev/null || fail "$path: $body lacks a member that openapi.json requires"
}

# Every path that is described, of every node, for a group that there is and one that there is not.
check_description() {
	local path n
	while read -r path; do
		for n in 1 2 3; do
			check_answer "$n" "${path/'{group}'/g1}" "$path"
			[[ $path != *'{group}' ]] || check_answer "$n" "${path/'{group}'/none}" "$path"
		done
	done < <(jq -r '.paths | keys[]' "$source/openapi.json")
	get 1 /nothing
	[[ $code == 404 ]] || fail "a path that does not exist is answered by $code"
	[[ $(jq -r '.paths[]' <<<"$body" | sort) == "$(jq -r '.paths | keys[] | sub("\\{group\\}"; "")' "$source/openapi.json" | sort)" ]] ||
		fail "openapi.json and the server do not have the same paths"
}

metric() {
	get "$1" /metrics && awk -v name="$2" 'index($0, name) == 1 && substr($0, length(name) + 1, 1) == " " { print $2; found = 1 } END { exit !found }' <<<"$body"
}

# A program that notes what it is called for, and takes as long as it is told.
make_hook() {
	chmod 0755 "$work"
	mkdir -m 0777 "$work/notes"
	cat >"$work/hook" <<-END
		#!/usr/bin/env bash
		note() {
			echo "\$1 \$XRAFT_EVENT \$XRAFT_GROUP token=\$XRAFT_TOKEN leader=\$XRAFT_LEADER \$XRAFT_CAUSE \$(id -un) \${XRAFT_ENTRY-} \${XRAFT_VALUE-}" \\
				>>"$work/notes/\$XRAFT_NODE"
		}
		note begins
		echo "called for \$XRAFT_EVENT"
		[[ ! -e $work/notes/for-ever.\$XRAFT_NODE ]] || sleep 1000
		while [[ -e $work/notes/hold.\$XRAFT_NODE ]]; do sleep 0.02; done
		note ends
	END
	chmod 0755 "$work/hook"
}

# noted NODE PATTERN: a line of what it was called for; the last N lines with a number before it.
noted() {
	grep -Eq "^begins $2" "$work/notes/$1" 2>/dev/null
}

count_notes() {
	grep -Ec "^begins $2" "$work/notes/$1"
}

if [[ $1 == hooks ]]; then
	make_hook
	up 3 --http --hooks "$work/hook"
else
	up 3 --http
fi
wait_for 15000 "all three agree" agreed 1 2 3
for n in 1 2 3; do
	wait_for 15000 "node $n answers" answers "$n" /healthz 200
done

# Of CPU time, in ticks of 10 ms.
agent_ticks() {
	awk '{ print $14 + $15 }' "/proc/$(pgrep -f "xraft-agent .*$XR_CLUSTER/node.1.conf")/stat"
}

case $1 in
http)
	ticks=$(agent_ticks)
	sleep 2
	((ticks = $(agent_ticks) - ticks, ticks < 20)) || fail "an agent that only waits took $ticks ticks in 2 s"
	# shellcheck disable=SC2154 # agreed() sets them
	old=$leader
	next=$((old % 3 + 1))
	wait_for 5000 "node $old says that it leads" answers "$old" /leader/g1 200
	[[ $(jq '.token' <<<"$body") == "$term" ]] || fail "the token is not the term"
	answers "$next" /leader/g1 503 || fail "node $next says that it leads, too"
	answers "$next" /follower/g1 200 || fail "node $next does not say that it follows"
	answers "$old" /follower/g1 503 || fail "node $old says that it follows"
	answers "$next" /readyz 200 || fail "node $next is not ready"
	answers 1 /value/g1 404 || fail "node 1 has a value that nobody set"
	check_description
	xraft -n "$XR_CLUSTER.$old" set g1 'at "10.0.0.1", über all' >/dev/null || fail "no value is set"
	valued() {
		answers "$1" /value/g1 200 && [[ $(jq -r '"\(.id) \(.committed) \(.value)"' <<<"$body") == "$2" ]]
	}
	for n in 1 2 3; do
		wait_for 5000 "node $n tells the value" valued "$n" "$term.1 true at \"10.0.0.1\", über all"
	done
	check_description
	for method in POST PUT DELETE OPTIONS; do
		get 1 /leader/g1 -X "$method" -d x
		[[ $code == 405 ]] || fail "$method is answered by $code"
	done
	[[ $(cluster exec "$old" curl -s -I "http://127.0.0.1:7070/leader/g1") == "HTTP/1.1 200"* ]] || fail "HEAD is not answered"
	say "as openapi.json says"

	get "$next" "/v1/events?group=g1&from=oldest"
	[[ $(jq -s 'map(select(.event == "state" and .group == "g1")) | length' <<<"$body") == 1 ]] || fail "events: no state of the group"
	[[ $(jq -s 'map(select(.event == "following")) | length' <<<"$body") -ge 1 ]] || fail "events: nothing of the past"
	nsenter --net="/run/netns/xr-$XR_CLUSTER-$next" curl -sN --max-time 20 "http://127.0.0.1:7070/v1/events?group=g1" >"$work/events" &
	helpers+=($!)
	wait_for 5000 "a stream begins" test -s "$work/events"
	xraft -n "$XR_CLUSTER.$old" set g1 another >/dev/null || fail "no value is set"
	wait_for 5000 "it tells of a value" grep -q '"event":"committed".*"value":"another"' "$work/events"
	get "$next" "/v1/events?group=none"
	[[ $code == 404 ]] || fail "events of a group that does not exist: $code"
	get "$next" "/v1/events?since=what"
	[[ $code == 400 ]] || fail "events since no event: $code"

	xraft -n "$XR_CLUSTER.$old" transfer g1 "$next" >/dev/null
	wait_for 5000 "handed over, node $next says that it leads" answers "$next" /leader/g1 200
	wait_for 5000 "its stream says so, too" grep -q '"event":"elected"' "$work/events"
	kill "${helpers[@]}"
	helpers=()
	wait_for 5000 "and node $old that it does not" answers "$old" /leader/g1 503

	# True also while the daemon stands still, which then can say nothing of itself.
	engine=$(field "$next" .pid)
	kill -STOP "$engine" "$(daemon_pid "$next")"
	wait_for 15000 "the daemon stands still, and node $next does not lead" answers "$next" /leader/g1 503
	wait_for 15000 "nor is it well" answers "$next" /healthz 503
	answers "$next" /readyz 503 || fail "it says that it is ready"
	kill -CONT "$engine" "$(daemon_pid "$next")"
	wait_for 15000 "it goes on" answers "$next" /healthz 200
	;;
metrics)
	old=$leader
	[[ $(metric "$old" 'xraft_leader{group="g1"}') == 1 ]] || fail "the leader does not count as one"
	[[ $(metric "$old" 'xraft_leader_node{group="g1"}') == "$old" ]] || fail "who leads is wrong"
	[[ $(metric "$old" 'xraft_term{group="g1"}') == "$term" ]] || fail "the term is wrong"
	awk -v left="$(metric "$old" 'xraft_lease_remaining_seconds{group="g1"}')" 'BEGIN { exit !(left > 0 && left < 0.15) }' ||
		fail "the rest of the lease is wrong"
	follower=$((old % 3 + 1))
	[[ $(metric "$follower" 'xraft_leader{group="g1"}') == 0 ]] || fail "a follower counts as a leader"
	metric "$old" "xraft_ack_age_seconds{group=\"g1\",peer=\"$follower\"}" >/dev/null || fail "no age of an ack"
	metric "$follower" 'xraft_contact_age_seconds{group="g1"}' >/dev/null || fail "no age of a contact"
	[[ $(metric "$follower" 'xraft_verdicts_total{path="nic",verdict="heartbeat_answered"}') -gt 0 ]] || fail "no verdict of the NIC path"

	! metric "$old" 'xraft_entry_committed{group="g1"}' || fail "there is an entry that nobody made"
	for value in one two; do
		xraft -n "$XR_CLUSTER.$old" set g1 "$value" >/dev/null || fail "no value is set"
	done
	counted() {
		[[ $(metric "$1" "xraft_entry_$2{group=\"g1\"}") == "$3" ]]
	}
	for n in 1 2 3; do
		wait_for 5000 "node $n knows that the entry is committed" counted "$n" committed 1
		wait_for 5000 "and which" counted "$n" index 2
		counted "$n" term "$term" || fail "the term of the entry is wrong"
	done

	[[ $(metric "$follower" xraft_journal_write_seconds_count) -ge 1 ]] || fail "no write of its vote"
	[[ $(metric "$follower" 'xraft_wrong{look="program",peer="0"}') == 0 ]] || fail "the program is not as it should be"
	wrong() {
		[[ $(metric "$1" "xraft_wrong{look=\"peer\",peer=\"$2\"}") == "$3" ]]
	}
	third=$((6 - old - follower))
	cluster kill "$third"
	wait_for 15000 "the leader misses node $third" wrong "$old" "$third" 1
	cluster start "$third"
	wait_for 15000 "and finds it again" wrong "$old" "$third" 0
	wait_for 15000 "all three agree" agreed 1 2 3

	# Counted by cause: also those from before the agent lived.
	started() {
		[[ $(metric "$1" "xraft_elections_started_total{cause=\"$2\"}") -ge 1 ]]
	}
	wait_for 5000 "the first election is counted" started "$old" start
	cluster crash "$old"
	wait_for 15000 "all three agree" agreed 1 2 3
	[[ $leader != "$old" ]] || fail "node $old leads again"
	wait_for 5000 "an election after a resignation is counted" started "$leader" resigned

	command -v promtool >/dev/null || {
		down
		skip "there is no promtool, which checks names and format (Debian: prometheus)"
	}
	get "$old" /metrics
	promtool check metrics <<<"$body" || fail "promtool does not like the metrics"
	promtool check rules "$source/alerts.yml" >/dev/null || fail "promtool does not like alerts.yml"
	# An alert over a metric that nobody has would never be raised.
	while read -r name; do
		grep -Eq "^# TYPE ($name|${name%_*}) " <<<"$body" || [[ $name == xraft_virtual_address_served ]] || fail "alerts.yml: there is no $name"
	done < <(grep '  expr:' "$source/alerts.yml" | grep -o 'xraft_[a-z_]*' | sort -u)
	;;
hooks)
	clean_up() {
		(($1 == 0)) || tail -n +1 "$work"/notes/*
	}
	old=$leader next=$((leader % 3 + 1)) third=$(((leader + 1) % 3 + 1))
	wait_for 5000 "node $old is told that it leads" noted "$old" "become_leader g1 token=$term leader=$old start nobody"
	for n in 1 2 3; do
		wait_for 5000 "node $n is told who leads" noted "$n" "new_leader g1 token=$term leader=$old"
	done
	for n in "$next" "$third"; do
		wait_for 5000 "node $n is told that it does not" noted "$n" "lose_leadership g1 token=0 leader=[0-9] agent_starts"
	done
	wait_for 5000 "what it prints is in the log" grep -q "called for become_leader" "$run/node.$old.log"

	say "--- a value is told at each node, and not again where a new leader makes the entry anew"
	xraft -n "$XR_CLUSTER.$old" set g1 'first of all' >/dev/null || fail "no value is set"
	for n in 1 2 3; do
		wait_for 5000 "node $n is told" noted "$n" "new_value g1 token=$term leader=$old committed nobody $term.1 first of all"
	done
	xraft -n "$XR_CLUSTER.$old" transfer g1 "$next" >/dev/null
	made_anew() {
		[[ $(xraft -n "$XR_CLUSTER.$1" get --json g1 | jq -r '"\(.id) \(.committed)"') == "$(term_of "$1").2 true" ]]
	}
	wait_for 5000 "node $next makes the entry anew" made_anew "$next"
	xraft -n "$XR_CLUSTER.$next" set g1 second >/dev/null || fail "no value is set"
	for n in 1 2 3; do
		wait_for 5000 "node $n is told of another value" noted "$n" "new_value .* $(term_of "$next").3 second"
		[[ $(count_notes "$n" new_value) == 2 ]] || fail "node $n was told $(count_notes "$n" new_value) times of two values"
	done
	xraft -n "$XR_CLUSTER.$next" transfer g1 "$old" >/dev/null
	term=$(term_of "$old")
	wait_for 5000 "node $old is told that it leads" noted "$old" "become_leader g1 token=$term leader=$old resigned"

	say "--- a program that takes its time delays no election, and is not called twice at a time"
	touch "$work/notes/hold.$next"
	xraft -n "$XR_CLUSTER.$old" transfer g1 "$next" >/dev/null
	token=$(term_of "$next")
	wait_for 5000 "node $old is told that it lost" noted "$old" "lose_leadership g1 token=$term leader=[0-9] transfer"
	wait_for 5000 "node $next is told that it leads" noted "$next" "become_leader g1 token=$token leader=$next resigned"
	xraft -n "$XR_CLUSTER.$next" transfer g1 "$third" >/dev/null
	wait_for 5000 "node $third is told that it leads" noted "$third" "become_leader"
	! noted "$next" "lose_leadership g1 token=$token" || fail "node $next was told of the loss while its program was under way"
	rm "$work/notes/hold.$next"
	wait_for 5000 "then node $next is told that it lost" noted "$next" "lose_leadership g1 token=$token leader=[0-9] transfer"

	say "--- one that never ends is ended"
	touch "$work/notes/for-ever.$old"
	xraft -n "$XR_CLUSTER.$third" transfer g1 "$old" >/dev/null
	wait_for 10000 "it is ended" grep -q "g1: hook become_leader has not ended within 3000 ms" "$run/node.$old.log"
	wait_for 10000 "and the log says how it ended" grep -q "g1: hook become_leader ended with signal 15" "$run/node.$old.log"
	rm "$work/notes/for-ever.$old"
	xraft -n "$XR_CLUSTER.$old" transfer g1 "$next" >/dev/null
	wait_for 5000 "node $next is told that it leads" noted "$next" "become_leader g1 token=$(term_of "$next")"

	say "--- an agent that starts tells again"
	before=$(count_notes "$next" become_leader)
	kill -KILL "$(pgrep -o -f "xraft-agent --config $run/node.$next.conf")"
	told_again() {
		[[ $(count_notes "$next" become_leader) -gt $before ]]
	}
	wait_for 10000 "node $next is told again that it leads" told_again
	wait_for 5000 "and again of the value" noted "$next" "new_value .* agent_starts nobody .* second"

	say "--- a leader without a majority"
	token=$(term_of "$next")
	signal "$old" KILL
	signal "$third" KILL
	wait_for 10000 "node $next is told why it lost" noted "$next" "lose_leadership g1 token=$token leader=[0-9] quorum_lost"
	wait_for 10000 "and that the quorum is lost" noted "$next" "quorum_lost g1"
	# One at a time, from the first to the last; of the node whose programs and agent nobody killed.
	awk '$1 == "begins" { if (under_way++) bad = 1 } $1 == "ends" { under_way-- } END { exit bad }' \
		"$work/notes/$third" || {
		cat "$work/notes/$third"
		fail "node $third was told two things at a time"
	}
	;;
haproxy)
	command -v haproxy >/dev/null || {
		down
		skip "there is no haproxy (Debian: haproxy)"
	}
	cat >"$work/haproxy.cfg" <<-END
		defaults
			mode http
			timeout connect 1s
			timeout client 5s
			timeout server 5s
		frontend leader
			bind 127.0.0.1:8080
			default_backend nodes
		backend nodes
			option httpchk GET /leader/g1
			http-check expect status 200
			default-server inter 50ms fall 1 rise 1 on-marked-down shutdown-sessions
			server node1 10.77.0.1:7070 check
			server node2 10.77.0.2:7070 check
			server node3 10.77.0.3:7070 check
	END
	nsenter --net="/run/netns/xr-$XR_CLUSTER-1" setpriv --pdeathsig KILL haproxy -f "$work/haproxy.cfg" -db >"$work/haproxy.log" 2>&1 &
	helpers+=($!)
	# Whoever answers through the proxy is the leader.
	led_through_proxy() {
		[[ $(cluster exec 1 curl -s --max-time 2 http://127.0.0.1:8080/leader/g1 | jq -r 'select(.token) | .node') == "$1" ]]
	}
	old=$leader
	wait_for 10000 "HAProxy sends all to node $old, which leads" led_through_proxy "$old"
	next=$((old % 3 + 1))
	xraft -n "$XR_CLUSTER.$old" transfer g1 "$next" >/dev/null
	wait_for 10000 "handed over, HAProxy sends all to node $next" led_through_proxy "$next"
	cluster crash "$next"
	wait_for 15000 "all three agree" agreed 1 2 3
	wait_for 10000 "the engine was killed, and HAProxy sends all to node $leader" led_through_proxy "$leader"
	kill "${helpers[@]}"
	helpers=()
	;;
*)
	fail "usage: agent.sh http|metrics|haproxy|hooks"
	;;
esac
down
