/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters that the hypervisor keeps of a VM and of its vCPUs.
 */
#ifndef UMBRA_VMM_STATS_H
#define UMBRA_VMM_STATS_H

#include "types.h"

#define STATS_NAME_SIZE	64

/**
 * struct counter - one value
 * @name: the hypervisor's name for it
 * @value: what it says
 */
struct counter {
	char name[STATS_NAME_SIZE];
	u64 value;
};

/**
 * struct counters - a set of values, each name once
 * @n: how many
 * @list: allocated; NULL while there is none
 */
struct counters {
	unsigned int n;
	struct counter *list;
};

struct machine;

int stats_parse(int fd, struct counters *counters);
int stats_read(int fd, struct counters *counters);
void stats_sum(struct counters *total, const struct counters *more);
int stats_of_machine(const struct machine *m, struct counters *total);
void stats_free(struct counters *counters);
void stats_table(const char *const *titles, const struct counters *columns, unsigned int n);

#endif
