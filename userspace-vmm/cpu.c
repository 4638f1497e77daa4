// SPDX-License-Identifier: GPL-2.0
/*
 * Questions about the host's CPU, by CPUID and by /dev/cpu/N/msr.
 *
 * Answers only; what an answer means to the user is cmd_check.c's.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

/**
 * cpu_cpuid() - Execute CPUID.
 * @leaf: EAX; ECX is 0
 *
 * Return: the four registers, zero when the CPU does not have @leaf.
 */
struct cpuid_regs cpu_cpuid(u32 leaf)
{
	struct cpuid_regs r = { 0 };

	if (!__get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx))
		memset(&r, 0, sizeof(r));
	return r;
}

/**
 * cpu_vendor() - Whose virtualization extension to expect.
 *
 * Return: AMD for AMD and Hygon, which has the same extension.
 */
enum cpu_vendor cpu_vendor(void)
{
	struct cpuid_regs r = cpu_cpuid(0);
	char name[13] = "";

	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.edx, 4);
	memcpy(name + 8, &r.ecx, 4);
	if (!strcmp(name, "AuthenticAMD") || !strcmp(name, "HygonGenuine"))
		return CPU_AMD;
	if (!strcmp(name, "GenuineIntel"))
		return CPU_INTEL;
	return CPU_OTHER;
}

/**
 * cpu_has_svm() - Whether CPUID shows AMD-V.
 *
 * Return: true when it does.
 */
bool cpu_has_svm(void)
{
	return cpu_cpuid(0x80000001).ecx & (1 << 2);
}

/**
 * cpu_has_vmx() - Whether CPUID shows VT-x.
 *
 * Return: true when it does.
 */
bool cpu_has_vmx(void)
{
	return cpu_cpuid(1).ecx & (1 << 5);
}

/**
 * cpu_under_hypervisor() - Whether this host is itself a guest that may know it.
 * @name: signature of the outer hypervisor, empty when it gives none
 *
 * Return: whether CPUID leaf 1 has the hypervisor bit.
 */
bool cpu_under_hypervisor(char name[13])
{
	u32 eax, ebx, ecx, edx;

	memset(name, 0, 13);
	if (!(cpu_cpuid(1).ecx & (1U << 31)))
		return false;
	/* The library's own check knows only the basic and extended ranges. */
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	(void)eax;
	memcpy(name, &ebx, 4);
	memcpy(name + 4, &ecx, 4);
	memcpy(name + 8, &edx, 4);
	return true;
}

/**
 * cpu_read_msr() - Read a model-specific register through the msr driver.
 * @cpu: number of the CPU
 * @msr: register
 * @value: filled in
 *
 * Return: 0, or a negative errno; -ENOENT without the driver, -EIO when the CPU
 * does not have the register.
 */
int cpu_read_msr(unsigned int cpu, u32 msr, u64 *value)
{
	char path[32];
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "/dev/cpu/%u/msr", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, value, sizeof(*value), msr);
	err = n < 0 ? -errno : -EIO;
	close(fd);
	return n == (ssize_t)sizeof(*value) ? 0 : err;
}
