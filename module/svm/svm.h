/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to svm/: the vCPU's AMD side and the functions of this folder.
 */
#ifndef UMBRA_SVM_SVM_H
#define UMBRA_SVM_SVM_H

#include <linux/percpu.h>
#include "../hw_regs.h"
#include "../vcpu.h"
#include "../vendor.h"
#include "defs.h"

struct svm_inner;

/**
 * struct svm_vcpu - the AMD side of a vCPU (vcpu->hw)
 * @vmcb: control block, one page
 * @vmcb_pa: its physical address
 * @msrpm: MSR permission map, 8 KiB
 * @nested: the processor walks a second table; else @root stands in for CR3
 * @root: the top table given by set_root()
 * @asid_generation: generation @vmcb's ASID belongs to, 0 = needs a new one
 * @flush: drop this ASID's translations at the next entry
 * @spec_ctrl: the guest's SPEC_CTRL where the hardware does not switch it
 * @spec_ctrl_used: the guest's SPEC_CTRL may differ from 0
 * @window_step: TF is ours: step one instruction to find a window
 * @step_rflags: TF, when a step is made for user space or to find a window
 * @virq: an interrupt was handed over as virtual interrupt
 * @soft_len: bytes that RIP was stepped for a software event being injected
 * @iret_seen: the guest is at its NMI handler's IRET
 * @iret_rip: where that IRET is
 * @own: the intercepts that Umbra wants
 * @asked: those that the hypervisor of an inner guest wants, 0 without one
 * @inner: the inner guest, or the last one; NULL before the first
 * @inner_kind: what the exit is called that became UMBRA_EXIT_INNER
 * @as_is: the event being injected pushes RIP as it is, whatever it is
 * @host: the host's registers while the guest's are loaded
 *
 * All fields belong to the holder of vcpu->mutex.
 */
struct svm_vcpu {
	struct vmcb *vmcb;
	u64 vmcb_pa;
	void *msrpm;
	bool nested;
	hpa_t root;
	u64 asid_generation;
	bool flush;
	u64 spec_ctrl;
	bool spec_ctrl_used;
	bool window_step;
	u64 step_rflags;
	bool virq;
	u8 soft_len;
	bool iret_seen;
	u64 iret_rip;
	u32 own[MAX_INTERCEPT];
	u32 asked[MAX_INTERCEPT];
	struct svm_inner *inner;
	u8 inner_kind;
	bool as_is;
	struct umbra_host_regs host;
};

/**
 * struct svm_cpu - what SVM keeps per host CPU
 * @hsave: page the processor saves host state in on VMRUN
 * @host_vmcb: page for VMSAVE of the host's other state
 * @host_vmcb_pa: its physical address
 * @asid_generation: current generation
 * @next_asid: next free tag in this generation
 * @enabled: Umbra turned SVM on here
 */
struct svm_cpu {
	void *hsave;
	void *host_vmcb;
	u64 host_vmcb_pa;
	u64 asid_generation;
	u32 next_asid;
	bool enabled;
};

DECLARE_PER_CPU(struct svm_cpu, umbra_svm_cpu);

static inline struct svm_vcpu *to_svm(const struct umbra_vcpu *vcpu)
{
	return vcpu->hw;
}

/* Every tag handed out on this CPU is void: the next one begins with a flush of all. */
static inline void svm_void_asids(struct svm_cpu *sc)
{
	sc->asid_generation++;
	sc->next_asid = umbra_caps.asids;
}

/* One word of what leaves the guest: what Umbra wants, and the inner guest's hypervisor. */
static inline void svm_set_intercepts(struct svm_vcpu *svm, unsigned int word, u32 bits)
{
	svm->own[word] = bits;
	svm->vmcb->control.intercepts[word] = bits | svm->asked[word];
}

static inline void svm_intercept(struct svm_vcpu *svm, unsigned int bit)
{
	svm_set_intercepts(svm, bit / 32, svm->own[bit / 32] | 1u << (bit % 32));
}

static inline void svm_unintercept(struct svm_vcpu *svm, unsigned int bit)
{
	svm_set_intercepts(svm, bit / 32, svm->own[bit / 32] & ~(1u << (bit % 32)));
}

/* entry.S: GIF clear on entry and return; see there. */
void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa);

/* hw.c */
int svm_probe(void);
int svm_setup(void);
void svm_teardown(void);
int svm_cpu_enable(void);
void svm_cpu_disable(void);
u64 svm_iopm_pa(void);

/* vmcb.c */
int svm_vcpu_create(struct umbra_vcpu *vcpu);
void svm_vcpu_destroy(struct umbra_vcpu *vcpu);
void svm_vcpu_reset(struct umbra_vcpu *vcpu);
int svm_msrpm_bit(u32 index);
void svm_sync_crs(struct umbra_vcpu *vcpu);
void svm_sync_debug(struct umbra_vcpu *vcpu);
void svm_sync_msr_map(struct umbra_vcpu *vcpu);
void svm_sync_tsc(struct umbra_vcpu *vcpu);
void svm_get_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, struct kvm_segment *out);
void svm_set_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, const struct kvm_segment *in);
void svm_get_table(struct umbra_vcpu *vcpu, enum umbra_table which, struct kvm_dtable *out);
void svm_set_table(struct umbra_vcpu *vcpu, enum umbra_table which, const struct kvm_dtable *in);
int svm_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data);
int svm_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data);
int svm_cpl(struct umbra_vcpu *vcpu);
void svm_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested);

/* svm.c */
void svm_load(struct umbra_vcpu *vcpu);
void svm_put(struct umbra_vcpu *vcpu);
void svm_enter(struct umbra_vcpu *vcpu);
void svm_flush_tlb(struct umbra_vcpu *vcpu);

/* exit.c */
void svm_sync_step(struct umbra_vcpu *vcpu);
void svm_decode(struct umbra_vcpu *vcpu, struct umbra_event *interrupted);
void svm_inject(struct umbra_vcpu *vcpu, const struct umbra_event *ev);
void svm_window(struct umbra_vcpu *vcpu, bool irq, bool nmi);

#endif
