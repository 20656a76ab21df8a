#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# include/xraft/README.md against the tree, and the tree against it. Sourced by check, never run.

law=include/xraft/README.md

wrong() {
	say "$*"
	lawful=no
}

# All that people wrote here, but not what tools made of it.
texts() {
	find README.md CMakeLists.txt .ci .github bpf include scripts tests user -type f \
		! -path '*/corpus/*' ! -name '*.svg' -print0
}

# FILE:LINE:NUMBER of each "rule 3", "rules 3, 4 and 15", "rules 2–6".
citations() {
	texts | xargs -0 grep -InHoP '\b[Rr]ules? \d+\b(?!\.\d)(?:(?:, and |, | and | or |–)\d+\b)*' |
		awk -F: '{ n = split($3, part, /[^0-9]+/)
			   for (i = 1; i <= n; i++) if (part[i] != "") print $1 ":" $2 ":" part[i] }'
}

# Every citation is of a rule that there is, and code that is shipped cites every rule.
law_citations() {
	local file line number name
	local -A known=() shipped=()
	while read -r number; do
		known[$number]=1
	done < <(grep -oP '^### Rule \K\d+(?=: )' "$law")
	while IFS=: read -r file line number; do
		[[ ${known[$number]-} ]] || wrong "$file:$line: there is no rule $number in $law"
		[[ ! $file =~ ^(bpf|include|user)/.*[.][ch]$ ]] || shipped[$number]=1
	done < <(citations)
	for number in "${!known[@]}"; do
		[[ ${shipped[$number]-} ]] || wrong "$law: no line of bpf/, include/ or user/ cites rule $number"
	done
	while IFS=: read -r file line name; do
		wrong "$file:$line: there is no document $name; cite a rule of $law"
	done < <(texts | xargs -0 grep -InHowE 'DESIG[N]|SAFET[Y]')
}

# defines FILE NAME: a function with its body, in C or shell.
defines() {
	awk -v name="$2" '
		!open && match($0, "^([A-Za-z_].*[ *])?" name "\\(") {
			open = 1
			$0 = substr($0, RSTART + RLENGTH)
		}
		open && match($0, /[;{]/) {
			if (substr($0, RSTART, 1) == "{") { found = 1; exit }
			open = 0
		}
		END { exit !found }' "$1"
}

# holds FILE NAME: name() is a function; all else stands there as it is.
holds() {
	case $2 in
	*'()') defines "$1" "${2%()}" ;;
	*) grep -qwF -- "$2" "$1" ;;
	esac
}

# A document names places as `FILE`, or as `FILE: NAME, ...`; and words of the code.
law_places() {
	local doc=$1 place file rest
	while IFS= read -r place; do
		file=${place%%[: ]*} rest=
		[[ $place != *': '* ]] || rest=${place#*: }
		[[ -e $file ]] || wrong "$doc: there is no $file${rest:+ for $rest}"
		while [[ -e $file && $rest && $rest =~ ^(\"[^\"]*\"|[^,]*)(, )? ]]; do
			holds "$file" "${BASH_REMATCH[1]}" || wrong "$doc: $file has no ${BASH_REMATCH[1]}"
			rest=${rest#"${BASH_REMATCH[0]}"}
		done
	done < <(grep -oP '\x60\K(\.github|bpf|include|scripts|tests|user)/[^\x60]*(?=\x60)' "$doc" | sort -u)
	while read -r place; do
		grep -rqw --include='*.[ch]' "$place" bpf include user || wrong "$doc: the code has no $place"
	done < <(grep -oP '\x60\K[Xx][Rr]_\w+(?=\x60)' "$doc" | sort -u)
}

# Each rule has all its parts, and names the bugs that are planted against it and no others.
law_rules() {
	local number text
	while read -r number text; do
		wrong "$law: rule $number $text"
	done < <(awk '
		function end_rule() {
			if (rule && !why) print rule, "does not say why"
			if (rule && !kept) print rule, "does not say where it is kept"
			if (rule && !tests) print rule, "names no test"
			rule = why = kept = tests = 0
		}
		/^##/ { end_rule() }
		/^### Rule / { rule = $3 + 0 }
		/^Why: / { why = 1 }
		/^[|] \140(bpf|include|user)\// { kept = 1 }
		/^Tests: \140tests\// { tests = 1 }' "$law")
	while read -r number text; do
		wrong "rule $number, planted bug $text: not both in $law and in tests/sim/bugs.h"
	done < <(comm -3 --output-delimiter= \
		<(sed -nE 's/^\tX\((\w+), ".*", ([1-9][0-9]*), .*/\2 \1/p' tests/sim/bugs.h | sort) \
		<(awk '/^### Rule / { rule = $3 + 0 }
		       /^Planted: / { gsub(/\140/, ""); for (i = 2; i <= NF; i++) print rule, $i }' "$law" | sort))
}

# Who has ten minutes reads the README, and starts; the rest is in the pages that it links.
law_length() {
	local words
	words=$(wc -w <README.md)
	((words <= 1200)) || wrong "README.md: $words words, and 1200 are enough; user/README.md and the manual take more"
}

check_law() {
	lawful=yes
	law_citations
	law_places "$law"
	law_places .github/CONTRIBUTING.md
	law_rules
	law_length
	[[ $lawful == yes ]]
}
