/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine runs: an image, or a kernel with its disks.
 */
#ifndef UMBRA_VMM_GUEST_H
#define UMBRA_VMM_GUEST_H

#include "linux_image.h"
#include "loader.h"
#include "run_options.h"
#include "virtio_dev.h"

/**
 * struct guest - files of a guest, read and checked
 * @o: what the user wants
 * @image: image, without a kernel
 * @kernel: kernel
 * @nr_disks: number of @disks
 * @disks: open disks
 */
struct guest {
	const struct run_options *o;
	struct image image;
	struct linux_image kernel;
	unsigned int nr_disks;
	struct disk disks[RUN_MAX_DISKS];
};

int guest_read(struct guest *g, const struct run_options *o);
void guest_free(struct guest *g);
int guest_load(const struct guest *g, struct machine *m, int out_fd, struct virtio **console);

#endif
