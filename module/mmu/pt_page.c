// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of table pages: allocation, per-vCPU stock, deferred freeing. Knows
 * neither entries nor levels, and takes no lock.
 */
#include "mmu_env.h"
#include "pt_page.h"

u64 *umbra_pt_alloc(void)
{
	return (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

void umbra_pt_free(u64 *table)
{
	free_page((unsigned long)table);
}

int umbra_pt_cache_fill(struct umbra_pt_cache *cache, int least)
{
	if (umbra_pt_cache_ready(cache, least))
		return 0;
	while (cache->nr < UMBRA_PT_CACHE_MAX) {
		u64 *table = umbra_pt_alloc();

		if (!table)
			break;
		cache->table[cache->nr++] = table;
	}
	return umbra_pt_cache_ready(cache, least) ? 0 : -ENOMEM;
}

void umbra_pt_cache_drain(struct umbra_pt_cache *cache)
{
	while (cache->nr)
		umbra_pt_free(umbra_pt_cache_take(cache));
}

void umbra_pt_defer(u64 *table, struct list_head *list)
{
	list_add(&virt_to_page(table)->lru, list);
}

void umbra_pt_free_list(struct list_head *list)
{
	while (!list_empty(list)) {
		struct page *page = list_first_entry(list, struct page, lru);

		list_del(&page->lru);
		umbra_pt_free(page_address(page));
	}
}
