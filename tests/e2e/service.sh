#!/bin/bash
# SPDX-License-Identifier: MIT
# The service by itself, over a keeper and a probe that are stand-ins: state that survives kill -9, adoption, limits, bad input.
# KILLS gives the number of kill -9 of vgpud, OPERATIONS the operations between which they fall.
. "$(dirname "$0")/lib.sh"

e2e_begin service
operations=${OPERATIONS:-60}
kills=${KILLS:-12}
RANDOM=${SEED:-1}
libexec=$WORK/libexec
mkdir -p "$libexec"
cp "$BUILD/tests/fake-libexec/vgpu-keeper" "$libexec/vgpu-keeper"
cp "$ROOT/tests/mdev/fake_compute.sh" "$libexec/vgpu-compute"
cp "$BUILD/tests/fake-libexec/vgpu-keeper" "$libexec/vgpu-device"
touch "$WORK/fake.icd"
start() { service_start --libexec-dir "$libexec" --icd "$WORK/fake.icd" "$@"; }
# Ends what is alive under our runtime folder, whoever started it: vGPUs outlive the service.
end_service() { admin service stop --vgpus; wait "$VGPUD_PID" 2>/dev/null; }
trap 'end_service >/dev/null 2>&1; e2e_stop' EXIT

status_is() { # WANTED COMMAND...
	local wanted=$1
	shift
	"$@" >"$WORK/out" 2>"$WORK/err"
	local got=$?
	[ $got = "$wanted" ] || { echo "exit $got, not $wanted: $*"; cat "$WORK/out" "$WORK/err"; return 1; }
}
refused() { # EXIT PATTERN COMMAND...: fails with that status and a sentence of that form, changing nothing
	local wanted=$1 pattern=$2 before after
	shift 2
	before=$(state)
	status_is "$wanted" "$@" || return 1
	grep -qE -- "$pattern" "$WORK/err" || { echo "no '$pattern' in:"; cat "$WORK/err"; return 1; }
	after=$(state)
	[ "$before" = "$after" ] || { echo "the state changed"; return 1; }
}
state() { admin vgpu list --json | jq -cS '[.vgpus[] | [.uuid, .name, .profile]] | sort'; admin profile list --json | jq -cS '[.profiles[].name]'; }
processes() { ps -eo args | grep -c -- "--dir $WORK/run/vgp[u]"; }
http() { # STATUS METHOD PATH [BODY]
	local got
	got=$(curl -s -o "$WORK/body" -w '%{http_code}' --unix-socket "$WORK/vgpud.sock" -X "$2" ${4+--data-binary "$4"} "http://vgpud$3")
	[ "$got" = "$1" ] || { echo "$2 $3 ${4-}: $got, not $1"; cat "$WORK/body"; return 1; }
	case $1 in 2*) ;; *) jq -e '.error.code and .error.message' "$WORK/body" >/dev/null || { cat "$WORK/body"; return 1; } ;; esac
}

start || exit 1

first_steps() {
	status_is 0 admin ping && status_is 0 admin gpu show gpu0 &&
		[ "$(admin gpu list --json | jq -c '[.gpus[] | [.id, .vram_bytes]]')" = '[["gpu0",6442450944]]' ] &&
		[ "$(admin profile list -q | tr '\n' ' ')" = 'c512m c1g c4g ' ]
}
check "GPU and built-in profiles are there" first_steps

create_and_show() {
	local id
	id=$(admin vgpu create --profile c1g --name one) || return 1
	[[ $id =~ ^[0-9a-f-]{36}$ ]] || { echo "not only the UUID: $id"; return 1; }
	[ "$(admin vgpu show one --json | jq -r .uuid)" = "$id" ] && [ "$(admin vgpu show "${id:0:8}" -q)" = "$id" ] || return 1
	[ "$(admin vgpu show one --json | jq -c '[.state, .vram_bytes, .vram_used_bytes, .contexts, .engines, .strikes]')" = \
		'["running",1073741824,12345,2,0,0]' ] || return 1
	admin vgpu show one --qemu-args 2>/dev/null >"$WORK/args"
	[ "$(sed -n 1p "$WORK/args")" = -device ] && [ "$(wc -l <"$WORK/args")" = 2 ] &&
		[ "$(sed -n 2p "$WORK/args" | jq -r '.driver + " " + .socket.path')" = "vfio-user-pci $WORK/run/vgpu/$id/vfio-user.sock" ] || return 1
	# What its processes read.
	jq -e '.schema == 1 and .engine.unified and .engine.platform == "Fake OpenCL"' "$WORK/run/vgpu/$id/config.json" &&
		[ "$(head -c 4 "$WORK/run/vgpu/$id/capset")" = VGPU ]
}
check "a vGPU is created, found by name and prefix, shown for QEMU" create_and_show

limits() {
	status_is 0 admin vgpu create --profile c4g --name two || return 1
	refused 6 "profile 'c4g' needs 4 GiB of VRAM, 1 GiB free on gpu0; choose 'c1g' or remove a vGPU" admin vgpu create --profile c4g &&
		status_is 0 admin vgpu create --profile c1g --name three &&
		refused 6 '0 B free on gpu0; remove a vGPU' admin vgpu create --profile c512m &&
		status_is 0 admin vgpu delete two --yes && status_is 0 admin vgpu delete three
}
check "VRAM of the GPU is a limit, said with numbers" limits

profiles() {
	status_is 0 admin profile create mine --vram 1.5G --max-contexts 4 --weight 2048 &&
		[ "$(admin profile show mine --json | jq -c '[.vram_bytes, .max_contexts, .weight, .builtin]')" = '[1610612736,4,2048,false]' ] &&
		refused 5 "already" admin profile create mine --vram 1G && refused 5 "already" admin profile create c1g --vram 1G &&
		refused 5 "built in" admin profile delete c1g && status_is 0 admin vgpu create --profile mine --name m &&
		refused 5 "used by 1 vGPU" admin profile delete mine && status_is 0 admin vgpu delete m &&
		status_is 0 admin profile delete mine && refused 3 "no profile" admin profile show mine
}
check "profiles are made, kept from harm, deleted" profiles

in_use() {
	local id
	id=$(admin vgpu create --profile c512m --name used) || return 1
	touch "$WORK/run/vgpu/$id/connected"
	kill -9 "$(vgpu_field used .keeper_pid)"
	eventually 5 eval '[ "$(vgpu_field used .slots)" = 1 ]' || return 1
	refused 5 "in use by 1 connection; .*--force" admin vgpu delete used --yes && status_is 0 admin vgpu delete used --force
}
check "a vGPU in use is not deleted without --force" in_use

bad_arguments() {
	local name256
	name256=$(printf 'n%.0s' $(seq 256))
	refused 2 "did you mean 'list'" admin vgpu lst && refused 2 "did you mean 'profile'" admin profil list && refused 2 "One of: list" admin vgpu &&
		refused 2 "needs --profile" admin vgpu create && refused 2 "needs ID" admin vgpu show && refused 2 "takes no --vram" admin vgpu list --vram 1G &&
		refused 2 "nothing to do with 'more'" admin vgpu show one more && refused 2 "must be table" admin -o xml gpu list &&
		refused 2 "not a size" admin profile create x --vram '2GB!' && refused 2 "not a size" admin profile create x --vram -1G &&
		refused 2 "needs a value" admin profile create x --vram '' || return 1
	refused 2 "more than any memory" admin profile create x --vram 99999999999999999999 && refused 2 "16 MiB to" admin profile create x --vram 1M &&
		refused 2 "16 MiB to" admin profile create x --vram 9G && refused 2 "whole MiB" admin profile create x --vram 20000000 &&
		refused 2 "whole number" admin profile create x --vram 1G --max-contexts 3x && refused 2 "1 to 64" admin profile create x --vram 1G --max-contexts 65 &&
		refused 2 "1 to 65536" admin profile create x --vram 1G --weight 0 && refused 2 "cannot name" admin profile create '../x' --vram 1G &&
		refused 2 "cannot name" admin vgpu create --profile c1g --name 'a b' && refused 2 "1 to 63" admin vgpu create --profile c1g --name "$name256" &&
		refused 2 "UUID" admin vgpu create --profile c1g --name 01234567-89ab-4def-8123-456789abcdef &&
		refused 5 "already" admin vgpu create --profile c1g --name one && refused 3 "did you mean 'c1g'" admin vgpu create --profile c1gb &&
		refused 3 "no GPU 'gpu7'" admin vgpu create --profile c1g --gpu gpu7 && refused 3 "did you mean 'one'" admin vgpu show onee &&
		refused 3 "no vGPU" admin vgpu delete 00000000 && refused 3 "no GPU" admin gpu show x && refused 2 "no program" admin vgpu replace-device one --program /nowhere &&
		refused 2 "can be run" admin vgpu replace-device one --program /etc/passwd && refused 2 "shows all options" admin --nonsense ||
		return 1
	status_is 7 "$BUILD/bin/vgpu-admin" --socket "$WORK/none" ping
}
check "bad arguments of every command: the exit code, a sentence, no change" bad_arguments

bad_requests() {
	local big before
	before=$(state)
	big=$(head -c 70000 /dev/zero | tr '\0' x)
	http 404 GET / && http 404 GET /v1/vgpus/ && http 404 GET /v1/vgpus/one/x && http 405 PUT /v1/vgpus && http 405 DELETE /v1/ping &&
		http 400 POST /v1/vgpus '' && http 400 POST /v1/vgpus '{' && http 400 POST /v1/vgpus '[]' && http 400 POST /v1/vgpus 'null' &&
		http 400 POST /v1/vgpus '{"profile":1}' && http 400 POST /v1/vgpus '{"profile":"c1g","profile":"c1g"}' &&
		http 400 POST /v1/vgpus '{"profile":"c1g","nam":"x"}' && http 400 POST /v1/vgpus '{"profile":"c1g","name":null}' &&
		http 400 POST /v1/vgpus '{"profile":"c1g","name":"a\u0000b"}' && http 400 POST /v1/vgpus '{"profile":"c1g","name":"a\nb"}' &&
		http 400 POST /v1/vgpus '{"profile":"c1g"} x' && http 400 POST /v1/profiles '{"name":"x","vram_bytes":"2GB!"}' &&
		http 400 POST /v1/profiles '{"name":"x","vram_bytes":1.5}' && http 400 POST /v1/profiles '{"name":"x","vram_bytes":-1}' &&
		http 400 POST /v1/profiles '{"name":"x","vram_bytes":1e30}' && http 400 POST /v1/profiles '{"name":"x","vram_bytes":99999999999999999999}' &&
		http 400 POST /v1/profiles '{"name":"x"}' && http 400 POST /v1/profiles '{"name":"x","vram_bytes":1073741824,"weight":0}' &&
		http 413 POST /v1/vgpus "$big" && http 400 GET /v1/events?after=x && http 400 GET '/v1/events?wait_s=61' && http 400 GET '/v1/vgpus?x=1' &&
		http 400 DELETE '/v1/vgpus/one?force=maybe' && http 400 POST /v1/service/stop '{"vgpus":1}' && http 400 DELETE /v1/profiles/c1g '{}' &&
		http 400 POST /v1/vgpus/one/replace-device '{"program":"relative"}' && http 400 POST /v1/vgpus/one/replace-device '{}' &&
		http 400 POST /v1/vgpus $'{"profile":"\xff"}' && http 404 GET /v1/vgpus/%ff%00 || return 1
	[ "$before" = "$(state)" ] || return 1
	# A client that says half a request and goes, and one that speaks no HTTP.
	python3 - "$WORK/vgpud.sock" <<'END' || return 1
import socket, sys
for text in (b"POST /v1/vgpus HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", b"\0\1\2\3" * 5000, b"GET /v1/events?wait_s=30&after=99999 HTTP/1.1\r\nHost: x\r\n\r\n"):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall(text)
    except BrokenPipeError:
        pass
    s.close()
END
	status_is 0 admin ping
}
check "bad requests of every route: the status, a code and a sentence, no change" bad_requests

events() {
	admin events --json | jq -e '[.events[].kind] | index("vgpu.created") and index("profile.deleted")' >/dev/null || return 1
	local last
	last=$(admin events --json | jq .last)
	(sleep 0.3; admin profile create later --vram 1G) &
	curl -s --max-time 10 --unix-socket "$WORK/vgpud.sock" "http://vgpud/v1/events?after=$last&wait_s=20" | jq -e '.events[0].kind == "profile.created"'
	local result=$?
	wait $!
	admin profile delete later
	return $result
}
check "events are listed and waited for" events

only_one() { timeout 10 "$BUILD/bin/vgpud" --state-dir "$WORK/state2" --runtime-dir "$WORK/run" --socket "$WORK/other.sock" 2>&1 | grep "another vgpud runs"; }
check "a second vgpud on the same runtime folder refuses" only_one

adoption() {
	local before after
	before=$(admin vgpu show one --json | jq -c '[.uuid, .keeper_pid, .devices, .created]')
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	start || return 1
	eventually 5 eval '[ "$(vgpu_field one .state)" = running ]' || return 1
	after=$(admin vgpu show one --json | jq -c '[.uuid, .keeper_pid, .devices, .created]')
	[ "$before" = "$after" ] || { echo "$before"; echo "$after"; return 1; }
	# The keeper dies while the service is away: a new one, whose device is the old one.
	kill -9 "$VGPUD_PID" "$(vgpu_field one .keeper_pid)"
	wait "$VGPUD_PID" 2>/dev/null
	start || return 1
	eventually 5 eval '[ "$(vgpu_field one .state)" = running ]' || return 1
	[ "$(vgpu_field one '.devices | tostring')" = "$(jq -cn "$before" | jq -r '.[2] | tostring')" ] || return 1
	# And under its eyes.
	local keeper
	keeper=$(vgpu_field one .keeper_pid)
	kill -9 "$keeper"
	eventually 5 eval "[ \"\$(vgpu_field one '.state + (.keeper_pid | tostring)')\" != running$keeper ] && [ \"\$(vgpu_field one .state)\" = running ]" || return 1
	admin events --json | jq -e '[.events[].kind] | index("keeper.died")' >/dev/null
}
check "vGPUs are adopted after kill -9 of vgpud, with and without their keepers" adoption

corrupt() {
	admin profile create kept --vram 1G || return 1
	kill "$VGPUD_PID"
	wait "$VGPUD_PID" || { echo "SIGTERM did not end it well"; return 1; }
	[ "$(processes)" -ge 1 ] || { echo "vGPUs did not outlive it"; return 1; }
	echo '{"schema":1,' >"$WORK/state/profiles/bad.json"
	echo '{"schema":99,"name":"new"}' >"$WORK/state/vgpus/01234567-89ab-4def-8123-456789abcdef.json"
	echo garbage >"$WORK/state/gpus/gpu9.json"
	start || return 1
	[ -e "$WORK/state/profiles/bad.json.corrupt-0" ] && [ -e "$WORK/state/gpus/gpu9.json.corrupt-0" ] || return 1
	[ "$(admin events --json | jq '[.events[] | select(.kind == "state.corrupt")] | length')" = 3 ] || return 1
	admin profile delete kept && [ "$(vgpu_field one .state)" = running ]
}
check "corrupt state files are set aside and named, the rest goes on" corrupt

no_keeper() {
	touch "$WORK/run/fail-start"
	refused 1 "did not start" admin vgpu create --profile c512m --name never
	local result=$?
	rm "$WORK/run/fail-start"
	[ $result = 0 ] && [ ! -e "$WORK/state/vgpus/never.json" ] && [ "$(ls "$WORK/run/vgpu" | wc -l)" = 1 ]
}
check "a vGPU whose keeper does not start leaves nothing behind" no_keeper

# Random operations; vgpud is killed at random moments, also in the middle of one. What was acknowledged must hold; what was not may be either.
crashes() {
	local -A have=() maybe=()
	local n=0 killed=0 name id result listed want
	for id in $(admin vgpu list -q); do admin vgpu delete "$id" --yes; done
	while [ $n -lt "$operations" ]; do
		n=$((n + 1))
		name=v$((RANDOM % 8))
		if [ $((n * kills / operations)) -gt $killed ]; then
			killed=$((killed + 1))
			(sleep "0.0$((RANDOM % 40 + 10))"; kill -9 "$VGPUD_PID") &
			local killer=$!
		else
			local killer=
		fi
		if [ -n "${have[$name]-}" ]; then
			admin vgpu delete "$name" --yes 2>>"$WORK/crash.err"
			result=$?
			[ $result = 0 ] && unset "have[$name]"
		else
			admin vgpu create --profile c512m --name "$name" >/dev/null 2>>"$WORK/crash.err"
			result=$?
			[ $result = 0 ] && have[$name]=1
		fi
		[ $result != 0 ] && maybe[$name]=1
		if [ -n "$killer" ]; then
			wait "$killer" 2>/dev/null
			wait "$VGPUD_PID" 2>/dev/null
			start || return 1
			# A delete that was begun is finished; a create that was not answered may be there.
			sleep 0.2
		fi
		for name in "${!maybe[@]}"; do
			if admin vgpu show "$name" >/dev/null 2>&1; then have[$name]=1; else unset "have[$name]"; fi
		done
		maybe=()
		listed=$(admin vgpu list --json | jq -r '.vgpus[].name' | sort | tr '\n' ' ')
		want=$(for name in "${!have[@]}"; do echo "$name"; done | sort | tr '\n' ' ')
		[ "$listed" = "$want" ] || { echo "after $n operations and $killed kills: there is '$listed', acknowledged was '$want'"; return 1; }
	done
	echo "$n operations, $killed kills"
	eventually 5 eval '[ "$(admin vgpu list --json | jq "[.vgpus[] | select(.state != \"running\")] | length")" = 0 ]' || return 1
	for id in $(admin vgpu list -q); do admin vgpu delete "$id" --yes || return 1; done
	[ -z "$(ls "$WORK/run/vgpu")" ] && [ -z "$(find "$WORK/state/vgpus" -type f ! -name '*corrupt*')" ] && [ "$(processes)" = 0 ] && [ "$killed" = "$kills" ]
}
check "$operations random operations under $kills kills of vgpud: the state is what was acknowledged, nothing is left" crashes

stop_all() {
	admin vgpu create --profile c1g --name last >/dev/null || return 1
	admin service stop --vgpus || return 1
	wait "$VGPUD_PID" || return 1
	[ "$(processes)" = 0 ] && ls "$WORK"/state/vgpus/*.json && start && eventually 5 eval '[ "$(vgpu_field last .state)" = running ]'
}
check "service stop --vgpus ends every process, and the next start brings the vGPUs back" stop_all

probes() {
	local kind
	for kind in hang garbage crash; do
		admin service stop --vgpus
		wait "$VGPUD_PID"
		start --engine-environment "FAKE_PROBE=$kind" --probe-timeout-ms 300 || return 1
		[ "$(admin gpu list --json | jq '[.gpus[] | select(.state == "ready")] | length')" = 0 ] || return 1
		admin events --json | jq -e '[.events[].kind] | index("gpu.trouble")' >/dev/null || return 1
		[ "$(vgpu_field last .state)" = waiting ] || return 1
	done
	end_service
	start
}
check "a driver whose probe hangs, prints garbage or crashes is named and not used" probes
e2e_end
