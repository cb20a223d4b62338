#!/bin/bash
# SPDX-License-Identifier: MIT
# Of a build with sanitizers: each kind of process looks for leaks at its normal end. "No leak was found" means nothing without.
# Every process here loses some bytes on purpose (leak_on_purpose.c), each kind a number of its own, and must say so.
. "$(dirname "$0")/lib.sh"

e2e_begin san_leaks
runtime=$(ldd "$BUILD/lib/libvgpu-opencl.so" | awk '/libasan/ { print $3; exit }')
losing="LD_PRELOAD=$runtime${runtime:+:}$BUILD/tests/leak_on_purpose.so"
[ -e "$BUILD/tests/leak_on_purpose.so" ] || {
	echo "cannot test here: that each process looks for leaks, because this is a build without sanitizers; make test-san does"
	e2e_end
}
declare -A bytes=([vgpud]=70001 [vgpu-keeper]=70002 [vgpu-device]=70003 [vgpu-compute]=70004 [client]=70005)

# Programs of the names that vgpud knows, each of which loses its bytes. An engine builds its environment anew, once: this says it has.
wrap() { # NAME FILE
	printf '#!/bin/sh\nexport %s LEAK_ON_PURPOSE_BYTES=%s VGPU_ENGINE_ENVIRONMENT=built\nexec %s "$@"\n' "$losing" "${bytes[$1]}" "$BUILD/bin/$1" >"$2"
	chmod +x "$2"
}
libexec=$WORK/libexec
mkdir -p "$libexec"
for name in vgpud vgpu-keeper vgpu-device; do wrap $name "$libexec/$name"; done
ln -s "$BUILD/bin/vgpu-compute" "$libexec/vgpu-compute"

says_leak() { # NAME FILE...
	local name=$1
	shift
	cat "$@" | grep -E "leak of ${bytes[$name]} byte" || { echo "$name does not say that it lost ${bytes[$name]} bytes"; tail -n 40 "$@"; return 1; }
}
# As lib.sh's, of a vgpud that loses bytes.
"$libexec/vgpud" --state-dir "$WORK/state" --runtime-dir "$WORK/run" --socket "$WORK/vgpud.sock" --libexec-dir "$libexec" >"$WORK/said" 2>&1 &
VGPUD_PID=$!
eventually 10 admin ping >/dev/null || { cat "$WORK/said"; exit 1; }
id=$(vgpu_create one) || { cat "$WORK/said"; exit 1; }

client() {
	direct "$id" env "$losing" LEAK_ON_PURPOSE_BYTES="${bytes[client]}" "$BUILD/tests/vgpu-guest-test" soak --seconds 1 >"$WORK/client" 2>&1 &&
		{ echo "it exits with 0"; return 1; }
	says_leak client "$WORK/client"
}
check "a client looks for leaks at its end" client
check "vgpu-device does when its client has gone" eventually 5 says_leak vgpu-device "$WORK/said"
keeper() { eventually 5 holds_nothing "$id" && admin vgpu delete "$id" --yes && eventually 5 says_leak vgpu-keeper "$WORK/said"; }
check "vgpu-keeper does when its vGPU is deleted" keeper
vgpud() {
	admin service stop --vgpus || return 1
	wait "$VGPUD_PID" && { echo "it exits with 0"; return 1; }
	VGPUD_PID=
	says_leak vgpud "$WORK/said"
}
check "vgpud does when it is stopped" vgpud

# The service kills its engines; at the end of their channel they end by themselves, as test_engine has them do. It takes vgpu-compute
# from beside its own folder.
mkdir -p "$WORK/engine/bin" "$WORK/engine/tests"
cp "$BUILD/tests/test_engine" "$WORK/engine/tests/"
wrap vgpu-compute "$WORK/engine/bin/vgpu-compute"
engine() {
	"$WORK/engine/tests/test_engine" --only 'vector_add*' >"$WORK/engine.said" 2>&1
	says_leak vgpu-compute "$WORK/engine.said"
}
check "vgpu-compute does at the end of its channel" engine
# Nothing else was lost by any of them.
only_on_purpose() {
	local others
	others=$(grep -hE 'leak of [0-9]+ byte' "$WORK/said" "$WORK/client" "$WORK/engine.said" | grep -vE 'leak of 7000[1-5] byte')
	[ -z "$others" ] || { echo "$others"; return 1; }
}
check "nothing else was lost" only_on_purpose
# What they said was meant, and is not for e2e_stop to find.
rm -f "$WORK"/said "$WORK"/client "$WORK"/engine.said "$WORK"/check.out
e2e_end
