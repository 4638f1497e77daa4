/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The routing table and messages of MSIs, for the files of irq/ that make up
 * the VM's part.
 */
#ifndef UMBRA_IRQ_ROUTE_H
#define UMBRA_IRQ_ROUTE_H

#include "irq_internal.h"

struct kvm_irq_routing;

/* The VM's first table: identity for the chips, or an empty one (split). vm->lock. */
int umbra_routes_create(struct umbra_vm *vm, enum umbra_irqchip chip);
/* Nobody reads it any more. */
void umbra_routes_destroy(struct umbra_vm *vm);
/* KVM_SET_GSI_ROUTING. Sleeps; takes vm->slots_lock. */
int umbra_routes_set(struct umbra_vm *vm, const struct kvm_irq_routing __user *user);
/* GSI that leads to @pin of @chip, or -1. SRCU read section of vm->srcu. */
int umbra_route_gsi(struct umbra_vm *vm, u32 chip, u32 pin);

/* msi.c */
struct kvm_msi;

/* In the data of a message: level-triggered. */
static inline bool umbra_msi_is_level(u32 data)
{
	return data & BIT(15);
}

bool umbra_msi_valid(const struct umbra_vm *vm, u32 address_high);
/* What address and data say; @high: upper half of the address. Any context. */
int umbra_msi_deliver(struct umbra_vm *vm, u32 low, u32 high, u32 data);
/* KVM_SIGNAL_MSI */
int umbra_msi_signal(struct umbra_vm *vm, const struct kvm_msi *msi);

#endif
