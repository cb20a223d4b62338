#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes $BUILD/qemu/run: a QEMU that has vfio-user-pci, which is what vGPUs plug into (QEMU >= 10.1).
#
# Takes this machine's own where it can do that (asked, not guessed from a version), else unpacks the
# stock package of Debian 13's backports below $BUILD/qemu and runs it through that tree's own loader, so
# it also works on Debian 12. Needs no root. A second run does nothing and touches no network.
set -eu
cd "$(dirname "$0")/../.."
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
. tools/vm/apt.sh

TESTED=11.1
out=$BUILD/qemu
stamp=$out/version

has_vfio_user() {
	"$1" -device vfio-user-pci,help 2>/dev/null | grep -q '^ *socket='
}

version_of() { "$1" --version | sed -n 's/^QEMU emulator version \([^ ]*\).*/\1/p'; }

report() {
	v=$(cat "$stamp")
	case $v in
	"$TESTED"*) echo "QEMU $v ($out/run)" ;;
	*) echo "QEMU $v ($out/run); the versions tested are $TESTED.x" ;;
	esac
}

# The wrapper is written last: as long as it is missing, nothing half-made is used.
write_run() {
	chmod 755 "$new/run"
	has_vfio_user "$new/run" || die "the QEMU in $new does not run or has no vfio-user-pci; try it: $new/run --version"
	version_of "$new/run" >"$new/version"
}

build_lock qemu
if [ -x "$out/run" ] && [ -s "$stamp" ] && has_vfio_user "$out/run"; then
	report
	exit 0
fi

new=$BUILD/qemu.new
rm -rf "$new" "$new.uris"
trap 'rm -rf "$new" "$new.uris" "$new.err"' EXIT
trap 'exit 130' INT TERM HUP

own=${VGPU_QEMU:-$(command -v qemu-system-x86_64 || :)}
if [ -n "$own" ] && has_vfio_user "$own"; then
	mkdir "$new"
	printf '#!/bin/sh\nexec %s "$@"\n' "$own" >"$new/run"
	write_run
else
	[ -z "$own" ] || say "$own has no vfio-user-pci (it came with QEMU 10.1)"
	say "taking QEMU from $GUEST_SUITE-backports into $out"
	apt_tree "$new" "$GUEST_SUITE-backports" qemu-system-x86 seabios ipxe-qemu
	cat >"$new/run" <<'END'
#!/bin/sh
# Runs the QEMU of this folder through the folder's own loader and libraries.
r=$(dirname "$(readlink -f "$0")")
l=$r/usr/lib/x86_64-linux-gnu
exec "$r/usr/lib64/ld-linux-x86-64.so.2" --argv0 "$0" --library-path "$l:$(for d in "$l"/*/; do printf '%s:' "${d%/}"; done)" \
	"$r/usr/bin/qemu-system-x86_64" -L "$r/usr/share/qemu" -L "$r/usr/share/seabios" -L "$r/usr/lib/ipxe/qemu" "$@"
END
	# What no VM of ours reads; QEMU's documents and other machines' firmware are most of it.
	rm -rf "$new/usr/share/doc" "$new/usr/share/man" "$new/usr/share/locale" "$new/usr/share/icons"
	write_run
fi
rm -rf "$out"
mv "$new" "$out"
report
