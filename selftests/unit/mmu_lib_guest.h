/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The architecture, for the model test: a walker of guest tables written from
 * the manual, and what a vCPU's TLB is allowed to hold: all translations that
 * were current at some time since the guest last dropped them.
 */
#ifndef UMBRA_UNIT_MMU_LIB_GUEST_H
#define UMBRA_UNIT_MMU_LIB_GUEST_H

#include "mmu_lib.h"

/**
 * struct guest_leaf - a translation of the guest's
 * @page: first linear page number
 * @pages: how many
 * @gfn: where they lead
 * @flags: E_W, E_U, E_NX, E_G, E_D, key
 */
struct guest_leaf {
	u64 page;
	u64 pages;
	gfn_t gfn;
	u64 flags;
};

/**
 * struct guest_walk - result of a walk
 * @error: #PF error code
 * @bad: a table lies where no memory is
 * @ok: the access is allowed
 * @leaf: what was found, valid when @found
 * @found: all entries are present and well formed
 * @accessed: all of them have their accessed bit, as far as they have one
 * @rom: some entry lies in a read-only slot
 * @ad: the leaf's entry, valid when @found and @entries > 0
 * @entries: number of @gpa in use
 * @gpa: entries with accessed bits on the way, leaf last
 */
struct guest_walk {
	u32 error;
	bool bad, ok, found, accessed, rom;
	struct guest_leaf leaf;
	u64 ad;
	int entries;
	gpa_t gpa[5];
};

/* Walk for @gva with the rules of @vcpu's registers; AC as in its RFLAGS. */
void guest_walk(const struct umbra_vcpu *vcpu, gva_t gva, u32 access, struct guest_walk *w);
/* The same below some table, without a verdict. */
void guest_walk_below(const struct umbra_vcpu *vcpu, int level, gpa_t table, u64 rights, u64 page,
		      struct guest_walk *w);
/* An entry in guest memory as it is now. */
u64 guest_read(gpa_t gpa, int bytes);
void *guest_ptr(gpa_t gpa);
int guest_entry_bytes(const struct umbra_vcpu *vcpu);

/* A linear page number as an address that software would use. */
gva_t guest_canonical(const struct umbra_vcpu *vcpu, u64 page);

/*
 * Kinds of accesses as bits: user or supervisor; read, write, fetch; AC; and
 * several contents of PKRU.
 */
#define GUEST_KEYS	2u
#define GUEST_PKRUS	5u
extern const u32 guest_pkru[GUEST_PKRUS];
u64 guest_access_bit(u32 access, bool ac, unsigned int pkru);
/* Accesses that @flags of a guest translation allow with @vcpu's registers. */
u64 guest_allows(const struct umbra_vcpu *vcpu, u64 flags);
/* Accesses that an entry of Umbra's allows the processor that runs @vcpu. */
u64 guest_hardware_allows(const struct umbra_vcpu *vcpu, u64 entry);

/* What @vcpu's TLB may hold. */
void guest_tlb_reset(void);
/* Guest memory or registers changed: what is current now may be held from here on. */
void guest_tlb_learn(const struct umbra_vcpu *vcpu);
void guest_tlb_learn_all(void);
/* Drop what the guest drops: all, all that is not global, or around one address. */
void guest_tlb_flush(const struct umbra_vcpu *vcpu, bool keep_global);
void guest_tlb_invlpg(const struct umbra_vcpu *vcpu, u64 page);
/* Accesses that something held lets through to @gfn at @page. */
u64 guest_tlb_allows(const struct umbra_vcpu *vcpu, u64 page, gfn_t gfn);
/* A current translation of @vcpu that leads to @gfn for all of @access; false without. */
bool guest_find(const struct umbra_vcpu *vcpu, gfn_t gfn, u64 access, u64 *page);
/* One of its current translations; false without any. */
bool guest_some(const struct umbra_vcpu *vcpu, unsigned int which, u64 *page);

/* Entries that the model's guests use, in units of 8 bytes. */
#define GUEST_INDEXES	4u
extern const u16 guest_index[GUEST_INDEXES];

#endif
