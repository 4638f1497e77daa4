#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: in-lab.sh HYPERVISOR PLAN
#
# The part of run-in-lab that runs in the emulated host. Each line of PLAN is a mode of Umbra's
# MMU (ignored on kvm) and the arguments of qemu_test; each gets one line of TAP.

hypervisor=$1
plan=$2
here=$(dirname "$0")
parameter=/sys/module/umbra/parameters/mmu
number=0
bad=0

# QEMU 7.2 opens /dev/kvm and nothing else.
if [ "$hypervisor" != kvm ]; then
	if [ -e /dev/kvm ]; then
		echo "Bail out! there is another /dev/kvm"
		exit 1
	fi
	ln -s "$hypervisor" /dev/kvm
fi

set_mode() {
	[ "$hypervisor" = kvm ] ||
		{ { echo "$1" >"$parameter"; } 2>/dev/null && [ "$(cat "$parameter")" = "$1" ]; }
}

export QEMU_FOLDER="$here/guest"
echo "1..$(wc -l <"$plan")"
while read -r mode arguments; do
	number=$((number + 1))
	start=$(cut -d. -f1 /proc/uptime)
	echo "# $mode: $arguments"
	# shellcheck disable=SC2086 # arguments are words
	if set_mode "$mode" && "$here/qemu_test" $arguments </dev/null; then
		echo "ok $number $mode: $arguments"
	else
		echo "not ok $number $mode: $arguments"
		bad=1
	fi
	echo "# time: $(($(cut -d. -f1 /proc/uptime) - start)) s"
done <"$plan"
exit "$bad"
