#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run kselftests with the kernel's own runner: inside the emulated host, where busybox's
# shell is all there is, or on a real machine. One TAP line for each program, the lines of
# its tests as comments before it, totals over all tests at the end.
#
# usage: $0 FOLDER [TEST...]
# FOLDER holds the programs, kselftest/runner.sh and modes; without TEST all of *_test run.
# UMBRA_MODES: run them once in each of these modes of Umbra's MMU; unset: once, on whatever
# is there. UMBRA_ABSENT: modes that the module must refuse here. UMBRA_PARAMETER: the file
# that sets the mode, the module's parameter unless a test has another. UMBRA_PART: others
# run the rest, so that nothing may pass here.
# Exit status: 0 all passed or skipped, 1 otherwise.

BASE_DIR=$(realpath "$1") || exit 1
shift
cd "$BASE_DIR" || exit 1
[ $# -gt 0 ] || set -- *_test

: "${UMBRA_DEVICE:=/dev/umbra}"
export UMBRA_DEVICE
parameter=${UMBRA_PARAMETER:-/sys/module/umbra/parameters/mmu}
if [ ! -c "$UMBRA_DEVICE" ]; then
	echo "Bail out! no device $UMBRA_DEVICE"
	exit 1
fi

work=$(mktemp -d)
before=$(cat "$parameter" 2>/dev/null)
# shellcheck disable=SC2329 # called by the trap
clean_up() {
	[ -z "$before" ] || echo "$before" >"$parameter"
	rm -rf "$work"
	for m in ${UMBRA_MODES-}; do
		rm -rf "${BASE_DIR:?}/$m"
	done
}
trap clean_up EXIT

# shellcheck source=/dev/null
. ./kselftest/runner.sh
export kselftest_default_timeout="${UMBRA_TEST_TIMEOUT:-300}"

count() {
	grep -cE "$1" "$log"
}

# Pass on what the runner says, and how long each program took, by the clock of the host that
# may be an emulated one.
with_times() {
	awk 'function now(line, part) {
		getline line <"/proc/uptime"
		close("/proc/uptime")
		split(line, part, " ")
		return part[1]
	}
	/^# selftests: / { start = now() }
	{ print; fflush() }
	/^(not )?ok [0-9]+ selftests: / {
		sub(/^.*selftests: /, "")
		sub(/ #.*/, "")
		printf "# time: %s: %.1f s\n", $0, now() - start
		fflush()
	}'
}

# Add what $log says about mode $1 to the totals, and a line to the table.
add_up() {
	passed=$(grep -E '^# ok ' "$log" | grep -vc '# SKIP')
	skipped=$(count '^# ok .*# SKIP')
	failed=$(count '^# not ok ')
	# A program that died says "not ok" without a test that says so.
	died=$(count '^not ok .*(TIMEOUT|exit=([2-9]|[1-9][0-9]))')
	missing=$(count '^# Warning: file |^not ok .* # mode')
	failed=$((failed + died + missing))
	printf '# %-10s %8d %8d %8d\n' "${1:--}" "$passed" "$failed" "$skipped" >>"$work/table"
	all_passed=$((all_passed + passed))
	all_failed=$((all_failed + failed))
	all_skipped=$((all_skipped + skipped))
	! grep -q '^not ok ' "$log" || bad=1
}

# set_mode MODE: true when VMs created from now on have it.
set_mode() {
	{ echo "$1" >"$parameter"; } 2>/dev/null && [ "$(cat "$parameter")" = "$1" ]
}

# The programs of "$@" that run in mode $mode, as links in a folder that is the mode's name:
# the runner names folder and program.
links() {
	mkdir -p "$BASE_DIR/$mode"
	for t in "$@"; do
		only=$(sed -n "s/^${t}[[:space:]]\+\([^[:space:]]*\).*/\1/p" modes)
		case ,$only, in
		,, | *,$mode,*) ;;
		,first,) [ "$mode" = "$first" ] || continue ;;
		*) continue ;;
		esac
		ln -sf "$BASE_DIR/$t" "$BASE_DIR/$mode/$t"
		printf ' %s' "$BASE_DIR/$mode/$t"
	done
}

# One line of TAP that has no program: refuse NAME.
refuse() {
	printf 'TAP version 13\n1..1\nnot ok 1 selftests: %s # mode\n' "$1"
}

run_mode() {
	mode=$1
	shift
	export UMBRA_MMU="$mode"
	if ! set_mode "$mode"; then
		refuse "$mode: cannot be set"
		return
	fi
	paths=$(links "$@")
	if [ -z "$paths" ]; then
		printf 'TAP version 13\n1..1\n# selftests: %s: none\n' "$mode"
		echo "# ok 1 # SKIP nothing for this mode, see selftests/modes"
		echo "ok 1 selftests: $mode: none"
		return
	fi
	# shellcheck disable=SC2086 # one word for each program
	(cd "$BASE_DIR/$mode" && run_many $paths)
}

# A mode that cannot be here must not be offered.
check_absent() {
	printf 'TAP version 13\n1..1\n# selftests: absent: %s\n# 1..1\n' "$1"
	if [ ! -e "$parameter" ] || { echo "$1" >"$parameter"; } 2>/dev/null; then
		printf '# not ok 1 %s is refused\nnot ok 1 selftests: absent: %s # exit=1\n' "$1" "$1"
	else
		printf '# ok 1 %s is refused\nok 1 selftests: absent: %s\n' "$1" "$1"
	fi
}

all_passed=0 all_failed=0 all_skipped=0 bad=0
log=$work/log
if [ -z "${UMBRA_MODES-}" ]; then
	paths=
	for t in "$@"; do
		paths="$paths $BASE_DIR/$t"
	done
	# shellcheck disable=SC2086 # one word for each program
	run_many $paths | with_times | tee "$log"
	add_up ''
else
	first=${UMBRA_MODES%% *}
	# Whoever counts must know of a mode that was never reached.
	echo "# modes: $UMBRA_MODES"
	for m in $UMBRA_MODES; do
		run_mode "$m" "$@" | with_times | tee "$log"
		add_up "$m"
	done
	for m in ${UMBRA_ABSENT-}; do
		check_absent "$m" | tee "$log"
		add_up "no $m"
	done
	echo "# mode         passed   failed  skipped"
	cat "$work/table"
fi
echo "# selftests: $all_passed passed, $all_failed failed, $all_skipped skipped"
[ "$bad" = 0 ] && [ "$((all_passed + ${UMBRA_PART:-0}))" -gt 0 ]
