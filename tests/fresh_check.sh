#!/bin/bash
# SPDX-License-Identifier: MIT
# make fresh-check: the README's commands in an empty Debian 13 that has nothing but git, make and root.
#
# A root made by mmdebstrap from this machine's own mirror, a clean clone of HEAD in it, there `make demo`, the
# same without a network, and `make test-smoke`. It runs in namespaces of its own (mounts, processes), so that
# whatever happens, nothing stays mounted or running; the root becomes the namespace's root by pivot_root, because
# in a chroot no user namespace can be made, and the engines' jail wants one.
#
# Where such a root may not be made, that is said, and the same commands run in a clean clone on this machine, with
# its packages: less, but never nothing.
#
# FRESH_STEPS ("demo warm smoke"; also: test) chooses; FRESH_LIMIT_S (1200) bounds each; FRESH_SUITE=bookworm takes
# Debian 12.
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(mkdir -p "${BUILD:-build}" && cd "${BUILD:-build}" && pwd)
suite=${FRESH_SUITE:-trixie}
steps=${FRESH_STEPS:-demo warm smoke}
limit_s=${FRESH_LIMIT_S:-1200}
passed=0
failed=0
root=
clone_only=
inside_pid=
# shellcheck disable=SC2317,SC2329  # functions are called by traps and run_step
# shellcheck source=tools/vm/apt.sh
. tools/vm/apt.sh

finish() {
	trap - EXIT
	if [ -n "$inside_pid" ]; then
		# timeout(1) leads a process group of its own. What it runs may end in order; a namespace's first
		# process then takes the rest along.
		kill -TERM -- "-$inside_pid" 2>/dev/null
		for _ in $(seq 100); do
			kill -0 "$inside_pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "-$inside_pid" 2>/dev/null
		wait "$inside_pid" 2>/dev/null
	fi
	[ -z "$root" ] || rm -rf --one-file-system "$root"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

ended() { # the last line, always
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}

result() { # WHAT STATUS SECONDS
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok      fresh-check: $1 ($3 s)"
	else
		failed=$((failed + 1))
		echo "FAILED  fresh-check: $1 (status $2, $3 s)"
	fi
}

if [ "$(id -u)" -ne 0 ]; then
	if sudo -n true 2>/dev/null; then
		exec sudo -n env VGPU_DEB_CACHE="${VGPU_DEB_CACHE:-}" BUILD="$BUILD" FRESH_SUITE="$suite" FRESH_STEPS="$steps" FRESH_LIMIT_S="$limit_s" \
			VGPU_DEBIAN_MIRROR="${VGPU_DEBIAN_MIRROR:-}" "$0"
	fi
	clone_only="making one needs root, or sudo without a password"
elif ! unshare --mount --pid --fork true 2>/dev/null; then
	clone_only="this container may not make namespaces (unshare fails)"
fi

clone() { git -c safe.directory='*' clone --quiet --no-local . "$1"; }

make_clone() { root=$(mktemp -d "$BUILD/fresh.XXXXXX") && clone "$root/src"; }

make_root() {
	local file
	packaging/deps/install.sh vm fresh || return 1
	root=$(mktemp -d "$BUILD/fresh.XXXXXX") && chmod 755 "$root" || return 1
	GUEST_SUITE=$suite
	apt_sources | sed 's/\[arch=amd64 /[/' | grep -v -e "-backports" >"$root.list" || return 1
	apt-config dump | grep -E '^Acquire::(http|https|ftp|Proxy[A-Za-z-]*)(::| )' >"$root.conf" || :
	mmdebstrap --quiet --mode=root --variant=apt --include=git,make,ca-certificates,mount \
		--aptopt="$root.conf" "$suite" "$root" "$root.list" || { rm -f "$root.list" "$root.conf"; return 1; }
	# A mirror list is a file of this machine.
	grep -o 'mirror+file:[^ ]*' "$root.list" | sed 's/^mirror+file://' | sort -u | while read -r file; do
		mkdir -p "$root$(dirname "$file")" && cp "$file" "$root$file"
	done
	rm -f "$root.list" "$root.conf"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null
	cp /etc/hosts "$root/etc/hosts"
	mkdir "$root/var/cache/vgpu-debs"
	clone "$root/src"
}

# Runs in the new namespaces as their first process; $1 is the root, $2 a folder of packages that were fetched for
# the guest before, or nothing; the rest is a command.
# shellcheck disable=SC2016  # the shell inside expands it
inside='
set -e
root=$1; cache=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
[ -z "$cache" ] || mount --bind "$cache" "$root/var/cache/vgpu-debs"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o nosuid,nodev shm "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev tmp "$root/tmp"
cd "$root"
pivot_root . mnt
umount -l /mnt
cd /src
exec "$@"'

enter() { # MAKE-TARGET: in the fresh root, or in the clone
	local status
	if [ -n "$clone_only" ]; then
		timeout -k 10 "$limit_s" env -u BUILD -u MAKEFLAGS -u MAKELEVEL make -C "$root/src" "$1" </dev/null &
	else
		enter_root make "$1" &
	fi
	inside_pid=$!
	wait "$inside_pid"
	status=$?
	inside_pid=
	return "$status"
}

enter_root() { # COMMAND...
	exec timeout -k 10 "$limit_s" ${NETWORK_OFF:+unshare --net} unshare --mount --pid --fork --kill-child \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
		${VGPU_DEB_CACHE:+VGPU_DEB_CACHE=/var/cache/vgpu-debs} \
		sh -c "$inside" sh "$root" "${VGPU_DEB_CACHE:-}" "$@" </dev/null
}

run_step() { # WHAT COMMAND...
	local what=$1 from=$SECONDS status
	shift
	echo "== $what"
	"$@" > >(sed -u 's/^/    /') 2>&1
	status=$?
	sleep 0.2 # the last lines pass through sed
	result "$what" "$status" $((SECONDS - from))
	return "$status"
}

from=$SECONDS
if [ -n "$clone_only" ]; then
	echo "cannot test here: make demo and make test-smoke in an empty Debian ($suite) because $clone_only"
	make_clone
	result "a clean clone of HEAD on this machine" $? $((SECONDS - from))
else
	echo "== an empty Debian ($suite)"
	make_root
	result "an empty Debian ($suite) and a clone of HEAD" $? $((SECONDS - from))
fi
if [ "$failed" -eq 0 ]; then
	for step in $steps; do
		case $step in
		demo) run_step "make demo" enter demo || break ;;
		warm)
			# The clone keeps this machine's network.
			if [ -n "$clone_only" ]; then
				run_step "make demo again" enter demo
			else
				NETWORK_OFF=1 run_step "make demo again, without a network" enter demo
			fi
			;;
		smoke) run_step "make test-smoke" enter test-smoke ;;
		test) run_step "make test" enter test ;;
		*) result "a step named '$step'; there are demo, warm, smoke and test" 1 0 ;;
		esac
	done
	grep -q " $root" /proc/self/mountinfo
	result "nothing stays mounted" $((! $?)) 0
fi
ended
