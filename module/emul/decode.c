// SPDX-License-Identifier: GPL-2.0
/*
 * From opcode to instruction record: table lookup, ModRM and SIB, operands
 * and immediates, effective address. Reads registers for the address, changes
 * nothing outside the record. Must not touch memory except by fetching.
 */
#include "emul_internal.h"

#define MODRM_MOD(m)	((m) >> 6)
#define MODRM_REG(m)	(((m) >> 3) & 7)
#define MODRM_RM(m)	((m) & 7)

#define REX_W	8
#define REX_R	4
#define REX_X	2
#define REX_B	1

static const struct umbra_emul_opcode *root_entry(const struct umbra_emul_insn *in)
{
	switch (in->map) {
	case 0:
		return &umbra_emul_optab[in->opcode];
	case 1:
		return &umbra_emul_optab_0f[in->opcode];
	case 2:
		return &umbra_emul_optab_38[in->opcode];
	default:
		return &umbra_emul_optab_3a[in->opcode];
	}
}

static int need_modrm(struct umbra_emul *em)
{
	u64 byte;
	int r;

	if (em->insn.has_modrm)
		return UMBRA_EMUL_OK;
	r = emul_fetch(em, 1, &byte);
	em->insn.modrm = byte;
	em->insn.has_modrm = r == UMBRA_EMUL_OK;
	return r;
}

static unsigned int sub_index(struct umbra_emul *em, u32 flags)
{
	const struct umbra_emul_insn *in = &em->insn;

	if (flags & OF_GROUP)
		return MODRM_REG(in->modrm);
	if (flags & OF_MOD)
		return MODRM_MOD(in->modrm) == 3;
	if (flags & OF_RMGRP)
		return MODRM_RM(in->modrm);
	if (flags & OF_PFX)
		return in->pp;
	return emul_long64(em);
}

/* Follow sub-tables to the leaf; the tables nest at most five deep. */
static int lookup(struct umbra_emul *em)
{
	const struct umbra_emul_opcode *d = root_entry(&em->insn);
	int r;

	while (d->sub) {
		if (d->flags & (OF_GROUP | OF_MOD | OF_RMGRP)) {
			r = need_modrm(em);
			if (r != UMBRA_EMUL_OK)
				return r;
		}
		d = &d->sub[sub_index(em, d->flags)];
	}
	if (d->flags & OF_UD)
		return emul_ud(em);
	if (!d->exec)
		return UMBRA_EMUL_UNHANDLED;
	em->insn.desc = d;
	return UMBRA_EMUL_OK;
}

static bool spec_in_modrm(u16 spec)
{
	switch (EO_WHAT(spec)) {
	case EW_E:
	case EW_M:
	case EW_R:
	case EW_G:
	case EW_S:
	case EW_C:
	case EW_D:
	case EW_V:
	case EW_W:
		return true;
	default:
		return false;
	}
}

static bool wants_modrm(const struct umbra_emul_opcode *d)
{
	return (d->flags & OF_MODRM) || spec_in_modrm(d->dst) || spec_in_modrm(d->src) ||
	       spec_in_modrm(d->src2);
}

static int check_encoding(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u32 flags = in->desc->flags;

	if (in->vex != !!(flags & OF_VEXONLY) && !(flags & OF_VEX))
		return UMBRA_EMUL_UNHANDLED;
	if ((flags & OF_NP) && in->pp)
		return UMBRA_EMUL_UNHANDLED;
	if (in->vex && ((in->vex_v && !(flags & OF_VVVV)) || (in->vex_l && (flags & OF_L0))))
		return emul_ud(em);
	/* Outside 64-bit mode the top bit must still be right when unused. */
	if (!emul_long64(em))
		in->vex_v &= 7;
	if ((flags & OF_NO64) && emul_long64(em))
		return emul_ud(em);
	if ((flags & OF_ONLY64) && !emul_long64(em))
		return emul_ud(em);
	if ((flags & OF_PROT) && emul_realish(em))
		return emul_ud(em);
	/* Vendors differ on a 16-bit near branch in 64-bit mode: length and target. */
	if ((flags & OF_NEAR) && emul_long64(em) && in->opsize && !(in->rex & REX_W))
		return UMBRA_EMUL_UNHANDLED;
	return UMBRA_EMUL_OK;
}

static void set_op_bytes(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u32 flags = in->desc->flags;
	bool wide = em->mode == UMBRA_EMUL_PROT32;

	if (!emul_long64(em))
		in->op_bytes = wide != in->opsize ? 4 : 2;
	else if ((in->rex & REX_W) || (flags & OF_NEAR))
		in->op_bytes = 8;
	else if (in->opsize)
		in->op_bytes = 2;
	else
		in->op_bytes = flags & OF_DEF64 ? 8 : 4;
}

static u64 addr_reg(const struct umbra_emul *em, unsigned int reg)
{
	return em->gpr[reg];
}

static int fetch_disp(struct umbra_emul *em, unsigned int bytes)
{
	u64 disp;
	int r = emul_fetch(em, bytes, &disp);

	em->insn.ea += emul_sext(disp, bytes);
	return r;
}

static void base_is_stack(struct umbra_emul_insn *in, unsigned int reg)
{
	if (reg == UMBRA_EMUL_RSP || reg == UMBRA_EMUL_RBP)
		in->seg = UMBRA_EMUL_SS;
	in->rsp_based = reg == UMBRA_EMUL_RSP;
}

static int modrm_16(struct umbra_emul *em)
{
	static const u8 base[8] = {
		UMBRA_EMUL_RBX, UMBRA_EMUL_RBX, UMBRA_EMUL_RBP, UMBRA_EMUL_RBP,
		UMBRA_EMUL_RSI, UMBRA_EMUL_RDI, UMBRA_EMUL_RBP, UMBRA_EMUL_RBX,
	};
	struct umbra_emul_insn *in = &em->insn;
	unsigned int mod = MODRM_MOD(in->modrm);
	unsigned int rm = MODRM_RM(in->modrm);

	if (mod == 0 && rm == 6)
		return fetch_disp(em, 2);
	in->ea = addr_reg(em, base[rm]);
	if (rm < 4)
		in->ea += addr_reg(em, rm & 1 ? UMBRA_EMUL_RDI : UMBRA_EMUL_RSI);
	base_is_stack(in, base[rm]);
	return mod ? fetch_disp(em, mod) : UMBRA_EMUL_OK;
}

static int modrm_sib(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int mod = MODRM_MOD(in->modrm);
	unsigned int index, base;
	u64 sib;
	int r;

	r = emul_fetch(em, 1, &sib);
	if (r != UMBRA_EMUL_OK)
		return r;
	index = MODRM_REG(sib) | (in->rex & REX_X ? 8 : 0);
	base = MODRM_RM(sib) | (in->rex & REX_B ? 8 : 0);
	if (index != UMBRA_EMUL_RSP)
		in->ea = addr_reg(em, index) << (sib >> 6);
	if (mod == 0 && (base & 7) == UMBRA_EMUL_RBP)
		return fetch_disp(em, 4);
	in->ea += addr_reg(em, base);
	base_is_stack(in, base);
	return UMBRA_EMUL_OK;
}

static int modrm_32(struct umbra_emul *em, bool *rip_relative)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int mod = MODRM_MOD(in->modrm);
	unsigned int rm = MODRM_RM(in->modrm);
	int r = UMBRA_EMUL_OK;

	if (mod == 0 && rm == 5) {
		*rip_relative = emul_long64(em);
		return fetch_disp(em, 4);
	}
	if (rm == 4) {
		r = modrm_sib(em);
	} else {
		rm |= in->rex & REX_B ? 8 : 0;
		in->ea = addr_reg(em, rm);
		base_is_stack(in, rm);
	}
	if (r == UMBRA_EMUL_OK && mod)
		r = fetch_disp(em, mod == 1 ? 1 : 4);
	return r;
}

static int decode_modrm(struct umbra_emul *em, bool *rip_relative)
{
	struct umbra_emul_insn *in = &em->insn;
	int r;

	if (!wants_modrm(in->desc) && !in->has_modrm)
		return UMBRA_EMUL_OK;
	r = need_modrm(em);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (MODRM_MOD(in->modrm) == 3 || (in->desc->flags & OF_REGRM))
		return UMBRA_EMUL_OK;
	in->has_mem = true;
	return in->addr_bytes == 2 ? modrm_16(em) : modrm_32(em, rip_relative);
}

static unsigned int spec_bytes(const struct umbra_emul *em, u16 spec)
{
	const struct umbra_emul_insn *in = &em->insn;

	switch (EO_WIDTH(spec)) {
	case EZ_V:
		return in->op_bytes;
	case EZ_B:
		return 1;
	case EZ_W:
		return 2;
	case EZ_D:
		return 4;
	case EZ_Q:
		return 8;
	case EZ_X:
		return 16;
	case EZ_L:
		return in->vex_l ? 32 : 16;
	case EZ_Y:
		return in->rex & REX_W ? 8 : 4;
	case EZ_N:
		return emul_long64(em) ? 8 : 4;
	default:
		return 0;
	}
}

static int set_reg(struct umbra_emul *em, struct umbra_emul_operand *o, unsigned int reg)
{
	o->kind = UMBRA_EMUL_OPND_REG;
	o->reg = reg;
	if (o->bytes == 1 && !em->insn.has_rex && !em->insn.vex && reg >= 4) {
		o->kind = UMBRA_EMUL_OPND_REG_HIGH;
		o->reg = reg - 4;
	}
	return UMBRA_EMUL_OK;
}

static int set_special(struct umbra_emul *em, struct umbra_emul_operand *o, u8 kind,
		       unsigned int reg)
{
	bool ok = true;

	if (kind == UMBRA_EMUL_OPND_SREG)
		ok = reg < UMBRA_EMUL_NR_SEGS &&
		     (reg != UMBRA_EMUL_CS || o != &em->insn.dst);
	else if (kind == UMBRA_EMUL_OPND_CR)
		ok = reg == 0 || (reg >= 2 && reg <= 4) || reg == 8;
	else if (kind == UMBRA_EMUL_OPND_DR)
		ok = reg < 8;
	o->kind = kind;
	o->reg = reg;
	return ok ? UMBRA_EMUL_OK : emul_ud(em);
}

static void set_mem(struct umbra_emul *em, struct umbra_emul_operand *o)
{
	o->kind = UMBRA_EMUL_OPND_MEM;
	em->insn.mem_bytes = o->bytes;
}

static int fetch_imm(struct umbra_emul *em, struct umbra_emul_operand *o, unsigned int bytes,
		     bool sign)
{
	struct umbra_emul_insn *in = &em->insn;
	int r = emul_fetch(em, bytes, &o->val);

	if (sign)
		o->val = emul_sext(o->val, bytes);
	o->kind = UMBRA_EMUL_OPND_IMM;
	if (o == &in->src2)
		in->imm2 = o->val;
	else
		in->imm = o->val;
	return r;
}

static int fetch_far(struct umbra_emul *em, struct umbra_emul_operand *o)
{
	int r = fetch_imm(em, o, em->insn.op_bytes, false);

	return r ? r : emul_fetch(em, 2, &em->insn.imm2);
}

static int fetch_moffs(struct umbra_emul *em, struct umbra_emul_operand *o)
{
	em->insn.has_mem = true;
	set_mem(em, o);
	return emul_fetch(em, em->insn.addr_bytes, &em->insn.ea);
}

static int operand_immediate(struct umbra_emul *em, struct umbra_emul_operand *o,
			     unsigned int what)
{
	unsigned int word = min_t(unsigned int, o->bytes, 4);

	switch (what) {
	case EW_ONE:
		o->kind = UMBRA_EMUL_OPND_IMM;
		o->val = 1;
		return UMBRA_EMUL_OK;
	case EW_I:
	case EW_J:
		return fetch_imm(em, o, word, true);
	case EW_IS:
	case EW_JS:
		return fetch_imm(em, o, 1, true);
	case EW_IU:
		return fetch_imm(em, o, 1, false);
	case EW_IW:
		return fetch_imm(em, o, 2, false);
	case EW_IQ:
		return fetch_imm(em, o, o->bytes, false);
	case EW_P:
		return fetch_far(em, o);
	case EW_O:
		return fetch_moffs(em, o);
	default:
		return UMBRA_EMUL_UNHANDLED;
	}
}

static int operand_rm(struct umbra_emul *em, struct umbra_emul_operand *o, unsigned int what)
{
	const struct umbra_emul_insn *in = &em->insn;
	unsigned int rm = MODRM_RM(in->modrm) | (in->rex & REX_B ? 8 : 0);

	if (in->has_mem) {
		if (what == EW_R)
			return emul_ud(em);
		set_mem(em, o);
		return UMBRA_EMUL_OK;
	}
	if (what == EW_M)
		return emul_ud(em);
	if (what == EW_E || what == EW_R)
		return set_reg(em, o, rm);
	return set_special(em, o, UMBRA_EMUL_OPND_VEC, rm);
}

static int decode_operand(struct umbra_emul *em, struct umbra_emul_operand *o, u16 spec)
{
	const struct umbra_emul_insn *in = &em->insn;
	unsigned int reg = MODRM_REG(in->modrm);
	unsigned int what = EO_WHAT(spec);
	unsigned int rex_reg = reg | (in->rex & REX_R ? 8 : 0);

	o->bytes = spec_bytes(em, spec);
	switch (what) {
	case EW_NONE:
		return UMBRA_EMUL_OK;
	case EW_E:
	case EW_M:
	case EW_R:
	case EW_W:
		return operand_rm(em, o, what);
	case EW_G:
		return set_reg(em, o, rex_reg);
	case EW_Z:
		return set_reg(em, o, (in->opcode & 7) | (in->rex & REX_B ? 8 : 0));
	case EW_A:
		return set_reg(em, o, UMBRA_EMUL_RAX);
	case EW_CL:
		return set_reg(em, o, UMBRA_EMUL_RCX);
	case EW_B:
		return set_reg(em, o, in->vex_v);
	case EW_S:
		return set_special(em, o, UMBRA_EMUL_OPND_SREG, reg);
	case EW_C:
		return set_special(em, o, UMBRA_EMUL_OPND_CR, rex_reg);
	case EW_D:
		return set_special(em, o, UMBRA_EMUL_OPND_DR, rex_reg);
	case EW_V:
		return set_special(em, o, UMBRA_EMUL_OPND_VEC, rex_reg);
	default:
		return operand_immediate(em, o, what);
	}
}

static int decode_operands(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	int r;

	r = decode_operand(em, &in->dst, in->desc->dst);
	if (r == UMBRA_EMUL_OK)
		r = decode_operand(em, &in->src, in->desc->src);
	if (r == UMBRA_EMUL_OK)
		r = decode_operand(em, &in->src2, in->desc->src2);
	return r;
}

/* Needs the full length for RIP-relative operands. */
static void finish_address(struct umbra_emul *em, bool rip_relative)
{
	struct umbra_emul_insn *in = &em->insn;

	if (in->seg_override >= 0)
		in->seg = in->seg_override;
	if (!in->has_mem)
		return;
	if (rip_relative)
		in->ea += em->rip + in->len;
	in->ea &= emul_mask(in->addr_bytes);
	in->linear = in->ea;
	if (!emul_long64(em))
		in->linear = (u32)(in->ea + em->seg[in->seg].base);
	else if (in->seg >= UMBRA_EMUL_FS)
		in->linear += em->seg[in->seg].base;
}

static int check_lock(struct umbra_emul *em)
{
	const struct umbra_emul_insn *in = &em->insn;

	if (!in->lock)
		return UMBRA_EMUL_OK;
	if ((in->desc->flags & OF_LOCK) && in->dst.kind == UMBRA_EMUL_OPND_MEM)
		return UMBRA_EMUL_OK;
	return emul_ud(em);
}

static int decode_rest(struct umbra_emul *em)
{
	bool rip_relative = false;
	int r;

	r = lookup(em);
	if (r == UMBRA_EMUL_OK)
		r = check_encoding(em);
	if (r != UMBRA_EMUL_OK)
		return r;
	set_op_bytes(em);
	r = decode_modrm(em, &rip_relative);
	if (r == UMBRA_EMUL_OK)
		r = decode_operands(em);
	finish_address(em, rip_relative);
	if (r == UMBRA_EMUL_OK)
		r = check_lock(em);
	return r;
}

int umbra_emul_decode(struct umbra_emul *em)
{
	int r;

	if (em->nr_bytes > UMBRA_EMUL_MAX_INSN)
		em->nr_bytes = UMBRA_EMUL_MAX_INSN;
	em->insn = (struct umbra_emul_insn){ .seg = UMBRA_EMUL_DS };
	r = emul_fetch_prefixes(em);
	if (r == UMBRA_EMUL_OK)
		r = emul_fetch_opcode(em);
	if (r == UMBRA_EMUL_OK)
		r = decode_rest(em);
	if (r != UMBRA_EMUL_OK)
		em->insn.desc = NULL;
	return r;
}

unsigned int umbra_emul_insn_len(struct umbra_emul *em)
{
	return umbra_emul_decode(em) == UMBRA_EMUL_OK ? em->insn.len : 0;
}
