#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The part of selftests/kvm/run-in-lab that runs in the emulated host: give the programs of
# FOLDER the device they open, /dev/kvm, and run them by lab-run.sh in FOLDER.
#
# usage: in-lab.sh FOLDER TEST...

if [ -z "$UMBRA_KVM_PRIVATE" ] && [ "$UMBRA_DEVICE" != /dev/kvm ] && [ -c /dev/kvm ] &&
	[ ! -L /dev/kvm ]; then
	# A machine of one's own with KVM loaded: only these programs see another device.
	UMBRA_KVM_PRIVATE=1 exec unshare -m sh "$0" "$@"
fi
if [ -n "$UMBRA_KVM_PRIVATE" ]; then
	mount --bind "$UMBRA_DEVICE" /dev/kvm || exit 1
elif [ "$UMBRA_DEVICE" != /dev/kvm ]; then
	ln -sf "${UMBRA_DEVICE#/dev/}" /dev/kvm || exit 1
fi
exec sh "$1/lab-run.sh" "$@"
