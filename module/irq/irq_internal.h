/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of irq/ know of each other. Not for anybody else.
 *
 * Locks, all irq-safe spinlocks that are taken from any context:
 * - ioapic->lock, then nothing: delivery to local APICs takes no lock.
 * - pic->lock, likewise.
 * - pit->lock: dropped before a line is raised or lowered.
 * - irqfds->lock: below an eventfd's wait queue lock.
 * Resamplers and EOI exits are told after ioapic->lock is dropped. A local APIC has no
 * lock: others set bits of IRR and TMR and of the signals, atomically, and read its
 * identity (id, LDR, DFR, SVR, APIC_BASE) with READ_ONCE; all else is its vCPU's.
 */
#ifndef UMBRA_IRQ_INTERNAL_H
#define UMBRA_IRQ_INTERNAL_H

#include "irq.h"

/* What the VM has, and with it what is behind the pointers. Needs vm.h. */
#define umbra_irq_chip(vm)	smp_load_acquire(&(vm)->irq.chip)

/* Delivery modes, as in the ICR, in a redirection entry and in an MSI's data. */
enum umbra_delivery {
	UMBRA_DELIVER_FIXED	= 0,
	UMBRA_DELIVER_LOWEST	= 1,
	UMBRA_DELIVER_SMI	= 2,
	UMBRA_DELIVER_NMI	= 4,
	UMBRA_DELIVER_INIT	= 5,
	UMBRA_DELIVER_SIPI	= 6,
	UMBRA_DELIVER_EXTINT	= 7,
};

enum umbra_shorthand {
	UMBRA_TO_DEST,
	UMBRA_TO_SELF,
	UMBRA_TO_ALL,
	UMBRA_TO_OTHERS,
};

/**
 * struct umbra_irq_msg - one message between interrupt controllers
 * @dest: APIC id, or logical destination; 8 bits in xAPIC form, 32 in x2APIC form
 * @mode: enum umbra_delivery
 * @shorthand: enum umbra_shorthand; anything but UMBRA_TO_DEST makes @dest void
 * @vector: 0 to 255
 * @logical: @dest is a logical destination
 * @level: level-triggered: EOI is passed on to the I/O APIC
 * @assert: for INIT: false is the de-assert that only resets arbitration
 * @x2apic: @dest came in x2APIC form: 0xffffffff is the broadcast, not 0xff
 */
struct umbra_irq_msg {
	u32 dest;
	u8 mode;
	u8 shorthand;
	u8 vector;
	bool logical;
	bool level;
	bool assert;
	bool x2apic;
};

/* lapic_ipi.c */
/*
 * Deliver to all whom the message is for. @from: sender, NULL for I/O APIC and MSI.
 * Any context. Number of local APICs that took it newly; 0: it was pending already
 * everywhere (coalesced); -1: nobody was addressed.
 */
int umbra_apic_deliver(struct umbra_vm *vm, struct umbra_vcpu *from,
		       const struct umbra_irq_msg *msg);
/* Does any local APIC accept an ExtINT on LINT0 (or have APIC disabled)? Any context. */
void umbra_apic_extint_kick(struct umbra_vm *vm);
/* Local APICs whose LINT0 is NMI get the PIT's tick (the old NMI watchdog). Any context. */
void umbra_apic_pit_nmi(struct umbra_vm *vm);

/* lapic.c */
bool umbra_lapic_mmio(struct umbra_vcpu *vcpu, gpa_t addr, unsigned int len);
void umbra_lapic_read(struct umbra_vcpu *vcpu, u32 offset, unsigned int len, void *data);
void umbra_lapic_write(struct umbra_vcpu *vcpu, u32 offset, unsigned int len, const void *data);
/* The guest's write of EOI. vCPU, atomic. */
void umbra_lapic_eoi(struct umbra_vcpu *vcpu);
/*
 * The vector that the next EOI is for, when nobody need know of it: it is an edge, and
 * nothing waits for it to end; else -1. vCPU, interrupts off.
 */
int umbra_lapic_pv_eoi_vector(struct umbra_vcpu *vcpu);

/* ioapic.c */
int umbra_ioapic_create(struct umbra_vm *vm);
void umbra_ioapic_destroy(struct umbra_vm *vm);
/* As umbra_apic_deliver(). Any context. */
int umbra_ioapic_set_irq(struct umbra_vm *vm, u32 pin, int source, bool level);
/* EOI of @vector, level-triggered if @level, by @vcpu. vCPU, atomic. */
void umbra_ioapic_eoi(struct umbra_vcpu *vcpu, u8 vector, bool level);

/* pic.c */
int umbra_pic_create(struct umbra_vm *vm);
void umbra_pic_destroy(struct umbra_vm *vm);
int umbra_pic_set_irq(struct umbra_vm *vm, u32 pin, int source, bool level);
bool umbra_pic_output(struct umbra_vm *vm);	/* INTR line; any context, no lock */
int umbra_pic_intack(struct umbra_vm *vm);	/* vector; vCPU */

/* route.c: a GSI's routes. Any context; SRCU read section of vm->srcu inside. */
int umbra_irq_set(struct umbra_vm *vm, int source, u32 gsi, bool level);
int umbra_irq_pulse(struct umbra_vm *vm, int source, u32 gsi);
/* Does the EOI of @vector at @vcpu interest user space's I/O APIC (split)? */
bool umbra_route_wants_eoi(struct umbra_vcpu *vcpu, u8 vector);

/* irqfd.c: pin @pin of chip @chip was acknowledged: tell its resamplers. Any context. */
void umbra_irqfd_ack(struct umbra_vm *vm, u32 chip, u32 pin);

#endif
