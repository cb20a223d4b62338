# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A vgpud of one's own, for as long as a script runs; sourced by demo.sh and bench_path.sh.
#
# The caller sets BUILD (absolute) and work (its temporary folder), and calls service_stop on every way out.

: "${BUILD:?}" "${work:?}"
service_pid=

admin() { "$BUILD/bin/vgpu-admin" --socket "$work/vgpud.sock" "$@"; }

# Ends a child of ours: asks it, then, after SECONDS, makes it.
end_process() { # PID SECONDS
	local n
	kill "$1" 2>/dev/null || return 0
	for ((n = 0; n < $2 * 20; n++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.05
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

service_start() { # [VGPUD-OPTION...]
	local n
	"$BUILD/bin/vgpud" --state-dir "$work/state" --runtime-dir "$work/run" --socket "$work/vgpud.sock" "$@" \
		>"$work/vgpud.log" 2>&1 &
	service_pid=$!
	for ((n = 0; n < 1200; n++)); do
		admin ping >/dev/null 2>&1 && return 0
		kill -0 "$service_pid" 2>/dev/null || break
		sleep 0.05
	done
	echo "the service did not start; its log:" >&2
	tail -n 20 "$work/vgpud.log" >&2
	return 1
}

# Keepers outlive vgpud by design, so the service is asked to end its vGPUs first.
service_stop() {
	[ -n "$service_pid" ] || return 0
	admin service stop --vgpus >/dev/null 2>&1
	end_process "$service_pid" 10
	service_pid=
}

# The first profile that the service offers.
service_profile() {
	admin profile list --json | jq -er '(if type == "array" then . else .profiles end)[0].name'
}
