// SPDX-License-Identifier: GPL-2.0
/*
 * The host's memory management tells what it does to vm->mm; every callback
 * becomes calls into mmu/ for the parts of slots it touches, nothing else.
 *
 * An invalidation is announced before mappings are dropped and withdrawn after
 * the host is done; in between mmu/ installs nothing in its range. Both ends
 * are counted whether or not a slot overlaps, so slots may change in between.
 */
#include <linux/mmu_notifier.h>
#include <linux/srcu.h>
#include "memslot.h"
#include "mmu/mmu.h"
#include "request.h"
#include "vm.h"

static struct umbra_vm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct umbra_vm, notifier);
}

/* The part of @slot that lies in [@start, @end) of host addresses, in gfns. */
static bool slot_clip(const struct umbra_memslot *slot, hva_t start, hva_t end, gfn_t *first,
		      gfn_t *last)
{
	hva_t slot_end = slot->hva + (slot->npages << PAGE_SHIFT);

	start = max(start, slot->hva);
	end = min(end, slot_end);
	if (start >= end)
		return false;
	*first = slot->base_gfn + ((start - slot->hva) >> PAGE_SHIFT);
	*last = slot->base_gfn + DIV_ROUND_UP(end - slot->hva, PAGE_SIZE);
	return true;
}

static void range_zap(struct umbra_vm *vm, hva_t start, hva_t end, bool may_block)
{
	int i, idx = srcu_read_lock(&vm->srcu);
	struct umbra_memslots *slots = umbra_slots(vm);
	struct umbra_memslot *slot;
	gfn_t first, last;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		if (slot_clip(slot, start, end, &first, &last))
			umbra_mmu_zap_range(vm, slot, first, last, may_block);
	srcu_read_unlock(&vm->srcu, idx);
}

static bool range_age(struct umbra_vm *vm, hva_t start, hva_t end, bool clear)
{
	int i, idx = srcu_read_lock(&vm->srcu);
	struct umbra_memslots *slots = umbra_slots(vm);
	struct umbra_memslot *slot;
	bool young = false;
	gfn_t first, last;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		if (slot_clip(slot, start, end, &first, &last))
			young |= umbra_mmu_age_range(vm, slot, first, last, clear);
	srcu_read_unlock(&vm->srcu, idx);
	return young;
}

static int notifier_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct umbra_vm *vm = notifier_vm(mn);

	umbra_mmu_invalidate_begin(vm, range->start, range->end);
	range_zap(vm, range->start, range->end, mmu_notifier_range_blockable(range));
	return 0;
}

static void notifier_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	umbra_mmu_invalidate_end(notifier_vm(mn));
}

static int notifier_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				      unsigned long start, unsigned long end)
{
	struct umbra_vm *vm = notifier_vm(mn);
	bool young = range_age(vm, start, end, true);

	if (young)
		umbra_flush_remote_tlbs(vm);
	return young;
}

/* Without a flush a translation in use looks idle until it is evicted: allowed here. */
static int notifier_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				unsigned long start, unsigned long end)
{
	return range_age(notifier_vm(mn), start, end, true);
}

static int notifier_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long address)
{
	return range_age(notifier_vm(mn), address, address + 1, false);
}

static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	umbra_mmu_zap_all(notifier_vm(mn));
}

static const struct mmu_notifier_ops umbra_notifier_ops = {
	.release = notifier_release,
	.clear_flush_young = notifier_clear_flush_young,
	.clear_young = notifier_clear_young,
	.test_young = notifier_test_young,
	.invalidate_range_start = notifier_start,
	.invalidate_range_end = notifier_end,
};

/**
 * umbra_notifier_register() - hear from now on what happens to vm->mm
 * @vm: the VM; its slots, SRCU and MMU exist
 *
 * Takes mmap_lock for writing, sleeps. Return: 0, -ENOMEM or -EINTR.
 */
int umbra_notifier_register(struct umbra_vm *vm)
{
	vm->notifier.ops = &umbra_notifier_ops;
	return mmu_notifier_register(&vm->notifier, vm->mm);
}

/* On return no callback runs any more, and every mapping was dropped. Sleeps. */
void umbra_notifier_unregister(struct umbra_vm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
}
