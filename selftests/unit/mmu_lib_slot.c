// SPDX-License-Identifier: GPL-2.0
/*
 * Slots in unit tests: what memslot.c does around the calls into mmu/, in the
 * same order, for one thread. Owns the array that the module sees.
 */
#include "mmu_lib.h"

static struct umbra_memslots *slots_alloc(void)
{
	return calloc(1, sizeof(struct umbra_memslots) +
		      UNIT_SLOTS * sizeof(struct umbra_memslot *));
}

/* Put @new in place of @old; either may be NULL. Sorted. With @fresh @new is a new slot. */
static void publish(const struct umbra_memslot *old, struct umbra_memslot *new, bool fresh)
{
	struct umbra_memslots *next = slots_alloc(), *cur = unit.slots;
	struct umbra_memslot *data = fresh ? new : NULL;
	int i, n = 0;

	next->generation = cur ? cur->generation + 1 : 1;
	for (i = 0; cur && i < cur->count; i++) {
		if (cur->slot[i] == old)
			continue;
		if (new && new->base_gfn < cur->slot[i]->base_gfn) {
			next->slot[n++] = new;
			new = NULL;
		}
		next->slot[n++] = cur->slot[i];
	}
	if (new)
		next->slot[n++] = new;
	assert(n <= UNIT_SLOTS);
	next->count = n;
	umbra_mmu_publish_begin(&unit.vm, data);
	unit.slots = next;
	umbra_mmu_publish_end(&unit.vm);
	umbra_mmu_slots_changed(&unit.vm);
	free(cur);
}

static void slot_free(struct umbra_memslot *slot)
{
	umbra_mmu_slot_destroy(&unit.vm, slot);
	free(slot);
}

static struct umbra_memslot *slot_new(const struct umbra_memslot *want)
{
	struct umbra_memslot *slot = malloc(sizeof(*slot));
	int left = unit.alloc_left;

	*slot = *want;
	unit.alloc_left = -1;
	assert(!umbra_mmu_slot_create(slot));
	unit.alloc_left = left;
	return slot;
}

struct umbra_memslot *unit_slot(int id, gfn_t base, unsigned long npages, hva_t hva, u32 flags)
{
	struct umbra_memslot want = {
		.base_gfn = base, .npages = npages, .hva = hva, .flags = flags, .id = id,
	};
	struct umbra_memslot *slot = slot_new(&want);

	publish(NULL, slot, true);
	return slot;
}

struct umbra_memslot *unit_slot_id(int id)
{
	int i;

	for (i = 0; i < unit.slots->count; i++)
		if (unit.slots->slot[i]->id == id)
			return unit.slots->slot[i];
	return NULL;
}

static void retire(struct umbra_memslot *slot)
{
	slot->dying = true;
	umbra_mmu_zap_slot(&unit.vm, slot);
}

void unit_slot_delete(struct umbra_memslot *slot)
{
	retire(slot);
	publish(slot, NULL, false);
	free(slot->dirty);
	slot_free(slot);
}

struct umbra_memslot *unit_slot_move(struct umbra_memslot *slot, gfn_t base)
{
	struct umbra_memslot want = *slot, *new;

	want.base_gfn = base;
	new = slot_new(&want);
	retire(slot);
	publish(slot, new, true);
	slot_free(slot);
	return new;
}

struct umbra_memslot *unit_slot_log(struct umbra_memslot *slot, bool on)
{
	struct umbra_memslot *new = malloc(sizeof(*new));

	*new = *slot;
	new->dirty = on ? calloc(1, umbra_slot_bitmap_bytes(slot)) : NULL;
	new->flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
	new->flags |= on ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	publish(slot, new, false);
	free(slot->dirty);
	free(slot);
	if (on)
		umbra_mmu_log_start(&unit.vm, new);
	else
		umbra_mmu_log_stop(&unit.vm, new);
	return new;
}

bool unit_slot_get_log(struct umbra_memslot *slot)
{
	unsigned long i, bits;
	bool any = false;

	for (i = 0; slot->dirty && i < umbra_slot_bitmap_bytes(slot) / sizeof(long); i++) {
		bits = xchg(&slot->dirty[i], 0);
		any |= bits != 0;
		umbra_mmu_log_protect(&unit.vm, slot, slot->base_gfn + i * BITS_PER_LONG, bits);
	}
	if (any)
		umbra_flush_remote_tlbs(&unit.vm);
	return any;
}

void unit_slots_free(void)
{
	int i;

	for (i = 0; unit.slots && i < unit.slots->count; i++)
		slot_free(unit.slots->slot[i]);
	free(unit.slots);
	unit.slots = NULL;
}

struct umbra_memslots *umbra_slots(struct umbra_vm *vm)
{
	return unit.slots;
}

struct umbra_memslot *umbra_gfn_to_slot_any(struct umbra_vm *vm, gfn_t gfn)
{
	int i;

	for (i = 0; unit.slots && i < unit.slots->count; i++)
		if (umbra_slot_has(unit.slots->slot[i], gfn))
			return unit.slots->slot[i];
	return NULL;
}

struct umbra_memslot *umbra_gfn_to_slot(struct umbra_vm *vm, gfn_t gfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(vm, gfn);

	return slot && !slot->dying ? slot : NULL;
}

void umbra_slot_mark_dirty(struct umbra_memslot *slot, gfn_t gfn)
{
	if (slot->dirty)
		set_bit(gfn - slot->base_gfn, slot->dirty);
}
