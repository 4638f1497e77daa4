// SPDX-License-Identifier: GPL-2.0
/*
 * Guests with tables of their own, for tests of single properties; see
 * mmu_lib_paging.h. Nothing is decided here.
 */
#include "mmu_lib_paging.h"

u64 paging_mem[TABLES][512] __attribute__((aligned(4096)));
static struct umbra_vm *vm = &unit.vm;
static struct umbra_vcpu *vcpu = unit.vcpu;

int paging_setup(enum umbra_mmu_mode mode, int nr)
{
	memset(paging_mem, 0, sizeof(paging_mem));
	if (unit_setup_mode(mode, nr))
		return -1;
	unit_slot(0, 0, TABLES, (hva_t)paging_mem, 0);
	unit_slot(1, DATA, PAGES, HVA, 0);
	return 0;
}

struct umbra_memslot *paging_data(void)
{
	return unit_slot_id(1);
}

void paging_mode(struct umbra_vcpu *v, int levels, unsigned int root)
{
	v->cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
	v->cr4 = levels > 2 ? X86_CR4_PAE : X86_CR4_PSE;
	v->cr4 |= levels == 5 ? X86_CR4_LA57 : 0;
	v->efer = EFER_NX | (levels > 3 ? EFER_LMA | EFER_LME : 0);
	v->cr3 = (u64)root << 12;
	if (levels == 3)
		assert_int_equal(umbra_mmu_load_pdptes(v), 0);
	umbra_mmu_context_changed(v);
	assert_int_equal(unit_serve(v), 0);
}

void put(unsigned int table, unsigned int index, u64 e)
{
	paging_mem[table][index] = e;
}

void put4(unsigned int table, unsigned int index, u64 e)
{
	((u32 *)paging_mem[table])[index] = e;
}

void store(unsigned int table, unsigned int index, u64 e)
{
	gpa_t gpa = ((gpa_t)table << 12) + index * 8;

	umbra_mmu_guest_write(vcpu, gpa, &e, 8, false);
	put(table, index, e);
	umbra_mmu_guest_write(vcpu, gpa, &e, 8, true);
}

void paging_build4(void)
{
	put(0, 0, to(1, ALL));
	put(1, 0, to(2, ALL));
	put(2, 0, to(3, ALL));
	put(3, 0, to(DATA, ALL));
	put(3, 1, to(DATA + 1, ALL));
	paging_mode(vcpu, 4, 0);
}

static u64 leaf_of(struct umbra_vcpu *v, gva_t gva, int *level)
{
	return unit_cpu_walk(v->index, (gva >> 12) & (BIT_ULL(45) - 1), level);
}

u64 leaf(gva_t gva)
{
	int level;

	return leaf_of(vcpu, gva, &level);
}

int level_at(gva_t gva)
{
	int level;

	return leaf_of(vcpu, gva, &level) ? level : 0;
}

u64 gfn_at(gva_t gva)
{
	int level;
	u64 e = leaf_of(vcpu, gva, &level);
	u64 hva = (e & E_ADDR) + (gva & ((4096ULL << (9 * (level - 1))) - 1) & ~4095ULL);

	if (!e)
		return ~0ULL;
	if (hva - (hva_t)paging_mem < sizeof(paging_mem))
		return (hva - (hva_t)paging_mem) >> 12;
	return DATA + ((hva - HVA) >> 12);
}

int fault_of(struct umbra_vcpu *v, gva_t gva, u32 access)
{
	struct umbra_walk w;

	assert_int_equal(unit_serve(v), 0);
	return umbra_mmu_page_fault(v, gva, access, false, &w);
}

int fault(gva_t gva, u32 access)
{
	return fault_of(vcpu, gva, access);
}

void map(gva_t gva, u32 access, u64 gfn)
{
	assert_int_equal(fault(gva, access), UMBRA_MMU_RETRY);
	assert_int_equal(gfn_at(gva), gfn);
	if (access & UMBRA_ACC_WRITE)
		assert_true(leaf(gva) & E_W);
	if (access & UMBRA_ACC_USER)
		assert_true(leaf(gva) & E_U);
	if (access & UMBRA_ACC_EXEC)
		assert_false(leaf(gva) & E_NX);
}

struct umbra_sp *find(gfn_t gfn, int level)
{
	struct umbra_sp *sp;

	list_for_each_entry(sp, &vm->mmu->spages.lru, lru)
		if (sp->gfn == gfn && sp->role.level == level)
			return sp;
	return NULL;
}

int nr_of(gfn_t gfn, int level)
{
	struct umbra_sp *sp;
	int n = 0;

	list_for_each_entry(sp, &vm->mmu->spages.lru, lru)
		n += sp->gfn == gfn && sp->role.level == level;
	return n;
}
