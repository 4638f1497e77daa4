/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to vmx/: the vCPU's Intel side and the functions of this folder.
 *
 * A VMCS can be read and written only where it is current, which it is from
 * vmx_load() to vmx_put(). What the other ops need lives in struct vmx_vcpu:
 * @dirty says what the next entry has to write, @valid what is known without
 * reading.
 */
#ifndef UMBRA_VMX_VMX_H
#define UMBRA_VMX_VMX_H

#include <linux/build_bug.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/stddef.h>
#include <asm/desc_defs.h>
#include "../hw_regs.h"
#include "../vcpu.h"
#include "../vendor.h"
#include "defs.h"

#define VMX_NR_SEGS	8

/* One segment as the VMCS holds it. */
struct vmx_seg {
	u16 selector;
	u32 limit;
	u32 ar;
	u64 base;
};

/* What vmx_vcpu.dirty and .valid speak of. */
#define VMX_SEG(seg)	BIT(seg)		/* selector, limit and base */
#define VMX_SEG_AR(seg)	BIT((seg) + VMX_NR_SEGS)
#define VMX_SEG_BOTH(seg) (0x101u << (seg))
#define VMX_TABLES	BIT(16)			/* GDTR and IDTR */
#define VMX_SYSENTER	BIT(17)			/* the three SYSENTER MSRs */
#define VMX_CACHED	GENMASK(17, 0)		/* all that is in the cache */
/* These are only ever dirty: what they come from is always known. */
#define VMX_CONTROLS	BIT(18)			/* what vcpu_reset() has to write */
#define VMX_CRS		BIT(19)			/* control registers, EFER, PAT, PDPTEs */
#define VMX_ROOT	BIT(20)			/* the tables, and whose they are */
#define VMX_DEBUG	BIT(21)			/* DR7 */
#define VMX_EXCEPTIONS	BIT(22)			/* which exceptions exit */
#define VMX_TSC		BIT(23)			/* TSC offset */
#define VMX_ALL		GENMASK(23, 0)

/* The MSRs of system calls, which the processor does not switch. */
enum vmx_syscall_msr {
	VMX_MSR_KERNEL_GS_BASE,
	VMX_MSR_STAR,
	VMX_MSR_LSTAR,
	VMX_MSR_SYSCALL_MASK,
	VMX_NR_SYSCALL_MSRS
};

/**
 * struct vmx_spec - SPEC_CTRL around an entry; entry.S knows the offsets
 * @guest: the guest's value
 * @host: the host's
 * @swap: the two have to be exchanged
 * @rewrite: write the host's after every exit even when it did not change
 */
struct vmx_spec {
	u64 guest;
	u64 host;
	u8 swap;
	u8 rewrite;
};

/**
 * struct vmx_vcpu - the Intel side of a vCPU (vcpu->hw)
 * @spec: SPEC_CTRL; first, for entry.S
 * @vmcs: control block, one page
 * @vmcs_pa: its physical address
 * @msr_bitmap: one page
 * @cpu: where the VMCS is active, -1: nowhere, and then the cache is complete
 * @active: in vmx_cpu.active of that CPU
 * @loaded: between load() and put(): the VMCS is current here
 * @launched: VMRESUME, not VMLAUNCH
 * @nested: the processor walks a second table (EPT); else @root stands in for CR3
 * @root: the top table given by set_root()
 * @vpid: tag, 0 when tags are not used
 * @vpid_generation: generation @vpid belongs to, 0 = needs a new one
 * @flush: drop this vCPU's translations at the next entry
 * @dirty: what differs from the VMCS, VMX_*
 * @valid: what of the cache is known, VMX_CACHED
 * @seg: cache: segments
 * @gdt: cache
 * @idt: cache
 * @sysenter: cache: CS, ESP, EIP
 * @msr: the guest's system-call MSRs; while loaded, KERNEL_GS_BASE is in the processor
 * @cstar: for reading only: SYSCALL from compatibility mode is undefined on Intel
 * @exec_ctrl: primary execution controls wanted; written at the entry
 * @exec_ctrl_hw: primary execution controls in the VMCS
 * @exec_ctrl2: secondary ones in the VMCS
 * @entry_ctrl: VM-entry controls in the VMCS
 * @hw_rip: RIP in the VMCS; so are the next two
 * @hw_rsp: RSP in the VMCS
 * @hw_rflags: RFLAGS in the VMCS
 * @hw_pat: the guest's PAT in the VMCS
 * @hw_cr4: host's CR4 in the VMCS
 * @hw_host_rsp: host's RSP in the VMCS; for entry.S
 * @failed: the last entry was refused before it began; see @exit_reason
 * @exit_reason: VM_EXIT_REASON, or with @failed the VM-instruction error
 * @exit_intr_info: VM_EXIT_INTR_INFO, of exits by exceptions and NMIs only
 * @intr_state: interruptibility as last written or read (event.c)
 * @pending_dbg: pending debug exceptions as last written or read (event.c)
 * @shadow_rip: where the guest was when @pending_dbg was read (event.c)
 * @host: what load() put aside of the host
 *
 * All fields belong to the holder of vcpu->mutex; @cpu and @active change with
 * interrupts off on the CPU that they name, @valid too: see active.c.
 */
struct vmx_vcpu {
	struct vmx_spec spec;
	u64 hw_host_rsp;
	void *vmcs;
	u64 vmcs_pa;
	void *msr_bitmap;
	int cpu;
	struct list_head active;
	bool loaded;
	bool launched;
	bool nested;
	hpa_t root;
	u16 vpid;
	u64 vpid_generation;
	bool flush;
	u32 dirty;
	u32 valid;
	struct vmx_seg seg[VMX_NR_SEGS];
	struct kvm_dtable gdt;
	struct kvm_dtable idt;
	u64 sysenter[3];
	u64 msr[VMX_NR_SYSCALL_MSRS];
	u64 cstar;
	u32 exec_ctrl;
	u32 exec_ctrl_hw;
	u32 exec_ctrl2;
	u32 entry_ctrl;
	u64 hw_rip;
	u64 hw_rsp;
	u64 hw_rflags;
	u64 hw_pat;
	u64 hw_cr4;
	bool failed;
	u32 exit_reason;
	u32 exit_intr_info;
	u32 intr_state;
	u64 pending_dbg;
	u64 shadow_rip;
	struct {
		u64 msr[VMX_NR_SYSCALL_MSRS];
		struct umbra_host_regs regs;
		u64 debugctl;
		u64 fs_base;
		u64 pat;
		struct desc_ptr gdt;
		u16 ds, es, fs, gs, ldtr;
	} host;
};

/* What entry.S assumes. */
static_assert(offsetof(struct vmx_vcpu, spec.guest) == 0);
static_assert(offsetof(struct vmx_vcpu, spec.host) == 8);
static_assert(offsetof(struct vmx_vcpu, spec.swap) == 16);
static_assert(offsetof(struct vmx_vcpu, spec.rewrite) == 17);
static_assert(offsetof(struct vmx_vcpu, hw_host_rsp) == 24);

/**
 * struct vmx_cpu - what VMX keeps per host CPU
 * @vmxon: the region that VMXON names
 * @active: VMCSs that this CPU may hold in its caches
 * @current_vmcs: physical address of the VMCS that is current, or 0
 * @vpid_generation: current generation of tags
 * @next_vpid: next free tag in this generation
 * @enabled: Umbra turned VMX on here
 */
struct vmx_cpu {
	void *vmxon;
	struct list_head active;
	u64 current_vmcs;
	u64 vpid_generation;
	u32 next_vpid;
	bool enabled;
};

DECLARE_PER_CPU(struct vmx_cpu, umbra_vmx_cpu);

/* hw.c: entries have to flush the L1 data cache (L1TF). Constant after the probe. */
extern bool vmx_flush_l1d;

/**
 * struct vmx_ctls - the answers of the capability MSRs; constant after the probe
 * @pin: pin-based controls
 * @cpu: primary processor-based controls, without those of some guests only
 * @cpu2: secondary controls, without EPT and unrestricted guest
 * @exit: VM-exit controls
 * @entry: VM-entry controls, without long mode
 * @cr0_ones: CR0 bits that are set in VMX operation; PE and PG may be clear in
 *	an unrestricted guest
 * @cr4_ones: CR4 bits that are set in VMX operation
 * @ept_vpid: IA32_VMX_EPT_VPID_CAP
 * @timer: longest time in the guest, for the preemption timer if @pin has it
 * @revision: VMCS revision
 */
struct vmx_ctls {
	u32 pin;
	u32 cpu;
	u32 cpu2;
	u32 exit;
	u32 entry;
	u64 cr0_ones;
	u64 cr4_ones;
	u64 ept_vpid;
	u32 timer;
	u32 revision;
};

extern struct vmx_ctls vmx_ctls;

static inline struct vmx_vcpu *to_vmx(const struct umbra_vcpu *vcpu)
{
	return vcpu->hw;
}

/* The last entry was refused, before or after the guest's state was loaded. */
static inline bool vmx_refused(const struct vmx_vcpu *vmx)
{
	return vmx->failed || (vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY);
}

/* entry.S: interrupts off. 0, or 1 when the processor refused to enter. */
int vmx_enter_guest(struct vmx_vcpu *vmx, u64 *gpr, bool launched);
/* Where the processor goes on after an exit: an address, not a function. */
void vmx_exit_point(void);

/* ctls.c */
int vmx_settle_controls(void);
/* A guest could read what the host left in the L1 cache (L1TF). */
bool vmx_l1d_leaks(void);

/* hw.c */
int vmx_probe(void);
int vmx_setup(void);
void vmx_teardown(void);
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);

/* crash.c */
/* Have VMX turned off should the machine crash. */
void vmx_crash_init(void);
void vmx_crash_exit(void);

/* active.c */
/* Make the VMCS current here; preemption off, VMX on. True when it came from elsewhere. */
bool vmx_make_current(struct vmx_vcpu *vmx);
/* Have the cache of a vCPU that is not loaded complete. May send an IPI. */
void vmx_complete_cache(struct vmx_vcpu *vmx);
/* The VMCS is about to be freed: no CPU shall write to it any more. */
void vmx_deactivate(struct vmx_vcpu *vmx);
/* VMX is about to be turned off on this CPU; interrupts off. */
void vmx_deactivate_all(struct vmx_cpu *vc);

/* state.c */
/* Have @what of the cache known. */
void vmx_need(struct vmx_vcpu *vmx, u32 what);
/* Read from the current VMCS what is not known yet. */
void vmx_fetch(struct vmx_vcpu *vmx, u32 what);
/* Write @dirty segments, tables and MSRs to the current VMCS. */
void vmx_write_cached(struct umbra_vcpu *vcpu, u32 dirty);
void vmx_reset_state(struct vmx_vcpu *vmx);
void vmx_get_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, struct kvm_segment *out);
void vmx_set_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, const struct kvm_segment *in);
void vmx_get_table(struct umbra_vcpu *vcpu, enum umbra_table which, struct kvm_dtable *out);
void vmx_set_table(struct umbra_vcpu *vcpu, enum umbra_table which, const struct kvm_dtable *in);
int vmx_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data);
int vmx_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data);
int vmx_cpl(struct umbra_vcpu *vcpu);

/* Access rights of a segment, VMX_AR_*, from the cache; cheap. */
static inline u32 vmx_seg_ar(struct vmx_vcpu *vmx, enum umbra_seg seg)
{
	if (!(vmx->valid & VMX_SEG_AR(seg)))
		vmx_need(vmx, VMX_SEG_AR(seg));
	return vmx->seg[seg].ar;
}

/* vmcs.c */
int vmx_vcpu_create(struct umbra_vcpu *vcpu);
void vmx_vcpu_destroy(struct umbra_vcpu *vcpu);
void vmx_vcpu_reset(struct umbra_vcpu *vcpu);
void vmx_sync_crs(struct umbra_vcpu *vcpu);
void vmx_sync_debug(struct umbra_vcpu *vcpu);
void vmx_sync_msr_map(struct umbra_vcpu *vcpu);
void vmx_sync_tsc(struct umbra_vcpu *vcpu);
void vmx_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested);
u64 vmx_eptp(const struct vmx_vcpu *vmx);
void vmx_write_controls(struct vmx_vcpu *vmx);
/* Write what else is dirty to the current VMCS. */
void vmx_write_dirty(struct umbra_vcpu *vcpu);

/* switch.c: the host's state that the processor does not switch by itself */
void vmx_host_out(struct vmx_vcpu *vmx, bool moved);
void vmx_host_in(struct vmx_vcpu *vmx);
/* Before each entry, interrupts off: what interrupts may have changed since load(). */
void vmx_host_entry(struct vmx_vcpu *vmx);

/* vmx.c */
void vmx_load(struct umbra_vcpu *vcpu);
void vmx_put(struct umbra_vcpu *vcpu);
void vmx_enter(struct umbra_vcpu *vcpu);
void vmx_flush_tlb(struct umbra_vcpu *vcpu);

/* exit.c */
void vmx_decode(struct umbra_vcpu *vcpu, struct umbra_event *interrupted);

/* event.c */
void vmx_inject(struct umbra_vcpu *vcpu, const struct umbra_event *ev);
void vmx_window(struct umbra_vcpu *vcpu, bool irq, bool nmi);
/* Around an entry; RIP and RFLAGS of this entry are in hw_rip and hw_rflags. */
void vmx_events_in(struct umbra_vcpu *vcpu);
void vmx_events_out(struct umbra_vcpu *vcpu);
/* Parts of vmx_decode(): an event whose delivery was cut short; an IRET that was. */
void vmx_decode_interrupted(struct umbra_vcpu *vcpu, struct umbra_event *ev);
void vmx_decode_iret(struct umbra_vcpu *vcpu);

#endif
