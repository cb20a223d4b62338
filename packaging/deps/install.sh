#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what this project needs from the distribution, by name, saying what and why.
#
#   install.sh [--list] GROUP...     groups: build gpu vm demo test apps fresh lint
#
# Only what is missing is installed; when nothing is, neither root nor a network is needed. --list only says
# what is missing. Debian 12 and 13, and Ubuntu with the same names.
set -eu

# group, package, why
packages() {
	cat <<'END'
build gcc                 the compiler
build make                runs the build
build libc6-dev           the C library's headers and its static library
build linux-libc-dev      the kernel's headers (DRM, KVM, vfio)
build pkgconf             finds libraries
build ocl-icd-opencl-dev  the OpenCL ICD loader to link against
build opencl-headers      OpenCL 3.0 headers
build libdrm-dev          virtgpu ioctls of the guest's driver
build libmicrohttpd-dev   the service's HTTP
build libjansson-dev      JSON
build libsystemd-dev      the service's event loop
build libseccomp-dev      the engines' jail
build libcap-ng-dev       the engines' jail
build libsmartcols-dev    tables of vgpu-admin
build libcmocka-dev       unit tests
gpu   ocl-icd-libopencl1  the OpenCL ICD loader
gpu   pocl-opencl-icd     OpenCL on the CPU, where there is no GPU
vm    debian-archive-keyring  checks Debian 13's signatures
vm    ca-certificates     mirrors that use https
vm    dpkg                unpacks Debian 13's packages
vm    cpio                makes the guest's initramfs
vm    kmod                orders the guest's kernel modules
vm    xz-utils            unpacks the guest's kernel modules
vm    zstd                unpacks the guest's kernel
vm    util-linux          locks the build folder
test  procps              looks for processes left behind
test  jq                  reads the service's JSON
test  curl                sends the service bad requests
test  python3-minimal     the same, and breaks connections
test  clinfo              shows OpenCL devices
test  clpeak              measures OpenCL devices
test  strace              counts system calls
test  valgrind            counts instructions
apps  clinfo              shows OpenCL devices
apps  clpeak              measures OpenCL devices
apps  hashcat             finds passwords with OpenCL
apps  clblast-tests       a BLAS with OpenCL and its own tests
apps  ffmpeg              video filters with OpenCL
apps  python3-numpy       what pyopencl is compared with
apps  python3-pyopencl    OpenCL in Python
demo  jq                  reads the service's JSON
fresh mmdebstrap          makes an empty Debian 13
fresh git                 clones the sources into it
lint  clang               the second compiler
lint  clang-tidy          static analysis
lint  cppcheck            static analysis
lint  shellcheck          shell scripts
lint  valgrind            memory checks
END
}

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

list_only=
[ "${1:-}" != --list ] || { list_only=1; shift; }
[ $# -gt 0 ] || die "name at least one group of: build gpu vm demo test apps fresh lint"
for group in "$@"; do
	packages | grep -q "^$group " || die "there is no group '$group'; groups: build gpu vm demo test apps fresh lint"
done

command -v apt-get >/dev/null ||
	die "this is not Debian or Ubuntu (no apt-get); install by hand what '$0' lists, or use Debian 12 or 13"

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=
report=
for group in "$@"; do
	for package in $(packages | awk -v g="$group" '$1 == g { print $2 }'); do
		installed "$package" && continue
		case " $missing " in *" $package "*) continue ;; esac
		missing="$missing $package"
		report="$report$(packages | awk -v p="$package" -v g="$group" '$2 == p && $1 == g { $1 = $2 = ""; printf "  %-24s%s", p, $0 }')
"
	done
done
[ -n "$missing" ] || exit 0

printf 'packages missing for %s:\n%s' "$*" "$report"
[ -z "$list_only" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null ||
		die "installing them needs root, and there is no sudo; as root run: apt-get install --no-install-recommends$missing"
	as_root=sudo
	# Never hang without a terminal.
	[ -t 0 ] || as_root="sudo -n"
fi

uptime_s() { cut -d' ' -f1 /proc/uptime; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}
explain() {
	sed 's/^/  /' "$log" >&2
	case $(cat "$log") in
	*'a password is required'* | *'may not run sudo'* | *'not in the sudoers'*)
		die "sudo does not let this user install packages; as root run: apt-get install --no-install-recommends$missing" ;;
	*'Temporary failure resolving'* | *'Could not resolve'* | *'Could not connect'* | *'Network is unreachable'*)
		die "no network to this machine's package archive; connect it, or install by hand:$missing" ;;
	*'Unable to locate package'* | *'has no installation candidate'*)
		die "this distribution does not have a package of that name (above); Debian 12 and 13 have" ;;
	*) die "apt failed (its messages are above)" ;;
	esac
}

echo "installing them"
from=$(uptime_s)
# One broken third-party source is no reason to stop; what is really missing shows below.
apt update || :
# shellcheck disable=SC2086  # a list of names
apt install --no-install-recommends --download-only $missing || explain
to=$(uptime_s)
[ -z "${VGPU_DOWNLOADS:-}" ] || echo "$(awk "BEGIN { print $to - $from }") packages" >>"$VGPU_DOWNLOADS"
# shellcheck disable=SC2086
apt install --no-install-recommends $missing || explain
