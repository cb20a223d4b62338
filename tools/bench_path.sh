#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-path: what the way to the GPU costs, natively and through a vGPU (`direct`, without a VM).
# Writes $BUILD/bench/path.json. Arguments go to vgpu-bench-path compare.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
work=$(mktemp -d /tmp/vgpu-bench-XXXXXX) || exit 1
# shellcheck source=tools/private_service.sh
. tools/private_service.sh
bench_pid=
# shellcheck disable=SC2317,SC2329  # called by the trap
stop_all() {
	trap - EXIT
	[ -z "$bench_pid" ] || end_process "$bench_pid" 5
	service_stop
	rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() { echo "bench-path: $*" >&2; exit 1; }

service_start || exit 1
profile=$(service_profile) || fail "the service offers no profile"
id=$(admin vgpu create --profile "$profile" --name bench) || fail "no vGPU could be created"
socket=$(admin vgpu show "$id" --json | jq -er .sockets.direct) || fail "vGPU $id has no socket for direct clients"
mkdir "$work/vendors" "$BUILD/bench" 2>/dev/null
echo "$BUILD/lib/libvgpu-opencl.so" >"$work/vendors/vgpu.icd"
# PoCL's threads pinned on both sides: without that an empty kernel's time jumps from launch to launch.
"$BUILD/bin/vgpu-bench-path" compare --native-env POCL_AFFINITY=1 --native-platform Portable \
	--vgpu-env "OCL_ICD_VENDORS=$work/vendors,VGPU_SOCKET=$socket" --vgpu-platform vGPU "$@" &
bench_pid=$!
wait "$bench_pid"
status=$?
bench_pid=
exit $status
