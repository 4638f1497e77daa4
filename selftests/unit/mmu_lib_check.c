// SPDX-License-Identifier: GPL-2.0
/*
 * What must hold after every step of the model test: of all that processors
 * keep, against the host, traces and logs, and what the architecture lets a
 * TLB hold; and of Umbra's books, against its tables.
 */
#include "mmu_lib_model.h"
#include "mmu/rmap.h"
#include "mmu/slot.h"

static void check_write_right(int i, gfn_t gfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gfn);

	MODEL_CHECK(host_writable(gfn), "processor %d may write shared gfn %#llx", i, gfn);
	MODEL_CHECK(!(slot->flags & KVM_MEM_READONLY), "processor %d may write ROM at %#llx", i,
		    gfn);
	MODEL_CHECK(!slot->dirty || test_bit(gfn - slot->base_gfn, slot->dirty),
		    "processor %d may write gfn %#llx, which the log calls clean", i, gfn);
}

static u8 kinds_of(gfn_t gfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gfn);
	struct unit_lock *lock = &unit.vm.mmu->lock;
	u8 kinds;

	lock->held = true;
	kinds = umbra_trace_kinds(&unit.vm, slot, gfn);
	lock->held = false;
	return kinds | model_traced(gfn);
}

/* One 4 KiB page of what processor @i keeps. */
static void check_page(int i, const struct unit_kept *k, u64 offset)
{
	struct umbra_vcpu *vcpu = unit.vm.vcpu[i];
	u64 page = k->page + offset, pfn = ((k->entry & E_ADDR) >> 12) + offset, over;
	gfn_t gfn = host_gfn(pfn);
	u8 kinds;

	MODEL_CHECK(host_owns(gfn, pfn),
		    "processor %d: page %#llx leads to frame %#llx, not gfn %#llx's any more", i,
		    page, pfn, gfn);
	kinds = kinds_of(gfn);
	MODEL_CHECK(!(kinds & UMBRA_TRACE_ACCESS), "processor %d reaches traced gfn %#llx", i, gfn);
	if (k->entry & E_W) {
		check_write_right(i, gfn);
		MODEL_CHECK(!(kinds & UMBRA_TRACE_WRITE),
			    "processor %d may write traced gfn %#llx", i, gfn);
	}
	if (unit_on_nested(vcpu)) {
		MODEL_CHECK(gfn == page, "processor %d: gfn %#llx leads to %#llx", i, page, gfn);
		return;
	}
	over = guest_hardware_allows(vcpu, k->entry) & ~guest_tlb_allows(vcpu, page, gfn);
	MODEL_CHECK(!over, "processor %d: page %#llx to gfn %#llx: %#llx lets %#llx through", i,
		    page, gfn, k->entry, over);
}

static void check_kept(int i, const struct unit_kept *k)
{
	static const u16 always[] = { 0, 1, 16, 20, 26, 128, 511 };
	u64 pages = 1ULL << (9 * (k->level - 1));
	unsigned int n;

	if (pages == 1) {
		check_page(i, k, 0);
		return;
	}
	for (n = 0; n < ARRAY_SIZE(always); n++)
		check_page(i, k, always[n]);
	check_page(i, k, model.step * 7 % pages);
}

void model_settle(void)
{
	const struct unit_kept *k;
	int i, n;

	guest_tlb_learn_all();
	unit_cpus_touch();
	for (i = 0; i < unit.vm.nr_vcpus; i++) {
		if (!unit_can_run(unit.vm.vcpu[i]))
			continue;
		for (n = 0; (k = unit_cpu_at(i, n)); n++)
			if (k->level)
				check_kept(i, k);
	}
}

void model_unlocked(void)
{
	if (!model.in_log)
		MODEL_CHECK(unit_cpus_agree(),
			    "the lock is dropped before what was taken away is flushed");
	unit_cpus_touch();
}

/* Umbra's books. */

/**
 * struct census - what the tables hold, counted by looking at all of them
 * @sps: table pages
 * @leaves: leaves in them
 * @links: links in them
 * @stale: tables out of step
 * @gfns: arrays of frame numbers
 * @chunks: chunks of reverse maps
 * @mapped: entries in reverse maps of frames
 * @parents: entries in reverse maps of tables
 * @rmaps: pages of heads
 * @kept: table pages to be used again
 * @nested: second-level tables
 */
struct census {
	long sps, leaves, links, stale, gfns, chunks, mapped, parents, rmaps, kept, nested;
};

static bool in_rmap(unsigned long head, const u64 *spte)
{
	struct umbra_rmap_iter it;
	u64 *e;

	umbra_rmap_begin(&it, head);
	while ((e = umbra_rmap_next(&it)))
		if (e == spte)
			return true;
	return false;
}

static long count_rmap(unsigned long head, long *chunks)
{
	struct umbra_rmap_chunk *chunk;
	struct umbra_rmap_iter it;
	long n = 0;

	if (head & UMBRA_RMAP_CHAIN)
		for (chunk = (void *)(head & ~UMBRA_RMAP_CHAIN); chunk; chunk = chunk->next)
			++*chunks;
	umbra_rmap_begin(&it, head);
	while (umbra_rmap_next(&it))
		n++;
	return n;
}

static void check_leaf(struct umbra_sp *sp, unsigned int i)
{
	gfn_t gfn = umbra_sp_gfn(sp, i);
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(&unit.vm, gfn);
	struct umbra_region *region;
	unsigned long head;

	MODEL_CHECK(slot, "a leaf for gfn %#llx, where no slot is", gfn);
	region = umbra_region(slot, gfn);
	MODEL_CHECK(sp->role.level > 1 || region->rmap, "gfn %#llx has no reverse map", gfn);
	head = sp->role.level > 1 ? region->large : region->rmap[gfn % UMBRA_REGION_PAGES];
	MODEL_CHECK(in_rmap(head, &sp->spt[i]), "a leaf for gfn %#llx is in no reverse map", gfn);
	MODEL_CHECK(host_gfn((sp->spt[i] & E_ADDR) >> 12) == gfn, "a leaf is not for gfn %#llx",
		    gfn);
}

static void count_entries(struct umbra_sp *sp, struct census *c)
{
	unsigned int i, nr = 0;

	for (i = 0; i < UMBRA_FMT_ENTRIES; i++) {
		u64 e = sp->spt[i];

		MODEL_CHECK(!!(e & E_P) == test_bit(i, sp->used), "a table's bitmap is wrong");
		if (!(e & E_P))
			continue;
		nr++;
		if (sp->role.level > 1 && !(e & E_PS)) {
			c->links++;
			MODEL_CHECK(in_rmap(umbra_sp_linked(e)->parents, &sp->spt[i]),
				    "a child does not know its parent");
		} else {
			c->leaves++;
			check_leaf(sp, i);
		}
	}
	MODEL_CHECK(nr == sp->nr, "a table's count is wrong");
}

static unsigned int roots_to(const struct umbra_sp *sp)
{
	unsigned int n = 0;
	int i, k;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		for (k = 0; k < 4; k++)
			n += unit.vm.vcpu[i]->mmu->root[k] == sp;
	return n;
}

static void count_sp(struct umbra_sp *sp, struct census *c)
{
	c->sps++;
	c->stale += sp->stale;
	c->gfns += !!sp->gfns;
	c->parents += count_rmap(sp->parents, &c->chunks);
	count_entries(sp, c);
	MODEL_CHECK(sp->pins == roots_to(sp), "a table's pins are wrong");
	MODEL_CHECK(umbra_sp_of(sp->spt) == sp, "a table does not know its page");
	if (unit.vm.mmu_mode != UMBRA_MMU_SHADOW)
		return;
	MODEL_CHECK(sp->stale == !list_empty(&sp->unsync), "a stale table is not listed");
	MODEL_CHECK(hlist_unhashed(&sp->trace.node) == (sp->role.direct || sp->dead),
		    "a table is not traced, or one that needs no trace is");
	MODEL_CHECK(sp->role.direct || sp->dead ||
		    sp->trace.kinds == (sp->stale ? 0 : UMBRA_TRACE_WRITE),
		    "a table's trace wants the wrong thing");
}

static void count_dead(struct census *c)
{
	struct umbra_sp *seen[UNIT_VCPUS * 4];
	int i, k, n, nr = 0;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		for (k = 0; k < 4; k++) {
			struct umbra_sp *sp = unit.vm.vcpu[i]->mmu->root[k];

			if (!sp || !sp->dead)
				continue;
			for (n = 0; n < nr && seen[n] != sp; n++)
				;
			if (n < nr)
				continue;
			seen[nr++] = sp;
			MODEL_CHECK(!sp->nr && !sp->parents, "a dead table is in use");
			count_sp(sp, c);
		}
}

/* What is used again must be as good as new. */
static void count_kept(struct census *c)
{
	struct umbra_spages *spages = &unit.vm.mmu->spages;
	struct umbra_sp *sp;
	int i, k;

	for (i = 0; i < 2; i++)
		list_for_each_entry(sp, &spages->pool[i], lru) {
			c->kept++;
			c->gfns += !!sp->gfns;
			k = find_next_bit(sp->used, UMBRA_FMT_ENTRIES, 0);
			MODEL_CHECK(k == UMBRA_FMT_ENTRIES && !sp->nr && !sp->parents && !sp->pins,
				    "a table that is kept is not empty");
			for (k = 0; k < UMBRA_FMT_ENTRIES; k++)
				MODEL_CHECK(!sp->spt[k], "a table that is kept has an entry");
		}
	MODEL_CHECK(c->kept == spages->nr_pool, "the count of kept tables is wrong");
	MODEL_CHECK(c->kept <= UMBRA_POOL_MAX, "too many tables are kept");
}

static void count_region(struct umbra_region *region, struct census *c)
{
	unsigned int i;

	c->mapped += count_rmap(region->large, &c->chunks);
	c->rmaps += !!region->rmap;
	for (i = 0; region->rmap && i < UMBRA_REGION_PAGES; i++)
		c->mapped += count_rmap(region->rmap[i], &c->chunks);
}

/* Traces of pages in @region, which begins at @first, as the VM's table has them. */
static unsigned long traces_in(const struct umbra_memslot *slot, gfn_t first)
{
	struct umbra_trace *trace;
	unsigned long n = 0;
	int i;

	for (i = 0; i < 1 << UMBRA_TRACE_HASH_BITS; i++)
		hlist_for_each_entry(trace, &unit.vm.mmu->traces.bucket[i], node)
			n += umbra_slot_has(slot, trace->gfn) &&
			     trace->gfn / UMBRA_REGION_PAGES == first / UMBRA_REGION_PAGES;
	return n;
}

static void count_slots(struct census *c)
{
	unsigned long r;
	int i;

	for (i = 0; i < unit.slots->count; i++) {
		struct umbra_memslot *slot = unit.slots->slot[i];
		struct umbra_slot_mmu *arch = slot->arch;

		for (r = 0; r < arch->nr; r++) {
			gfn_t first = slot->base_gfn + r * UMBRA_REGION_PAGES;

			count_region(&arch->region[r], c);
			MODEL_CHECK(arch->region[r].traced == traces_in(slot, first),
				    "a region's count of traces is wrong");
		}
	}
}

static long tables_below(const u64 *table, int level)
{
	long n = 1;
	int i;

	for (i = 0; level > 1 && i < 512; i++) {
		u64 e = unit_nested_entry(table[i], level);

		if ((e & E_P) && !(e & E_PS))
			n += tables_below((const u64 *)(unsigned long)(e & E_ADDR), level - 1);
	}
	return n;
}

static void count_nested(struct census *c)
{
	const struct umbra_mmu *mmu = unit.vm.mmu;

	if (mmu->root)
		c->nested = tables_below(mmu->root, 4);
	MODEL_CHECK(c->nested == mmu->nr_tables, "%ld second-level tables, %lu counted", c->nested,
		    mmu->nr_tables);
}

void model_check_tables(void)
{
	struct umbra_spages *spages = &unit.vm.mmu->spages;
	struct umbra_vm_stats *stats = &unit.vm.stats;
	struct census c = {};
	struct umbra_sp *sp;
	int i;

	count_slots(&c);
	count_nested(&c);
	if (model.nested) {
		MODEL_CHECK(atomic64_read(&stats->monitor_bytes) == c.nested * (long)PAGE_SIZE,
			    "%ld second-level tables, %lld bytes counted", c.nested,
			    (long long)atomic64_read(&stats->monitor_bytes));
		return;
	}
	if (unit.vm.mmu_mode == UMBRA_MMU_SHADOW) {
		list_for_each_entry(sp, &spages->lru, lru)
			count_sp(sp, &c);
		count_dead(&c);
	} else {
		for (i = 0; i < unit.vm.nr_vcpus; i++) {
			long before = c.sps;

			list_for_each_entry(sp, &unit.vm.vcpu[i]->mmu->tables, lru)
				count_sp(sp, &c);
			MODEL_CHECK(c.sps - before == unit.vm.vcpu[i]->mmu->nr_tables,
				    "a vCPU's count of tables is wrong");
		}
	}
	MODEL_CHECK(c.sps == spages->nr, "%ld tables, %lu counted", c.sps, spages->nr);
	MODEL_CHECK(c.stale == spages->nr_unsync, "the count of stale tables is wrong");
	MODEL_CHECK(c.leaves == c.mapped, "%ld leaves, %ld in reverse maps", c.leaves, c.mapped);
	MODEL_CHECK(c.links == c.parents, "%ld links, %ld known", c.links, c.parents);
	MODEL_CHECK(c.sps == atomic64_read(&stats->shadow_pages), "the gauge of tables is wrong");
	count_kept(&c);
	c.chunks *= sizeof(struct umbra_rmap_chunk);
	c.chunks += c.nested * PAGE_SIZE + (c.sps + c.kept) * (PAGE_SIZE + sizeof(*sp)) +
		    c.rmaps * PAGE_SIZE +
		    c.gfns * UMBRA_FMT_ENTRIES * sizeof(u32);
	MODEL_CHECK(c.chunks == atomic64_read(&stats->monitor_bytes),
		    "%ld bytes in use, %lld counted", c.chunks,
		    (long long)atomic64_read(&stats->monitor_bytes));
}
