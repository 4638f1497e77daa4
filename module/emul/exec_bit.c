// SPDX-License-Identifier: GPL-2.0
/*
 * Bit tests, scans and counts, byte swaps, and the BMI instructions without
 * a shift. BT with a register index addresses memory outside the decoded
 * operand and so does its own load and store.
 */
#include "optab.h"

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static u64 bit_apply(u64 v, u64 mask, enum bit_op op)
{
	switch (op) {
	case BIT_SET:
		return v | mask;
	case BIT_RESET:
		return v & ~mask;
	case BIT_COMPLEMENT:
		return v ^ mask;
	default:
		return v;
	}
}

/* Offset of the operand-sized unit that holds signed bit number @bit. */
static u64 bit_ea(struct umbra_emul *em, u64 bit, unsigned int bytes)
{
	s64 unit = (s64)emul_sext(bit, bytes) >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4);

	return (em->insn.ea + (u64)unit * bytes) & emul_mask(em->insn.addr_bytes);
}

static int bit_memory(struct umbra_emul *em, u64 bit, bool indexed, enum bit_op op)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int bytes = in->dst.bytes;
	unsigned int acc = op == BIT_TEST ? 0 : UMBRA_EMUL_ACC_WRITE;
	u64 ea = indexed ? bit_ea(em, bit, bytes) : in->ea;
	u64 mask = 1ULL << (bit & (bytes * 8 - 1));
	u64 v, res;
	int r;

	if (in->lock)
		acc |= UMBRA_EMUL_ACC_LOCK;
	r = emul_read_val(em, in->seg, ea, bytes, acc, &v);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_flag_set(em, X86_EFLAGS_CF, v & mask);
	if (op == BIT_TEST)
		return UMBRA_EMUL_OK;
	res = bit_apply(v, mask, op);
	if (in->lock)
		return emul_mem_cmpxchg(em, in->seg, ea, &v, &res, bytes);
	return emul_mem_write(em, in->seg, ea, &res, bytes);
}

static int bit(struct umbra_emul *em, enum bit_op op)
{
	struct umbra_emul_operand *dst = &em->insn.dst;
	struct umbra_emul_operand *src = &em->insn.src;
	u64 mask;

	emul_operand_load(em, src, 0);
	if (dst->kind == UMBRA_EMUL_OPND_MEM)
		return bit_memory(em, src->val, src->kind == UMBRA_EMUL_OPND_REG, op);
	emul_operand_load(em, dst, 0);
	mask = 1ULL << (src->val & (dst->bytes * 8 - 1));
	emul_flag_set(em, X86_EFLAGS_CF, dst->val & mask);
	if (op == BIT_TEST)
		return UMBRA_EMUL_OK;
	dst->val = bit_apply(dst->val, mask, op);
	return emul_operand_store(em, dst);
}

int emul_op_bt(struct umbra_emul *em)
{
	return bit(em, BIT_TEST);
}

int emul_op_bts(struct umbra_emul *em)
{
	return bit(em, BIT_SET);
}

int emul_op_btr(struct umbra_emul *em)
{
	return bit(em, BIT_RESET);
}

int emul_op_btc(struct umbra_emul *em)
{
	return bit(em, BIT_COMPLEMENT);
}

static unsigned int lowest(u64 v)
{
	unsigned int n = 0;

	while (!(v & 1)) {
		v >>= 1;
		n++;
	}
	return n;
}

static unsigned int highest(u64 v)
{
	unsigned int n = 0;

	while (v >>= 1)
		n++;
	return n;
}

/* A zero source leaves the destination alone, upper half included. */
static int scan(struct umbra_emul *em, bool up)
{
	u64 v = em->insn.src.val;

	emul_flag_set(em, X86_EFLAGS_ZF, !v);
	if (!v)
		return UMBRA_EMUL_OK;
	em->insn.dst.val = up ? lowest(v) : highest(v);
	return emul_operand_store(em, &em->insn.dst);
}

int emul_op_bsf(struct umbra_emul *em)
{
	return scan(em, true);
}

int emul_op_bsr(struct umbra_emul *em)
{
	return scan(em, false);
}

static int count(struct umbra_emul *em, unsigned int n)
{
	emul_flag_set(em, X86_EFLAGS_CF, !em->insn.src.val);
	emul_flag_set(em, X86_EFLAGS_ZF, !n);
	em->insn.dst.val = n;
	return UMBRA_EMUL_OK;
}

int emul_op_tzcnt(struct umbra_emul *em)
{
	u64 v = em->insn.src.val;

	return count(em, v ? lowest(v) : em->insn.dst.bytes * 8);
}

int emul_op_lzcnt(struct umbra_emul *em)
{
	unsigned int bits = em->insn.dst.bytes * 8;
	u64 v = em->insn.src.val;

	return count(em, v ? bits - 1 - highest(v) : bits);
}

int emul_op_popcnt(struct umbra_emul *em)
{
	u64 v = em->insn.src.val;

	em->work.rflags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF |
				  X86_EFLAGS_SF | X86_EFLAGS_OF);
	emul_flag_set(em, X86_EFLAGS_ZF, !v);
	em->insn.dst.val = hweight64(v);
	return UMBRA_EMUL_OK;
}

static u64 swap_bytes(u64 v, unsigned int bytes)
{
	u64 res = 0;

	while (bytes--) {
		res = (res << 8) | (v & 0xff);
		v >>= 8;
	}
	return res;
}

int emul_op_bswap(struct umbra_emul *em)
{
	struct umbra_emul_operand *dst = &em->insn.dst;

	/* Undefined for 16 bits; processors clear the register half. */
	dst->val = dst->bytes == 2 ? 0 : swap_bytes(dst->val, dst->bytes);
	return UMBRA_EMUL_OK;
}

int emul_op_movbe(struct umbra_emul *em)
{
	em->insn.dst.val = swap_bytes(em->insn.src.val, em->insn.src.bytes);
	return UMBRA_EMUL_OK;
}

/* CRC-32C, polynomial 0x11EDC6F41, bit-reflected. */
int emul_op_crc32(struct umbra_emul *em)
{
	u32 crc = em->insn.dst.val;
	u64 v = em->insn.src.val;
	unsigned int i;

	for (i = 0; i < em->insn.src.bytes * 8u; i++) {
		crc = (crc >> 1) ^ ((crc ^ (u32)v) & 1 ? 0x82f63b78u : 0);
		v >>= 1;
	}
	em->insn.dst.val = crc;
	return UMBRA_EMUL_OK;
}

static int bmi_result(struct umbra_emul *em, u64 res, bool cf)
{
	unsigned int bytes = em->insn.dst.bytes;

	res &= emul_mask(bytes);
	emul_flag_set(em, X86_EFLAGS_SF, res & emul_msb(bytes));
	emul_flag_set(em, X86_EFLAGS_ZF, !res);
	emul_flag_set(em, X86_EFLAGS_OF, false);
	emul_flag_set(em, X86_EFLAGS_CF, cf);
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}

int emul_op_andn(struct umbra_emul *em)
{
	return bmi_result(em, ~em->insn.src.val & em->insn.src2.val, false);
}

int emul_op_blsr(struct umbra_emul *em)
{
	u64 v = em->insn.src.val;

	return bmi_result(em, v & (v - 1), !v);
}

int emul_op_blsmsk(struct umbra_emul *em)
{
	u64 v = em->insn.src.val;

	return bmi_result(em, v ^ (v - 1), !v);
}

int emul_op_blsi(struct umbra_emul *em)
{
	u64 v = em->insn.src.val;

	return bmi_result(em, v & -v, v);
}

int emul_op_bextr(struct umbra_emul *em)
{
	unsigned int start = em->insn.src2.val & 0xff;
	unsigned int len = (em->insn.src2.val >> 8) & 0xff;
	u64 v = start < 64 ? em->insn.src.val >> start : 0;

	if (len < 64)
		v &= (1ULL << len) - 1;
	bmi_result(em, v, false);
	return UMBRA_EMUL_OK;
}

int emul_op_bzhi(struct umbra_emul *em)
{
	unsigned int n = em->insn.src2.val & 0xff;
	unsigned int bits = em->insn.dst.bytes * 8;
	u64 v = em->insn.src.val;

	if (n < bits)
		v &= (1ULL << n) - 1;
	return bmi_result(em, v, n >= bits);
}

/* Spread the low bits of @v over the positions that are set in @mask. */
int emul_op_pdep(struct umbra_emul *em)
{
	u64 v = em->insn.src.val, mask = em->insn.src2.val, res = 0;

	for (; mask; mask &= mask - 1, v >>= 1)
		if (v & 1)
			res |= mask & -mask;
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}

int emul_op_pext(struct umbra_emul *em)
{
	u64 v = em->insn.src.val, mask = em->insn.src2.val, res = 0;
	unsigned int n;

	for (n = 0; mask; mask &= mask - 1, n++)
		if (v & mask & -mask)
			res |= 1ULL << n;
	em->insn.dst.val = res;
	return UMBRA_EMUL_OK;
}
