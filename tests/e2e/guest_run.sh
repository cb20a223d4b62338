# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced after lib.sh by tests with VMs: a VM that runs a script of many parts, judged part by part from outside.
#
#   vm ID SCRIPT                 runs a shell script in a VM with that vGPU; its exit status
#   vm_bg LOG ID SCRIPT          the same in the background; its process id is $VM
#   part NAME [SECONDS]          waits until the VM's log $VM_LOG says how its part NAME ended, prints it; for `check`
#   guest_prelude                what a script begins with, so that it can say: part NAME COMMAND...
#   kernel_is_content LOG        no error of virtio-gpu in a guest's kernel messages
#
# VM_OPTIONS are further options of vgpu-run.
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$WORK/cache}
VM_OPTIONS=()

vm_command() {
	VM_COMMAND=("$BUILD/bin/vgpu-run" --socket "$WORK/vgpud.sock" --timeout 400
		--file "$BUILD/tests/vgpu-guest-test:/usr/bin/vgpu-guest-test" "${VM_OPTIONS[@]}")
}
vm() { # ID SCRIPT
	vm_command
	"${VM_COMMAND[@]}" --vgpu "$1" --log "$WORK/console-$1" -- sh -c "$2"
}
vm_bg() { # LOG ID SCRIPT
	vm_command
	VM_LOG=$1
	"${VM_COMMAND[@]}" --vgpu "$2" --log "$WORK/console-$2" -- sh -c "$3" >"$1" 2>&1 &
	VM=$!
	STARTED_PIDS+=("$VM")
}

# shellcheck disable=SC2016,SC2034  # for the guest's shell; used by who sources this
guest_prelude='
part() { name=$1; shift; echo "=== $name"; "$@" 2>&1; echo "--- $name $?"; }
until_says() { for i in $(seq 600); do grep -q "$2" "$1" 2>/dev/null && return 0; sleep 0.1; done; cat "$1"; return 1; }
'

part() { # NAME [SECONDS]
	local until=$((SECONDS + ${2:-120})) status
	until status=$(sed -n "s/^--- $1 //p" "$VM_LOG") && [ -n "$status" ]; do
		if [ $SECONDS -ge "$until" ] || ! kill -0 "$VM" 2>/dev/null; then
			# It may have been said between the look and the end.
			status=$(sed -n "s/^--- $1 //p" "$VM_LOG")
			[ -n "$status" ] && break
			echo "the VM did not say how '$1' ended; its last words:"
			tail -n 20 "$VM_LOG"
			return 1
		fi
		sleep 0.1
	done
	sed -n "/^=== $1\$/,/^--- $1 /p" "$VM_LOG"
	[ "$status" = 0 ]
}

# Without KMS the driver's fbdev client cannot register: -95, and harmless.
kernel_is_content() { # LOG
	! grep -E 'virtio.?gpu|\[drm' "$1" | grep -v 'Failed to register client: -95' |
		grep -iE 'error|fail|timed? ?out|response 0x1[2-9]|BUG|WARN'
}

# Of a vGPU whose VM runs: no context, engine, resource or byte.
holds_no_context() { # ID
	local held
	held=$(vgpu_field "$1" '[.contexts, .engines, .resources, .vram_used_bytes] | map(tostring) | join(" ")')
	[ "$held" = "0 0 0 0" ] || { echo "contexts engines resources vram: $held"; return 1; }
}
