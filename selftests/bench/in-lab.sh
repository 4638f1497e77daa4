#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: in-lab.sh COLUMN[,COLUMN...] COMMAND [ARG...]
#
# The part of scripts/bench that runs in the emulated host: COMMAND once for each column that
# the loaded hypervisor can fill. A column of Umbra's is the mode of its MMU.

columns=$1
shift
parameter=/sys/module/umbra/parameters/mmu
status=0

for column in $(echo "$columns" | tr , ' '); do
	echo "column $column"
	case $column in
	kvm*) export UMBRA_DEVICE=/dev/kvm ;;
	*)
		export UMBRA_DEVICE=/dev/umbra
		# QEMU 7.2 opens /dev/kvm and nothing else.
		[ -e /dev/kvm ] || ln -s umbra /dev/kvm
		if ! { echo "$column" >"$parameter"; } 2>/dev/null; then
			echo "bench: mode $column cannot be set" >&2
			status=1
			continue
		fi
		;;
	esac
	"$@" || status=1
done
exit "$status"
