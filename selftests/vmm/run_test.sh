#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# "umbra run": exit statuses, options, standard input, JSON report, and what it says
# when a guest or the host fails.

# shellcheck source=selftests/vmm/tap.sh
. "$(dirname "$0")/tap.sh"
plan 61

misc=$GUESTS/misc.elf

for value in 0 7 99; do
	run "$misc" exit "$value"
	expect "the guest's status $value is the tool's" "$value"
done
run "$misc" exit 300
expect "a status above 99 becomes 99" 99

run "$misc" halt
expect "HLT with interrupts off by the last vCPU ends the run" 107 err 'interrupts off' \
	err 'vCPU 0 at 0008:'
run "$misc" wait
expect "HLT with interrupts on and none to come ends the run" 107 err 'interrupts on'
run "$misc" triple
expect "a triple fault is a shutdown" 104 err 'shut down' err 'CR0 ' err 'CS  '
run "$misc" fetch
expect "an internal error is decoded, with registers" 106 err 'internal error [0-9]' \
	err 'RIP 00000000d0000100' err 'CS   0008'
tool run --device "$DEVICE" --timeout 1 "$misc" hang
expect "a time limit ends the run and shows where it was" 103 out 'hangs now' \
	err 'no end after 1 seconds' err 'vCPU 0 at 0008:[0-9a-f]+  jmp '

terminate 'hangs now' run --device "$DEVICE" --timeout "$LIMIT" "$misc" hang
expect "SIGTERM ends the run" 108 err 'ended by Terminated'

# This shell is the reader, and never reads. What a guest prints does not fill a pipe in time.
mkfifo "$work/pipe"
exec 5<>"$work/pipe"
head -c 65536 /dev/zero >&5
timeout -s KILL "$LIMIT" "$UMBRA" run --device "$DEVICE" --timeout 2 "$misc" hang \
	>"$work/pipe" 2>"$work/err" </dev/null
status=$?
exec 5<&-
expect "a time limit ends a guest whose output nobody reads" 103 err 'no end after 2 seconds'

printf 'first\nsecond line\n\n' |
	"$UMBRA" run --device "$DEVICE" --timeout "$LIMIT" "$misc" echo >"$work/out" 2>"$work/err"
status=$?
expect "the serial port reads standard input" 0 out '^echo: first$' out '^second line$'

run --mem 32 "$GUESTS/prot32.elf"
expect "--mem is what the guest has" 0 out 'memory checked, MiB: 32$'
run --mem 3G "$GUESTS/prot32.elf"
expect "the most memory there can be" 0 out 'memory checked, MiB: 3072$'
run --mem 8M "$GUESTS/sieve.elf"
expect "a guest larger than its memory is refused" 102 err 'do not fit'
run "$GUESTS/smp.elf"
expect "one vCPU unless told" 2 out 'wants --cpus 2 to 64, has 1'
run --cpus 8 "$GUESTS/smp.elf"
expect "eight vCPUs" 0 out 'vCPUs running: 8$'

run --json --cpus 2 "$GUESTS/smp.elf"
expect_json "JSON of a good run" 0 status '^0$' ended_by '^guest$' cpus '^2$' \
	guest_value '^0$' mode '^long$' device "^$DEVICE\$" vcpus.0.exits.io '^[1-9]' \
	vcpus.1.exits.hlt '^[1-9]' console 'vCPUs running: 2.nsmp: sum' \
	console_truncated '^false$'
run --json "$misc" fetch
expect_json "JSON of an internal error" 106 status '^106$' ended_by '^internal-error$' \
	vcpus.0.suberror '^[0-9]' vcpus.0.registers.rip '^0xd0000100$' \
	vcpus.0.exits.internal-error '^1$'
run --json "$misc" bytes
expect_json "JSON carries every byte of the console" 0 vcpus.0.exits.io '^257$' \
	console '^.u0000.u0001.*xyz'
run --json "$misc" exit 300
expect_json "JSON has the guest's full value" 99 guest_value '^300$'
tool run --json --timeout 1 --device "$DEVICE" "$misc" hang
expect_json "JSON of a timeout" 103 ended_by '^timeout$' vcpus.0.instruction '^jmp'
tool run --json --device "$work/none" "$misc"
expect_json "JSON of a missing device" 101 status '^101$' ended_by '^host$'

tool run --device "$work/umbra" "$misc"
expect "a missing device names module and remedy" 101 \
	err 'not there: load the module .modprobe umbra.'
tool run --device "$work/kvm" "$misc"
expect "a missing KVM names KVM's module" 101 err 'modprobe kvm_(amd|intel)'
tool run --device /dev/null "$misc"
expect "a device that is no hypervisor is refused" 101 err '/dev/null is not a KVM-like'

if [ -n "${UMBRA_LAB:-}" ]; then
	mode=$(stat -c %a "$DEVICE")
	chmod 0600 "$DEVICE"
	chmod go+x /
	start-stop-daemon -S -c 65534:65534 -x "$(realpath "$UMBRA")" -- \
		run --device "$DEVICE" "$(realpath "$misc")" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	chmod "$mode" "$DEVICE"
	expect "a device without permission says so" 101 err "no permission for $DEVICE"
else
	skip "a device without permission says so" "changes the device's mode: lab only"
fi

modes=$(mmu_modes)
run --stats "$misc" exit 0
expect "--stats prints what was counted" 0 err '^counter +(nested|shadow|vtlb|kvm_[a-z]*)$' \
	err '^exits +[1-9][0-9]*$'
run "$misc" exit 0
if grep -q counter "$work/err"; then
	not_ok "no counters unless asked for" "there are"
else
	ok "no counters unless asked for"
fi
run --json --stats --cpus 2 "$GUESTS/smp.elf"
expect_json "JSON has the counters of VM and vCPUs" 0 stats.remote_tlb_flush_requests '^[0-9]' \
	vcpus.0.stats.exits '^[1-9]' vcpus.1.stats.exits '^[1-9]'

if [ -z "$modes" ]; then
	run --mmu shadow "$misc" exit 0
	expect "KVM has no modes to choose from" 101 err '--mmu: .* no MMU modes .*: KVM has one for all'
	run --json --mmu all "$misc" exit 0
	expect_json "KVM has not all modes either" 101 ended_by '^host$'
	for name in "each mode" "JSON" "vtlb" "all" "JSON of all" "all fail" \
		"parameter"; do
		skip "--mmu: $name" "KVM has no modes"
	done
else
	first=${modes%% *}
	bad=
	for mode in nested shadow vtlb; do
		run --mmu "$mode" "$misc" exit 7
		case " $modes " in
		*" $mode "*) [ "$status" = 7 ] && grep -qE "^counter +$mode\$" "$work/err" ;;
		*) [ "$status" = 101 ] && grep -q 'does not offer that' "$work/err" ;;
		esac || bad="$bad $mode"
	done
	if [ -z "$bad" ]; then
		ok "--mmu: modes run that are offered, others are refused"
	else
		not_ok "--mmu: modes run that are offered, others are refused" "not so:$bad"
	fi
	run --json --mmu shadow "$GUESTS/paging32.elf"
	expect_json "--mmu: JSON names mode and counters" 0 mmu '^shadow$' \
		stats.mmu_pages_made '^[1-9]' vcpus.0.stats.mmu_faults_hidden '^[1-9]'
	run --json --mmu vtlb "$GUESTS/paging32.elf"
	expect_json "--mmu vtlb counts what that mode does" 0 mmu '^vtlb$' \
		stats.mmu_vtlb_fills '^[1-9]' vcpus.0.stats.mmu_writes_traced '^0$'
	# A guest without paging would run on EPT in every mode.
	run --mmu all "$GUESTS/paging32.elf"
	expect "--mmu all runs in one mode after the other" 0 err "^umbra: MMU mode $first:" \
		err '^umbra: MMU mode vtlb:' err "^counter( +[a-z]+)* +shadow +vtlb\$" \
		err '^mmu_vtlb_fills( +[0-9]+)* +0 +[1-9][0-9]*$'
	run --mmu all "$misc" exit 3
	expect "--mmu all has the guest's status" 3
	run --json --mmu all --cpus 2 "$GUESTS/smp.elf"
	expect_json "--mmu all: one document of all runs" 0 status '^0$' runs.0.mmu "^$first\$" \
		runs.0.vcpus.1.stats.exits '^[1-9]' runs.1.status '^0$'
	tool run --device "$DEVICE" --timeout 1 --mmu all "$misc" hang
	expect "--mmu all: each has its time limit" 103 out 'hangs now' \
		err '^umbra: MMU mode vtlb:' err '^exits +[1-9]'
	parameter=/sys/module/umbra/parameters/mmu
	preset=$(cat $parameter)
	run --json "$misc" exit 0
	expect_json "without --mmu the module decides" 0 mmu "^$preset\$"
	if [ -n "${UMBRA_LAB:-}" ]; then
		echo vtlb >$parameter
		run --json "$misc" exit 0
		echo "$preset" >$parameter
		expect_json "the module's parameter decides" 0 mmu '^vtlb$'
	else
		skip "the module's parameter decides" "changes the parameter: lab only"
	fi
fi

tool run
expect "no guest: usage" 100 err 'a guest image is wanted'
for arg in --mem=0 --mem=4G --mem=x --mem=1025K --cpus=0 --cpus=65 --timeout=0 --timeout=x \
	--mode=virtual --load=-1 --load=0xg --mmu=x --mmu= --mmu=shadow,vtlb --unknown; do
	tool run $arg "$misc"
	expect "run $arg: usage" 100 err 'umbra run'
done
tool
expect "no command: usage" 2 err 'a command is wanted'
tool fly
expect "unknown command: usage" 2 err "no command 'fly'"
tool --version
expect "--version" 0 out '^umbra [0-9]'
for command in '' run check; do
	# shellcheck disable=SC2086 # none or one word
	tool $command --help
	expect "umbra $command --help" 0 out 'Usage: umbra'
done

finish
