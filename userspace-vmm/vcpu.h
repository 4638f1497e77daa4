/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vCPUs: create, run on their threads, start one another, interrupt one another.
 */
#ifndef UMBRA_VMM_VCPU_H
#define UMBRA_VMM_VCPU_H

#include "machine.h"

int vcpu_create(struct vcpu *v);
void vcpu_destroy(struct vcpu *v);
void *vcpu_thread(void *arg);
void vcpu_kick(struct vcpu *v);
bool vcpu_start(struct machine *m, unsigned int index, u64 address);
bool vcpu_interrupt(struct machine *m, unsigned int index, unsigned int vector);
bool vcpu_nmi(struct machine *m, unsigned int index);
void vcpu_halted(struct vcpu *v);
void vcpu_handle_exit(struct vcpu *v);

#endif
