// SPDX-License-Identifier: GPL-2.0
/*
 * Second-level tables, gpa to hpa: map on a fault, drop, age, write-protect. All
 * that there is in nested mode; in the others, where the processor wants it, what
 * guests without paging run on.
 *
 * One set of tables per VM, all under the MMU lock; the processor alone works
 * on them besides, setting accessed and dirty bits, hence the exchanges. No
 * guest tables and no slots here but where a log stops.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "pt_iter.h"

/* What a visitor does to the present entry where @it stands. */
typedef void (*tdp_visit_t)(struct umbra_pt_iter *it, struct umbra_tlb *tlb, void *arg);

/* One table more or less. */
static void tdp_count(struct umbra_vm *vm, long n)
{
	WRITE_ONCE(vm->mmu->nr_tables, vm->mmu->nr_tables + n);
	umbra_vm_stat_add(vm, monitor_bytes, n * (long)PAGE_SIZE);
	umbra_vm_stat_peak(vm, monitor_bytes);
}

/* Hand the table @table of @level and all below it to @tlb. */
static void tdp_unlink(enum umbra_fmt_id fmt, u64 *table, int level, struct umbra_tlb *tlb)
{
	unsigned int i;

	for (i = 0; level > 1 && i < UMBRA_FMT_ENTRIES; i++) {
		u64 e = READ_ONCE(table[i]);

		if (umbra_fmt_present(fmt, e) && !umbra_fmt_leaf(fmt, e, level))
			tdp_unlink(fmt, __va(umbra_fmt_addr(fmt, e, level)), level - 1, tlb);
	}
	umbra_tlb_table(tlb, table);
	tdp_count(tlb->vm, -1);
}

/* Put @new in place of the entry, with all that hung below the old one. */
static void tdp_replace(struct umbra_pt_iter *it, u64 new, struct umbra_tlb *tlb)
{
	u64 old = umbra_pt_replace(it, new);

	if (!umbra_fmt_present(it->fmt, old))
		return;
	if (umbra_fmt_leaf(it->fmt, old, it->level))
		umbra_tlb_note(tlb);
	else
		tdp_unlink(it->fmt, __va(umbra_fmt_addr(it->fmt, old, it->level)),
			   it->level - 1, tlb);
}

/* An entry of another size, or of no use, stands where a table must hang. */
static void tdp_link_table(struct umbra_pt_iter *it, struct umbra_pt_cache *cache,
			   struct umbra_tlb *tlb)
{
	u64 *table = umbra_pt_cache_take(cache);

	tdp_count(tlb->vm, 1);
	tdp_replace(it, umbra_fmt_make_table(it->fmt, __pa(table)), tlb);
}

/* Same frame, same size: only add what the fault needs. */
static bool tdp_same_leaf(struct umbra_pt_iter *it, u64 leaf)
{
	return umbra_pt_present(it) && umbra_pt_leaf(it) &&
	       umbra_fmt_addr(it->fmt, it->entry, it->level) ==
	       umbra_fmt_addr(it->fmt, leaf, it->level);
}

static void tdp_set_leaf(struct umbra_pt_iter *it, u64 leaf, struct umbra_tlb *tlb)
{
	if (!tdp_same_leaf(it, leaf)) {
		tdp_replace(it, leaf, tlb);
		return;
	}
	/*
	 * Rights only grow: another vCPU may have mapped the frame writable
	 * since the fault, and it marked the frame dirty.
	 */
	if (umbra_fmt_writable(it->fmt, leaf) && !umbra_fmt_writable(it->fmt, it->entry))
		umbra_pt_replace(it, leaf);
}

static int tdp_map(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	struct umbra_vm *vm = fault->vcpu->vm;
	int verdict = umbra_fault_traces(fault, tlb);
	struct umbra_pt_iter it;
	gfn_t offset;
	hpa_t pa;

	lockdep_assert_held(&vm->mmu->lock);
	if (verdict != UMBRA_MMU_RETRY)
		return verdict;
	offset = fault->gfn & (umbra_level_pages(fault->level) - 1);
	pa = pfn_to_hpa(fault->frame.pfn - offset);
	umbra_pt_seek(&it, umbra_caps.fmt, vm->mmu->root, fault->gfn);
	while (it.level > fault->level) {
		if (!umbra_pt_present(&it) || umbra_pt_leaf(&it))
			tdp_link_table(&it, &fault->vcpu->mmu->cache, tlb);
		umbra_pt_down(&it, fault->gfn);
	}
	tdp_set_leaf(&it, umbra_fmt_make_leaf(it.fmt, pa, it.level, fault->writable,
					      fault->frame.device), tlb);
	return UMBRA_MMU_RETRY;
}

/*
 * Let others have the lock or the CPU; on return tables may have changed. Not
 * on the way down to where this turn began, so that every turn makes progress;
 * but before every other table, as tables may hold nothing.
 */
static void tdp_breathe(struct umbra_pt_iter *it, struct umbra_tlb *tlb)
{
	if (umbra_pt_present(it) && !umbra_pt_leaf(it) && it->gfn <= it->first)
		return;
	if (umbra_tlb_breathe(tlb))
		umbra_pt_restart(it);
}

/* Visit all present entries that touch [first, end); the lock is taken here. */
static __always_inline bool tdp_for_range(struct umbra_vm *vm, gfn_t first, gfn_t end,
					  bool may_block, tdp_visit_t visit, void *arg)
{
	struct umbra_mmu *mmu = vm->mmu;
	struct umbra_pt_iter it;
	struct umbra_tlb tlb;

	lockdep_assert_irqs_enabled();
	umbra_tlb_lock(&tlb, vm);
	umbra_pt_begin(&it, umbra_caps.fmt, mmu->root, first, end);
	while (umbra_pt_next(&it)) {
		visit(&it, &tlb, arg);
		if (may_block)
			tdp_breathe(&it, &tlb);
	}
	return umbra_tlb_unlock(&tlb);
}

static bool entry_inside(const struct umbra_pt_iter *it)
{
	return it->gfn >= it->first && it->gfn + umbra_level_pages(it->level) <= it->end;
}

/* Tables that lie wholly inside go at once; a large leaf goes even when cut. */
static void visit_zap(struct umbra_pt_iter *it, struct umbra_tlb *tlb, void *arg)
{
	if (umbra_pt_leaf(it) || entry_inside(it))
		tdp_replace(it, 0, tlb);
}

static bool tdp_zap(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool may_block)
{
	return tdp_for_range(vm, first, end, may_block, visit_zap, NULL);
}

/**
 * struct age_state - what an ageing walk wants and found
 * @clear: reset accessed bits
 * @young: an accessed bit was set
 */
struct age_state {
	bool clear;
	bool young;
};

static void visit_age(struct umbra_pt_iter *it, struct umbra_tlb *tlb, void *arg)
{
	struct age_state *age = arg;

	if (!umbra_pt_leaf(it) || !umbra_fmt_accessed(it->fmt, it->entry))
		return;
	age->young = true;
	if (!age->clear)
		return;
	while (!umbra_pt_try_replace(it, umbra_fmt_mkold(it->fmt, it->entry)))
		;
	if (!umbra_pt_present(it))
		umbra_tlb_note(tlb);
}

static void tdp_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	tdp_zap(vm, slot, slot->base_gfn, slot->base_gfn + slot->npages, true);
}

static bool tdp_age(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool clear)
{
	struct age_state age = { .clear = clear };

	tdp_for_range(vm, first, end, false, visit_age, &age);
	return age.young;
}

/* True when the entry lost its write right now. */
static bool entry_wrprotect(struct umbra_pt_iter *it)
{
	if (!umbra_fmt_writable(it->fmt, it->entry))
		return false;
	while (!umbra_pt_try_replace(it, umbra_fmt_wrprotect(it->fmt, it->entry)))
		;
	return true;
}

/* A 4 KiB leaf loses its write right; a larger one goes, to come back in pieces. */
static void visit_protect(struct umbra_pt_iter *it, struct umbra_tlb *tlb, void *arg)
{
	if (!umbra_pt_leaf(it))
		return;
	if (it->level > 1)
		tdp_replace(it, 0, tlb);
	else if (entry_wrprotect(it))
		umbra_tlb_note(tlb);
}

static void tdp_log_start(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	tdp_for_range(vm, slot->base_gfn, slot->base_gfn + slot->npages, true, visit_protect,
		      NULL);
}

/*
 * Lost write rights wait for the caller's one flush: their entries stay
 * present, so everybody who relies on a flush still finds them. Large leaves
 * vanish, hence their flush comes before the unlock.
 */
static void tdp_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first,
			    u64 mask)
{
	struct umbra_mmu *mmu = vm->mmu;
	struct umbra_pt_iter it;
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	umbra_pt_begin(&it, umbra_caps.fmt, mmu->root, first + __ffs64(mask),
		       first + fls64(mask));
	while (umbra_pt_next(&it)) {
		if (!umbra_pt_leaf(&it))
			continue;
		if (it.level > 1)
			tdp_replace(&it, 0, &tlb);
		else if (mask & BIT_ULL(it.gfn - first))
			entry_wrprotect(&it);
	}
	umbra_tlb_unlock(&tlb);
}

/* A table where the host and the slot would now allow a large leaf goes away. */
static void visit_recover(struct umbra_pt_iter *it, struct umbra_tlb *tlb, void *arg)
{
	struct umbra_memslot *slot = arg;
	gfn_t gfn = max(it->gfn, slot->base_gfn);

	if (umbra_pt_leaf(it) || umbra_slot_level(slot, gfn) < it->level)
		return;
	if (umbra_host_level(tlb->vm, umbra_slot_hva(slot, gfn)) >= it->level)
		tdp_replace(it, 0, tlb);
}

static void tdp_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	tdp_for_range(vm, slot->base_gfn, slot->base_gfn + slot->npages, true, visit_recover,
		      slot);
}

/* A trace of @gfn: the mapping loses its write right, or goes. Lock held. */
static void tdp_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
			struct umbra_tlb *tlb)
{
	struct umbra_pt_iter it;

	umbra_pt_begin(&it, umbra_caps.fmt, vm->mmu->root, gfn, gfn + 1);
	while (umbra_pt_next(&it)) {
		if (!umbra_pt_leaf(&it))
			continue;
		if (it.level > 1 || (kinds & UMBRA_TRACE_ACCESS))
			tdp_replace(&it, 0, tlb);
		else if (entry_wrprotect(&it))
			umbra_tlb_note(tlb);
	}
}

/* No trace is left around @gfn: the small mappings go, a fault brings a large one. */
static void tdp_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			struct umbra_tlb *tlb)
{
	struct umbra_pt_iter it;

	umbra_pt_begin(&it, umbra_caps.fmt, vm->mmu->root, gfn, gfn + 1);
	while (umbra_pt_next(&it))
		if (it.level == 2 && !umbra_pt_leaf(&it))
			tdp_replace(&it, 0, tlb);
}

unsigned long umbra_tdp_shrink(struct umbra_vm *vm, unsigned long nr, struct umbra_tlb *tlb)
{
	struct umbra_pt_iter it;
	unsigned long done = 0;

	lockdep_assert_held(&vm->mmu->lock);
	umbra_pt_begin(&it, umbra_caps.fmt, vm->mmu->root, 0, umbra_mmu_max_gfn(vm) + 1);
	while (done < nr && umbra_pt_next(&it)) {
		if (it.level != 2 || umbra_pt_leaf(&it))
			continue;
		tdp_replace(&it, 0, tlb);
		done++;
	}
	return done;
}

static int tdp_vm_create(struct umbra_vm *vm)
{
	vm->mmu->root = umbra_pt_alloc();
	if (!vm->mmu->root)
		return -ENOMEM;
	tdp_count(vm, 1);
	return 0;
}

static void tdp_vm_destroy(struct umbra_vm *vm)
{
	struct umbra_tlb tlb;

	umbra_tlb_begin(&tlb, vm);
	tdp_unlink(umbra_caps.fmt, vm->mmu->root, umbra_fmt_levels(umbra_caps.fmt), &tlb);
	tlb.pending = false;
	umbra_tlb_end(&tlb);
}

static int tdp_vcpu_create(struct umbra_vcpu *vcpu)
{
	return 0;
}

static void tdp_vcpu_destroy(struct umbra_vcpu *vcpu)
{
}

/* All vCPUs share the VM's one root, which lives as long as the VM. */
static int tdp_load(struct umbra_vcpu *vcpu)
{
	umbra_vendor->set_root(vcpu, __sme_set(__pa(vcpu->vm->mmu->root)), true);
	return 0;
}

static bool tdp_stocked(const struct umbra_vcpu *vcpu)
{
	return umbra_pt_cache_ready(&vcpu->mmu->cache, UMBRA_PT_CACHE_MIN);
}

static int tdp_stock(struct umbra_vcpu *vcpu)
{
	return umbra_pt_cache_fill(&vcpu->mmu->cache, UMBRA_PT_CACHE_MIN);
}

/*
 * Nested tables do not depend on the guest's registers; the guest's own
 * translations in the TLB do, and the processor did not see the write.
 */
static void tdp_context_changed(struct umbra_vcpu *vcpu)
{
	umbra_vendor->flush_tlb(vcpu);
}

static void tdp_new_cr3(struct umbra_vcpu *vcpu)
{
	umbra_vendor->flush_tlb(vcpu);
}

static void tdp_invlpg(struct umbra_vcpu *vcpu, gva_t gva)
{
	umbra_vendor->flush_tlb(vcpu);
}

const struct umbra_mmu_ops umbra_tdp_ops = {
	.vm_create = tdp_vm_create,
	.vm_destroy = tdp_vm_destroy,
	.zap = tdp_zap,
	.zap_slot = tdp_zap_slot,
	.age = tdp_age,
	.log_start = tdp_log_start,
	.log_protect = tdp_log_protect,
	.log_stop = tdp_log_stop,
	.protect = tdp_protect,
	.recover = tdp_recover,
	.vcpu_create = tdp_vcpu_create,
	.vcpu_destroy = tdp_vcpu_destroy,
	.load = tdp_load,
	.stocked = tdp_stocked,
	.stock = tdp_stock,
	.map = tdp_map,
	.new_cr3 = tdp_new_cr3,
	.invlpg = tdp_invlpg,
	.context_changed = tdp_context_changed,
};
