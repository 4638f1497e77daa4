/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VM's clock, and what guests are told of it: the pages of kvmclock, the wall
 * clock, the pair of both clocks.
 */
#ifndef UMBRA_KVMCLOCK_H
#define UMBRA_KVMCLOCK_H

#include <linux/spinlock.h>
#include "types.h"

struct kvm_clock_data;
struct umbra_vcpu;
struct umbra_vm;

/**
 * struct umbra_clock - the clock of a VM; member "clock" of struct umbra_vm
 * @lock: see below
 * @line: the clock is a line over the host's TSC, the same for all vCPUs; true from
 *	the start or never, and false for ever once the host distrusts its TSC
 * @shift: nanoseconds are (ticks << @shift) * @mul >> 32, for the guest as well
 * @mul: see @shift
 * @tsc: line: the host's TSC (umbra_host_tsc()) at one point of it
 * @ns: line: the clock at that point; otherwise the clock minus the host's boot time
 * @wall_msr: what the guest wrote to MSR_KVM_WALL_CLOCK last
 */
struct umbra_clock {
	spinlock_t lock;	/* all below; irq-safe, taken alone */
	bool line;
	u8 shift;
	u32 mul;
	u64 tsc;
	s64 ns;
	u64 wall_msr;
};

/**
 * struct umbra_kvmclock - a vCPU's page; member "clock" of struct umbra_vcpu. (v)
 * @msr: MSR_KVM_SYSTEM_TIME: address, and KVM_MSR_ENABLED
 * @shown: the page has been written since @msr was
 * @stopped: KVM_KVMCLOCK_CTRL: tell the guest that it was stopped
 * @line: the page was written from the VM's line
 * @cpu: otherwise: the host CPU whose TSC is in the page
 * @written: otherwise: when, in jiffies
 */
struct umbra_kvmclock {
	u64 msr;
	bool shown;
	bool stopped;
	bool line;
	int cpu;
	unsigned long written;
};

void umbra_clock_init(struct umbra_vm *vm);
void umbra_get_clock(struct umbra_vm *vm, struct kvm_clock_data *out);
int umbra_set_clock(struct umbra_vm *vm, const struct kvm_clock_data *in);

/* A power-up or INIT turns the page off. vCPU. */
void umbra_kvmclock_reset(struct umbra_vcpu *vcpu);
/* MSR_KVM_SYSTEM_TIME and MSR_KVM_WALL_CLOCK in both forms. vCPU; the second may sleep. */
int umbra_kvmclock_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_kvmclock_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);
/* KVM_KVMCLOCK_CTRL: 0, or -EINVAL when the guest has no page. vCPU. */
int umbra_kvmclock_stopped(struct umbra_vcpu *vcpu);

/* Serve UMBRA_REQ_CLOCK: write the page anew. vCPU; sleeps. */
void umbra_kvmclock_update(struct umbra_vcpu *vcpu);
/* Is the page, or the TSC, no longer what the guest is to read? vCPU. */
bool umbra_kvmclock_stale(const struct umbra_vcpu *vcpu);
/* The vCPU is loaded on this CPU: the page may need another TSC. vCPU; preemption off. */
void umbra_kvmclock_loaded(struct umbra_vcpu *vcpu);

/* KVM_HC_CLOCK_PAIRING: 0, or -KVM_EFAULT, -KVM_EOPNOTSUPP. vCPU; sleeps. */
long umbra_kvmclock_pairing(struct umbra_vcpu *vcpu, gpa_t gpa, u64 type);

#endif
