#!/bin/sh
# SPDX-License-Identifier: MIT
# Routines of CLBlast's own tests (Debian: clblast-tests), which compare each result with a CPU BLAS.
#
#   clblast.sh ROUTINE...      such as xaxpy xgemv
#
# Exits 0 if each ran tests, none failed, and no kernel failed to build; prints `clblast ROUTINE: N passed, N skipped`. Skipped
# are what a device cannot do (half precision) and calls whose arguments are wrong on purpose.
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
escape=$(printf '\033')
failed=0
for routine in "$@"; do
	"clblast_test_$routine" >"$out.raw" 2>&1
	status=$?
	sed "s/$escape\\[[0-9;]*m//g" "$out.raw" >"$out"
	rm -f "$out.raw"
	sum() { awk -v what="test(s) $1" 'index($0, what) { s += $1 } END { print s + 0 }' "$out"; }
	passed=$(sum passed) skipped=$(sum skipped) bad=$(sum failed)
	# In a line of marks: X a wrong result, / a wrong error, \ a kernel that was not built.
	marks=$(grep -cE '^ +[]:.X/\\o-]*[X/\\][]:.X/\\o-]*$' "$out")
	echo "clblast $routine: $passed passed, $skipped skipped, $bad failed"
	if [ $status -ne 0 ] || [ "$bad" -ne 0 ] || [ "$passed" -eq 0 ] || [ "$marks" -ne 0 ]; then
		echo "its status is $status, it marked $marks lines; it said:"
		grep -E 'X|/|\\|rror|failed' "$out" | grep -vE ' 0 test|-> Test|0 failed$' | head -n 20
		tail -n 5 "$out"
		failed=1
	fi
done
exit $failed
