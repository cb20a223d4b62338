#!/bin/bash
# SPDX-License-Identifier: MIT
# Counts that are bars, because unlike times they say the same on a busy machine: system calls and instructions of ours per command.
. "$(dirname "$0")/lib.sh"

e2e_begin counts
COMMANDS=${COMMANDS:-25600}

cannot() { echo "cannot test here: $1 because $2"; }

# ---- system calls: none per command, of a vGPU that is alone -------------------------------------------------------

ours() { # the processes a command of this vGPU passes through: client, keeper, device, engine, vgpud
	echo "$CLIENT_PID $VGPUD_PID $(pgrep -f -- "--dir $WORK/run")"
}

# Sets CALLS to how many calls all of ours did while the client had COMMANDS executed, QUIET to how many of BURSTS passed without any.
count_calls() {
	local pids=() pid tracer said attached
	for pid in $(ours); do pids+=(-p "$pid"); done
	: >"$WORK/strace.err"
	strace -f -ttt -o "$WORK/calls" "${pids[@]}" 2>"$WORK/strace.err" &
	tracer=$!
	STARTED_PIDS+=("$tracer")
	attached=$((${#pids[@]} / 2))
	eventually 10 eval '[ "$(grep -c "attached" "$WORK/strace.err")" -ge '"$attached"' ]' || { cat "$WORK/strace.err"; return 1; }
	sleep 0.2	# the threads of the last one
	echo "$COMMANDS" >&7
	read -r -t 60 said <&8
	kill -INT "$tracer"
	wait "$tracer"
	[ "$said" = "done" ] || { echo "the client says '$said' after $COMMANDS commands"; cat "$WORK/client"; return 1; }
	# A line: pid, time, call. One that was resumed was told when it began.
	read -r CALLS QUIET BURSTS < <(awk '
		NR == FNR { begun[NR] = $1; ended[NR] = $2; bursts = NR; next }
		/ resumed>/ || !/[(]/ { next }
		$2 >= begun[1] && $2 <= ended[bursts] {
			calls++
			low = 1
			high = bursts
			while (low < high) { middle = int((low + high) / 2); if (ended[middle] < $2) low = middle + 1; else high = middle }
			in_burst[low]++
		}
		END { for (i = 1; i <= bursts; i++) quiet += !in_burst[i]; print calls + 0, quiet + 0, bursts + 0 }' "$WORK/times" "$WORK/calls")
	[ "${BURSTS:-0}" -gt 0 ]
}

# Where another program takes a processor from a client or an engine, the other side sleeps and is woken: calls, in the bursts that it hits. A call that
# belongs to a command is in every burst: in the best of some tries, half of them must have passed without a single one.
no_call_per_command() {
	local tries best=-1
	for ((tries = 0; tries < 10 && best * 2 < ${BURSTS:-1}; tries++)); do
		count_calls || return 1
		if [ "$QUIET" -gt "$best" ]; then
			best=$QUIET
			figures "$QUIET of $BURSTS bursts of $((COMMANDS / BURSTS)) commands without a call, $CALLS calls in all"
			cp "$WORK/calls" "$WORK/calls.best"
		fi
	done
	[ $((best * 2)) -ge "$BURSTS" ] && return 0
	echo "system calls of client, engine, vgpu-device, keeper and vgpud with $COMMANDS commands:"
	awk '/[(]/ && !/ resumed>/ { sub(/[(].*/, "", $3); count[$3]++ } END { for (call in count) print count[call], call }' "$WORK/calls.best" | sort -rn
	return 1
}

if ! command -v strace >/dev/null; then
	cannot "system calls per command" "there is no strace"
elif ! strace -o /dev/null true 2>/dev/null; then
	cannot "system calls per command" "strace may not trace"
else
	service_start --engine-environment POCL_DEVICES=basic || exit 1
	id=$(vgpu_create lone)
	mkfifo "$WORK/to" "$WORK/from"
	exec 7<>"$WORK/to" 8<>"$WORK/from"
	socket=$(vgpu_field "$id" .sockets.direct)
	OCL_ICD_VENDORS="$WORK/vendors" VGPU_SOCKET=$socket "$BUILD/tests/count_client" "$WORK/times" <"$WORK/to" >"$WORK/from" 2>"$WORK/client" &
	CLIENT_PID=$!
	STARTED_PIDS+=("$CLIENT_PID")
	warm_up() { local said; echo 2048 >&7; read -r -t 60 said <&8; [ "$said" = "done" ]; }
	check "a client computes" warm_up
	check "a lone vGPU's commands cost no system call of ours" no_call_per_command
	# Of the client alone, its start and end included, which are some hundred calls.
	little_memory_costs_no_call() { # WHAT
		local calls
		direct "$id" strace -f -c -S calls -o "$WORK/memory" "$BUILD/tests/count_memory" "$1" "$COMMANDS" || return 1
		calls=$(awk '$NF == "total" { print $4 }' "$WORK/memory")
		figures "$calls with $COMMANDS"
		cat "$WORK/memory"
		[ -n "$calls" ] && [ $((calls * 8)) -lt "$COMMANDS" ]
	}
	check "small buffers cost no system call each" little_memory_costs_no_call buffers
	check "shared virtual memory costs no system call each time" little_memory_costs_no_call svm
	exec 7>&- 8>&-
	kill "$CLIENT_PID" 2>/dev/null
fi

# ---- instructions: of the shim's ring, the engine's parser and the lease ----------------------------------------------

# Of COUNT commands, the process's start and end included.
instructions() { # COUNT
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$BUILD/tests/count_instructions" "$1" 2>&1 | awk '/Collected/ { print $NF }'
}
compiler=gcc-$(gcc -dumpversion | cut -d. -f1)
kept=$(awk -v compiler="$compiler" '$1 == compiler { print $2 }' benchmarks/instructions.txt)
few_instructions() {
	local once twice each
	once=$(instructions 2000) && twice=$(instructions 4000) && [ -n "$once" ] && [ -n "$twice" ] || { echo "callgrind counted nothing"; return 1; }
	each=$(((twice - once) / 2000))
	figures "$each, $kept are kept"
	[ $((each * 100)) -le $((kept * 103)) ] && [ $((each * 100)) -ge $((kept * 97)) ] && return 0
	echo "a command costs $each instructions with $compiler; benchmarks/instructions.txt has $kept, which may be 3 % off: find out why, then write $each there"
	return 1
}
if ! command -v valgrind >/dev/null; then
	cannot "instructions per command" "there is no valgrind"
elif [ -z "$kept" ]; then
	cannot "instructions per command" "benchmarks/instructions.txt has no count of $compiler; here it is $((($(instructions 4000) - $(instructions 2000)) / 2000))"
else
	check "a command's instructions through shim, parser and lease are what is kept" few_instructions
fi

e2e_end
