// SPDX-License-Identifier: GPL-2.0
/*
 * Flat binaries: the file as it is, at one address, entered at its first byte.
 */
#include "boot.h"
#include "loader.h"

#define LOAD_REAL	0x7c00ULL
#define LOAD_OTHER	MIB(1)

/**
 * flat_parse() - Take the file as one segment.
 * @image: file read
 * @options: mode, real unless given, and address
 *
 * Return: 0, or -1 after a message.
 */
int flat_parse(struct image *image, const struct load_options *options)
{
	struct image_segment segment = {
		.file_size = image->size,
		.mem_size = image->size,
	};

	image->mode = options->mode;
	segment.gpa = options->address;
	if (segment.gpa == LOAD_DEFAULT)
		segment.gpa = image->mode == MODE_REAL ? LOAD_REAL : LOAD_OTHER;
	if (image->mode == MODE_REAL && segment.gpa >= MIB(1))
		return image_refuse(image, "real mode reaches the first MiB only");
	if (segment.gpa >= 0x10000 && image->mode == MODE_REAL && segment.gpa & 0xf)
		return image_refuse(image, "real mode above 64 KiB: --load a multiple of 16");
	image->entry = segment.gpa;
	return image_add(image, &segment);
}
