// SPDX-License-Identifier: GPL-2.0
/*
 * The stack: push, pop and their relatives. RSP moves in the staged
 * registers only; multi-element pushes are probed as a whole before the first
 * write.
 */
#include "optab.h"

#define POPF_USER (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
		   X86_EFLAGS_SF | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_OF | \
		   X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_ID)

/**
 * emul_stack_bytes() - width of the stack pointer
 * @em: context
 *
 * Return: 2, 4 or 8.
 */
unsigned int emul_stack_bytes(const struct umbra_emul *em)
{
	if (emul_long64(em))
		return 8;
	return em->seg[UMBRA_EMUL_SS].db ? 4 : 2;
}

static u64 stack_offset(const struct umbra_emul *em, s64 delta)
{
	return (em->work.gpr[UMBRA_EMUL_RSP] + delta) & emul_mask(emul_stack_bytes(em));
}

/**
 * emul_rsp_add() - move the staged stack pointer
 * @em: context
 * @delta: bytes, negative for a push
 */
void emul_rsp_add(struct umbra_emul *em, s64 delta)
{
	emul_reg_write(em, UMBRA_EMUL_RSP, emul_stack_bytes(em), stack_offset(em, delta));
}

/**
 * emul_push() - push values, the first one highest
 * @em: context
 * @vals: values
 * @nr: how many
 * @bytes: width of each: 2, 4 or 8
 */
int emul_push(struct umbra_emul *em, const u64 *vals, unsigned int nr, unsigned int bytes)
{
	unsigned int i;
	u64 linear;
	int r;

	for (i = 0; nr > 1 && i < nr; i++) {
		r = emul_linearize(em, UMBRA_EMUL_SS, stack_offset(em, -(s64)(i + 1) * bytes),
				   bytes, UMBRA_EMUL_ACC_WRITE, &linear);
		if (r == UMBRA_EMUL_OK)
			r = emul_linear_read(em, linear, NULL, bytes,
					     UMBRA_EMUL_ACC_PROBE | UMBRA_EMUL_ACC_WRITE);
		if (r != UMBRA_EMUL_OK)
			return r;
	}
	for (i = 0; i < nr; i++) {
		r = emul_mem_write(em, UMBRA_EMUL_SS, stack_offset(em, -(s64)(i + 1) * bytes),
				   &vals[i], bytes);
		if (r != UMBRA_EMUL_OK)
			return r;
	}
	emul_rsp_add(em, -(s64)nr * bytes);
	return UMBRA_EMUL_OK;
}

/**
 * emul_peek() - read a stack element without popping it
 * @em: context
 * @offset: bytes above the staged RSP
 * @bytes: width
 * @val: receives the value
 */
int emul_peek(struct umbra_emul *em, unsigned int offset, unsigned int bytes, u64 *val)
{
	return emul_read_val(em, UMBRA_EMUL_SS, stack_offset(em, offset), bytes, 0, val);
}

int emul_op_push(struct umbra_emul *em)
{
	return emul_push(em, &em->insn.dst.val, 1, em->insn.op_bytes);
}

int emul_op_pop(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int bytes = in->op_bytes;
	u64 ea = in->ea;
	int r;

	r = emul_peek(em, 0, bytes, &in->dst.val);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_rsp_add(em, bytes);
	if (in->dst.kind == UMBRA_EMUL_OPND_REG)
		return emul_operand_store(em, &in->dst);
	/* An address based on RSP is computed after the increment. */
	if (in->rsp_based)
		ea = (ea + bytes) & emul_mask(in->addr_bytes);
	return emul_mem_write(em, in->seg, ea, &in->dst.val, bytes);
}

static unsigned int sreg_of_opcode(const struct umbra_emul *em)
{
	return (em->insn.opcode >> 3) & 7;
}

int emul_op_push_sreg(struct umbra_emul *em)
{
	u64 sel = em->seg[sreg_of_opcode(em)].selector;

	return emul_push(em, &sel, 1, em->insn.op_bytes);
}

int emul_op_pop_sreg(struct umbra_emul *em)
{
	unsigned int nr = sreg_of_opcode(em);
	struct emul_desc d;
	u64 sel;
	int r;

	r = emul_peek(em, 0, 2, &sel);
	if (r == UMBRA_EMUL_OK)
		r = emul_check_sreg(em, nr, sel, &d);
	if (r != UMBRA_EMUL_OK)
		return r;
	/* Before SS changes the width of the stack pointer. */
	emul_rsp_add(em, em->insn.op_bytes);
	return emul_set_sreg(em, nr, &d);
}

int emul_op_pusha(struct umbra_emul *em)
{
	u64 vals[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		vals[i] = em->work.gpr[i];
	return emul_push(em, vals, 8, em->insn.op_bytes);
}

int emul_op_popa(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	unsigned int i;
	u64 val;
	int r;

	for (i = 0; i < 8; i++) {
		r = emul_peek(em, i * bytes, bytes, &val);
		if (r != UMBRA_EMUL_OK)
			return r;
		if (7 - i != UMBRA_EMUL_RSP)
			emul_reg_write(em, 7 - i, bytes, val);
	}
	emul_rsp_add(em, 8 * bytes);
	return UMBRA_EMUL_OK;
}

/* Virtual-8086 mode below IOPL 3: #GP, or a virtual IF that is not emulated. */
static int vm86_flags(struct umbra_emul *em)
{
	u64 cr4 = 0;
	int r;

	if (em->mode != UMBRA_EMUL_VM86 || emul_iopl_ok(em))
		return UMBRA_EMUL_OK;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r == UMBRA_EMUL_OK && (cr4 & X86_CR4_VME))
		return UMBRA_EMUL_UNHANDLED;
	return r ? r : emul_gp0(em);
}

int emul_op_pushf(struct umbra_emul *em)
{
	u64 val = em->work.rflags & ~(u64)(X86_EFLAGS_VM | X86_EFLAGS_RF);
	int r = vm86_flags(em);

	return r ? r : emul_push(em, &val, 1, em->insn.op_bytes);
}

/**
 * emul_flags_writable() - flags that POPF or IRET may change now
 * @em: context
 * @bytes: operand size
 */
u64 emul_flags_writable(const struct umbra_emul *em, unsigned int bytes)
{
	u64 mask = POPF_USER;

	if (!em->cpl)
		mask |= X86_EFLAGS_IOPL;
	if (emul_iopl_ok(em))
		mask |= X86_EFLAGS_IF;
	return mask & emul_mask(bytes);
}

int emul_op_popf(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 mask = emul_flags_writable(em, bytes);
	u64 val;
	int r;

	r = vm86_flags(em);
	if (r == UMBRA_EMUL_OK)
		r = emul_peek(em, 0, bytes, &val);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_rsp_add(em, bytes);
	em->work.rflags = (em->work.rflags & ~mask) | (val & mask);
	return UMBRA_EMUL_OK;
}

/* Nested levels copy frame pointers; no compiler has used them for decades. */
int emul_op_enter(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 frame;
	int r;

	if (em->insn.imm2 & 31)
		return UMBRA_EMUL_UNHANDLED;
	r = emul_push(em, &em->work.gpr[UMBRA_EMUL_RBP], 1, bytes);
	if (r != UMBRA_EMUL_OK)
		return r;
	frame = emul_reg_read(em, UMBRA_EMUL_RSP, emul_stack_bytes(em));
	emul_reg_write(em, UMBRA_EMUL_RBP, bytes, frame);
	emul_rsp_add(em, -(s64)em->insn.imm);
	return UMBRA_EMUL_OK;
}

int emul_op_leave(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 frame = em->work.gpr[UMBRA_EMUL_RBP];
	u64 val;
	int r;

	emul_reg_write(em, UMBRA_EMUL_RSP, emul_stack_bytes(em), frame);
	r = emul_peek(em, 0, bytes, &val);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_rsp_add(em, bytes);
	emul_reg_write(em, UMBRA_EMUL_RBP, bytes, val);
	return UMBRA_EMUL_OK;
}
