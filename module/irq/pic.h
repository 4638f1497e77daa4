/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pair of 8259A, for chip.c: ports, and the client's view.
 */
#ifndef UMBRA_IRQ_PIC_H
#define UMBRA_IRQ_PIC_H

#include "irq_internal.h"

struct kvm_pic_state;

/* Is @port one of the chips'? */
bool umbra_pic_port(u16 port);
void umbra_pic_read(struct umbra_vm *vm, u16 port, u8 *value);
void umbra_pic_write(struct umbra_vm *vm, u16 port, u8 value);
/* @chip: KVM_IRQCHIP_PIC_MASTER or KVM_IRQCHIP_PIC_SLAVE */
void umbra_pic_get(struct umbra_vm *vm, u32 chip, struct kvm_pic_state *state);
void umbra_pic_set(struct umbra_vm *vm, u32 chip, const struct kvm_pic_state *state);

#endif
