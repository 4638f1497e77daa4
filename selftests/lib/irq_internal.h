/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What irq_guest.c and irq_host.c share. Private to the library.
 */
#ifndef SELFTESTS_IRQ_INTERNAL_H
#define SELFTESTS_IRQ_INTERNAL_H

#include "irq.h"

/**
 * struct ut_irq_cpu - what the guest keeps for each vCPU
 * @x2apic: use the MSRs
 * @hits: interrupts by vector
 * @phantoms: interrupts of which the local APIC does not know
 * @logged: used places of @log
 * @log: vectors in order of arrival
 */
struct ut_irq_cpu {
	bool x2apic;
	u64 hits[256];
	u64 phantoms;
	u64 logged;
	u8 log[UT_IRQ_LOG];
};

/* The stage of guest_line()'s UT_SYNC. */
#define UT_LINE_STAGE		0x4c494e45

/* The guest's copy is the one that counts. */
extern struct ut_irq_cpu ut_irq_cpus[UT_MAX_VCPUS];

#endif
