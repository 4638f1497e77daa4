// SPDX-License-Identifier: GPL-2.0
/*
 * Translate SVM's exits into the neutral record, and neutral events into
 * SVM's injection fields. Decodes; decides nothing.
 */
#include <linux/kvm.h>
#include <uapi/asm/debugreg.h>
#include <asm/trapnr.h>
#include "../compat.h"
#include "../event.h"
#include "nested.h"
#include "svm.h"

/* What each exit code is called; 0 is UMBRA_EXIT_UNKNOWN. NPF lies far outside. */
static const u8 svm_kinds[] = {
	[SVM_EXIT_READ_CR0 ... SVM_EXIT_WRITE_CR8] = UMBRA_EXIT_CR,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_WRITE_DR7] = UMBRA_EXIT_DR,
	[SVM_EXIT_EXCP_BASE ... SVM_EXIT_EXCP_BASE + MC_VECTOR - 1] = UMBRA_EXIT_EXCEPTION,
	[SVM_EXIT_EXCP_BASE + MC_VECTOR] = UMBRA_EXIT_NOTHING,
	[SVM_EXIT_EXCP_BASE + MC_VECTOR + 1 ... SVM_EXIT_LAST_EXCP] = UMBRA_EXIT_EXCEPTION,
	[SVM_EXIT_INTR] = UMBRA_EXIT_NOTHING,
	[SVM_EXIT_NMI] = UMBRA_EXIT_NOTHING,
	[SVM_EXIT_SMI] = UMBRA_EXIT_NOTHING,
	[SVM_EXIT_INIT] = UMBRA_EXIT_NOTHING,
	[SVM_EXIT_VINTR] = UMBRA_EXIT_IRQ_WINDOW,
	[SVM_EXIT_RDPMC] = UMBRA_EXIT_RDPMC,
	[SVM_EXIT_CPUID] = UMBRA_EXIT_CPUID,
	[SVM_EXIT_RSM] = UMBRA_EXIT_UNDEFINED,
	[SVM_EXIT_IRET] = UMBRA_EXIT_NMI_WINDOW,
	[SVM_EXIT_INVD] = UMBRA_EXIT_WBINVD,
	[SVM_EXIT_PAUSE] = UMBRA_EXIT_PAUSE,
	[SVM_EXIT_HLT] = UMBRA_EXIT_HLT,
	[SVM_EXIT_INVLPG] = UMBRA_EXIT_INVLPG,
	[SVM_EXIT_INVLPGA] = UMBRA_EXIT_UNDEFINED,
	[SVM_EXIT_IOIO] = UMBRA_EXIT_IO,
	[SVM_EXIT_MSR] = UMBRA_EXIT_MSR,
	[SVM_EXIT_TASK_SWITCH] = UMBRA_EXIT_TASK_SWITCH,
	[SVM_EXIT_SHUTDOWN] = UMBRA_EXIT_SHUTDOWN,
	[SVM_EXIT_VMRUN] = UMBRA_EXIT_UNDEFINED,
	[SVM_EXIT_VMMCALL] = UMBRA_EXIT_HYPERCALL,
	[SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = UMBRA_EXIT_UNDEFINED,
	[SVM_EXIT_WBINVD] = UMBRA_EXIT_WBINVD,
	[SVM_EXIT_MONITOR] = UMBRA_EXIT_MONITOR,
	[SVM_EXIT_MWAIT] = UMBRA_EXIT_MONITOR,
	[SVM_EXIT_XSETBV] = UMBRA_EXIT_XSETBV,
	[SVM_EXIT_RDPRU] = UMBRA_EXIT_UNDEFINED,
	[SVM_EXIT_INVPCID] = UMBRA_EXIT_INVPCID,
};

/* Decode assists store what was fetched at RIP when a data access faults. */
static noinline void svm_decode_bytes(const struct vmcb_control_area *c, struct umbra_exit *x)
{
	if (!c->insn_len || c->insn_len > sizeof(x->insn))
		return;
	x->insn_bytes = c->insn_len;
	memcpy(x->insn, c->insn_bytes, sizeof(x->insn));
}

static void svm_decode_npf(const struct vmcb_control_area *c, struct umbra_exit *x)
{
	u64 err = c->exit_info_1;

	x->kind = UMBRA_EXIT_FAULT;
	x->fault.gpa = c->exit_info_2;
	x->fault.access = err & SVM_NPF_WRITE ? UMBRA_ACC_WRITE :
			  err & SVM_NPF_EXEC ? UMBRA_ACC_EXEC : UMBRA_ACC_READ;
	x->fault.present = err & SVM_NPF_PRESENT;
	x->fault.walk = err & SVM_NPF_WALK;
	if (umbra_caps.insn_bytes)
		svm_decode_bytes(c, x);
}

static void svm_decode_io(const struct vmcb_control_area *c, struct umbra_exit *x)
{
	u32 info = c->exit_info_1;

	x->io.port = info >> SVM_IOIO_PORT_SHIFT;
	x->io.size = (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT;
	x->io.in = info & SVM_IOIO_TYPE_MASK;
	x->io.string = info & SVM_IOIO_STR_MASK;
	x->io.rep = info & SVM_IOIO_REP_MASK;
	x->io.next_rip = c->exit_info_2;
}

static void svm_decode_db(struct umbra_vcpu *vcpu, struct umbra_exit *x)
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	x->exc.payload = svm->vmcb->save.dr6 ^ DR6_RESERVED;
	/* A step taken to find a window is nobody else's business. */
	if (svm->window_step && !(vcpu->rflags & X86_EFLAGS_TF) &&
	    !(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)) {
		x->exc.payload &= ~(u64)DR_STEP;
		if (!x->exc.payload)
			x->kind = UMBRA_EXIT_NOTHING;
	}
}

static void svm_decode_exception(struct umbra_vcpu *vcpu, u32 code, struct umbra_exit *x)
{
	u8 vector = code - SVM_EXIT_EXCP_BASE;

	x->exc.vector = vector;
	x->exc.has_error = vector == DF_VECTOR || vector == AC_VECTOR ||
			   (vector >= TS_VECTOR && vector <= PF_VECTOR);
	x->exc.error = x->info1;
	x->exc.payload = 0;
	if (vector == DB_VECTOR)
		svm_decode_db(vcpu, x);
}

static __always_inline void svm_decode_pf(const struct vmcb_control_area *c, struct umbra_exit *x)
{
	x->kind = UMBRA_EXIT_EXCEPTION;
	x->exc.vector = PF_VECTOR;
	x->exc.has_error = true;
	x->exc.error = x->info1;
	x->exc.payload = x->info2;
	if (umbra_caps.insn_bytes)
		svm_decode_bytes(c, x);
}

static void svm_decode_dr(u32 code, struct umbra_exit *x)
{
	x->dr.write = code >= SVM_EXIT_WRITE_DR0;
	x->dr.nr = code & 0xf;
}

static void svm_decode_cr(const struct vmcb_control_area *c, u32 code, struct umbra_exit *x)
{
	x->cr.write = code >= SVM_EXIT_WRITE_CR0;
	x->cr.nr = code & 0xf;
	x->cr.has_gpr = umbra_caps.insn_bytes && (c->exit_info_1 & SVM_CR_MOV);
	x->cr.gpr = c->exit_info_1 & SVM_CR_GPR;
}

static void svm_decode_invlpg(const struct vmcb_control_area *c, struct umbra_exit *x)
{
	x->invlpg.has_gva = umbra_caps.insn_bytes;
	x->invlpg.gva = c->exit_info_1;
}

static void svm_decode_reason(struct umbra_vcpu *vcpu, u32 code, struct umbra_exit *x)
{
	const struct vmcb_control_area *c = &to_svm(vcpu)->vmcb->control;

	if (code == SVM_EXIT_EXCP_BASE + PF_VECTOR) {
		svm_decode_pf(c, x);
		return;
	}
	if (code == SVM_EXIT_NPF) {
		svm_decode_npf(c, x);
		return;
	}
	x->kind = code < ARRAY_SIZE(svm_kinds) ? svm_kinds[code] : UMBRA_EXIT_UNKNOWN;
	switch (x->kind) {
	case UMBRA_EXIT_IO:
		svm_decode_io(c, x);
		break;
	case UMBRA_EXIT_MSR:
		x->msr.write = c->exit_info_1 & 1;
		break;
	case UMBRA_EXIT_CR:
		svm_decode_cr(c, code, x);
		break;
	case UMBRA_EXIT_INVLPG:
		svm_decode_invlpg(c, x);
		break;
	case UMBRA_EXIT_DR:
		svm_decode_dr(code, x);
		break;
	case UMBRA_EXIT_EXCEPTION:
		svm_decode_exception(vcpu, code, x);
		break;
	}
}

/*
 * A virtual interrupt that was not taken, because something else ended the guest
 * first, is queued again. One whose delivery was cut short stays injected: the
 * processor says so in EXITINTINFO, and QEMU's leaves V_IRQ set besides. True
 * when that settles the matter.
 */
static bool svm_take_back_virq(struct umbra_vcpu *vcpu, struct umbra_event *ev)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control_area *c = &svm->vmcb->control;
	bool waits = c->int_ctl & V_IRQ_MASK;

	svm->virq = false;
	c->int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
	/* An inner guest's is its hypervisor's affair: it stays on its way in. */
	if (waits && !vcpu->inner.active && !(c->exit_int_info & SVM_EXITINTINFO_VALID)) {
		vcpu->ev.irq = *ev;
		ev->type = UMBRA_EVENT_NONE;
	}
	return waits;
}

/*
 * An event whose delivery was cut short is given back to be injected again.
 * The guest's own INT3, INTO and INT n are not: RIP is still at the instruction,
 * which runs again by itself.
 */
static void svm_decode_interrupted(struct umbra_vcpu *vcpu, struct umbra_event *ev)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *c = &svm->vmcb->control;
	u32 info = c->exit_int_info;
	u8 type = (info & SVM_EXITINTINFO_TYPE_MASK) >> SVM_EVTINJ_TYPE_SHIFT;
	u8 vector = info & SVM_EXITINTINFO_VEC_MASK;
	bool as_is = svm->as_is;
	u8 stepped = svm->soft_len;

	if (svm->virq && svm_take_back_virq(vcpu, ev))
		return;
	ev->type = UMBRA_EVENT_NONE;
	svm->soft_len = 0;
	svm->as_is = false;
	if (likely(!(info & SVM_EXITINTINFO_VALID)))
		return;
	if (umbra_soft_event_len(type, vector)) {
		if (!stepped && !as_is)
			return;
		svm->as_is = as_is;
		vcpu->rip -= stepped;
	}
	*ev = (struct umbra_event) {
		.type = type,
		.vector = vector,
		.has_error = info & SVM_EXITINTINFO_VALID_ERR,
		.error = c->exit_int_info_err,
	};
}

/* The IRET that was intercepted has run once RIP is elsewhere. */
static void svm_track_iret(struct umbra_vcpu *vcpu, u32 code)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->iret_seen && vcpu->rip != svm->iret_rip) {
		svm->iret_seen = false;
		vcpu->ev.nmi_blocked = false;
	}
	if (code == SVM_EXIT_IRET) {
		svm->iret_seen = true;
		svm->iret_rip = vcpu->rip;
		svm_unintercept(svm, INTERCEPT_IRET);
	}
}

/* NRIP is written for instruction intercepts only; take nothing absurd. */
static u8 svm_insn_len(const struct umbra_vcpu *vcpu, const struct vmcb_control_area *c)
{
	u64 len;

	if (!umbra_caps.insn_len)
		return 0;
	len = c->next_rip - vcpu->rip;
	return c->next_rip && len <= 15 ? len : 0;
}

/* Nothing ran: the event and the address of its instruction stay. */
static void svm_decode_refused(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	/* What cannot be entered of an inner guest is what its hypervisor put there. */
	vcpu->exit.kind = vcpu->inner.active ? UMBRA_EXIT_INNER : UMBRA_EXIT_ENTRY_FAILED;
	svm->inner_kind = UMBRA_EXIT_ENTRY_FAILED;
	vcpu->rip -= svm->soft_len;
	svm->soft_len = 0;
	svm->as_is = false;
	svm->virq = false;
	svm->vmcb->control.int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
}

static noinline void svm_decode_any(struct umbra_vcpu *vcpu, struct umbra_event *interrupted)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const struct vmcb_control_area *c = &svm->vmcb->control;
	u32 code = c->exit_code;

	/* VMEXIT_INVALID is -1 in all 64 bits. */
	if (unlikely(c->exit_code_hi || code == (u32)SVM_EXIT_ERR)) {
		svm_decode_refused(vcpu);
		return;
	}
	svm_decode_interrupted(vcpu, interrupted);
	svm_decode_reason(vcpu, code, &vcpu->exit);
	if (unlikely(vcpu->efer & EFER_SVME) && svm_inner_concerned(vcpu, code)) {
		svm->inner_kind = vcpu->exit.kind;
		vcpu->exit.kind = UMBRA_EXIT_INNER;
		/* An IRET that its hypervisor asked for does not run. */
		if (code == SVM_EXIT_IRET)
			return;
	}
	svm_track_iret(vcpu, code);
}

void svm_decode(struct umbra_vcpu *vcpu, struct umbra_event *interrupted)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	struct vmcb_control_area *c = &vmcb->control;
	struct umbra_exit *x = &vcpu->exit;

	x->hw_reason = c->exit_code;
	x->info1 = c->exit_info_1;
	x->info2 = c->exit_info_2;
	x->insn_bytes = 0;
	x->code64 = (vcpu->efer & EFER_LMA) && (vmcb->save.cs.attrib & SVM_SELECTOR_L_MASK);
	x->insn_len = svm_insn_len(vcpu, c);
	c->event_inj = 0;

	/* Most exits where there are no nested tables are just that. */
	if (c->exit_code == SVM_EXIT_EXCP_BASE + PF_VECTOR && !svm->virq && !svm->soft_len &&
	    !svm->iret_seen && !vcpu->inner.active && !(c->exit_int_info & SVM_EXITINTINFO_VALID)) {
		interrupted->type = UMBRA_EVENT_NONE;
		svm_decode_pf(c, x);
		return;
	}
	svm_decode_any(vcpu, interrupted);
}

/* With NRIP save the processor pushes next_rip for software events, else RIP. */
static void svm_step_soft(struct umbra_vcpu *vcpu, u8 len)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	bool code64 = (vcpu->efer & EFER_LMA) && (vmcb->save.cs.attrib & SVM_SELECTOR_L_MASK);

	svm->soft_len = len;
	vcpu->rip += len;
	if (!code64)
		vcpu->rip = (u32)vcpu->rip;
	vmcb->control.next_rip = vcpu->rip;
}

/*
 * QEMU's processor delivers an interrupt from EVENTINJ a second time when it is itself
 * interrupted soon after: there, on a processor without NRIP save, they go in as
 * virtual interrupts, which are taken at once, as they are handed over only with IF
 * set and no shadow. Bochs's processor does not take those at all.
 */
static bool svm_virq_wanted(const struct umbra_vcpu *vcpu, const struct umbra_event *ev)
{
	return !umbra_caps.insn_len && ev->type == UMBRA_EVENT_IRQ &&
	       (vcpu->rflags & X86_EFLAGS_IF) && !vcpu->ev.shadow;
}

void svm_inject(struct umbra_vcpu *vcpu, const struct umbra_event *ev)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control_area *c = &svm->vmcb->control;
	u8 len = umbra_soft_event_len(ev->type, ev->vector);

	if (svm_virq_wanted(vcpu, ev)) {
		svm->virq = true;
		c->int_vector = ev->vector;
		c->int_ctl |= V_IRQ_INJECTION_BITS_MASK;
		svm_unintercept(svm, INTERCEPT_VINTR);
		return;
	}
	if (unlikely(svm->as_is))
		c->next_rip = svm->inner->next_rip;
	else if (unlikely(len))
		svm_step_soft(vcpu, len);
	c->event_inj = ev->vector | ev->type << SVM_EVTINJ_TYPE_SHIFT | SVM_EVTINJ_VALID |
		       (ev->has_error ? SVM_EVTINJ_VALID_ERR : 0);
	c->event_inj_err = ev->error;
}

/* Another interrupt waits behind this one, and its window needs V_IRQ. */
static void svm_virq_to_eventinj(struct svm_vcpu *svm)
{
	struct vmcb_control_area *c = &svm->vmcb->control;

	svm->virq = false;
	c->event_inj = c->int_vector | SVM_EVTINJ_TYPE_INTR | SVM_EVTINJ_VALID;
	c->event_inj_err = 0;
}

/* Does a step of one instruction lead to the window? Not with an event under way. */
static bool svm_step_wanted(const struct umbra_vcpu *vcpu, bool irq, bool nmi)
{
	const struct umbra_events *ev = &vcpu->ev;

	if (ev->injected.type != UMBRA_EVENT_NONE)
		return false;
	if (nmi && to_svm(vcpu)->iret_seen)
		return true;
	if (!ev->shadow)
		return false;
	return (nmi && !ev->nmi_blocked) || (irq && (vcpu->rflags & X86_EFLAGS_IF));
}

void svm_sync_step(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->step_rflags = umbra_debug_rflags(vcpu);
	if (svm->window_step)
		svm->step_rflags |= X86_EFLAGS_TF;
}

/*
 * Interrupt window: a virtual interrupt of highest priority that is intercepted
 * instead of taken. NMI window: wait for IRET, then step over it. An interrupt
 * shadow is stepped over for both: see svm_in_shadow().
 */
void svm_window(struct umbra_vcpu *vcpu, bool irq, bool nmi)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	svm->window_step = svm_step_wanted(vcpu, irq, nmi);
	svm_sync_step(vcpu);
	if (svm->virq && irq)
		svm_virq_to_eventinj(svm);
	if (irq && !svm->window_step) {
		vmcb->control.int_ctl |= V_IRQ_INJECTION_BITS_MASK;
		vmcb->control.int_vector = 0;
		svm_intercept(svm, INTERCEPT_VINTR);
	} else if (!svm->virq) {
		vmcb->control.int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
		svm_unintercept(svm, INTERCEPT_VINTR);
	}
	if (vcpu->ev.nmi_blocked && !svm->iret_seen)
		svm_intercept(svm, INTERCEPT_IRET);
	else
		svm_unintercept(svm, INTERCEPT_IRET);
}
