/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vCPU side of the instruction emulator: its callbacks, MMIO and port
 * accesses that user space must answer, and their completion on the next run.
 */
#ifndef UMBRA_EMULATE_H
#define UMBRA_EMULATE_H

#include <linux/types.h>
#include "types.h"

struct umbra_vcpu;

int umbra_emulate_create(struct umbra_vcpu *vcpu);
void umbra_emulate_destroy(struct umbra_vcpu *vcpu);

/*
 * Emulate the instruction at RIP. SRCU read section held; sleeps.
 * UMBRA_CONTINUE (done, fault queued, or retry), UMBRA_TO_USER (run filled:
 * KVM_EXIT_MMIO, KVM_EXIT_IO, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_DEBUG...).
 */
int umbra_emulate(struct umbra_vcpu *vcpu);
/* The same for an instruction that writes the traced page at @gpa. */
int umbra_emulate_write(struct umbra_vcpu *vcpu, gpa_t gpa);
/*
 * The same without sleeping, for stores and what fills pages: UMBRA_SLOW when not possible.
 * The guest's tables were walked already for the access to @gva and lead to @gpa.
 */
int umbra_emulate_write_atomic(struct umbra_vcpu *vcpu, gva_t gva, u32 access, gpa_t gpa);
/* A move to or from a device in the kernel, without sleeping: as the last. */
int umbra_emulate_mmio_atomic(struct umbra_vcpu *vcpu, gpa_t gpa, u32 access);
/* Port access of vcpu->exit.io. Same returns; UMBRA_SLOW when @atomic cannot. */
int umbra_pio_exit(struct umbra_vcpu *vcpu, bool atomic);
/*
 * KVM_RUN begins: take user space's answer by calling vcpu->complete once. SRCU
 * read section held; sleeps. UMBRA_CONTINUE, UMBRA_TO_USER or -errno.
 */
int umbra_complete_user_io(struct umbra_vcpu *vcpu);
/*
 * Length of the instruction at RIP by decoding it. 0 and a fault is queued;
 * -EOPNOTSUPP not known, or another -errno. SRCU read section held; sleeps.
 */
int umbra_insn_length(struct umbra_vcpu *vcpu);
/* State was set from outside: drop an input if the vCPU left its instruction. */
void umbra_emulate_cancel(struct umbra_vcpu *vcpu);

#endif
