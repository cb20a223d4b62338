# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by end-to-end tests: a service of their own in a temporary folder, vGPUs on it, and everything stopped at the end.
#
#   . "$(dirname "$0")/lib.sh"
#   e2e_begin NAME                what is tested; a trap ends all that was started
#   service_start [ARGS...]       a vgpud of our own
#   id=$(vgpu_create NAME [PROFILE])
#   vgpu_field ID .jq.path        one value of `vgpu show`
#   direct ID COMMAND...          runs COMMAND with OpenCL from that vGPU, on the host
#   check WHAT COMMAND...         one test: passes if COMMAND succeeds
#   figures WORDS                 within a check: what was measured, shown with its result
#   e2e_end                       prints `N passed, N failed`, exits accordingly
#
# bash; needs jq. BUILD names the build folder (default: build). Seconds that are waited for something are those of an
# idle machine; a slow or busy one gets PATIENCE (6) times as many.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
PASSED=0
FAILED=0
STARTED_PIDS=()
SERVICE_UNDER=()

e2e_begin() {
	E2E_NAME=$1
	# Short: a UNIX socket's path has 107 bytes at most.
	WORK=$(mktemp -d /tmp/vgpu-e2e-XXXXXX)
	# Once: a loader that is just reading it must not find it empty.
	mkdir "$WORK/vendors"
	echo "$BUILD/lib/libvgpu-opencl.so" >"$WORK/vendors/vgpu.icd"
	trap 'e2e_stop' EXIT
	trap 'exit 130' INT TERM
}

# SERVICE_UNDER, an array, is what vgpud is run by, if it is set.
service_start() {
	"${SERVICE_UNDER[@]}" "$BUILD/bin/vgpud" --state-dir "$WORK/state" --runtime-dir "$WORK/run" --socket "$WORK/vgpud.sock" "$@" \
		>>"$WORK/vgpud.log" 2>&1 &
	VGPUD_PID=$!
	for _ in $(seq 1200); do
		admin ping >/dev/null 2>&1 && return 0
		kill -0 "$VGPUD_PID" 2>/dev/null || break
		sleep 0.05
	done
	echo "vgpud does not answer; its log:"
	tail -n 20 "$WORK/vgpud.log"
	return 1
}

admin() { "$BUILD/bin/vgpu-admin" --socket "$WORK/vgpud.sock" "$@"; }

vgpu_create() { # NAME [PROFILE]
	admin vgpu create --name "$1" --profile "${2:-$(first_profile)}"
}

first_profile() { admin profile list --json | jq -r '.profiles[0].name'; }

vgpu_field() { admin vgpu show "$1" --json | jq -r "$2"; }

# The environment that makes a program's OpenCL this vGPU's.
direct() { # ID COMMAND...
	local id=$1
	shift
	OCL_ICD_VENDORS="$WORK/vendors" VGPU_SOCKET=$(vgpu_field "$id" .sockets.direct) "$@"
}

# A program that is not of this build, on a build with sanitizers: their runtime has to come first, and what the program
# itself loses is not ours.
foreign() { # COMMAND...
	local runtime
	runtime=$(ldd "$BUILD/lib/libvgpu-opencl.so" | awk '/lib(asan|tsan)/ { print $3; exit }')
	if [ -n "$runtime" ]; then
		LD_PRELOAD=$runtime ASAN_OPTIONS=detect_leaks=0 "$@"
	else
		"$@"
	fi
}

# In the background; its process id is $!.
direct_bg() { # LOG ID COMMAND...
	local log=$1 id=$2 socket
	shift 2
	socket=$(vgpu_field "$id" .sockets.direct)
	OCL_ICD_VENDORS="$WORK/vendors" VGPU_SOCKET=$socket "$@" >"$log" 2>&1 &
	STARTED_PIDS+=($!)
}

figures() { FIGURES=": $*"; }

check() { # WHAT COMMAND...
	local what=$1 start=$SECONDS
	shift
	FIGURES=
	if "$@" >"$WORK/check.out" 2>&1; then
		PASSED=$((PASSED + 1))
		echo "ok      $E2E_NAME: $what$FIGURES ($((SECONDS - start)) s)"
	else
		FAILED=$((FAILED + 1))
		echo "FAILED  $E2E_NAME: $what$FIGURES"
		tail -n 40 "$WORK/check.out" | sed 's/^/        /'
	fi
}

# Waits up to SECONDS, times PATIENCE, for a condition; its last words are printed if it never holds.
eventually() { # SECONDS COMMAND...
	local until=$((SECONDS + $1 * ${PATIENCE:-6})) said
	shift
	until said=$("$@" 2>&1); do
		[ $SECONDS -ge $until ] && { echo "$said"; return 1; }
		sleep 0.05
	done
}

wait_for_line() { # FILE REGEX SECONDS
	eventually "$3" grep -qE "$2" "$1"
}

# A vGPU that nobody uses holds nothing: no slot, context, engine, resource or byte.
holds_nothing() { # ID
	local held
	held=$(vgpu_field "$1" '[.slots, .contexts, .engines, .resources, .vram_used_bytes] | map(tostring) | join(" ")')
	[ "$held" = "0 0 0 0 0" ] || { echo "slots contexts engines resources vram: $held"; return 1; }
}

e2e_stop() {
	local pid
	trap - EXIT
	for pid in "${STARTED_PIDS[@]:-}"; do
		[ -n "$pid" ] && kill "$pid" 2>/dev/null
	done
	if [ -n "${VGPUD_PID:-}" ]; then
		admin service stop --vgpus >/dev/null 2>&1 || kill "$VGPUD_PID" 2>/dev/null
		for _ in $(seq 200); do
			kill -0 "$VGPUD_PID" 2>/dev/null || break
			sleep 0.05
		done
		kill -9 "$VGPUD_PID" 2>/dev/null
		wait "$VGPUD_PID" 2>/dev/null
	fi
	# Whoever still has a file of ours open was left behind: that is a failure, and is ended.
	left=$(pgrep -f -- "--dir $WORK/run" || true)
	if [ -n "$left" ]; then
		echo "FAILED  $E2E_NAME: processes were left behind: $(echo $left)"
		FAILED=$((FAILED + 1))
		# shellcheck disable=SC2086 # a list of our own processes: their folder is in their arguments
		kill -9 $left 2>/dev/null
	fi
	# A build with sanitizers: whatever one of our processes said about itself, the service's or a client.
	if grep -qE -D skip -d skip '(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:' "$WORK"/* 2>/dev/null; then
		echo "FAILED  $E2E_NAME: a sanitizer found something:"
		grep -hE -D skip -d skip -A 25 '(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:' "$WORK"/* 2>/dev/null | head -n 80 | sed 's/^/        /'
		FAILED=$((FAILED + 1))
	fi
	if [ "$FAILED" != 0 ]; then
		echo "        the service's last words:"
		tail -n 30 "$WORK/vgpud.log" 2>/dev/null | sed 's/^/        /'
	fi
	# A script's own last word before its folder goes.
	if declare -F e2e_before_removal >/dev/null; then e2e_before_removal; fi
	[ -n "${E2E_KEEP:-}" ] && echo "kept: $WORK" || rm -rf "$WORK"
}

e2e_end() {
	e2e_stop
	echo "$PASSED passed, $FAILED failed"
	[ "$FAILED" = 0 ]
	exit
}
