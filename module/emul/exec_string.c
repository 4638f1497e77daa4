// SPDX-License-Identifier: GPL-2.0
/*
 * String instructions on memory and the REP loop that INS and OUTS share. One
 * iteration at a time is staged, written and committed, so that a fault or an
 * exit in the middle leaves what the processor would leave.
 */
#include "optab.h"

/**
 * emul_string_bytes() - element width of a string instruction
 * @em: context
 */
unsigned int emul_string_bytes(const struct umbra_emul *em)
{
	return em->insn.opcode & 1 ? em->insn.op_bytes : 1;
}

/**
 * emul_string_step() - advance RSI or RDI over @count elements
 * @em: context
 * @reg: UMBRA_EMUL_RSI or UMBRA_EMUL_RDI
 * @bytes: total size of the elements
 */
void emul_string_step(struct umbra_emul *em, unsigned int reg, unsigned int bytes)
{
	u64 v = em->work.gpr[reg];

	v += em->work.rflags & X86_EFLAGS_DF ? -(u64)bytes : bytes;
	emul_reg_write(em, reg, em->insn.addr_bytes, v);
}

static u64 index_ea(const struct umbra_emul *em, unsigned int reg)
{
	return emul_reg_read(em, reg, em->insn.addr_bytes);
}

static int load_src(struct umbra_emul *em, unsigned int bytes, u64 *val)
{
	return emul_read_val(em, em->insn.seg, index_ea(em, UMBRA_EMUL_RSI), bytes, 0, val);
}

static int load_dst(struct umbra_emul *em, unsigned int bytes, u64 *val)
{
	return emul_read_val(em, UMBRA_EMUL_ES, index_ea(em, UMBRA_EMUL_RDI), bytes, 0, val);
}

static int store_dst(struct umbra_emul *em, unsigned int bytes, const u64 *val)
{
	return emul_mem_write(em, UMBRA_EMUL_ES, index_ea(em, UMBRA_EMUL_RDI), val, bytes);
}

static int step_movs(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = emul_string_bytes(em);
	u64 val;
	int r;

	r = load_src(em, bytes, &val);
	if (r == UMBRA_EMUL_OK)
		r = store_dst(em, bytes, &val);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_string_step(em, UMBRA_EMUL_RSI, bytes);
	emul_string_step(em, UMBRA_EMUL_RDI, bytes);
	return r;
}

static int step_stos(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = emul_string_bytes(em);
	int r = store_dst(em, bytes, &em->work.gpr[UMBRA_EMUL_RAX]);

	if (r == UMBRA_EMUL_OK)
		emul_string_step(em, UMBRA_EMUL_RDI, bytes);
	return r;
}

static int step_lods(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = emul_string_bytes(em);
	u64 val;
	int r = load_src(em, bytes, &val);

	if (r != UMBRA_EMUL_OK)
		return r;
	emul_reg_write(em, UMBRA_EMUL_RAX, bytes, val);
	emul_string_step(em, UMBRA_EMUL_RSI, bytes);
	return r;
}

static int step_cmps(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = emul_string_bytes(em);
	u64 a, b;
	int r;

	r = load_src(em, bytes, &a);
	if (r == UMBRA_EMUL_OK)
		r = load_dst(em, bytes, &b);
	if (r != UMBRA_EMUL_OK)
		return r;
	emul_flags_sub(em, a, b, 0, bytes);
	emul_string_step(em, UMBRA_EMUL_RSI, bytes);
	emul_string_step(em, UMBRA_EMUL_RDI, bytes);
	return r;
}

static int step_scas(struct umbra_emul *em, u64 *done)
{
	unsigned int bytes = emul_string_bytes(em);
	u64 b;
	int r = load_dst(em, bytes, &b);

	if (r != UMBRA_EMUL_OK)
		return r;
	emul_flags_sub(em, emul_reg_read(em, UMBRA_EMUL_RAX, bytes), b, 0, bytes);
	emul_string_step(em, UMBRA_EMUL_RDI, bytes);
	return r;
}

/* REPE and REPNE end on ZF only for CMPS and SCAS. */
static bool compare_ends(const struct umbra_emul *em, bool compares)
{
	bool zf = em->work.rflags & X86_EFLAGS_ZF;

	return compares && zf != (em->insn.rep == 0xf3);
}

static bool must_pause(const struct umbra_emul *em, unsigned int iterations)
{
	/* Single-stepping traps after every iteration. */
	return iterations >= max(em->rep_limit, 1u) || em->rep_stop ||
	       (em->rflags & X86_EFLAGS_TF);
}

/**
 * emul_string_run() - run a string instruction with its REP prefix
 * @em: context
 * @step: does one iteration: up to *@done elements (1 on entry), lowers or
 *	raises *@done within the count register
 * @compares: REPE and REPNE look at ZF
 *
 * Return: as umbra_emul_exec().
 */
int emul_string_run(struct umbra_emul *em, int (*step)(struct umbra_emul *em, u64 *done),
		    bool compares)
{
	unsigned int bytes = em->insn.addr_bytes;
	unsigned int iterations = 0;
	u64 left, done;
	int r;

	if (!em->insn.rep) {
		done = 1;
		return step(em, &done);
	}
	left = emul_reg_read(em, UMBRA_EMUL_RCX, bytes);
	while (left) {
		done = 1;
		r = step(em, &done);
		if (r != UMBRA_EMUL_OK)
			return r;
		left -= done;
		emul_reg_write(em, UMBRA_EMUL_RCX, bytes, left);
		if (!left || compare_ends(em, compares))
			break;
		if (must_pause(em, ++iterations)) {
			em->out |= UMBRA_EMUL_OUT_REP_MORE;
			break;
		}
		emul_commit_iteration(em);
	}
	return UMBRA_EMUL_OK;
}

int emul_op_movs(struct umbra_emul *em)
{
	return emul_string_run(em, step_movs, false);
}

int emul_op_stos(struct umbra_emul *em)
{
	return emul_string_run(em, step_stos, false);
}

int emul_op_lods(struct umbra_emul *em)
{
	return emul_string_run(em, step_lods, false);
}

int emul_op_cmps(struct umbra_emul *em)
{
	return emul_string_run(em, step_cmps, true);
}

int emul_op_scas(struct umbra_emul *em)
{
	return emul_string_run(em, step_scas, true);
}
