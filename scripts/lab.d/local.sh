# shellcheck shell=bash disable=SC2154 # the variables are scripts/lab's
# SPDX-License-Identifier: GPL-2.0
#
# HOST=local: the part of scripts/lab that runs the command on this very machine, which
# then needs real virtualization extensions.  Sourced by scripts/lab; it must not touch
# anything of the machine but the hypervisor's module.

run_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

check_local_options() {
	local item src dst

	[ -z "$icount" ] || fail "--icount needs the emulated host"
	[ "$kernel" = stock ] || fail "--kernel needs the emulated host"
	[ -z "$append" ] || fail "--append needs the emulated host"
	for item in "${adds[@]}"; do
		src=${item%%:*}
		dst=${item#*:}
		# COMMAND runs where the script was called, so a path names the same file.
		[ "$(realpath -m "$src")" = "$(realpath -m "$dst")" ] ||
			fail "--add $item: a local run puts nothing anywhere else"
		[ -e "$src" ] || fail "--add $src: no such file or folder"
	done
}

load_local() {
	local module=${UMBRA_KO:-$top/build/umbra.ko} vendor=kvm-amd

	! grep -q '^flags.*\bvmx\b' /proc/cpuinfo || vendor=kvm-intel
	case $hypervisor in
	umbra)
		[ -r "$module" ] || fail "$module is not there; run 'make'"
		if grep -q '^umbra ' /proc/modules; then
			run_root rmmod umbra || fail "umbra is in use"
		fi
		run_root insmod "$module" "${params[@]}" || fail "cannot load $module"
		loaded=umbra
		;;
	kvm)
		if [ ${#params[@]} -gt 0 ]; then
			run_root modprobe -r "$vendor" || fail "$vendor is in use"
		fi
		run_root modprobe "$vendor" "${params[@]}" || fail "cannot load $vendor"
		;;
	esac
}

unload_local() {
	[ -n "$loaded" ] || return 0
	run_root rmmod "$loaded" || fail "$loaded cannot be unloaded after the command"
	loaded=''
}

# The kernel's log from the marker line of this run on.
log_since_marker() {
	run_root dmesg | sed -e 's/^\[ *[0-9.]*\] *\(\[[TC ][^]]*\] *\)\?//' |
		sed -n "/lab: run $nonce/,\$p"
}

run_local() {
	local report loaded='' status=0 log_file

	check_local_options
	nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	echo "lab: run $nonce" | run_root tee /dev/kmsg >/dev/null
	load_local
	if [ -n "$shell" ]; then
		run_root "${SHELL:-/bin/sh}" || status=$?
	else
		run_root timeout -k 10 "$timeout" "${command[@]}" </dev/null || status=$?
	fi
	unload_local
	[ -z "$log" ] || log_since_marker >"$log"
	report=$(log_since_marker | grep -a -m 1 -f "$pieces/reports") || true
	if [ -n "$report" ]; then
		mkdir -p "$logs"
		log_file=$logs/local-$nonce.log
		log_since_marker | tee "$log_file" >&2
		echo "lab: host failed: $report; log kept as $log_file" >&2
		return "$HOST_FAILED"
	fi
	[ "$status" != "$TIMED_OUT" ] || echo "lab: out of time after $timeout seconds" >&2
	return "$status"
}
