/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What user space is told of, and shares with, a local APIC in the kernel: accesses to
 * the task priority, EOIs for an I/O APIC in user space, and the page through which
 * a patched guest changes its task priority without an exit.
 */
#ifndef UMBRA_TPR_H
#define UMBRA_TPR_H

#include <linux/types.h>
#include "types.h"

struct kvm_tpr_access_ctl;
struct kvm_vapic_addr;
struct umbra_vcpu;

/**
 * struct umbra_tpr - member "tpr" of struct umbra_vcpu
 * @report: KVM_TPR_ACCESS_REPORTING is on
 * @write: the access to report was a write
 * @eoi: vector to report
 * @rip: instruction of the access to report
 * @page: KVM_SET_VAPIC_ADDR, 0 for none
 * @shown: task priority that the page had when both were in step last, -1: never yet
 */
struct umbra_tpr {
	bool report;
	bool write;
	u8 eoi;
	u64 rip;
	gpa_t page;
	int shown;
};

/* The guest accessed the TPR by MMIO: exit to user space if it wants that. vCPU, atomic. */
void umbra_tpr_accessed(struct umbra_vcpu *vcpu, bool write);
/* EOI of @vector interests an I/O APIC in user space: exit. vCPU, atomic. */
void umbra_eoi_exit(struct umbra_vcpu *vcpu, u8 vector);
/* Serve either: true when vcpu->run is filled. vCPU. */
bool umbra_tpr_exit(struct umbra_vcpu *vcpu);
/*
 * Where there is a page. After each exit, before anything is done about it: what the guest
 * wrote came first. And before each entry: else the page shows what the local APIC says now.
 * Sleeps.
 */
void umbra_tpr_sync(struct umbra_vcpu *vcpu);

/* ioctl bodies; vcpu->mutex held. */
int umbra_tpr_reporting(struct umbra_vcpu *vcpu, struct kvm_tpr_access_ctl *ctl);
int umbra_set_vapic_addr(struct umbra_vcpu *vcpu, const struct kvm_vapic_addr *in);

#endif
