/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address types and the words used everywhere.
 *
 *   gva  guest virtual address        gpa  guest physical address
 *   gfn  guest frame number           hva  host virtual address (of the VMM)
 *   hpa  host physical address        pfn  host page frame number
 *   spte an entry of a table that Umbra builds (nested or shadow)
 *   root the top table that the hardware is pointed at
 *   memslot  a range of gpa backed by a range of hva
 *
 * Guest tables map gva to gpa; memslots and the host's page tables map gpa
 * to hpa; a nested table maps gpa to hpa; a shadow table maps gva to hpa.
 * This file declares no function with effects and includes nothing of Umbra.
 */
#ifndef UMBRA_TYPES_H
#define UMBRA_TYPES_H

#include <linux/types.h>
#include <asm/page.h>

typedef u64 gva_t;
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef u64 hva_t;
typedef u64 hpa_t;
typedef u64 umbra_pfn_t;

#define UMBRA_INVALID_GPA	(~(gpa_t)0)
#define UMBRA_INVALID_HPA	(~(hpa_t)0)

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return gpa >> PAGE_SHIFT;
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return gfn << PAGE_SHIFT;
}

static inline hpa_t pfn_to_hpa(umbra_pfn_t pfn)
{
	return pfn << PAGE_SHIFT;
}

static inline umbra_pfn_t hpa_to_pfn(hpa_t hpa)
{
	return hpa >> PAGE_SHIFT;
}

/*
 * What an access wants. Used for guest table walks, second-level faults and
 * the emulator alike, so that nobody translates between error-code dialects.
 */
#define UMBRA_ACC_READ		0x01u
#define UMBRA_ACC_WRITE		0x02u
#define UMBRA_ACC_EXEC		0x04u
#define UMBRA_ACC_USER		0x08u	/* CPL 3 access */
#define UMBRA_ACC_IMPLICIT	0x10u	/* implicit supervisor access (descriptor tables) */

#endif
