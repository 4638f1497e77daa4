// SPDX-License-Identifier: GPL-2.0
/*
 * Shifts and rotates, single and double, and the BMI2 forms without flags.
 * A count of zero changes no flag. Must not touch memory.
 */
#include "optab.h"

static unsigned int shift_count(const struct umbra_emul *em, u64 count)
{
	return count & (em->insn.dst.bytes == 8 ? 63 : 31);
}

static void set_cf_of(struct umbra_emul *em, bool cf, bool of)
{
	emul_flag_set(em, X86_EFLAGS_CF, cf);
	emul_flag_set(em, X86_EFLAGS_OF, of);
}

static void finish_shift(struct umbra_emul *em, u64 res, bool cf, bool of)
{
	unsigned int bytes = em->insn.dst.bytes;

	emul_flags_szp(em, res, bytes);
	emul_flag_set(em, X86_EFLAGS_AF, false);
	set_cf_of(em, cf, of);
	em->insn.dst.val = res & emul_mask(bytes);
}

int emul_op_shl(struct umbra_emul *em)
{
	unsigned int bits = em->insn.dst.bytes * 8;
	unsigned int n = shift_count(em, em->insn.src.val);
	u64 v = em->insn.dst.val;
	bool cf;
	u64 res;

	if (!n)
		return UMBRA_EMUL_OK;
	/* A count past the width (8 and 16 bits only) shifts everything out. */
	cf = n <= bits && ((v >> (bits - n)) & 1);
	res = v << n;
	finish_shift(em, res, cf, cf != !!(res & emul_msb(bits / 8)));
	return UMBRA_EMUL_OK;
}

int emul_op_shr(struct umbra_emul *em)
{
	unsigned int n = shift_count(em, em->insn.src.val);
	u64 v = em->insn.dst.val;

	if (!n)
		return UMBRA_EMUL_OK;
	finish_shift(em, v >> n, (v >> (n - 1)) & 1, v & emul_msb(em->insn.dst.bytes));
	return UMBRA_EMUL_OK;
}

int emul_op_sar(struct umbra_emul *em)
{
	unsigned int n = shift_count(em, em->insn.src.val);
	s64 v = emul_sext(em->insn.dst.val, em->insn.dst.bytes);

	if (!n)
		return UMBRA_EMUL_OK;
	finish_shift(em, v >> n, (v >> (n - 1)) & 1, false);
	return UMBRA_EMUL_OK;
}

/* Rotate left by @n below the width; right rotation is the complement. */
static u64 rotate(u64 v, unsigned int n, unsigned int bits)
{
	if (!n)
		return v;
	return ((v << n) | (v >> (bits - n))) & emul_mask(bits / 8);
}

int emul_op_rol(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int n = shift_count(em, em->insn.src.val);
	u64 res;
	bool cf;

	if (!n)
		return UMBRA_EMUL_OK;
	res = rotate(em->insn.dst.val, n % (bytes * 8), bytes * 8);
	cf = res & 1;
	set_cf_of(em, cf, cf != !!(res & emul_msb(bytes)));
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}

int emul_op_ror(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int bits = bytes * 8;
	unsigned int n = shift_count(em, em->insn.src.val);
	u64 res;
	bool cf;

	if (!n)
		return UMBRA_EMUL_OK;
	res = rotate(em->insn.dst.val, (bits - n % bits) % bits, bits);
	cf = res & emul_msb(bytes);
	set_cf_of(em, cf, cf != !!(res & (emul_msb(bytes) >> 1)));
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}

/* One step at a time: CF takes part, and counts are small. */
int emul_op_rcl(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int n = shift_count(em, em->insn.src.val) % (bytes * 8 + 1);
	u64 v = em->insn.dst.val;
	bool cf = emul_cf(em), out;

	if (!shift_count(em, em->insn.src.val))
		return UMBRA_EMUL_OK;
	while (n--) {
		out = v & emul_msb(bytes);
		v = ((v << 1) | cf) & emul_mask(bytes);
		cf = out;
	}
	set_cf_of(em, cf, cf != !!(v & emul_msb(bytes)));
	em->insn.dst.val = v;
	return UMBRA_EMUL_OK;
}

int emul_op_rcr(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int n = shift_count(em, em->insn.src.val) % (bytes * 8 + 1);
	u64 v = em->insn.dst.val;
	bool cf = emul_cf(em), out;

	if (!shift_count(em, em->insn.src.val))
		return UMBRA_EMUL_OK;
	while (n--) {
		out = v & 1;
		v >>= 1;
		if (cf)
			v |= emul_msb(bytes);
		cf = out;
	}
	set_cf_of(em, cf, !!(v & emul_msb(bytes)) != !!(v & (emul_msb(bytes) >> 1)));
	em->insn.dst.val = v;
	return UMBRA_EMUL_OK;
}

int emul_op_shld(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int bits = bytes * 8;
	unsigned int n = shift_count(em, em->insn.src2.val);
	u64 v = em->insn.dst.val;
	u64 res;

	/* Past the width (16 bits only) the result is undefined: leave all. */
	if (!n || n > bits)
		return UMBRA_EMUL_OK;
	res = n == bits ? em->insn.src.val : (v << n) | (em->insn.src.val >> (bits - n));
	finish_shift(em, res, (v >> (bits - n)) & 1, (v ^ res) & emul_msb(bytes));
	return UMBRA_EMUL_OK;
}

int emul_op_shrd(struct umbra_emul *em)
{
	unsigned int bytes = em->insn.dst.bytes;
	unsigned int bits = bytes * 8;
	unsigned int n = shift_count(em, em->insn.src2.val);
	u64 v = em->insn.dst.val;
	u64 res;

	if (!n || n > bits)
		return UMBRA_EMUL_OK;
	res = n == bits ? em->insn.src.val : (v >> n) | (em->insn.src.val << (bits - n));
	finish_shift(em, res, (v >> (n - 1)) & 1, (v ^ res) & emul_msb(bytes));
	return UMBRA_EMUL_OK;
}

int emul_op_shlx(struct umbra_emul *em)
{
	em->insn.dst.val = em->insn.src.val << shift_count(em, em->insn.src2.val);
	return UMBRA_EMUL_OK;
}

int emul_op_shrx(struct umbra_emul *em)
{
	em->insn.dst.val = em->insn.src.val >> shift_count(em, em->insn.src2.val);
	return UMBRA_EMUL_OK;
}

int emul_op_sarx(struct umbra_emul *em)
{
	s64 v = emul_sext(em->insn.src.val, em->insn.src.bytes);

	em->insn.dst.val = v >> shift_count(em, em->insn.src2.val);
	return UMBRA_EMUL_OK;
}

int emul_op_rorx(struct umbra_emul *em)
{
	unsigned int bits = em->insn.dst.bytes * 8;
	unsigned int n = shift_count(em, em->insn.src2.val);

	em->insn.dst.val = rotate(em->insn.src.val, (bits - n) % bits, bits);
	return UMBRA_EMUL_OK;
}
