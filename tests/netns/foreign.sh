#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: foreign.sh wrong-key|replay|forged|flood
# What is not authentic moves nothing, and is counted.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up 3
agreed 1 2 3 || fail "no leader"
# shellcheck disable=SC2154 # agreed() sets them
old=$leader old_term=$term
mapfile -t rest < <(others 3 "$old")
victim=${rest[0]}

as_before() {
	agreed "$@" && [[ $leader == "$old" && $term == "$old_term" ]]
}

counted() {
	[[ $(counter "$1" "$2") -ge $3 ]]
}

case $1 in
wrong-key)
	cluster kill "$victim"
	xraft keygen "$work/other-key" >/dev/null
	sed -i "s|^key = .*|key = $work/other-key|" "$run/node.$victim.conf"
	before=$(counter "$old" drop_tag)
	cluster start "$victim" --no-wait
	wait_for 15000 "node $old drops and counts what node $victim says" counted "$old" drop_tag $((before + 3))
	wait_for 15000 "node $victim drops and counts what node $old says" counted "$victim" drop_tag 3
	holds_for 2000 "the others keep their leader and term" as_before "$old" "${rest[1]}"
	in_term "$victim" "$old_term" || fail "node $victim has raised its term to $(term_of "$victim") alone"
	no_longer_leads "$victim" || fail "node $victim leads alone"
	cluster kill "$victim"
	sed -i "s|^key = .*|key = $run/key|" "$run/node.$victim.conf"
	cluster start "$victim"
	as_before 1 2 3 || fail "with the right key node $victim came back and changed the leader or the term"
	;;
replay)
	# What passes towards the follower: heartbeats (type 1) of its leader. They come twice.
	frames catch "port$victim" "$work/heard" 1 "$old" 20
	before=$(counter "$victim" drop_replay)
	answered=$(counter "$victim" heartbeat_answered)
	began=$(now_ms)
	sent=$(frames send "port$victim" "$work/heard")
	wait_for 15000 "all $sent are dropped and counted" counted "$victim" drop_replay $((before + sent))
	((sent == 20)) || fail "20 should have been sent"
	answered=$(($(counter "$victim" heartbeat_answered) - answered))
	((answered <= ($(now_ms) - began) / 50 + 4)) || fail "replayed heartbeats were answered: $answered"

	# A leader that is gone must not live on in its recording.
	cluster kill "$old"
	for _ in {1..40}; do
		frames send "port$victim" "$work/heard" >/dev/null
		nap 0.01
	done
	wait_for 15000 "the others have another leader all the same" agreed "${rest[@]}"
	new=$leader new_term=$term
	frames send "port$victim" "$work/heard" >/dev/null
	agreed "${rest[@]}" || fail "a replayed heartbeat of an older term has moved somebody"
	[[ "$leader $term" == "$new $new_term" ]] || fail "a replayed heartbeat has changed the leader"

	# Nor in the ears of a follower that has forgotten all that it heard.
	cluster kill "$victim"
	cluster start "$victim"
	before=$(counter "$victim" drop_life)
	frames send "port$victim" "$work/heard" >/dev/null
	wait_for 15000 "all 20 are for another life, dropped and counted" counted "$victim" drop_life $((before + 20))
	;;
forged)
	frames catch "port$victim" "$work/heard" 1 "$old" 5
	before=$(counter "$victim" drop_tag)
	# The first record's term, at 48 + 4 in the datagram: a term that is far ahead.
	frames forge "port$victim" "$work/heard" 54 9 >/dev/null
	wait_for 15000 "a forged term is dropped and counted" counted "$victim" drop_tag $((before + 5))
	before=$(counter "$victim" drop_source)
	frames forge "port$victim" "$work/heard" 6 9 >/dev/null
	wait_for 15000 "an unknown sender is dropped and counted" counted "$victim" drop_source $((before + 5))
	before=$(counter "$victim" drop_address)
	frames forge "port$victim" "$work/heard" 6 "${rest[1]}" >/dev/null
	wait_for 15000 "another node's address is dropped and counted" counted "$victim" drop_address $((before + 5))
	before=$(counter "$victim" drop_version)
	frames forge "port$victim" "$work/heard" 4 9 >/dev/null
	wait_for 15000 "an unknown version is dropped and counted" counted "$victim" drop_version $((before + 5))
	before=$(counter "$victim" drop_life)
	life=$(od -An -tu1 -j$((4 + 42 + 32)) -N1 "$work/heard")
	frames forge "port$victim" "$work/heard" 32 $((life ^ 1)) >/dev/null
	wait_for 15000 "another life is dropped and counted" counted "$victim" drop_life $((before + 5))
	as_before 1 2 3 || fail "a forged datagram has moved something"
	;;
flood)
	frames catch "port$victim" "$work/heard" 1 "$old" 1
	frames flood "port$victim" "$work/heard" 300000 >/dev/null &
	flood=$!
	while kill -0 "$flood" 2>/dev/null; do
		as_before 1 2 3 || fail "the flood has moved something"
	done
	as_before 1 2 3 || fail "the flood has moved something"
	say "node $victim dropped $(counter "$victim" drop_magic) that are not xraft's," \
		"and $(counter "$victim" drop_type) of unknown types"
	counted "$victim" drop_magic 100000 || fail "the flood has not arrived at the NIC path"
	;;
*) fail "no such test: $1" ;;
esac
down
