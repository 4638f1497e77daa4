/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-vCPU request bits, kicks, and waiting until no CPU runs on stale state.
 *
 * A request is a bit that the vCPU serves before its next entry. The order is
 * always: change the state, umbra_request() (full barrier), kick. The vCPU
 * sets its mode to IN_GUEST with interrupts off, then reads the requests, so
 * one of the two always sees the other.
 */
#ifndef UMBRA_REQUEST_H
#define UMBRA_REQUEST_H

#include <linux/types.h>

struct umbra_vcpu;
struct umbra_vm;

enum umbra_request {
	UMBRA_REQ_FLUSH_TLB,	/* drop every translation of this vCPU */
	UMBRA_REQ_NEW_ROOT,	/* the root is stale: load it again */
	UMBRA_REQ_UNBLOCK,	/* leave the guest, nothing else */
	UMBRA_REQ_EVENT,	/* look at the event queues again */
	UMBRA_REQ_MSR_FILTER,	/* rebuild the MSR permission map */
	UMBRA_REQ_CLOCK,	/* the VM's clock or TSC changed */
	UMBRA_REQ_HALT,		/* see halt.c: HLT, INIT or SIPI */
	UMBRA_REQ_EOI_EXIT,	/* see tpr.h, as the next */
	UMBRA_REQ_TPR_ACCESS,
};

enum umbra_vcpu_mode {
	UMBRA_OUTSIDE_GUEST,
	UMBRA_IN_GUEST,
};

/* Set @req on @vcpu; any context. Does not kick. */
void umbra_request(struct umbra_vcpu *vcpu, enum umbra_request req);
/* Test and clear; the vCPU's own thread. */
bool umbra_take_request(struct umbra_vcpu *vcpu, enum umbra_request req);
/* Make @vcpu leave guest mode soon; any context but NMI. */
void umbra_kick(struct umbra_vcpu *vcpu);
/* The same, and end its sleep in halt.c if what it waits for is there; any context but NMI. */
void umbra_vcpu_wake(struct umbra_vcpu *vcpu);
/*
 * Set @req on all vCPUs of @vm and wait until each has left guest mode at
 * least once. Callable under spinlocks with interrupts on; not from interrupts.
 */
void umbra_request_all(struct umbra_vm *vm, enum umbra_request req);
/* All translations of all vCPUs of @vm are gone when this returns. */
void umbra_flush_remote_tlbs(struct umbra_vm *vm);

#endif
