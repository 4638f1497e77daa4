// SPDX-License-Identifier: GPL-2.0
/*
 * What happens to a VM's frames (the host's doing, logs, slots, traces) happens in
 * all kinds of tables that the VM has: the mode's own, and second-level ones for
 * guests without paging where those stand beside them. Knows no table.
 */
#include "mmu_env.h"
#include "mmu_internal.h"

/* Over all kinds of tables that a VM has: the mode's own, then those beside them. */
static const struct umbra_mmu_ops *next_kind(const struct umbra_mmu *mmu,
					     const struct umbra_mmu_ops *ops)
{
	return ops == mmu->ops ? mmu->unpaged : NULL;
}

bool umbra_mmu_zap_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool may_block)
{
	const struct umbra_mmu_ops *ops;
	bool any = false;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		any |= ops->zap(vm, slot, start, end, may_block);
	return any;
}

bool umbra_mmu_age_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool clear)
{
	const struct umbra_mmu_ops *ops;
	bool young = false;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		young |= ops->age(vm, slot, start, end, clear);
	return young;
}

void umbra_mmu_zap_all(struct umbra_vm *vm)
{
	int i, idx = srcu_read_lock(&vm->srcu);
	struct umbra_memslots *slots = umbra_slots(vm);
	struct umbra_memslot *slot;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		umbra_mmu_zap_range(vm, slot, slot->base_gfn, slot->base_gfn + slot->npages, true);
	srcu_read_unlock(&vm->srcu, idx);
}

void umbra_mmu_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	const struct umbra_mmu_ops *ops;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->zap_slot(vm, slot);
}

void umbra_mmu_log_start(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	const struct umbra_mmu_ops *ops;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->log_start(vm, slot);
}

void umbra_mmu_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	const struct umbra_mmu_ops *ops;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->log_stop(vm, slot);
}

void umbra_mmu_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u64 mask)
{
	const struct umbra_mmu_ops *ops;

	if (!mask)
		return;
	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->log_protect(vm, slot, gfn, mask);
}

void umbra_mmu_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
		       struct umbra_tlb *tlb)
{
	const struct umbra_mmu_ops *ops;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->protect(vm, slot, gfn, kinds, tlb);
}

void umbra_mmu_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
		       struct umbra_tlb *tlb)
{
	const struct umbra_mmu_ops *ops;

	for (ops = vm->mmu->ops; ops; ops = next_kind(vm->mmu, ops))
		ops->recover(vm, slot, gfn, tlb);
}
