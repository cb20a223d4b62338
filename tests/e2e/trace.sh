#!/bin/bash
# SPDX-License-Identifier: MIT
# Traces: what the scheduler does with two vGPUs at once, recorded, shown and simulated again.
. "$(dirname "$0")/lib.sh"

e2e_begin trace
# jq reads by `input`, so that a file without JSON is a failure.
service_start || exit 1
gpu=$(admin gpu list -q | head -n 1)

refused() { # WORDS COMMAND...: fails, and says so
	local words=$1
	shift
	if "$@" >"$WORK/out" 2>"$WORK/err"; then
		echo "this succeeded: $*"
		return 1
	fi
	grep -q -- "$words" "$WORK/err" || { cat "$WORK/err"; return 1; }
}
empty() {
	admin trace "$gpu" >"$WORK/empty.json" || return 1
	jq -n -e 'input | .traceEvents | all(.ph != "X")' "$WORK/empty.json"
}
check "a GPU that had no vGPU has an empty trace" empty
check "a GPU that is not there is named" refused "there is no GPU 'gpu99'" admin trace gpu99

one=$(vgpu_create desk-one)
two=$(vgpu_create desk-two)

compute() {
	local first second
	direct_bg "$WORK/first" "$one" "$BUILD/bin/vgpu-bench" --size small
	first=$!
	direct_bg "$WORK/second" "$two" "$BUILD/bin/vgpu-bench" --size small
	second=$!
	wait "$first" || { cat "$WORK/first"; return 1; }
	wait "$second" || { cat "$WORK/second"; return 1; }
}
check "two vGPUs compute at once, verified" compute
check "the whole ring is written to standard output" eval 'admin trace "$gpu" >"$WORK/ring.json"'

whole() { # FILE: a track of leases for each vGPU, with leases on it
	jq -n -e 'input |
		[.traceEvents[] | select(.name == "thread_name" and (.args.name | endswith(" leases")))] as $tracks
		| [.traceEvents[] | select(.ph == "X")] as $spans
		| ($spans | all(has("ts") and has("dur") and has("pid") and has("tid") and .dur >= 0))
		and ($tracks | map(.args.name) | sort == ["desk-one leases", "desk-two leases"])
		and ($tracks | map(.args.uuid) | sort == ($ARGS.positional | sort))
		and ($tracks | all(.tid as $tid | $spans | any(.tid == $tid)))
		and ([.traceEvents[] | select(.name == "thread_name" and (.args.name | test("^desk-(one|two) engine [0-9.]+$")))] | length >= 2)
	' "$1" --args "$one" "$two"
}
check "it has a track for each vGPU, and for its engines" whole "$WORK/ring.json"

# Beginnings and ends in order of time, ends first: never more leases than the queue grants, and never two on one track.
exclusive() { # FILE
	jq -n -e 'input |
		.otherData.leases as $most
		| [.traceEvents[] | select(.ph == "X" and (.name == "lease" or .name == "open lease"))] as $leases
		| ($leases | map({t: (.ts * 1000 | round), n: 1}, {t: ((.ts + .dur) * 1000 | round), n: -1}) | sort_by(.t, .n)
			| reduce .[] as $e ({now: 0, most: 0}; .now += $e.n | .most = ([.most, .now] | max)) | .most) as $at_once
		| ($leases | length > 4) and $at_once >= 1 and $at_once <= $most
	' "$1"
}
check "no more leases at a time than the run queue grants" exclusive "$WORK/ring.json"
tracks_in_order() { # FILE
	jq -n -e 'input | [.traceEvents[] | select(.ph == "X")] | group_by(.tid) | all(
		sort_by(.ts) | . as $s | [range(1; length)] | all(. as $i | ($s[$i - 1].ts + $s[$i - 1].dur) * 1000 <= ($s[$i].ts * 1000) + 1))' "$1"
}
check "nothing overlaps on any track" tracks_in_order "$WORK/ring.json"
waited() { jq -n -e 'input | [.traceEvents[] | select(.ph == "X" and .name == "waits" and .dur > 0)] | length > 0' "$1"; }
check "somebody waited for the other" waited "$WORK/ring.json"

# Both always have something to do, however slow the machine.
live() {
	local first second
	direct_bg "$WORK/first" "$one" "$BUILD/tests/vgpu-guest-test" soak --seconds 600
	first=$!
	direct_bg "$WORK/second" "$two" "$BUILD/tests/vgpu-guest-test" soak --seconds 600
	second=$!
	# Past their builds, which may be one long lease.
	wait_for_line "$WORK/first" rounds= 60 && wait_for_line "$WORK/second" rounds= 60 || return 1
	admin trace "$gpu" --seconds 2 --file "$WORK/live.json" 2>"$WORK/live.err"
	local code=$?
	kill "$first" "$second"
	wait "$first" "$second"
	cat "$WORK/live.err"
	[ "$code" = 0 ] && [ ! -s "$WORK/live.err" ] && whole "$WORK/live.json" && tracks_in_order "$WORK/live.json"
}
check "two seconds are traced while both compute" live
of_two_seconds() {
	jq -n -e 'input | (.otherData.begin_ns / 1000) as $from | (.otherData.end_ns / 1000) as $to | $to - $from >= 1900000 and
		([.traceEvents[] | select(.ph == "X")] | all(.ts >= $from - 1 and .ts + .dur <= $to + 1))' "$WORK/live.json"
}
check "and nothing outside of them" of_two_seconds

replays() {
	admin trace "$gpu" --format recorded --file "$WORK/recorded.json" || return 1
	"$BUILD/bin/vgpu-sim" check "$WORK/recorded.json" || return 1
	"$BUILD/bin/vgpu-sim" run "$WORK/recorded.json" | tee "$WORK/simulated"
	[ "${PIPESTATUS[0]}" = 0 ] && grep -q '^desk-one ' "$WORK/simulated" && grep -q '^desk-two ' "$WORK/simulated"
}
check "the recorded scenario is simulated as it is, both vGPUs in it" replays
under_a_rival() { "$BUILD/bin/vgpu-sim" run "$WORK/recorded.json" --rule round-robin --json | jq -n -e 'input | .vgpus | length == 2'; }
check "and under another rule" under_a_rival

pages() {
	local last
	last=$(curl -s --unix-socket "$WORK/vgpud.sock" "http://vgpud/v1/gpus/$gpu/trace?most=3" | tee "$WORK/page" | jq .last)
	jq -n -e 'input | (.events | length == 3) and .next == 3 and .lost == 0 and (.vgpus | length == 2) and (.clock.monotonic_ns > .events[0].at_ns)' "$WORK/page" &&
		curl -s --unix-socket "$WORK/vgpud.sock" "http://vgpud/v1/gpus/$gpu/trace?after=$((last - 1))&most=8192" | jq -n -e --argjson last "$last" \
			'input | .next >= $last and (.events | length >= 1)' &&
		curl -s --unix-socket "$WORK/vgpud.sock" "http://vgpud/v1/gpus/$gpu/trace?most=0" | jq -n -e 'input | .error.code == "bad_request"'
}
if command -v curl >/dev/null; then
	check "the API gives pages that join" pages
else
	echo "cannot test here: pages of the API because curl is not installed"
fi

removed_is_named() {
	admin vgpu delete "$two" --yes --force && admin trace "$gpu" >"$WORK/after.json" &&
		jq -n -e --arg two "$two" 'input | .traceEvents | any(.name == "thread_name" and .args.name == "desk-two leases (removed)" and .args.uuid == $two)' \
			"$WORK/after.json"
}
check "a vGPU that was removed keeps its track" removed_is_named

unwritable() {
	refused "cannot write" admin trace "$gpu" --file "$WORK/no/such/folder" || return 1
	refused "No space left" admin trace "$gpu" --file /dev/full || return 1
	[ -c /dev/full ] || return 1
	echo before >"$WORK/kept" || return 1
	# A file size limit stands for a full disk.
	refused "nothing was kept" bash -c "trap '' XFSZ; ulimit -f 1; exec '$BUILD/bin/vgpu-admin' --socket '$WORK/vgpud.sock' trace '$gpu' --file '$WORK/kept'" ||
		return 1
	[ "$(cat "$WORK/kept")" = before ] && [ -z "$(ls "$WORK"/kept.* 2>/dev/null)" ]
}
check "what cannot be written is said, and leaves what was there" unwritable
check "--seconds and --after exclude each other" refused "give one of them" admin trace "$gpu" --seconds 1 --after 5
check "a format that is not there is refused" refused "must be perfetto or recorded" admin trace "$gpu" --format svg
check "a trace needs a GPU" refused "'trace' needs GPU" admin trace
e2e_end
