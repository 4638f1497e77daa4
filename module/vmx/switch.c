// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of the world switch: the host state in the VMCS, and what the
 * processor changes of the host or leaves of the guest at an exit without
 * putting it back. Between load() and put() only what interrupt handlers need
 * is the host's; the rest comes back in put(), before anybody else can run.
 */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include "../compat.h"
#include "insn.h"
#include "vmx.h"

static const u32 vmx_syscall_msrs[VMX_NR_SYSCALL_MSRS] = {
	[VMX_MSR_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
	[VMX_MSR_STAR] = MSR_STAR,
	[VMX_MSR_LSTAR] = MSR_LSTAR,
	[VMX_MSR_SYSCALL_MASK] = MSR_SYSCALL_MASK,
};

static unsigned long vmx_tss_base(const struct desc_struct *gdt)
{
	const struct ldttss_desc *tss = (const void *)&gdt[GDT_ENTRY_TSS];

	return get_desc_base(&gdt[GDT_ENTRY_TSS]) | (unsigned long)tss->base3 << 32;
}

static void vmx_copy_msr(unsigned long field, u32 index)
{
	u64 value;

	rdmsrl(index, value);
	vmx_write(field, value);
}

/*
 * What an exit brings back and is the same as long as the VMCS stays on this CPU.
 * DS, ES, FS and GS hold nothing that kernel code uses, and an exit cannot load
 * user selectors: null until put().
 */
static void vmx_write_host(struct vmx_vcpu *vmx)
{
	struct desc_struct *gdt;
	struct desc_ptr idt;

	native_store_gdt(&vmx->host.gdt);
	store_idt(&idt);
	gdt = (struct desc_struct *)vmx->host.gdt.address;
	vmx_write(HOST_CR0, read_cr0());
	vmx_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmx_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmx_write(HOST_DS_SELECTOR, 0);
	vmx_write(HOST_ES_SELECTOR, 0);
	vmx_write(HOST_FS_SELECTOR, 0);
	vmx_write(HOST_GS_SELECTOR, 0);
	vmx_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmx_write(HOST_TR_BASE, vmx_tss_base(gdt));
	vmx_write(HOST_GDTR_BASE, vmx->host.gdt.address);
	vmx_write(HOST_IDTR_BASE, idt.address);
	vmx_write(HOST_RIP, (unsigned long)vmx_exit_point);
	vmx_copy_msr(HOST_GS_BASE, MSR_GS_BASE);
	vmx_copy_msr(HOST_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_CS);
	vmx_copy_msr(HOST_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_ESP);
	vmx_copy_msr(HOST_IA32_SYSENTER_EIP, MSR_IA32_SYSENTER_EIP);
	rdmsrl(MSR_IA32_CR_PAT, vmx->host.pat);
	vmx_write(HOST_IA32_PAT, vmx->host.pat);
	vmx_copy_msr(HOST_IA32_EFER, MSR_EFER);
}

/*
 * Does this thread use its LDT? An exit leaves none. Another thread's first
 * modify_ldt() gives it one by an interrupt, before which the GDT's entry is an old
 * one of somebody else: LDTR tells, and no exit clears it before it is looked at.
 */
static void vmx_ldt_seen(struct vmx_vcpu *vmx)
{
	u16 ldtr;

	store_ldt(ldtr);
	if (ldtr)
		vmx->host.ldtr = ldtr;
}

/* The entry of the GDT is this thread's: modify_ldt() renews it and takes no LDT away. */
static void vmx_ldt_in(const struct vmx_vcpu *vmx)
{
	if (unlikely(vmx->host.ldtr))
		asm volatile("1: lldt %0\n2:\n" _ASM_EXTABLE(1b, 2b) :: "m" (vmx->host.ldtr));
}

/* Only user space makes use of these, and system calls, which cannot happen before put(). */
static void vmx_msrs_out(struct vmx_vcpu *vmx)
{
	unsigned int i;

	for (i = 0; i < VMX_NR_SYSCALL_MSRS; i++) {
		rdmsrl(vmx_syscall_msrs[i], vmx->host.msr[i]);
		if (vmx->host.msr[i] != vmx->msr[i])
			wrmsrl(vmx_syscall_msrs[i], vmx->msr[i]);
	}
}

/* KERNEL_GS_BASE is apart: the host's GS selector goes with it. */
static void vmx_msrs_in(struct vmx_vcpu *vmx)
{
	unsigned int i;

	for (i = VMX_MSR_KERNEL_GS_BASE + 1; i < VMX_NR_SYSCALL_MSRS; i++)
		if (vmx->host.msr[i] != vmx->msr[i])
			wrmsrl(vmx_syscall_msrs[i], vmx->host.msr[i]);
}

void vmx_host_out(struct vmx_vcpu *vmx, bool moved)
{
	if (moved)
		vmx_write_host(vmx);
	savesegment(ds, vmx->host.ds);
	savesegment(es, vmx->host.es);
	savesegment(fs, vmx->host.fs);
	savesegment(gs, vmx->host.gs);
	vmx->host.ldtr = 0;
	vmx_ldt_seen(vmx);
	vmx->host.fs_base = x86_fsbase_read_cpu();
	vmx_write(HOST_FS_BASE, vmx->host.fs_base);
	/* No other mm can be loaded here before put(). */
	vmx_write(HOST_CR3, __read_cr3());
	vmx_msrs_out(vmx);
}

void vmx_host_entry(struct vmx_vcpu *vmx)
{
	if (unlikely(umbra_host_has_ldt()))
		vmx_ldt_seen(vmx);
	rdmsrl(MSR_IA32_DEBUGCTLMSR, vmx->host.debugctl);
}

/*
 * The guest may have written KERNEL_GS_BASE without an exit, and loading GS for
 * user space writes it as well: read before, write behind.
 */
static void vmx_gs_in(struct vmx_vcpu *vmx)
{
	u64 base = vmx->host.msr[VMX_MSR_KERNEL_GS_BASE];
	u64 guest;

	rdmsrl(MSR_KERNEL_GS_BASE, guest);
	vmx->msr[VMX_MSR_KERNEL_GS_BASE] = guest;
	if (vmx->host.gs)
		load_gs_index(vmx->host.gs);
	if (vmx->host.gs || guest != base)
		wrmsrl(MSR_KERNEL_GS_BASE, base);
}

/* Selectors of 32-bit programs. Loading FS loads its base too: before the base. */
static void vmx_selectors_in(struct vmx_vcpu *vmx)
{
	if (vmx->host.ds | vmx->host.es) {
		loadsegment(ds, vmx->host.ds);
		loadsegment(es, vmx->host.es);
	}
	if (vmx->host.fs) {
		loadsegment(fs, vmx->host.fs);
		x86_fsbase_write_cpu(vmx->host.fs_base);
	}
}

void vmx_host_in(struct vmx_vcpu *vmx)
{
	/* An exit leaves limits of 64 KiB, and no LDT; user space must not reach behind the GDT. */
	native_load_gdt(&vmx->host.gdt);
	vmx_ldt_in(vmx);
	umbra_host_tss_shortened();
	vmx_selectors_in(vmx);
	vmx_gs_in(vmx);
	vmx_msrs_in(vmx);
}
