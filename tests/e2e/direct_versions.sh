#!/bin/bash
# SPDX-License-Identifier: MIT
# Guest and host of different versions: the shim of the previous protocol version on this build's host, and this build's shim on
# the host of that version. Both are the programs of then, built from the history into $BUILD/previous.
#
# When WIRE_VERSION grows, PREVIOUS becomes the last commit before.
# shellcheck disable=SC2317,SC2329  # functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

PREVIOUS=b614f00311d610f48e6949f04f8f05c580643894
previous_version=1
e2e_begin direct_versions
now=$BUILD
guest_test=$now/tests/vgpu-guest-test
old=$BUILD/previous/$PREVIOUS/build

build_previous() {
	local tree=$BUILD/previous/$PREVIOUS
	[ -e "$tree/built" ] && return
	rm -rf "$BUILD/previous"
	mkdir -p "$tree"
	git -C "$ROOT" archive "$PREVIOUS" | tar -x -C "$tree" || return 1
	grep -E "define WIRE_VERSION +${previous_version}u" "$tree/shim/wire/wire.h" || { echo "$PREVIOUS is not of version $previous_version"; return 1; }
	env -u MAKEFLAGS -u MAKELEVEL make -C "$tree" SAN= BUILD="$old" -j"$(nproc)" "$old/lib/libvgpu-opencl.so" \
		"$old"/bin/vgpu{d,-admin,-keeper,-device,-compute} && touch "$tree/built"
}
if ! git -C "$ROOT" cat-file -e "$PREVIOUS^{tree}" 2>/dev/null; then
	echo "cannot test here: shims and hosts of version $previous_version because this clone's history does not reach back to $PREVIOUS"
	e2e_end
fi
check "the previous version, from the history" build_previous
[ -e "$BUILD/previous/$PREVIOUS/built" ] || e2e_end

# What a shim offers of what version 2 brought.
offers() { # PROPERTY VALUE
	direct "$id" foreign clinfo --raw >"$WORK/clinfo" 2>&1
	grep -E "$1 +$2\$" "$WORK/clinfo"
}
computes() { # what both versions have
	check "$1: images and linking are $2" eval "offers CL_DEVICE_IMAGE_SUPPORT $2 && offers CL_DEVICE_LINKER_AVAILABLE $2"
	check "$1: the benchmark set is verified" direct "$id" "$now/bin/vgpu-bench" --size small
	check "$1: through the staging path" direct "$id" env VGPU_FORCE_STAGING=1 "$now/bin/vgpu-bench" --size small --kernel vecadd,reduce
	check "$1: two seconds of verified rounds" direct "$id" "$guest_test" soak --seconds 2
	check "$1: 16 threads make and drop objects" direct "$id" "$guest_test" churn --threads 16 --contexts 100 --buffers 1000
	check "$1: a kernel out of bounds loses its context only" direct "$id" "$guest_test" wild
	check "$1: nothing is left" eventually 5 holds_nothing "$id"
}

service_start || exit 1
id=$(vgpu_create one) || exit 1
both_computed() {
	direct_bg "$WORK/now" "$id" "$guest_test" soak --seconds 4
	local pid=$!
	OCL_ICD_VENDORS="$WORK/vendors.old" VGPU_SOCKET=$(vgpu_field "$id" .sockets.direct) "$guest_test" soak --seconds 4 || return 1
	wait $pid && grep 'state=done.* wrong=0 ' "$WORK/now"
}
mkdir "$WORK/vendors.now" "$WORK/vendors.old"
cp "$WORK/vendors/vgpu.icd" "$WORK/vendors.now/"
echo "$old/lib/libvgpu-opencl.so" >"$WORK/vendors.old/vgpu.icd"
check "shims of both versions compute on one vGPU at once" both_computed
cp "$WORK/vendors.old/vgpu.icd" "$WORK/vendors/"
computes "a shim of version $previous_version on this host" CL_FALSE

check "this host ends" admin service stop --vgpus
wait "$VGPUD_PID"
rm -rf "${WORK:?}/state" "${WORK:?}/run"
cp "$WORK/vendors.now/vgpu.icd" "$WORK/vendors/"
BUILD=$old
service_start || exit 1
id=$(vgpu_create one) || exit 1
computes "this shim on a host of version $previous_version" CL_FALSE
e2e_end
