#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Broken and hostile guest images are refused with status 102 and a reason, before
# any device is opened. Images are made from good ones by changing bytes.

# shellcheck source=selftests/vmm/tap.sh
. "$(dirname "$0")/tap.sh"
plan 48

good=$GUESTS/long64.elf
bad=$work/bad

# ELF64: offsets of header fields, and of those of the first program header
TYPE=16 MACHINE=18 ENTRY=24 PHOFF=32 PHNUM=56
P_TYPE=64 P_OFFSET=72 P_PADDR=88 P_FILESZ=96 P_MEMSZ=104 PHDR_SIZE=56

# patch OFFSET BYTES: BYTES as for printf
patch() {
	# shellcheck disable=SC2059 # a format on purpose
	printf "$2" | dd of="$bad" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# No device is there: had the image passed, the status would be 101.
try() {
	tool run --device "$work/none" "$@"
}

# refused NAME REGEX [OFFSET BYTES]...
refused() {
	name=$1 regex=$2
	shift 2
	cp "$good" "$bad"
	while [ $# -ge 2 ]; do
		patch "$1" "$2"
		shift 2
	done
	try "$bad"
	expect "$name" 102 err "$regex"
}

cp "$good" "$bad"
try "$bad"
expect "the good image is not refused" 101 err 'is not there'

for size in 4 16 52 63 64 100 119; do
	head -c $size "$good" >"$bad"
	try "$bad"
	expect "ELF cut to $size bytes" 102 err "$bad: "
done
head -c 5000 "$good" >"$bad"
try "$bad"
expect "ELF cut within a segment" 102 err 'beyond the end of the file'

refused "ELF for another machine" 'another kind of machine' $MACHINE '\267\000'
refused "32-bit machine in a 64-bit file" 'another kind of machine' $MACHINE '\003\000'
refused "big-endian ELF" 'machine|broken' 5 '\002'
refused "relocatable ELF" 'not an executable' $TYPE '\001\000'
refused "shared ELF" 'not an executable' $TYPE '\003\000'
refused "no program headers" 'without program headers' $PHNUM '\000\000'
refused "program headers beyond the file" 'program header' $PHOFF '\000\000\000\177'
refused "program headers wrap" 'program header' $PHOFF '\360\377\377\377\377\377\377\377'
refused "more program headers than the file holds" 'program header' $PHNUM '\000\200'
refused "nothing to load" 'nothing to load' $P_TYPE '\004'
refused "wants an interpreter" 'dynamically linked' $P_TYPE '\003'
refused "contents beyond the file" 'beyond the end' $P_OFFSET '\000\000\000\020'
refused "offset wraps" 'beyond the end' $P_OFFSET '\377\377\377\377\377\377\377\377'
refused "larger in the file than in memory" 'larger in the file' $P_MEMSZ '\001\000\000\000'
refused "file size wraps" 'beyond the end|larger' $P_FILESZ '\377\377\377\377\377\377\377\377'
refused "out of memory's range" 'do not fit' $P_PADDR '\000\000\000\020'
refused "beyond 4 GiB" 'do not fit' $P_PADDR '\000\000\020\000\001'
refused "address wraps" 'do not fit' $P_PADDR '\000\360\377\377\377\377\377\377'
refused "memory size wraps" 'do not fit' $P_MEMSZ '\377\377\377\377\377\377\377\377'
refused "over the boot data" "overlap the VMM's boot data" $P_PADDR '\000\040\000'
refused "entry point elsewhere" 'entry point' $ENTRY '\000\000\000\001'

# A second program header, the same as the first, in the gap before the contents.
cp "$good" "$bad"
dd if="$good" of="$bad" bs=1 skip=$P_TYPE seek=$((P_TYPE + PHDR_SIZE)) count=$PHDR_SIZE \
	conv=notrunc 2>/dev/null
patch $PHNUM '\002\000'
try "$bad"
expect "overlapping segments" 102 err 'overlap'

: >"$bad"
try "$bad"
expect "an empty file" 102 err 'not a readable file'
try "$work"
expect "a folder" 102 err 'not a readable file'
try "$work/missing"
expect "no such file" 102 err 'No such file'
try /dev/zero
expect "a device" 102 err 'not a readable file'

try --mode long "$good"
expect "--mode with an ELF file" 102 err 'for flat images'
try --load 0x200000 "$GUESTS/mboot.bin"
expect "--load with a multiboot image" 102 err 'for flat images'
try --load 0x100000 "$GUESTS/real.bin"
expect "real mode above 1 MiB" 102 err 'first MiB'
try --load 0x12345 "$GUESTS/real.bin"
expect "real mode at an odd address" 102 err 'multiple of 16'
try --mode long --load 0xfffffffffffff000 "$GUESTS/long64.bin"
expect "flat image at the end of addresses" 102 err 'do not fit'
try --mode long --load 0x3ffff00 "$GUESTS/long64.bin"
expect "flat image over the end of memory" 102 err 'do not fit'
try --load 0x1800 "$GUESTS/real.bin"
expect "flat image over the boot data" 102 err "boot data"

# Multiboot: flags, checksum and addresses of the flat image's header at offset 0
good=$GUESTS/mboot.bin
refused "multiboot asks for a video mode" 'ask for more' 4 '\006' 8 '\370'
refused "multiboot loads over its own start" 'before the file|do not fit|entry' \
	16 '\000\000\020\001'
refused "multiboot ends before it begins" 'load_end_addr before' 20 '\000\000\001\000'
refused "multiboot .bss ends within the data" 'bss_end_addr before' 24 '\010\000\020\000'
refused "multiboot load end beyond the file" 'beyond the end' 20 '\000\000\000\002' \
	24 '\000\000\000\002'
head -c 20 "$good" >"$bad"
try "$bad"
expect "multiboot header cut off" 102 err 'cut off'

finish
