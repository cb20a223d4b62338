#!/bin/bash
# SPDX-License-Identifier: MIT
# vgpu-run with VMs that have no vGPU: what a command writes, how it ends, how VMs end, what is left behind.
# shellcheck disable=SC2016,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_launcher
export XDG_CACHE_HOME=$WORK/cache
run() { "$BUILD/bin/vgpu-run" --timeout 120 "$@"; }
ends_with() { # STATUS COMMAND...
	local want=$1 status
	shift
	"$@"
	status=$?
	echo "status $status, expected $want"
	[ "$status" = "$want" ]
}
qemu_of() { pgrep -f -- "guest=$1( |\$)" >/dev/null; }
gone() { ! qemu_of "$1"; }

first_boot() {
	run --verbose --log "$WORK/console" -- clinfo >"$WORK/out" || return 1
	cat "$WORK/out"
	grep -qE 'Number of platforms +0' "$WORK/out" || return 1
	grep -q 'Linux version' "$WORK/console" && ! grep -q 'Linux version' "$WORK/out"
}
check "a VM boots Debian's kernel and runs clinfo, the console apart" first_boot
check "the command's exit status is vgpu-run's" ends_with 7 run -- sh -c 'exit 7'
check "a command that is not there: 127" ends_with 127 run -- /usr/bin/no-such-command

both_streams_and_files() {
	printf 'one\n' >"$WORK/a file"
	head -c 300000 /dev/urandom >"$WORK/binary"
	run --file "$WORK/a file:/lib/deep/er/a file" --file "$WORK/binary:/data" -- \
		sh -c 'echo to-stderr >&2; cat "/lib/deep/er/$1"; cat /data' sh 'a file' >"$WORK/out" 2>"$WORK/err" || return 1
	head -c 14 "$WORK/out"
	tail -c +15 "$WORK/out" | cmp - "$WORK/binary" && [ "$(head -c 14 "$WORK/out")" = "$(printf 'to-stderr\none\n')" ]
}
check "stdout and stderr arrive unchanged; files and arguments with spaces too" both_streams_and_files

live() {
	# Not run: the process id must be vgpu-run's.
	"$BUILD/bin/vgpu-run" --timeout 120 --name "live$$" -- sh -c 'echo up; sleep 100' >"$WORK/live" 2>&1 &
	LIVE=$!
	STARTED_PIDS+=("$LIVE")
	wait_for_line "$WORK/live" '^up$' 60
}
check "output arrives while the command runs" live
terminated() {
	qemu_of "live$$" || return 1
	kill -TERM "$LIVE"
	ends_with 143 wait "$LIVE" && eventually 5 gone "live$$"
}
check "SIGTERM ends vgpu-run by that signal, and the VM" terminated
killed() {
	live || return 1
	kill -KILL "$LIVE"
	ends_with 137 wait "$LIVE" && eventually 5 gone "live$$"
}
check "SIGKILL of vgpu-run leaves no QEMU" killed
check "a command that takes too long: 124" ends_with 124 "$BUILD/bin/vgpu-run" --timeout 8 -- sleep 100

does_not_boot() {
	head -c 100000 /dev/zero >"$WORK/kernel"
	ends_with 123 run --boot-timeout 10 --kernel "$WORK/kernel" --initrd "$WORK/kernel" -- true
}
check "a kernel that is none: 123" does_not_boot
panics() {
	: >"$WORK/empty"
	ends_with 123 run --kernel "$BUILD/guest/vmlinuz" --initrd "$WORK/empty" -- true 2>"$WORK/err" || return 1
	cat "$WORK/err"
	grep -q 'VM ended before the command' "$WORK/err"
}
check "a guest without init: 123, with the guest's last line" panics
check "a vfio-user socket that is not there: 123" ends_with 123 run --vfio-user "$WORK/none.sock" -- true
check "an archive that is not there: 125" ends_with 125 run --initrd "$WORK/none" -- true
check "a vGPU when there is no service: 125" ends_with 125 env VGPU_ADMIN=/bin/false "$BUILD/bin/vgpu-run" --vgpu x -- true

probe() {
	"$BUILD/bin/vgpu-run" --probe >"$WORK/probe" || return 1
	cat "$WORK/probe"
	grep -qE '^(kvm|tcg): ' "$WORK/probe"
}
if [ -e /dev/kvm ]; then
	check "KVM is judged by booting a kernel" probe
else
	echo "cannot test here: a probe of KVM because there is no /dev/kvm"
fi

reader_gone() {
	run -- sh -c 'while :; do echo line; done' 2>"$WORK/err" | head -n 1
	ends_with 125 sh -c "exit ${PIPESTATUS[0]}"
}
check "a reader that goes away ends the VM" reader_gone
e2e_end
