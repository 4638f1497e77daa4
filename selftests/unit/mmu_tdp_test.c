// SPDX-License-Identifier: GPL-2.0
/*
 * Nested tables: sizes and rights of mappings, the protocol against the host's
 * invalidations, dropping, ageing, dirty logging; always against processors
 * that keep every translation until they are flushed. Each case in every format.
 */
#include "mmu_lib.h"
#include "mmu/mmu_internal.h"

#define HVA	0x7f0000000000UL
#define GIB	(1UL << 18)	/* pages */

static struct umbra_vm *vm = &unit.vm;

static int fault(gfn_t gfn, u32 access)
{
	return umbra_mmu_fault(unit.vcpu, gfn_to_gpa(gfn), access, false);
}

static void must_map(gfn_t gfn, u32 access)
{
	assert_int_equal(fault(gfn, access), UMBRA_MMU_RETRY);
}

static int level_of(gfn_t gfn)
{
	int level;

	return unit_lookup(gfn, &level) ? level : 0;
}

static bool writable(gfn_t gfn)
{
	int level;

	return unit_lookup(gfn, &level) & E_W;
}

static void assert_mapped(struct umbra_memslot *slot, gfn_t gfn, int level)
{
	assert_int_equal(level_of(gfn), level);
	assert_int_equal(unit_pfn_of(gfn), umbra_slot_hva(slot, gfn) >> PAGE_SHIFT);
}

static void test_no_slot(void **state)
{
	unit_slot(0, 0x100, 0x10, HVA, 0);
	assert_int_equal(fault(0xff, UMBRA_ACC_READ), UMBRA_MMU_MMIO);
	assert_int_equal(fault(0x110, UMBRA_ACC_READ), UMBRA_MMU_MMIO);
	assert_int_equal(fault(umbra_mmu_max_gfn(vm) + 1, UMBRA_ACC_READ), UMBRA_MMU_MMIO);
	assert_int_equal(level_of(0x100), 0);
}

static void test_sizes(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	int level;

	for (level = 1; level <= 3; level++) {
		unit.host_level = level;
		must_map(level * GIB + 0x12345, UMBRA_ACC_READ);
		assert_mapped(slot, level * GIB + 0x12345, level);
	}
	umbra_caps.nested_1g = false;
	must_map(0x777, UMBRA_ACC_WRITE);
	assert_mapped(slot, 0x777, 2);
}

/* Nothing is remembered of the host before anything was seen, not even at address 0. */
static void test_memory_at_0(void **state)
{
	unit_slot(0, 0x200, 0x200, 0, 0);
	unit.frame_error = -EFAULT;
	assert_int_equal(fault(0x200, UMBRA_ACC_READ), -EFAULT);
	assert_int_equal(fault(0x210, UMBRA_ACC_EXEC), -EFAULT);
}

/* A large page must lie wholly in the slot, and gpa and hva must be congruent. */
static void test_alignment(void **state)
{
	struct umbra_memslot *a = unit_slot(0, 0x201, 0x800, HVA + 0x1000, 0);
	struct umbra_memslot *b = unit_slot(1, 0x1000, 0x800, HVA + 0x10000000 + 0x1000, 0);

	unit.host_level = 3;
	must_map(0x201, UMBRA_ACC_READ);
	assert_mapped(a, 0x201, 1);
	must_map(0x400, UMBRA_ACC_READ);
	assert_mapped(a, 0x400, 2);
	must_map(0xa00, UMBRA_ACC_READ);
	assert_mapped(a, 0xa00, 1);
	must_map(0x1234, UMBRA_ACC_READ);
	assert_mapped(b, 0x1234, 1);
}

static void test_rights(void **state)
{
	unit_slot(0, 0, 0x1000, HVA, 0);
	unit_slot(1, 0x1000, 0x1000, HVA + (0x1000UL << 12), KVM_MEM_READONLY);

	must_map(1, UMBRA_ACC_READ);
	assert_true(writable(1));
	must_map(0x1001, UMBRA_ACC_EXEC);
	assert_false(writable(0x1001));
	assert_int_equal(fault(0x1001, UMBRA_ACC_WRITE), UMBRA_MMU_MMIO);
	assert_int_equal(fault(0x1002, UMBRA_ACC_WRITE), UMBRA_MMU_MMIO);

	unit.host_readonly = true;
	must_map(2, UMBRA_ACC_READ);
	assert_false(writable(2));
	assert_int_equal(fault(2, UMBRA_ACC_WRITE), -EFAULT);
	/* A late read fault must not take away what another vCPU has. */
	must_map(1, UMBRA_ACC_READ);
	assert_true(writable(1));

	unit.host_readonly = false;
	must_map(2, UMBRA_ACC_WRITE);
	assert_true(writable(2));
}

static void test_frame_errors(void **state)
{
	static const int errors[] = { -EFAULT, -EHWPOISON, -EINTR };
	int i;

	unit_slot(0, 0, 0x1000, HVA, 0);
	for (i = 0; i < 3; i++) {
		unit.frame_error = errors[i];
		assert_int_equal(fault(5, UMBRA_ACC_READ), errors[i]);
	}
	unit.frame_error = -EAGAIN;
	assert_int_equal(umbra_mmu_fault(unit.vcpu, 0x5000, UMBRA_ACC_READ, true),
			 UMBRA_MMU_SLEEP);
	assert_int_equal(level_of(5), 0);
}

/* Without tables in stock an atomic fault gives up, and a sleeping one says so. */
static void test_table_stock(void **state)
{
	unit_slot(0, 0, 0x1000, HVA, 0);
	assert_int_equal(umbra_mmu_fault(unit.vcpu, 0x5000, UMBRA_ACC_READ, true),
			 UMBRA_MMU_SLEEP);
	unit.alloc_left = 3;
	assert_int_equal(fault(5, UMBRA_ACC_READ), -ENOMEM);
	assert_int_equal(level_of(5), 0);
	unit.alloc_left = 1;
	must_map(5, UMBRA_ACC_READ);
	unit.alloc_left = 0;
	assert_int_equal(umbra_mmu_fault(unit.vcpu, 0x6000, UMBRA_ACC_READ, true),
			 UMBRA_MMU_SLEEP);
}

static void begin_elsewhere(void)
{
	umbra_mmu_invalidate_begin(vm, HVA + 0x100000, HVA + 0x200000);
}

static void begin_here(void)
{
	umbra_mmu_invalidate_begin(vm, HVA + 0x5000, HVA + 0x6000);
}

static void begin_and_end(void)
{
	begin_here();
	umbra_mmu_invalidate_end(vm);
}

/* The host changes its mind between the search for the frame and the mapping. */
static void test_invalidation(void **state)
{
	unit_slot(0, 0, 0x1000, HVA, 0);
	unit.frame_hook = begin_here;
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 0);

	unit.frame_hook = NULL;
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 0);
	must_map(4, UMBRA_ACC_READ);
	assert_int_equal(level_of(4), 1);
	/* A large page that covers the range must wait too. */
	unit.host_level = 2;
	must_map(0x100, UMBRA_ACC_READ);
	assert_int_equal(level_of(0x100), 0);
	must_map(0x300, UMBRA_ACC_READ);
	assert_int_equal(level_of(0x300), 2);
	umbra_mmu_invalidate_end(vm);

	unit.host_level = 1;
	unit.frame_hook = begin_and_end;
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 0);
	unit.frame_hook = NULL;
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 1);
}

/* Two invalidations at once: the first to end does not end the other. */
static void test_nested_invalidations(void **state)
{
	unit_slot(0, 0, 0x1000, HVA, 0);
	begin_here();
	begin_elsewhere();
	umbra_mmu_invalidate_end(vm);
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 0);
	umbra_mmu_invalidate_end(vm);
	must_map(5, UMBRA_ACC_READ);
	assert_int_equal(level_of(5), 1);
}

static void test_zap(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	gfn_t gfn;

	for (gfn = 0; gfn < 0x20; gfn++)
		must_map(gfn, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	assert_true(umbra_mmu_zap_range(vm, slot, 4, 8, true));
	assert_true(unit_cpus_agree());
	for (gfn = 0; gfn < 0x20; gfn++)
		assert_int_equal(level_of(gfn), gfn >= 4 && gfn < 8 ? 0 : 1);
	assert_false(umbra_mmu_zap_range(vm, slot, 4, 8, false));
	assert_false(umbra_mmu_zap_range(vm, slot, 8, 8, false));

	/* A cut large page goes as a whole; its neighbours stay. */
	unit.host_level = 2;
	must_map(0x400, UMBRA_ACC_WRITE);
	must_map(0x600, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	assert_true(umbra_mmu_zap_range(vm, slot, 0x5ff, 0x600, false));
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(0x400), 0);
	assert_int_equal(level_of(0x600), 2);
}

/* Tables wholly inside the range are freed, after the flush. */
static void test_zap_frees_tables(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	int before, stock;

	must_map(0, UMBRA_ACC_WRITE);
	must_map(2 * GIB, UMBRA_ACC_WRITE);
	stock = unit.tables;
	before = unit.tables;
	unit_cpus_touch();
	umbra_mmu_zap_range(vm, slot, 2 * GIB, 3 * GIB, true);
	assert_int_equal(unit.tables, before - 2);
	unit_cpus_touch();
	umbra_mmu_zap_slot(vm, slot);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(0), 0);
	assert_true(unit.tables < stock);
	unit_cpus_touch();
	umbra_mmu_zap_all(vm);
	assert_true(unit_cpus_agree());
}

/* While the lock is dropped, another vCPU maps again what was just dropped. */
static void map_again(void)
{
	unit.resched = false;
	assert_true(unit_cpus_agree());
	must_map(0, UMBRA_ACC_WRITE);
	must_map(0x300, UMBRA_ACC_WRITE);
	unit_cpus_touch();
}

static void test_zap_in_turns(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);
	gfn_t gfn;

	for (gfn = 0; gfn < 0x400; gfn += 0x10)
		must_map(gfn, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	unit.resched = true;
	unit.resched_hook = map_again;
	umbra_mmu_zap_range(vm, slot, 0, 0x3f0, true);
	unit.resched_hook = NULL;
	assert_true(unit_cpus_agree());
	for (gfn = 0x10; gfn < 0x3f0; gfn += 0x10)
		assert_int_equal(level_of(gfn), 0);
	assert_int_equal(level_of(0x3f0), 1);

	/* Without leave to block the lock is never dropped. */
	unit.resched = true;
	unit.resched_hook = abort;
	umbra_mmu_zap_range(vm, slot, 0, 0x400, false);
	unit.resched_hook = NULL;
}

static int turns;

static void count_turn(void)
{
	turns++;
}

/* Tables that hold nothing any more are no reason to keep the lock. */
static void test_turns_in_empty_tables(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, GIB, HVA, 0);
	const int tables = 64;
	int i;

	for (i = 0; i < tables; i++) {
		must_map(i * 0x200 + 7, UMBRA_ACC_WRITE);
		umbra_mmu_zap_range(vm, slot, i * 0x200 + 7, i * 0x200 + 8, true);
	}
	turns = 0;
	unit.resched = true;
	unit.resched_hook = count_turn;
	umbra_mmu_log_start(vm, slot);
	unit.resched_hook = NULL;
	assert_int_equal(turns, tables - 1);
}

static void test_resize(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	int tables;

	must_map(0x200, UMBRA_ACC_WRITE);
	must_map(0x201, UMBRA_ACC_WRITE);
	tables = unit.tables;
	unit_cpus_touch();
	unit.host_level = 2;
	must_map(0x202, UMBRA_ACC_WRITE);
	assert_true(unit_cpus_agree());
	assert_mapped(slot, 0x200, 2);
	assert_int_equal(unit.tables, tables - 1);

	unit_cpus_touch();
	unit.host_level = 1;
	must_map(0x202, UMBRA_ACC_WRITE);
	assert_mapped(slot, 0x202, 1);
	assert_int_equal(level_of(0x200), 0);
	assert_true(unit_cpus_agree());
}

static void test_ageing(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	int level;

	must_map(1, UMBRA_ACC_READ);
	assert_true(umbra_mmu_age_range(vm, slot, 0, 2, false));
	assert_true(umbra_mmu_age_range(vm, slot, 0, 2, true));
	assert_false(unit_lookup(1, &level) & E_A);
	assert_false(umbra_mmu_age_range(vm, slot, 0, 2, false));
	assert_false(umbra_mmu_age_range(vm, slot, 2, 100, true));
	unit.host_level = 3;
	must_map(GIB, UMBRA_ACC_READ);
	assert_true(umbra_mmu_age_range(vm, slot, GIB + 5, GIB + 6, true));
	assert_false(umbra_mmu_age_range(vm, slot, GIB + 7, GIB + 8, true));
}

/* Where no bit would tell of the next access, a page that was aged is not mapped. */
static void test_ageing_drops(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);

	must_map(1, UMBRA_ACC_WRITE);
	must_map(2, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	assert_true(umbra_mmu_age_range(vm, slot, 1, 2, false));
	assert_int_equal(level_of(1), 1);
	assert_true(umbra_mmu_age_range(vm, slot, 1, 2, true));
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(1), umbra_caps.nested_ad ? 1 : 0);
	assert_int_equal(level_of(2), 1);
	assert_false(umbra_mmu_age_range(vm, slot, 1, 2, true));
	must_map(1, UMBRA_ACC_READ);
	assert_int_equal(umbra_mmu_age_range(vm, slot, 1, 2, true), !umbra_caps.nested_ad);
}

/* Reclaim takes tables with leaves, as many as it wants; faults bring them back. */
static void test_shrink(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 4 * GIB, HVA, 0);
	unsigned long tables = vm->mmu->nr_tables;
	struct umbra_tlb tlb;

	assert_int_equal(tables, 1);
	must_map(0, UMBRA_ACC_WRITE);
	must_map(0x200, UMBRA_ACC_WRITE);
	must_map(GIB, UMBRA_ACC_WRITE);
	unit.host_level = 2;
	must_map(0x400, UMBRA_ACC_WRITE);
	tables = vm->mmu->nr_tables;
	unit_cpus_touch();
	umbra_tlb_lock(&tlb, vm);
	assert_int_equal(umbra_tdp_shrink(vm, 2, &tlb), 2);
	umbra_tlb_unlock(&tlb);
	assert_true(unit_cpus_agree());
	assert_int_equal(vm->mmu->nr_tables, tables - 2);
	assert_int_equal(level_of(0), 0);
	assert_int_equal(level_of(0x200), 0);
	assert_int_equal(level_of(0x400), 2);
	assert_int_equal(level_of(GIB), 1);
	assert_int_equal(atomic64_read(&vm->stats.monitor_bytes), (tables - 2) * PAGE_SIZE);
	umbra_tlb_lock(&tlb, vm);
	assert_int_equal(umbra_tdp_shrink(vm, 100, &tlb), 1);
	assert_int_equal(umbra_tdp_shrink(vm, 100, &tlb), 0);
	umbra_tlb_unlock(&tlb);
	unit.host_level = 1;
	must_map(0, UMBRA_ACC_WRITE);
	assert_mapped(slot, 0, 1);
}

static void start_logging(struct umbra_memslot *slot, unsigned long *bitmap)
{
	slot->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	slot->dirty = bitmap;
	unit_cpus_touch();
	umbra_mmu_log_start(vm, slot);
	assert_true(unit_cpus_agree());
}

static void test_log_start(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);
	unsigned long bitmap[0x1000 / 64] = {};

	unit.host_level = 2;
	must_map(0x200, UMBRA_ACC_WRITE);
	unit.host_level = 1;
	must_map(0x10, UMBRA_ACC_WRITE);
	start_logging(slot, bitmap);
	assert_int_equal(level_of(0x200), 0);
	assert_int_equal(level_of(0x10), 1);
	assert_false(writable(0x10));

	/* A read gives no write right, a write gives it together with the bit. */
	unit.host_level = 2;
	must_map(0x201, UMBRA_ACC_READ);
	assert_int_equal(level_of(0x201), 1);
	assert_false(writable(0x201));
	assert_int_equal(bitmap[0x201 / 64], 0);
	must_map(0x201, UMBRA_ACC_WRITE);
	assert_true(writable(0x201));
	assert_int_equal(bitmap[0x201 / 64], BIT(1));
	assert_int_equal(level_of(0x200), 0);
}

static void test_log_protect(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0x40, 0x1000, HVA, 0);
	unsigned long bitmap[0x1000 / 64] = {};
	gfn_t gfn;

	start_logging(slot, bitmap);
	for (gfn = 0x40; gfn < 0x100; gfn++)
		must_map(gfn, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	umbra_mmu_log_protect(vm, slot, 0x80, BIT(0) | BIT(5) | BIT(63));
	umbra_mmu_log_protect(vm, slot, 0x80, 0);
	umbra_flush_remote_tlbs(vm);
	for (gfn = 0x40; gfn < 0x100; gfn++)
		assert_int_equal(writable(gfn),
				 gfn != 0x80 && gfn != 0x85 && gfn != 0xbf);
	assert_true(unit_cpus_agree());
}

/* With an initially full log nothing was split: clearing has to drop large pages. */
static void test_log_protect_large(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);
	unsigned long bitmap[0x1000 / 64] = {};

	unit.host_level = 2;
	must_map(0x200, UMBRA_ACC_WRITE);
	slot->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	slot->dirty = bitmap;
	unit_cpus_touch();
	umbra_mmu_log_protect(vm, slot, 0x240, BIT(3));
	/* Before the caller's own flush: a vanished entry cannot wait for it. */
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(0x243), 0);
	must_map(0x243, UMBRA_ACC_WRITE);
	assert_int_equal(level_of(0x243), 1);
	assert_int_equal(bitmap[9], BIT(3));
}

static void test_log_stop(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0x100, 0x1000, HVA + 0x100000, 0);
	unsigned long bitmap[0x1000 / 64] = {};

	start_logging(slot, bitmap);
	must_map(0x180, UMBRA_ACC_WRITE);
	must_map(0x280, UMBRA_ACC_WRITE);
	slot->flags = 0;
	slot->dirty = NULL;
	unit_cpus_touch();
	umbra_mmu_log_stop(vm, slot);
	assert_int_equal(level_of(0x280), 1);

	unit.host_level = 2;
	umbra_mmu_log_stop(vm, slot);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(0x280), 0);
	/* The slot's first table reaches below it: never large. */
	assert_int_equal(level_of(0x180), 1);
	must_map(0x280, UMBRA_ACC_READ);
	assert_mapped(slot, 0x280, 2);
}

static void random_step(struct umbra_memslot *slot)
{
	gfn_t gfn = unit_random() % slot->npages, len = unit_random() % 0x300 + 1;
	gfn_t end = min(gfn + len, (gfn_t)slot->npages);
	u32 access = unit_random() % 2 ? UMBRA_ACC_READ : UMBRA_ACC_WRITE;

	unit.host_level = unit_random() % 3 + 1;
	unit.host_readonly = access == UMBRA_ACC_READ && unit_random() % 2;
	switch (unit_random() % 8) {
	case 0:
		umbra_mmu_zap_range(vm, slot, gfn, end, unit_random() % 2);
		break;
	case 1:
		umbra_mmu_age_range(vm, slot, gfn, end, true);
		break;
	case 2:
		umbra_mmu_log_stop(vm, slot);
		break;
	case 3:
		umbra_mmu_log_start(vm, slot);
		break;
	default:
		must_map(gfn, access);
		assert_int_equal(unit_pfn_of(gfn), umbra_slot_hva(slot, gfn) >> PAGE_SHIFT);
		assert_true(access == UMBRA_ACC_READ || writable(gfn));
	}
}

/* Whatever happens in whatever order, processors agree with the tables. */
static void test_random(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, GIB + 0x600, HVA, 0);
	int i;

	for (i = 0; i < 4000; i++) {
		unit_cpus_touch();
		random_step(slot);
		assert_true(unit_cpus_agree());
	}
}

/* The model would notice a flush that is missing. */
static void test_mutation(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);

	must_map(1, UMBRA_ACC_WRITE);
	must_map(2, UMBRA_ACC_WRITE);
	unit_cpus_touch();
	unit.forget_flush = true;
	umbra_mmu_zap_range(vm, slot, 1, 2, false);
	assert_false(unit_cpus_agree());
}

static void test_context(void **state)
{
	hpa_t root = unit.root;

	assert_int_not_equal(root, 0);
	unit.root = 0;
	assert_int_equal(umbra_mmu_load(unit.vcpu), 0);
	assert_int_equal(unit.root, root);
	umbra_mmu_context_changed(unit.vcpu);
	umbra_mmu_invlpg(unit.vcpu, 0x1000);
	assert_int_equal(unit.tlb_flushes, 2);
}

static int group_npt(void **state)
{
	unit_caps = unit_npt;
	return 0;
}

static int group_ept(void **state)
{
	unit_caps = unit_ept;
	return 0;
}

static int group_ept_no_ad(void **state)
{
	unit_caps = unit_ept_no_ad;
	return 0;
}

static int setup_five(void **state)
{
	unit_five_levels = true;
	return unit_setup(state);
}

static int teardown_five(void **state)
{
	int ret = unit_teardown(state);

	unit_five_levels = false;
	return ret;
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, unit_setup, unit_teardown)
#define TEST_FIVE(f)	{ #f " (5 levels)", f, setup_five, teardown_five, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_slot), TEST(test_memory_at_0), TEST(test_sizes), TEST(test_alignment),
		TEST(test_rights),
		TEST(test_frame_errors), TEST(test_table_stock), TEST(test_invalidation),
		TEST(test_nested_invalidations), TEST(test_zap), TEST(test_zap_frees_tables),
		TEST(test_zap_in_turns), TEST(test_turns_in_empty_tables), TEST(test_resize),
		TEST(test_shrink), TEST(test_ageing), TEST(test_ageing_drops),
		TEST(test_log_start), TEST(test_log_protect), TEST(test_log_protect_large),
		TEST(test_log_stop), TEST(test_random), TEST(test_mutation), TEST(test_context),
	};
	const struct CMUnitTest five[] = {
		TEST_FIVE(test_no_slot), TEST_FIVE(test_sizes), TEST_FIVE(test_zap),
		TEST_FIVE(test_log_protect_large), TEST_FIVE(test_random),
	};
	int failed;

	failed = cmocka_run_group_tests_name("mmu_tdp (NPT)", tests, group_npt, NULL);
	failed |= cmocka_run_group_tests_name("mmu_tdp (NPT)", five, group_npt, NULL);
	failed |= cmocka_run_group_tests_name("mmu_tdp (EPT)", tests, group_ept, NULL);
	failed |= cmocka_run_group_tests_name("mmu_tdp (EPT without accessed bits)", tests,
					      group_ept_no_ad, NULL);
	return failed;
}
