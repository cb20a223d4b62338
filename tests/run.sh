#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs tests and adds them up.
#
#   tests/run.sh [NAME=VALUE@]PROGRAM|SCRIPT...
#
# A program is a cmocka program; each of its tests counts. A script (*.sh) prints `ok ...` and `FAILED ...`
# lines and ends in `N passed, N failed` (tests/e2e/lib.sh). NAME=VALUE@ puts that variable into the environment. What this machine cannot do, a test says in a
# line `cannot test here: WHAT because WHY`; such lines are shown again at the end and count neither way.
# The last line is `N passed, N failed`; the exit status is 1 if any failed.
# TEST_TIMEOUT_S (900) bounds each program.
set -u
timeout_s=${TEST_TIMEOUT_S:-900}
passed=0
failed=0
failed_names=()
cannot=()
count=0
output=$(mktemp)
child=
trap 'rm -f "$output"' EXIT
trap '[ -z "$child" ] || kill "$child" 2>/dev/null; wait; exit 130' INT TERM

# Sets ok_count, bad_count for a cmocka program's TAP output.
count_cmocka() {
	local status=$1 planned
	ok_count=$(grep -cE '^ok [0-9]+' "$output")
	bad_count=$(grep -cE '^not ok [0-9]+' "$output")
	planned=$(grep -oE '^1\.\.[0-9]+' "$output" | awk -F'\\.\\.' '{ s += $2 } END { print s + 0 }')
	# A crash takes the tests behind it along: they failed.
	if [ $((ok_count + bad_count)) -lt "$planned" ]; then
		bad_count=$((planned - ok_count))
	fi
	if [ "$status" -ne 0 ] && [ "$bad_count" -eq 0 ]; then bad_count=1; fi
	if [ $((ok_count + bad_count)) -eq 0 ]; then
		echo "no test ran" >>"$output"
		bad_count=1
	fi
}

count_script() {
	local status=$1 line
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$output" | tail -n 1)
	ok_count=${line%% passed*}
	bad_count=${line##*, }
	bad_count=${bad_count%% failed*}
	ok_count=${ok_count:-0}
	bad_count=${bad_count:-0}
	if [ -z "$line" ]; then
		# It ended before it could say so.
		ok_count=$(grep -c '^ok ' "$output")
		bad_count=$(($(grep -c '^FAILED ' "$output") + 1))
		echo "FAILED  ${1##*/}: the script ended with status $status before its last line" >>"$output"
	elif [ "$status" -ne 0 ] && [ "$bad_count" -eq 0 ]; then
		bad_count=1
	fi
}

run_one() {
	local program=${1##*@} name=${1##*/} setting=() start status line
	if [ "$program" != "$1" ]; then
		setting=("${1%%@*}")
		name="$name, ${1%%@*}"
	fi
	count=$((count + 1))
	start=$(date +%s%N)
	if [ "${program%.sh}" != "$program" ]; then
		printf '[%d/%d] %s\n' "$count" "$total" "$name"
		env "${setting[@]}" timeout -k 10 "$timeout_s" "$program" > >(tee "$output" | grep --line-buffered -vE '^[0-9]+ passed, [0-9]+ failed$' |
			sed -u 's/^/    /') 2>&1 </dev/null &
	else
		env "${setting[@]}" CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$timeout_s" "$program" >"$output" 2>&1 </dev/null &
	fi
	child=$!
	wait "$child"
	status=$?
	child=
	sleep 0.1 # the last lines pass through tee
	if [ "${program%.sh}" != "$program" ]; then count_script "$status"; else count_cmocka "$status"; fi
	line=$(printf '[%d/%d] %-36s %3d ok' "$count" "$total" "$name" "$ok_count")
	[ "$bad_count" -eq 0 ] || line="$line, $bad_count FAILED"
	[ "$status" -ne 124 ] || line="$line (stopped after $timeout_s s)"
	printf '%s  %s s\n' "$line" "$(awk "BEGIN { printf \"%.1f\", ($(date +%s%N) - $start) / 1e9 }")"
	if [ "$bad_count" -gt 0 ]; then
		failed_names+=("$name")
		if [ "${program%.sh}" = "$program" ]; then sed 's/^/    /' "$output"; fi
		[ "$status" -eq 0 ] || [ "$status" -eq 1 ] || echo "    $name ended with status $status"
	fi
	while IFS= read -r line; do cannot+=("$line"); done < <(grep -oE 'cannot test here: .*' "$output")
	passed=$((passed + ok_count))
	failed=$((failed + bad_count))
}

total=$#
for program in "$@"; do run_one "$program"; done
if [ "$total" -eq 0 ]; then
	echo "no tests were given"
	failed=1
fi
[ ${#cannot[@]} -eq 0 ] || { echo; printf '%s\n' "${cannot[@]}"; }
[ ${#failed_names[@]} -eq 0 ] || { echo; echo "failed: ${failed_names[*]}"; }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
