#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every tiny guest runs, says so, and ends with status 0 by its own judgement: in each mode
# of the MMU that the device offers.

# shellcheck source=selftests/vmm/tap.sh
. "$(dirname "$0")/tap.sh"
modes=$(mmu_modes)
# shellcheck disable=SC2086 # a word for each mode
set -- ${modes:-its}
plan $((17 * $#))

# guest NAME REGEX [ARG...]
guest() {
	name=$1 regex=$2
	shift 2
	# shellcheck disable=SC2086 # two words or none
	run ${modes:+--mmu $mode} "$@"
	expect "guest $name in $mode mode" 0 out "$regex"
}

for mode; do
	guest real 'real: all right' "$GUESTS/real.bin"
	guest prot32 '20! = 2432902008176640000$' "$GUESTS/prot32.elf"
	guest prot32-flat '20! = 2432902008176640000$' --mode protected "$GUESTS/prot32.bin"
	guest paging32 'page faults as expected: 3$' "$GUESTS/paging32.elf"
	guest pae 'page faults as expected: [12]$' "$GUESTS/pae.elf"
	guest long64 'upper registers are right$' "$GUESTS/long64.elf"
	guest long64-flat 'upper registers are right$' --mode long --load 0x100000 "$GUESTS/long64.bin"
	guest traps32 'events in all: 16$' "$GUESTS/traps32.elf"
	guest traps64 'events in all: 17$' "$GUESTS/traps64.elf"
	guest mmio32 'sent by one REP OUTSB$' "$GUESTS/mmio32.elf"
	guest mmio64 'sent by one REP OUTSB$' "$GUESTS/mmio64.elf"
	guest multiboot-elf "command line 'one two  three'$" "$GUESTS/mboot.elf" one 'two ' three
	guest multiboot-flat "command line '--cpus 9'$" "$GUESTS/mboot.bin" --cpus 9
	guest cpuid 'TSC ticks per exit [1-9][0-9]*$' "$GUESTS/cpuid.elf" 50
	guest sieve 'last ones: 16777213 16777199 16777183 16777153 16777141$' "$GUESTS/sieve.elf"
	guest smp-2 'sum of 1 to 200000 is 20000100000$' --cpus 2 "$GUESTS/smp.elf"
	guest smp-4 'woken by interrupt: 3$' --cpus 4 "$GUESTS/smp.elf"
done

finish
