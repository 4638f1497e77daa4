// SPDX-License-Identifier: GPL-2.0
/*
 * Hosts on which guests without paging run on second-level tables in every mode: which
 * tables a vCPU gets, and that what happens to a page happens in both kinds. The first
 * vCPU has paging, the second has none; see mmu_lib_paging.h for the guest.
 */
#include "mmu_lib_paging.h"

static struct umbra_vm *vm = &unit.vm;
static struct umbra_vcpu *paged = &unit.vcpu[0], *plain = &unit.vcpu[1];

static const struct {
	const char *name;
	enum umbra_mmu_mode mode;
	const struct umbra_host_caps *caps;
} hosts[] = {
	{ "mmu_unpaged (shadow, EPT)", UMBRA_MMU_SHADOW, &unit_ept_unpaged },
	{ "mmu_unpaged (vtlb, EPT)", UMBRA_MMU_VTLB, &unit_ept_unpaged },
	{ "mmu_unpaged (shadow, NPT)", UMBRA_MMU_SHADOW, &unit_npt_unpaged },
	{ "mmu_unpaged (vtlb, NPT)", UMBRA_MMU_VTLB, &unit_npt_unpaged },
};

static int host;

static int setup(void **state)
{
	unit_caps = *hosts[host].caps;
	return paging_setup(hosts[host].mode, 2);
}

static bool shadow(void)
{
	return vm->mmu_mode == UMBRA_MMU_SHADOW;
}

static int plain_fault(gfn_t gfn, u32 access)
{
	assert_int_equal(unit_serve(plain), 0);
	return umbra_mmu_fault(plain, gfn_to_gpa(gfn), access, false);
}

/* What the second vCPU's tables hold for @gfn: level (0: none), and may it be written? */
static int plain_level(gfn_t gfn)
{
	int level;

	return unit_cpu_walk(1, gfn, &level) ? level : 0;
}

static bool plain_writable(gfn_t gfn)
{
	int level;

	return unit_cpu_walk(1, gfn, &level) & E_W;
}

/* Both vCPUs write DATA and DATA + 1. */
static void map_both(void)
{
	paging_build4();
	map(0, UMBRA_ACC_WRITE, DATA);
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_int_equal(plain_fault(DATA + 1, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_int_equal(plain_level(DATA), 1);
	assert_true(plain_writable(DATA));
	unit_cpus_touch();
}

static void paging_off(struct umbra_vcpu *v)
{
	v->cr0 &= ~(u64)X86_CR0_PG;
	v->efer &= ~(u64)EFER_LMA;
	umbra_mmu_context_changed(v);
	assert_false(unit_can_run(v));
	assert_int_equal(unit_serve(v), 0);
}

static void test_kind(void **state)
{
	int flushes = unit.tlb_flushes;
	hpa_t root = unit.root;

	assert_true(unit.root_nested);
	assert_int_equal(root, __pa(vm->mmu->root));
	paging_build4();
	assert_false(unit.root_nested);
	assert_int_not_equal(unit.root, root);
	assert_int_equal(unit.tlb_flushes, flushes + 1);
	paging_off(paged);
	assert_true(unit.root_nested);
	assert_int_equal(unit.root, root);
	assert_int_equal(unit.tlb_flushes, flushes + 2);
	/* No root of the mode's own is held, and nothing acts on one. */
	assert_null(paged->mmu->root[0]);
	umbra_mmu_new_cr3(paged);
	umbra_mmu_invlpg(paged, 0x1000);
	umbra_mmu_fault_injected(paged, 0x1000, PFERR_PRESENT);
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_READ), UMBRA_MMU_RETRY);
}

/* Elsewhere there is no second kind, and no table for it. */
static void test_other_hosts(void **state)
{
	assert_non_null(vm->mmu->root);
	assert_int_equal(unit_teardown(NULL), 0);
	unit_caps = unit_npt;
	assert_int_equal(paging_setup(hosts[host].mode, 2), 0);
	assert_null(vm->mmu->root);
	assert_null(vm->mmu->unpaged);
	assert_false(unit.root_nested);
}

static void test_zap(void **state)
{
	map_both();
	assert_true(umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, true));
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0), 0);
	assert_int_equal(plain_level(DATA), 0);
	assert_int_equal(level_at(0x1000), 1);
	assert_int_equal(plain_level(DATA + 1), 1);
	/* There may be something in one kind alone. */
	map(0, UMBRA_ACC_WRITE, DATA);
	assert_true(umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, false));
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_true(umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, false));
	assert_false(umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, false));
	unit_cpus_touch();
	unit_slot_delete(paging_data());
	assert_true(unit_cpus_agree());
	assert_int_equal(plain_level(DATA + 1), 0);
	assert_int_equal(plain_fault(DATA + 1, UMBRA_ACC_READ), UMBRA_MMU_MMIO);
}

static void test_ageing(void **state)
{
	struct umbra_memslot *slot;

	map_both();
	slot = paging_data();
	assert_true(umbra_mmu_age_range(vm, slot, DATA, DATA + 1, true));
	assert_false(umbra_mmu_age_range(vm, slot, DATA, DATA + 1, true));
	assert_true(umbra_mmu_zap_range(vm, slot, DATA + 1, DATA + 2, true));
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	assert_true(umbra_mmu_age_range(vm, slot, DATA + 1, DATA + 2, true));
	assert_int_equal(plain_fault(DATA + 2, UMBRA_ACC_READ), UMBRA_MMU_RETRY);
	assert_true(umbra_mmu_age_range(vm, slot, DATA + 2, DATA + 3, true));
}

static void test_log(void **state)
{
	struct umbra_memslot *slot;

	map_both();
	slot = unit_slot_log(paging_data(), true);
	assert_true(unit_cpus_agree());
	assert_false(leaf(0) & E_W);
	assert_false(plain_writable(DATA));
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_true(test_bit(0, slot->dirty));
	assert_false(test_bit(1, slot->dirty));
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	unit_cpus_touch();
	assert_true(unit_slot_get_log(slot));
	assert_true(unit_cpus_agree());
	assert_false(plain_writable(DATA));
	assert_false(leaf(0x1000) & E_W);
	assert_false(unit_slot_get_log(slot));
	unit.host_level = 2;
	slot = unit_slot_log(slot, false);
	assert_true(unit_cpus_agree());
	assert_int_equal(plain_level(DATA), 0);
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_int_equal(plain_level(DATA), 2);
}

static void test_read_only(void **state)
{
	unit_slot_delete(paging_data());
	unit_slot(1, DATA, PAGES, HVA, KVM_MEM_READONLY);
	paging_build4();
	map(0, UMBRA_ACC_READ, DATA);
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_EXEC), UMBRA_MMU_RETRY);
	assert_false(plain_writable(DATA));
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_MMIO);
	assert_int_equal(fault(0, UMBRA_ACC_WRITE), UMBRA_MMU_MMIO);
}

/* The other vCPU's tables are traced: whoever writes them, their shadow follows. */
static void test_tables_written(void **state)
{
	map_both();
	if (!shadow()) {
		/* Tables are memory like any other. */
		assert_int_equal(plain_fault(2, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
		assert_true(plain_writable(2));
		return;
	}
	assert_int_equal(plain_fault(2, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	assert_int_equal(plain_fault(2, UMBRA_ACC_READ), UMBRA_MMU_RETRY);
	assert_false(plain_writable(2));
	/* The lowest yields, and is traced again in both when it is synced. */
	assert_int_equal(plain_fault(3, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_true(plain_writable(3));
	put(3, 0, to(DATA + 5, ALL));
	unit_cpus_touch();
	umbra_mmu_new_cr3(paged);
	assert_true(unit_cpus_agree());
	assert_false(plain_writable(3));
	assert_int_equal(level_at(0), 0);
	map(0, UMBRA_ACC_READ, DATA + 5);
	/* A page that was mapped before it became a table loses the right to write. */
	assert_int_equal(plain_fault(7, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	unit_cpus_touch();
	put(2, 1, to(7, ALL));
	put(7, 0, to(DATA + 7, ALL));
	umbra_mmu_invlpg(paged, 0x200000);
	map(0x200000, UMBRA_ACC_READ, DATA + 7);
	assert_true(unit_cpus_agree());
	assert_false(plain_writable(7));
}

/* A flush meets one kind: what was cached of the other must not come back. */
static void test_change_flushes(void **state)
{
	map_both();
	paging_mode(plain, 4, 0);
	umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, true);
	paging_off(plain);
	assert_true(unit_cpus_agree());
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	unit_cpus_touch();
	/* And the other way round. */
	map(0, UMBRA_ACC_WRITE, DATA);
	unit_cpus_touch();
	paging_off(paged);
	umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, true);
	paging_mode(paged, 4, 0);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0), 0);
}

/* The tests above would notice: with no flush at the change, something stale stays. */
static void test_mutation(void **state)
{
	map_both();
	paging_mode(plain, 4, 0);
	umbra_mmu_zap_range(vm, paging_data(), DATA, DATA + 1, true);
	unit.forget_flush = true;
	paging_off(plain);
	assert_false(unit_cpus_agree());
}

/* Roots are let go of, so that tables can be given up. */
static void test_roots_go(void **state)
{
	map_both();
	paging_off(paged);
	assert_true(unit_cpus_agree());
	if (!shadow()) {
		assert_int_equal(vm->mmu->spages.nr, 0);
		return;
	}
	assert_int_equal(find(0, 4)->pins, 0);
	/* User space loads a snapshot: nothing derived is believed, whoever had it. */
	umbra_mmu_registers_set(paged);
	assert_int_equal(unit_serve(paged), 0);
	assert_int_equal(vm->mmu->spages.nr, 0);
	assert_int_equal(plain_fault(3, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_true(plain_writable(3));
}

/* Reclaim takes shadow tables first, and then those of guests without paging. */
static void test_pressure(void **state)
{
	struct shrink_control sc = { .nr_to_scan = 100 };
	unsigned long tables;

	map_both();
	paging_off(paged);
	unit_cpus_touch();
	tables = vm->mmu->nr_tables;
	if (!shadow()) {
		assert_int_equal(unit.shrinker->count_objects(unit.shrinker, &sc), SHRINK_EMPTY);
		return;
	}
	assert_int_equal(unit.shrinker->count_objects(unit.shrinker, &sc), tables + 4);
	unit.shrinker->scan_objects(unit.shrinker, &sc);
	/* The first look spares tables that were touched, but only once. */
	unit.shrinker->scan_objects(unit.shrinker, &sc);
	assert_int_equal(vm->mmu->spages.nr, 0);
	assert_int_equal(vm->mmu->nr_tables, tables - 1);
	assert_true(unit_cpus_agree());
	assert_int_equal(plain_level(DATA), 0);
	assert_int_equal(plain_fault(DATA, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_int_equal(vm->mmu->nr_tables, tables);
}

/* A VM that cannot be made for want of memory leaves nothing behind. */
static void test_no_memory(void **state)
{
	int n, r;

	assert_int_equal(unit_teardown(NULL), 0);
	assert_int_equal(umbra_mmu_init(), 0);
	for (n = 0; ; n++) {
		unit.alloc_left = n;
		r = umbra_mmu_vm_create(vm);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(vm->mmu);
		assert_int_equal(unit.tables, 0);
		assert_int_equal(unit.objects, 0);
	}
	assert_true(n > 2);
	umbra_mmu_vm_destroy(vm);
	umbra_mmu_exit();
	assert_int_equal(setup(NULL), 0);
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kind), TEST(test_other_hosts), TEST(test_zap), TEST(test_ageing),
		TEST(test_log), TEST(test_read_only), TEST(test_tables_written),
		TEST(test_change_flushes), TEST(test_mutation), TEST(test_roots_go),
		TEST(test_pressure), TEST(test_no_memory),
	};
	int failed = 0;

	for (host = 0; host < ARRAY_SIZE(hosts); host++)
		failed |= cmocka_run_group_tests_name(hosts[host].name, tests, NULL, NULL);
	return failed;
}
