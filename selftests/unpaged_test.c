// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that turn paging off and on, and vCPUs without paging beside others that have it: both
 * see one memory. What the host, the dirty log or a read-only slot does to a page holds for
 * both, page tables written without paging count, and nothing comes back that was taken away
 * while the vCPU had its paging the other way. (VT-x runs the two kinds on different tables.)
 */
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "paging.h"

#define SLOT		1
#define DATA		0x10000000ull	/* gpa of the slot under test */
#define PAGES		16
#define WINDOW		0x80000000ull	/* where the paged guest has it */
#define ROUNDS		24
#define CR0_PG		(1ull << 31)

/* vCPU 0 has paging, vCPU 1 has turned it off. */
#define PAGED		0
#define PLAIN		1

FIXTURE(unpaged)
{
	struct ut_pg *g;
	char *hva;
	u64 pte[PAGES];
};

/* Those whose code also runs without paging. */
FIXTURE_VARIANT(unpaged)
{
	enum ut_paging mode;
};

FIXTURE_VARIANT_ADD(unpaged, two_levels)
{
	.mode = UT_PG_2LEVEL,
};

FIXTURE_VARIANT_ADD(unpaged, large_pages)
{
	.mode = UT_PG_PSE,
};

FIXTURE_VARIANT_ADD(unpaged, pae)
{
	.mode = UT_PG_PAE,
};

/* One operation of one vCPU, which must not fault: what it read. */
static u64 one(struct ut_pg *g, int n, struct ut_pg_op op)
{
	struct ut_pg_op *list = ut_pg_ops(g, n);
	char text[160];

	list[0] = op;
	ut_pg_run(g, n, 1);
	if (list[0].vector != UT_PG_NO_FAULT)
		ut_die("%s", ut_pg_describe(&list[0], text, sizeof(text)));
	return list[0].got;
}

/* The same, which must leave the guest at @gpa, and then goes on. */
static bool leaves(struct ut_pg *g, int n, struct ut_pg_op op, u64 gpa)
{
	const struct kvm_run *run = g->vm->vcpu[n]->run;
	bool there;

	ut_pg_ops(g, n)[0] = op;
	ut_pg_start(g, n, 1);
	there = ut_pg_resume(g, n) == KVM_EXIT_MMIO && run->mmio.phys_addr == gpa;
	return there && !ut_pg_resume(g, n);
}

static u64 cr0_of(struct ut_pg *g, int n)
{
	return one(g, n, UT_PG_OP(GETCR0));
}

static void set_paging(struct ut_pg *g, int n, bool on)
{
	u64 cr0 = cr0_of(g, n) & ~CR0_PG;

	one(g, n, UT_PG_OP(CR0, .value = cr0 | (on ? CR0_PG : 0)));
}

/* Address of page @i for vCPU @n. */
static u64 at(int n, unsigned int i)
{
	return (n == PAGED ? WINDOW : DATA) + i * UT_PAGE_SIZE;
}

static u64 get(struct ut_pg *g, int n, unsigned int i)
{
	return one(g, n, UT_PG_OP(READ, .addr = at(n, i)));
}

static void put(struct ut_pg *g, int n, unsigned int i, u32 value)
{
	one(g, n, UT_PG_OP(WRITE, .addr = at(n, i), .value = value));
}

/* A write of an entry by the guest. */
static struct ut_pg_op set_entry(const struct ut_pg *g, u64 entry, u64 value)
{
	if (g->entry_size == 4)
		return UT_PG_OP(WRITE, .addr = entry, .value = value);
	return UT_PG_OP(SET8, .addr = entry, .value = value);
}

static u64 leaf_to(unsigned int i)
{
	return (DATA + i * UT_PAGE_SIZE) | UT_PTE_P | UT_PTE_W;
}

FIXTURE_SETUP(unpaged)
{
	unsigned int i;

	self->g = ut_pg_new(variant->mode, 2);
	self->hva = ut_add_slot(self->g->vm, SLOT, DATA, PAGES * UT_PAGE_SIZE, 0);
	for (i = 0; i < PAGES; i++) {
		self->pte[i] = ut_pg_map(self->g, self->g->root, at(PAGED, i), at(PLAIN, i), 1,
					 UT_PTE_W);
		*(u32 *)(self->hva + i * UT_PAGE_SIZE) = 0x100 + i;
	}
	set_paging(self->g, PLAIN, false);
}

FIXTURE_TEARDOWN(unpaged)
{
	ut_pg_free(self->g);
}

TEST_F(unpaged, one_memory)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(0x100 + i, get(self->g, PAGED, i));
		ASSERT_EQ(0x100 + i, get(self->g, PLAIN, i));
		put(self->g, PLAIN, i, 0x200 + i);
		ASSERT_EQ(0x200 + i, get(self->g, PAGED, i));
		put(self->g, PAGED, i, 0x300 + i);
		ASSERT_EQ(0x300 + i, get(self->g, PLAIN, i));
	}
	ASSERT_EQ(0, cr0_of(self->g, PLAIN) & CR0_PG);
	ASSERT_EQ(CR0_PG, cr0_of(self->g, PAGED) & CR0_PG);
}

/* Entries of the last level, and then a directory's, which leads to another table. */
TEST_F(unpaged, tables_written_without_paging)
{
	struct ut_pg *g = self->g;
	u64 table = ut_pg_alloc(g), directory = ut_pg_entry(g, g->root, WINDOW, 2);
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		one(g, PLAIN, set_entry(g, self->pte[0], leaf_to(1 + i % 8)));
		one(g, PAGED, UT_PG_OP(INVLPG, .addr = WINDOW));
		ASSERT_EQ(0x101 + i % 8, get(g, PAGED, 0));
	}
	one(g, PLAIN, set_entry(g, table, leaf_to(9)));
	one(g, PLAIN, set_entry(g, directory, table | UT_PTE_P | UT_PTE_W));
	one(g, PAGED, UT_PG_OP(CR3, .value = g->root));
	ASSERT_EQ(0x109, get(g, PAGED, 0));
	/* It was no table when the vCPU without paging began to write it. */
	one(g, PLAIN, set_entry(g, table, leaf_to(10)));
	one(g, PAGED, UT_PG_OP(INVLPG, .addr = WINDOW));
	ASSERT_EQ(0x10a, get(g, PAGED, 0));
}

/* One vCPU, off and on again and again; what it changes meanwhile it finds. */
TEST_F(unpaged, off_and_on)
{
	struct ut_pg *g = self->g;
	u64 cr0 = cr0_of(g, PAGED);
	struct ut_pg_op *op = ut_pg_ops(g, PAGED);
	unsigned int i, n = 0;

	ASSERT_LE(ROUNDS * 6, g->max_ops);
	for (i = 0; i < ROUNDS; i++) {
		op[n++] = UT_PG_OP(READ, .addr = WINDOW);
		op[n++] = UT_PG_OP(CR0, .value = cr0 & ~CR0_PG);
		op[n++] = set_entry(g, self->pte[0], leaf_to(1 + i % 8));
		op[n++] = UT_PG_OP(WRITE, .addr = DATA + (1 + i % 8) * UT_PAGE_SIZE,
				   .value = 0x1000 + i);
		op[n++] = UT_PG_OP(CR0, .value = cr0);
		op[n++] = UT_PG_OP(READ, .addr = WINDOW);
	}
	ut_pg_run(g, PAGED, n);
	for (i = 0; i < n; i++)
		ASSERT_EQ(UT_PG_NO_FAULT, op[i].vector);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(i ? 0x1000 + i - 1 : 0x100, op[i * 6].got);
		ASSERT_EQ(0x1000 + i, op[i * 6 + 5].got);
	}
}

static u64 read_log(struct _test_data_unpaged *self)
{
	u64 bits = 0;
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = &bits };

	ut_must_ioctl(self->g->vm->fd, KVM_GET_DIRTY_LOG, &log);
	return bits;
}

TEST_F(unpaged, dirty_log)
{
	struct ut_pg *g = self->g;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		put(g, PLAIN, i, 1);
		put(g, PAGED, i, 1);
	}
	ASSERT_EQ(0, ut_set_region(g->vm, SLOT, DATA, PAGES * UT_PAGE_SIZE, self->hva,
				   KVM_MEM_LOG_DIRTY_PAGES));
	for (i = 0; i < 4; i++) {
		put(g, PLAIN, 1 + i, 2);
		put(g, PAGED, 9 - i, 2);
		get(g, PLAIN, 12);
		get(g, PAGED, 13);
		ASSERT_EQ(1ull << (1 + i) | 1ull << (9 - i), read_log(self));
		ASSERT_EQ(0, read_log(self));
		/* The same page by the other vCPU. */
		put(g, PAGED, 1 + i, 3);
		ASSERT_EQ(1ull << (1 + i), read_log(self));
		put(g, PLAIN, 1 + i, 4);
		ASSERT_EQ(1ull << (1 + i), read_log(self));
	}
}

TEST_F(unpaged, read_only_slot)
{
	struct ut_pg *g = self->g;

	put(g, PLAIN, 3, 7);
	put(g, PAGED, 3, 8);
	ASSERT_EQ(0, ut_set_region(g->vm, SLOT, DATA, 0, self->hva, 0));
	ASSERT_EQ(0, ut_set_region(g->vm, SLOT, DATA, PAGES * UT_PAGE_SIZE, self->hva,
				   KVM_MEM_READONLY));
	ASSERT_EQ(8, get(g, PLAIN, 3));
	ASSERT_EQ(8, get(g, PAGED, 3));
	ASSERT_TRUE(leaves(g, PLAIN, UT_PG_OP(WRITE, .addr = at(PLAIN, 3), .value = 9),
			   at(PLAIN, 3)));
	ASSERT_TRUE(leaves(g, PAGED, UT_PG_OP(WRITE, .addr = at(PAGED, 3), .value = 9),
			   at(PLAIN, 3)));
	ASSERT_EQ(8, get(g, PLAIN, 3));
}

/* The host takes pages away while a vCPU has its paging this way or the other. */
TEST_F(unpaged, pages_taken_away)
{
	struct ut_pg *g = self->g;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		put(g, PLAIN, i, 5);
		put(g, PAGED, i, 6);
		set_paging(g, PLAIN, i & 1);
		set_paging(g, PAGED, i & 1);
		ASSERT_EQ(0, madvise(self->hva + i * UT_PAGE_SIZE, UT_PAGE_SIZE, MADV_DONTNEED));
		set_paging(g, PAGED, true);
		set_paging(g, PLAIN, false);
		ASSERT_EQ(0, get(g, PLAIN, i));
		ASSERT_EQ(0, get(g, PAGED, i));
		put(g, PAGED, i, 7);
		ASSERT_EQ(7, get(g, PLAIN, i));
		ASSERT_EQ(7, *(u32 *)(self->hva + i * UT_PAGE_SIZE));
	}
}

TEST_F(unpaged, slot_deleted)
{
	struct ut_pg *g = self->g;

	put(g, PLAIN, 2, 5);
	put(g, PAGED, 2, 6);
	ut_del_slot(g->vm, SLOT);
	ASSERT_TRUE(leaves(g, PLAIN, UT_PG_OP(READ, .addr = at(PLAIN, 2)), at(PLAIN, 2)));
	ASSERT_TRUE(leaves(g, PAGED, UT_PG_OP(READ, .addr = at(PAGED, 2)), at(PLAIN, 2)));
}

TEST_HARNESS_MAIN
