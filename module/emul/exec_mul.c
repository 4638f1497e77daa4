// SPDX-License-Identifier: GPL-2.0
/*
 * Multiplication and division, with #DE. No 128-bit library division exists
 * in the kernel, so the 64-bit divide is done bit by bit. Must not touch
 * memory.
 */
#include "optab.h"

/* A double-width value. */
struct wide {
	u64 lo;
	u64 hi;
};

static struct wide wide_mul(u64 a, u64 b)
{
	u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
	u64 low = al * bl;
	u64 mid = ah * bl + (low >> 32);
	u64 mid2 = al * bh + (u32)mid;

	return (struct wide){
		.lo = (mid2 << 32) | (u32)low,
		.hi = ah * bh + (mid >> 32) + (mid2 >> 32),
	};
}

static struct wide wide_neg(struct wide v)
{
	return (struct wide){ .lo = -v.lo, .hi = ~v.hi + !v.lo };
}

static struct wide wide_imul(s64 a, s64 b)
{
	struct wide v = wide_mul(a < 0 ? -(u64)a : a, b < 0 ? -(u64)b : b);

	return (a < 0) != (b < 0) ? wide_neg(v) : v;
}

/* Product of the loaded operands: low half in lo, high half in hi. */
static struct wide product(struct umbra_emul *em, u64 a, u64 b, bool is_signed)
{
	unsigned int bytes = em->insn.dst.bytes;
	struct wide v;

	if (is_signed)
		v = wide_imul(emul_sext(a, bytes), emul_sext(b, bytes));
	else
		v = wide_mul(a, b);
	if (bytes < 8) {
		v.hi = (v.lo >> (bytes * 8)) & emul_mask(bytes);
		v.lo &= emul_mask(bytes);
	}
	return v;
}

static void set_mul_flags(struct umbra_emul *em, struct wide v, bool is_signed)
{
	unsigned int bytes = em->insn.dst.bytes;
	u64 expect = is_signed && (v.lo & emul_msb(bytes)) ? emul_mask(bytes) : 0;

	emul_flag_set(em, X86_EFLAGS_CF | X86_EFLAGS_OF, v.hi != expect);
}

static int mul_acc(struct umbra_emul *em, bool is_signed)
{
	unsigned int bytes = em->insn.dst.bytes;
	struct wide v;

	v = product(em, emul_reg_read(em, UMBRA_EMUL_RAX, bytes), em->insn.dst.val, is_signed);
	set_mul_flags(em, v, is_signed);
	if (bytes == 1) {
		emul_reg_write(em, UMBRA_EMUL_RAX, 2, v.lo | v.hi << 8);
		return UMBRA_EMUL_OK;
	}
	emul_reg_write(em, UMBRA_EMUL_RAX, bytes, v.lo);
	emul_reg_write(em, UMBRA_EMUL_RDX, bytes, v.hi);
	return UMBRA_EMUL_OK;
}

int emul_op_mul(struct umbra_emul *em)
{
	return mul_acc(em, false);
}

int emul_op_imul(struct umbra_emul *em)
{
	return mul_acc(em, true);
}

/* Two and three operand forms: src * src2 to dst. */
int emul_op_imul3(struct umbra_emul *em)
{
	struct wide v;

	v = product(em, em->insn.src.val, em->insn.src2.val, true);
	set_mul_flags(em, v, true);
	em->insn.dst.val = v.lo;
	return UMBRA_EMUL_OK;
}

int emul_op_imul2(struct umbra_emul *em)
{
	struct wide v;

	v = product(em, em->insn.dst.val, em->insn.src.val, true);
	set_mul_flags(em, v, true);
	em->insn.dst.val = v.lo;
	return UMBRA_EMUL_OK;
}

int emul_op_mulx(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	struct wide v;

	v = product(em, emul_reg_read(em, UMBRA_EMUL_RDX, bytes), em->insn.src2.val, false);
	/* The high half wins when both destinations are one register. */
	em->insn.src.val = v.lo;
	em->insn.dst.val = v.hi;
	return emul_operand_store(em, &em->insn.src);
}

/* Unsigned division; the caller made sure that the quotient fits 64 bits. */
static u64 wide_div(struct wide n, u64 d, u64 *rem)
{
	u64 q = 0, r = n.hi;
	bool carry;
	int i;

	if (!r) {
		*rem = n.lo % d;
		return n.lo / d;
	}
	for (i = 63; i >= 0; i--) {
		carry = r >> 63;
		r = (r << 1) | ((n.lo >> i) & 1);
		if (carry || r >= d) {
			r -= d;
			q |= 1ULL << i;
		}
	}
	*rem = r;
	return q;
}

static struct wide dividend(struct umbra_emul *em, unsigned int bytes)
{
	u64 lo = emul_reg_read(em, UMBRA_EMUL_RAX, bytes == 1 ? 2 : bytes);
	u64 hi = emul_reg_read(em, UMBRA_EMUL_RDX, bytes);

	switch (bytes) {
	case 1:
		return (struct wide){ .lo = lo };
	case 8:
		return (struct wide){ .lo = lo, .hi = hi };
	default:
		return (struct wide){ .lo = lo | hi << (bytes * 8) };
	}
}

static int set_quotient(struct umbra_emul *em, u64 q, u64 rem)
{
	unsigned int bytes = em->insn.dst.bytes;

	if (bytes == 1) {
		emul_reg_write(em, UMBRA_EMUL_RAX, 2, (q & 0xff) | (rem & 0xff) << 8);
		return UMBRA_EMUL_OK;
	}
	emul_reg_write(em, UMBRA_EMUL_RAX, bytes, q);
	emul_reg_write(em, UMBRA_EMUL_RDX, bytes, rem);
	return UMBRA_EMUL_OK;
}

int emul_op_div(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	struct wide n = dividend(em, bytes);
	u64 d = em->insn.dst.val;
	u64 q, rem;

	if (!d || n.hi >= d)
		return emul_fault(em, X86_TRAP_DE);
	q = wide_div(n, d, &rem);
	if (q > emul_mask(bytes))
		return emul_fault(em, X86_TRAP_DE);
	return set_quotient(em, q, rem);
}

int emul_op_idiv(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	struct wide n = dividend(em, bytes);
	s64 d = emul_sext(em->insn.dst.val, bytes);
	u64 d_abs = d < 0 ? -(u64)d : d;
	bool n_neg, q_neg;
	u64 q, rem;

	if (bytes < 8) {
		n.lo = emul_sext(n.lo, bytes * 2);
		n.hi = (s64)n.lo < 0 ? ~0ULL : 0;
	}
	n_neg = n.hi >> 63;
	q_neg = n_neg != (d < 0);
	if (n_neg)
		n = wide_neg(n);
	if (!d_abs || n.hi >= d_abs)
		return emul_fault(em, X86_TRAP_DE);
	q = wide_div(n, d_abs, &rem);
	if (q > emul_msb(bytes) - !q_neg)
		return emul_fault(em, X86_TRAP_DE);
	return set_quotient(em, q_neg ? -q : q, n_neg ? -rem : rem);
}
