// SPDX-License-Identifier: GPL-2.0
/*
 * The shadow MMU: gva to hpa in tables that stand beside the guest's own. Roots
 * and the way down from them at a fault, and what the guest's writes of control
 * registers and INVLPG mean for both. Which tables exist is shadow_page.c's
 * matter, whether they still fit shadow_sync.c's.
 */
#include "mmu_env.h"
#include "shadow.h"
#include "slot.h"

/*
 * Outside long mode the processor wants page directory pointers, and their
 * four tables hang in umbra_mmu_vcpu.root. Where table @i of the registers is,
 * and its role; false when the guest has none there.
 */
static bool directory_of(const struct umbra_vcpu *vcpu, unsigned int i, gfn_t *gfn,
			 union umbra_role *role)
{
	*role = vcpu->mmu->role;
	role->level = 2;
	switch (role->levels) {
	case 0:
		*gfn = (gfn_t)i << 18;
		return true;
	case 2:
		role->quadrant = i;
		*gfn = gpa_to_gfn(vcpu->cr3 & U32_MAX);
		return true;
	default:
		*gfn = gpa_to_gfn(vcpu->pdpte[i] & X86_ADDR);
		return x86_present(vcpu->pdpte[i]);
	}
}

static void put_root(struct umbra_vcpu *vcpu, unsigned int i, struct umbra_sp *sp)
{
	struct umbra_mmu_vcpu *mmu = vcpu->mmu;

	mmu->root[i] = sp;
	shadow_pin(sp);
	if (!umbra_tables_long(vcpu))
		WRITE_ONCE(mmu->pdpt[i], spte_make_pdpte(__pa(sp->spt)));
}

static void drop_roots(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	struct umbra_mmu_vcpu *mmu = vcpu->mmu;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mmu->root); i++) {
		struct umbra_sp *sp = mmu->root[i];

		mmu->root[i] = NULL;
		WRITE_ONCE(mmu->pdpt[i], 0);
		if (sp)
			shadow_unpin(vcpu->vm, sp, tlb);
	}
}

/* Whatever of the directories exists already; faults make the others. */
static bool find_directories(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	union umbra_role role;
	bool any = false;
	unsigned int i;
	gfn_t gfn;

	for (i = 0; i < ARRAY_SIZE(vcpu->mmu->root); i++) {
		struct umbra_sp *sp;

		if (!directory_of(vcpu, i, &gfn, &role))
			continue;
		sp = shadow_find(vcpu->vm, gfn, role);
		if (!sp)
			continue;
		any = true;
		put_root(vcpu, i, sp);
		shadow_sync_under(vcpu, sp, tlb);
	}
	return any;
}

static gfn_t long_root_gfn(const struct umbra_vcpu *vcpu)
{
	return gpa_to_gfn(vcpu->cr3 & X86_ADDR);
}

/* User space may have written the guest's tables: nothing is to be believed. */
static void resync(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	if (!vcpu->mmu->resync)
		return;
	vcpu->mmu->resync = false;
	shadow_zap_all(vcpu->vm, tlb);
}

static void load_locked(struct umbra_vcpu *vcpu, struct umbra_tlb *tlb)
{
	/* If it goes here, then to @tlb; resync() gives the lock away, and others may free it. */
	const struct umbra_sp *last = vcpu->mmu->resync ? NULL : vcpu->mmu->root[0];
	struct umbra_sp *sp;

	drop_roots(vcpu, tlb);
	resync(vcpu, tlb);
	vcpu->mmu->role = umbra_root_role(vcpu);
	umbra_guest_mode(vcpu, &vcpu->mmu->mode);
	/* Of the tables that there are; see mode_of(). */
	vcpu->mmu->mode.gbpages = true;
	if (!umbra_tables_long(vcpu)) {
		find_directories(vcpu, tlb);
		umbra_use_root(vcpu, vcpu->mmu->pdpt);
		return;
	}
	shadow_make_room(vcpu->vm, tlb);
	sp = shadow_get(vcpu, long_root_gfn(vcpu), vcpu->mmu->role, tlb);
	if (!sp->nr)
		shadow_fill_root(vcpu, sp, last, tlb);
	put_root(vcpu, 0, sp);
	umbra_use_root(vcpu, sp->spt);
}

static void work_load(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	load_locked(vcpu, tlb);
}

static int shadow_load(struct umbra_vcpu *vcpu)
{
	if (umbra_tables_stock(vcpu))
		return -ENOMEM;
	umbra_tables_locked(vcpu, 0, work_load);
	return 0;
}

static void shadow_context_changed(struct umbra_vcpu *vcpu)
{
	vcpu->mmu->loaded = false;
	umbra_request(vcpu, UMBRA_REQ_NEW_ROOT);
}

/* The tables for the new CR3 are there, most likely: no need to sleep. */
static void work_new_cr3(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp, *old = vcpu->mmu->root[0];
	bool hit;

	if (!umbra_tables_long(vcpu)) {
		drop_roots(vcpu, tlb);
		hit = find_directories(vcpu, tlb);
		umbra_use_root(vcpu, vcpu->mmu->pdpt);
	} else {
		sp = shadow_find(vcpu->vm, long_root_gfn(vcpu), vcpu->mmu->role);
		hit = sp;
		if (!sp) {
			shadow_context_changed(vcpu);
		} else if (sp != old) {
			put_root(vcpu, 0, sp);
			shadow_unpin(vcpu->vm, old, tlb);
			umbra_use_root(vcpu, sp->spt);
		}
		if (sp)
			shadow_sync_under(vcpu, sp, tlb);
	}
	if (hit)
		umbra_stat_inc(vcpu, cr3_hit);
	else
		umbra_stat_inc(vcpu, cr3_miss);
}

/*
 * That the guest asked to keep translations is permission, not duty: the new
 * root is synced all the same, since a later flush of its tag may come while
 * another root is in use.
 */
static void shadow_new_cr3(struct umbra_vcpu *vcpu)
{
	if (!vcpu->mmu->loaded || !vcpu->mmu->role.levels)
		return;
	umbra_tables_locked(vcpu, 0, work_new_cr3);
}

static struct umbra_sp *root_for(const struct umbra_vcpu *vcpu, gva_t gva)
{
	return vcpu->mmu->root[umbra_tables_long(vcpu) ? 0 : gva >> 30 & 3];
}

static void sync_at(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index,
		    struct umbra_tlb *tlb)
{
	const struct x86_mode *mode = &vcpu->mmu->mode;

	shadow_sync_entry(vcpu, mode, sp, index, tlb);
	/* The other half of a page of 4 MiB. */
	if (sp->role.levels == 2 && sp->role.level == 2)
		shadow_sync_entry(vcpu, mode, sp, index ^ 1, tlb);
}

static struct umbra_sp *below(const struct umbra_sp *sp, unsigned int index)
{
	u64 spte = sp->spt[index];

	if (!spte_present(spte) || spte_leaf(spte, sp->role.level))
		return NULL;
	return umbra_sp_linked(spte);
}

/*
 * Look again at every entry on the way, for user space may have written them
 * unseen: what the guest does not say any more goes.
 */
static void work_invlpg(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = root_for(vcpu, gva);

	while (sp) {
		unsigned int index = spte_index(gva, sp->role.level);

		sync_at(vcpu, sp, index, tlb);
		sp = below(sp, index);
	}
}

static void shadow_invlpg(struct umbra_vcpu *vcpu, gva_t gva)
{
	/* What is loaded next will be synced. */
	if (vcpu->mmu->loaded && vcpu->mmu->role.levels)
		umbra_tables_locked(vcpu, gva, work_invlpg);
}

/* As work_invlpg(), but of tables in step only the leaf can be of an older walk. */
static void work_refused(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = root_for(vcpu, gva);

	while (sp) {
		unsigned int index = spte_index(gva, sp->role.level);

		if (sp->stale || spte_leaf(sp->spt[index], sp->role.level))
			sync_at(vcpu, sp, index, tlb);
		sp = below(sp, index);
	}
}

static void shadow_refused(struct umbra_vcpu *vcpu, gva_t gva)
{
	if (vcpu->mmu->loaded && vcpu->mmu->role.levels)
		umbra_tables_locked(vcpu, gva, work_refused);
}

/* The directory for a fault outside long mode, made if need be. */
static struct umbra_sp *fault_directory(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	unsigned int i = fault->gva >> 30 & 3;
	union umbra_role role;
	struct umbra_sp *sp;
	gfn_t gfn;

	if (vcpu->mmu->root[i] || !directory_of(vcpu, i, &gfn, &role))
		return vcpu->mmu->root[i];
	sp = shadow_get(vcpu, gfn, role, tlb);
	put_root(vcpu, i, sp);
	return sp;
}

/* Did the guest change the entry since the walk read it? */
static bool entry_changed(const struct umbra_fault *fault, const struct umbra_sp *sp,
			  unsigned int index)
{
	u64 now;

	if (umbra_gpte_read(fault->vcpu->vm, shadow_entry_gpa(sp, index),
			    umbra_role_wide(sp->role), &now))
		return true;
	return now != fault->walk->entry[sp->role.level];
}

/*
 * The table that is linked on the way to the fault's address, if it is the right
 * one, and if nothing can have changed in the guest's table since it was linked.
 */
static struct umbra_sp *next_table(const struct umbra_fault *fault, const struct umbra_sp *sp,
				   unsigned int index)
{
	u64 e = fault->walk->entry[sp->role.level], spte = sp->spt[index];
	struct umbra_sp *child;

	if (sp->stale || sp->role.level <= fault->walk->level || !spte_present(spte) ||
	    spte_leaf(spte, sp->role.level))
		return NULL;
	child = umbra_sp_linked(spte);
	if (child->gfn != shadow_entry_gfn(&fault->walk->mode, sp, index, e) ||
	    child->role.word != shadow_child_role(&fault->walk->mode, sp, index, e).word)
		return NULL;
	return child;
}

/* The table below @sp on the way to the fault's address, found or linked anew. */
static struct umbra_sp *descend(struct umbra_fault *fault, struct umbra_sp *sp,
				unsigned int index, struct umbra_tlb *tlb)
{
	u64 e = fault->walk->entry[sp->role.level], spte = sp->spt[index];
	union umbra_role role = shadow_child_role(&fault->walk->mode, sp, index, e);
	gfn_t gfn = shadow_entry_gfn(&fault->walk->mode, sp, index, e);
	struct umbra_sp *child;

	if (spte_present(spte)) {
		child = spte_leaf(spte, sp->role.level) ? NULL : umbra_sp_linked(spte);
		if (child && child->gfn == gfn && child->role.word == role.word)
			return child;
		shadow_drop(fault->vcpu->vm, sp, index, tlb);
	}
	child = shadow_get(fault->vcpu, gfn, role, tlb);
	umbra_sp_link(fault->vcpu, sp, index, child);
	return child;
}

/* May the guest's page be mapped by one entry of level 2? Then traces are judged. */
static bool at_large(const struct umbra_fault *fault, const struct umbra_sp *sp)
{
	if (sp->role.level != 2)
		return false;
	return sp->role.direct || shadow_entry_large(&fault->walk->mode, sp, fault->walk->entry[2]);
}

static int set_leaf(struct umbra_fault *fault, struct umbra_sp *sp, unsigned int index,
		    struct umbra_tlb *tlb)
{
	u64 e = fault->walk->entry[sp->role.level], old = sp->spt[index], spte;
	struct shadow_group group;
	u8 rights = sp->role.rights;
	int verdict;

	/* In direct tables the role says it all. */
	if (!sp->role.direct) {
		rights &= shadow_entry_rights(e);
		if (!x86_dirty(e))
			rights &= ~UMBRA_RIGHT_W;
	}
	verdict = umbra_fault_leaf(fault, sp->role, rights, &spte);
	if (verdict != UMBRA_MMU_RETRY)
		return verdict;
	if (spte_present(old) && !spte_leaf(old, sp->role.level))
		shadow_drop(fault->vcpu->vm, sp, index, tlb);
	umbra_sp_set_leaf(fault->vcpu, sp, index, spte, fault->slot,
			  fault->gfn & ~(umbra_level_pages(sp->role.level) - 1), tlb);
	/* Where a right was added, others were filled when the entry was. */
	if (sp->role.level == 1 && !spte_present(old) &&
	    (sp->role.direct || shadow_read_group(fault->vcpu->vm, sp, index, &group)))
		shadow_fill_around(fault, sp, index, &group, tlb);
	return UMBRA_MMU_RETRY;
}

/*
 * Upper tables that are linked stand for guest entries that allow what their role
 * says, accessed bits set: of those in step only the lowest is to be read. NULL:
 * there is no such way down.
 */
static struct umbra_sp *lowest_table(struct umbra_vcpu *vcpu, gva_t gva)
{
	struct umbra_sp *sp = root_for(vcpu, gva);

	while (sp && !sp->dead && sp->role.level > 1) {
		unsigned int index = spte_index(gva, sp->role.level);
		u64 spte = sp->spt[index];

		if (!spte_present(spte) || spte_leaf(spte, sp->role.level))
			return NULL;
		if (sp->stale && !shadow_entry_fits(vcpu, &vcpu->mmu->mode, sp, index))
			return NULL;
		sp->touched = true;
		sp->writes = 0;
		sp = umbra_sp_linked(spte);
	}
	return sp && !sp->dead ? sp : NULL;
}

/* Cases without any doubt; the walk decides the others. */
static bool plainly_allowed(const struct umbra_fault *fault, u8 rights, bool pke)
{
	bool user = fault->access & UMBRA_ACC_USER;

	if (!(rights & UMBRA_RIGHT_U) == user || (user && pke))
		return false;
	if ((fault->access & UMBRA_ACC_EXEC) && !(rights & UMBRA_RIGHT_X))
		return false;
	return !umbra_fault_writes(fault) || (rights & UMBRA_RIGHT_W);
}

/* A user's write that tables forbid, whatever the control registers say. */
static bool plainly_refused(const struct umbra_fault *fault, u8 rights, bool pke)
{
	return umbra_fault_writes(fault) && (fault->access & UMBRA_ACC_USER) && !pke &&
	       (rights & UMBRA_RIGHT_U) && !(rights & UMBRA_RIGHT_W);
}

/* Frame and rights by @sp's entry @index; INJECT, RETRY to go on, or -EAGAIN. */
static int fast_entry(struct umbra_fault *fault, const struct umbra_sp *sp, unsigned int index,
		      struct shadow_group *group, u8 *rights)
{
	const struct x86_mode *mode = &fault->vcpu->mmu->mode;
	u64 e;

	*rights = sp->role.rights;
	if (sp->role.direct) {
		fault->gfn = umbra_sp_gfn(sp, index);
	} else {
		if (!shadow_read_group(fault->vcpu->vm, sp, index, group))
			return -EAGAIN;
		e = group->entry[index % SHADOW_GROUP];
		fault->present = false;
		if (!x86_present(e))
			return UMBRA_MMU_INJECT;
		if (!shadow_entry_counts(mode, sp, e))
			return -EAGAIN;
		fault->gfn = gpa_to_gfn(e & X86_ADDR);
		*rights &= shadow_entry_rights(e);
		fault->present = plainly_refused(fault, *rights, sp->role.pke);
		if (fault->present)
			return UMBRA_MMU_INJECT;
		if (!x86_dirty(e))
			*rights &= ~UMBRA_RIGHT_W;
	}
	return plainly_allowed(fault, *rights, sp->role.pke) ? UMBRA_MMU_RETRY : -EAGAIN;
}

static int shadow_fast(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	struct shadow_group group;
	struct umbra_sp *sp;
	unsigned int index;
	bool empty;
	u8 rights;
	int r;

	lockdep_assert_held(&vcpu->vm->mmu->lock);
	if (!vcpu->mmu->loaded)
		return -EAGAIN;
	sp = lowest_table(vcpu, fault->gva);
	if (!sp)
		return -EAGAIN;
	index = spte_index(fault->gva, 1);
	r = fast_entry(fault, sp, index, &group, &rights);
	if (r != UMBRA_MMU_RETRY)
		return r;
	if (umbra_fault_find(fault) != UMBRA_MMU_RETRY)
		return -EAGAIN;
	fault->level = 1;
	fault->writable = fault->frame.writable;
	if (umbra_trace_kinds(vcpu->vm, fault->slot, fault->gfn)) {
		r = umbra_fault_traces(fault, tlb);
		if (r != UMBRA_MMU_RETRY)
			return r;
	}
	if (!fault->writable)
		rights &= ~UMBRA_RIGHT_W;
	empty = !spte_present(sp->spt[index]);
	umbra_sp_set_leaf(vcpu, sp, index,
			  spte_make_leaf(pfn_to_hpa(fault->frame.pfn), 1, rights), fault->slot,
			  fault->gfn, tlb);
	/* As in set_leaf(). */
	if (empty)
		shadow_fill_around(fault, sp, index, &group, tlb);
	return UMBRA_MMU_RETRY;
}

static int shadow_map(struct umbra_fault *fault, struct umbra_tlb *tlb)
{
	struct umbra_vcpu *vcpu = fault->vcpu;
	struct umbra_sp *sp, *next;
	bool judged = false;
	unsigned int index;
	int verdict;

	lockdep_assert_held(&vcpu->vm->mmu->lock);
	if (!vcpu->mmu->loaded)
		return UMBRA_MMU_RETRY;
	shadow_make_room(vcpu->vm, tlb);
	sp = umbra_tables_long(vcpu) ? vcpu->mmu->root[0] : fault_directory(fault, tlb);
	/* A dead root: the request to load another one is on its way. */
	while (sp && !sp->dead) {
		index = spte_index(fault->gva, sp->role.level);
		sp->touched = true;
		sp->writes = 0;
		/* What is linked already and in step says the same as the guest's table. */
		next = next_table(fault, sp, index);
		if (next) {
			sp = next;
			continue;
		}
		if (!sp->role.direct && entry_changed(fault, sp, index))
			return UMBRA_MMU_RETRY;
		if (!judged && (sp->role.level == 1 || at_large(fault, sp))) {
			judged = true;
			verdict = umbra_fault_traces(fault, tlb);
			if (verdict != UMBRA_MMU_RETRY)
				return verdict;
		}
		if (sp->role.level == 1 || (at_large(fault, sp) && fault->level >= 2))
			return set_leaf(fault, sp, index, tlb);
		sp = descend(fault, sp, index, tlb);
	}
	return UMBRA_MMU_RETRY;
}

static void shadow_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot)
{
	struct umbra_tlb tlb;
	int idx = srcu_read_lock(&vm->srcu);

	umbra_rmap_zap(vm, slot, slot->base_gfn, slot->base_gfn + slot->npages, true);
	umbra_tlb_lock(&tlb, vm);
	shadow_zap_tables_in(vm, slot, &tlb);
	umbra_tlb_unlock(&tlb);
	srcu_read_unlock(&vm->srcu, idx);
}

static void shadow_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			   struct umbra_tlb *tlb)
{
	shadow_unlink_direct(vm, gfn, tlb);
}

static int shadow_vm_create(struct umbra_vm *vm)
{
	int r = umbra_spages_create(vm);

	if (!r)
		shadow_vm_add(vm);
	return r;
}

static void shadow_vm_destroy(struct umbra_vm *vm)
{
	int idx = srcu_read_lock(&vm->srcu);
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	shadow_zap_all(vm, &tlb);
	umbra_tlb_unlock(&tlb);
	srcu_read_unlock(&vm->srcu, idx);
	umbra_spages_destroy(vm);
}

static void work_unload(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	drop_roots(vcpu, tlb);
}

static void work_leave(struct umbra_vcpu *vcpu, gva_t unused, struct umbra_tlb *tlb)
{
	drop_roots(vcpu, tlb);
	resync(vcpu, tlb);
	vcpu->mmu->loaded = false;
}

static void shadow_unload(struct umbra_vcpu *vcpu)
{
	umbra_tables_locked(vcpu, 0, work_leave);
}

static void shadow_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);

	umbra_tables_locked(vcpu, 0, work_unload);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	umbra_tables_vcpu_destroy(vcpu);
}

const struct umbra_mmu_ops umbra_shadow_ops = {
	.vm_create = shadow_vm_create,
	.vm_destroy = shadow_vm_destroy,
	.zap = umbra_rmap_zap,
	.zap_slot = shadow_zap_slot,
	.age = umbra_rmap_age,
	.log_start = umbra_rmap_log_start,
	.log_protect = umbra_rmap_log_protect,
	.log_stop = umbra_rmap_log_stop,
	.protect = umbra_rmap_protect,
	.unprotect = umbra_rmap_unprotect,
	.recover = shadow_recover,
	.vcpu_create = umbra_tables_vcpu_create,
	.vcpu_destroy = shadow_vcpu_destroy,
	.load = shadow_load,
	.unload = shadow_unload,
	.stocked = umbra_tables_stocked,
	.stock = umbra_tables_stock,
	.fast = shadow_fast,
	.map = shadow_map,
	.new_cr3 = shadow_new_cr3,
	.invlpg = shadow_invlpg,
	.refused = shadow_refused,
	.context_changed = shadow_context_changed,
};
