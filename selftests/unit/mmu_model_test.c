// SPDX-License-Identifier: GPL-2.0
/*
 * The model of guests, processors and a host on random actions: every MMU mode
 * with every paging mode. The numbers are the same in every run; for a longer one
 * the number of rounds is an argument (8 is what `make run` does).
 */
#include "mmu_lib_model.h"

#define ROUNDS	8
#define STEPS	1500

static u8 actions[STEPS * 8];
static unsigned int rounds = ROUNDS;

static void run(unsigned int mmu, unsigned int mode, u64 seed)
{
	size_t i;

	unit_seed(seed * 0x9e3779b97f4a7c15ULL);
	for (i = 0; i < sizeof(actions); i++)
		actions[i] = unit_random() >> 24;
	actions[0] = mmu;
	actions[1] = mode;
	model_run(actions, sizeof(actions), STEPS);
}

static void run_mmu(unsigned int mmu)
{
	unsigned int mode, round;

	for (mode = 0; mode < MODEL_MODES; mode++)
		for (round = 0; round < rounds; round++)
			run(mmu, mode, 1 + round + 100000 * mode + 1000000 * mmu);
}

static void test_shadow(void **state)
{
	run_mmu(HOST_SHADOW);
}

/* Guests turn paging on and off, and change from one kind of tables to the other. */
static void test_shadow_unpaged(void **state)
{
	run_mmu(HOST_SHADOW_EPT);
	run_mmu(HOST_SHADOW_NPT);
}

static void test_vtlb(void **state)
{
	run_mmu(HOST_VTLB);
}

static void test_vtlb_unpaged(void **state)
{
	run_mmu(HOST_VTLB_EPT);
}

static void test_nested(void **state)
{
	run_mmu(HOST_NESTED);
}

static void test_nested_ept(void **state)
{
	run_mmu(HOST_NESTED_EPT);
	run_mmu(HOST_NESTED_NO_AD);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested), cmocka_unit_test(test_nested_ept),
		cmocka_unit_test(test_vtlb), cmocka_unit_test(test_vtlb_unpaged),
		cmocka_unit_test(test_shadow), cmocka_unit_test(test_shadow_unpaged),
	};

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests_name("mmu_model", tests, NULL, NULL);
}
