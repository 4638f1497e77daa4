#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# "umbra run --kernel" boots Debian's stock kernel from a disk to user space with 1, 2 and 4
# vCPUs, in each mode of the MMU that the device offers, and it powers off.

# shellcheck source=selftests/vmm/linux/boot.sh
. "$(dirname "$0")/boot.sh"
modes=$(mmu_modes)
# shellcheck disable=SC2086 # a word for each mode
set -- ${modes:-its}
plan $((4 * $#))

for mode; do
	for cpus in 1 2 4; do
		fresh_disk
		# shellcheck disable=SC2086 # two words or none
		boot work ${modes:+--mmu $mode} --cpus $cpus --disk "$disk"
		expect "$cpus vCPUs from a disk in $mode mode" 0 out 'root file system /dev/vda ext4' \
			out "guest: $cpus CPUs, [0-9]+ kB, 20[0-9][0-9]" \
			out 'serial umbra-disk-0' out 'random numbers from virtio_rng' \
			out '^virtio console says hello' out 'guest: work done' out 'Power down'
	done
	# shellcheck disable=SC2086 # two words or none
	boot work ${modes:+--mmu $mode} --cpus 2 --mem 256M
	expect "without a disk in $mode mode" 0 out 'guest: 2 CPUs, 2[0-9]{5} kB' \
		out 'guest: work done'
done

finish
