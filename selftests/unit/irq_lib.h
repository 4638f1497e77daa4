/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests of module/irq/: a VM of several vCPUs without processors, a clock that a test
 * moves, and a record of what irq/ told the rest of the module.
 */
#ifndef UMBRA_UNIT_IRQ_LIB_H
#define UMBRA_UNIT_IRQ_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "irq/irq_internal.h"

#define UNIT_VCPUS	8
#define UNIT_APIC_BASE	0xfee00000ULL

/**
 * struct unit_told - what a vCPU was told; a test clears it
 * @woken: times it was woken
 * @nmis: NMIs
 * @eois: EOIs that user space has to know of
 * @eoi: vector of the last of these
 * @tpr: TPR accesses that may be reported
 */
struct unit_told {
	int woken;
	int nmis;
	int eois;
	u8 eoi;
	int tpr;
};

/**
 * struct unit - the one world
 * @vm: the VM
 * @vcpu: its vCPUs
 * @told: by index, see above
 * @now: ns
 * @drift: TSC ticks beyond what @now says
 * @fail_alloc: allocations to let through before one fails, -1: none fails
 * @objects: allocated and not freed
 * @no_deadline: vCPUs' CPUID lacks the TSC deadline timer
 * @elsewhere: called at full barriers and wherever clocks, timers and CPUID are used, once for
 *	each time it is set
 * @acks: pins acknowledged, as umbra_irqfd_ack() was told
 * @wants_acks: answer of umbra_irqfd_wants_acks()
 * @at_ack: called for each of @acks
 * @nmi_time: ns that pass while an NMI is sent
 * @at_wake: called whenever a vCPU is woken
 */
struct unit {
	struct umbra_vm vm;
	struct umbra_vcpu vcpu[UNIT_VCPUS];
	struct unit_told told[UNIT_VCPUS];
	u64 now;
	u64 drift;
	int fail_alloc;
	int objects;
	bool no_deadline;
	void (*elsewhere)(void);
	int acks[3][UMBRA_IOAPIC_PINS];
	bool wants_acks;
	void (*at_ack)(u32 chip, u32 pin);
	u64 nmi_time;
	void (*at_wake)(void);
};

extern struct unit unit;

/* A VM with @chip and @vcpus vCPUs after power-up: 0 or -1, nothing left then. */
int unit_setup(enum umbra_irqchip chip, int vcpus);
/* -1 if something was not given back. */
int unit_teardown(void **state);

/* Let @ns pass; timers expire in order, each at its moment. */
void unit_pass(u64 ns);
/* Let time pass to when the next timer expires; false: none is running. */
bool unit_pass_to_timer(void);
int unit_timers(void);		/* that are queued */
/* Run the delayed work; false: none waits. */
bool unit_work(void);

/* A byte of a port that irq/ must know. */
void unit_out(u16 port, u8 value);
u8 unit_in(u16 port);
/* Registers of vCPU @i's xAPIC by its MMIO page. */
u32 unit_reg(int i, u32 offset);
void unit_set_reg(int i, u32 offset, u32 value);
/* ... or of its x2APIC by MSR: -EINVAL is #GP. */
int unit_rdmsr(int i, u32 offset, u64 *value);
int unit_wrmsr(int i, u32 offset, u64 value);
/* vCPU @i: software enable, in x2APIC mode if @x2apic. */
void unit_enable(int i, bool x2apic);
/* Is @vector in IRR of vCPU @i? */
bool unit_waits(int i, u8 vector);
/* KVM_GET_IRQCHIP and KVM_SET_IRQCHIP. */
int unit_get_chip(struct kvm_irqchip *chip);
int unit_set_chip(const struct kvm_irqchip *chip);
/* vCPU @i takes what it is offered and ends it: vector, -1 for none. */
int unit_serve(int i);

#endif
