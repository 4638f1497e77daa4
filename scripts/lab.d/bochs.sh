# shellcheck shell=bash disable=SC2154,SC2034 # the variables are scripts/lab's
# SPDX-License-Identifier: GPL-2.0
#
# The emulated host of --cpu intel and --cpu amd-nrips: Bochs, which executes one
# instruction after the other and ticks once for each.  Sourced by scripts/lab; the twin of
# qemu.sh.
#
# What makes a boot short: a kernel that is unpacked already (see direct), few messages on
# a console that takes 8700 instructions for a character (PID 1 writes what is missing), no
# self-tests of ciphers.

# Bochs takes its clock from the instructions; this many are one second there.
BOCHS_IPS=100000000

check_emulator() {
	local tool

	for tool in bochs xorriso; do
		command -v "$tool" >/dev/null || fail "$tool is missing; run scripts/setup"
	done
	bios=/usr/share/bochs/BIOS-bochs-latest
	vga_bios=/usr/share/vgabios/vgabios.bin
	isolinux=(/usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32)
	for tool in "$bios" "$vga_bios" "${isolinux[@]}"; do
		[ -r "$tool" ] || fail "$tool is missing; run scripts/setup"
	done
	[ -z "$cpu_flags" ] || fail "--cpu-flags is for QEMU; Bochs takes --cpu-model"
	if [ -n "$shell" ]; then
		terminal_name=$(tty) || fail "--shell in Bochs needs a terminal"
	fi
	[ -n "$cpu_model" ] || case $cpu in
	intel) cpu_model=corei7_skylake_x ;;
	amd-nrips) cpu_model=trinity_apu ;;
	esac
	[ "$smp" -le 8 ] || fail "Bochs has at most 8 processors here"
}

# The kernel without need of a decompressor, or as it is when that cannot be.
unpacked_kernel() {
	local key

	key=$({
		stat -c '%n %s %Y' "$image"
		cat "$pieces/direct" "$pieces/direct.S"
	} | sha256sum | cut -c1-16)
	direct=$cache/direct-$key
	[ ! -e "$direct" ] || return 0
	if "$pieces/direct" "$image" "$direct.new.$$" 2>"$work/direct.err"; then
		mv "$direct.new.$$" "$direct"
	else
		say "booting the kernel as it is: $(tail -n 1 "$work/direct.err")"
		rm -f "$direct.new.$$"
		direct=$image
	fi
}

make_disc() {
	local folder=$work/disc words

	unpacked_kernel
	mkdir "$folder"
	ln "$direct" "$folder/linux" 2>/dev/null || cp "$direct" "$folder/linux"
	mv "$work/initramfs" "$folder/initrd"
	cp "${isolinux[@]}" "$folder"
	# The model says 3.5 GHz in leaf 15h. The size of its compact XSAVE area with AVX-512
	# is wrong, and XRSTORS refuses what XSAVES has written. Of a word that is there twice
	# the kernel takes the last, so that --append can say otherwise.
	words="quiet cryptomgr.notests=1 tsc_early_khz=$((BOCHS_IPS / 1000))"
	words+=" clearcpuid=avx512f,xsavec,xsaves"
	printf '%s\n' 'DEFAULT linux' 'PROMPT 0' 'LABEL linux' 'LINUX /linux' 'INITRD /initrd' \
		"APPEND $words $1" >"$folder/isolinux.cfg"
	xorriso -as mkisofs -quiet -o "$work/disc.iso" -b isolinux.bin -c boot.cat \
		-no-emul-boot -boot-load-size 4 -boot-info-table "$folder" \
		>"$work/disc.log" 2>&1 || fail "xorriso: $(tail -n 1 "$work/disc.log")"
	rm -rf "$folder"
}

write_configuration() {
	local out="mode=file, dev=$work/out"

	[ -z "$shell" ] || out="mode=term, dev=$terminal_name"
	# Without action=fatal, a panic waits for someone to answer.
	cat >"$work/bochsrc" <<END
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model=$cpu_model, count=$smp, quantum=32, ips=$BOCHS_IPS, reset_on_triple_fault=0
cpu: ignore_bad_msrs=1
memory: guest=$mem, host=$mem
romimage: file=$bios, options=fastboot
vgaromimage: file=$vga_bios
vga: update_freq=1
ata0-master: type=cdrom, path=$work/disc.iso, status=inserted
ata1: enabled=0
boot: cdrom
clock: sync=none, time0=utc
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
com1: enabled=1, mode=file, dev=$work/kernel.log
com2: enabled=1, $out
com3: enabled=1, mode=file, dev=$work/err
com4: enabled=1, mode=file, dev=$work/verdict
log: $work/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END
	# Debian's Bochs has a debugger, which wants to be told.
	printf 'continue\nquit\n' >"$work/debugger"
}

# start_emulator WORDS: start Bochs in the background with these words for the kernel, and a
# few more; its process id in host_pid.
start_emulator() {
	local run=(setpriv --pdeathsig KILL)

	make_disc "$1"
	write_configuration
	# Its display is a port of the network that nobody needs to see.
	if unshare -rn true 2>/dev/null; then
		run=(unshare -rn "${run[@]}")
	fi
	"${run[@]}" bochs -q -f "$work/bochsrc" -rc "$work/debugger" \
		</dev/null >"$work/emulator.err" 2>&1 &
	host_pid=$!
}

# What it says of itself when the host failed.
emulator_words() {
	sed -n '/PANIC/p' "$work/bochs.log" 2>/dev/null | head -n 3 || true
}
