#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# usage: refuse.sh WHAT ERROR MESSAGE
#
# In a host that lacks something: umbra.ko does not load, and says why.
# shellcheck source=selftests/host/lib.sh
. /host/lib.sh

error=$(insmod "$module" 2>&1) && status=0 || status=1
echo "# $error"
check "$1: umbra.ko does not load" "$status ${error##*: }" "1 $2"
check "$1: the kernel log says why" "$(logged "umbra: $3")" yes
check "$1: and nothing else" "$(dmesg | grep 'umbra: ' | grep -v -e ' taints kernel' \
	-e 'module verification' -e "umbra: $3")" ""
check "$1: there is no device" "$(ls /dev/umbra 2>/dev/null)" ""
