// SPDX-License-Identifier: GPL-2.0
/*
 * Page crossing, faults in the middle, exits to user space and their replay,
 * REP progress, port batches: nothing may happen twice, or half.
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
#define RSI m.em.gpr[UMBRA_EMUL_RSI]
#define RDI m.em.gpr[UMBRA_EMUL_RDI]
#define MMIO 0x10000

#define LOAD(...) do { \
	static const u8 code_[] = { __VA_ARGS__ }; \
	mach_code(&m, code_, sizeof(code_)); \
} while (0)

static void start(void)
{
	mach_init(&m, UMBRA_EMUL_LONG64);
	m.mmio = MMIO;
	m.mmio_exits = true;
}

static void assert_pf(int r, u64 cr2, u32 error)
{
	assert_int_equal(r, UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_PF);
	assert_int_equal(m.em.fault.cr2, cr2);
	assert_int_equal(m.em.fault.error, error);
}

static void page_crossing(void **state)
{
	start();
	RBX = 0x2ffd;
	mach_put(&m, 0x2ffd, 0x8877665544332211ULL, 8);
	LOAD(0x48, 0x8b, 0x03);				/* mov rax, [rbx] */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_true(RAX == 0x8877665544332211ULL);
	LOAD(0x48, 0xff, 0x03);				/* inc qword [rbx] */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_true(mach_get(&m, 0x2ffd, 8) == 0x8877665544332212ULL);
	LOAD(0xf0, 0x48, 0xff, 0x03);			/* LOCKed, across pages */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_true(mach_get(&m, 0x2ffd, 8) == 0x8877665544332213ULL);
	assert_false(m.crossing);

	/* The second page faults: the first is not written. */
	m.readonly = 0x3000;
	RAX = 0;
	LOAD(0x48, 0x89, 0x03);
	assert_pf(mach_step(&m), 0x3000, 2);
	assert_true(mach_get(&m, 0x2ffd, 8) == 0x8877665544332213ULL);
	/* A read of an update faults as a write. */
	RBX = 0x3000;
	LOAD(0x48, 0x01, 0x03);
	assert_pf(mach_step(&m), 0x3000, 2);
	/* So does a multi-element push, before its first write. */
	m.readonly = 0x6000;
	RSP = 0x7004;
	mach_init(&m, UMBRA_EMUL_PROT32);
	m.readonly = 0x6000;
	RSP = 0x7004;
	mach_put(&m, 0x7000, 0x1234, 4);
	RAX = 0x5555;
	LOAD(0x60);
	assert_pf(mach_step(&m), 0x6ffc, 2);
	assert_int_equal(mach_get(&m, 0x7000, 4), 0x1234);
	assert_int_equal(RSP, 0x7004);
}

/* The fetch does not touch the next page unless the instruction does. */
static void fetch_crossing(void **state)
{
	static const u8 code[] = { 0xb8, 1, 2, 3, 4 };

	start();
	m.absent = 0x2000;
	m.em.rip = 0x1fff;
	mach_code(&m, "\x90", 1);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	m.em.rip = 0x1ffd;
	mach_code(&m, code, 5);
	assert_pf(mach_step(&m), 0x2000, 16);
	m.absent = ~0ULL;
	m.em.nr_bytes = 0;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x04030201);
	/* Prefetched bytes suffice without memory. */
	m.absent = 0x1000;
	m.em.rip = 0x1000;
	memcpy(m.em.bytes, code, 5);
	m.em.nr_bytes = 5;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.em.rip, 0x1005);
}

static void mmio_read_replay(void **state)
{
	start();
	RBX = MMIO + 8;
	RAX = 0xff00ff00;
	LOAD(0x03, 0x03);				/* add eax, [rbx] */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_IO);
	assert_int_equal(RAX, 0xff00ff00);
	assert_int_equal(m.em.rip, 0x1000);
	m.mmio_val = 0x01000100;
	m.answered = true;
	/* Executing again without decoding again must do as well. */
	assert_int_equal(umbra_emul_exec(&m.em), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x00010000);
	assert_true(m.em.rflags & X86_EFLAGS_CF);
	assert_int_equal(m.nr_log, 1);

	/* Read, then posted write: one of each. */
	m.nr_log = 0;
	LOAD(0x83, 0x0b, 0x40);				/* or dword [rbx], 40h */
	assert_int_equal(mach_step_answering(&m, 3, 1), UMBRA_EMUL_OK);
	assert_int_equal(m.nr_log, 2);
	assert_false(m.log[0].write);
	assert_true(m.log[1].write);
	assert_int_equal(m.log[1].val, 0x43);
	assert_int_equal(m.log[1].bytes, 4);

	/* XCHG and LOCKed forms likewise. */
	m.nr_log = 0;
	RCX = 9;
	LOAD(0x87, 0x0b);
	assert_int_equal(mach_step_answering(&m, 3, 1), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 3);
	assert_int_equal(m.log[1].val, 9);
	/* TEST only reads. */
	m.nr_log = 0;
	LOAD(0xf6, 0x03, 0x01);
	assert_int_equal(mach_step_answering(&m, 1, 1), UMBRA_EMUL_OK);
	assert_int_equal(m.nr_log, 1);
	assert_false(m.em.rflags & X86_EFLAGS_ZF);
}

static void mmio_write_posts(void **state)
{
	start();
	RBX = MMIO;
	RAX = 0x1122334455667788ULL;
	LOAD(0x48, 0x89, 0x03);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.nr_log, 1);
	assert_int_equal(m.log[0].bytes, 8);
	assert_true(m.log[0].val == RAX);
	LOAD(0x66, 0x0f, 0x7f, 0x03);			/* movdqa [rbx], xmm0 */
	m.vec[0][0] = 0x5a;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.log[1].bytes, 16);
	assert_int_equal(m.log[1].val, 0x5a);
	/* movzx and movsx from a device */
	LOAD(0x0f, 0xbe, 0x03);
	assert_int_equal(mach_step_answering(&m, 0x80, 1), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0xffffff80);
	LOAD(0x0f, 0xb6, 0x03);
	assert_int_equal(mach_step_answering(&m, 0x80, 1), UMBRA_EMUL_OK);
	assert_int_equal(RAX, 0x80);
}

static void rep_progress(void **state)
{
	start();
	m.absent = 0x4000;
	RDI = 0x3ffc;
	RCX = 10;
	RAX = 0x41;
	LOAD(0xf3, 0xaa);				/* rep stosb into an absent page */
	assert_pf(mach_step(&m), 0x4000, 2);
	assert_int_equal(RCX, 6);
	assert_int_equal(RDI, 0x4000);
	assert_int_equal(m.em.rip, 0x1000);
	m.absent = ~0ULL;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0);
	assert_int_equal(m.em.rip, 0x1002);
	assert_int_equal(mach_get(&m, 0x3ffc, 8), 0x4141414141414141);
	assert_int_equal(mach_get(&m, 0x4005, 2), 0x41);

	/* The iteration limit, and the flag that says so. */
	m.em.rip = 0x1000;
	m.em.rep_limit = 4;
	RCX = 10;
	RDI = 0x5000;
	LOAD(0xf3, 0xaa);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_REP_MORE);
	assert_int_equal(RCX, 6);
	assert_int_equal(m.em.rip, 0x1000);
	/* With TF each iteration traps. */
	m.em.rflags |= X86_EFLAGS_TF;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_REP_MORE | UMBRA_EMUL_OUT_TRAP);
	assert_int_equal(RCX, 5);
	/* A count of zero does nothing but step on. */
	m.em.rflags = 2;
	RCX = 0;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, 0);
	assert_int_equal(m.em.rip, 0x1002);
}

static void rep_mmio(void **state)
{
	unsigned int i;

	start();
	RSI = MMIO;
	RDI = 0x5000;
	RCX = 3;
	LOAD(0xf3, 0xa5);				/* rep movsd from a device */
	for (i = 1; i <= 3; i++) {
		assert_int_equal(mach_step(&m), UMBRA_EMUL_IO);
		assert_int_equal(RCX, 4 - i);
		m.mmio_val = i;
		m.answered = true;
	}
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0);
	assert_int_equal(m.nr_log, 3);
	assert_int_equal(m.iterations, 2);
	for (i = 1; i <= 3; i++)
		assert_int_equal(mach_get(&m, 0x5000 + 4 * (i - 1), 4), i);
	/* 16-bit addresses wrap inside their size. */
	mach_init(&m, UMBRA_EMUL_REAL);
	RDI = 0x1234ffff;
	RCX = 0xabcd0002;
	LOAD(0xf3, 0xaa);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(RDI, 0x12340001);
	assert_int_equal(RCX, 0xabcd0000);
}

static void port_io(void **state)
{
	start();
	RDX = 0x3f8;
	RAX = 0x1234567890ULL;
	LOAD(0xec);					/* in al, dx */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_IO);
	assert_int_equal(mach_step_answering(&m, 0xab, 1), UMBRA_EMUL_OK);
	assert_true(RAX == 0x12345678abULL);
	assert_int_equal(m.log[0].addr, 0x3f8);
	LOAD(0xed);					/* in eax, dx clears the upper half */
	assert_int_equal(mach_step_answering(&m, 0xdeadbeef, 1), UMBRA_EMUL_OK);
	assert_true(RAX == 0xdeadbeef);
	LOAD(0x66, 0xe7, 0x80);				/* out 80h, ax */
	m.nr_log = 0;
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.nr_log, 1);
	assert_int_equal(m.log[0].addr, 0x80);
	assert_int_equal(m.log[0].bytes, 2);
	/* REX.W does not make a 64-bit port access. */
	m.nr_log = 0;
	LOAD(0x48, 0xef);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.log[0].bytes, 4);
}

static void port_batches(void **state)
{
	start();
	RDX = 0x1f0;
	RDI = 0x5000;
	RCX = 256;
	LOAD(0xf3, 0x66, 0x6d);				/* rep insw: 512 bytes at once */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_IO);
	assert_int_equal(RCX, 256);
	assert_int_equal(mach_step_answering(&m, 0x0807060504030201ULL, 1), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0);
	assert_int_equal(RDI, 0x5200);
	assert_int_equal(m.nr_log, 1);
	assert_int_equal(m.log[0].bytes, 512);
	assert_true(mach_get(&m, 0x51f8, 8) == 0x0807060504030201ULL);

	/* No further than the page, and partial answers are taken. */
	start();
	m.mmio_exits = false;
	m.pio_limit = 3;
	RSI = 0x5ff6;
	RCX = 8;
	LOAD(0xf3, 0x66, 0x6f);				/* rep outsw */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(RCX, 0);
	assert_int_equal(m.nr_log, 3);
	assert_int_equal(m.log[0].bytes, 6);		/* limited to 3 */
	assert_int_equal(m.log[1].bytes, 4);		/* rest of the page */
	assert_int_equal(m.log[2].bytes, 6);

	/* Input into a page that faults is not consumed. */
	start();
	m.absent = 0x5000;
	RDI = 0x5000;
	RCX = 4;
	LOAD(0xf3, 0x6c);
	assert_pf(mach_step(&m), 0x5000, 2);
	assert_int_equal(m.nr_log, 0);
	assert_int_equal(RCX, 4);
	/* Downward: one element at a time. */
	start();
	m.mmio_exits = false;
	m.em.rflags |= X86_EFLAGS_DF;
	RSI = 0x5007;
	RCX = 3;
	LOAD(0xf3, 0x6e);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.nr_log, 3);
	assert_int_equal(RSI, 0x5004);
}

static void io_permission(void **state)
{
	start();
	m.mmio_exits = false;
	m.em.cpl = 3;
	m.tr = (struct umbra_emul_seg){
		.base = 0x8000, .limit = 0x68 + 0x80, .type = 11, .p = 1,
	};
	mach_put(&m, 0x8066, 0x68, 2);
	mach_put(&m, 0x8068 + 0x3f8 / 8, 0xfe, 1);	/* only 3f8 allowed */
	RDX = 0x3f8;
	LOAD(0xec);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	m.em.rip = 0x1000;
	LOAD(0x66, 0xed);				/* two ports, one of them barred */
	assert_int_equal(mach_step(&m), UMBRA_EMUL_FAULT);
	assert_int_equal(m.em.fault.vector, X86_TRAP_GP);
	RDX = 0x3f9;
	LOAD(0xec);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_FAULT);
	RDX = 0x1000;					/* past the map */
	LOAD(0xec);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_FAULT);
	m.em.rflags |= X86_EFLAGS_IOPL;
	LOAD(0xec);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
}

static int stopping_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
			  unsigned int acc)
{
	em->rep_stop = true;
	return mach_ops.write(em, linear, buf, bytes, acc);
}

/* A callback ends the loop after the iteration that it saw. */
static void rep_stop(void **state)
{
	struct umbra_emul_ops ops = mach_ops;

	ops.write = stopping_write;
	start();
	m.em.ops = &ops;
	RDI = MMIO;
	RCX = 5;
	LOAD(0xf3, 0xaa);
	assert_int_equal(mach_step(&m), UMBRA_EMUL_OK);
	assert_int_equal(m.em.out, UMBRA_EMUL_OUT_REP_MORE);
	assert_int_equal(RCX, 4);
	assert_int_equal(m.nr_log, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_crossing),
		cmocka_unit_test(fetch_crossing),
		cmocka_unit_test(mmio_read_replay),
		cmocka_unit_test(mmio_write_posts),
		cmocka_unit_test(rep_progress),
		cmocka_unit_test(rep_mmio),
		cmocka_unit_test(port_io),
		cmocka_unit_test(port_batches),
		cmocka_unit_test(io_permission),
		cmocka_unit_test(rep_stop),
	};

	return cmocka_run_group_tests_name("emul restart", tests, NULL, NULL);
}
