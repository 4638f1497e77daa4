#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Suspend with a guest that runs across it: as a rehearsal down to the last processor,
# and really, to memory, with the real-time clock to wake the machine. And what the
# device of a loaded umbra.ko looks like.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

rule=$(sed -n 's/.*GROUP="\(.*\)", MODE="0\(.*\)".*/root:\1 \2/p' "$here"/60-umbra.rules)
check "the device belongs to whom the udev rule says" "$(stat -c '%U:%G %a' /dev/umbra)" \
	"$rule"
check "which is root and the group kvm" "$rule" "root:kvm 660"
grep -q '^KERNEL=="umbra", SUBSYSTEM=="misc",' "$here"/60-umbra.rules && found=yes || found=no
check "the rule names the device" \
	"$found $(basename "$(readlink /sys/class/misc/umbra/subsystem)")" "yes misc"

alarm=/sys/class/rtc/rtc0/wakealarm
modprobe msr
# sleep_once WHAT REGEX COMMAND...: run it while a guest works; REGEX is for the kernel log.
sleep_once() {
	what=$1
	trace=$2
	shift 2
	guest_start /dev/umbra
	forget
	if "$@" 2>/tmp/error; then
		check "$what: the machine was suspended" "$(logged "$trace")" yes
		check "$what: all but one processor were off" "$(logged 'CPU 1 is now offline')" yes
		check "$what: the guest still runs" "$(guest_runs)" yes
		check_on "$what: $extension is on everywhere" "$(nproc)"
	else
		for case in "the machine was suspended" "all but one processor were off" \
			"the guest still runs"; do
			skip "$what: $case" "$(head -n 1 /tmp/error)"
		done
		[ $extension = VMX ] ||
			skip "$what: $extension is on everywhere" "$(head -n 1 /tmp/error)"
	fi
	guest_end
	check "$what: the guest has lost nothing" "$guest_status" 42
	check_on "$what: its end turns $extension off" 0
}

rehearse() {
	echo core >/sys/power/pm_test || return 1
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	status=0
	echo mem >/sys/power/state || status=1
	echo none >/sys/power/pm_test
	return $status
}

to_memory() {
	grep -q deep /sys/power/mem_sleep || { echo "no S3 in this machine" >&2; return 1; }
	[ -w $alarm ] || { echo "no clock that can wake this machine" >&2; return 1; }
	echo deep >/sys/power/mem_sleep
	echo +3 >$alarm
	echo mem >/sys/power/state
}

sleep_once "rehearsed suspend" "suspend debug: Waiting for" rehearse
sleep_once "suspend to memory" "Waking up from system sleep state S3" to_memory
create_vm /dev/umbra
check "new guests run afterwards" "$vm_status" 0
