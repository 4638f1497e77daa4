/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct umbra_vcpu: one virtual processor. Lifetime, descriptor, ioctls.
 *
 * Legend: (c) constant after creation; (v) vcpu->mutex; (r) the thread in
 * KVM_RUN only; (a) atomic or with its own rules.
 */
#ifndef UMBRA_VCPU_H
#define UMBRA_VCPU_H

#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/rcuwait.h>
#include <linux/signal.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "event.h"
#include "exit.h"
#include "fpu.h"
#include "inner.h"
#include "kvmclock.h"
#include "msr.h"
#include "regs.h"
#include "stats.h"
#include "tpr.h"
#include "types.h"
#include "vm.h"

struct umbra_emulation;
struct umbra_lapic;
struct umbra_mmu_vcpu;

struct umbra_vcpu {
	struct umbra_vm *vm;			/* (c) */
	int id;					/* (c) caller's number, also APIC id */
	int index;				/* (c) place in vm->vcpu[] */
	struct mutex mutex;			/* every ioctl of the vCPU */

	int mode;				/* (a) enum umbra_vcpu_mode, see request.h */
	int cpu;				/* (a) host CPU while loaded, else -1 */
	int last_cpu;				/* (r) host CPU of the last load, -1 at first */
	unsigned long requests;			/* (a) bits of enum umbra_request */
	struct rcuwait wait;			/* (a) its thread, while it sleeps in halt.c */

	struct kvm_run *run;			/* (c) shared page: never trusted, read once */
	struct page *run_page;			/* (c) */
	struct page *pio_page;			/* (c) second page of the mmap: port data */
	sigset_t sigset;			/* (v) */
	bool sigset_active;			/* (v) */

	/* Architectural state; valid whenever the guest is not running. (v) */
	u64 gpr[16];
	u64 rip;
	u64 rflags;				/* the guest's view, without user space's TF */
	u64 cr0, cr2, cr3, cr4, cr8;
	u64 efer;
	u64 dr[4];				/* the guest's DR0-3 */
	u64 dr6, dr7;
	u64 pdpte[4];				/* PAE: loaded with CR3, as the manual says */

	struct umbra_events ev;			/* (v) */
	struct umbra_inner inner;		/* (v) see there who writes it */
	struct umbra_exit exit;			/* (r) the last exit */
	struct umbra_fpu fpu;			/* (v) */
	struct umbra_cpuid cpuid;		/* (v) */
	struct umbra_msrs msrs;			/* (v) */

	struct umbra_emulation *emu;		/* (c) owned by emulate.c */
	struct umbra_mmu_vcpu *mmu;		/* (c) owned by mmu/ */
	void *hw;				/* (c) owned by the vendor */
	struct umbra_lapic *lapic;		/* (c) owned by irq/; NULL: in user space */

	int (*complete)(struct umbra_vcpu *vcpu);	/* (v) finish after user space; see run.c */

	u32 tsc_khz;				/* (v) */
	u64 tsc_offset;				/* (v) guest TSC = umbra_host_tsc() + offset */
	u64 tsc_lost;				/* (v) see umbra_tsc_moved() */
	struct umbra_kvmclock clock;		/* (v) owned by kvmclock.c */
	struct umbra_pv_eoi pv_eoi;		/* (v) owned by irq/pv_eoi.c */
	bool pv_enforce;			/* (v) KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
	bool pv_kicked;				/* (a) KVM_HC_KICK_CPU, until a HLT ends */
	u32 mp_state;				/* (v) KVM_MP_STATE_* */
	struct umbra_tpr tpr;			/* (v) */

	u32 guest_debug;			/* (v) KVM_GUESTDBG_* */
	u64 debug_dr[8];			/* (v) user space's DR0-3 and DR7 */

	struct umbra_vcpu_stats stats;		/* (v) to write, anybody reads */
};

/* RFLAGS bits that user space's single step adds. */
static inline u64 umbra_debug_rflags(const struct umbra_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP ? X86_EFLAGS_TF : 0;
}

/* CR8 as the guest, or the inner one, sees it. */
static inline u64 umbra_guest_cr8(const struct umbra_vcpu *vcpu)
{
	return unlikely(vcpu->inner.masked) ? vcpu->inner.tpr : vcpu->cr8;
}

/* With the 8259A in the kernel, user space has nothing to put through a window. */
static inline bool umbra_user_wants_window(const struct umbra_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->request_interrupt_window) &&
	       vcpu->vm->irq.chip != UMBRA_IRQCHIP_KERNEL;
}

int umbra_vcpu_create_fd(struct umbra_vm *vm, u32 id);
void umbra_vcpu_destroy(struct umbra_vcpu *vcpu);
void umbra_vcpu_reset(struct umbra_vcpu *vcpu, bool init);
void umbra_run_init(void);		/* at module init */
/* KVM_RUN: vcpu->mutex held. */
int umbra_vcpu_run(struct umbra_vcpu *vcpu);
/* KVM_RUN's register block: sync_regs.c */
void umbra_sync_regs_store(struct umbra_vcpu *vcpu);
int umbra_sync_regs_load(struct umbra_vcpu *vcpu);

#endif
