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

/* Entries of a direct table: they cost less, for no guest entry is read. */
#define FILL_DIRECT	16u

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

	if (same_large(fault, gfn)) {
		*pfn = fault->frame.pfn + gfn - fault->gfn;
		*writable = fault->frame.writable;
		return true;
	}
	if (!umbra_mmu_peek(fault->vcpu->vm->mmu, umbra_slot_hva(fault->slot, gfn), false, &frame))
		return false;
	*pfn = frame.pfn;
	*writable = frame.writable;
	return true;
}

/* One leaf ahead, for @gfn with what the guest's entries leave of @rights and its @pkey. */
static void fill_one(const struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
		     gfn_t gfn, u8 rights, u64 pkey, struct umbra_tlb *tlb)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	umbra_pfn_t pfn;
	bool writable;
	u8 kinds;
	u64 spte;

	if (!umbra_slot_has(fault->slot, gfn))
		return;
	kinds = umbra_trace_kinds(vcpu->vm, fault->slot, gfn);
	if ((kinds & UMBRA_TRACE_ACCESS) || !find_frame(fault, gfn, &pfn, &writable))
		return;
	if (kinds || !writable)
		rights &= ~UMBRA_RIGHT_W;
	spte = spte_make_leaf(pfn_to_hpa(pfn), 1, rights) | pkey;
	/* Nobody used it yet. */
	umbra_sp_set_leaf(vcpu, sp, index, spte & ~SPTE_ACCESSED, fault->slot, gfn, tlb);
}

static bool stock_left(const struct umbra_vcpu *vcpu)
{
	return vcpu->mmu->stock.nr_chunks && vcpu->mmu->cache.nr;
}

static void fill_direct(const struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
			struct umbra_tlb *tlb)
{
	u64 pkey = (u64)sp->role.pkey << 59;
	unsigned int first = index & ~(FILL_DIRECT - 1), i;

	for (i = first; i < first + FILL_DIRECT && stock_left(fault->vcpu); i++) {
		gfn_t gfn = umbra_sp_gfn(sp, i);

		if (!test_bit(i, sp->used) && same_large(fault, gfn))
			fill_one(fault, sp, i, gfn, sp->role.rights, pkey, tlb);
	}
}

/* The guest's entries are of 8 or of 4 bytes. */
bool shadow_read_group(struct umbra_vm *vm, const struct umbra_sp *sp, unsigned int index,
		       struct shadow_group *group)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vm, sp->gfn);
	const void __user *from;
	unsigned int i;

	if (!slot)
		return false;
	from = (const void __user *)(umbra_slot_hva(slot, sp->gfn) +
		offset_in_page(shadow_entry_gpa(sp, index & ~(SHADOW_GROUP - 1))));
	if (!user_read_access_begin(from, sizeof(*group)))
		return false;
	if (umbra_role_wide(sp->role))
		for (i = 0; i < SHADOW_GROUP; i++)
			unsafe_get_user(group->entry[i], (const u64 __user *)from + i, failed);
	else
		for (i = 0; i < SHADOW_GROUP; i++) {
			u32 narrow;

			unsafe_get_user(narrow, (const u32 __user *)from + i, failed);
			group->entry[i] = narrow;
		}
	user_read_access_end();
	return true;
failed:
	user_read_access_end();
	return false;
}

static void fill_group(const struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
		       const struct shadow_group *group, struct umbra_tlb *tlb)
{
	unsigned int first = index & ~(SHADOW_GROUP - 1), i;
	const struct x86_mode *mode = &fault->vcpu->mmu->mode;

	for (i = 0; i < SHADOW_GROUP && stock_left(fault->vcpu); i++) {
		u64 e = group->entry[i];
		u8 rights;

		if (test_bit(first + i, sp->used) || !shadow_entry_counts(mode, sp, e))
			continue;
		rights = sp->role.rights & shadow_entry_rights(e);
		if (!x86_dirty(e))
			rights &= ~UMBRA_RIGHT_W;
		fill_one(fault, sp, first + i, gpa_to_gfn(e & X86_ADDR), rights,
			 sp->role.pke ? e & SPTE_PKEY : 0, tlb);
	}
}

void shadow_fill_around(struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
			const struct shadow_group *group, struct umbra_tlb *tlb)
{
	struct umbra_mmu *mmu = fault->vcpu->vm->mmu;

	lockdep_assert_held(&mmu->lock);
	/* An invalidation under way may be of any of these frames. */
	if (mmu->inval_count)
		return;
	if (sp->role.direct)
		fill_direct(fault, sp, index, tlb);
	else
		fill_group(fault, sp, index, group, tlb);
}

/* Accessed bits are set already where another root leads there. */
static bool fill_link(struct umbra_vcpu *vcpu, const struct umbra_memslot *slot,
		      struct umbra_sp *root, unsigned int index)
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
	umbra_sp_link(vcpu, root, index, child);
	return true;
}

static void fill_links(struct umbra_vcpu *vcpu, struct umbra_sp *root, const struct umbra_sp *last)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vcpu->vm, root->gfn);
	unsigned int i = UMBRA_FMT_ENTRIES / 2;
	bool same = last && last->role.word == root->role.word;

	for (; slot && i < UMBRA_FMT_ENTRIES && stock_left(vcpu); i++) {
		if (same)
			i = find_next_bit(last->used, UMBRA_FMT_ENTRIES, i);
		if (i < UMBRA_FMT_ENTRIES && !fill_link(vcpu, slot, root, i))
			return;
	}
}

/*
 * The upper half of the address space is the guest kernel's, the same in all of
 * its roots: what it used under the root before, it will use under this one.
 */
void shadow_fill_root(struct umbra_vcpu *vcpu, struct umbra_sp *root, const struct umbra_sp *last,
		      struct umbra_tlb *tlb)
{
	fill_links(vcpu, root, last);
	/* As in shadow_get(): they may have been out of reach at the last flush. */
	shadow_sync_under(vcpu, root, tlb);
}
