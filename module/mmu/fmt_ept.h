/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of Intel's extended page tables: rights of their own in bits 0 to 2,
 * memory types in leaves, accessed and dirty bits where the processor has them.
 * Bits only: nothing here follows an entry. Same functions, same order as in
 * every second-level format, see fmt.h.
 *
 * No entry is made that the processor calls misconfigured: what is present is
 * readable, links have no bits but rights and the accessed bit, and leaves have
 * one of two memory types, which every processor with EPT knows.
 */
#ifndef UMBRA_MMU_FMT_EPT_H
#define UMBRA_MMU_FMT_EPT_H

#include "mmu_env.h"

#define EPT_READ	BIT_ULL(0)
#define EPT_WRITE	BIT_ULL(1)
#define EPT_EXEC	BIT_ULL(2)
#define EPT_RIGHTS	(EPT_READ | EPT_WRITE | EPT_EXEC)
/* The type in bits 5 to 3 counts alone, whatever the guest's PAT says. */
#define EPT_TYPE_UC	(0ULL << 3)
#define EPT_TYPE_WB	(6ULL << 3)
#define EPT_TYPE_ONLY	BIT_ULL(6)
#define EPT_LARGE	BIT_ULL(7)
#define EPT_ACCESSED	BIT_ULL(8)
#define EPT_DIRTY	BIT_ULL(9)
#define EPT_ADDR	GENMASK_ULL(51, 12)

static inline int ept_levels(void)
{
	return 4;
}

static inline bool ept_present(u64 e)
{
	return e & EPT_RIGHTS;
}

static inline bool ept_leaf(u64 e, int level)
{
	return level == 1 || (e & EPT_LARGE);
}

static inline bool ept_writable(u64 e)
{
	return e & EPT_WRITE;
}

static inline bool ept_executable(u64 e)
{
	return e & EPT_EXEC;
}

/* Processors without such bits ignore them: what was made accessed remains so. */
static inline bool ept_accessed(u64 e)
{
	return e & EPT_ACCESSED;
}

static inline bool ept_dirty(u64 e)
{
	return e & EPT_DIRTY;
}

static inline hpa_t ept_addr(u64 e, int level)
{
	return e & EPT_ADDR;
}

/* The host's MTRRs have no say in EPT: that device memory is not cached is said here. */
static inline u64 ept_make_leaf(hpa_t pa, int level, bool writable, bool device)
{
	return pa | EPT_READ | EPT_EXEC | EPT_ACCESSED |
	       (writable ? EPT_WRITE | EPT_DIRTY : 0) | (level > 1 ? EPT_LARGE : 0) |
	       (device ? EPT_TYPE_UC : EPT_TYPE_WB | EPT_TYPE_ONLY);
}

static inline u64 ept_make_table(hpa_t pa)
{
	return pa | EPT_RIGHTS | EPT_ACCESSED;
}

static inline u64 ept_wrprotect(u64 e)
{
	return e & ~EPT_WRITE;
}

/* Where nothing would set the bit again, only a fault tells of the next access. */
static inline u64 ept_mkold(u64 e)
{
	return umbra_caps.nested_ad ? e & ~EPT_ACCESSED : 0;
}

#endif
