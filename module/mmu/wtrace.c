// SPDX-License-Identifier: GPL-2.0
/*
 * Traces of guest-physical pages: the table of them, what their union allows,
 * and telling their owners. Knows no owner and no entry bits; mappings are
 * protected by the mode's operations.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "slot.h"
#include "wtrace.h"

int umbra_traces_create(struct umbra_traces *traces)
{
	traces->bucket = kvcalloc(1 << UMBRA_TRACE_HASH_BITS, sizeof(*traces->bucket),
				  GFP_KERNEL_ACCOUNT);
	return traces->bucket ? 0 : -ENOMEM;
}

void umbra_traces_destroy(struct umbra_traces *traces)
{
	kvfree(traces->bucket);
	traces->bucket = NULL;
}

static struct hlist_head *bucket_of(struct umbra_vm *vm, gfn_t gfn)
{
	return &vm->mmu->traces.bucket[hash_64(gfn, UMBRA_TRACE_HASH_BITS)];
}

/* Traces of the page alone, not those of its slot. */
static __always_inline u8 page_kinds(struct umbra_vm *vm, const struct umbra_memslot *slot,
				     gfn_t gfn)
{
	struct umbra_trace *trace;
	u8 kinds = 0;

	if (!umbra_region(slot, gfn)->traced)
		return 0;
	hlist_for_each_entry(trace, bucket_of(vm, gfn), node)
		if (trace->gfn == gfn)
			kinds |= trace->kinds;
	return kinds;
}

/* Was a page that the dirty log watches not written yet? */
static bool log_waits(const struct umbra_memslot *slot, gfn_t gfn)
{
	return (slot->flags & KVM_MEM_LOG_DIRTY_PAGES) && slot->dirty &&
	       !test_bit(gfn - slot->base_gfn, slot->dirty);
}

static void count_early(struct umbra_vm *vm, const struct umbra_trace *trace, int by)
{
	struct umbra_traces *traces = &vm->mmu->traces;

	if (trace->owner->before || trace->owner->access)
		WRITE_ONCE(traces->early, traces->early + by);
}

void umbra_trace_add(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(vm, trace->gfn);
	u8 before = slot ? page_kinds(vm, slot, trace->gfn) : 0;

	lockdep_assert_held(&vm->mmu->lock);
	hlist_add_head(&trace->node, bucket_of(vm, trace->gfn));
	count_early(vm, trace, 1);
	if (!slot)
		return;
	WRITE_ONCE(umbra_region(slot, trace->gfn)->traced,
		   umbra_region(slot, trace->gfn)->traced + 1);
	/* Before the owner reads the page: pairs with umbra_mmu_guest_write(). */
	smp_mb();
	if (trace->kinds & ~before)
		umbra_mmu_protect(vm, slot, trace->gfn, trace->kinds, tlb);
}

void umbra_trace_change(struct umbra_vm *vm, struct umbra_trace *trace, u8 kinds,
			struct umbra_tlb *tlb)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(vm, trace->gfn);
	u8 before = slot ? page_kinds(vm, slot, trace->gfn) : 0;

	lockdep_assert_held(&vm->mmu->lock);
	trace->kinds = kinds;
	/* As in umbra_trace_add(). */
	smp_mb();
	if (slot && (kinds & ~before))
		umbra_mmu_protect(vm, slot, trace->gfn, kinds, tlb);
}

/* Mappings of a page that nobody watches any more are as they were before. */
static void unprotect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn)
{
	if (vm->mmu->ops->unprotect && !vm->mmu->traces.apart &&
	    !umbra_trace_kinds(vm, slot, gfn))
		vm->mmu->ops->unprotect(vm, slot, gfn);
}

void umbra_trace_remove(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(vm, trace->gfn);
	struct umbra_region *region;

	lockdep_assert_held(&vm->mmu->lock);
	if (hlist_unhashed(&trace->node))
		return;
	hlist_del_init(&trace->node);
	count_early(vm, trace, -1);
	if (!slot)
		return;
	region = umbra_region(slot, trace->gfn);
	WRITE_ONCE(region->traced, region->traced - 1);
	if (!region->traced && umbra_slot_level(slot, trace->gfn) > 1)
		umbra_mmu_recover(vm, slot, trace->gfn, tlb);
	else
		unprotect(vm, slot, trace->gfn);
}

u8 umbra_trace_kinds(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn)
{
	u8 kinds = page_kinds(vm, slot, gfn);

	lockdep_assert_held(&vm->mmu->lock);
	if ((slot->flags & KVM_MEM_READONLY) || log_waits(slot, gfn))
		kinds |= UMBRA_TRACE_WRITE;
	return kinds;
}

int umbra_trace_level(struct umbra_memslot *slot, gfn_t gfn, int level)
{
	gfn_t pages, first, end;

	for (; level > 1; level--) {
		pages = umbra_level_pages(level);
		first = max(gfn & ~(pages - 1), slot->base_gfn);
		end = min((gfn | (pages - 1)) + 1, slot->base_gfn + slot->npages);
		while (first < end && !umbra_region(slot, first)->traced)
			first = (first | (UMBRA_REGION_PAGES - 1)) + 1;
		if (first >= end)
			break;
	}
	return level;
}

static bool may_yield(const struct umbra_trace *trace, bool must)
{
	const struct umbra_tracer *owner = trace->owner;

	if (!owner->yield)
		return false;
	return must || (owner->may_yield && owner->may_yield(trace));
}

/* True when no trace of the page wants anything any more. */
static bool yield_all(struct umbra_vm *vm, gfn_t gfn, bool must, struct umbra_tlb *tlb)
{
	struct umbra_trace *trace;
	struct hlist_node *next;

	hlist_for_each_entry(trace, bucket_of(vm, gfn), node)
		if (trace->gfn == gfn && trace->kinds && !may_yield(trace, must))
			return false;
	hlist_for_each_entry_safe(trace, next, bucket_of(vm, gfn), node)
		if (trace->gfn == gfn && trace->kinds)
			trace->owner->yield(vm, trace, tlb);
	return true;
}

bool umbra_trace_yield(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
		       struct umbra_tlb *tlb)
{
	lockdep_assert_held(&vm->mmu->lock);
	if (slot->flags & KVM_MEM_READONLY)
		return false;
	if (umbra_region(slot, gfn)->traced && !yield_all(vm, gfn, false, tlb))
		return false;
	/* The dirty log lets go of a page by noting it. */
	umbra_slot_mark_dirty(slot, gfn);
	return true;
}

bool umbra_trace_give_up(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			 struct umbra_tlb *tlb)
{
	lockdep_assert_held(&vm->mmu->lock);
	return !(slot->flags & KVM_MEM_READONLY) && yield_all(vm, gfn, true, tlb);
}

bool umbra_trace_end_all(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			 struct umbra_tlb *tlb)
{
	struct hlist_head todo = HLIST_HEAD_INIT, *bucket = bucket_of(vm, gfn);
	struct umbra_trace *trace;

	lockdep_assert_held(&vm->mmu->lock);
	if (slot->flags & KVM_MEM_READONLY)
		return false;
	hlist_move_list(bucket, &todo);
	vm->mmu->traces.apart = true;
	while (!hlist_empty(&todo)) {
		trace = hlist_entry(todo.first, struct umbra_trace, node);
		hlist_del_init(&trace->node);
		hlist_add_head(&trace->node, bucket);
		if (trace->gfn == gfn && trace->owner->end)
			trace->owner->end(vm, trace, tlb);
	}
	vm->mmu->traces.apart = false;
	unprotect(vm, slot, gfn);
	return !(page_kinds(vm, slot, gfn) & UMBRA_TRACE_WRITE);
}

static void tell_one(struct umbra_trace *trace, const struct umbra_traced *a,
		     enum umbra_trace_when when, struct umbra_tlb *tlb)
{
	const struct umbra_tracer *owner = trace->owner;

	if (when == UMBRA_TRACE_BEFORE && owner->before)
		owner->before(trace, a, tlb);
	else if (when == UMBRA_TRACE_AFTER && owner->after)
		owner->after(trace, a, tlb);
	else if (when == UMBRA_TRACE_READ && owner->access && (trace->kinds & UMBRA_TRACE_ACCESS))
		owner->access(trace, a, tlb);
}

/*
 * Callbacks may remove traces, their own and others': look the list over again
 * after each, up to a mark. Those added meanwhile come first and are not told.
 */
void umbra_trace_tell(struct umbra_vm *vm, const struct umbra_traced *a,
		      enum umbra_trace_when when, struct umbra_tlb *tlb)
{
	gfn_t gfn = gpa_to_gfn(a->gpa);
	struct hlist_head todo = HLIST_HEAD_INIT, *bucket = bucket_of(vm, gfn);
	struct umbra_trace *trace;

	lockdep_assert_held(&vm->mmu->lock);
	hlist_move_list(bucket, &todo);
	vm->mmu->traces.apart = true;
	while (!hlist_empty(&todo)) {
		trace = hlist_entry(todo.first, struct umbra_trace, node);
		hlist_del_init(&trace->node);
		hlist_add_head(&trace->node, bucket);
		if (trace->gfn == gfn)
			tell_one(trace, a, when, tlb);
	}
	vm->mmu->traces.apart = false;
}

void umbra_trace_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	struct umbra_trace *trace;
	int i;

	lockdep_assert_held(&vm->mmu->lock);
	for (i = 0; i < 1 << UMBRA_TRACE_HASH_BITS; i++)
		hlist_for_each_entry(trace, &vm->mmu->traces.bucket[i], node)
			if (umbra_slot_has(slot, trace->gfn))
				umbra_region(slot, trace->gfn)->traced++;
}

bool umbra_trace_near(const struct umbra_memslot *slot, gfn_t gfn)
{
	return READ_ONCE(umbra_region(slot, gfn)->traced);
}
