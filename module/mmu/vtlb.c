// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated TLB: each vCPU has tables of its own, filled by its faults and
 * emptied where the manual says that a TLB drops entries. No guest table is
 * traced: what the guest forgets to invalidate stays stale, as on hardware.
 *
 * Bounded: when no table is left, everything goes, as a TLB may at any time.
 */
#include "mmu_env.h"
#include "gwalk.h"
#include "mmu_internal.h"
#include "slot.h"

/* Tables of one vCPU. */
#define VTLB_MAX_TABLES		512u

/* A guest entry's global bit. */
#define X86_GLOBAL		BIT_ULL(8)

static struct umbra_sp *new_table(struct umbra_vcpu *vcpu, int level)
{
	union umbra_role role = vcpu->mmu->role;
	struct umbra_sp *sp;

	role.level = level;
	role.direct = 0;
	sp = umbra_sp_new(vcpu, 0, role);
	list_add(&sp->lru, &vcpu->mmu->tables);
	vcpu->mmu->nr_tables++;
	return sp;
}

static void release_table(struct umbra_vcpu *vcpu, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	struct umbra_vm *vm = vcpu->vm;
	u64 *spte;

	while ((spte = umbra_rmap_first(sp->parents))) {
		struct umbra_sp *parent = umbra_sp_of(spte);

		umbra_sp_clear(vm, parent, spte - parent->spt, tlb);
	}
	vcpu->mmu->nr_tables--;
	umbra_sp_release(vm, sp, tlb);
}

/* Empty a table of leaves; global ones stay when @keep_global. */
static void drop_leaves(struct umbra_vm *vm, struct umbra_sp *sp, bool keep_global,
			struct umbra_tlb *tlb)
{
	unsigned int i;

	for_each_set_bit(i, sp->used, UMBRA_FMT_ENTRIES) {
		u64 e = sp->spt[i];

		if (spte_leaf(e, sp->role.level) && !(keep_global && (e & SPTE_GLOBAL)))
			umbra_sp_clear(vm, sp, i, tlb);
	}
}

/*
 * Only this vCPU's processor can hold what its tables said, and it is not in
 * the guest now: a flush before its next entry is all that is needed.
 */
static void flush_own(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	if (!tlb->pending)
		return;
	tlb->pending = false;
	umbra_vendor->flush_tlb(vcpu);
	umbra_stat_inc(vcpu, flushes_local);
}

/* Newest first: lower tables are newer than those that link them. */
static void drop(struct umbra_vcpu *vcpu, bool keep_global, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp, *next;

	umbra_vm_stat_inc(vcpu->vm, vtlb_drops);
	list_for_each_entry_safe(sp, next, &vcpu->mmu->tables, lru) {
		drop_leaves(vcpu->vm, sp, keep_global, tlb);
		/* One that was filled since the last time will be filled again. */
		if (!sp->nr && !sp->pins && !(keep_global && sp->touched))
			release_table(vcpu, sp, tlb);
		else
			sp->touched = false;
	}
	if (!keep_global)
		vcpu->mmu->pieces_1g = false;
}

static void put_root(struct umbra_vcpu *vcpu, unsigned int i, struct umbra_sp *sp)
{
	vcpu->mmu->root[i] = sp;
	sp->pins++;
	if (!umbra_tables_long(vcpu))
		WRITE_ONCE(vcpu->mmu->pdpt[i], spte_make_pdpte(__pa(sp->spt)));
}

static void drop_roots(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	struct umbra_mmu_vcpu *mmu = vcpu->mmu;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mmu->root); i++) {
		WRITE_ONCE(mmu->pdpt[i], 0);
		if (!mmu->root[i])
			continue;
		mmu->root[i]->pins--;
		release_table(vcpu, mmu->root[i], tlb);
		mmu->root[i] = NULL;
	}
}

static void work_load(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	drop(vcpu, false, tlb);
	drop_roots(vcpu, tlb);
	vcpu->mmu->resync = false;
	vcpu->mmu->role = umbra_root_role(vcpu);
	if (umbra_tables_long(vcpu)) {
		put_root(vcpu, 0, new_table(vcpu, vcpu->mmu->role.level));
		umbra_use_root(vcpu, vcpu->mmu->root[0]->spt);
	} else {
		umbra_use_root(vcpu, vcpu->mmu->pdpt);
	}
	tlb->pending = false;
}

static int vtlb_load(struct umbra_vcpu *vcpu)
{
	if (umbra_tables_stock(vcpu))
		return -ENOMEM;
	umbra_tables_locked(vcpu, 0, work_load);
	return 0;
}

static void vtlb_context_changed(struct umbra_vcpu *vcpu)
{
	vcpu->mmu->loaded = false;
	umbra_request(vcpu, UMBRA_REQ_NEW_ROOT);
}

static void work_new_cr3(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	drop(vcpu, true, tlb);
	flush_own(vcpu, tlb);
}

/* Entries carry no tag: whether the guest lets them stay or not, all but global ones go. */
static void vtlb_new_cr3(struct umbra_vcpu *vcpu)
{
	if (vcpu->mmu->loaded && vcpu->mmu->role.levels)
		umbra_tables_locked(vcpu, 0, work_new_cr3);
}

static struct umbra_sp *root_for(const struct umbra_vcpu *vcpu, gva_t gva)
{
	return vcpu->mmu->root[umbra_tables_long(vcpu) ? 0 : gva >> 30 & 3];
}

/* The lowest table there is for @gva; NULL without any. */
static struct umbra_sp *lowest(const struct umbra_vcpu *vcpu, gva_t gva)
{
	struct umbra_sp *sp = root_for(vcpu, gva);

	while (sp) {
		u64 e = sp->spt[spte_index(gva, sp->role.level)];

		if (!spte_present(e) || spte_leaf(e, sp->role.level))
			break;
		sp = umbra_sp_linked(e);
	}
	return sp;
}

static void drop_at(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = lowest(vcpu, gva);
	unsigned int index;

	if (!sp)
		return;
	index = spte_index(gva, sp->role.level);
	if (sp->pieces)
		drop_leaves(vcpu->vm, sp, false, tlb);
	else if (spte_leaf(sp->spt[index], sp->role.level))
		umbra_sp_clear(vcpu->vm, sp, index, tlb);
}

/* One guest page goes, in as many pieces as it was filled. */
static void work_invlpg(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb)
{
	if (vcpu->mmu->pieces_1g) {
		drop(vcpu, false, tlb);
	} else {
		drop_at(vcpu, gva, tlb);
		/* The other half of a page of 4 MiB. */
		if (vcpu->mmu->role.levels == 2)
			drop_at(vcpu, gva ^ (umbra_level_pages(2) << PAGE_SHIFT), tlb);
	}
	flush_own(vcpu, tlb);
}

static void vtlb_invlpg(struct umbra_vcpu *vcpu, gva_t gva)
{
	if (vcpu->mmu->loaded && vcpu->mmu->role.levels)
		umbra_tables_locked(vcpu, gva, work_invlpg);
}

/* The table of @level for the fault, made if need be. */
static struct umbra_sp *table_for(struct umbra_fault *fault, int level, struct umbra_tlb *tlb)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	struct umbra_sp *sp = root_for(vcpu, fault->gva), *child;

	if (!sp) {
		sp = new_table(vcpu, 2);
		put_root(vcpu, fault->gva >> 30 & 3, sp);
	}
	while (sp->role.level > level) {
		unsigned int index = spte_index(fault->gva, sp->role.level);
		u64 e = sp->spt[index];

		if (spte_present(e) && !spte_leaf(e, sp->role.level)) {
			sp = umbra_sp_linked(e);
			continue;
		}
		umbra_sp_clear(vcpu->vm, sp, index, tlb);
		child = new_table(vcpu, sp->role.level - 1);
		umbra_sp_link(vcpu, sp, index, child);
		sp = child;
	}
	return sp;
}

/* A table hangs where a large leaf is wanted: it goes, with its leaves. */
static void drop_table_at(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index,
			  struct umbra_tlb *tlb)
{
	u64 e = sp->spt[index];
	struct umbra_sp *child;

	if (!spte_present(e) || spte_leaf(e, sp->role.level))
		return;
	child = umbra_sp_linked(e);
	drop_leaves(vcpu->vm, child, false, tlb);
	release_table(vcpu, child, tlb);
}

static u8 walk_rights(const struct umbra_gwalk *walk, u64 leaf)
{
	u8 rights = UMBRA_RIGHTS;

	if (!walk->mode.levels)
		return rights;
	if (!x86_writable(walk->rights) || !x86_dirty(leaf))
		rights &= ~UMBRA_RIGHT_W;
	if (!x86_user(walk->rights))
		rights &= ~UMBRA_RIGHT_U;
	if (!x86_executable(walk->rights))
		rights &= ~UMBRA_RIGHT_X;
	return rights;
}

static int set_leaf(struct umbra_fault *fault, struct umbra_sp *sp, u64 spte,
		    struct umbra_tlb *tlb)
{
	const struct umbra_gwalk *walk = fault->walk;
	unsigned int index = spte_index(fault->gva, sp->role.level);
	struct umbra_vcpu *vcpu = fault->vcpu;

	if (walk->level > sp->role.level) {
		sp->pieces = true;
		vcpu->mmu->pieces_1g |= walk->level > 2;
	}
	drop_table_at(vcpu, sp, index, tlb);
	umbra_sp_set_leaf(vcpu, sp, index, spte, fault->slot,
			  fault->gfn & ~(umbra_level_pages(sp->role.level) - 1), tlb);
	sp->touched = true;
	umbra_vm_stat_inc(vcpu->vm, vtlb_fills);
	flush_own(vcpu, tlb);
	return UMBRA_MMU_RETRY;
}

static int vtlb_map(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	const struct umbra_gwalk *walk = fault->walk;
	struct umbra_vcpu *vcpu = fault->vcpu;
	union umbra_role role = vcpu->mmu->role;
	u64 e = walk->entry[walk->level], spte;
	int verdict;

	lockdep_assert_held(&vcpu->vm->mmu->lock);
	if (!vcpu->mmu->loaded)
		return UMBRA_MMU_RETRY;
	verdict = umbra_fault_traces(fault, tlb);
	/* Owners that let go change tables of other vCPUs too: not for flush_own(). */
	umbra_tlb_flush(tlb);
	if (verdict != UMBRA_MMU_RETRY)
		return verdict;
	/* Without paging the guest's page is as large as it gets. */
	role.level = min(fault->level, 2);
	if (walk->mode.levels && walk->level < 2)
		role.level = 1;
	verdict = umbra_fault_leaf(fault, role, walk_rights(walk, e), &spte);
	if (verdict != UMBRA_MMU_RETRY)
		return verdict;
	if ((e & X86_GLOBAL) && (vcpu->cr4 & X86_CR4_PGE))
		spte |= SPTE_GLOBAL;
	if (vcpu->mmu->nr_tables + UMBRA_STOCK_MIN > VTLB_MAX_TABLES)
		drop(vcpu, false, tlb);
	return set_leaf(fault, table_for(fault, role.level, tlb), spte, tlb);
}

static void vtlb_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	int idx = srcu_read_lock(&vm->srcu);

	umbra_rmap_zap(vm, slot, slot->base_gfn, slot->base_gfn + slot->npages, true);
	/* The slot may have held guest tables: what was filled from them goes too. */
	umbra_request_all(vm, UMBRA_REQ_NEW_ROOT);
	srcu_read_unlock(&vm->srcu, idx);
}

static void work_unload(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	drop(vcpu, false, tlb);
	drop_roots(vcpu, tlb);
	vcpu->mmu->resync = false;
	vcpu->mmu->loaded = false;
	/* What the processor still holds goes at the next load, if there is one. */
	tlb->pending = false;
}

static void vtlb_unload(struct umbra_vcpu *vcpu)
{
	umbra_tables_locked(vcpu, 0, work_unload);
}

static void vtlb_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);

	umbra_tables_locked(vcpu, 0, work_unload);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	umbra_tables_vcpu_destroy(vcpu);
}

const struct umbra_mmu_ops umbra_vtlb_ops = {
	.vm_create = umbra_spages_create,
	.vm_destroy = umbra_spages_destroy,
	.zap = umbra_rmap_zap,
	.zap_slot = vtlb_zap_slot,
	.age = umbra_rmap_age,
	.log_start = umbra_rmap_log_start,
	.log_protect = umbra_rmap_log_protect,
	.log_stop = umbra_rmap_log_stop,
	.protect = umbra_rmap_protect,
	.recover = umbra_rmap_recover,
	.vcpu_create = umbra_tables_vcpu_create,
	.vcpu_destroy = vtlb_vcpu_destroy,
	.load = vtlb_load,
	.unload = vtlb_unload,
	.stocked = umbra_tables_stocked,
	.stock = umbra_tables_stock,
	.map = vtlb_map,
	.new_cr3 = vtlb_new_cr3,
	.invlpg = vtlb_invlpg,
	.refused = vtlb_invlpg,
	.context_changed = vtlb_context_changed,
};
