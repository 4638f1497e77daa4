// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit guest with PAE paging: three levels, 2 MiB and 4 KiB pages, a changed
 * page-directory pointer, no-execute where the CPU has it.
 */
#include "trap.h"

#define P		0x001ULL
#define RW		0x002ULL
#define A		0x020ULL
#define D		0x040ULL
#define PS		0x080ULL
#define NX		(1ULL << 63)
#define CR0_PG		(1u << 31)
#define CR4_PAE		(1u << 5)
#define MSR_EFER	0xc0000080
#define EFER_NXE	(1u << 11)

#define ALIAS		0x40000000u
#define OTHER		0x80000000u

static u64 pointers[4] __attribute__((aligned(32)));
static u64 low[512] __attribute__((aligned(4096)));
static u64 middle[512] __attribute__((aligned(4096)));
static u64 table[512] __attribute__((aligned(4096)));
static u32 page[1024] __attribute__((aligned(4096)));

static void switch_on(void)
{
	u32 i;

	for (i = 0; i < 512; i++)
		low[i] = (u64)i << 21 | P | RW | PS;
	middle[0] = (u32)table | P | RW;
	table[511] = (u32)page | P | RW;
	pointers[0] = (u32)low | P;
	pointers[1] = (u32)middle | P;
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((u32)pointers);
	write_cr0(read_cr0() | CR0_PG);
	print("pae: three-level paging is on\n");
}

static void check_small(void)
{
	store32(ALIAS + 511 * 4096 + 16, 0xface);
	CHECK(page[4] == 0xface);
	CHECK((table[511] & (A | D)) == (A | D));
	CHECK((low[0] & A) && (low[0] & PS));
	print("pae: 4 KiB and 2 MiB pages are right\n");
}

/* The four pointers are read when CR3 is loaded, and not before. */
static void check_pointers(void)
{
	asm volatile(EXPECT_FAULT "movl (%0), %%eax" RESUME_HERE : : "r"(OTHER + 511 * 4096)
		     : "eax", "memory");
	CHECK(trap.vector == VECTOR_PF && trap.error == 0);
	pointers[2] = (u32)middle | P;
	write_cr3((u32)pointers);
	CHECK(load32(OTHER + 511 * 4096 + 16) == 0xface);
	print("pae: a new page-directory pointer counts once CR3 is loaded\n");
}

static void check_nx(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid(0x80000001, &eax, &ebx, &ecx, &edx);
	if (!(edx & 1u << 20)) {
		print("pae: this CPU has no NX, not checked\n");
		return;
	}
	*(u8 *)page = 0xc3;	/* RET */
	asm volatile("call *%0" : : "r"(ALIAS + 511 * 4096) : "memory");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	table[511] |= NX;
	flush_page((void *)(ALIAS + 511 * 4096));
	asm volatile("movl %%esp, %%esi\n\t" EXPECT_FAULT "call *%0" RESUME_HERE
		     "\n\tmovl %%esi, %%esp" : : "r"(ALIAS + 511 * 4096) : "esi", "memory");
	CHECK(trap.vector == VECTOR_PF && trap.error == (PF_PRESENT | PF_FETCH));
	CHECK(trap.cr2 == ALIAS + 511 * 4096 && trap.ip == trap.cr2);
	print("pae: no-execute stops a fetch and nothing else\n");
	CHECK(load32(ALIAS + 511 * 4096 + 16) == 0xface);
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	(void)info;
	print("pae: 32-bit protected mode with PAE\n");
	CHECK(magic == BOOT_MAGIC);
	trap_setup();
	switch_on();
	check_small();
	check_pointers();
	check_nx();
	println("pae: page faults as expected: ", trap.count[VECTOR_PF]);
	return 0;
}
