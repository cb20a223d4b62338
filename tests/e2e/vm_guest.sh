#!/bin/bash
# SPDX-License-Identifier: MIT
# OpenCL in a VM: the shim's `drm` transport on Debian's kernel. One VM does all of it, part by part.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_guest
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
service_start || exit 1
id=$(vgpu_create one) || exit 1
profile=$(vgpu_field "$id" .profile)
vram=$(vgpu_field "$id" .vram_bytes)

# After a kill the guest waits, so that the service can be asked what is left while this VM still runs.
vm_bg "$WORK/vm" "$id" "$guest_prelude"'
t=vgpu-guest-test
part clinfo clinfo
part set vgpu-bench --size small
part staging env VGPU_FORCE_STAGING=1 vgpu-bench --size small
part clpeak clpeak --global-bandwidth --kernel-latency
part soak $t soak --seconds 5
part fresh $t scan --bytes 134217728
part wild $t wild
part zerocopy $t zerocopy --seconds 60
two() { $t soak --seconds 5 >/tmp/1 2>&1 & p=$!; $t soak --seconds 5; s=$?; wait $p; r=$?; cat /tmp/1; return $((s + r)); }
part two two
strays() {
	$t soak --seconds 300 >/tmp/s 2>&1 & p=$!
	until_says /tmp/s rounds= || return 1
	for n in 4096 1048576 67108864 1073741824; do $t stray --bytes $n || return 1; done
	kill -USR1 $p; wait $p; s=$?; tail -n 1 /tmp/s; grep -q "state=done .* wrong=0 " /tmp/s && return $s
}
part strays strays
kill_soak() { $t soak --seconds 300 >/tmp/s 2>&1 & p=$!; until_says /tmp/s rounds= || return 1; kill -9 $p; wait $p 2>/dev/null; true; }
part killed kill_soak
sleep 8
kill_spin() {
	$t spin --ms "$1" --bytes 16777216 >/tmp/s 2>&1 & p=$!
	until_says /tmp/s state=running || return 1
	kill -9 $p
	$t scan --bytes 67108864 --each 8388608 --rounds 15 --pause-ms 100
}
part spin kill_spin 1000
sleep 8
part endless kill_spin 0
sleep 8
part after $t soak --seconds 1
dmesg | sed "s/^/dmesg: /"
part end true'

check "clinfo runs in a guest" part clinfo 200
check "it shows the vGPU by its profile's name" grep -E "Device Name.*$profile" "$WORK/vm"
check "it shows the VRAM limit" grep -E "Global memory size +$vram" "$WORK/vm"
check "the benchmark set is verified" part set 200
all_verified() {
	sed -n '/^=== set$/,/^--- set/p' "$WORK/vm"
	[ "$(sed -n '/^=== set$/,/^--- set/p' "$WORK/vm" | grep -cE '(^|[^a-z])yes($|[^a-z])')" = 6 ]
}
check "all six kernels of it" all_verified
check "the benchmark set is verified through the staging path" part staging 200
clpeak_measures() {
	part clpeak 200 >"$WORK/clpeak"
	local status=$?
	cat "$WORK/clpeak"
	# It exits 0 also when it found nothing.
	[ $status = 0 ] && grep -E "Device.*$profile" "$WORK/clpeak" && grep -E 'Kernel launch latency +: [0-9.]+ us' "$WORK/clpeak"
}
check "clpeak measures" clpeak_measures
check "soak: five seconds of verified rounds" part soak
check "fresh memory reads as zero" part fresh
check "a kernel out of bounds loses its context only" part wild
zero_copy() {
	wait_for_line "$WORK/vm" state=written 60 || return 1
	"$BUILD/tests/aperture_peek" "$(vgpu_field "$id" '.devices[0]')" || return 1
	part zerocopy
}
check "a map of 8 MiB is the service's memory, in both directions" zero_copy
check "two processes in one guest compute at once" part two

check "a process whose kernel reads and writes out of bounds harms no other process of its guest" part strays
left_nothing() { # PART
	part "$1" && eventually 6 holds_no_context "$id"
}
check "a process killed in the guest leaves no context, engine or blob" left_nothing killed
check "killed while its 1 s kernel runs: its memory is never seen again, nothing is left" left_nothing spin
check "killed with a kernel that never ends: the same" left_nothing endless
check "the vGPU still computes" part after
kernel_said() {
	part end || return 1
	sed -n 's/^dmesg: //p' "$WORK/vm" >"$WORK/dmesg"
	grep -q 'Initialized virtio_gpu' "$WORK/dmesg" && kernel_is_content "$WORK/dmesg"
}
check "the guest's kernel has no complaint about the vGPU" kernel_said
vm_ended() { wait "$VM"; }
check "the VM ends well" vm_ended
check "nothing is left when the VM is gone" eventually 5 holds_nothing "$id"
e2e_end
