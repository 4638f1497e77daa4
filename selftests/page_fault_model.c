// SPDX-License-Identifier: GPL-2.0
/*
 * The model of page_fault_model.h, as the manuals put it: first the reserved bits, then what
 * kind of page the entries together make, then the rules for supervisor and user accesses.
 */
#include "page_fault_model.h"

#define PKEY(entry)	((entry) >> 59 & 0xf)

static u64 bits(int from, int to)
{
	return (to < 63 ? BIT_ULL(to + 1) - 1 : ~0ull) & ~(BIT_ULL(from) - 1);
}

static int top_level(const struct pf_cpu *cpu)
{
	switch (cpu->mode) {
	case UT_PG_5LEVEL:
		return 5;
	case UT_PG_4LEVEL:
		return 4;
	default:
		return 2;	/* PAE: below the PDPTEs, which were checked with CR3 */
	}
}

u64 pf_reserved(const struct pf_cpu *cpu, int level, bool leaf)
{
	u64 reserved;

	if (cpu->mode == UT_PG_2LEVEL)
		return 0;
	if (cpu->mode == UT_PG_PSE)
		/* Bits 20:13 are bits 39:32 of a 4 MiB page's address. */
		return leaf && level == 2 ? BIT_ULL(21) : 0;

	reserved = bits(cpu->phys_bits, 51);
	if (cpu->mode == UT_PG_PAE)
		reserved |= bits(52, 62);
	if (!cpu->nxe)
		reserved |= UT_PTE_NX;
	if (leaf && level > 1)
		reserved |= bits(13, 12 + 9 * (level - 1) - 1);
	if (level >= 4)
		reserved |= UT_PTE_PS;
	return reserved;
}

/* The rights of all levels together. */
struct page {
	bool user, writable, executable;
	int key;
};

static bool key_denies(const struct pf_cpu *cpu, const struct page *page,
		       const struct pf_access *access)
{
	bool access_disable = cpu->pkru >> (2 * page->key) & 1;
	bool write_disable = cpu->pkru >> (2 * page->key + 1) & 1;

	if (!cpu->pke || cpu->mode < UT_PG_4LEVEL || access->fetch || !page->user)
		return false;
	if (access_disable)
		return true;
	return access->write && write_disable && (access->user || cpu->wp);
}

static bool supervisor_may(const struct pf_cpu *cpu, const struct page *page,
			   const struct pf_access *access)
{
	if (access->fetch)
		return page->executable && !(page->user && cpu->smep);
	if (page->user && cpu->smap && !access->ac)
		return false;
	return !access->write || page->writable || !cpu->wp;
}

static bool user_may(const struct page *page, const struct pf_access *access)
{
	if (!page->user)
		return false;
	if (access->fetch)
		return page->executable;
	return !access->write || page->writable;
}

static u32 common_error(const struct pf_cpu *cpu, const struct pf_access *access)
{
	bool nx_paging = cpu->nxe && cpu->mode >= UT_PG_PAE;

	return (access->write ? PF_W : 0) | (access->user ? PF_U : 0) |
	       (access->fetch && (nx_paging || cpu->smep) ? PF_I : 0);
}

struct pf_answer pf_model(const struct pf_cpu *cpu, const u64 *entry, int leaf,
			  const struct pf_access *access)
{
	struct page page = { .user = true, .writable = true, .executable = true };
	struct pf_answer answer = { .fault = true, .error = common_error(cpu, access) };
	u32 walked = 0;
	int level;

	for (level = top_level(cpu); level >= leaf; level--) {
		u64 e = entry[level];

		if (!(e & UT_PTE_P)) {
			answer.maybe = walked;
			return answer;
		}
		if (e & pf_reserved(cpu, level, level == leaf)) {
			answer.maybe = walked;
			answer.error |= PF_P | PF_RSVD;
			return answer;
		}
		page.user &= !!(e & UT_PTE_U);
		page.writable &= !!(e & UT_PTE_W);
		page.executable &= cpu->mode < UT_PG_PAE || !(e & UT_PTE_NX);
		walked |= 1u << level;
	}
	page.key = PKEY(entry[leaf]);
	if (key_denies(cpu, &page, access))
		answer.error |= PF_PK;
	if (answer.error & PF_PK ||
	    !(access->user ? user_may(&page, access) : supervisor_may(cpu, &page, access))) {
		answer.error |= PF_P;
		answer.maybe = walked & ~(1u << leaf);
		return answer;
	}
	answer.fault = false;
	answer.error = 0;
	answer.accessed = walked;
	answer.dirty = access->write;
	return answer;
}
