/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O APIC, for chip.c: registers by MMIO, and the client's view.
 */
#ifndef UMBRA_IRQ_IOAPIC_H
#define UMBRA_IRQ_IOAPIC_H

#include "irq_internal.h"

struct kvm_ioapic_state;

/* No more delayed work. Sleeps. */
void umbra_ioapic_retire(struct umbra_vm *vm);
/* Is [@addr, @addr + @len) in the chip's page of registers? Any context. */
bool umbra_ioapic_mmio(struct umbra_vm *vm, gpa_t addr, unsigned int len);
void umbra_ioapic_read(struct umbra_vm *vm, gpa_t addr, unsigned int len, void *data);
void umbra_ioapic_write(struct umbra_vm *vm, gpa_t addr, unsigned int len, const void *data);
void umbra_ioapic_get(struct umbra_vm *vm, struct kvm_ioapic_state *state);
int umbra_ioapic_set(struct umbra_vm *vm, const struct kvm_ioapic_state *state);

#endif
