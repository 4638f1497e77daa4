// SPDX-License-Identifier: GPL-2.0
/*
 * Switching between page tables in long mode: many roots, tables that roots share with
 * different rights, tables that map themselves, pages that are tables at one time and data
 * at another, tables in read-only and in huge-backed memory. PDPTEs: see pdpte_test.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define FRAMES_GPA	UT_FREE_GPA
#define NFRAMES		512
#define FRAME(i)	(FRAMES_GPA + (u64)(i) * UT_PAGE_SIZE)
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
/* Four tables for each root: top level to level 1. */
#define TABLES_GPA	(UT_FREE_GPA + 0x200000)
#define NROOTS		300
#define ROOT(r)		(TABLES_GPA + (u64)(r) * 4 * UT_PAGE_SIZE)
#define PWT		BIT_ULL(3)
#define PCD		BIT_ULL(4)
#define ENTRY(table, i)	((table) + (u64)(i) * 8)
#define RECURSIVE	510

/* Guest addresses of what a test's guest code edits; set by the test. */
static struct {
	u64 root[3];
	u64 entry[5];	/* by level */
	u64 page;
} at;

FIXTURE(cr3)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(cr3)
{
	SD_START();
}

FIXTURE_TEARDOWN(cr3)
{
	ut_vm_free(self->vm);
}

static void run(struct _test_data_cr3 *self, void *fn)
{
	ut_restart(self->vcpu, fn);
	if (ut_next(self->vcpu, NULL) != UT_DONE)
		ut_die("exit %s", ut_exit_name(self->vcpu->run->exit_reason));
}

/* Tell the guest where the entries of the window are below @root. */
static void tell_entries(struct _test_data_cr3 *self, u64 root)
{
	int level;

	for (level = 1; level <= 4; level++)
		ut_guest_var(self->vm, at)->entry[level] =
			sd_gva(self->vm, sd_pte(self->vm, root, SD_WINDOW, level));
}

static void guest_visit(u64 r, u64 round)
{
	guest_write_cr3(ROOT(r));
	GUEST_ASSERT_EQ(guest_read_cr(3), ROOT(r));
	GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(r));
	/* The last visitor's mark, at the frame's own address. */
	if (round)
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 8), r * round);
	guest_write64(SD_WINDOW + 8, r * (round + 1));
}

static void guest_many_roots(void)
{
	u64 r, state = 1, own = guest_read_cr(3);

	for (r = 0; r < NROOTS; r++)
		guest_visit(r, 0);
	for (r = NROOTS; r > 0; r--)
		guest_visit(r - 1, 1);
	for (r = 0; r < NROOTS; r++) {
		guest_write_cr3(ROOT(sd_random(&state) % NROOTS));
		guest_visit(r, 2);
	}
	guest_write_cr3(own);
	GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
	guest_done();
}

/* Hundreds of address spaces, each with tables of its own for the window. */
TEST_F_TIMEOUT(cr3, many_roots, SLOW)
{
	u64 r, l, *table;

	for (r = 0; r < NROOTS; r++) {
		memset(ut_hva(self->vm, ROOT(r)), 0, 4 * UT_PAGE_SIZE);
		memcpy(ut_hva(self->vm, ROOT(r)), ut_hva(self->vm, self->vm->cr3), UT_PAGE_SIZE);
		for (l = 0; l < 4; l++) {
			table = ut_hva(self->vm, ROOT(r) + l * UT_PAGE_SIZE);
			table[l ? 0 : 1] = (l < 3 ? ROOT(r) + (l + 1) * UT_PAGE_SIZE : FRAME(r)) |
					   SD_PTE_RW;
		}
	}
	run(self, guest_many_roots);
	for (r = 0; r < NROOTS; r++)
		ASSERT_EQ(r * 3, *(u64 *)ut_hva(self->vm, FRAME(r) + 8));
}

static void guest_same_value(void)
{
	u64 i, cr3 = guest_read_cr(3);

	for (i = 0; i < NFRAMES / 2; i++) {
		guest_write64(at.entry[1], FRAME(i) | SD_PTE_RW);
		guest_write_cr3(cr3);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* Cache attributes belong to the value, not to what is mapped. */
		guest_write64(at.entry[1], FRAME(i + 1) | SD_PTE_RW);
		guest_write_cr3(cr3 ^ (i & 1 ? PWT : PCD));
		GUEST_ASSERT_EQ(guest_read_cr(3), cr3 ^ (i & 1 ? PWT : PCD));
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i + 1));
	}
	guest_done();
}

TEST_F_TIMEOUT(cr3, same_value, SLOW)
{
	sd_map(self->vm, self->vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	tell_entries(self, self->vm->cr3);
	run(self, guest_same_value);
}

#define WRITE_REFUSED	SD_PF(SD_ERR_P | SD_ERR_W)
#define EXEC_REFUSED	SD_PF(SD_ERR_P | SD_ERR_I)

/* Root 0 may do all, root 1 may not write, root 2 may not execute. */
static void guest_rights(u64 r)
{
	u64 v;

	guest_write_cr3(at.root[r]);
	GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, r), r == 1 ? WRITE_REFUSED : 0);
	GUEST_ASSERT_EQ(sd_exec(SD_WINDOW), r == 2 ? EXEC_REFUSED : 0);
	GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), 0);
	GUEST_ASSERT_EQ(v, VALUE(1));
	/* Only in root 0 the whole way is the user's. */
	GUEST_ASSERT_EQ(sd_user_read(SD_WINDOW, &v), r ? SD_PF(SD_ERR_P | SD_ERR_U) : 0);
}

static void guest_other_rights(void)
{
	u64 i, state = 7;

	for (i = 0; i < 90; i++)
		guest_rights(i < 30 ? i % 3 : sd_random(&state) % 3);
	guest_done();
}

/* One set of tables below three top-level entries with different rights. */
TEST_F_TIMEOUT(cr3, shared_with_other_rights, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 *first, i;

	for (i = 0; i < 3; i++)
		ut_guest_var(vm, at)->root[i] = sd_root(vm);
	first = sd_pte(vm, ut_guest_var(vm, at)->root[0], SD_WINDOW, 4);
	sd_map(vm, ut_guest_var(vm, at)->root[0], SD_WINDOW, FRAME(1), 1, UT_PTE_W | UT_PTE_U);
	*sd_pte(vm, ut_guest_var(vm, at)->root[1], SD_WINDOW, 4) = *first & ~(UT_PTE_W | UT_PTE_U);
	*sd_pte(vm, ut_guest_var(vm, at)->root[2], SD_WINDOW, 4) =
		(*first & ~UT_PTE_U) | UT_PTE_NX;
	run(self, guest_other_rights);
}

static void guest_shared_leaf(void)
{
	u64 i, r;

	for (i = 0; i < 200; i++) {
		r = i & 1;
		guest_write_cr3(at.root[r]);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* Changed here, seen in the other root after the switch, and here at once. */
		guest_write64(at.entry[1], FRAME(i + 1) | SD_PTE_RW);
		if (i % 3 == 0) {
			guest_invlpg(SD_WINDOW);
			GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i + 1));
		}
	}
	guest_done();
}

/* Two roots with upper levels of their own and one leaf table. */
TEST_F_TIMEOUT(cr3, shared_leaf_table, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 root[2] = { sd_root(vm), sd_root(vm) };

	sd_map(vm, root[0], SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	*sd_pte(vm, root[1], SD_WINDOW, 2) = *sd_pte(vm, root[0], SD_WINDOW, 2);
	memcpy(ut_guest_var(vm, at)->root, root, sizeof(root));
	tell_entries(self, root[0]);
	run(self, guest_shared_leaf);
}

/* Address of the entry of @gva at @level through the self-map. */
static u64 guest_self(u64 gva, int level)
{
	u64 a = gva & 0x0000ffffffffffffull;
	int l;

	for (l = 0; l < level; l++)
		a = (a >> 9 & 0x0000007ffffffff8ull) | (u64)RECURSIVE << 39;
	return a | 0xffff000000000000ull;
}

static void guest_recursive(void)
{
	u64 i, e, v, pte = guest_self(SD_WINDOW, 1), pde = guest_self(SD_WINDOW, 2);
	u64 top = guest_self(SD_WINDOW, 4);

	for (i = 0; i < 100; i++) {
		guest_write64(pte, FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* What the processor notes is seen the same way. */
		e = guest_read64(pte);
		GUEST_ASSERT_EQ(e & (UT_PTE_A | UT_PTE_D), UT_PTE_A);
		guest_write64(SD_WINDOW + 8, i);
		GUEST_ASSERT_EQ(guest_read64(pte), e | UT_PTE_D);
		/* Away and back at each level; the entry's table stays in reach. */
		guest_write64(pte, 0);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), SD_PF(0));
		guest_write64(pte, e);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		e = guest_read64(i & 1 ? pde : top);
		guest_write64(i & 1 ? pde : top, 0);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), SD_PF(0));
		guest_write64(i & 1 ? pde : top, e);
		guest_invlpg(pte);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
	}
	guest_done();
}

TEST_F_TIMEOUT(cr3, recursive, SLOW)
{
	u64 *top = ut_hva(self->vm, self->vm->cr3);

	top[RECURSIVE] = self->vm->cr3 | SD_PTE_RW;
	sd_map(self->vm, self->vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	run(self, guest_recursive);
}

/*
 * The second-level table of the window has itself as entry 7, where it serves as a leaf
 * table as well: page i of that area is what its entry i points to.
 */
static void guest_ancestor(void)
{
	u64 area = SD_WINDOW + 7 * UT_HUGE_SIZE, i;

	for (i = 0; i < 100; i++) {
		/* Page 0 of the area is the window's leaf table, page 7 the table itself. */
		guest_write64(area, FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		GUEST_ASSERT_EQ(guest_read64(area) & UT_PTE_ADDR, FRAME(i));
		/* As a leaf table it may get an entry that is a frame. */
		guest_write64(area + 7 * UT_PAGE_SIZE + 9 * 8, FRAME(i + 1) | SD_PTE_RW);
		guest_invlpg(area + 9 * UT_PAGE_SIZE);
		GUEST_ASSERT_EQ(guest_read64(area + 9 * UT_PAGE_SIZE), VALUE(i + 1));
		guest_write64(area + 9 * UT_PAGE_SIZE + 16, i);
	}
	guest_done();
}

TEST_F_TIMEOUT(cr3, own_ancestor, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 *pde;

	sd_map(vm, vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	pde = sd_pte(vm, vm->cr3, SD_WINDOW, 2);
	pde[7] = sd_gva(vm, pde) | SD_PTE_RW;
	run(self, guest_ancestor);
}

static void guest_fill(u64 page, u64 value)
{
	u64 i;

	for (i = 0; i < 512; i++)
		guest_write64(ENTRY(page, i), value + i * UT_PAGE_SIZE);
}

/* Take the table out at @level, use its page as memory, and make it a table again. */
static void guest_reuse(int level, u64 round)
{
	u64 parent = at.entry[level + 1], e = guest_read64(parent), page = e & UT_PTE_ADDR;
	u64 below = guest_read64(page), i;

	guest_write64(parent, 0);
	if (round & 1)
		guest_write_cr3(guest_read_cr(3));
	else
		guest_invlpg(SD_WINDOW);
	GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
	/* Numbers that would be fine entries. */
	guest_fill(page, FRAME(round) | SD_PTE_RW);
	for (i = 0; i < 512; i++)
		GUEST_ASSERT_EQ(guest_read64(ENTRY(page, i)),
				(FRAME(round) | SD_PTE_RW) + i * UT_PAGE_SIZE);
	GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
	guest_fill(page, 0);
	guest_write64(page, level == 1 ? FRAME(round) | SD_PTE_RW : below);
	guest_write64(parent, e);
}

static void guest_table_and_data(void)
{
	u64 round, value = VALUE(0);
	int level;

	for (round = 0; round < 9; round++) {
		for (level = 1; level <= 3; level++) {
			guest_reuse(level, round);
			if (level == 1)
				value = VALUE(round);
			GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), value);
			guest_write64(SD_WINDOW + 8, round);
		}
	}
	guest_done();
}

TEST_F_TIMEOUT(cr3, table_becomes_data_and_back, SLOW)
{
	sd_map(self->vm, self->vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	tell_entries(self, self->vm->cr3);
	run(self, guest_table_and_data);
}

static void guest_root_and_data(void)
{
	u64 own = guest_read_cr(3), root = at.root[0], round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 512; i++)
			guest_write64(ENTRY(root, i), guest_read64(ENTRY(own, i)));
		guest_write64(ENTRY(root, 1), guest_read64(at.page));
		guest_write_cr3(root);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(5));
		guest_write_cr3(own);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
		guest_fill(root, round);
		for (i = 0; i < 512; i++)
			GUEST_ASSERT_EQ(guest_read64(ENTRY(root, i)), round + i * UT_PAGE_SIZE);
	}
	guest_done();
}

/* The same for a top table, between switches to it. */
TEST_F_TIMEOUT(cr3, root_becomes_data_and_back, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 root = sd_root(vm);

	sd_map(vm, root, SD_WINDOW, FRAME(5), 1, UT_PTE_W);
	ut_guest_var(vm, at)->page = ut_alloc_table(vm);
	*(u64 *)ut_hva(vm, ut_guest_var(vm, at)->page) = *sd_pte(vm, root, SD_WINDOW, 4);
	ut_guest_var(vm, at)->root[0] = root;
	run(self, guest_root_and_data);
}

static void guest_rom(void)
{
	u64 i;

	guest_write_cr3(at.root[0]);
	for (i = 0; i < 4; i++) {
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		guest_write64(SD_WINDOW + 8, i);
		/* Refused in silence, see the test. */
		guest_write64(at.page, FRAME(9) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		guest_sync(i);
		guest_invlpg(SD_WINDOW);
	}
	guest_done();
}

/* All tables of the window, the root too, are in a slot that the guest cannot write. */
TEST_F_TIMEOUT(cr3, tables_in_read_only_memory, SLOW)
{
	u64 accessed = UT_PTE_A | UT_PTE_D, rom = UT_TEST_GPA, i, *table;
	int last = ut_on_umbra() || !ut_shadowed() ? 3 : 0;
	struct ut_vm *vm = self->vm;

	if (!ut_shadowed())
		SKIP(return, "AMD-V's nested walks write to guest tables");
	table = ut_add_slot(vm, 1, rom, 4 * UT_PAGE_SIZE, KVM_MEM_READONLY);
	ut_map(vm, rom, rom, 4, UT_PTE_W);
	memcpy(table, ut_hva(vm, vm->cr3), UT_PAGE_SIZE);
	table[0] |= accessed;
	table[1] = (rom + 1 * UT_PAGE_SIZE) | SD_PTE_RW | accessed;
	table[1 * 512] = (rom + 2 * UT_PAGE_SIZE) | SD_PTE_RW | accessed;
	table[2 * 512] = (rom + 3 * UT_PAGE_SIZE) | SD_PTE_RW | accessed;
	table[3 * 512] = FRAME(0) | SD_PTE_RW | accessed;
	ut_guest_var(vm, at)->root[0] = rom;
	ut_guest_var(vm, at)->page = rom + 3 * UT_PAGE_SIZE;
	ut_restart(self->vcpu, guest_rom);
	for (i = 0; i <= last; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
		ASSERT_EQ(1, self->vcpu->run->mmio.is_write);
		ASSERT_EQ(rom + 3 * UT_PAGE_SIZE, self->vcpu->run->mmio.phys_addr);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
		ASSERT_EQ(FRAME(i) | SD_PTE_RW | accessed, table[3 * 512]);
		ASSERT_EQ(i, *(u64 *)ut_hva(vm, FRAME(i) + 8));
		/* The owner of the ROM may change it; KVM's shadows do not notice. */
		table[3 * 512] = FRAME(i + 1) | SD_PTE_RW | accessed;
	}
}

/* Tables 2 and 3 of @page are the window's levels 2 and 1, all of them in a huge page. */
static void guest_huge(void)
{
	u64 page = at.page, i;

	for (i = 0; i < 200; i++) {
		guest_write64(page + 3 * UT_PAGE_SIZE, FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* Neighbours of the tables are plain memory, before and behind. */
		guest_write64(page, i);
		guest_write64(page + 4 * UT_PAGE_SIZE + i * UT_PAGE_SIZE, ~i);
		GUEST_ASSERT_EQ(guest_read64(page), i);
		GUEST_ASSERT_EQ(guest_read64(page + 4 * UT_PAGE_SIZE + i * UT_PAGE_SIZE), ~i);
		guest_write64(page + 2 * UT_PAGE_SIZE + 8, 0);
		if (i % 16 == 0)
			guest_write_cr3(guest_read_cr(3));
	}
	guest_done();
}

/* A huge page of the host, mapped by a huge page of the guest, with tables in its middle. */
TEST_F_TIMEOUT(cr3, tables_in_huge_pages, SLOW)
{
	u64 page = UT_TEST_GPA + 100 * UT_PAGE_SIZE, i;
	struct ut_vm *vm = self->vm;
	u64 *hva;

	hva = ut_mmap(2 * UT_HUGE_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	if (madvise(hva, 2 * UT_HUGE_SIZE, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages on this machine");
	memset(hva, 0, 2 * UT_HUGE_SIZE);
	ut_add_slot_hva(vm, 1, UT_TEST_GPA, 2 * UT_HUGE_SIZE, hva, 0);
	ut_map_identity(vm, UT_TEST_GPA, 2 * UT_HUGE_SIZE);
	*sd_pte(vm, vm->cr3, SD_WINDOW, 3) = (page + 2 * UT_PAGE_SIZE) | SD_PTE_RW;
	*(u64 *)ut_hva(vm, page + 2 * UT_PAGE_SIZE) = (page + 3 * UT_PAGE_SIZE) | SD_PTE_RW;
	ut_guest_var(vm, at)->page = page;
	run(self, guest_huge);
	for (i = 0; i < 200; i++)
		ASSERT_EQ(~i, *(u64 *)ut_hva(vm, page + (4 + i) * UT_PAGE_SIZE));
	ASSERT_EQ(2 * UT_HUGE_SIZE / 1024, ut_smaps(hva, "AnonHugePages"));
	munmap(hva, 2 * UT_HUGE_SIZE);
}

TEST_HARNESS_MAIN
