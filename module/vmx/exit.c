// SPDX-License-Identifier: GPL-2.0
/*
 * Translate VT-x exits into the neutral record. Reads of the VMCS only what the
 * kind of exit at hand fills. Decodes; decides nothing. Events are in event.c.
 */
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include "../event.h"
#include "insn.h"
#include "vmx.h"

/* In vmx_kinds[]: the exit is an instruction's, and its length is in the VMCS. */
#define VMX_KIND_INSN	0x80u

/* What each exit reason is called; 0 is UMBRA_EXIT_UNKNOWN. Reason 0 is apart. */
static const u8 vmx_kinds[] = {
	[EXIT_REASON_EXTERNAL_INTERRUPT] = UMBRA_EXIT_NOTHING,
	[EXIT_REASON_TRIPLE_FAULT] = UMBRA_EXIT_SHUTDOWN,
	[EXIT_REASON_INIT_SIGNAL] = UMBRA_EXIT_NOTHING,
	[VMX_EXIT_IO_SMI] = UMBRA_EXIT_NOTHING,
	[VMX_EXIT_OTHER_SMI] = UMBRA_EXIT_NOTHING,
	[EXIT_REASON_INTERRUPT_WINDOW] = UMBRA_EXIT_IRQ_WINDOW,
	[EXIT_REASON_NMI_WINDOW] = UMBRA_EXIT_NMI_WINDOW,
	[EXIT_REASON_TASK_SWITCH] = UMBRA_EXIT_TASK_SWITCH,
	[EXIT_REASON_CPUID] = UMBRA_EXIT_CPUID | VMX_KIND_INSN,
	[VMX_EXIT_GETSEC] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_HLT] = UMBRA_EXIT_HLT | VMX_KIND_INSN,
	[EXIT_REASON_INVD] = UMBRA_EXIT_WBINVD | VMX_KIND_INSN,
	[EXIT_REASON_INVLPG] = UMBRA_EXIT_INVLPG | VMX_KIND_INSN,
	[EXIT_REASON_RDPMC] = UMBRA_EXIT_RDPMC | VMX_KIND_INSN,
	[VMX_EXIT_RSM] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_VMCALL] = UMBRA_EXIT_HYPERCALL | VMX_KIND_INSN,
	[EXIT_REASON_VMCLEAR ... EXIT_REASON_VMON] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_CR_ACCESS] = UMBRA_EXIT_CR | VMX_KIND_INSN,
	[EXIT_REASON_DR_ACCESS] = UMBRA_EXIT_DR | VMX_KIND_INSN,
	[EXIT_REASON_IO_INSTRUCTION] = UMBRA_EXIT_IO | VMX_KIND_INSN,
	[EXIT_REASON_MSR_READ] = UMBRA_EXIT_MSR | VMX_KIND_INSN,
	[EXIT_REASON_MSR_WRITE] = UMBRA_EXIT_MSR | VMX_KIND_INSN,
	[EXIT_REASON_MWAIT_INSTRUCTION] = UMBRA_EXIT_MONITOR | VMX_KIND_INSN,
	[EXIT_REASON_MONITOR_INSTRUCTION] = UMBRA_EXIT_MONITOR | VMX_KIND_INSN,
	[EXIT_REASON_PAUSE_INSTRUCTION] = UMBRA_EXIT_PAUSE | VMX_KIND_INSN,
	[EXIT_REASON_EPT_VIOLATION] = UMBRA_EXIT_FAULT,
	[EXIT_REASON_INVEPT] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_PREEMPTION_TIMER] = UMBRA_EXIT_NOTHING,
	[EXIT_REASON_INVVPID] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_WBINVD] = UMBRA_EXIT_WBINVD | VMX_KIND_INSN,
	[EXIT_REASON_XSETBV] = UMBRA_EXIT_XSETBV | VMX_KIND_INSN,
	[EXIT_REASON_INVPCID] = UMBRA_EXIT_INVPCID | VMX_KIND_INSN,
	[EXIT_REASON_VMFUNC] = UMBRA_EXIT_UNDEFINED,
	[EXIT_REASON_ENCLS] = UMBRA_EXIT_UNDEFINED,
};

/*
 * The guest's own page tables count as written when EPT keeps accessed and
 * dirty bits, so that a walk may fault as a write.
 */
static void vmx_decode_ept(u64 info, struct umbra_exit *x)
{
	x->fault.gpa = vmx_read(GUEST_PHYSICAL_ADDRESS);
	x->fault.access = info & EPT_VIOLATION_ACC_WRITE ? UMBRA_ACC_WRITE :
			  info & EPT_VIOLATION_ACC_INSTR ? UMBRA_ACC_EXEC : UMBRA_ACC_READ;
	x->fault.present = info & EPT_VIOLATION_RWX_MASK;
	x->fault.walk = (info & EPT_VIOLATION_GVA_IS_VALID) &&
			!(info & EPT_VIOLATION_GVA_TRANSLATED);
	x->info2 = x->fault.gpa;
}

static void vmx_decode_io(u64 info, struct umbra_exit *x)
{
	x->io.port = info >> VMX_IO_PORT_SHIFT;
	x->io.size = (info & VMX_IO_SIZE) + 1;
	x->io.in = info & VMX_IO_IN;
	x->io.string = info & VMX_IO_STRING;
	x->io.rep = info & VMX_IO_REP;
	x->io.next_rip = 0;
}

static void vmx_decode_cr(u64 info, struct umbra_exit *x)
{
	u64 type = info & CONTROL_REG_ACCESS_TYPE;

	/* CLTS and LMSW are accesses to CR0 as well, and have no register. */
	x->cr.nr = info & VMX_CR_NUMBER;
	x->cr.write = type != VMX_CR_MOV_FROM;
	x->cr.has_gpr = type == VMX_CR_MOV_TO || type == VMX_CR_MOV_FROM;
	x->cr.gpr = (info & CONTROL_REG_ACCESS_REG) >> VMX_CR_GPR_SHIFT;
}

/* Comes before the processor checks CPL, CR4.DE or DR7.GD. */
static void vmx_decode_dr(u64 info, struct umbra_exit *x)
{
	x->dr.write = !(info & DEBUG_REG_ACCESS_TYPE);
	x->dr.nr = info & DEBUG_REG_ACCESS_NUM;
}

/* INT1 is a trap, but its exit comes before it: step over, as its #DB would. */
static void vmx_step_int1(struct umbra_vcpu *vcpu)
{
	vcpu->rip += vmx_read(VM_EXIT_INSTRUCTION_LEN);
	if (!vcpu->exit.code64)
		vcpu->rip = (u32)vcpu->rip;
	vcpu->ev.shadow = 0;
}

static void vmx_decode_exception(struct umbra_vcpu *vcpu, struct umbra_exit *x)
{
	u32 info = to_vmx(vcpu)->exit_intr_info;
	u32 type = info & INTR_INFO_INTR_TYPE_MASK;
	u8 vector = info & INTR_INFO_VECTOR_MASK;

	x->info2 = info;
	/* Both are the host's, and vmx_enter() has served them. */
	if (type == INTR_TYPE_NMI_INTR || vector == MC_VECTOR) {
		x->kind = UMBRA_EXIT_NOTHING;
		return;
	}
	x->kind = UMBRA_EXIT_EXCEPTION;
	x->exc.vector = vector;
	x->exc.has_error = info & INTR_INFO_DELIVER_CODE_MASK;
	x->exc.error = x->exc.has_error ? vmx_read(VM_EXIT_INTR_ERROR_CODE) : 0;
	x->exc.payload = 0;
	if (type == INTR_TYPE_PRIV_SW_EXCEPTION) {
		vmx_step_int1(vcpu);
	} else if (vector == PF_VECTOR || vector == DB_VECTOR) {
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		x->exc.payload = x->info1;
	}
}

static void vmx_decode_reason(struct umbra_vcpu *vcpu, u16 reason, struct umbra_exit *x)
{
	u8 kind = reason < ARRAY_SIZE(vmx_kinds) ? vmx_kinds[reason] : UMBRA_EXIT_UNKNOWN;

	x->kind = kind & ~VMX_KIND_INSN;
	if (kind & VMX_KIND_INSN)
		x->insn_len = vmx_read(VM_EXIT_INSTRUCTION_LEN);
	switch (reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		vmx_decode_exception(vcpu, x);
		return;
	case EXIT_REASON_MSR_READ:
	case EXIT_REASON_MSR_WRITE:
		x->msr.write = reason == EXIT_REASON_MSR_WRITE;
		return;
	case EXIT_REASON_EPT_VIOLATION:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		vmx_decode_ept(x->info1, x);
		break;
	case EXIT_REASON_IO_INSTRUCTION:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		vmx_decode_io(x->info1, x);
		break;
	case EXIT_REASON_CR_ACCESS:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		vmx_decode_cr(x->info1, x);
		break;
	case EXIT_REASON_DR_ACCESS:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		vmx_decode_dr(x->info1, x);
		break;
	case EXIT_REASON_INVLPG:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		x->invlpg.has_gva = true;
		x->invlpg.gva = x->info1;
		break;
	case EXIT_REASON_EPT_MISCONFIG:
		x->info2 = vmx_read(GUEST_PHYSICAL_ADDRESS);
		break;
	case EXIT_REASON_TASK_SWITCH:
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		break;
	}
}

void vmx_decode(struct umbra_vcpu *vcpu, struct umbra_event *interrupted)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct umbra_exit *x = &vcpu->exit;

	x->hw_reason = vmx->exit_reason;
	x->info1 = 0;
	x->info2 = 0;
	x->insn_bytes = 0;
	x->insn_len = 0;
	x->code64 = (vcpu->efer & EFER_LMA) && (vmx_seg_ar(vmx, UMBRA_SEG_CS) & VMX_AR_L_MASK);
	if (unlikely(vmx_refused(vmx))) {
		/* Nothing ran: the event is still to be injected. */
		x->kind = UMBRA_EXIT_ENTRY_FAILED;
		x->info1 = vmx_read(EXIT_QUALIFICATION);
		vmx_write(VM_ENTRY_INTR_INFO_FIELD, 0);
		return;
	}
	vmx_decode_interrupted(vcpu, interrupted);
	vmx_decode_reason(vcpu, vmx->exit_reason, x);
	vmx_decode_iret(vcpu);
}
