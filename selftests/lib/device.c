// SPDX-License-Identifier: GPL-2.0
/*
 * The device under test, wrappers of ioctls and eventfds, the library's way to give up.
 * Knows nothing of VMs. Must not include the harness.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "umbra_util.h"

#define DEFAULT_DEVICE	"/dev/umbra"
#define CPUID_1_ECX_VMX	BIT_ULL(5)
#define HARNESS_SKIP	255	/* exit status that kselftest_harness.h counts as skipped */

void ut_die(const char *fmt, ...)
{
	va_list args;

	fputs("# selftest library: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

const char *ut_device_path(void)
{
	const char *path = getenv("UMBRA_DEVICE");

	return path && *path ? path : DEFAULT_DEVICE;
}

bool ut_on_umbra(void)
{
	return strcmp(ut_device_path(), "/dev/kvm");
}

bool ut_on_vmx(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & CPUID_1_ECX_VMX;
}

bool ut_emulated_by(const char *emulator)
{
	const char *who = getenv("UMBRA_EMULATOR");

	return who && !strcmp(who, emulator);
}

/* Bochs reports no blocking by STI with such an exit; so KVM fails there as well. */
bool ut_faults_end_shadow(void)
{
	return ut_emulated_by("bochs") && ut_on_vmx() && ut_shadowed();
}

bool ut_no_triple_faults(void)
{
	return ut_emulated_by("bochs") && !ut_on_vmx();
}

/* A module parameter of type bool, as the kernel shows it. */
static bool is_off(const char *path)
{
	FILE *f = fopen(path, "re");
	bool off = f && fgetc(f) == 'N';

	if (f)
		fclose(f);
	return off;
}

bool ut_shadowed(void)
{
	const char *mode = getenv("UMBRA_MMU");

	if (ut_on_umbra())
		return mode && *mode && strcmp(mode, "nested");
	return is_off("/sys/module/kvm_amd/parameters/npt") ||
	       is_off("/sys/module/kvm_intel/parameters/ept");
}

int ut_open_device(void)
{
	const char *path = ut_device_path();
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT && !getenv("UMBRA_DEVICE")) {
		fprintf(stderr, "#      SKIP      no %s here and UMBRA_DEVICE is not set\n", path);
		_exit(HARNESS_SKIP);
	}
	ut_die("cannot open %s: %s", path, strerror(errno));
}

int ut_do_ioctl(int fd, unsigned long cmd, unsigned long arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

int ut_do_must_ioctl(int fd, unsigned long cmd, unsigned long arg, const char *name,
		     const char *file, int line)
{
	int ret = ut_do_ioctl(fd, cmd, arg);

	if (ret < 0)
		ut_die("%s:%d: %s: %s", file, line, name, strerror(-ret));
	return ret;
}

int ut_cap(int fd, long cap)
{
	return ut_must_ioctl(fd, KVM_CHECK_EXTENSION, cap);
}

void ut_signal(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		ut_die("write to an eventfd: %s", strerror(errno));
}

u64 ut_signals(int fd)
{
	u64 n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}
