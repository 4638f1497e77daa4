// SPDX-License-Identifier: GPL-2.0
/*
 * Parts of the umbra tool in user space, under ASan and UBSan: guest page walks
 * without KVM_TRANSLATE, illegal-state rules, disassembly modes, decoded reasons,
 * serial port, test device.
 *
 * These are what no guest in the emulated host can reach, or not in all corners.
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disasm.h"
#include "gwalk.h"
#include "reasons.h"
#include "serial.h"
#include "statecheck.h"
#include "testdev.h"
#include "umbra.h"

#define RAM_SIZE	0x10000
#define CR0_PE		BIT_ULL(0)
#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_LA57	BIT_ULL(12)
#define EFER_LONG	(BIT_ULL(8) | BIT_ULL(10))
#define LARGE		0x80

static u8 ram[RAM_SIZE];
static struct machine machine = { .ram = ram, .ram_size = RAM_SIZE };
static struct vcpu vcpu = { .m = &machine, .fd = -1 };

void complain(const char *fmt, ...)
{
	(void)fmt;
}

static void put64(u64 gpa, u64 value)
{
	memcpy(ram + gpa, &value, 8);
}

static void put32(u64 gpa, u32 value)
{
	memcpy(ram + gpa, &value, 4);
}

static u64 walk(const struct kvm_sregs *s, u64 gva)
{
	u64 gpa = 0;

	return gwalk_translate(&vcpu, s, gva, &gpa) ? gpa : ~0ULL;
}

static void test_walk_none(void **state)
{
	struct kvm_sregs s = { .cr0 = CR0_PE };

	(void)state;
	assert_int_equal(walk(&s, 0x12345), 0x12345);
	assert_int_equal(walk(&s, 0x112345678ULL), 0x12345678);
}

static void test_walk_legacy(void **state)
{
	struct kvm_sregs s = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = CR4_PSE };

	(void)state;
	memset(ram, 0, sizeof(ram));
	put32(0x1000 + 4 * 1, 0x2000 | 1);
	put32(0x2000 + 4 * 3, 0xabcd0000 | 1);
	put32(0x1000 + 4 * 2, 0x00800000 | 1u << 13 | LARGE | 1);
	put32(0x1000 + 4 * 3, 0x7ffff000 | 1);
	assert_int_equal(walk(&s, 0x00403123), 0xabcd0123);
	assert_int_equal(walk(&s, 0x00404123), ~0ULL);
	assert_int_equal(walk(&s, 0x008abcde), 0x1008abcdeULL);
	assert_int_equal(walk(&s, 0x00c00000), ~0ULL);
	s.cr4 = 0;	/* without PSE the bit means nothing, and the table is not memory */
	assert_int_equal(walk(&s, 0x008abcde), ~0ULL);
	s.cr3 = 0xfffff000;
	assert_int_equal(walk(&s, 0), ~0ULL);
}

static void test_walk_pae(void **state)
{
	struct kvm_sregs s = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1020, .cr4 = CR4_PAE };

	(void)state;
	memset(ram, 0, sizeof(ram));
	put64(0x1020 + 8 * 1, 0x2000 | 1);
	put64(0x2000 + 8 * 2, 0x3000 | 1);
	put64(0x3000 + 8 * 4, 0x8000000123456000ULL | 1);
	put64(0x2000 + 8 * 3, 0x40000000 | LARGE | 1);
	assert_int_equal(walk(&s, 0x40404567), 0x123456567ULL);
	assert_int_equal(walk(&s, 0x40600001), 0x40000001);
	assert_int_equal(walk(&s, 0x00000000), ~0ULL);
	assert_int_equal(walk(&s, 0x40405000), ~0ULL);
}

static void test_walk_long(void **state)
{
	struct kvm_sregs s = {
		.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = CR4_PAE, .efer = EFER_LONG,
	};

	(void)state;
	memset(ram, 0, sizeof(ram));
	put64(0x1000 + 8 * 256, 0x2000 | 1);
	put64(0x2000 + 8 * 0, 0x3000 | 1);
	put64(0x2000 + 8 * 1, 0xc0000000 | LARGE | 1);
	put64(0x3000 + 8 * 0, 0x4000 | 1);
	put64(0x3000 + 8 * 1, 0x600000 | LARGE | 1);
	put64(0x4000 + 8 * 5, 0x7000 | 1);
	assert_int_equal(walk(&s, 0xffff800000005678ULL), 0x7678);
	assert_int_equal(walk(&s, 0xffff800000212345ULL), 0x612345);
	assert_int_equal(walk(&s, 0xffff800041234567ULL), 0xc1234567ULL);
	assert_int_equal(walk(&s, 0x0000000000005678ULL), ~0ULL);
	put64(0x8000 + 8 * 1, 0x1000 | 1);
	s.cr3 = 0x8000;
	s.cr4 |= CR4_LA57;
	assert_int_equal(walk(&s, 0x0001800000005678ULL), 0x7678);
}

static void test_read_across(void **state)
{
	struct kvm_sregs s = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000 };
	u8 data[8];

	(void)state;
	memset(ram, 0, sizeof(ram));
	put32(0x1000, 0x2000 | 1);
	put32(0x2000, 0x5000 | 1);
	put32(0x2004, 0x4000 | 1);
	memcpy(ram + 0x5ffc, "abcd", 4);
	memcpy(ram + 0x4000, "efgh", 4);
	assert_int_equal(gwalk_read(&vcpu, &s, 0xffc, data, 8), 8);
	assert_memory_equal(data, "abcdefgh", 8);
	assert_int_equal(gwalk_read(&vcpu, &s, 0x1ffc, data, 8), 4);
	assert_int_equal(gwalk_read(&vcpu, &s, 0x5000, data, 8), 0);
}

static const char *last_finding;

static void remember(void *context, const char *text)
{
	(void)context;
	last_finding = text;
}

struct state {
	struct kvm_regs r;
	struct kvm_sregs s;
	struct kvm_debugregs d;
};

static struct state good_state(void)
{
	struct state g = {
		.r = { .rflags = 2, .rip = 0x1000 },
		.s = { .cr0 = CR0_PE | CR0_PG | 0x10, .cr3 = 0x1000, .cr4 = CR4_PAE,
		       .efer = EFER_LONG, .cs = { .l = 1, .present = 1 },
		       .tr = { .present = 1 } },
		.d = { .dr6 = 0xffff0ff0, .dr7 = 0x400 },
	};

	return g;
}

static void found_once(const struct state *g, const char *word)
{
	last_finding = "";
	assert_int_equal(statecheck(&g->r, &g->s, &g->d, remember, NULL), 1);
	assert_non_null(strstr(last_finding, word));
}

/* One broken rule at a time: the finding names the register, and nothing else. */
static void test_statecheck(void **state)
{
	struct state g = good_state();

	(void)state;
	assert_int_equal(statecheck(&g.r, &g.s, &g.d, remember, NULL), 0);
#define BROKEN(change, word)		\
	do {				\
		g = good_state();	\
		change;			\
		found_once(&g, word);	\
	} while (0)
	BROKEN(g.s.cr0 &= ~CR0_PE, "CR0: PG");
	BROKEN(g.s.cr0 |= BIT_ULL(29), "CR0: NW");
	BROKEN(g.s.cr0 |= BIT_ULL(32), "CR0: bits");
	BROKEN(g.s.cr4 |= BIT_ULL(40), "CR4");
	BROKEN(g.s.efer |= BIT_ULL(33), "EFER: bits");
	BROKEN(g.s.cr3 |= BIT_ULL(60), "CR3");
	BROKEN(g.s.cr4 &= ~CR4_PAE, "PAE");
	BROKEN(g.s.efer &= ~BIT_ULL(10), "LMA");
	BROKEN(g.s.cs.db = 1, "CS");
	BROKEN(g.s.cr8 = 16, "CR8");
	BROKEN(g.r.rflags = 0, "RFLAGS: bit 1");
	BROKEN(g.r.rflags |= BIT_ULL(22), "RFLAGS: reserved");
	BROKEN(g.r.rflags |= BIT_ULL(17), "RFLAGS: VM");
	BROKEN(g.d.dr6 |= BIT_ULL(32), "DR6");
	BROKEN(g.d.dr7 |= BIT_ULL(32), "DR7");
	BROKEN(g.s.gdt.base = BIT_ULL(60), "GDTR");
	BROKEN(g.s.idt.base = BIT_ULL(60), "IDTR");
	BROKEN(g.s.tr.base = BIT_ULL(60), "TR: base");
	BROKEN(g.s.fs.base = BIT_ULL(60), "FS");
	BROKEN(g.s.gs.base = BIT_ULL(60), "GS");
	BROKEN(g.r.rip = BIT_ULL(60), "RIP");
	BROKEN(g.s.tr.present = 0, "TR: not");
#undef BROKEN
}

static void test_disasm(void **state)
{
	static const u8 bytes[] = { 0x48, 0x01, 0xd8 };
	struct kvm_sregs s = { 0 };
	char text[64];

	(void)state;
	assert_int_equal(disasm_one(&s, 0, bytes, 3, text, sizeof(text)), 1);
	assert_string_equal(text, "dec ax");
	s.cr0 = CR0_PE;
	s.cs.db = 1;
	assert_int_equal(disasm_one(&s, 0, bytes, 3, text, sizeof(text)), 1);
	assert_string_equal(text, "dec eax");
	s.efer = EFER_LONG;
	s.cs.l = 1;
	s.cs.db = 0;
	assert_int_equal(disasm_one(&s, 0, bytes, 3, text, sizeof(text)), 3);
	assert_string_equal(text, "add rax, rbx");
	assert_int_equal(disasm_one(&s, 0, bytes, 2, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void test_reasons(void **state)
{
	(void)state;
	assert_string_equal(exit_reason_name(KVM_EXIT_IO), "io");
	assert_string_equal(exit_reason_name(KVM_EXIT_INTERNAL_ERROR), "internal-error");
	assert_string_equal(exit_reason_name(~0u), "other");
	assert_non_null(strstr(fail_entry_text(~0ULL), "invalid"));
	assert_non_null(strstr(fail_entry_text(~0U), "invalid"));
	assert_non_null(strstr(internal_error_text(KVM_INTERNAL_ERROR_EMULATION), "emulated"));
	assert_non_null(strstr(internal_error_text(99), "unknown"));
}

static void test_serial(void **state)
{
	atomic_bool ended = false;
	struct output output;
	struct serial s;
	char text[16];
	int pipes[2], i;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(output_open(&output, pipes[1], &ended), 0);
	serial_init(&s, pipes[0], &output, true);
	assert_int_equal(serial_read(&s, 5), 0x60);
	serial_write(&s, 0, 'h');
	serial_write(&s, 0, 'i');
	serial_write(&s, 0, '\n');
	assert_memory_equal(s.console, "hi\n", 3);
	/* What was sent comes back by the pipe. */
	for (i = 0; i < 3; i++) {
		assert_int_equal(serial_read(&s, 5), 0x61);
		text[i] = serial_read(&s, 0);
	}
	assert_memory_equal(text, "hi\n", 3);
	assert_int_equal(serial_read(&s, 5), 0x60);

	serial_write(&s, 3, 0x83);	/* divisor latch hides data and IER */
	serial_write(&s, 0, 0x34);
	serial_write(&s, 1, 0x12);
	assert_int_equal(serial_read(&s, 0), 0x34);
	assert_int_equal(serial_read(&s, 1), 0x12);
	serial_write(&s, 3, 0x03);
	serial_write(&s, 1, 0xff);
	assert_int_equal(serial_read(&s, 1), 0x0f);
	serial_write(&s, 7, 0x5a);
	assert_int_equal(serial_read(&s, 7), 0x5a);
	assert_int_equal(serial_read(&s, 2), 0x02);	/* empty transmitter, told once */
	assert_int_equal(serial_read(&s, 2), 0x01);
	serial_write(&s, 2, 1);
	assert_int_equal(serial_read(&s, 2), 0xc1);

	serial_write(&s, 4, 0x1a);	/* loop: RTS and OUT2 */
	assert_int_equal(serial_read(&s, 6), 0x90);
	serial_write(&s, 0, 0x42);
	assert_int_equal(serial_read(&s, 5), 0x61);
	assert_int_equal(serial_read(&s, 0), 0x42);
	assert_int_equal(s.console_len, 3);
	close(pipes[0]);
	close(pipes[1]);
	serial_destroy(&s);
	output_close(&output);
}

static void test_serial_limit(void **state)
{
	struct output nowhere = { .fd = -1 };
	struct serial s;
	size_t i;

	(void)state;
	serial_init(&s, -1, &nowhere, true);
	for (i = 0; i < SERIAL_CONSOLE_MAX + 10; i++)
		serial_write(&s, 0, 'x');
	assert_int_equal(s.console_len, SERIAL_CONSOLE_MAX);
	assert_true(s.truncated);
	serial_destroy(&s);
}

/* Any access inside the page is harmless, whatever its place and width. */
static void test_testdev(void **state)
{
	struct testdev *d = calloc(1, sizeof(*d));
	u64 offset;
	u8 data[8];
	u32 len;

	(void)state;
	assert_non_null(d);
	for (offset = 0; offset < TESTDEV_SIZE; offset++) {
		for (len = 1; len <= 8; len++) {
			memset(data, 0x11, sizeof(data));
			if (!testdev_owns(TESTDEV_BASE + offset, len))
				continue;
			testdev_access(d, TESTDEV_BASE + offset, data, len, true);
			testdev_access(d, TESTDEV_BASE + offset, data, len, false);
		}
	}
	assert_false(testdev_owns(TESTDEV_BASE + TESTDEV_SIZE - 4, 8));
	assert_false(testdev_owns(TESTDEV_BASE - 1, 1));
	assert_true(testdev_owns(TESTDEV_BASE + TESTDEV_SIZE - 8, 8));
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_none),
		cmocka_unit_test(test_walk_legacy),
		cmocka_unit_test(test_walk_pae),
		cmocka_unit_test(test_walk_long),
		cmocka_unit_test(test_read_across),
		cmocka_unit_test(test_statecheck),
		cmocka_unit_test(test_disasm),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_serial_limit),
		cmocka_unit_test(test_testdev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
