#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes $BUILD/guest-apps/apps.img: applications of Debian 13 for the guest, an archive that the kernel unpacks over guest.sh's
# (`vgpu-run --initrd`). Once; later runs touch no network. Of each package only what the tests run is taken.
set -eu
cd "$(dirname "$0")/../.."
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
. tools/vm/apt.sh

PACKAGES="hashcat clblast-tests libblas3 python3-minimal python3-pyopencl python3-numpy ffmpeg"
PROGRAMS="hashcat clblast_test_xaxpy clblast_test_xdot python3 ffmpeg"
# hashcat's kernels and what they include; the modules of the hashes that are tried.
HASHCAT_MODULES="00000 01400"
libdir=usr/lib/x86_64-linux-gnu
out=$BUILD/guest-apps

# Copies a file or folder of the packages' tree to the same place in the image.
take() { # PATH...
	for path in "$@"; do
		[ -e "$root/$path" ] || die "Debian 13's packages have no $path any more"
		mkdir -p "$image/$(dirname "$path")"
		cp -a "$root/$path" "$image/$(dirname "$path")/"
	done
}

# The libraries that the file needs, by their names in the tree. Alternatives (BLAS) lie in folders of their own.
libraries_of() { # FILE
	"$root/$libdir/ld-linux-x86-64.so.2" --library-path "$search" --list "$1" 2>/dev/null
}
take_libraries() {
	find "$image" -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
		[ "$(head -c 4 "$file" | od -An -tx1 | tr -d ' \n')" = 7f454c46 ] || continue
		libraries_of "$file" || :
	done | awk '/=> not found/ { print $1 > "/dev/stderr"; next } /=> \// { print $3 }' 2>"$new/missing" | sort -u >"$new/libraries"
	if [ -s "$new/missing" ]; then die "libraries are missing: $(sort -u "$new/missing" | tr '\n' ' ')"; fi
	while read -r file; do cp -L "$file" "$image/$libdir/${file##*/}"; done <"$new/libraries"
}

make_image() {
	mkdir -p "$image/$libdir"
	search=$root/$libdir:$root/$libdir/blas:$root/$libdir/lapack:$root/$libdir/pulseaudio
	for name in $PROGRAMS; do
		take "usr/bin/$(basename "$(readlink -f "$root/usr/bin/$name")")"
		[ -e "$image/usr/bin/$name" ] || ln -s "$(basename "$(readlink -f "$root/usr/bin/$name")")" "$image/usr/bin/$name"
	done
	take usr/share/hashcat/OpenCL usr/share/hashcat/modules usr/share/hashcat/tunings usr/share/hashcat/hashcat.hcstat2
	for module in $HASHCAT_MODULES; do take "usr/lib/hashcat/modules/module_$module.so"; done
	# Of hashcat's 20 MB of kernels: the hashes' own and what they share.
	(cd "$image/usr/share/hashcat/OpenCL" && for kernel in m[0-9]*.cl; do
		# It asks for m00400-pure.cl to see whether it was installed whole.
		case $kernel in m00000_* | m01400_* | m00400-pure.cl) ;; *) rm "$kernel" ;; esac
	done)
	take usr/lib/python3 "$(cd "$root" && echo usr/lib/python3.[0-9]*)"
	find "$image/usr/lib" -depth -type d \( -name tests -o -name test -o -name idlelib -o -name ensurepip -o -name lib2to3 \
		-o -name __pycache__ -o -name 'config-3*' -o -name f2py -o -name include \) -exec rm -rf {} +
	take_libraries
	find "$image" -type f -name '*.a' -delete
}

recipe="$GUEST_SUITE $PACKAGES $PROGRAMS $(cksum <tools/vm/guest_apps.sh)"
build_lock guest-apps
if [ -s "$out/apps.img" ] && [ "$(cat "$out/recipe" 2>/dev/null)" = "$recipe" ]; then
	echo "guest's applications: $out/apps.img"
	exit 0
fi
new=$BUILD/guest-apps.new
rm -rf "$new"; mkdir "$new"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT TERM HUP
root=$new/root image=$new/image
say "making the guest's applications from Debian 13's packages"
apt_update
# The guest's OpenCL is the vGPU's: no other driver (and no LLVM) needs to come with the applications.
printf 'Package: vgpu-opencl-icd\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nProvides: opencl-icd\nMaintainer: vgpud\nDescription: the shim\n\n' \
	>"$apt/status"
# shellcheck disable=SC2086  # a list of names
apt_tree "$root" - $PACKAGES
: >"$apt/status"
make_image
(cd "$image" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$new/apps.img"
mv "$root/packages.list" "$new/packages.list"
rm -rf "$root" "$image"
echo "$recipe" >"$new/recipe"
rm -rf "$out"
mv "$new" "$out"
echo "guest's applications: $out/apps.img ($(du -m "$out/apps.img" | cut -f 1) MB)"
