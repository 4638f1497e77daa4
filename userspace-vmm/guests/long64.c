// SPDX-License-Identifier: GPL-2.0
/*
 * 64-bit guest with page tables of its own: 4 KiB, 2 MiB and, where the CPU has
 * them, 1 GiB pages, addresses in the upper half, faults, a base in FS.
 */
#include "trap.h"

#define P		0x001ULL
#define RW		0x002ULL
#define A		0x020ULL
#define D		0x040ULL
#define PS		0x080ULL
#define MSR_FS_BASE	0xc0000100

#define HIGH		0xffff800000000000ULL
#define GIANT		0x0000008000000000ULL

static u64 pml4[512] __attribute__((aligned(4096)));
static u64 low_pdpt[512] __attribute__((aligned(4096)));
static u64 low_pd[512] __attribute__((aligned(4096)));
static u64 high_pdpt[512] __attribute__((aligned(4096)));
static u64 high_pd[512] __attribute__((aligned(4096)));
static u64 high_pt[512] __attribute__((aligned(4096)));
static u64 giant_pdpt[512] __attribute__((aligned(4096)));
static u64 page[512] __attribute__((aligned(4096)));

static u64 link(const u64 *table)
{
	return (u64)table | P | RW;
}

static void switch_tables(void)
{
	u64 i;

	for (i = 0; i < 512; i++)
		low_pd[i] = i << 21 | P | RW | PS;
	low_pdpt[0] = link(low_pd);
	pml4[0] = link(low_pdpt);
	high_pt[5] = link(page);
	high_pd[0] = link(high_pt);
	high_pdpt[0] = link(high_pd);
	pml4[256] = link(high_pdpt);
	giant_pdpt[0] = P | RW | PS;
	pml4[1] = link(giant_pdpt);
	write_cr3((u64)pml4);
	print("long64: runs on page tables of its own\n");
}

static void check_pages(void)
{
	u32 eax, ebx, ecx, edx;

	store64(HIGH + 5 * 4096 + 24, 0x0123456789abcdefULL);
	CHECK(page[3] == 0x0123456789abcdefULL);
	CHECK((high_pt[5] & (A | D)) == (A | D));
	CHECK((low_pd[0] & A) && !(low_pd[100] & (A | D)));
	print("long64: upper half, accessed and dirty bits are right\n");
	cpuid(0x80000001, &eax, &ebx, &ecx, &edx);
	if (!(edx & 1u << 26)) {
		print("long64: this CPU has no 1 GiB pages, not checked\n");
		return;
	}
	CHECK(load64(GIANT + (u64)page + 24) == 0x0123456789abcdefULL);
	CHECK((giant_pdpt[0] & (A | D)) == A);
	print("long64: a 1 GiB page leads where it should\n");
}

static void check_faults(void)
{
	asm volatile(EXPECT_FAULT "movq (%0), %%rax" RESUME_HERE : : "r"(HIGH) : "rax", "memory");
	CHECK(trap.vector == VECTOR_PF && trap.cr2 == HIGH && trap.error == 0);
	/* Not canonical: a general protection fault, and no address. */
	asm volatile(EXPECT_FAULT "movq (%0), %%rax" RESUME_HERE : : "r"(0x800000000000ULL)
		     : "rax", "memory");
	CHECK(trap.vector == VECTOR_GP && trap.error == 0);
	println("long64: faults as expected: ", trap.total);
}

static void check_registers(void)
{
	static u64 data[2] = { 7, 11 };
	u64 value, r15;

	wrmsr(MSR_FS_BASE, (u64)data);
	asm volatile("movq %%fs:8, %0" : "=r"(value) : "m"(data));
	CHECK(value == 11 && rdmsr(MSR_FS_BASE) == (u64)data);
	/* Sixteen registers live through an exit. */
	asm volatile("movq $0x5151, %%r15\n\tcpuid\n\tmovq %%r15, %0" : "=r"(r15) : "a"(0), "c"(0)
		     : "rbx", "rdx", "r15");
	CHECK(r15 == 0x5151);
	print("long64: FS base and upper registers are right\n");
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	(void)info;
	print("long64: 64-bit mode\n");
	CHECK(magic == BOOT_MAGIC);
	trap_setup();
	switch_tables();
	check_pages();
	check_faults();
	check_registers();
	return 0;
}
