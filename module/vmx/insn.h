/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One-line wrappers of the VMX instructions. Each tolerates the #UD that a
 * reboot on another CPU may cause by turning VMX off underneath: the machine is
 * going down then, and an oops would only hide why. Such a read gives 0.
 */
#ifndef UMBRA_VMX_INSN_H
#define UMBRA_VMX_INSN_H

#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>

/* Kinds of INVVPID and INVEPT, and what they name. */
struct vmx_invvpid_desc {
	u64 vpid;
	u64 gva;
};

struct vmx_invept_desc {
	u64 eptp;
	u64 reserved;
};

/* hw.c: a field that this CPU does not have was written. */
void vmx_write_failed(unsigned long field, unsigned long value);

/* Read a field of the current VMCS, whatever its width. */
static __always_inline unsigned long vmx_read(unsigned long field)
{
	unsigned long value = 0;

	asm volatile("1: vmread %1, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+r" (value) : "r" (field) : "cc");
	return value;
}

/* Write a field of the current VMCS, whatever its width. */
static __always_inline void vmx_write(unsigned long field, unsigned long value)
{
	asm goto("1: vmwrite %1, %0\n jna %l[failed]\n2:\n" _ASM_EXTABLE(1b, 2b)
		 : : "r" (field), "r" (value) : "cc" : failed);
	return;
failed:
	vmx_write_failed(field, value);
}

/* Make the VMCS at @pa current and active on this CPU. */
static __always_inline void vmx_vmptrld(u64 pa)
{
	asm volatile("1: vmptrld %0\n2:\n" _ASM_EXTABLE(1b, 2b) :: "m" (pa) : "cc", "memory");
}

/* Write the VMCS at @pa back to memory; it is active nowhere afterwards. */
static __always_inline void vmx_vmclear(u64 pa)
{
	asm volatile("1: vmclear %0\n2:\n" _ASM_EXTABLE(1b, 2b) :: "m" (pa) : "cc", "memory");
}

/* Enter VMX operation with the region at @pa; false when the CPU refuses. */
static __always_inline bool vmx_vmxon(u64 pa)
{
	/* A fault leaves the carry. */
	asm goto("stc\n1: vmxon %0\n2: jna %l[failed]\n" _ASM_EXTABLE(1b, 2b)
		 : : "m" (pa) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

static __always_inline void vmx_vmxoff(void)
{
	asm volatile("1: vmxoff\n2:\n" _ASM_EXTABLE(1b, 2b) ::: "cc", "memory");
}

static __always_inline void vmx_invvpid(unsigned long kind, u64 vpid)
{
	struct vmx_invvpid_desc desc = { .vpid = vpid };

	asm volatile("1: invvpid %0, %1\n2:\n" _ASM_EXTABLE(1b, 2b)
		     :: "m" (desc), "r" (kind) : "cc", "memory");
}

static __always_inline void vmx_invept(unsigned long kind, u64 eptp)
{
	struct vmx_invept_desc desc = { .eptp = eptp };

	asm volatile("1: invept %0, %1\n2:\n" _ASM_EXTABLE(1b, 2b)
		     :: "m" (desc), "r" (kind) : "cc", "memory");
}

#endif
