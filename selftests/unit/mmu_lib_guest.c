// SPDX-License-Identifier: GPL-2.0
/*
 * Walks of guest tables for the model test, from the manual's pictures: AMD
 * volume 2 chapter 5, Intel volume 3 chapter 4. Shares no line with the code
 * under test and trusts none of it.
 */
#include "mmu_lib_guest.h"

#define PF_P	0x01u
#define PF_W	0x02u
#define PF_U	0x04u
#define PF_RSVD	0x08u
#define PF_I	0x10u
#define PF_PK	0x20u

const u16 guest_index[GUEST_INDEXES] = { 0, 1, 128, 511 };
const u32 guest_pkru[GUEST_PKRUS] = { 0, 0x1, 0x2, 0x4, 0x8 };

static bool bit(u64 word, u64 mask)
{
	return word & mask;
}

static int paging_levels(const struct umbra_vcpu *v)
{
	if (!bit(v->cr0, X86_CR0_PG))
		return 0;
	if (!bit(v->cr4, X86_CR4_PAE))
		return 2;
	if (!bit(v->efer, EFER_LMA))
		return 3;
	return bit(v->cr4, X86_CR4_LA57) ? 5 : 4;
}

int guest_entry_bytes(const struct umbra_vcpu *v)
{
	return paging_levels(v) == 2 ? 4 : 8;
}

gva_t guest_canonical(const struct umbra_vcpu *v, u64 page)
{
	int levels = paging_levels(v), bits = levels == 5 ? 57 : 48;
	u64 va = page << 12;

	if (levels < 4)
		return va & U32_MAX;
	return bit(va, BIT_ULL(bits - 1)) ? va | ~(BIT_ULL(bits) - 1) : va & (BIT_ULL(bits) - 1);
}

void *guest_ptr(gpa_t gpa)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gpa >> 12);

	return slot ? (char *)umbra_slot_hva(slot, gpa >> 12) + (gpa & 4095) : NULL;
}

u64 guest_read(gpa_t gpa, int bytes)
{
	u64 e = 0;

	memcpy(&e, guest_ptr(gpa), bytes);
	return e;
}

static bool in_rom(gpa_t gpa)
{
	return umbra_gfn_to_slot(&unit.vm, gpa >> 12)->flags & KVM_MEM_READONLY;
}

/**
 * struct step - where a walk stands
 * @levels: of paging
 * @level: of @e's table
 * @shift: of the address bits that index this table
 * @e: entry just read
 */
struct step {
	int levels;
	int level;
	int shift;
	u64 e;
};

static bool is_large(const struct umbra_vcpu *v, const struct step *s)
{
	if (s->level == 1)
		return true;
	if (!bit(s->e, E_PS))
		return false;
	if (s->levels == 2)
		return bit(v->cr4, X86_CR4_PSE);
	return s->level == 2 || (s->level == 3 && s->levels > 3);
}

static u64 field(int high, int low)
{
	return (BIT_ULL(high) << 1) - BIT_ULL(low);
}

/* Bits that must be zero in a present entry; PDPTEs were judged when they were loaded. */
static bool is_malformed(const struct umbra_vcpu *v, const struct step *s)
{
	int width = v->cpuid.phys_bits;
	u64 must = 0;

	if (s->levels == 3 && s->level == 3)
		return false;
	if (s->levels == 2) {
		if (s->level == 2 && is_large(v, s))
			must = width >= 40 ? field(21, 21) : field(21, 13 + width - 32);
		return bit(s->e, must);
	}
	must = field(s->levels == 3 ? 62 : 51, width);
	if (!bit(v->efer, EFER_NX))
		must |= E_NX;
	if (s->level > 3 || (s->level == 3 && !unit.gbpages))
		must |= E_PS;
	else if (s->level > 1 && is_large(v, s))
		must |= field(s->shift - 1, 13);
	return bit(s->e, must);
}

static u32 code_of_access(const struct umbra_vcpu *v, u32 access)
{
	u32 code = 0;

	if (access & UMBRA_ACC_WRITE)
		code |= PF_W;
	if (access & UMBRA_ACC_USER)
		code |= PF_U;
	if ((access & UMBRA_ACC_EXEC) &&
	    (bit(v->cr4, X86_CR4_SMEP) || (bit(v->cr4, X86_CR4_PAE) && bit(v->efer, EFER_NX))))
		code |= PF_I;
	return code;
}

/* Where the entry of this step is; false when it was loaded with CR3. */
static bool locate(const struct umbra_vcpu *v, const struct step *s, gpa_t table, u64 page,
		   gpa_t *gpa)
{
	u64 index = page >> (s->shift - 12);

	if (s->levels == 3 && s->level == 3)
		return false;
	if (s->levels == 2)
		*gpa = table + (index & 1023) * 4;
	else
		*gpa = table + (index & 511) * 8;
	return true;
}

static gpa_t frame_of(const struct step *s)
{
	gpa_t addr = s->e & E_ADDR;

	if (s->level == 1)
		return addr;
	if (s->levels == 2)
		return (s->e & field(31, 22)) | (s->e & field(20, 13)) << 19;
	return addr & ~(BIT_ULL(s->shift) - 1);
}

static void found_leaf(const struct step *s, u64 page, u64 rights, struct guest_walk *w)
{
	u64 pages = BIT_ULL(s->shift - 12);

	w->found = true;
	w->ad = s->e;
	w->leaf = (struct guest_leaf){
		.page = page & ~(pages - 1), .pages = pages, .gfn = frame_of(s) >> 12,
		.flags = rights | (s->e & (E_G | E_D | E_PKEY)),
	};
}

/* One entry: true when the walk goes on below it at *@table. */
static bool take_step(const struct umbra_vcpu *v, struct step *s, u64 page, gpa_t *table,
		      u64 *rights, struct guest_walk *w)
{
	bool pdpte = false;
	gpa_t gpa;

	if (locate(v, s, *table, page, &gpa)) {
		if (!guest_ptr(gpa)) {
			w->bad = true;
			return false;
		}
		s->e = guest_read(gpa, s->levels == 2 ? 4 : 8);
		w->gpa[w->entries++] = gpa;
		w->rom |= in_rom(gpa);
	} else {
		s->e = v->pdpte[page >> 18 & 3];
		pdpte = true;
	}
	if (!bit(s->e, E_P))
		return false;
	if (is_malformed(v, s)) {
		w->error = PF_P | PF_RSVD;
		return false;
	}
	if (!pdpte) {
		*rights = (*rights & s->e & (E_W | E_U)) | ((*rights | s->e) & E_NX);
		w->accessed &= bit(s->e, E_A);
	}
	if (is_large(v, s)) {
		found_leaf(s, page, *rights, w);
		/* A dirty bit that ROM does not take is set in the TLB's copy. */
		if (in_rom(gpa))
			w->leaf.flags |= E_D;
		return false;
	}
	*table = s->e & E_ADDR;
	return true;
}

/* From the table of @level at @table down; @rights: what the way there leaves. */
void guest_walk_below(const struct umbra_vcpu *v, int level, gpa_t table, u64 rights, u64 page,
		      struct guest_walk *w)
{
	struct step s = { .levels = paging_levels(v) };
	int width = s.levels == 2 ? 10 : 9;

	*w = (struct guest_walk){ .accessed = true };
	for (s.level = level; ; s.level--) {
		s.shift = 12 + (s.level - 1) * width;
		if (!take_step(v, &s, page, &table, &rights, w))
			return;
	}
}

static void walk_tables(const struct umbra_vcpu *v, u64 page, struct guest_walk *w)
{
	int levels = paging_levels(v);
	gpa_t table = v->cr3 & (levels > 3 ? E_ADDR : field(31, 12));

	if (levels) {
		guest_walk_below(v, levels, table, E_W | E_U, page, w);
		return;
	}
	/* Nothing has bits. */
	*w = (struct guest_walk){ .accessed = true, .found = true };
	w->leaf = (struct guest_leaf){
		.page = page, .pages = 1, .gfn = page, .flags = E_W | E_U | E_D,
	};
}

/* Does the key of a page that users may reach refuse this access? */
static bool key_refuses(const struct umbra_vcpu *v, u64 flags, u32 access, u32 pkru)
{
	u32 two = pkru >> ((flags & E_PKEY) >> 59) * 2;

	if (!bit(v->cr4, X86_CR4_PKE) || paging_levels(v) < 4)
		return false;
	if ((access & UMBRA_ACC_EXEC) || !bit(flags, E_U))
		return false;
	if (two & 1)
		return true;
	if (!(two & 2) || !(access & UMBRA_ACC_WRITE))
		return false;
	return (access & UMBRA_ACC_USER) || bit(v->cr0, X86_CR0_WP);
}

/* Table 4-? of the manual, by who asks. */
static bool rights_refuse(const struct umbra_vcpu *v, u64 flags, u32 access, bool ac)
{
	bool exec = access & UMBRA_ACC_EXEC, write = access & UMBRA_ACC_WRITE;

	if (exec && bit(flags, E_NX))
		return true;
	if (access & UMBRA_ACC_USER)
		return !bit(flags, E_U) || (write && !bit(flags, E_W));
	if (exec)
		return bit(flags, E_U) && bit(v->cr4, X86_CR4_SMEP);
	if (bit(flags, E_U) && bit(v->cr4, X86_CR4_SMAP) && !ac)
		return true;
	return write && !bit(flags, E_W) && bit(v->cr0, X86_CR0_WP);
}

void guest_walk(const struct umbra_vcpu *v, gva_t gva, u32 access, struct guest_walk *w)
{
	u64 page = (gva & (BIT_ULL(57) - 1)) >> 12;

	if (paging_levels(v) == 4)
		page &= BIT_ULL(36) - 1;
	walk_tables(v, page, w);
	if (w->bad)
		return;
	if (!paging_levels(v)) {
		w->ok = true;
		return;
	}
	if (w->found) {
		if (rights_refuse(v, w->leaf.flags, access, bit(v->rflags, X86_EFLAGS_AC)))
			w->error |= PF_P;
		if (key_refuses(v, w->leaf.flags, access, unit.pkru))
			w->error |= PF_P | PF_PK;
		w->ok = !w->error;
	}
	if (!w->ok)
		w->error |= code_of_access(v, access);
}

/* Accesses as bits. */

static const u32 kinds[] = { UMBRA_ACC_READ, UMBRA_ACC_WRITE, UMBRA_ACC_EXEC };

u64 guest_access_bit(u32 access, bool ac, unsigned int pkru)
{
	unsigned int kind = access & UMBRA_ACC_EXEC ? 2 : access & UMBRA_ACC_WRITE ? 1 : 0;
	unsigned int user = access & UMBRA_ACC_USER ? 1 : 0;

	return BIT_ULL(((pkru * 2 + ac) * 2 + user) * 3 + kind);
}

static u64 all_allowed(const struct umbra_vcpu *v, u64 flags, bool need_dirty)
{
	unsigned int i, kind, pkru;
	u64 mask = 0;

	for (pkru = 0; pkru < GUEST_PKRUS; pkru++)
		for (i = 0; i < 4; i++)
			for (kind = 0; kind < 3; kind++) {
				u32 access = kinds[kind] | (i & 1 ? UMBRA_ACC_USER : 0);
				bool ac = i & 2;

				if (kind == 1 && need_dirty && !bit(flags, E_D))
					continue;
				if (rights_refuse(v, flags, access, ac) ||
				    key_refuses(v, flags, access, guest_pkru[pkru]))
					continue;
				mask |= guest_access_bit(access, ac, pkru);
			}
	return mask;
}

/* Flags and registers in a small number, for the results seen before. */
static unsigned int shorten(const struct umbra_vcpu *v, u64 flags)
{
	return bit(flags, E_W) | bit(flags, E_U) << 1 | bit(flags, E_NX) << 2 |
	       bit(flags, E_D) << 3 | (flags >> 59 & 3) << 4 |
	       bit(v->cr0, X86_CR0_WP) << 6 | bit(v->cr4, X86_CR4_SMEP) << 7 |
	       bit(v->cr4, X86_CR4_SMAP) << 8 | bit(v->cr4, X86_CR4_PKE) << 9 |
	       (paging_levels(v) > 3) << 10;
}

u64 guest_allows(const struct umbra_vcpu *v, u64 flags)
{
	static u64 known[1 << 11];
	unsigned int i = shorten(v, flags);

	/* Without paging nothing is refused. */
	if (!paging_levels(v))
		return ~0ULL;
	if (!known[i])
		known[i] = all_allowed(v, flags, true) | BIT_ULL(63);
	return known[i];
}

/*
 * The processor that runs the guest has the guest's SMEP, SMAP and PKE, but write
 * protection always on, and no-execute too.
 */
u64 guest_hardware_allows(const struct umbra_vcpu *v, u64 entry)
{
	static u64 known[1 << 11];
	struct umbra_vcpu real = { .cr0 = v->cr0 | X86_CR0_WP, .cr4 = v->cr4, .efer = v->efer };
	unsigned int i;

	if (!paging_levels(v))
		real.cr4 = 0;
	i = shorten(&real, entry & ~E_D);
	if (!known[i])
		known[i] = all_allowed(&real, entry, false) | BIT_ULL(63);
	return known[i] & ~BIT_ULL(63);
}
