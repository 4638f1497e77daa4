/* SPDX-License-Identifier: GPL-2.0 */
/*
 * This host's CPU as seen from user space: CPUID, and MSRs where readable.
 */
#ifndef UMBRA_VMM_CPU_H
#define UMBRA_VMM_CPU_H

#include "types.h"

enum cpu_vendor {
	CPU_OTHER,
	CPU_AMD,
	CPU_INTEL,
};

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

enum cpu_vendor cpu_vendor(void);
struct cpuid_regs cpu_cpuid(u32 leaf);
bool cpu_has_svm(void);
bool cpu_has_vmx(void);
bool cpu_under_hypervisor(char name[13]);
int cpu_read_msr(unsigned int cpu, u32 msr, u64 *value);

#endif
