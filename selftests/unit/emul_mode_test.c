// SPDX-License-Identifier: GPL-2.0
/*
 * 16-bit and 32-bit forms, segments and their faults, privilege and LOCK
 * legality: what cannot run natively in a 64-bit test program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "emul_lib.h"

static struct mach m;

#define RAX m.em.gpr[UMBRA_EMUL_RAX]
#define RCX m.em.gpr[UMBRA_EMUL_RCX]
#define RDX m.em.gpr[UMBRA_EMUL_RDX]
#define RBX m.em.gpr[UMBRA_EMUL_RBX]
#define RSP m.em.gpr[UMBRA_EMUL_RSP]
#define RBP m.em.gpr[UMBRA_EMUL_RBP]
#define RSI m.em.gpr[UMBRA_EMUL_RSI]
#define RDI m.em.gpr[UMBRA_EMUL_RDI]

/* Run the bytes given, in RAM at CS:RIP. */
#define RUN(...) ({ \
	static const u8 code_[] = { __VA_ARGS__ }; \
	mach_code(&m, code_, sizeof(code_)); \
	mach_step(&m); \
})

static void assert_fault(int r, u8 vector, bool has_error, u32 error)
{
	assert_int_equal(r, UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, vector);
	assert_int_equal(m.em.fault.has_error, has_error);
	assert_int_equal(m.em.fault.error, error);
	/* A fault leaves the instruction pointer at the instruction. */
	assert_int_equal(m.em.rip, 0x1000);
}

/* Effective addresses of the 16-bit ModRM forms, and their default segments. */
static void addressing_16(void **state)
{
	static const struct {
		u8 modrm;
		u16 ea;
		u8 seg;
	} cases[] = {
		{ 0x40, 0x1000 + 0x20 - 1, UMBRA_EMUL_DS },
		{ 0x41, 0x1000 + 0x300 - 1, UMBRA_EMUL_DS },
		{ 0x42, 0x4000 + 0x20 - 1, UMBRA_EMUL_SS },
		{ 0x43, 0x4000 + 0x300 - 1, UMBRA_EMUL_SS },
		{ 0x44, 0x20 - 1, UMBRA_EMUL_DS }, { 0x45, 0x300 - 1, UMBRA_EMUL_DS },
		{ 0x46, 0x4000 - 1, UMBRA_EMUL_SS }, { 0x47, 0x1000 - 1, UMBRA_EMUL_DS },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 code[] = { 0x8b, cases[i].modrm, 0xff };	/* mov ax, [...-1] */

		mach_init(&m, UMBRA_EMUL_REAL);
		RBX = 0xaaaa1000;
		RBP = 0x4000;
		RSI = 0xffff0020;
		RDI = 0x300;
		mach_code(&m, code, sizeof(code));
		assert_int_equal(umbra_emul_decode(&m.em), UMBRA_EMUL_OK);
		assert_int_equal(m.em.insn.ea, cases[i].ea);
		assert_int_equal(m.em.insn.seg, cases[i].seg);
	}
	mach_init(&m, UMBRA_EMUL_REAL);
	assert_int_equal(RUN(0xa1, 0x34, 0x12), UMBRA_EMUL_OK);	/* mov ax, [1234h] */
	mach_init(&m, UMBRA_EMUL_REAL);
	mach_put(&m, 0x8001, 0xbeef, 2);
	RBX = 0xfffe8001;
	RAX = 0x11112222;
	/* 67 in 16-bit code: [ebx] beyond the limit of 64 KiB */
	assert_fault(RUN(0x67, 0x8b, 0x03), X86_TRAP_GP, true, 0);
	RBX = 0x8001;
	assert_int_equal(RUN(0x67, 0x8b, 0x03), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x1111beef);
}

static void operand_sizes(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	RAX = ~0ULL;
	assert_int_equal(RUN(0x66, 0xb8, 1, 2, 3, 4), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x04030201);
	assert_int_equal(m.em.rip, 0x1006);

	mach_init(&m, UMBRA_EMUL_PROT32);
	RAX = 0xffffffff;
	assert_int_equal(RUN(0x66, 0x40), UMBRA_EMUL_OK);	/* inc ax */
	assert_int_equal(RAX, 0xffff0000);
	assert_true(m.em.rflags & X86_EFLAGS_ZF);

	mach_init(&m, UMBRA_EMUL_PROT16);
	assert_int_equal(RUN(0x66, 0x60), UMBRA_EMUL_OK);	/* pushad, 16-bit stack */
	assert_int_equal(RSP, 0x8000 - 32);
	assert_int_equal(mach_get(&m, 0x8000 - 20, 4), 0x8000);	/* ESP as before */

	/* 32-bit code may not use what 64-bit mode took away, and the reverse. */
	mach_init(&m, UMBRA_EMUL_LONG64);
	assert_fault(RUN(0x60), X86_TRAP_UD, false, 0);
	assert_fault(RUN(0x06), X86_TRAP_UD, false, 0);
	assert_fault(RUN(0xea, 0, 0, 0, 0, 8, 0), X86_TRAP_UD, false, 0);
}

static void stack_16(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	RSP = 0xabcd0000;
	RAX = 0x1234;
	/* The pointer wraps inside 64 KiB, its upper half stays. */
	assert_int_equal(RUN(0x50), UMBRA_EMUL_OK);
	assert_int_equal(RSP, 0xabcdfffe);
	assert_int_equal(mach_get(&m, 0xfffe, 2), 0x1234);
	assert_int_equal(RUN(0x5b), UMBRA_EMUL_OK);
	assert_int_equal(RSP, 0xabcd0000);
	assert_int_equal(RBX, 0x1234);

	/* A push that straddles the limit is #SS(0), and nothing moves. */
	mach_init(&m, UMBRA_EMUL_REAL);
	RSP = 1;
	assert_fault(RUN(0x50), X86_TRAP_SS, true, 0);
	assert_int_equal(RSP, 1);

	/* leave; enter 8, 0 */
	mach_init(&m, UMBRA_EMUL_PROT32);
	RBP = 0x7000;
	assert_int_equal(RUN(0xc8, 8, 0, 0), UMBRA_EMUL_OK);
	assert_int_equal(RBP, 0x7ffc);
	assert_int_equal(RSP, 0x7ff4);
	assert_int_equal(RUN(0xc9), UMBRA_EMUL_OK);
	assert_int_equal(RBP, 0x7000);
	assert_int_equal(RSP, 0x8000);

	/* pop [esp + 4] addresses with the incremented ESP */
	mach_init(&m, UMBRA_EMUL_PROT32);
	mach_put(&m, 0x8000, 0x55, 4);
	assert_int_equal(RUN(0x8f, 0x44, 0x24, 0x04), UMBRA_EMUL_OK);
	assert_int_equal(mach_get(&m, 0x8008, 4), 0x55);

	mach_init(&m, UMBRA_EMUL_PROT32);
	assert_int_equal(RUN(0x60), UMBRA_EMUL_OK);
	RAX = 1;
	RDI = 2;
	RSP = 0x7fe0;
	assert_int_equal(RUN(0x61), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0);
	assert_int_equal(RDI, 0);
	assert_int_equal(RSP, 0x8000);
}

static void limits(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	RBX = 0xffff;
	assert_fault(RUN(0x8b, 0x07), X86_TRAP_GP, true, 0);	/* mov ax, [bx] */
	assert_int_equal(RUN(0x8a, 0x07), UMBRA_EMUL_OK);	/* mov al, [bx] */

	/* Expand-down: valid above the limit only. */
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_DS].type = 7;
	m.em.seg[UMBRA_EMUL_DS].limit = 0xfff;
	RBX = 0xfff;
	assert_fault(RUN(0x8a, 0x03), X86_TRAP_GP, true, 0);
	RBX = 0x1000;
	assert_int_equal(RUN(0x8a, 0x03), UMBRA_EMUL_OK);
	m.em.rip = 0x1000;
	m.em.seg[UMBRA_EMUL_DS].db = 0;
	RBX = 0x10000;
	assert_fault(RUN(0x8a, 0x03), X86_TRAP_GP, true, 0);

	/* Writes to read-only data and to code, reads of execute-only code. */
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_DS].type = 1;
	RBX = 0x2000;
	assert_fault(RUN(0x88, 0x03), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x00, 0x03), X86_TRAP_GP, true, 0);
	assert_int_equal(RUN(0x38, 0x03), UMBRA_EMUL_OK);	/* cmp only reads */
	m.em.rip = 0x1000;
	assert_fault(RUN(0x2e, 0x88, 0x03), X86_TRAP_GP, true, 0);
	m.em.seg[UMBRA_EMUL_CS].type = 9;
	assert_fault(RUN(0x2e, 0x8a, 0x03), X86_TRAP_GP, true, 0);

	/* A null selector's segment. */
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_ES].unusable = 1;
	assert_fault(RUN(0x26, 0x8a, 0x03), X86_TRAP_GP, true, 0);

	/* Non-canonical addresses: #SS through RSP and RBP, else #GP. */
	mach_init(&m, UMBRA_EMUL_LONG64);
	RBX = 1ULL << 47;
	RBP = 1ULL << 47;
	assert_fault(RUN(0x8a, 0x03), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x8a, 0x45, 0), X86_TRAP_SS, true, 0);
	RBX = (1ULL << 47) - 1;
	assert_fault(RUN(0x8b, 0x03), X86_TRAP_GP, true, 0);
	/* With LA57 the address is canonical and the page is merely absent. */
	m.cr[4] |= X86_CR4_LA57;
	assert_int_equal(RUN(0x8b, 0x03), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_PF);

	/* Fetch past the limit of CS; and past 15 bytes. */
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_CS].limit = 0x1001;
	assert_fault(RUN(0xb8, 1, 2, 3, 4), X86_TRAP_GP, true, 0);
	mach_init(&m, UMBRA_EMUL_LONG64);
	assert_fault(RUN(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
			 0x66, 0x66, 0x66, 0x90), X86_TRAP_GP, true, 0);
}

static void segment_bases(void **state)
{
	mach_init(&m, UMBRA_EMUL_LONG64);
	m.em.seg[UMBRA_EMUL_DS].base = 0x5000;		/* ignored in 64-bit mode */
	m.em.seg[UMBRA_EMUL_GS].base = 0x3000;
	mach_put(&m, 0x2000, 0xaa, 1);
	mach_put(&m, 0x5000, 0xbb, 1);
	RBX = 0x2000;
	assert_int_equal(RUN(0x8a, 0x03), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0xaa);
	assert_int_equal(RUN(0x65, 0x8a, 0x03), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0xbb);
	/* RIP-relative counts from the end of the instruction, immediate included. */
	m.em.rip = 0x1000;
	mach_put(&m, 0x1107, 0x10, 1);
	assert_int_equal(RUN(0x80, 0x05, 0x00, 0x01, 0, 0, 7), UMBRA_EMUL_OK);
	assert_int_equal(mach_get(&m, 0x1107, 1), 0x17);
	/* Outside 64-bit mode base plus offset wraps at 4 GiB. */
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_DS].base = 0xfffff000;
	mach_put(&m, 0x1000 + 0x800, 0x77, 1);
	RBX = 0x2800;
	assert_int_equal(RUN(0x8a, 0x03), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x77);
}

static void lock_legality(void **state)
{
	mach_init(&m, UMBRA_EMUL_LONG64);
	RBX = 0x2000;
	RCX = 5;
	assert_int_equal(RUN(0xf0, 0x01, 0x0b), UMBRA_EMUL_OK);	/* lock add [rbx], ecx */
	assert_int_equal(mach_get(&m, 0x2000, 4), 5);
	assert_int_equal(m.cmpxchgs, 1);
	m.em.rip = 0x1000;
	assert_fault(RUN(0xf0, 0x01, 0xcb), X86_TRAP_UD, false, 0);	/* register */
	assert_fault(RUN(0xf0, 0x03, 0x0b), X86_TRAP_UD, false, 0);	/* memory source */
	assert_fault(RUN(0xf0, 0x39, 0x0b), X86_TRAP_UD, false, 0);	/* cmp */
	assert_fault(RUN(0xf0, 0x89, 0x0b), X86_TRAP_UD, false, 0);	/* mov */
	assert_fault(RUN(0xf0, 0x0f, 0xa3, 0x0b), X86_TRAP_UD, false, 0);	/* bt */
	assert_fault(RUN(0xf0, 0x90), X86_TRAP_UD, false, 0);
	/* XCHG with memory is LOCKed without the prefix. */
	assert_int_equal(RUN(0x87, 0x0b), UMBRA_EMUL_OK);
	assert_int_equal(m.cmpxchgs, 2);
	m.em.rip = 0x1000;
	mach_put(&m, 0x2010, 1, 8);
	RBX = 0x77;
	RCX = 0x88;
	RSI = 0x2010;
	RAX = 1;
	RDX = 0;
	assert_int_equal(RUN(0xf0, 0x48, 0x0f, 0xc7, 0x0e), UMBRA_EMUL_OK);	/* cmpxchg16b */
	assert_int_equal(mach_get(&m, 0x2010, 8), 0x77);
	assert_int_equal(mach_get(&m, 0x2018, 8), 0x88);
	assert_int_equal(m.cmpxchgs, 3);
	assert_true(m.em.rflags & X86_EFLAGS_ZF);
	m.em.rip = 0x1000;
	RSI = 0x2008;
	assert_fault(RUN(0x48, 0x0f, 0xc7, 0x0e), X86_TRAP_GP, true, 0);	/* misaligned */
}

static int racing_cmpxchg(struct umbra_emul *em, u64 linear, const void *old, const void *new,
			  unsigned int bytes)
{
	return UMBRA_EMUL_RETRY;
}

/* A lost race commits nothing. */
static void lock_retry(void **state)
{
	struct umbra_emul_ops ops = mach_ops;

	ops.update = racing_cmpxchg;
	mach_init(&m, UMBRA_EMUL_LONG64);
	m.em.ops = &ops;
	RBX = 0x2000;
	RCX = 5;
	assert_int_equal(RUN(0xf0, 0x0f, 0xc1, 0x0b), UMBRA_EMUL_RETRY);	/* lock xadd */
	assert_int_equal(RCX, 5);
	assert_int_equal(m.em.rip, 0x1000);
	assert_int_equal(m.em.rflags, 2);
}

static void privilege(void **state)
{
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.em.cpl = 3;
	assert_fault(RUN(0xf4), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x0f, 0x30), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x0f, 0x20, 0xc0), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0xfa), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x0f, 0x01, 0x13), X86_TRAP_GP, true, 0);
	/* POPF above IOPL changes neither IF nor IOPL. */
	mach_put(&m, 0x8000, X86_EFLAGS_IF | X86_EFLAGS_IOPL | X86_EFLAGS_CF | 2, 4);
	assert_int_equal(RUN(0x9d), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rflags, X86_EFLAGS_CF | 2);
	m.em.rip = 0x1000;
	m.em.rflags |= X86_EFLAGS_IOPL;
	assert_int_equal(RUN(0xfb), UMBRA_EMUL_OK);
	assert_true(m.em.rflags & X86_EFLAGS_IF);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_STI_SHADOW);
	/* UMIP and TSD */
	m.em.rip = 0x1000;
	m.cr[4] |= X86_CR4_UMIP | X86_CR4_TSD;
	assert_fault(RUN(0x0f, 0x01, 0x03), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x0f, 0x31), X86_TRAP_GP, true, 0);
	/* Undefined in real and virtual-8086 mode. */
	mach_init(&m, UMBRA_EMUL_REAL);
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_UD, false, 0);	/* ltr */
	mach_init(&m, UMBRA_EMUL_VM86);
	assert_fault(RUN(0xfa), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0x9c), X86_TRAP_GP, true, 0);
	assert_fault(RUN(0xf4), X86_TRAP_GP, true, 0);
}

static void traps_and_shadows(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	m.em.rflags |= X86_EFLAGS_TF | X86_EFLAGS_RF;
	assert_int_equal(RUN(0x90), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_TRAP);
	assert_false(m.em.rflags & X86_EFLAGS_RF);
	/* MOV SS holds interrupts and the trap off. */
	RAX = 0x200;
	assert_int_equal(RUN(0x8e, 0xd0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_MOVSS_SHADOW);
	assert_int_equal(m.em.seg[UMBRA_EMUL_SS].base, 0x2000);
	/* POPF that sets TF traps only after the next instruction. */
	mach_init(&m, UMBRA_EMUL_REAL);
	mach_put(&m, 0x8000, X86_EFLAGS_TF, 2);
	assert_int_equal(RUN(0x9d), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, 0);
	assert_int_equal(RUN(0x90), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_TRAP);
	/* STI with IF already set opens no shadow. */
	m.em.rflags = X86_EFLAGS_IF | 2;
	assert_int_equal(RUN(0xfb), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, 0);
}

/* Near transfers outside 64-bit mode, and XLAT. */
static void near_transfers(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	assert_int_equal(RUN(0xe8, 0xfd, 0x0f), UMBRA_EMUL_OK);	/* call 2000 */
	assert_int_equal(m.em.rip, 0x2000);
	assert_int_equal(mach_get(&m, 0x7ffe, 2), 0x1003);
	assert_int_equal(RUN(0xc2, 0x10, 0x00), UMBRA_EMUL_OK);	/* ret 16 */
	assert_int_equal(m.em.rip, 0x1003);
	assert_int_equal(RSP, 0x8010);
	/* A 16-bit jump wraps inside 64 KiB; a 32-bit one leaves the limit. */
	m.em.rip = 0x1000;
	assert_int_equal(RUN(0xe9, 0x00, 0xe0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0xf003);
	m.em.rip = 0x1000;
	assert_fault(RUN(0x66, 0xe9, 0x00, 0x00, 0x01, 0x00), X86_TRAP_GP, true, 0);
	/* A call that faults on its target pushes nothing. */
	RSP = 0x8000;
	mach_put(&m, 0x7ffc, 0, 4);
	assert_fault(RUN(0x66, 0xe8, 0x00, 0x00, 0x01, 0x00), X86_TRAP_GP, true, 0);
	assert_int_equal(mach_get(&m, 0x7ffc, 4), 0);
	assert_int_equal(RSP, 0x8000);
	/* loop counts in CX, with 67 in ECX */
	RCX = 0x10001;
	assert_int_equal(RUN(0xe2, 0x10), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0x10000);
	assert_int_equal(m.em.rip, 0x1002);
	assert_int_equal(RUN(0x67, 0xe2, 0x10), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0xffff);
	assert_int_equal(m.em.rip, 0x1015);
	RCX = 0x10000;
	assert_int_equal(RUN(0xe3, 0x10), UMBRA_EMUL_OK);	/* jcxz */
	assert_int_equal(m.em.rip, 0x1027);
	/* xlat with a segment override */
	mach_init(&m, UMBRA_EMUL_REAL);
	m.em.seg[UMBRA_EMUL_ES].base = 0x2000;
	mach_put(&m, 0x2105, 0x99, 1);
	RBX = 0x100;
	RAX = 0x7705;
	assert_int_equal(RUN(0x26, 0xd7), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x7799);
	/* 64-bit: a return to a non-canonical address faults at the return */
	mach_init(&m, UMBRA_EMUL_LONG64);
	mach_put(&m, 0x8000, 1ULL << 63, 8);
	assert_fault(RUN(0xc3), X86_TRAP_GP, true, 0);
	assert_int_equal(RSP, 0x8000);
	mach_put(&m, 0x8000, 0x3000, 8);
	assert_int_equal(RUN(0xc3), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x3000);
	assert_int_equal(RSP, 0x8008);
}

static void flag_images(void **state)
{
	mach_init(&m, UMBRA_EMUL_LONG64);
	m.em.rflags = X86_EFLAGS_IF | X86_EFLAGS_RF | X86_EFLAGS_ID | 2;
	assert_int_equal(RUN(0x9c), UMBRA_EMUL_OK);
	assert_int_equal(mach_get(&m, 0x7ff8, 8), X86_EFLAGS_IF | X86_EFLAGS_ID | 2);
	mach_put(&m, 0x7ff8, ~0ULL, 8);
	m.em.rflags = 2;
	assert_int_equal(RUN(0x9d), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rflags, 0x247fd7);
	/* 16-bit POPF leaves the upper flags. */
	m.em.rflags = X86_EFLAGS_ID | 2;
	mach_put(&m, 0x8000, 0, 2);
	assert_int_equal(RUN(0x66, 0x9d), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rflags, X86_EFLAGS_ID | 2);
	assert_int_equal(RSP, 0x8002);
}

static void unhandled_keeps_bytes(void **state)
{
	static const u8 code[] = { 0x0f, 0x58, 0xc1 };		/* addps */

	mach_init(&m, UMBRA_EMUL_LONG64);
	mach_code(&m, code, sizeof(code));
	assert_int_equal(mach_step(&m), UMBRA_EMUL_UNHANDLED);
	assert_true(m.em.nr_bytes >= 3);
	assert_memory_equal(m.em.bytes, code, 3);
	assert_int_equal(m.em.rip, 0x1000);
	assert_int_equal(umbra_emul_exec(&m.em), UMBRA_EMUL_UNHANDLED);
}

static void modes(void **state)
{
	struct umbra_emul_seg cs = { .l = 1 };

	assert_int_equal(umbra_emul_mode_of(0, EFER_LMA, 0, &cs), UMBRA_EMUL_REAL);
	assert_int_equal(umbra_emul_mode_of(X86_CR0_PE, EFER_LMA, 0, &cs), UMBRA_EMUL_LONG64);
	assert_int_equal(umbra_emul_mode_of(X86_CR0_PE, 0, 0, &cs), UMBRA_EMUL_PROT16);
	assert_int_equal(umbra_emul_mode_of(X86_CR0_PE, 0, X86_EFLAGS_VM, &cs), UMBRA_EMUL_VM86);
	cs = (struct umbra_emul_seg){ .db = 1 };
	assert_int_equal(umbra_emul_mode_of(X86_CR0_PE, EFER_LMA, 0, &cs), UMBRA_EMUL_PROT32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addressing_16),
		cmocka_unit_test(operand_sizes),
		cmocka_unit_test(stack_16),
		cmocka_unit_test(limits),
		cmocka_unit_test(segment_bases),
		cmocka_unit_test(lock_legality),
		cmocka_unit_test(lock_retry),
		cmocka_unit_test(privilege),
		cmocka_unit_test(traps_and_shadows),
		cmocka_unit_test(near_transfers),
		cmocka_unit_test(flag_images),
		cmocka_unit_test(unhandled_keeps_bytes),
		cmocka_unit_test(modes),
	};

	return cmocka_run_group_tests_name("emul mode", tests, NULL, NULL);
}
