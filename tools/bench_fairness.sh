#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-fairness: the shares of a GPU that vGPUs get, counted at their clients (`direct`, without a VM).
# Writes $BUILD/bench/fairness.json. How to read it: benchmarks/README.md.
set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
	cat <<'EOF'
usage: tools/bench_fairness.sh [option]...
  --only A,B,...     parts: shares, victim, throughput, realtime, holding, endless (all)
  --seconds N        of a window of shares (10); the other parts' windows are shortened alike
  --vgpus A,B,...    how many share (2,4,8; with --full 2,4,8,16)
  --kernels A,B,...  lengths of kernels: 50us, 2ms, 50ms (50us,2ms; with --full all)
  --slice-ms N       the time slice, where vgpu-admin does not tell (16)
  --full             every combination; an hour
  --out FILE         $BUILD/bench/fairness.json
  --vgpud-option X   one more option of vgpud; may be repeated
EOF
}

fail() { echo "bench-fairness: $*" >&2; exit 1; }
misuse() { echo "bench-fairness: $*" >&2; exit 2; }
number() { [[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || misuse "$1 is '$2', but must be a number from 1 to 999999"; }
# Each of a list is one of the words.
among() { # OPTION LIST WORD...
	local option=$1 item list
	IFS=, read -ra list <<<"$2"
	shift 2
	[ "${#list[@]}" -gt 0 ] || misuse "$option is empty; say some of: $*"
	for item in "${list[@]}"; do
		[[ " $* " == *" $item "* ]] || misuse "$option has no '$item'; say some of: $*"
	done
}

parts="shares,victim,throughput,realtime,holding,endless"
seconds=10 vgpus='' kernels='' slice_ms=16 full=0 out=''
vgpud_options=()
while [ $# -gt 0 ]; do
	case $1 in
	--full) full=1; shift; continue ;;
	--help) usage; exit 0 ;;
	--only | --seconds | --vgpus | --kernels | --slice-ms | --out | --vgpud-option)
		[ $# -ge 2 ] || misuse "$1 needs a value; see --help" ;;
	*) misuse "there is no option '$1'; see --help" ;;
	esac
	case $1 in
	--only) among --only "$2" shares victim throughput realtime holding endless; parts=$2 ;;
	--seconds) number --seconds "$2"; seconds=$2 ;;
	--vgpus) for n in ${2//,/ }; do number --vgpus "$n"; done; vgpus=$2 ;;
	--kernels) among --kernels "$2" 50us 2ms 50ms; kernels=$2 ;;
	--slice-ms) number --slice-ms "$2"; slice_ms=$2 ;;
	--out) out=$2 ;;
	--vgpud-option) vgpud_options+=("$2") ;;
	esac
	shift 2
done
chosen_vgpus=${vgpus:+1} chosen_kernels=${kernels:+1}
if [ "$full" = 1 ]; then
	vgpus=${vgpus:-2,4,8,16} kernels=${kernels:-50us,2ms,50ms}
else
	vgpus=${vgpus:-2,4,8} kernels=${kernels:-50us,2ms}
fi

BUILD=$(mkdir -p "${BUILD:-build}/bench" && cd "${BUILD:-build}" && pwd) || exit 1
out=${out:-$BUILD/bench/fairness.json}
work=$(mktemp -d /tmp/vgpu-bench-XXXXXX) || exit 1
# shellcheck source=tools/private_service.sh
. tools/private_service.sh
client_pids=()
# shellcheck disable=SC2317,SC2329  # called by the trap
stop_all() {
	trap - EXIT
	end_clients
	service_stop
	rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

bench() { "$BUILD/bin/vgpu-bench-fairness" "$@"; }
rows=$work/rows
: >"$rows"
row() { printf '%s\t%s\t%s\t%s\n' "$1" "${2:--}" "$3" "${4:--}" >>"$rows"; echo "    $1 = ${2:--} $3${4:+  (aim $4)}"; }
note() { echo "== $*"; }
calc() { awk "BEGIN { printf \"%.6f\", ($*) }"; }
has_part() { [[ ,$parts, == *,$1,* ]]; }
admin_has() { admin --help | grep -q -- "vgpu-admin $1"; }

# ---- vGPUs -----------------------------------------------------------------------------------------
ids=()
sockets=()
# N vGPUs whose weights are those of the list, taken in turn.
make_vgpus() { # N WEIGHTS
	local i id weights weight
	IFS=, read -ra weights <<<"$2"
	for ((i = 0; i < $1; i++)); do
		weight=$((weights[i % ${#weights[@]}] * 1024))
		admin profile show "fair$weight" >/dev/null 2>&1 ||
			admin profile create "fair$weight" --vram 16M --weight "$weight" >/dev/null || fail "no profile could be made"
		id=$(admin vgpu create --profile "fair$weight" --name "fair$i") || fail "no vGPU could be created"
		ids+=("$id")
		sockets+=("$(admin vgpu show "$id" --json | jq -er .sockets.direct)") || fail "vGPU $id has no socket for direct clients"
	done
}
delete_vgpus() {
	local id
	for id in "${ids[@]}"; do
		admin vgpu delete "$id" --yes --force >/dev/null || fail "vGPU $id could not be deleted"
	done
	ids=() sockets=()
}

# ---- clients ---------------------------------------------------------------------------------------
run_number=0
client_names=()
# Clients from here on are of one run; its files are in $run.
new_run() {
	run_number=$((run_number + 1))
	run=$work/run$run_number
	mkdir "$run" || exit 1
	client_names=() client_pids=()
}
# A client on vGPU INDEX, or on none with "-". NICE is its niceness.
start_client() { # NAME INDEX NICE OPTION...
	local name=$1 index=$2 nice=$3
	shift 3
	[ "$index" = - ] || set -- --platform vGPU "$@"
	OCL_ICD_VENDORS=$work/vendors VGPU_SOCKET=${sockets[${index/-/0}]:-} nice -n "$nice" "$BUILD/bin/vgpu-bench-fairness" \
		client --go "$run/go" --ready "$run/$name.ready" --out "$run/$name.out" "$@" 2>"$run/$name.log" &
	client_pids+=($!)
	client_names+=("$name")
}
client_failed() { # NAME
	cat "$run/$1.log" >&2
	tail -n 5 "$work/vgpud.log" >&2
	fail "client '$1' failed"
}
wait_ready() {
	local i n
	for i in "${!client_names[@]}"; do
		for ((n = 0; ; n++)); do
			[ -e "$run/${client_names[i]}.ready" ] && break
			kill -0 "${client_pids[i]}" 2>/dev/null || client_failed "${client_names[i]}"
			[ "$n" -lt 2400 ] || fail "client '${client_names[i]}' was not ready after two minutes"
			sleep 0.05
		done
	done
}
books() { admin vgpu list --json >"$run/vgpus.$1" && admin gpu list --json >"$run/gpus.$1" || fail "the service's books could not be read"; }
# Until a client has ended: what it has in flight is less than a second of work, alone.
wait_client() { # NUMBER
	local n
	for ((n = 0; n < 1200; n++)); do
		kill -0 "${client_pids[$1]}" 2>/dev/null || break
		sleep 0.05
	done
	[ "$n" -lt 1200 ] || fail "client '${client_names[$1]}' was not done a minute after the window's end"
	wait "${client_pids[$1]}" || client_failed "${client_names[$1]}"
	client_pids[$1]=0
}
# Lets this run's clients go, and reads the books a moment inside the window's ends. COMMAND, if any, is run at the window's
# begin, which it finds in $begin.
go() { # SECONDS [COMMAND...]
	local now begin end i
	wait_ready
	now=$(bench now)
	begin=$((now + 500000000)) end=$((now + 500000000 + $1 * 1000000000))
	shift
	echo "$begin $end" >"$run/go.partial"
	mv "$run/go.partial" "$run/go"
	bench sleep-until "$begin"
	books begin
	"$@"
	bench sleep-until $((end - 20000000))
	books end
	bench sleep-until "$end"
	for i in "${!client_names[@]}"; do
		[ "${client_pids[i]}" = 0 ] || wait_client "$i"
	done
}
# What is left of a run, the endless and the broken.
end_clients() {
	local pid
	for pid in "${client_pids[@]}"; do
		if [ "$pid" != 0 ] && kill -9 "$pid" 2>/dev/null; then
			wait "$pid" 2>/dev/null
		fi
	done
	client_pids=()
}
# A value of a client's result, and what it got done in the window.
value_of() { awk -v key="$2" '$1 == key { print $2; exit }' "$run/$1.out"; } # NAME KEY
done_by() { bench shares 1 1000 "$run/$1.out" | awk '$1 == "total" { print $2 }'; } # NAME

# ---- kernels ---------------------------------------------------------------------------------------
declare -A loops length_ns
# Batches of about a millisecond, and 24 ms of them in flight.
kernel_options() { # KERNEL
	case $1 in
	50us) echo --loops "${loops[50us]}" --batch 20 --depth 24 ;;
	1ms) echo --loops "${loops[1ms]}" ;;
	2ms) echo --loops "${loops[2ms]}" --batch 1 --depth 12 ;;
	50ms) echo --loops "${loops[50ms]}" --batch 1 --depth 3 ;;
	esac
}
kernel_ms() { case $1 in 50us) echo 0.05 ;; 2ms) echo 2 ;; 50ms) echo 50 ;; esac; }
calibrate() {
	local lines length count taken name
	make_vgpus 1 1
	lines=$(OCL_ICD_VENDORS=$work/vendors VGPU_SOCKET=${sockets[0]} bench calibrate vGPU 50000 1000000 2000000 50000000) ||
		fail "the kernels could not be calibrated"
	delete_vgpus
	while read -r length count taken; do
		case $length in 50000) name=50us ;; 1000000) name=1ms ;; 2000000) name=2ms ;; *) name=50ms ;; esac
		loops[$name]=$count length_ns[$name]=$taken
		row "kernel.$name.length" "$(calc "$taken / 1000")" us
		row "kernel.$name.loops" "$count" loops
	done <<<"$lines"
}

# What others do on this machine while nothing of ours runs: percent of all processors over a second.
machine_busy() { # NAME
	local before after
	before=$(head -n 1 /proc/stat)
	sleep 1
	after=$(head -n 1 /proc/stat)
	row "machine.busy_$1" "$(awk '{ idle = $5 + $6; sum = 0; for (i = 2; i <= 9; i++) sum += $i }
		NR == 1 { i0 = idle; s0 = sum } END { printf "%.1f", 100 - 100 * (idle - i0) / (sum - s0) }' <<<"$before
$after")" "%"
}

# Clients 0..N-1 keep the vGPUs busy for a window. Sets `total`, kernels a second of all.
backlog_run() { # N KERNEL SECONDS
	local i
	new_run
	for ((i = 0; i < $1; i++)); do
		# shellcheck disable=SC2046  # options are words
		start_client "c$i" "$i" 0 --load backlog $(kernel_options "$2")
	done
	go "$3"
	total=0
	for ((i = 0; i < $1; i++)); do
		total=$(calc "$total + $(done_by "c$i") / $3")
	done
}

# ---- parts -----------------------------------------------------------------------------------------
# The slice that so many backlogged vGPUs get, as the service's settings have it.
slice_now_ms() { # COUNT
	admin gpu show "$gpu" --json | jq -r --argjson count "$1" --argjson fallback "$slice_ms" '
		def field($key): first(.. | objects | .[$key]? | numbers) // 0;
		if field("slice_ns") > 0 then field("slice_ns") / 1e6
		elif field("target_latency_ns") > 0 and field("slice_max_ns") > 0 then
			([([field("target_latency_ns") / $count, 1e6] | max), field("slice_max_ns")] | min) / 1e6
		else $fallback end'
}
# A number of the GPU's books; empty where there is none.
gpu_field() { jq -r --arg gpu "$gpu" --arg key "$2" '.gpus[] | select(.id == $gpu) | first(.. | objects | .[$key]? | numbers) // empty' "$run/gpus.$1"; }
contended_ns=0 lost_ns=0 resuming_ns=0 told_lost=0
add_lost() {
	local lost
	[ -n "$(gpu_field end lost_ns)" ] || return 0
	told_lost=1
	lost=$(($(gpu_field end lost_ns) - $(gpu_field begin lost_ns)))
	lost_ns=$((lost_ns + lost))
	resuming_ns=$((resuming_ns + $(gpu_field end resuming_ns) - $(gpu_field begin resuming_ns)))
	contended_ns=$((contended_ns + $(gpu_field end contended_ns) - $(gpu_field begin contended_ns)))
}

# Of vGPU INDEX from the begin of the run's window, by the service's books, in ns.
gpu_time_of() { # INDEX [END]
	jq -s --arg id "${ids[$1]}" '[.[].vgpus[] | select(.uuid == $id) | .gpu_time_ns] | .[1] - .[0]' "$run/vgpus.begin" "$run/vgpus.${2:-end}"
}

one_share() { # WEIGHTS N KERNEL SECONDS
	local name=shares.${1//,/:}.n$2.$3 files=() i q c used=()
	[ "$1" != 1 ] || name=shares.1:1.n$2.$3
	make_vgpus "$2" "$1"
	backlog_run "$2" "$3" "$4"
	for ((i = 0; i < $2; i++)); do
		files+=("$run/c$i.out")
		used+=("$(gpu_time_of "$i")")
	done
	bench shares "$1" 1000 "${files[@]}" >"$run/shares" || fail "the shares could not be computed"
	take() { awk -v key="$1" '$1 == key { print $2 }' "$run/shares"; }
	q=$(slice_now_ms "$2") c=$(kernel_ms "$3")
	row "$name.client_min_max" "$(take min_max | sed 's/nan/-/')" ratio ">= 0.97"
	row "$name.resolution" "$(take resolution | sed 's/inf/-/')" ratio
	row "$name.lease_min_max" "$(bench min-max "$1" "${used[@]}" | sed 's/-*nan/-/')" ratio ">= 0.99"
	row "$name.deviation" "$(take deviation_ms)" ms
	row "$name.deviation_slices" "$(calc "$(take deviation_ms) / ($q > $c ? $q : $c)")" "max(q,C)" "<= 2"
	row "$name.used" "$(calc "$(take total) * ${length_ns[$3]} / ($4 * 1e9)")" ratio
	add_lost
	delete_vgpus
}

part_shares() {
	local weights n kernel left_out=''
	for weights in 1 1,2,4; do
		for n in ${vgpus//,/ }; do
			[ "$weights" = 1 ] || [ "$n" -gt 2 ] || [ "$full" = 1 ] || [ -n "$chosen_vgpus" ] ||
				{ left_out+=" ${weights//,/:}.n$n"; continue; }
			for kernel in ${kernels//,/ }; do
				if [ "$full" = 0 ] && [ "$kernel" = 50us ] && [ "$n" -gt 4 ] && [ -z "$chosen_vgpus$chosen_kernels" ]; then
					left_out+=" ${weights//,/:}.n$n.50us"
					continue
				fi
				note "shares: weights ${weights//,/:}, $n vGPUs, kernels of $kernel"
				one_share "$weights" "$n" "$kernel" "$seconds"
			done
		done
	done
	[ -z "$left_out" ] || note "left out without --full:$left_out, 16 vGPUs, kernels of 50 ms"
	if [ "$told_lost" = 1 ]; then
		row lost.contended "$(calc "$contended_ns / 1e9")" s
		row lost.lost "$(calc "$contended_ns > 0 ? 100 * $lost_ns / $contended_ns : 0")" "%" "<= 0.5"
		row lost.resuming "$(calc "$contended_ns > 0 ? 100 * $resuming_ns / $contended_ns : 0")" "%"
	else
		note "this service's books have no lost_ns and contended_ns"
		row lost.lost - "%" "<= 0.5"
	fi
}

# ---- phases ----------------------------------------------------------------------------------------
# A round of phases is repeated for as long as a window is.
rounds=3
phase_s=$(((seconds + 4) / 5))
# Runs the command at the begin of each phase K of so many.
at_phase() { # K COUNT COMMAND...
	local k=$1 count=$2 round
	shift 2
	for ((round = 0; round < rounds; round++)); do
		bench sleep-until $((begin + (round * count + k) * phase_s * 1000000000))
		"$@"
	done
}
# The table of phases of the named clients, in $run/phases.
phases_of() { # COUNT SKIP_MS NAME...
	local count=$1 skip_ms=$2 files
	shift 2
	files=("${@/#/$run/}")
	bench phases $((phase_s * 1000)) "$count" "$skip_ms" "${files[@]/%/.out}" >"$run/phases" || fail "the phases could not be compared"
}
ratio() { awk -v k="$1" -v j="$2" '$1 == "ratio" && $2 == k && $3 == j { print $4 }' "$run/phases"; } # K J
rate() { awk -v k="$1" '$1 == "rate" && $2 == k { print $3 }' "$run/phases"; } # K

start_attacker() { # ATTACK OPTION...
	local attack=$1
	shift
	# shellcheck disable=SC2046  # options are words
	case $attack in
	long) start_client attacker 1 19 --load backlog $(kernel_options 50ms) "$@" ;;
	queues) start_client attacker 1 19 --load backlog --loops "${loops[2ms]}" --batch 1 --queues 100 "$@" ;;
	builds) start_client attacker 1 19 --load build --threads 4 "$@" ;;
	flushes) start_client attacker 1 19 --load flush "$@" ;;
	esac
}
# No OpenCL: a client by hand that rings the device's doorbell, waiting for answers and not, for a phase.
ring_doorbells() {
	nice -n 19 "$BUILD/tests/hostile_guest" doorbell-flood "${sockets[1]}" "$phase_s" >"$run/doorbells" 2>&1 ||
		{ cat "$run/doorbells" >&2; fail "the client that rings doorbells failed"; }
}
# Percent of a processor that the attacker's own threads take. Sets attacker_cpu.
measure_attacker() { # ATTACK
	local times TIMEFORMAT='%U %S'
	new_run
	if [ "$1" = doorbells ]; then
		times=$({ time ring_doorbells; } 2>&1) || { echo "$times" >&2; exit 1; }
		attacker_cpu=$(awk -v s="$phase_s" '{ print int(100 * ($1 + $2) / s + 0.5) }' <<<"$times")
	else
		start_attacker "$1"
		go 2
		attacker_cpu=$(calc "$(value_of attacker cpu_ns) / 2e7")
		attacker_cpu=${attacker_cpu%.*}
	fi
}
# Phases: alone, beside the attacker, beside that much CPU time without a vGPU, alone again.
one_victim() { # ATTACK
	local name=victim.$1 attacker_cpu threads=1
	make_vgpus 2 1
	measure_attacker "$1"
	while [ $((threads * 100)) -lt "$attacker_cpu" ]; do threads=$((threads + 1)); done
	new_run
	# shellcheck disable=SC2046
	start_client victim 0 0 --load backlog $(kernel_options 50us)
	start_client burner - 19 --load burn --threads $threads --duty $((attacker_cpu / threads)) --phase "2/4/$((phase_s * 1000))"
	if [ "$1" = doorbells ]; then
		go $((rounds * 4 * phase_s)) at_phase 1 4 ring_doorbells
	else
		start_attacker "$1" --phase "1/4/$((phase_s * 1000))"
		go $((rounds * 4 * phase_s))
	fi
	phases_of 4 400 victim
	row "$name.share" "$(calc "$(ratio 1 0) * 2")" ratio ">= 0.97"
	row "$name.share_of_control" "$(calc "$(ratio 1 2) * 2")" ratio
	row "$name.control" "$(ratio 2 0)" ratio
	row "$name.alone_again" "$(ratio 3 0)" ratio
	row "$name.attacker_cpu" "$attacker_cpu" "%"
	delete_vgpus
}
part_victim() {
	local attack
	for attack in long queues builds flushes doorbells; do
		note "victim: kernels of 50 us beside $attack"
		one_victim "$attack"
	done
}

# For what this service or its vgpu-admin does not know yet: rows without a value.
cannot() { # WHY NAME UNIT AIM [NAME UNIT AIM]...
	note "$1"
	shift
	while [ $# -ge 3 ]; do
		row "$1" - "$2" "$3"
		shift 3
	done
}
set_gpu() { admin gpu set "$gpu" "$@" >/dev/null || fail "the GPU could not be set: $*"; }

switch_leases() { # COUNT
	set_gpu --leases 256
	bench sleep-until $((begin + (round * 3 + 2) * phase_s * 1000000000))
	set_gpu --leases 1
}
# Phases: with, without and with the scheduler.
one_throughput() { # N AIM
	local name=throughput.n$1 i names=() phase_s=$(((seconds + 9) / 10)) rounds=5
	[ "$1" != 1 ] || name=throughput.lone
	make_vgpus "$1" 1
	new_run
	for ((i = 0; i < $1; i++)); do
		# shellcheck disable=SC2046
		start_client "c$i" "$i" 0 --load backlog $(kernel_options 2ms)
		names+=("c$i")
	done
	go $((rounds * 3 * phase_s)) at_phase 1 3 switch_leases
	phases_of 3 200 "${names[@]}"
	row "$name.ratio" "$(calc "($(ratio 0 1) + $(ratio 2 1)) / 2")" ratio "$2"
	row "$name.control" "$(ratio 2 0)" ratio
	row "$name.used" "$(calc "$(rate 0) * ${length_ns[2ms]} / 1e9")" ratio
	delete_vgpus
}
part_throughput() {
	local n
	admin_has "gpu set" || {
		cannot "throughput: this vgpu-admin has no 'gpu set', so that nothing runs without the scheduler" \
			throughput.lone.ratio ratio ">= 0.995" throughput.n2.ratio ratio ">= 0.98"
		return
	}
	for n in 1 ${vgpus//,/ }; do
		note "throughput: $n vGPUs, kernels of 2 ms, with and without the scheduler"
		if [ "$n" = 1 ]; then one_throughput 1 ">= 0.995"; else one_throughput "$n" ">= 0.98"; fi
	done
}

# Phases: the frames alone, and beside seven that are backlogged.
one_realtime() { # NAME
	local i s=$((phase_s * 2)) rounds=3
	[ "$full" = 0 ] || rounds=12
	new_run
	start_client frames 0 0 --load frames --loops "${loops[1ms]}" --period-us 16667 --phase "0/2/$((s * 1000))"
	for ((i = 1; i < 8; i++)); do
		# shellcheck disable=SC2046
		start_client "c$i" "$i" 0 --load backlog $(kernel_options 2ms) --phase "1/2/$((s * 1000))"
	done
	go $((rounds * 2 * s))
	missed() { calc "100 * $(value_of frames "missed$1") / $(value_of frames "frames$1")"; }
	wait_us() { calc "$(value_of frames "$2_ns$1") / 1000 - ${length_ns[1ms]} / 1000"; }
	row "$1.missed_alone" "$(missed 0)" "%"
	row "$1.missed" "$(missed 1)" "%"
	row "$1.missed_more" "$(calc "$(missed 1) - $(missed 0)")" "%" "$2"
	for i in p50 p99; do
		row "$1.wait_${i}_alone" "$(wait_us 0 $i)" us
		row "$1.wait_$i" "$(wait_us 1 $i)" us
	done
}
part_realtime() {
	make_vgpus 8 1
	note "realtime: frames of 1 ms, 60 a second, class normal, beside seven vGPUs"
	one_realtime frames.normal ""
	if admin_has "vgpu set"; then
		note "realtime: the same with 2 ms of every 16 ms of its own"
		admin vgpu set "${ids[0]}" --class realtime --budget 4ms --period 16ms >/dev/null || fail "the class could not be set"
		one_realtime frames.realtime "<= 0.5"
	else
		cannot "realtime: this vgpu-admin has no 'vgpu set'" frames.realtime.missed_more % "<= 0.5"
	fi
	delete_vgpus
}

switch_policy() { # POLICY
	set_gpu --policy "$1" --slots 4
	bench sleep-until $((begin + (round * 2 + 2) * phase_s * 1000000000 - 20000000))
	set_gpu --policy best-effort
}
# A lone one of four, under best-effort and the policy by turns; then three of four, with and without the fourth.
one_holding() { # POLICY
	make_vgpus 4 1
	new_run
	# shellcheck disable=SC2046
	start_client c0 0 0 --load backlog $(kernel_options 2ms)
	go $((rounds * 2 * phase_s)) at_phase 1 2 switch_policy "$1"
	phases_of 2 200 c0
	row "holding.$1.lone_share" "$(ratio 1 0)" ratio
	row "holding.$1.lone_error" "$(awk "BEGIN { e = 100 * ($(ratio 1 0) * 4 - 1); print (e < 0 ? -e : e) }")" "%" "<= 1"
	new_run
	set_gpu --policy "$1" --slots 4
	# shellcheck disable=SC2046
	for i in 0 1 2; do start_client "c$i" "$i" 0 --load backlog $(kernel_options 2ms); done
	# shellcheck disable=SC2046
	start_client c3 3 0 --load backlog $(kernel_options 2ms) --phase "0/2/$((phase_s * 1000))"
	go $((rounds * 2 * phase_s))
	set_gpu --policy best-effort
	phases_of 2 200 c0 c1 c2
	row "holding.$1.others" "$(ratio 1 0)" ratio
	row "holding.$1.others_error" "$(awk "BEGIN { e = 100 * ($(ratio 1 0) - 1); print (e < 0 ? -e : e) }")" "%" "<= 1"
	delete_vgpus
}
part_holding() {
	local policy
	for policy in equal-share fixed-share; do
		admin_has "gpu set" || {
			cannot "holding: this vgpu-admin has no 'gpu set'" "holding.$policy.lone_error" % "<= 1"
			continue
		}
		note "holding: $policy"
		one_holding "$policy"
	done
}

end_hog() {
	books middle
	end_process "${client_pids[0]}" 5
	client_pids[0]=0
}
# Phases: two beside a kernel that never ends, and the same two once its process has been ended: a third each, then a half.
part_endless() {
	local i both phase_s=$seconds rounds=1
	note "endless: a kernel that never ends beside two vGPUs"
	make_vgpus 3 1
	new_run
	start_client hog 2 0 --load endless
	for i in 0 1; do
		# shellcheck disable=SC2046
		start_client "c$i" "$i" 0 --load backlog $(kernel_options 2ms)
	done
	go $((2 * phase_s)) at_phase 1 2 end_hog
	for i in 0 1; do
		phases_of 2 400 "c$i"
		row "endless.share$i" "$(calc "$(ratio 0 1) * 3 / 2")" ratio ">= 0.97"
		row "endless.lease_share$i" "$(calc "3 * $(gpu_time_of "$i" middle) / ($phase_s * 1e9)")" ratio
	done
	phases_of 2 400 c0 c1
	both=$(rate 1)
	backlog_run 1 2ms "$phase_s"
	row endless.both_after "$(calc "$both / $total")" ratio
	delete_vgpus
}

# ---- the run ---------------------------------------------------------------------------------------
mkdir "$work/vendors"
echo "$BUILD/lib/libvgpu-opencl.so" >"$work/vendors/vgpu.icd"
service_start "${vgpud_options[@]}" || exit 1
gpu=$(admin gpu list --json | jq -er '.gpus[0].id') || fail "the service has no GPU"
machine_busy begin
calibrate
for part in shares victim throughput realtime holding endless; do
	has_part "$part" || continue
	"part_$part"
done
machine_busy end
echo
bench report "$rows" "$out" "seconds=$seconds" "vgpus=$vgpus" "kernels=$kernels" "parts=$parts" "slice_ms_of_two=$(slice_now_ms 2)" ||
	fail "the figures could not be written"
echo "written to $out"
