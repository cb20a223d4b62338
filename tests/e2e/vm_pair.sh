#!/bin/bash
# SPDX-License-Identifier: MIT
# Two VMs on two vGPUs of one GPU at once, each seeing only its own; VMs one after another on one vGPU.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_pair
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
service_start || exit 1
a=$(vgpu_create a) || exit 1
b=$(vgpu_create b) || exit 1

# Each fills memory with its own and computes the set; what it then takes anew must be empty, whatever the other wrote.
both() {
	local script first second failed=0
	script='vgpu-guest-test spin --ms 300 --bytes 67108864 && vgpu-bench --size small --repeat 5 &&
		vgpu-guest-test scan --bytes 402653184 --each 33554432'
	vm_bg "$WORK/a" "$a" "$script"
	first=$VM
	vm_bg "$WORK/b" "$b" "$script"
	second=$VM
	wait "$first" || failed=1
	wait "$second" || failed=1
	cat "$WORK/a" "$WORK/b"
	return "$failed"
}
check "two VMs compute the set at once, verified, and see only their own memory" both
check "nothing is left of the first" eventually 5 holds_nothing "$a"
check "nothing is left of the second" eventually 5 holds_nothing "$b"

killed_vm() {
	vm_bg "$WORK/k" "$a" 'vgpu-guest-test spin --ms 200 --bytes 134217728 && exec vgpu-guest-test soak --seconds 300'
	wait_for_line "$WORK/k" rounds= 150 || { cat "$WORK/k"; return 1; }
	kill -9 "$VM"
	eventually 10 holds_nothing "$a"
}
check "a killed VM leaves no context, blob, engine or buffer" killed_vm
next_vm() {
	vm "$a" 'vgpu-guest-test scan --bytes 402653184 --each 33554432 && vgpu-bench --size small --kernel vecadd --repeat 3'
}
check "the next VM on that vGPU sees zeroed memory and computes" next_vm
e2e_end
