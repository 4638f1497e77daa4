/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Table pages: allocated into a vCPU's cache where sleeping is possible, taken
 * from it under the MMU lock, and given back when no processor can walk them.
 */
#ifndef UMBRA_MMU_PT_PAGE_H
#define UMBRA_MMU_PT_PAGE_H

#include "mmu_env.h"

/* With nested tables a fault needs at most a table for each level below the root. */
#define UMBRA_PT_CACHE_MIN	4
#define UMBRA_PT_CACHE_MAX	16

/**
 * struct umbra_pt_cache - zeroed pages in stock; owned by one vCPU thread
 * @nr: how many
 * @table: the pages
 */
struct umbra_pt_cache {
	int nr;
	u64 *table[UMBRA_PT_CACHE_MAX];
};

/* One zeroed table page, charged to the caller's cgroup; NULL. Sleeps. */
u64 *umbra_pt_alloc(void);
void umbra_pt_free(u64 *table);

/* Stock up when fewer than @least are left. 0 or -ENOMEM. Sleeps. */
int umbra_pt_cache_fill(struct umbra_pt_cache *cache, int least);
void umbra_pt_cache_drain(struct umbra_pt_cache *cache);

static inline bool umbra_pt_cache_ready(const struct umbra_pt_cache *cache, int least)
{
	return cache->nr >= least;
}

/* Take one; the caller made sure that there is one. */
static inline u64 *umbra_pt_cache_take(struct umbra_pt_cache *cache)
{
	return cache->table[--cache->nr];
}

/* Put @table on @list by its struct page; its content stays as it is. */
void umbra_pt_defer(u64 *table, struct list_head *list);
/* Free what umbra_pt_defer() collected: after all TLBs were flushed. */
void umbra_pt_free_list(struct list_head *list);

#endif
