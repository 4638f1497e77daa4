/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the user wants of "umbra run".
 */
#ifndef UMBRA_VMM_RUN_OPTIONS_H
#define UMBRA_VMM_RUN_OPTIONS_H

#include "boot.h"
#include "loader.h"

#define RUN_MAX_DISKS	4

/**
 * struct disk_option - a disk
 * @path: file name
 * @readonly: not to be written
 */
struct disk_option {
	const char *path;
	bool readonly;
};

/**
 * struct run_options - the command line, checked
 * @device: hypervisor's device
 * @guest: image file, or NULL with @kernel
 * @ram_size: bytes of memory
 * @cpus: number of vCPUs
 * @timeout: seconds, 0 for no limit
 * @json: report as JSON
 * @stats: print counters
 * @mmu_all: run once in each MMU mode
 * @mmu: UMBRA_MMU_MODE_*, or 0 for the default
 * @load: about a flat image
 * @cmdline: arguments of @guest
 * @kernel: bzImage, or NULL
 * @initrd: its initial file system, or NULL
 * @append: its command line
 * @nr_disks: number of @disks
 * @disks: disks for it
 * @console_given: @virtio_console is the user's
 * @virtio_console: input goes to the virtio console, not to the serial port
 * @no_reboot: a reboot is the end
 */
struct run_options {
	const char *device;
	const char *guest;
	u64 ram_size;
	unsigned int cpus;
	double timeout;
	bool json;
	bool stats;
	bool mmu_all;
	u32 mmu;
	struct load_options load;
	char cmdline[2 * BOOT_CMDLINE_MAX];
	const char *kernel;
	const char *initrd;
	const char *append;
	unsigned int nr_disks;
	struct disk_option disks[RUN_MAX_DISKS];
	bool console_given;
	bool virtio_console;
	bool no_reboot;
};

bool run_options_parse(struct run_options *o, int argc, char **argv);

#endif
