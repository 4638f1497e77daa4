// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to guest frames, carried out over the reverse maps of the modes
 * without nested tables: the host takes a frame away, asks for its age, or it
 * has to be write-protected for the dirty log or a trace. Knows slots and
 * reverse maps; not what a table stands for.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "rmap.h"
#include "slot.h"
#include "spage.h"

void umbra_rmap_zap_head(struct umbra_vm *vm, unsigned long *head, struct umbra_tlb *tlb)
{
	u64 *spte;

	while ((spte = umbra_rmap_first(*head))) {
		struct umbra_sp *sp = umbra_sp_of(spte);

		umbra_sp_clear(vm, sp, spte - sp->spt, tlb);
	}
}

/* 4 KiB entries lose their write right. */
static void protect_head(unsigned long head, struct umbra_tlb *tlb)
{
	struct umbra_rmap_iter it;
	u64 *spte;

	umbra_rmap_begin(&it, head);
	while ((spte = umbra_rmap_next(&it))) {
		u64 old = READ_ONCE(*spte);

		if (!spte_writable(old))
			continue;
		while (!try_cmpxchg(spte, &old, old & ~SPTE_WRITE))
			;
		umbra_tlb_note(tlb);
	}
}

static bool age_head(unsigned long head, bool clear)
{
	struct umbra_rmap_iter it;
	bool young = false;
	u64 *spte;

	umbra_rmap_begin(&it, head);
	while ((spte = umbra_rmap_next(&it))) {
		u64 old = READ_ONCE(*spte);

		if (!(old & SPTE_ACCESSED))
			continue;
		young = true;
		while (clear && !try_cmpxchg(spte, &old, old & ~SPTE_ACCESSED))
			;
	}
	return young;
}

static gfn_t region_end(gfn_t gfn, gfn_t end)
{
	return min(end, (gfn | (UMBRA_REGION_PAGES - 1)) + 1);
}

bool umbra_rmap_zap(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool may_block)
{
	struct umbra_tlb tlb;
	gfn_t gfn, stop;

	lockdep_assert_irqs_enabled();
	umbra_tlb_lock(&tlb, vm);
	for (gfn = first; gfn < end; gfn = stop) {
		struct umbra_region *region = umbra_region(slot, gfn);

		stop = region_end(gfn, end);
		umbra_rmap_zap_head(vm, &region->large, &tlb);
		for (; region->rmap && gfn < stop; gfn++)
			umbra_rmap_zap_head(vm, &region->rmap[gfn % UMBRA_REGION_PAGES], &tlb);
		if (may_block)
			umbra_tlb_breathe(&tlb);
	}
	return umbra_tlb_unlock(&tlb);
}

bool umbra_rmap_age(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool clear)
{
	bool young = false;
	gfn_t gfn, stop;

	spin_lock(&vm->mmu->lock);
	for (gfn = first; gfn < end; gfn = stop) {
		struct umbra_region *region = umbra_region(slot, gfn);

		stop = region_end(gfn, end);
		young |= age_head(region->large, clear);
		for (; region->rmap && gfn < stop; gfn++)
			young |= age_head(region->rmap[gfn % UMBRA_REGION_PAGES], clear);
	}
	spin_unlock(&vm->mmu->lock);
	return young;
}

void umbra_rmap_log_start(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	gfn_t end = slot->base_gfn + slot->npages, gfn, stop;
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	for (gfn = slot->base_gfn; gfn < end; gfn = stop) {
		struct umbra_region *region = umbra_region(slot, gfn);

		stop = region_end(gfn, end);
		umbra_rmap_zap_head(vm, &region->large, &tlb);
		for (; region->rmap && gfn < stop; gfn++)
			protect_head(region->rmap[gfn % UMBRA_REGION_PAGES], &tlb);
		umbra_tlb_breathe(&tlb);
	}
	umbra_tlb_unlock(&tlb);
}

void umbra_rmap_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first,
			    u64 mask)
{
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	for (; mask; mask &= mask - 1) {
		gfn_t gfn = first + __ffs64(mask);
		struct umbra_region *region = umbra_region(slot, gfn);

		umbra_rmap_zap_head(vm, &region->large, &tlb);
		if (region->rmap)
			protect_head(region->rmap[gfn % UMBRA_REGION_PAGES], &tlb);
	}
	umbra_tlb_unlock(&tlb);
}

/* Small mappings go, where large ones are possible now: faults bring those. */
void umbra_rmap_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	gfn_t end = slot->base_gfn + slot->npages, gfn, stop;

	for (gfn = slot->base_gfn; gfn < end; gfn = stop) {
		stop = region_end(gfn, end);
		if (umbra_slot_level(slot, gfn) > 1 &&
		    umbra_host_level(vm, umbra_slot_hva(slot, gfn)) > 1)
			umbra_rmap_zap(vm, slot, gfn, stop, true);
	}
}

void umbra_rmap_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			struct umbra_tlb *tlb)
{
	struct umbra_region *region = umbra_region(slot, gfn);
	unsigned int i;

	lockdep_assert_held(&vm->mmu->lock);
	for (i = 0; region->rmap && i < UMBRA_REGION_PAGES; i++)
		umbra_rmap_zap_head(vm, &region->rmap[i], tlb);
}

void umbra_rmap_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
			struct umbra_tlb *tlb)
{
	struct umbra_region *region = umbra_region(slot, gfn);
	unsigned long *head;

	lockdep_assert_held(&vm->mmu->lock);
	umbra_rmap_zap_head(vm, &region->large, tlb);
	if (!region->rmap)
		return;
	head = &region->rmap[gfn % UMBRA_REGION_PAGES];
	if (kinds & UMBRA_TRACE_ACCESS)
		umbra_rmap_zap_head(vm, head, tlb);
	else
		protect_head(*head, tlb);
}

/* Where no guest entry has a say: those of large pages, such as the kernel's map of all memory. */
static bool only_trace_forbids(const u64 *spte)
{
	const struct umbra_sp *sp = umbra_sp_of(spte);

	return !spte_writable(*spte) && sp->role.direct && sp->role.level == 1 &&
	       (sp->role.rights & UMBRA_RIGHT_W);
}

void umbra_rmap_unprotect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn)
{
	struct umbra_region *region = umbra_region(slot, gfn);
	struct umbra_frame frame;
	struct umbra_rmap_iter it;
	u64 *spte, old;

	lockdep_assert_held(&vm->mmu->lock);
	/* Reclaim comes from any thread, and the host's tables are the client's to read. */
	if (!region->rmap || vm->mmu->inval_count || !umbra_client_thread(vm))
		return;
	umbra_rmap_begin(&it, region->rmap[gfn % UMBRA_REGION_PAGES]);
	while ((spte = umbra_rmap_next(&it))) {
		if (!only_trace_forbids(spte))
			continue;
		if (!umbra_mmu_peek(vm->mmu, umbra_slot_hva(slot, gfn), true, &frame))
			return;
		old = READ_ONCE(*spte);
		while (!try_cmpxchg(spte, &old, old | SPTE_WRITE | SPTE_DIRTY))
			;
	}
}
