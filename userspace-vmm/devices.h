/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dispatch of port and memory-mapped accesses to the VMM's devices.
 *
 * The control ports are the VMM's own; umbra.1 describes them for guests.
 */
#ifndef UMBRA_VMM_DEVICES_H
#define UMBRA_VMM_DEVICES_H

#include "machine.h"

#define PORT_DEBUG_EXIT		0x501
#define PORT_START_ADDRESS	0x520
#define PORT_START_VCPU		0x524
#define PORT_INTERRUPT		0x528

#define INTERRUPT_NMI		(1u << 16)

void port_access(struct vcpu *v, u16 port, u8 *data, u32 size, bool write);
void mmio_access(struct vcpu *v, u64 gpa, u8 *data, u32 len, bool write);

#endif
