#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the guest that vgpu-run boots: Debian 13's stock kernel and packages, an initramfs, nothing to
# install and no network inside.
#
#   guest.sh                        $BUILD/guest/vmlinuz, initrd.img; once, later runs touch no network
#   guest.sh overlay [SRC:DST]...   $BUILD/guest/overlay.img: our own init, shim and benchmark from
#                                   $BUILD, as far as they are built, and the files given
#
# The kernel unpacks archives that lie one behind the other, so the overlay needs no rebuilt initrd.
set -eu
cd "$(dirname "$0")/../.."
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
. tools/vm/apt.sh

PACKAGES="linux-image-amd64 busybox-static libc6 libgcc-s1 libstdc++6 libdrm2 ocl-icd-libopencl1 clinfo clpeak"
MODULES="virtio-gpu"
LIBRARIES="ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1
	libstdc++.so.6 libdrm.so.2 libOpenCL.so.1"
COMMANDS="clinfo clpeak"
libdir=usr/lib/x86_64-linux-gnu
out=$BUILD/guest

# pack FOLDER FILE: a cpio archive of the folder, everything root's, the same bytes for the same content.
pack() {
	(cd "$1" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$2"
}

make_initrd() {
	root=$1; init=$2
	set -- "$root"/boot/vmlinuz-*
	[ $# -eq 1 ] || die "expected one kernel in $root/boot, found: $*"
	release=${1##*/vmlinuz-}
	mkdir -p "$init/usr/bin" "$init/$libdir" "$init/usr/lib64" "$init/etc/vgpu-run" "$init/etc/OpenCL/vendors" \
		"$init/proc" "$init/sys" "$init/dev" "$init/tmp" "$init/root" "$init/run" "$init/var"
	ln -s usr/bin "$init/bin"; ln -s usr/bin "$init/sbin"; ln -s bin "$init/usr/sbin"
	ln -s usr/lib "$init/lib"; ln -s usr/lib64 "$init/lib64"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$init/etc/passwd"
	echo 'root:x:0:' >"$init/etc/group"

	for f in $LIBRARIES; do cp -L "$root/$libdir/$f" "$init/$libdir/"; done
	ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$init/usr/lib64/ld-linux-x86-64.so.2"
	for f in $COMMANDS; do
		cp "$root/usr/bin/$f" "$init/usr/bin/"
		# A library that a later version of the package needs must not be found missing in the guest.
		"$init/$libdir/ld-linux-x86-64.so.2" --library-path "$init/$libdir" --list "$init/usr/bin/$f" >/dev/null ||
			die "$f of Debian 13 needs a library that is not in LIBRARIES"
	done
	cp "$root/usr/bin/busybox" "$init/usr/bin/"
	"$root/usr/bin/busybox" --list | while read -r f; do
		[ -e "$init/usr/bin/$f" ] || ln -s busybox "$init/usr/bin/$f"
	done

	# The modules in loading order, unpacked: the guest's init loads files as they are.
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$root/usr" "$release" 2>"$root/depmod.err" || PATH=$PATH:/usr/sbin:/sbin depmod -b "$root" "$release"
	for m in $MODULES; do
		line=$(grep "/$m\.ko[.a-z]*:" "$root/usr/lib/modules/$release/modules.dep") ||
			die "kernel $release has no module $m"
		echo "${line%%:*}"
		# modules.dep names the nearest dependency first.
		for d in ${line#*:}; do echo "$d"; done
	done | tac | awk '!seen[$0]++' | while read -r module; do
		to=usr/lib/modules/$release/${module%.xz}
		mkdir -p "$init/${to%/*}"
		case $module in
		*.xz) xz -dc "$root/usr/lib/modules/$release/$module" >"$init/$to" ;;
		*.ko) cp "$root/usr/lib/modules/$release/$module" "$init/$to" ;;
		*) die "module $module is packed in a way not known here" ;;
		esac
		echo "/$to" >>"$init/etc/vgpu-run/modules"
	done
	[ -s "$init/etc/vgpu-run/modules" ] || die "no modules were packed"
}

# unpack_kernel IMAGE FILE: the ELF kernel inside a zstd-packed image (x86 boot protocol 2.08, fields
# payload_offset and payload_length). QEMU starts it directly (PVH), which saves about 2 s under TCG.
unpack_kernel() {
	u32() { od -An -tu4 -j "$2" -N4 "$1" | tr -d ' '; }
	setup_sectors=$(od -An -tu1 -j 497 -N1 "$1" | tr -d ' ')
	at=$(((setup_sectors + 1) * 512 + $(u32 "$1" 584)))
	# The last 4 bytes of the payload are its unpacked size.
	tail -c +$((at + 1)) "$1" | head -c $(($(u32 "$1" 588) - 4)) | zstd -qdc >"$2" 2>/dev/null &&
		[ "$(head -c 4 "$2" | od -An -tx1 | tr -d ' ')" = 7f454c46 ]
}

make_base() {
	# What the guest is made of; a change of this list makes it anew.
	recipe="$GUEST_SUITE $PACKAGES $MODULES $COMMANDS $(cksum <tools/vm/guest.sh)"
	build_lock guest
	if [ -s "$out/vmlinuz" ] && [ "$(cat "$out/recipe" 2>/dev/null)" = "$recipe" ]; then
		return
	fi
	new=$BUILD/guest.new
	rm -rf "$new"; mkdir "$new"
	trap 'rm -rf "$new"' EXIT
	trap 'exit 130' INT TERM HUP
	say "making the guest from Debian 13's kernel and packages"
	# shellcheck disable=SC2086  # a list of names
	apt_tree "$new/root" - $PACKAGES
	make_initrd "$new/root" "$new/init"
	pack "$new/init" "$new/initrd.img"
	cp "$new"/root/boot/vmlinuz-* "$new/vmlinuz"
	unpack_kernel "$new/vmlinuz" "$new/vmlinux" || {
		say "this kernel is not packed with zstd; VMs without KVM start about 2 s later"
		rm -f "$new/vmlinux"
	}
	echo "$release" >"$new/release"
	mv "$new/root/packages.list" "$new/packages.list"
	rm -rf "$new/root" "$new/init"
	echo "$recipe" >"$new/recipe"
	rm -rf "$out"
	mv "$new" "$out"
}

# add SRC DST: one file into the overlay. Debian's guest has /lib, /bin and so on as links into /usr, and
# a folder of that name in the archive would replace the link.
add() {
	dst=${2#/}
	case $dst in
	'' | */ | *..*) die "'$1:$2': the destination must be an absolute path of a file" ;;
	bin/* | sbin/*) dst=usr/bin/${dst#*/} ;;
	usr/sbin/*) dst=usr/bin/${dst#usr/sbin/} ;;
	lib/* | lib64/*) dst=usr/$dst ;;
	esac
	mkdir -p "$stage/$(dirname "$dst")"
	cp -L "$1" "$stage/$dst"
}

make_overlay() {
	[ -x "$BUILD/bin/vgpu-guest-init" ] || die "$BUILD/bin/vgpu-guest-init is not built; run make first"
	build_lock guest
	[ -d "$out" ] || die "there is no guest yet; run guest.sh without arguments first"
	stage=$BUILD/guest.overlay
	rm -rf "$stage"; mkdir "$stage"
	trap 'rm -rf "$stage" "$out/overlay.new"' EXIT
	trap 'exit 130' INT TERM HUP
	add "$BUILD/bin/vgpu-guest-init" /init
	if [ -e "$BUILD/bin/vgpu-bench" ]; then add "$BUILD/bin/vgpu-bench" /usr/bin/vgpu-bench; fi
	if [ -e "$BUILD/lib/libvgpu-opencl.so" ]; then
		add "$BUILD/lib/libvgpu-opencl.so" "/$libdir/libvgpu-opencl.so"
		mkdir -p "$stage/etc/OpenCL/vendors"
		echo libvgpu-opencl.so >"$stage/etc/OpenCL/vendors/vgpu.icd"
	fi
	for pair in "$@"; do
		case $pair in
		?*:/?*) add "${pair%%:*}" "${pair#*:}" ;;
		*) die "'$pair' is not SRC:DST with an absolute DST" ;;
		esac
	done
	pack "$stage" "$out/overlay.new"
	mv "$out/overlay.new" "$out/overlay.img"
}

case ${1:-} in
'') make_base; echo "guest: Linux $(cat "$out/release") ($out)" ;;
overlay) shift; make_overlay "$@" ;;
*) say "usage: guest.sh | guest.sh overlay [SRC:DST]..."; exit 2 ;;
esac
