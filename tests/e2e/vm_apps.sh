#!/bin/bash
# SPDX-License-Identifier: MIT
# Applications of the distribution, unmodified, in a VM with a vGPU, with checked results (tests/apps). Their files are Debian 13's
# (tools/vm/guest_apps.sh), whatever this machine is. direct_apps.sh has more of them; clpeak is in vm_guest.sh.
# shellcheck disable=SC2016,SC2119,SC2317,SC2329  # scripts for the guest; functions are called by check
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

e2e_begin vm_apps
# shellcheck source=tests/e2e/guest_run.sh
. "$(dirname "$0")/guest_run.sh"
image=$BUILD/guest-apps/apps.img
[ -s "$image" ] || { check "the guest's applications (tools/vm/guest_apps.sh)" false; e2e_end; }
service_start || exit 1
# hashcat wants more than half a GiB for tables of its own.
admin profile create apps --vram 2G >/dev/null || exit 1
id=$(vgpu_create apps apps) || exit 1
profile=$(vgpu_field "$id" .profile)
apps=$ROOT/tests/apps

VM_OPTIONS=(--memory 2G --initrd "$BUILD/guest/initrd.img" --initrd "$image" --initrd "$BUILD/guest/overlay.img"
	--file "$apps/hashcat.sh:/apps/hashcat.sh" --file "$apps/clblast.sh:/apps/clblast.sh" --file "$apps/ffmpeg.sh:/apps/ffmpeg.sh"
	--file "$apps/pyopencl_numpy.py:/apps/pyopencl_numpy.py")
vm_bg "$WORK/vm" "$id" "$guest_prelude"'
part clinfo clinfo
part clblast sh /apps/clblast.sh xaxpy xdot
part pyopencl python3 /apps/pyopencl_numpy.py
part ffmpeg sh /apps/ffmpeg.sh transpose overlay avgblur
part hashcat sh /apps/hashcat.sh md5
part end true'

clinfo_is_whole() {
	part clinfo 200 >"$WORK/clinfo" || return 1
	! grep -E '<.*error|get CL_' "$WORK/clinfo" && grep -E "Device Name.*$profile" "$WORK/clinfo"
}
check "clinfo asks for all there is and gets it" clinfo_is_whole
check "CLBlast's own tests of xaxpy and xdot" part clblast 300
check "pyopencl agrees with numpy" part pyopencl 300
check "ffmpeg's OpenCL filters agree with its filters on the CPU" part ffmpeg 300
check "hashcat finds a password by its MD5" part hashcat 300
vm_ended() { part end && wait "$VM"; }
check "the VM ends well" vm_ended
check "nothing is left when the VM is gone" eventually 5 holds_nothing "$id"
e2e_end
