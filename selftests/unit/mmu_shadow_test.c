// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow tables, one property after the other: which tables are shared, what
 * rights and sizes leaves get in every paging mode, tables that go out of step
 * and come back, tables that go.
 */
#include "mmu_lib_paging.h"

static struct umbra_vm *vm = &unit.vm;
static struct umbra_vcpu *vcpu = unit.vcpu;

static int setup(void **state)
{
	return paging_setup(UMBRA_MMU_SHADOW, 2);
}

/* The same table with the same role is one, from wherever it is linked. */
static void test_sharing(void **state)
{
	paging_build4();
	put(4, 0, to(1, ALL));
	put(2, 7, to(3, ALL));
	paging_mode(&unit.vcpu[1], 4, 4);
	map(0, UMBRA_ACC_READ, DATA);
	assert_int_equal(fault_of(&unit.vcpu[1], 0x1000, UMBRA_ACC_READ), UMBRA_MMU_RETRY);
	map(0xe00000, UMBRA_ACC_READ, DATA);
	assert_int_equal(nr_of(3, 1), 1);
	assert_int_equal(nr_of(2, 2), 1);
	assert_int_equal(nr_of(1, 3), 1);
	/* What one vCPU filled is there for the other, and at the other address. */
	assert_int_equal(gfn_at(0xe01000), DATA + 1);
	/* Another role, another table. */
	unit.vcpu[1].cr0 &= ~(u64)X86_CR0_WP;
	umbra_mmu_context_changed(&unit.vcpu[1]);
	assert_int_equal(fault_of(&unit.vcpu[1], 0, UMBRA_ACC_READ), UMBRA_MMU_RETRY);
	assert_int_equal(nr_of(3, 1), 2);
}

/* Rights above a table are part of its role: no leaf gives more than the way to it. */
static void test_upper_rights(void **state)
{
	paging_build4();
	put(2, 1, to(3, ALL & ~E_W));
	put(2, 2, to(3, ALL & ~E_U));
	put(2, 3, to(3, ALL | E_NX));
	map(0, UMBRA_ACC_WRITE | UMBRA_ACC_USER, DATA);
	map(0x200000, UMBRA_ACC_READ | UMBRA_ACC_USER, DATA);
	map(0x400000, UMBRA_ACC_WRITE, DATA);
	map(0x600000, UMBRA_ACC_WRITE | UMBRA_ACC_USER, DATA);
	assert_int_equal(leaf(0) & (E_W | E_U | E_NX), E_W | E_U);
	assert_int_equal(leaf(0x200000) & (E_W | E_U | E_NX), E_U);
	assert_int_equal(leaf(0x400000) & (E_W | E_U | E_NX), E_W);
	assert_int_equal(leaf(0x600000) & (E_W | E_U | E_NX), E_W | E_U | E_NX);
	assert_int_equal(nr_of(3, 1), 4);
	assert_int_equal(fault(0x200000, UMBRA_ACC_WRITE), UMBRA_MMU_INJECT);
	assert_int_equal(fault(0x400000, UMBRA_ACC_READ | UMBRA_ACC_USER), UMBRA_MMU_INJECT);
	assert_int_equal(fault(0x600000, UMBRA_ACC_EXEC), UMBRA_MMU_INJECT);
}

/* A 2-level guest's directory takes four tables, each of its tables two. */
static void test_quadrants(void **state)
{
	static const u32 at[] = { 0x0, 0x200000, 0x40000000, 0x80200000, 0xffc00000, 0xffe00000 };
	int i;

	put4(0, 0, to(1, ALL));
	put4(0, 0x100, to(1, ALL));
	put4(0, 0x200, to(1, ALL));
	put4(0, 0x3ff, to(1, ALL));
	put4(1, 0, to(DATA, ALL));
	put4(1, 0x200, to(DATA + 0x20, ALL));
	paging_mode(vcpu, 2, 0);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		map(at[i], UMBRA_ACC_WRITE, at[i] & 0x200000 ? DATA + 0x20 : DATA);
	assert_int_equal(nr_of(0, 2), 4);
	assert_int_equal(nr_of(1, 1), 2);
	/* A 4-byte write reaches the right half. */
	assert_int_equal(paging_mem[1][0] & E_D, E_D);
	umbra_mmu_guest_write(vcpu, 0x1800, &(u32){ 0 }, 4, false);
	put4(1, 0x200, 0);
	umbra_mmu_guest_write(vcpu, 0x1800, &(u32){ 0 }, 4, true);
	assert_int_equal(level_at(0x200000), 0);
	assert_int_equal(level_at(0), 1);
}

static void test_4m(void **state)
{
	unit.host_level = 2;
	put4(0, 0, to(0x400, ALL | E_PS));
	put4(0, 1, to(0x800, ALL | E_PS));
	paging_mode(vcpu, 2, 0);
	map(0x5000, UMBRA_ACC_WRITE, 0x405);
	map(0x205000, UMBRA_ACC_WRITE, 0x605);
	assert_int_equal(level_at(0x5000), 2);
	assert_int_equal(level_at(0x205000), 2);
	unit.host_level = 1;
	map(0x405000, UMBRA_ACC_READ, 0x805);
	map(0x605000, UMBRA_ACC_READ, 0xa05);
	assert_int_equal(level_at(0x605000), 1);
	/* INVLPG of either half drops both: see the guest's entry change unseen. */
	put4(0, 0, to(0xc00, ALL | E_PS));
	umbra_mmu_invlpg(vcpu, 0x5000);
	assert_int_equal(level_at(0x5000), 0);
	assert_int_equal(level_at(0x205000), 0);
}

static void test_pae(void **state)
{
	unit.gbpages = true;
	put(0, 0, to(1, E_P));
	put(0, 3, to(1, E_P));
	put(1, 0, to(2, ALL));
	put(1, 1, to(0x400, ALL | E_PS | E_NX));
	put(2, 1, to(DATA + 1, ALL));
	paging_mode(vcpu, 3, 0);
	map(0x1000, UMBRA_ACC_WRITE | UMBRA_ACC_USER, DATA + 1);
	map(0xc0001000, UMBRA_ACC_EXEC, DATA + 1);
	map(0x203000, UMBRA_ACC_READ, 0x403);
	assert_int_equal(fault(0x203000, UMBRA_ACC_EXEC), UMBRA_MMU_INJECT);
	assert_int_equal(fault(0x40000000, UMBRA_ACC_READ), UMBRA_MMU_INJECT);
	/* PDPTEs count as they were when CR3 was written. */
	put(0, 1, to(1, E_P));
	assert_int_equal(fault(0x40001000, UMBRA_ACC_READ), UMBRA_MMU_INJECT);
	assert_int_equal(umbra_mmu_load_pdptes(vcpu), 0);
	umbra_mmu_new_cr3(vcpu);
	map(0x40001000, UMBRA_ACC_READ, DATA + 1);
}

static void test_5_levels(void **state)
{
	put(5, 0x100, to(0, ALL));
	put(5, 0, to(0, ALL));
	put(0, 0, to(1, ALL));
	put(1, 0, to(2, ALL));
	put(2, 0, to(3, ALL));
	put(3, 1, to(DATA + 1, ALL));
	paging_mode(vcpu, 5, 5);
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	map(0xff00000000001000ULL, UMBRA_ACC_WRITE, DATA + 1);
	assert_int_equal(nr_of(0, 4), 1);
	assert_int_equal(nr_of(3, 1), 1);
}

/* A guest's large page is one leaf where the host has one too, else a direct table. */
static void test_large(void **state)
{
	struct umbra_memslot *logged;

	paging_build4();
	put(2, 4, to(0x400, ALL | E_PS));
	map(0x801000, UMBRA_ACC_WRITE, 0x401);
	assert_int_equal(level_at(0x801000), 1);
	assert_true(find(0x400, 1)->role.direct);
	unit.host_level = 2;
	unit_cpus_touch();
	map(0x802000, UMBRA_ACC_WRITE, 0x402);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x801000), 2);
	unit_cpus_touch();
	logged = unit_slot_log(paging_data(), true);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x801000), 0);
	map(0x801000, UMBRA_ACC_READ, 0x401);
	assert_int_equal(level_at(0x801000), 1);
	assert_false(leaf(0x801000) & E_W);
	map(0x801000, UMBRA_ACC_WRITE, 0x401);
	assert_true(test_bit(0x401 - DATA, logged->dirty));
	unit_slot_log(logged, false);
	map(0x803000, UMBRA_ACC_READ, 0x403);
	assert_int_equal(level_at(0x801000), 2);
	/* No larger leaf than the guest's own page. */
	map(0x1000, UMBRA_ACC_READ, DATA + 1);
	assert_int_equal(level_at(0x1000), 1);
}

static void test_1g(void **state)
{
	unit.gbpages = true;
	unit.host_level = 2;
	paging_build4();
	put(1, 1, to(0, ALL | E_PS));
	map(0, UMBRA_ACC_READ, DATA);
	map(0x40000000ULL + 0x402000, UMBRA_ACC_WRITE, 0x402);
	assert_int_equal(level_at(0x40402000), 2);
	map(0x40000000ULL + 0x30000, UMBRA_ACC_READ, 0x30);
	/* Around the guest's tables all is small. */
	assert_int_equal(level_at(0x40030000), 1);
	assert_int_equal(fault(0x40003000, UMBRA_ACC_WRITE), UMBRA_MMU_RETRY);
	assert_int_equal(fault(0x40002000, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
}

/* CR0.WP = 0: a supervisor writes what is read-only, by a page that users lose. */
static void test_no_wp(void **state)
{
	paging_build4();
	put(3, 2, to(DATA + 2, E_P | E_U | E_A));
	put(3, 3, to(DATA + 3, E_P | E_A));
	assert_int_equal(fault(0x2000, UMBRA_ACC_WRITE), UMBRA_MMU_INJECT);
	vcpu->cr0 &= ~(u64)X86_CR0_WP;
	umbra_mmu_context_changed(vcpu);
	map(0x2000, UMBRA_ACC_WRITE, DATA + 2);
	assert_int_equal(leaf(0x2000) & (E_W | E_U | E_NX), E_W);
	map(0x2000, UMBRA_ACC_READ | UMBRA_ACC_USER, DATA + 2);
	assert_int_equal(leaf(0x2000) & (E_W | E_U | E_NX), E_U);
	map(0x3000, UMBRA_ACC_WRITE, DATA + 3);
	assert_int_equal(fault(0x2000, UMBRA_ACC_WRITE | UMBRA_ACC_USER), UMBRA_MMU_INJECT);
	assert_int_equal(paging_mem[3][2] & E_D, E_D);
	/* SMEP would be lost with the user bit: nobody executes there then. */
	vcpu->cr4 |= X86_CR4_SMEP;
	umbra_mmu_context_changed(vcpu);
	map(0x2000, UMBRA_ACC_WRITE, DATA + 2);
	assert_int_equal(leaf(0x2000) & (E_W | E_U | E_NX), E_W | E_NX);
	/* What SMAP would check cannot be had otherwise. */
	vcpu->cr4 |= X86_CR4_SMAP;
	vcpu->rflags |= X86_EFLAGS_AC;
	umbra_mmu_context_changed(vcpu);
	assert_int_equal(fault(0x2000, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	map(0x3000, UMBRA_ACC_WRITE, DATA + 3);
}

/* The first write sets the guest's dirty bit: until then no entry lets it pass. */
static void test_dirty(void **state)
{
	paging_build4();
	put(3, 2, to(DATA + 2, E_P | E_W | E_U));
	put(2, 4, to(0x400, E_P | E_W | E_PS));
	map(0x2000, UMBRA_ACC_READ, DATA + 2);
	assert_false(leaf(0x2000) & E_W);
	assert_int_equal(paging_mem[3][2] & (E_A | E_D), E_A);
	map(0x2000, UMBRA_ACC_WRITE, DATA + 2);
	assert_int_equal(paging_mem[3][2] & (E_A | E_D), E_A | E_D);
	map(0x801000, UMBRA_ACC_READ, 0x401);
	assert_false(leaf(0x801000) & E_W);
	map(0x801000, UMBRA_ACC_WRITE, 0x401);
	assert_int_equal(paging_mem[2][4] & (E_A | E_D), E_A | E_D);
	/* Cleaned by the guest: the right goes with the bit. */
	unit_cpus_touch();
	store(3, 2, paging_mem[3][2] & ~E_D);
	assert_true(unit_cpus_agree());
	assert_false(leaf(0x2000) & E_W);
}

/*
 * A large page whose dirty bit the guest takes back: also where CR0.WP = 0 lets a
 * supervisor write what is read-only.
 */
static void test_dirty_large(void **state)
{
	paging_build4();
	vcpu->cr0 &= ~(u64)X86_CR0_WP;
	umbra_mmu_context_changed(vcpu);
	put(2, 4, to(0x400, E_P | E_A | E_D | E_PS));
	map(0x801000, UMBRA_ACC_WRITE, 0x401);
	unit_cpus_touch();
	store(2, 4, to(0x400, E_P | E_A | E_PS));
	umbra_mmu_invlpg(vcpu, 0x801000);
	assert_true(unit_cpus_agree());
	assert_false(leaf(0x801000) & E_W);
	map(0x801000, UMBRA_ACC_WRITE, 0x401);
	assert_int_equal(paging_mem[2][4] & E_D, E_D);
}

/* Tables in ROM take no dirty bit; writes through them are allowed all the same. */
static void test_rom(void **state)
{
	static const u32 who[] = { 0, UMBRA_ACC_USER };
	int i;

	paging_build4();
	put(3, 2, to(DATA + 2, E_P | E_W | E_U));
	put(2, 4, to(0x400, E_P | E_W | E_U | E_PS));
	unit_slot_delete(unit_slot_id(0));
	unit_slot(0, 0, TABLES, (hva_t)paging_mem, KVM_MEM_READONLY);
	for (i = 0; i < ARRAY_SIZE(who); i++) {
		map(0x2000, UMBRA_ACC_WRITE | who[i], DATA + 2);
		/* The emulator may have to help with pieces of a large page. */
		if (fault(0x801000, UMBRA_ACC_WRITE | who[i]) != UMBRA_MMU_EMULATE)
			map(0x801000, UMBRA_ACC_WRITE | who[i], 0x401);
	}
	assert_int_equal(paging_mem[3][2] & (E_A | E_D), 0);
}

/* Level 1 tables go out of step at their first write, and come back when they must. */
static void test_unsync(void **state)
{
	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	map(0x1000, UMBRA_ACC_READ, DATA + 1);
	assert_false(find(3, 1)->stale);
	/* 2 MiB at gva 2 MiB show the tables. */
	map(0x203000, UMBRA_ACC_WRITE, 3);
	assert_true(find(3, 1)->stale);
	put(3, 1, to(DATA + 9, ALL));
	assert_int_equal(gfn_at(0x1000), DATA + 1);
	unit_cpus_touch();
	umbra_mmu_invlpg(vcpu, 0x2000);
	assert_int_equal(gfn_at(0x1000), DATA + 1);
	umbra_mmu_invlpg(vcpu, 0x1000);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x1000), 0);
	map(0x1000, UMBRA_ACC_READ, DATA + 9);
	assert_true(find(3, 1)->stale);
	/* CR3 brings all of it back, and the tables are write-protected again. */
	put(3, 1, 0);
	umbra_mmu_new_cr3(vcpu);
	assert_true(unit_cpus_agree());
	assert_false(find(3, 1)->stale);
	assert_int_equal(level_at(0x1000), 0);
	assert_false(leaf(0x203000) & E_W);
	/* Upper tables never go out of step. */
	assert_int_equal(fault(0x202000, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
}

/* A refused access drops what the processor held for the page: it will not recur. */
static void test_refused(void **state)
{
	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	map(0x203000, UMBRA_ACC_WRITE, 3);
	put(3, 1, to(DATA + 1, E_P | E_A | E_D | E_NX));
	assert_true(leaf(0x1000) & E_W);
	assert_int_equal(fault(0x1000, UMBRA_ACC_EXEC), UMBRA_MMU_INJECT);
	unit_cpus_touch();
	umbra_mmu_fault_injected(vcpu, 0x1000, 0x11);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_at(0x1000), 0);
	assert_int_equal(fault(0x1000, UMBRA_ACC_WRITE), UMBRA_MMU_INJECT);
}

/* A stale table that was out of reach when CR3 was written is synced when linked. */
static void test_sync_at_link(void **state)
{
	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	put(2, 2, to(3, ALL));
	put(5, 0, to(6, ALL));
	put(6, 0, to(7, ALL));
	put(7, 1, to(0, E_PS | ALL));
	map(0x1000, UMBRA_ACC_READ, DATA + 1);
	map(0x203000, UMBRA_ACC_WRITE, 3);
	assert_true(find(3, 1)->stale);
	vcpu->cr3 = 5 << 12;
	umbra_mmu_new_cr3(vcpu);
	assert_int_equal(unit_serve(vcpu), 0);
	put(3, 1, to(DATA + 7, ALL));
	assert_true(find(3, 1)->stale);
	put(7, 0, to(3, ALL));
	map(0, UMBRA_ACC_READ, DATA);
	assert_false(find(3, 1)->stale);
	assert_int_not_equal(gfn_at(0x1000), DATA + 1);
	map(0x1000, UMBRA_ACC_READ, DATA + 7);
}

/* As fork() leaves its tables: what may not be written any more can still be read. */
static void test_sync_narrows(void **state)
{
	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	put(3, 2, to(DATA + 2, ALL));
	map(0x1000, UMBRA_ACC_WRITE, DATA + 1);
	map(0x2000, UMBRA_ACC_WRITE, DATA + 2);
	map(0x203000, UMBRA_ACC_WRITE, 3);
	assert_true(find(3, 1)->stale);
	put(3, 1, to(DATA + 1, (ALL & ~E_W) | E_A | E_D));
	put(3, 2, to(DATA + 2, ALL & ~E_D));
	unit_cpus_touch();
	umbra_mmu_new_cr3(vcpu);
	assert_true(unit_cpus_agree());
	assert_true(leaf(0x1000) & E_P);
	assert_false(leaf(0x1000) & E_W);
	assert_int_equal(gfn_at(0x1000), DATA + 1);
	/* The dirty bit is to be set anew. */
	assert_true(leaf(0x2000) & E_P);
	assert_false(leaf(0x2000) & E_W);
	assert_int_equal(fault(0x1000, UMBRA_ACC_WRITE), UMBRA_MMU_INJECT);
}

static bool peek_writable(hva_t hva, bool write, struct umbra_frame *frame)
{
	*frame = (struct umbra_frame){ .pfn = hva >> PAGE_SHIFT, .writable = true, .level = 1 };
	return true;
}

static bool peek_shared(hva_t hva, bool write, struct umbra_frame *frame)
{
	*frame = (struct umbra_frame){ .pfn = hva >> PAGE_SHIFT, .level = 1 };
	return !write;
}

/* The kernel's map of a page that was a table: written at once, where the host allows it. */
static void test_end_unprotects(void **state)
{
	int i;

	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	for (i = 0; i < 3; i++) {
		unit.peek = peek_writable;
		map(0, UMBRA_ACC_READ, DATA);
		map(0x203000, UMBRA_ACC_READ, 3);
		assert_false(leaf(0x203000) & E_W);
		unit.peek = i ? peek_writable : peek_shared;
		unit.foreign = i == 1;
		vcpu->rip += 0x10;
		assert_true(umbra_mmu_unshadow(vcpu, 3 << 12));
		unit.foreign = false;
		assert_int_equal(!!(leaf(0x203000) & E_W), i == 2);
	}
	unit.peek = NULL;
}

/* A table that is written and written is let go of, until the guest flushes. */
static void test_flood(void **state)
{
	int i;

	paging_build4();
	put(2, 1, to(0, E_PS | ALL));
	map(0, UMBRA_ACC_READ, DATA);
	map(0x202000, UMBRA_ACC_READ, 2);
	assert_int_equal(fault(0x202000, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	for (i = 0; i < SHADOW_FLOOD - 1; i++)
		store(2, 8 + i, 0);
	/* Somebody uses it between: not yet. */
	umbra_mmu_invlpg(vcpu, 0x1000);
	umbra_mmu_invlpg(vcpu, 0x0);
	put(2, 5, to(3, ALL));
	map(0xa01000, UMBRA_ACC_READ, DATA + 1);
	for (i = 0; i < SHADOW_FLOOD - 1; i++)
		store(2, 8 + i, 0);
	assert_false(find(2, 2)->stale);
	unit_cpus_touch();
	store(2, 9, 0);
	assert_true(unit_cpus_agree());
	assert_true(find(2, 2)->stale);
	assert_int_equal(atomic64_read(&vm->stats.floods), 1);
	map(0x202000, UMBRA_ACC_WRITE, 2);
	/* As stale as a TLB may be, and no more. */
	put(2, 5, to(7, ALL));
	put(7, 1, to(DATA + 7, ALL));
	unit_cpus_touch();
	umbra_mmu_invlpg(vcpu, 0xa01000);
	assert_true(unit_cpus_agree());
	map(0xa01000, UMBRA_ACC_READ, DATA + 7);
	put(2, 5, to(3, ALL));
	umbra_mmu_new_cr3(vcpu);
	assert_true(unit_cpus_agree());
	assert_false(find(2, 2)->stale);
	assert_false(leaf(0x202000) & E_W);
	map(0xa01000, UMBRA_ACC_READ, DATA + 1);
}

/* So many tables and no more; those in use last longest. */
static void test_bound(void **state)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	struct shrink_control sc = { .nr_to_scan = 5 };
	unsigned long before;
	int i;

	paging_build4();
	for (i = 0; i < 48; i++) {
		put(2, i, to(8 + i, ALL));
		put(8 + i, 0, to(DATA + i, ALL));
	}
	spages->max = 24;
	for (i = 0; i < 48; i++) {
		unit_cpus_touch();
		map((gva_t)i << 21, UMBRA_ACC_READ, DATA + i);
		assert_true(unit_cpus_agree());
		assert_in_range(spages->nr, 1, 24);
		/* The path in use is there. */
		assert_non_null(find(2, 2));
	}
	/* Tables in use, and those that are kept empty: the latter go first. */
	before = spages->nr;
	assert_int_not_equal(spages->nr_pool, 0);
	assert_int_equal(unit.shrinker->count_objects(unit.shrinker, &sc),
			 before + spages->nr_pool);
	unit_cpus_touch();
	assert_in_range(unit.shrinker->scan_objects(unit.shrinker, &sc), 1, 20);
	assert_int_equal(spages->nr_pool, 0);
	assert_true(unit_cpus_agree());
	assert_in_range(unit.shrinker->scan_objects(unit.shrinker, &sc), 1, 20);
	assert_true(unit_cpus_agree());
	assert_true(spages->nr < before);
	sc.nr_to_scan = 1000;
	for (i = 0; i < 4; i++)
		unit.shrinker->scan_objects(unit.shrinker, &sc);
	/* Only roots in use cannot go. */
	assert_in_range(spages->nr, 1, 6);
	map(0, UMBRA_ACC_READ, DATA + 0);
}

/* The table under a running vCPU goes: it finds nothing, and loads another root. */
static void test_live_root(void **state)
{
	paging_build4();
	map(0, UMBRA_ACC_READ, DATA);
	unit_cpus_touch();
	unit_slot_delete(unit_slot_id(0));
	assert_true(unit_cpus_agree());
	assert_true(vcpu->mmu->root[0]->dead);
	assert_false(unit_can_run(vcpu));
	assert_int_equal(unit_serve(vcpu), 0);
	assert_int_equal(fault(0, UMBRA_ACC_READ), UMBRA_MMU_MMIO);
	unit_slot(0, 0, TABLES, (hva_t)paging_mem, 0);
	map(0, UMBRA_ACC_READ, DATA);
}

/* A table that contains itself, as recursive mappings have it. */
static void test_self_map(void **state)
{
	gva_t pte = 0x100ULL << 39 | 0, top = 0x100ULL << 39 | 0x100ULL << 30 | 0x100ULL << 21 |
		0x100ULL << 12;

	paging_build4();
	put(0, 0x100, to(0, ALL));
	pte |= 0xffffULL << 48;
	top |= 0xffffULL << 48;
	map(top, UMBRA_ACC_READ, 0);
	assert_int_equal(fault(top, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	map(0, UMBRA_ACC_WRITE, DATA);
	map(pte, UMBRA_ACC_READ, 3);
	assert_false(leaf(pte) & E_W);
	map(pte, UMBRA_ACC_WRITE, 3);
	assert_true(find(3, 1)->stale);
	put(3, 0, to(DATA + 4, ALL));
	umbra_mmu_invlpg(vcpu, 0);
	map(0, UMBRA_ACC_WRITE, DATA + 4);
	/* Root, directory, and so on: one guest page, a table for each level. */
	assert_int_equal(nr_of(0, 4) + nr_of(0, 3) + nr_of(0, 2) + nr_of(0, 1), 4);
	store(0, 0x100, 0);
	assert_int_equal(level_at(top), 0);
	assert_int_equal(fault(top, UMBRA_ACC_READ), UMBRA_MMU_INJECT);
	unit_cpus_touch();
	umbra_mmu_zap_slot(vm, unit_slot_id(0));
	assert_true(unit_cpus_agree());
}

/* Protection keys are in leaves, also where Umbra's leaf is a piece of a large page. */
static void test_keys(void **state)
{
	paging_build4();
	vcpu->cr4 |= X86_CR4_PKE;
	umbra_mmu_context_changed(vcpu);
	put(3, 2, to(DATA + 2, ALL) | 5ULL << 59);
	put(2, 4, to(0x400, ALL | E_PS) | 6ULL << 59);
	put(2, 5, to(0x400, ALL | E_PS) | 7ULL << 59);
	map(0x2000, UMBRA_ACC_WRITE | UMBRA_ACC_USER, DATA + 2);
	assert_int_equal(leaf(0x2000) >> 59 & 15, 5);
	map(0x801000, UMBRA_ACC_READ | UMBRA_ACC_USER, 0x401);
	map(0xa01000, UMBRA_ACC_READ | UMBRA_ACC_USER, 0x401);
	assert_int_equal(leaf(0x801000) >> 59 & 15, 6);
	assert_int_equal(leaf(0xa01000) >> 59 & 15, 7);
	unit.pkru = 1u << 10;
	assert_int_equal(fault(0x2000, UMBRA_ACC_READ | UMBRA_ACC_USER), UMBRA_MMU_INJECT);
}

/* What the host does reaches all mappings of a frame. */
static void test_notifier(void **state)
{
	struct umbra_memslot *data = paging_data();
	int i;

	paging_build4();
	for (i = 0; i < 20; i++) {
		put(3, i, to(DATA + 5, ALL));
		map((gva_t)i << 12, UMBRA_ACC_WRITE, DATA + 5);
	}
	put(3, 30, to(DATA + 6, ALL));
	map(30 << 12, UMBRA_ACC_WRITE, DATA + 6);
	assert_true(umbra_mmu_age_range(vm, data, DATA + 5, DATA + 6, true));
	assert_false(umbra_mmu_age_range(vm, data, DATA + 5, DATA + 6, true));
	assert_true(umbra_mmu_age_range(vm, data, DATA + 6, DATA + 7, false));
	unit_cpus_touch();
	data = unit_slot_log(data, true);
	assert_true(unit_cpus_agree());
	for (i = 0; i < 20; i++)
		assert_int_equal(leaf((gva_t)i << 12) & (E_P | E_W), E_P);
	map(0x3000, UMBRA_ACC_WRITE, DATA + 5);
	unit_cpus_touch();
	unit_slot_get_log(data);
	assert_true(unit_cpus_agree());
	assert_false(leaf(0x3000) & E_W);
	unit_cpus_touch();
	assert_true(umbra_mmu_zap_range(vm, data, DATA + 5, DATA + 6, false));
	assert_true(unit_cpus_agree());
	for (i = 0; i < 20; i++)
		assert_int_equal(level_at((gva_t)i << 12), 0);
	assert_int_equal(level_at(30 << 12), 1);
	assert_false(umbra_mmu_zap_range(vm, data, DATA + 5, DATA + 6, true));
	unit_slot_log(data, false);
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sharing), TEST(test_upper_rights), TEST(test_quadrants), TEST(test_4m),
		TEST(test_pae), TEST(test_5_levels), TEST(test_large), TEST(test_1g),
		TEST(test_no_wp), TEST(test_dirty), TEST(test_dirty_large), TEST(test_rom),
		TEST(test_unsync), TEST(test_refused), TEST(test_sync_at_link),
		TEST(test_sync_narrows), TEST(test_end_unprotects), TEST(test_flood),
		TEST(test_bound), TEST(test_live_root), TEST(test_self_map), TEST(test_keys),
		TEST(test_notifier),
	};

	return cmocka_run_group_tests_name("mmu_shadow", tests, NULL, NULL);
}
