#!/bin/bash
# SPDX-License-Identifier: MIT
# Applications of the distribution, unmodified, on a vGPU without a VM, with checked results (tests/apps).
#
# APPS_LONG=1 (`make test-apps-long`): all of them, and more of CLBlast. What fails on the vGPU is run again on this machine's own
# OpenCL: what fails there too says nothing about us, and is told as what cannot be tested here.
# shellcheck disable=SC2317,SC2329  # functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin direct_apps
apps=$ROOT/tests/apps
service_start || exit 1
# hashcat wants more than half a GiB for tables of its own.
admin profile create apps --vram 2G >/dev/null || exit 1
id=$(vgpu_create apps apps) || exit 1
profile=$(vgpu_field "$id" .profile)

# Each run has caches of its own, so that nothing is answered from an earlier one.
fresh_home() {
	rm -rf "${WORK:?}/home"
	mkdir "$WORK/home"
}
native() { # COMMAND...
	fresh_home
	env -u OCL_ICD_VENDORS -u VGPU_SOCKET HOME="$WORK/home" XDG_CACHE_HOME="$WORK/home/cache" "$@"
}
on_vgpu() { # COMMAND...
	fresh_home
	direct "$id" foreign env HOME="$WORK/home" XDG_CACHE_HOME="$WORK/home/cache" "$@"
}

installed() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null && return
	echo "cannot test here: $2 because it is not installed (packaging/deps/install.sh apps)"
	return 1
}
app() { # WHAT COMMAND...
	local what=$1 from=$SECONDS
	shift
	if on_vgpu "$@" >"$WORK/app" 2>&1; then
		check "$what: $((SECONDS - from)) s" cat "$WORK/app"
	elif native "$@" >"$WORK/app.native" 2>&1; then
		tail -n 60 "$WORK/app"
		check "$what" false
	else
		tail -n 8 "$WORK/app.native" | sed 's/^/        natively: /'
		echo "cannot test here: $what because it fails on this machine's own OpenCL too"
	fi
}

clinfo_is_whole() {
	on_vgpu clinfo >"$WORK/clinfo" 2>"$WORK/clinfo.err" || return 1
	# clinfo prints an error in place of a value that it did not get.
	! grep -E '<.*error|get CL_' "$WORK/clinfo" "$WORK/clinfo.err" && grep -E "Device Name.*$profile" "$WORK/clinfo"
}
clpeak_parts='--global-bandwidth --transfer-bandwidth --kernel-latency'
[ -z "${APPS_LONG:-}" ] || clpeak_parts="$clpeak_parts --compute-sp --compute-dp --compute-integer"
clpeak_measures_all() {
	# shellcheck disable=SC2086  # a list of options
	on_vgpu clpeak $clpeak_parts >"$WORK/clpeak" 2>&1 || { cat "$WORK/clpeak"; return 1; }
	cat "$WORK/clpeak"
	# It exits 0 also when a part fails.
	! grep -E 'Tests skipped|\(-[0-9]+\)|rror' "$WORK/clpeak" && grep -E "Device.*$profile" "$WORK/clpeak" &&
		grep -E '^ +float16 +: [1-9][0-9]*\.' "$WORK/clpeak" && grep -E 'enqueueWriteBuffer +: [0-9]+\.' "$WORK/clpeak" &&
		grep -E 'Kernel launch latency +: [0-9.]+ us' "$WORK/clpeak"
}
check "clinfo asks for all there is and gets it" clinfo_is_whole
check "clpeak measures bandwidth, transfers and latency; no part of it fails" clpeak_measures_all

routines='xaxpy xdot xamax xhad'
hashes='md5 sha256'
if [ -n "${APPS_LONG:-}" ]; then
	routines="$routines xscal xnrm2 xasum xcopy xswap xger xgemv xsymv xtrsv xomatcopy xaxpybatched xgemm xgemmbatched xconvgemm"
	hashes='md5 sha256 bcrypt absent'
fi
if installed clblast_test_xaxpy clblast-tests; then
	for routine in $routines; do app "CLBlast's own test of $routine" "$apps/clblast.sh" "$routine"; done
fi
if installed hashcat hashcat; then
	for hash in $hashes; do app "hashcat, $hash" "$apps/hashcat.sh" "$hash"; done
fi

# The distribution's python, whatever else is in PATH.
if /usr/bin/python3 -c 'import pyopencl' 2>/dev/null; then
	app "pyopencl agrees with numpy" "$apps/pyopencl_numpy.py"
	# Caches stay this time: pyopencl gives the device its binaries back, and says so if they are refused.
	cached() {
		direct "$id" foreign env HOME="$WORK/home" XDG_CACHE_HOME="$WORK/home/cache" "$apps/pyopencl_numpy.py" >"$WORK/cached" 2>&1
		local status=$?
		cat "$WORK/cached"
		[ $status = 0 ] && ! grep -E 'caching failed' "$WORK/cached"
	}
	check "pyopencl takes its programs back from its cache of binaries" cached
else
	echo "cannot test here: pyopencl because it is not installed (packaging/deps/install.sh apps)"
fi

if installed ffmpeg ffmpeg; then
	app "ffmpeg's OpenCL filters agree with its filters on the CPU" "$apps/ffmpeg.sh"
	sums() { grep -oE '^ffmpeg [a-z]+:|md5 [0-9a-f]{32}$' "$1"; }
	same_pictures() {
		native "$apps/ffmpeg.sh" >"$WORK/ffmpeg.native" 2>&1 || { cat "$WORK/ffmpeg.native"; return 1; }
		diff <(sums "$WORK/ffmpeg.native") <(sums "$WORK/app") && [ "$(sums "$WORK/app" | grep -c md5)" -ge 9 ]
	}
	check "and draw what the host's own driver draws, to the bit" same_pictures
fi
check "nothing is left when the applications have gone" eventually 5 holds_nothing "$id"
e2e_end
