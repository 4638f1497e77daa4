/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the manuals say about one access to memory under paging: the fault, its error code, and
 * the accessed and dirty bits. For page_fault_test.c; must not know how a hypervisor does it,
 * and shares no code with one.
 */
#ifndef SELFTESTS_PAGE_FAULT_MODEL_H
#define SELFTESTS_PAGE_FAULT_MODEL_H

#include "paging.h"

#define PF_MAX_LEVEL	5

/* Bits of a page fault's error code. */
#define PF_P		BIT_ULL(0)
#define PF_W		BIT_ULL(1)
#define PF_U		BIT_ULL(2)
#define PF_RSVD		BIT_ULL(3)
#define PF_I		BIT_ULL(4)
#define PF_PK		BIT_ULL(5)

/**
 * struct pf_cpu - what of the processor's state matters
 * @mode: paging mode
 * @wp: CR0.WP
 * @smep: CR4.SMEP
 * @smap: CR4.SMAP
 * @nxe: EFER.NXE
 * @pke: CR4.PKE
 * @pkru: PKRU
 * @phys_bits: width of physical addresses, from CPUID
 */
struct pf_cpu {
	enum ut_paging mode;
	bool wp, smep, smap, nxe, pke;
	u32 pkru;
	int phys_bits;
};

struct pf_access {
	bool user, write, fetch, ac;
};

/**
 * struct pf_answer - what must happen
 * @fault: a page fault, with error code @error
 * @error: see @fault
 * @accessed: bit L: the A bit of the entry of level L is set afterwards
 * @maybe: bit L: that A bit may be set, as a processor may that walked so far and was refused
 * @dirty: the D bit of the leaf is set afterwards
 */
struct pf_answer {
	bool fault;
	u32 error;
	u32 accessed;
	u32 maybe;
	bool dirty;
};

/*
 * @entry: by level, from @leaf to the top; the PDPTE of PAE is expected to be valid and is not
 * looked at. The entry of level @leaf maps the page.
 */
struct pf_answer pf_model(const struct pf_cpu *cpu, const u64 *entry, int leaf,
			  const struct pf_access *access);
/* Bits that must be 0 in a present entry of @level. */
u64 pf_reserved(const struct pf_cpu *cpu, int level, bool leaf);

#endif
