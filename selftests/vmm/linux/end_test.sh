#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# How a run of "umbra run --kernel" ends: status of the guest, reboot by every way, panic,
# time limit, signal, Ctrl-A x; and what a user types.

# shellcheck source=selftests/vmm/linux/boot.sh
. "$(dirname "$0")/boot.sh"
plan 15

boot status-7
expect "the guest's status is the tool's" 7

fresh_disk
run --kernel "$LINUX/vmlinuz" --initrd "$LINUX/initrd" --disk "$disk" --cpus 2 --json \
	--append "$(boot_words reboot-acpi)"
grep -q 'written by the guest' "$disk"
written=$?
expect_json "a reboot is another boot, with the disk as it was left" 0 reboots '^1$' \
	console 'guest: up again' detail 'powered off' cpus '^2$'
name="what the guest wrote is on the disk"
if [ "$written" -eq 0 ]; then ok "$name"; else not_ok "$name" "it is not"; fi

for how in acpi kbd; do
	fresh_disk
	boot "reboot-$how reboot=$how" --disk "$disk"
	expect "--no-reboot ends with a reboot by $how" 110 out 'guest: reboots' err 'rebooted by'
done
fresh_disk
boot "reboot-triple reboot=triple" --disk "$disk"
expect "a reboot by a triple fault is a shutdown" 104 out 'guest: reboots' err 'shut down'
boot panic
expect "a panic reboots" 110 out 'Kernel panic'

fresh_disk
before=$(md5sum <"$disk")
boot readonly --disk "$disk,ro"
expect "a disk that must not be written is read" 0 out 'guest: read only'
name="and it stays as it is"
if [ "$(md5sum <"$disk")" = "$before" ]; then ok "$name"; else not_ok "$name" "changed"; fi

tool run --device "$DEVICE" --timeout 3 --kernel "$LINUX/vmlinuz" --initrd "$LINUX/initrd" --cpus 2
expect "a time limit ends a kernel" 103 err 'no end after 3 seconds' err 'vCPU 1 at'

boot work --console virtio --append "console=hvc0 $WORDS umbra.do=work"
expect "the virtio console can be the kernel's" 0 out 'guest: work done'

# The marks the shell prints are not those that the terminal echoes, and nothing is typed
# ahead of a prompt or of "ready 2": the shell edits lines in raw mode, without an echo of the
# terminal's, which it leaves before a command runs. A line for cat is then seen twice: as the
# terminal's echo, and when cat has it.
# shellcheck disable=SC2016 # for the shell in the guest
typed wait:'2 CPUs' wait:'# ' 'type:echo sum $((40+2)) of $(nproc)\015' wait:'sum 42 of 2' \
	wait:'# ' 'type:echo ready $((1+1)); cat -v\015' wait:'ready 2' \
	'type:one \001a two\015' wait:'one ^A two' wait:'one ^A two' 'type:\003' wait:'# ' \
	'type:poweroff -f\015' -- \
	"$UMBRA" run --device "$DEVICE" --timeout "$LIMIT" --cpus 2 --kernel "$LINUX/vmlinuz" \
	--initrd "$LINUX/initrd" --append "$(boot_words shell)"
expect "a user types to a shell; Ctrl-C and Ctrl-A a are the guest's" 0

typed wait:'guest: waits' 'type:\001q' 'type:\001x' -- \
	"$UMBRA" run --device "$DEVICE" --timeout "$LIMIT" --cpus 2 --kernel "$LINUX/vmlinuz" \
	--initrd "$LINUX/initrd" --append "$(boot_words loop)"
expect "Ctrl-A x leaves, and the terminal is as before" 108 out 'ended by Ctrl-A x'

# shellcheck disable=SC2016 # for the shell in the guest
typed wait:'1 CPUs' wait:'# ' 'type:echo to the $((1+1))nd console\015' \
	wait:'to the 2nd console' 'type:\001x' -- \
	"$UMBRA" run --device "$DEVICE" --timeout "$LIMIT" --console virtio \
	--kernel "$LINUX/vmlinuz" --initrd "$LINUX/initrd" \
	--append "console=hvc0 $WORDS umbra.do=shell"
expect "a user types to the virtio console" 108

# A guest that was stopped in the middle leaves nothing behind.
terminate 'Linux version' run --device "$DEVICE" --cpus 4 --kernel "$LINUX/vmlinuz"
expect "SIGTERM ends a kernel with four vCPUs" 108 err 'ended by Terminated'

finish
