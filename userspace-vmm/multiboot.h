/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multiboot 1: header in the image, information structure for the guest.
 *
 * Names follow the specification's field names.
 */
#ifndef UMBRA_VMM_MULTIBOOT_H
#define UMBRA_VMM_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_HEADER_MAGIC	0x1badb002u
#define MULTIBOOT_BOOT_MAGIC	0x2badb002u
#define MULTIBOOT_SEARCH	8192

#define MULTIBOOT_PAGE_ALIGN	(1u << 0)
#define MULTIBOOT_MEMORY_INFO	(1u << 1)
#define MULTIBOOT_ADDRESSES	(1u << 16)
#define MULTIBOOT_REQUIRED	0xffffu

#define MULTIBOOT_INFO_MEMORY	(1u << 0)
#define MULTIBOOT_INFO_CMDLINE	(1u << 2)
#define MULTIBOOT_INFO_MMAP	(1u << 6)
#define MULTIBOOT_INFO_LOADER	(1u << 9)

struct multiboot_header {
	u32 magic;
	u32 flags;
	u32 checksum;
	u32 header_addr;
	u32 load_addr;
	u32 load_end_addr;
	u32 bss_end_addr;
	u32 entry_addr;
};

struct multiboot_info {
	u32 flags;
	u32 mem_lower;
	u32 mem_upper;
	u32 boot_device;
	u32 cmdline;
	u32 mods_count;
	u32 mods_addr;
	u32 syms[4];
	u32 mmap_length;
	u32 mmap_addr;
	u32 drives_length;
	u32 drives_addr;
	u32 config_table;
	u32 boot_loader_name;
	u32 apm_table;
};

struct multiboot_mmap {
	u32 size;
	u64 addr;
	u64 len;
	u32 type;
} __attribute__((packed));

#endif
