// SPDX-License-Identifier: GPL-2.0
/*
 * Table pages of the modes without nested tables: memory, the stock that faults
 * draw on, and changes of single entries together with the reverse maps and
 * counts that mirror them. Decides nothing about what an entry should hold.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "slot.h"
#include "spage.h"

#define GFNS_BYTES	(UMBRA_FMT_ENTRIES * sizeof(u32))

static struct kmem_cache *sp_cache;
static struct kmem_cache *gfns_cache;
static struct kmem_cache *chunk_cache;

int umbra_spages_init(void)
{
	sp_cache = KMEM_CACHE(umbra_sp, SLAB_ACCOUNT);
	chunk_cache = KMEM_CACHE(umbra_rmap_chunk, SLAB_ACCOUNT);
	gfns_cache = kmem_cache_create("umbra_gfns", GFNS_BYTES, 0, SLAB_ACCOUNT, NULL);
	if (sp_cache && chunk_cache && gfns_cache)
		return 0;
	umbra_spages_exit();
	return -ENOMEM;
}

void umbra_spages_exit(void)
{
	kmem_cache_destroy(gfns_cache);
	kmem_cache_destroy(chunk_cache);
	kmem_cache_destroy(sp_cache);
}

/* One table for so many guest pages, but some in any case; roots in use may exceed it. */
#define PAGES_PER_TABLE		80
#define MIN_TABLES		384

int umbra_spages_create(struct umbra_vm *vm)
{
	struct umbra_spages *spages = &vm->mmu->spages;

	spages->hash = kvcalloc(1 << UMBRA_SP_HASH_BITS, sizeof(*spages->hash),
				GFP_KERNEL_ACCOUNT);
	if (!spages->hash)
		return -ENOMEM;
	spages->max = MIN_TABLES;
	INIT_LIST_HEAD(&spages->lru);
	INIT_LIST_HEAD(&spages->unsync);
	INIT_LIST_HEAD(&spages->pool[0]);
	INIT_LIST_HEAD(&spages->pool[1]);
	return 0;
}

void umbra_spages_limit(struct umbra_vm *vm)
{
	struct umbra_memslots *slots = umbra_slots(vm);
	const struct umbra_memslot *slot;
	unsigned long pages = 0;
	int i;

	for (i = 0; (slot = umbra_slot_at(slots, i)); i++)
		pages += slot->npages;
	WRITE_ONCE(vm->mmu->spages.max, vm->mmu->spages.wanted ? :
		   max(pages / PAGES_PER_TABLE, (unsigned long)MIN_TABLES));
}

void umbra_spages_destroy(struct umbra_vm *vm)
{
	struct umbra_spages *spages = &vm->mmu->spages;

	WARN_ON_ONCE(spages->nr);
	umbra_sp_free_list(&spages->pool[0]);
	umbra_sp_free_list(&spages->pool[1]);
	kvfree(spages->hash);
}

bool umbra_stock_ready(const struct umbra_stock *stock)
{
	return stock->nr_sps >= UMBRA_STOCK_MIN && stock->nr_gfns >= UMBRA_STOCK_MIN &&
	       stock->nr_chunks >= UMBRA_STOCK_MIN;
}

static int fill(struct kmem_cache *cache, void **object, int *nr)
{
	while (*nr < UMBRA_STOCK_MAX) {
		object[*nr] = kmem_cache_zalloc(cache, GFP_KERNEL_ACCOUNT);
		if (!object[*nr])
			break;
		++*nr;
	}
	return *nr >= UMBRA_STOCK_MIN ? 0 : -ENOMEM;
}

int umbra_stock_fill(struct umbra_stock *stock)
{
	if (umbra_stock_ready(stock))
		return 0;
	if (fill(sp_cache, (void **)stock->sp, &stock->nr_sps) ||
	    fill(gfns_cache, (void **)stock->gfns, &stock->nr_gfns) ||
	    fill(chunk_cache, (void **)stock->chunk, &stock->nr_chunks))
		return -ENOMEM;
	return 0;
}

void umbra_stock_drain(struct umbra_stock *stock)
{
	while (stock->nr_sps)
		kmem_cache_free(sp_cache, stock->sp[--stock->nr_sps]);
	while (stock->nr_gfns)
		kmem_cache_free(gfns_cache, stock->gfns[--stock->nr_gfns]);
	while (stock->nr_chunks)
		kmem_cache_free(chunk_cache, stock->chunk[--stock->nr_chunks]);
}

struct umbra_rmap_chunk *umbra_stock_chunk(struct umbra_stock *stock)
{
	return stock->chunk[--stock->nr_chunks];
}

void umbra_chunk_free(struct umbra_rmap_chunk *chunk)
{
	kmem_cache_free(chunk_cache, chunk);
}

/* Bytes that the VM's tables took, or with a negative number gave back. */
static void account(struct umbra_vm *vm, long bytes)
{
	if (!bytes)
		return;
	umbra_vm_stat_add(vm, monitor_bytes, bytes);
	umbra_vm_stat_peak(vm, monitor_bytes);
}

static long bytes_of(const struct umbra_sp *sp)
{
	return PAGE_SIZE + sizeof(*sp) + (sp->gfns ? GFNS_BYTES : 0);
}

/* One that was kept; NULL. Those that are to hold small leaves will need the frames' numbers. */
static struct umbra_sp *take_kept(struct umbra_spages *spages, union umbra_role role)
{
	unsigned int first = role.level == 1 && !role.direct;
	struct list_head *pool = &spages->pool[first];
	struct umbra_sp *sp;

	if (list_empty(pool) && first)
		pool = &spages->pool[0];
	if (list_empty(pool))
		return NULL;
	sp = list_first_entry(pool, struct umbra_sp, lru);
	list_del(&sp->lru);
	spages->nr_pool--;
	sp->dead = false;
	sp->touched = false;
	sp->pieces = false;
	sp->writes = 0;
	return sp;
}

static struct umbra_sp *take_stock(struct umbra_vcpu *vcpu)
{
	struct umbra_stock *stock = &vcpu->mmu->stock;
	struct umbra_sp *sp = stock->sp[--stock->nr_sps];

	sp->spt = umbra_pt_cache_take(&vcpu->mmu->cache);
	set_page_private(virt_to_page(sp->spt), (unsigned long)sp);
	account(vcpu->vm, bytes_of(sp));
	return sp;
}

struct umbra_sp *umbra_sp_new(struct umbra_vcpu *vcpu, gfn_t gfn, union umbra_role role)
{
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_sp *sp = take_kept(&vm->mmu->spages, role);

	lockdep_assert_held(&vm->mmu->lock);
	if (!sp)
		sp = take_stock(vcpu);
	sp->gfn = gfn;
	sp->role = role;
	INIT_HLIST_NODE(&sp->hash);
	INIT_HLIST_NODE(&sp->trace.node);
	INIT_LIST_HEAD(&sp->lru);
	INIT_LIST_HEAD(&sp->unsync);
	vm->mmu->spages.nr++;
	umbra_vm_stat_inc(vm, pages_made);
	umbra_vm_stat_inc(vm, shadow_pages);
	return sp;
}

void umbra_sp_release(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	lockdep_assert_held(&vm->mmu->lock);
	WARN_ON_ONCE(sp->nr || sp->parents || sp->pins);
	list_del(&sp->lru);
	list_add(&sp->lru, &tlb->sps);
	umbra_tlb_note(tlb);
	vm->mmu->spages.nr--;
	umbra_vm_stat_inc(vm, pages_zapped);
	umbra_vm_stat_add(vm, shadow_pages, -1);
	account(vm, -bytes_of(sp));
}

void umbra_sp_keep(struct umbra_vm *vm, struct list_head *list)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	struct umbra_sp *sp;

	lockdep_assert_held(&vm->mmu->lock);
	while (!list_empty(list) && spages->nr_pool < UMBRA_POOL_MAX) {
		sp = list_first_entry(list, struct umbra_sp, lru);
		list_move(&sp->lru, &spages->pool[!!sp->gfns]);
		spages->nr_pool++;
		account(vm, bytes_of(sp));
	}
}

unsigned long umbra_sp_unkeep(struct umbra_vm *vm, struct umbra_tlb *tlb)
{
	struct umbra_spages *spages = &vm->mmu->spages;
	unsigned long nr = spages->nr_pool;
	struct umbra_sp *sp;
	int i;

	lockdep_assert_held(&vm->mmu->lock);
	for (i = 0; i < ARRAY_SIZE(spages->pool); i++) {
		list_for_each_entry(sp, &spages->pool[i], lru)
			account(vm, -bytes_of(sp));
		list_splice_init(&spages->pool[i], &tlb->sps);
	}
	spages->nr_pool = 0;
	/* They are out of all processors' reach since long, but are to be freed. */
	tlb->any |= nr;
	return nr;
}

void umbra_sp_free_list(struct list_head *list)
{
	while (!list_empty(list)) {
		struct umbra_sp *sp = list_first_entry(list, struct umbra_sp, lru);

		list_del(&sp->lru);
		set_page_private(virt_to_page(sp->spt), 0);
		umbra_pt_free(sp->spt);
		if (sp->gfns)
			kmem_cache_free(gfns_cache, sp->gfns);
		kmem_cache_free(sp_cache, sp);
	}
}

/* The head of @gfn's reverse map for leaves of @level; NULL: nothing is mapped yet. */
static unsigned long *rmap_head(struct umbra_memslot *slot, gfn_t gfn, int level)
{
	struct umbra_region *region = umbra_region(slot, gfn);

	if (level > 1)
		return &region->large;
	return region->rmap ? &region->rmap[gfn % UMBRA_REGION_PAGES] : NULL;
}

/* Others map the frame already, perhaps many. */
static void rmap_insert_more(struct umbra_vcpu *vcpu, unsigned long *head, u64 *spte,
			     struct umbra_tlb *tlb)
{
	int chunks;

	if (unlikely(umbra_rmap_count(*head) >= UMBRA_RMAP_MAX)) {
		umbra_rmap_zap_head(vcpu->vm, head, tlb);
		/* Those of other vCPUs went too: not for a flush of this one's processor. */
		umbra_tlb_flush(tlb);
	}
	chunks = umbra_rmap_add(head, spte, &vcpu->mmu->stock);
	account(vcpu->vm, chunks * (long)sizeof(struct umbra_rmap_chunk));
}

static void rmap_insert(struct umbra_vcpu *vcpu, struct umbra_memslot *slot, gfn_t gfn,
			int level, u64 *spte, struct umbra_tlb *tlb)
{
	struct umbra_region *region = umbra_region(slot, gfn);
	unsigned long *head;

	if (unlikely(level == 1 && !region->rmap)) {
		region->rmap = (unsigned long *)umbra_pt_cache_take(&vcpu->mmu->cache);
		account(vcpu->vm, PAGE_SIZE);
	}
	head = rmap_head(slot, gfn, level);
	if (!umbra_rmap_add_quick(head, spte))
		rmap_insert_more(vcpu, head, spte, tlb);
}

static void rmap_remove_from(struct umbra_vm *vm, unsigned long *head, u64 *spte)
{
	int chunks;

	if (umbra_rmap_del_quick(head, spte))
		return;
	chunks = umbra_rmap_del(head, spte);
	account(vm, -chunks * (long)sizeof(struct umbra_rmap_chunk));
}

static void rmap_remove(struct umbra_vm *vm, gfn_t gfn, int level, u64 *spte)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot_any(vm, gfn);
	unsigned long *head;

	if (WARN_ON_ONCE(!slot))
		return;
	head = rmap_head(slot, gfn, level);
	if (!WARN_ON_ONCE(!head))
		rmap_remove_from(vm, head, spte);
}

/* Leaves outside direct tables need to remember their frame. */
static void remember_gfn(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index,
			 gfn_t gfn)
{
	struct umbra_stock *stock = &vcpu->mmu->stock;

	if (unlikely(!sp->gfns)) {
		sp->gfns = stock->gfns[--stock->nr_gfns];
		account(vcpu->vm, GFNS_BYTES);
	}
	sp->gfns[index] = gfn;
}

static void count_in(struct umbra_sp *sp, unsigned int index)
{
	__set_bit(index, sp->used);
	sp->nr++;
}

static void count_out(struct umbra_sp *sp, unsigned int index)
{
	__clear_bit(index, sp->used);
	sp->nr--;
}

/* Does @new give all that @old gave? Then nobody needs to be told. */
static bool only_grows(u64 old, u64 new)
{
	u8 lost = spte_rights(old) & ~spte_rights(new);

	/* Without U the processor's checks of a supervisor's access fall away: no growth. */
	return !lost && !((old ^ new) & (SPTE_USER | SPTE_PKEY));
}

/* The same frame in the same size: rights change, the reverse map does not. */
static void change_rights(struct umbra_sp *sp, unsigned int index, u64 e, struct umbra_tlb *tlb)
{
	u64 old = sp->spt[index];

	if (((old ^ e) & ~(SPTE_ACCESSED | SPTE_DIRTY)) == 0)
		return;
	/* Rights that another fault gave for a write stay, if they fit. */
	if (only_grows(e, old))
		return;
	old = xchg(&sp->spt[index], e);
	if (!only_grows(old, e))
		umbra_tlb_note(tlb);
}

/* Something else is there. True when nothing is left to do. */
static bool replace(struct umbra_vm *vm, struct umbra_sp *sp, unsigned int index, u64 e,
		    gfn_t gfn, struct umbra_tlb *tlb)
{
	u64 old = sp->spt[index];

	if (spte_leaf(old, sp->role.level) && spte_addr(old) == spte_addr(e) &&
	    umbra_sp_gfn(sp, index) == gfn) {
		change_rights(sp, index, e, tlb);
		return true;
	}
	umbra_sp_clear(vm, sp, index, tlb);
	return false;
}

void umbra_sp_set_leaf(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index, u64 e,
		       struct umbra_memslot *slot, gfn_t gfn, struct umbra_tlb *tlb)
{
	lockdep_assert_held(&vcpu->vm->mmu->lock);
	if (spte_present(sp->spt[index]) && replace(vcpu->vm, sp, index, e, gfn, tlb))
		return;
	if (!sp->role.direct)
		remember_gfn(vcpu, sp, index, gfn);
	rmap_insert(vcpu, slot, gfn, sp->role.level, &sp->spt[index], tlb);
	count_in(sp, index);
	WRITE_ONCE(sp->spt[index], e);
}

void umbra_sp_link(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index,
		   struct umbra_sp *child)
{
	int chunks = umbra_rmap_add(&child->parents, &sp->spt[index], &vcpu->mmu->stock);

	account(vcpu->vm, chunks * (long)sizeof(struct umbra_rmap_chunk));
	count_in(sp, index);
	WRITE_ONCE(sp->spt[index], spte_make_table(__pa(child->spt)));
}

u64 umbra_sp_clear(struct umbra_vm *vm, struct umbra_sp *sp, unsigned int index,
		   struct umbra_tlb *tlb)
{
	u64 *spte = &sp->spt[index];
	u64 old = *spte;
	int level = sp->role.level;

	lockdep_assert_held(&vm->mmu->lock);
	if (!spte_present(old))
		return 0;
	if (spte_leaf(old, level))
		rmap_remove(vm, umbra_sp_gfn(sp, index), level, spte);
	else
		rmap_remove_from(vm, &umbra_sp_linked(old)->parents, spte);
	count_out(sp, index);
	old = xchg(spte, 0);
	umbra_tlb_note(tlb);
	return old;
}

void umbra_sp_clear_leaves(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb)
{
	unsigned int word, i;

	for (word = 0; word < ARRAY_SIZE(sp->used); word++)
		while (sp->used[word]) {
			i = word * BITS_PER_LONG + __ffs(sp->used[word]);
			umbra_sp_clear(vm, sp, i, tlb);
		}
}
