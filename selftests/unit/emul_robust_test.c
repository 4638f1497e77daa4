// SPDX-License-Identifier: GPL-2.0
/*
 * Random bytes in every mode under the sanitizers: no crash, no endless loop,
 * no read out of bounds, and the promises of emul.h kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include "emul_lib_chaos.h"

#define ROUNDS 60000

static struct mach mach;

static void fill(u8 *data, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		data[i] = mach_random() >> 24;
}

/* Pure noise is mostly UNHANDLED: half of the rounds begin with a known opcode. */
static void noise(void **state)
{
	static const u8 prefix[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x0f };
	u8 data[160];
	unsigned int i;

	mach_seed(0xabcdef);
	alarm(120);
	for (i = 0; i < ROUNDS; i++) {
		fill(data, sizeof(data));
		if (i & 1)
			data[68] = prefix[data[68] % sizeof(prefix)];
		chaos_run(&mach, data, sizeof(data));
	}
	alarm(0);
}

/* Every first and second opcode byte with every ModRM.reg, in every mode. */
static void every_opcode(void **state)
{
	u8 data[160];
	unsigned int i;

	mach_seed(0x13579b);
	for (i = 0; i < 2 * 256 * 8 * 5 * 2; i++) {
		unsigned int two = i & 1, op = (i >> 1) & 255, reg = (i >> 9) & 7;

		fill(data, sizeof(data));
		data[0] = (i >> 12) % 5;
		data[68] = 0x0f;
		data[68 + two] = op;
		data[69 + two] = (data[69 + two] & 0xc7) | reg << 3;
		chaos_run(&mach, data, sizeof(data));
	}
}

/* Contexts no caller should hand in must still be survived. */
static void odd_contexts(void **state)
{
	mach_init(&mach, UMBRA_EMUL_LONG64);
	mach.em.nr_bytes = 255;
	mach.em.rip = ~0ULL;
	assert_int_not_equal(umbra_emul_decode(&mach.em), UMBRA_EMUL_IO);
	mach_init(&mach, UMBRA_EMUL_LONG64);
	assert_int_equal(umbra_emul_exec(&mach.em), UMBRA_EMUL_UNHANDLED);
	mach.em.rip = 0x7fffffffffffULL;
	assert_int_equal(mach_step(&mach), UMBRA_EMUL_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise),
		cmocka_unit_test(every_opcode),
		cmocka_unit_test(odd_contexts),
	};

	return cmocka_run_group_tests_name("emul robust", tests, NULL, NULL);
}
