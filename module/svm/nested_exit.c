// SPDX-License-Identifier: GPL-2.0
/*
 * Exits of an inner guest: whose they are, and #VMEXIT, which writes the outer guest's VMCB
 * and brings the outer guest back. What Umbra does with its own exits is in the usual places.
 */
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/io.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "../guest_mem.h"
#include "../guest_write.h"
#include "../regs.h"
#include "nested.h"

#define SVM_DR7_OFF	0x400

/* What #VMEXIT writes of a VMCB: fields and all between two of them. */
struct svm_range {
	u16 first;
	u16 end;
};

#define RANGE(from, to) { offsetof(struct vmcb, from), offsetofend(struct vmcb, to) }

static const struct svm_range svm_exit_fields[] = {
	RANGE(control.int_ctl, control.int_state),
	RANGE(control.exit_code, control.exit_int_info_err),
	RANGE(control.event_inj, control.event_inj),
	RANGE(control.next_rip, control.next_rip),
};

static const struct svm_range svm_state_fields[] = {
	RANGE(save.es, save.ds),
	RANGE(save.gdtr, save.gdtr),
	RANGE(save.idtr, save.idtr),
	RANGE(save.cpl, save.cpl),
	RANGE(save.efer, save.efer),
	RANGE(save.cr4, save.rip),
	RANGE(save.rsp, save.rsp),
	RANGE(save.rax, save.rax),
	RANGE(save.cr2, save.cr2),
};

static int svm_write_fields(struct umbra_vcpu *vcpu, const struct svm_inner *in,
			    const struct svm_range *fields, unsigned int count)
{
	const struct svm_range *f;
	int r = 0;

	for (f = fields; f < fields + count && !r; f++)
		r = umbra_guest_write(vcpu, in->gpa + f->first,
				      (const u8 *)&in->image + f->first, f->end - f->first);
	return r;
}

/* The inner guest's state, where #VMEXIT writes it. */
static void svm_store_inner(struct umbra_vcpu *vcpu, struct vmcb_save_area *to)
{
	const struct vmcb_save_area *from = &to_svm(vcpu)->vmcb->save;

	to->es = from->es;
	to->cs = from->cs;
	to->ss = from->ss;
	to->ds = from->ds;
	to->gdtr = from->gdtr;
	to->idtr = from->idtr;
	to->cpl = from->cpl;
	to->efer = vcpu->efer;
	to->cr0 = vcpu->cr0;
	to->cr2 = vcpu->cr2;
	to->cr3 = vcpu->cr3;
	to->cr4 = vcpu->cr4;
	to->dr6 = vcpu->dr6;
	to->dr7 = vcpu->dr7;
	to->rflags = vcpu->rflags;
	to->rip = vcpu->rip;
	to->rsp = vcpu->gpr[UMBRA_RSP];
	to->rax = vcpu->gpr[UMBRA_RAX];
}

/* An event whose delivery the exit cut short is the outer guest's to inject again. */
static void svm_store_interrupted(struct umbra_vcpu *vcpu, struct vmcb_control_area *c)
{
	struct umbra_event *ev = &vcpu->ev.injected;

	c->exit_int_info = 0;
	c->exit_int_info_err = 0;
	if (ev->type == UMBRA_EVENT_NONE)
		return;
	c->exit_int_info = ev->vector | ev->type << SVM_EVTINJ_TYPE_SHIFT | SVM_EXITINTINFO_VALID;
	if (ev->has_error) {
		c->exit_int_info |= SVM_EXITINTINFO_VALID_ERR;
		c->exit_int_info_err = ev->error;
	}
	ev->type = UMBRA_EVENT_NONE;
}

static void svm_store_control(struct umbra_vcpu *vcpu, struct vmcb_control_area *c)
{
	const struct umbra_inner *in = &vcpu->inner;

	c->int_ctl &= ~V_IRQ_MASK;
	if (in->virq) {
		c->int_ctl |= V_IRQ_MASK;
		c->int_vector = in->virq_vector;
	}
	if (in->masked)
		c->int_ctl = (c->int_ctl & ~V_TPR_MASK) | in->tpr;
	c->int_state = vcpu->ev.shadow ? SVM_INTERRUPT_SHADOW_MASK : 0;
	c->event_inj &= ~SVM_EVTINJ_VALID;
}

/* As the manual's section on #VMEXIT has it: the rest stays as the inner guest left it. */
static void svm_restore_outer(struct umbra_vcpu *vcpu, const struct svm_inner *in)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	save->es = in->es;
	save->cs = in->cs;
	save->ss = in->ss;
	save->ds = in->ds;
	save->gdtr = in->gdtr;
	save->idtr = in->idtr;
	save->cpl = 0;
	vcpu->cr0 = in->cr0 | X86_CR0_PE;
	vcpu->cr3 = in->cr3;
	vcpu->cr4 = in->cr4;
	vcpu->efer = in->efer;
	vcpu->rflags = in->rflags & ~(u64)X86_EFLAGS_VM;
	vcpu->rip = in->rip;
	vcpu->gpr[UMBRA_RSP] = in->rsp;
	vcpu->gpr[UMBRA_RAX] = in->rax;
	vcpu->dr7 = SVM_DR7_OFF;
	vcpu->ev.shadow = 0;
}

void svm_inner_leave(struct umbra_vcpu *vcpu, u64 code, u64 info1, u64 info2, bool ran)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_inner *in = svm->inner;
	struct vmcb_control_area *c = &in->image.control;
	int r;

	c->exit_code = code;
	c->exit_code_hi = code >> 32;
	c->exit_info_1 = info1;
	c->exit_info_2 = info2;
	/* It is only known for the exit that has just happened, and is written for such alone. */
	c->next_rip = vcpu->exit.hw_reason == code && umbra_caps.insn_len ?
		      svm->vmcb->control.next_rip : 0;
	svm_store_interrupted(vcpu, c);
	if (ran) {
		svm_store_control(vcpu, c);
		svm_store_inner(vcpu, &in->image.save);
	}
	r = svm_write_fields(vcpu, in, svm_exit_fields, ARRAY_SIZE(svm_exit_fields));
	if (!r && ran)
		r = svm_write_fields(vcpu, in, svm_state_fields, ARRAY_SIZE(svm_state_fields));

	vcpu->inner = (struct umbra_inner) { .held = true };
	svm->as_is = false;
	svm_restore_outer(vcpu, in);
	svm_inner_apply(vcpu, NULL);
	umbra_paging_replaced(vcpu, in->pdpte);
	/* The VMCB's memory is gone: the outer guest cannot be told of anything. */
	if (r)
		vcpu->ev.triple_fault = true;
}

/* A port is intercepted when the bit of any byte of it is set, or nobody can tell. */
static bool svm_inner_wants_port(struct umbra_vcpu *vcpu)
{
	const struct vmcb_control_area *c = &to_svm(vcpu)->inner->image.control;
	u16 port = vcpu->exit.io.port, bits;
	u16 mask = ((1u << vcpu->exit.io.size) - 1) << (port % 8);

	if (!svm_inner_wants(to_svm(vcpu), INTERCEPT_IOIO_PROT))
		return false;
	if (umbra_gpa_read(vcpu->vm, (c->iopm_base_pa & PAGE_MASK) + port / 8, &bits,
			   sizeof(bits)))
		return true;
	return bits & mask;
}

static bool svm_inner_wants_msr(struct umbra_vcpu *vcpu)
{
	const struct vmcb_control_area *c = &to_svm(vcpu)->inner->image.control;
	int bit = svm_msrpm_bit(vcpu->gpr[UMBRA_RCX]);
	u8 bits;

	if (!svm_inner_wants(to_svm(vcpu), INTERCEPT_MSR_PROT))
		return false;
	if (bit < 0 || umbra_gpa_read(vcpu->vm, (c->msrpm_base_pa & PAGE_MASK) + bit / 8, &bits,
				      sizeof(bits)))
		return true;
	return bits & 1u << (bit % 8 + vcpu->exit.msr.write);
}

/*
 * A write of CR0 that changes more than TS and MP. What is no plain MOV or CLTS, LMSW above
 * all, counts as such.
 */
static bool svm_cr0_selected(struct umbra_vcpu *vcpu)
{
	bool wide = vcpu->exit.code64;
	u8 rex = 0;
	u64 bytes;

	if (!umbra_peek_insn(vcpu, 4, false, &bytes))
		return true;
	if (wide && (bytes & 0xf0) == 0x40) {
		rex = bytes;
		bytes >>= 8;
	}
	if ((bytes & 0xffff) == 0x060f)
		return false;
	if ((bytes & 0xf8ffff) != 0xc0220f)
		return true;
	bytes = vcpu->gpr[(bytes >> 16 & 7) | (rex & 1) << 3];
	if (!wide)
		bytes = (u32)bytes;
	return (bytes ^ vcpu->cr0) & ~(u64)(X86_CR0_TS | X86_CR0_MP);
}

/* Of which the exit code alone tells nothing yet. */
static bool svm_reflect(struct umbra_vcpu *vcpu, u32 code)
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	switch (code) {
	case SVM_EXIT_IOIO:
		return svm_inner_wants_port(vcpu);
	case SVM_EXIT_MSR:
		return svm_inner_wants_msr(vcpu);
	default:
		return svm_inner_wants(svm, code);
	}
}

bool svm_inner_concerned(const struct umbra_vcpu *vcpu, u32 code)
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	if (svm_inner_is_insn(code))
		return true;
	if (!vcpu->inner.active)
		return false;
	switch (code) {
	case SVM_EXIT_EXCP_BASE + PF_VECTOR:
		/* With nested paging the outer guest alone can have asked for it. */
		return svm->nested;
	case SVM_EXIT_EXCP_BASE ... SVM_EXIT_EXCP_BASE + PF_VECTOR - 1:
	case SVM_EXIT_EXCP_BASE + PF_VECTOR + 1 ... SVM_EXIT_LAST_EXCP:
		/* They are queued, and found there. */
	case SVM_EXIT_INTR ... SVM_EXIT_VINTR:
		/* These are the host's. */
		return false;
	case SVM_EXIT_WRITE_CR0:
		return svm_inner_wants(svm, code) ||
		       svm_inner_wants(svm, INTERCEPT_SELECTIVE_CR0);
	default:
		return svm_inner_wants(svm, code);
	}
}

/* An exit of the inner guest. UMBRA_SLOW: it is not the outer guest's. */
static int svm_exit_of_inner(struct umbra_vcpu *vcpu, u32 code)
{
	const struct umbra_exit *x = &vcpu->exit;

	if (to_svm(vcpu)->inner_kind == UMBRA_EXIT_ENTRY_FAILED)
		svm_inner_leave(vcpu, SVM_EXIT_ERR, 0, 0, true);
	else if (code == SVM_EXIT_EXCP_BASE + PF_VECTOR)
		umbra_queue_pf(vcpu, x->info2, x->info1);
	else if (svm_reflect(vcpu, code))
		svm_inner_leave(vcpu, code, x->info1, x->info2, true);
	else if (code == SVM_EXIT_WRITE_CR0 && svm_cr0_selected(vcpu))
		svm_inner_leave(vcpu, SVM_EXIT_CR0_SEL_WRITE, x->info1, x->info2, true);
	else
		return UMBRA_SLOW;
	return UMBRA_CONTINUE;
}

int svm_inner_exit(struct umbra_vcpu *vcpu)
{
	u32 code = vcpu->exit.hw_reason;
	int r = UMBRA_SLOW;

	if (vcpu->inner.active)
		r = svm_exit_of_inner(vcpu, code);
	if (r == UMBRA_SLOW && svm_inner_is_insn(code))
		return svm_inner_insn(vcpu, code);
	vcpu->exit.kind = to_svm(vcpu)->inner_kind;
	return r;
}

static void svm_end_by_exception(struct umbra_vcpu *vcpu)
{
	struct umbra_event ev;
	u64 address = 0;

	umbra_inner_take_exception(vcpu, &ev);
	if (ev.vector == PF_VECTOR)
		address = ev.has_payload ? ev.payload : vcpu->cr2;
	svm_inner_leave(vcpu, SVM_EXIT_EXCP_BASE + ev.vector, ev.has_error ? ev.error : 0,
			address, true);
}

void svm_inner_end(struct umbra_vcpu *vcpu, enum umbra_inner_end why)
{
	u32 code;

	switch (why) {
	case UMBRA_INNER_EXCEPTION:
		svm_end_by_exception(vcpu);
		return;
	case UMBRA_INNER_SHUTDOWN:
		vcpu->ev.triple_fault = false;
		code = SVM_EXIT_SHUTDOWN;
		break;
	case UMBRA_INNER_NMI:
		code = SVM_EXIT_NMI;
		break;
	case UMBRA_INNER_IRQ:
		code = SVM_EXIT_INTR;
		break;
	case UMBRA_INNER_VIRQ:
		code = SVM_EXIT_VINTR;
		break;
	default:
		return;
	}
	svm_inner_leave(vcpu, code, 0, 0, true);
}
