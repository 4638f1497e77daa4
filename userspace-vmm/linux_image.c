// SPDX-License-Identifier: GPL-2.0
/*
 * bzImages: read and check the setup header, and find places for kernel and initial file
 * system, by the kernel's Documentation/x86/boot.rst.
 *
 * Every number in the file is somebody else's. Memory and CPU are linux_boot.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "linux_image.h"
#include "umbra.h"

#define HEADER_OFFSET	0x1f1
#define HEADER_JUMP	0x201	/* a jump past the header: how long it is */
#define HEADER_MAGIC	0x53726448	/* "HdrS" in memory order */
#define BOOT_FLAG	0xaa55
#define MIN_VERSION	0x020c	/* the first that tells of the 64-bit entry */
#define SETUP_SECTOR	512
#define DEFAULT_SETUP	4
#define PAGE		4096ULL

static int refuse(const struct linux_image *image, const char *why)
{
	complain("%s: %s", image->path, why);
	return -1;
}

static int read_header(struct linux_image *image)
{
	struct setup_header *h = &image->header;
	size_t length;

	memset(h, 0, sizeof(*h));
	if (image->size < HEADER_OFFSET + sizeof(*h))
		return refuse(image, "too short for a Linux kernel");
	length = HEADER_JUMP + 1 + image->data[HEADER_JUMP] - HEADER_OFFSET;
	memcpy(h, image->data + HEADER_OFFSET, length < sizeof(*h) ? length : sizeof(*h));
	if (h->boot_flag != BOOT_FLAG || h->header != HEADER_MAGIC)
		return refuse(image, "not a bzImage of Linux");
	if (h->version < MIN_VERSION || !(h->loadflags & LOADED_HIGH) ||
	    !(h->xloadflags & XLF_KERNEL_64))
		return refuse(image, "not a 64-bit kernel with boot protocol 2.12 or later");
	image->offset = (1 + (h->setup_sects ? h->setup_sects : DEFAULT_SETUP)) * SETUP_SECTOR;
	if (image->offset >= image->size)
		return refuse(image, "the kernel is cut off after its setup code");
	return 0;
}

static int place_kernel(struct linux_image *image, u64 ram_size)
{
	u64 size = image->size - image->offset;

	image->load = image->header.pref_address;
	if (image->header.init_size > size)
		size = image->header.init_size;
	if (image->load < MIB(1) || image->load & (PAGE - 1))
		return refuse(image, "the kernel wants to be loaded where it cannot be");
	if (image->load > ram_size || size > ram_size - image->load) {
		complain("%s: the kernel needs memory from %llu to %llu MiB, there are %llu",
			 image->path, image->load >> 20, (image->load + size + MIB(1) - 1) >> 20,
			 ram_size >> 20);
		return -1;
	}
	/* What follows must not overlap it. */
	image->initrd_at = image->load + size;
	return 0;
}

/* As high as it may be: what is below is the kernel's to grow into. */
static int place_initrd(struct linux_image *image, u64 ram_size)
{
	u64 end = (u64)image->header.initrd_addr_max + 1;
	u64 start;

	if (end > ram_size)
		end = ram_size;
	start = (end - image->initrd_size) & ~(PAGE - 1);
	if (image->initrd_size > end || start < image->initrd_at) {
		complain("%s: %llu MiB of memory are not enough for an initrd of %zu KiB",
			 image->path, ram_size >> 20, image->initrd_size >> 10);
		return -1;
	}
	image->initrd_at = start;
	return 0;
}

/**
 * linux_read() - Read and check a kernel.
 * @image: filled in; linux_free() it in any case
 * @path: file name; must outlive @image
 * @initrd: file name of the initial file system, or NULL
 * @cmdline: the kernel's command line
 * @ram_size: bytes of guest memory
 *
 * Return: 0, or -1 after a message.
 */
int linux_read(struct linux_image *image, const char *path, const char *initrd, const char *cmdline,
	       u64 ram_size)
{
	memset(image, 0, sizeof(*image));
	image->path = path;
	image->data = file_read(path, &image->size);
	if (!image->data || read_header(image) || place_kernel(image, ram_size))
		return -1;
	if (strlen(cmdline) >= LINUX_CMDLINE_MAX || strlen(cmdline) > image->header.cmdline_size)
		return refuse(image, "the command line is longer than the kernel takes");
	if (!initrd)
		return 0;
	image->initrd = file_read(initrd, &image->initrd_size);
	return image->initrd ? place_initrd(image, ram_size) : -1;
}

/**
 * linux_free() - Forget a kernel.
 * @image: given to linux_read()
 */
void linux_free(struct linux_image *image)
{
	free(image->data);
	free(image->initrd);
	image->data = NULL;
	image->initrd = NULL;
}
