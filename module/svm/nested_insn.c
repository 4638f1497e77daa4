// SPDX-License-Identifier: GPL-2.0
/*
 * The instructions of SVM as a guest executes them, VMRUN but for what it loads. Each has
 * left the guest: the processor, on which SVM is on, would do them to the host.
 */
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>
#include "../guest_mem.h"
#include "../guest_write.h"
#include "../regs.h"
#include "nested.h"

/* The part of a VMCB that VMLOAD and VMSAVE move, in two pieces. */
#define SEGS_AT		offsetof(struct vmcb, save.fs)
#define SEGS_BYTES	(offsetofend(struct vmcb, save.tr) - SEGS_AT)
#define MSRS_AT		offsetof(struct vmcb, save.star)
#define MSRS_BYTES	(offsetofend(struct vmcb, save.sysenter_eip) - MSRS_AT)
#define SVM_SEG_ATTRIB	0xfff

static_assert(MSRS_BYTES == 64);

bool svm_inner_is_insn(u32 code)
{
	switch (code) {
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_INVLPGA:
		return true;
	default:
		return false;
	}
}

/* A base or an entry point that is no address becomes one, as VMLOAD does it. */
static u64 svm_canonical(const struct umbra_vcpu *vcpu, u64 address)
{
	int unused = 64 - (vcpu->cr4 & X86_CR4_LA57 ? 57 : 48);

	return (u64)((s64)(address << unused) >> unused);
}

static void svm_vmload_segment(const struct umbra_vcpu *vcpu, struct vmcb_seg *to,
			       const struct vmcb_seg *from)
{
	*to = *from;
	to->attrib &= SVM_SEG_ATTRIB;
	to->base = svm_canonical(vcpu, from->base);
}

static bool svm_guest_vmload(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	struct vmcb_save_area *to = &to_svm(vcpu)->vmcb->save;
	struct vmcb_seg segs[6];	/* FS, GS, GDTR, LDTR, IDTR, TR */
	u64 msrs[MSRS_BYTES / 8];	/* STAR to SYSENTER_EIP, in the VMCB's order */

	static_assert(sizeof(segs) == SEGS_BYTES);
	if (umbra_gpa_read(vcpu->vm, gpa + SEGS_AT, segs, sizeof(segs)) ||
	    umbra_gpa_read(vcpu->vm, gpa + MSRS_AT, msrs, sizeof(msrs)))
		return false;
	svm_vmload_segment(vcpu, &to->fs, &segs[0]);
	svm_vmload_segment(vcpu, &to->gs, &segs[1]);
	svm_vmload_segment(vcpu, &to->ldtr, &segs[3]);
	svm_vmload_segment(vcpu, &to->tr, &segs[5]);
	to->star = msrs[0];
	to->lstar = svm_canonical(vcpu, msrs[1]);
	to->cstar = svm_canonical(vcpu, msrs[2]);
	to->sfmask = msrs[3];
	to->kernel_gs_base = svm_canonical(vcpu, msrs[4]);
	to->sysenter_cs = msrs[5];
	to->sysenter_esp = svm_canonical(vcpu, msrs[6]);
	to->sysenter_eip = svm_canonical(vcpu, msrs[7]);
	return true;
}

static bool svm_guest_vmsave(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	const struct vmcb_save_area *from = &to_svm(vcpu)->vmcb->save;
	const gpa_t save = gpa + offsetof(struct vmcb, save);

	return !umbra_guest_write(vcpu, save + offsetof(struct vmcb_save_area, fs), &from->fs,
				  2 * sizeof(from->fs)) &&
	       !umbra_guest_write(vcpu, save + offsetof(struct vmcb_save_area, ldtr),
				  &from->ldtr, sizeof(from->ldtr)) &&
	       !umbra_guest_write(vcpu, save + offsetof(struct vmcb_save_area, tr), &from->tr,
				  sizeof(from->tr)) &&
	       !umbra_guest_write(vcpu, gpa + MSRS_AT, &from->star, MSRS_BYTES);
}

/* VMRUN, VMLOAD and VMSAVE, whose operand is a page. */
static int svm_with_page(struct umbra_vcpu *vcpu, u32 code, u64 next)
{
	u64 gpa = vcpu->gpr[UMBRA_RAX];
	bool done;

	if (!vcpu->exit.code64)
		gpa = (u32)gpa;
	if (!svm_inner_page(vcpu, gpa)) {
		umbra_queue_gp(vcpu);
		return UMBRA_CONTINUE;
	}
	if (code == SVM_EXIT_VMRUN)
		return svm_inner_run(vcpu, gpa, next);
	if (code == SVM_EXIT_VMLOAD)
		done = svm_guest_vmload(vcpu, gpa);
	else
		done = svm_guest_vmsave(vcpu, gpa);
	if (done)
		return umbra_step_rip(vcpu, next);
	umbra_queue_gp(vcpu);
	return UMBRA_CONTINUE;
}

/*
 * Translations of inner guests go at the next VMRUN in any case; those of the current guest,
 * if they were meant, go here, and all the others with them.
 */
static void svm_guest_invlpga(struct umbra_vcpu *vcpu)
{
	umbra_paging_replaced(vcpu, vcpu->pdpte);
}

/**
 * svm_inner_insn() - the guest executed an instruction of SVM, and has EFER.SVME set
 * @vcpu: virtual processor
 * @code: exit code of the instruction
 *
 * Return: as inner_exit() in vendor.h.
 */
int svm_inner_insn(struct umbra_vcpu *vcpu, u32 code)
{
	int verdict;
	u64 next;

	/* User space may have set EFER.SVME without it. */
	if (!umbra_cpuid_has(vcpu, X86_FEATURE_SVM) || !(vcpu->cr0 & X86_CR0_PE) ||
	    (vcpu->rflags & X86_EFLAGS_VM)) {
		umbra_queue_ud(vcpu);
		return UMBRA_CONTINUE;
	}
	if (svm_cpl(vcpu)) {
		umbra_queue_gp(vcpu);
		return UMBRA_CONTINUE;
	}
	if (!umbra_next_rip(vcpu, false, &next, &verdict))
		return verdict;
	switch (code) {
	case SVM_EXIT_STGI:
		vcpu->inner.held = false;
		vcpu->ev.look = true;
		break;
	case SVM_EXIT_CLGI:
		vcpu->inner.held = true;
		vcpu->ev.look = true;
		break;
	case SVM_EXIT_INVLPGA:
		svm_guest_invlpga(vcpu);
		break;
	default:
		return svm_with_page(vcpu, code, next);
	}
	return umbra_step_rip(vcpu, next);
}
