// SPDX-License-Identifier: GPL-2.0
/*
 * Registers in the run page: KVM_CAP_SYNC_REGS. The page is user space's, who
 * may write to it at any time: each block is copied once and then checked
 * like the argument of the ioctl it stands for. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include "event.h"
#include "regs.h"
#include "vcpu.h"

/**
 * umbra_sync_regs_store() - fill the blocks that user space asked for
 * @vcpu: virtual processor on its way to user space
 */
void umbra_sync_regs_store(struct umbra_vcpu *vcpu)
{
	struct kvm_sync_regs *regs = &vcpu->run->s.regs;
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		umbra_get_regs(vcpu, &regs->regs);
	if (valid & KVM_SYNC_X86_SREGS)
		umbra_get_sregs(vcpu, &regs->sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		umbra_event_get(vcpu, &regs->events);
}

static int load_regs(struct umbra_vcpu *vcpu)
{
	struct kvm_regs regs = vcpu->run->s.regs.regs;

	barrier();
	return umbra_set_regs(vcpu, &regs);
}

static int load_sregs(struct umbra_vcpu *vcpu)
{
	struct kvm_sregs sregs = vcpu->run->s.regs.sregs;

	barrier();
	return umbra_set_sregs(vcpu, &sregs);
}

static int load_events(struct umbra_vcpu *vcpu)
{
	struct kvm_vcpu_events events = vcpu->run->s.regs.events;

	barrier();
	return umbra_event_set(vcpu, &events);
}

/**
 * umbra_sync_regs_load() - take the blocks that user space marked as changed
 * @vcpu: virtual processor about to run
 *
 * Return: 0, or -EINVAL for a block its ioctl would refuse; blocks before it
 * are in effect, and its mark and those behind it stay.
 */
int umbra_sync_regs_load(struct umbra_vcpu *vcpu)
{
	static const struct {
		u64 mark;
		int (*load)(struct umbra_vcpu *vcpu);
	} blocks[] = {
		{ KVM_SYNC_X86_REGS, load_regs },
		{ KVM_SYNC_X86_SREGS, load_sregs },
		{ KVM_SYNC_X86_EVENTS, load_events },
	};
	u64 dirty = READ_ONCE(vcpu->run->kvm_dirty_regs);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		if (!(dirty & blocks[i].mark))
			continue;
		if (blocks[i].load(vcpu))
			return -EINVAL;
		dirty &= ~blocks[i].mark;
		WRITE_ONCE(vcpu->run->kvm_dirty_regs, dirty);
	}
	return 0;
}
