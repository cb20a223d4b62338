#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-opencl: what the way to the GPU costs, natively and through a vGPU (`direct`, without a VM).
# Writes $BUILD/bench/path.json, or what --out says. Arguments go to vgpu-bench-path compare.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
top=$(mktemp -d /tmp/vgpu-bench-XXXXXX) || exit 1
work=$top/threaded
# shellcheck source=tools/private_service.sh
. tools/private_service.sh
bench_pid=
threaded_pid=
basic_pid=
# shellcheck disable=SC2317,SC2329  # called by the trap
stop_all() {
	trap - EXIT
	[ -z "$bench_pid" ] || end_process "$bench_pid" 5
	work=$top/threaded service_pid=$threaded_pid
	service_stop
	work=$top/basic service_pid=$basic_pid
	service_stop
	rm -rf "$top"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() { echo "bench-path: $*" >&2; exit 1; }

# Starts a service in $work with the engines' environment; sets socket to that of a vGPU of its own.
serve() { # KEY=VALUE
	local profile id
	mkdir "$work" || exit 1
	service_start --engine-environment "$1" || exit 1
	profile=$(service_profile) || fail "the service offers no profile"
	id=$(admin vgpu create --profile "$profile" --name bench) || fail "no vGPU could be created"
	socket=$(admin vgpu show "$id" --json | jq -er .sockets.direct) || fail "vGPU $id has no socket for direct clients"
}

# PoCL's threads pinned on both sides: without that an empty kernel's time jumps from launch to launch.
serve POCL_AFFINITY=1
threaded_pid=$service_pid
threaded_socket=$socket
# The same driver on both sides where the way itself is measured: PoCL's on the caller's thread.
work=$top/basic
serve POCL_DEVICES=basic
basic_pid=$service_pid
mkdir "$top/vendors"
mkdir -p "$BUILD/bench"
echo "$BUILD/lib/libvgpu-opencl.so" >"$top/vendors/vgpu.icd"
"$BUILD/bin/vgpu-bench-path" compare --native-env POCL_AFFINITY=1 --native-platform Portable \
	--vgpu-env "OCL_ICD_VENDORS=$top/vendors,VGPU_SOCKET=$threaded_socket" --vgpu-platform vGPU \
	--vgpu-basic-env "OCL_ICD_VENDORS=$top/vendors,VGPU_SOCKET=$socket" "$@" &
bench_pid=$!
wait "$bench_pid"
status=$?
bench_pid=
exit $status
