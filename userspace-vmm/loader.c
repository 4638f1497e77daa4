// SPDX-License-Identifier: GPL-2.0
/*
 * Guest images in general: choose the format's loader, check that the pieces fit into
 * memory and miss each other, copy them there.
 *
 * The formats themselves are loader_elf.c's, loader_multiboot.c's, loader_flat.c's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "file.h"
#include "loader.h"
#include "umbra.h"

/**
 * image_refuse() - Say why an image is not taken.
 * @image: for its name
 * @fmt: reason, as for printf()
 *
 * Return: -1, for the caller to return.
 */
int image_refuse(const struct image *image, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	complain("%s: %s", image->path, text);
	return -1;
}

/**
 * image_add() - Take one more piece, if it fits.
 * @image: being parsed, @mode already known
 * @segment: piece; copied
 *
 * Return: 0, or -1 after a message.
 */
int image_add(struct image *image, const struct image_segment *segment)
{
	u64 gpa = segment->gpa, size = segment->mem_size;
	unsigned int i;

	if (!size)
		return 0;
	if (image->nr_segments == IMAGE_MAX_SEGMENTS)
		return image_refuse(image, "more than %d segments", IMAGE_MAX_SEGMENTS);
	if (segment->offset > image->size || segment->file_size > image->size - segment->offset)
		return image_refuse(image, "a segment's contents lie beyond the end of the file");
	if (segment->file_size > size)
		return image_refuse(image, "a segment is larger in the file than in memory");
	if (gpa > image->ram_size || size > image->ram_size - gpa)
		return image_refuse(image,
				    "0x%llx bytes at 0x%llx do not fit into %llu KiB of memory",
				    size, gpa, image->ram_size >> 10);
	if (boot_area_overlaps(image->mode, gpa, size))
		return image_refuse(image, "0x%llx bytes at 0x%llx overlap the VMM's boot data",
				    size, gpa);
	for (i = 0; i < image->nr_segments; i++)
		if (gpa < image->segments[i].gpa + image->segments[i].mem_size &&
		    image->segments[i].gpa < gpa + size)
			return image_refuse(image, "segments at 0x%llx and 0x%llx overlap",
					    image->segments[i].gpa, gpa);
	image->segments[image->nr_segments++] = *segment;
	return 0;
}

static int parse(struct image *image, const struct load_options *options)
{
	const u8 *header = multiboot_find(image);
	bool elf = elf_recognise(image);

	if (!header && !elf)
		return flat_parse(image, options);
	if (options->mode_given || options->address != LOAD_DEFAULT)
		return image_refuse(image, "--mode and --load are for flat images, this is %s",
				    header ? "a multiboot image" : "an ELF file");
	return header ? multiboot_parse(image, header) : elf_parse(image);
}

/**
 * image_read() - Read and check an image.
 * @image: filled in; image_free() it in any case
 * @path: file name; must outlive @image
 * @ram_size: bytes of guest memory
 * @options: what the user said
 *
 * Return: 0, or -1 after a message.
 */
int image_read(struct image *image, const char *path, u64 ram_size,
	       const struct load_options *options)
{
	unsigned int i;

	memset(image, 0, sizeof(*image));
	image->path = path;
	image->ram_size = ram_size;
	image->data = file_read(path, &image->size);
	if (!image->data || parse(image, options))
		return -1;
	for (i = 0; i < image->nr_segments; i++)
		if (image->entry >= image->segments[i].gpa &&
		    image->entry - image->segments[i].gpa < image->segments[i].mem_size)
			return 0;
	return image_refuse(image, "the entry point 0x%llx is not in what is loaded",
			    image->entry);
}

/**
 * image_place() - Copy a checked image to memory.
 * @image: read with the size of @ram
 * @ram: guest memory
 */
void image_place(const struct image *image, u8 *ram)
{
	const struct image_segment *s;
	unsigned int i;

	for (i = 0; i < image->nr_segments; i++) {
		s = &image->segments[i];
		memcpy(ram + s->gpa, image->data + s->offset, s->file_size);
		memset(ram + s->gpa + s->file_size, 0, s->mem_size - s->file_size);
	}
}

/**
 * image_free() - Forget an image.
 * @image: given to image_read()
 */
void image_free(struct image *image)
{
	free(image->data);
	image->data = NULL;
}
