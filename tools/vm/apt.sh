# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Debian packages into a private folder, without root and without touching this machine's own packages.
#
# Sourced by qemu.sh and guest.sh. The caller sets BUILD (the build folder, absolute).
#
# Theory of operation: apt itself reads this machine's sources (classic lists, deb822, mirror+file, a
# proxy) and says by `apt-get indextargets` where they point. From that we keep the address of the Debian
# archive, and ask it for the suites of Debian 13. A second apt state below $BUILD/apt (own lists, own
# cache, an empty dpkg status) resolves dependencies and downloads; dpkg-deb -x unpacks. Nothing is
# configured, so no maintainer script runs. mmdebstrap --variant=extract does the same but needs root or
# subordinate ids and leaves files of other owners behind.
#
# VGPU_DEB_CACHE names a folder in which fetched packages are kept and looked for, for several runs to share. apt
# checks what lies there as it checks what it fetches.
#
# VGPU_DEBIAN_MIRROR (and VGPU_DEBIAN_SECURITY) name the archive where this machine's apt does not use
# Debian's, for example on Ubuntu.

GUEST_SUITE=trixie

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# "uri signed-by" of this machine's Debian archive, $1 = main or security.
apt_archive() {
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016  # $(...) are apt's own fields
	apt-get indextargets --no-release-info \
		--format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)' 'Created-By: Packages' 2>/dev/null |
	awk -F'|' -v want="$1" -v code="$codename" '
		$3 != "main" || $1 ~ /^(cdrom|file|copy):/ { next }
		$2 ~ /security|\/updates$/ { if (want == "security" && $2 ~ /^[a-z]+(-security|\/updates)$/) { print $1 "|" $4; exit } next }
		want == "main" && ($2 == code || $2 ~ /^(stable|oldstable|testing|unstable|sid)$/) { print $1 "|" $4; exit }'
}

# Writes the sources of Debian 13 in this machine's own archive to stdout.
apt_sources() {
	main=${VGPU_DEBIAN_MIRROR:-}
	security=${VGPU_DEBIAN_SECURITY:-}
	signed=
	if [ -z "$main" ] && [ "$(. /etc/os-release && printf '%s' "${ID:-}")" = debian ]; then
		line=$(apt_archive main); main=${line%%|*}; signed=${line#*|}
		line=$(apt_archive security); security=${line%%|*}
	fi
	[ -n "$main" ] || die "this machine's apt sources name no Debian archive" \
		"(for suite '$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-unknown}")', component main);" \
		"set VGPU_DEBIAN_MIRROR to the address of one"

	keys=
	for f in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
		[ -e "$f" ] && { keys=$f; break; }
	done
	[ -n "$keys" ] || die "no Debian archive keyring; install debian-archive-keyring"
	# A mirror with a key of its own keeps it; an embedded key block cannot travel in a one-line source.
	case $signed in
	/*) [ "$signed" = "$keys" ] || keys="$keys,$signed" ;;
	esac
	# apt ends every address with a slash; a mirror list is a file's name.
	case $main in mirror*) main=${main%/} ;; esac
	case $security in mirror*) security=${security%/} ;; esac
	for name in "$GUEST_SUITE" "$GUEST_SUITE-updates" "$GUEST_SUITE-backports"; do
		echo "deb [arch=amd64 signed-by=$keys] $main $name main"
	done
	[ -z "$security" ] || echo "deb [arch=amd64 signed-by=$keys] $security $GUEST_SUITE-security main"
}

# Our own apt-get: $@ are its arguments. State lives below $BUILD/apt.
apt_private() {
	APT_CONFIG=$BUILD/apt/apt.conf apt-get -qq "$@"
}

# Prepares $BUILD/apt and reads the archive's lists once per program.
apt_update() {
	[ -z "${apt_updated:-}" ] || return 0
	apt=$BUILD/apt
	archives=${VGPU_DEB_CACHE:-$apt/archives}
	mkdir -p "$apt/lists/partial" "$apt/none/partial" "$archives/partial" "$apt/parts"
	: >"$apt/status"
	apt_sources >"$apt/sources.list"
	{
		# The way out of this machine (proxies, retries, timeouts) stays as its owner set it.
		apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|ForceIPv[46]|Proxy[A-Za-z-]*)(::| )' || :
		cat <<-END
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::parts "$apt/parts";
		Dir::Etc::main "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::State::extended_states "$apt/extended_states";
		Dir::Cache "$apt";
		Dir::Cache::archives "$archives";
		Dir::Cache::pkgcache "";
		Dir::Cache::srcpkgcache "";
		Dir::Log "$apt";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
		END
	} >"$apt/apt.conf"
	apt_private update >"$apt/update.log" 2>&1 || {
		sed 's/^/  /' "$apt/update.log" >&2
		case $(cat "$apt/update.log") in
		*NO_PUBKEY*) die "the archive's key for Debian 13 is not known here; upgrade the package debian-archive-keyring" ;;
		*) die "could not read the lists of Debian 13 from this machine's archive (output above); is there a network?" ;;
		esac
	}
	apt_updated=1
}

# Seconds since boot, for durations.
uptime_s() { cut -d' ' -f1 /proc/uptime; }

# Notes a download's duration where the caller of all this (tools/demo.sh) adds them up.
note_download() {
	[ -z "${VGPU_DOWNLOADS:-}" ] || echo "$1 $2" >>"$VGPU_DOWNLOADS"
}

# apt_tree FOLDER SUITE PACKAGE...: unpacks the packages and what they depend on into FOLDER, which must
# not exist. SUITE is preferred over the others; "-" leaves the choice to apt, which takes the newest
# version but none from backports. Writes FOLDER/packages.list (name, version).
apt_tree() {
	tree=$1; suite=$2; shift 2
	[ "$suite" = - ] || set -- -t "$suite" "$@"
	from=$(uptime_s)
	apt_update
	# apt names only what is not yet in its archives, and the list below must be whole.
	apt_private -o Dir::Cache::archives="$apt/none" --print-uris -y install "$@" >"$tree.uris" 2>"$tree.err" || {
		cat "$tree.err" >&2; rm -f "$tree.uris" "$tree.err"
		die "the archive cannot satisfy: $*"
	}
	rm -f "$tree.err"
	count=$(grep -c "^'" "$tree.uris") || die "apt found nothing to fetch for: $*"
	bytes=$(awk '{ s += $3 } END { printf "%d", s / 1000000 }' "$tree.uris")
	say "fetching $count packages ($bytes MB)"
	apt_private -y --download-only install "$@" >"$apt/install.log" 2>&1 || {
		sed 's/^/  /' "$apt/install.log" >&2; rm -f "$tree.uris"
		die "download failed (output above)"
	}
	to=$(uptime_s)
	note_download "$(awk "BEGIN { print $to - $from }")" "${tree##*/}"
	mkdir "$tree"
	awk '{ print $2 }' "$tree.uris" | while read -r deb; do
		dpkg-deb -x "$archives/$deb" "$tree" || die "cannot unpack $deb"
		# shellcheck disable=SC2016  # dpkg's own fields
		dpkg-deb -W --showformat='${Package} ${Version}\n' "$archives/$deb" >>"$tree/packages.list"
	done
	[ "$(wc -l <"$tree/packages.list")" -eq "$count" ] || die "unpacked fewer packages than were fetched"
	rm -f "$tree.uris"
	[ -n "${VGPU_DEB_CACHE:-}" ] || rm -f "$archives"/*.deb
}

# A lock against a second make in the same build folder; held until the program ends.
build_lock() {
	mkdir -p "$BUILD"
	exec 9>"$BUILD/.$1.lock"
	flock -w 900 9 || die "another run holds $BUILD/.$1.lock"
}
