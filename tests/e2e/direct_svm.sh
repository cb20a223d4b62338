#!/bin/bash
# SPDX-License-Identifier: MIT
# Shared virtual memory: the same program on the host's driver and on a vGPU.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_svm
service_start || exit 1
id=$(vgpu_create one)
vram=$(vgpu_field "$id" .vram_bytes)
program=$BUILD/tests/conformance_svm

native() { OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd "$program" >"$WORK/native"; }
on_vgpu() { direct "$id" "$program" >"$WORK/vgpu"; }
verdicts_are_equal() {
	diff "$WORK/native" "$WORK/vgpu" && grep -c '^ok' "$WORK/vgpu"
}
check "the host's driver: every test" native
check "a vGPU: every test" on_vgpu
check "capabilities and verdicts are the same" verdicts_are_equal

on_fence() { direct "$id" env VGPU_FORCE_STAGING=1 "$program" | tee "$WORK/staging"; [ "${PIPESTATUS[0]}" = 77 ]; }
staging_has_none() {
	on_fence && grep -x 'capabilities 0' "$WORK/staging" && grep -x 'without: alloc 0, memcpy -59' "$WORK/staging"
}
check "a device with memory of its own reports none and refuses" staging_has_none

limit_holds() {
	direct "$id" "$program" limit | tee "$WORK/limit" || return 1
	# Each time as much as before, and never more than there is.
	awk -v vram="$vram" '/^limit/ { n++; if ($NF > vram || $NF < vram * 0.8) bad = 1; if (($2) in was && was[$2] != $NF) bad = 1; was[$2] = $NF }
		END { exit bad || n != 6 }' "$WORK/limit"
}
check "memory up to the vGPU's limit, three times over" limit_holds
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$id"
e2e_end
