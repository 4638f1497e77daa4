/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between Umbra and the processor's virtualization extension.
 *
 * One const table per vendor, picked once at module init. At most 30 ops.
 * A vendor answers questions and moves state; it takes no decision, never
 * includes mmu/ or emul/, and injects nothing on its own.
 *
 * In VMs whose mode is not nested (vcpu->vm->mmu_mode) the processor runs on
 * Umbra's own tables: the vendor turns paging, write protection and no-execute
 * on whatever the guest's registers say, hides that from the guest, and leaves
 * it on page faults, CR3 accesses, INVLPG and INVPCID. vcpu->cr* stay the guest's.
 * Where umbra_caps.unpaged_nested says so, that holds only while the guest has
 * paging: without it (CR0.PG = 0) the vCPU runs as in mode nested, on the VM's
 * second-level table. set_root() tells which kind of table comes next.
 *
 * Where state lives: general registers, RIP, RFLAGS, CR0, CR2, CR3, CR4, EFER,
 * debug registers and the interrupt shadow live in struct umbra_vcpu and are
 * valid whenever the guest is not running. The vendor's enter() loads what
 * the guest may have in the processor and stores back what the guest may have
 * changed. Segments, descriptor tables and the MSRs of get_msr() live in the
 * vendor's control block and are reached through ops.
 */
#ifndef UMBRA_VENDOR_H
#define UMBRA_VENDOR_H

#include "event.h"
#include "exit.h"
#include "inner.h"
#include "types.h"

struct kvm_dtable;
struct kvm_segment;
struct umbra_vcpu;

enum umbra_seg {
	UMBRA_SEG_ES, UMBRA_SEG_CS, UMBRA_SEG_SS, UMBRA_SEG_DS, UMBRA_SEG_FS, UMBRA_SEG_GS,
	UMBRA_SEG_TR, UMBRA_SEG_LDTR,
};

enum umbra_table {
	UMBRA_TABLE_GDT,
	UMBRA_TABLE_IDT,
};

/* Second-level table formats, see mmu/fmt.h. */
enum umbra_fmt_id {
	UMBRA_FMT_NPT,
	UMBRA_FMT_EPT,
};

/**
 * struct umbra_host_caps - what this host's extension can do; filled by probe()
 * @nested: second-level paging (NPT, EPT) is there and may be used
 * @nested_1g: 1 GiB leaf entries in second-level tables; those of 2 MiB are always there
 * @nested_ad: the processor sets accessed and dirty bits in second-level tables
 * @unpaged_nested: in modes without nested tables, guests that have paging turned
 *	off run on second-level tables all the same
 * @insn_len: exits tell the instruction's length (NRIP save)
 * @insn_bytes: faults bring the instruction's bytes (decode assists)
 * @flush_by_asid: one guest's translations can be dropped alone
 * @fmt: format of second-level tables
 * @inner: guests can be given the extension themselves
 * @asids: number of address space tags
 */
struct umbra_host_caps {
	bool nested;
	bool nested_1g;
	bool nested_ad;
	bool unpaged_nested;
	bool insn_len;
	bool insn_bytes;
	bool flush_by_asid;
	bool inner;
	enum umbra_fmt_id fmt;
	u32 asids;
};

/**
 * struct umbra_vendor_ops - everything Umbra asks of a processor vendor
 * @name: "svm" or "vmx"
 *
 * Host:
 * @probe: may this host run guests? Logs which check failed and what to do.
 *	Sleeps. 0, -ENODEV (no extension), -EOPNOTSUPP (firmware, outer
 *	hypervisor, missing feature). Fills umbra_caps.
 * @setup: allocate what all VMs share. Sleeps. 0 or -ENOMEM.
 * @teardown: undo setup().
 * @cpu_enable: turn the extension on, on this CPU; interrupts off. 0, or -EBUSY
 *	when somebody else turned it on already.
 * @cpu_disable: turn it off on this CPU; interrupts off. Idempotent.
 *
 * vCPU life:
 * @vcpu_create: allocate and initialise vcpu->hw. Sleeps. 0 or -ENOMEM.
 * @vcpu_destroy: free it. Sleeps.
 * @vcpu_reset: set the control block to the state after INIT; vcpu->mutex.
 *
 * Running (preemption off from load() to put()):
 * @load: make the vCPU current on this CPU, before a series of entries.
 * @put: save host-visible state that only lives in the processor.
 * @enter: run the guest until it exits; interrupts off, and off again on
 *	return. Moves state as described at the top of this file.
 * @decode: translate the last exit into vcpu->exit; @interrupted holds what
 *	the entry injected, and then the event whose delivery was cut short
 *	(type NONE if none). An interrupt that was not taken at all goes back to
 *	vcpu->ev.irq. Atomic.
 *
 * Events (vcpu->mutex):
 * @inject: hand @ev to the hardware for the next entry. For INT3, INTO and INT n
 *	RIP is at the instruction, and what the guest finds pushed is behind it.
 * @window: exit as soon as an interrupt or an NMI could be taken. Called before
 *	each entry while one of them waits or NMIs are blocked, and once afterwards.
 *
 * Guest state (vcpu->mutex; never fails once the caller has validated):
 * @sync_crs: vcpu->cr0, cr3, cr4 or efer changed.
 * @sync_debug: vcpu's debug registers or guest_debug changed.
 * @sync_msr_map: what the guest may reach without exit changed; asks
 *	umbra_msr_intercepted().
 * @sync_tsc: vcpu->tsc_offset changed.
 * @get_segment: read one segment's cache.
 * @set_segment: write one segment's cache.
 * @get_table: read GDTR or IDTR.
 * @set_table: write GDTR or IDTR.
 * @get_msr: read an MSR that lives in the control block; -ENOENT if not there.
 * @set_msr: write it; -ENOENT if not there.
 * @cpl: current privilege level, cheap.
 *
 * Memory:
 * @set_root: point the hardware at @root: with @nested a second-level table, else
 *	the table that stands in for the guest's CR3. Atomic; old translations are
 *	not used any more at the next entry. vcpu->cr0 has PG as it fits the kind;
 *	between a change of it and this call the vCPU is not entered.
 * @flush_tlb: drop every translation of this vCPU, of the kind that it runs on at its
 *	next entry, before that entry. Comes after each change of the kind.
 *
 * Hypervisors inside guests (NULL where umbra_caps.inner is clear; vcpu->mutex and an SRCU
 * read section of the VM held; sleep):
 * @inner_exit: carry out the exit UMBRA_EXIT_INNER: an instruction of the extension, or an
 *	exit of the inner guest that its hypervisor may have asked for. UMBRA_CONTINUE,
 *	UMBRA_TO_USER, -errno, or UMBRA_SLOW: it is Umbra's, and vcpu->exit.kind says now
 *	what it is.
 * @inner_end: end the inner guest for the reason that umbra_inner_due() gave, which is
 *	settled with that: back to its hypervisor.
 */
struct umbra_vendor_ops {
	const char *name;

	int (*probe)(void);
	int (*setup)(void);
	void (*teardown)(void);
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);

	int (*vcpu_create)(struct umbra_vcpu *vcpu);
	void (*vcpu_destroy)(struct umbra_vcpu *vcpu);
	void (*vcpu_reset)(struct umbra_vcpu *vcpu);

	void (*load)(struct umbra_vcpu *vcpu);
	void (*put)(struct umbra_vcpu *vcpu);
	void (*enter)(struct umbra_vcpu *vcpu);
	void (*decode)(struct umbra_vcpu *vcpu, struct umbra_event *interrupted);

	void (*inject)(struct umbra_vcpu *vcpu, const struct umbra_event *ev);
	void (*window)(struct umbra_vcpu *vcpu, bool irq, bool nmi);

	void (*sync_crs)(struct umbra_vcpu *vcpu);
	void (*sync_debug)(struct umbra_vcpu *vcpu);
	void (*sync_msr_map)(struct umbra_vcpu *vcpu);
	void (*sync_tsc)(struct umbra_vcpu *vcpu);
	void (*get_segment)(struct umbra_vcpu *vcpu, enum umbra_seg seg, struct kvm_segment *out);
	void (*set_segment)(struct umbra_vcpu *vcpu, enum umbra_seg seg,
			    const struct kvm_segment *in);
	void (*get_table)(struct umbra_vcpu *vcpu, enum umbra_table which, struct kvm_dtable *out);
	void (*set_table)(struct umbra_vcpu *vcpu, enum umbra_table which,
			  const struct kvm_dtable *in);
	int (*get_msr)(struct umbra_vcpu *vcpu, u32 index, u64 *data);
	int (*set_msr)(struct umbra_vcpu *vcpu, u32 index, u64 data);
	int (*cpl)(struct umbra_vcpu *vcpu);

	void (*set_root)(struct umbra_vcpu *vcpu, hpa_t root, bool nested);
	void (*flush_tlb)(struct umbra_vcpu *vcpu);

	int (*inner_exit)(struct umbra_vcpu *vcpu);
	void (*inner_end)(struct umbra_vcpu *vcpu, enum umbra_inner_end why);
};

extern const struct umbra_vendor_ops umbra_svm_ops;
extern const struct umbra_vendor_ops umbra_vmx_ops;

/* The picked table and its answers: set at module init, constant afterwards. */
extern const struct umbra_vendor_ops *umbra_vendor;
extern struct umbra_host_caps umbra_caps;

#endif
