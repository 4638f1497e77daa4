/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Table pages of the modes without nested tables: what stands behind a table
 * (which guest frame it shadows, for which role, who links to it), and what
 * both modes do to single entries. Allocation, bookkeeping, reverse maps;
 * what an entry should hold is decided in shadow.c and vtlb.c.
 *
 * Legend for fields: (c) constant while in use; (l) umbra_mmu.lock.
 */
#ifndef UMBRA_MMU_SPAGE_H
#define UMBRA_MMU_SPAGE_H

#include "fmt.h"
#include "fmt_spte.h"
#include "mmu_env.h"
#include "rmap.h"
#include "wtrace.h"

struct umbra_tlb;

/**
 * union umbra_role - all that the content of a table depends on besides the
 *	guest's frame; two tables with the same frame and role are one
 * @word: for comparison
 * @level: level of the table among Umbra's, 1 is the lowest
 * @direct: maps consecutive guest frames, no guest table stands behind it
 * @rights: UMBRA_RIGHT_* that all guest entries above leave
 * @quadrant: which part of a 2-level guest table this is
 * @levels: the guest's paging levels, 0 without paging
 * @pse: CR4.PSE, 2-level paging only
 * @wp: CR0.WP
 * @smep: CR4.SMEP
 * @smap: CR4.SMAP
 * @pke: CR4.PKE, long mode only
 * @nx: EFER.NX
 * @clean: direct tables: the guest's large page has no dirty bit
 * @pkey: direct tables: protection key of the guest's large page
 */
union umbra_role {
	u32 word;
	struct {
		u32 level : 3;
		u32 direct : 1;
		u32 rights : 3;
		u32 quadrant : 2;
		u32 levels : 3;
		u32 pse : 1;
		u32 wp : 1;
		u32 smep : 1;
		u32 smap : 1;
		u32 pke : 1;
		u32 nx : 1;
		u32 clean : 1;
		u32 pkey : 4;
	};
};

/* A guest entry has 8 bytes, else 4. */
static inline bool umbra_role_wide(union umbra_role role)
{
	return role.levels > 2;
}

/**
 * struct umbra_sp - one table page
 * @hash: (l) in umbra_spages.hash while it can be found
 * @lru: (l) in umbra_spages.lru, or vtlb: in the vCPU's list; newest first
 * @unsync: (l) in umbra_spages.unsync while @stale, else empty
 * @trace: (l) write trace of the guest's table
 * @spt: (c) the table
 * @gfns: (l) frames that leaves map, by index; NULL before the first and in
 *	direct tables
 * @parents: (l) reverse map of the links to this table
 * @gfn: (c) direct: the first frame mapped; else the guest's table
 * @role: (c)
 * @pins: (l) vCPUs that have it as a root
 * @nr: (l) present entries
 * @writes: (l) traced writes since the last fault that came through
 * @stale: (l) the guest may have changed its table unseen
 * @dead: (l) dropped, but still pinned
 * @touched: (l) a fault came through since reclaim, or vtlb: a drop, last looked
 * @pieces: (l) vtlb: some leaf is part of a larger guest page
 * @used: (l) present entries by index
 * @seen: (l) the search that looked at it last
 * @under: (l) what that search found
 */
struct umbra_sp {
	struct hlist_node hash;
	struct list_head lru;
	struct list_head unsync;
	struct umbra_trace trace;
	u64 *spt;
	u32 *gfns;
	unsigned long parents;
	gfn_t gfn;
	union umbra_role role;
	u16 pins;
	u16 nr;
	u8 writes;
	bool stale;
	bool dead;
	bool touched;
	bool pieces;
	bool under;
	unsigned long seen;
	unsigned long used[UMBRA_FMT_ENTRIES / BITS_PER_LONG];
};

#define UMBRA_SP_HASH_BITS	10

/*
 * Empty table pages that a VM keeps: a guest's processes come and go, and clearing
 * a page again costs more than all the rest of making a table.
 */
#define UMBRA_POOL_MAX		16

/**
 * struct umbra_spages - all table pages of a VM
 * @hash: (l) shadow: by gfn
 * @lru: (l) shadow: all, newest first
 * @unsync: (l) stale ones
 * @nr: (l) how many there are
 * @nr_unsync: (l) how many of them are stale
 * @max: (l) how many there may be
 * @wanted: what user space wants @max to be, 0: no opinion; vm->slots_lock
 * @search: (l) number of the last search for what is under a table
 * @pool: (l) empty ones to be used again, without @gfns and with
 * @nr_pool: (l) how many; they are not in @nr
 * @on_vms: in the list that the shrinker walks
 */
struct umbra_spages {
	struct hlist_head *hash;
	struct list_head lru;
	struct list_head unsync;
	unsigned long nr;
	unsigned long nr_unsync;
	unsigned long max;
	unsigned long wanted;
	unsigned long search;
	struct list_head pool[2];
	unsigned int nr_pool;
	struct list_head on_vms;
};

/* Mappings of one frame: more would make dropping one of them long. */
#define UMBRA_RMAP_MAX		1000

/* One fault needs at most so many of each. */
#define UMBRA_STOCK_MIN		6
#define UMBRA_STOCK_MAX		16
/* Tables, and a page for the reverse map of a region. */
#define UMBRA_STOCK_PAGES	(UMBRA_STOCK_MIN + 2)

/**
 * struct umbra_stock - objects in stock; owned by one vCPU thread
 * @nr_sps: entries of @sp in use
 * @nr_gfns: entries of @gfns in use
 * @nr_chunks: entries of @chunk in use
 * @sp: table page descriptors
 * @gfns: arrays of 512 frame numbers
 * @chunk: of reverse maps
 */
struct umbra_stock {
	int nr_sps;
	int nr_gfns;
	int nr_chunks;
	struct umbra_sp *sp[UMBRA_STOCK_MAX];
	u32 *gfns[UMBRA_STOCK_MAX];
	struct umbra_rmap_chunk *chunk[UMBRA_STOCK_MAX];
};

/* Module init and exit. 0 or -ENOMEM. */
int umbra_spages_init(void);
void umbra_spages_exit(void);

int umbra_spages_create(struct umbra_vm *vm);
/* Compute how many tables the VM may have by its slots; vm->slots_lock held. */
void umbra_spages_limit(struct umbra_vm *vm);
void umbra_spages_destroy(struct umbra_vm *vm);

/* Is there enough for any fault? */
bool umbra_stock_ready(const struct umbra_stock *stock);
/* Stock up. 0 or -ENOMEM. Sleeps. */
int umbra_stock_fill(struct umbra_stock *stock);
void umbra_stock_drain(struct umbra_stock *stock);
struct umbra_rmap_chunk *umbra_stock_chunk(struct umbra_stock *stock);
void umbra_chunk_free(struct umbra_rmap_chunk *chunk);

/*
 * From here on: MMU lock held; SRCU read section held by those who touch leaves.
 *
 * A new table page with nothing in it, in no list but the one of its vCPU or VM.
 */
struct umbra_sp *umbra_sp_new(struct umbra_vcpu *vcpu, gfn_t gfn, union umbra_role role);
/* Nothing links to @sp or is in it: hand it to @tlb, to be used again after the flush. */
void umbra_sp_release(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb);
/* After the flush: keep some of what umbra_sp_release() collected; the others stay in @list. */
void umbra_sp_keep(struct umbra_vm *vm, struct list_head *list);
/* The kept ones go to @tlb, to be freed; how many. */
unsigned long umbra_sp_unkeep(struct umbra_vm *vm, struct umbra_tlb *tlb);
/* Free the others; without the lock. */
void umbra_sp_free_list(struct list_head *list);

/* The table page that holds @spte, or that link @e leads to. */
static inline struct umbra_sp *umbra_sp_of(const u64 *spte)
{
	return (struct umbra_sp *)page_private(virt_to_page(spte));
}

static inline struct umbra_sp *umbra_sp_linked(u64 e)
{
	return (struct umbra_sp *)page_private(pfn_to_page(spte_addr(e) >> PAGE_SHIFT));
}

/* The guest frame that leaf @index of @sp maps. */
static inline gfn_t umbra_sp_gfn(const struct umbra_sp *sp, unsigned int index)
{
	if (sp->role.direct)
		return sp->gfn + (index << ((sp->role.level - 1) * 9));
	return sp->gfns[index];
}

/*
 * Put leaf @e for @gfn in place of whatever is there. Notes in @tlb what was
 * lost. @vcpu's stock is used.
 */
void umbra_sp_set_leaf(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index, u64 e,
		       struct umbra_memslot *slot, gfn_t gfn, struct umbra_tlb *tlb);
/* Link @child, in an entry that is empty. */
void umbra_sp_link(struct umbra_vcpu *vcpu, struct umbra_sp *sp, unsigned int index,
		   struct umbra_sp *child);
/* Empty a table that holds nothing but leaves. */
void umbra_sp_clear_leaves(struct umbra_vm *vm, struct umbra_sp *sp, struct umbra_tlb *tlb);
/* Empty an entry, leaf or link, present or not; a child stays. Returns what was there. */
u64 umbra_sp_clear(struct umbra_vm *vm, struct umbra_sp *sp, unsigned int index,
		   struct umbra_tlb *tlb);

/* Drop all entries of the reverse map at @head. */
void umbra_rmap_zap_head(struct umbra_vm *vm, unsigned long *head, struct umbra_tlb *tlb);

/*
 * Over the reverse maps of guest frames; what both modes' operations are made
 * of. The lock is taken inside but for umbra_rmap_protect() and _recover().
 */
bool umbra_rmap_zap(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool may_block);
bool umbra_rmap_age(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool clear);
void umbra_rmap_log_start(struct umbra_vm *vm, struct umbra_memslot *slot);
void umbra_rmap_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first,
			    u64 mask);
void umbra_rmap_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot);
/* As umbra_mmu_ops.recover: the small mappings in the 2 MiB around @gfn go. */
void umbra_rmap_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			struct umbra_tlb *tlb);
/* As umbra_mmu_ops.unprotect. */
void umbra_rmap_unprotect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn);
/* As umbra_mmu_ops.protect. */
void umbra_rmap_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
			struct umbra_tlb *tlb);

#endif
