/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kinds of virtio devices there are: disk, random numbers, console.
 */
#ifndef UMBRA_VMM_VIRTIO_DEV_H
#define UMBRA_VMM_VIRTIO_DEV_H

#include "virtio.h"

#define SECTOR_SIZE	512

/**
 * struct disk - an open disk image
 * @path: file name, for messages
 * @fd: file
 * @sectors: its size
 * @readonly: the guest must not write
 */
struct disk {
	const char *path;
	int fd;
	u64 sectors;
	bool readonly;
};

int disk_open(struct disk *disk, const char *path, bool readonly);
void disk_close(struct disk *disk);

int virtio_blk_add(struct machine *m, const struct disk *disk);
int virtio_rng_add(struct machine *m);
struct virtio *virtio_console_add(struct machine *m);
size_t virtio_console_receive(struct virtio *d, const u8 *bytes, size_t n);

#endif
