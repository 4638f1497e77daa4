/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory virtualization, as the rest of Umbra sees it. Faults never inject:
 * the verdict is the return value, and the caller acts on it.
 */
#ifndef UMBRA_MMU_MMU_H
#define UMBRA_MMU_MMU_H

#include "../types.h"

struct umbra_memslot;
struct umbra_mmu;
struct umbra_vcpu;
struct umbra_vm;

enum umbra_mmu_mode {
	UMBRA_MMU_NESTED,	/* hardware walks two tables */
	UMBRA_MMU_SHADOW,	/* gva to hpa, guest tables write-traced */
	UMBRA_MMU_VTLB,		/* gva to hpa, filled and dropped like a TLB */
};

enum umbra_verdict {
	UMBRA_MMU_RETRY,	/* mapped, or raced: run the guest again */
	UMBRA_MMU_MMIO,		/* no memory there, or a write to a read-only slot: emulate */
	UMBRA_MMU_EMULATE,	/* a traced page was written: emulate */
	UMBRA_MMU_INJECT,	/* the guest's own fault */
	UMBRA_MMU_SLEEP,	/* atomic handling impossible: call again with @atomic false */
};

/**
 * struct umbra_walk - result of a walk of the guest's own tables
 * @gpa: where @gva leads, valid when the walk succeeded
 * @error: #PF error code, valid when it failed (P, W/R, U/S, RSVD, I/D, PK)
 * @level: level of the leaf (1 = 4 KiB, 2 = 2 or 4 MiB, 3 = 1 GiB; 0 = no paging)
 * @bad_gpa: a table lies where no memory is; @error is meaningless
 */
struct umbra_walk {
	gpa_t gpa;
	u32 error;
	u8 level;
	bool bad_gpa;
};

/* At module init and exit. 0 or -ENOMEM. Sleep. */
int umbra_mmu_init(void);
void umbra_mmu_exit(void);

int umbra_mmu_vm_create(struct umbra_vm *vm);
/* Before the VM's vCPUs are freed: the host's reclaim leaves its tables alone. */
void umbra_mmu_vm_retire(struct umbra_vm *vm);
void umbra_mmu_vm_destroy(struct umbra_vm *vm);
int umbra_mmu_vcpu_create(struct umbra_vcpu *vcpu);
void umbra_mmu_vcpu_destroy(struct umbra_vcpu *vcpu);

/*
 * Make sure that the vCPU has a valid root and the vendor points at it.
 * Sleeps. 0 or -ENOMEM. Called before the vCPU's first entry and on
 * UMBRA_REQ_NEW_ROOT.
 */
int umbra_mmu_load(struct umbra_vcpu *vcpu);

/*
 * Second-level fault at @gpa for @access. SRCU read section held. With @atomic
 * it does not sleep. Verdict, or -EFAULT, -EHWPOISON, -ENOMEM, -EINTR.
 */
int umbra_mmu_fault(struct umbra_vcpu *vcpu, gpa_t gpa, u32 access, bool atomic);
/*
 * #PF at linear address @gva for @access, in modes without nested tables. The
 * same contexts, verdicts and errors; on UMBRA_MMU_INJECT w->error is the
 * guest's, and w->gpa is known on other verdicts unless there is no answer.
 */
int umbra_mmu_page_fault(struct umbra_vcpu *vcpu, gva_t gva, u32 access, bool atomic,
			 struct umbra_walk *w);
/*
 * The instruction that writes the traced page at @gpa cannot be emulated: let
 * the guest write it itself. True when it may try again. SRCU read section
 * held; atomic.
 */
bool umbra_mmu_unprotect(struct umbra_vcpu *vcpu, gpa_t gpa);

/*
 * A string instruction is about to fill the traced page at @gpa: hardly a table
 * any more. True when its traces went, and the guest may write itself. SRCU read
 * section held; atomic.
 */
bool umbra_mmu_unshadow(struct umbra_vcpu *vcpu, gpa_t gpa);

/*
 * Umbra is about to write, or with @after has written, @bytes bytes at @gpa on
 * behalf of the guest, all in one page: traces are told. Not for accessed and
 * dirty bits. SRCU read section held; atomic.
 */
void umbra_mmu_guest_write(struct umbra_vcpu *vcpu, gpa_t gpa, const void *data,
			   unsigned int bytes, bool after);
/* The same before a read or a fetch. */
void umbra_mmu_guest_read(struct umbra_vcpu *vcpu, gpa_t gpa, unsigned int bytes);

/*
 * CR0, CR4 or EFER changed in a bit that translation depends on: what was
 * derived from the guest's tables is looked at again. Any context.
 */
void umbra_mmu_context_changed(struct umbra_vcpu *vcpu);
/* User space set registers, and may have written guest memory before. Sleeps. */
void umbra_mmu_registers_set(struct umbra_vcpu *vcpu);
/* The guest wrote CR3, legally; vcpu->cr3 and PDPTEs are the new ones. */
void umbra_mmu_new_cr3(struct umbra_vcpu *vcpu);
/* The guest executed INVLPG for @gva (or the emulator did). */
void umbra_mmu_invlpg(struct umbra_vcpu *vcpu, gva_t gva);
/* A #PF for @gva with error code @error goes to the guest: that drops a translation too. */
void umbra_mmu_fault_injected(struct umbra_vcpu *vcpu, gva_t gva, u32 error);
/*
 * The guest executed INVPCID, legally. Tags are not told apart: whatever the type,
 * translations of all contexts go. More may always be dropped than was asked for.
 */
void umbra_mmu_invpcid(struct umbra_vcpu *vcpu);

/*
 * Walk the guest's tables for linear address @gva. SRCU read section held.
 * Sleeps unless page faults are disabled. Sets accessed and dirty bits as the
 * processor does when @set_ad. 0, or -EFAULT with w->error (or w->bad_gpa), or
 * -EINTR when @set_ad and a fatal signal is pending.
 * The processor's state (CR0, CR3, CR4, EFER, RFLAGS.AC, PKRU) is read from @vcpu.
 */
int umbra_mmu_walk(struct umbra_vcpu *vcpu, gva_t gva, u32 access, bool set_ad,
		   struct umbra_walk *w);
/*
 * Copy @len instruction bytes at linear address @rip, all in one page. No
 * fault is injected and no accessed bit set. 0; -EFAULT not possible; -EAGAIN
 * only when @atomic and it would sleep. SRCU read section held.
 */
int umbra_mmu_fetch(struct umbra_vcpu *vcpu, gva_t rip, void *buf, unsigned int len, bool atomic);
/* The first eight bytes of the instruction that has just exited; 0 or -EAGAIN. Atomic. */
int umbra_mmu_refetch(struct umbra_vcpu *vcpu, gva_t rip, u64 *bytes);
/* PAE guests: read the four PDPTEs at CR3; -EINVAL when reserved bits are set. */
int umbra_mmu_load_pdptes(struct umbra_vcpu *vcpu);

/* The last guest frame that a slot of @vm may hold. */
gfn_t umbra_mmu_max_gfn(const struct umbra_vm *vm);

/*
 * The host is about to change its mappings of [start, end) in host addresses:
 * nothing is installed from there until the matching end. Any context that
 * may take spinlocks, interrupts on.
 */
void umbra_mmu_invalidate_begin(struct umbra_vm *vm, hva_t start, hva_t end);
void umbra_mmu_invalidate_end(struct umbra_vm *vm);
/* Drop every mapping of the VM: its mm goes away. Sleeps. */
void umbra_mmu_zap_all(struct umbra_vm *vm);

/*
 * Host side, from the notifier and from memslot.c. [start, end) in gfns. TLBs are flushed on
 * return of a zap; the result says whether there was anything. Ageing flushes
 * no more than it must; the result says whether any page was accessed. Without @may_block
 * callable where sleeping is not. Interrupts on.
 */
bool umbra_mmu_zap_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool may_block);
bool umbra_mmu_age_range(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t start, gfn_t end,
			 bool clear);
/* Before @slot is deleted or moved, and after it is no longer published. */
void umbra_mmu_zap_slot(struct umbra_vm *vm, struct umbra_memslot *slot);
/* Dirty logging: write-protect all of @slot, splitting huge mappings. */
void umbra_mmu_log_start(struct umbra_vm *vm, struct umbra_memslot *slot);
/* Logging ended: let huge mappings come back. */
void umbra_mmu_log_stop(struct umbra_vm *vm, struct umbra_memslot *slot);
/*
 * Write-protect again the pages of @mask (64 pages from @gfn), for a log read.
 * The caller flushes TLBs before it gives the log to user space.
 */
void umbra_mmu_log_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u64 mask);
/*
 * Per-slot data of the MMU (slot->arch), before the slot is published. 0 or
 * -ENOMEM. Sleeps; vm->slots_lock held.
 */
int umbra_mmu_slot_create(struct umbra_memslot *slot);
/*
 * Around the moment at which a new array of slots is published: @slot is new in
 * it, or NULL. Nothing may sleep in between.
 */
void umbra_mmu_publish_begin(struct umbra_vm *vm, struct umbra_memslot *slot);
void umbra_mmu_publish_end(struct umbra_vm *vm);
/* Guest memory became more or less: so may the MMU's tables. vm->slots_lock held; sleeps. */
void umbra_mmu_slots_changed(struct umbra_vm *vm);
/* KVM_SET_NR_MMU_PAGES; vm->slots_lock held. */
#define UMBRA_MIN_MMU_PAGES	64
void umbra_mmu_set_limit(struct umbra_vm *vm, unsigned long tables);
unsigned long umbra_mmu_limit(const struct umbra_vm *vm);
void umbra_mmu_slot_destroy(struct umbra_vm *vm, struct umbra_memslot *slot);

#endif
