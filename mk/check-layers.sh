#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds the includes to the layers of docs/ARCHITECTURE.md: prints each that breaks one, exits 1 if any does.
#
# A rule is a folder and the prefixes of our own headers its files may include. What names none of our
# folders (system headers, headers beside the file) is not looked at.
set -u
cd "$(dirname "$0")/.." || exit 2
broken=0

check() { # FOLDER ALLOWED-REGEX
	found=$(grep -rnE --include='*.c' --include='*.h' \
		'^#[[:space:]]*include[[:space:]]+"(mdev|scheduler|vgpu-qemu|shim|tools|benchmarks|tests)/' "$1" |
		grep -vE "include[[:space:]]+\"($2)")
	if [ -n "$found" ]; then
		echo "$1 may include only: $2"
		echo "$found"
		broken=1
	fi
}

check scheduler 'scheduler/'
check mdev/log 'mdev/log/'
check mdev/ipc 'mdev/(ipc|log)/'
# The wire protocol is the one header both sides of the guest boundary share.
check mdev 'mdev/|scheduler/|shim/wire/'
check vgpu-qemu 'vgpu-qemu/|mdev/(ipc|log)/|mdev/keeper/keeper_protocol\.h|mdev/engine/engine_protocol\.h|scheduler/lease\.h|shim/wire/'
check shim 'shim/'
check tools 'tools/|scheduler/|mdev/(log/|json/|quantity\.h)'
check benchmarks 'benchmarks/'
[ "$broken" = 0 ] && echo "layers hold"
exit "$broken"
