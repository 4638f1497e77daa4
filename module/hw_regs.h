/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a processor holds while a guest runs on it, where that is the same for both
 * vendors: control registers, exceptions that leave the guest, and what of the host
 * is put aside. The vendors call it; see vendor.h for what they add.
 */
#ifndef UMBRA_HW_REGS_H
#define UMBRA_HW_REGS_H

#include <linux/types.h>

struct umbra_vcpu;

/**
 * struct umbra_host_regs - the host's registers while a guest's are loaded
 * @dr: DR0-3, during an entry
 * @tsc_aux: TSC_AUX, from load to put
 */
struct umbra_host_regs {
	unsigned long dr[4];
	u64 tsc_aux;
};

/*
 * What stands in for the guest's CR0, CR4 and EFER. @nested: it runs on second-level
 * tables, not on those that stand in for its own.
 */
u64 umbra_hw_cr0(const struct umbra_vcpu *vcpu, bool nested);
u64 umbra_hw_cr4(const struct umbra_vcpu *vcpu, bool nested);
u64 umbra_hw_efer(const struct umbra_vcpu *vcpu, bool nested);
/* A bit for each exception that leaves the guest. */
u32 umbra_hw_exceptions(const struct umbra_vcpu *vcpu, bool nested);

/* Around an entry of a guest with breakpoints; interrupts off. */
void umbra_host_dr_out(const struct umbra_vcpu *vcpu, struct umbra_host_regs *host);
void umbra_host_dr_in(const struct umbra_host_regs *host);

/* From load to put; preemption off. */
void umbra_host_regs_out(const struct umbra_vcpu *vcpu, struct umbra_host_regs *host);
void umbra_host_regs_in(const struct umbra_host_regs *host);

/* Whose guests ran on this CPU is not known; @vcpu is gone for good. */
void umbra_branches_unknown(void);
void umbra_branches_forget(const struct umbra_vcpu *vcpu);

#endif
