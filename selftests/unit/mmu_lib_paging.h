/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests with tables of their own for tests of single properties of the modes
 * without nested tables: the guest's tables are pages 0 to 63 of its memory, its
 * data begins at 2 MiB, over host memory that nobody reads.
 */
#ifndef UMBRA_UNIT_MMU_LIB_PAGING_H
#define UMBRA_UNIT_MMU_LIB_PAGING_H

#include "mmu_lib.h"
#include "mmu/shadow.h"

#define TABLES	64
#define DATA	0x200u
#define PAGES	0x1000u
#define HVA	0x7f0000000000UL
#define ALL	(E_P | E_W | E_U | E_A | E_D)

/* The guest's tables, as it wrote them. */
extern u64 paging_mem[TABLES][512];

/* A VM in @mode with @nr vCPUs and both slots; 0 or -1. */
int paging_setup(enum umbra_mmu_mode mode, int nr);
/* The slot with the data. */
struct umbra_memslot *paging_data(void);
/* Registers for so many levels, the root in page @root. */
void paging_mode(struct umbra_vcpu *v, int levels, unsigned int root);
/* 4 levels: root 0, then 1, 2, and leaves in 3, all for addresses from 0. */
void paging_build4(void);

/* An entry that nobody is told of; of 4 bytes; one that the emulator writes. */
void put(unsigned int table, unsigned int index, u64 e);
void put4(unsigned int table, unsigned int index, u64 e);
void store(unsigned int table, unsigned int index, u64 e);

static inline u64 to(u64 gfn, u64 flags)
{
	return gfn << 12 | flags;
}

/* What the first vCPU's tables hold for @gva: entry, level (0: none), frame. */
u64 leaf(gva_t gva);
int level_at(gva_t gva);
u64 gfn_at(gva_t gva);

/* A page fault: the verdict. */
int fault_of(struct umbra_vcpu *v, gva_t gva, u32 access);
int fault(gva_t gva, u32 access);
/* The access is served, and goes where it should. */
void map(gva_t gva, u32 access, u64 gfn);

/* Shadow tables for @gfn at @level: some one, and how many. */
struct umbra_sp *find(gfn_t gfn, int level);
int nr_of(gfn_t gfn, int level);

#endif
