#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the tests of the umbra tool where the device is: TAP, each program's own lines as
# comments before its verdict.
#
# usage: run.sh [TEST...]; without TEST all of *_test.sh in the folder TESTS, by default the
# one it is in
# Environment: see tap.sh. Exit status: 0 all passed or skipped, 1 otherwise.

here=$(dirname "$0")
[ $# -gt 0 ] || set -- "${TESTS:-$here}"/*_test.sh

exec 4>&1
failed=0
number=0
echo "TAP version 13"
echo "1..$#"
for test in "$@"; do
	number=$((number + 1))
	name=$(basename "$test")
	echo "# selftests: vmm: $name"
	# The status must be the test's, not sed's.
	status=$({ { sh "$test" 2>&1; echo $? >&3; } | sed 's/^/# /' >&4; } 3>&1)
	if [ "$status" -eq 0 ]; then
		echo "ok $number selftests: vmm: $name"
	else
		echo "not ok $number selftests: vmm: $name # exit=$status"
		failed=1
	fi
done
exit $failed
