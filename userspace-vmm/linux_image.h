/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Linux kernel as bzImage with an initial file system: check it, put it into memory,
 * start it by the 64-bit boot protocol.
 *
 * Checking needs no VM, so a bad image is refused before a device is opened.
 */
#ifndef UMBRA_VMM_LINUX_IMAGE_H
#define UMBRA_VMM_LINUX_IMAGE_H

#include <asm/bootparam.h>

#include "machine.h"

/* Guest-physical layout of what the kernel is told and started with. */
#define LINUX_GDT		0x1000
#define LINUX_PARAMS		0x10000
#define LINUX_CMDLINE		0x20000
#define LINUX_CMDLINE_MAX	4096
#define LINUX_LOW_END		0x9fc00

/**
 * struct linux_image - a kernel and what comes with it
 * @path: name of the kernel's file
 * @data: contents
 * @size: of @data
 * @initrd: contents of the initial file system, or NULL
 * @initrd_size: of @initrd
 * @header: setup header of the kernel, checked
 * @offset: in @data, of what is loaded
 * @load: guest-physical address it is loaded at
 * @initrd_at: guest-physical address of the initial file system
 */
struct linux_image {
	const char *path;
	u8 *data;
	size_t size;
	u8 *initrd;
	size_t initrd_size;
	struct setup_header header;
	size_t offset;
	u64 load;
	u64 initrd_at;
};

int linux_read(struct linux_image *image, const char *path, const char *initrd, const char *cmdline,
	       u64 ram_size);
void linux_free(struct linux_image *image);
int linux_boot(struct machine *m, const struct linux_image *image);

#endif
