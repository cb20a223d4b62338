#!/bin/bash
# SPDX-License-Identifier: MIT
# The scheduler's settings: changed while vGPUs run, told to what schedules them, kept over kill -9, refused with numbers. Over a keeper and a
# probe that are stand-ins. KILLS gives the number of kill -9 of vgpud, OPERATIONS the changes between which they fall.
. "$(dirname "$0")/lib.sh"

e2e_begin settings
operations=${OPERATIONS:-40}
kills=${KILLS:-8}
RANDOM=${SEED:-1}
libexec=$WORK/libexec
mkdir -p "$libexec"
cp "$BUILD/tests/fake-libexec/vgpu-keeper" "$libexec/vgpu-keeper"
cp "$ROOT/tests/mdev/fake_compute.sh" "$libexec/vgpu-compute"
cp "$BUILD/tests/fake-libexec/vgpu-keeper" "$libexec/vgpu-device"
touch "$WORK/fake.icd"
start() { service_start --libexec-dir "$libexec" --icd "$WORK/fake.icd" "$@"; }
kill_service() {
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	return 0
}
is_running() { [ "$(vgpu_field "$1" .state)" = running ] || { vgpu_field "$1" '.state + ": " + (.why // "")'; return 1; }; }

# What the scheduler itself goes by, which vgpud keeps in the vGPU's lease page: weight class cap reservation burst budget period slice.
told() { # VGPU
	python3 - "$(vgpu_field "$1" .keeper_pid)" <<'END'
import os, struct, sys
folder = f"/proc/{sys.argv[1]}/fd"
page = next(p for p in (f"{folder}/{fd}" for fd in os.listdir(folder)) if os.readlink(p).startswith("/memfd:grant"))
with open(page, "rb") as file:
    bytes = file.read(4096)
records = [bytes[at:at + 152] for at in (256, 256 + 152)]
newest = max(records, key=lambda r: struct.unpack_from("=QQ", r, 8)[0])
print(*struct.unpack_from("=IIIIQQQQ", newest, 24))
END
}
told_is() { # VGPU WORDS
	local is
	is=$(told "$1")
	[ "$is" = "$2" ] || { echo "$1 is scheduled by '$is', not '$2'"; return 1; }
}
shown() { admin vgpu show "$1" --json | jq -r '[.weight, .class, .cap_ppm, .reservation_ppm, .burst_ns, .budget_ns, .period_ns, .slice_ns, .hang_timeout_ms] | join(" ")'; }
shown_is() { # VGPU WORDS
	local is
	is=$(shown "$1")
	[ "$is" = "$2" ] || { echo "$1 shows '$is', not '$2'"; return 1; }
}
gpu_is() { # WORDS
	local is
	is=$(admin gpu show gpu0 --json | jq -r '[.policy, .leases, .slots, .averaging, .slice_ns, .target_latency_ns, .slice_max_ns] | join(" ")')
	[ "$is" = "$1" ] || { echo "gpu0 shows '$is', not '$1'"; return 1; }
}
# Everything that a refusal must leave alone.
state() {
	local id
	admin vgpu list --json | jq -cS '[.vgpus[] | del(.gpu_time_ns, .grants)]'
	admin gpu list --json | jq -cS .gpus
	admin profile list --json | jq -cS .profiles
	cat "$WORK"/state/*/*.json
	for id in $(admin vgpu list --json | jq -r '.vgpus[] | select(.keeper_pid) | .uuid'); do told "$id"; done
}
kept() { cat "$WORK"/state/*/*.json; }
refused() { # EXIT PATTERN COMMAND...: nothing of it is kept
	local wanted=$1 pattern=$2 before got
	shift 2
	before=$(kept)
	"$@" >"$WORK/out" 2>"$WORK/err"
	got=$?
	[ $got = "$wanted" ] || { echo "exit $got, not $wanted: $*"; cat "$WORK/out" "$WORK/err"; return 1; }
	grep -qE -- "$pattern" "$WORK/err" || { echo "no '$pattern' in:"; cat "$WORK/err"; return 1; }
	[ "$before" = "$(kept)" ] || { echo "something is kept of: $*"; return 1; }
}
http_refused() { # STATUS PATTERN METHOD PATH BODY
	local before got
	before=$(kept)
	got=$(curl -s -o "$WORK/body" -w '%{http_code}' --unix-socket "$WORK/vgpud.sock" -X "$3" --data-binary "$5" "http://vgpud$4")
	[ "$got" = "$1" ] || { echo "$3 $4 $5: $got, not $1"; cat "$WORK/body"; return 1; }
	grep -qE -- "$2" "$WORK/body" || { echo "no '$2' in:"; cat "$WORK/body"; return 1; }
	[ "$before" = "$(kept)" ] || { echo "something is kept of $3 $4 $5"; return 1; }
}
unchanged() { # COMMAND...
	local before
	before=$(state)
	"$@" || return 1
	[ "$before" = "$(state)" ] || { echo "something has changed:"; diff <(echo "$before") <(state); return 1; }
}

start || exit 1
# What follows from the GPU and this machine; with one lease the sums below are the same on any.
read -r leases latency longest < <(admin gpu show gpu0 --json | jq -r '[.leases, .target_latency_ns, .slice_max_ns] | join(" ")')
admin gpu set gpu0 --leases 1 || exit 1
default_vgpu="1024 normal 1000000 0 10000000 0 0 0 0"

creates() {
	admin vgpu create --profile c512m --name plain >/dev/null && shown_is plain "$default_vgpu" && told_is plain "1024 0 1000000 0 10000000 0 0 0" || return 1
	admin profile create half --vram 512M --weight 2048 --cap 50 --burst 20ms --hang-timeout 10s >/dev/null &&
		[ "$(admin profile show half --json | jq -r '[.weight, .cap_ppm, .burst_ns, .hang_timeout_ms, .class] | join(" ")')" = "2048 500000 20000000 10000 normal" ] || return 1
	admin vgpu create --profile half --name one --cap 75% --reservation 12.5 --slice 2ms >/dev/null &&
		shown_is one "2048 normal 750000 125000 20000000 0 0 2000000 10000" && told_is one "2048 0 750000 125000 20000000 0 0 2000000"
}
check "a create takes its profile's settings, and its own over them" creates

sets() {
	local keeper
	keeper=$(vgpu_field one .keeper_pid)
	admin vgpu set one --weight 4096 && shown_is one "4096 normal 750000 125000 20000000 0 0 2000000 10000" && told_is one "4096 0 750000 125000 20000000 0 0 2000000" &&
		admin vgpu set one --cap none --reservation none --slice 0 --hang-timeout none && shown_is one "4096 normal 1000000 0 20000000 0 0 0 0" &&
		admin vgpu set one --class realtime --budget 2ms --period 16ms && told_is one "4096 1 1000000 0 20000000 2000000 16000000 0" || return 1
	[ "$(admin gpu show gpu0 --json | jq .promised_ppm)" = 125000 ] || return 1
	admin vgpu set one --budget 4ms && shown_is one "4096 realtime 1000000 0 20000000 4000000 16000000 0 0" &&
		admin vgpu set one --class normal && shown_is one "4096 normal 1000000 0 20000000 0 0 0 0" && told_is one "4096 0 1000000 0 20000000 0 0 0" || return 1
	[ "$(admin vgpu set one --class idle --json | jq -r '.name + " " + .class')" = "one idle" ] && told_is one "4096 2 1000000 0 20000000 0 0 0" || return 1
	is_running one && [ "$(vgpu_field one .keeper_pid)" = "$keeper" ] || return 1
	admin events --json | jq -e '[.events[].kind] | index("vgpu.set")' >/dev/null
}
check "settings of a running vGPU are changed, shown, and what schedules it knows" sets

tables() {
	admin vgpu set one --class normal --cap 33.3333 --burst 16.667ms --hang-timeout 1.5s || return 1
	admin vgpu list -o wide | grep -qE ' 4096 +33.3333% +0% +normal ' && admin vgpu show one | grep -qE '^burst_ns +16.667ms$' &&
		admin vgpu show one | grep -qE '^hang_timeout_ms +1.5s$' && admin vgpu show one --bytes | grep -qE '^cap_ppm +333333$' || return 1
	admin gpu list | grep -q best-effort && ! admin vgpu list | grep -q 33.3333 && ! admin vgpu list -o wide | grep -q 16.667ms
}
check "tables show shares in percent and times with their unit" tables

over_restarts() {
	local before id
	admin vgpu set one --weight 8192 && kill_service || return 1
	start || return 1
	eventually 5 is_running one && shown_is one "8192 normal 333333 0 16667000 0 0 0 1500" && told_is one "8192 0 333333 0 16667000 0 0 0" || return 1
	# A keeper that is new has a page that knows nothing.
	before=$(vgpu_field one .keeper_pid)
	kill -9 "$before"
	eventually 5 eval '[ "$(vgpu_field one .keeper_pid)" != '"$before"' ] && is_running one && told one >/dev/null' &&
		told_is one "8192 0 333333 0 16667000 0 0 0" || return 1
	# The definition rules over what the page remembers.
	kill_service
	id=$(basename "$(grep -l '"name": *"one"' "$WORK"/state/vgpus/*.json)")
	jq -c '.weight = 77 | .reservation_ppm = 100000' "$WORK/state/vgpus/$id" >"$WORK/edited" && cp "$WORK/edited" "$WORK/state/vgpus/$id" && start || return 1
	eventually 5 is_running one && eventually 5 told_is one "77 0 333333 100000 16667000 0 0 0" && shown_is one "77 normal 333333 100000 16667000 0 0 0 1500"
}
check "settings outlive kill -9 of vgpud and of keepers" over_restarts

bad_vgpu_arguments() {
	refused 2 "from 1 to 65536" admin vgpu set one --weight 0 && refused 2 "from 1 to 65536" admin vgpu set one --weight 65537 &&
		refused 2 "from 1 to 65536" admin vgpu set one --weight -1 && refused 2 "from 1 to 65536" admin vgpu set one --weight 1.5 &&
		refused 2 "from 1 to 65536" admin vgpu set one --weight x && refused 2 "needs a value" admin vgpu set one --weight '' &&
		refused 2 "from 0.1% to 100%, or none" admin vgpu set one --cap 0 && refused 2 "from 0 to 100" admin vgpu set one --cap 101 &&
		refused 2 "from 0 to 100" admin vgpu set one --cap -5 && refused 2 "not a share" admin vgpu set one --cap half &&
		refused 2 "a reservation of 50 % under a cap of 33.3333 %" admin vgpu set one --reservation 50 &&
		refused 2 "a reservation of 10 % under a cap of 5 %; raise the cap or reserve at most 5 %" admin vgpu set one --cap 5 || return 1
	refused 2 "a realtime period of 0 ms" admin vgpu set one --class realtime && refused 2 "needs the class realtime" admin vgpu set one --budget 2ms --period 16ms &&
		refused 2 "a realtime budget of 17 ms; it must be from 0.05 ms to its period, 16 ms" admin vgpu set one --class realtime --budget 17ms --period 16ms &&
		refused 2 "is more than the cap of 33.3333 %; raise the cap, or take at most 5.33" admin vgpu set one --class realtime --budget 8ms --period 16ms &&
		refused 2 "it must be normal, realtime or idle" admin vgpu set one --class gold && refused 2 "a reservation of 10 % in the idle class" admin vgpu set one --class idle &&
		refused 2 "not a time" admin vgpu set one --burst 5 && refused 2 "from 100us to 10s" admin vgpu set one --burst 1us &&
		refused 2 "from 100us to 100ms, or none" admin vgpu set one --slice 1s && refused 2 "from 10ms to 3600s, or none" admin vgpu set one --hang-timeout 9ms &&
		refused 2 "whole milliseconds" admin vgpu set one --hang-timeout 10.5ms && refused 2 "from 50us" admin vgpu set one --budget 1ns || return 1
	refused 2 "nothing is to be set; give one or more of --weight" admin vgpu set one && refused 2 "takes no --policy" admin vgpu set one --policy adaptive &&
		refused 2 "needs ID" admin vgpu set --weight 5 && refused 3 "did you mean 'one'" admin vgpu set onee --weight 5 &&
		refused 2 "takes no --weight" admin vgpu list --weight 5 && refused 2 "from 0.1% to 100%" admin vgpu create --profile c512m --cap 0.05 &&
		refused 2 "under a cap of 50 %" admin vgpu create --profile half --reservation 60 && refused 2 "normal, realtime or idle" admin vgpu create --profile c512m --class x &&
		refused 2 "under a cap" admin profile create bad --vram 1G --cap 10 --reservation 20 && refused 2 "no vGPU could be made of it: a reservation of 95 %" admin profile create bad --vram 1G --reservation 95
}
check "bad settings of a vGPU: the exit code, what would be right, no change" unchanged bad_vgpu_arguments

bad_bodies() {
	local path
	for path in /v1/vgpus/one /v1/gpus/gpu0; do
		http_refused 400 "nothing is to be set; give one or more of" PATCH $path '{}' && http_refused 400 "must be a JSON object" PATCH $path '[]' &&
			http_refused 400 "not valid JSON" PATCH $path '{' && http_refused 400 "not valid JSON" PATCH $path '' &&
			http_refused 400 "there is no field 'colour'" PATCH $path '{"colour":1}' && http_refused 400 "duplicate" PATCH $path '{"slice_ns":0,"slice_ns":0}' &&
			http_refused 400 "'slice_ns' is null" PATCH $path '{"slice_ns":null}' && http_refused 400 "fraction" PATCH $path '{"slice_ns":1e6}' || return 1
	done
	http_refused 400 "did you mean 'weight'" PATCH /v1/vgpus/one '{"wight":1}' && http_refused 400 "no field 'name'" PATCH /v1/vgpus/one '{"name":"two","weight":5}' &&
		http_refused 400 "'weight' is -1" PATCH /v1/vgpus/one '{"weight":-1}' && http_refused 400 "'weight' is 4294968320" PATCH /v1/vgpus/one '{"weight":4294968320}' &&
		http_refused 400 "'cap_ppm' is 0; it must be from 1000 to 1000000" PATCH /v1/vgpus/one '{"cap_ppm":0}' &&
		http_refused 400 "'class' is a whole number" PATCH /v1/vgpus/one '{"class":2}' && http_refused 404 "no vGPU" PATCH /v1/vgpus/none '{"weight":5}' &&
		http_refused 404 "no GPU" PATCH /v1/gpus/gpu9 '{"slots":5}' && http_refused 405 "PATCH is not possible on /v1/gpus" PATCH /v1/gpus '{"slots":5}' &&
		http_refused 405 "GET, PATCH, DELETE" POST /v1/vgpus/one '{"weight":5}' &&
		http_refused 400 "a slice of 0.05 ms" PATCH /v1/vgpus/one '{"slice_ns":50000}' && http_refused 400 "the slice in ns is 50000" PATCH /v1/gpus/gpu0 '{"slice_ns":50000}'
}
check "bad bodies of PATCH: the status, a sentence, no change" unchanged bad_bodies

oversold() {
	admin vgpu set one --cap none --reservation 50 || return 1
	unchanged refused 6 "a reservation of 50 % does not fit: 50 % of at most 90 % are promised already, 40 % would fit" admin vgpu set plain --reservation 50 &&
		refused 6 "a budget of 8 ms in 16 ms is 50 %, and 50 % of at most 90 % are promised already: 40 % would fit, that is 6.4 ms in 16 ms" \
			admin vgpu set plain --class realtime --budget 8ms --period 16ms &&
		refused 6 "40 % would fit" admin vgpu create --profile c512m --reservation 40.0001 && admin vgpu set plain --reservation 40 || return 1
	refused 6 "a reservation of 50.0001 % does not fit: 40 % of at most 90 % are promised already, 50 % would fit" admin vgpu set one --reservation 50.0001 &&
		refused 6 "0 % would fit" admin vgpu create --profile c512m --name third --reservation 1 && refused 6 "does not fit: 40 % of at most 90 %" admin vgpu set one --reservation 95 || return 1
	# How many of a profile still fit says the same.
	admin profile create tenth --vram 16M --reservation 10 && [ "$(admin profile show tenth --json | jq .available)" = 0 ] &&
		admin vgpu set plain --reservation 10 && [ "$(admin profile show tenth --json | jq .available)" = 3 ] &&
		admin vgpu create --profile tenth --name third >/dev/null && refused 6 "60 % of at most 90 % are promised already, 30 % would fit" admin vgpu set third --reservation 31 &&
		admin vgpu delete third --yes && admin vgpu set plain --reservation 40 && admin vgpu set plain --reservation 0
}
check "more than a GPU has is not promised, said with what would fit" oversold

not_running() {
	local keeper
	keeper=$(vgpu_field plain .keeper_pid)
	touch "$WORK/run/fail-start"
	kill -9 "$keeper"
	eventually 10 eval '[ "$(vgpu_field plain .state)" = failed ]' || return 1
	admin vgpu set plain --weight 3 --reservation 20 && refused 6 "20 % of at most 90 % are promised already, 70 % would fit" admin vgpu set one --reservation 80 &&
		refused 6 "a reservation of 60 % does not fit: 50 %" admin vgpu set plain --reservation 60 || return 1
	rm "$WORK/run/fail-start"
	eventually 30 is_running plain && told_is plain "3 0 1000000 200000 10000000 0 0 0"
}
check "a vGPU that does not run is set too, its promises count, and it starts with them" not_running

gpu_settings() {
	gpu_is "best-effort 1 8 33 0 $latency $longest" && admin gpu set gpu0 --policy fixed-share --slots 2 && gpu_is "fixed-share 1 2 33 0 $latency $longest" || return 1
	refused 6 "all 2 slots of gpu0 are taken; remove a vGPU or set more slots" admin vgpu create --profile c512m --name third &&
		[ "$(admin profile show c512m --json | jq .available)" = 0 ] &&
		refused 6 "1 slots do not hold the 2 vGPUs of gpu0; set 2 to 1024, or remove vGPUs" admin gpu set gpu0 --slots 1 &&
		admin gpu set gpu0 --policy adaptive --averaging 60 --target-latency 8ms --slice-max 500us && gpu_is "adaptive 1 2 60 0 8000000 500000" || return 1
	# With another policy slots mean nothing; they count when that comes back.
	admin gpu set gpu0 --slots 1 && refused 6 "1 slots do not hold" admin gpu set gpu0 --policy fixed-share && admin gpu set gpu0 --slots 4 --policy equal-share --slice 3ms || return 1
	kill_service
	start && eventually 5 eval 'gpu_is "equal-share 1 4 60 3000000 8000000 500000"' || return 1
	admin gpu list | grep -q equal-share && [ "$(jq -cS 'keys' "$WORK/state/gpus/gpu0.json")" = '["averaging","key","leases","policy","schema","slice_max_ns","slice_ns","slots","target_latency_ns"]' ] || return 1
	admin gpu set gpu0 --policy best-effort --slice 0 --json | jq -e '.policy == "best-effort" and .slice_ns == 0' >/dev/null &&
		admin events --json | jq -e '[.events[].kind] | index("gpu.set")' >/dev/null
}
check "a GPU's policy and its parameters are changed and kept" gpu_settings

bad_gpu_arguments() {
	refused 2 "it must be best-effort, equal-share, fixed-share or adaptive" admin gpu set gpu0 --policy fair && refused 2 "from 1 to 1024" admin gpu set gpu0 --slots 0 &&
		refused 2 "from 1 to 1024" admin gpu set gpu0 --slots 1025 && refused 2 "from 1 to 60" admin gpu set gpu0 --averaging 61 && refused 2 "from 1 to 256" admin gpu set gpu0 --leases 0 &&
		refused 2 "from 1 to 256" admin gpu set gpu0 --leases 257 && refused 2 "from 100us to 100ms" admin gpu set gpu0 --slice-max 101ms &&
		refused 2 "from 100us to 1s" admin gpu set gpu0 --target-latency 2s && refused 2 "not a time" admin gpu set gpu0 --slice 4 &&
		refused 2 "nothing is to be set; give one or more of --policy" admin gpu set gpu0 && refused 3 "no GPU 'gpu7'" admin gpu set gpu7 --slots 5 &&
		refused 2 "takes no --weight" admin gpu set gpu0 --weight 5 && refused 2 "needs GPU" admin gpu set --slots 5
}
check "bad settings of a GPU: the exit code, what would be right, no change" unchanged bad_gpu_arguments

leases() {
	admin gpu set gpu0 --leases 2 && [ "$(admin gpu show gpu0 --json | jq .leases)" = 2 ] || return 1
	refused 6 "95 % .*90 % would fit" admin vgpu set plain --reservation 95 || return 1
	admin gpu set gpu0 --leases 1
}
check "no vGPU is promised more than a lease" leases

# The file that takes the place of the old one cannot be opened: as on a bad disk.
unwritable() {
	local id
	id=$(vgpu_field one .uuid)
	mkdir "$WORK/state/vgpus/.$id.new" "$WORK/state/gpus/.gpu0.new"
	unchanged refused 1 "vgpus/$id.json" admin vgpu set one --weight 5 && unchanged refused 1 "gpus/gpu0.json" admin gpu set gpu0 --slots 9
	local result=$?
	rmdir "$WORK/state/vgpus/.$id.new" "$WORK/state/gpus/.gpu0.new"
	[ $result = 0 ] && admin vgpu set one --weight 5 && admin gpu set gpu0 --slots 9 && told one | grep -q '^5 '
}
check "what cannot be written is taken back from what runs" unwritable

old_state() {
	local file
	kill_service
	for file in "$WORK"/state/vgpus/*.json; do
		jq -c '{schema, uuid, name, profile, gpu, vram_bytes, max_contexts, weight, created_s, deleting}' "$file" >"$WORK/old" && cp "$WORK/old" "$file"
	done
	jq -c '{schema, created_s, name, vram_bytes, max_contexts, weight}' "$WORK/state/profiles/half.json" >"$WORK/old" && cp "$WORK/old" "$WORK/state/profiles/half.json"
	jq -c '{schema, key}' "$WORK/state/gpus/gpu0.json" >"$WORK/old-gpu" && cp "$WORK/old-gpu" "$WORK/state/gpus/gpu0.json"
	start && eventually 5 is_running one && eventually 5 is_running plain || return 1
	[ -z "$(find "$WORK/state" -name '*corrupt*')" ] && shown_is one "5 normal 1000000 0 10000000 0 0 0 0" && told_is one "5 0 1000000 0 10000000 0 0 0" &&
		shown_is plain "3 normal 1000000 0 10000000 0 0 0 0" && gpu_is "best-effort $leases 8 33 0 $latency $longest" &&
		[ "$(admin profile show half --json | jq -r '[.weight, .cap_ppm] | join(" ")')" = "2048 1000000" ] || return 1
	# What is set back to the defaults is written as it was before there were any.
	cp "$WORK"/state/vgpus/"$(vgpu_field one .uuid)".json "$WORK/before" && admin vgpu set one --cap 50 && ! jq -es '.[0] == .[1]' "$WORK/before" "$WORK"/state/vgpus/"$(vgpu_field one .uuid)".json >/dev/null &&
		admin vgpu set one --cap none && jq -es '.[0] == .[1]' "$WORK/before" "$WORK"/state/vgpus/"$(vgpu_field one .uuid)".json
}
check "state of the build before is read with the defaults, and what has none is written as before" old_state

slice_of_the_service() {
	admin service stop && wait "$VGPUD_PID"
	start --slice-us 2500 && eventually 5 is_running one && gpu_is "best-effort $leases 8 33 2500000 $latency $longest" && admin gpu set gpu0 --slice 5ms &&
		gpu_is "best-effort $leases 8 33 5000000 $latency $longest"
}
check "the slice of vgpud's command line holds where none was set" slice_of_the_service

# vgpud is killed at random moments, also in the middle of a change. What was acknowledged must hold; what was not may be either.
crashes() {
	local n=0 killed=0 weight acknowledged is killer
	acknowledged=$(vgpu_field one .weight)
	while [ $n -lt "$operations" ]; do
		n=$((n + 1))
		weight=$((RANDOM % 65536 + 1))
		killer=
		if [ $((n * kills / operations)) -gt $killed ]; then
			killed=$((killed + 1))
			(sleep "0.00$((RANDOM % 9))"; kill -9 "$VGPUD_PID") &
			killer=$!
		fi
		if admin vgpu set one --weight $weight 2>>"$WORK/crash.err"; then acknowledged=$weight; fi
		if [ -n "$killer" ]; then
			wait "$killer" 2>/dev/null
			wait "$VGPUD_PID" 2>/dev/null
			start && eventually 5 is_running one || return 1
			is=$(vgpu_field one .weight)
			[ "$is" = "$acknowledged" ] || [ "$is" = $weight ] || { echo "weight $is; acknowledged was $acknowledged, asked for $weight"; return 1; }
			acknowledged=$is
		fi
		is=$(vgpu_field one .weight)
		[ "$is" = "$acknowledged" ] && told one | grep -q "^$is " || { echo "weight $is, told $(told one), acknowledged $acknowledged"; return 1; }
	done
	[ "$killed" = "$kills" ] && [ -z "$(find "$WORK/state" -name '*corrupt*')" ]
}
check "$operations changes under $kills kills of vgpud: each is there or is not, and runs as it is kept" crashes
e2e_end
