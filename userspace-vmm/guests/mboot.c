// SPDX-License-Identifier: GPL-2.0
/*
 * Multiboot guest: checks what the boot protocol promises and prints the memory
 * map and the command line.
 */
#include "guest.h"

#define INFO_MEMORY	(1u << 0)
#define INFO_CMDLINE	(1u << 2)
#define INFO_MMAP	(1u << 6)

struct range {
	u32 size;
	u64 addr;
	u64 len;
	u32 type;
} __attribute__((packed));

/* Zeroed by the loader, not by the start code: proves that .bss came out right. */
static u32 zeroes[4096];

u32 guest_main(const struct boot_info *info, u32 magic)
{
	const struct range *r = (const struct range *)info->mmap_addr;
	const void *end = (const u8 *)r + info->mmap_length;
	u64 usable = 0;
	u32 i;

	print("mboot: started by the Multiboot protocol\n");
	CHECK(magic == BOOT_MAGIC);
	CHECK((info->flags & (INFO_MEMORY | INFO_CMDLINE | INFO_MMAP)) ==
	      (INFO_MEMORY | INFO_CMDLINE | INFO_MMAP));
	for (i = 0; i < ARRAY_SIZE(zeroes); i++)
		CHECK(zeroes[i] == 0);
	for (; (const void *)r < end; r = (const struct range *)((const u8 *)r + r->size + 4)) {
		print("mboot: memory at ");
		print_hex(r->addr);
		println(", KiB: ", r->len >> 10);
		usable += r->len;
	}
	CHECK(usable >> 10 == info->mem_lower + info->mem_upper);
	print("mboot: command line '");
	print((const char *)info->cmdline);
	print("'\n");
	return 0;
}
