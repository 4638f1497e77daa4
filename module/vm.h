/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct umbra_vm: one guest. Lifetime, the VM's descriptor and its calls.
 *
 * Legend for fields: (c) constant after creation; (m) vm->lock; (s) vm->slots_lock
 * to write, vm->srcu to read; (a) atomic.
 */
#ifndef UMBRA_VM_H
#define UMBRA_VM_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include "iobus.h"
#include "irq/irq.h"
#include "kvmclock.h"
#include "memslot.h"
#include "mmu/mmu.h"
#include "stats.h"
#include "types.h"

#define UMBRA_MAX_VCPUS		1024
#define UMBRA_MAX_VCPU_ID	4096	/* ids are below */

/*
 * What Umbra does as KVM does it, though a processor would not, until user space
 * disables it: KVM_X86_QUIRK_*.
 */
#define UMBRA_QUIRKS	(KVM_X86_QUIRK_LAPIC_MMIO_HOLE | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
			 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

struct umbra_vcpu;

struct umbra_vm {
	struct kref ref;			/* (a) one for the VM fd, one for each vCPU fd */
	struct mm_struct *mm;			/* (c) whose memory the guest sees */
	struct mutex lock;			/* creation of vCPUs, VM-wide settings */
	struct mutex slots_lock;		/* replacing memslots, iobus lists, msr filter */
	struct srcu_struct srcu;		/* readers of the above */

	struct umbra_memslots __rcu *slots;	/* (s) */
	struct mmu_notifier notifier;		/* (c) */
	struct umbra_mmu *mmu;			/* (c) owned by mmu/ */
	enum umbra_mmu_mode mmu_mode;		/* (c) */
	bool nested;				/* (c) guests may run guests: see inner.h */

	struct umbra_vcpu **vcpu;		/* (m) to add; what is below nr_vcpus stays */
	int nr_vcpus;				/* (m), published with release after vcpu[] */

	struct umbra_iobus bus;			/* (s) */
	struct umbra_irq irq;			/* see irq/irq.h */
	struct umbra_msr_filter __rcu *msr_filter;	/* (s) */
	struct umbra_vm_stats stats;		/* (a) */
	u32 user_msr_mask;			/* (m) KVM_CAP_X86_USER_SPACE_MSR reasons */
	bool exception_payload;			/* (m) KVM_CAP_EXCEPTION_PAYLOAD */
	bool triple_fault_event;		/* (m) */
	bool no_platform_info;			/* (m) the guest must not read that MSR */
	u64 disabled_quirks;			/* (m) KVM_CAP_DISABLE_QUIRKS2 */
	u32 max_vcpu_id;			/* (m) KVM_CAP_MAX_VCPU_ID, 0 = not chosen */
	u64 manual_dirty;			/* (s) KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	struct umbra_clock clock;		/* owned by kvmclock.c */
	u32 default_tsc_khz;			/* (m) */
	u64 first_tsc_offset;			/* (m) so that vCPUs start in step */
	gpa_t identity_map;			/* (m) KVM_SET_IDENTITY_MAP_ADDR, kept only */
	gpa_t tss_addr;				/* (m) KVM_SET_TSS_ADDR, kept only */
};

/*
 * The vCPU at place @index, or NULL past the last one that is published:
 * for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++) visits them all.
 */
static inline struct umbra_vcpu *umbra_vcpu_at(const struct umbra_vm *vm, int index)
{
	/* Pairs with the release in vcpu.c: what is counted is stored. */
	return index < smp_load_acquire(&vm->nr_vcpus) ? vm->vcpu[index] : NULL;
}

/* Is KVM_X86_QUIRK_* @quirk, one of UMBRA_QUIRKS, in force? */
static inline bool umbra_has_quirk(const struct umbra_vm *vm, u64 quirk)
{
	return !(READ_ONCE(vm->disabled_quirks) & quirk);
}

/* Create a VM for current->mm; returns a descriptor or -errno. */
int umbra_vm_create_fd(enum umbra_mmu_mode mode);
void umbra_vm_get(struct umbra_vm *vm);
void umbra_vm_put(struct umbra_vm *vm);

int umbra_notifier_register(struct umbra_vm *vm);
void umbra_notifier_unregister(struct umbra_vm *vm);

#endif
