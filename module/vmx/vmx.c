// SPDX-License-Identifier: GPL-2.0
/*
 * The VT-x ops table, address space tags, and the way into the guest and out.
 * Takes no decision about exits: see exit.c for their translation.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>
#include <asm/trapnr.h>
#include "../compat.h"
#include "../debug.h"
#include "insn.h"
#include "vmx.h"

/*
 * Give the vCPU a tag on this CPU. When the tags run out, all translations are
 * dropped in hardware and a new generation begins.
 */
static void vmx_new_vpid(struct vmx_vcpu *vmx, struct vmx_cpu *vc)
{
	/* Without tags every entry and exit drops what bears none. */
	if (!(vmx_ctls.cpu2 & SECONDARY_EXEC_ENABLE_VPID)) {
		vmx->vpid_generation = vc->vpid_generation;
		return;
	}
	if (vc->next_vpid >= umbra_caps.asids) {
		vc->vpid_generation++;
		vc->next_vpid = 1;
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
	}
	vmx->vpid_generation = vc->vpid_generation;
	vmx->vpid = vc->next_vpid++;
	vmx_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
}

/*
 * With a second level all translations bear its table's address, whatever their
 * tag; without it they bear the tag alone, and no entry keeps them without one.
 */
static void vmx_drop(const struct vmx_vcpu *vmx)
{
	if (vmx->nested) {
		if (vmx_ctls.ept_vpid & VMX_EPT_EXTENT_CONTEXT_BIT)
			vmx_invept(VMX_EPT_EXTENT_CONTEXT, vmx_eptp(vmx));
		else
			vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
	} else if (vmx->vpid) {
		if (vmx_ctls.ept_vpid & VMX_CAP_INVVPID_SINGLE)
			vmx_invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vmx->vpid);
		else
			vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
	}
}

/* A new tag is no flush by itself: second-level translations are not tagged by it. */
static void vmx_prepare_tlb(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *vc = this_cpu_ptr(&umbra_vmx_cpu);

	if (unlikely(vmx->vpid_generation != vc->vpid_generation)) {
		vmx_new_vpid(vmx, vc);
		vmx->flush = true;
	}
	if (vmx->flush) {
		vmx_drop(vmx);
		vmx->flush = false;
	}
}

void vmx_flush_tlb(struct umbra_vcpu *vcpu)
{
	to_vmx(vcpu)->flush = true;
}

/* While VMX is off on this CPU, nothing is loaded and the guest is not entered. */
void vmx_load(struct umbra_vcpu *vcpu)
{
	struct vmx_cpu *vc = this_cpu_ptr(&umbra_vmx_cpu);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool moved;

	if (unlikely(!vc->enabled))
		return;
	moved = vmx_make_current(vmx);
	if (moved)
		vmx->vpid_generation = 0;
	vmx->loaded = true;
	vmx_host_out(vmx, moved);
	if (unlikely(vmx->dirty & VMX_CONTROLS))
		vmx_write_controls(vmx);
	umbra_host_regs_out(vcpu, &vmx->host.regs);
}

void vmx_put(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (unlikely(!vmx->loaded))
		return;
	vmx_host_in(vmx);
	umbra_host_regs_in(&vmx->host.regs);
	vmx->loaded = false;
	umbra_guest_branches_seen();
}

/*
 * SPEC_CTRL is the guest's only inside the guest; the assembly puts the host's
 * back before its first return.
 */
static __always_inline bool vmx_switch(struct vmx_vcpu *vmx, u64 *gpr, u64 cr2)
{
	if (vmx->spec.swap || vmx->spec.rewrite) {
		vmx->spec.host = __rdmsr(MSR_IA32_SPEC_CTRL);
		if (vmx->spec.swap && vmx->spec.host != vmx->spec.guest)
			native_wrmsrl(MSR_IA32_SPEC_CTRL, vmx->spec.guest);
	}
	native_write_cr2(cr2);
	return vmx_enter_guest(vmx, gpr, vmx->launched);
}

/*
 * An NMI that ended the guest is the host's, and its handler has not run. No other
 * NMI comes before its IRET, and no code that may fault or be traced before it.
 */
static __always_inline void vmx_serve_nmi(struct vmx_vcpu *vmx)
{
	vmx->exit_reason = vmx_read(VM_EXIT_REASON);
	if ((u16)vmx->exit_reason != EXIT_REASON_EXCEPTION_NMI)
		return;
	vmx->exit_intr_info = vmx_read(VM_EXIT_INTR_INFO);
	if ((vmx->exit_intr_info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
}

static noinstr bool vmx_world_switch(struct vmx_vcpu *vmx, u64 *gpr, u64 *cr2)
{
	bool refused;

	umbra_guest_enter_irqoff();
	refused = vmx_switch(vmx, gpr, *cr2);
	*cr2 = native_read_cr2();
	if (likely(!refused))
		vmx_serve_nmi(vmx);
	umbra_guest_exit_irqoff();
	return refused;
}

/* What differs from the VMCS is written; mostly that is RIP alone. */
static void vmx_state_in(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 rflags = vcpu->rflags | umbra_debug_rflags(vcpu);
	u64 pat = vmx->nested ? vcpu->msrs.pat : vmx->host.pat;
	u64 cr4 = __read_cr4();

	if (vmx->dirty)
		vmx_write_dirty(vcpu);
	if (vmx->hw_rip != vcpu->rip)
		vmx_write(GUEST_RIP, vcpu->rip);
	if (vmx->hw_rsp != vcpu->gpr[UMBRA_RSP])
		vmx_write(GUEST_RSP, vcpu->gpr[UMBRA_RSP]);
	if (vmx->hw_rflags != rflags)
		vmx_write(GUEST_RFLAGS, rflags);
	if (vmx->hw_pat != pat)
		vmx_write(GUEST_IA32_PAT, pat);
	if (vmx->exec_ctrl_hw != vmx->exec_ctrl)
		vmx_write(CPU_BASED_VM_EXEC_CONTROL, vmx->exec_ctrl);
	/* An interrupt since load() may have changed it. */
	if (vmx->hw_cr4 != cr4)
		vmx_write(HOST_CR4, cr4);
	vmx->hw_rflags = rflags;
	vmx->hw_pat = pat;
	vmx->exec_ctrl_hw = vmx->exec_ctrl;
	vmx->hw_cr4 = cr4;
	vmx_events_in(vcpu);
}

static void vmx_pdptes_out(struct umbra_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vcpu->pdpte); i++)
		vcpu->pdpte[i] = vmx_read(GUEST_PDPTR0 + 2 * i);
}

static void vmx_state_out(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 ours = umbra_debug_rflags(vcpu);

	vmx->hw_rip = vmx_read(GUEST_RIP);
	vmx->hw_rsp = vmx_read(GUEST_RSP);
	vmx->hw_rflags = vmx_read(GUEST_RFLAGS);
	vcpu->rip = vmx->hw_rip;
	vcpu->gpr[UMBRA_RSP] = vmx->hw_rsp;
	/* A TF that the guest set itself stays; one set for it goes. */
	vcpu->rflags = vmx->hw_rflags & ~(ours & ~vcpu->rflags);
	vmx->valid = 0;
	if (vmx->nested) {
		vcpu->cr3 = vmx_read(GUEST_CR3);
		if (unlikely(umbra_is_pae_paging(vcpu)))
			vmx_pdptes_out(vcpu);
	}
	vmx_events_out(vcpu);
}

/* A machine check too is the host's. */
static void vmx_serve_mce(const struct vmx_vcpu *vmx)
{
	u16 reason = vmx->exit_reason;
	u32 info = vmx->exit_intr_info;

	if (reason == EXIT_REASON_MCE_DURING_VMENTRY ||
	    (reason == EXIT_REASON_EXCEPTION_NMI &&
	     (info & INTR_INFO_INTR_TYPE_MASK) != INTR_TYPE_NMI_INTR &&
	     (info & INTR_INFO_VECTOR_MASK) == MC_VECTOR))
		umbra_machine_check();
}

void vmx_enter(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool dr = umbra_effective_dr(vcpu, 7) & (DR_GLOBAL_ENABLE_MASK | DR_LOCAL_ENABLE_MASK);

	vmx_prepare_tlb(vmx);
	vmx_host_entry(vmx);
	vmx_state_in(vcpu);
	/* Last, so that little of the host's comes back into the cache. */
	if (vmx_flush_l1d)
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	/* An exit leaves DR7 disabled and DEBUGCTL clear: the host's have to be put back. */
	if (dr)
		umbra_host_dr_out(vcpu, &vmx->host.regs);
	vmx->failed = vmx_world_switch(vmx, vcpu->gpr, &vcpu->cr2);
	if (dr)
		umbra_host_dr_in(&vmx->host.regs);
	if (hw_breakpoint_active())
		set_debugreg(this_cpu_read(cpu_dr7), 7);
	if (unlikely(vmx->host.debugctl))
		wrmsrl(MSR_IA32_DEBUGCTLMSR, vmx->host.debugctl);
	if (likely(!vmx->failed)) {
		/* A launch that was refused half-way has to be a launch again. */
		vmx->launched |= !vmx_refused(vmx);
		vmx_serve_mce(vmx);
	} else {
		vmx->exit_reason = vmx_read(VM_INSTRUCTION_ERROR);
	}
	vmx_state_out(vcpu);
}

const struct umbra_vendor_ops umbra_vmx_ops = {
	.name = "vmx",
	.probe = vmx_probe,
	.setup = vmx_setup,
	.teardown = vmx_teardown,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.vcpu_reset = vmx_vcpu_reset,
	.load = vmx_load,
	.put = vmx_put,
	.enter = vmx_enter,
	.decode = vmx_decode,
	.inject = vmx_inject,
	.window = vmx_window,
	.sync_crs = vmx_sync_crs,
	.sync_debug = vmx_sync_debug,
	.sync_msr_map = vmx_sync_msr_map,
	.sync_tsc = vmx_sync_tsc,
	.get_segment = vmx_get_segment,
	.set_segment = vmx_set_segment,
	.get_table = vmx_get_table,
	.set_table = vmx_set_table,
	.get_msr = vmx_get_msr,
	.set_msr = vmx_set_msr,
	.cpl = vmx_cpl,
	.set_root = vmx_set_root,
	.flush_tlb = vmx_flush_tlb,
};
