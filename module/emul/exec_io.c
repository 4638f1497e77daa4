// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O: permission by IOPL and the TSS bitmap, IN and OUT, and the
 * batches of INS and OUTS. A batch stays in one page and goes upward only, so
 * that it is one callback and one write.
 */
#include "optab.h"

/**
 * emul_iopl_ok() - whether I/O-sensitive instructions are allowed by IOPL
 * @em: context
 */
bool emul_iopl_ok(const struct umbra_emul *em)
{
	unsigned int iopl = (em->rflags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;

	return em->mode == UMBRA_EMUL_REAL || em->cpl <= iopl;
}

static int bitmap_allows(struct umbra_emul *em, u16 port, unsigned int size)
{
	struct umbra_emul_seg tr = {};
	u16 offset = 0, bits = 0;
	int r;

	r = em->ops->get_segment(em, UMBRA_EMUL_TR, &tr);
	if (r != UMBRA_EMUL_OK)
		return r;
	/* Only 32-bit and 64-bit TSSs have a bitmap; its offset is at 0x66. */
	if (!tr.p || !(tr.type & 8) || tr.limit < 0x67)
		return emul_gp0(em);
	r = emul_linear_read(em, tr.base + 0x66, &offset, 2, UMBRA_EMUL_ACC_SYSTEM);
	if (r != UMBRA_EMUL_OK)
		return r;
	/* The processor always reads two bytes, and both must be inside. */
	if ((u32)offset + port / 8 + 1 > tr.limit)
		return emul_gp0(em);
	r = emul_linear_read(em, tr.base + offset + port / 8, &bits, 2, UMBRA_EMUL_ACC_SYSTEM);
	if (r == UMBRA_EMUL_OK && ((bits >> (port & 7)) & ((1u << size) - 1)))
		r = emul_gp0(em);
	return r;
}

/**
 * emul_io_allowed() - permission check of a port access
 * @em: context
 * @port: first port
 * @size: 1, 2 or 4
 */
int emul_io_allowed(struct umbra_emul *em, u16 port, unsigned int size)
{
	if (em->mode == UMBRA_EMUL_REAL)
		return UMBRA_EMUL_OK;
	/* Virtual-8086 mode consults the bitmap whatever IOPL says. */
	if (em->mode != UMBRA_EMUL_VM86 && emul_iopl_ok(em))
		return UMBRA_EMUL_OK;
	return bitmap_allows(em, port, size);
}

static unsigned int io_bytes(const struct umbra_emul *em)
{
	return em->insn.opcode & 1 ? min_t(unsigned int, em->insn.op_bytes, 4) : 1;
}

/* E4-E7 name the port by an immediate, EC-EF by DX. */
static u16 io_port(const struct umbra_emul *em)
{
	if (em->insn.opcode & 8)
		return em->work.gpr[UMBRA_EMUL_RDX];
	return em->insn.imm;
}

int emul_op_in(struct umbra_emul *em)
{
	unsigned int bytes = io_bytes(em);
	unsigned int count = 1;
	u16 port = io_port(em);
	u64 val = 0;
	int r;

	r = emul_io_allowed(em, port, bytes);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->pio_in(em, port, bytes, &val, &count);
	if (r == UMBRA_EMUL_OK)
		emul_reg_write(em, UMBRA_EMUL_RAX, bytes, val);
	return r;
}

int emul_op_out(struct umbra_emul *em)
{
	unsigned int bytes = io_bytes(em);
	unsigned int count = 1;
	u16 port = io_port(em);
	int r;

	r = emul_io_allowed(em, port, bytes);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->pio_out(em, port, bytes, &em->work.gpr[UMBRA_EMUL_RAX], &count);
	return r;
}

static bool batch_fits(struct umbra_emul *em, unsigned int seg, u64 ea, u64 total,
		       unsigned int acc)
{
	u64 linear;

	if (ea + total - 1 > emul_mask(em->insn.addr_bytes) || ea + total - 1 < ea)
		return false;
	if (emul_linearize(em, seg, ea, total, acc, &linear) != UMBRA_EMUL_OK)
		return false;
	return (linear & 4095) + total <= 4096;
}

/* Elements of the next batch: 1 unless more provably fit. */
static unsigned int batch(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
			  unsigned int acc)
{
	u64 n, left = emul_reg_read(em, UMBRA_EMUL_RCX, em->insn.addr_bytes);
	u64 linear;

	if (!em->insn.rep || (em->rflags & (X86_EFLAGS_DF | X86_EFLAGS_TF)))
		return 1;
	if (emul_linearize(em, seg, ea, bytes, acc, &linear) != UMBRA_EMUL_OK)
		return 1;
	n = min_t(u64, left, UMBRA_EMUL_IO_BYTES / bytes);
	n = min_t(u64, n, (4096 - (linear & 4095)) / bytes);
	if (n < 2 || !batch_fits(em, seg, ea, n * bytes, acc))
		return 1;
	return n;
}

static int step_ins(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = io_bytes(em);
	u64 ea = emul_reg_read(em, UMBRA_EMUL_RDI, em->insn.addr_bytes);
	u16 port = em->work.gpr[UMBRA_EMUL_RDX];
	unsigned int count = batch(em, UMBRA_EMUL_ES, ea, bytes, UMBRA_EMUL_ACC_WRITE);
	unsigned int asked = count;
	u64 linear;
	int r;

	r = emul_io_allowed(em, port, bytes);
	if (r == UMBRA_EMUL_OK)
		r = emul_linearize(em, UMBRA_EMUL_ES, ea, bytes, UMBRA_EMUL_ACC_WRITE, &linear);
	/* Input is consumed by the device: the write must not fault after it. */
	if (r == UMBRA_EMUL_OK)
		r = emul_linear_read(em, linear, NULL, count * bytes,
				     UMBRA_EMUL_ACC_PROBE | UMBRA_EMUL_ACC_WRITE);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->pio_in(em, port, bytes, em->buf, &count);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (!count || count > asked)
		return UMBRA_EMUL_UNHANDLED;
	r = emul_linear_write(em, linear, em->buf, count * bytes, 0);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_string_step(em, UMBRA_EMUL_RDI, count * bytes);
	*done = count;
	return r;
}

static int step_outs(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = io_bytes(em);
	u64 ea = emul_reg_read(em, UMBRA_EMUL_RSI, em->insn.addr_bytes);
	u16 port = em->work.gpr[UMBRA_EMUL_RDX];
	unsigned int count = batch(em, em->insn.seg, ea, bytes, 0);
	unsigned int asked = count;
	int r;

	r = emul_io_allowed(em, port, bytes);
	if (r == UMBRA_EMUL_OK)
		r = emul_mem_read(em, em->insn.seg, ea, em->buf, count * bytes, 0);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->pio_out(em, port, bytes, em->buf, &count);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (!count || count > asked)
		return UMBRA_EMUL_UNHANDLED;
	emul_string_step(em, UMBRA_EMUL_RSI, count * bytes);
	*done = count;
	return r;
}

int emul_op_ins(struct umbra_emul *em)
{
	return emul_string_run(em, step_ins, false);
}

int emul_op_outs(struct umbra_emul *em)
{
	return emul_string_run(em, step_outs, false);
}
