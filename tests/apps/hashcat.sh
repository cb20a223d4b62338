#!/bin/sh
# SPDX-License-Identifier: MIT
# hashcat finds passwords that are known here, on whatever OpenCL the environment gives.
#
#   hashcat.sh [md5] [sha256] [bcrypt] [absent]
#
# md5: a mask; sha256 and bcrypt: a list of words. absent: a list without the word, which must find nothing. Exits 0 if all that
# was asked for came out right. Caches go to a fresh folder, so every run builds its programs anew.
set -u
[ $# -gt 0 ] || set -- md5 sha256 bcrypt absent
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work" XDG_CACHE_HOME="$work/cache" XDG_DATA_HOME="$work/data"
cd "$work" || exit 1
failed=0

crack() { # NAME STATUS EXPECTED ARGS...: hashcat must end with STATUS (0 found, 1 exhausted) and print EXPECTED
	name=$1 status=$2 expected=$3
	shift 3
	# --force: it warns of OpenCL drivers that it does not know, PoCL among them. -D: processors too.
	hashcat --force --potfile-disable --quiet -D 1,2,3 --outfile "$work/found" "$@" >"$work/said" 2>&1
	is=$?
	found=$(cat "$work/found" 2>/dev/null)
	rm -f "$work/found"
	if [ "$is" = "$status" ] && [ "$found" = "$expected" ]; then
		echo "hashcat $name: ${found:-nothing, as it must be}"
		return
	fi
	echo "hashcat $name: wanted status $status and '$expected', got status $is and '$found'; it said:"
	tail -n 15 "$work/said"
	failed=1
}

printf '%s\n' letmein correcthorse battery staple hunter2 vgpu-secret trustno1 >words
grep -v hunter2 words >others
digest() { printf '%s' "$1" | "$2" | cut -d ' ' -f 1; }
md5=$(digest ab3z md5sum)
sha256=$(digest hunter2 sha256sum)
# crypt("hunter2"), cost 4; from libxcrypt.
bcrypt='$2b$04$vgpuvgpuvgpuvgpuvgpuveN5e0U4HCRGI.dmWk9JDyMYXJO7E5vQi'
for what in "$@"; do
	case $what in
	md5) crack md5 0 "$md5:ab3z" -O -m 0 -a 3 "$md5" '?l?l?d?l' ;;
	sha256) crack sha256 0 "$sha256:hunter2" -O -m 1400 -a 0 "$sha256" words ;;
	bcrypt) crack bcrypt 0 "$bcrypt:hunter2" -m 3200 -a 0 "$bcrypt" words ;;
	absent) crack absent 1 "" -O -m 1400 -a 0 "$sha256" others ;;
	*) echo "no test '$what'"; failed=1 ;;
	esac
done
exit $failed
