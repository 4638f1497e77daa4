/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests in every paging mode, for tests of page faults, TLBs and page tables: a VM whose vCPUs
 * execute lists of small operations (accesses at CPL 0 or 3, writes of page-table entries and
 * control registers, flushes) and record for each whether it faulted, how, and what it read.
 * The guest's part is assembler (paging_engine.S), because these guests are 16-, 32- and 64-bit.
 * Must not know what any test expects, nor how a hypervisor translates.
 *
 *	struct ut_pg *g = ut_pg_new(UT_PG_PAE, 1);
 *	u64 pte = ut_pg_map(g, g->root, 0x80000000, UT_PG_FREE, 1, UT_PTE_W);
 *	struct ut_pg_op *op = ut_pg_ops(g, 0);
 *
 *	op[0] = UT_PG_OP(READ, .addr = 0x80000000);
 *	op[1] = UT_PG_OP(READ, .addr = 0x80000000, .flags = UT_PG_USER);
 *	op[2] = UT_PG_OP(SET8, .addr = pte, .value = 0);
 *	op[3] = UT_PG_OP(INVLPG, .addr = 0x80000000);
 *	op[4] = UT_PG_OP(WRITE, .addr = 0x80000000, .value = 1);
 *	ut_pg_run(g, 0, 5);
 *
 * Now op[0].vector is UT_PG_NO_FAULT, op[1] and op[4] have vector 14, error code and cr2.
 */
#ifndef SELFTESTS_PAGING_H
#define SELFTESTS_PAGING_H

/*
 * Guest-physical map. Below UT_PG_SYSTEM everything is mapped at gva = gpa by 4 KiB pages for
 * CPL 0 only, but UT_PG_USER_CODE for both; every root made by ut_pg_new_root() has that.
 */
#define UT_PG_IDT		0x1000
#define UT_PG_CODE		0x2000
#define UT_PG_USER_CODE		0x3000
#define UT_PG_AREAS		0x10000		/* one for each vCPU */
#define UT_PG_AREA_SIZE		0x2000
#define UT_PG_TABLES		0x30000		/* page tables, by ut_pg_alloc() */
#define UT_PG_OPS		0x200000	/* operations, the same share for each vCPU */
#define UT_PG_SYSTEM		0x400000
#define UT_PG_FREE		0x400000	/* the test's own, not mapped */
#define UT_PG_MEM		0x1000000
#define UT_PG_MAX_VCPUS		16

/* Inside an area: stack below, then the control words, GDT, TSS. */
#define UT_PG_CTL		0x1000
#define UT_PG_GDT		0x1100
#define UT_PG_TSS		0x1200

/* The data of this port says that a list is done. */
#define UT_PG_PORT		0x5e4

/* Operations. Accesses are 4 bytes unless the name says otherwise. */
#define UT_PG_READ		0	/* got = *addr; UT_PG_USER, UT_PG_AC */
#define UT_PG_WRITE		1	/* *addr = value; UT_PG_USER, UT_PG_AC */
#define UT_PG_FETCH		2	/* jump to addr, to UT_PG_RETURN; got = EAX; UT_PG_USER */
#define UT_PG_SET8		3	/* CPL 0; outside 64-bit code: high half first, then low */
#define UT_PG_LOAD8		4
#define UT_PG_CR0		5	/* write value */
#define UT_PG_CR3		6
#define UT_PG_CR4		7
#define UT_PG_WRMSR		8	/* MSR addr = value */
#define UT_PG_INVLPG		9	/* addr */
#define UT_PG_INVPCID		10	/* type flags, PCID value, addr */
#define UT_PG_WRPKRU		11	/* value */
#define UT_PG_XCHG		12	/* LOCK XCHG: got = *addr, *addr = value */
#define UT_PG_GETCR0		13	/* got = CR0 */
#define UT_PG_GETCR2		14
#define UT_PG_GETCR3		15
#define UT_PG_GETCR4		16
#define UT_PG_RDMSR		17	/* got = MSR addr */
#define UT_PG_CR2		18	/* write value */
#define UT_PG_NR_OPS		19

#define UT_PG_USER		1	/* at CPL 3 */
#define UT_PG_AC		2	/* RFLAGS.AC set: SMAP does not apply */

/* Code that UT_PG_FETCH may jump to, in all modes: "jmp *%rdi". */
#define UT_PG_RETURN		0xe7ff

#define UT_PG_NO_FAULT		0x100	/* struct ut_pg_op.vector */
#define UT_PG_NOT_RUN		0x200

/* Offsets for the assembler. */
#define UT_PG_OP_FLAGS		4
#define UT_PG_OP_VALUE		8
#define UT_PG_OP_ADDR		16
#define UT_PG_OP_GOT		24
#define UT_PG_OP_CR2		32
#define UT_PG_OP_VECTOR		40
#define UT_PG_OP_ERROR		44
#define UT_PG_OP_SIZE		48

#ifndef __ASSEMBLER__

#include "umbra_util.h"

enum ut_paging {
	UT_PG_REAL,	/* real mode with 4 GiB data segments; no faults, no CPL 3 */
	UT_PG_NONE,	/* 32-bit protected mode, CR0.PG clear */
	UT_PG_2LEVEL,	/* CR4.PSE clear */
	UT_PG_PSE,	/* two levels, 4 MiB pages */
	UT_PG_PAE,
	UT_PG_4LEVEL,
	UT_PG_5LEVEL,
	UT_PG_MODES,
};

/**
 * struct ut_pg_op - one operation and its result
 * @op: UT_PG_READ ...
 * @flags: UT_PG_USER, UT_PG_AC; for UT_PG_INVPCID its type
 * @value: input
 * @addr: input, a linear address or the number of an MSR
 * @got: what was read
 * @cr2: CR2 after a fault
 * @vector: UT_PG_NO_FAULT, UT_PG_NOT_RUN, or the fault's vector
 * @error: its error code, 0 for vectors without one
 */
struct ut_pg_op {
	u32 op;
	u32 flags;
	u64 value;
	u64 addr;
	u64 got;
	u64 cr2;
	u32 vector;
	u32 error;
};

#define UT_PG_OP(name, ...) ((struct ut_pg_op){ .op = UT_PG_##name, \
						.vector = UT_PG_NOT_RUN, ##__VA_ARGS__ })

/**
 * struct ut_pg - one guest
 * @vm: its VM: slot 0 is UT_PG_MEM bytes at gpa 0
 * @mode: paging mode of all vCPUs
 * @levels: levels of tables (0 without paging); level 1 is the last
 * @entry_size: bytes of an entry, 4 or 8
 * @root: value for CR3 the vCPUs start with
 * @next: next free page for tables
 * @max_ops: operations one vCPU's list has room for
 */
struct ut_pg {
	struct ut_vm *vm;
	enum ut_paging mode;
	int levels;
	int entry_size;
	u64 root;
	u64 next;
	u32 max_ops;
};

const char *ut_pg_name(enum ut_paging mode);
/* Does the device offer what @mode needs (5-level: LA57 in its CPUID)? */
bool ut_pg_supported(enum ut_paging mode);

/*
 * A VM of @nr_vcpus vCPUs in @mode at CPL 0, interrupts off: CR0.WP and EFER.NXE set (the latter
 * with 8-byte entries), SMEP, SMAP and PKE off.
 */
struct ut_pg *ut_pg_new(enum ut_paging mode, int nr_vcpus);
void ut_pg_free(struct ut_pg *g);

/* A zeroed page for a table (below UT_PG_SYSTEM, so the guest can write it); its gpa. */
u64 ut_pg_alloc(struct ut_pg *g);
/* Another root (a value for CR3) with the system's mappings only. */
u64 ut_pg_new_root(struct ut_pg *g);
/*
 * The gpa of the entry for @gva at @level below @root. Tables above it are made if missing, with
 * all rights and A set. Entries have g->entry_size bytes.
 */
u64 ut_pg_entry(struct ut_pg *g, u64 root, u64 gva, int level);
/*
 * Map the page of @level at @gva to @gpa; @flags: UT_PTE_*, P and for @level > 1 PS are implied.
 * Returns the gpa of its entry.
 */
u64 ut_pg_map(struct ut_pg *g, u64 root, u64 gva, u64 gpa, int level, u64 flags);
/*
 * The test's own reads and writes of an entry. Where guest tables are shadowed, such a write is
 * not seen before user space sets registers: let the guest write tables that it has used.
 */
u64 ut_pg_get(struct ut_pg *g, u64 gpa);
void ut_pg_put(struct ut_pg *g, u64 gpa, u64 entry);
/* Address bits below a page of @level: 12, 21, 22, 30 ... */
int ut_pg_shift(const struct ut_pg *g, int level);
/* Fill the page at @gpa so that UT_PG_FETCH may jump to any multiple of 4 in it. */
void ut_pg_fill_code(struct ut_pg *g, u64 gpa);

/* The list of vCPU number @n, for ut_pg_run(). */
struct ut_pg_op *ut_pg_ops(struct ut_pg *g, int n);
/* Let vCPU number @n execute the first @count operations of its list from the next run on. */
void ut_pg_start(struct ut_pg *g, int n, u32 count);
/*
 * Run vCPU number @n until its list is done: 0. On any other exit that exit's reason (never 0);
 * call it again to go on.
 */
u32 ut_pg_resume(struct ut_pg *g, int n);
/* The operation that vCPU number @n is at. */
struct ut_pg_op *ut_pg_current(struct ut_pg *g, int n);
/* Start and run to the end; an exit in between ends the test. */
void ut_pg_run(struct ut_pg *g, int n, u32 count);
/* "read at CPL 3, gva 0x1000" and the result, into @buf. */
const char *ut_pg_describe(const struct ut_pg_op *op, char *buf, size_t size);

#endif
#endif
