/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hypervisors inside guests: what the rest of Umbra has to know of a guest's own guest
 * (the inner guest). How the guest starts one and what it is told of its exits is the
 * vendor's, which writes struct umbra_inner anew at each switch. While an inner guest runs,
 * event.c takes and gives back @virq, and cr.c writes @tpr for it.
 */
#ifndef UMBRA_INNER_H
#define UMBRA_INNER_H

#include <linux/types.h>
#include "types.h"

struct umbra_event;
struct umbra_vcpu;

/* virq_prio of a virtual interrupt that no task priority holds back. */
#define UMBRA_VIRQ_ANY_TPR	16

/**
 * struct umbra_inner - a vCPU's inner guest
 * @active: the vCPU runs an inner guest: all registers are that guest's
 * @held: interrupts and NMIs wait whatever RFLAGS says (AMD's global interrupt flag is clear)
 * @irq_exits: an interrupt that could be taken ends the inner guest instead
 * @nmi_exits: so does an NMI
 * @shutdown_exits: so does a triple fault, which otherwise is the whole guest's
 * @virq_exits: so does @virq
 * @masked: the inner guest's IF and CR8 are about @virq alone; what counts for interrupts
 *	is @outer_if and vcpu->cr8
 * @outer_if: IF of the guest when it started the inner one
 * @virq: a virtual interrupt waits, which the guest gave to the inner one
 * @virq_vector: its vector
 * @virq_prio: taken while @tpr is less, or UMBRA_VIRQ_ANY_TPR
 * @tpr: the inner guest's CR8 while @masked
 * @exceptions: bit for each vector whose exception ends the inner guest
 * @tsc_offset: what the inner guest's TSC is ahead of the guest's
 *
 * All are vcpu->mutex's; all but @held are 0 without an inner guest.
 */
struct umbra_inner {
	bool active;
	bool held;
	bool irq_exits;
	bool nmi_exits;
	bool shutdown_exits;
	bool virq_exits;
	bool masked;
	bool outer_if;
	bool virq;
	u8 virq_vector;
	u8 virq_prio;
	u8 tpr;
	u32 exceptions;
	u64 tsc_offset;
};

/* Why an inner guest ends although none of its instructions asked for it. */
enum umbra_inner_end {
	UMBRA_INNER_STAYS,
	UMBRA_INNER_EXCEPTION,	/* vcpu->ev.exception */
	UMBRA_INNER_SHUTDOWN,	/* vcpu->ev.triple_fault */
	UMBRA_INNER_NMI,
	UMBRA_INNER_IRQ,
	UMBRA_INNER_VIRQ,
};

/* Do new VMs get it, as far as their CPUID says so? The parameter "nested". */
bool umbra_inner_offered(void);
/* What ends the inner guest before its next instruction; event.c. Atomic. */
enum umbra_inner_end umbra_inner_due(struct umbra_vcpu *vcpu);
/* Take the exception that is UMBRA_INNER_EXCEPTION out of the queue; event.c. */
void umbra_inner_take_exception(struct umbra_vcpu *vcpu, struct umbra_event *out);

#endif
