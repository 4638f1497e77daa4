// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated TLB, one property after the other: what survives CR3 and INVLPG
 * and what does not, staleness, pages in pieces, capacity.
 */
#include "mmu_lib_paging.h"

static struct umbra_vm *vm = &unit.vm;
static struct umbra_vcpu *vcpu = unit.vcpu;

static int setup(void **state)
{
	return paging_setup(UMBRA_MMU_VTLB, 1);
}

/* Global translations survive CR3, all others and INVLPG's go. */
static void test_global(void **state)
{
	paging_build4();
	vcpu->cr4 |= X86_CR4_PGE;
	umbra_mmu_context_changed(vcpu);
	put(3, 2, to(DATA + 2, ALL | E_G));
	map(0x1000, UMBRA_ACC_READ, DATA + 1);
	map(0x2000, UMBRA_ACC_READ, DATA + 2);
	unit_cpus_touch();
	umbra_mmu_new_cr3(vcpu);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x1000), 0);
	assert_int_equal(level_at(0x2000), 1);
	umbra_mmu_invlpg(vcpu, 0x2000);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x2000), 0);
	/* Without CR4.PGE nothing is global. */
	vcpu->cr4 &= ~(u64)X86_CR4_PGE;
	umbra_mmu_context_changed(vcpu);
	map(0x2000, UMBRA_ACC_READ, DATA + 2);
	umbra_mmu_new_cr3(vcpu);
	assert_int_equal(level_at(0x2000), 0);
}

/* Tables are not traced: stale until the guest says so, as a TLB. */
static void test_stale(void **state)
{
	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	map(0x203000, UMBRA_ACC_WRITE, 3);
	put(3, 1, to(DATA + 8, ALL));
	assert_int_equal(gfn_at(0x1000), DATA + 1);
	umbra_mmu_invlpg(vcpu, 0x1000);
	map(0x1000, UMBRA_ACC_WRITE, DATA + 8);
	assert_int_equal(gfn_at(0x203000), 3);
}

/* One guest page in pieces: INVLPG anywhere in it drops them all. */
static void test_pieces(void **state)
{
	unit.gbpages = true;
	paging_build4();
	put(2, 4, to(0x400, ALL | E_PS));
	put(1, 1, to(0, ALL | E_PS));
	map(0x801000, UMBRA_ACC_READ, 0x401);
	map(0x802000, UMBRA_ACC_READ, 0x402);
	map(0x1000, UMBRA_ACC_READ, DATA + 1);
	unit_cpus_touch();
	umbra_mmu_invlpg(vcpu, 0x9ff000);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x801000), 0);
	assert_int_equal(level_at(0x802000), 0);
	assert_int_equal(level_at(0x1000), 1);
	map(0x40000000 + 0x401000, UMBRA_ACC_READ, 0x401);
	map(0x40000000 + 0x801000, UMBRA_ACC_READ, 0x801);
	unit_cpus_touch();
	umbra_mmu_invlpg(vcpu, 0x40000000);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x40401000), 0);
	assert_int_equal(level_at(0x40801000), 0);
}

static void test_4m(void **state)
{
	put4(0, 0, to(0x400, ALL | E_PS));
	paging_mode(vcpu, 2, 0);
	map(0x5000, UMBRA_ACC_WRITE, 0x405);
	map(0x205000, UMBRA_ACC_WRITE, 0x605);
	umbra_mmu_invlpg(vcpu, 0x3ff000);
	assert_int_equal(level_at(0x5000), 0);
	assert_int_equal(level_at(0x205000), 0);
	unit.host_level = 2;
	map(0x5000, UMBRA_ACC_WRITE, 0x405);
	map(0x205000, UMBRA_ACC_WRITE, 0x605);
	assert_int_equal(level_at(0x205000), 2);
	umbra_mmu_invlpg(vcpu, 0);
	assert_int_equal(level_at(0x205000), 0);
}

/* However many translations are asked for, tables are few. */
static void test_capacity(void **state)
{
	unsigned int most = 0;
	gva_t gva;
	int i;

	/* All of 39 bits of addresses lead to the same 48 tables. */
	paging_build4();
	for (i = 0; i < 512; i++) {
		put(1, i, to(2, ALL));
		put(2, i, to(3, ALL));
	}
	for (i = 0; i < 2000; i++) {
		gva = (unit_random() & 0x3ffff) << 21 | 0x1000;
		map(gva, UMBRA_ACC_READ, DATA + 1);
		most = max(most, vcpu->mmu->nr_tables);
	}
	assert_in_range(most, 256, 512);
	assert_int_equal(vcpu->mmu->nr_tables, vm->mmu->spages.nr);
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_global), TEST(test_stale), TEST(test_pieces), TEST(test_4m),
		TEST(test_capacity),
	};

	return cmocka_run_group_tests_name("mmu_vtlb", tests, NULL, NULL);
}
