// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that goes through all of its address space in every paging mode: each entry of its
 * top table, pages of all sizes, tables that map themselves, guest-physical addresses without
 * memory. Whatever it reads, writes or runs must be its own, be a fault by its own tables, or
 * be an MMIO exit with the right address; its registers must read as it wrote them. Nothing may
 * be seen of the tables, rights and frames with which the hypervisor makes that work. How single
 * rights and bits fault is page_fault_test.c's matter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "paging.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define MAX_REPORTS	10
#define NO_GPA		(~0ull)
/* A second slot, whose host memory lies between canaries. */
#define ISLAND_GPA	0x30000000ull
#define ISLAND_SIZE	0x10000ull
#define CANARY		0xc5
#define CANARIES	0x400000ull	/* bytes elsewhere in this process */
/* Every 4 bytes of the guest's memory: code for UT_PG_FETCH, and above it which page this is. */
#define TAG(gpa)	(UT_PG_RETURN | (u32)((gpa) >> 12 & 0xffff) << 16)
/* What a device answers. */
#define ANSWER(gpa)	(0xa5000000u ^ (u32)(gpa))
#define A_AND_D		(UT_PTE_A | UT_PTE_D)
#define ALL_RIGHTS	(UT_PTE_P | UT_PTE_W | UT_PTE_U)
#define CR0_WP		BIT_ULL(16)
#define CR4_DE		BIT_ULL(3)
#define CR4_PGE		BIT_ULL(7)
#define MSR_EFER	0xc0000080
#define EFER_SCE	BIT_ULL(0)
#define EFER_NX		BIT_ULL(11)

FIXTURE(hide_monitor)
{
	struct ut_pg *g;
	char *island;		/* canaries, the second slot, canaries */
	char *canaries;
	u32 *image;		/* slot 0 as it should be */
	u32 *island_image;
	u64 seed;
	u64 wrong, exits, expected_exits, done;
	int phys_bits;
};

FIXTURE_VARIANT(hide_monitor)
{
	enum ut_paging mode;
};

FIXTURE_VARIANT_ADD(hide_monitor, real_mode) { .mode = UT_PG_REAL };
FIXTURE_VARIANT_ADD(hide_monitor, no_paging) { .mode = UT_PG_NONE };
FIXTURE_VARIANT_ADD(hide_monitor, two_level) { .mode = UT_PG_2LEVEL };
FIXTURE_VARIANT_ADD(hide_monitor, pse) { .mode = UT_PG_PSE };
FIXTURE_VARIANT_ADD(hide_monitor, pae) { .mode = UT_PG_PAE };
FIXTURE_VARIANT_ADD(hide_monitor, four_level) { .mode = UT_PG_4LEVEL };
FIXTURE_VARIANT_ADD(hide_monitor, five_level) { .mode = UT_PG_5LEVEL };

#define SELF	struct _test_data_hide_monitor *self

static u32 dice(SELF, u32 sides)
{
	self->seed = self->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (self->seed >> 33) % sides;
}

static int phys_bits(int dev_fd)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 0x80000008, 0);
	int bits = e ? e->eax & 0xff : 36;

	free(cpuid);
	return bits;
}

static void tag(u32 *mem, u64 gpa, u64 size)
{
	u64 i;

	for (i = 0; i < size / sizeof(*mem); i++)
		mem[i] = TAG(gpa + i * sizeof(*mem));
}

FIXTURE_SETUP(hide_monitor)
{
	if (!ut_pg_supported(variant->mode))
		SKIP(_exit(UT_SKIPPED), "no %s paging in this CPUID", ut_pg_name(variant->mode));
	self->g = ut_pg_new(variant->mode, 1);
	self->phys_bits = phys_bits(self->g->vm->dev_fd);
	self->seed = 0x1234567;
	self->canaries = ut_mmap(CANARIES, UT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	self->island = ut_mmap(3 * ISLAND_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			       -1);
	memset(self->canaries, CANARY, CANARIES);
	memset(self->island, CANARY, 3 * ISLAND_SIZE);
	tag((u32 *)(self->island + ISLAND_SIZE), ISLAND_GPA, ISLAND_SIZE);
	tag(ut_hva(self->g->vm, UT_PG_FREE), UT_PG_FREE, UT_PG_MEM - UT_PG_FREE);
	ut_add_slot_hva(self->g->vm, 1, ISLAND_GPA, ISLAND_SIZE, self->island + ISLAND_SIZE, 0);
	self->image = malloc(UT_PG_MEM);
	self->island_image = malloc(ISLAND_SIZE);
	ASSERT_NE(NULL, self->image);
	ASSERT_NE(NULL, self->island_image);
}

/* All of [mem, mem + size) is CANARY. */
static bool untouched(const char *mem, size_t size)
{
	return *mem == (char)CANARY && !memcmp(mem, mem + 1, size - 1);
}

FIXTURE_TEARDOWN(hide_monitor)
{
	EXPECT_TRUE(untouched(self->canaries, CANARIES));
	EXPECT_TRUE(untouched(self->island, ISLAND_SIZE));
	EXPECT_TRUE(untouched(self->island + 2 * ISLAND_SIZE, ISLAND_SIZE));
	if (self->done)
		TH_LOG("%s: %lu operations, %lu MMIO exits, %lu wrong", ut_pg_name(variant->mode),
		       self->done, self->exits, self->wrong);
	ut_pg_free(self->g);
}

/* ---- the guest's tables, and where they lead ---- */

static int entries_of(const struct ut_pg *g)
{
	return UT_PAGE_SIZE / g->entry_size;
}

static bool has_large(const struct ut_pg *g, int level)
{
	if (g->mode == UT_PG_2LEVEL)
		return false;
	return level == 2 || (level == 3 && g->mode >= UT_PG_4LEVEL);
}

/* Frames at the ends of memory and of address space. */
static u64 edge_frame(SELF, int i)
{
	const u64 frames[] = {
		UT_PG_MEM - UT_PAGE_SIZE, UT_PG_MEM, ISLAND_GPA - UT_PAGE_SIZE, ISLAND_GPA,
		ISLAND_GPA + ISLAND_SIZE - UT_PAGE_SIZE, ISLAND_GPA + ISLAND_SIZE,
		0xfffff000, self->g->entry_size == 4 ? 0x80000000 :
			    (1ull << self->phys_bits) - UT_PAGE_SIZE,
	};

	return frames[i % ARRAY_SIZE(frames)];
}

static u64 far_frame(SELF, int i, int shift)
{
	u64 high = self->g->entry_size == 8 && i & 1 ? 1ull << (self->phys_bits - 1) : 0;

	return high + 0x40000000ull + ((u64)i << shift) % 0x40000000ull;
}

static u64 leaf_entry(SELF, int i)
{
	u64 pages = (UT_PG_MEM - UT_PG_FREE) / UT_PAGE_SIZE;

	if (i % 3 == 2)
		return edge_frame(self, i / 3) | ALL_RIGHTS;
	switch (i % 7) {
	case 0:
		return 0;
	case 1:
		return far_frame(self, i, 12) | ALL_RIGHTS;
	case 2:
		return (UT_PG_FREE + (i * 5 % pages) * UT_PAGE_SIZE) | UT_PTE_P | UT_PTE_U;
	default:
		return (UT_PG_FREE + (i * 5 % pages) * UT_PAGE_SIZE) | ALL_RIGHTS;
	}
}

static u64 upper_entry(SELF, int level, int i, u64 child)
{
	int shift = ut_pg_shift(self->g, level);
	u64 own = shift > 24 ? 0 : UT_PG_FREE + ((u64)i << shift) % (UT_PG_MEM - UT_PG_FREE);

	own &= ~((1ull << shift) - 1);
	if (i % 6 == 2)
		return 0;
	if (i % 6 == 3 && has_large(self->g, level))
		return own | ALL_RIGHTS | UT_PTE_PS;
	if (i % 6 == 4 && has_large(self->g, level))
		return (far_frame(self, i, shift) >> shift << shift) | ALL_RIGHTS | UT_PTE_PS;
	return child | ALL_RIGHTS;
}

/* One table for each level, which all entries above share; a gpa. */
static u64 make_table(SELF, int level)
{
	u64 child = level > 1 ? make_table(self, level - 1) : 0, gpa = ut_pg_alloc(self->g);
	int i;

	for (i = 0; i < entries_of(self->g); i++)
		ut_pg_put(self->g, gpa + i * self->g->entry_size, level > 1 ?
			  upper_entry(self, level, i, child) : leaf_entry(self, i));
	return gpa;
}

/* Fill what the system leaves free of a top table; some of its entries lead to itself. */
static void fill_top(SELF, u64 top, int level, u64 child)
{
	u64 at;
	int i;

	for (i = 0; i < entries_of(self->g); i++) {
		at = top + i * self->g->entry_size;
		if (ut_pg_get(self->g, at))
			continue;
		if (i % 8 == 5)
			ut_pg_put(self->g, at, top | ALL_RIGHTS);
		else if (level == 2)
			ut_pg_put(self->g, at, upper_entry(self, level, i, child));
		else
			ut_pg_put(self->g, at, i % 8 ? child | ALL_RIGHTS : 0);
	}
}

static void make_tables(SELF)
{
	struct ut_pg *g = self->g;
	int top = g->mode == UT_PG_PAE ? 2 : g->levels, i;
	u64 child;

	if (!g->levels)
		return;
	child = make_table(self, top - 1);
	if (g->mode != UT_PG_PAE) {
		fill_top(self, g->root, top, child);
		return;
	}
	for (i = 0; i < 4; i++)
		fill_top(self, ut_pg_get(g, g->root + i * 8) & UT_PTE_ADDR, top, child);
}

static bool canonical(const struct ut_pg *g, u64 gva)
{
	int bits = g->mode == UT_PG_5LEVEL ? 57 : 48;

	return g->mode < UT_PG_4LEVEL || (u64)((int64_t)(gva << (64 - bits)) >> (64 - bits)) == gva;
}

/* Where @gva leads by the guest's tables, or NO_GPA; @writable: for CPL 0, with WP. */
static u64 resolve(const struct ut_pg *g, u64 gva, bool *writable)
{
	u64 table = g->root & UT_PTE_ADDR, entry, page;
	int level;

	*writable = true;
	if (!g->levels)
		return gva;
	for (level = g->levels; ; level--) {
		page = 1ull << ut_pg_shift(g, level);
		entry = ut_pg_get((struct ut_pg *)g, table + (gva / page %
				  (g->mode == UT_PG_PAE && level == 3 ? 4 : entries_of(g))) *
				  g->entry_size);
		if (!(entry & UT_PTE_P))
			return NO_GPA;
		if (!(g->mode == UT_PG_PAE && level == 3))
			*writable &= !!(entry & UT_PTE_W);
		if (level == 1 || (entry & UT_PTE_PS && has_large(g, level)))
			return (entry & UT_PTE_ADDR & ~(page - 1)) | (gva & (page - 1));
		table = entry & UT_PTE_ADDR;
	}
}

/* ---- what must come out of each operation ---- */

/* The 4 bytes at @gpa as the test has them; NULL: no memory there. */
static u32 *expected_word(SELF, u64 gpa)
{
	if (gpa < UT_PG_MEM)
		return &self->image[gpa / 4];
	if (gpa >= ISLAND_GPA && gpa < ISLAND_GPA + ISLAND_SIZE)
		return &self->island_image[(gpa - ISLAND_GPA) / 4];
	return NULL;
}

static void report(SELF, const struct ut_pg_op *op, u64 gpa, const char *what)
{
	char text[160];

	if (++self->wrong <= MAX_REPORTS)
		fprintf(stderr, "# %s: %s; leads to %#lx; %s\n", ut_pg_name(self->g->mode),
			ut_pg_describe(op, text, sizeof(text)), gpa, what);
}

static bool faulted(const struct ut_pg *g, const struct ut_pg_op *op)
{
	if (!canonical(g, op->addr))
		return op->vector == UT_GP_VECTOR;
	return op->vector == UT_PF_VECTOR && op->cr2 == op->addr;
}

static void check(SELF, const struct ut_pg_op *op)
{
	bool writable;
	u64 gpa = canonical(self->g, op->addr) ? resolve(self->g, op->addr, &writable) : NO_GPA;
	u32 *word;

	self->done++;
	if (gpa == NO_GPA || (op->op == UT_PG_WRITE && !writable)) {
		if (!faulted(self->g, op))
			report(self, op, gpa, "expected a fault");
		return;
	}
	if (op->vector != UT_PG_NO_FAULT) {
		report(self, op, gpa, "expected no fault");
		return;
	}
	word = expected_word(self, gpa);
	if (!word) {
		self->expected_exits++;
		if (op->op == UT_PG_READ && op->got != ANSWER(gpa))
			report(self, op, gpa, "expected what the device answered");
		return;
	}
	if (op->op == UT_PG_WRITE)
		*word = op->value;
	/* The guest's tables may have got A and D since. */
	if (op->op == UT_PG_READ && gpa < UT_PG_SYSTEM && (op->got ^ *word) & ~A_AND_D)
		report(self, op, gpa, "expected an entry of its own tables");
	if (op->op == UT_PG_READ && gpa >= UT_PG_SYSTEM && op->got != *word)
		report(self, op, gpa, "expected its own memory");
}

/* Answers an MMIO exit, after a look at whether it is the one that is due. */
static void device(SELF)
{
	struct kvm_run *run = self->g->vm->vcpu[0]->run;
	const struct ut_pg_op *op = ut_pg_current(self->g, 0);
	u32 value = ANSWER(run->mmio.phys_addr);
	bool write = op->op == UT_PG_WRITE, writable;
	u64 gpa = resolve(self->g, op->addr, &writable);

	self->exits++;
	if (run->mmio.phys_addr != gpa || run->mmio.len != 4 || run->mmio.is_write != write)
		report(self, op, gpa, "wrong address, length or direction of MMIO");
	if (run->mmio.is_write && memcmp(run->mmio.data, &op->value, 4))
		report(self, op, gpa, "wrong data of MMIO");
	memcpy(run->mmio.data, &value, sizeof(value));
}

static void run(SELF, int n)
{
	struct ut_pg *g = self->g;
	u32 reason;
	int i;

	memcpy(self->image, ut_hva(g->vm, 0), UT_PG_MEM);
	memcpy(self->island_image, ut_hva(g->vm, ISLAND_GPA), ISLAND_SIZE);
	ut_pg_start(g, 0, n);
	while ((reason = ut_pg_resume(g, 0))) {
		if (reason != KVM_EXIT_MMIO)
			ut_die("%s: exit %s at address %#lx", ut_pg_name(g->mode),
			       ut_exit_name(reason), ut_pg_current(g, 0)->addr);
		device(self);
	}
	for (i = 0; i < n; i++)
		check(self, &ut_pg_ops(g, 0)[i]);
}

/* ---- the walk ---- */

/* An address below top-level entry number @i, of which an address space has nr_tops(). */
static u64 pick(SELF, int i)
{
	struct ut_pg *g = self->g;
	u64 gva = 0;
	int level;

	if (!g->levels && !dice(self, 8))
		return edge_frame(self, dice(self, 8)) + (dice(self, UT_PAGE_SIZE) & ~3u);
	if (!g->levels || g->mode < UT_PG_4LEVEL) {
		gva = (u64)i << (g->levels ? ut_pg_shift(g, 2) : 20);
		return gva | (dice(self, 1u << (g->levels ? ut_pg_shift(g, 2) : 20)) & ~3u);
	}
	for (level = g->levels - 1; level; level--)
		gva = gva << 9 | dice(self, 512);
	gva = (u64)i << ut_pg_shift(g, g->levels) | gva << 12 | (dice(self, 0x1000) & ~3u);
	/* Sign extension, or not. */
	if (i & 256 && dice(self, 32))
		gva |= ~0ull << ut_pg_shift(g, g->levels + 1);
	return gva;
}

static int nr_tops(const struct ut_pg *g)
{
	if (g->levels == 0)
		return 4096;
	if (g->mode == UT_PG_PAE)
		return 2048;
	return entries_of(g);
}

/* Addresses to try below top-level entry number @i: more where all is memory or more differs. */
static int samples(const struct ut_pg *g, int i)
{
	if (!g->levels)
		return (u64)i << 20 < UT_PG_MEM || (u64)i << 20 == ISLAND_GPA ? 128 : 1;
	return g->mode >= UT_PG_4LEVEL ? 16 : 6;
}

/* What to do at one address; the number of operations. */
static int add_ops(SELF, struct ut_pg_op *op, u64 gva)
{
	bool real = self->g->mode == UT_PG_REAL, writable;
	u64 gpa = canonical(self->g, gva) ? resolve(self->g, gva, &writable) : NO_GPA;
	u32 flags = !real && dice(self, 2) ? UT_PG_USER : 0;
	int n = 0;

	/* The engine's own memory changes as it runs; its tables are of interest. */
	if (gpa < UT_PG_TABLES || (gpa >= UT_PG_OPS && gpa < UT_PG_SYSTEM))
		return 0;
	op[n++] = UT_PG_OP(READ, .addr = gva, .flags = flags);
	if (gpa < UT_PG_SYSTEM)
		return n;
	if (gva & 4) {
		op[n++] = UT_PG_OP(WRITE, .addr = gva, .value = dice(self, ~0u), .flags = flags);
		op[n++] = UT_PG_OP(READ, .addr = gva, .flags = flags);
	} else if (!real && canonical(self->g, gva) &&
		   (gpa == NO_GPA || expected_word(self, gpa))) {
		op[n++] = UT_PG_OP(FETCH, .addr = gva, .flags = flags);
	}
	return n;
}

TEST_F_TIMEOUT(hide_monitor, walk, SLOW)
{
	struct ut_pg *g = self->g;
	struct ut_pg_op *op = ut_pg_ops(g, 0);
	int i, k, n = 0;

	make_tables(self);
	for (i = g->levels ? 1 : 4; i < nr_tops(g); i++)
		for (k = 0; k < samples(g, i); k++)
			n += add_ops(self, &op[n], pick(self, i));
	ASSERT_GE(g->max_ops, n);
	run(self, n);
	ASSERT_EQ(0, self->wrong);
	ASSERT_LT(0, self->exits);
	ASSERT_EQ(self->expected_exits, self->exits);
	/* All of memory, not just what was read back. */
	ASSERT_EQ(0, memcmp(ut_hva(g->vm, UT_PG_FREE), self->image + UT_PG_FREE / 4,
			    UT_PG_MEM - UT_PG_FREE));
	ASSERT_EQ(0, memcmp(ut_hva(g->vm, ISLAND_GPA), self->island_image, ISLAND_SIZE));
}

/* ---- registers ---- */

/* What the hypervisor needs in CR0, CR3, CR4 and EFER is not the guest's to see. */
TEST_F(hide_monitor, own_registers)
{
	struct ut_pg *g = self->g;
	struct ut_pg_op *op = ut_pg_ops(g, 0);
	struct kvm_sregs sregs;
	/* KVM reads PDPTEs again at a change of PGE, and QEMU's processor has set A in them. */
	u64 cr4 = g->mode == UT_PG_PAE ? CR4_DE : CR4_PGE;
	u64 want[16], root;
	int n = 0, i, k;

	ut_get_sregs(g->vm->vcpu[0], &sregs);
	root = g->levels ? ut_pg_new_root(g) : g->root;
	for (i = 0; i < 2; i++) {
		want[n] = sregs.cr0 & ~CR0_WP;
		want[n] |= i ? CR0_WP : 0;
		op[2 * n] = UT_PG_OP(CR0, .value = want[n]);
		op[2 * n + 1] = UT_PG_OP(GETCR0);
		n++;
		want[n] = sregs.cr4 ^ (i ? 0 : cr4);
		op[2 * n] = UT_PG_OP(CR4, .value = want[n]);
		op[2 * n + 1] = UT_PG_OP(GETCR4);
		n++;
		want[n] = i ? sregs.cr3 : root;
		op[2 * n] = UT_PG_OP(CR3, .value = want[n]);
		op[2 * n + 1] = UT_PG_OP(GETCR3);
		n++;
		for (k = 0; k < 2; k++) {
			want[n] = (sregs.efer & ~EFER_NX) | EFER_SCE | (i ^ k ? EFER_NX : 0);
			op[2 * n] = UT_PG_OP(WRMSR, .addr = MSR_EFER, .value = want[n]);
			op[2 * n + 1] = UT_PG_OP(RDMSR, .addr = MSR_EFER);
			n++;
		}
	}
	ut_pg_run(g, 0, 2 * n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(UT_PG_NO_FAULT, op[2 * i].vector);
		EXPECT_EQ(UT_PG_NO_FAULT, op[2 * i + 1].vector);
		EXPECT_EQ(want[i], op[2 * i + 1].got);
		if (want[i] != op[2 * i + 1].got)
			TH_LOG("operation %d", i);
	}
}

#define CR2_VALUE	0x12345678u

/* Faults that are not the guest's own leave CR2 alone. */
TEST_F(hide_monitor, own_cr2)
{
	struct ut_pg *g = self->g;
	struct ut_pg_op *op = ut_pg_ops(g, 0);
	u64 gva = g->levels ? 0x80000000 : UT_PG_FREE;
	int n = 0, i;

	for (i = 0; g->levels && i < 16; i++)
		ut_pg_map(g, g->root, gva + i * UT_PAGE_SIZE, UT_PG_FREE + i * UT_PAGE_SIZE, 1,
			  UT_PTE_W);
	op[n++] = UT_PG_OP(CR2, .value = CR2_VALUE);
	op[n++] = UT_PG_OP(CR3, .value = g->root);
	for (i = 0; i < 16; i++) {
		op[n++] = UT_PG_OP(READ, .addr = gva + i * UT_PAGE_SIZE);
		op[n++] = UT_PG_OP(GETCR2);
		op[n++] = UT_PG_OP(WRITE, .addr = gva + i * UT_PAGE_SIZE, .value = i);
		op[n++] = UT_PG_OP(GETCR2);
	}
	ut_pg_run(g, 0, n);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(UT_PG_NO_FAULT, op[i].vector);
		if (op[i].op == UT_PG_GETCR2)
			ASSERT_EQ(CR2_VALUE, op[i].got);
	}
}

/* ---- where nothing can be translated ---- */

/* Runs one operation that must not come to its end, by whatever exit or fault. */
static bool stopped(struct ut_pg *g, struct ut_pg_op op)
{
	*ut_pg_ops(g, 0) = op;
	ut_pg_start(g, 0, 1);
	return ut_pg_resume(g, 0) || ut_pg_ops(g, 0)->vector != UT_PG_NO_FAULT;
}

TEST_F(hide_monitor, code_without_memory)
{
	struct ut_pg *g = self->g;
	u64 gva = 0x80000000;

	if (variant->mode == UT_PG_REAL)
		SKIP(return, "real mode's code cannot leave memory");
	if (g->levels)
		ut_pg_map(g, g->root, gva, 0x20000000, 1, UT_PTE_W);
	ASSERT_TRUE(stopped(g, UT_PG_OP(FETCH, .addr = gva)));
}

TEST_F(hide_monitor, table_without_memory)
{
	struct ut_pg *g = self->g;
	u64 gva = 0x80000000;

	if (!g->levels)
		SKIP(return, "no tables without paging");
	ut_pg_put(g, ut_pg_entry(g, g->root, gva, 2), 0x20000000 | ALL_RIGHTS);
	ASSERT_TRUE(stopped(g, UT_PG_OP(READ, .addr = gva)));
}

TEST_HARNESS_MAIN
