#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run one of KVM's selftests as a kselftest of one case, under whose name this is called: what
# the program says goes into comments that no counter of TAP reads. Only success passes: a program
# that skips itself says that something is missing. Called as left_out, name what does not run,
# and why, a skipped case each. The table lies beside this as programs, what it names is in bin.

name=$(basename "$0")
here=$(dirname "$(readlink -f "$0")")

if [ "$name" = left_out ]; then
	exec awk -F'\t' '!/^#/ && $2 == "out" { text[++n] = $1 " # SKIP " $4 }
	END {
		print "1.." n
		for (i = 1; i <= n; i++)
			print "ok", i, text[i]
	}' "$here/programs"
fi

echo 1..1
args=$(grep "^$name	" "$here/programs" | cut -f3)
[ "$args" != - ] || args=
# The emulated host's CPUs take turns of a tenth of a second, longer than this one waits.
[ "$name" != xapic_ipi_test ] || on="taskset 1"
# Their guests run VMRUN, which Umbra offers on request only.
nested=/sys/module/umbra/parameters/nested
case $name in
nested_* | svm_* | triple_fault_event_test) [ -e "$nested" ] || nested= ;;
*) nested= ;;
esac
[ -z "$nested" ] || echo Y >"$nested"
# shellcheck disable=SC2086 # words
$on "$here/bin/$name" $args >"/tmp/$name.out" 2>&1 </dev/null
status=$?
[ -z "$nested" ] || echo N >"$nested"
sed 's/^/| /' "/tmp/$name.out"
rm -f "/tmp/$name.out"
[ "$status" != 4 ] || echo "| it skipped itself"
[ "$status" = 0 ] || not="not "
echo "${not}ok 1 $name${args:+ $args}"
[ "$status" = 0 ]
