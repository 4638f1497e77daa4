#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: restart.sh reboot|kexec
#
# Restart the machine under a running guest; what comes then shows only in the output.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

guest_start /dev/umbra && echo "first kernel: a guest runs"
case $1 in
reboot) reboot -f ;;
kexec) "$here/kexec" /boot/second /second.cpio "console=ttyS0 panic=-1 oops=panic" ;;
esac
sleep 60
echo "first kernel: still there"
