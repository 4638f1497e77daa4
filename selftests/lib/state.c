// SPDX-License-Identifier: GPL-2.0
/*
 * Get and set a vCPU's state: thin wrappers that cannot fail, single MSRs,
 * the supported CPUID. Tests of these very calls use ut_ioctl() instead.
 */
#include <errno.h>
#include <stdlib.h>
#include "umbra_util.h"

void ut_get_regs(struct ut_vcpu *vcpu, struct kvm_regs *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_REGS, out);
}

void ut_set_regs(struct ut_vcpu *vcpu, const struct kvm_regs *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_REGS, in);
}

void ut_get_sregs(struct ut_vcpu *vcpu, struct kvm_sregs *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_SREGS, out);
}

void ut_set_sregs(struct ut_vcpu *vcpu, const struct kvm_sregs *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_SREGS, in);
}

void ut_get_events(struct ut_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, out);
}

void ut_set_events(struct ut_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, in);
}

void ut_get_debugregs(struct ut_vcpu *vcpu, struct kvm_debugregs *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, out);
}

void ut_set_debugregs(struct ut_vcpu *vcpu, const struct kvm_debugregs *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, in);
}

void ut_get_mp_state(struct ut_vcpu *vcpu, struct kvm_mp_state *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_MP_STATE, out);
}

void ut_set_mp_state(struct ut_vcpu *vcpu, const struct kvm_mp_state *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_MP_STATE, in);
}

void ut_get_xcrs(struct ut_vcpu *vcpu, struct kvm_xcrs *out)
{
	ut_must_ioctl(vcpu->fd, KVM_GET_XCRS, out);
}

void ut_set_xcrs(struct ut_vcpu *vcpu, const struct kvm_xcrs *in)
{
	ut_must_ioctl(vcpu->fd, KVM_SET_XCRS, in);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

int ut_read_msr(struct ut_vcpu *vcpu, u32 index, u64 *value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	int ret = ut_ioctl(vcpu->fd, KVM_GET_MSRS, &msr);

	if (ret == 1)
		*value = msr.entry.data;
	return ret;
}

int ut_write_msr(struct ut_vcpu *vcpu, u32 index, u64 value)
{
	struct one_msr msr = {
		.head.nmsrs = 1,
		.entry.index = index,
		.entry.data = value,
	};

	return ut_ioctl(vcpu->fd, KVM_SET_MSRS, &msr);
}

#define MAX_CPUID	256

struct kvm_cpuid2 *ut_supported_cpuid(int dev_fd)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID * sizeof(cpuid->entries[0]));
	if (!cpuid)
		ut_die("out of memory");
	cpuid->nent = MAX_CPUID;
	ut_must_ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	return cpuid;
}

struct kvm_cpuid_entry2 *ut_cpuid_entry(struct kvm_cpuid2 *cpuid, u32 function,
					u32 index)
{
	u32 i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}
