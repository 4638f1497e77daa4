#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# "umbra check": a line for each requirement, remedies, JSON, exit status.

# shellcheck source=selftests/vmm/tap.sh
. "$(dirname "$0")/tap.sh"
plan 14

tool check --device "$DEVICE"
expect "a host that runs guests says so" 0 out '^guests can run here$' \
	out '^yes +cpu-extension ' out '^yes +module ' out '^yes +device-node ' \
	out '^yes +permission ' out '^yes +api-version +API version 12' out '^yes +vm ' \
	out '^yes +other-hypervisor ' out 'firmware' out 'outer-hypervisor' \
	out '^(yes|no|unknown) +(npt|vpid) +.optional. '

bad=$(grep -vE '^(yes|no|unknown) +[a-z0-9-]+ .|^guests can run here$' "$work/out")
if [ -z "$bad" ]; then
	ok "every line is a verdict, a name and a text"
else
	not_ok "every line is a verdict, a name and a text" "$bad"
fi
bad=$(grep '^no ' "$work/out" | grep -v ' -- .')
if [ -z "$bad" ]; then
	ok "every no comes with a remedy"
else
	not_ok "every no comes with a remedy" "$bad"
fi

tool check --json --device "$DEVICE"
expect_json "JSON of a host that runs guests" 0 can_run '^true$' device "^$DEVICE\$" \
	findings.0.name '^cpu-extension$' findings.0.verdict '^yes$' findings.0.required '^true$'

tool check --device "$DEVICE"
case $DEVICE in
*/kvm) expect "KVM's mode is not told" 0 out '^unknown +mmu-modes +.optional. KVM' ;;
*) expect "the modes of the MMU are told" 0 out '^yes +mmu-modes .*shadow' out '[(]default[)]' ;;
esac

expect "interrupt controllers are there" 0 out '^yes +irqchip +.optional. interrupt controllers'

tool check --device "$work/umbra"
expect "a missing device: cannot run, with the remedy" 1 out '^guests cannot run here$' \
	out '^no +device-node .*-- load the module'
tool check --json --device "$work/umbra"
expect_json "JSON of a host that cannot" 1 can_run '^false$'
: >"$work/plain"
tool check --device "$work/plain"
expect "a plain file is no device" 1 out '^no +device-node .*not a character device'
tool check --device /dev/null
expect "another driver's device" 1 out '^no +api-version '

# Seen from the other hypervisor's side, the one with a guest is in the way.
"$UMBRA" run --device "$DEVICE" --timeout "$LIMIT" "$GUESTS/misc.elf" hang >"$work/hang" 2>&1 &
pid=$!
wait_for hang 'hangs now'
case $DEVICE in
*/kvm) tool check --device "$work/umbra" ;;
*) tool check --device "$work/kvm" ;;
esac
kill -TERM $pid
wait $pid
expect "another hypervisor with a guest is named" 1 \
	out '^no +other-hypervisor +(KVM|Umbra) .module (kvm_amd|kvm_intel|umbra). has users: [1-9]'

if [ -n "${UMBRA_LAB:-}" ] && modprobe msr 2>/dev/null; then
	tool check --device "$DEVICE"
	expect "with the msr driver the firmware lock is known" 0 out '^yes +firmware '
else
	skip "with the msr driver the firmware lock is known" "no msr driver to load here"
fi

tool check --unknown
expect "unknown option: usage" 2
tool check one
expect "an argument: usage" 2

finish
