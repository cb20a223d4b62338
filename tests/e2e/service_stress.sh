#!/bin/bash
# SPDX-License-Identifier: MIT
# The service under stress: its processes are killed one by one and in pairs, starved of descriptors, stopped and started,
# while clients come, go and keep silent. After each test no process is left and every counter is at zero.
# ROUNDS gives the number of repetitions, SEED the order of events.
# shellcheck disable=SC2317,SC2329  # functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin service_stress
rounds=${ROUNDS:-4}
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
several_stop() {
	local i n
	for ((i = 0; i < rounds / 2; i++)); do
		for n in 1 2 3; do vgpu_create "extra$n" "$(admin profile list --json | jq -r '.profiles | min_by(.vram_bytes).name')" || return 1; done
		service_end && no_processes && sleep 0.1 && no_processes && service_start || return 1
		for n in 1 2 3; do admin vgpu delete "extra$n" --yes || return 1; done
	done
}
check "several vGPUs stop at once, and none is started again" several_stop
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
	# The lowest number that is free: whatever it opens next is beyond its limit.
	prlimit --pid "$keeper" --nofile="$(ls "/proc/$keeper/fd" | sort -n | awk '$1 != NR - 1 { exit } { free = NR } END { print free }')":1000 || return 1
	silent "$run/direct.sock" 12 || return 1
	before=$(ticks "$keeper")
	sleep 1
	after=$(ticks "$keeper")
	echo "the keeper took $((after - before)) ticks in a second"
	prlimit --pid "$keeper" --nofile=1000:1000
	grep -q 'turned away: no descriptor' "$WORK/vgpud.log" && [ $((after - before)) -lt 30 ] || return 1
	silent_end
	eventually 5 holds_nothing "$id" && running && [ "$(keeper_pid)" = "$keeper" ] &&
		direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 1
}
check "a keeper without descriptors turns clients away, idles, and serves again" exhausted

silent_clients() {
	eventually 5 running && silent "$run/direct.sock" 3 && silent_vm "$run/vfio-user.sock" || return 1
	eventually 5 eval '[ "$(vgpu_field "$id" .slots)" = 4 ]' || return 1
	eventually 20 holds_nothing "$id" && grep -c 'has not begun to speak' "$WORK/vgpud.log"
	local result=$?
	silent_end
	kill -9 "$SILENT_VM" 2>/dev/null
	return $result
}
silent_vm() {
	local first=$SILENT
	silent "$1" 1
	SILENT_VM=$SILENT
	SILENT=$first
}
check "clients that connect and keep silent lose their slots" silent_clients

# One client that computes, and processes killed in pairs. Only a keeper and all its devices at once cost a connection.
begin_client() {
	direct_bg "$WORK/soak" "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds "$1"
	CLIENT=$!
	wait_for_line "$WORK/soak" rounds= 30
}
client_was_right() { wait "$CLIENT" && grep -q 'state=done.* wrong=0' "$WORK/soak"; }
slot_of_client() { find "$run" -name 'slot-*.pid' -printf '%f\n' | sed 's/[^0-9]//g' | head -n 1; }
kill_device() { kill -9 "$(device_pid "$(slot_of_client)")" 2>/dev/null; }
kill_vgpud() {
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	return 0
}
rejoined() { [ "$(grep -c 'has given back' "$WORK/vgpud.log")" -gt "$1" ]; }
pairs() {
	local i before
	eventually 5 running && begin_client $((rounds + 4)) || return 1
	for ((i = 0; i < rounds; i++)); do
		before=$(grep -c 'has given back' "$WORK/vgpud.log")
		case $((i % 4)) in
		0) kill -9 "$(keeper_pid)" && kill_vgpud && service_start || return 1 ;;
		1) kill -9 "$(keeper_pid)" && short_pause && kill -9 "$(keeper_pid)" ;;
		2) kill_device && short_pause && kill -9 "$(keeper_pid)" ;;
		3) kill_vgpud && kill_device && service_start || return 1 ;;
		esac
		# The next pair may hit the device: it must have given everything back by then.
		[ $((i % 4)) = 3 ] || eventually 5 rejoined "$before" || return 1
		sleep 0.1
	done
	client_was_right && eventually 5 holds_nothing "$id"
}
check "keeper, device and vgpud killed in pairs under a client: no wrong result" pairs

# The compile helper ends 10 s after the last engine.
keeper_alone() { [ "$(processes)" = 1 ]; }
gone_meanwhile() {
	local i
	for ((i = 0; i < 3 || i < rounds / 2; i++)); do
		eventually 5 running && begin_client 30 || return 1
		case $((i % 3)) in
		0) kill -9 "$(keeper_pid)" "$CLIENT" ;;
		1) kill_device; kill -9 $(pgrep -f -- "vgpu-compute --dir $run") "$CLIENT" ;;
		2) kill -9 "$(keeper_pid)" $(pgrep -f -- "vgpu-device --dir $run") ;;
		esac
		kill "$CLIENT" 2>/dev/null
		wait "$CLIENT" 2>/dev/null
		eventually 5 running && eventually 10 holds_nothing "$id" || return 1
		eventually 40 keeper_alone || { pgrep -af -- "--dir $run"; return 1; }
	done
}
check "clients, engines and devices gone while the keeper is dead: nothing is left" gone_meanwhile

many_connections() {
	local keeper before
	eventually 5 running || return 1
	keeper=$(keeper_pid)
	before=$(ls "/proc/$keeper/fd" | wc -l)
	python3 - "$run/vfio-user.sock" "$run/direct.sock" <<'END' || return 1
import socket, sys
for i in range(150):
    for path in sys.argv[1:]:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        try:
            if i % 3 == 1:
                s.send(b"\0" * (i % 20))
            if i % 3 == 2:
                s.send(bytes([i]) * 64)
        except BrokenPipeError:
            pass    # turned away
        s.close()
END
	eventually 20 holds_nothing "$id" && eventually 40 keeper_alone && [ "$(keeper_pid)" = "$keeper" ] || return 1
	echo "descriptors of the keeper: $before before, $(ls "/proc/$keeper/fd" | wc -l) after"
	[ "$(ls "/proc/$keeper/fd" | wc -l)" = "$before" ]
}
check "hundreds of connections that come and go, some with garbage: the keeper holds what it held" many_connections

deleted_while_connecting() {
	local i victim pids
	for ((i = 0; i < rounds / 2; i++)); do
		victim=$(vgpu_create victim "$(admin profile list --json | jq -r '.profiles | min_by(.vram_bytes).name')") || return 1
		python3 -c '
import socket, sys
while True:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(sys.argv[1])
    except OSError:
        break
    s.close()' "$WORK/run/vgpu/$victim/direct.sock" &
		pids=$!
		STARTED_PIDS+=("$pids")
		short_pause
		admin vgpu delete victim --yes --force || return 1
		wait "$pids"
		[ ! -e "$WORK/run/vgpu/$victim" ] && [ -z "$(pgrep -f -- "--dir $WORK/run/vgpu/$victim")" ] || return 1
	done
}
check "vGPUs are deleted while clients connect: folder and processes go" deleted_while_connecting

starts_and_stops() {
	local i
	for ((i = 0; i < rounds / 2; i++)); do
		service_end && no_processes && [ -z "$(find "$WORK/run" -name '*.pid' -o -name '*.sock')" ] && service_start || return 1
		eventually 5 running || return 1
		kill "$VGPUD_PID"
		wait "$VGPUD_PID" || return 1
		[ "$(processes)" = 1 ] && service_start && eventually 5 running || return 1
	done
}
check "vgpud starts and stops, with and without its vGPUs: no file or process stays" starts_and_stops
e2e_end
