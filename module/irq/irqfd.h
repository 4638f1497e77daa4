/* SPDX-License-Identifier: GPL-2.0 */
/*
 * irqfds, for the chips and for chip.c.
 */
#ifndef UMBRA_IRQ_IRQFD_H
#define UMBRA_IRQ_IRQFD_H

#include "irq_internal.h"

int umbra_irqfds_create(struct umbra_vm *vm);
/* No irqfd is left, and none comes. Sleeps. */
void umbra_irqfds_retire(struct umbra_vm *vm);
void umbra_irqfds_destroy(struct umbra_vm *vm);
/* KVM_IRQFD. Sleeps. */
int umbra_irqfd(struct umbra_vm *vm, const struct kvm_irqfd *args);
/* Does umbra_irqfd_ack() have anybody to tell? Any context. */
bool umbra_irqfd_wants_acks(struct umbra_vm *vm);

#endif
