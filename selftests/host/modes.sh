#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: modes.sh nested|none
#
# umbra.ko loaded with every choice of its parameters mmu and npt (ept on VT-x), on a processor
# with nested paging or without: which mode it settles on, which ones it refuses, that it says
# so, and that a guest runs.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

parameter=/sys/module/umbra/parameters/mmu

# loads MODE OFFERED PARAMETER...: it does, new VMs get MODE, and guests run in it
loads() {
	mode=$1 offered=$2
	shift 2
	forget
	insmod "$module" "$@" 2>&1 | sed 's/^/# /'
	check "'$*': the mode is $mode" "$(cat $parameter)" "$mode"
	check "'$*': the kernel log names it" "$(logged "umbra: ready: $ops, mode $mode,")" yes
	check "'$*': offered is: $offered" "$($umbra check | sed -n \
		-e '/^yes *mmu-modes/!d' -e 's/.*(optional) //' -e 's/ (default)//p')" "$offered"
	create_vm /dev/umbra
	check "'$*': guests run" "$vm_status" 0
	case $offered in
	nested*) ;;
	*)
		echo nested 2>/tmp/error >$parameter && status=0 || status=1
		check "'$*': nested cannot be chosen later" "$status $(cat $parameter)" "1 $mode"
		;;
	esac
	rmmod umbra
}

# refused ERROR MESSAGE PARAMETER...: it does not load
refused() {
	error=$1 message=$2
	shift 2
	forget
	said=$(insmod "$module" "$@" 2>&1) && status=0 || status=1
	check "'$*': umbra.ko does not load" "$status ${said##*: }" "1 $error"
	check "'$*': the kernel log says why" "$(logged "umbra: $message")" yes
	check "'$*': there is no device" "$(ls /dev/umbra 2>/dev/null)" ""
	[ "$status" = 1 ] || rmmod umbra
}

if [ "$1" = nested ]; then
	all='nested, shadow, vtlb'
	loads nested "$all"
	loads nested "$all" mmu=nested
	loads nested "$all" $second_level=1
else
	all='shadow, vtlb'
	loads shadow "$all"
	check "without NPT the kernel log says so" \
		"$(logged 'umbra: no nested paging (NPT) in this CPU')" yes
	refused "Operation not supported" 'mmu=nested: not on this host' mmu=nested
fi
loads shadow "$all" mmu=shadow
loads vtlb "$all" mmu=vtlb
loads shadow 'shadow, vtlb' $second_level=0
[ "$1" != nested ] || check "$second_level=0: the kernel log says so" \
	"$(logged "umbra: $second_level_name turned off by $second_level=0")" yes
loads vtlb 'shadow, vtlb' $second_level=0 mmu=vtlb
refused "Operation not supported" 'mmu=nested: not on this host' $second_level=0 mmu=nested
for bad in mmu=ept mmu= mmu=0 mmu=Shadow mmu=shadow,vtlb; do
	refused "Invalid argument" ".*invalid for parameter .mmu" "$bad"
done
