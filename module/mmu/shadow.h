/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the shadow MMU share. All calls: MMU lock and an SRCU read
 * section held, page faults disabled.
 */
#ifndef UMBRA_MMU_SHADOW_H
#define UMBRA_MMU_SHADOW_H

#include "gwalk.h"
#include "mmu_internal.h"

/* Traced writes of a table, with no fault coming through between, that let it go. */
#define SHADOW_FLOOD		2
/* Stale tables per VM: each costs time at every change of CR3. */
#define SHADOW_MAX_UNSYNC	256

extern const struct umbra_tracer shadow_tracer;

/*
 * shadow_page.c: the table for (@gfn, @role), found or new, in step with the
 * guest's, and so are all below it.
 */
struct umbra_sp *shadow_get(struct umbra_vcpu *vcpu, gfn_t gfn, union umbra_role role,
			    struct umbra_tlb *tlb);
/* Only look; NULL. It may be stale. */
struct umbra_sp *shadow_find(struct umbra_vm *vm, gfn_t gfn, union umbra_role role);
/* @sp stops being a table: nothing leads to it any more, and it is freed when unpinned. */
void shadow_zap(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb);
/* An entry goes, and with it a table that must not stay without links. */
void shadow_drop(struct umbra_vm *vm, struct umbra_sp *sp, unsigned int index,
		 struct umbra_tlb *tlb);
void shadow_pin(struct umbra_sp *sp);
void shadow_unpin(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb);
/* Make place for what one fault may need. */
void shadow_make_room(struct umbra_vm *vm, struct umbra_tlb *tlb);
/* No more tables than there may be; gives the lock away in between: sleeping context. */
void shadow_enforce_limit(struct umbra_vm *vm, struct umbra_tlb *tlb);
/* All of them; gives the lock away in between: sleeping context. */
void shadow_zap_all(struct umbra_vm *vm, struct umbra_tlb *tlb);
/* Zap tables whose guest table lies in @slot. */
void shadow_zap_tables_in(struct umbra_vm *vm, const struct umbra_memslot *slot,
			  struct umbra_tlb *tlb);
/* Direct tables for the 2 MiB at @gfn are unlinked. */
void shadow_unlink_direct(struct umbra_vm *vm, gfn_t gfn, struct umbra_tlb *tlb);
/* Zap up to @nr tables, oldest first, a second chance for those in use; how many went. */
unsigned long shadow_zap_oldest(struct umbra_vm *vm, unsigned long nr, struct umbra_tlb *tlb);

/* shadow_shrink.c: at VM creation and destruction; without the MMU lock. */
void shadow_vm_add(struct umbra_vm *vm);
void shadow_vm_remove(struct umbra_vm *vm);
/* At module init and exit. 0 or -ENOMEM. */
int shadow_shrink_init(void);
void shadow_shrink_exit(void);

/* Entries of a guest's table that are read at once: more are seldom wanted soon. */
#define SHADOW_GROUP		4u

/**
 * struct shadow_group - guest entries around that of a fault
 * @entry: as they were read, from an index on that is a multiple of SHADOW_GROUP
 */
struct shadow_group {
	u64 entry[SHADOW_GROUP];
};

/* shadow_fill.c: the entries around entry @index of @sp, which is not direct; false: no memory. */
bool shadow_read_group(struct umbra_vm *vm, const struct umbra_sp *sp, unsigned int index,
		       struct shadow_group *group);
/*
 * Leaf @index of @sp was filled for @fault: fill others near it. @group holds the
 * guest's entries there unless @sp is direct.
 */
void shadow_fill_around(struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
			const struct shadow_group *group, struct umbra_tlb *tlb);

/*
 * A new root: link the tables of the guest's kernel that exist already. @last is the
 * root before, or NULL.
 */
void shadow_fill_root(struct umbra_vcpu *vcpu, struct umbra_sp *root, const struct umbra_sp *last,
		      struct umbra_tlb *tlb);

/*
 * shadow_sync.c: what guest entry @e, at @index of @sp, leads to: a frame or a table.
 * @mode is the guest's paging mode, and that of @sp's role.
 */
gfn_t shadow_entry_gfn(const struct x86_mode *mode, const struct umbra_sp *sp,
		       unsigned int index, u64 e);
/* Role of the table that hangs below @sp at @index for guest entry @e. */
union umbra_role shadow_child_role(const struct x86_mode *mode, const struct umbra_sp *sp,
				   unsigned int index, u64 e);
/* Is guest entry @e at @sp's level a large page? */
bool shadow_entry_large(const struct x86_mode *mode, const struct umbra_sp *sp, u64 e);
/* Would the processor use @e in @sp's table, without setting its accessed bit? */
static inline bool shadow_entry_counts(const struct x86_mode *mode, const struct umbra_sp *sp,
				       u64 e)
{
	return x86_present(e) && x86_accessed(e) && !x86_reserved(mode, e, sp->role.level);
}

/* Rights that guest entry @e leaves of all. */
static inline u8 shadow_entry_rights(u64 e)
{
	/* The bits are those of Umbra's own entries. */
	return spte_rights(e);
}

/* Where the guest entry of @sp's entry @index is. */
gpa_t shadow_entry_gpa(const struct umbra_sp *sp, unsigned int index);
/* Does the guest's table, as it is now, say what @sp's entry @index does? */
bool shadow_entry_fits(struct umbra_vcpu *vcpu, const struct x86_mode *mode,
		       const struct umbra_sp *sp, unsigned int index);
/* Drop the entry unless the guest's table still says the same. */
void shadow_sync_entry(struct umbra_vcpu *vcpu, const struct x86_mode *mode, struct umbra_sp *sp,
		       unsigned int index, struct umbra_tlb *tlb);
/* Bring all stale tables at and below @top back in step. */
void shadow_sync_under(struct umbra_vcpu *vcpu, const struct umbra_sp *top,
		       struct umbra_tlb *tlb);

#endif
