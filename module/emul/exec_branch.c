// SPDX-License-Identifier: GPL-2.0
/*
 * Conditions and near transfers: jumps, calls, returns, loops. Far transfers
 * are in exec_far.c.
 */
#include "optab.h"

/**
 * emul_cond() - evaluate a condition code
 * @em: context
 * @cc: the low four opcode bits
 */
bool emul_cond(const struct umbra_emul *em, unsigned int cc)
{
	u64 f = em->work.rflags;
	bool less = !!(f & X86_EFLAGS_SF) != !!(f & X86_EFLAGS_OF);
	bool res;

	switch (cc >> 1) {
	case 0:
		res = f & X86_EFLAGS_OF;
		break;
	case 1:
		res = f & X86_EFLAGS_CF;
		break;
	case 2:
		res = f & X86_EFLAGS_ZF;
		break;
	case 3:
		res = f & (X86_EFLAGS_CF | X86_EFLAGS_ZF);
		break;
	case 4:
		res = f & X86_EFLAGS_SF;
		break;
	case 5:
		res = f & X86_EFLAGS_PF;
		break;
	case 6:
		res = less;
		break;
	default:
		res = less || (f & X86_EFLAGS_ZF);
		break;
	}
	return res != (cc & 1);
}

/**
 * emul_near() - stage a new instruction pointer in the current CS
 * @em: context
 * @target: offset, not yet truncated to the operand size
 *
 * Return: OK, or FAULT with #GP when it is outside CS or not canonical.
 */
int emul_near(struct umbra_emul *em, u64 target)
{
	target &= emul_mask(em->insn.op_bytes);
	if (emul_long64(em) ? !emul_canonical(em, target) :
			      target > em->seg[UMBRA_EMUL_CS].limit)
		return emul_gp0(em);
	em->work.rip = target;
	return UMBRA_EMUL_OK;
}

static int relative(struct umbra_emul *em)
{
	return emul_near(em, em->work.rip + em->insn.imm);
}

int emul_op_jmp_rel(struct umbra_emul *em)
{
	return relative(em);
}

int emul_op_jcc(struct umbra_emul *em)
{
	return emul_cond(em, em->insn.opcode & 0xf) ? relative(em) : UMBRA_EMUL_OK;
}

int emul_op_jmp_near(struct umbra_emul *em)
{
	return emul_near(em, em->insn.dst.val);
}

static int call(struct umbra_emul *em, u64 target)
{
	u64 back = em->work.rip;
	int r = emul_near(em, target);

	return r ? r : emul_push(em, &back, 1, em->insn.op_bytes);
}

int emul_op_call_rel(struct umbra_emul *em)
{
	return call(em, em->work.rip + em->insn.imm);
}

int emul_op_call_near(struct umbra_emul *em)
{
	return call(em, em->insn.dst.val);
}

/* C2 and C3; the immediate is 0 where there is none. */
int emul_op_ret(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 target;
	int r;

	r = emul_peek(em, 0, bytes, &target);
	if (r == UMBRA_EMUL_OK)
		r = emul_near(em, target);
	if (r == UMBRA_EMUL_OK)
		emul_rsp_add(em, bytes + (s64)em->insn.imm);
	return r;
}

/* E0 LOOPNE, E1 LOOPE, E2 LOOP */
int emul_op_loop(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.addr_bytes;
	u64 count = (emul_reg_read(em, UMBRA_EMUL_RCX, bytes) - 1) & emul_mask(bytes);
	bool zf = em->work.rflags & X86_EFLAGS_ZF;
	bool taken = count;

	if (em->insn.opcode == 0xe0)
		taken = taken && !zf;
	else if (em->insn.opcode == 0xe1)
		taken = taken && zf;
	emul_reg_write(em, UMBRA_EMUL_RCX, bytes, count);
	return taken ? relative(em) : UMBRA_EMUL_OK;
}

int emul_op_jcxz(struct umbra_emul *em)
{
	if (emul_reg_read(em, UMBRA_EMUL_RCX, em->insn.addr_bytes))
		return UMBRA_EMUL_OK;
	return relative(em);
}
