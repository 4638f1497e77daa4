// SPDX-License-Identifier: GPL-2.0
/*
 * Entries and walks of second-level tables. Every format goes through the same
 * cases; walks are compared with a plain look at all entries.
 */
#include "mmu_lib.h"
#include "mmu/pt_iter.h"

#define FRAMES	64	/* leaves that a random tree gets */
#define STEPS	4096

static const enum umbra_fmt_id formats[] = { UMBRA_FMT_NPT, UMBRA_FMT_EPT };

static void check_leaf(enum umbra_fmt_id f, int level, bool writable)
{
	hpa_t pa = 0xfedc0000000ULL & ~(0x1000ULL * umbra_level_pages(level) - 1);
	u64 e = umbra_fmt_make_leaf(f, pa, level, writable, false);

	assert_true(umbra_fmt_present(f, e));
	assert_true(umbra_fmt_leaf(f, e, level));
	assert_true(umbra_fmt_executable(f, e));
	assert_true(umbra_fmt_accessed(f, e));
	assert_int_equal(umbra_fmt_writable(f, e), writable);
	assert_int_equal(umbra_fmt_dirty(f, e), writable);
	assert_int_equal(umbra_fmt_addr(f, e, level), pa);
	assert_true(umbra_fmt_allows(f, e, UMBRA_ACC_READ));
	assert_true(umbra_fmt_allows(f, e, UMBRA_ACC_EXEC));
	assert_int_equal(umbra_fmt_allows(f, e, UMBRA_ACC_WRITE), writable);
	/* One right or bit less, all else as it was. */
	assert_int_equal(umbra_fmt_wrprotect(f, e) | (writable ? 2 : 0), e);
	assert_false(umbra_fmt_writable(f, umbra_fmt_wrprotect(f, e)));
	assert_false(umbra_fmt_accessed(f, umbra_fmt_mkold(f, e)));
	assert_int_equal(umbra_fmt_addr(f, umbra_fmt_mkold(f, e), level), pa);
	assert_int_equal(umbra_fmt_writable(f, umbra_fmt_mkold(f, e)), writable);
}

static void test_entries(void **state)
{
	enum umbra_fmt_id f;
	int i, level;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		f = formats[i];
		assert_false(umbra_fmt_present(f, 0));
		for (level = 1; level <= 3; level++) {
			check_leaf(f, level, false);
			check_leaf(f, level, true);
		}
		for (level = 2; level <= umbra_fmt_levels(f); level++) {
			u64 e = umbra_fmt_make_table(f, 0x123456789000ULL);

			assert_true(umbra_fmt_present(f, e));
			assert_false(umbra_fmt_leaf(f, e, level));
			assert_true(umbra_fmt_writable(f, e));
			assert_true(umbra_fmt_executable(f, e));
			assert_int_equal(umbra_fmt_addr(f, e, level), 0x123456789000ULL);
		}
	}
}

/* NPT entries, bit by bit, as the processor's manual draws them. */
static void test_npt_bits(void **state)
{
	const enum umbra_fmt_id f = UMBRA_FMT_NPT;

	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, false, false), 0x5025);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, true, false), 0x5067);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x600000, 2, true, false), 0x6000e7);
	/* Device memory has nothing of its own here. */
	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, true, true), 0x5067);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x40000000, 3, false, false),
			 0x400000a5);
	assert_int_equal(umbra_fmt_make_table(f, 0x7000), 0x7027);
	assert_int_equal(umbra_fmt_levels(f), 4);
	unit_five_levels = true;
	assert_int_equal(umbra_fmt_levels(f), 5);
	unit_five_levels = false;
}

/* EPT entries, bit by bit: write-back whatever the guest says, devices uncached. */
static void test_ept_bits(void **state)
{
	const enum umbra_fmt_id f = UMBRA_FMT_EPT;
	u64 e;

	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, false, false), 0x5175);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, true, false), 0x5377);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x600000, 2, true, false), 0x6003f7);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x40000000, 3, false, false), 0x400001f5);
	assert_int_equal(umbra_fmt_make_leaf(f, 0x5000, 1, true, true), 0x5307);
	assert_int_equal(umbra_fmt_make_table(f, 0x7000), 0x7107);
	assert_int_equal(umbra_fmt_levels(f), 4);
	unit_five_levels = true;
	assert_int_equal(umbra_fmt_levels(f), 4);
	unit_five_levels = false;
	/* Without an accessed bit that comes back the mapping has to. */
	e = umbra_fmt_make_leaf(f, 0x5000, 1, true, false);
	assert_int_equal(umbra_fmt_mkold(f, e), 0x5277);
	umbra_caps.nested_ad = false;
	assert_false(umbra_fmt_present(f, umbra_fmt_mkold(f, e)));
}

static void test_levels(void **state)
{
	assert_int_equal(umbra_level_pages(1), 1);
	assert_int_equal(umbra_level_pages(2), 512);
	assert_int_equal(umbra_level_pages(3), 512 * 512);
	assert_int_equal(umbra_level_index(0x123456789, 1), 0x189);
	assert_int_equal(umbra_level_index(0x123456789, 2), 0x0b3);
	assert_int_equal(umbra_level_index(0x123456789, 3), 0x0d1);
	assert_int_equal(umbra_level_index(0x123456789, 4), 0x024);
}

/* A tree by hand: one leaf per call, at random frames of random sizes. */
static void grow(enum umbra_fmt_id f, u64 *root, gfn_t gfn, int leaf)
{
	u64 *table = root;
	int level;

	for (level = umbra_fmt_levels(f); level > leaf; level--) {
		u64 *e = &table[(gfn >> (9 * (level - 1))) % 512];

		if (umbra_fmt_present(f, *e) && umbra_fmt_leaf(f, *e, level))
			return;
		if (!umbra_fmt_present(f, *e))
			*e = umbra_fmt_make_table(f, unit_get_free_page());
		table = (u64 *)umbra_fmt_addr(f, *e, level);
	}
	if (!umbra_fmt_present(f, table[(gfn >> (9 * (leaf - 1))) % 512]))
		table[(gfn >> (9 * (leaf - 1))) % 512] =
			umbra_fmt_make_leaf(f, 0x140000000ULL, leaf, true, false);
}

/* Frames near each other and far away, at the ends of tables and of the root. */
static gfn_t random_gfn(void)
{
	const gfn_t top = umbra_mmu_max_gfn(&unit.vm);

	switch (unit_random() % 4) {
	case 0:
		return unit_random() % 2048;
	case 1:
		return top - unit_random() % 2048;
	case 2:
		return (unit_random() & top) | 0x1ff;
	default:
		return unit_random() & top;
	}
}

struct visit {
	gfn_t gfn;
	int level;
};

/* All present entries that touch [first, end), upper before lower. */
static int scan(enum umbra_fmt_id f, const u64 *table, int level, gfn_t base, gfn_t first,
		gfn_t end, struct visit *out)
{
	int i, n = 0;

	for (i = 0; i < 512 && first < end; i++) {
		gfn_t at = base + i * umbra_level_pages(level);

		if (!umbra_fmt_present(f, table[i]) || at >= end ||
		    at + umbra_level_pages(level) <= first)
			continue;
		out[n++] = (struct visit){ .gfn = at, .level = level };
		if (!umbra_fmt_leaf(f, table[i], level))
			n += scan(f, (u64 *)umbra_fmt_addr(f, table[i], level), level - 1, at,
				  first, end, out + n);
	}
	return n;
}

static void compare_walk(enum umbra_fmt_id f, u64 *root, gfn_t first, gfn_t end)
{
	static struct visit want[STEPS];
	int n = scan(f, root, umbra_fmt_levels(f), 0, first, end, want), i = 0;
	struct umbra_pt_iter it;

	umbra_pt_begin(&it, f, root, first, end);
	while (umbra_pt_next(&it)) {
		assert_true(i < n);
		assert_int_equal(it.gfn, want[i].gfn);
		assert_int_equal(it.level, want[i].level);
		assert_int_equal(it.entry, *umbra_pt_entry(&it));
		i++;
	}
	assert_int_equal(i, n);
}

static void test_walk(void **state)
{
	u64 *root = (u64 *)unit.root;
	enum umbra_fmt_id f;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		f = formats[i];
		compare_walk(f, root, 0, umbra_mmu_max_gfn(&unit.vm) + 1);
		for (n = 0; n < FRAMES; n++)
			grow(f, root, random_gfn(), unit_random() % 3 + 1);
		compare_walk(f, root, 0, umbra_mmu_max_gfn(&unit.vm) + 1);
		for (n = 0; n < 500; n++) {
			gfn_t a = random_gfn(), b = random_gfn();

			compare_walk(f, root, min(a, b), max(a, b) + 1);
			compare_walk(f, root, a, a + 1);
			compare_walk(f, root, a, a);
		}
	}
}

/* An entry that the visitor clears is not followed; its subtree stays intact. */
static void test_cleared_entry(void **state)
{
	u64 *root = (u64 *)unit.root, saved;
	struct umbra_pt_iter it;
	int visits = 0;

	grow(UMBRA_FMT_NPT, root, 5, 1);
	grow(UMBRA_FMT_NPT, root, 0x205, 1);
	umbra_pt_begin(&it, UMBRA_FMT_NPT, root, 0, 0x10000);
	while (umbra_pt_next(&it) && it.level != 2)
		;
	assert_int_equal(it.gfn, 0);
	saved = umbra_pt_replace(&it, 0);
	while (umbra_pt_next(&it))
		visits++;
	/* The second table's entry and its leaf. */
	assert_int_equal(visits, 2);
	umbra_pt_seek(&it, UMBRA_FMT_NPT, root, 5);
	while (it.level > 2)
		umbra_pt_down(&it, 5);
	umbra_pt_replace(&it, saved);
}

/* After the lock was dropped a walk goes on behind the entry that it finished. */
static void test_restart(void **state)
{
	u64 *root = (u64 *)unit.root;
	struct umbra_pt_iter it;
	gfn_t gfn, next = 0;

	for (gfn = 0; gfn < 0x600; gfn += 0x80)
		grow(UMBRA_FMT_NPT, root, gfn, 1);
	umbra_pt_begin(&it, UMBRA_FMT_NPT, root, 0, 0x600);
	while (umbra_pt_next(&it)) {
		if (it.level > 1)
			continue;
		assert_int_equal(it.gfn, next);
		next += 0x80;
		umbra_pt_restart(&it);
	}
	assert_int_equal(next, 0x600);
}

/* A walk that goes on at a table visits what hangs there, and nothing before it. */
static void test_restart_at_table(void **state)
{
	u64 *root = (u64 *)unit.root;
	struct umbra_pt_iter it;
	gfn_t gfn, next = 0x80;

	for (gfn = 0; gfn < 0x600; gfn += 0x80)
		grow(UMBRA_FMT_NPT, root, gfn, 1);
	umbra_pt_begin(&it, UMBRA_FMT_NPT, root, 0x80, 0x600);
	while (umbra_pt_next(&it)) {
		if (it.level > 1) {
			if (it.gfn > it.first)
				umbra_pt_restart(&it);
			continue;
		}
		assert_int_equal(it.gfn, next);
		next += 0x80;
	}
	assert_int_equal(next, 0x600);
}

/* A processor that sets a bit at the same moment makes the exchange fail. */
static void test_try_replace(void **state)
{
	struct umbra_pt_iter it;
	int tries = 0;

	grow(UMBRA_FMT_NPT, (u64 *)unit.root, 7, 1);
	umbra_pt_seek(&it, UMBRA_FMT_NPT, (u64 *)unit.root, 7);
	while (it.level > 1)
		umbra_pt_down(&it, 7);
	*umbra_pt_entry(&it) = umbra_fmt_mkold(it.fmt, it.entry);
	while (!umbra_pt_try_replace(&it, umbra_fmt_wrprotect(it.fmt, it.entry)))
		tries++;
	assert_true(tries > 0);
	assert_false(umbra_fmt_writable(it.fmt, *umbra_pt_entry(&it)));
	/* What the processor had set or not set survives. */
	assert_int_equal(umbra_fmt_accessed(it.fmt, *umbra_pt_entry(&it)),
			 umbra_fmt_accessed(it.fmt, it.entry));
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, unit_setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_entries), TEST(test_npt_bits), TEST(test_ept_bits), TEST(test_levels),
		TEST(test_walk), TEST(test_cleared_entry), TEST(test_restart),
		TEST(test_restart_at_table), TEST(test_try_replace),
	};

	return cmocka_run_group_tests_name("mmu_pt", tests, NULL, NULL);
}
