/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a kernel expects of a PC besides disks and consoles: a clock, a way to power off,
 * ways to reset.
 */
#ifndef UMBRA_VMM_PC_H
#define UMBRA_VMM_PC_H

#include "machine.h"

#define PC_PM_EVENT		0x600	/* status and enable, 2 bytes each */
#define PC_PM_CONTROL		0x604
#define PC_PM_TIMER		0x608
#define PC_PORT_RESET		0xcf9
#define PC_RESET_VALUE		0x06
#define PC_PORT_KEYBOARD	0x64
#define PC_SCI_IRQ		9
/* Sleep type of soft-off, as the ACPI tables say. */
#define PC_SLEEP_OFF		5

void pc_init(struct machine *m);
bool pc_port(struct vcpu *v, u16 port, u8 *data, u32 size, bool write);

#endif
