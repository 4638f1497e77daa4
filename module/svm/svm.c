// SPDX-License-Identifier: GPL-2.0
/*
 * The AMD-V ops table, address space tags, and the way into the guest and
 * out. Takes no decision about exits: see exit.c for their translation.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>
#include <asm/trapnr.h>
#include "../compat.h"
#include "insn.h"
#include "nested.h"
#include "svm.h"

/*
 * Give the vCPU a tag on this CPU. A new tag is at the same time a flush: no
 * translation carries it yet. When the tags run out, all of them are dropped
 * in hardware and a new generation begins.
 */
static void svm_new_asid(struct svm_vcpu *svm, struct svm_cpu *sc)
{
	struct vmcb_control_area *c = &svm->vmcb->control;

	if (sc->next_asid >= umbra_caps.asids) {
		sc->asid_generation++;
		sc->next_asid = 1;
		c->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	svm->asid_generation = sc->asid_generation;
	c->asid = sc->next_asid++;
}

void svm_load(struct umbra_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&umbra_svm_cpu);
	struct svm_vcpu *svm = to_svm(vcpu);

	/* FS, GS, TR, LDTR and the system-call MSRs of this thread. */
	svm_vmsave(sc->host_vmcb_pa);
	if (vcpu->last_cpu != smp_processor_id())
		svm->asid_generation = 0;
	umbra_host_regs_out(vcpu, &svm->host);
}

void svm_put(struct umbra_vcpu *vcpu)
{
	umbra_host_regs_in(&to_svm(vcpu)->host);
	umbra_guest_branches_seen();
}

void svm_flush_tlb(struct umbra_vcpu *vcpu)
{
	to_svm(vcpu)->flush = true;
}

/* The tag is void on this CPU, or its translations are to go. */
static noinline void svm_renew_tlb(struct svm_vcpu *svm, struct svm_cpu *sc)
{
	if (svm->asid_generation == sc->asid_generation && umbra_caps.flush_by_asid)
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ASID;
	else
		svm_new_asid(svm, sc);
	svm->flush = false;
}

static void svm_prepare_tlb(struct svm_vcpu *svm, struct svm_cpu *sc, struct vmcb *vmcb)
{
	vmcb->control.tlb_ctl = TLB_CONTROL_DO_NOTHING;
	if (svm->flush || unlikely(svm->asid_generation != sc->asid_generation))
		svm_renew_tlb(svm, sc);
}

/*
 * SPEC_CTRL is the guest's only inside the guest. Where the processor has
 * V_SPEC_CTRL it keeps the guest's value in the VMCB and nothing is to do.
 */
static noinstr void svm_switch_spec_ctrl(struct svm_vcpu *svm, u64 *gpr, u64 host_pa)
{
	u64 host = __rdmsr(MSR_IA32_SPEC_CTRL);

	if (host != svm->spec_ctrl)
		native_wrmsrl(MSR_IA32_SPEC_CTRL, svm->spec_ctrl);
	svm_enter_guest(gpr, svm->vmcb_pa, host_pa);
	svm->spec_ctrl = __rdmsr(MSR_IA32_SPEC_CTRL);
	if (host != svm->spec_ctrl)
		native_wrmsrl(MSR_IA32_SPEC_CTRL, host);
}

static void svm_state_in(const struct umbra_vcpu *vcpu, const struct svm_vcpu *svm,
			 struct vmcb *vmcb)
{
	u64 tpr = umbra_guest_cr8(vcpu);

	vmcb->save.rax = vcpu->gpr[UMBRA_RAX];
	vmcb->save.rsp = vcpu->gpr[UMBRA_RSP];
	vmcb->save.rip = vcpu->rip;
	vmcb->save.rflags = vcpu->rflags | svm->step_rflags;
	vmcb->save.cr2 = vcpu->cr2;
	vmcb->save.g_pat = vcpu->msrs.pat;
	/* Nothing set: whatever #DB reports afterwards is new. */
	vmcb->save.dr6 = DR6_RESERVED;
	vmcb->control.int_state = vcpu->ev.shadow ? SVM_INTERRUPT_SHADOW_MASK : 0;
	if (unlikely((vmcb->control.int_ctl ^ tpr) & V_TPR_MASK))
		vmcb->control.int_ctl = (vmcb->control.int_ctl & ~V_TPR_MASK) |
					(tpr & V_TPR_MASK);
}

/*
 * QEMU's processor forgets the shadow at VMRUN and reports none if it leaves
 * again before the instruction behind MOV SS or STI has run. As long as RIP is
 * there, and the exit is not the trap behind a step, the shadow holds.
 */
static bool svm_in_shadow(const struct umbra_vcpu *vcpu, const struct vmcb *vmcb)
{
	if (vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK)
		return true;
	return vcpu->ev.shadow && vcpu->rip == vmcb->save.rip &&
	       vmcb->control.exit_code != SVM_EXIT_EXCP_BASE + DB_VECTOR;
}

static void svm_state_out(struct umbra_vcpu *vcpu, const struct svm_vcpu *svm,
			  const struct vmcb *vmcb)
{
	vcpu->gpr[UMBRA_RAX] = vmcb->save.rax;
	vcpu->gpr[UMBRA_RSP] = vmcb->save.rsp;
	vcpu->ev.shadow = svm_in_shadow(vcpu, vmcb) ? UMBRA_SHADOW_STI : 0;
	vcpu->rip = vmcb->save.rip;
	/* A TF that the guest set itself stays; one set for it goes. */
	if (likely(!svm->step_rflags))
		vcpu->rflags = vmcb->save.rflags;
	else
		vcpu->rflags = vmcb->save.rflags & ~(svm->step_rflags & ~vcpu->rflags);
	vcpu->cr2 = vmcb->save.cr2;
	if (svm->nested)
		vcpu->cr3 = vmcb->save.cr3;
}

/* Apart, for its registers' place on the stack. */
static noinline void svm_serve_mce(void)
{
	umbra_machine_check();
}

/* Both sides of the switch in one: what this CPU and vCPU keep where stays in registers. */
noinstr void svm_enter(struct umbra_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&umbra_svm_cpu);
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	bool dr = vmcb->save.dr7 & (DR_GLOBAL_ENABLE_MASK | DR_LOCAL_ENABLE_MASK);

	instrumentation_begin();
	/* An interrupt since load() may have replaced the thread's LDT. */
	if (unlikely(umbra_host_has_ldt()))
		svm_vmsave(sc->host_vmcb_pa);
	svm_prepare_tlb(svm, sc, vmcb);
	svm_state_in(vcpu, svm, vmcb);

	/* #VMEXIT leaves DR7 disabled: the host's own has to be put back. */
	if (unlikely(dr))
		umbra_host_dr_out(vcpu, &svm->host);
	svm_clgi();
	/* Zen 1 keeps the last quotient where a division by 0 can find it. */
	if (static_cpu_has_bug(X86_BUG_DIV0))
		amd_clear_divider();
	instrumentation_end();

	umbra_guest_enter_irqoff();
	if (unlikely(svm->spec_ctrl_used) && !boot_cpu_has(X86_FEATURE_V_SPEC_CTRL))
		svm_switch_spec_ctrl(svm, vcpu->gpr, sc->host_vmcb_pa);
	else
		svm_enter_guest(vcpu->gpr, svm->vmcb_pa, sc->host_vmcb_pa);
	umbra_guest_exit_irqoff();

	instrumentation_begin();
	if (unlikely(dr))
		umbra_host_dr_in(&svm->host);
	/* #VMEXIT leaves the guest's DR6, and the host would take its bits for its own. */
	if (unlikely(vmcb->save.dr6 != DR6_RESERVED))
		set_debugreg(DR6_RESERVED, 6);
	if (unlikely(hw_breakpoint_active()))
		set_debugreg(this_cpu_read(cpu_dr7), 7);
	svm_stgi();
	/* An entry that was refused may not have flushed what it was told to. */
	if (unlikely(vmcb->control.exit_code == (u32)SVM_EXIT_ERR))
		svm_void_asids(sc);
	/* The intercept kept the host's own handler from running: do its work. */
	if (unlikely(vmcb->control.exit_code == SVM_EXIT_EXCP_BASE + MC_VECTOR))
		svm_serve_mce();

	svm_state_out(vcpu, svm, vmcb);
	instrumentation_end();
}

const struct umbra_vendor_ops umbra_svm_ops = {
	.name = "svm",
	.probe = svm_probe,
	.setup = svm_setup,
	.teardown = svm_teardown,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.vcpu_reset = svm_vcpu_reset,
	.load = svm_load,
	.put = svm_put,
	.enter = svm_enter,
	.decode = svm_decode,
	.inject = svm_inject,
	.window = svm_window,
	.sync_crs = svm_sync_crs,
	.sync_debug = svm_sync_debug,
	.sync_msr_map = svm_sync_msr_map,
	.sync_tsc = svm_sync_tsc,
	.get_segment = svm_get_segment,
	.set_segment = svm_set_segment,
	.get_table = svm_get_table,
	.set_table = svm_set_table,
	.get_msr = svm_get_msr,
	.set_msr = svm_set_msr,
	.cpl = svm_cpl,
	.set_root = svm_set_root,
	.flush_tlb = svm_flush_tlb,
	.inner_exit = svm_inner_exit,
	.inner_end = svm_inner_end,
};
