/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI tables of a machine: processors, interrupt controllers, power, fixed devices.
 */
#ifndef UMBRA_VMM_ACPI_H
#define UMBRA_VMM_ACPI_H

#include "types.h"

struct machine;

#define ACPI_BASE	0xe0000
#define ACPI_END	0x100000
/* The root pointer is the first of the tables. */
#define ACPI_RSDP	ACPI_BASE

bool acpi_build(struct machine *m);

#endif
