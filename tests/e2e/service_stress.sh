#!/bin/bash
# SPDX-License-Identifier: MIT
# The service under stress: its processes are killed one by one and in pairs, starved of descriptors, stopped and started,
# while clients come, go and keep silent. After each test no process is left and every counter is at zero.
# ROUNDS gives the number of repetitions, SEED the order of events.
# shellcheck disable=SC2317,SC2329  # functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin service_stress
rounds=${ROUNDS:-8}
RANDOM=${SEED:-1}

processes() { pgrep -f -- "--dir $WORK/run/vgpu" | wc -l; }
no_processes() { [ "$(processes)" = 0 ] || { pgrep -af -- "--dir $WORK/run/vgpu"; return 1; }; }
keeper_pid() { pgrep -f -- "vgpu-keeper --dir $WORK/run" | head -n 1; }
device_pid() { cut -d' ' -f1 "$WORK/run/vgpu/$id/slot-$1.pid" 2>/dev/null; }
running() { [ "$(vgpu_field "$id" .state)" = running ]; }
short_pause() { sleep "0.0$((RANDOM % 90 + 10))"; }

# Clients that connect COUNT times to SOCKET and say nothing; they end with the shell variable SILENT.
silent() { # SOCKET COUNT
	python3 -c '
import socket, sys, time
held = []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
print("connected", flush=True)
time.sleep(60)' "$1" "$2" >"$WORK/silent" 2>&1 &
	SILENT=$!
	STARTED_PIDS+=("$SILENT")
	wait_for_line "$WORK/silent" connected 5
}
silent_end() { kill -9 "$SILENT" 2>/dev/null; wait "$SILENT" 2>/dev/null; }

service_end() { # stops the vGPUs with it
	admin service stop --vgpus || return 1
	wait "$VGPUD_PID"
}

service_start || exit 1
id=$(vgpu_create one) || exit 1
run=$WORK/run/vgpu/$id

stop_without_keeper() {
	local i
	for ((i = 0; i < rounds; i++)); do
		eventually 5 running && silent "$run/direct.sock" 3 && eventually 5 test -e "$run/slot-3.pid" || return 1
		kill -9 "$(keeper_pid)"
		sleep "0.00$((RANDOM % 10))"
		service_end || return 1
		# Nobody may come to life later, either.
		no_processes && sleep 0.2 && no_processes || return 1
		silent_end
		service_start || return 1
	done
}
check "the service stops whole while a keeper is dead and its devices start another" stop_without_keeper

# A jail depends on what its keeper may do; each keeper is started either by vgpud or by a device.
jail_limits() { # KIND: no_new_privs and limits of our processes of that kind
	local p
	for p in $(pgrep -f -- "vgpu-$1 --dir $run"); do
		grep -E 'NoNewPrivs|Seccomp:|CapEff|CapBnd' "/proc/$p/status"
		grep -E 'open files|core file|Max processes' "/proc/$p/limits"
	done
}
jail_lines() { grep -E 'vgpu-compute.*(jail|allow)' "$WORK/vgpud.log" | sed 's/\[[0-9]*\]//'; }
engine_jail() { # LOG: what holds for a keeper and an engine of it
	: >"$WORK/vgpud.log"
	direct_bg "$WORK/spin" "$id" "$BUILD/tests/vgpu-guest-test" spin --ms 300
	wait_for_line "$WORK/spin" state=running 30 || return 1
	{ jail_limits keeper; jail_limits compute; jail_lines; } >"$1"
	wait $!
	eventually 5 holds_nothing "$id"
}
same_jail() {
	local keeper
	eventually 5 running && engine_jail "$WORK/jail.vgpud" && [ "$(grep -c NoNewPrivs "$WORK/jail.vgpud")" -ge 2 ] || return 1
	# vgpud stands still, so that only the device can start the next keeper.
	silent "$run/direct.sock" 1 && eventually 5 test -e "$run/slot-1.pid" || return 1
	keeper=$(keeper_pid)
	kill -STOP "$VGPUD_PID"
	kill -9 "$keeper"
	eventually 5 eval '[ -n "$(keeper_pid)" ] && [ "$(keeper_pid)" != '"$keeper"' ]'
	local found=$?
	kill -CONT "$VGPUD_PID"
	[ $found = 0 ] && eventually 5 running || return 1
	silent_end
	engine_jail "$WORK/jail.device" && diff "$WORK/jail.vgpud" "$WORK/jail.device"
}
check "an engine's jail is the same under a keeper that a device started" same_jail

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # processor time in 10 ms
exhausted() {
	local keeper before after
	eventually 5 running || return 1
	keeper=$(keeper_pid)
	prlimit --pid "$keeper" --nofile=$(($(ls "/proc/$keeper/fd" | sort -n | tail -n 1) + 1)):1000 || return 1
	silent "$run/direct.sock" 12 || return 1
	before=$(ticks "$keeper")
	sleep 1
	after=$(ticks "$keeper")
	echo "the keeper took $((after - before)) ticks in a second"
	grep -q 'turned away: no descriptor' "$WORK/vgpud.log" && [ $((after - before)) -lt 30 ] || return 1
	prlimit --pid "$keeper" --nofile=1000:1000
	silent_end
	eventually 5 holds_nothing "$id" && running && [ "$(keeper_pid)" = "$keeper" ] &&
		direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 1
}
check "a keeper without descriptors turns clients away, idles, and serves again" exhausted
e2e_end
