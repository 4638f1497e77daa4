/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to module/emul/: the shape of the opcode tables, and the helpers
 * that decoder and executors share, grouped by the file that defines them.
 * Must not be included from outside this folder, tests excepted.
 */
#ifndef UMBRA_EMUL_INTERNAL_H
#define UMBRA_EMUL_INTERNAL_H

#include "emul.h"

/* Operand specification: what it is (low byte) and how wide (high byte). */
enum emul_opnd_what {
	EW_NONE,
	EW_E,		/* ModRM.rm, register or memory */
	EW_M,		/* ModRM.rm, memory only */
	EW_R,		/* ModRM.rm, register only */
	EW_G,		/* ModRM.reg */
	EW_Z,		/* low opcode bits */
	EW_A,		/* accumulator */
	EW_B,		/* VEX.vvvv, general register */
	EW_CL,
	EW_ONE,
	EW_I,		/* immediate of operand size, at most 32 bits, sign extended */
	EW_IS,		/* imm8, sign extended */
	EW_IU,		/* imm8, zero extended */
	EW_IW,		/* imm16 */
	EW_IQ,		/* immediate of full operand size */
	EW_J,		/* relative displacement of operand size, at most 32 bits */
	EW_JS,		/* relative displacement, 8 bits */
	EW_P,		/* far pointer */
	EW_O,		/* absolute offset */
	EW_S,		/* ModRM.reg, segment register */
	EW_C,		/* ModRM.reg, control register */
	EW_D,		/* ModRM.reg, debug register */
	EW_V,		/* ModRM.reg, vector register */
	EW_W,		/* ModRM.rm, vector register or memory */
};

enum emul_opnd_width {
	EZ_V,		/* operand size */
	EZ_B,
	EZ_W,
	EZ_D,
	EZ_Q,
	EZ_X,		/* 16 bytes */
	EZ_L,		/* 16 or 32 bytes by VEX.L */
	EZ_Y,		/* 8 bytes with REX.W, else 4 */
	EZ_N,		/* 8 bytes in 64-bit mode, else 4 */
	EZ_0,		/* address only */
};

#define EO(what, width)	(EW_##what | EZ_##width << 8)
#define EO_WHAT(spec)	((spec) & 0xff)
#define EO_WIDTH(spec)	((spec) >> 8)

/* Opcode flags. */
#define OF_NOREAD	BIT(0)	/* destination is not an input */
#define OF_NOWRITE	BIT(1)	/* destination is not an output */
#define OF_LOCK		BIT(2)	/* LOCK is legal on a memory destination */
#define OF_RAW		BIT(3)	/* no generic operand load and store */
#define OF_DEF64	BIT(4)	/* operand size defaults to 64 bits in 64-bit mode */
#define OF_NEAR		BIT(5)	/* near branch: operand size forced to 64 bits there */
#define OF_NO64		BIT(6)	/* undefined in 64-bit mode */
#define OF_ONLY64	BIT(7)	/* undefined outside 64-bit mode */
#define OF_PRIV		BIT(8)	/* CPL 0 only */
#define OF_PROT		BIT(9)	/* undefined in real and virtual-8086 mode */
#define OF_GROUP	BIT(10)	/* sub[ModRM.reg] */
#define OF_PFX		BIT(11)	/* sub[none, 66, F3, F2] */
#define OF_MOD		BIT(12)	/* sub[memory, register] */
#define OF_RMGRP	BIT(13)	/* sub[ModRM.rm] */
#define OF_MODRM	BIT(14)	/* ModRM follows although no operand says so */
#define OF_REGRM	BIT(15)	/* ModRM.mod is ignored: rm is a register */
#define OF_VEX		BIT(16)	/* has a VEX form */
#define OF_VEXONLY	BIT(17)	/* has only a VEX form */
#define OF_UD		BIT(18)	/* defined to raise #UD */
#define OF_STRING	BIT(19)	/* REP applies, F2/F3 do not select opcodes */
#define OF_VEC		BIT(20)	/* SSE or AVX state is used */
#define OF_ALIGNED	BIT(21)	/* vector memory operand must be aligned */
#define OF_XCHG		BIT(22)	/* memory destination is implicitly LOCKed */
#define OF_VVVV		BIT(23)	/* VEX.vvvv is an operand, need not be 1111 */
#define OF_L0		BIT(24)	/* VEX.L must be 0 */
#define OF_DEF8		BIT(25)	/* group member with byte operands (F6, FE) */
#define OF_LONG		BIT(26)	/* sub[other modes, 64-bit mode] */
#define OF_NP		BIT(27)	/* 66, F2 and F3 make it another, unknown instruction */

/**
 * struct umbra_emul_opcode - one opcode table entry
 * @exec: executor; NULL with no @sub and no OF_UD: not known
 * @sub: table to continue in, selected as @flags say
 * @flags: OF_*
 * @dst: first operand, EO()
 * @src: second operand
 * @src2: third operand
 */
struct umbra_emul_opcode {
	int (*exec)(struct umbra_emul *em);
	const struct umbra_emul_opcode *sub;
	u32 flags;
	u16 dst;
	u16 src;
	u16 src2;
};

#define OP3(fn, fl, d, s, t) \
	{ .exec = emul_op_##fn, .flags = (fl), .dst = (d), .src = (s), .src2 = (t) }
#define OP2(fn, fl, d, s)	{ .exec = emul_op_##fn, .flags = (fl), .dst = (d), .src = (s) }
#define OP1(fn, fl, d)		{ .exec = emul_op_##fn, .flags = (fl), .dst = (d) }
#define OP0(fn, fl)		{ .exec = emul_op_##fn, .flags = (fl) | OF_RAW }
#define OPSUB(how, table)	{ .sub = (table), .flags = OF_##how }
#define OPUD			{ .flags = OF_UD }

/* optab*.c */
extern const struct umbra_emul_opcode umbra_emul_optab[256];
extern const struct umbra_emul_opcode umbra_emul_optab_0f[256];
extern const struct umbra_emul_opcode umbra_emul_optab_38[256];
extern const struct umbra_emul_opcode umbra_emul_optab_3a[256];

static inline bool emul_long64(const struct umbra_emul *em)
{
	return em->mode == UMBRA_EMUL_LONG64;
}

/* Real or virtual-8086 mode: segments are paragraph numbers. */
static inline bool emul_realish(const struct umbra_emul *em)
{
	return em->mode == UMBRA_EMUL_REAL || em->mode == UMBRA_EMUL_VM86;
}

static inline u64 emul_mask(unsigned int bytes)
{
	return bytes >= 8 ? ~0ULL : (1ULL << (bytes * 8)) - 1;
}

static inline u64 emul_msb(unsigned int bytes)
{
	return 1ULL << (bytes * 8 - 1);
}

static inline u64 emul_sext(u64 val, unsigned int bytes)
{
	u64 sign;

	if (bytes >= 8)
		return val;
	sign = emul_msb(bytes);
	return ((val & emul_mask(bytes)) ^ sign) - sign;
}

/* fetch.c */
int emul_fetch(struct umbra_emul *em, unsigned int bytes, u64 *val);
int emul_fetch_prefixes(struct umbra_emul *em);
int emul_fetch_opcode(struct umbra_emul *em);

/* exec.c: faults and registers */
int emul_fault(struct umbra_emul *em, u8 vector);
int emul_fault_err(struct umbra_emul *em, u8 vector, u32 error);
u64 emul_reg_read(const struct umbra_emul *em, unsigned int reg, unsigned int bytes);
void emul_reg_write(struct umbra_emul *em, unsigned int reg, unsigned int bytes, u64 val);
void emul_commit_iteration(struct umbra_emul *em);
int emul_operand_load(struct umbra_emul *em, struct umbra_emul_operand *o, unsigned int acc);
int emul_operand_store(struct umbra_emul *em, struct umbra_emul_operand *o);
int emul_efer_lma(struct umbra_emul *em, bool *lma);

static inline int emul_gp0(struct umbra_emul *em)
{
	return emul_fault_err(em, X86_TRAP_GP, 0);
}

static inline int emul_ud(struct umbra_emul *em)
{
	return emul_fault(em, X86_TRAP_UD);
}

/* mem.c */
int emul_linearize(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
		   unsigned int acc, u64 *linear);
bool emul_canonical(struct umbra_emul *em, u64 linear);
int emul_linear_read(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		     unsigned int acc);
int emul_linear_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		      unsigned int acc);
int emul_mem_read(struct umbra_emul *em, unsigned int seg, u64 ea, void *buf,
		  unsigned int bytes, unsigned int acc);
int emul_mem_write(struct umbra_emul *em, unsigned int seg, u64 ea, const void *buf,
		   unsigned int bytes);
int emul_mem_cmpxchg(struct umbra_emul *em, unsigned int seg, u64 ea, const void *old,
		     const void *new, unsigned int bytes);
int emul_read_val(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
		  unsigned int acc, u64 *val);

/* exec_stack.c */
unsigned int emul_stack_bytes(const struct umbra_emul *em);
void emul_rsp_add(struct umbra_emul *em, s64 delta);
int emul_push(struct umbra_emul *em, const u64 *vals, unsigned int nr, unsigned int bytes);
u64 emul_flags_writable(const struct umbra_emul *em, unsigned int bytes);
int emul_peek(struct umbra_emul *em, unsigned int offset, unsigned int bytes, u64 *val);

/* exec_alu.c */
void emul_flags_szp(struct umbra_emul *em, u64 res, unsigned int bytes);
void emul_flags_sub(struct umbra_emul *em, u64 a, u64 b, u64 borrow, unsigned int bytes);
void emul_flag_set(struct umbra_emul *em, u64 flag, bool on);

static inline bool emul_cf(const struct umbra_emul *em)
{
	return em->work.rflags & X86_EFLAGS_CF;
}

/* exec_branch.c */
bool emul_cond(const struct umbra_emul *em, unsigned int cc);
int emul_near(struct umbra_emul *em, u64 target);

/* exec_seg.c */
struct emul_desc {
	u64 raw;
	u64 base_hi;
	u64 linear;
	struct umbra_emul_seg seg;
};

int emul_read_desc(struct umbra_emul *em, u16 sel, u8 vector, bool system, struct emul_desc *d);
int emul_mark_desc(struct umbra_emul *em, struct emul_desc *d, u8 type_bits);
int emul_check_sreg(struct umbra_emul *em, unsigned int nr, u16 sel, struct emul_desc *d);
int emul_set_sreg(struct umbra_emul *em, unsigned int nr, struct emul_desc *d);
void emul_real_seg(struct umbra_emul *em, unsigned int nr, u16 sel, struct umbra_emul_seg *seg);

/* exec_io.c */
int emul_io_allowed(struct umbra_emul *em, u16 port, unsigned int size);
bool emul_iopl_ok(const struct umbra_emul *em);

/* exec_string.c */
unsigned int emul_string_bytes(const struct umbra_emul *em);
void emul_string_step(struct umbra_emul *em, unsigned int reg, unsigned int bytes);
int emul_string_run(struct umbra_emul *em, int (*step)(struct umbra_emul *em, u64 *done),
		    bool compares);

/* exec_sys.c */
int emul_umip(struct umbra_emul *em);

#endif /* UMBRA_EMUL_INTERNAL_H */
