#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What "umbra run --kernel" refuses, before it opens any device: options that do not fit,
# files that are no kernel, too little memory.

# shellcheck source=selftests/vmm/linux/boot.sh
. "$(dirname "$0")/boot.sh"
plan 27

kernel=$LINUX/vmlinuz
bad=$work/bad

# No device is there: had all been right, the status would be 101.
try() {
	tool run --device "$work/none" "$@"
}

try --kernel "$kernel" --initrd "$LINUX/initrd" --disk "$LINUX/disk"
expect "a good kernel is not refused" 101 err 'is not there'

try --initrd "$LINUX/initrd" "$GUESTS/real.bin"
expect "--initrd without a kernel" 100 err 'want --kernel'
try --append x "$GUESTS/real.bin"
expect "--append without a kernel" 100 err 'want --kernel'
try --disk "$LINUX/disk" "$GUESTS/real.bin"
expect "--disk without a kernel" 100 err 'want --kernel'
try --no-reboot "$GUESTS/real.bin"
expect "--no-reboot without a kernel" 100 err 'want --kernel'
try --console serial "$GUESTS/real.bin"
expect "--console without a kernel" 100 err 'want --kernel'
try --kernel "$kernel" "$GUESTS/real.bin"
expect "a kernel and a guest" 100 err 'beside --kernel'
try --kernel "$kernel" --mode long
expect "--mode with a kernel" 100 err 'flat images'
try --kernel "$kernel" --console vga
expect "a console there is not" 100 err 'serial or virtio'
try --kernel "$kernel" --disk 1 --disk 2 --disk 3 --disk 4 --disk 5
expect "more disks than there can be" 100 err 'more than 4'
try
expect "neither kernel nor guest" 100 err 'is wanted'

try --kernel "$work/missing"
expect "no such kernel" 102 err 'No such file'
try --kernel "$GUESTS/long64.elf"
expect "an ELF file" 102 err 'not a bzImage'
try --kernel "$GUESTS/real.bin"
expect "a short file" 102 err 'too short|not a bzImage'
head -c 4096 "$kernel" >"$bad"
try --kernel "$bad"
expect "a kernel cut off in its setup code" 102 err 'cut off'
try --kernel "$kernel" --initrd "$work/missing"
expect "no such initrd" 102 err 'No such file'
try --kernel "$kernel" --initrd "$LINUX/initrd" --mem 64M
expect "too little memory for the kernel" 102 err 'needs memory from 16 to'
try --kernel "$kernel" --initrd "$LINUX/disk" --mem 90M
expect "too little memory for the initrd" 102 err 'not enough for an initrd'
try --kernel "$kernel" --append "$(printf '%5000d' 1)"
expect "a command line that is too long" 102 err 'command line is longer'
try --kernel "$kernel" --disk "$work/missing"
expect "no such disk" 102 err 'No such file'
try --kernel "$kernel" --disk "$work"
expect "a folder as a disk" 102 err 'disk .*:'
try --kernel "$kernel" --disk "$work,ro"
expect "a folder as a disk for reading" 102 err 'not a file or block device'
: >"$bad"
try --kernel "$kernel" --disk "$bad"
expect "an empty disk" 102 err '512 bytes or more'

# patched NAME REGEX OFFSET BYTES: the setup header with something else there
patched() {
	cp "$kernel" "$bad"
	# shellcheck disable=SC2059 # a format on purpose
	printf "$4" | dd of="$bad" bs=1 seek="$3" conv=notrunc 2>/dev/null
	try --kernel "$bad"
	expect "$1" 102 err "$2"
}

patched "an old boot protocol" '2.12 or later' 518 '\013\002'
patched "no 64-bit entry" '64-bit kernel' 566 '\000'
patched "a kernel for the first MiB" 'cannot be' 600 '\000\000\001\000'
patched "a kernel for the end of addresses" 'needs memory' 600 '\000\360\377\377\377\377\377\377'

finish
