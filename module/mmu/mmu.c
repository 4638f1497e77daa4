// SPDX-License-Identifier: GPL-2.0
/*
 * The MMU as the rest of Umbra sees it: creation, the protocol of a fault
 * against the host's invalidations, and forwarding to the mode's operations.
 * Owns the MMU lock. Knows no bits and walks no tables.
 */
#include "mmu_env.h"
#include "mmu_internal.h"

static const struct umbra_mmu_ops *mode_ops(enum umbra_mmu_mode mode)
{
	switch (mode) {
	case UMBRA_MMU_NESTED:
		return &umbra_tdp_ops;
	}
	return NULL;
}

/**
 * umbra_mmu_vm_create() - give a VM its MMU and an empty root
 * @vm: the VM; vm->mmu_mode is set. Sleeps.
 *
 * Return: 0, -ENOMEM, or -EINVAL for an unknown mode.
 */
int umbra_mmu_vm_create(struct umbra_vm *vm)
{
	const struct umbra_mmu_ops *ops = mode_ops(vm->mmu_mode);
	struct umbra_mmu *mmu;

	if (!ops)
		return -EINVAL;
	mmu = kzalloc(sizeof(*mmu), GFP_KERNEL_ACCOUNT);
	if (!mmu)
		return -ENOMEM;
	mmu->root = umbra_pt_alloc();
	if (!mmu->root) {
		kfree(mmu);
		return -ENOMEM;
	}
	spin_lock_init(&mmu->lock);
	mmu->ops = ops;
	vm->mmu = mmu;
	return 0;
}

/* After the last vCPU and the notifier are gone. Sleeps. */
void umbra_mmu_vm_destroy(struct umbra_vm *vm)
{
	if (!vm->mmu)
		return;
	umbra_tdp_free_tables(vm);
	kfree(vm->mmu);
	vm->mmu = NULL;
}

int umbra_mmu_vcpu_create(struct umbra_vcpu *vcpu)
{
	vcpu->mmu = kzalloc(sizeof(*vcpu->mmu), GFP_KERNEL_ACCOUNT);
	return vcpu->mmu ? 0 : -ENOMEM;
}

void umbra_mmu_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	if (!vcpu->mmu)
		return;
	umbra_pt_cache_drain(&vcpu->mmu->cache);
	kfree(vcpu->mmu);
	vcpu->mmu = NULL;
}

/**
 * umbra_mmu_load() - point the processor at a valid root
 * @vcpu: vcpu->mutex held. Sleeps.
 *
 * Return: 0 or -ENOMEM. All vCPUs share the VM's one nested root, which lives
 * as long as the VM.
 */
int umbra_mmu_load(struct umbra_vcpu *vcpu)
{
	umbra_vendor->set_root(vcpu, __sme_set(__pa(vcpu->vm->mmu->root)));
	return 0;
}

gfn_t umbra_mmu_max_gfn(void)
{
	int bits = umbra_fmt_levels(umbra_caps.fmt) * UMBRA_FMT_INDEX_BITS;

	/* No format's entries address more than 52 bits. */
	return ((gfn_t)1 << min(bits, 52 - PAGE_SHIFT)) - 1;
}

int umbra_slot_level(const struct umbra_memslot *slot, gfn_t gfn)
{
	int level;

	if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
		return 1;
	for (level = umbra_caps.nested_1g ? 3 : 2; level > 1; level--) {
		gfn_t pages = umbra_level_pages(level);
		gfn_t first = gfn & ~(pages - 1);

		if (((slot->hva >> PAGE_SHIFT) ^ slot->base_gfn) & (pages - 1))
			continue;
		if (first >= slot->base_gfn &&
		    first + pages <= slot->base_gfn + slot->npages)
			break;
	}
	return level;
}

/*
 * May the frame found since @seq be wrong by now? An invalidation that began
 * before and has not ended counts for all host memory that the new mapping
 * would cover, one that has ended counts wherever it was.
 */
static bool fault_is_stale(struct umbra_mmu *mmu, const struct umbra_fault *fault,
			   unsigned long seq)
{
	hva_t size = umbra_level_pages(fault->level) << PAGE_SHIFT;
	hva_t start = umbra_slot_hva(fault->slot, fault->gfn) & ~(size - 1);

	lockdep_assert_held(&mmu->lock);
	if (mmu->inval_count && start < mmu->inval_end && start + size > mmu->inval_start)
		return true;
	return mmu->inval_seq != seq;
}

static bool fault_writes(const struct umbra_fault *fault)
{
	return fault->access & UMBRA_ACC_WRITE;
}

/* How large and with which rights the found frame may be mapped. */
static void fault_decide(struct umbra_fault *fault)
{
	u32 flags = fault->slot->flags;

	fault->level = min(fault->frame.level, umbra_slot_level(fault->slot, fault->gfn));
	/* While logging, a write right is given only together with a dirty bit. */
	fault->writable = fault->frame.writable && !(flags & KVM_MEM_READONLY) &&
			  (fault_writes(fault) || !(flags & KVM_MEM_LOG_DIRTY_PAGES));
}

/* Install the mapping unless the host changed its mind. True when installed. */
static bool fault_map(struct umbra_fault *fault, unsigned long seq)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	struct umbra_mmu *mmu = vm->mmu;
	struct umbra_tlb tlb;
	bool stale;

	umbra_tlb_begin(&tlb, vm);
	spin_lock(&mmu->lock);
	stale = fault_is_stale(mmu, fault, seq);
	if (!stale) {
		if (fault->writable)
			umbra_slot_mark_dirty(fault->slot, fault->gfn);
		mmu->ops->map(fault, &tlb);
		umbra_tlb_flush(&tlb);
	}
	spin_unlock(&mmu->lock);
	umbra_tlb_end(&tlb);
	return !stale;
}

static int fault_resolve(struct umbra_fault *fault, bool atomic)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	/* Read before the host's tables are: pairs with the MMU lock at the end. */
	unsigned long seq = smp_load_acquire(&vm->mmu->inval_seq);
	bool mapped;
	int ret;

	ret = umbra_frame_get(vm, fault->slot, fault->gfn, fault_writes(fault), atomic,
			      &fault->frame);
	if (ret == -EAGAIN)
		return UMBRA_MMU_SLEEP;
	if (ret)
		return ret;
	fault_decide(fault);
	mapped = fault_map(fault, seq);
	umbra_frame_release(&fault->frame, mapped, mapped && fault->writable);
	return UMBRA_MMU_RETRY;
}

/**
 * umbra_mmu_fault() - serve a second-level fault
 * @vcpu: who faulted; its thread, SRCU read section held, interrupts on
 * @gpa: where
 * @access: UMBRA_ACC_READ, _WRITE, _EXEC; a walk of guest tables counts as a write
 * @atomic: do not sleep
 *
 * Return: a verdict (enum umbra_verdict), or -EFAULT, -EHWPOISON, -ENOMEM, -EINTR.
 */
int umbra_mmu_fault(struct umbra_vcpu *vcpu, gpa_t gpa, u32 access, bool atomic)
{
	struct umbra_fault fault = {
		.vcpu = vcpu,
		.gfn = gpa_to_gfn(gpa),
		.access = access,
	};
	struct umbra_pt_cache *cache = &vcpu->mmu->cache;

	lockdep_assert_irqs_enabled();
	if (fault.gfn > umbra_mmu_max_gfn())
		return UMBRA_MMU_MMIO;
	fault.slot = umbra_gfn_to_slot(vcpu->vm, fault.gfn);
	if (!fault.slot || (fault_writes(&fault) && (fault.slot->flags & KVM_MEM_READONLY)))
		return UMBRA_MMU_MMIO;
	if (!umbra_pt_cache_ready(cache)) {
		if (atomic)
			return UMBRA_MMU_SLEEP;
		if (umbra_pt_cache_fill(cache))
			return -ENOMEM;
	}
	return fault_resolve(&fault, atomic);
}

/**
 * umbra_mmu_context_changed() - a control register was written outside the guest
 * @vcpu: vcpu->mutex held; holds the new values. Any context.
 *
 * Nested tables do not depend on the guest's registers; the guest's own
 * translations in the TLB do, and the processor did not see the write.
 */
void umbra_mmu_context_changed(struct umbra_vcpu *vcpu)
{
	umbra_vendor->flush_tlb(vcpu);
}

void umbra_mmu_invlpg(struct umbra_vcpu *vcpu, gva_t gva)
{
	umbra_vendor->flush_tlb(vcpu);
}

void umbra_mmu_invalidate_begin(struct umbra_vm *vm, hva_t start, hva_t end)
{
	struct umbra_mmu *mmu = vm->mmu;

	spin_lock(&mmu->lock);
	if (!mmu->inval_count++) {
		mmu->inval_start = start;
		mmu->inval_end = end;
	} else {
		mmu->inval_start = min(mmu->inval_start, start);
		mmu->inval_end = max(mmu->inval_end, end);
	}
	spin_unlock(&mmu->lock);
}

void umbra_mmu_invalidate_end(struct umbra_vm *vm)
{
	struct umbra_mmu *mmu = vm->mmu;

	spin_lock(&mmu->lock);
	/* A fault that began meanwhile must not pass once the count is back at 0. */
	mmu->inval_seq++;
	WARN_ON_ONCE(!mmu->inval_count);
	mmu->inval_count--;
	spin_unlock(&mmu->lock);
}

bool umbra_mmu_zap_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool may_block)
{
	return vm->mmu->ops->zap(vm, start, end, may_block);
}

bool umbra_mmu_age_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool clear)
{
	return vm->mmu->ops->age(vm, start, end, clear);
}

void umbra_mmu_zap_all(struct umbra_vm *vm)
{
	vm->mmu->ops->zap(vm, 0, umbra_mmu_max_gfn() + 1, true);
}

void umbra_mmu_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	vm->mmu->ops->zap(vm, slot->base_gfn, slot->base_gfn + slot->npages, true);
}

void umbra_mmu_log_start(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	vm->mmu->ops->log_start(vm, slot->base_gfn, slot->base_gfn + slot->npages);
}

void umbra_mmu_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	vm->mmu->ops->log_stop(vm, slot);
}

void umbra_mmu_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u64 mask)
{
	if (mask)
		vm->mmu->ops->log_protect(vm, gfn, mask);
}

/* Nested tables keep nothing per slot. */
int umbra_mmu_slot_create(struct umbra_memslot *slot)
{
	slot->arch = NULL;
	return 0;
}

void umbra_mmu_slot_destroy(struct umbra_memslot *slot)
{
	slot->arch = NULL;
}
