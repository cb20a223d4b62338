#!/bin/bash
# SPDX-License-Identifier: MIT
# Processes of the service are killed at random moments while a guest boots and computes: no guest error, no wrong result.
# DEVICE_KILLS, KEEPER_KILLS, VGPUD_KILLS, REPLACEMENTS give the numbers (`make soak-kills`: 100, 20, 20, 10), SEED the moments.
# shellcheck disable=SC2119,SC2317,SC2329  # functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_kills
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
device_kills=${DEVICE_KILLS:-25}
keeper_kills=${KEEPER_KILLS:-6}
vgpud_kills=${VGPUD_KILLS:-4}
replacements=${REPLACEMENTS:-3}
RANDOM=${SEED:-1}
service_start || exit 1
id=$(vgpu_create one) || exit 1
run_dir=$WORK/run/vgpu/$id

device_pid() { cut -d' ' -f1 "$run_dir/slot-0.pid" 2>/dev/null; }
keeper_pid() { pgrep -f -- "vgpu-keeper --dir $WORK/run" | head -n 1; }
# True if a process that lived was killed: a dead one that nobody has reaped yet takes signals, too.
kill_one() { # PID
	local state
	[ -n "$1" ] && state=$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) && [ "$state" != Z ] && kill -9 "$1" 2>/dev/null
}
kill_device() { kill_one "$(device_pid)"; }
kill_keeper() { kill_one "$(keeper_pid)"; }
kill_vgpud() {
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	service_start
}
# A new process each; the first goes from this build to the newer one, the others stay there.
replace() { admin vgpu replace-device "$id" --program "$BUILD/bin/vgpu-device-next"; }

random_pause() { # MIN_MS SPAN_MS
	local ms=$((RANDOM % $2 + $1))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

# The first half falls while the kernel boots and its driver starts, the others while the guest computes, for SECONDS.
many() { # COUNT WHAT SECONDS PAUSE_MIN_MS PAUSE_SPAN_MS
	local done=0 status
	: >"$WORK/vm"
	vm_bg "$WORK/vm" "$id" "$guest_prelude"'
	dmesg -n 4
	part soak vgpu-guest-test soak --seconds '"$3"'
	dmesg | sed "s/^/dmesg: /"
	part end true'
	eventually 60 [ -e "$run_dir/slot-0.pid" ] || { cat "$WORK/vm"; return 1; }
	while [ $done -lt "$1" ]; do
		random_pause "$4" "$5"
		kill -0 "$VM" 2>/dev/null || { echo "the VM ended after $done"; break; }
		"$2" && done=$((done + 1))
		if [ $done = $(($1 / 2)) ] && ! grep -q rounds= "$WORK/vm"; then
			wait_for_line "$WORK/vm" rounds= 120 || break
		fi
		if grep -q '^--- soak' "$WORK/vm"; then
			echo "the guest had computed all its time after $done"
			break
		fi
	done
	part soak $(($3 + 150))
	status=$?
	wait "$VM" || { echo "the VM ended with status $?"; status=1; }
	sed -n 's/^dmesg: //p' "$WORK/vm" >"$WORK/dmesg"
	kernel_is_content "$WORK/dmesg" || status=1
	PAUSES="of $done, $(($1 / 2)) before the guest computed; $(grep -oE 'rounds=.*' "$WORK/vm" | tail -n 1)"
	[ $done = "$1" ] && [ $status = 0 ] && grep -q 'state=done.* wrong=0' "$WORK/vm"
}

check "$device_kills kills of vgpu-device from boot on" many "$device_kills" kill_device $((device_kills / 2 + 5)) 40 600
echo "        $PAUSES"
check "$keeper_kills kills of vgpu-keeper from boot on" many "$keeper_kills" kill_keeper $((keeper_kills / 2 + 5)) 100 1500
echo "        $PAUSES"
echo "        a new keeper had what the device holds after (ms): $(sed -n 's/.*rejoined a new keeper after \([0-9]*\) ms.*/\1/p' \
	"$WORK/vgpud.log" | sort -n | awk '{ v[NR] = $1 } END { if (NR) print "median " v[int((NR + 1) / 2)] ", most " v[NR] }')"
check "$vgpud_kills kills of vgpud from boot on" many "$vgpud_kills" kill_vgpud $((vgpud_kills + 5)) 100 1500
echo "        $PAUSES"
check "$replacements replacements of vgpu-device by a newer build from boot on" many "$replacements" replace \
	$((replacements * 3 / 2 + 5)) 100 2500
echo "        $PAUSES"
service_said() {
	# Nothing that the processes say of themselves may be an error.
	! grep -E '<[0-3]>' "$WORK/vgpud.log"
}
check "the service's log has no error" service_said
check "nothing is left" eventually 5 holds_nothing "$id"
e2e_end
