// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit guest without paging: flat segments, memory from end to end, segment
 * reloads, a data segment with a base, 64-bit arithmetic in 32-bit code.
 */
#include "guest.h"

#define SPARE_SELECTOR	0x30

static u64 gdt[7] __attribute__((aligned(8)));

/* One word in every MiB, written first and read after, finds memory that folds. */
static void check_memory(const struct boot_info *info)
{
	u32 top = (info->mem_upper >> 10) + 1;
	u32 first = ((u32)(unsigned long)image_end >> 20) + 1;
	u32 mib;

	for (mib = first; mib < top; mib++) {
		CHECK(load32(mib << 20) == 0);
		store32(mib << 20, ~mib);
	}
	for (mib = first; mib < top; mib++)
		CHECK(load32(mib << 20) == ~mib);
	println("prot32: memory checked, MiB: ", top);
}

static u64 data_descriptor(u32 base, u32 limit)
{
	return (u64)(base & 0xff000000) << 32 | (u64)(base & 0xffffff) << 16 |
	       (u64)(limit & 0xf0000) << 32 | (limit & 0xffff) | 0x0040930000000000ULL;
}

static void check_segments(void)
{
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) gdtr;
	static u32 target[4] = { 1, 2, 3, 4 };
	u32 value, limit;

	asm volatile("sgdt %0" : "=m"(gdtr));
	memcpy(gdt, (void *)gdtr.base, gdtr.limit + 1 < 48 ? gdtr.limit + 1 : 48);
	gdt[SPARE_SELECTOR / 8] = data_descriptor((u32)target, 11);
	gdtr.base = (u32)gdt;
	gdtr.limit = sizeof(gdt) - 1;
	asm volatile("lgdt %0" : : "m"(gdtr), "m"(gdt));
	asm volatile("mov %0, %%fs" : : "r"(SPARE_SELECTOR));
	asm volatile("mov %%fs:8, %0" : "=r"(value) : "m"(target));
	CHECK(value == 3);
	asm volatile("lsl %1, %0" : "=r"(limit) : "r"(SPARE_SELECTOR));
	CHECK(limit == 11);
	asm volatile("ljmp $0x08, $1f\n1:" : : : "memory");
	print("prot32: descriptor table replaced, segment with a base used\n");
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	u64 product = 1;
	u32 i;

	print("prot32: 32-bit protected mode without paging\n");
	CHECK(magic == BOOT_MAGIC);
	CHECK((read_cr0() & 0x80000001) == 1);
	check_memory(info);
	check_segments();
	for (i = 2; i <= 20; i++)
		product *= i;
	CHECK(product == 2432902008176640000ULL);
	println("prot32: 20! = ", product);
	return 0;
}
