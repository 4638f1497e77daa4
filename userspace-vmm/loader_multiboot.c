// SPDX-License-Identifier: GPL-2.0
/*
 * Multiboot 1 images: those whose header holds addresses, and ELF files.
 *
 * Either starts in 32-bit protected mode without paging, as the specification
 * wants. Modules and video modes are not offered.
 */
#include <string.h>

#include "loader.h"
#include "multiboot.h"

/**
 * multiboot_find() - Look for a Multiboot header.
 * @image: file read
 *
 * Return: the header within the file, or NULL.
 */
const u8 *multiboot_find(const struct image *image)
{
	size_t end = image->size < MULTIBOOT_SEARCH ? image->size : MULTIBOOT_SEARCH;
	u32 words[3];
	size_t i;

	for (i = 0; i + sizeof(words) <= end; i += 4) {
		memcpy(words, image->data + i, sizeof(words));
		if (words[0] == MULTIBOOT_HEADER_MAGIC && words[0] + words[1] + words[2] == 0)
			return image->data + i;
	}
	return NULL;
}

static int parse_addresses(struct image *image, const u8 *at)
{
	struct image_segment segment = { 0 };
	struct multiboot_header h;
	u64 offset = at - image->data;
	u32 lead;

	if (image->size - offset < sizeof(h))
		return image_refuse(image, "the multiboot header is cut off");
	memcpy(&h, at, sizeof(h));
	lead = h.header_addr - h.load_addr;
	if (h.header_addr < h.load_addr || lead > offset)
		return image_refuse(image, "the multiboot header is loaded from before the file");
	segment.offset = offset - lead;
	segment.gpa = h.load_addr;
	segment.file_size = image->size - segment.offset;
	if (h.load_end_addr) {
		if (h.load_end_addr < h.load_addr)
			return image_refuse(image, "multiboot: load_end_addr before load_addr");
		segment.file_size = h.load_end_addr - h.load_addr;
	}
	segment.mem_size = segment.file_size;
	if (h.bss_end_addr) {
		if (h.bss_end_addr < h.load_addr + segment.file_size)
			return image_refuse(image, "multiboot: bss_end_addr before the data's end");
		segment.mem_size = h.bss_end_addr - h.load_addr;
	}
	image->entry = h.entry_addr;
	return image_add(image, &segment);
}

/**
 * multiboot_parse() - Find what to load and where to start.
 * @image: file read
 * @header: from multiboot_find()
 *
 * Return: 0, or -1 after a message.
 */
int multiboot_parse(struct image *image, const u8 *header)
{
	u32 flags;

	memcpy(&flags, header + 4, sizeof(flags));
	if (flags & MULTIBOOT_REQUIRED & ~(MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO))
		return image_refuse(image, "multiboot flags 0x%x ask for more than is offered",
				    flags & MULTIBOOT_REQUIRED);
	image->multiboot = true;
	image->mode = MODE_PROTECTED;
	if (flags & MULTIBOOT_ADDRESSES)
		return parse_addresses(image, header);
	if (!elf_recognise(image))
		return image_refuse(image, "a multiboot image with neither addresses nor ELF");
	if (elf_parse(image))
		return -1;
	image->mode = MODE_PROTECTED;
	return 0;
}
