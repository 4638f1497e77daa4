/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of AMD's nested page tables: the bits of long-mode tables, walked in
 * the host's own paging mode, every access counting as a user access. Bits
 * only: nothing here follows an entry. Same functions, same order as in every
 * second-level format, see fmt.h.
 */
#ifndef UMBRA_MMU_FMT_NPT_H
#define UMBRA_MMU_FMT_NPT_H

#include "mmu_env.h"

#define NPT_PRESENT	BIT_ULL(0)
#define NPT_WRITE	BIT_ULL(1)
#define NPT_USER	BIT_ULL(2)
#define NPT_ACCESSED	BIT_ULL(5)
#define NPT_DIRTY	BIT_ULL(6)
#define NPT_LARGE	BIT_ULL(7)
#define NPT_NX		BIT_ULL(63)
#define NPT_ADDR	GENMASK_ULL(51, 12)

static inline int npt_levels(void)
{
	return pgtable_l5_enabled() ? 5 : 4;
}

static inline bool npt_present(u64 e)
{
	return e & NPT_PRESENT;
}

static inline bool npt_leaf(u64 e, int level)
{
	return level == 1 || (e & NPT_LARGE);
}

static inline bool npt_writable(u64 e)
{
	return e & NPT_WRITE;
}

static inline bool npt_executable(u64 e)
{
	return !(e & NPT_NX);
}

static inline bool npt_accessed(u64 e)
{
	return e & NPT_ACCESSED;
}

static inline bool npt_dirty(u64 e)
{
	return e & NPT_DIRTY;
}

/* The encryption bit, where the host uses one, is part of the entry's address field. */
static inline hpa_t npt_addr(u64 e, int level)
{
	return __sme_clr(e & NPT_ADDR);
}

/* What the host's MTRRs say of device memory holds below nested tables too. */
static inline u64 npt_make_leaf(hpa_t pa, int level, bool writable, bool device)
{
	return __sme_set(pa) | NPT_PRESENT | NPT_USER | NPT_ACCESSED |
	       (writable ? NPT_WRITE | NPT_DIRTY : 0) | (level > 1 ? NPT_LARGE : 0);
}

static inline u64 npt_make_table(hpa_t pa)
{
	return __sme_set(pa) | NPT_PRESENT | NPT_WRITE | NPT_USER | NPT_ACCESSED;
}

static inline u64 npt_wrprotect(u64 e)
{
	return e & ~NPT_WRITE;
}

static inline u64 npt_mkold(u64 e)
{
	return e & ~NPT_ACCESSED;
}

#endif
