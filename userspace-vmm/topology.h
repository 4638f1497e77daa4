/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What CPUID tells a vCPU of itself and of its neighbours.
 */
#ifndef UMBRA_VMM_TOPOLOGY_H
#define UMBRA_VMM_TOPOLOGY_H

#include <linux/kvm.h>

#include "types.h"

/* Entries that topology_fill() may add. */
#define TOPOLOGY_EXTRA	3

void topology_fill(struct kvm_cpuid2 *table, unsigned int index, unsigned int cpus, bool deadline);

#endif
