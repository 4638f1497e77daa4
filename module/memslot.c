// SPDX-License-Identifier: GPL-2.0
/*
 * Guest-physical to host-virtual slots: rules, lookup, replacement.
 *
 * Everything that can fail happens before the first visible step, so a failed
 * call changes nothing. A slot that goes away is first marked dying and
 * drained, then its mappings are dropped, and only then it leaves the array:
 * notifiers must find it for as long as a mapping made from it may exist.
 * This file knows no page tables and no bits of them.
 */
#include <linux/bitmap.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include "memslot.h"
#include "mmu/mmu.h"
#include "vm.h"

#define SLOT_FLAGS	(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

struct umbra_memslots *umbra_slots(struct umbra_vm *vm)
{
	return srcu_dereference_check(vm->slots, &vm->srcu,
				      lockdep_is_held(&vm->slots_lock));
}

struct umbra_memslot *umbra_slot_by_id(struct umbra_memslots *slots, u16 id)
{
	struct umbra_memslot *slot;
	int i;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		if (slot->id == id)
			return slot;
	return NULL;
}

/* Index of the last slot that begins at or below @gfn, -1 if none. */
static int slots_search(const struct umbra_memslots *slots, gfn_t gfn)
{
	int lo = 0, hi = slots->count;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (slots->slot[mid]->base_gfn <= gfn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/**
 * umbra_gfn_to_slot() - find the slot that backs a guest frame
 * @vm: the VM; inside an SRCU read section of vm->srcu
 * @gfn: guest frame number
 *
 * Return: the slot, valid until the read section ends; NULL when there is no
 * memory at @gfn. Any context.
 */
struct umbra_memslot *umbra_gfn_to_slot(struct umbra_vm *vm, gfn_t gfn)
{
	struct umbra_memslots *slots = umbra_slots(vm);
	int i = READ_ONCE(slots->hint);
	struct umbra_memslot *slot;

	if (i >= slots->count || !umbra_slot_has(slots->slot[i], gfn)) {
		i = slots_search(slots, gfn);
		if (i < 0 || !umbra_slot_has(slots->slot[i], gfn))
			return NULL;
		WRITE_ONCE(slots->hint, i);
	}
	slot = slots->slot[i];
	return READ_ONCE(slot->dying) ? NULL : slot;
}

/**
 * umbra_gfn_to_slot_any() - find the slot at a guest frame, even a dying one
 * @vm: the VM; inside an SRCU read section of vm->srcu
 * @gfn: guest frame number
 *
 * For those who undo what was made from the slot before it began to die.
 * Return: the slot or NULL. Any context.
 */
struct umbra_memslot *umbra_gfn_to_slot_any(struct umbra_vm *vm, gfn_t gfn)
{
	struct umbra_memslots *slots = umbra_slots(vm);
	int i = READ_ONCE(slots->hint);

	if (i < slots->count && umbra_slot_has(slots->slot[i], gfn))
		return slots->slot[i];
	i = slots_search(slots, gfn);
	return i >= 0 && umbra_slot_has(slots->slot[i], gfn) ? slots->slot[i] : NULL;
}

void umbra_slot_mark_dirty(struct umbra_memslot *slot, gfn_t gfn)
{
	/*
	 * Not test_bit() first: the write that is recorded must be visible
	 * before the bit is, and set_bit() is the barrier.
	 */
	if (slot->dirty)
		set_bit(gfn - slot->base_gfn, slot->dirty);
}

void umbra_mark_dirty(struct umbra_vm *vm, gfn_t gfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(vm, gfn);

	if (slot)
		umbra_slot_mark_dirty(slot, gfn);
}

static int slot_alloc_dirty(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	slot->dirty = kvcalloc(umbra_slot_bitmap_bytes(slot), 1, GFP_KERNEL_ACCOUNT);
	if (!slot->dirty)
		return -ENOMEM;
	if (vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET)
		bitmap_set(slot->dirty, 0, slot->npages);
	return 0;
}

static void slot_free(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	umbra_mmu_slot_destroy(vm, slot);
	kvfree(slot->dirty);
	kfree(slot);
}

static struct umbra_memslots *slots_alloc(int count)
{
	struct umbra_memslots *slots;

	slots = kvzalloc(struct_size(slots, slot, count), GFP_KERNEL_ACCOUNT);
	if (slots)
		slots->count = count;
	return slots;
}

/* A sorted copy of the published array without @old and with @new. */
static struct umbra_memslots *slots_replace(struct umbra_vm *vm, struct umbra_memslot *old,
					    struct umbra_memslot *new)
{
	struct umbra_memslots *cur = umbra_slots(vm), *next;
	struct umbra_memslot *slot;
	int i, n = 0;

	next = slots_alloc(cur->count - !!old + !!new);
	if (!next)
		return NULL;
	next->generation = cur->generation + 1;
	for (i = 0; (slot = umbra_slot_at(cur, i)); i++) {
		if (slot == old)
			continue;
		if (new && new->base_gfn < slot->base_gfn) {
			next->slot[n++] = new;
			new = NULL;
		}
		next->slot[n++] = slot;
	}
	if (new)
		next->slot[n] = new;
	return next;
}

/*
 * Let readers see @next only, and in it @new, NULL if it has no MMU data of its
 * own; on return nobody uses what it replaced.
 */
static void slots_publish(struct umbra_vm *vm, struct umbra_memslots *next,
			  struct umbra_memslot *new)
{
	struct umbra_memslots *cur = umbra_slots(vm);

	umbra_mmu_publish_begin(vm, new);
	rcu_assign_pointer(vm->slots, next);
	umbra_mmu_publish_end(vm);
	synchronize_srcu_expedited(&vm->srcu);
	umbra_mmu_slots_changed(vm);
	kvfree(cur);
}

/* Nothing maps or reaches memory through @slot any more when this returns. */
static void slot_retire(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	WRITE_ONCE(slot->dying, true);
	synchronize_srcu_expedited(&vm->srcu);
	umbra_mmu_zap_slot(vm, slot);
}

static bool slots_overlap(struct umbra_vm *vm, const struct umbra_memslot *new,
			  const struct umbra_memslot *except)
{
	struct umbra_memslots *slots = umbra_slots(vm);
	struct umbra_memslot *slot;
	int i;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		if (slot != except && new->base_gfn < slot->base_gfn + slot->npages &&
		    slot->base_gfn < new->base_gfn + new->npages)
			return true;
	return false;
}

static int slot_delete(struct umbra_vm *vm, struct umbra_memslot *old)
{
	struct umbra_memslots *next = slots_replace(vm, old, NULL);

	if (!next)
		return -ENOMEM;
	slot_retire(vm, old);
	slots_publish(vm, next, NULL);
	slot_free(vm, old);
	return 0;
}

static int slot_create(struct umbra_vm *vm, const struct umbra_memslot *want)
{
	struct umbra_memslots *next;
	struct umbra_memslot *new;
	int ret = -ENOMEM;

	if (slots_overlap(vm, want, NULL))
		return -EEXIST;
	new = kmemdup(want, sizeof(*want), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	if ((new->flags & KVM_MEM_LOG_DIRTY_PAGES) && slot_alloc_dirty(vm, new))
		goto free;
	ret = umbra_mmu_slot_create(new);
	if (ret)
		goto free;
	ret = -ENOMEM;
	next = slots_replace(vm, NULL, new);
	if (!next)
		goto free;
	slots_publish(vm, next, new);
	return 0;
free:
	slot_free(vm, new);
	return ret;
}

/* Give @new the bitmap it needs: @old's, a fresh one, or none. */
static int slot_inherit_dirty(struct umbra_vm *vm, struct umbra_memslot *new,
			      struct umbra_memslot *old)
{
	if (!(new->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return 0;
	if (!old->dirty)
		return slot_alloc_dirty(vm, new);
	new->dirty = old->dirty;
	return 0;
}

/* Free @slot, replaced by @new, but for what @new took over. */
static void slot_free_replaced(struct umbra_vm *vm, struct umbra_memslot *slot,
			       struct umbra_memslot *new)
{
	if (slot->dirty == new->dirty)
		slot->dirty = NULL;
	if (slot->arch == new->arch)
		slot->arch = NULL;
	slot_free(vm, slot);
}

static int slot_move(struct umbra_vm *vm, struct umbra_memslot *old,
		     const struct umbra_memslot *want)
{
	struct umbra_memslots *next;
	struct umbra_memslot *new;
	int ret = -ENOMEM;

	if (slots_overlap(vm, want, old))
		return -EEXIST;
	new = kmemdup(want, sizeof(*want), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	if (slot_inherit_dirty(vm, new, old))
		goto free;
	ret = umbra_mmu_slot_create(new);
	if (ret)
		goto free;
	ret = -ENOMEM;
	next = slots_replace(vm, old, new);
	if (!next)
		goto free;
	slot_retire(vm, old);
	slots_publish(vm, next, new);
	slot_free_replaced(vm, old, new);
	return 0;
free:
	if (new->dirty == old->dirty)
		new->dirty = NULL;
	slot_free(vm, new);
	return ret;
}

/* Dirty logging goes on or off; mappings stay but for what logging needs. */
static int slot_set_flags(struct umbra_vm *vm, struct umbra_memslot *old, u32 flags)
{
	struct umbra_memslots *next;
	struct umbra_memslot *new = kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT);

	if (!new)
		return -ENOMEM;
	new->flags = flags;
	new->dirty = NULL;
	if ((flags & KVM_MEM_LOG_DIRTY_PAGES) && slot_alloc_dirty(vm, new))
		goto free;
	next = slots_replace(vm, old, new);
	if (!next)
		goto free;
	slots_publish(vm, next, NULL);
	slot_free_replaced(vm, old, new);

	/* From here every new mapping obeys the new flags; now fix the old ones. */
	if (!(flags & KVM_MEM_LOG_DIRTY_PAGES))
		umbra_mmu_log_stop(vm, new);
	else if (!(vm->manual_dirty & KVM_DIRTY_LOG_INITIALLY_SET))
		umbra_mmu_log_start(vm, new);
	return 0;
free:
	kvfree(new->dirty);
	kfree(new);
	return -ENOMEM;
}

static int slot_change(struct umbra_vm *vm, struct umbra_memslot *old,
		       const struct umbra_memslot *want)
{
	if (want->hva != old->hva || want->npages != old->npages ||
	    ((want->flags ^ old->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (want->base_gfn != old->base_gfn)
		return slot_move(vm, old, want);
	if (want->flags != old->flags)
		return slot_set_flags(vm, old, want->flags);
	return 0;
}

/* What can be judged without looking at the other slots. */
static int region_check(const struct umbra_vm *vm,
			const struct kvm_userspace_memory_region *mem)
{
	u64 last;

	if ((mem->flags & ~SLOT_FLAGS) || mem->slot >= UMBRA_MAX_SLOTS)
		return -EINVAL;
	if (!PAGE_ALIGNED(mem->memory_size) || !PAGE_ALIGNED(mem->guest_phys_addr) ||
	    !PAGE_ALIGNED(mem->userspace_addr))
		return -EINVAL;
	if ((mem->memory_size >> PAGE_SHIFT) > UMBRA_SLOT_MAX_PAGES)
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)mem->userspace_addr, mem->memory_size))
		return -EINVAL;
	if (!mem->memory_size)
		return 0;
	if (check_add_overflow(mem->guest_phys_addr, mem->memory_size - 1, &last) ||
	    gpa_to_gfn(last) > umbra_mmu_max_gfn(vm))
		return -EINVAL;
	return 0;
}

/**
 * umbra_set_memory_region() - KVM_SET_USER_MEMORY_REGION
 * @vm: the VM; takes vm->slots_lock, sleeps
 * @mem: the caller's wish, already copied from user space
 *
 * Creates, deletes (memory_size 0), moves a slot or changes its logging.
 * Return: 0; -EINVAL misaligned, wrapped, unknown flag or slot, or a change that
 * needs deletion first; -EEXIST overlap; -ENOMEM. On errors nothing changed.
 */
int umbra_set_memory_region(struct umbra_vm *vm, const struct kvm_userspace_memory_region *mem)
{
	struct umbra_memslot want = {
		.base_gfn = gpa_to_gfn(mem->guest_phys_addr),
		.npages = mem->memory_size >> PAGE_SHIFT,
		.hva = mem->userspace_addr,
		.flags = mem->flags,
		.id = mem->slot,
	};
	struct umbra_memslot *old;
	int ret = region_check(vm, mem);

	if (ret)
		return ret;

	mutex_lock(&vm->slots_lock);
	old = umbra_slot_by_id(umbra_slots(vm), want.id);
	if (!want.npages)
		ret = old ? slot_delete(vm, old) : -EINVAL;
	else if (old)
		ret = slot_change(vm, old, &want);
	else
		ret = slot_create(vm, &want);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int umbra_memslots_init(struct umbra_vm *vm)
{
	struct umbra_memslots *slots = slots_alloc(0);

	if (!slots)
		return -ENOMEM;
	RCU_INIT_POINTER(vm->slots, slots);
	return 0;
}

/* The VM's last reference is gone: no reader is left, mappings are gone or unused. */
void umbra_memslots_destroy(struct umbra_vm *vm)
{
	struct umbra_memslots *slots = rcu_dereference_protected(vm->slots, true);
	struct umbra_memslot *slot;
	int i;

	if (!slots)
		return;
	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		slot_free(vm, slot);
	RCU_INIT_POINTER(vm->slots, NULL);
	kvfree(slots);
}
