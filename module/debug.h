/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest debugging by user space: single step, breakpoints in software and in
 * debug registers; and the guest's own single step over emulated instructions.
 */
#ifndef UMBRA_DEBUG_H
#define UMBRA_DEBUG_H

#include <linux/types.h>

struct kvm_guest_debug;
struct umbra_vcpu;

int umbra_set_guest_debug(struct umbra_vcpu *vcpu, const struct kvm_guest_debug *dbg);
/* The debug registers the hardware shall use now (user space's or the guest's). */
u64 umbra_effective_dr(const struct umbra_vcpu *vcpu, int nr);
/* An intercepted #DB or #BP: UMBRA_TO_USER when user space's, else inject: UMBRA_CONTINUE. */
int umbra_debug_exception(struct umbra_vcpu *vcpu, u8 vector, u64 dr6_bits);
/* After an instruction was completed outside the guest: step traps due now. */
int umbra_debug_insn_done(struct umbra_vcpu *vcpu, u64 rflags_before);

#endif
