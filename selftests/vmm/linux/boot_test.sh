#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# "umbra run --kernel" boots Debian's stock kernel from a disk to user space with 1, 2 and 4
# vCPUs, in each mode of the MMU that the device offers, and it powers off. In modes behind the
# first one only with 2, unless BOOT_ALL is set.

# shellcheck source=selftests/vmm/linux/boot.sh
. "$(dirname "$0")/boot.sh"
modes=$(mmu_modes)
# shellcheck disable=SC2086 # a word for each mode
set -- ${modes:-its}
if [ -n "$BOOT_ALL" ]; then
	plan $((4 * $#))
else
	plan $((4 + $# - 1))
fi

numbers='1 2 4'
for mode; do
	for cpus in $numbers; do
		fresh_disk
		# shellcheck disable=SC2086 # two words or none
		boot work ${modes:+--mmu $mode} --cpus $cpus --disk "$disk"
		expect "$cpus vCPUs from a disk in $mode mode" 0 out 'root file system /dev/vda ext4' \
			out "guest: $cpus CPUs, [0-9]+ kB, 20[0-9][0-9]" \
			out 'serial umbra-disk-0' out 'random numbers from virtio_rng' \
			out '^virtio console says hello' out 'guest: work done' out 'Power down'
	done
	[ "$numbers" != 2 ] || continue
	# shellcheck disable=SC2086 # two words or none
	boot work ${modes:+--mmu $mode} --cpus 2 --mem 256M
	expect "without a disk in $mode mode" 0 out 'guest: 2 CPUs, 2[0-9]{5} kB' \
		out 'guest: work done'
	[ -n "$BOOT_ALL" ] || numbers=2
done

finish
