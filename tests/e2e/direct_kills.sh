#!/bin/bash
# SPDX-License-Identifier: MIT
# Processes of the service are killed at random moments while a client computes: no error, no wrong result.
# DEVICE_KILLS, KEEPER_KILLS, VGPUD_KILLS, REPLACEMENTS give the numbers.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_kills
device_kills=${DEVICE_KILLS:-40}
keeper_kills=${KEEPER_KILLS:-10}
vgpud_kills=${VGPUD_KILLS:-5}
replacements=${REPLACEMENTS:-6}
RANDOM=${SEED:-1}
service_start || exit 1
id=$(vgpu_create one)

random_pause() { sleep "0.$((RANDOM % 150 + 60))"; }
device_pid() { cut -d' ' -f1 "$WORK/run/vgpu/$id/slot-1.pid" 2>/dev/null; }
keeper_pid() { pgrep -f -- "vgpu-keeper --dir $WORK/run" | head -n 1; }
kill_device() { local p; p=$(device_pid); [ -n "$p" ] && kill -9 "$p" 2>/dev/null; }
kill_keeper() { local p; p=$(keeper_pid); [ -n "$p" ] && kill -9 "$p" 2>/dev/null; }

# It computes until it is told that it is enough, however long that takes.
begin_client() {
	direct_bg "$WORK/soak" "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 800
	CLIENT=$!
	wait_for_line "$WORK/soak" rounds= 30
}
client_was_right() {
	# A few rounds more, with what the last kill left.
	sleep 1
	kill -USR1 "$CLIENT"
	wait "$CLIENT"
	local status=$?
	tail -n 1 "$WORK/soak"
	[ $status = 0 ] && grep -q 'state=done.* wrong=0' "$WORK/soak"
}

many() { # COUNT WHAT
	local done=0
	begin_client || return 1
	while [ $done -lt "$1" ]; do
		random_pause
		"$2" && done=$((done + 1))
		kill -0 "$CLIENT" 2>/dev/null || { echo "the client ended after $done"; break; }
	done
	[ $done = "$1" ] && client_was_right
}
check "$device_kills kills of vgpu-device" many "$device_kills" kill_device
check "$keeper_kills kills of vgpu-keeper" many "$keeper_kills" kill_keeper

kill_vgpud() {
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	service_start
}
check "$vgpud_kills kills of vgpud" many "$vgpud_kills" kill_vgpud

replace() {
	# Each replacement is a new process; the first goes from this build to the newer one, the others stay there.
	admin vgpu replace-device "$id" --program "$BUILD/bin/vgpu-device-next"
}
check "$replacements replacements of vgpu-device by a newer build" many "$replacements" replace
check "a new client is served" direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 1
check "nothing is left" eventually 5 holds_nothing "$id"
e2e_end
