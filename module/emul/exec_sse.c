// SPDX-License-Identifier: GPL-2.0
/*
 * SSE and AVX moves, the ones that reach MMIO or that compilers put beside
 * it. Vector registers live with the caller; no arithmetic here, and nothing
 * that needs MXCSR.
 */
#include "optab.h"

static int avx_enabled(struct umbra_emul *em, u64 cr4)
{
	u64 xcr0 = 0;
	int r;

	if (!(cr4 & X86_CR4_OSXSAVE))
		return emul_ud(em);
	if (!em->ops->get_xcr)
		return UMBRA_EMUL_UNHANDLED;
	r = em->ops->get_xcr(em, 0, &xcr0);
	if (r == UMBRA_EMUL_OK && (xcr0 & 6) != 6)
		r = emul_ud(em);
	return r;
}

static int vec_enabled(struct umbra_emul *em)
{
	u64 cr0 = 0, cr4 = 0;
	int r;

	if (!em->ops->get_vec || !em->ops->set_vec)
		return UMBRA_EMUL_UNHANDLED;
	r = em->ops->get_cr(em, 0, &cr0);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_cr(em, 4, &cr4);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (em->insn.vex)
		r = avx_enabled(em, cr4);
	else if ((cr0 & X86_CR0_EM) || !(cr4 & X86_CR4_OSFXSR))
		r = emul_ud(em);
	if (r == UMBRA_EMUL_OK && (cr0 & X86_CR0_TS))
		r = emul_fault(em, X86_TRAP_NM);
	return r;
}

/* Read @o into @buf, cleared beyond the operand's width. */
static int vec_read(struct umbra_emul *em, const struct umbra_emul_operand *o, u8 *buf)
{
	struct umbra_emul_insn *in = &em->insn;
	int r;

	memset(buf, 0, UMBRA_EMUL_VEC_BYTES);
	if (o->kind == UMBRA_EMUL_OPND_MEM) {
		if ((in->desc->flags & OF_ALIGNED) && (in->linear & (o->bytes - 1)))
			return emul_gp0(em);
		return emul_mem_read(em, in->seg, in->ea, buf, o->bytes, 0);
	}
	r = em->ops->get_vec(em, o->reg, buf, max_t(unsigned int, o->bytes, 16));
	if (o->bytes < 16)
		memset(buf + o->bytes, 0, 16 - o->bytes);
	return r;
}

static int vec_write_mem(struct umbra_emul *em, const struct umbra_emul_operand *o, const u8 *buf)
{
	struct umbra_emul_insn *in = &em->insn;

	if ((in->desc->flags & OF_ALIGNED) && (in->linear & (o->bytes - 1)))
		return emul_gp0(em);
	return emul_mem_write(em, in->seg, in->ea, buf, o->bytes);
}

/* Registers are written to 16 bytes at least; VEX forms clear what is above. */
static int vec_write(struct umbra_emul *em, const struct umbra_emul_operand *o, const u8 *buf)
{
	if (o->kind == UMBRA_EMUL_OPND_MEM)
		return vec_write_mem(em, o, buf);
	return em->ops->set_vec(em, o->reg, buf, max_t(unsigned int, o->bytes, 16), em->insn.vex);
}

/* Loads, stores and register moves of any width; narrow ones clear the rest. */
int emul_op_vmov(struct umbra_emul *em)
{
	u8 buf[UMBRA_EMUL_VEC_BYTES];
	int r = vec_enabled(em);

	if (r == UMBRA_EMUL_OK)
		r = vec_read(em, &em->insn.src, buf);
	return r ? r : vec_write(em, &em->insn.dst, buf);
}

/* MOVD and MOVQ from a general register or memory. */
int emul_op_vmov_from_gpr(struct umbra_emul *em)
{
	u8 buf[UMBRA_EMUL_VEC_BYTES] = {};
	int r = vec_enabled(em);

	if (r == UMBRA_EMUL_OK)
		r = emul_operand_load(em, &em->insn.src, 0);
	if (r != UMBRA_EMUL_OK)
		return r;
	memcpy(buf, &em->insn.src.val, em->insn.src.bytes);
	return vec_write(em, &em->insn.dst, buf);
}

/* MOVD and MOVQ to a general register or memory. */
int emul_op_vmov_to_gpr(struct umbra_emul *em)
{
	u8 buf[UMBRA_EMUL_VEC_BYTES];
	int r = vec_enabled(em);

	if (r == UMBRA_EMUL_OK)
		r = vec_read(em, &em->insn.src, buf);
	if (r != UMBRA_EMUL_OK)
		return r;
	em->insn.dst.val = 0;
	memcpy(&em->insn.dst.val, buf, em->insn.dst.bytes);
	return emul_operand_store(em, &em->insn.dst);
}

/*
 * Replace @bytes at @to of a register by those at @from of the source. The
 * other bytes come from VEX.vvvv, or from the destination in legacy forms.
 */
static int merge(struct umbra_emul *em, unsigned int to, unsigned int from, unsigned int bytes)
{
	struct umbra_emul_insn *in = &em->insn;
	u8 src[UMBRA_EMUL_VEC_BYTES], buf[UMBRA_EMUL_VEC_BYTES] = {};
	unsigned int base = in->vex ? in->vex_v : in->dst.reg;
	int r = vec_enabled(em);

	if (r == UMBRA_EMUL_OK)
		r = vec_read(em, &in->src, src);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_vec(em, base, buf, 16);
	if (r != UMBRA_EMUL_OK)
		return r;
	memcpy(buf + to, src + from, bytes);
	return vec_write(em, &in->dst, buf);
}

/* MOVSS and MOVSD between registers. */
int emul_op_vmerge_d(struct umbra_emul *em)
{
	return merge(em, 0, 0, 4);
}

int emul_op_vmerge_q(struct umbra_emul *em)
{
	return merge(em, 0, 0, 8);
}

/* MOVLPS and MOVLPD loads. */
int emul_op_vload_low(struct umbra_emul *em)
{
	return merge(em, 0, 0, 8);
}

/* MOVHPS and MOVHPD loads, MOVLHPS. */
int emul_op_vload_high(struct umbra_emul *em)
{
	return merge(em, 8, 0, 8);
}

/* MOVHLPS */
int emul_op_vhigh_to_low(struct umbra_emul *em)
{
	return merge(em, 0, 8, 8);
}

/* MOVHPS and MOVHPD stores. */
int emul_op_vstore_high(struct umbra_emul *em)
{
	u8 buf[UMBRA_EMUL_VEC_BYTES];
	int r = vec_enabled(em);

	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_vec(em, em->insn.src.reg, buf, 16);
	return r ? r : vec_write_mem(em, &em->insn.dst, buf + 8);
}
