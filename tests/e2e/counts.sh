#!/bin/bash
# SPDX-License-Identifier: MIT
# Counts that are bars, because unlike times they say the same on a busy machine: system calls and instructions of ours per command.
. "$(dirname "$0")/lib.sh"

e2e_begin counts
COMMANDS=${COMMANDS:-20000}

cannot() { echo "cannot test here: $1 because $2"; }

# ---- system calls: none per command, of a vGPU that is alone -------------------------------------------------------

ours() { # the processes a command of this vGPU passes through: client, keeper, device, engine, vgpud
	echo "$CLIENT_PID $VGPUD_PID $(pgrep -f -- "--dir $WORK/run")"
}

# Sets CALLS to what all of ours did while the client had COUNT commands executed.
count_calls() { # COUNT
	local pids=() pid tracer said attached
	for pid in $(ours); do pids+=(-p "$pid"); done
	: >"$WORK/strace.err"
	strace -f -c -S calls -o "$WORK/calls" "${pids[@]}" 2>"$WORK/strace.err" &
	tracer=$!
	STARTED_PIDS+=("$tracer")
	attached=$((${#pids[@]} / 2))
	eventually 10 eval '[ "$(grep -c "attached" "$WORK/strace.err")" -ge '"$attached"' ]' || { cat "$WORK/strace.err"; return 1; }
	sleep 0.2	# the threads of the last one
	echo "$1" >&7
	read -r -t 60 said <&8
	kill -INT "$tracer"
	wait "$tracer"
	[ "$said" = "done" ] || { echo "the client says '$said' after $1 commands"; cat "$WORK/client"; return 1; }
	CALLS=$(awk '$NF == "total" { print $4 }' "$WORK/calls")
	[ -n "$CALLS" ] || { cat "$WORK/calls"; return 1; }
}

# What a processor that was taken away in the middle adds is not a command's: the least of some tries. A call per command is in each.
least_calls() { # COUNT
	local tries least=
	for ((tries = 0; tries < 6; tries++)); do
		count_calls "$1" || return 1
		if [ -z "$least" ] || [ "$CALLS" -lt "$least" ]; then
			least=$CALLS
			cp "$WORK/calls" "$WORK/calls.least"
		fi
	done
	CALLS=$least
}

no_call_per_command() {
	local once twice
	least_calls "$COMMANDS" || return 1
	once=$CALLS
	least_calls $((2 * COMMANDS)) || return 1
	twice=$CALLS
	figures "$once with $COMMANDS commands, $twice with $((2 * COMMANDS))"
	echo "system calls of client, engine, vgpu-device, keeper and vgpud with $((2 * COMMANDS)) commands:"
	cat "$WORK/calls.least"
	[ $(((twice - once) * 100)) -lt "$COMMANDS" ]
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
	OCL_ICD_VENDORS="$WORK/vendors" VGPU_SOCKET=$socket "$BUILD/tests/count_client" <"$WORK/to" >"$WORK/from" 2>"$WORK/client" &
	CLIENT_PID=$!
	STARTED_PIDS+=("$CLIENT_PID")
	warm_up() { local said; echo 2000 >&7; read -r -t 60 said <&8; [ "$said" = "done" ]; }
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
