// SPDX-License-Identifier: GPL-2.0
/*
 * The control block: building it, what it intercepts, and the guest's control
 * registers in it. Does not run the guest and does not look at exits. Only
 * vmx_write_dirty() touches the VMCS; all else marks what it will have to write.
 */
#include <linux/gfp.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <uapi/asm/debugreg.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include "../debug.h"
#include "../tsc.h"
#include "insn.h"
#include "vmx.h"

/*
 * Exits that every guest has, whatever its state, and fields that never change.
 * Before inject(), which writes a field of these.
 */
void vmx_write_controls(struct vmx_vcpu *vmx)
{
	vmx_write(PIN_BASED_VM_EXEC_CONTROL, vmx_ctls.pin);
	vmx_write(VM_EXIT_CONTROLS, vmx_ctls.exit);
	vmx_write(MSR_BITMAP, __pa(vmx->msr_bitmap));
	vmx_write(VMCS_LINK_POINTER, ~0ULL);
	vmx_write(CR0_GUEST_HOST_MASK, ~0ULL);
	vmx_write(CR4_GUEST_HOST_MASK, ~0ULL);
	vmx_write(CR3_TARGET_COUNT, 0);
	vmx_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmx_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmx_write(VM_EXIT_MSR_STORE_COUNT, 0);
	vmx_write(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmx_write(VM_ENTRY_MSR_LOAD_COUNT, 0);
	/*
	 * Bochs' processor holds interrupts back from the host while the guest has
	 * IF clear, and a guest that spins would keep it for ever. Exits do not save
	 * what is left of the time, so that every entry begins with all of it.
	 */
	if (vmx_ctls.pin & PIN_BASED_VMX_PREEMPTION_TIMER)
		vmx_write(VMX_PREEMPTION_TIMER_VALUE, vmx_ctls.timer);
	if (vmx_ctls.cpu2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmx_write(ENCLS_EXITING_BITMAP, ~0ULL);
	vmx_write(GUEST_IA32_DEBUGCTL, 0);
	vmx_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmx_write(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmx_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmx_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx_write(CPU_BASED_VM_EXEC_CONTROL, vmx->exec_ctrl);
	vmx->exec_ctrl_hw = vmx->exec_ctrl;
	vmx_write(GUEST_RIP, 0);
	vmx_write(GUEST_RSP, 0);
	vmx_write(GUEST_RFLAGS, X86_EFLAGS_FIXED);
	vmx_write(GUEST_IA32_PAT, 0);
	vmx->dirty &= ~(u32)VMX_CONTROLS;
}

/* Umbra's own choice of tables: four levels, write-back. */
u64 vmx_eptp(const struct vmx_vcpu *vmx)
{
	return vmx->root | VMX_EPTP_PWL_4 | VMX_EPTP_MT_WB |
	       (umbra_caps.nested_ad ? VMX_EPTP_AD_ENABLE_BIT : 0);
}

/* A change of kind makes other entry checks apply to the segments: see state.c. */
static void vmx_write_root(struct vmx_vcpu *vmx)
{
	u32 ctrl2 = vmx_ctls.cpu2 | (vmx->nested ? VMX_EXEC2_NESTED : 0);

	vmx->exec_ctrl &= ~(VMX_EXEC_SHADOW & ~vmx_ctls.cpu);
	if (!vmx->nested)
		vmx->exec_ctrl |= VMX_EXEC_SHADOW;
	if (vmx->nested)
		vmx_write(EPT_POINTER, vmx_eptp(vmx));
	if (ctrl2 == vmx->exec_ctrl2)
		return;
	vmx->exec_ctrl2 = ctrl2;
	vmx_write(SECONDARY_VM_EXEC_CONTROL, ctrl2);
	vmx_fetch(vmx, VMX_CACHED);
	vmx->dirty |= VMX_CACHED;
}

/* With a second level the processor takes a PAE guest's PDPTEs from here. */
static void vmx_write_pdptes(const struct umbra_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vcpu->pdpte); i++)
		vmx_write(GUEST_PDPTR0 + 2 * i, vcpu->pdpte[i]);
}

static void vmx_write_crs(const struct umbra_vcpu *vcpu)
{
	const u64 cr0_ones = vmx_ctls.cr0_ones & ~(u64)(X86_CR0_PE | X86_CR0_PG);
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_write(GUEST_CR0, umbra_hw_cr0(vcpu, vmx->nested) | cr0_ones);
	vmx_write(GUEST_CR3, vmx->nested ? vcpu->cr3 : vmx->root);
	vmx_write(GUEST_CR4, umbra_hw_cr4(vcpu, vmx->nested) | vmx_ctls.cr4_ones);
	vmx_write(CR0_READ_SHADOW, vcpu->cr0 | X86_CR0_ET);
	vmx_write(CR4_READ_SHADOW, vcpu->cr4);
	vmx_write(GUEST_IA32_EFER, umbra_hw_efer(vcpu, vmx->nested));
	vmx_write(VM_ENTRY_CONTROLS, vmx_ctls.entry |
		  (vcpu->efer & EFER_LMA ? VM_ENTRY_IA32E_MODE : 0));
	if (vmx->nested && umbra_is_pae_paging(vcpu))
		vmx_write_pdptes(vcpu);
}

void vmx_write_dirty(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx->dirty & VMX_ROOT)
		vmx_write_root(vmx);
	if (vmx->dirty & VMX_CRS)
		vmx_write_crs(vcpu);
	if (vmx->dirty & VMX_EXCEPTIONS)
		vmx_write(EXCEPTION_BITMAP, umbra_hw_exceptions(vcpu, vmx->nested));
	if (vmx->dirty & VMX_DEBUG)
		vmx_write(GUEST_DR7, umbra_effective_dr(vcpu, 7));
	if (vmx->dirty & VMX_TSC)
		vmx_write(TSC_OFFSET, umbra_tsc_hw_offset(vcpu));
	if (vmx->dirty & VMX_CACHED)
		vmx_write_cached(vcpu, vmx->dirty);
	vmx->dirty = 0;
}

void vmx_sync_crs(struct umbra_vcpu *vcpu)
{
	to_vmx(vcpu)->dirty |= VMX_CRS;
}

void vmx_sync_debug(struct umbra_vcpu *vcpu)
{
	to_vmx(vcpu)->dirty |= VMX_DEBUG | VMX_EXCEPTIONS;
}

void vmx_sync_tsc(struct umbra_vcpu *vcpu)
{
	to_vmx(vcpu)->dirty |= VMX_TSC;
}

static void vmx_allow_msr(struct vmx_vcpu *vmx, u32 index, bool write)
{
	void *bits = vmx->msr_bitmap;

	if (index < 0x2000)
		bits += write ? VMX_BITMAP_WRITE_LOW : VMX_BITMAP_READ_LOW;
	else if (index >= 0xc0000000 && index < 0xc0002000)
		bits += write ? VMX_BITMAP_WRITE_HIGH : VMX_BITMAP_READ_HIGH;
	else
		return;
	__clear_bit(index & 0x1fff, bits);
}

/* Written by the guest itself, these would have to be read back at each put(). */
static bool vmx_watched(u32 index)
{
	return index == MSR_STAR || index == MSR_LSTAR || index == MSR_CSTAR ||
	       index == MSR_SYSCALL_MASK;
}

void vmx_sync_msr_map(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const u32 *msr;

	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	for (msr = umbra_msr_passthrough; *msr; msr++) {
		/* CSTAR has no use on Intel, and the processor keeps the host's. */
		if (*msr != MSR_CSTAR && !umbra_msr_intercepted(vcpu, *msr, false))
			vmx_allow_msr(vmx, *msr, false);
		if (vmx_watched(*msr) || umbra_msr_intercepted(vcpu, *msr, true))
			continue;
		vmx_allow_msr(vmx, *msr, true);
		if (*msr == MSR_IA32_SPEC_CTRL)
			vmx->spec.swap = true;
	}
}

/* Entry with another table flushes nothing by itself where there are tags. */
void vmx_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx->nested != nested)
		vmx->dirty |= VMX_EXCEPTIONS;
	vmx->dirty |= VMX_ROOT | VMX_CRS;
	vmx->flush |= vmx->root != root || vmx->nested != nested;
	vmx->nested = nested;
	vmx->root = root;
}

void vmx_vcpu_reset(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_reset_state(vmx);
	vmx->exec_ctrl = vmx_ctls.cpu;
	vmx->exec_ctrl2 = 0;
	vmx->hw_rip = 0;
	vmx->hw_rsp = 0;
	vmx->hw_rflags = X86_EFLAGS_FIXED;
	vmx->hw_pat = 0;
	vmx->hw_cr4 = 0;
	vmx->hw_host_rsp = 0;
	vmx->intr_state = 0;
	vmx->pending_dbg = 0;
	vmx->shadow_rip = 0;
	vmx->vpid_generation = 0;
	vmx->flush = true;
	vmx->spec.rewrite = cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS);
}

int vmx_vcpu_create(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return -ENOMEM;
	vmx->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs)
		goto free_vmx;
	vmx->msr_bitmap = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msr_bitmap)
		goto free_vmcs;
	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	*(u32 *)vmx->vmcs = vmx_ctls.revision;
	vmx->vmcs_pa = __pa(vmx->vmcs);
	vmx->cpu = -1;
	vmx->nested = vcpu->vm->mmu_mode == UMBRA_MMU_NESTED;
	vcpu->hw = vmx;
	return 0;

free_vmcs:
	free_page((unsigned long)vmx->vmcs);
free_vmx:
	kfree(vmx);
	return -ENOMEM;
}

void vmx_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!vmx)
		return;
	vmx_deactivate(vmx);
	umbra_branches_forget(vcpu);
	free_page((unsigned long)vmx->msr_bitmap);
	free_page((unsigned long)vmx->vmcs);
	kfree(vmx);
	vcpu->hw = NULL;
}
