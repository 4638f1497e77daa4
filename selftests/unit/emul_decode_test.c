// SPDX-License-Identifier: GPL-2.0
/*
 * Instruction lengths against Zydis over random byte strings, in every mode.
 * An instruction that the emulator claims to know must be one for Zydis, and
 * of the same length; what the emulator calls #UD must not be one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <Zydis/Zydis.h>

#include "emul_lib.h"

#define ROUNDS 1500000

static struct mach mach;

struct mode_case {
	enum umbra_emul_mode mode;
	ZydisMachineMode machine;
	ZydisStackWidth stack;
};

static void random_insn(u8 *b)
{
	static const u8 prefix[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x45 };
	unsigned int i, n = 0;

	for (i = 0; i < 16; i++)
		b[i] = mach_random();
	while (n < 3 && !(mach_random() & 1))
		b[n++] = prefix[mach_random() % sizeof(prefix)];
	switch (mach_random() % 6) {
	case 0:
	case 1:
		b[n] = 0x0f;
		break;
	case 2:
		b[n] = 0xc4;
		b[n + 1] = (b[n + 1] & 0xe0) | (1 + mach_random() % 3);
		break;
	case 3:
		b[n] = 0x0f;
		b[n + 1] = mach_random() & 1 ? 0x38 : 0x3a;
		if (mach_random() & 7)
			b[n + 2] = 0xf0 | (b[n + 2] & 15);
		break;
	}
}

static void dump(const char *what, const u8 *b, unsigned int mine, unsigned int theirs)
{
	unsigned int i;

	fprintf(stderr, "# %s: emulator %u, zydis %u:", what, mine, theirs);
	for (i = 0; i < 15; i++)
		fprintf(stderr, " %02x", b[i]);
	fprintf(stderr, "\n");
}

/* Return: the number of disagreements. */
static unsigned int compare_one(const ZydisDecoder *dec, const struct mode_case *c, u64 *known)
{
	ZydisDecodedInstruction insn;
	struct umbra_emul *em = &mach.em;
	bool theirs;
	u8 b[16];
	int r;

	random_insn(b);
	em->mode = c->mode;
	memcpy(em->bytes, b, 15);
	em->nr_bytes = 15;
	r = umbra_emul_decode(em);
	theirs = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(dec, NULL, b, 15, &insn));
	if (r == UMBRA_EMUL_OK) {
		(*known)++;
		if (theirs && insn.length == em->insn.len)
			return 0;
		dump("length", b, em->insn.len, theirs ? insn.length : 0);
		return 1;
	}
	if (r == UMBRA_EMUL_FAULT && em->fault.vector == X86_TRAP_UD && theirs &&
	    insn.mnemonic != ZYDIS_MNEMONIC_UD0 && insn.mnemonic != ZYDIS_MNEMONIC_UD1 &&
	    insn.mnemonic != ZYDIS_MNEMONIC_UD2) {
		dump("#UD", b, 0, insn.length);
		return 1;
	}
	return 0;
}

static void lengths(void **state)
{
	const struct mode_case *c = *state;
	unsigned int bad = 0;
	ZydisDecoder dec;
	u64 known = 0;
	int i;

	mach_init(&mach, c->mode);
	mach_seed(0x1234 + c->mode);
	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&dec, c->machine, c->stack)));
	for (i = 0; i < ROUNDS && bad < 20; i++)
		bad += compare_one(&dec, c, &known);
	assert_int_equal(bad, 0);
	/* Not vacuous: a fair part of the strings must be known. */
	assert_true(known > ROUNDS / 4);
}

/* The insn_len() entry point on the instructions that hypervisors skip. */
static void skip_lengths(void **state)
{
	static const struct {
		u8 len;
		u8 code[15];
	} cases[] = {
		{ 2, { 0x0f, 0xa2 } },			/* cpuid */
		{ 1, { 0xf4 } },			/* hlt */
		{ 2, { 0x0f, 0x30 } },			/* wrmsr */
		{ 3, { 0x0f, 0x01, 0xd9 } },		/* vmmcall */
		{ 3, { 0x0f, 0x01, 0xc1 } },		/* vmcall */
		{ 3, { 0x0f, 0x01, 0xd8 } },		/* vmrun */
		{ 3, { 0x0f, 0x01, 0xd1 } },		/* xsetbv */
		{ 3, { 0x0f, 0x01, 0xf9 } },		/* rdtscp */
		{ 3, { 0x0f, 0x01, 0xc8 } },		/* monitor */
		{ 2, { 0x0f, 0x09 } },			/* wbinvd */
		{ 3, { 0x0f, 0x22, 0xc0 } },		/* mov cr0, rax */
		{ 4, { 0x44, 0x0f, 0x20, 0xc0 } },	/* mov rax, cr8 */
		{ 2, { 0xf3, 0x90 } },			/* pause */
		{ 2, { 0xe4, 0x60 } },			/* in al, 0x60 */
		{ 3, { 0xf3, 0x66, 0x6d } },		/* rep insw */
	};
	unsigned int i;

	mach_init(&mach, UMBRA_EMUL_LONG64);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		mach_code(&mach, cases[i].code, 15);
		assert_int_equal(umbra_emul_insn_len(&mach.em), cases[i].len);
	}
	mach.absent = 0x1000;
	mach.em.nr_bytes = 0;
	assert_int_equal(umbra_emul_insn_len(&mach.em), 0);
}

int main(void)
{
	static struct mode_case modes[] = {
		{ UMBRA_EMUL_LONG64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
		{ UMBRA_EMUL_PROT32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		{ UMBRA_EMUL_PROT16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		{ UMBRA_EMUL_REAL, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(lengths, &modes[0]),
		cmocka_unit_test_prestate(lengths, &modes[1]),
		cmocka_unit_test_prestate(lengths, &modes[2]),
		cmocka_unit_test_prestate(lengths, &modes[3]),
		cmocka_unit_test(skip_lengths),
	};

	return cmocka_run_group_tests_name("emul decode", tests, NULL, NULL);
}
