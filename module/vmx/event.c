// SPDX-License-Identifier: GPL-2.0
/*
 * Events into the guest: injection, windows, what was cut short, and the guest's
 * interruptibility around an entry. Fills VMCS fields as the entry checks want
 * them; chooses no event.
 */
#include <uapi/asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "../event.h"
#include "insn.h"
#include "vmx.h"

#define VMX_SHADOW	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)
#define VMX_WINDOWS	(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING)

/* What the exit said of it counts more, which knows prefixes. */
static u8 vmx_soft_len(const struct umbra_event *ev)
{
	u8 len = umbra_soft_event_len(ev->type, ev->vector);

	return len && ev->insn_len ? ev->insn_len : len;
}

/*
 * Entry refuses an error code in real mode, where exceptions push none, and one
 * wider than 16 bits, which user space may have asked for.
 */
void vmx_inject(struct umbra_vcpu *vcpu, const struct umbra_event *ev)
{
	u32 info = ev->vector | INTR_INFO_VALID_MASK;
	u8 len = vmx_soft_len(ev);

	if (unlikely(len)) {
		vmx_write(VM_ENTRY_INSTRUCTION_LEN, len);
		info |= ev->type == UMBRA_EVENT_SOFT_INT ? INTR_TYPE_SOFT_INTR :
							   INTR_TYPE_SOFT_EXCEPTION;
	} else {
		info |= ev->type << VMX_INTR_TYPE_SHIFT;
	}
	if (ev->has_error && (vcpu->cr0 & X86_CR0_PE)) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmx_write(VM_ENTRY_EXCEPTION_ERROR_CODE, (u16)ev->error);
	}
	vmx_write(VM_ENTRY_INTR_INFO_FIELD, info);
}

/*
 * STI may block NMIs too, without keeping an NMI window shut: its exits would
 * come for ever. IF is set behind STI, so the interrupt window tells its end.
 */
void vmx_window(struct umbra_vcpu *vcpu, bool irq, bool nmi)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 ctrl = vmx->exec_ctrl & ~VMX_WINDOWS;

	if (unlikely(nmi)) {
		if (!vcpu->ev.nmi_blocked && (vcpu->ev.shadow & UMBRA_SHADOW_STI))
			irq = true;
		else
			ctrl |= CPU_BASED_NMI_WINDOW_EXITING;
	}
	if (irq)
		ctrl |= CPU_BASED_INTR_WINDOW_EXITING;
	vmx->exec_ctrl = ctrl;
}

/*
 * The shadow in the processor's words, as far as an entry can begin with it: none
 * behind what is injected from outside, not both kinds, none of STI without IF. A
 * step's trap comes in spite of STI's shadow and has been reported: with the
 * shadow, entry would demand it once more, for ever.
 */
static u32 vmx_shadow(const struct umbra_vcpu *vcpu)
{
	u64 rflags = to_vmx(vcpu)->hw_rflags;
	u8 type = vcpu->ev.injected.type;

	if (type == UMBRA_EVENT_IRQ || type == UMBRA_EVENT_NMI)
		return 0;
	if (vcpu->ev.shadow & UMBRA_SHADOW_MOV_SS)
		return GUEST_INTR_STATE_MOV_SS;
	if (!(vcpu->ev.shadow & UMBRA_SHADOW_STI) || !(rflags & X86_EFLAGS_IF) ||
	    (rflags & X86_EFLAGS_TF))
		return 0;
	return GUEST_INTR_STATE_STI;
}

/*
 * Debug traps that wait: breakpoints that MOV SS itself met, as long as the guest is
 * still there, and behind MOV SS the step's if TF is set. Elsewhere a step's trap
 * does not wait: the exit came before its instruction was done. Bochs' processor
 * leaves it all the same.
 */
static u64 vmx_pending_debug(const struct umbra_vcpu *vcpu, u32 state)
{
	const struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 pending = 0;

	if (vmx->pending_dbg && vcpu->rip == vmx->shadow_rip)
		pending = vmx->pending_dbg & ~(u64)DR_STEP;
	if ((state & GUEST_INTR_STATE_MOV_SS) && (vmx->hw_rflags & X86_EFLAGS_TF))
		pending |= DR_STEP;
	return pending;
}

/* Before the entry, with all else in place. */
void vmx_events_in(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 state = 0;
	u64 pending;

	if (unlikely(vcpu->ev.shadow))
		state = vmx_shadow(vcpu);
	/* The delivery of an NMI blocks the next one; entry wants it open. */
	if (vcpu->ev.nmi_blocked && vcpu->ev.injected.type != UMBRA_EVENT_NMI)
		state |= GUEST_INTR_STATE_NMI;
	if (state != vmx->intr_state) {
		vmx->intr_state = state;
		vmx_write(GUEST_INTERRUPTIBILITY_INFO, state);
	}
	pending = vmx_pending_debug(vcpu, state);
	if (unlikely(pending != vmx->pending_dbg)) {
		vmx->pending_dbg = pending;
		vmx_write(GUEST_PENDING_DBG_EXCEPTIONS, pending);
	}
}

/* After the exit, with RIP stored already. A refused entry has changed nothing. */
void vmx_events_out(struct umbra_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 state;

	if (unlikely(vmx_refused(vmx)))
		return;
	state = vmx_read(GUEST_INTERRUPTIBILITY_INFO);
	vmx->intr_state = state;
	vcpu->ev.nmi_blocked = state & GUEST_INTR_STATE_NMI;
	vcpu->ev.shadow = 0;
	vmx->pending_dbg = 0;
	if (likely(!(state & VMX_SHADOW) && !(vmx->hw_rflags & X86_EFLAGS_TF)))
		return;
	if (state & GUEST_INTR_STATE_STI)
		vcpu->ev.shadow |= UMBRA_SHADOW_STI;
	if (state & GUEST_INTR_STATE_MOV_SS)
		vcpu->ev.shadow |= UMBRA_SHADOW_MOV_SS;
	vmx->pending_dbg = vmx_read(GUEST_PENDING_DBG_EXCEPTIONS);
	vmx->shadow_rip = vcpu->rip;
}

/*
 * INT3, INTO, INT n and INT1 of the guest itself are not given back: RIP is at the
 * instruction, which runs again. One that was injected need not be an instruction.
 */
static u8 vmx_interrupted_type(u32 info, const struct umbra_event *injected)
{
	u8 type = (info & VECTORING_INFO_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;
	u8 vector = info & VECTORING_INFO_VECTOR_MASK;

	switch (info & VECTORING_INFO_TYPE_MASK) {
	case INTR_TYPE_SOFT_INTR:
		if (injected->type == UMBRA_EVENT_SOFT_INT && injected->vector == vector)
			return type;
		return UMBRA_EVENT_NONE;
	case INTR_TYPE_SOFT_EXCEPTION:
		if (injected->type == UMBRA_EVENT_EXCEPTION && injected->vector == vector)
			return UMBRA_EVENT_EXCEPTION;
		return UMBRA_EVENT_NONE;
	case INTR_TYPE_PRIV_SW_EXCEPTION:
		return UMBRA_EVENT_NONE;
	default:
		return type;
	}
}

/* An event whose delivery was cut short is given back to be injected again. */
void vmx_decode_interrupted(struct umbra_vcpu *vcpu, struct umbra_event *ev)
{
	u32 info = vmx_read(IDT_VECTORING_INFO_FIELD);
	u8 type;

	if (likely(!(info & VECTORING_INFO_VALID_MASK))) {
		ev->type = UMBRA_EVENT_NONE;
		return;
	}
	type = vmx_interrupted_type(info, ev);
	*ev = (struct umbra_event) {
		.type = type,
		.vector = info & VECTORING_INFO_VECTOR_MASK,
		.has_error = info & VECTORING_INFO_DELIVER_CODE_MASK,
	};
	if (ev->has_error)
		ev->error = vmx_read(IDT_VECTORING_ERROR_CODE);
	if (vmx_soft_len(ev))
		ev->insn_len = vmx_read(VM_EXIT_INSTRUCTION_LEN);
	if (type == UMBRA_EVENT_NMI)
		vcpu->ev.nmi_blocked = true;
}

/*
 * IRET ends the blocking of NMIs before it is known to succeed. When it was what
 * faulted it runs again, and has to find them blocked. Bit 12 tells, in either
 * field, unless an event's delivery was under way.
 */
void vmx_decode_iret(struct umbra_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = to_vmx(vcpu);
	const struct umbra_exit *x = &vcpu->exit;
	bool unblocked = false;

	if (x->kind == UMBRA_EXIT_FAULT)
		unblocked = x->info1 & INTR_INFO_UNBLOCK_NMI;
	else if (x->kind == UMBRA_EXIT_EXCEPTION && x->exc.vector != DF_VECTOR)
		unblocked = vmx->exit_intr_info & INTR_INFO_UNBLOCK_NMI;
	if (unlikely(unblocked) &&
	    !(vmx_read(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK))
		vcpu->ev.nmi_blocked = true;
}
