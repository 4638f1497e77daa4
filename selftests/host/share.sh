#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# One machine, two hypervisors: whoever has guests owns the processors, the other one is
# refused and gets its turn later. Then loading and unloading, and what is left behind.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

modprobe msr
modprobe kvm-amd
insmod "$module"
check "KVM and Umbra are loaded together" \
	"$(ls /dev/kvm /dev/umbra 2>/dev/null)" "$(printf '/dev/kvm\n/dev/umbra')"
check "neither has turned SVM on" "$(svme)" 0

guest_start /dev/kvm
check "a guest of KVM turns SVM on everywhere" "$(svme)" "$(nproc)"
forget
create_vm /dev/umbra
check "under it Umbra creates no VM" \
	"$vm_status $(grep -c 'taken by another hypervisor' /tmp/vm)" "101 1"
check "and says so in the kernel log" \
	"$(logged "umbra: $(nproc) CPU(s) are in use by another hypervisor")" yes
check "SVM stays on for KVM" "$(svme)" "$(nproc)"
guest_end
check "the guest of KVM has noticed nothing" "$guest_status" 42
create_vm /dev/umbra
check "after it Umbra runs guests" "$vm_status" 0

guest_start /dev/umbra
check "a guest of Umbra turns SVM on everywhere" "$(svme)" "$(nproc)"
create_vm /dev/kvm
check "under it KVM creates no VM" \
	"$vm_status $(grep -c 'taken by another hypervisor' /tmp/vm)" "101 1"
rmmod umbra 2>/dev/null && status=0 || status=1
check "under it umbra.ko does not unload" "$status $(grep -c '^umbra ' /proc/modules)" "1 1"
check "SVM stays on for Umbra" "$(svme)" "$(nproc)"
guest_end
check "the guest of Umbra has noticed nothing" "$guest_status" 42
check "its end turns SVM off everywhere" "$(svme)" 0
create_vm /dev/kvm
check "after it KVM runs guests" "$vm_status" 0
rmmod kvm_amd
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
check "and left SVM off" "$(svme)" 0
check "and no device" "$(ls /dev/umbra 2>/dev/null)" ""

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
