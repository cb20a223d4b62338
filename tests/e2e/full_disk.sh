#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks of the state and the runtime folder that are full or read-only: refused with a sentence, nothing acknowledged is lost, what
# runs goes on, and with room again everything works. The disks are small tmpfs in a mount namespace, which takes them along.
if [ -z "${FULL_DISK_INSIDE-}" ]; then
	for way in "unshare -m" "unshare -rm"; do
		# shellcheck disable=SC2086 # words
		$way sh -c 'mount --make-rprivate / && mount -t tmpfs -o size=64k full /mnt' 2>/dev/null || continue
		# shellcheck disable=SC2086
		FULL_DISK_INSIDE=1 exec $way "$0" "$@"
	done
	echo "cannot test here: full and read-only disks because this user may not mount a tmpfs, not even in a namespace of its own"
	echo "0 passed, 0 failed"
	exit 0
fi
. "$(dirname "$0")/lib.sh"
e2e_begin full_disk
mount --make-rprivate /
state=$WORK/state
run=$WORK/run
mkdir -p "$state" "$run"
mount -t tmpfs -o size=128k,nr_inodes=256 state "$state" && mount -t tmpfs -o size=256k,nr_inodes=512 run "$run" || exit 1
e2e_before_removal() { umount -l "$state" "$run"; }
start() { service_start --cache-dir "$WORK/cache"; }
end_service() {
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
}

fill() { # FOLDER: not a byte more
	cat /dev/zero >"$1/filler" 2>/dev/null
	! echo x >"$1/one-more" 2>/dev/null
	local is_full=$?
	rm -f "$1/one-more"
	[ $is_full = 0 ] || { echo "$1 is not full: $(df "$1" | tail -n 1)"; return 1; }
}
fill_inodes() { # FOLDER: not a file more
	local n=0
	while [ $n -lt 1000 ] && : 2>/dev/null >"$1/file-$n"; do n=$((n + 1)); done
	[ $n -lt 1000 ]
}
make_room() { rm -f "$1"/filler "$1"/file-*; }
remount() { mount -o "remount,$2" "$1"; }

refused() { # PATTERN COMMAND...: exit status 1, a sentence of that form, no change
	local pattern=$1 before
	shift
	before=$(defined)
	"$@" >"$WORK/out" 2>"$WORK/err"
	local got=$?
	cat "$WORK/err"
	[ $got = 1 ] || { echo "exit $got, not 1: $*"; return 1; }
	grep -qE -- "$pattern" "$WORK/err" || { echo "no '$pattern' in that"; return 1; }
	[ "$before" = "$(defined)" ] || { echo "what is defined changed: $before, now $(defined)"; return 1; }
}
defined() { admin vgpu list --json | jq -cS '[.vgpus[] | [.uuid, .name, .profile]] | sort'; admin profile list --json | jq -cS '[.profiles[].name]'; }
is_running() { [ "$(vgpu_field "$1" .state)" = running ] || { vgpu_field "$1" '.state + ": " + .why'; return 1; }; }
no_other_folder() { [ -z "$(find "$run/vgpu" -mindepth 1 -maxdepth 1 ! -name "$id")" ] || { ls "$run/vgpu"; return 1; }; }
no_scrap() { [ -z "$(find "$state/vgpus" "$state/profiles" -name '.*' -type f)" ] || { find "$state" -type f; return 1; }; }

start || exit 1
profile=$(first_profile)
admin profile create kept --vram 32M >/dev/null || exit 1
id=$(vgpu_create one kept) || exit 1
direct_bg "$WORK/soak" "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 800
CLIENT=$!
wait_for_line "$WORK/soak" rounds= 30 || exit 1
client_goes_on() {
	local before
	kill -0 "$CLIENT" || { tail -n 3 "$WORK/soak"; return 1; }
	before=$(wc -c <"$WORK/soak")
	eventually 30 eval "[ \$(wc -c <'$WORK/soak') -gt $before ]" && ! grep -E 'wrong=[1-9]' "$WORK/soak"
}

# ---- the state folder ----------------------------------------------------------------------------------------
state_full() {
	local no_space='cannot write .*: No space left on device; make room on that disk'
	"$1" "$state" || return 1
	refused "$no_space" admin vgpu create --profile "$profile" --name two && refused "$no_space" admin profile create more --vram 32M &&
		refused "$no_space" admin vgpu delete one --yes --force && no_scrap && no_other_folder && client_goes_on
}
check "state folder full: create and delete are refused, saying what would help; the vGPU computes on" state_full fill
state_full_restart() {
	local before
	before=$(defined)
	end_service
	start || return 1
	[ "$before" = "$(defined)" ] || { echo "was $before, is $(defined)"; return 1; }
	eventually 5 is_running one && client_goes_on
}
check "state folder full: vgpud starts over it, with all that was acknowledged" state_full_restart
works_again() {
	make_room "$state"
	make_room "$run"
	admin profile create more --vram 32M && admin vgpu create --profile more --name two && is_running two &&
		direct two "$BUILD/tests/vgpu-guest-test" soak --seconds 1 &&
		eventually 5 holds_nothing two && admin vgpu delete two --yes && admin profile delete more && client_goes_on
}
check "with room again, everything works" works_again
check "state folder without a file left: the same" state_full fill_inodes
check "with files again, everything works" works_again

# ---- the runtime folder -----------------------------------------------------------------------------------------
turned_away() {
	local line
	line=$(($(wc -l <"$WORK/vgpud.log") + 1))
	direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 1 && { echo "it was served"; return 1; }
	tail -n +"$line" "$WORK/vgpud.log" | grep -E "$1"
}
only_the_client() {
	local held
	held=$(vgpu_field "$id" '[.slots, .engines] | map(tostring) | join(" ")')
	[ "$held" = "1 1" ] || { echo "slots engines: $held"; return 1; }
}
run_full() {
	# What a former client leaves behind goes after it, and would make room.
	eventually 5 only_the_client && "$1" "$run" || return 1
	refused "'two' did not start: cannot .*: No space left on device; make room on that disk" admin vgpu create --profile "$profile" --name two &&
		no_other_folder && no_scrap && client_goes_on
}
check "runtime folder full: create is refused, saying what would help; the vGPU computes on" run_full fill
check "runtime folder full: a new connection is refused, and the log says why" turned_away 'connection of .* refused: .*No space left on device'
run_full_kills() {
	local device
	device=$(vgpu_field "$id" '.devices[0]')
	kill -9 "$device" || return 1
	client_goes_on || return 1
	end_service
	start || return 1
	eventually 5 is_running one && client_goes_on
}
check "runtime folder full: a device and vgpud are killed; the vGPU computes on" run_full_kills
check "with room again, everything works" works_again
check "with room again, a new connection is served" direct "$id" "$BUILD/tests/vgpu-guest-test" soak --seconds 1
check "runtime folder without a file left: create is refused, the vGPU computes on" run_full fill_inodes
check "runtime folder without a file left: a new connection is refused, and the log says why" turned_away 'connection of .* refused: .*No space left on device'
check "with files again, everything works" works_again

# ---- a start with nothing in the runtime folder and no room for anything ------------------------------------------
client_ends() {
	kill -USR1 "$CLIENT"
	wait "$CLIENT"
	local status=$?
	tail -n 1 "$WORK/soak"
	[ $status = 0 ] && grep -q 'state=done.* wrong=0' "$WORK/soak"
}
check "the client was right all along" client_ends
start_full() {
	local before
	before=$(defined)
	admin service stop --vgpus || return 1
	wait "$VGPUD_PID"
	# As after a boot.
	rm -rf "$run/vgpu"
	touch "$run/vgpud.lock"
	mkdir "$run/vgpu"
	: >"$run/vgpud.sock"
	fill_inodes "$run" || return 1
	start || return 1
	[ "$before" = "$(defined)" ] || { echo "was $before, is $(defined)"; ls -R "$state"; return 1; }
	[ "$(vgpu_field one .state)" = failed ] && vgpu_field one .why | grep "No space left on device; make room" || { vgpu_field one '.state + ": " + .why'; return 1; }
	make_room "$run"
	eventually 40 is_running one && direct one "$BUILD/tests/vgpu-guest-test" soak --seconds 1
}
check "a start without room for any vGPU: each says why, none is lost, and all run once there is room" start_full

# ---- read-only -------------------------------------------------------------------------------------------------------
ends_with() { # PATTERN ARGS...: vgpud ends by itself with status 1 and a sentence of that form
	local pattern=$1
	shift
	timeout 60 "$BUILD/bin/vgpud" --socket "$WORK/other.sock" --cache-dir "$WORK/cache" "$@" >"$WORK/out" 2>&1
	local got=$?
	cat "$WORK/out"
	[ $got = 1 ] && grep -qE "$pattern" "$WORK/out" || { echo "exit $got, wanted 1 and '$pattern'"; return 1; }
}
read_only_start() {
	local empty=$WORK/empty result=0
	mkdir -p "$empty" && mount -t tmpfs -o size=64k,ro empty "$empty" || return 1
	ends_with 'Read-only file system; mount that disk for writing' --state-dir "$empty" --runtime-dir "$WORK/run2" &&
		ends_with 'Read-only file system; mount that disk for writing' --state-dir "$empty/state" --runtime-dir "$WORK/run2" &&
		ends_with 'Read-only file system; mount that disk for writing' --state-dir "$WORK/state2" --runtime-dir "$empty" &&
		ends_with 'Read-only file system; mount that disk for writing' --state-dir "$WORK/state2" --runtime-dir "$empty/run" || result=1
	umount "$empty"
	return $result
}
check "a start with a read-only folder that is empty: status 1 and a sentence" read_only_start
read_only_state() {
	local before read_only='cannot write .*: Read-only file system; mount that disk for writing'
	eventually 5 holds_nothing one || return 1
	before=$(defined)
	end_service
	remount "$state" ro || return 1
	start || return 1
	[ "$before" = "$(defined)" ] && eventually 5 is_running one && admin events --json | jq -e '[.events[].kind] | index("state.read-only")' &&
		refused "$read_only" admin vgpu create --profile "$profile" --name two && refused "$read_only" admin profile create more --vram 32M &&
		refused "$read_only" admin vgpu delete one --yes && refused 'cannot remove .*: Read-only file system; mount that disk' admin profile delete more2 &&
		direct one "$BUILD/tests/vgpu-guest-test" soak --seconds 1 && remount "$state" rw && works_after_read_only
}
works_after_read_only() {
	admin vgpu create --profile "$profile" --name two && admin vgpu delete two --yes && eventually 5 holds_nothing one &&
		admin vgpu delete one --yes
}
admin profile create more2 --vram 32M >/dev/null
check "a start over state that has become read-only: vGPUs run, changes are refused until it is writable" read_only_state
e2e_end
