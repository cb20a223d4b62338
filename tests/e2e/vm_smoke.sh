#!/bin/bash
# SPDX-License-Identifier: MIT
# One VM with one vGPU: it is there, under its profile's name, and computes right.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_smoke
export XDG_CACHE_HOME=$WORK/cache
service_start || exit 1
id=$(vgpu_create smoke) || exit 1
profile=$(vgpu_field "$id" .profile)
vram=$(vgpu_field "$id" .vram_bytes)

boots() {
	"$BUILD/bin/vgpu-run" --verbose --socket "$WORK/vgpud.sock" --vgpu "$id" --timeout 200 --log "$WORK/console" -- \
		sh -c 'clinfo && vgpu-bench --size small --kernel vecadd,reduce --repeat 3' >"$WORK/out" 2>&1
	local status=$?
	cat "$WORK/out"
	[ "$status" = 0 ] || tail -n 15 "$WORK/console"
	return "$status"
}
check "a VM boots with the vGPU, runs clinfo and verified kernels" boots
check "clinfo in the guest shows the profile's name" grep -E "Device Name.*$profile" "$WORK/out"
check "clinfo in the guest shows the VRAM limit" grep -E "Global memory size +$vram" "$WORK/out"
check "nothing is left when the VM is gone" eventually 5 holds_nothing "$id"
e2e_end
