// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping shadow pages in step with the guest's tables: what an entry should
 * lead to, dropping those that lead elsewhere, tables that go out of step on
 * purpose, and what a traced write of a table does. Entries only ever go here:
 * faults make them.
 */
#include "mmu_env.h"
#include "shadow.h"

bool shadow_entry_large(const struct x86_mode *mode, const struct umbra_sp *sp, u64 e)
{
	return sp->role.level > 1 && x86_leaf(mode, e, sp->role.level);
}

gfn_t shadow_entry_gfn(const struct x86_mode *mode, const struct umbra_sp *sp,
		       unsigned int index, u64 e)
{
	gfn_t gfn;

	if (sp->role.direct)
		return umbra_sp_gfn(sp, index);
	gfn = gpa_to_gfn(x86_addr(mode, e, sp->role.level));
	/* A page of 4 MiB takes two entries. */
	if (!mode->wide && shadow_entry_large(mode, sp, e))
		gfn += (index & 1) * UMBRA_FMT_ENTRIES;
	return gfn;
}

union umbra_role shadow_child_role(const struct x86_mode *mode, const struct umbra_sp *sp,
				   unsigned int index, u64 e)
{
	union umbra_role role = sp->role;

	role.level--;
	role.quadrant = 0;
	if (sp->role.direct)
		return role;
	role.rights &= shadow_entry_rights(e);
	if (shadow_entry_large(mode, sp, e)) {
		role.direct = 1;
		/* Without it no right to write, and none that CR0.WP = 0 gives. */
		role.clean = !x86_dirty(e);
		if (role.clean)
			role.rights &= ~UMBRA_RIGHT_W;
		if (role.pke)
			role.pkey = x86_pkey(e);
	} else if (role.levels == 2) {
		role.quadrant = index & 1;
	}
	return role;
}

gpa_t shadow_entry_gpa(const struct umbra_sp *sp, unsigned int index)
{
	gpa_t table = gfn_to_gpa(sp->gfn);

	if (umbra_role_wide(sp->role))
		return table + index * 8;
	if (sp->role.level == 2)
		return table + (sp->role.quadrant * 256 + index / 2) * 4;
	return table + (sp->role.quadrant * 512 + index) * 4;
}

/* Does leaf @spte give no more than guest entry @e in @sp? */
static bool leaf_fits(const struct umbra_sp *sp, u64 spte, u64 e)
{
	u8 rights = sp->role.rights & shadow_entry_rights(e);

	if (!x86_dirty(e))
		rights &= ~UMBRA_RIGHT_W;
	if (spte_rights(spte) & ~rights)
		return false;
	/* A supervisor's page was made of a user's for one write: not for longer. */
	if ((rights & UMBRA_RIGHT_U) && !(spte & SPTE_USER))
		return false;
	return !sp->role.pke || !((spte ^ e) & SPTE_PKEY);
}

static bool link_fits(const struct x86_mode *mode, const struct umbra_sp *sp,
		      unsigned int index, u64 spte, u64 e)
{
	const struct umbra_sp *child = umbra_sp_linked(spte);

	/* Most often; the rest of the role never differs then. */
	if (mode->wide && !sp->role.direct && !(e & X86_LARGE))
		return child->gfn == gpa_to_gfn(e & X86_ADDR) && !child->role.direct &&
		       child->role.rights == (sp->role.rights & shadow_entry_rights(e));
	return child->gfn == shadow_entry_gfn(mode, sp, index, e) &&
	       child->role.word == shadow_child_role(mode, sp, index, e).word;
}

/*
 * The guest's paging mode for entries of @sp's table, which may be of another than
 * the vCPU is in now. 1 GiB pages count as offered: that they are not is found by
 * the walk, before there is any entry.
 */
static void mode_of(const struct umbra_vcpu *vcpu, const struct umbra_sp *sp,
		    struct x86_mode *mode)
{
	u8 bits = vcpu->cpuid.phys_bits;

	*mode = (struct x86_mode){
		.levels = sp->role.levels,
		.wide = umbra_role_wide(sp->role),
		.pse = sp->role.pse,
		.gbpages = true,
		.rsvd = x86_reserved_high(sp->role.levels, bits, sp->role.nx),
		.rsvd_4m = x86_reserved_4m(bits),
	};
}

/* Is entry @index still what guest entry @e says? */
static bool entry_fits(const struct x86_mode *mode, const struct umbra_sp *sp,
		       unsigned int index, u64 e)
{
	u64 spte = sp->spt[index];

	if (!shadow_entry_counts(mode, sp, e))
		return false;
	if (!spte_leaf(spte, sp->role.level))
		return link_fits(mode, sp, index, spte, e);
	if (sp->role.level > 1 && !shadow_entry_large(mode, sp, e))
		return false;
	return umbra_sp_gfn(sp, index) == shadow_entry_gfn(mode, sp, index, e) &&
	       leaf_fits(sp, spte, e);
}

bool shadow_entry_fits(struct umbra_vcpu *vcpu, const struct x86_mode *mode,
		       const struct umbra_sp *sp, unsigned int index)
{
	u64 e;

	return !umbra_gpte_read(vcpu->vm, shadow_entry_gpa(sp, index), mode->wide, &e) &&
	       entry_fits(mode, sp, index, e);
}

void shadow_sync_entry(struct umbra_vcpu *vcpu, const struct x86_mode *mode, struct umbra_sp *sp,
		       unsigned int index, struct umbra_tlb *tlb)
{
	if (sp->role.direct || !test_bit(index, sp->used))
		return;
	if (!shadow_entry_fits(vcpu, mode, sp, index))
		shadow_drop(vcpu->vm, sp, index, tlb);
}

/*
 * Its guest entry took rights away and left the rest: so does this. Dropping the
 * entry would be right too, but a process that has forked reads on.
 */
static bool narrow(struct umbra_sp *sp, unsigned int index, u64 e, struct umbra_tlb *tlb)
{
	u64 old = sp->spt[index], lost = 0;

	if (!x86_writable(e) || !x86_dirty(e))
		lost |= SPTE_WRITE;
	if (!x86_executable(e) && !(old & SPTE_NX))
		return false;
	if (!(old & lost) || !leaf_fits(sp, old & ~lost, e))
		return false;
	while (!try_cmpxchg(&sp->spt[index], &old, old & ~lost))
		;
	umbra_tlb_note(tlb);
	return true;
}

/*
 * Is leaf @spte for frame @gfn all that guest entry @e still allows, of what @user
 * leaves of the user bit? As entry_fits(), for tables of the lowest level: that it
 * goes no further than the role of its table was seen when it was made.
 */
static bool leaf_holds(const struct x86_mode *mode, u64 spte, gfn_t gfn, u64 e, u64 user)
{
	u64 must = X86_PRESENT | X86_ACCESSED, must_not = mode->rsvd;

	if (spte & SPTE_WRITE)
		must |= X86_WRITE | X86_DIRTY;
	if (!(spte & SPTE_NX))
		must_not |= X86_NX;
	return (e & must) == must && !(e & must_not) && !((spte ^ e) & user) &&
	       (e & X86_ADDR) >> PAGE_SHIFT == gfn;
}

/* Bits of a word of @sp->used whose leaves are not what guest entries @entry say. */
static unsigned long differing(const struct x86_mode *mode, const struct umbra_sp *sp,
			       unsigned int first, const u64 *entry)
{
	unsigned long left = sp->used[first / BITS_PER_LONG], bad = 0;
	const u64 *spte = sp->spt + first;
	const u32 *gfn = sp->gfns + first;
	u64 user = sp->role.rights & UMBRA_RIGHT_U ? SPTE_USER : 0;

	if (sp->role.pke)
		user |= SPTE_PKEY;
	for (; left; left &= left - 1) {
		unsigned int i = __ffs(left);

		if (!leaf_holds(mode, spte[i], gfn[i], entry[i], user))
			bad |= left & -left;
	}
	return bad;
}

/* Those of the guest's entries at @hva that @used names; false: one cannot be read. */
static bool read_entries(hva_t hva, unsigned long used, u64 *entry)
{
	const u64 __user *from = (const u64 __user *)hva;

	if (!user_read_access_begin(from, BITS_PER_LONG * sizeof(*from)))
		return false;
	for (; used; used &= used - 1)
		unsafe_get_user(entry[__ffs(used)], from + __ffs(used), failed);
	user_read_access_end();
	return true;
failed:
	user_read_access_end();
	return false;
}

/* Most tables out of step are of the lowest level, with entries of 8 bytes. */
static void sync_leaves(struct umbra_vm *vm, struct umbra_sp *sp, const struct x86_mode *mode,
			hva_t hva, struct umbra_tlb *tlb)
{
	unsigned int first, i;
	unsigned long bad;
	u64 entry[BITS_PER_LONG];
	bool read;

	for (first = 0; first < UMBRA_FMT_ENTRIES; first += BITS_PER_LONG) {
		bad = sp->used[first / BITS_PER_LONG];
		if (!bad)
			continue;
		read = read_entries(hva + first * sizeof(u64), bad, entry);
		if (read)
			bad = differing(mode, sp, first, entry);
		for (; bad; bad &= bad - 1) {
			i = __ffs(bad);
			if (!read || !shadow_entry_counts(mode, sp, entry[i]) ||
			    (entry[i] & X86_ADDR) >> PAGE_SHIFT != sp->gfns[first + i] ||
			    !narrow(sp, first + i, entry[i], tlb))
				shadow_drop(vm, sp, first + i, tlb);
		}
	}
}

static void sync_entries(struct umbra_vcpu *vcpu, struct umbra_sp *sp,
			 const struct x86_mode *mode, const struct umbra_memslot *slot,
			 struct umbra_tlb *tlb)
{
	unsigned int i;
	u64 e;

	for_each_set_bit(i, sp->used, UMBRA_FMT_ENTRIES)
		if (!slot || umbra_slot_gpte(slot, shadow_entry_gpa(sp, i), mode->wide, &e) ||
		    !entry_fits(mode, sp, i, e))
			shadow_drop(vcpu->vm, sp, i, tlb);
}

/* Its writes are traced again: compare, and it is in step. */
static void sync_one(struct umbra_vcpu *vcpu, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vcpu->vm, sp->gfn);
	struct x86_mode mode;

	sp->stale = false;
	list_del_init(&sp->unsync);
	vcpu->vm->mmu->spages.nr_unsync--;
	umbra_vm_stat_inc(vcpu->vm, pages_synced);
	mode_of(vcpu, sp, &mode);
	if (slot && mode.wide && sp->role.level == 1)
		sync_leaves(vcpu->vm, sp, &mode, umbra_slot_hva(slot, sp->gfn), tlb);
	else
		sync_entries(vcpu, sp, &mode, slot, tlb);
}

/*
 * Can a walk from @top come to @sp? Each step up is one level: five at most. A
 * guest can make as many paths as it likes of few tables, so each table is
 * asked once per search. Links only go meanwhile: at worst too many are found.
 */
static bool is_under(struct umbra_sp *sp, const struct umbra_sp *top, unsigned long search)
{
	struct umbra_rmap_iter it;
	u64 *spte;

	if (sp == top)
		return true;
	if (sp->role.level >= top->role.level)
		return false;
	if (sp->seen == search)
		return sp->under;
	sp->seen = search;
	sp->under = false;
	umbra_rmap_begin(&it, sp->parents);
	while (!sp->under && (spte = umbra_rmap_next(&it)))
		sp->under = is_under(umbra_sp_of(spte), top, search);
	return sp->under;
}

/* Syncing one may drop others from the list: what is to be done is moved off it first. */
void shadow_sync_under(struct umbra_vcpu *vcpu, const struct umbra_sp *top,
		       struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vcpu->vm->mmu->spages;
	struct umbra_sp *sp, *next;
	LIST_HEAD(todo);

	if (list_empty(&spages->unsync))
		return;
	spages->search++;
	list_for_each_entry_safe(sp, next, &spages->unsync, unsync)
		if (is_under(sp, top, spages->search))
			list_move_tail(&sp->unsync, &todo);
	if (list_empty(&todo))
		return;
	/* From here no write to any of them passes unseen; only then are they read. */
	list_for_each_entry(sp, &todo, unsync)
		umbra_trace_change(vcpu->vm, &sp->trace, UMBRA_TRACE_WRITE, tlb);
	umbra_tlb_flush(tlb);
	while (!list_empty(&todo))
		sync_one(vcpu, list_first_entry(&todo, struct umbra_sp, unsync), tlb);
}

static struct umbra_sp *sp_of_trace(const struct umbra_trace *trace)
{
	return container_of(trace, struct umbra_sp, trace);
}

/* Upper tables are written less, and looked at more: only when written again and again. */
static bool may_let_go(const struct umbra_trace *trace)
{
	return sp_of_trace(trace)->role.level == 1;
}

static void let_go(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	struct umbra_sp *sp = sp_of_trace(trace);

	/* Nothing leads here: most likely not a table any more. */
	if (!sp->parents && !sp->pins) {
		shadow_zap(vm, sp, tlb);
		return;
	}
	sp->stale = true;
	list_add(&sp->unsync, &spages->unsync);
	spages->nr_unsync++;
	umbra_vm_stat_inc(vm, pages_unsync);
	umbra_trace_change(vm, trace, 0, tlb);
}

/* Roots in use stay tables, whatever is written to them. */
static void end(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = sp_of_trace(trace);

	if (sp->pins)
		return;
	umbra_vm_stat_inc(vm, floods);
	shadow_zap(vm, sp, tlb);
}

/* The entries of @sp that @bytes bytes at @offset of the guest's table belong to. */
static void entries_at(const struct umbra_sp *sp, unsigned int offset, unsigned int bytes,
		       unsigned int *first, unsigned int *end)
{
	unsigned int size = umbra_role_wide(sp->role) ? 8 : 4;
	unsigned int from = offset / size, to = (offset + bytes - 1) / size + 1;
	/* Of a 2-level guest's tables each of Umbra's holds a part. */
	unsigned int per = size == 8 ? 512 : sp->role.level == 2 ? 256 : 512;
	unsigned int base = size == 8 ? 0 : sp->role.quadrant * per;
	unsigned int scale = 512 / per;

	from = max(from, base);
	to = min(to, base + per);
	*first = from < to ? (from - base) * scale : 0;
	*end = from < to ? (to - base) * scale : 0;
}

/*
 * A table was written through the emulator. Written again and again, with no
 * fault coming through between, it is let go: it may be data by now.
 */
static void after(struct umbra_trace *trace, const struct umbra_traced *a, struct umbra_tlb *tlb)
{
	struct umbra_sp *sp = sp_of_trace(trace);
	struct x86_mode mode;
	unsigned int i, end;

	mode_of(a->vcpu, sp, &mode);
	entries_at(sp, offset_in_page(a->gpa), a->bytes, &i, &end);
	for (; i < end; i++)
		shadow_sync_entry(a->vcpu, &mode, sp, i, tlb);
	if (sp->stale || ++sp->writes < SHADOW_FLOOD)
		return;
	umbra_vm_stat_inc(a->vcpu->vm, floods);
	let_go(a->vcpu->vm, trace, tlb);
}

const struct umbra_tracer shadow_tracer = {
	.after = after,
	.end = end,
	.may_yield = may_let_go,
	.yield = let_go,
};
