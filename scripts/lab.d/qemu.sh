# shellcheck shell=bash disable=SC2154,SC2034 # the variables are scripts/lab's
# SPDX-License-Identifier: GPL-2.0
#
# The emulated host of --cpu amd: QEMU's software emulation.  Sourced by scripts/lab; the
# twin of bochs.sh.

check_emulator() {
	command -v qemu-system-x86_64 >/dev/null ||
		fail "qemu-system-x86_64 is missing; run scripts/setup"
	[ -z "$cpu_model" ] || fail "--cpu-model is for Bochs; QEMU takes --cpu-flags"
}

# start_emulator WORDS: start QEMU in the background with these words for the kernel; its
# process id in host_pid.
start_emulator() {
	local accel=tcg,thread=single
	local out="file,id=out,path=$work/out"
	local options=(-chardev "file,id=log,path=$work/kernel.log"
		-chardev "file,id=err,path=$work/err"
		-chardev "file,id=verdict,path=$work/verdict")

	[ -z "$shell" ] || out="stdio,id=out,signal=off"
	[ -z "$icount" ] || options+=(-icount "shift=0,sleep=off")
	options+=(-chardev "$out"
		-device "isa-serial,index=0,irq=4,chardev=log"
		-device "isa-serial,index=1,irq=3,chardev=out"
		-device "isa-serial,index=2,irq=5,chardev=err"
		-device "isa-serial,index=3,irq=7,chardev=verdict")
	# setpriv: QEMU must not live on should this script be killed.
	local run=(setpriv --pdeathsig KILL qemu-system-x86_64 -M q35 -nodefaults
		-display none -no-reboot -accel "$accel"
		-cpu "max,+svm,+npt${cpu_flags:+,$cpu_flags}"
		-smp "$smp" -m "$mem" -kernel "$image" -initrd "$work/initramfs"
		-append "$1" "${options[@]}")

	if [ -n "$shell" ]; then
		"${run[@]}" <&0 2>"$work/emulator.err" &
	else
		"${run[@]}" </dev/null >/dev/null 2>"$work/emulator.err" &
	fi
	host_pid=$!
}

# What it says of itself when the host failed.
emulator_words() {
	cat "$work/emulator.err"
}
