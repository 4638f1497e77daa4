// SPDX-License-Identifier: GPL-2.0
/*
 * Far transfers, segment loads from descriptor tables, software interrupts and
 * the system instructions.
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
#define GDT 0x9000

#define RUN(...) ({ \
	static const u8 code_[] = { __VA_ARGS__ }; \
	mach_code(&m, code_, sizeof(code_)); \
	mach_step(&m); \
})

/* Descriptors by selector: 08 code32, 10 data, 18 code64, 20 code16, ... */
static void put_gdt(void)
{
	static const u64 gdt[] = {
		0,
		0x00cf9a000000ffffULL,	/* 08 code 32, not accessed */
		0x00cf92000000ffffULL,	/* 10 data, not accessed */
		0x00af9a000000ffffULL,	/* 18 code 64 */
		0x00009a010000ffffULL,	/* 20 code 16, base 10000 */
		0x00cf1a000000ffffULL,	/* 28 code 32, not present */
		0x00cff2000000ffffULL,	/* 30 data, DPL 3 */
		0x00cf90000000ffffULL,	/* 38 data, read-only */
		0x0000890050000067ULL,	/* 40 TSS, available (base low) */
		0x0000000000000000ULL,	/* 48 its upper half */
		0x0000820060000027ULL,	/* 50 LDT */
		0x0000000000000001ULL,	/* 58 its upper half: base 1_00006000 */
		0x00cf12000000ffffULL,	/* 60 data, not present */
		0x00008c0000080000ULL,	/* 68 call gate */
		0x00cf9e000000ffffULL,	/* 70 conforming code 32 */
		0x00ef9a000000ffffULL,	/* 78 code with L and D */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gdt); i++)
		mach_put(&m, GDT + 8 * i, gdt[i], 8);
	m.gdt = (struct umbra_emul_dt){ .base = GDT, .limit = sizeof(gdt) - 1 };
}

static void begin(enum umbra_emul_mode mode)
{
	mach_init(&m, mode);
	put_gdt();
}

static void assert_fault(int r, u8 vector, u32 error)
{
	assert_int_equal(r, UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, vector);
	assert_true(m.em.fault.has_error);
	assert_int_equal(m.em.fault.error, error);
	assert_int_equal(m.em.rip, 0x1000);
}

static void segment_loads(void **state)
{
	begin(UMBRA_EMUL_PROT32);
	RAX = 0x10;
	assert_int_equal(RUN(0x8e, 0xd8), UMBRA_EMUL_OK);	/* mov ds, ax */
	assert_int_equal(m.em.seg[UMBRA_EMUL_DS].limit, 0xffffffff);
	assert_int_equal(m.em.seg[UMBRA_EMUL_DS].type, 3);
	assert_int_equal(mach_get(&m, GDT + 0x15, 1), 0x93);	/* accessed */
	m.em.rip = 0x1000;
	RAX = 0;
	assert_int_equal(RUN(0x8e, 0xc0), UMBRA_EMUL_OK);	/* null is fine for ES */
	assert_true(m.em.seg[UMBRA_EMUL_ES].unusable);
	m.em.rip = 0x1000;
	assert_fault(RUN(0x8e, 0xd0), X86_TRAP_GP, 0);		/* but not for SS */
	RAX = 0x38;
	assert_fault(RUN(0x8e, 0xd0), X86_TRAP_GP, 0x38);	/* read-only SS */
	RAX = 0x33;
	assert_fault(RUN(0x8e, 0xd0), X86_TRAP_GP, 0x30);	/* DPL, RPL */
	RAX = 0x60;
	assert_fault(RUN(0x8e, 0xd0), X86_TRAP_SS, 0x60);
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_NP, 0x60);
	RAX = 0x200;
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_GP, 0x200);	/* past the table */
	RAX = 0x40;
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_GP, 0x40);	/* a TSS */
	RAX = 0x14;
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_GP, 0x14);	/* LDT, no LDTR */
	RAX = 0x13;
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_GP, 0x10);	/* DPL below RPL */
	m.em.cpl = 3;
	RAX = 0x10;
	assert_fault(RUN(0x8e, 0xd8), X86_TRAP_GP, 0x10);	/* DPL below CPL */
	RAX = 0x33;
	assert_int_equal(RUN(0x8e, 0xd8), UMBRA_EMUL_OK);
	/* pop ss: the width of the old stack counts, and the shadow opens */
	begin(UMBRA_EMUL_PROT32);
	mach_put(&m, 0x8000, 0x10, 4);
	assert_int_equal(RUN(0x17), UMBRA_EMUL_OK);
	assert_int_equal(RSP, 0x8004);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_MOVSS_SHADOW);
	/* lss esp, [ebx] */
	begin(UMBRA_EMUL_PROT32);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0x001000007654ULL, 8);
	mach_put(&m, 0x2004, 0x10, 2);
	assert_int_equal(RUN(0x0f, 0xb2, 0x23), UMBRA_EMUL_OK);
	assert_int_equal(m.em.seg[UMBRA_EMUL_SS].selector, 0x10);
	assert_int_equal(m.em.out, 0);
	/* The table's base is 64 bits wide in compatibility mode. */
	begin(UMBRA_EMUL_PROT32);
	m.efer = EFER_LMA;
	m.gdt.base |= 0xffff800000000000ULL;
	RAX = 0x10;
	assert_int_equal(RUN(0x8e, 0xd8), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_PF);
	assert_true(m.em.fault.cr2 == m.gdt.base + 0x10);
	/* Real mode: paragraph, limit kept. */
	mach_init(&m, UMBRA_EMUL_REAL);
	m.em.seg[UMBRA_EMUL_ES].limit = 0xffffffff;
	RAX = 0xf123;
	assert_int_equal(RUN(0x8e, 0xc0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.seg[UMBRA_EMUL_ES].base, 0xf1230);
	assert_int_equal(m.em.seg[UMBRA_EMUL_ES].limit, 0xffffffff);
	assert_int_equal(RUN(0x8c, 0xc3), UMBRA_EMUL_OK);
	assert_int_equal(RBX & 0xffff, 0xf123);
}

static void far_jumps(void **state)
{
	/* jmp 08:1234 from 16-bit protected mode, 32-bit offset */
	begin(UMBRA_EMUL_PROT16);
	assert_int_equal(RUN(0x66, 0xea, 0x34, 0x12, 0, 0, 8, 0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x1234);
	assert_int_equal(m.em.mode, UMBRA_EMUL_PROT32);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].selector, 8);
	assert_true(m.em.seg[UMBRA_EMUL_CS].db);
	/* To 64-bit code once long mode is active; without it L means nothing. */
	begin(UMBRA_EMUL_PROT32);
	m.efer = EFER_LMA;
	assert_int_equal(RUN(0xea, 0x34, 0x12, 0, 0, 0x18, 0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.mode, UMBRA_EMUL_LONG64);
	begin(UMBRA_EMUL_PROT32);
	assert_int_equal(RUN(0xea, 0x34, 0x12, 0, 0, 0x18, 0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.mode, UMBRA_EMUL_PROT16);
	begin(UMBRA_EMUL_PROT32);
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x28, 0), X86_TRAP_NP, 0x28);
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x10, 0), X86_TRAP_GP, 0x10);
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0, 0), X86_TRAP_GP, 0);
	assert_fault(RUN(0xea, 0, 0, 1, 0, 0x20, 0), X86_TRAP_GP, 0);	/* past its limit */
	assert_int_equal(RUN(0xea, 0, 0, 0, 0, 0x68, 0), UMBRA_EMUL_UNHANDLED);	/* gate */
	m.efer = EFER_LMA;
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x78, 0), X86_TRAP_GP, 0x78);	/* L and D */
	/* Conforming code keeps CPL. */
	m.efer = 0;
	m.em.cpl = 3;
	assert_int_equal(RUN(0xea, 0x34, 0x12, 0, 0, 0x70, 0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].selector, 0x73);
	/* Through memory, 64-bit offset. */
	begin(UMBRA_EMUL_LONG64);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0x7fff00001111ULL, 8);
	mach_put(&m, 0x2008, 0x18, 2);
	assert_int_equal(RUN(0x48, 0xff, 0x2b), UMBRA_EMUL_OK);
	assert_true(m.em.rip == 0x7fff00001111ULL);
	m.em.rip = 0x1000;
	mach_put(&m, 0x2000, 1ULL << 63, 8);
	assert_fault(RUN(0x48, 0xff, 0x2b), X86_TRAP_GP, 0);
	/* Real mode. */
	mach_init(&m, UMBRA_EMUL_REAL);
	assert_int_equal(RUN(0xea, 0x5b, 0xe0, 0x00, 0xf0), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0xe05b);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].base, 0xf0000);
}

static void far_calls(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	assert_int_equal(RUN(0x9a, 0x00, 0x02, 0x00, 0x01), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x200);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].base, 0x1000);
	assert_int_equal(RSP, 0x7ffc);
	assert_int_equal(mach_get(&m, 0x7ffc, 4), 0x1005);
	assert_int_equal(RUN(0xca, 0x04, 0x00), UMBRA_EMUL_OK);	/* retf 4 */
	assert_int_equal(m.em.rip, 0x1005);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].base, 0);
	assert_int_equal(RSP, 0x8004);
	begin(UMBRA_EMUL_PROT32);
	assert_int_equal(RUN(0x9a, 0x00, 0x20, 0, 0, 8, 0), UMBRA_EMUL_OK);
	assert_int_equal(mach_get(&m, 0x7ff8, 4), 0x1007);
	assert_int_equal(mach_get(&m, 0x7ffc, 4), 8);
	assert_int_equal(RUN(0xcb), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x1007);
	/* A return outward is not emulated; inward is #GP. */
	begin(UMBRA_EMUL_PROT32);
	mach_put(&m, 0x8004, 0x0b, 4);
	assert_int_equal(RUN(0xcb), UMBRA_EMUL_UNHANDLED);
	m.em.cpl = 3;
	mach_put(&m, 0x8004, 0x08, 4);
	assert_fault(RUN(0xcb), X86_TRAP_GP, 8);
}

static void interrupts(void **state)
{
	mach_init(&m, UMBRA_EMUL_REAL);
	m.em.rflags = X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_CF | 2;
	mach_put(&m, 0x10 * 4, 0x01000200, 4);
	assert_int_equal(RUN(0xcd, 0x10), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x200);
	assert_int_equal(m.em.seg[UMBRA_EMUL_CS].selector, 0x100);
	assert_int_equal(m.em.rflags, X86_EFLAGS_CF | 2);
	assert_int_equal(RSP, 0x7ffa);
	assert_int_equal(mach_get(&m, 0x7ffa, 2), 0x1002);
	assert_int_equal(mach_get(&m, 0x7ffe, 2), 0x303);
	assert_int_equal(RUN(0xcf), UMBRA_EMUL_OK);		/* iret */
	assert_int_equal(m.em.rip, 0x1002);
	assert_int_equal(m.em.rflags, 0x303);
	assert_int_equal(RSP, 0x8000);
	assert_true(m.em.out & UMBRA_EMUL_OUT_IRET);
	m.em.rflags = 2;
	assert_int_equal(RUN(0xce), UMBRA_EMUL_OK);		/* into, not taken */
	assert_int_equal(m.em.rip, 0x1003);
	m.em.rip = 0x1000;
	m.idt.limit = 0x3f;
	assert_fault(RUN(0xcd, 0x10), X86_TRAP_GP, 0);
	begin(UMBRA_EMUL_PROT32);
	assert_int_equal(RUN(0xcd, 0x80), UMBRA_EMUL_UNHANDLED);
	/* Protected mode, same privilege. */
	mach_put(&m, 0x8000, 0x3000, 4);
	mach_put(&m, 0x8004, 8, 4);
	mach_put(&m, 0x8008, X86_EFLAGS_IF | X86_EFLAGS_RF | 2, 4);
	assert_int_equal(RUN(0xcf), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x3000);
	assert_int_equal(m.em.rflags, X86_EFLAGS_IF | X86_EFLAGS_RF | 2);
	/* 64-bit mode pops SS:RSP too. */
	begin(UMBRA_EMUL_LONG64);
	mach_put(&m, 0x8000, 0x3000, 8);
	mach_put(&m, 0x8008, 0x18, 8);
	mach_put(&m, 0x8010, X86_EFLAGS_IF | 2, 8);
	mach_put(&m, 0x8018, 0x4448, 8);
	mach_put(&m, 0x8020, 0x10, 8);
	assert_int_equal(RUN(0x48, 0xcf), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x3000);
	assert_int_equal(RSP, 0x4448);
	assert_int_equal(m.em.seg[UMBRA_EMUL_SS].selector, 0x10);
	assert_int_equal(m.em.rflags, X86_EFLAGS_IF | 2);
}

static void tables(void **state)
{
	begin(UMBRA_EMUL_REAL);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0xff1234567fffULL, 8);
	assert_int_equal(RUN(0x0f, 0x01, 0x17), UMBRA_EMUL_OK);	/* lgdt, 24-bit base */
	assert_int_equal(m.gdt.base, 0x123456);
	assert_int_equal(m.gdt.limit, 0x7fff);
	assert_int_equal(RUN(0x66, 0x0f, 0x01, 0x1f), UMBRA_EMUL_OK);	/* lidt, 32-bit */
	assert_int_equal(m.idt.base, 0xff123456);
	begin(UMBRA_EMUL_LONG64);
	RBX = 0x2000;
	assert_int_equal(RUN(0x0f, 0x01, 0x03), UMBRA_EMUL_OK);	/* sgdt */
	assert_int_equal(mach_get(&m, 0x2000, 2), 0x7f);
	assert_int_equal(mach_get(&m, 0x2002, 8), GDT);
	m.em.rip = 0x1000;
	mach_put(&m, 0x2002, 1ULL << 62, 8);
	assert_fault(RUN(0x0f, 0x01, 0x13), X86_TRAP_GP, 0);	/* not canonical */
	/* ltr marks the TSS busy; a busy one is refused, and half of one */
	RAX = 0x40;
	m.gdt = (struct umbra_emul_dt){ .base = GDT, .limit = 0x47 };
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_GP, 0x40);
	m.gdt.limit = 0x7f;
	assert_int_equal(RUN(0x0f, 0x00, 0xd8), UMBRA_EMUL_OK);
	assert_int_equal(m.tr.base, 0x5000);
	assert_int_equal(m.tr.type, 11);
	assert_int_equal(mach_get(&m, GDT + 0x45, 1), 0x8b);
	m.em.rip = 0x1000;
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_GP, 0x40);
	RAX = 0x50;
	assert_int_equal(RUN(0x0f, 0x00, 0xd0), UMBRA_EMUL_OK);	/* lldt */
	assert_true(m.ldtr.base == 0x100006000ULL);
	assert_int_equal(RUN(0x0f, 0x00, 0xc3), UMBRA_EMUL_OK);	/* sldt ebx */
	assert_int_equal(RBX, 0x50);
	RAX = 0;
	assert_int_equal(RUN(0x0f, 0x00, 0xd0), UMBRA_EMUL_OK);
	assert_true(m.ldtr.unusable);
}

static void registers(void **state)
{
	begin(UMBRA_EMUL_LONG64);
	RAX = 0x80000011;
	assert_int_equal(RUN(0x0f, 0x22, 0xc0), UMBRA_EMUL_OK);	/* mov cr0, rax */
	assert_int_equal(m.cr[0], 0x80000011);
	m.cr[3] = 0x123456789000ULL;
	assert_int_equal(RUN(0x0f, 0x20, 0xdb), UMBRA_EMUL_OK);	/* mov rbx, cr3 */
	assert_true(RBX == 0x123456789000ULL);
	RAX = 9;
	assert_int_equal(RUN(0x44, 0x0f, 0x22, 0xc0), UMBRA_EMUL_OK);
	assert_int_equal(m.cr[8], 9);
	assert_int_equal(RUN(0x0f, 0x22, 0xc8), UMBRA_EMUL_FAULT);	/* cr1 */
	assert_int_equal(m.em.fault.vector, X86_TRAP_UD);
	/* DR4 is DR6 unless CR4.DE */
	assert_int_equal(RUN(0x0f, 0x23, 0xe0), UMBRA_EMUL_OK);
	assert_int_equal(m.dr[6], 9);
	m.cr[4] |= X86_CR4_DE;
	assert_int_equal(RUN(0x0f, 0x21, 0xe0), UMBRA_EMUL_FAULT);
	/* lmsw cannot clear PE; clts */
	m.cr[0] = X86_CR0_PE | X86_CR0_TS | X86_CR0_PG;
	RAX = 2;
	assert_int_equal(RUN(0x0f, 0x01, 0xf0), UMBRA_EMUL_OK);
	assert_true(m.cr[0] == (X86_CR0_PE | X86_CR0_MP | X86_CR0_PG));
	m.cr[0] |= X86_CR0_TS;
	assert_int_equal(RUN(0x0f, 0x06), UMBRA_EMUL_OK);
	assert_false(m.cr[0] & X86_CR0_TS);
	assert_int_equal(RUN(0x0f, 0x01, 0xe3), UMBRA_EMUL_OK);	/* smsw ebx */
	assert_int_equal(RBX, (u32)m.cr[0]);
	RCX = 0x1b;
	RAX = 0xffffffff00000001ULL;
	RDX = 0xffffffff00000002ULL;
	assert_int_equal(RUN(0x0f, 0x30), UMBRA_EMUL_OK);
	assert_true(m.msr_last == 0x200000001ULL);
	assert_int_equal(m.msr_index, 0x1b);
	assert_int_equal(RUN(0x0f, 0x32), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 1);
	assert_int_equal(RDX, 2);
	RAX = 4;
	RCX = 5;
	assert_int_equal(RUN(0x0f, 0xa2), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x11);
	assert_int_equal(RBX, 5);
	assert_int_equal(RDX, 7);
	assert_int_equal(RUN(0x0f, 0x01, 0xf9), UMBRA_EMUL_OK);	/* rdtscp */
	assert_int_equal(RDX, 0x11223344);
	assert_int_equal(RCX, 7);
	RCX = 0;
	RAX = 7;
	RDX = 0;
	assert_int_equal(RUN(0x0f, 0x01, 0xd1), UMBRA_EMUL_OK);	/* xsetbv */
	assert_int_equal(m.xcr0, 7);
	RBX = 0x123000;
	assert_int_equal(RUN(0x0f, 0x01, 0x3b), UMBRA_EMUL_OK);	/* invlpg */
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_INVLPG);
	assert_int_equal(m.hook_arg, 0x123000);
	assert_int_equal(RUN(0xf4), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_HLT);
}

/* Push and pop of segments, far pointers, and loads in virtual-8086 mode. */
static void more_segments(void **state)
{
	begin(UMBRA_EMUL_PROT32);
	m.em.seg[UMBRA_EMUL_FS].selector = 0x10;
	assert_int_equal(RUN(0x0f, 0xa0), UMBRA_EMUL_OK);	/* push fs */
	assert_int_equal(RSP, 0x7ffc);
	assert_int_equal(mach_get(&m, 0x7ffc, 4), 0x10);
	assert_int_equal(RUN(0x0f, 0xa9), UMBRA_EMUL_OK);	/* pop gs */
	assert_int_equal(m.em.seg[UMBRA_EMUL_GS].selector, 0x10);
	assert_int_equal(RUN(0x0e), UMBRA_EMUL_OK);		/* push cs */
	assert_int_equal(mach_get(&m, 0x7ffc, 4), 8);
	mach_init(&m, UMBRA_EMUL_REAL);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0x12345678, 4);
	assert_int_equal(RUN(0xc5, 0x37), UMBRA_EMUL_OK);	/* lds si, [bx] */
	assert_int_equal(m.em.gpr[UMBRA_EMUL_RSI], 0x5678);
	assert_int_equal(m.em.seg[UMBRA_EMUL_DS].base, 0x12340);
	mach_init(&m, UMBRA_EMUL_REAL);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0x12345678, 4);
	assert_int_equal(RUN(0xc4, 0x37), UMBRA_EMUL_OK);	/* les si, [bx] */
	assert_int_equal(m.em.seg[UMBRA_EMUL_ES].selector, 0x1234);
	mach_init(&m, UMBRA_EMUL_VM86);
	m.em.seg[UMBRA_EMUL_DS].limit = 0;
	RAX = 0x300;
	assert_int_equal(RUN(0x8e, 0xd8), UMBRA_EMUL_OK);
	assert_int_equal(m.em.seg[UMBRA_EMUL_DS].limit, 0xffff);
	assert_int_equal(m.em.seg[UMBRA_EMUL_DS].dpl, 3);
	/* 64-bit mode takes a null SS below CPL 3. */
	begin(UMBRA_EMUL_LONG64);
	RAX = 0;
	assert_int_equal(RUN(0x8e, 0xd0), UMBRA_EMUL_OK);
	m.em.rip = 0x1000;
	m.em.cpl = 3;
	RAX = 3;
	assert_fault(RUN(0x8e, 0xd0), X86_TRAP_GP, 0);
	/* What LLDT and LTR refuse. */
	begin(UMBRA_EMUL_PROT32);
	RAX = 0x10;
	assert_fault(RUN(0x0f, 0x00, 0xd0), X86_TRAP_GP, 0x10);
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_GP, 0x10);
	RAX = 0x54;
	assert_fault(RUN(0x0f, 0x00, 0xd0), X86_TRAP_GP, 0x54);
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_GP, 0x54);
	RAX = 0;
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_GP, 0);
	mach_put(&m, GDT + 0x45, 0x09, 1);
	mach_put(&m, GDT + 0x55, 0x02, 1);
	RAX = 0x40;
	assert_fault(RUN(0x0f, 0x00, 0xd8), X86_TRAP_NP, 0x40);
	RAX = 0x50;
	assert_fault(RUN(0x0f, 0x00, 0xd0), X86_TRAP_NP, 0x50);
	m.tr.selector = 0x40;
	assert_int_equal(RUN(0x0f, 0x00, 0xcb), UMBRA_EMUL_OK);	/* str ebx */
	assert_int_equal(RBX, 0x40);
}

static void more_transfers(void **state)
{
	begin(UMBRA_EMUL_PROT32);
	RBX = 0x2000;
	mach_put(&m, 0x2000, 0x4000, 4);
	mach_put(&m, 0x2004, 8, 2);
	assert_int_equal(RUN(0xff, 0x1b), UMBRA_EMUL_OK);	/* call far [ebx] */
	assert_int_equal(m.em.rip, 0x4000);
	assert_int_equal(mach_get(&m, 0x7ff8, 4), 0x1002);
	mach_init(&m, UMBRA_EMUL_REAL);
	mach_put(&m, 3 * 4, 0x00000300, 4);
	mach_put(&m, 4 * 4, 0x00000400, 4);
	assert_int_equal(RUN(0xcc), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x300);
	m.em.rflags |= X86_EFLAGS_OF;
	assert_int_equal(RUN(0xce), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x400);
	/* Task returns, and returns to virtual-8086 mode. */
	begin(UMBRA_EMUL_PROT32);
	m.em.rflags |= X86_EFLAGS_NT;
	assert_int_equal(RUN(0xcf), UMBRA_EMUL_UNHANDLED);
	m.em.rflags = 2;
	mach_put(&m, 0x8008, X86_EFLAGS_VM, 4);
	assert_int_equal(RUN(0xcf), UMBRA_EMUL_UNHANDLED);
	begin(UMBRA_EMUL_LONG64);
	m.em.rflags |= X86_EFLAGS_NT;
	assert_fault(RUN(0x48, 0xcf), X86_TRAP_GP, 0);
	mach_init(&m, UMBRA_EMUL_VM86);
	assert_fault(RUN(0xcf), X86_TRAP_GP, 0);
	/* Nested ENTER is refused whole. */
	assert_int_equal(RUN(0xc8, 0, 0, 1), UMBRA_EMUL_UNHANDLED);
	assert_int_equal(RSP, 0x8000);
}

static void more_system(void **state)
{
	begin(UMBRA_EMUL_LONG64);
	assert_int_equal(RUN(0xfd), UMBRA_EMUL_OK);
	assert_true(m.em.rflags & X86_EFLAGS_DF);
	assert_int_equal(RUN(0xfc), UMBRA_EMUL_OK);
	assert_false(m.em.rflags & X86_EFLAGS_DF);
	RBX = 0x2000;
	m.idt = (struct umbra_emul_dt){ .base = 0x123456789000ULL, .limit = 0xfff };
	assert_int_equal(RUN(0x0f, 0x01, 0x0b), UMBRA_EMUL_OK);	/* sidt */
	assert_true(mach_get(&m, 0x2002, 8) == 0x123456789000ULL);
	RCX = 3;
	assert_int_equal(RUN(0x0f, 0x33), UMBRA_EMUL_OK);	/* rdpmc */
	assert_int_equal(RAX, 3);
	RCX = 0;
	assert_int_equal(RUN(0x0f, 0x01, 0xd0), UMBRA_EMUL_OK);	/* xgetbv */
	assert_int_equal(RAX, 7);
	m.dr[7] = 0x400;
	assert_int_equal(RUN(0x0f, 0x21, 0xfb), UMBRA_EMUL_OK);	/* mov rbx, dr7 */
	assert_int_equal(RBX, 0x400);
	assert_int_equal(RUN(0x0f, 0x09), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_WBINVD);
	assert_int_equal(RUN(0x0f, 0x08), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_INVD);
	RAX = 0x2345;
	assert_int_equal(RUN(0x0f, 0x01, 0xc8), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_MONITOR);
	assert_int_equal(m.hook_arg, 0x2345);
	assert_int_equal(RUN(0x0f, 0x01, 0xc9), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_MWAIT);
	assert_int_equal(RUN(0xf3, 0x90), UMBRA_EMUL_OK);
	assert_int_equal(m.hooked, UMBRA_EMUL_HOOK_PAUSE);
	/* clflush checks its address and no more */
	RBX = 0x2000;
	assert_int_equal(RUN(0x0f, 0xae, 0x3b), UMBRA_EMUL_OK);
	m.absent = 0x2000;
	assert_int_equal(RUN(0x0f, 0xae, 0x3b), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_PF);
	m.absent = ~0ULL;
	/* lock bts outside the decoded operand */
	RCX = 64 + 3;
	assert_int_equal(RUN(0xf0, 0x48, 0x0f, 0xab, 0x0b), UMBRA_EMUL_OK);
	assert_int_equal(mach_get(&m, 0x2008, 8), 8);
	assert_int_equal(m.cmpxchgs, 1);
	/* Above CPL 0 */
	m.em.rip = 0x1000;
	m.em.cpl = 3;
	assert_fault(RUN(0x0f, 0x33), X86_TRAP_GP, 0);		/* rdpmc without PCE */
	assert_fault(RUN(0x0f, 0x01, 0xd1), X86_TRAP_GP, 0);	/* xsetbv */
	m.cr[4] &= ~(u64)X86_CR4_OSXSAVE;
	assert_int_equal(RUN(0x0f, 0x01, 0xd0), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_UD);
}

#define DESC		0x3000
/* invpcid rax, [rbx] */
#define RUN_INVPCID()	RUN(0x66, 0x0f, 0x38, 0x82, 0x03)

static void invpcid_operands(u64 type, u64 pcid, u64 linear)
{
	m.em.rip = 0x1000;
	RAX = type;
	RBX = DESC;
	mach_put(&m, DESC, pcid, 8);
	mach_put(&m, DESC + 8, linear, 8);
}

static void assert_invpcid(u64 type, u64 pcid, u64 linear)
{
	unsigned int before = m.invpcids;

	invpcid_operands(type, pcid, linear);
	assert_int_equal(RUN_INVPCID(), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x1005);
	assert_int_equal(m.invpcids, before + 1);
	assert_true(m.invpcid[0] == type && m.invpcid[1] == pcid && m.invpcid[2] == linear);
}

static void assert_invpcid_gp(u64 type, u64 pcid, u64 linear)
{
	unsigned int before = m.invpcids;

	invpcid_operands(type, pcid, linear);
	assert_fault(RUN_INVPCID(), X86_TRAP_GP, 0);
	assert_int_equal(m.em.rip, 0x1000);
	assert_int_equal(m.invpcids, before);
}

static void invpcid_types(void **state)
{
	unsigned int type;

	begin(UMBRA_EMUL_LONG64);
	m.cr[4] |= X86_CR4_PCIDE;
	for (type = 0; type < 4; type++) {
		assert_invpcid(type, 0xfff, 0x123456000);
		assert_invpcid_gp(type, 0x1000, 0x123456000);
		assert_invpcid_gp(type, 1ULL << 63, 0);
	}
	assert_invpcid_gp(4, 0, 0);
	assert_invpcid_gp(1ULL << 32, 0, 0);
	/* Only type 0 looks at the address. */
	assert_invpcid_gp(0, 1, 1ULL << 47);
	assert_invpcid(1, 1, 1ULL << 47);
	assert_invpcid(2, 1, 1ULL << 63);
	/* Contexts other than 0 exist with CR4.PCIDE only, and two types name one. */
	m.cr[4] &= ~(u64)X86_CR4_PCIDE;
	assert_invpcid(0, 0, 0x5000);
	assert_invpcid(1, 0, 0);
	assert_invpcid_gp(0, 1, 0x5000);
	assert_invpcid_gp(1, 1, 0);
	assert_invpcid(2, 1, 0);
	assert_invpcid(3, 1, 0);
}

static void invpcid_rules(void **state)
{
	begin(UMBRA_EMUL_LONG64);
	invpcid_operands(0, 0, 0x5000);
	m.em.cpl = 3;
	assert_fault(RUN_INVPCID(), X86_TRAP_GP, 0);
	m.em.cpl = 0;
	m.absent = DESC & ~0xfffULL;
	assert_int_equal(RUN_INVPCID(), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_PF);
	assert_int_equal(m.em.fault.cr2, DESC);
	/* A register instead of the descriptor. */
	m.em.rip = 0x1000;
	assert_int_equal(RUN(0x66, 0x0f, 0x38, 0x82, 0xc3), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_UD);
	assert_int_equal(m.invpcids, 0);
	/* Outside 64-bit mode the type has 32 bits. */
	begin(UMBRA_EMUL_PROT32);
	invpcid_operands(0xabcd00000002ULL, 0, 0);
	assert_int_equal(RUN_INVPCID(), UMBRA_EMUL_OK);
	assert_int_equal(m.invpcid[0], 2);
}

static void vector_state(void **state)
{
	begin(UMBRA_EMUL_LONG64);
	RBX = 0x2000;
	m.cr[0] |= X86_CR0_TS;
	assert_int_equal(RUN(0x0f, 0x28, 0x03), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_NM);
	m.cr[0] = X86_CR0_PE | X86_CR0_EM;
	assert_int_equal(RUN(0x0f, 0x28, 0x03), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_UD);
	m.cr[0] = X86_CR0_PE;
	m.cr[4] = X86_CR4_OSFXSR;
	assert_int_equal(RUN(0x0f, 0x28, 0x03), UMBRA_EMUL_OK);
	assert_int_equal(RUN(0xc5, 0xf8, 0x28, 0x03), UMBRA_EMUL_FAULT);	/* vmovaps */
	assert_int_equal(m.em.fault.vector, X86_TRAP_UD);
	m.cr[4] |= X86_CR4_OSXSAVE;
	m.xcr0 = 3;
	assert_int_equal(RUN(0xc5, 0xf8, 0x28, 0x03), UMBRA_EMUL_FAULT);
	m.xcr0 = 7;
	assert_int_equal(RUN(0xc5, 0xf8, 0x28, 0x03), UMBRA_EMUL_OK);
	m.em.rip = 0x1000;
	RBX = 0x2008;
	assert_fault(RUN(0x0f, 0x28, 0x03), X86_TRAP_GP, 0);	/* misaligned */
	assert_int_equal(RUN(0x0f, 0x10, 0x03), UMBRA_EMUL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_loads),
		cmocka_unit_test(far_jumps),
		cmocka_unit_test(far_calls),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(tables),
		cmocka_unit_test(registers),
		cmocka_unit_test(more_segments),
		cmocka_unit_test(more_transfers),
		cmocka_unit_test(more_system),
		cmocka_unit_test(invpcid_types),
		cmocka_unit_test(invpcid_rules),
		cmocka_unit_test(vector_state),
	};

	return cmocka_run_group_tests_name("emul sys", tests, NULL, NULL);
}
