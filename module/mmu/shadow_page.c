// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow pages as a set: found by (gfn, role), kept when nothing leads to them,
 * bounded in number, given up least recently used, and given back to the host
 * when it asks. Decides when a table lives; not what its entries hold.
 */
#include "mmu_env.h"
#include "shadow.h"

static struct hlist_head *bucket_of(struct umbra_vm *vm, gfn_t gfn)
{
	return &vm->mmu->spages.hash[hash_64(gfn, UMBRA_SP_HASH_BITS)];
}

struct umbra_sp *shadow_find(struct umbra_vm *vm, gfn_t gfn, union umbra_role role)
{
	struct umbra_sp *sp;

	hlist_for_each_entry(sp, bucket_of(vm, gfn), hash)
		if (sp->gfn == gfn && sp->role.word == role.word)
			return sp;
	return NULL;
}

static struct umbra_sp *create(struct umbra_vcpu *vcpu, gfn_t gfn, union umbra_role role,
			       struct umbra_tlb *tlb)
{
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_sp *sp = umbra_sp_new(vcpu, gfn, role);

	hlist_add_head(&sp->hash, bucket_of(vm, gfn));
	list_add(&sp->lru, &vm->mmu->spages.lru);
	if (role.direct)
		return sp;
	sp->trace.gfn = gfn;
	sp->trace.owner = &shadow_tracer;
	sp->trace.kinds = UMBRA_TRACE_WRITE;
	umbra_trace_add(vm, &sp->trace, tlb);
	/* Before the guest's entries are read, no processor may write them unseen. */
	umbra_tlb_flush(tlb);
	return sp;
}

struct umbra_sp *shadow_get(struct umbra_vcpu *vcpu, gfn_t gfn, union umbra_role role,
			    struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = shadow_find(vcpu->vm, gfn, role);

	if (!sp)
		return create(vcpu, gfn, role, tlb);
	umbra_vm_stat_inc(vcpu->vm, pages_reused);
	list_del(&sp->lru);
	list_add(&sp->lru, &vcpu->vm->mmu->spages.lru);
	/*
	 * What is linked now was perhaps not reachable when the guest flushed
	 * last: it must not bring back what was cached before.
	 */
	shadow_sync_under(vcpu, sp, tlb);
	return sp;
}

/* A table that may be stale and that nothing leads to is never synced again. */
static void drop_orphan(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	if (sp->stale && !sp->parents && !sp->pins)
		shadow_zap(vm, sp, tlb);
}

void shadow_drop(struct umbra_vm *vm, struct umbra_sp *sp, unsigned int index,
		 struct umbra_tlb *tlb)
{
	u64 old = umbra_sp_clear(vm, sp, index, tlb);

	if (spte_present(old) && !spte_leaf(old, sp->role.level))
		drop_orphan(vm, umbra_sp_linked(old), tlb);
}

static void unlink_parents(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	u64 *spte;

	while ((spte = umbra_rmap_first(sp->parents))) {
		struct umbra_sp *parent = umbra_sp_of(spte);

		umbra_sp_clear(vm, parent, spte - parent->spt, tlb);
	}
}

static void empty(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	unsigned int i;

	if (sp->role.level == 1)
		umbra_sp_clear_leaves(vm, sp, tlb);
	else
		for_each_set_bit(i, sp->used, UMBRA_FMT_ENTRIES)
			shadow_drop(vm, sp, i, tlb);
}

/* Recursion ends at level 1: each step leads one level down. */
void shadow_zap(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	lockdep_assert_held(&vm->mmu->lock);
	hlist_del_init(&sp->hash);
	umbra_trace_remove(vm, &sp->trace, tlb);
	if (sp->stale) {
		sp->stale = false;
		list_del_init(&sp->unsync);
		vm->mmu->spages.nr_unsync--;
	}
	unlink_parents(vm, sp, tlb);
	empty(vm, sp, tlb);
	if (!sp->pins) {
		umbra_sp_release(vm, sp, tlb);
		return;
	}
	/* Processors may still walk it: they find nothing, and look for another root. */
	sp->dead = true;
	list_del_init(&sp->lru);
	umbra_tlb_note(tlb);
	umbra_request_all(vm, UMBRA_REQ_NEW_ROOT);
}

void shadow_pin(struct umbra_sp *sp)
{
	sp->pins++;
}

void shadow_unpin(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	sp->pins--;
	if (sp->dead && !sp->pins)
		umbra_sp_release(vm, sp, tlb);
	else
		drop_orphan(vm, sp, tlb);
}

unsigned long shadow_zap_oldest(struct umbra_vm *vm, unsigned long nr, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	unsigned long looks = 2 * spages->nr, before = spages->nr;

	while (looks-- && before - spages->nr < nr && !list_empty(&spages->lru)) {
		struct umbra_sp *sp = list_last_entry(&spages->lru, struct umbra_sp, lru);

		if (sp->pins || sp->touched) {
			sp->touched = false;
			list_del(&sp->lru);
			list_add(&sp->lru, &spages->lru);
			continue;
		}
		shadow_zap(vm, sp, tlb);
	}
	return before - spages->nr;
}

/* Some more than needed, so that not every fault has to. */
#define ROOM_BATCH	16

void shadow_make_room(struct umbra_vm *vm, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;

	if (spages->nr + UMBRA_STOCK_MIN > spages->max)
		shadow_zap_oldest(vm, spages->nr + UMBRA_STOCK_MIN - spages->max + ROOM_BATCH,
				  tlb);
	while (spages->nr_unsync >= SHADOW_MAX_UNSYNC)
		shadow_zap(vm, list_last_entry(&spages->unsync, struct umbra_sp, unsync), tlb);
}

void shadow_enforce_limit(struct umbra_vm *vm, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;

	while (spages->nr > spages->max && shadow_zap_oldest(vm, ROOM_BATCH, tlb))
		umbra_tlb_breathe(tlb);
}

/* Oldest first: those that are made while the lock is free are new enough to stay. */
void shadow_zap_all(struct umbra_vm *vm, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	unsigned long left = spages->nr;

	while (left-- && !list_empty(&spages->lru)) {
		shadow_zap(vm, list_last_entry(&spages->lru, struct umbra_sp, lru), tlb);
		umbra_tlb_breathe(tlb);
	}
}

void shadow_zap_tables_in(struct umbra_vm *vm, const struct umbra_memslot *slot,
			  struct umbra_tlb *tlb)
{
	struct list_head *lru = &vm->mmu->spages.lru;
	LIST_HEAD(keep);

	while (!list_empty(lru)) {
		struct umbra_sp *sp = list_first_entry(lru, struct umbra_sp, lru);

		if (!sp->role.direct && umbra_slot_has(slot, sp->gfn))
			shadow_zap(vm, sp, tlb);
		else
			list_move_tail(&sp->lru, &keep);
	}
	list_splice(&keep, lru);
}

void shadow_unlink_direct(struct umbra_vm *vm, gfn_t gfn, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp;

	gfn &= ~(gfn_t)(UMBRA_FMT_ENTRIES - 1);
	hlist_for_each_entry(sp, bucket_of(vm, gfn), hash)
		if (sp->gfn == gfn && sp->role.direct && sp->role.level == 1)
			unlink_parents(vm, sp, tlb);
}
