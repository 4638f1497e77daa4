// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's accesses in the model test: the processor tries with what its TLB
 * or Umbra's tables give; a fault goes to Umbra, whose verdict is compared with
 * a walk by the manual and then carried out as exit_mmu.c and the emulator do.
 */
#include "mmu_lib_model.h"

#define MAX_TRIES	24

/* All that may be known of the guest's tables before they change is known. */
void model_raw_write(gpa_t gpa, u64 val, int bytes)
{
	guest_tlb_learn_all();
	memcpy(guest_ptr(gpa), &val, bytes);
	guest_tlb_learn_all();
}

void model_emulate_write(struct umbra_vcpu *vcpu, gpa_t gpa, u64 val, int bytes)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gpa_to_gfn(gpa));

	if (!slot || (slot->flags & KVM_MEM_READONLY))
		return;
	umbra_mmu_guest_write(vcpu, gpa, &val, bytes, false);
	model_raw_write(gpa, val, bytes);
	umbra_slot_mark_dirty(slot, gpa_to_gfn(gpa));
	/* Others run between the write and its announcement. */
	if (!model.nested)
		unit_cpus_touch();
	umbra_mmu_guest_write(vcpu, gpa, &val, bytes, true);
}

/**
 * struct try - an access on its way
 * @vcpu: who
 * @gva: where; nested: guest-physical
 * @access: what
 * @val: what a write stores
 * @bytes: how long it is
 * @faulted: Umbra served a fault just before
 * @unprotected: how often the owners of the page let go
 */
struct try {
	struct umbra_vcpu *vcpu;
	gva_t gva;
	u32 access;
	u64 val;
	int bytes;
	bool faulted;
	int unprotected;
};

static u64 page_of(const struct try *t)
{
	u64 page = t->gva >> 12;

	if (model.nested || !(t->vcpu->cr0 & X86_CR0_PG) || !(t->vcpu->efer & EFER_LMA))
		return page;
	return page & (t->vcpu->cr4 & X86_CR4_LA57 ? BIT_ULL(45) - 1 : BIT_ULL(36) - 1);
}

static bool entry_allows(const struct try *t, u64 e)
{
	bool ac = t->vcpu->rflags & X86_EFLAGS_AC;
	unsigned int key = 0;

	if (unit_on_nested(t->vcpu))
		return !(t->access & UMBRA_ACC_WRITE) || (e & E_W);
	while (guest_pkru[key] != unit.pkru)
		key++;
	return guest_hardware_allows(t->vcpu, e) & guest_access_bit(t->access, ac, key);
}

/* By what the TLB holds, else by the tables; 0 when the access faults. */
static u64 translate(const struct try *t, gfn_t *gfn)
{
	int i = t->vcpu->index, level;
	u64 page = page_of(t), e = unit_cpu_kept(i, page, &level);

	if (!e || !entry_allows(t, e))
		e = unit_cpu_walk(i, page, &level);
	if (!e || !entry_allows(t, e))
		return 0;
	*gfn = host_gfn(((e & E_ADDR) >> 12) + (page & ((1ULL << 9 * (level - 1)) - 1)));
	return e;
}

static void check_ad(const struct try *t)
{
	struct guest_walk w;

	if (model.nested || !(t->vcpu->cr0 & X86_CR0_PG))
		return;
	guest_walk(t->vcpu, t->gva, t->access, &w);
	MODEL_CHECK(w.ok, "access %#x at %#llx went through, the tables say %#x", t->access,
		    t->gva, w.error);
	MODEL_CHECK(w.rom || w.accessed, "no accessed bit for %#llx", t->gva);
	MODEL_CHECK(w.rom || !(t->access & UMBRA_ACC_WRITE) || (w.leaf.flags & E_D),
		    "no dirty bit for %#llx", t->gva);
}

/* The processor carries the access out at @gfn. */
static void carry_out(const struct try *t, gfn_t gfn)
{
	gpa_t gpa = gfn_to_gpa(gfn) | offset_in_page(t->gva);

	if (t->faulted)
		check_ad(t);
	MODEL_CHECK(guest_ptr(gpa), "%#llx leads to no memory", t->gva);
	if (t->access & UMBRA_ACC_WRITE)
		model_raw_write(gpa, t->val, t->bytes);
}

static int fault(const struct try *t, bool atomic, struct umbra_walk *w)
{
	if (!unit_on_nested(t->vcpu))
		return umbra_mmu_page_fault(t->vcpu, t->gva, t->access, atomic, w);
	w->gpa = t->gva;
	return umbra_mmu_fault(t->vcpu, t->gva, t->access, atomic);
}

static u64 sum_of_entries(const struct umbra_vcpu *vcpu, const struct guest_walk *w)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < w->entries; i++)
		sum = sum * 31 + guest_read(w->gpa[i], guest_entry_bytes(vcpu));
	return sum;
}

static void check_injected(const struct try *t, const struct guest_walk *w, u64 sum,
			   const struct umbra_walk *got)
{
	MODEL_CHECK(!w->ok && !w->bad, "access %#x at %#llx is allowed but got #PF %#x",
		    t->access, t->gva, got->error);
	MODEL_CHECK(got->error == w->error, "access %#x at %#llx: error code %#x, not %#x",
		    t->access, t->gva, got->error, w->error);
	MODEL_CHECK(sum == sum_of_entries(t->vcpu, w), "a refused access at %#llx left bits",
		    t->gva);
}

static void check_mmio(const struct try *t, const struct guest_walk *w, gpa_t gpa)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gpa_to_gfn(gpa));

	if (w->bad)
		return;
	MODEL_CHECK(w->ok, "MMIO at %#llx, which the guest must not reach", t->gva);
	MODEL_CHECK(!slot || ((slot->flags & KVM_MEM_READONLY) && (t->access & UMBRA_ACC_WRITE)),
		    "MMIO at %#llx, where memory is", gpa);
}

/* The emulator, or the guest itself when the page's owners let go. True: done. */
static bool emulate(struct try *t, const struct guest_walk *w, gpa_t gpa)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gpa_to_gfn(gpa));
	int told = model.told;

	MODEL_CHECK(w->ok && slot, "emulation at %#llx, which the guest must not reach", t->gva);
	if (model.unprotect && (t->access & UMBRA_ACC_WRITE) && t->unprotected++ < 2 &&
	    umbra_mmu_unprotect(t->vcpu, gpa))
		return false;
	if (model.unshadow && (t->access & UMBRA_ACC_WRITE) &&
	    umbra_mmu_unshadow(t->vcpu, gpa))
		return false;
	if (t->access & UMBRA_ACC_WRITE)
		model_emulate_write(t->vcpu, gpa, t->val, t->bytes);
	else
		umbra_mmu_guest_read(t->vcpu, gpa, t->bytes);
	model_note("  emulated, %d told", model.told - told);
	return true;
}

/* What the oracle says about the access before Umbra is asked. */
static void ask_oracle(const struct try *t, struct guest_walk *w)
{
	if (model.nested)
		*w = (struct guest_walk){ .ok = true };
	else
		guest_walk(t->vcpu, t->gva, t->access, w);
}

/* One fault: true when the access is over. */
static bool serve(struct try *t)
{
	struct umbra_walk got = { .gpa = UMBRA_INVALID_GPA };
	struct guest_walk w;
	int verdict;
	gpa_t gpa;
	u64 sum;

	ask_oracle(t, &w);
	sum = sum_of_entries(t->vcpu, &w);
	gpa = model.nested ? t->gva :
	      gfn_to_gpa(w.leaf.gfn + page_of(t) - w.leaf.page) | offset_in_page(t->gva);
	verdict = fault(t, model.first_atomic, &got);
	if (verdict == UMBRA_MMU_SLEEP && model.first_atomic)
		verdict = fault(t, false, &got);
	t->faulted = verdict == UMBRA_MMU_RETRY;
	model_note("  walk: error %#x, gpa %#llx, flags %#llx%s; verdict %d", w.error, gpa,
		   w.leaf.flags, w.rom ? ", in ROM" : "", verdict);
	if (w.ok && verdict >= 0)
		MODEL_CHECK(got.gpa == gpa, "%#llx leads to %#llx, not %#llx", t->gva, got.gpa,
			    gpa);
	switch (verdict) {
	case UMBRA_MMU_RETRY:
		MODEL_CHECK(w.ok, "a refused access at %#llx is served", t->gva);
		return false;
	case UMBRA_MMU_INJECT:
		check_injected(t, &w, sum, &got);
		/* It drops something, but how much of a large page's is not promised. */
		umbra_mmu_fault_injected(t->vcpu, t->gva, got.error);
		return true;
	case UMBRA_MMU_MMIO:
		check_mmio(t, &w, gpa);
		return true;
	case UMBRA_MMU_EMULATE:
		return emulate(t, &w, gpa);
	case -ENOMEM:
		MODEL_CHECK(unit.alloc_left >= 0, "-ENOMEM with memory left");
		unit.alloc_left = -1;
		return false;
	}
	model_fail("verdict %d at %#llx", verdict, t->gva);
}

void model_access(struct umbra_vcpu *vcpu, u64 page, unsigned int offset, u32 access, u64 val,
		  int bytes)
{
	struct try t = {
		.vcpu = vcpu, .access = access, .val = val, .bytes = bytes,
		.gva = (model.nested ? page << 12 : guest_canonical(vcpu, page)) | offset,
	};
	gfn_t gfn;
	int tries;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		if (unit_serve(vcpu)) {
			MODEL_CHECK(unit.alloc_left >= 0, "no root with memory left");
			unit.alloc_left = -1;
			continue;
		}
		if (unit_can_run(vcpu) && translate(&t, &gfn)) {
			carry_out(&t, gfn);
			return;
		}
		/* A page fault drops what the TLB holds there. */
		unit_cpu_forget(vcpu->index, page_of(&t));
		if (serve(&t))
			return;
		/* What the host began has an end. */
		if (tries > MAX_TRIES / 2)
			host_settle();
	}
	model_fail("access %#x at %#llx faults for ever", access, t.gva);
}
