// SPDX-License-Identifier: GPL-2.0
/*
 * VMRUN of a guest: read its VMCB once, check it as the processor does, put the outer
 * guest's state aside and load the inner one's. The way back is nested_exit.c.
 *
 * The processor runs the inner guest on the vCPU's own VMCB, whose guest state is replaced
 * and whose intercepts become the union of Umbra's and the outer guest's. The outer guest's
 * permission maps are looked at when something exits; the processor gets maps that let nothing
 * through. Nothing of the outer guest's VMCB is used unchecked, or read twice.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "../debug.h"
#include "../guest_mem.h"
#include "../regs.h"
#include "nested.h"

#define SVM_CR0_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
			 X86_CR0_PG)
#define SVM_RFLAGS_BITS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_IF | X86_EFLAGS_DF | \
			 X86_EFLAGS_OF | X86_EFLAGS_IOPL | X86_EFLAGS_NT | X86_EFLAGS_RF | \
			 X86_EFLAGS_VM | X86_EFLAGS_AC | X86_EFLAGS_VIF | X86_EFLAGS_VIP | \
			 X86_EFLAGS_ID)
#define SVM_SEG_ATTRIB	0xfff

/* Bytes of the outer guest's permission maps. */
#define SVM_IOPM_BYTES	(3 * PAGE_SIZE)
#define SVM_MSRPM_BYTES	(2 * PAGE_SIZE)

/*
 * Intercepts that the processor gets from the outer guest. Virtual interrupts are Umbra's own,
 * and writes of CR0 are all seen anyway; of the last words only what a guest is offered.
 */
static const u32 svm_inner_may_ask[MAX_INTERCEPT] = {
	[INTERCEPT_CR] = ~0u,
	[INTERCEPT_DR] = ~0u,
	[INTERCEPT_EXCEPTION] = ~0u,
	[INTERCEPT_WORD3] = ~(1u << INTERCEPT_VINTR % 32 | 1u << INTERCEPT_SELECTIVE_CR0 % 32),
	[INTERCEPT_WORD4] = BIT(INTERCEPT_RDPRU % 32 + 1) - 1,
};

static bool svm_map_valid(const struct umbra_vcpu *vcpu, u64 base, u64 bytes)
{
	return (base & PAGE_MASK) + bytes - 1 < 1ULL << vcpu->cpuid.phys_bits &&
	       !(base >> vcpu->cpuid.phys_bits);
}

static bool svm_event_valid(u32 event)
{
	u8 vector = event & SVM_EVTINJ_VEC_MASK;

	if (!(event & SVM_EVTINJ_VALID))
		return true;
	switch (event & SVM_EVTINJ_TYPE_MASK) {
	case SVM_EVTINJ_TYPE_INTR:
	case SVM_EVTINJ_TYPE_NMI:
	case SVM_EVTINJ_TYPE_SOFT:
		return true;
	case SVM_EVTINJ_TYPE_EXEPT:
		return vector < 32 && vector != X86_TRAP_NMI;
	default:
		return false;
	}
}

static bool svm_control_valid(const struct umbra_vcpu *vcpu, const struct vmcb_control_area *c)
{
	if (!(c->intercepts[INTERCEPT_WORD4] & BIT(INTERCEPT_VMRUN % 32)) || !c->asid)
		return false;
	if (c->nested_ctl & SVM_NESTED_CTL_NP_ENABLE)
		return false;
	return svm_map_valid(vcpu, c->iopm_base_pa, SVM_IOPM_BYTES) &&
	       svm_map_valid(vcpu, c->msrpm_base_pa, SVM_MSRPM_BYTES) &&
	       svm_event_valid(c->event_inj);
}

static bool svm_long_mode_valid(const struct umbra_vcpu *vcpu, const struct vmcb_save_area *s)
{
	const u16 both = SVM_SELECTOR_L_MASK | SVM_SELECTOR_DB_MASK;

	if (!(s->cr4 & X86_CR4_PAE) || s->cr3 & umbra_cr3_reserved(vcpu))
		return false;
	return (s->cs.attrib & both) != both;
}

/* The list of illegal states in the manual's section on VMRUN. */
static bool svm_save_valid(const struct umbra_vcpu *vcpu, const struct vmcb_save_area *s)
{
	if (!(s->efer & EFER_SVME) || s->efer & ~vcpu->cpuid.efer_allowed)
		return false;
	if (!umbra_cr0_valid(s->cr0) || s->cr4 & ~umbra_cr4_allowed(vcpu))
		return false;
	if (s->dr6 >> 32 || s->dr7 >> 32)
		return false;
	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG))
		return svm_long_mode_valid(vcpu, s);
	return !((s->cr4 & X86_CR4_PCIDE) && (s->cr0 & X86_CR0_PG));
}

static void svm_keep_outer(struct umbra_vcpu *vcpu, struct svm_inner *in)
{
	const struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	in->es = save->es;
	in->cs = save->cs;
	in->ss = save->ss;
	in->ds = save->ds;
	in->gdtr = save->gdtr;
	in->idtr = save->idtr;
	in->cr0 = vcpu->cr0;
	in->cr3 = vcpu->cr3;
	in->cr4 = vcpu->cr4;
	in->efer = vcpu->efer;
	memcpy(in->pdpte, vcpu->pdpte, sizeof(in->pdpte));
	in->rflags = vcpu->rflags;
	in->rip = vcpu->rip;
	in->rsp = vcpu->gpr[UMBRA_RSP];
	in->rax = vcpu->gpr[UMBRA_RAX];
}

static void svm_load_segment(struct vmcb_seg *to, const struct vmcb_seg *from)
{
	*to = *from;
	to->attrib &= SVM_SEG_ATTRIB;
}

static void svm_load_segments(struct vmcb_save_area *to, const struct vmcb_save_area *from)
{
	svm_load_segment(&to->es, &from->es);
	svm_load_segment(&to->cs, &from->cs);
	svm_load_segment(&to->ss, &from->ss);
	svm_load_segment(&to->ds, &from->ds);
	to->gdtr.base = from->gdtr.base;
	to->gdtr.limit = from->gdtr.limit & 0xffff;
	to->idtr.base = from->idtr.base;
	to->idtr.limit = from->idtr.limit & 0xffff;
	if (!(from->cr0 & X86_CR0_PE))
		to->cpl = 0;
	else if (from->rflags & X86_EFLAGS_VM)
		to->cpl = 3;
	else
		to->cpl = from->cpl & 3;
}

/* All but the event that goes in first. -EINVAL: PDPTEs are bad. */
static int svm_load_inner(struct umbra_vcpu *vcpu, const struct vmcb_save_area *s)
{
	svm_load_segments(&to_svm(vcpu)->vmcb->save, s);
	vcpu->cr0 = (s->cr0 & SVM_CR0_BITS) | X86_CR0_ET;
	vcpu->cr2 = s->cr2;
	vcpu->cr3 = s->cr3;
	vcpu->cr4 = s->cr4;
	vcpu->efer = s->efer & ~(u64)EFER_LMA;
	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG))
		vcpu->efer |= EFER_LMA;
	else
		vcpu->cr3 = (u32)s->cr3;
	vcpu->rflags = (s->rflags & SVM_RFLAGS_BITS) | X86_EFLAGS_FIXED;
	vcpu->rip = s->rip;
	vcpu->gpr[UMBRA_RSP] = s->rsp;
	vcpu->gpr[UMBRA_RAX] = s->rax;
	/* Both were checked to have no high half, which is all that can be wrong. */
	umbra_set_dr(vcpu, 6, s->dr6);
	umbra_set_dr(vcpu, 7, s->dr7);
	return umbra_paging_replaced(vcpu, NULL);
}

/* What EVENTINJ holds is not subject to intercepts, and goes in before anything else. */
static void svm_load_event(struct umbra_vcpu *vcpu, const struct vmcb_control_area *c)
{
	struct umbra_event *ev = &vcpu->ev.injected;
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!(c->event_inj & SVM_EVTINJ_VALID))
		return;
	*ev = (struct umbra_event) {
		.type = (c->event_inj & SVM_EVTINJ_TYPE_MASK) >> SVM_EVTINJ_TYPE_SHIFT,
		.vector = c->event_inj & SVM_EVTINJ_VEC_MASK,
		.has_error = c->event_inj & SVM_EVTINJ_VALID_ERR,
		.error = c->event_inj_err,
	};
	/* Its hypervisor has moved RIP already, if that was to be done. */
	svm->as_is = umbra_soft_event_len(ev->type, ev->vector);
	svm->inner->next_rip = umbra_cpuid_has(vcpu, X86_FEATURE_NRIPS) ? c->next_rip : vcpu->rip;
}

static void svm_set_inner(struct umbra_vcpu *vcpu, const struct svm_inner *in)
{
	const struct vmcb_control_area *c = &in->image.control;
	const struct svm_vcpu *svm = to_svm(vcpu);

	vcpu->inner = (struct umbra_inner) {
		.active = true,
		.irq_exits = svm_inner_wants(svm, INTERCEPT_INTR),
		.nmi_exits = svm_inner_wants(svm, INTERCEPT_NMI),
		.shutdown_exits = svm_inner_wants(svm, INTERCEPT_SHUTDOWN),
		.virq_exits = svm_inner_wants(svm, INTERCEPT_VINTR),
		.masked = c->int_ctl & V_INTR_MASKING_MASK,
		.outer_if = in->rflags & X86_EFLAGS_IF,
		.virq = c->int_ctl & V_IRQ_MASK,
		.virq_vector = c->int_vector,
		.virq_prio = c->int_ctl & V_IGN_TPR_MASK ? UMBRA_VIRQ_ANY_TPR :
			     (c->int_ctl & V_INTR_PRIO_MASK) >> V_INTR_PRIO_SHIFT,
		.tpr = c->int_ctl & V_TPR_MASK,
		.exceptions = c->intercepts[INTERCEPT_EXCEPTION],
		.tsc_offset = c->tsc_offset,
	};
	vcpu->ev.shadow = c->int_state & SVM_INTERRUPT_SHADOW_MASK ? UMBRA_SHADOW_STI : 0;
}

void svm_inner_apply(struct umbra_vcpu *vcpu, const u32 *asked)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	unsigned int i;

	for (i = 0; i < MAX_INTERCEPT; i++) {
		svm->asked[i] = asked ? asked[i] & svm_inner_may_ask[i] : 0;
		if (i == INTERCEPT_WORD5 && asked && boot_cpu_has(X86_FEATURE_INVPCID))
			svm->asked[i] = asked[i] & BIT(INTERCEPT_INVPCID % 32);
		svm_set_intercepts(svm, i, svm->own[i]);
	}
	/* The map of ports has every bit set, and is larger than a map of MSRs. */
	svm->vmcb->control.msrpm_base_pa = asked ? svm_iopm_pa() : __sme_pa(svm->msrpm);
	/* Tags tell the two guests' translations apart as little as those of contexts. */
	svm->flush = true;
	svm->iret_seen = false;
	vcpu->ev.look = true;
	svm_sync_debug(vcpu);
	svm_sync_tsc(vcpu);
}

void svm_inner_forget(struct umbra_vcpu *vcpu)
{
	vcpu->inner = (struct umbra_inner) { };
	svm_inner_apply(vcpu, NULL);
}

static bool svm_load_all(struct umbra_vcpu *vcpu, const struct svm_inner *in)
{
	svm_set_inner(vcpu, in);
	if (svm_load_inner(vcpu, &in->image.save))
		return false;
	svm_load_event(vcpu, &in->image.control);
	svm_inner_apply(vcpu, in->image.control.intercepts);
	return true;
}

int svm_inner_run(struct umbra_vcpu *vcpu, gpa_t gpa, u64 next_rip)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_inner *in = svm->inner;
	bool step;

	if (!in) {
		in = kzalloc(sizeof(*in), GFP_KERNEL_ACCOUNT);
		if (!in)
			return -ENOMEM;
		svm->inner = in;
	}
	if (umbra_gpa_read(vcpu->vm, gpa, &in->image, sizeof(in->image))) {
		umbra_queue_gp(vcpu);
		return UMBRA_CONTINUE;
	}
	in->gpa = gpa;
	step = umbra_advance_rip(vcpu, next_rip);
	svm_keep_outer(vcpu, in);
	if (!svm_control_valid(vcpu, &in->image.control) ||
	    !svm_save_valid(vcpu, &in->image.save) || !svm_load_all(vcpu, in))
		svm_inner_leave(vcpu, SVM_EXIT_ERR, 0, 0, false);
	/* The outer guest's own step ends where it goes on, and is its TF's affair there. */
	return step ? umbra_debug_insn_done(vcpu, 0) : UMBRA_CONTINUE;
}
