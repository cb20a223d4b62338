#!/bin/bash
# SPDX-License-Identifier: MIT
# Two VMs on two vGPUs of one GPU at once, and processes inside a guest that are killed.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_pair
export XDG_CACHE_HOME=$WORK/cache
service_start || exit 1
a=$(vgpu_create a) || exit 1
b=$(vgpu_create b) || exit 1
vm=("$BUILD/bin/vgpu-run" --socket "$WORK/vgpud.sock" --timeout 300
	--file "$BUILD/tests/vgpu-guest-test:/usr/bin/vgpu-guest-test")
vm() { # ID SCRIPT
	"${vm[@]}" --vgpu "$1" --log "$WORK/console-$1" -- sh -c "$2"
}
vm_bg() { # LOG ID SCRIPT; its process id is $!
	"${vm[@]}" --vgpu "$2" --log "$WORK/console-$2" -- sh -c "$3" >"$1" 2>&1 &
	STARTED_PIDS+=($!)
}

both() {
	local first second failed=0
	vm_bg "$WORK/a" "$a" 'vgpu-bench --size small --repeat 5'
	first=$!
	vm_bg "$WORK/b" "$b" 'vgpu-bench --size small --repeat 5'
	second=$!
	wait "$first" || failed=1
	wait "$second" || failed=1
	cat "$WORK/a" "$WORK/b"
	return "$failed"
}
check "two VMs compute the set at once, verified" both
check "nothing is left of the first" eventually 5 holds_nothing "$a"
check "nothing is left of the second" eventually 5 holds_nothing "$b"

two_processes() {
	vm "$a" 'vgpu-guest-test soak --seconds 5 >/tmp/1 & vgpu-guest-test soak --seconds 5 >/tmp/2; s=$?; wait $!; t=$?
		cat /tmp/1 /tmp/2; exit $((s + t))'
}
check "two processes in one guest compute at once" two_processes

killed_in_guest() {
	# The killed one's 1 s kernel still runs when the next one takes memory, which must read as zero.
	vm "$a" 'vgpu-guest-test spin --ms 1000 --bytes 16777216 >/tmp/s & p=$!
		for i in $(seq 300); do grep -q state=running /tmp/s && break; sleep 0.1; done
		kill -9 $p; exec vgpu-guest-test scan --bytes 67108864 --each 8388608 --rounds 15 --pause-ms 100'
}
check "memory of a process killed in the guest is never seen again" killed_in_guest
check "nothing is left of it" eventually 5 holds_nothing "$a"

killed_vm() {
	local pid
	vm_bg "$WORK/k" "$a" 'vgpu-guest-test soak --seconds 200'
	pid=$!
	wait_for_line "$WORK/k" rounds= 100 || { cat "$WORK/k"; return 1; }
	kill -9 "$pid"
	eventually 10 holds_nothing "$a"
}
check "a killed VM leaves no context, blob, engine or buffer" killed_vm
check "the vGPU serves the next VM" vm "$a" 'vgpu-bench --size small --kernel vecadd --repeat 3'
e2e_end
