// SPDX-License-Identifier: GPL-2.0
/*
 * Segment registers: descriptor reads and checks, loads of data segments, SS,
 * LDTR and TR. CS loads are decided in exec_far.c and only built here. Checks
 * come first, the accessed or busy bit next, the register last.
 */
#include "optab.h"

static int sel_fault(struct umbra_emul *em, u8 vector, u16 sel)
{
	return emul_fault_err(em, vector, sel & ~3);
}

static void unpack(u64 raw, u16 sel, struct umbra_emul_seg *s)
{
	u32 limit = (raw & 0xffff) | ((raw >> 32) & 0xf0000);

	*s = (struct umbra_emul_seg){
		.base = ((raw >> 16) & 0xffffff) | ((raw >> 32) & 0xff000000),
		.selector = sel,
		.type = (raw >> 40) & 0xf,
		.s = (raw >> 44) & 1,
		.dpl = (raw >> 45) & 3,
		.p = (raw >> 47) & 1,
		.avl = (raw >> 52) & 1,
		.l = (raw >> 53) & 1,
		.db = (raw >> 54) & 1,
		.g = (raw >> 55) & 1,
	};
	s->limit = s->g ? (limit << 12) | 0xfff : limit;
}

static int table_of(struct umbra_emul *em, u16 sel, u64 *base, u32 *limit, bool *usable)
{
	struct umbra_emul_seg ldt = {};
	struct umbra_emul_dt gdt = {};
	int r;

	*usable = true;
	if (sel & 4) {
		r = em->ops->get_segment(em, UMBRA_EMUL_LDTR, &ldt);
		*usable = ldt.p && !ldt.unusable;
		*base = ldt.base;
		*limit = ldt.limit;
		return r;
	}
	r = em->ops->get_dt(em, false, &gdt);
	*base = gdt.base;
	*limit = gdt.limit;
	return r;
}

/**
 * emul_read_desc() - read the descriptor of a selector
 * @em: context
 * @sel: selector, not null
 * @vector: fault when the selector is outside its table
 * @system: read the second half of a 16-byte descriptor in long mode
 * @d: receives the descriptor
 */
int emul_read_desc(struct umbra_emul *em, u16 sel, u8 vector, bool system, struct emul_desc *d)
{
	unsigned int bytes = 8;
	u64 half[2] = {};
	bool usable, lma = false;
	u32 limit;
	u64 base;
	int r;

	r = table_of(em, sel, &base, &limit, &usable);
	if (r == UMBRA_EMUL_OK)
		r = emul_efer_lma(em, &lma);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (lma && system)
		bytes = 16;
	if (!usable || (u32)(sel | 7) + bytes - 8 > limit)
		return sel_fault(em, vector, sel);
	d->linear = base + (sel & ~7);
	if (!lma)
		d->linear = (u32)d->linear;
	r = emul_linear_read(em, d->linear, half, bytes, UMBRA_EMUL_ACC_SYSTEM);
	d->raw = half[0];
	d->base_hi = (u32)half[1];
	unpack(d->raw, sel, &d->seg);
	d->seg.base |= d->base_hi << 32;
	return r;
}

/**
 * emul_mark_desc() - set type bits in memory and in the cached copy
 * @em: context
 * @d: descriptor
 * @type_bits: accessed (1) or busy (2)
 */
int emul_mark_desc(struct umbra_emul *em, struct emul_desc *d, u8 type_bits)
{
	u8 byte;

	if ((d->seg.type & type_bits) == type_bits)
		return UMBRA_EMUL_OK;
	d->seg.type |= type_bits;
	byte = (d->raw >> 40) | type_bits;
	return emul_linear_write(em, d->linear + 5, &byte, 1, UMBRA_EMUL_ACC_SYSTEM);
}

/**
 * emul_real_seg() - what a segment register holds after a real-mode load
 * @em: context
 * @nr: segment number
 * @sel: selector
 * @seg: receives it
 *
 * Real mode keeps limit and attributes (unreal mode); virtual-8086 mode has
 * fixed ones.
 */
void emul_real_seg(struct umbra_emul *em, unsigned int nr, u16 sel, struct umbra_emul_seg *seg)
{
	*seg = em->seg[nr];
	seg->selector = sel;
	seg->base = (u32)sel << 4;
	seg->unusable = 0;
	if (em->mode != UMBRA_EMUL_VM86)
		return;
	*seg = (struct umbra_emul_seg){
		.base = (u32)sel << 4, .limit = 0xffff, .selector = sel,
		.type = 3, .s = 1, .dpl = 3, .p = 1,
	};
}

static int check_null(struct umbra_emul *em, unsigned int nr, u16 sel, struct emul_desc *d)
{
	bool ok = nr != UMBRA_EMUL_SS;

	/* 64-bit mode allows a null SS below CPL 3. */
	if (!ok && emul_long64(em) && em->cpl < 3 && (sel & 3) == em->cpl)
		ok = true;
	if (!ok)
		return emul_gp0(em);
	*d = (struct emul_desc){
		.seg = { .selector = sel, .unusable = 1, .dpl = em->cpl },
	};
	return UMBRA_EMUL_OK;
}

static int check_stack(struct umbra_emul *em, u16 sel, const struct umbra_emul_seg *s)
{
	bool writable_data = s->s && (s->type & 0xa) == 0x2;

	if (!writable_data || (sel & 3) != em->cpl || s->dpl != em->cpl)
		return sel_fault(em, X86_TRAP_GP, sel);
	if (!s->p)
		return sel_fault(em, X86_TRAP_SS, sel);
	return UMBRA_EMUL_OK;
}

static int check_data(struct umbra_emul *em, u16 sel, const struct umbra_emul_seg *s)
{
	bool readable = s->s && (s->type & 0xa) != 0x8;
	bool conforming = (s->type & 0xc) == 0xc;

	if (!readable)
		return sel_fault(em, X86_TRAP_GP, sel);
	if (!conforming && (s->dpl < em->cpl || s->dpl < (sel & 3)))
		return sel_fault(em, X86_TRAP_GP, sel);
	if (!s->p)
		return sel_fault(em, X86_TRAP_NP, sel);
	return UMBRA_EMUL_OK;
}

/**
 * emul_check_sreg() - all checks of a load of ES, SS, DS, FS or GS
 * @em: context
 * @nr: segment number
 * @sel: selector
 * @d: receives what emul_set_sreg() takes
 */
int emul_check_sreg(struct umbra_emul *em, unsigned int nr, u16 sel, struct emul_desc *d)
{
	int r;

	if (emul_realish(em)) {
		*d = (struct emul_desc){};
		emul_real_seg(em, nr, sel, &d->seg);
		return UMBRA_EMUL_OK;
	}
	if (!(sel & ~3))
		return check_null(em, nr, sel, d);
	r = emul_read_desc(em, sel, X86_TRAP_GP, false, d);
	if (r != UMBRA_EMUL_OK)
		return r;
	return nr == UMBRA_EMUL_SS ? check_stack(em, sel, &d->seg) : check_data(em, sel, &d->seg);
}

/**
 * emul_set_sreg() - load a checked descriptor into a segment register
 * @em: context
 * @nr: segment number
 * @d: descriptor
 */
int emul_set_sreg(struct umbra_emul *em, unsigned int nr, struct emul_desc *d)
{
	int r = UMBRA_EMUL_OK;

	if (!emul_realish(em) && !d->seg.unusable)
		r = emul_mark_desc(em, d, 1);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->set_segment(em, nr, &d->seg);
	if (r != UMBRA_EMUL_OK)
		return r;
	em->seg[nr] = d->seg;
	if (nr == UMBRA_EMUL_SS)
		em->out |= UMBRA_EMUL_OUT_MOVSS_SHADOW;
	return r;
}

int emul_op_mov_sreg(struct umbra_emul *em)
{
	unsigned int nr = em->insn.dst.reg;
	u16 sel = em->insn.src.val;
	struct emul_desc d;
	int r;

	r = emul_check_sreg(em, nr, sel, &d);
	return r ? r : emul_set_sreg(em, nr, &d);
}

/* LES LDS LSS LFS LGS: a far pointer from memory. */
int emul_op_load_far(struct umbra_emul *em)
{
	static const u8 nr_0f[8] = {
		[2] = UMBRA_EMUL_SS, [4] = UMBRA_EMUL_FS, [5] = UMBRA_EMUL_GS,
	};
	struct umbra_emul_insn *in = &em->insn;
	unsigned int bytes = in->op_bytes;
	unsigned int nr;
	struct emul_desc d;
	u8 ptr[10] = {};
	u16 sel;
	int r;

	if (in->map)
		nr = nr_0f[in->opcode & 7];
	else
		nr = in->opcode == 0xc4 ? UMBRA_EMUL_ES : UMBRA_EMUL_DS;
	r = emul_mem_read(em, in->seg, in->ea, ptr, bytes + 2, 0);
	if (r != UMBRA_EMUL_OK)
		return r;
	in->dst.val = 0;
	memcpy(&in->dst.val, ptr, bytes);
	memcpy(&sel, ptr + bytes, 2);
	r = emul_check_sreg(em, nr, sel, &d);
	if (r == UMBRA_EMUL_OK)
		r = emul_set_sreg(em, nr, &d);
	/* Only MOV and POP open an interrupt shadow. */
	em->out &= ~UMBRA_EMUL_OUT_MOVSS_SHADOW;
	return r ? r : emul_operand_store(em, &in->dst);
}

static int set_system(struct umbra_emul *em, unsigned int nr, const struct umbra_emul_seg *seg)
{
	return em->ops->set_segment(em, nr, seg);
}

int emul_op_lldt(struct umbra_emul *em)
{
	u16 sel = em->insn.dst.val;
	struct emul_desc d = { .seg = { .selector = sel, .unusable = 1 } };
	int r;

	if (!(sel & ~3))
		return set_system(em, UMBRA_EMUL_LDTR, &d.seg);
	if (sel & 4)
		return sel_fault(em, X86_TRAP_GP, sel);
	r = emul_read_desc(em, sel, X86_TRAP_GP, true, &d);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (d.seg.s || d.seg.type != 2)
		return sel_fault(em, X86_TRAP_GP, sel);
	if (!d.seg.p)
		return sel_fault(em, X86_TRAP_NP, sel);
	return set_system(em, UMBRA_EMUL_LDTR, &d.seg);
}

int emul_op_ltr(struct umbra_emul *em)
{
	u16 sel = em->insn.dst.val;
	struct emul_desc d;
	bool lma;
	int r;

	if (!(sel & ~3))
		return emul_gp0(em);
	if (sel & 4)
		return sel_fault(em, X86_TRAP_GP, sel);
	r = emul_read_desc(em, sel, X86_TRAP_GP, true, &d);
	if (r == UMBRA_EMUL_OK)
		r = emul_efer_lma(em, &lma);
	if (r != UMBRA_EMUL_OK)
		return r;
	/* Available 32-bit TSS, or outside long mode a 16-bit one. */
	if (d.seg.s || (d.seg.type != 9 && (lma || d.seg.type != 1)))
		return sel_fault(em, X86_TRAP_GP, sel);
	if (!d.seg.p)
		return sel_fault(em, X86_TRAP_NP, sel);
	r = emul_mark_desc(em, &d, 2);
	return r ? r : set_system(em, UMBRA_EMUL_TR, &d.seg);
}

static int store_selector(struct umbra_emul *em, unsigned int nr)
{
	struct umbra_emul_seg seg = {};
	int r = emul_umip(em);

	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_segment(em, nr, &seg);
	em->insn.dst.val = seg.selector;
	return r;
}

int emul_op_sldt(struct umbra_emul *em)
{
	return store_selector(em, UMBRA_EMUL_LDTR);
}

int emul_op_str(struct umbra_emul *em)
{
	return store_selector(em, UMBRA_EMUL_TR);
}
