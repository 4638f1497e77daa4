/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests' TSCs: offset and frequency of a vCPU, and the host's that they are made of.
 */
#ifndef UMBRA_TSC_H
#define UMBRA_TSC_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/msr.h>
#include "vcpu.h"

struct umbra_vm;

/* What the host's TSC lost when the host slept. Written by the resume alone, nobody runs. */
extern u64 umbra_tsc_lost;

/* The host's TSC, had it never been set back; offsets are relative to this. Any context. */
static inline u64 umbra_host_tsc(void)
{
	return rdtsc_ordered() + READ_ONCE(umbra_tsc_lost);
}

/* What the processor has to add to its own TSC. Any context. */
static inline u64 umbra_tsc_hw_offset(const struct umbra_vcpu *vcpu)
{
	return READ_ONCE(vcpu->tsc_offset) + READ_ONCE(umbra_tsc_lost);
}

/* Did the host sleep since the processor was told? Then umbra_tsc_sync(). vCPU. */
static inline bool umbra_tsc_moved(const struct umbra_vcpu *vcpu)
{
	return vcpu->tsc_lost != READ_ONCE(umbra_tsc_lost);
}

void umbra_tsc_suspend(void);
void umbra_tsc_resume(void);
void umbra_tsc_sync(struct umbra_vcpu *vcpu);		/* tell the processor of the offset */
bool umbra_tsc_in_step(struct umbra_vm *vm);		/* do all vCPUs read the same? */
void umbra_tsc_vcpu_init(struct umbra_vcpu *vcpu);
u64 umbra_guest_tsc(struct umbra_vcpu *vcpu);		/* now */
void umbra_set_guest_tsc(struct umbra_vcpu *vcpu, u64 value);
/* User space writes the TSC: vCPUs whose values are close are kept in step. */
void umbra_tsc_host_write(struct umbra_vcpu *vcpu, u64 value);
/* User space states the offset itself; later writes near it are in step with it. */
void umbra_tsc_set_offset(struct umbra_vcpu *vcpu, u64 offset);
void umbra_tsc_adjust(struct umbra_vcpu *vcpu, u64 delta);	/* guest TSC += @delta */
/* Can a guest be given a TSC of @khz on this host? */
bool umbra_tsc_khz_supported(u32 khz);
/* KVM_SET_TSC_KHZ: 0 = host's; other than the host's needs scaling: -EINVAL without. */
int umbra_set_tsc_khz(struct umbra_vcpu *vcpu, u32 khz);

#endif
