// SPDX-License-Identifier: GPL-2.0
/*
 * The MMU as the rest of Umbra sees it: creation, the protocol of a fault
 * against the host's invalidations, and forwarding to the mode's operations.
 * Owns the MMU lock. Knows no bits and walks no tables.
 */
#include "mmu_env.h"
#include "shadow.h"
#include "slot.h"

static const struct umbra_mmu_ops *mode_ops(enum umbra_mmu_mode mode)
{
	switch (mode) {
	case UMBRA_MMU_NESTED:
		return &umbra_tdp_ops;
	case UMBRA_MMU_SHADOW:
		return &umbra_shadow_ops;
	case UMBRA_MMU_VTLB:
		return &umbra_vtlb_ops;
	}
	return NULL;
}

static bool on_unpaged(const struct umbra_vcpu *vcpu)
{
	return vcpu->vm->mmu->unpaged && !(vcpu->cr0 & X86_CR0_PG);
}

int umbra_mmu_init(void)
{
	int r = umbra_spages_init();

	if (r)
		return r;
	r = shadow_shrink_init();
	if (r)
		umbra_spages_exit();
	return r;
}

void umbra_mmu_exit(void)
{
	shadow_shrink_exit();
	umbra_spages_exit();
}

/**
 * umbra_mmu_vm_create() - give a VM its MMU and empty tables
 * @vm: the VM; vm->mmu_mode is set. Sleeps.
 *
 * Where the processor cannot run guests without paging on the mode's own tables,
 * the VM gets second-level tables beside them.
 *
 * Return: 0, -ENOMEM, or -EINVAL for an unknown mode.
 */
int umbra_mmu_vm_create(struct umbra_vm *vm)
{
	const struct umbra_mmu_ops *ops = mode_ops(vm->mmu_mode);
	int r = -ENOMEM;

	if (!ops)
		return -EINVAL;
	vm->mmu = kzalloc(sizeof(*vm->mmu), GFP_KERNEL_ACCOUNT);
	if (!vm->mmu)
		return -ENOMEM;
	spin_lock_init(&vm->mmu->lock);
	INIT_LIST_HEAD(&vm->mmu->spages.on_vms);
	vm->mmu->vm = vm;
	vm->mmu->ops = ops;
	/* What is remembered has the number of its time: nothing has 0. */
	vm->mmu->inval_seq = 1;
	if (umbra_traces_create(&vm->mmu->traces))
		goto free_mmu;
	if (umbra_caps.unpaged_nested && ops != &umbra_tdp_ops) {
		vm->mmu->unpaged = &umbra_tdp_ops;
		r = vm->mmu->unpaged->vm_create(vm);
		if (r)
			goto free_traces;
	}
	r = ops->vm_create(vm);
	if (r)
		goto free_unpaged;
	return 0;

free_unpaged:
	if (vm->mmu->unpaged)
		vm->mmu->unpaged->vm_destroy(vm);
free_traces:
	umbra_traces_destroy(&vm->mmu->traces);
free_mmu:
	kfree(vm->mmu);
	vm->mmu = NULL;
	return r;
}

/* No reclaim works on the VM's tables on return; vCPUs may be freed. Sleeps. */
void umbra_mmu_vm_retire(struct umbra_vm *vm)
{
	shadow_vm_remove(vm);
}

/* After the last vCPU and the notifier are gone. Sleeps. */
void umbra_mmu_vm_destroy(struct umbra_vm *vm)
{
	if (!vm->mmu)
		return;
	umbra_mmu_vm_retire(vm);
	vm->mmu->ops->vm_destroy(vm);
	if (vm->mmu->unpaged)
		vm->mmu->unpaged->vm_destroy(vm);
	umbra_traces_destroy(&vm->mmu->traces);
	kfree(vm->mmu);
	vm->mmu = NULL;
}

int umbra_mmu_vcpu_create(struct umbra_vcpu *vcpu)
{
	int r;

	vcpu->mmu = kzalloc(sizeof(*vcpu->mmu), GFP_KERNEL_ACCOUNT);
	if (!vcpu->mmu)
		return -ENOMEM;
	INIT_LIST_HEAD(&vcpu->mmu->tables);
	r = vcpu->vm->mmu->ops->vcpu_create(vcpu);
	if (r) {
		kfree(vcpu->mmu);
		vcpu->mmu = NULL;
	}
	return r;
}

void umbra_mmu_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	if (!vcpu->mmu)
		return;
	vcpu->vm->mmu->ops->vcpu_destroy(vcpu);
	umbra_pt_cache_drain(&vcpu->mmu->cache);
	umbra_stock_drain(&vcpu->mmu->stock);
	kfree(vcpu->mmu);
	vcpu->mmu = NULL;
}

/* What is cached of second-level tables may have missed flushes since they were left. */
static int load_unpaged(struct umbra_vcpu *vcpu)
{
	const struct umbra_mmu *mmu = vcpu->vm->mmu;
	int r;

	r = mmu->unpaged->load(vcpu);
	if (r)
		return r;
	umbra_vendor->flush_tlb(vcpu);
	umbra_stat_inc(vcpu, flushes_local);
	mmu->ops->unload(vcpu);
	return 0;
}

/**
 * umbra_mmu_load() - point the processor at a valid root
 * @vcpu: vcpu->mutex held. Sleeps.
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_mmu_load(struct umbra_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);
	int r = on_unpaged(vcpu) ? load_unpaged(vcpu) : vcpu->vm->mmu->ops->load(vcpu);

	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return r;
}

gfn_t umbra_mmu_max_gfn(const struct umbra_vm *vm)
{
	int bits;

	/* The other modes remember frames in 32 bits. */
	if (vm->mmu_mode != UMBRA_MMU_NESTED)
		return U32_MAX;
	bits = umbra_fmt_levels(umbra_caps.fmt) * UMBRA_FMT_INDEX_BITS;
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

/* How large and with which rights the found frame may be mapped, but for traces. */
static void fault_decide(struct umbra_fault *fault)
{
	fault->level = min(fault->frame.level, umbra_slot_level(fault->slot, fault->gfn));
	fault->writable = fault->frame.writable && !(fault->slot->flags & KVM_MEM_READONLY);
}

int umbra_fault_traces(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	u8 kinds = umbra_trace_kinds(vm, fault->slot, fault->gfn);

	if (fault->level > 1)
		fault->level = umbra_trace_level(fault->slot, fault->gfn, fault->level);
	if (kinds & UMBRA_TRACE_ACCESS)
		return UMBRA_MMU_EMULATE;
	if (!(kinds & UMBRA_TRACE_WRITE))
		return UMBRA_MMU_RETRY;
	if (!umbra_fault_writes(fault)) {
		fault->writable = false;
		return UMBRA_MMU_RETRY;
	}
	umbra_stat_inc(fault->vcpu, writes_traced);
	if (!umbra_trace_yield(vm, fault->slot, fault->gfn, tlb))
		return UMBRA_MMU_EMULATE;
	return UMBRA_MMU_RETRY;
}

/* A fault of the second level is served there, one by an address of the guest's in the mode's. */
static const struct umbra_mmu_ops *fault_ops(const struct umbra_fault *fault)
{
	const struct umbra_mmu *mmu = fault->vcpu->vm->mmu;

	return fault->walk || !mmu->unpaged ? mmu->ops : mmu->unpaged;
}

/* Install the mapping unless the host changed its mind: a verdict. */
static int fault_map(struct umbra_fault *fault, unsigned long seq, bool *mapped)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	struct umbra_mmu *mmu = vm->mmu;
	int verdict = UMBRA_MMU_RETRY;
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	*mapped = !fault_is_stale(mmu, fault, seq);
	if (*mapped)
		verdict = fault_ops(fault)->map(fault, &tlb);
	umbra_tlb_unlock(&tlb);
	return verdict;
}

bool umbra_mmu_peek_host(struct umbra_mmu *mmu, hva_t hva, bool write, struct umbra_frame *frame)
{
	hva_t base = hva & PMD_MASK;

	lockdep_assert_held(&mmu->lock);
	if (!umbra_frame_peek(mmu->vm, hva, write, frame))
		return false;
	if (frame->level == 2 && !frame->device)
		*umbra_mmu_peeked(mmu, hva) = (struct umbra_peeked){
			.base = base,
			.seq = mmu->inval_seq,
			.pfn = frame->pfn - ((hva - base) >> PAGE_SHIFT),
			.writable = frame->writable,
		};
	return true;
}

int umbra_fault_find(struct umbra_fault *fault)
{
	struct umbra_vm *vm = fault->vcpu->vm;

	lockdep_assert_held(&vm->mmu->lock);
	fault->slot = umbra_gfn_to_slot(vm, fault->gfn);
	if (!fault->slot || vm->mmu->inval_count)
		return -EAGAIN;
	if (umbra_fault_writes(fault) && (fault->slot->flags & KVM_MEM_READONLY))
		return -EAGAIN;
	if (!umbra_mmu_peek(vm->mmu, umbra_slot_hva(fault->slot, fault->gfn),
			    umbra_fault_writes(fault), &fault->frame))
		return -EAGAIN;
	return UMBRA_MMU_RETRY;
}

int umbra_fault_peek(struct umbra_fault *fault)
{
	int ret = umbra_fault_find(fault);

	if (ret == UMBRA_MMU_RETRY)
		fault_decide(fault);
	return ret;
}

/*
 * Most often the host maps the frame already as it is wanted: then look at that
 * with the lock held, and no reference is needed. -EAGAIN: find it the long way.
 */
static int map_peeked(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	int ret = umbra_fault_peek(fault);

	return ret == UMBRA_MMU_RETRY ? fault_ops(fault)->map(fault, tlb) : ret;
}

static int fault_locked(struct umbra_fault *fault,
			int (*work)(struct umbra_fault *fault, struct umbra_tlb *tlb))
{
	struct umbra_vm *vm = fault->vcpu->vm;
	struct umbra_tlb tlb;
	int ret;

	umbra_tlb_lock(&tlb, vm);
	ret = work(fault, &tlb);
	umbra_tlb_unlock(&tlb);
	return ret;
}

static int fault_resolve(struct umbra_fault *fault, bool atomic)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	/* Read before the host's tables are: pairs with the MMU lock at the end. */
	unsigned long seq = smp_load_acquire(&vm->mmu->inval_seq);
	bool mapped;
	int ret;

	ret = umbra_frame_get(vm, fault->slot, fault->gfn, umbra_fault_writes(fault), atomic,
			      &fault->frame);
	if (ret == -EAGAIN)
		return UMBRA_MMU_SLEEP;
	if (ret)
		return ret;
	fault_decide(fault);
	ret = fault_map(fault, seq, &mapped);
	umbra_frame_release(&fault->frame, mapped, mapped && fault->writable);
	return ret;
}

/* What both kinds of fault have in common once the frame's number is known. */
static int fault_serve(struct umbra_fault *fault, bool atomic)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	const struct umbra_mmu_ops *ops = fault_ops(fault);
	int ret;

	lockdep_assert_irqs_enabled();
	if (fault->gfn > umbra_mmu_max_gfn(vcpu->vm))
		return UMBRA_MMU_MMIO;
	fault->slot = umbra_gfn_to_slot(vcpu->vm, fault->gfn);
	if (!fault->slot ||
	    (umbra_fault_writes(fault) && (fault->slot->flags & KVM_MEM_READONLY)))
		return UMBRA_MMU_MMIO;
	if (!ops->stocked(vcpu)) {
		if (atomic)
			return UMBRA_MMU_SLEEP;
		if (ops->stock(vcpu))
			return -ENOMEM;
	}
	ret = fault_locked(fault, map_peeked);
	return ret == -EAGAIN ? fault_resolve(fault, atomic) : ret;
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

	return fault_serve(&fault, atomic);
}

/* Walk the guest's tables for a fault: a verdict, RETRY when @walk leads somewhere. */
static int fault_walk(struct umbra_gwalk *walk, bool atomic, struct umbra_walk *w)
{
	int ret;

	if (!(walk->vcpu->cr0 & X86_CR0_PG)) {
		walk->mode = (struct x86_mode){};
		*w = (struct umbra_walk){ .gpa = walk->gva };
		return UMBRA_MMU_RETRY;
	}
	if (atomic)
		pagefault_disable();
	ret = umbra_gwalk(walk, true, w);
	if (atomic)
		pagefault_enable();
	if (!ret)
		return UMBRA_MMU_RETRY;
	if (ret != -EFAULT)
		return ret;
	if (!w->bad_gpa)
		return UMBRA_MMU_INJECT;
	if (atomic)
		return UMBRA_MMU_SLEEP;
	/* Without a slot the emulator will find no answer either, and say so to user space. */
	return walk->host_fault ? -EFAULT : UMBRA_MMU_MMIO;
}

/* By a walk of the guest's tables, which is of no use to most faults. */
static noinline int fault_slow(struct umbra_fault *fault, bool atomic, struct umbra_walk *w)
{
	struct umbra_gwalk walk = {
		.vcpu = fault->vcpu, .gva = fault->gva, .access = fault->access,
	};
	int ret = fault_walk(&walk, atomic, w);

	if (ret != UMBRA_MMU_RETRY)
		return ret;
	walk.level = w->level;
	fault->walk = &walk;
	fault->gfn = gpa_to_gfn(w->gpa);
	ret = fault_serve(fault, atomic);
	fault->walk = NULL;
	return ret;
}

static int fault_fast(struct umbra_fault *fault, struct umbra_walk *w)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	const struct umbra_mmu_ops *ops = vcpu->vm->mmu->ops;
	int ret;

	if (!ops->fast || !ops->stocked(vcpu))
		return -EAGAIN;
	ret = fault_locked(fault, ops->fast);
	if (ret == UMBRA_MMU_INJECT)
		w->error = umbra_access_error(vcpu, fault->access) |
			   (fault->present ? PFERR_PRESENT : 0);
	else if (ret != -EAGAIN)
		w->gpa = gfn_to_gpa(fault->gfn) | offset_in_page(fault->gva);
	return ret;
}

/**
 * umbra_mmu_page_fault() - serve a page fault in a mode without nested tables
 * @vcpu: who faulted; its thread, SRCU read section held, interrupts on
 * @gva: linear address
 * @access: UMBRA_ACC_*
 * @atomic: do not sleep
 * @w: what the caller needs of the guest's tables: on UMBRA_MMU_INJECT w->error, what
 *	the guest must see; else w->gpa
 *
 * Return: a verdict, or -EFAULT, -EHWPOISON, -ENOMEM, -EINTR.
 */
int umbra_mmu_page_fault(struct umbra_vcpu *vcpu, gva_t gva, u32 access, bool atomic,
			 struct umbra_walk *w)
{
	struct umbra_fault fault;
	int ret;

	fault.vcpu = vcpu;
	fault.access = access;
	fault.gva = gva;
	fault.walk = NULL;
	ret = fault_fast(&fault, w);
	if (ret == -EAGAIN)
		ret = fault_slow(&fault, atomic, w);
	if (ret == UMBRA_MMU_INJECT)
		umbra_stat_inc(vcpu, faults_true);
	else if (ret == UMBRA_MMU_RETRY)
		umbra_stat_inc(vcpu, faults_hidden);
	else if (ret == UMBRA_MMU_MMIO && !atomic)
		umbra_stat_inc(vcpu, faults_mmio);
	return ret;
}

static void tell_traces(struct umbra_vcpu *vcpu, const struct umbra_traced *a,
			enum umbra_trace_when when)
{
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	umbra_trace_tell(vm, a, when, &tlb);
	umbra_tlb_unlock(&tlb);
}

static bool page_traced(struct umbra_vm *vm, gpa_t gpa)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vm, gpa_to_gfn(gpa));

	return slot && umbra_trace_near(slot, gpa_to_gfn(gpa));
}

void umbra_mmu_guest_write(struct umbra_vcpu *vcpu, gpa_t gpa, const void *data,
			   unsigned int bytes, bool after)
{
	const struct umbra_traced a = {
		.vcpu = vcpu, .gpa = gpa, .bytes = bytes, .data = data,
	};

	if (!after && !umbra_traces_early(&vcpu->vm->mmu->traces))
		return;
	/* What was written is seen by a trace that comes now, or the trace is seen here. */
	smp_mb();
	if (!page_traced(vcpu->vm, gpa))
		return;
	if (after)
		umbra_stat_inc(vcpu, writes_emulated);
	tell_traces(vcpu, &a, after ? UMBRA_TRACE_AFTER : UMBRA_TRACE_BEFORE);
}

void umbra_mmu_guest_read(struct umbra_vcpu *vcpu, gpa_t gpa, unsigned int bytes)
{
	const struct umbra_traced a = { .vcpu = vcpu, .gpa = gpa, .bytes = bytes };

	if (umbra_traces_early(&vcpu->vm->mmu->traces) && page_traced(vcpu->vm, gpa))
		tell_traces(vcpu, &a, UMBRA_TRACE_READ);
}

static bool trace_end(struct umbra_vm *vm, gpa_t gpa,
		      bool (*end)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
				  struct umbra_tlb *tlb))
{
	gfn_t gfn = gpa_to_gfn(gpa);
	struct umbra_memslot *slot = umbra_gfn_to_slot(vm, gfn);
	struct umbra_tlb tlb;
	bool done;

	if (!slot)
		return false;
	umbra_tlb_lock(&tlb, vm);
	done = end(vm, slot, gfn, &tlb);
	umbra_tlb_unlock(&tlb);
	return done;
}

bool umbra_mmu_unprotect(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	return trace_end(vcpu->vm, gpa, umbra_trace_give_up);
}

/*
 * Where the page is part of the tables that lead to the instruction's memory, it
 * is a table again before the instruction gets ahead: then it must be emulated.
 */
bool umbra_mmu_unshadow(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	u64 here = vcpu->rip ^ vcpu->gpr[1] << 32 ^ gpa;

	if (vcpu->mmu->flooded == here)
		return false;
	vcpu->mmu->flooded = here;
	return trace_end(vcpu->vm, gpa, umbra_trace_end_all);
}

/**
 * umbra_mmu_context_changed() - registers that translation depends on changed
 * @vcpu: vcpu->mutex held; holds the new values. Any context.
 */
void umbra_mmu_context_changed(struct umbra_vcpu *vcpu)
{
	vcpu->vm->mmu->ops->context_changed(vcpu);
}

/**
 * umbra_mmu_registers_set() - user space set the vCPU's registers
 * @vcpu: vcpu->mutex held; holds the new values. Sleeping context.
 *
 * User space may have written guest memory, tables included, without a trace
 * noticing: nothing derived from them is believed any more.
 */
void umbra_mmu_registers_set(struct umbra_vcpu *vcpu)
{
	vcpu->mmu->resync = true;
	vcpu->vm->mmu->ops->context_changed(vcpu);
}

void umbra_mmu_new_cr3(struct umbra_vcpu *vcpu)
{
	vcpu->vm->mmu->ops->new_cr3(vcpu);
}

void umbra_mmu_invlpg(struct umbra_vcpu *vcpu, gva_t gva)
{
	umbra_stat_inc(vcpu, invlpg);
	vcpu->vm->mmu->ops->invlpg(vcpu, gva);
}

void umbra_mmu_fault_injected(struct umbra_vcpu *vcpu, gva_t gva, u32 error)
{
	const struct umbra_mmu_ops *ops = vcpu->vm->mmu->ops;

	if (ops->refused && (error & (PFERR_PRESENT | PFERR_RSVD)) == PFERR_PRESENT)
		ops->refused(vcpu, gva);
}

void umbra_mmu_invpcid(struct umbra_vcpu *vcpu)
{
	umbra_stat_inc(vcpu, invlpg);
	vcpu->vm->mmu->ops->context_changed(vcpu);
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

int umbra_mmu_slot_create(struct umbra_memslot *slot)
{
	unsigned long first = slot->base_gfn / UMBRA_REGION_PAGES;
	unsigned long last = (slot->base_gfn + slot->npages - 1) / UMBRA_REGION_PAGES;
	struct umbra_slot_mmu *arch;

	arch = kvzalloc(struct_size(arch, region, last - first + 1), GFP_KERNEL_ACCOUNT);
	if (!arch)
		return -ENOMEM;
	arch->nr = last - first + 1;
	slot->arch = arch;
	return 0;
}

void umbra_mmu_publish_begin(struct umbra_vm *vm, struct umbra_memslot *slot)
	__acquires(&vm->mmu->lock)
{
	spin_lock(&vm->mmu->lock);
	if (slot)
		umbra_trace_slot(vm, slot);
}

void umbra_mmu_publish_end(struct umbra_vm *vm)
	__releases(&vm->mmu->lock)
{
	spin_unlock(&vm->mmu->lock);
}

void umbra_mmu_slots_changed(struct umbra_vm *vm)
{
	struct umbra_tlb tlb;

	umbra_spages_limit(vm);
	umbra_tlb_lock(&tlb, vm);
	shadow_enforce_limit(vm, &tlb);
	umbra_tlb_unlock(&tlb);
}

/**
 * umbra_mmu_set_limit() - user space bounds the tables of shadow paging
 * @vm: the VM, slots_lock held
 * @tables: how many, instead of a share of guest memory; what runs may need more
 */
void umbra_mmu_set_limit(struct umbra_vm *vm, unsigned long tables)
{
	vm->mmu->spages.wanted = tables;
	umbra_mmu_slots_changed(vm);
}

unsigned long umbra_mmu_limit(const struct umbra_vm *vm)
{
	return READ_ONCE(vm->mmu->spages.max);
}

void umbra_mmu_slot_destroy(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	struct umbra_slot_mmu *arch = slot->arch;
	unsigned long i;

	for (i = 0; arch && i < arch->nr; i++) {
		if (!arch->region[i].rmap)
			continue;
		free_page((unsigned long)arch->region[i].rmap);
		umbra_vm_stat_add(vm, monitor_bytes, -(long)PAGE_SIZE);
	}
	kvfree(arch);
	slot->arch = NULL;
}
