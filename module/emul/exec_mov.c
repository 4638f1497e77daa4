// SPDX-License-Identifier: GPL-2.0
/*
 * Data movement between general registers and memory: moves, extensions,
 * exchanges, conditional moves, conversions, LAHF and the like. Segment and
 * system registers are not moved here.
 */
#include "optab.h"

int emul_op_unhandled(struct umbra_emul *em)
{
	return UMBRA_EMUL_UNHANDLED;
}

int emul_op_nop(struct umbra_emul *em)
{
	return UMBRA_EMUL_OK;
}

/* Moves with zero extension too: loads already zero extend. */
int emul_op_mov(struct umbra_emul *em)
{
	em->insn.dst.val = em->insn.src.val;
	return UMBRA_EMUL_OK;
}

int emul_op_movsx(struct umbra_emul *em)
{
	em->insn.dst.val = emul_sext(em->insn.src.val, em->insn.src.bytes);
	return UMBRA_EMUL_OK;
}

int emul_op_lea(struct umbra_emul *em)
{
	em->insn.dst.val = em->insn.ea;
	return UMBRA_EMUL_OK;
}

int emul_op_xchg(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	struct umbra_emul_operand *src = &em->insn.src;
	u64 old = dst->val;

	dst->val = src->val;
	src->val = old;
	return emul_operand_store(em, src);
}

/* 90: XCHG with the accumulator, unless it is NOP or PAUSE. */
int emul_op_xchg_nop(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	int r;

	if (!(in->rex & 1))
		return in->rep == 0xf3 ? em->ops->hook(em, UMBRA_EMUL_HOOK_PAUSE, 0) :
					 UMBRA_EMUL_OK;
	emul_operand_load(em, &in->dst, 0);
	emul_operand_load(em, &in->src, 0);
	r = emul_op_xchg(em);
	return r ? r : emul_operand_store(em, &in->dst);
}

int emul_op_setcc(struct umbra_emul *em)
{
	em->insn.dst.val = emul_cond(em, em->insn.opcode & 0xf);
	return UMBRA_EMUL_OK;
}

/* The store happens either way: a 32-bit register loses its upper half. */
int emul_op_cmovcc(struct umbra_emul *em)
{
	if (emul_cond(em, em->insn.opcode & 0xf))
		em->insn.dst.val = em->insn.src.val;
	return UMBRA_EMUL_OK;
}

/* CBW, CWDE, CDQE */
int emul_op_cbw(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 v = emul_reg_read(em, UMBRA_EMUL_RAX, bytes / 2);

	emul_reg_write(em, UMBRA_EMUL_RAX, bytes, emul_sext(v, bytes / 2));
	return UMBRA_EMUL_OK;
}

/* CWD, CDQ, CQO */
int emul_op_cwd(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 v = emul_reg_read(em, UMBRA_EMUL_RAX, bytes);

	emul_reg_write(em, UMBRA_EMUL_RDX, bytes, v & emul_msb(bytes) ? ~0ULL : 0);
	return UMBRA_EMUL_OK;
}

#define AH_FLAGS (X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_AF | X86_EFLAGS_PF | X86_EFLAGS_CF)

int emul_op_sahf(struct umbra_emul *em)
{
	em->work.rflags &= ~(u64)AH_FLAGS;
	em->work.rflags |= (em->work.gpr[UMBRA_EMUL_RAX] >> 8) & AH_FLAGS;
	return UMBRA_EMUL_OK;
}

int emul_op_lahf(struct umbra_emul *em)
{
	u64 ah = (em->work.rflags & AH_FLAGS) | X86_EFLAGS_FIXED;

	em->work.gpr[UMBRA_EMUL_RAX] &= ~0xff00ULL;
	em->work.gpr[UMBRA_EMUL_RAX] |= ah << 8;
	return UMBRA_EMUL_OK;
}

int emul_op_xlat(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u64 ea = em->work.gpr[UMBRA_EMUL_RBX] + emul_reg_read(em, UMBRA_EMUL_RAX, 1);
	u64 v;
	int r;

	r = emul_read_val(em, in->seg, ea & emul_mask(in->addr_bytes), 1, 0, &v);
	if (r == UMBRA_EMUL_OK)
		emul_reg_write(em, UMBRA_EMUL_RAX, 1, v);
	return r;
}

/* CMPXCHG8B and CMPXCHG16B. */
int emul_op_cmpxchg_wide(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int half = in->op_bytes == 8 ? 8 : 4;
	unsigned int acc = UMBRA_EMUL_ACC_WRITE | (in->lock ? UMBRA_EMUL_ACC_LOCK : 0);
	u8 old[16] = {}, new[16] = {};
	u64 lo = 0, hi = 0;
	bool equal;
	int r;

	if (half == 8 && (in->linear & 15))
		return emul_gp0(em);
	r = emul_mem_read(em, in->seg, in->ea, old, half * 2, acc);
	if (r != UMBRA_EMUL_OK)
		return r;
	memcpy(&lo, old, half);
	memcpy(&hi, old + half, half);
	equal = lo == emul_reg_read(em, UMBRA_EMUL_RAX, half) &&
		hi == emul_reg_read(em, UMBRA_EMUL_RDX, half);
	emul_flag_set(em, X86_EFLAGS_ZF, equal);
	memcpy(new, old, sizeof(new));
	if (equal) {
		memcpy(new, &em->work.gpr[UMBRA_EMUL_RBX], half);
		memcpy(new + half, &em->work.gpr[UMBRA_EMUL_RCX], half);
	} else {
		emul_reg_write(em, UMBRA_EMUL_RAX, half, lo);
		emul_reg_write(em, UMBRA_EMUL_RDX, half, hi);
	}
	if (in->lock)
		return emul_mem_cmpxchg(em, in->seg, in->ea, old, new, half * 2);
	return emul_mem_write(em, in->seg, in->ea, new, half * 2);
}
