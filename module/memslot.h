/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest-physical to host-virtual slots. No page tables here.
 *
 * The slots of a VM are an immutable sorted array, replaced as a whole under
 * vm->slots_lock and read under SRCU (vm->srcu). Pointers to slots are valid
 * only inside the read section that found them.
 */
#ifndef UMBRA_MEMSLOT_H
#define UMBRA_MEMSLOT_H

#include <linux/bits.h>
#include <linux/math.h>
#include "types.h"

#define UMBRA_MAX_SLOTS		512
#define UMBRA_SLOT_MAX_PAGES	((1UL << 31) - 1)

struct kvm_clear_dirty_log;
struct kvm_dirty_log;
struct kvm_userspace_memory_region;
struct umbra_vm;

/**
 * struct umbra_memslot - one slot; constant while published, but for the bitmap's
 *	bits and @dying
 * @base_gfn: first guest frame
 * @npages: length in 4 KiB pages, never 0 while published
 * @hva: host address of the first byte, page aligned
 * @flags: KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY
 * @id: the caller's slot number
 * @dirty: dirty bitmap (set_bit() from any context), NULL when not logging
 * @arch: what the MMU keeps per slot (write-trace counts ...), owned by mmu/
 * @dying: on its way out: no new mapping may be made from it, and lookups by gfn
 *	miss it; walks by hva still find it, so that notifiers reach old mappings
 */
struct umbra_memslot {
	gfn_t base_gfn;
	unsigned long npages;
	hva_t hva;
	u32 flags;
	u16 id;
	unsigned long *dirty;
	void *arch;
	bool dying;
};

/**
 * struct umbra_memslots - all slots of a VM, sorted by @base_gfn
 * @generation: changes with every replacement; MMIO caches compare it
 * @count: number of entries in @slot
 * @hint: index of the slot found last; a guess, racy on purpose
 * @slot: pointers, sorted
 */
struct umbra_memslots {
	u64 generation;
	int count;
	int hint;
	struct umbra_memslot *slot[];
};

/* Slot number @i in order of gfn, dying ones too; NULL after the last. */
static inline struct umbra_memslot *umbra_slot_at(const struct umbra_memslots *slots, int i)
{
	return i < slots->count ? slots->slot[i] : NULL;
}

static inline bool umbra_slot_has(const struct umbra_memslot *slot, gfn_t gfn)
{
	return gfn >= slot->base_gfn && gfn - slot->base_gfn < slot->npages;
}

static inline hva_t umbra_slot_hva(const struct umbra_memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

/* Bytes of @slot's dirty bitmap: whole longs, as user space's buffer. */
static inline size_t umbra_slot_bitmap_bytes(const struct umbra_memslot *slot)
{
	return DIV_ROUND_UP(slot->npages, BITS_PER_LONG) * sizeof(long);
}

int umbra_memslots_init(struct umbra_vm *vm);
void umbra_memslots_destroy(struct umbra_vm *vm);
/* KVM_SET_USER_MEMORY_REGION; takes slots_lock; errors as KVM's. */
int umbra_set_memory_region(struct umbra_vm *vm, const struct kvm_userspace_memory_region *mem);
/* The published array; inside an SRCU read section or with slots_lock. */
struct umbra_memslots *umbra_slots(struct umbra_vm *vm);
/* The slot with the caller's number @id or NULL; dying ones too. */
struct umbra_memslot *umbra_slot_by_id(struct umbra_memslots *slots, u16 id);
/* The slot that holds @gfn or NULL; inside an SRCU read section. */
struct umbra_memslot *umbra_gfn_to_slot(struct umbra_vm *vm, gfn_t gfn);
/* The same, dying ones too: for those who undo what was made from it. */
struct umbra_memslot *umbra_gfn_to_slot_any(struct umbra_vm *vm, gfn_t gfn);
/* KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG. */
int umbra_get_dirty_log(struct umbra_vm *vm, struct kvm_dirty_log *log);
int umbra_clear_dirty_log(struct umbra_vm *vm, struct kvm_clear_dirty_log *log);
/* Record that @gfn was written; any context; inside an SRCU read section. */
void umbra_mark_dirty(struct umbra_vm *vm, gfn_t gfn);
void umbra_slot_mark_dirty(struct umbra_memslot *slot, gfn_t gfn);

#endif
