#!/bin/bash
# SPDX-License-Identifier: MIT
# Clients side by side, and clients that are killed: nobody sees or keeps what is another's.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_isolation
service_start || exit 1
a=$(vgpu_create a)
b=$(vgpu_create b)
test_program=$BUILD/tests/vgpu-guest-test

side_by_side() {
	local pids=() pid failed=0
	direct_bg "$WORK/s1" "$a" "$test_program" soak --seconds 5; pids+=($!)
	direct_bg "$WORK/s2" "$a" "$test_program" soak --seconds 5; pids+=($!)
	direct_bg "$WORK/s3" "$b" "$test_program" soak --seconds 5; pids+=($!)
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	tail -n 1 "$WORK/s1" "$WORK/s2" "$WORK/s3"
	return $failed
}
check "two processes on one vGPU and one on another compute at once" side_by_side
check "nothing is left of them" eventually 5 holds_nothing "$a"

killed_client() {
	local pid
	direct_bg "$WORK/k1" "$a" "$test_program" soak --seconds 60
	pid=$!
	wait_for_line "$WORK/k1" rounds= 20 || return 1
	kill -9 $pid
	eventually 5 holds_nothing "$a"
}
check "a killed client leaves no context, blob, engine or buffer" killed_client

killed_while_its_kernel_runs() {
	local pid
	direct_bg "$WORK/k2" "$a" "$test_program" spin --ms 1000 --bytes 16777216
	pid=$!
	wait_for_line "$WORK/k2" state=running 30 || { cat "$WORK/k2"; return 1; }
	kill -9 $pid
	# At once, everything of it must read as zero to whoever gets memory now, and stay so while the kernel
	# would still have run.
	direct "$a" "$test_program" scan --bytes 67108864 --each 8388608 --rounds 15 --pause-ms 100 || return 1
	eventually 5 holds_nothing "$a"
}
check "a client killed while its 1 s kernel runs: its memory is never seen again" killed_while_its_kernel_runs

endless() {
	local pid
	direct_bg "$WORK/k3" "$a" "$test_program" spin --ms 0
	pid=$!
	wait_for_line "$WORK/k3" state=running 30 || return 1
	kill -9 $pid
	eventually 5 holds_nothing "$a"
}
check "a client killed with a kernel that never ends leaves nothing" endless
check "the vGPU still computes" direct "$a" "$test_program" soak --seconds 1
e2e_end
