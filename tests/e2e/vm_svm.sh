#!/bin/bash
# SPDX-License-Identifier: MIT
# Shared virtual memory in a VM: one address in a guest's process and in the engine on the host, through the `drm` transport.
# shellcheck disable=SC2016,SC2034,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_svm
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
# Two processors: with one, QEMU's emulation takes guest atomics apart, as nobody else is there to see it.
VM_OPTIONS=(--cpus 2 --file "$BUILD/tests/conformance_svm:/usr/bin/conformance_svm")
service_start || exit 1
id=$(vgpu_create one) || exit 1
vram=$(vgpu_field "$id" .vram_bytes)

vm_bg "$WORK/vm" "$id" "$guest_prelude"'
without() { VGPU_FORCE_STAGING=1 conformance_svm; [ $? = 77 ]; }
part svm conformance_svm
part without without
part limit conformance_svm limit
part end true
dmesg | sed "s/^/dmesg: /"'

check "every test" part svm 200
verdicts_are_equal() {
	OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd "$BUILD/tests/conformance_svm" >"$WORK/native" || return 1
	sed -n '/^=== svm$/,/^--- svm/p' "$WORK/vm" | grep -E '^(capabilities|ok|not ok) ' | tr -d '\r' | diff "$WORK/native" -
}
check "capabilities and verdicts are those of the host's driver" verdicts_are_equal
check "with memory of its own a device reports none and refuses" part without
limit_holds() {
	part limit && awk -v vram="$vram" '/^limit [0-9]+ bytes/ { n++; if ($NF > vram || $NF < vram * 0.8) bad = 1; if (($2) in was && was[$2] != $NF) bad = 1
		was[$2] = $NF } END { exit bad || n != 6 }' "$WORK/vm"
}
check "memory up to the vGPU's limit, three times over" limit_holds
wait "$VM"
check "the guest's kernel has nothing to complain of" kernel_is_content "$WORK/vm"
check "nothing is left when the VM has gone" eventually 5 holds_nothing "$id"
e2e_end
