#!/bin/bash
# SPDX-License-Identifier: MIT
# The sources themselves: layers, licence lines, shell scripts. Needs no build.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2317,SC2329  # functions are called by check
check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok      sources: $what"
	else
		failed=$((failed + 1))
		echo "FAILED  sources: $what"
		tail -n 40 "$work/out" | sed 's/^/        /'
	fi
}

ours() { find . -path ./build -prune -o -path ./.git -prune -o -type f "$@" -print; }
scripts() { ours -name '*.sh'; echo ./.ci/run; }

check "includes keep to the layers" sh mk/check-layers.sh

# The check itself must notice: one include per rule that no layer allows.
breach_is_seen() {
	local tree=$work/tree folder
	for folder in scheduler mdev/log mdev/ipc mdev vgpu-qemu shim tools benchmarks; do
		rm -rf "$tree"
		mkdir -p "$tree"/{mk,scheduler,mdev/log,mdev/ipc,vgpu-qemu,shim,tools,benchmarks}
		cp mk/check-layers.sh "$tree/mk/"
		sh "$tree/mk/check-layers.sh" || return 1
		echo '#include "tests/rig.h"' >"$tree/$folder/breach.c"
		if sh "$tree/mk/check-layers.sh"; then
			echo "not seen in $folder"
			return 1
		fi
	done
}
check "an include across layers is noticed, whatever the folder" breach_is_seen

licensed() {
	local missing
	missing=$(ours \( -name '*.[ch]' -o -name '*.sh' -o -name '*.mk' -o -name Makefile \) | xargs grep -L 'SPDX-License-Identifier: MIT')
	[ -z "$missing" ] || { echo "without a licence line:"; echo "$missing"; return 1; }
}
check "each source names its licence" licensed

shells_parse() {
	local file bad=0
	while read -r file; do
		case $(head -n 1 "$file") in
		*bash) bash -n "$file" || bad=1 ;;
		*) if grep -q 'shellcheck shell=bash' "$file"; then bash -n "$file" || bad=1; else sh -n "$file" || bad=1; fi ;;
		esac
	done < <(scripts)
	return $bad
}
check "each script parses" shells_parse

# What nobody runs is no test: each script that ends in a count is listed.
listed() {
	local script missing=0
	for script in tests/e2e/*.sh; do
		grep -qE '^e2e_end( |$)' "$script" || continue
		[ "$(grep -cE "^E2E \\+= $script\$" tests/sources.mk)" = 1 ] ||
			{ echo "not once in tests/sources.mk: $script"; missing=1; }
	done
	return $missing
}
check "each end-to-end test is run by make test, once" listed

linted() { scripts | xargs shellcheck -x -P SCRIPTDIR -P . -S warning; }
if command -v shellcheck >/dev/null; then
	check "shellcheck finds no fault" linted
else
	echo "cannot test here: the scripts' style because shellcheck is not installed (packaging/deps/install.sh lint)"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
