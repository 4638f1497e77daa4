// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit guest with two-level paging: 4 KiB pages, one 4 MiB page, aliases,
 * accessed and dirty bits, write protection, a remapped page after INVLPG.
 */
#include "trap.h"

#define P		0x001
#define RW		0x002
#define A		0x020
#define D		0x040
#define PS		0x080
#define CR0_WP		(1u << 16)
#define CR0_PG		(1u << 31)
#define CR4_PSE		(1u << 4)

#define ALIAS		0x40000000u
#define LARGE		0x80000000u
#define LARGE_TARGET	0x00800000u
#define HOLE		0xc0000000u

static u32 directory[1024] __attribute__((aligned(4096)));
static u32 low[1024] __attribute__((aligned(4096)));
static u32 alias[1024] __attribute__((aligned(4096)));
static u32 page_a[1024] __attribute__((aligned(4096)));
static u32 page_b[1024] __attribute__((aligned(4096)));

static void switch_on(void)
{
	u32 i;

	for (i = 0; i < 1024; i++)
		low[i] = i << 12 | P | RW;
	alias[0] = (u32)page_a | P | RW;
	directory[0] = (u32)low | P | RW;
	directory[ALIAS >> 22] = (u32)alias | P | RW;
	directory[LARGE >> 22] = LARGE_TARGET | P | RW | PS;
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((u32)directory);
	write_cr0(read_cr0() | CR0_PG);
	print("paging32: paging is on\n");
}

static void check_alias(void)
{
	store32(ALIAS + 8, 0xfeedf00d);
	CHECK(page_a[2] == 0xfeedf00d);
	CHECK((alias[0] & (A | D)) == (A | D));
	page_b[2] = 0x0badcafe;
	alias[0] = (u32)page_b | P | RW;
	flush_page((void *)ALIAS);
	CHECK(load32(ALIAS + 8) == 0x0badcafe);
	CHECK((alias[0] & (A | D)) == A);
	print("paging32: aliases, remapping, accessed and dirty bits are right\n");
}

static void check_large(void)
{
	store32(LARGE + 0x3ffffc, 0x1a46e);
	CHECK((directory[LARGE >> 22] & (A | D)) == (A | D));
	write_cr0(read_cr0() & ~CR0_PG);
	CHECK(load32(LARGE_TARGET + 0x3ffffc) == 0x1a46e);
	write_cr0(read_cr0() | CR0_PG);
	print("paging32: the 4 MiB page leads where it should\n");
}

static void check_faults(void)
{
	asm volatile(EXPECT_FAULT "movl %0, (%1)" RESUME_HERE : : "r"(1), "r"(HOLE) : "memory");
	CHECK(trap.vector == VECTOR_PF && trap.cr2 == HOLE && trap.error == PF_WRITE);
	asm volatile(EXPECT_FAULT "movl (%0), %%eax" RESUME_HERE : : "r"(ALIAS + 0x5004)
		     : "eax", "memory");
	CHECK(trap.vector == VECTOR_PF && trap.cr2 == ALIAS + 0x5004 && trap.error == 0);
	alias[0] = (u32)page_b | P;
	flush_page((void *)ALIAS);
	store32(ALIAS, 1);		/* the supervisor may, as long as CR0.WP is clear */
	write_cr0(read_cr0() | CR0_WP);
	asm volatile(EXPECT_FAULT "movl %0, (%1)" RESUME_HERE : : "r"(2), "r"(ALIAS) : "memory");
	CHECK(trap.vector == VECTOR_PF && trap.cr2 == ALIAS);
	CHECK(trap.error == (PF_PRESENT | PF_WRITE) && page_b[0] == 1);
	println("paging32: page faults as expected: ", trap.count[VECTOR_PF]);
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	(void)info;
	print("paging32: 32-bit protected mode with two-level page tables\n");
	CHECK(magic == BOOT_MAGIC);
	trap_setup();
	switch_on();
	check_alias();
	check_large();
	check_faults();
	CHECK(trap.total == 3);
	return 0;
}
