#!/bin/bash
# SPDX-License-Identifier: MIT
# Leases that end whether or not a kernel does: endless kernels beside others, hang timeouts, vgpud killed and stopped while engines are
# frozen, a host without cgroups, and shares by weight. Time is counted in leases (gpu_time_ns), not by a clock of the clients'.
. "$(dirname "$0")/lib.sh"

e2e_begin preempt
test_program=$BUILD/tests/vgpu-guest-test
service_start || exit 1
profile=$(first_profile)
hog=$(vgpu_create hog "$profile")
good=$(vgpu_create good "$profile")

now_ns() { awk '{ printf "%.0f", $1 * 1e9 }' /proc/uptime; }
gpu_times() { admin vgpu list --json | jq -r --arg a "$1" --arg b "$2" '[$a, $b] as $ids | [$ids[] as $id | .vgpus[] | select(.uuid == $id) | .gpu_time_ns] | @tsv'; }
# What two vGPUs got over SECONDS, in ms, in FIRST_MS and SECOND_MS.
count_leases() { # ID ID SECONDS
	local before after
	before=$(gpu_times "$1" "$2")
	sleep "$3"
	after=$(gpu_times "$1" "$2")
	read -r FIRST_MS SECOND_MS < <(awk -v b="$before" -v a="$after" 'BEGIN { split(b, x); split(a, y)
		printf "%.0f %.0f\n", (y[1] - x[1]) / 1e6, (y[2] - x[2]) / 1e6 }')
}
is_true() { awk "BEGIN { exit !($1) }"; }

# A client whose queue is never empty, until it is ended: $!.
backlog() { # NAME ID
	rm -f "$WORK/$1".{go,ready,out}
	direct_bg "$WORK/$1.log" "$2" "$BUILD/bin/vgpu-bench-fairness" client --load backlog --loops 6000 --depth 8 \
		--go "$WORK/$1.go" --ready "$WORK/$1.ready" --out "$WORK/$1.out"
	BACKLOG=$!
	echo "$(now_ns) $(($(now_ns) + 600000000000))" >"$WORK/$1.go.new"
	eventually 20 test -e "$WORK/$1.ready" && mv "$WORK/$1.go.new" "$WORK/$1.go" || { cat "$WORK/$1.log"; return 1; }
}
endless() { # NAME ID: until it is ended: $!
	direct_bg "$WORK/$1.log" "$2" "$test_program" spin --ms 0
	ENDLESS=$!
	wait_for_line "$WORK/$1.log" state=running 30
}
soak() { # NAME ID SECONDS
	direct_bg "$WORK/$1.log" "$2" "$test_program" soak --seconds "$3"
	SOAK=$!
	wait_for_line "$WORK/$1.log" rounds= 30
}
was_right() { # NAME PID
	wait "$2" && grep -q 'state=done.* wrong=0' "$WORK/$1.log" || { cat "$WORK/$1.log"; return 1; }
}
end() { # PID...
	kill -9 "$@" 2>/dev/null
	wait "$@" 2>/dev/null
	return 0
}
all_gone() { eventually 10 holds_nothing "$hog" && eventually 10 holds_nothing "$good"; }
group() { cat "$WORK/run/cgroup"; }	# the service's: vGPUs' groups are in it
frozen_groups() { grep -l 1 "$(group)"/*/*/cgroup.freeze 2>/dev/null; }
nothing_frozen() { ! frozen_groups; }

# Its own figures, and that it goes on.
shares_beside_endless() { # PART, of half the time
	local failed=0 spin busy
	endless spin "$hog" || return 1
	spin=$ENDLESS
	backlog busy "$good" || return 1
	busy=$BACKLOG
	sleep 0.2
	count_leases "$hog" "$good" 3
	figures "leases in 3 s: the endless kernel's $FIRST_MS ms, the neighbour's $SECOND_MS ms"
	is_true "$SECOND_MS >= $1 * 1500 && $FIRST_MS >= 300" || failed=1
	kill -0 "$spin" "$busy" || failed=1
	end "$spin" "$busy"
	all_gone && return $failed
}
check "an endless kernel: the neighbour's work goes on in its half, and so does the kernel in its own" shares_beside_endless 0.9

guilty_alone() {
	local spin innocent neighbour before after noticed failed=0
	# Once they have begun: a driver that compiles at a kernel's first launch takes its time within that command.
	soak innocent "$hog" 8 && innocent=$SOAK && soak neighbour "$good" 8 && neighbour=$SOAK || return 1
	admin vgpu set "$hog" --hang-timeout 500ms || return 1
	before=$(vgpu_field "$hog" .gpu_time_ns)
	endless guilty "$hog" && spin=$ENDLESS || return 1
	eventually 20 eval '! kill -0 '"$spin"' 2>/dev/null'; noticed=$?
	admin vgpu set "$hog" --hang-timeout 0 || failed=1
	[ $noticed = 0 ] || { echo "the guilty process has not noticed"; end "$spin"; failed=1; }
	after=$(vgpu_field "$hog" .gpu_time_ns)
	wait "$spin" && { echo "it says that an endless kernel succeeded"; failed=1; }
	cat "$WORK/guilty.log"
	grep -E 'vGPU hog: a command of connection [0-9]+, context [0-9]+ has had .* longer than the hang timeout' "$WORK/vgpud.log" || failed=1
	figures "$(((after - before) / 1000000)) ms charged"
	[ $((after - before)) -ge 500000000 ] || failed=1
	was_right innocent "$innocent" && was_right neighbour "$neighbour" || failed=1
	[ "$(grep -c 'longer than the hang timeout' "$WORK/vgpud.log")" = 1 ] || { echo "somebody else was ended, too"; failed=1; }
	all_gone && return $failed
}
check "with a hang timeout of 500 ms the guilty process loses its context, another one of its vGPU computes on" guilty_alone

# vgpud stands when it is looked at, so that what is frozen then is what it leaves.
stand_with_frozen() {
	kill -STOP "$VGPUD_PID"
	frozen_groups && return 0
	kill -CONT "$VGPUD_PID"
	return 1
}
killed_while_frozen() {
	local spin one other
	soak one "$hog" 10 && one=$SOAK && soak other "$good" 10 && other=$SOAK && endless spin "$hog" && spin=$ENDLESS || return 1
	for _ in 1 2 3; do
		eventually 10 stand_with_frozen || { echo "nothing was ever frozen"; return 1; }
		kill -9 "$VGPUD_PID"
		wait "$VGPUD_PID" 2>/dev/null
		frozen_groups || return 1
		service_start || return 1
	done
	was_right one "$one" && was_right other "$other" || return 1
	end "$spin"
	all_gone && eventually 10 nothing_frozen
}

stopped_while_frozen() {
	local first second base
	base=$(group)
	endless first "$hog" && first=$ENDLESS && endless second "$good" && second=$ENDLESS || return 1
	eventually 10 frozen_groups || { echo "nothing was ever frozen"; return 1; }
	admin service stop --yes --vgpus || return 1
	eventually 20 eval '! kill -0 $VGPUD_PID 2>/dev/null' || { echo "vgpud has not ended"; return 1; }
	wait "$VGPUD_PID"
	end "$first" "$second"
	pgrep -af -- "--dir $WORK/run" && return 1
	[ ! -e "$base" ] || { echo "left behind:"; find "$base" -type d; return 1; }
	[ -z "$(find "$WORK/run" -type s)" ] || { find "$WORK/run" -type s; return 1; }
}
back() { service_start && eventually 10 eval '[ "$(vgpu_field "$hog" .state) $(vgpu_field "$good" .state)" = "running running" ]'; }

# As a vgpud leaves a squatter that it stopped whole, its keeper included.
killed_while_all_stand() {
	local part good_group
	good_group=$(group)/$good
	kill -STOP "$VGPUD_PID"
	for part in engines serving; do echo 1 >"$good_group/$part/cgroup.freeze" || return 1; done
	kill -9 "$VGPUD_PID"
	wait "$VGPUD_PID" 2>/dev/null
	back && soak one "$good" 2 && was_right one "$SOAK" && all_gone && eventually 10 nothing_frozen
}

if [ -e "$WORK/run/cgroup" ]; then
	check "vgpud killed while engines are frozen: the next goes on, results are right, nothing stays frozen" killed_while_frozen
	check "vgpud killed while a vGPU stands with its keeper: the next lets it go on" killed_while_all_stand
	check "the service and its vGPUs are stopped while engines are frozen: no process, group or socket is left" stopped_while_frozen
	check "and started again" back
else
	echo "cannot test here: engines that are frozen while vgpud ends because this host gives us no cgroup v2 groups"
fi

shares_by_weight() { # WEIGHT WEIGHT SHARE
	admin vgpu set "$hog" --weight "$1" && admin vgpu set "$good" --weight "$2" || return 1
	sleep 0.5
	count_leases "$hog" "$good" 4
	figures "$(awk "BEGIN { printf \"%.1f %% : %.1f %%\", 100 * $FIRST_MS / ($FIRST_MS + $SECOND_MS), 100 * $SECOND_MS / ($FIRST_MS + $SECOND_MS) }")"
	is_true "$FIRST_MS + $SECOND_MS > 2000 && $FIRST_MS / ($FIRST_MS + $SECOND_MS) / $3 > 0.95 && $FIRST_MS / ($FIRST_MS + $SECOND_MS) / $3 < 1.05"
}
both_backlogged() { backlog heavy "$hog" && heavy=$BACKLOG && backlog light "$good" && light=$BACKLOG; }
check "two clients whose queues are never empty" both_backlogged
check "weights 3 : 1 are shares of 75 % and 25 % in leases" shares_by_weight 3072 1024 0.75
check "changed to 1 : 1 while they compute" shares_by_weight 1024 1024 0.5
end "$heavy" "$light"
check "nothing is left of them" all_gone

# Without groups leases end by signals. An empty folder lies over every cgroup v2 hierarchy that this vgpud could find.
without_groups() {
	admin service stop --yes --vgpus || return 1
	eventually 20 eval '! kill -0 $VGPUD_PID 2>/dev/null' || return 1
	wait "$VGPUD_PID"
	SERVICE_UNDER=(unshare -m "$WORK/without_groups")
	back && [ ! -e "$WORK/run/cgroup" ] && grep 'no cgroup v2 group can be made here' "$WORK/vgpud.log"
}
cat >"$WORK/without_groups" <<'END'
#!/bin/sh
awk '$3 == "cgroup2" { print $2 }' /proc/mounts | while read -r folder; do mount -t tmpfs none "$folder" || exit 1; done || exit 1
exec "$@"
END
chmod +x "$WORK/without_groups"
if unshare -m "$WORK/without_groups" true 2>/dev/null; then
	check "a vgpud that can make no groups says so" without_groups
	check "an endless kernel is stopped by signals past the preempt timeout: the neighbour's work goes on" shares_beside_endless 0.8
else
	echo "cannot test here: leases that end by signals because this user may not mount over the cgroup hierarchy"
fi
e2e_end
