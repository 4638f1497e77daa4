// SPDX-License-Identifier: GPL-2.0
/*
 * The rules for registers that a processor has to hold while a guest runs, and the
 * exchange of those that no world switch of either vendor exchanges. Knows no control
 * block: the vendors write results where their processor wants them.
 */
#include <linux/atomic.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>
#include "debug.h"
#include "hw_regs.h"
#include "vcpu.h"

/* The vCPU whose branch history is in this CPU; compared, never followed. */
static DEFINE_PER_CPU(const struct umbra_vcpu *, last_guest);

/*
 * CD and NW would make the guest really uncached, and its memory is the host's
 * ordinary memory: they are kept for reading only. Umbra's own tables need
 * paging on, even in real mode, and write protection that holds for kernels.
 */
u64 umbra_hw_cr0(const struct umbra_vcpu *vcpu, bool nested)
{
	u64 cr0 = (vcpu->cr0 & ~(u64)(X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;

	return nested ? cr0 : cr0 | X86_CR0_PG | X86_CR0_WP;
}

/*
 * MCE is the host's: without it a machine check would shut the guest down
 * instead of reaching the host. Umbra's own tables are long-mode or PAE tables
 * without process contexts, and with user rights on all pages while the guest
 * has no paging.
 */
u64 umbra_hw_cr4(const struct umbra_vcpu *vcpu, bool nested)
{
	u64 cr4 = vcpu->cr4 | (__read_cr4() & X86_CR4_MCE);

	if (nested)
		return cr4;
	cr4 = (cr4 | X86_CR4_PAE) & ~(u64)X86_CR4_PCIDE;
	if (!(vcpu->cr0 & X86_CR0_PG))
		cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	if (!(vcpu->efer & EFER_LMA))
		cr4 &= ~(u64)X86_CR4_LA57;
	return cr4;
}

/* With paging always on, LME alone would already make long mode. */
u64 umbra_hw_efer(const struct umbra_vcpu *vcpu, bool nested)
{
	u64 efer = vcpu->efer;

	if (nested)
		return efer;
	if (!(efer & EFER_LMA))
		efer &= ~(u64)EFER_LME;
	return efer | EFER_NX;
}

/* A guest can loop in #DB or #AC delivery for ever: never let it. #MC is the host's. */
u32 umbra_hw_exceptions(const struct umbra_vcpu *vcpu, bool nested)
{
	u32 bits = BIT(DB_VECTOR) | BIT(AC_VECTOR) | BIT(MC_VECTOR);

	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		bits |= BIT(BP_VECTOR);
	if (!nested)
		bits |= BIT(PF_VECTOR);
	return bits;
}

/* Only guests that enabled a breakpoint pay for eight register moves. */
void umbra_host_dr_out(const struct umbra_vcpu *vcpu, struct umbra_host_regs *host)
{
	/* The host's DR7 must not enable the guest's addresses. */
	if (hw_breakpoint_active())
		set_debugreg(0UL, 7);
	get_debugreg(host->dr[0], 0);
	get_debugreg(host->dr[1], 1);
	get_debugreg(host->dr[2], 2);
	get_debugreg(host->dr[3], 3);
	set_debugreg(umbra_effective_dr(vcpu, 0), 0);
	set_debugreg(umbra_effective_dr(vcpu, 1), 1);
	set_debugreg(umbra_effective_dr(vcpu, 2), 2);
	set_debugreg(umbra_effective_dr(vcpu, 3), 3);
}

void umbra_host_dr_in(const struct umbra_host_regs *host)
{
	set_debugreg(host->dr[0], 0);
	set_debugreg(host->dr[1], 1);
	set_debugreg(host->dr[2], 2);
	set_debugreg(host->dr[3], 3);
}

void umbra_host_regs_out(const struct umbra_vcpu *vcpu, struct umbra_host_regs *host)
{
	/* Only user space reads TSC_AUX on the host, so per load is enough. */
	if (boot_cpu_has(X86_FEATURE_RDTSCP)) {
		rdmsrl(MSR_TSC_AUX, host->tsc_aux);
		if (host->tsc_aux != vcpu->msrs.tsc_aux)
			wrmsrl(MSR_TSC_AUX, vcpu->msrs.tsc_aux);
	}
	if (this_cpu_read(last_guest) == vcpu)
		return;
	this_cpu_write(last_guest, vcpu);
	/* Another guest's branch history must not steer this one. */
	if (boot_cpu_has(X86_FEATURE_IBPB))
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/* The guest's may have been set since: compare with nothing. */
void umbra_host_regs_in(const struct umbra_host_regs *host)
{
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		wrmsrl(MSR_TSC_AUX, host->tsc_aux);
}

void umbra_branches_unknown(void)
{
	this_cpu_write(last_guest, NULL);
}

/* Its address may come back as another vCPU's. */
void umbra_branches_forget(const struct umbra_vcpu *vcpu)
{
	int cpu;

	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(last_guest, cpu), vcpu, NULL);
}
