// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR and the exits KVM_EXIT_TPR_ACCESS and
 * KVM_EXIT_IOAPIC_EOI. User space uses the first two for guests that change the
 * task priority all the time by MMIO (Windows of 32 bits): it patches the accesses it is
 * told of to use a page of guest memory instead, whose content this file keeps.
 *
 * The page is the guest's memory: it may be missing or traced, and what it says is only a
 * task priority.
 */
#include <linux/kvm.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include "guest_mem.h"
#include "guest_write.h"
#include "irq/irq.h"
#include "request.h"
#include "tpr.h"
#include "vcpu.h"

void umbra_tpr_accessed(struct umbra_vcpu *vcpu, bool write)
{
	if (!vcpu->tpr.report)
		return;
	vcpu->tpr.rip = vcpu->rip;
	vcpu->tpr.write = write;
	umbra_request(vcpu, UMBRA_REQ_TPR_ACCESS);
}

void umbra_eoi_exit(struct umbra_vcpu *vcpu, u8 vector)
{
	vcpu->tpr.eoi = vector;
	umbra_request(vcpu, UMBRA_REQ_EOI_EXIT);
}

bool umbra_tpr_exit(struct umbra_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (umbra_take_request(vcpu, UMBRA_REQ_EOI_EXIT)) {
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = vcpu->tpr.eoi;
		return true;
	}
	if (umbra_take_request(vcpu, UMBRA_REQ_TPR_ACCESS)) {
		run->exit_reason = KVM_EXIT_TPR_ACCESS;
		run->tpr_access.rip = vcpu->tpr.rip;
		run->tpr_access.is_write = vcpu->tpr.write;
		return true;
	}
	return false;
}

/* What the local APIC says goes into the page: 0, or -EFAULT. */
static int show(struct umbra_vcpu *vcpu, u32 old)
{
	u32 new = umbra_lapic_vapic(vcpu);

	return new == old ? 0 : umbra_guest_write(vcpu, vcpu->tpr.page, &new, sizeof(new));
}

void umbra_tpr_sync(struct umbra_vcpu *vcpu)
{
	struct umbra_tpr *tpr = &vcpu->tpr;
	u32 old;
	int idx;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	if (umbra_gpa_read(vcpu->vm, tpr->page, &old, sizeof(old))) {
		tpr->shown = -1;
	} else {
		if (tpr->shown >= 0 && (u8)old != tpr->shown)
			umbra_lapic_set_tpr(vcpu, old);
		tpr->shown = show(vcpu, old) ? -1 : (u8)umbra_lapic_vapic(vcpu);
	}
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

/**
 * umbra_tpr_reporting() - KVM_TPR_ACCESS_REPORTING
 * @vcpu: virtual processor
 * @ctl: whether to report; nothing comes back
 *
 * Where user space has the local APIC itself, there will be nothing to report.
 * Return: 0, or -EINVAL for flags.
 */
int umbra_tpr_reporting(struct umbra_vcpu *vcpu, struct kvm_tpr_access_ctl *ctl)
{
	if (ctl->flags)
		return -EINVAL;
	vcpu->tpr.report = ctl->enabled;
	return 0;
}

/**
 * umbra_set_vapic_addr() - KVM_SET_VAPIC_ADDR
 * @vcpu: virtual processor
 * @in: address in guest memory of four bytes (task priority, class of the vector in
 *	service, unused, vector that waits); 0: the guest has none
 *
 * Return: 0; -EINVAL where user space has the local APIC itself, or when the address is
 * not one of the guest's memory.
 */
int umbra_set_vapic_addr(struct umbra_vcpu *vcpu, const struct kvm_vapic_addr *in)
{
	u32 word = 0;
	int idx, r = 0;

	if (!vcpu->lapic)
		return -EINVAL;
	if (in->vapic_addr) {
		idx = srcu_read_lock(&vcpu->vm->srcu);
		r = umbra_gpa_read(vcpu->vm, in->vapic_addr, &word, sizeof(word));
		srcu_read_unlock(&vcpu->vm->srcu, idx);
	}
	if (r)
		return -EINVAL;
	vcpu->tpr.page = in->vapic_addr;
	vcpu->tpr.shown = -1;
	return 0;
}
