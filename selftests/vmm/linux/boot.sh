# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# What the tests that boot Linux share, beyond ../tap.sh. Sourced.
#
# Environment: LINUX is the folder that scripts/run.d/stage-linux made (default build/linux),
# PTY the program that types (default build/pty), WORDS go to each kernel.

: "${LINUX:=build/linux}"
: "${PTY:=build/pty}"
: "${LIMIT:=300}"
# The emulated host's processor keeps no XCR0 for guests, see Documentation/lab.rst.
: "${WORDS:=noxsave oops=panic panic=-1}"

vmm=$(dirname "$(dirname "$0")")
# shellcheck source=selftests/vmm/tap.sh
. "$vmm/tap.sh"
here=$vmm
disk=$work/disk

fresh_disk() {
	cp "$LINUX/disk" "$disk"
}

# boot_words DO: the kernel's command line for that work
boot_words() {
	echo "console=ttyS0 quiet loglevel=6 $WORDS umbra.do=$1"
}

# boot DO [ARG...]: boot for that work, with more arguments for the tool.
boot() {
	do=$1
	shift
	run --no-reboot --kernel "$LINUX/vmlinuz" --initrd "$LINUX/initrd" \
		--append "$(boot_words "$do")" "$@"
}

# typed STEPS... -- [ARG...]: the same for a shell, with a user at its terminal; in $steps.
typed() {
	LIMIT=$LIMIT "$PTY" "$@" >"$work/out" 2>"$work/err"
	status=$?
}
