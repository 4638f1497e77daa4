/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest images: recognise the format, check it fully, then place it in memory.
 *
 * Checking needs no VM, so a bad image is refused before a device is opened.
 */
#ifndef UMBRA_VMM_LOADER_H
#define UMBRA_VMM_LOADER_H

#include "machine.h"

#define IMAGE_MAX_SEGMENTS	64
#define LOAD_DEFAULT		(~0ULL)

/**
 * struct image_segment - one piece of the image
 * @offset: in the file
 * @file_size: bytes there
 * @gpa: guest-physical destination
 * @mem_size: bytes in memory, the part beyond @file_size zero
 */
struct image_segment {
	u64 offset;
	u64 file_size;
	u64 gpa;
	u64 mem_size;
};

/**
 * struct image - a guest image and what was found in it
 * @path: file name, for messages
 * @data: contents
 * @size: of @data
 * @ram_size: guest memory it must fit
 * @mode: start mode
 * @entry: guest-physical entry point
 * @multiboot: the image has a Multiboot header
 * @nr_segments: of @segments
 * @segments: what goes where
 */
struct image {
	const char *path;
	u8 *data;
	size_t size;
	u64 ram_size;
	enum cpu_mode mode;
	u64 entry;
	bool multiboot;
	unsigned int nr_segments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS];
};

/**
 * struct load_options - what the user said about a flat image
 * @mode_given: @mode is the user's
 * @mode: CPU mode to start in
 * @address: where to load it, or LOAD_DEFAULT
 */
struct load_options {
	bool mode_given;
	enum cpu_mode mode;
	u64 address;
};

int image_read(struct image *image, const char *path, u64 ram_size,
	       const struct load_options *options);
void image_place(const struct image *image, u8 *ram);
void image_free(struct image *image);

/* For the loaders of one format each. */
int image_add(struct image *image, const struct image_segment *segment);
int image_refuse(const struct image *image, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool elf_recognise(const struct image *image);
int elf_parse(struct image *image);
const u8 *multiboot_find(const struct image *image);
int multiboot_parse(struct image *image, const u8 *header);
int flat_parse(struct image *image, const struct load_options *options);

#endif
