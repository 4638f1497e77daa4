/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page-table storm: a seed decides how a guest builds, changes, shares and flushes its
 * page tables and what it touches through them. It touches only where the architecture
 * leaves one outcome, so one seed has one log, whatever stands below the guest.
 *
 * The engine (storm_walk.c, storm_model.c, storm_edit.c, storm_engine.c) is guest code and
 * test code at once: it reads memory through storm_ops.phys, changes memory and processor
 * state through the other storm_ops, and calls nothing of the C library. Owns no state:
 * everything is in struct storm_world, which lies where the engine runs.
 */
#ifndef SELFTESTS_STORM_H
#define SELFTESTS_STORM_H

#include "guest.h"

#define PTE_P			BIT_ULL(0)
#define PTE_W			BIT_ULL(1)
#define PTE_U			BIT_ULL(2)
#define PTE_A			BIT_ULL(5)
#define PTE_D			BIT_ULL(6)
#define PTE_PS			BIT_ULL(7)
#define PTE_G			BIT_ULL(8)
#define PTE_NX			BIT_ULL(63)
#define PTE_AD			(PTE_A | PTE_D)
#define PTE_RSVD		BIT_ULL(51)
#define PTE_RSVD_BIG		BIT_ULL(13)
#define PTE_ADDR_MASK		0x000ffffffffff000ull

#define PF_P			BIT_ULL(0)
#define PF_W			BIT_ULL(1)
#define PF_U			BIT_ULL(2)
#define PF_RSVD			BIT_ULL(3)
#define PF_I			BIT_ULL(4)

#define STORM_CPUS		4
#define STORM_ROOTS		4
#define STORM_GVAS		128
#define STORM_OWN		28	/* page frames of each vCPU */
#define STORM_RECORDS		4096	/* of each vCPU: what its log keeps */

/*
 * Memory of the storm, gva = gpa there. Region 0 is the pool of page frames, region 1 a big
 * frame that is everybody's, then two big frames for each vCPU.
 */
#define STORM_BASE		0x1000000ull
#define STORM_STRIDE		0x400000ull
#define STORM_BIG(i)		(STORM_BASE + (u64)(i) * STORM_STRIDE)
#define STORM_SIZE		(STORM_STRIDE * (2 + 2 * STORM_CPUS))
#define STORM_POOL_SIZE		0x200000ull
#define STORM_FRAME(f)		(STORM_BASE + (u64)(f) * UT_PAGE_SIZE)

/* Frames of the pool: roots, tables and data that are everybody's, then the vCPUs' in turn. */
#define STORM_C3		4
#define STORM_C2		5
#define STORM_C1A		6	/* entry i belongs to vCPU i % vCPUs */
#define STORM_C1B		7
#define STORM_CF		8	/* level 1, all entries are everybody's */
#define STORM_CDATA		9
#define STORM_OWN_FIRST		16
/* Entries of the long mode roots, of which vCPU v has TOP_LOW + v and TOP_HIGH + v. */
#define STORM_TOP_COMMON	8
#define STORM_TOP_LOW		16
#define STORM_TOP_HIGH		272
/* The entry of STORM_C2 that vCPU v has is this + v. */
#define STORM_C2_OWN		32

/* What storm_fault() says besides an error code; as in storm_rec.fault. */
#define STORM_FAULT		((u64)UT_PF_VECTOR << 32)

#define STORM_COMMON		0x40	/* owner: everybody, changes between phases only */
#define STORM_NOBODY		0x41	/* owner: not part of the storm */

/* Code is here in every data page: puts the page's number into EAX and jumps to RDI. */
#define STORM_CODE		0x800
#define STORM_CODE_WORD(n)	(0x90e7ff00000000b8ull | (u64)(u32)(n) << 8)

/**
 * struct storm_fmt - a format of guest page tables
 * @name: for messages
 * @levels: number of them
 * @bits: index bits of a level
 * @entry: bytes of an entry
 * @width: bytes of an access to data
 * @big_shift: log2 of the size of a page of level 2
 * @nx: the format has no-execute, and it is on
 * @idx: indexes that the storm uses, by level, 0 to @nidx - 1
 * @nidx: how many, by level
 */
struct storm_fmt {
	const char *name;
	u8 levels;
	u8 bits;
	u8 entry;
	u8 width;
	u8 big_shift;
	bool nx;
	u16 idx[5][8];
	u8 nidx[5];
};

enum storm_kind { STORM_READ, STORM_WRITE, STORM_SWAP, STORM_EXEC };

/**
 * struct storm_access - one access, and what came of it
 * @gva: where
 * @kind: enum storm_kind
 * @user: at privilege level 3
 * @value: in: what to write or add; out: what was read, or the frame that was executed
 * @vector: out: of the exception, 0 when there was none
 * @error: out: its error code
 * @cr2: out: its address
 * @rsp: for the long mode guest: the stack to come back to
 */
struct storm_access {
	u64 gva;
	u64 kind;
	u64 user;
	u64 value;
	u64 vector;
	u64 error;
	u64 cr2;
	u64 rsp;
};

/* Ways to store an entry. */
enum storm_style {
	STORM_MOV, STORM_MOV_HALVES, STORM_XCHG, STORM_CMPXCHG, STORM_CMPXCHG8B, STORM_STOS,
	STORM_MOVS, STORM_LOCK_AND_OR, STORM_BYTE, STORM_XOR, STORM_STYLES
};

struct storm_cpu;

/**
 * struct storm_ops - what the engine does to the machine
 * @phys: the engine's own address of guest-physical memory, not through the tables under test
 *	  unless the engine is the guest
 * @access: execute an access
 * @store: store an entry of 4 or 8 bytes at a linear address, @old is there
 * @fill: fill a page at a linear address with a value, and put code into it unless that is 0
 * @copy: copy a page
 * @invlpg: INVLPG
 * @write_cr: write CR0, CR3 or CR4
 */
struct storm_ops {
	void *(*phys)(struct storm_cpu *cpu, u64 gpa);
	void (*access)(struct storm_cpu *cpu, struct storm_access *access);
	void (*store)(struct storm_cpu *cpu, u64 gva, u64 old, u64 new, int style);
	void (*fill)(struct storm_cpu *cpu, u64 gva, u64 value);
	void (*copy)(struct storm_cpu *cpu, u64 to, u64 from);
	void (*invlpg)(struct storm_cpu *cpu, u64 gva);
	void (*write_cr)(struct storm_cpu *cpu, int nr, u64 value);
};

/* What a record of the log is about. */
enum storm_op {
	STORM_OP_ACCESS, STORM_OP_STORE, STORM_OP_INVLPG, STORM_OP_CR0, STORM_OP_CR3, STORM_OP_CR4,
	STORM_OP_TO_TABLE, STORM_OP_TO_DATA, STORM_OP_COPY, STORM_OP_PHASE, STORM_OPS
};

/**
 * struct storm_rec - one record of the log
 * @step: step of the vCPU
 * @op: enum storm_op
 * @detail: kind, privilege level, style or register
 * @gva: linear address
 * @value: what was read, written, or put into a register
 * @fault: vector << 32 | error code
 * @cr2: address of the fault
 * @expect: what the model says that @value must be, or of the fault: not part of the hash
 */
struct storm_rec {
	u32 step;
	u16 op;
	u16 detail;
	u64 gva;
	u64 value;
	u64 fault;
	u64 cr2;
	u64 expect;
};

/*
 * What is known of a linear page and the processor's caches, per vCPU. Not clean: the
 * outcome of an access is not determined before a flush.
 */
#define STORM_HARD		0x01	/* may be cached as something else */
#define STORM_LOOSE		0x02	/* may be cached with fewer rights */
#define STORM_STALE_AD		0x04	/* may be cached with accessed or dirty bits of old */
#define STORM_GLOBAL		0x08	/* may be cached as global */
#define STORM_SMALL		0x10	/* may be cached as a page of level 1 */
#define STORM_STALE		(STORM_HARD | STORM_LOOSE | STORM_STALE_AD)

enum storm_role { STORM_DATA, STORM_TABLE };

/**
 * struct storm_path - a walk through the guest's tables
 * @n: entries used
 * @at: their guest-physical addresses
 * @value: what they were
 * @present: it ends at a page
 * @rsvd: it ends at an entry with reserved bits
 * @odd: uses what the storm does not define: another's entry, a page that is no table
 * @w: rights of all entries together
 * @u: rights of all entries together
 * @nx: rights of all entries together
 * @level: where it ends
 * @gpa: the address it ends at, if @present
 */
struct storm_path {
	u32 n;
	u64 at[4];
	u64 value[4];
	bool present, rsvd, odd, w, u, nx;
	int level;
	u64 gpa;
};

/**
 * struct storm_cpu - the engine's state for one vCPU
 * @world: what it belongs to
 * @id: number
 * @random: state of the generator
 * @hash: of the log so far
 * @records: number of records so far, kept are the last STORM_RECORDS
 * @step: number of steps
 * @root: the current one
 * @wp: CR0.WP
 * @smep: CR4.SMEP
 * @smap: CR4.SMAP
 * @pge: CR4.PGE
 * @leader: alone, may change what is everybody's
 * @wrong: what the model found wrong, a literal, or NULL
 * @path: then: the walks of the pages in question, as they were before
 * @nr_gvas: number of linear pages
 * @first_common: the first that is reached through tables of everybody
 * @gva: linear pages
 * @next: index of the page after it, or -1
 * @flag: STORM_HARD and so on, by page
 * @recent: pages whose tables changed last
 * @role: what the own frames are, enum storm_role
 * @level: and if tables: of what level
 * @count: steps by what came of them, see storm_count
 * @log: last records
 */
struct storm_cpu {
	struct storm_world *world;
	u32 id;
	u64 random;
	u64 hash;
	u32 records;
	u32 step;
	u32 root;
	u8 wp, smep, smap, pge;
	u8 leader;
	const char *wrong;
	struct storm_path path[2];
	u32 nr_gvas;
	u32 first_common;
	u64 gva[STORM_GVAS];
	int16_t next[STORM_GVAS];
	u8 flag[STORM_GVAS];
	u8 recent[8];
	u8 role[STORM_OWN];
	u8 level[STORM_OWN];
	u32 count[8];
	struct storm_rec log[STORM_RECORDS];
};

enum storm_count {
	STORM_N_OK, STORM_N_FAULT, STORM_N_SKIP, STORM_N_LOOSE, STORM_N_EDIT, STORM_N_FLUSH,
	STORM_N_ALIAS, STORM_N_ROLE
};

/**
 * struct storm_world - a storm
 * @fmt: format of the tables
 * @ops: how to do things
 * @mem: for @ops: where STORM_BASE is
 * @job: for @ops
 * @seed: of everything
 * @nr_cpus: vCPUs
 * @steps: steps of each vCPU
 * @cr0: CR0 with WP clear
 * @cr4: CR4 with PGE, SMEP, SMAP clear
 * @has_smep: the processor has it
 * @has_smap: the processor has it
 * @arrived: vCPUs at the barrier
 * @turn: number of the barrier
 * @stop: somebody found something wrong
 */
struct storm_world {
	const struct storm_fmt *fmt;
	const struct storm_ops *ops;
	void *mem;
	void *job;
	u64 seed;
	u32 nr_cpus;
	u32 steps;
	u64 cr0;
	u64 cr4;
	u8 has_smep;
	u8 has_smap;
	u32 arrived;
	u32 turn;
	u32 stop;
	struct storm_cpu cpu[STORM_CPUS];
};

/* storm_walk.c */
extern const struct storm_fmt storm_long, storm_pae, storm_32;
u64 storm_root_gpa(const struct storm_world *world, u32 root);
u64 storm_entry(struct storm_cpu *cpu, u64 gpa);
u32 storm_index(const struct storm_fmt *fmt, u64 gva, int level);
u32 storm_owner(const struct storm_world *world, u64 gpa);
bool storm_own_frame(const struct storm_cpu *cpu, u64 gpa, u32 *k);
u64 storm_own_gpa(const struct storm_cpu *cpu, u32 k);
void storm_walk(struct storm_cpu *cpu, u32 root, u64 gva, struct storm_path *path);
bool storm_uses(const struct storm_path *path, u64 at);
u64 storm_fault(const struct storm_cpu *cpu, const struct storm_path *path,
		const struct storm_access *access);

/* storm_model.c */
u64 storm_random(struct storm_cpu *cpu);
u32 storm_below(struct storm_cpu *cpu, u32 n);
bool storm_chance(struct storm_cpu *cpu, u32 percent);
void storm_record(struct storm_cpu *cpu, const struct storm_rec *rec);
void storm_wrong(struct storm_cpu *cpu, const char *what);
void storm_set_entry(struct storm_cpu *cpu, u64 gpa, u64 gva, u64 new, int style);
void storm_doubt_table(struct storm_cpu *cpu, u64 gpa);
void storm_flush_page(struct storm_cpu *cpu, u32 n);
void storm_load_root(struct storm_cpu *cpu, u32 root);
void storm_flip_pge(struct storm_cpu *cpu);
void storm_flip_rights(struct storm_cpu *cpu);
void storm_flush_somehow(struct storm_cpu *cpu, u32 n);

/* storm_edit.c */
void storm_edit(struct storm_cpu *cpu);
void storm_change_role(struct storm_cpu *cpu);
void storm_fork(struct storm_cpu *cpu);
void storm_fill_data(struct storm_cpu *cpu, u64 gpa, u64 value);

/* storm_init.c */
void storm_init(struct storm_world *world);

/* storm_engine.c */
void storm_build(struct storm_cpu *cpu);
void storm_step(struct storm_cpu *cpu);
void storm_burst(struct storm_cpu *cpu, bool writer);
void storm_lead(struct storm_cpu *cpu, u32 changes);

/* storm_guest.c: the engine in a long mode guest */
extern const struct storm_ops storm_guest_ops;
extern const char storm_user[], storm_user_end[];
#define STORM_USER_GVA		0x60000000000ull
#define STORM_YIELD		1
void storm_guest(u64 world, u64 id);
void storm_guest_fault(struct ut_ex_regs *regs);

#endif
