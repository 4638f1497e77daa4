/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest time: TSC offset and frequency of a vCPU, and the VM's clock.
 */
#ifndef UMBRA_TSC_H
#define UMBRA_TSC_H

#include <linux/types.h>

struct kvm_clock_data;
struct umbra_vcpu;
struct umbra_vm;

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
void umbra_clock_init(struct umbra_vm *vm);
void umbra_get_clock(struct umbra_vm *vm, struct kvm_clock_data *out);
int umbra_set_clock(struct umbra_vm *vm, const struct kvm_clock_data *in);

#endif
