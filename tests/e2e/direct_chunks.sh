#!/bin/bash
# SPDX-License-Identifier: MIT
# Engines made to run kernels in pieces, on a parent that would not need it: what applications compute is the same.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_chunks
service_start --engine-environment VGPU_ENGINE_PREEMPT=chunks || exit 1
a=$(vgpu_create one)
b=$(vgpu_create two)

check "the benchmark set is verified" direct "$a" "$BUILD/bin/vgpu-bench" --size small --repeat 5
both() {
	direct_bg "$WORK/b" "$b" "$BUILD/tests/vgpu-guest-test" soak --seconds 20
	local pid=$!
	direct "$a" "$BUILD/bin/vgpu-bench" --size small --repeat 5 || return 1
	wait $pid || { cat "$WORK/b"; return 1; }
}
check "the benchmark set is verified beside another vGPU that computes" both
check "soak: five seconds of verified rounds" direct "$a" "$BUILD/tests/vgpu-guest-test" soak --seconds 5
check "a kernel out of bounds loses its context only" direct "$a" "$BUILD/tests/vgpu-guest-test" wild
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$a"
e2e_end
