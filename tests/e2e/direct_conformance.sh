#!/bin/bash
# SPDX-License-Identifier: MIT
# The same questions to the host's OpenCL and to a vGPU: answers, printed text, sub-devices, extensions, threads, forks.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_conformance
service_start || exit 1
id=$(vgpu_create one)
conformance=$BUILD/tests/cl-conformance
native() { foreign env -u VGPU_SOCKET OCL_ICD_VENDORS="${NATIVE_ICD:-/etc/OpenCL/vendors/pocl.icd}" "$@"; }

# Asked natively once, where some questions are never answered; a table of both is shown where they differ, and is kept in CONFORMANCE_TABLE.
CONFORMANCE_PATIENCE_S=10 native "$conformance" errors >"$WORK/native" 2>"$WORK/native.err"
errors_as_specified() { # NAME [--wrong-kinds]
	local name=$1
	shift
	# A crash or a wrong answer of ours is a failure; one of the host's is not.
	direct "$id" env "${SETTING[@]}" "$conformance" errors "$@" >"$WORK/$name" 2>"$WORK/$name.err"
	local status=$?
	tail -n 1 "$WORK/$name.err"
	grep -vP '\tok$' "$WORK/$name"
	figures "$(wc -l <"$WORK/$name") questions"
	return $status
}
SETTING=(A=)
check "every error is one that the specification has for it" errors_as_specified vgpu --wrong-kinds
SETTING=(VGPU_FORCE_STAGING=1)
check "the same through the staging path" errors_as_specified staged --wrong-kinds

# entry, what is wrong, specified, natively, here
compare() {
	awk -F '\t' 'BEGIN { OFS = "\t" } NR == FNR { native[$1 FS $2] = $4; verdict[$1 FS $2] = $5; next }
		!(($1 FS $2) in native) { native[$1 FS $2] = "not asked" }
		{ print $1, $2, $3, native[$1 FS $2], $4, verdict[$1 FS $2], $5 }' "$WORK/native" "$WORK/vgpu" >"$WORK/table"
	[ -z "${CONFORMANCE_TABLE:-}" ] || cp "$WORK/table" "$CONFORMANCE_TABLE"
	local differ wrong
	differ=$(awk -F '\t' '$4 != $5 && $4 != "not asked"' "$WORK/table" | tee "$WORK/differ" | wc -l)
	wrong=$(awk -F '\t' '$6 != "ok" && $6 != ""' "$WORK/table" | wc -l)
	figures "$differ answers differ from the host's, $wrong of its own are not as specified"
	cat "$WORK/differ"
	# Enough was asked of both for this to be a comparison.
	[ "$(awk -F '\t' '$4 != "not asked"' "$WORK/table" | wc -l)" -ge 400 ]
}
check "both were asked the same" compare
printed_alike() {
	native "$conformance" printf >"$WORK/printed.native" || return 1
	direct "$id" "$conformance" printf >"$WORK/printed" || return 1
	figures "$(wc -c <"$WORK/printed") bytes"
	cmp "$WORK/printed.native" "$WORK/printed" && [ "$(wc -l <"$WORK/printed")" -gt 10000 ]
}
check "kernels print the same bytes in the same order as natively" printed_alike
printed_to_a_slow_reader() {
	direct "$id" "$conformance" printf | (sleep 2; cat) >"$WORK/printed.slow"
	cmp "$WORK/printed.native" "$WORK/printed.slow"
}
check "kernels print to a pipe that is read late" printed_to_a_slow_reader
check "sub-devices compute, alone and together" direct "$id" "$conformance" sub-devices
check "queries agree with each other and with the compiler" direct "$id" "$conformance" queries
check "each extension that is listed is there" direct "$id" "$conformance" extensions
threads() { # [VARIABLE=VALUE]
	local said
	said=$(direct "$id" env "$@" "$conformance" threads "${THREADS_SECONDS:-5}") || { echo "$said"; return 1; }
	figures "$said"
}
check "64 threads use every kind of object at once" threads A=
check "64 threads through the staging path" threads VGPU_FORCE_STAGING=1
check "processes fork and go on" direct "$id" "$conformance" fork
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$id"
e2e_end
