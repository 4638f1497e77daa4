/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of x86's own page tables in every paging mode: 2-level with and
 * without large pages, PAE, 4-level and 5-level. Bits and level counts only:
 * nothing here follows an entry. What second-level formats have too stands in
 * their order; rights of users and reserved bits exist here alone.
 */
#ifndef UMBRA_MMU_FMT_X86_H
#define UMBRA_MMU_FMT_X86_H

#include "mmu_env.h"

#define X86_PRESENT	BIT_ULL(0)
#define X86_WRITE	BIT_ULL(1)
#define X86_USER	BIT_ULL(2)
#define X86_ACCESSED	BIT_ULL(5)
#define X86_DIRTY	BIT_ULL(6)
#define X86_LARGE	BIT_ULL(7)
#define X86_NX		BIT_ULL(63)
#define X86_ADDR	GENMASK_ULL(51, 12)
#define X86_PKEY	GENMASK_ULL(62, 59)

/* PDPTEs of PAE paging carry no rights: these bits must be zero. */
#define X86_PDPTE_RSVD	(GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5))

/**
 * struct x86_mode - one guest paging mode
 * @levels: 0 (no paging), 2, 3, 4 or 5
 * @wide: entries have 8 bytes, else 4
 * @pse: 2-level: large pages exist
 * @gbpages: 1 GiB pages exist
 * @rsvd: bits that no present 8-byte entry may have
 * @rsvd_4m: bits that no 4-byte large entry may have
 */
struct x86_mode {
	u8 levels;
	bool wide;
	bool pse;
	bool gbpages;
	u64 rsvd;
	u64 rsvd_4m;
};

static inline int x86_levels(const struct x86_mode *m)
{
	return m->levels;
}

static inline bool x86_present(u64 e)
{
	return e & X86_PRESENT;
}

static inline bool x86_leaf(const struct x86_mode *m, u64 e, int level)
{
	if (level == 1)
		return true;
	if (!(e & X86_LARGE))
		return false;
	return level == 2 ? m->wide || m->pse : level == 3 && m->levels > 3;
}

static inline bool x86_writable(u64 e)
{
	return e & X86_WRITE;
}

static inline bool x86_executable(u64 e)
{
	return !(e & X86_NX);
}

static inline bool x86_accessed(u64 e)
{
	return e & X86_ACCESSED;
}

static inline bool x86_dirty(u64 e)
{
	return e & X86_DIRTY;
}

/* Bits of the address below a page of @level. */
static inline u64 x86_offset_mask(const struct x86_mode *m, int level)
{
	return BIT_ULL(12 + (level - 1) * (m->wide ? 9 : 10)) - 1;
}

/* Where a present entry leads: the frame, or the next table. */
static inline gpa_t x86_addr(const struct x86_mode *m, u64 e, int level)
{
	gpa_t addr = e & X86_ADDR;

	if (level == 1 || !x86_leaf(m, e, level))
		return addr;
	addr &= ~x86_offset_mask(m, level);
	/* 4 MiB pages keep address bits 39:32 in the unused bits 20:13. */
	if (!m->wide)
		addr |= (e & GENMASK_ULL(20, 13)) << 19;
	return addr;
}

static inline bool x86_user(u64 e)
{
	return e & X86_USER;
}

static inline u8 x86_pkey(u64 e)
{
	return (e & X86_PKEY) >> 59;
}

/* Reserved bits that are set in a present entry; 0 when it is well formed. */
static inline u64 x86_reserved(const struct x86_mode *m, u64 e, int level)
{
	u64 rsvd = m->rsvd;

	if (!m->wide)
		return level == 2 && x86_leaf(m, e, level) ? e & m->rsvd_4m : 0;
	if (m->levels == 3 && level == 3)
		return e & (rsvd | X86_PDPTE_RSVD | X86_NX);
	if (level > 3 || (level == 3 && !m->gbpages))
		rsvd |= X86_LARGE;
	else if (level > 1 && (e & X86_LARGE))
		rsvd |= x86_offset_mask(m, level) & ~(BIT_ULL(13) - 1);
	return e & rsvd;
}

/* Index of @gva in a table of @level. */
static inline unsigned int x86_index(const struct x86_mode *m, gva_t gva, int level)
{
	if (!m->wide)
		return (gva >> (12 + (level - 1) * 10)) & 0x3ff;
	if (m->levels == 3 && level == 3)
		return (gva >> 30) & 3;
	return (gva >> (12 + (level - 1) * 9)) & 0x1ff;
}

/* Where CR3 says that the top table is. */
static inline gpa_t x86_root(const struct x86_mode *m, u64 cr3)
{
	if (m->levels == 3)
		return cr3 & GENMASK_ULL(31, 5);
	return cr3 & (m->wide ? X86_ADDR : GENMASK_ULL(31, 12));
}

/*
 * Address bits at and above the width @phys_bits. In PAE paging all bits up to
 * 62 are reserved; with 4 and 5 levels 62:52 are free for software.
 */
static inline u64 x86_reserved_high(int levels, u8 phys_bits, bool nx)
{
	u64 rsvd = GENMASK_ULL(levels == 3 ? 62 : 51, 0) & ~(BIT_ULL(phys_bits) - 1);

	return nx ? rsvd : rsvd | X86_NX;
}

/* The same for 4 MiB entries, which hold at most 40 address bits. */
static inline u64 x86_reserved_4m(u8 phys_bits)
{
	int bits = phys_bits;
	int top = min(max(bits, 32), 40) - 32;

	return GENMASK_ULL(21, 13) & ~((BIT_ULL(top) - 1) << 13);
}

#endif
