// SPDX-License-Identifier: GPL-2.0
/*
 * Guest time. The guest's TSC is the host's plus an offset; no hardware here
 * scales it. The VM's clock is the host's time since boot plus an offset.
 * Owns vcpu->tsc_offset, vcpu->tsc_khz, vm->first_tsc_offset, vm->clock_offset.
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/kvm.h>
#include <linux/math64.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/tsc.h>
#include "request.h"
#include "tsc.h"
#include "vcpu.h"
#include "vendor.h"

#define TOLERANCE_PPM	250

/* Orders writes of vm->first_tsc_offset; held for a few instructions. */
static DEFINE_SPINLOCK(offset_lock);

static void set_offset(struct umbra_vcpu *vcpu, u64 offset)
{
	vcpu->tsc_offset = offset;
	umbra_vendor->sync_tsc(vcpu);
}

/**
 * umbra_tsc_vcpu_init() - start a vCPU's TSC
 * @vcpu: virtual processor under construction, its hw part exists
 *
 * The first vCPU of a VM starts at 0; later ones are in step with it.
 */
void umbra_tsc_vcpu_init(struct umbra_vcpu *vcpu)
{
	struct umbra_vm *vm = vcpu->vm;

	spin_lock(&offset_lock);
	if (!vm->first_tsc_offset)
		vm->first_tsc_offset = -rdtsc();
	vcpu->tsc_offset = vm->first_tsc_offset;
	spin_unlock(&offset_lock);
	vcpu->tsc_khz = READ_ONCE(vm->default_tsc_khz) ?: tsc_khz;
	umbra_vendor->sync_tsc(vcpu);
}

u64 umbra_guest_tsc(struct umbra_vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}

void umbra_set_guest_tsc(struct umbra_vcpu *vcpu, u64 value)
{
	set_offset(vcpu, value - rdtsc());
}

void umbra_tsc_adjust(struct umbra_vcpu *vcpu, u64 delta)
{
	set_offset(vcpu, vcpu->tsc_offset + delta);
}

/**
 * umbra_tsc_host_write() - KVM_SET_MSRS of the TSC
 * @vcpu: virtual processor
 * @value: what the guest shall read now
 *
 * User space restores one vCPU after the other and cannot hit the same
 * instant twice: a value within a second of what the VM's TSC is by now, and
 * 0, mean "in step with the others". Any other value moves the VM's TSC.
 */
void umbra_tsc_host_write(struct umbra_vcpu *vcpu, u64 value)
{
	struct umbra_vm *vm = vcpu->vm;
	u64 second = (u64)tsc_khz * 1000;
	u64 offset = value - rdtsc();
	u64 ahead;

	spin_lock(&offset_lock);
	ahead = offset - vm->first_tsc_offset;
	if (value && ahead > second && -ahead > second)
		vm->first_tsc_offset = offset;
	offset = vm->first_tsc_offset;
	spin_unlock(&offset_lock);
	set_offset(vcpu, offset);
}

/**
 * umbra_tsc_set_offset() - KVM_VCPU_TSC_OFFSET: user space knows what it wants to the tick
 * @vcpu: virtual processor
 * @offset: what the guest's TSC shall be ahead of the host's
 *
 * The VM's other vCPUs follow only if user space tells them too.
 */
void umbra_tsc_set_offset(struct umbra_vcpu *vcpu, u64 offset)
{
	spin_lock(&offset_lock);
	vcpu->vm->first_tsc_offset = offset;
	spin_unlock(&offset_lock);
	set_offset(vcpu, offset);
}

/**
 * umbra_tsc_khz_supported() - can a guest's TSC run at @khz?
 * @khz: frequency
 *
 * Without scaling only the host's own, give or take what clocks are off by.
 */
bool umbra_tsc_khz_supported(u32 khz)
{
	u64 slack = div_u64((u64)tsc_khz * TOLERANCE_PPM, 1000000);

	return khz >= tsc_khz - slack && khz <= tsc_khz + slack;
}

int umbra_set_tsc_khz(struct umbra_vcpu *vcpu, u32 khz)
{
	if (!khz)
		khz = tsc_khz;
	if (!umbra_tsc_khz_supported(khz))
		return -EINVAL;
	vcpu->tsc_khz = khz;
	return 0;
}

static s64 boot_ns(void)
{
	return ktime_to_ns(ktime_get_boottime());
}

/**
 * umbra_clock_init() - start the VM's clock at 0
 * @vm: virtual machine under construction
 */
void umbra_clock_init(struct umbra_vm *vm)
{
	vm->clock_offset = -boot_ns();
	vm->default_tsc_khz = tsc_khz;
}

/**
 * umbra_get_clock() - KVM_GET_CLOCK
 * @vm: virtual machine
 * @out: filled: clock, and the host's real time and TSC at that instant
 *
 * Context: vm->lock held, or the caller does not mind a concurrent change.
 */
void umbra_get_clock(struct umbra_vm *vm, struct kvm_clock_data *out)
{
	unsigned long flags;

	memset(out, 0, sizeof(*out));
	local_irq_save(flags);
	out->host_tsc = rdtsc_ordered();
	out->clock = boot_ns() + READ_ONCE(vm->clock_offset);
	out->realtime = ktime_get_real_ns();
	local_irq_restore(flags);
	if (check_tsc_unstable()) {
		out->host_tsc = 0;
		out->flags = KVM_CLOCK_REALTIME;
		return;
	}
	out->flags = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC | KVM_CLOCK_TSC_STABLE;
}

/**
 * umbra_set_clock() - KVM_SET_CLOCK
 * @vm: virtual machine
 * @in: clock; with KVM_CLOCK_REALTIME, its value at that host time
 *
 * Context: vm->lock held.
 * Return: 0, or -EINVAL for unknown flags.
 */
int umbra_set_clock(struct umbra_vm *vm, const struct kvm_clock_data *in)
{
	const u32 known = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	s64 clock = in->clock;
	s64 passed;

	if (in->flags & ~known)
		return -EINVAL;
	if (in->flags & KVM_CLOCK_REALTIME) {
		passed = ktime_get_real_ns() - in->realtime;
		if (passed > 0)
			clock += passed;
	}
	WRITE_ONCE(vm->clock_offset, clock - boot_ns());
	umbra_request_all(vm, UMBRA_REQ_CLOCK);
	return 0;
}
