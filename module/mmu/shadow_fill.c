// SPDX-License-Identifier: GPL-2.0
/*
 * Filling shadow entries ahead of use, near one that a fault filled or in a new
 * root, while everything needed is at hand: each saves a fault if it is used.
 * Only what the guest's tables and the host allow without any change to either:
 * no accessed or dirty bit is set, no page is faulted in, no trace yields.
 */
#include "mmu_env.h"
#include "shadow.h"
#include "slot.h"

/* Entries of a guest's table that are read at once. */
#define FILL_GROUP	8u
/* Entries of a direct table: they cost less, for no guest entry is read. */
#define FILL_DIRECT	16u

/**
 * struct fill - one leaf to be filled ahead
 * @fault: the fault that gave occasion
 * @sp: table
 * @index: entry, empty
 * @gfn: frame
 * @rights: what the guest's entries leave
 * @pkey: protection key, in place
 */
struct fill {
	const struct umbra_fault *fault;
	struct umbra_sp *sp;
	unsigned int index;
	gfn_t gfn;
	u8 rights;
	u64 pkey;
};

/* Both in one large mapping of the host's: the frame follows from the fault's. */
static bool same_large(const struct umbra_fault *fault, gfn_t gfn)
{
	hva_t mask = ~((umbra_level_pages(2) << PAGE_SHIFT) - 1);

	return fault->frame.level >= 2 &&
	       (umbra_slot_hva(fault->slot, gfn) & mask) ==
	       (umbra_slot_hva(fault->slot, fault->gfn) & mask);
}

static bool find_frame(const struct umbra_fault *fault, gfn_t gfn, umbra_pfn_t *pfn,
		       bool *writable)
{
	struct umbra_frame frame;
	hva_t hva;

	if (same_large(fault, gfn)) {
		*pfn = fault->frame.pfn + gfn - fault->gfn;
		*writable = fault->frame.writable;
		return true;
	}
	hva = umbra_slot_hva(fault->slot, gfn);
	if (!umbra_frame_peek(fault->vcpu->vm, hva, false, &frame))
		return false;
	*pfn = frame.pfn;
	*writable = frame.writable;
	return true;
}

static void fill_one(const struct fill *f, struct umbra_tlb *tlb)
{
	const struct umbra_fault *fault = f->fault;
	struct umbra_vcpu *vcpu = fault->vcpu;
	u8 rights = f->rights, kinds;
	umbra_pfn_t pfn;
	bool writable;
	u64 spte;

	if (!umbra_slot_has(fault->slot, f->gfn))
		return;
	kinds = umbra_trace_kinds(vcpu->vm, fault->slot, f->gfn);
	if ((kinds & UMBRA_TRACE_ACCESS) || !find_frame(fault, f->gfn, &pfn, &writable))
		return;
	if (kinds || !writable)
		rights &= ~UMBRA_RIGHT_W;
	spte = spte_make_leaf(pfn_to_hpa(pfn), 1, rights) | f->pkey;
	/* Nobody used it yet. */
	umbra_sp_set_leaf(vcpu, f->sp, f->index, spte & ~SPTE_ACCESSED, fault->slot, f->gfn, tlb);
}

static bool stock_left(const struct umbra_vcpu *vcpu)
{
	return vcpu->mmu->stock.nr_chunks && vcpu->mmu->cache.nr;
}

static void fill_direct(const struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
			struct umbra_tlb *tlb)
{
	struct fill f = { .fault = fault, .sp = sp, .rights = sp->role.rights };
	unsigned int first = index & ~(FILL_DIRECT - 1);

	f.pkey = (u64)sp->role.pkey << 59;
	for (f.index = first; f.index < first + FILL_DIRECT && stock_left(fault->vcpu); f.index++) {
		f.gfn = umbra_sp_gfn(sp, f.index);
		if (!test_bit(f.index, sp->used) && same_large(fault, f.gfn))
			fill_one(&f, tlb);
	}
}

/* The guest's entries around, as one copy; they are of 8 or of 4 bytes. */
static bool read_group(const struct umbra_fault *fault, const struct umbra_sp *sp,
		       unsigned int first, u64 *entry)
{
	bool wide = umbra_role_wide(sp->role);
	unsigned int i, size = wide ? 8 : 4;
	u32 narrow[FILL_GROUP];

	if (umbra_gpa_read(fault->vcpu->vm, shadow_entry_gpa(sp, first),
			   wide ? (void *)entry : narrow, size * FILL_GROUP))
		return false;
	for (i = 0; !wide && i < FILL_GROUP; i++)
		entry[i] = narrow[i];
	return true;
}

static void fill_group(const struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
		       struct umbra_tlb *tlb)
{
	unsigned int i, first = index & ~(FILL_GROUP - 1);
	const struct x86_mode *mode = &fault->vcpu->mmu->mode;
	struct fill f = { .fault = fault, .sp = sp };
	u64 entry[FILL_GROUP];

	if (!read_group(fault, sp, first, entry))
		return;
	for (i = 0; i < FILL_GROUP && stock_left(fault->vcpu); i++) {
		u64 e = entry[i];

		f.index = first + i;
		if (test_bit(f.index, sp->used) || !shadow_entry_counts(mode, sp, e))
			continue;
		f.gfn = shadow_entry_gfn(mode, sp, f.index, e);
		f.rights = sp->role.rights & shadow_entry_rights(e);
		if (!x86_dirty(e))
			f.rights &= ~UMBRA_RIGHT_W;
		f.pkey = sp->role.pke ? e & SPTE_PKEY : 0;
		fill_one(&f, tlb);
	}
}

void shadow_fill_around(struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
			struct umbra_tlb *tlb)
{
	struct umbra_mmu *mmu = fault->vcpu->vm->mmu;

	lockdep_assert_held(&mmu->lock);
	/* An invalidation under way may be of any of these frames. */
	if (mmu->inval_count)
		return;
	if (sp->role.direct)
		fill_direct(fault, sp, index, tlb);
	else
		fill_group(fault, sp, index, tlb);
}

/* Accessed bits are set already where another root leads there. */
static bool fill_link(struct umbra_vcpu *vcpu, const struct umbra_memslot *slot,
		      struct umbra_sp *root, unsigned int index, struct umbra_tlb *tlb)
{
	const struct x86_mode *mode = &vcpu->mmu->mode;
	struct umbra_sp *child;
	u64 e;

	if (umbra_slot_gpte(slot, shadow_entry_gpa(root, index), mode->wide, &e))
		return false;
	if (!shadow_entry_counts(mode, root, e) || shadow_entry_large(mode, root, e))
		return true;
	child = shadow_find(vcpu->vm, shadow_entry_gfn(mode, root, index, e),
			    shadow_child_role(mode, root, index, e));
	if (!child)
		return true;
	/* As in shadow_get(): it may have been out of reach at the last flush. */
	shadow_sync_under(vcpu, child, tlb);
	umbra_sp_link(vcpu, root, index, child);
	return true;
}

/*
 * The upper half of the address space is the guest kernel's, the same in all of
 * its roots: what it used under the root before, it will use under this one.
 */
void shadow_fill_root(struct umbra_vcpu *vcpu, struct umbra_sp *root, const struct umbra_sp *last,
		      struct umbra_tlb *tlb)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vcpu->vm, root->gfn);
	unsigned int i = UMBRA_FMT_ENTRIES / 2;
	bool same = last && last->role.word == root->role.word;

	for (; slot && i < UMBRA_FMT_ENTRIES && stock_left(vcpu); i++)
		if (!same || test_bit(i, last->used))
			if (!fill_link(vcpu, slot, root, i, tlb))
				return;
}
