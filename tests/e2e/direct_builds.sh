#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache of build results: builds are counted, over processes of one vGPU, with the compile helper killed, and beside another vGPU.
. "$(dirname "$0")/lib.sh"

e2e_begin direct_builds
export VGPU_LOG=debug	# a line for each build, and one for each answer that an engine got
check "the service starts" service_start
one=$(vgpu_create one)
two=$(vgpu_create two)

builds() { grep -c 'vgpu-compute(compiler).*: build [0-9]*: ' "$WORK/vgpud.log"; }
helper() { # of which vGPU: its process id, to be seen from here
	cat "$WORK/run"/*/"$1"*/compiler.pid "$WORK/run/$1"*/compiler.pid 2>/dev/null | awk '{ print $1; exit }'
}
# Builds and computes; the number of builds that took place meanwhile must be EXPECTED.
built() { # VGPU EXPECTED [OPTIONS...]
	local id=$1 expected=$2 before
	shift 2
	before=$(builds)
	direct "$id" "$BUILD/tests/vgpu-guest-test" build "$@" >"$WORK/built" || { cat "$WORK/built"; return 1; }
	cat "$WORK/built"
	[ $(($(builds) - before)) = "$expected" ] || { echo "$(($(builds) - before)) builds, not $expected"; return 1; }
}
field() { tr ' ' '\n' <"$WORK/built" | awk -F= -v name="$1" '$1 == name { print $2 }'; }

first() {
	built "$one" 1 && FIRST_US=$(field build_us) && figures "$(field build_us) us, first result after $(field first_result_us) us more"
}
check "a program is built once" first
second() {
	built "$one" 0 && figures "$(field build_us) us instead of $FIRST_US, first result after $(field first_result_us) us more"
}
check "another process of the vGPU gets it without a build, and computes the same" second
check "another program is another build" built "$one" 1 --salt 2
check "another vGPU knows nothing of it" built "$two" 1

many_at_once() {
	local before pids=() pid failed=0
	before=$(builds)
	for _ in 1 2 3 4; do
		direct "$one" "$BUILD/tests/vgpu-guest-test" build --salt 3 >"$WORK/many" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	cat "$WORK/many"
	[ "$failed" = 0 ] && [ $(($(builds) - before)) = 1 ]
}
check "four processes that want the same at once are one build" many_at_once

charged() {
	local pid
	direct_bg "$WORK/spin" "$one" "$BUILD/tests/vgpu-guest-test" soak --seconds 3
	eventually 10 eval '[ -n "$(helper "$one")" ]' || return 1
	pid=$(helper "$one")
	grep -q "/$one/serving" "/proc/$pid/cgroup" || { cat "/proc/$pid/cgroup"; return 1; }
	wait $!
}
if [ -f "$WORK/run/cgroup" ]; then
	check "the helper is in its vGPU's group, which is what it is charged by" charged
else
	echo "cannot test here: whom the helper's processor time is charged to because no cgroup v2 group can be made"
fi

helper_killed() {
	local pid
	direct_bg "$WORK/soak" "$one" "$BUILD/tests/vgpu-guest-test" soak --seconds 4
	local soak=$!
	eventually 10 eval '[ -n "$(helper "$one")" ]' || return 1
	pid=$(helper "$one")
	[ -d "/proc/$pid" ] && kill -9 "$pid" || return 1
	eventually 5 eval '[ "$(helper "$one")" != '"$pid"' ]' || return 1
	wait $soak || { cat "$WORK/soak"; return 1; }
	# The next one has a helper again, and what the killed one kept.
	built "$one" 0
}
check "the helper is killed: who computes goes on, the next one finds what it kept" helper_killed
idle() { ! pgrep -f -- "--compiler --dir $WORK/run" >/dev/null; }
check "without engines the helpers end" eventually 20 idle
check "nothing is left when the clients have gone" eventually 5 holds_nothing "$one"
check "what was kept is there when the next client comes" built "$one" 0
e2e_end
