#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo: two virtual machines share one GPU and compute verified results on it.
#
# Does all its own set-up, starts a service of its own in a temporary folder, makes two vGPUs, boots two VMs
# with stock QEMU and Debian's kernel, lets both run the benchmark set at the same time, then has both keep their queues full, and
# counts what each of the two vGPUs, which have weights 2 and 1, gets of the GPU meanwhile. Prints one table.
# Exit status 0 only if every result was verified and the shares were 2 : 1 within 3 %. Stops everything it started, also when
# interrupted. VGPU_DEMO_SIZE (small) and VGPU_DEMO_REPEAT (20) say how much is computed, VGPU_DEMO_SHARE_S (8) how long shares are counted.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
mkdir -p "$BUILD"
BUILD=$(cd "$BUILD" && pwd)
export XDG_CACHE_HOME=$BUILD/cache
size=${VGPU_DEMO_SIZE:-small}
repeat=${VGPU_DEMO_REPEAT:-20}
share_s=${VGPU_DEMO_SHARE_S:-8}
names=(vm1 vm2)
weights=(2048 1024)
queue_loops=8000	# of the kernels that fill the queues: 10 to 20 ms each, 32 in flight
vm_limit_s=600

work=$(mktemp -d /tmp/vgpu-demo-XXXXXX) || exit 1
mkdir -p "$XDG_CACHE_HOME"
export VGPU_DOWNLOADS=$work/downloads
: >"$VGPU_DOWNLOADS"
# shellcheck source=tools/private_service.sh
. tools/private_service.sh
vm_pids=()
setup_pid=

seconds() { cut -d' ' -f1 /proc/uptime; }
minus() { awk "BEGIN { printf \"%.1f\", $1 - $2 }"; }
# shellcheck disable=SC2317,SC2329  # called by the trap
stop_all() {
	local pid
	trap - EXIT
	[ -z "$setup_pid" ] || end_process "$setup_pid" 5
	for pid in "${vm_pids[@]}"; do end_process "$pid" 5; done
	service_stop
	rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
	echo "demo: $*" >&2
	exit 1
}

# A step of the set-up, quiet unless it fails or has something to say. In the background, so that a signal
# is not held up by it.
step() { # WHAT COMMAND...
	local what=$1 from
	shift
	from=$(seconds)
	echo "== $what"
	"$@" &
	setup_pid=$!
	wait "$setup_pid" || { setup_pid=; fail "$what failed"; }
	setup_pid=
	echo "   $(minus "$(seconds)" "$from") s"
}

build() {
	local jobs=
	case ${MAKEFLAGS:-} in
	*-j*) ;;
	*) jobs=-j$(nproc) ;;
	esac
	# shellcheck disable=SC2086  # empty or one word
	exec ${MAKE:-make} --no-print-directory $jobs all
}

start=$(seconds)
step "packages of this distribution" packaging/deps/install.sh build gpu vm demo
step "build" build
step "QEMU with vfio-user-pci" tools/vm/qemu.sh
step "guest: Debian 13's kernel and packages" tools/vm/guest.sh
step "guest: our parts" tools/vm/guest.sh overlay
work_start=$(seconds)
downloads_s=$(awk '{ s += $1 } END { printf "%.1f", s }' "$VGPU_DOWNLOADS")

echo "== service"
service_start || exit 1
profile=$(service_profile) || fail "the service offers no profile"
for i in "${!names[@]}"; do
	id=$(admin vgpu create --profile "$profile" --name "${names[$i]}" --weight "${weights[$i]}") ||
		fail "vGPU ${names[$i]} could not be created"
	echo "   vGPU ${names[$i]}: profile $profile, weight ${weights[$i]}, $id"
done
gpu=$(admin vgpu show "${names[0]}" --json | jq -r .gpu)

# What each VM does: the kernel's name, the set with its progress, the report, then, until it is ended, a queue that is never empty, with
# how many kernels of it are done; all on one stream.
# shellcheck disable=SC2016  # the guest's shell expands it
guest_script='
echo "kernel $(uname -r)"
from=$(cut -d" " -f1 /proc/uptime)
vgpu-bench --size "$1" --repeat "$2" --progress --json /tmp/report >/dev/null
status=$?
echo "seconds $from $(cut -d" " -f1 /proc/uptime)"
echo "status $status"
echo "report"
cat /tmp/report
echo
[ $status = 0 ] || exit $status
echo "0 3600000000000" >/tmp/go
exec vgpu-bench-fairness client --load backlog --loops "$3" --depth 32 --tell-ms 50 --ready /tmp/ready --go /tmp/go --out /tmp/out'

echo "== two VMs"
for name in "${names[@]}"; do
	"$BUILD/bin/vgpu-run" --verbose --socket "$work/vgpud.sock" --vgpu "$name" --name "$name" --memory 512M \
		--timeout "$vm_limit_s" --log "$work/$name.console" \
		--file "$BUILD/bin/vgpu-bench-fairness:/usr/bin/vgpu-bench-fairness" \
		-- sh -c "$guest_script" sh "$size" "$repeat" "$queue_loops" \
		>"$work/$name.out" 2>"$work/$name.err" &
	vm_pids+=($!)
done

# Where a VM is: a share of its way in percent, and a word.
vm_state() { # NAME
	local line at of
	line=$(grep -aE '^(progress|report|kernel|done)' "$work/$1.out" 2>/dev/null | tail -n 1)
	case $line in
	done*) echo "100 queue full" ;;
	report*) echo "100 done" ;;
	'progress '*)
		# progress K/N KERNEL: K of N begins
		line=${line#progress }
		at=${line%%/*}
		of=${line#*/}
		of=${of%% *}
		echo "$((10 + 90 * (at - 1) / of)) ${line#* }"
		;;
	kernel*) echo "10 started" ;;
	*) echo "0 booting" ;;
	esac
}

bar() { # PERCENT
	local width=20 i text=
	for ((i = 0; i < width; i++)); do
		if [ $((i * 100)) -lt $((width * $1)) ]; then text="$text#"; else text="$text."; fi
	done
	echo "[$text]"
}

all_run() {
	local pid
	for pid in "${vm_pids[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}

# Kernels that the VM itself has counted since its queue is full.
queue_done() { sed -n 's/^done //p' "$work/$1.out" 2>/dev/null | tail -n 1; }

# What the books, the VMs and the clock say now: seconds, time in which somebody waited, then GPU time and kernels done of each VM.
books() {
	local name
	seconds
	admin gpu show "$gpu" --json | jq -r .contended_ns
	for name in "${names[@]}"; do
		admin vgpu show "$name" --json | jq -r .gpu_time_ns
		queue_done "$name"
	done
}

all_queues_full() {
	local name
	for name in "${names[@]}"; do [ "$(queue_done "$name")" ] || return 1; done
}

# Until both VMs' queues have been full for share_s seconds, or one has ended.
show_progress() {
	local name state line last='' full_at=
	while :; do
		line=
		for name in "${names[@]}"; do
			state=$(vm_state "$name")
			if [ -t 1 ]; then
				line="$line  $name $(bar "${state%% *}") $(printf '%-10s' "${state#* }")"
			else
				line="$line  $name ${state%% *}% ${state#* }"
			fi
		done
		if [ -t 1 ]; then
			printf '\r %s' "$line"
		elif [ "$line" != "$last" ]; then
			echo " $line"
			last=$line
		fi
		all_run || break
		if [ -z "$full_at" ] && all_queues_full; then
			sleep 0.5
			mapfile -t began < <(books)
			full_at=${began[0]}
		fi
		if [ -n "$full_at" ] && awk "BEGIN { exit !($(seconds) - $full_at >= $share_s) }"; then
			mapfile -t ended < <(books)
			break
		fi
		sleep 0.5
	done
	[ ! -t 1 ] || echo
}
began=()
ended=()
show_progress
for pid in "${vm_pids[@]}"; do end_process "$pid" 10; done
vm_pids=()
# Of the phase: what of the list of books, in which of them 0 is the first.
over() { # FIELD
	echo $((${ended[$1]:-0} - ${began[$1]:-0}))
}
gpu_time() { over $((2 + 2 * $1)); }	# NUMBER of a VM
queue_kernels() { over $((3 + 2 * $1)); }
total_ns=$(($(gpu_time 0) + $(gpu_time 1)))
phase_ns=0
[ ${#ended[@]} -eq 0 ] || phase_ns=$(awk "BEGIN { printf \"%.0f\", (${ended[0]} - ${began[0]}) * 1e9 }")

echo
printf '%-6s %-24s %-12s %9s %7s %14s %13s\n' VM kernel verified "time (s)" weight "share of GPU" "kernels done"
all_verified=yes
statuses=()
for i in "${!names[@]}"; do
	name=${names[$i]}
	out=$work/$name.out
	kernel=$(sed -n 's/^kernel //p' "$out" | head -n 1)
	took=$(awk '/^seconds / { printf "%.1f", $3 - $2 }' "$out")
	counts=$(sed -e '1,/^report$/d' "$out" | sed '/^done /d' | jq -r '.results | "\(map(select(.verified)) | length) \(length)"' 2>/dev/null)
	good=${counts% *}
	all=${counts#* }
	status=$(sed -n 's/^status //p' "$out" | head -n 1)
	statuses+=("${status:-1}")
	if [ "${status:-1}" -eq 0 ] && [ -n "$counts" ] && [ "$good" = "$all" ] && [ "$all" -gt 0 ]; then
		verified="yes, $good of $all"
	else
		verified="NO, ${good:-0} of ${all:-?}"
		all_verified=no
	fi
	share=N/A
	[ "$total_ns" -le 0 ] || share=$(awk "BEGIN { printf \"%.1f %%\", 100 * $(gpu_time "$i") / $total_ns }")
	printf '%-6s %-24s %-12s %9s %7s %14s %13s\n' "$name" "${kernel:-N/A}" "$verified" "${took:-N/A}" "${weights[$i]}" "$share" \
		"$(queue_kernels "$i")"
done
echo
for i in "${!names[@]}"; do
	name=${names[$i]}
	[ "${statuses[$i]}" -ne 0 ] || continue
	echo "$name ended with status ${statuses[$i]}:"
	{ tail -n 5 "$work/$name.err"; sed '/^report$/,$d' "$work/$name.out" | tail -n 8; } | sed 's/^/    /'
done
[ $all_verified = yes ] || { echo "the service's last words:"; tail -n 10 "$work/vgpud.log" | sed 's/^/    /'; }
shares_hold=no
if [ "$phase_ns" -le 0 ] || [ "$total_ns" -le 0 ]; then
	echo "the VMs' queues were not full at the same time: no shares were counted"
elif awk "BEGIN { exit !($(over 1) < 0.95 * $phase_ns) }"; then
	echo "one VM at a time had work for part of the $(awk "BEGIN { printf \"%.1f\", $phase_ns / 1e9 }") s that were counted: no shares to judge by"
else
	echo "shares and kernels are those of $(awk "BEGIN { printf \"%.1f\", $phase_ns / 1e9 }") s in which both VMs had work queued: asked 2 : 1, given $(
		awk "BEGIN { printf \"%.2f\", $(gpu_time 0) / $(gpu_time 1) }") : 1"
	if awk "BEGIN { r = $(gpu_time 0) / (2 * $(gpu_time 1)); exit !(r > 0.97 && r < 1.03) }"; then
		shares_hold=yes
	else
		echo "that is not 2 : 1 within 3 %"
	fi
fi
sed -n 's/^vgpu-run: //p' "$work/${names[0]}.err" | head -n 1
end=$(seconds)
awk "BEGIN { printf \"%.1f s in all: set-up %.1f s and downloads %.1f s, VMs %.1f s\n\", $end - $start,
	$work_start - $start - $downloads_s, $downloads_s, $end - $work_start }"
[ $all_verified = yes ] && [ $shares_hold = yes ]
