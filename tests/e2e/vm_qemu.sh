#!/bin/bash
# SPDX-License-Identifier: MIT
# QEMU used otherwise than vgpu-run does: a vGPU plugged into a running VM, and guest memory that the vGPU cannot reach.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_qemu
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
service_start || exit 1
id=$(vgpu_create one) || exit 1
real_qemu=${VGPU_QEMU:-$BUILD/qemu/run}

# A QEMU whose arguments are first changed: wrapper NAME 'bash that edits the array args'
wrapper() {
	cat >"$WORK/$1" <<-END
		#!/bin/bash
		args=("\$@")
		$2
		exec "$real_qemu" "\${args[@]}"
	END
	chmod +x "$WORK/$1"
}

# ---- device_add -----------------------------------------------------------------------------------------
wrapper qemu-with-port 'args+=(-device pcie-root-port,id=plug0,chassis=1,pref64-reserve=16G)'
qmp() { # SOCKET COMMAND...; prints the answer to the last, fails if it is an error
	perl -MIO::Socket::UNIX -e '
		my $qemu = IO::Socket::UNIX->new(Peer => shift) or die "no QMP: $!\n";
		my $greeting = <$qemu>;
		for my $command ("{\"execute\":\"qmp_capabilities\"}", @ARGV) {
			print $qemu "$command\n";
			$qemu->flush;
			my $answer;
			do { $answer = <$qemu> // die "QMP ended\n" } while $answer =~ /"event":/;
			print $answer;
			exit 1 if $answer =~ /"error":/;
		}' "$@"
}
hot_plug() {
	local socket
	"$BUILD/bin/vgpu-run" --qemu "$WORK/qemu-with-port" --qmp "$WORK/qmp" --timeout 200 --log "$WORK/console" \
		--file "$BUILD/tests/vgpu-guest-test:/usr/bin/vgpu-guest-test" -- sh -c '
		is_there() { grep -qi 0x0010 /sys/bus/virtio/devices/*/device; }
		is_there && exit 3
		echo ready
		for i in $(seq 600); do is_there && break; sleep 0.1; done
		is_there || { echo "no virtio-gpu came"; dmesg | tail -n 20; exit 4; }
		while read -r module; do insmod "$module" 2>/dev/null; done </etc/vgpu-run/modules
		for i in $(seq 200); do ls /dev/dri/renderD* >/dev/null 2>&1 && break; sleep 0.1; done
		vgpu-guest-test soak --seconds 2; status=$?
		dmesg | sed "s/^/dmesg: /"
		exit $status' >"$WORK/vm" 2>&1 &
	VM=$!
	STARTED_PIDS+=("$VM")
	wait_for_line "$WORK/vm" '^ready' 120 || { cat "$WORK/vm"; return 1; }
	socket=$(vgpu_field "$id" .sockets.vfio_user)
	qmp "$WORK/qmp" '{"execute":"device_add","arguments":{"driver":"vfio-user-pci","id":"plugged","bus":"plug0","rombar":0,
		"x-msg-timeout":60000,"socket":{"type":"unix","path":"'"$socket"'"}}}' || return 1
	wait "$VM"
	local status=$?
	grep -v '^dmesg' "$WORK/vm"
	sed -n 's/^dmesg: //p' "$WORK/vm" >"$WORK/dmesg"
	[ $status = 0 ] && kernel_is_content "$WORK/dmesg"
}
check "device_add onto a root port: the guest's driver takes it and computes" hot_plug
check "nothing is left of it" eventually 5 holds_nothing "$id"

# ---- memory that is not shared ----------------------------------------------------------------------------
wrapper qemu-private 'args=("${args[@]/share=on/share=off}")'
wrapper qemu-without-backend 'kept=()
for ((i = 0; i < ${#args[@]}; i++)); do
	case ${args[i]} in
	-object) i=$((i + 1)) ;;
	q35,memory-backend=*) kept+=(q35) ;;
	*) kept+=("${args[i]}") ;;
	esac
done
args=("${kept[@]}")'
unreachable() { # WRAPPER REGEX: no vGPU comes up in the guest, or no VM; and the service's log says why
	local status
	cp "$WORK/vgpud.log" "$WORK/said-before"
	timeout 120 "$BUILD/bin/vgpu-run" --qemu "$WORK/$1" --socket "$WORK/vgpud.sock" --vgpu "$id" --timeout 40 --log "$WORK/console" \
		--file "$BUILD/tests/vgpu-guest-test:/usr/bin/vgpu-guest-test" -- vgpu-guest-test scan >"$WORK/out" 2>&1
	status=$?
	cat "$WORK/out"
	tail -n 5 "$WORK/console"
	echo "status $status; the service's log says:"
	tail -c +"$(($(stat -c %s "$WORK/said-before") + 1))" "$WORK/vgpud.log" | tee "$WORK/said"
	[ "$status" != 0 ] && grep -E "$2" "$WORK/said" && grep -E 'memory-backend-memfd.*share=on' "$WORK/said"
}
check "a guest with share=off: the log says what to change" unreachable qemu-private 'memory backend is private'
check "nothing is left of it" eventually 5 holds_nothing "$id"
check "a guest without memory backend: the log says what to change" unreachable qemu-without-backend 'came without a descriptor'
check "nothing is left of it" eventually 5 holds_nothing "$id"
check "the vGPU serves the next VM" vm "$id" 'vgpu-guest-test soak --seconds 1'
e2e_end
