#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# One machine, two hypervisors: whoever has guests owns the processors, the other one is
# refused and gets its turn later. Then loading and unloading, and what is left behind.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

modprobe msr
# shellcheck disable=SC2086 # a name and parameters
modprobe $kvm
insmod "$module"
check "KVM and Umbra are loaded together" \
	"$(ls /dev/kvm /dev/umbra 2>/dev/null)" "$(printf '/dev/kvm\n/dev/umbra')"
check_on "neither has turned $extension on" 0

guest_start /dev/kvm
check_on "a guest of KVM turns $extension on everywhere" "$(nproc)"
forget
create_vm /dev/umbra
check "under it Umbra creates no VM" \
	"$vm_status $(grep -c 'taken by another hypervisor' /tmp/vm)" "101 1"
check "and says so in the kernel log" \
	"$(logged "umbra: $(nproc) CPU(s) are in use by another hypervisor")" yes
check_on "$extension stays on for KVM" "$(nproc)"
guest_end
check "the guest of KVM has noticed nothing" "$guest_status" 42
create_vm /dev/umbra
check "after it Umbra runs guests" "$vm_status" 0

guest_start /dev/umbra
check_on "a guest of Umbra turns $extension on everywhere" "$(nproc)"
create_vm /dev/kvm
check "under it KVM creates no VM" \
	"$vm_status $(grep -c 'taken by another hypervisor' /tmp/vm)" "101 1"
rmmod umbra 2>/dev/null && status=0 || status=1
check "under it umbra.ko does not unload" "$status $(grep -c '^umbra ' /proc/modules)" "1 1"
check_on "$extension stays on for Umbra" "$(nproc)"
guest_end
check "the guest of Umbra has noticed nothing" "$guest_status" 42
check_on "its end turns $extension off everywhere" 0
create_vm /dev/kvm
check "after it KVM runs guests" "$vm_status" 0
rmmod "$(echo "${kvm%% *}" | tr - _)"
rmmod umbra

good=0
for i in $(seq 20); do
	insmod "$module" || break
	[ "$i" != 7 ] || create_vm /dev/umbra
	rmmod umbra || break
	good=$i
done
check "20 times loaded and unloaded" "$good" 20
check "which ran a guest, too" "$vm_status" 0
check_on "and left $extension off" 0
check "and no device" "$(ls /dev/umbra 2>/dev/null)" ""
# shellcheck disable=SC2086 # a name and parameters
modprobe $kvm
create_vm /dev/kvm
check "and the processors to KVM" "$vm_status" 0

if [ $extension = VMX ]; then
	for what in "umbra.ko does not load" "the kernel log says why"; do
		skip "disabled by firmware: $what" "the emulator's firmware locks VT-x on"
	done
	exit
fi
# Firmware that disables SVM sets VM_CR.SVMDIS, which no longer can be cleared then.
vm_cr=$((0xc0010114))
printf '\030\0\0\0\0\0\0\0' >/tmp/disabled
dd if=/tmp/disabled of=/dev/cpu/0/msr bs=4 seek=$((vm_cr / 4)) 2>/dev/null
dis=$(dd if=/dev/cpu/0/msr bs=4 skip=$((vm_cr / 4)) count=2 2>/dev/null |
	hexdump -n 4 -e '1/4 "%u"')
if [ $((${dis:-0} & 0x10)) = 0 ]; then
	for what in "umbra.ko does not load" "the kernel log says why"; do
		skip "disabled by firmware: $what" "the emulator keeps nothing in VM_CR"
	done
	exit
fi
forget
error=$(taskset 1 insmod "$module" 2>&1) && status=0 || status=1
check "disabled by firmware: umbra.ko does not load" "$status ${error##*: }" \
	"1 Operation not supported"
check "disabled by firmware: the kernel log says why" \
	"$(logged 'umbra: AMD-V is disabled by firmware')" yes
