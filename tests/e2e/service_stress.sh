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
e2e_end
