// SPDX-License-Identifier: GPL-2.0
/*
 * ELF executables for i386 and x86-64, read with libelf: PT_LOAD segments go to
 * their physical addresses.
 *
 * Every number in the file is somebody else's: image_add() checks what is used.
 */
#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "loader.h"

/**
 * elf_recognise() - Whether the file claims to be ELF.
 * @image: file read
 *
 * Return: true when it begins with the magic number.
 */
bool elf_recognise(const struct image *image)
{
	return image->size >= SELFMAG && !memcmp(image->data, ELFMAG, SELFMAG);
}

static int check_header(struct image *image, const GElf_Ehdr *header)
{
	bool long_mode = header->e_ident[EI_CLASS] == ELFCLASS64;

	if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != (long_mode ? EM_X86_64 : EM_386))
		return image_refuse(image, "an ELF file for another kind of machine");
	if (header->e_type != ET_EXEC)
		return image_refuse(image, "ELF, but not an executable with fixed addresses");
	if (header->e_version != EV_CURRENT)
		return image_refuse(image, "unknown version of ELF");
	image->mode = long_mode ? MODE_LONG : MODE_PROTECTED;
	return 0;
}

/* The entry point is virtual; nothing but its segment tells where that is in memory. */
static void find_entry(struct image *image, const GElf_Ehdr *header, const GElf_Phdr *p)
{
	u64 offset = header->e_entry - p->p_vaddr;

	if (header->e_entry >= p->p_vaddr && offset < p->p_memsz)
		image->entry = p->p_paddr + offset;
}

static int add_segments(struct image *image, Elf *elf, const GElf_Ehdr *header)
{
	struct image_segment segment;
	GElf_Phdr p;
	size_t n, i;

	if (elf_getphdrnum(elf, &n) || !n)
		return image_refuse(image, "an ELF file without program headers");
	for (i = 0; i < n; i++) {
		if (gelf_getphdr(elf, i, &p) != &p)
			return image_refuse(image, "program header %zu: %s", i, elf_errmsg(-1));
		if (p.p_type == PT_INTERP)
			return image_refuse(image, "a dynamically linked program");
		if (p.p_type != PT_LOAD)
			continue;
		segment = (struct image_segment){ p.p_offset, p.p_filesz, p.p_paddr, p.p_memsz };
		if (image_add(image, &segment))
			return -1;
		find_entry(image, header, &p);
	}
	if (!image->nr_segments)
		return image_refuse(image, "an ELF file with nothing to load");
	return 0;
}

/**
 * elf_parse() - Find the segments and the entry point.
 * @image: file read
 *
 * Return: 0, or -1 after a message.
 */
int elf_parse(struct image *image)
{
	GElf_Ehdr header;
	int result = -1;
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return image_refuse(image, "libelf: %s", elf_errmsg(-1));
	elf = elf_memory((char *)image->data, image->size);
	if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) != &header)
		image_refuse(image, "a broken ELF file: %s", elf_errmsg(-1));
	else if (!check_header(image, &header))
		result = add_segments(image, elf, &header);
	if (elf)
		elf_end(elf);
	return result;
}
