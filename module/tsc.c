// SPDX-License-Identifier: GPL-2.0
/*
 * Guests' TSCs. A guest's is the host's plus an offset; no hardware here scales it.
 * When the host wakes from a sleep that stopped its TSC, all guests' go on as if it had
 * not: offsets are relative to a host TSC that is never set back, umbra_host_tsc().
 * Owns vcpu->tsc_offset, vcpu->tsc_khz, vm->first_tsc_offset. The VM's clock is kvmclock.c's.
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/spinlock.h>
#include <asm/tsc.h>
#include "request.h"
#include "tsc.h"
#include "vcpu.h"
#include "vendor.h"

#define TOLERANCE_PPM	250

/* Orders writes of vm->first_tsc_offset; held for a few instructions. */
static DEFINE_SPINLOCK(offset_lock);

u64 umbra_tsc_lost;

/* At the moment the host went to sleep. */
static u64 slept_tsc;
static s64 slept_ns;

/* Interrupts off, one CPU left, the kernel's clocks are still there. */
void umbra_tsc_suspend(void)
{
	slept_tsc = umbra_host_tsc();
	slept_ns = ktime_to_ns(ktime_get_boottime());
}

/* As above. A TSC that went on needs nothing: it shows what has passed. */
void umbra_tsc_resume(void)
{
	u64 passed = ktime_to_ns(ktime_get_boottime()) - slept_ns;
	u64 now = umbra_host_tsc();

	if ((s64)(now - slept_tsc) < 0)
		WRITE_ONCE(umbra_tsc_lost, umbra_tsc_lost + slept_tsc - now +
			   mul_u64_u32_div(passed, tsc_khz, 1000000));
}

void umbra_tsc_sync(struct umbra_vcpu *vcpu)
{
	bool moved = umbra_tsc_moved(vcpu);

	vcpu->tsc_lost = READ_ONCE(umbra_tsc_lost);
	umbra_vendor->sync_tsc(vcpu);
	if (moved && vcpu->lapic)
		umbra_lapic_tsc_changed(vcpu);
}

/* Every page of the VM says whether all TSCs are in step. */
static void set_offset(struct umbra_vcpu *vcpu, u64 offset)
{
	if (offset == vcpu->tsc_offset)
		return;
	WRITE_ONCE(vcpu->tsc_offset, offset);
	umbra_vendor->sync_tsc(vcpu);
	if (vcpu->lapic)
		umbra_lapic_tsc_changed(vcpu);
	umbra_request_all(vcpu->vm, UMBRA_REQ_CLOCK);
}

/**
 * umbra_tsc_in_step() - do all vCPUs read the same TSC?
 * @vm: virtual machine
 *
 * Any context. A change that the answer misses is followed by UMBRA_REQ_CLOCK.
 */
bool umbra_tsc_in_step(struct umbra_vm *vm)
{
	struct umbra_vcpu *vcpu = umbra_vcpu_at(vm, 0);
	u64 first = vcpu ? READ_ONCE(vcpu->tsc_offset) : 0;
	int i;

	for (i = 1; (vcpu = umbra_vcpu_at(vm, i)); i++)
		if (READ_ONCE(vcpu->tsc_offset) != first)
			return false;
	return true;
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
		vm->first_tsc_offset = -umbra_host_tsc();
	vcpu->tsc_offset = vm->first_tsc_offset;
	spin_unlock(&offset_lock);
	vcpu->tsc_khz = READ_ONCE(vm->default_tsc_khz) ?: tsc_khz;
	umbra_tsc_sync(vcpu);
}

u64 umbra_guest_tsc(struct umbra_vcpu *vcpu)
{
	return umbra_host_tsc() + vcpu->tsc_offset;
}

void umbra_set_guest_tsc(struct umbra_vcpu *vcpu, u64 value)
{
	set_offset(vcpu, value - umbra_host_tsc());
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
	u64 offset = value - umbra_host_tsc();
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
	offset -= READ_ONCE(umbra_tsc_lost);
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
