// SPDX-License-Identifier: GPL-2.0
/*
 * Far transfers: JMP, CALL, RET, IRET and software interrupts, in real mode
 * and within one privilege level in protected and long mode. Gates, tasks and
 * privilege changes are UNHANDLED.
 */
#include "optab.h"

struct far_target {
	struct emul_desc d;
	u64 rip;
};

static int cs_fault(struct umbra_emul *em, u8 vector, u16 sel)
{
	return emul_fault_err(em, vector, sel & ~3);
}

static int check_target_ip(struct umbra_emul *em, struct far_target *t)
{
	const struct umbra_emul_seg *s = &t->d.seg;

	/* A 64-bit segment has no limit; its 32-bit offsets are canonical. */
	if (s->l && s->s && !emul_realish(em))
		return emul_canonical(em, t->rip) ? UMBRA_EMUL_OK : emul_gp0(em);
	if (t->rip > s->limit)
		return emul_gp0(em);
	return UMBRA_EMUL_OK;
}

/* @ret: the RPL must equal CPL; a transfer outward is not emulated. */
static int check_code(struct umbra_emul *em, u16 sel, struct far_target *t, bool ret)
{
	struct umbra_emul_seg *s = &t->d.seg;
	unsigned int rpl = sel & 3;
	bool conforming = s->type & 4;
	bool lma;
	int r;

	if (!s->s)
		return ret ? cs_fault(em, X86_TRAP_GP, sel) : UMBRA_EMUL_UNHANDLED;
	if (!(s->type & 8))
		return cs_fault(em, X86_TRAP_GP, sel);
	if (ret && rpl > em->cpl)
		return UMBRA_EMUL_UNHANDLED;
	if (ret ? rpl < em->cpl : !conforming && rpl > em->cpl)
		return cs_fault(em, X86_TRAP_GP, sel);
	if (conforming ? s->dpl > em->cpl : s->dpl != em->cpl)
		return cs_fault(em, X86_TRAP_GP, sel);
	if (!s->p)
		return cs_fault(em, X86_TRAP_NP, sel);
	r = emul_efer_lma(em, &lma);
	if (r == UMBRA_EMUL_OK && lma && s->l && s->db)
		r = cs_fault(em, X86_TRAP_GP, sel);
	if (!lma)
		s->l = 0;
	return r;
}

/* All checks of a far target; nothing is changed. */
static int far_check(struct umbra_emul *em, u16 sel, u64 rip, bool ret, struct far_target *t)
{
	int r;

	t->rip = rip;
	if (emul_realish(em)) {
		t->d = (struct emul_desc){};
		emul_real_seg(em, UMBRA_EMUL_CS, sel, &t->d.seg);
		return check_target_ip(em, t);
	}
	if (!(sel & ~3))
		return emul_gp0(em);
	r = emul_read_desc(em, sel, X86_TRAP_GP, false, &t->d);
	if (r == UMBRA_EMUL_OK)
		r = check_code(em, sel, t, ret);
	if (r != UMBRA_EMUL_OK)
		return r;
	/* The visible RPL of CS is always CPL. */
	t->d.seg.selector = (sel & ~3) | em->cpl;
	return check_target_ip(em, t);
}

static u8 mode_after(const struct umbra_emul *em, const struct umbra_emul_seg *cs)
{
	if (emul_realish(em))
		return em->mode;
	if (cs->l)
		return UMBRA_EMUL_LONG64;
	return cs->db ? UMBRA_EMUL_PROT32 : UMBRA_EMUL_PROT16;
}

static int far_commit(struct umbra_emul *em, struct far_target *t)
{
	int r = UMBRA_EMUL_OK;

	if (!emul_realish(em))
		r = emul_mark_desc(em, &t->d, 1);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->set_segment(em, UMBRA_EMUL_CS, &t->d.seg);
	if (r != UMBRA_EMUL_OK)
		return r;
	em->seg[UMBRA_EMUL_CS] = t->d.seg;
	em->mode = mode_after(em, &t->d.seg);
	em->work.rip = t->rip;
	return r;
}

static int far_call(struct umbra_emul *em, u16 sel, u64 rip)
{
	u64 back[2] = { em->seg[UMBRA_EMUL_CS].selector, em->work.rip };
	struct far_target t;
	int r;

	r = far_check(em, sel, rip, false, &t);
	if (r == UMBRA_EMUL_OK)
		r = emul_push(em, back, 2, em->insn.op_bytes);
	return r ? r : far_commit(em, &t);
}

static int far_jmp(struct umbra_emul *em, u16 sel, u64 rip)
{
	struct far_target t;
	int r = far_check(em, sel, rip, false, &t);

	return r ? r : far_commit(em, &t);
}

static int far_pointer(struct umbra_emul *em, u16 *sel, u64 *rip)
{
	struct umbra_emul_insn *in = &em->insn;
	u8 ptr[10] = {};
	int r;

	r = emul_mem_read(em, in->seg, in->ea, ptr, in->op_bytes + 2, 0);
	*rip = 0;
	memcpy(rip, ptr, in->op_bytes);
	memcpy(sel, ptr + in->op_bytes, 2);
	return r;
}

int emul_op_jmp_far(struct umbra_emul *em)
{
	return far_jmp(em, em->insn.imm2, em->insn.imm);
}

int emul_op_call_far(struct umbra_emul *em)
{
	return far_call(em, em->insn.imm2, em->insn.imm);
}

int emul_op_jmp_far_mem(struct umbra_emul *em)
{
	u64 rip;
	u16 sel;
	int r = far_pointer(em, &sel, &rip);

	return r ? r : far_jmp(em, sel, rip);
}

int emul_op_call_far_mem(struct umbra_emul *em)
{
	u64 rip;
	u16 sel;
	int r = far_pointer(em, &sel, &rip);

	return r ? r : far_call(em, sel, rip);
}

/* CA and CB */
int emul_op_ret_far(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	struct far_target t;
	u64 rip, sel;
	int r;

	r = emul_peek(em, 0, bytes, &rip);
	if (r == UMBRA_EMUL_OK)
		r = emul_peek(em, bytes, bytes, &sel);
	if (r == UMBRA_EMUL_OK)
		r = far_check(em, sel, rip, true, &t);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_rsp_add(em, 2 * bytes + (s64)em->insn.imm);
	return far_commit(em, &t);
}

static void iret_flags(struct umbra_emul *em, u64 val)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 mask = emul_flags_writable(em, bytes);

	if (bytes > 2)
		mask |= X86_EFLAGS_RF;
	if (bytes > 2 && !em->cpl && !emul_realish(em))
		mask |= X86_EFLAGS_VIF | X86_EFLAGS_VIP;
	em->work.rflags = (em->work.rflags & ~mask) | (val & mask);
}

/* IRET in 64-bit mode pops RSP and SS even without a privilege change. */
static int iret_stack(struct umbra_emul *em, const struct far_target *t, struct emul_desc *ss,
		      u64 *rsp)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 sel;
	int r;

	r = emul_peek(em, 3 * bytes, bytes, rsp);
	if (r == UMBRA_EMUL_OK)
		r = emul_peek(em, 4 * bytes, bytes, &sel);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (!t->d.seg.l && !(sel & 0xfffc))
		return emul_gp0(em);
	return emul_check_sreg(em, UMBRA_EMUL_SS, sel, ss);
}

static int iret_commit(struct umbra_emul *em, struct far_target *t, u64 flags)
{
	int r;

	iret_flags(em, flags);
	r = far_commit(em, t);
	if (r == UMBRA_EMUL_OK)
		em->out |= UMBRA_EMUL_OUT_IRET;
	return r;
}

static int iret_long(struct umbra_emul *em, struct far_target *t, u64 flags)
{
	unsigned int bytes = em->insn.op_bytes;
	struct emul_desc ss;
	u64 rsp;
	int r;

	r = iret_stack(em, t, &ss, &rsp);
	if (r == UMBRA_EMUL_OK)
		r = emul_set_sreg(em, UMBRA_EMUL_SS, &ss);
	if (r != UMBRA_EMUL_OK)
		return r;
	em->out &= ~UMBRA_EMUL_OUT_MOVSS_SHADOW;
	emul_reg_write(em, UMBRA_EMUL_RSP, bytes == 2 ? 2 : 8, rsp);
	return iret_commit(em, t, flags);
}

static int iret_legal(struct umbra_emul *em, u64 flags)
{
	if (em->mode == UMBRA_EMUL_VM86 && !emul_iopl_ok(em))
		return emul_gp0(em);
	if (emul_realish(em))
		return UMBRA_EMUL_OK;
	if (em->work.rflags & X86_EFLAGS_NT)
		return emul_long64(em) ? emul_gp0(em) : UMBRA_EMUL_UNHANDLED;
	if ((flags & X86_EFLAGS_VM) && !emul_long64(em) && em->insn.op_bytes > 2)
		return UMBRA_EMUL_UNHANDLED;
	return UMBRA_EMUL_OK;
}

int emul_op_iret(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	struct far_target t;
	u64 rip, sel, flags;
	int r;

	r = emul_peek(em, 0, bytes, &rip);
	if (r == UMBRA_EMUL_OK)
		r = emul_peek(em, bytes, bytes, &sel);
	if (r == UMBRA_EMUL_OK)
		r = emul_peek(em, 2 * bytes, bytes, &flags);
	if (r == UMBRA_EMUL_OK)
		r = iret_legal(em, flags);
	if (r == UMBRA_EMUL_OK)
		r = far_check(em, sel, rip, true, &t);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (emul_long64(em))
		return iret_long(em, &t, flags);
	emul_rsp_add(em, 3 * bytes);
	return iret_commit(em, &t, flags);
}

/* Deliver through the real-mode interrupt vector table. */
static int real_interrupt(struct umbra_emul *em, u8 vector)
{
	u64 frame[3] = {
		em->work.rflags, em->seg[UMBRA_EMUL_CS].selector, em->work.rip,
	};
	struct umbra_emul_dt idt = {};
	struct far_target t;
	u64 entry = 0;
	int r;

	if (em->mode != UMBRA_EMUL_REAL)
		return UMBRA_EMUL_UNHANDLED;
	r = em->ops->get_dt(em, true, &idt);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (vector * 4u + 3 > idt.limit)
		return emul_gp0(em);
	r = emul_linear_read(em, (u32)(idt.base + vector * 4u), &entry, 4, UMBRA_EMUL_ACC_SYSTEM);
	if (r == UMBRA_EMUL_OK)
		r = far_check(em, entry >> 16, entry & 0xffff, false, &t);
	if (r == UMBRA_EMUL_OK)
		r = emul_push(em, frame, 3, 2);
	if (r != UMBRA_EMUL_OK)
		return r;
	em->work.rflags &= ~(u64)(X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_RF);
	return far_commit(em, &t);
}

int emul_op_int3(struct umbra_emul *em)
{
	return real_interrupt(em, X86_TRAP_BP);
}

int emul_op_int(struct umbra_emul *em)
{
	return real_interrupt(em, em->insn.dst.val);
}

int emul_op_into(struct umbra_emul *em)
{
	if (!(em->work.rflags & X86_EFLAGS_OF))
		return UMBRA_EMUL_OK;
	return real_interrupt(em, X86_TRAP_OF);
}
