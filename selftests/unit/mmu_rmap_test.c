// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse maps against plain sets: what is in them, how many chunks they take,
 * and that they give all of them back.
 */
#include "mmu_lib.h"
#include "mmu/gwalk.h"
#include "mmu/mmu_internal.h"
#include "mmu/slot.h"

#define HEADS	4
#define SPTES	64
#define STEPS	20000

static u64 table[SPTES];
static unsigned long head[HEADS];
static bool in[HEADS][SPTES];
static struct umbra_stock *stock;
static int chunks;

static int setup(void **state)
{
	if (unit_setup_mode(UMBRA_MMU_SHADOW, 1))
		return -1;
	stock = &unit.vcpu[0].mmu->stock;
	memset(head, 0, sizeof(head));
	memset(in, 0, sizeof(in));
	chunks = 0;
	return 0;
}

static void add(int h, int i)
{
	assert_int_equal(umbra_stock_fill(stock), 0);
	chunks += umbra_rmap_add(&head[h], &table[i], stock);
	in[h][i] = true;
}

static void del(int h, int i)
{
	chunks -= umbra_rmap_del(&head[h], &table[i]);
	in[h][i] = false;
}

static int count(int h)
{
	int i, n = 0;

	for (i = 0; i < SPTES; i++)
		n += in[h][i];
	return n;
}

/* As few chunks as there can be when only the first may have room. */
static int chunks_for(int n)
{
	return n < 2 ? 0 : DIV_ROUND_UP(n, (int)UMBRA_RMAP_CHUNK);
}

static void check(int h)
{
	bool seen[SPTES] = {};
	struct umbra_rmap_iter it;
	int n = 0;
	u64 *e;

	umbra_rmap_begin(&it, head[h]);
	while ((e = umbra_rmap_next(&it))) {
		assert_in_range(e - table, 0, SPTES - 1);
		assert_true(in[h][e - table]);
		assert_false(seen[e - table]);
		seen[e - table] = true;
		n++;
	}
	assert_int_equal(n, count(h));
	assert_int_equal(umbra_rmap_count(head[h]), n);
	e = umbra_rmap_first(head[h]);
	assert_true(n ? e && in[h][e - table] : !e);
}

static void test_one_by_one(void **state)
{
	int i;

	for (i = 0; i < SPTES; i++) {
		assert_int_equal(chunks, chunks_for(i));
		add(0, i);
		check(0);
	}
	for (i = 0; i < SPTES; i++) {
		del(0, i);
		check(0);
	}
	assert_int_equal(head[0], 0);
	assert_int_equal(chunks, 0);
}

/* Deleting whatever comes first is how all entries of a map go. */
static void test_drain(void **state)
{
	u64 *e;
	int i;

	for (i = 0; i < SPTES; i += 3)
		add(1, i);
	while ((e = umbra_rmap_first(head[1]))) {
		del(1, e - table);
		check(1);
	}
	assert_int_equal(chunks, 0);
}

static void test_random(void **state)
{
	int step, h, i, want;

	for (step = 0; step < STEPS; step++) {
		/* Long stretches of mostly growing and mostly shrinking. */
		bool grow = step / 300 % 2 ? unit_random() % 3 : !(unit_random() % 3);

		h = unit_random() % HEADS;
		i = unit_random() % SPTES;
		if (in[h][i] && !grow)
			del(h, i);
		else if (!in[h][i] && grow)
			add(h, i);
		check(h);
	}
	for (want = 0, h = 0; h < HEADS; h++) {
		for (i = 0; i < SPTES; i++)
			if (in[h][i])
				del(h, i);
		want |= !!head[h];
	}
	assert_false(want);
	assert_int_equal(chunks, 0);
}

/* Map frame @gfn for @vcpu at its @i-th address. */
static void map_alias(struct umbra_vcpu *vcpu, struct umbra_memslot *slot, gfn_t gfn, u64 i)
{
	struct umbra_gwalk walk = { .vcpu = vcpu, .level = 1 };
	struct umbra_fault fault = {
		.vcpu = vcpu, .gfn = gfn, .access = UMBRA_ACC_READ, .slot = slot, .level = 1,
		.writable = true, .gva = i << PAGE_SHIFT, .walk = &walk,
		.frame = { .pfn = 0x1234, .writable = true, .level = 1 },
	};
	struct umbra_tlb tlb;

	assert_int_equal(umbra_tables_stock(vcpu), 0);
	umbra_tlb_begin(&tlb, vcpu->vm);
	pagefault_disable();
	spin_lock(&vcpu->vm->mmu->lock);
	assert_int_equal(umbra_vtlb_ops.map(&fault, &tlb), UMBRA_MMU_RETRY);
	umbra_tlb_flush(&tlb);
	spin_unlock(&vcpu->vm->mmu->lock);
	pagefault_enable();
	umbra_tlb_end(&tlb);
}

/* So many mappings of one frame that all of them go: other processors must hear of it. */
static void test_full(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x400, 0x7f0000000000UL, 0);
	int i;

	for (i = 0; i < UMBRA_RMAP_MAX; i++)
		map_alias(&unit.vcpu[i & 1], slot, 0x205, i);
	unit_cpus_touch();
	map_alias(&unit.vcpu[0], slot, 0x205, i);
	assert_int_equal(umbra_rmap_count(umbra_region(slot, 0x205)->rmap[5]), 1);
	assert_true(unit_cpus_agree());
}

static int setup_vtlb(void **state)
{
	return unit_setup_mode(UMBRA_MMU_VTLB, 2);
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_by_one), TEST(test_drain), TEST(test_random),
		cmocka_unit_test_setup_teardown(test_full, setup_vtlb, unit_teardown),
	};

	return cmocka_run_group_tests_name("mmu_rmap", tests, NULL, NULL);
}
