// SPDX-License-Identifier: GPL-2.0
/*
 * Execution frame: legality checks that hold for all instructions, operand
 * load and store, staging and commit of registers. Must not contain any
 * instruction's own semantics; those are in exec_*.c.
 */
#include "emul_internal.h"

int emul_fault(struct umbra_emul *em, u8 vector)
{
	em->fault = (struct umbra_emul_fault){ .vector = vector };
	return UMBRA_EMUL_FAULT;
}

int emul_fault_err(struct umbra_emul *em, u8 vector, u32 error)
{
	em->fault = (struct umbra_emul_fault){
		.vector = vector, .has_error = true, .error = error,
	};
	return UMBRA_EMUL_FAULT;
}

u64 emul_reg_read(const struct umbra_emul *em, unsigned int reg, unsigned int bytes)
{
	return em->work.gpr[reg & 15] & emul_mask(bytes);
}

/**
 * emul_reg_write() - stage a general register
 * @em: context
 * @reg: register number
 * @bytes: 1 or 2 keep the rest of the register, 4 clears its upper half
 * @val: value
 */
void emul_reg_write(struct umbra_emul *em, unsigned int reg, unsigned int bytes, u64 val)
{
	u64 *r = &em->work.gpr[reg & 15];
	u64 mask = emul_mask(bytes);

	if (bytes == 4)
		*r = (u32)val;
	else
		*r = (*r & ~mask) | (val & mask);
}

/**
 * emul_operand_load() - fill an operand's value
 * @em: context
 * @o: operand of at most 8 bytes
 * @acc: UMBRA_EMUL_ACC_WRITE when it is also written
 */
int emul_operand_load(struct umbra_emul *em, struct umbra_emul_operand *o, unsigned int acc)
{
	switch (o->kind) {
	case UMBRA_EMUL_OPND_REG:
		o->val = emul_reg_read(em, o->reg, o->bytes);
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_OPND_REG_HIGH:
		o->val = (em->work.gpr[o->reg] >> 8) & 0xff;
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_OPND_MEM:
		if (!o->bytes)
			return UMBRA_EMUL_OK;
		return emul_read_val(em, em->insn.seg, em->insn.ea, o->bytes, acc, &o->val);
	case UMBRA_EMUL_OPND_SREG:
		o->val = em->seg[o->reg].selector;
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_OPND_CR:
		return em->ops->get_cr(em, o->reg, &o->val);
	default:
		return UMBRA_EMUL_OK;
	}
}

static int store_mem(struct umbra_emul *em, struct umbra_emul_operand *o)
{
	struct umbra_emul_insn *in = &em->insn;

	if (in->lock || (in->desc->flags & OF_XCHG))
		return emul_mem_cmpxchg(em, in->seg, in->ea, &em->work.orig, &o->val, o->bytes);
	return emul_mem_write(em, in->seg, in->ea, &o->val, o->bytes);
}

/**
 * emul_operand_store() - stage a register operand or write a memory operand
 * @em: context
 * @o: operand of at most 8 bytes
 */
int emul_operand_store(struct umbra_emul *em, struct umbra_emul_operand *o)
{
	switch (o->kind) {
	case UMBRA_EMUL_OPND_REG:
		emul_reg_write(em, o->reg, o->bytes, o->val);
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_OPND_REG_HIGH:
		em->work.gpr[o->reg] &= ~0xff00ULL;
		em->work.gpr[o->reg] |= (o->val & 0xff) << 8;
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_OPND_MEM:
		return store_mem(em, o);
	default:
		return UMBRA_EMUL_UNHANDLED;
	}
}

/**
 * emul_efer_lma() - whether long mode is active
 * @em: context
 * @lma: receives the answer
 */
int emul_efer_lma(struct umbra_emul *em, bool *lma)
{
	u64 efer = 0;
	int r;

	*lma = emul_long64(em);
	if (*lma || emul_realish(em))
		return UMBRA_EMUL_OK;
	r = em->ops->get_msr(em, MSR_EFER, &efer);
	*lma = efer & EFER_LMA;
	return r;
}

static int load_operands(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u32 flags = in->desc->flags;
	unsigned int acc = 0;
	int r = UMBRA_EMUL_OK;

	if (!(flags & OF_NOWRITE))
		acc |= UMBRA_EMUL_ACC_WRITE;
	if (in->lock || (flags & OF_XCHG))
		acc |= UMBRA_EMUL_ACC_LOCK;
	if (!(flags & OF_NOREAD))
		r = emul_operand_load(em, &in->dst, acc);
	em->work.orig = in->dst.val;
	if (r == UMBRA_EMUL_OK)
		r = emul_operand_load(em, &in->src, 0);
	if (r == UMBRA_EMUL_OK)
		r = emul_operand_load(em, &in->src2, 0);
	return r;
}

static int run_generic(struct umbra_emul *em)
{
	u32 flags = em->insn.desc->flags;
	int r = load_operands(em);

	if (r == UMBRA_EMUL_OK)
		r = em->insn.desc->exec(em);
	if (r != UMBRA_EMUL_OK || (flags & OF_NOWRITE))
		return r;
	return emul_operand_store(em, &em->insn.dst);
}

/* Checks that need live state and thus do not belong to the decoder. */
static int check_privilege(struct umbra_emul *em)
{
	u32 flags = em->insn.desc->flags;

	if ((flags & OF_PRIV) && em->cpl)
		return emul_gp0(em);
	return UMBRA_EMUL_OK;
}

static void stage(struct umbra_emul *em)
{
	u64 next = em->rip + em->insn.len;

	memcpy(em->work.gpr, em->gpr, sizeof(em->work.gpr));
	em->work.rflags = em->rflags;
	if (!emul_long64(em))
		next = (u32)next;
	em->work.rip = next;
	em->work.orig = 0;
	em->work.orig_hi = 0;
	em->work.dst_hi = 0;
}

static void commit(struct umbra_emul *em)
{
	bool more = em->out & UMBRA_EMUL_OUT_REP_MORE;

	memcpy(em->gpr, em->work.gpr, sizeof(em->gpr));
	/* The flags at the start decide: POPF or IRET setting TF traps one later. */
	if ((em->rflags & X86_EFLAGS_TF) && !(em->out & UMBRA_EMUL_OUT_MOVSS_SHADOW))
		em->out |= UMBRA_EMUL_OUT_TRAP;
	em->rflags = em->work.rflags;
	if (more)
		return;
	em->rip = em->work.rip;
	/* Only IRET can leave RF set. */
	if (!(em->out & UMBRA_EMUL_OUT_IRET))
		em->rflags &= ~(u64)X86_EFLAGS_RF;
	em->insn.desc = NULL;
	em->nr_bytes = 0;
}

/**
 * emul_commit_iteration() - commit one iteration of a REP instruction
 * @em: context
 */
void emul_commit_iteration(struct umbra_emul *em)
{
	memcpy(em->gpr, em->work.gpr, sizeof(em->gpr));
	em->rflags = em->work.rflags;
	if (em->ops->rep_commit)
		em->ops->rep_commit(em);
}

int umbra_emul_exec(struct umbra_emul *em)
{
	const struct umbra_emul_opcode *desc = em->insn.desc;
	int r;

	em->out = 0;
	em->rep_stop = false;
	if (!desc || !desc->exec)
		return UMBRA_EMUL_UNHANDLED;
	stage(em);
	r = check_privilege(em);
	if (r == UMBRA_EMUL_OK)
		r = desc->flags & OF_RAW ? desc->exec(em) : run_generic(em);
	if (r == UMBRA_EMUL_OK)
		commit(em);
	return r;
}

u8 umbra_emul_mode_of(u64 cr0, u64 efer, u64 rflags, const struct umbra_emul_seg *cs)
{
	if (!(cr0 & X86_CR0_PE))
		return UMBRA_EMUL_REAL;
	if ((efer & EFER_LMA) && cs->l)
		return UMBRA_EMUL_LONG64;
	if (!(efer & EFER_LMA) && (rflags & X86_EFLAGS_VM))
		return UMBRA_EMUL_VM86;
	return cs->db ? UMBRA_EMUL_PROT32 : UMBRA_EMUL_PROT16;
}
