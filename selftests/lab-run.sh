#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run kselftests with the kernel's own runner: inside the emulated host, where busybox's
# shell is all there is, or on a real machine. One TAP line for each program, the lines of
# its tests as comments before it, totals over all tests at the end.
#
# usage: $0 FOLDER [TEST...]
# FOLDER holds the programs and kselftest/runner.sh; without TEST all of *_test run.
# Exit status: 0 all passed or skipped, 1 otherwise.

BASE_DIR=$(realpath "$1") || exit 1
shift
cd "$BASE_DIR" || exit 1
[ $# -gt 0 ] || set -- *_test

: "${UMBRA_DEVICE:=/dev/umbra}"
export UMBRA_DEVICE
if [ ! -c "$UMBRA_DEVICE" ]; then
	echo "Bail out! no device $UMBRA_DEVICE"
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck source=/dev/null
. ./kselftest/runner.sh
export kselftest_default_timeout="${UMBRA_TEST_TIMEOUT:-300}"

paths=
for t in "$@"; do
	paths="$paths $BASE_DIR/$t"
done
# shellcheck disable=SC2086 # one word for each program
run_many $paths | tee "$log"

count() {
	grep -cE "$1" "$log"
}
passed=$(grep -E '^# ok ' "$log" | grep -vc '# SKIP')
skipped=$(count '^# ok .*# SKIP')
failed=$(count '^# not ok ')
# A program that died says "not ok" without a test that says so.
died=$(count '^not ok .*(TIMEOUT|exit=([2-9]|[1-9][0-9]))')
missing=$(count '^# Warning: file ')
echo "# selftests: $passed passed, $((failed + died + missing)) failed, $skipped skipped"
! grep -q '^not ok ' "$log" && [ "$passed" -gt 0 ]
