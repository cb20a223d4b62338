#!/bin/bash
# SPDX-License-Identifier: MIT
# Program objects: the same questions natively and on a vGPU. A verdict of the vGPU is the specification's, or the host's own.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_programs
service_start || exit 1
id=$(vgpu_create one)

# What PoCL 3.1 does not survive (NULL or foreign handles in lists, a NULL in the list of binaries, linking what failed).
kills_native=(
	"binary: no binaries" "binary: of NULL" "binary: not wanted of this device" "failure: it cannot be linked"
	"build: a device that is none" "compile: a device that is none" "link: a device that is none" "link: what is no program"
	"compile: a count without headers" "compile: a count without header names" "build information: of another device"
)
without=()
for question in "${kills_native[@]}"; do without+=(--without "$question"); done

native() {
	"$BUILD/tests/vgpu-programs-test" "${without[@]}" >"$WORK/native"
	cat "$WORK/native"
	# It may differ from the specification; it must have asked everything.
	tail -n 1 "$WORK/native" | grep -q '^asked; '
}
check "the questions are asked of the host's own OpenCL" native

# Every line `ok`, or word for word the host's.
compare() { # ANSWERS
	local line bad=0
	while IFS= read -r line; do
		case $line in
		"ok "* | "asked; "*) ;;
		*) grep -qxF -- "$line" "$WORK/native" || { echo "$line"; bad=1; } ;;
		esac
	done <"$1"
	tail -n 1 "$1" | grep -q '^asked; ' || { echo "it did not ask everything:"; tail -n 3 "$1"; bad=1; }
	figures "$(grep -c '^ok ' "$1") as the specification has it, $(grep -c '^not ok ' "$1") as the host has it," \
		"$(grep -c '^not ok ' "$WORK/native") of the host's own are not the specification's"
	return $bad
}
ask() { # NAME [ENVIRONMENT...]
	local name=$1
	shift
	direct "$id" env "$@" "$BUILD/tests/vgpu-programs-test" >"$WORK/$name"
	compare "$WORK/$name"
}
check "a vGPU answers as the specification or as the host" ask vgpu
check "the same through the staging path" ask staged VGPU_FORCE_STAGING=1

# What the host got right the vGPU gets right: no verdict is worse.
none_worse() {
	local worse
	worse=$(comm -23 <(grep '^ok ' "$WORK/native" | sort) <(grep '^ok ' "$WORK/vgpu" | sort))
	[ -z "$worse" ] || { echo "right on the host, not on the vGPU:"; echo "$worse"; return 1; }
}
check "nothing that is right on the host is wrong on the vGPU" none_worse
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$id"
e2e_end
