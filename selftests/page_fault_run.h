/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs cases of page_fault_test.c in a guest, many in one entry of the guest, and compares each
 * access with page_fault_model.h: fault, error code, CR2, data, accessed and dirty bits. Must
 * not know which cases are worth running.
 */
#ifndef SELFTESTS_PAGE_FAULT_RUN_H
#define SELFTESTS_PAGE_FAULT_RUN_H

#include "page_fault_model.h"

#define PF_ACCESSES	8
#define PF_MAX_LEAF	3
#define PF_NR_DATA	4

/* State of the processor, in struct pf_case. */
#define PF_WP		1u
#define PF_SMEP		2u
#define PF_SMAP		4u
#define PF_NXE		8u
#define PF_ALL_BITS	15u
#define PF_PKE		16u

enum pf_flush {
	PF_FLUSH_CR3,
	PF_FLUSH_INVLPG,
	PF_FLUSH_NONE,
};

/**
 * struct pf_data - a page that accesses go to
 * @gpa: the page
 * @word: what the test expects in it
 */
struct pf_data {
	u64 gpa;
	u32 word;
};

/**
 * struct pf_place - a page of one size under test
 * @leaf: level of the entry that maps it
 * @gva: its address
 * @at: gpa of its entries, by level
 * @table: by level of an entry above the leaf, the table it refers to
 * @frame: two frames for the leaf
 * @data: by frame, the page in it that accesses go to
 * @state: private: its entries now
 */
struct pf_place {
	int leaf;
	u64 gva;
	u64 at[PF_MAX_LEVEL + 1];
	u64 table[PF_MAX_LEVEL + 1];
	u64 frame[2];
	struct pf_data *data[2];
	u64 state[PF_MAX_LEVEL + 1];
};

/**
 * struct pf_case - entries, state of the processor, then all accesses one after the other
 * @place: the page
 * @entry: its entries, by level; the leaf with place->frame[@frame]
 * @frame: see @entry
 * @keep: do not write the entries, they are as they were
 * @cpu: PF_WP ...
 * @pkru: PKRU, with PF_PKE
 * @flush: what makes the entries count
 * @first: the access to begin with
 * @step: 0, or twice this and one more is the distance to the next: what follows what matters
 * @accesses: how many; beyond PF_ACCESSES all are done again, on what the first round left
 * @op: private: its first access
 */
struct pf_case {
	struct pf_place *place;
	u64 entry[PF_MAX_LEVEL + 1];
	int frame;
	bool keep;
	u32 cpu;
	u32 pkru;
	enum pf_flush flush;
	int first;
	int step;
	int accesses;
	u32 op;
};

/**
 * struct pf_guest - a guest and the cases that wait to be run in it
 * @g: the guest
 * @top: level of the highest entries under test: PDPTEs of PAE are not
 * @place: by level of the leaf; @leaf of 0: no such page in this mode
 * @phys_bits: width of physical addresses
 * @cpu: PF_WP ... that make sense with this processor
 * @nested: the processor walks the guest's tables
 * @emulated: that is QEMU's processor (TCG), which departs from the manuals
 * @done: accesses compared
 * @wrong: of those, how many were not as they should be
 */
struct pf_guest {
	struct ut_pg *g;
	int top;
	struct pf_place place[PF_MAX_LEAF + 1];
	int phys_bits;
	u32 cpu;
	bool nested;
	bool emulated;
	u64 done;
	u64 wrong;
	/* private */
	struct pf_data data[PF_NR_DATA];
	struct pf_case *queue;
	u32 queued, nr_ops;
	u64 cr0, cr4, efer;
	u32 now_cpu, now_pkru;
	u32 value;
};

/* A guest of one vCPU, with PF_NXE and PF_WP set. */
struct pf_guest *pf_guest_new(enum ut_paging mode);
void pf_guest_free(struct pf_guest *pg);
/* Another page like @place at its address plus @offset; the tables are shared where possible. */
struct pf_place pf_neighbour(struct pf_guest *pg, const struct pf_place *place, u64 offset);
/* Put @c at the end of the queue; it is run now or later. */
void pf_add(struct pf_guest *pg, const struct pf_case *c);
/* Run what is queued and compare. Prints the first wrong accesses. */
void pf_finish(struct pf_guest *pg);
/* The model's view of the processor. */
struct pf_cpu pf_cpu_of(const struct pf_guest *pg, u32 cpu, u32 pkru);

#endif
