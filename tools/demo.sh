#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo: two virtual machines share one GPU and compute verified results on it.
#
# Does all its own set-up, starts a service of its own in a temporary folder, makes two vGPUs, boots two VMs
# with stock QEMU and Debian's kernel, lets both run the benchmark set at the same time, prints one table.
# Exit status 0 only if every result was verified. Stops everything it started, also when interrupted.
# VGPU_DEMO_SIZE (small) and VGPU_DEMO_REPEAT (20) say how much is computed.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
mkdir -p "$BUILD"
BUILD=$(cd "$BUILD" && pwd)
export XDG_CACHE_HOME=$BUILD/cache
size=${VGPU_DEMO_SIZE:-small}
repeat=${VGPU_DEMO_REPEAT:-20}
names=(vm1 vm2)
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
for name in "${names[@]}"; do
	id=$(admin vgpu create --profile "$profile" --name "$name") || fail "vGPU $name could not be created"
	echo "   vGPU $name: profile $profile, $id"
done

# What each VM does: the kernel's name, the set with its progress, the report last, all on one stream.
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
exit $status'

echo "== two VMs"
for name in "${names[@]}"; do
	"$BUILD/bin/vgpu-run" --verbose --socket "$work/vgpud.sock" --vgpu "$name" --name "$name" --memory 512M \
		--timeout "$vm_limit_s" --log "$work/$name.console" -- sh -c "$guest_script" sh "$size" "$repeat" \
		>"$work/$name.out" 2>"$work/$name.err" &
	vm_pids+=($!)
done

# Where a VM is: a share of its way in percent, and a word.
vm_state() { # NAME
	local line at of
	line=$(grep -aE '^(progress|report|kernel)' "$work/$1.out" 2>/dev/null | tail -n 1)
	case $line in
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

running() {
	local pid
	for pid in "${vm_pids[@]}"; do kill -0 "$pid" 2>/dev/null && return 0; done
	return 1
}

show_progress() {
	local name state line last=''
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
		running || break
		sleep 0.5
	done
	[ ! -t 1 ] || echo
}
show_progress

statuses=()
for pid in "${vm_pids[@]}"; do
	wait "$pid"
	statuses+=($?)
done
vm_pids=()
list=$(admin vgpu list --json) || list='[]'
gpu_time() { # NAME, or nothing for the sum
	jq -r --arg name "${1:-}" '[(if type == "array" then . else .vgpus end)[] |
		select($name == "" or .name == $name) | .gpu_time_ns // 0] | add // 0' <<<"$list"
}
total_ns=$(gpu_time)

echo
printf '%-6s %-26s %-16s %9s %18s\n' VM kernel verified "time (s)" "share of GPU time"
all_verified=yes
for i in "${!names[@]}"; do
	name=${names[$i]}
	out=$work/$name.out
	kernel=$(sed -n 's/^kernel //p' "$out" | head -n 1)
	took=$(awk '/^seconds / { printf "%.1f", $3 - $2 }' "$out")
	counts=$(sed '1,/^report$/d' "$out" | jq -r '.results | "\(map(select(.verified)) | length) \(length)"' 2>/dev/null)
	good=${counts% *}
	all=${counts#* }
	if [ "${statuses[$i]}" -eq 0 ] && [ -n "$counts" ] && [ "$good" = "$all" ] && [ "$all" -gt 0 ]; then
		verified="yes, $good of $all"
	else
		verified="NO, ${good:-0} of ${all:-?}"
		all_verified=no
	fi
	share=N/A
	[ "$total_ns" = 0 ] || share=$(awk "BEGIN { printf \"%.0f %%\", 100 * $(gpu_time "$name") / $total_ns }")
	printf '%-6s %-26s %-16s %9s %18s\n' "$name" "${kernel:-N/A}" "$verified" "${took:-N/A}" "$share"
done
echo
for i in "${!names[@]}"; do
	name=${names[$i]}
	[ "${statuses[$i]}" -ne 0 ] || continue
	echo "$name ended with status ${statuses[$i]}:"
	{ tail -n 5 "$work/$name.err"; sed '/^report$/,$d' "$work/$name.out" | tail -n 8; } | sed 's/^/    /'
done
[ $all_verified = yes ] || { echo "the service's last words:"; tail -n 10 "$work/vgpud.log" | sed 's/^/    /'; }
sed -n 's/^vgpu-run: //p' "$work/${names[0]}.err" | head -n 1
end=$(seconds)
awk "BEGIN { printf \"%.1f s in all: set-up %.1f s and downloads %.1f s, VMs %.1f s\n\", $end - $start,
	$work_start - $start - $downloads_s, $downloads_s, $end - $work_start }"
[ $all_verified = yes ]
