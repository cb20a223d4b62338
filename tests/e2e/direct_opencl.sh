#!/bin/bash
# SPDX-License-Identifier: MIT
# OpenCL on a vGPU without a VM: the shim's `direct` transport, the real device process, the real engine.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_opencl
service_start || exit 1
id=$(vgpu_create one)
profile=$(vgpu_field "$id" .profile)
vram=$(vgpu_field "$id" .vram_bytes)

clinfo_shows() {
	direct "$id" foreign clinfo >"$WORK/clinfo" || return 1
	grep -E "Device Name.*$profile" "$WORK/clinfo" && grep -E "Global memory size +$vram" "$WORK/clinfo"
}
check "clinfo shows the vGPU by its profile's name with its VRAM limit" clinfo_shows
check "the benchmark set is verified" direct "$id" "$BUILD/bin/vgpu-bench" --size small
check "the benchmark set is verified through the staging path" direct "$id" env VGPU_FORCE_STAGING=1 \
	"$BUILD/bin/vgpu-bench" --size small
clpeak_measures() {
	direct "$id" foreign clpeak --global-bandwidth --transfer-bandwidth --kernel-latency | tee "$WORK/clpeak"
	# It exits 0 also when it found nothing.
	grep -E "Device.*$profile" "$WORK/clpeak" && grep -E 'Kernel launch latency +: [0-9.]+ us' "$WORK/clpeak"
}
check "clpeak measures" clpeak_measures
check "soak: five seconds of verified rounds" direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 5
check "fresh memory reads as zero" direct "$id" "$BUILD/tests/vgpu-guest-test" scan --bytes 134217728
check "a kernel out of bounds loses its context only" direct "$id" "$BUILD/tests/vgpu-guest-test" wild

zero_copy() {
	direct_bg "$WORK/zerocopy" "$id" "$BUILD/tests/vgpu-guest-test" zerocopy
	local pid=$!
	wait_for_line "$WORK/zerocopy" state=written 20 || return 1
	"$BUILD/tests/aperture_peek" "$(vgpu_field "$id" '.devices[0]')" || return 1
	wait $pid && cat "$WORK/zerocopy"
}
check "a map of 8 MiB is the service's memory, in both directions" zero_copy

over_the_limit() {
	# One buffer more than fits: refused at a point the application sees, and the rest stays usable.
	direct "$id" "$BUILD/tests/vgpu-guest-test" scan --bytes $((vram * 2)) --each $((vram / 8)) | tee "$WORK/limit"
	grep -qE 'buffers=[1-8] error=-' "$WORK/limit"
}
check "more buffers than VRAM: the API's error, within the limit" over_the_limit
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$id"
e2e_end
