// SPDX-License-Identifier: GPL-2.0
/*
 * Reads single counters from the statistics file of a VM or a vCPU. Reads the
 * whole file each time: tests are in no hurry.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "stats.h"

#define MAX_FILE	0x100000

int ut_stats_fd(int fd)
{
	return ut_must_ioctl(fd, KVM_GET_STATS_FD, 0);
}

static bool find(int stats_fd, const char *name, u64 *value)
{
	const struct kvm_stats_header *header;
	const struct kvm_stats_desc *desc;
	char *file = malloc(MAX_FILE);
	bool found = false;
	u32 i;

	if (!file || pread(stats_fd, file, MAX_FILE, 0) < (ssize_t)sizeof(*header))
		ut_die("cannot read statistics");
	header = (struct kvm_stats_header *)file;
	for (i = 0; i < header->num_desc && !found; i++) {
		desc = (struct kvm_stats_desc *)(file + header->desc_offset +
						 i * (sizeof(*desc) + header->name_size));
		found = !strcmp(desc->name, name);
		if (found)
			memcpy(value, file + header->data_offset + desc->offset, sizeof(*value));
	}
	free(file);
	return found;
}

bool ut_has_stat(int stats_fd, const char *name)
{
	u64 value;

	return find(stats_fd, name, &value);
}

u64 ut_stat(int stats_fd, const char *name)
{
	u64 value = 0;

	if (!find(stats_fd, name, &value))
		ut_die("there is no counter '%s'", name);
	return value;
}
