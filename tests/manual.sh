#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The manual pages are well formed, and say of commands, options and keys what the programs say.
set -euo pipefail
# shellcheck source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

build=${XR_BUILD:-$xr_root/build}
pages=$xr_root/user/man
export PATH=$build:$PATH
[[ -x $build/xraft && -x $build/xraftd && -x $build/xraft-agent ]] || skip "xraft, xraftd and xraft-agent are not built"
wrong=0
complain() {
	say "$*"
	wrong=1
}

# same "what" LIST LIST: the program's, the manual's.
same() {
	[[ $2 == "$3" ]] || complain "$1: not both in the program (<) and in the manual (>):
$(diff <(echo "$2") <(echo "$3") | grep '^[<>]')"
}

# Options as a help prints them, and as a page's list has them.
of_help() {
	sed -nE '/^usage/!s/^ +(-[a-zA-Z], )?(--[a-z-]+).*/\2/p' | sort
}
of_page() {
	sed -nE 's/^\.It Fl ([a-zA-Z] , Fl )?-([a-z-]+).*/--\2/p' | sort
}
# section FILE HEAD: the lines under .Ss HEAD; those before the first .Ss without one.
section() {
	awk -v want="${2-}" '/^\.S[sh] / { here = $1 == ".Ss" ? $2 : "" } here == want' "$1"
}

commands=$(xraft --help | sed -nE 's/^  ([a-z][a-z-]*)  .*/\1/p' | sort)
same "commands" "$commands" "$(awk '/^\.Sh / { on = $2 == "COMMANDS" } on && /^\.Ss / { print $2 }' "$pages/xraft.1" | sort)"
same "xraft" "$(xraft --help | of_help)" "$(section "$pages/xraft.1" | of_page)"
for command in $commands; do
	# A usage may name what its list of options explains.
	same "xraft $command" "$(xraft "$command" --help | of_help)" "$(section "$pages/xraft.1" "$command" | of_page)"
done
same "xraftd" "$(xraftd --help | of_help)" "$(of_page <"$pages/xraftd.8")"
same "xraft-agent" "$(xraft-agent --help | of_help)" "$(of_page <"$pages/xraft-agent.8")"

same "libxraft" "$(grep -oE '^[a-z].*\bxr_[a-z_]+\(' "$xr_root/include/xraft/xraft.h" | grep -oE 'xr_[a-z_]+\($' | tr -d '(' | sort)" \
	"$(sed -n 's/^\.Fn \(xr_[a-z_]*\) ".*/\1/p' "$pages/libxraft.3" | sort)"

# key: type, minimum to maximum unit; default.
same "keys" "$(xraftd --keys | sed -E 's/  +/\t/g' | awk -F '\t' 'NR > 1 && $1 !~ /nodes|groups/ {
	limits = $5 == "-" ? "" : ", " $5 " to " $6 ($4 == "-" ? "" : " " $4)
	print $2 ": " $3 limits "; " $7 "." }')" \
	"$(awk '/^\.It Ic / { key = $3 } last ~ /^\.\\" key/ { print key ": " $0 } { last = $0 }' "$pages/xraft.conf.5")"

# Events: the schema, the page, and the words that the daemon has.
schema=$xr_root/user/daemon/events.schema.json
words_of() {
	awk -v want="$1" -v macro="$2" '/^\.Ss / { here = $2 } here == want && $1 == ".It" && $2 == macro { print $3 }' \
		"$pages/xraft-events.5" | sort
}
if command -v jq >/dev/null; then
	same "members of an event" "$(jq -r '.properties | keys[]' "$schema" | sort)" "$(words_of Members Va)"
	same "events" "$(jq -r '.properties.event.enum[]' "$schema" | sort)" "$(words_of Events Li)"
	same "causes" "$(jq -r '.properties.cause.enum[]' "$schema" | sort)" "$(words_of Causes Li)"
	same "events of the daemon" "$(words_of Events Li | grep -vx 'state\|lost')" \
		"$(sed -nE 's/^\tX\(([a-z_]+), [0-9], ".*/\1/p' "$xr_root/user/engine/report.h" | sort)"
	same "causes of the daemon" "$(words_of Causes Li)" \
		"$(sed -nE 's/^\t\[XR_CAUSE_[A-Z_]+\] = \{"([a-z_]+)".*/\1/p' "$xr_root/user/engine/words.c" | grep -vx none | sort)"
else
	say "NOT TESTED: there is no jq here; scripts/setup installs it"
fi

for code in $(xraftd --help | sed -n '/^Exit codes/,$p' | grep -o '\b[0-9]\+\b'); do
	grep -qx "\.It $code" "$pages/xraftd.8" || complain "xraftd.8: there is no exit code $code"
done
for code in $(xraft --help | sed -n '/^Exit codes/,$p' | grep -o '\b[0-9]\+\b'); do
	grep -qx "\.It $code" "$pages/xraft.1" || complain "xraft.1: there is no exit code $code"
done

if command -v mandoc >/dev/null; then
	for page in "$pages"/*; do
		mandoc -T lint -W warning "$page" || complain "$page: mandoc complains"
	done
else
	say "NOT TESTED: there is no mandoc here; scripts/setup installs it"
fi
if command -v groff >/dev/null; then
	for page in "$pages"/*; do
		said=$(groff -ww -mandoc -T utf8 -z "$page" 2>&1) || said+=" (groff failed)"
		[[ ! $said ]] || complain "$page: groff: $said"
	done
else
	say "NOT TESTED: there is no groff here"
fi
exit "$wrong"
