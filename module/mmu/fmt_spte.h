/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of the tables that take the place of the guest's: x86's own format
 * with 8-byte entries, gva to hpa. Links to lower tables give all rights; the
 * leaf alone decides. Bits only: nothing here follows an entry.
 */
#ifndef UMBRA_MMU_FMT_SPTE_H
#define UMBRA_MMU_FMT_SPTE_H

#include "mmu_env.h"

#define SPTE_PRESENT	BIT_ULL(0)
#define SPTE_WRITE	BIT_ULL(1)
#define SPTE_USER	BIT_ULL(2)
#define SPTE_ACCESSED	BIT_ULL(5)
#define SPTE_DIRTY	BIT_ULL(6)
#define SPTE_LARGE	BIT_ULL(7)
#define SPTE_NX		BIT_ULL(63)
#define SPTE_ADDR	GENMASK_ULL(51, 12)
#define SPTE_PKEY	GENMASK_ULL(62, 59)
/* Free for software: the guest's entry was global; it was part of a larger page. */
#define SPTE_GLOBAL	BIT_ULL(9)
#define SPTE_PIECE	BIT_ULL(10)

/* Rights of a guest mapping, in a word of three bits. */
#define UMBRA_RIGHT_W	0x1u
#define UMBRA_RIGHT_U	0x2u
#define UMBRA_RIGHT_X	0x4u
#define UMBRA_RIGHTS	0x7u

static inline bool spte_present(u64 e)
{
	return e & SPTE_PRESENT;
}

static inline bool spte_leaf(u64 e, int level)
{
	return level == 1 || (e & SPTE_LARGE);
}

static inline bool spte_writable(u64 e)
{
	return e & SPTE_WRITE;
}

static inline hpa_t spte_addr(u64 e)
{
	return __sme_clr(e & SPTE_ADDR);
}

static inline u64 spte_make_table(hpa_t pa)
{
	return __sme_set(pa) | SPTE_PRESENT | SPTE_WRITE | SPTE_USER | SPTE_ACCESSED;
}

/* Page directory pointers outside long mode have no rights bits. */
static inline u64 spte_make_pdpte(hpa_t pa)
{
	return __sme_set(pa) | SPTE_PRESENT;
}

/* The rights are where entries have W and U, and there is X where they have no NX. */
static inline u64 spte_make_leaf(hpa_t pa, int level, u8 rights)
{
	u64 w = rights & UMBRA_RIGHT_W, u = rights & UMBRA_RIGHT_U, nx = ~rights & UMBRA_RIGHT_X;

	return __sme_set(pa) | SPTE_PRESENT | SPTE_ACCESSED | w * (SPTE_WRITE | SPTE_DIRTY) |
	       u << 1 | nx << 61 | (level > 1 ? SPTE_LARGE : 0);
}

/* The rights that a leaf gives. */
static inline u8 spte_rights(u64 e)
{
	return (e >> 1 & (UMBRA_RIGHT_W | UMBRA_RIGHT_U)) | (~e >> 61 & UMBRA_RIGHT_X);
}

/* Index of @gva in a table of @level. */
static inline unsigned int spte_index(gva_t gva, int level)
{
	return (gva >> (12 + (level - 1) * 9)) & 0x1ff;
}

#endif
