// SPDX-License-Identifier: GPL-2.0
/*
 * What a vCPU's TLB is allowed to hold, for the model test: every translation
 * that a walk could find at some time since the guest last dropped it, and that
 * had its accessed bits; and links to tables, from which walks may go on.
 */
#include "mmu_lib_guest.h"

#define MAX_LEAVES	8192
#define BUCKETS		4096
#define MAX_LINKS	1024

/**
 * struct arch_link - an upper entry that is held
 * @page: first linear page number below it
 * @level: of the table that it leads to, the lowest is 0
 * @table: where that is
 * @rights: what the way to it leaves
 * @valid: the guest's tables still say so
 */
struct arch_link {
	u64 page;
	int level;
	gpa_t table;
	u64 rights;
	bool valid;
};

/**
 * struct arch_tlb - what one vCPU may hold
 * @leaf: these; pages 0: dropped
 * @next: the next in the same bucket, -1 at the end
 * @bucket: by first page
 * @nr: places in use
 * @link: links
 * @nr_links: how many
 * @current_nr: entries of @now
 * @now: what a walk finds now
 */
struct arch_tlb {
	struct guest_leaf leaf[MAX_LEAVES];
	int next[MAX_LEAVES];
	int bucket[BUCKETS];
	int nr;
	struct arch_link link[MAX_LINKS];
	int nr_links;
	int current_nr;
	struct guest_leaf now[4096];
};

static struct arch_tlb arch[UNIT_VCPUS];

static void empty(struct arch_tlb *t)
{
	int i;

	t->nr = 0;
	for (i = 0; i < BUCKETS; i++)
		t->bucket[i] = -1;
}

void guest_tlb_reset(void)
{
	int i;

	for (i = 0; i < UNIT_VCPUS; i++) {
		empty(&arch[i]);
		arch[i].nr_links = 0;
		arch[i].current_nr = 0;
	}
}

static int *bucket_of(struct arch_tlb *t, u64 page)
{
	return &t->bucket[hash_64(page, 12)];
}

static bool same(const struct guest_leaf *a, const struct guest_leaf *b)
{
	return a->page == b->page && a->pages == b->pages && a->gfn == b->gfn &&
	       a->flags == b->flags;
}

static void hold(struct arch_tlb *t, const struct guest_leaf *leaf)
{
	int *bucket = bucket_of(t, leaf->page), i;

	for (i = *bucket; i >= 0; i = t->next[i])
		if (same(&t->leaf[i], leaf))
			return;
	assert(t->nr < MAX_LEAVES);
	t->leaf[t->nr] = *leaf;
	t->next[t->nr] = *bucket;
	*bucket = t->nr++;
}

/* Build anew of what is left. */
static void pack(struct arch_tlb *t)
{
	int i, nr = t->nr;

	empty(t);
	for (i = 0; i < nr; i++)
		if (t->leaf[i].pages)
			hold(t, &t->leaf[i]);
}

static bool paged(const struct umbra_vcpu *v)
{
	return v->cr0 & X86_CR0_PG;
}

/* Shifts of a linear page number that index tables, lowest first. */
static int geometry(const struct umbra_vcpu *v, int shift[5])
{
	int i, levels;

	if (!(v->cr4 & X86_CR4_PAE)) {
		shift[0] = 0;
		shift[1] = 10;
		return 2;
	}
	levels = !(v->efer & EFER_LMA) ? 3 : v->cr4 & X86_CR4_LA57 ? 5 : 4;
	for (i = 0; i < levels; i++)
		shift[i] = 9 * i;
	return levels;
}

/* Index number @n that the guest uses in a table of level @level, of *@nr. */
static unsigned int used_index(const struct umbra_vcpu *v, int levels, int level, unsigned int n)
{
	if (levels == 2)
		return guest_index[n / 2] * 2 + n % 2;
	return levels == 3 && level == 2 ? n : guest_index[n];
}

/* Level, from 0, of the entry where a walk that began at @top ended. */
static int end_level(const struct guest_walk *w, const int *shift, int top)
{
	int level = 0;

	if (!w->found)
		return top + 1 - w->entries - (w->bad ? 1 : 0);
	while (BIT_ULL(shift[level]) != w->leaf.pages)
		level++;
	return level;
}

/* The first @nr entries that @w read were used: the last of them leads to a table. */
static void hold_link(const struct umbra_vcpu *v, struct arch_tlb *t, const struct guest_walk *w,
		      int nr, int level, u64 page)
{
	struct arch_link link = {
		.page = page, .level = level, .rights = E_W | E_U, .valid = true,
	};
	int i;

	for (i = 0; i < nr; i++) {
		u64 e = guest_read(w->gpa[i], guest_entry_bytes(v));

		if (!(e & E_A))
			return;
		link.rights = (link.rights & e & (E_W | E_U)) | ((link.rights | e) & E_NX);
		link.table = e & E_ADDR;
	}
	for (i = 0; i < t->nr_links; i++) {
		struct arch_link *old = &t->link[i];

		if (old->page != page || old->level != level || old->table != link.table ||
		    old->rights != link.rights)
			continue;
		old->valid = true;
		return;
	}
	if (t->nr_links < MAX_LINKS)
		t->link[t->nr_links++] = link;
}

static void learn_below(const struct umbra_vcpu *v, struct arch_tlb *t, const int *shift,
			int levels, int level, u64 page)
{
	unsigned int n, nr = levels == 2 ? GUEST_INDEXES * 2 : 4;
	/* Page directory pointers are no entries that a walk reads. */
	int top = levels == 3 ? 1 : levels - 1;
	struct guest_walk w;

	for (n = 0; n < nr; n++) {
		u64 at = page | (u64)used_index(v, levels, level, n) << shift[level];

		guest_walk(v, guest_canonical(v, at), UMBRA_ACC_READ, &w);
		if (end_level(&w, shift, top) < level) {
			if (level <= top)
				hold_link(v, t, &w, top + 1 - level, level - 1, at);
			learn_below(v, t, shift, levels, level - 1, at);
			continue;
		}
		if (!w.found)
			continue;
		if (t->current_nr < ARRAY_SIZE(t->now))
			t->now[t->current_nr++] = w.leaf;
		if (w.accessed || w.rom)
			hold(t, &w.leaf);
	}
}

/* What walks may find that go on from an upper entry which is no more. */
static void learn_stale(const struct umbra_vcpu *v, struct arch_tlb *t, const int *shift,
			int levels, const struct arch_link *link, int level, u64 page)
{
	unsigned int n, nr = levels == 2 ? GUEST_INDEXES * 2 : 4;
	struct guest_walk w;

	for (n = 0; n < nr; n++) {
		u64 at = page | (u64)used_index(v, levels, level, n) << shift[level];

		guest_walk_below(v, link->level + 1, link->table, link->rights, at, &w);
		if (end_level(&w, shift, link->level) < level)
			learn_stale(v, t, shift, levels, link, level - 1, at);
		else if (w.found && (w.accessed || w.rom))
			hold(t, &w.leaf);
	}
}

void guest_tlb_learn(const struct umbra_vcpu *v)
{
	struct arch_tlb *t = &arch[v->index];
	int i, shift[5], levels;

	t->current_nr = 0;
	if (!paged(v))
		return;
	for (i = 0; i < t->nr_links; i++)
		t->link[i].valid = false;
	levels = geometry(v, shift);
	learn_below(v, t, shift, levels, levels - 1, 0);
	for (i = 0; i < t->nr_links; i++)
		if (!t->link[i].valid)
			learn_stale(v, t, shift, levels, &t->link[i], t->link[i].level,
				    t->link[i].page);
}

void guest_tlb_learn_all(void)
{
	int i;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		guest_tlb_learn(unit.vm.vcpu[i]);
}

void guest_tlb_flush(const struct umbra_vcpu *v, bool keep_global)
{
	struct arch_tlb *t = &arch[v->index];
	int i;

	keep_global &= (v->cr4 & X86_CR4_PGE) != 0;
	for (i = 0; i < t->nr; i++)
		if (!keep_global || !(t->leaf[i].flags & E_G))
			t->leaf[i].pages = 0;
	t->nr_links = 0;
	pack(t);
}

/* Of upper entries those go that the address goes through. */
void guest_tlb_invlpg(const struct umbra_vcpu *v, u64 page)
{
	struct arch_tlb *t = &arch[v->index];
	int i, shift[5], levels;

	if (!paged(v))
		return;
	levels = geometry(v, shift);
	for (i = 0; i < t->nr; i++)
		if (page - t->leaf[i].page < t->leaf[i].pages)
			t->leaf[i].pages = 0;
	for (i = t->nr_links - 1; i >= 0; i--)
		if (t->link[i].level + 1 < levels &&
		    !((page ^ t->link[i].page) >> shift[t->link[i].level + 1]))
			t->link[i] = t->link[--t->nr_links];
	pack(t);
}

/* Held translations of @pages pages each. */
static u64 allows_at(const struct umbra_vcpu *v, u64 page, gfn_t gfn, u64 pages)
{
	struct arch_tlb *t = &arch[v->index];
	u64 first = page & ~(pages - 1), mask = 0;
	int i;

	for (i = *bucket_of(t, first); i >= 0; i = t->next[i]) {
		const struct guest_leaf *leaf = &t->leaf[i];

		if (leaf->page == first && leaf->pages == pages &&
		    page - first + leaf->gfn == gfn)
			mask |= guest_allows(v, leaf->flags);
	}
	return mask;
}

u64 guest_tlb_allows(const struct umbra_vcpu *v, u64 page, gfn_t gfn)
{
	if (!paged(v))
		return page == gfn ? ~0ULL : 0;
	return allows_at(v, page, gfn, 1) | allows_at(v, page, gfn, 1 << 9) |
	       allows_at(v, page, gfn, 1 << 10) | allows_at(v, page, gfn, 1 << 18);
}

bool guest_find(const struct umbra_vcpu *v, gfn_t gfn, u64 access, u64 *page)
{
	struct arch_tlb *t = &arch[v->index];
	int i;

	if (!paged(v)) {
		*page = gfn;
		return true;
	}
	for (i = 0; i < t->current_nr; i++) {
		const struct guest_leaf *leaf = &t->now[i];

		if (gfn - leaf->gfn >= leaf->pages)
			continue;
		if (access & ~guest_allows(v, leaf->flags | E_D))
			continue;
		*page = leaf->page + (gfn - leaf->gfn);
		return true;
	}
	return false;
}

bool guest_some(const struct umbra_vcpu *v, unsigned int which, u64 *page)
{
	struct arch_tlb *t = &arch[v->index];
	const struct guest_leaf *leaf;

	if (!t->current_nr)
		return false;
	leaf = &t->now[which % t->current_nr];
	*page = leaf->page + which * 0x15 % leaf->pages;
	return true;
}
