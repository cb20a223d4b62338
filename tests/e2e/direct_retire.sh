#!/bin/bash
# SPDX-License-Identifier: MIT
# Engines that have nothing to do give their memory back and are not missed: an application that pauses and goes on, also while the
# service's processes are killed. RETIREMENTS, RACES, DEVICE_KILLS, KEEPER_KILLS, VGPUD_KILLS give the numbers.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_retire
retirements=${RETIREMENTS:-50}
races=${RACES:-60}
device_kills=${DEVICE_KILLS:-20}
keeper_kills=${KEEPER_KILLS:-10}
vgpud_kills=${VGPUD_KILLS:-5}
RANDOM=${SEED:-1}
guest="$BUILD/tests/vgpu-guest-test"
idle_ms=200
service_start --engine-idle-ms $idle_ms || exit 1
id=$(vgpu_create one)

rebuilt() { grep -c 'goes on after record' "$WORK/vgpud.log"; }
pid_in() { cut -d' ' -f1 "$WORK/run/vgpu/$id/$1" 2>/dev/null; }
device_pid() { pid_in slot-1.pid; }
engine_pid() { pid_in engine-1-0.pid; }
keeper_pid() { pgrep -f -- "vgpu-keeper --dir $WORK/run/vgpu/$id" | head -n 1; }
has_engines() { # COUNT
	local now
	now=$(vgpu_field "$id" .engines)
	[ "$now" = "$1" ] || { echo "engines: $now, not $1"; return 1; }
}
last_line() { tail -n 1 "$1"; }

# A few rounds more than are to be shown: on a busy machine a pause may end before its engine has noticed.
retires_and_goes_on() {
	local before after said
	before=$(rebuilt)
	direct "$id" "$guest" pauses --rounds $((retirements + retirements / 10 + 1)) --pause-ms $((3 * idle_ms)) >"$WORK/pauses" || {
		last_line "$WORK/pauses"
		return 1
	}
	after=$(rebuilt)
	said=$(last_line "$WORK/pauses")
	figures "$((after - before)) retirements, $(echo "$said" | grep -o 'first_command.*')"
	echo "$said, retirements $((after - before))"
	echo "$said" | grep -q ' wrong=0 ' && [ $((after - before)) -ge "$retirements" ]
}
check "$retirements retirements under an application that pauses and goes on" retires_and_goes_on

# ---- what it costs then ------------------------------------------------------------------------------------

private_kib() { # PID...
	local pid sum=0 one
	for pid in "$@"; do
		one=$(awk '/^Private_(Clean|Dirty|Hugetlb)/ { s += $2 } END { print s + 0 }' "/proc/$pid/smaps_rollup") || return 1
		[ "$one" -gt 0 ] || { echo "nothing is known of process $pid" >&2; return 1; }
		sum=$((sum + one))
	done
	echo $sum
}
begin_pausing() { # PAUSE_MS ROUNDS
	rm -f "$WORK/pausing"
	direct_bg "$WORK/pausing" "$id" "$guest" pauses --rounds "$2" --pause-ms "$1"
	CLIENT=$!
	wait_for_line "$WORK/pausing" state=started 30
}
costs_little() {
	local keeper device
	begin_pausing 600000 1 || return 1
	eventually 10 has_engines 0 || return 1
	keeper=$(private_kib "$(keeper_pid)") && device=$(private_kib "$(device_pid)") || return 1
	figures "keeper $keeper KiB, device $device KiB"
	echo "keeper $keeper KiB, device $device KiB"
	kill "$CLIENT"
	wait "$CLIENT" 2>/dev/null
	[ $((keeper + device)) -le 3072 ]
}
case $BUILD in
*san*) echo "cannot test here: what an idle vGPU costs because a sanitizer's shadow is counted with it" ;;
*) check "a vGPU whose engine is retired costs 3 MiB of private memory at most" costs_little ;;
esac
check "a context whose engine is retired ends like any other" eventually 5 holds_nothing "$id"

# ---- what cannot be made again keeps its engine --------------------------------------------------------------

keeps_its_engine() { # VARIABLE ROUNDS OPTIONS...
	local before
	before=$(rebuilt)
	direct "$id" env "$1" "$guest" pauses --rounds 3 --pause-ms $((4 * idle_ms)) "${@:2}" | tee "$WORK/kept"
	grep -q 'state=done.* wrong=0' "$WORK/kept" && [ "$(rebuilt)" = "$before" ]
}
check "a program with variables of its own keeps its engine" keeps_its_engine A=B --stateful 1
check "buffers in the device's own memory keep their engine" keeps_its_engine VGPU_FORCE_STAGING=1 --whole 1

engine_state() { [ "$(engine_pid)" ] && [ "$(engine_pid)" != "$1" ]; }
crash_is_a_loss() {
	local first
	begin_pausing $((4 * idle_ms)) 1000 || return 1
	first=$(engine_pid)
	eventually 10 engine_state "$first" || return 1
	kill -9 "$(engine_pid)"
	wait "$CLIENT"
	[ $? = 1 ] && grep -E 'failed with OpenCL error' "$WORK/pausing"
}
check "a successor that is killed is a lost context, and an error of the API" crash_is_a_loss
check "nothing is left of it" eventually 5 holds_nothing "$id"

# ---- kills ------------------------------------------------------------------------------------------------------

kill_of() { # WHAT
	local p
	case $1 in
	device) p=$(device_pid) ;;
	keeper) p=$(keeper_pid) ;;
	vgpud)
		kill -9 "$VGPUD_PID"
		wait "$VGPUD_PID" 2>/dev/null
		service_start --engine-idle-ms $idle_ms
		return
		;;
	esac
	[ -n "$p" ] && kill -9 "$p" 2>/dev/null
}
# At instants of a few milliseconds' grain, over pauses, retirements and rebuilds alike.
killed_and_right() { # COUNT WHAT
	local done=0 before
	before=$(rebuilt)
	begin_pausing $((idle_ms + 50)) 100000 || return 1
	while [ $done -lt "$1" ]; do
		sleep "0.$((RANDOM % 700 + 200))"
		kill_of "$2" && done=$((done + 1))
		kill -0 "$CLIENT" 2>/dev/null || { echo "the client ended after $done"; last_line "$WORK/pausing"; return 1; }
	done
	# And on, with what the last kill left.
	local rounds
	rounds=$(grep -c ^round= "$WORK/pausing")
	eventually 20 more_rounds $((rounds + 3)) || return 1
	kill "$CLIENT"
	wait "$CLIENT" 2>/dev/null
	figures "$(grep -c ^round= "$WORK/pausing") rounds, $(($(rebuilt) - before)) retirements"
	last_line "$WORK/pausing" | grep ' wrong=0$' && [ "$(rebuilt)" -gt "$before" ]
}
more_rounds() { [ "$(grep -c ^round= "$WORK/pausing")" -ge "$1" ] || { last_line "$WORK/pausing"; return 1; }; }
check "$device_kills kills of vgpu-device" killed_and_right "$device_kills" device
check "$keeper_kills kills of vgpu-keeper" killed_and_right "$keeper_kills" keeper
check "$vgpud_kills kills of vgpud" killed_and_right "$vgpud_kills" vgpud
check "nothing is left after the kills" eventually 5 holds_nothing "$id"

# ---- a command that comes just then -------------------------------------------------------------------------------

races_are_won() {
	local before
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	service_start --engine-idle-ms 20 || return 1
	id=$(vgpu_create quick) || return 1
	before=$(rebuilt)
	# From before the engine's time is up until after it is gone.
	direct "$id" "$guest" pauses --rounds "$races" --pause-ms 18 --spread-us 5000 >"$WORK/races"
	figures "$(($(rebuilt) - before)) of $races pauses ended in a retirement"
	last_line "$WORK/races" | grep 'state=done.* wrong=0 '
}
check "$races commands around the instant of retirement" races_are_won
check "nothing is left" eventually 5 holds_nothing "$id"
e2e_end
