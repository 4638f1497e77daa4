/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254, for chip.c: ports, and the client's view.
 */
#ifndef UMBRA_IRQ_PIT_H
#define UMBRA_IRQ_PIT_H

#include "irq_internal.h"

struct kvm_pit_state2;

/* No more ticks. */
void umbra_pit_retire(struct umbra_vm *vm);
void umbra_pit_destroy(struct umbra_vm *vm);
/* Is @port one of the chip's? False while there is none. Any context. */
bool umbra_pit_port(struct umbra_vm *vm, u16 port);
void umbra_pit_read(struct umbra_vm *vm, u16 port, u8 *value);
void umbra_pit_write(struct umbra_vm *vm, u16 port, u8 value);
/* 0, or -ENXIO: there is none. */
int umbra_pit_get(struct umbra_vm *vm, struct kvm_pit_state2 *state);
int umbra_pit_set(struct umbra_vm *vm, const struct kvm_pit_state2 *state);
int umbra_pit_reinject(struct umbra_vm *vm, bool reinject);

#endif
