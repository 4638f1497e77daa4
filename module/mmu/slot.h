/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the MMU keeps per slot (slot->arch): for each aligned 2 MiB of guest
 * memory, who maps its frames and how many of them are traced. Layout only.
 */
#ifndef UMBRA_MMU_SLOT_H
#define UMBRA_MMU_SLOT_H

#include "fmt.h"
#include "mmu_env.h"

#define UMBRA_REGION_PAGES	UMBRA_FMT_ENTRIES

/**
 * struct umbra_region - an aligned 2 MiB of guest memory in one slot
 * @rmap: (l) one page with the head of each frame's reverse map, NULL when none
 *	is mapped
 * @large: (l) head of the reverse map of 2 MiB mappings
 * @traced: (l) traces of single pages in it
 */
struct umbra_region {
	unsigned long *rmap;
	unsigned long large;
	unsigned long traced;
};

/**
 * struct umbra_slot_mmu - slot->arch
 * @nr: number of regions that the slot touches
 * @region: in order of gfn
 */
struct umbra_slot_mmu {
	unsigned long nr;
	struct umbra_region region[];
};

static inline struct umbra_region *umbra_region(const struct umbra_memslot *slot, gfn_t gfn)
{
	struct umbra_slot_mmu *arch = slot->arch;

	return &arch->region[gfn / UMBRA_REGION_PAGES - slot->base_gfn / UMBRA_REGION_PAGES];
}

#endif
