#!/bin/bash
# SPDX-License-Identifier: MIT
# Images and samplers on a vGPU: each command's result held to a model, on both paths, and beside the host's own OpenCL.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_images
service_start || exit 1
id=$(vgpu_create one)

images() { # OUTPUT COMMAND...
	local out=$1
	shift
	"$@" >"$out" 2>&1 || { tail -n 20 "$out"; return 1; }
	grep -E '^images=ok' "$out"
}
check "images of every type are as the model has them" images "$WORK/vgpu" direct "$id" "$BUILD/tests/vgpu-guest-test" images
check "the same through the staging path" images "$WORK/staged" direct "$id" env VGPU_FORCE_STAGING=1 \
	"$BUILD/tests/vgpu-guest-test" images
check "images that hold more than there is are refused, and the rest stays usable" images "$WORK/full" direct "$id" \
	"$BUILD/tests/vgpu-guest-test" images-full
check "the same through the staging path" images "$WORK/full-staged" direct "$id" env VGPU_FORCE_STAGING=1 \
	"$BUILD/tests/vgpu-guest-test" images-full

native_is_the_same() {
	# What PoCL 3.1 does wrong is left out on both sides; the device's own choices are compared with the verdicts.
	images "$WORK/native" "$BUILD/tests/vgpu-guest-test" images --lenient 1 &&
		images "$WORK/lenient" direct "$id" "$BUILD/tests/vgpu-guest-test" images --lenient 1 &&
		diff "$WORK/native" "$WORK/lenient"
}
check "the host's own OpenCL gives the same verdicts, limits and formats" native_is_the_same
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$id"
e2e_end
