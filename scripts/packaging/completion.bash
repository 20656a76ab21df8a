# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion for xraft, xraftd and xraft-agent. It asks the command itself, so it knows what that knows.

_xraft_commands() {
	xraft --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'
}

_xraft_options() {
	xraft "$@" --help 2>/dev/null | sed -n '/^usage/!s/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

# demo.1, from the folder of its pins.
_xraft_nodes() {
	local pins
	for pins in /sys/fs/bpf/xraft/*-[1-9]; do
		[[ ! -d $pins ]] || printf '%s\n' "${pins##*/}"
	done | sed 's/-\([1-9]\)$/.\1/'
}

_xraft_groups() {
	xraft "$@" status 2>/dev/null | awk 'listed && !/^ / { print $1 } $1 == "GROUP" { listed = 1 }'
}

# The other voters, of whom one may lead next.
_xraft_voters() {
	xraft "$@" status 2>/dev/null | awk '$1 == "node" && $2 ~ /^[1-9]$/ && !/this one/ && !/cluster/ { print $2 }'
}

_xraft() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' arguments=0 words='' i
	local -a which=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-n | --node | --socket | --if | --since | --grace | --config | --interface)
			[[ $command ]] || which=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]-}")
			((i++)) || true
			;;
		-*) ;;
		*) if [[ $command ]]; then ((arguments++)) || true; else command=${COMP_WORDS[i]}; fi ;;
		esac
	done
	case $command:$previous:$arguments in
	*:-n:* | *:--node:*) words=$(_xraft_nodes) ;;
	*:--interface:*) words=$(ls /sys/class/net) ;;
	*:--socket:* | *:--config:* | keygen:*) words=$(compgen -f -- "$current") ;;
	:*) words=$(_xraft_commands) ;;
	transfer:*:0 | step-down:*:0 | pause:*:0 | resume:*:0 | check:*:0 | run:*:0 | set:*:0 | get:*:0 | watch:*) words=$(_xraft_groups "${which[@]}") ;;
	member:*:0) words="list add promote remove" ;;
	member:*:1) words=$(_xraft_groups "${which[@]}") ;;
	member:*:2) [[ " ${COMP_WORDS[*]} " == *" list "* ]] || words="1 2 3 4 5 6 7 8 9" ;;
	transfer:*:1) words=$(_xraft_voters "${which[@]}") ;;
	esac
	[[ $current != -* ]] || words=$(_xraft_options ${command:+"$command"})
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _xraft xraft

# They have options alone, and one of them takes a value: a file.
_xraftd() {
	local current=${COMP_WORDS[COMP_CWORD]} words=''
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config) words=$(compgen -f -- "$current") ;;
	*) words=$("$1" --help 2>/dev/null | sed -n 's/^  -[a-zA-Z], \(--[a-z]*\).*/\1/p') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _xraftd xraftd xraft-agent
