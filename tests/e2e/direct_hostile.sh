#!/bin/bash
# SPDX-License-Identifier: MIT
# A hostile guest on one vGPU, a neighbour computing on another of the same GPU: the neighbour's results stay right, host
# memory stays within what was stated, nothing is left, and the log says who it was.
# HOSTILE_SECONDS is how long what has no end of its own goes on; SEED repeats a run; MODES picks from the modes.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_hostile
seconds=${HOSTILE_SECONDS:-3}
seed=${SEED:-$(date +%s)}
modes=${MODES:-touch-all truncate doorbell-flood garbage-socket bad-commands garbage-ring bad-records vanish}
guest_test=$BUILD/tests/vgpu-guest-test
ring_bytes=$((2 << 20))		# at most, of a context
service_start || exit 1
admin profile create hostile --vram 128M --max-contexts 8 >/dev/null || exit 1
bad=$(vgpu_create guilty hostile)
good=$(vgpu_create neighbour)
socket=$(vgpu_field "$bad" .sockets.direct)
config=$WORK/run/vgpu/$bad/config.json
slack=$(jq .slack_bytes "$config")
bound=$(jq ".vram_bytes + .max_contexts * $ring_bytes + .slack_bytes" "$config")
echo "        seed $seed; the guilty one may have $((bound >> 20)) MiB of host memory"

# ---- the neighbour: the set and rounds of soak, again and again, all the time --------------------------------
neighbour() {
	while [ ! -e "$WORK/stop" ]; do
		"$guest_test" soak --seconds 4 >>"$WORK/neighbour" 2>&1 && "$BUILD/bin/vgpu-bench" --size small >>"$WORK/neighbour" 2>&1 ||
			{ echo "turn failed" >>"$WORK/neighbour"; return 1; }
		echo "turn done" >>"$WORK/neighbour"
	done
}
neighbour_computes() {
	kill -0 "$NEIGHBOUR" 2>/dev/null || [ -e "$WORK/stop" ] || { tail -n 20 "$WORK/neighbour"; return 1; }
	! grep -E 'wrong=[1-9]|turn failed' "$WORK/neighbour"
}
neighbour_was_right() {
	touch "$WORK/stop"
	wait "$NEIGHBOUR" || { tail -n 30 "$WORK/neighbour"; return 1; }
	echo "$(grep -c 'turn done' "$WORK/neighbour") turns; $(grep -c 'state=done.* wrong=0 ' "$WORK/neighbour") of soak with nothing wrong"
	neighbour_computes && [ "$(grep -c 'turn done' "$WORK/neighbour")" -gt 0 ]
}

# ---- host memory behind all apertures of the guilty vGPU -----------------------------------------------------
blocks() {
	local pid sum=0 bytes
	for pid in $(vgpu_field "$bad" '.devices[]'); do
		# A device may have gone meanwhile, and its memory with it.
		bytes=$("$BUILD/tests/aperture_peek" "$pid" --blocks 2>/dev/null) || bytes=0
		sum=$((sum + bytes))
	done
	echo $sum
}
watch_memory() {
	local now peak=0
	while [ ! -e "$WORK/stop" ]; do
		now=$(blocks)
		[ "$now" -gt "$peak" ] && peak=$now && echo $peak >"$WORK/peak.new" && mv "$WORK/peak.new" "$WORK/peak"
		sleep 0.1
	done
}
within_bound() {
	local peak
	peak=$(cat "$WORK/peak" 2>/dev/null || echo 0)
	echo "at most $((peak >> 20)) MiB of $((bound >> 20)) MiB were seen"
	# Nothing at all would mean that nobody looked.
	[ "$peak" -gt 0 ] && [ "$peak" -le "$bound" ]
}
paid_for() { # what there is more than the ledger says is no more than the slack
	local have owed
	have=$(blocks)
	owed=$(vgpu_field "$bad" .vram_used_bytes)
	[ "$have" -le $((owed + slack)) ] || { echo "$have bytes in apertures, $owed charged, slack $slack"; return 1; }
}

# ---- the modes -----------------------------------------------------------------------------------------------
attack() { # MODE
	local failed=0
	"$BUILD/tests/hostile_guest" "$1" "$socket" "$seconds" "$seed" >"$WORK/$1" 2>&1 || failed=1
	grep -E '^(FAIL|PASS hostile)' "$WORK/$1" || cat "$WORK/$1"
	[ $failed = 0 ] && neighbour_computes
}
touched_is_taken_back() {
	local attacker status=0
	mkfifo "$WORK/hold"
	"$BUILD/tests/hostile_guest" touch-all "$socket" "$seconds" "$seed" <"$WORK/hold" >"$WORK/touch-all" 2>&1 &
	attacker=$!
	STARTED_PIDS+=("$attacker")
	# It touches all again and again, and then keeps its connection until this end of the pipe is closed.
	exec 9>"$WORK/hold"
	wait_for_line "$WORK/touch-all" 'were taken back every time' 60 && [ -n "$(vgpu_field "$bad" '.devices[]')" ] && paid_for || status=1
	exec 9>&-
	wait $attacker || status=1
	rm -f "$WORK/hold"
	grep -E '^(FAIL|PASS)' "$WORK/touch-all"
	[ $status = 0 ] && neighbour_computes
}
struck() { [ "$(vgpu_field "$bad" .strikes)" -gt "$1" ] || { echo "still $1 strikes"; return 1; }; }

# Since LINE of the log, strikes name the guilty one, by name and uuid, and nobody else.
named() { # LINE
	tail -n +"$1" "$WORK/vgpud.log" | grep -E "strike [0-9]+ against vGPU guilty \($bad\)" | head -n 3
	tail -n +"$1" "$WORK/vgpud.log" | grep -qE "strike [0-9]+ against vGPU guilty \($bad\)"
}
neighbour_is_not_accused() {
	grep -E "strike.*(vGPU neighbour|$good)" "$WORK/vgpud.log" && return 1
	[ "$(vgpu_field "$good" .strikes)" = 0 ]
}

OCL_ICD_VENDORS=$WORK/vendors VGPU_SOCKET=$(vgpu_field "$good" .sockets.direct) neighbour &
NEIGHBOUR=$!
watch_memory &
WATCHER=$!
# Unlike kill, a file ends them at a point where nothing of theirs is left behind.
trap 'touch "$WORK/stop"; wait $NEIGHBOUR $WATCHER 2>/dev/null; e2e_stop' EXIT
check "the neighbour computes" wait_for_line "$WORK/neighbour" 'rounds=' 60

for mode in $modes; do
	before=$(vgpu_field "$bad" .strikes)
	line=$(($(wc -l <"$WORK/vgpud.log") + 1))
	case $mode in
	touch-all) check "touch-all: memory goes back to ledger and slack, again and again; the neighbour goes on" touched_is_taken_back ;;
	*) check "$mode: answered as it must be; the neighbour goes on" attack "$mode" ;;
	esac
	check "$mode: nothing is left of it" eventually 10 holds_nothing "$bad"
	case $mode in
	touch-all | garbage-socket | garbage-ring)
		check "$mode: is counted against the guilty one" eventually 5 struck "$before"
		check "$mode: the log names it" eventually 5 named "$line" ;;
	esac
done

# ---- requests that kill the device process ----------------------------------------------------------------------
killed_devices() {
	local soak status=0 deaths line
	line=$(($(wc -l <"$WORK/vgpud.log") + 1))
	admin vgpu replace-device "$bad" --program "$BUILD/tests/vgpu-device-fragile" || return 1
	direct_bg "$WORK/beside" "$bad" "$guest_test" soak --seconds 6
	soak=$!
	wait_for_line "$WORK/beside" rounds= 60 || return 1
	"$BUILD/tests/hostile_guest" crash "$socket" "$seconds" "$seed" >"$WORK/crash" 2>&1 || { grep '^FAIL' "$WORK/crash"; status=1; }
	wait $soak || status=1
	tail -n 1 "$WORK/beside"
	grep -q 'state=done.* wrong=0' "$WORK/beside" || status=1
	deaths=$(tail -n +"$line" "$WORK/vgpud.log" | grep -cE 'device process [0-9]+ was killed by signal 6; process [0-9]+ takes over')
	# Six requests, two processes each.
	[ "$deaths" = 12 ] || { echo "$deaths device processes died, not 12"; status=1; }
	named "$line" || status=1
	admin vgpu replace-device "$bad" --program "$BUILD/bin/vgpu-device" || status=1
	[ $status = 0 ] && neighbour_computes
}
check "requests that kill the device: errors, on a connection that lives; others go on; the log names it" killed_devices
check "nothing is left of that" eventually 10 holds_nothing "$bad"

# ---- what remains -----------------------------------------------------------------------------------------------
check "the guilty vGPU's host memory was within VRAM, rings and slack at all times" within_bound
check "the guilty vGPU computes again" direct "$bad" "$guest_test" soak --seconds 1
check "the neighbour was verified all along" neighbour_was_right
check "the neighbour is accused of nothing" neighbour_is_not_accused
check "nothing is left of the neighbour" eventually 10 holds_nothing "$good"
e2e_end
