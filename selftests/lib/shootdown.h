/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tests of table switches and flushes share: roots beside the library's own, guest
 * accesses that tell how they ended, at both privilege levels, and vCPUs that run at the
 * same time. Must not know what any single test expects.
 */
#ifndef SELFTESTS_SHOOTDOWN_H
#define SELFTESTS_SHOOTDOWN_H

#include <stdint.h>
#include "umbra_util.h"

/* Mapped by nobody: top-level entry 1 is the test's. */
#define SD_WINDOW	0x8000000000ull
/* Mapped by every root, see sd_setup(): code for accesses at CPL 3. */
#define SD_USER_GVA	0x3000000ull

#define SD_CR0_WP	BIT_ULL(16)
#define SD_CR0_PG	BIT_ULL(31)
#define SD_CR4_PGE	BIT_ULL(7)
#define SD_CR4_PCIDE	BIT_ULL(17)
#define SD_CR4_SMEP	BIT_ULL(20)
#define SD_CR4_SMAP	BIT_ULL(21)
#define SD_EFER		0xc0000080u
#define SD_EFER_NX	BIT_ULL(11)
#define SD_PTE_G	BIT_ULL(8)
#define SD_PTE_RW	(UT_PTE_P | UT_PTE_W)
#define SD_PTE_RWU	(UT_PTE_P | UT_PTE_W | UT_PTE_U)

#define SD_GIGABYTE	(1ull << 30)
/* Number of piece @i of huge frame @h. */
#define SD_HUGE_VALUE(h, i)	((u64)(h) << 32 | (u64)(i))

/* Error code of a page fault, and the result of the accesses below: 0 or this. */
#define SD_ERR_P	1ull
#define SD_ERR_W	2ull
#define SD_ERR_U	4ull
#define SD_ERR_RSVD	8ull
#define SD_ERR_I	16ull
#define SD_FAULT(vector, error)	((u64)(vector) | (u64)(error) << 32)
#define SD_PF(error)	SD_FAULT(UT_PF_VECTOR, error)

/* ---- test side ---- */

/* Handlers and user code for the accesses below; before any root is made. */
void sd_setup(struct ut_vm *vm);
/* A new top table with all that the library's has. */
u64 sd_root(struct ut_vm *vm);
/* As ut_pte() and ut_map_level(), below @root. */
u64 *sd_pte(struct ut_vm *vm, u64 root, u64 gva, int level);
void sd_map(struct ut_vm *vm, u64 root, u64 gva, u64 gpa, int level, u64 flags);
/* Guest address of an entry of a table in slot 0, which is mapped at gva = gpa. */
u64 sd_gva(struct ut_vm *vm, const void *hva);
/* A number at the start of a frame, code for sd_exec() and sd_user_exec() behind it. */
void sd_fill_frame(struct ut_vm *vm, u64 gpa, u64 value);
/*
 * Map SD_WINDOW below the library's root by an entry of @level, note in the guest's
 * sd_entry[] where its entries of that level and those above are, make sd_other_root.
 */
void sd_map_window(struct ut_vm *vm, u64 gpa, int level, u64 flags);
/* Is @bit set in the register at @offset of the supported CPUID's leaf? */
bool sd_cpuid(struct ut_vm *vm, u32 function, size_t offset, u32 bit);
/*
 * Slot 1 at @gpa for two frames of @size, 2 MiB or 1 GiB, advised of @advice. Every 4 KiB or
 * 2 MiB of it holds SD_HUGE_VALUE(), the rest of it is untouched. Returns its memory.
 */
void *sd_huge_slot(struct ut_vm *vm, u64 gpa, u64 size, int advice);
/* Run @fn(a, b) on @vcpu until it says UT_DONE. */
void sd_run(struct ut_vcpu *vcpu, void *fn, u64 a, u64 b);
/* Run vCPUs, each in a thread, until all of them have said UT_DONE. */
void sd_run_all(struct ut_vm *vm);

/* ---- guest side; what is not 0 is SD_FAULT() ---- */

u64 sd_read(u64 gva, u64 *value);
u64 sd_write(u64 gva, u64 value);
u64 sd_exec(u64 gva);
u64 sd_user_read(u64 gva, u64 *value);
u64 sd_user_write(u64 gva, u64 value);
u64 sd_user_exec(u64 gva);

/* In the guest: see sd_map_window(). */
extern u64 sd_entry[5], sd_other_root;

enum sd_flush {
	SD_BY_INVLPG,
	SD_BY_CR3,
	SD_BY_PGE,
	SD_BY_WP,
	SD_BY_OTHER_ROOT,
	SD_NFLUSHES,
};

/* Flush at least @gva, if it is not global, in one of several ways. */
void sd_flush(enum sd_flush how, u64 gva);

static inline void guest_write_cr0(u64 v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

/* Wait until @n vCPUs have called this with the same counter. */
void sd_meet(u64 *counter, u64 n);

/* Numbers without an order that anything could be tuned to. */
static inline u64 sd_random(u64 *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/*
 * For a fixture with @vm and @vcpu: a vCPU in long mode, and the test's NFRAMES
 * frames FRAME(i), each filled with VALUE(i).
 */
#define SD_START() do {							\
	int i;								\
									\
	self->vm = ut_vm_long();					\
	sd_setup(self->vm);						\
	for (i = 0; i < NFRAMES; i++)					\
		sd_fill_frame(self->vm, FRAME(i), VALUE(i));		\
	self->vcpu = ut_vcpu_long(self->vm, 0, NULL);			\
} while (0)

#endif
