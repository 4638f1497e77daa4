// SPDX-License-Identifier: GPL-2.0
/*
 * Integer arithmetic and logic with one result, and the flags they share.
 * Operands come loaded and results are stored by exec.c, except CMPXCHG's.
 * Must not know how memory is reached.
 */
#include "optab.h"

#define ARITH_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
		     X86_EFLAGS_SF | X86_EFLAGS_OF)

void emul_flag_set(struct umbra_emul *em, u64 flag, bool on)
{
	if (on)
		em->work.rflags |= flag;
	else
		em->work.rflags &= ~flag;
}

/**
 * emul_flags_szp() - set SF, ZF and PF from a result
 * @em: context
 * @res: result
 * @bytes: its width
 */
void emul_flags_szp(struct umbra_emul *em, u64 res, unsigned int bytes)
{
	emul_flag_set(em, X86_EFLAGS_SF, res & emul_msb(bytes));
	emul_flag_set(em, X86_EFLAGS_ZF, !(res & emul_mask(bytes)));
	emul_flag_set(em, X86_EFLAGS_PF, !(hweight8(res & 0xff) & 1));
}

/* @carry: bit n is the carry or borrow out of bit n; @ovf: sign bit = overflow. */
static void flags_arith(struct umbra_emul *em, u64 res, u64 carry, u64 ovf, unsigned int bytes)
{
	emul_flags_szp(em, res, bytes);
	emul_flag_set(em, X86_EFLAGS_CF, carry & emul_msb(bytes));
	emul_flag_set(em, X86_EFLAGS_AF, carry & 8);
	emul_flag_set(em, X86_EFLAGS_OF, ovf & emul_msb(bytes));
}

static u64 do_add(struct umbra_emul *em, u64 a, u64 b, u64 carry, unsigned int bytes)
{
	u64 res = a + b + carry;

	flags_arith(em, res, (a & b) | ((a | b) & ~res), ~(a ^ b) & (a ^ res), bytes);
	return res;
}

static u64 do_sub(struct umbra_emul *em, u64 a, u64 b, u64 borrow, unsigned int bytes)
{
	u64 res = a - b - borrow;

	flags_arith(em, res, (~a & b) | ((~a | b) & res), (a ^ b) & (a ^ res), bytes);
	return res;
}

/**
 * emul_flags_sub() - set the flags of a compare
 * @em: context
 * @a: minuend
 * @b: subtrahend
 * @borrow: 0 or 1
 * @bytes: width
 */
void emul_flags_sub(struct umbra_emul *em, u64 a, u64 b, u64 borrow, unsigned int bytes)
{
	do_sub(em, a, b, borrow, bytes);
}

static int logic(struct umbra_emul *em, u64 res)
{
	em->work.rflags &= ~(u64)ARITH_FLAGS;
	emul_flags_szp(em, res, em->insn.dst.bytes);
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}

static int add(struct umbra_emul *em, u64 carry)
{
	struct umbra_emul_operand *dst = &em->insn.dst;

	dst->val = do_add(em, dst->val, em->insn.src.val, carry, dst->bytes);
	return UMBRA_EMUL_OK;
}

static int sub(struct umbra_emul *em, u64 borrow)
{
	struct umbra_emul_operand *dst = &em->insn.dst;

	dst->val = do_sub(em, dst->val, em->insn.src.val, borrow, dst->bytes);
	return UMBRA_EMUL_OK;
}

int emul_op_add(struct umbra_emul *em)
{
	return add(em, 0);
}

int emul_op_adc(struct umbra_emul *em)
{
	return add(em, emul_cf(em));
}

int emul_op_sub(struct umbra_emul *em)
{
	return sub(em, 0);
}

int emul_op_sbb(struct umbra_emul *em)
{
	return sub(em, emul_cf(em));
}

int emul_op_and(struct umbra_emul *em)
{
	return logic(em, em->insn.dst.val & em->insn.src.val);
}

int emul_op_or(struct umbra_emul *em)
{
	return logic(em, em->insn.dst.val | em->insn.src.val);
}

int emul_op_xor(struct umbra_emul *em)
{
	return logic(em, em->insn.dst.val ^ em->insn.src.val);
}

int emul_op_cmp(struct umbra_emul *em)
{
	return sub(em, 0);
}

int emul_op_test(struct umbra_emul *em)
{
	return emul_op_and(em);
}

int emul_op_not(struct umbra_emul *em)
{
	em->insn.dst.val = ~em->insn.dst.val;
	return UMBRA_EMUL_OK;
}

int emul_op_neg(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;

	dst->val = do_sub(em, 0, dst->val, 0, dst->bytes);
	return UMBRA_EMUL_OK;
}

/* INC and DEC leave CF alone. */
int emul_op_inc(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	bool cf = emul_cf(em);

	dst->val = do_add(em, dst->val, 1, 0, dst->bytes);
	emul_flag_set(em, X86_EFLAGS_CF, cf);
	return UMBRA_EMUL_OK;
}

int emul_op_dec(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	bool cf = emul_cf(em);

	dst->val = do_sub(em, dst->val, 1, 0, dst->bytes);
	emul_flag_set(em, X86_EFLAGS_CF, cf);
	return UMBRA_EMUL_OK;
}

int emul_op_xadd(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	struct umbra_emul_operand *src = &em->insn.src;
	u64 old = dst->val;

	dst->val = do_add(em, old, src->val, 0, dst->bytes);
	src->val = old;
	/* The destination is stored last: it wins when both are one register. */
	return emul_operand_store(em, src);
}

/* A register destination that does not compare equal keeps its upper half. */
int emul_op_cmpxchg(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	unsigned int acc = UMBRA_EMUL_ACC_WRITE | (em->insn.lock ? UMBRA_EMUL_ACC_LOCK : 0);
	u64 rax = emul_reg_read(em, UMBRA_EMUL_RAX, dst->bytes);
	int r = emul_operand_load(em, dst, acc);

	if (r != UMBRA_EMUL_OK)
		return r;
	emul_operand_load(em, &em->insn.src, 0);
	em->work.orig = dst->val;
	do_sub(em, rax, dst->val, 0, dst->bytes);
	if (rax == dst->val) {
		dst->val = em->insn.src.val;
		return emul_operand_store(em, dst);
	}
	emul_reg_write(em, UMBRA_EMUL_RAX, dst->bytes, dst->val);
	return dst->kind == UMBRA_EMUL_OPND_MEM ? emul_operand_store(em, dst) : UMBRA_EMUL_OK;
}

/* ADCX and ADOX: one carry flag each, nothing else changes. */
static int add_one_flag(struct umbra_emul *em, u64 flag)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	u64 a = dst->val, b = em->insn.src.val;
	u64 res = a + b + !!(em->work.rflags & flag);

	emul_flag_set(em, flag, ((a & b) | ((a | b) & ~res)) & emul_msb(dst->bytes));
	dst->val = res;
	return UMBRA_EMUL_OK;
}

int emul_op_adcx(struct umbra_emul *em)
{
	return add_one_flag(em, X86_EFLAGS_CF);
}

int emul_op_adox(struct umbra_emul *em)
{
	return add_one_flag(em, X86_EFLAGS_OF);
}

static int flag_op(struct umbra_emul *em, u64 flag, bool on)
{
	emul_flag_set(em, flag, on);
	return UMBRA_EMUL_OK;
}

int emul_op_clc(struct umbra_emul *em)
{
	return flag_op(em, X86_EFLAGS_CF, false);
}

int emul_op_stc(struct umbra_emul *em)
{
	return flag_op(em, X86_EFLAGS_CF, true);
}

int emul_op_cmc(struct umbra_emul *em)
{
	return flag_op(em, X86_EFLAGS_CF, !emul_cf(em));
}

int emul_op_cld(struct umbra_emul *em)
{
	return flag_op(em, X86_EFLAGS_DF, false);
}

int emul_op_std(struct umbra_emul *em)
{
	return flag_op(em, X86_EFLAGS_DF, true);
}
