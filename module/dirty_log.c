// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_DIRTY_LOG and KVM_CLEAR_DIRTY_LOG: hand out and reset a slot's dirty
 * bitmap so that no write is ever lost.
 *
 * Order of a read that resets: take the bits, write-protect their pages, flush
 * all TLBs, and only then give the bits to user space. A write through a stale
 * translation happens before the flush, thus before user space can copy the
 * page that the bits name; any later one faults and sets its bit again.
 * This file decides when pages are protected, not how.
 */
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "memslot.h"
#include "mmu/mmu.h"
#include "request.h"
#include "vm.h"

/* The logging slot numbered @id, of address space 0 only. */
static struct umbra_memslot *log_slot(struct umbra_vm *vm, u32 id)
{
	struct umbra_memslot *slot;

	if (id >= UMBRA_MAX_SLOTS)
		return ERR_PTR(-EINVAL);
	slot = umbra_slot_by_id(umbra_slots(vm), id);
	if (!slot || !slot->dirty)
		return ERR_PTR(-ENOENT);
	return slot;
}

/* Move all bits of @slot to @out and protect what they name. True if any. */
static bool log_take(struct umbra_vm *vm, struct umbra_memslot *slot, unsigned long *out)
{
	unsigned long i, longs = umbra_slot_bitmap_bytes(slot) / sizeof(long);
	bool any = false;

	for (i = 0; i < longs; i++) {
		cond_resched();
		out[i] = READ_ONCE(slot->dirty[i]) ? xchg(&slot->dirty[i], 0) : 0;
		if (!out[i])
			continue;
		any = true;
		umbra_mmu_log_protect(vm, slot, slot->base_gfn + i * BITS_PER_LONG, out[i]);
	}
	return any;
}

/* User space did not get the bits: they are still news. */
static void log_put_back(struct umbra_memslot *slot, const unsigned long *bits)
{
	unsigned long i, longs = umbra_slot_bitmap_bytes(slot) / sizeof(long);

	for (i = 0; i < longs; i++)
		if (bits[i])
			atomic_long_or(bits[i], (atomic_long_t *)&slot->dirty[i]);
}

static int log_get_reset(struct umbra_vm *vm, struct umbra_memslot *slot, void __user *user)
{
	size_t bytes = umbra_slot_bitmap_bytes(slot);
	unsigned long *bits = kvcalloc(bytes, 1, GFP_KERNEL_ACCOUNT);
	int ret = 0;

	if (!bits)
		return -ENOMEM;
	if (log_take(vm, slot, bits))
		umbra_flush_remote_tlbs(vm);
	if (copy_to_user(user, bits, bytes)) {
		log_put_back(slot, bits);
		ret = -EFAULT;
	}
	kvfree(bits);
	return ret;
}

/**
 * umbra_get_dirty_log() - KVM_GET_DIRTY_LOG
 * @vm: the VM; takes vm->slots_lock, sleeps
 * @log: slot number and user buffer, already copied from user space
 *
 * Reports the pages written since the last report and starts anew; with
 * KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE it only reports.
 * Return: 0; -EINVAL bad slot number; -ENOENT not logging; -EFAULT; -ENOMEM.
 */
int umbra_get_dirty_log(struct umbra_vm *vm, struct kvm_dirty_log *log)
{
	struct umbra_memslot *slot;
	int ret;

	mutex_lock(&vm->slots_lock);
	slot = log_slot(vm, log->slot);
	if (IS_ERR(slot))
		ret = PTR_ERR(slot);
	else if (!(vm->manual_dirty & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		ret = log_get_reset(vm, slot, log->dirty_bitmap);
	else
		ret = copy_to_user(log->dirty_bitmap, slot->dirty,
				   umbra_slot_bitmap_bytes(slot)) ? -EFAULT : 0;
	mutex_unlock(&vm->slots_lock);
	return ret;
}

/* Reset the bits of @bits in @slot from @first on, and protect their pages. */
static bool log_clear(struct umbra_vm *vm, struct umbra_memslot *slot, unsigned long first,
		      const unsigned long *bits, unsigned long longs)
{
	unsigned long *dirty = slot->dirty + first / BITS_PER_LONG;
	unsigned long i, mask;
	bool any = false;

	for (i = 0; i < longs; i++) {
		cond_resched();
		if (!bits[i])
			continue;
		mask = atomic_long_fetch_andnot(bits[i], (atomic_long_t *)&dirty[i]) & bits[i];
		if (!mask)
			continue;
		any = true;
		umbra_mmu_log_protect(vm, slot, slot->base_gfn + first + i * BITS_PER_LONG, mask);
	}
	return any;
}

static int log_clear_user(struct umbra_vm *vm, struct umbra_memslot *slot,
			  const struct kvm_clear_dirty_log *log)
{
	unsigned long longs = DIV_ROUND_UP((unsigned long)log->num_pages, BITS_PER_LONG);
	unsigned long *bits;

	if (!longs)
		return 0;
	bits = kvcalloc(longs, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	if (copy_from_user(bits, log->dirty_bitmap, longs * sizeof(long))) {
		kvfree(bits);
		return -EFAULT;
	}
	if (log_clear(vm, slot, log->first_page, bits, longs))
		umbra_flush_remote_tlbs(vm);
	kvfree(bits);
	return 0;
}

/**
 * umbra_clear_dirty_log() - KVM_CLEAR_DIRTY_LOG
 * @vm: the VM; takes vm->slots_lock, sleeps
 * @log: slot, range and user bitmap, already copied from user space
 *
 * Resets the pages that the user's bitmap names, so that writes to them are
 * reported again. The range begins at a multiple of 64 pages, and ends at one
 * or at the slot's end.
 * Return: 0; -EINVAL bad slot number or range; -ENOENT not logging; -EFAULT; -ENOMEM.
 */
int umbra_clear_dirty_log(struct umbra_vm *vm, struct kvm_clear_dirty_log *log)
{
	struct umbra_memslot *slot;
	int ret = -EINVAL;

	if (log->first_page % 64)
		return -EINVAL;

	mutex_lock(&vm->slots_lock);
	slot = log_slot(vm, log->slot);
	if (IS_ERR(slot))
		ret = PTR_ERR(slot);
	else if (log->first_page <= slot->npages &&
		 log->num_pages <= slot->npages - log->first_page &&
		 (!(log->num_pages % 64) || log->first_page + log->num_pages == slot->npages))
		ret = log_clear_user(vm, slot, log);
	mutex_unlock(&vm->slots_lock);
	return ret;
}
