# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# What the parts of host_test that run in the emulated host share: result lines without
# numbers (host_test adds them), a guest in the background, the vendor's names for things.
# Sourced, by busybox's shell; must not load or unload anything by itself.
# shellcheck disable=SC2034 # variables are for the scripts that source this one

here=/host
umbra=/umbra
module=/umbra.ko

# The extension, Umbra's name for it, KVM's module and its parameters, the parameter for
# second-level page tables and what the kernel log calls them.
if grep -q -m 1 -w vmx /proc/cpuinfo; then
	extension=VMX ops=vmx kvm='kvm-intel pml=0' second_level=ept
	second_level_name='extended page tables (EPT) are'
else
	extension=SVM ops=svm kvm=kvm-amd second_level=npt
	second_level_name='nested paging (NPT) is'
fi

# check WHAT GOT WANTED
check() {
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		echo "# got '$2', wanted '$3'"
		dmesg | tail -n 3 | sed 's/^/# /'
	fi
}

skip() {
	echo "ok $1 # SKIP $2"
}

# logged REGEX: whether the kernel log has it, since the last forget().
logged() {
	dmesg | grep -q -e "$1" && echo yes || echo no
}

forget() {
	dmesg -c >/dev/null
}

# guest_start DEVICE: a guest that works until guest_end; true when it has begun.
guest_start() {
	mkfifo /tmp/in
	$umbra run --device "$1" --mode protected $here/endure.bin </tmp/in >/tmp/out 2>&1 &
	guest=$!
	exec 7>/tmp/in
	for _ in $(seq 100); do
		! grep -q on /tmp/out || return 0
		kill -0 "$guest" 2>/dev/null || break
		sleep 0.2
	done
	sed 's/^/# /' /tmp/out
	guest_end
	return 1
}

# guest_end: tell it to stop; its exit status in guest_status, 42 when nothing was lost.
guest_end() {
	echo >&7
	exec 7>&-
	guest_status=0
	wait "$guest" || guest_status=$?
	rm -f /tmp/in
}

guest_runs() {
	kill -0 "$guest" 2>/dev/null && echo yes || echo no
}

# check_on WHAT NUMBER: the extension is on, on so many processors. VT-x has its switch in CR4,
# which user space cannot see: there what the other hypervisor says has to do.
check_on() {
	[ $extension = VMX ] || check "$1" "$(svme)" "$2"
}

# svme: on how many processors EFER.SVME is set; needs the module msr.
svme() {
	count=0
	for file in /dev/cpu/*/msr; do
		# EFER is 0xc0000080, and each step of a file of MSRs is one byte.
		low=$(dd if="$file" bs=8 skip=$((0xc0000080 / 8)) count=1 2>/dev/null |
			hexdump -n 4 -e '1/4 "%u"')
		[ $((low & 0x1000)) = 0 ] || count=$((count + 1))
	done
	echo $count
}

# create_vm DEVICE: the exit status of a guest that should end at once, and says why not.
create_vm() {
	status=0
	$umbra run --device "$1" --timeout 60 /guests/real.bin >/tmp/vm 2>&1 </dev/null ||
		status=$?
	[ $status = 0 ] || sed 's/^/# /' /tmp/vm
	vm_status=$status
}
