// SPDX-License-Identifier: GPL-2.0
/*
 * The control block: building it, what it intercepts, and guest state that
 * lives in it. Does not run the guest and does not look at exits.
 */
#include <linux/gfp.h>
#include <linux/kvm.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <uapi/asm/debugreg.h>
#include <asm/io.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "../debug.h"
#include "../tsc.h"
#include "nested.h"
#include "svm.h"

/* Exits that every guest has, whatever its state. */
static const u8 svm_always[] = {
	INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
	INTERCEPT_CR0_WRITE, INTERCEPT_CR4_WRITE, INTERCEPT_CR8_WRITE,
	INTERCEPT_DR0_READ, INTERCEPT_DR1_READ, INTERCEPT_DR2_READ, INTERCEPT_DR3_READ,
	INTERCEPT_DR4_READ, INTERCEPT_DR5_READ, INTERCEPT_DR6_READ, INTERCEPT_DR7_READ,
	INTERCEPT_DR0_WRITE, INTERCEPT_DR1_WRITE, INTERCEPT_DR2_WRITE, INTERCEPT_DR3_WRITE,
	INTERCEPT_DR4_WRITE, INTERCEPT_DR5_WRITE, INTERCEPT_DR6_WRITE, INTERCEPT_DR7_WRITE,
	INTERCEPT_RDPMC, INTERCEPT_CPUID, INTERCEPT_INVD, INTERCEPT_HLT, INTERCEPT_INVLPGA,
	INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT, INTERCEPT_TASK_SWITCH, INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
	INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT, INTERCEPT_WBINVD,
	INTERCEPT_MONITOR, INTERCEPT_MWAIT, INTERCEPT_XSETBV, INTERCEPT_RDPRU,
	INTERCEPT_RSM,
};

/* Exits by which Umbra sees what the guest does to its own translations. */
static const u8 svm_shadow[] = {
	INTERCEPT_CR3_READ, INTERCEPT_CR3_WRITE, INTERCEPT_INVLPG,
};

static struct vmcb_seg *svm_seg(struct umbra_vcpu *vcpu, enum umbra_seg seg)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;

	switch (seg) {
	case UMBRA_SEG_ES:
		return &save->es;
	case UMBRA_SEG_CS:
		return &save->cs;
	case UMBRA_SEG_SS:
		return &save->ss;
	case UMBRA_SEG_DS:
		return &save->ds;
	case UMBRA_SEG_FS:
		return &save->fs;
	case UMBRA_SEG_GS:
		return &save->gs;
	case UMBRA_SEG_TR:
		return &save->tr;
	default:
		return &save->ldtr;
	}
}

void svm_get_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, struct kvm_segment *out)
{
	const struct vmcb_seg *s = svm_seg(vcpu, seg);

	*out = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->attrib & SVM_SELECTOR_TYPE_MASK,
		.s = !!(s->attrib & SVM_SELECTOR_S_MASK),
		.dpl = (s->attrib & SVM_SELECTOR_DPL_MASK) >> SVM_SELECTOR_DPL_SHIFT,
		.present = !!(s->attrib & SVM_SELECTOR_P_MASK),
		.avl = !!(s->attrib & SVM_SELECTOR_AVL_MASK),
		.l = !!(s->attrib & SVM_SELECTOR_L_MASK),
		.db = !!(s->attrib & SVM_SELECTOR_DB_MASK),
		.g = !!(s->attrib & SVM_SELECTOR_G_MASK),
	};
	out->unusable = !out->present;
	/* The processor does not keep G of CS; the limit tells. */
	if (seg == UMBRA_SEG_CS)
		out->g = s->limit > 0xfffff;
	/* A null SS in 64-bit mode keeps only its DPL, which is the CPL. */
	if (seg == UMBRA_SEG_SS) {
		if (out->unusable)
			out->db = 0;
		out->dpl = to_svm(vcpu)->vmcb->save.cpl;
	}
	if (seg == UMBRA_SEG_TR)
		out->type |= 2;
}

void svm_set_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, const struct kvm_segment *in)
{
	struct vmcb_seg *s = svm_seg(vcpu, seg);
	bool present = in->present && !in->unusable;

	s->base = in->base;
	s->limit = in->limit;
	s->selector = in->selector;
	s->attrib = (in->type & SVM_SELECTOR_TYPE_MASK) |
		    (in->s & 1) << SVM_SELECTOR_S_SHIFT |
		    (in->dpl & 3) << SVM_SELECTOR_DPL_SHIFT |
		    present << SVM_SELECTOR_P_SHIFT |
		    (in->avl & 1) << SVM_SELECTOR_AVL_SHIFT |
		    (in->l & 1) << SVM_SELECTOR_L_SHIFT |
		    (in->db & 1) << SVM_SELECTOR_DB_SHIFT |
		    (in->g & 1) << SVM_SELECTOR_G_SHIFT;
	if (seg == UMBRA_SEG_SS)
		to_svm(vcpu)->vmcb->save.cpl = in->dpl & 3;
}

void svm_get_table(struct umbra_vcpu *vcpu, enum umbra_table which, struct kvm_dtable *out)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;
	const struct vmcb_seg *s = which == UMBRA_TABLE_GDT ? &save->gdtr : &save->idtr;

	*out = (struct kvm_dtable) { .base = s->base, .limit = s->limit };
}

void svm_set_table(struct umbra_vcpu *vcpu, enum umbra_table which, const struct kvm_dtable *in)
{
	struct vmcb_save_area *save = &to_svm(vcpu)->vmcb->save;
	struct vmcb_seg *s = which == UMBRA_TABLE_GDT ? &save->gdtr : &save->idtr;

	s->base = in->base;
	s->limit = in->limit;
}

int svm_cpl(struct umbra_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->save.cpl;
}

/* The guest may read a register itself when the processor has its value in it. */
static void svm_intercept_if(struct svm_vcpu *svm, unsigned int bit, bool differs)
{
	if (differs)
		svm_intercept(svm, bit);
	else
		svm_unintercept(svm, bit);
}

void svm_sync_crs(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	if (unlikely(vcpu->inner.active || vcpu->inner.held) && !(vcpu->efer & EFER_SVME))
		svm_inner_forget(vcpu);

	vmcb->save.cr0 = umbra_hw_cr0(vcpu, svm->nested);
	vmcb->save.cr3 = svm->nested ? vcpu->cr3 : svm->root;
	vmcb->save.cr4 = umbra_hw_cr4(vcpu, svm->nested);
	vmcb->save.efer = umbra_hw_efer(vcpu, svm->nested) | EFER_SVME;
	svm_intercept_if(svm, INTERCEPT_CR0_READ,
			 vmcb->save.cr0 != (vcpu->cr0 | X86_CR0_ET));
	svm_intercept_if(svm, INTERCEPT_CR4_READ, vmcb->save.cr4 != vcpu->cr4);
}

void svm_sync_debug(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_sync_step(vcpu);
	svm->vmcb->save.dr7 = umbra_effective_dr(vcpu, 7);
	svm_set_intercepts(svm, INTERCEPT_EXCEPTION, umbra_hw_exceptions(vcpu, svm->nested));
}

void svm_sync_tsc(struct umbra_vcpu *vcpu)
{
	to_svm(vcpu)->vmcb->control.tsc_offset = umbra_tsc_hw_offset(vcpu) +
						 vcpu->inner.tsc_offset;
}

/* Bit of @index's read intercept in the map, or -1 when the map has none. */
int svm_msrpm_bit(u32 index)
{
	if (index < 0x2000)
		return index * 2;
	if (index >= 0xc0000000 && index < 0xc0002000)
		return 0x800 * 8 + (index - 0xc0000000) * 2;
	if (index >= 0xc0010000 && index < 0xc0012000)
		return 0x1000 * 8 + (index - 0xc0010000) * 2;
	return -1;
}

void svm_sync_msr_map(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const u32 *msr;

	memset(svm->msrpm, 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	for (msr = umbra_msr_passthrough; *msr; msr++) {
		int bit = svm_msrpm_bit(*msr);

		if (bit < 0)
			continue;
		if (!umbra_msr_intercepted(vcpu, *msr, false))
			__clear_bit(bit, svm->msrpm);
		if (!umbra_msr_intercepted(vcpu, *msr, true)) {
			__clear_bit(bit + 1, svm->msrpm);
			if (*msr == MSR_IA32_SPEC_CTRL)
				svm->spec_ctrl_used = true;
		}
	}
}

static u64 *svm_msr_slot(struct svm_vcpu *svm, u32 index)
{
	struct vmcb_save_area *save = &svm->vmcb->save;

	switch (index) {
	case MSR_STAR:
		return &save->star;
	case MSR_LSTAR:
		return &save->lstar;
	case MSR_CSTAR:
		return &save->cstar;
	case MSR_SYSCALL_MASK:
		return &save->sfmask;
	case MSR_FS_BASE:
		return &save->fs.base;
	case MSR_GS_BASE:
		return &save->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case MSR_IA32_SYSENTER_CS:
		return &save->sysenter_cs;
	case MSR_IA32_SYSENTER_ESP:
		return &save->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:
		return &save->sysenter_eip;
	default:
		return NULL;
	}
}

int svm_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	const u64 *slot = svm_msr_slot(svm, index);

	if (slot) {
		*data = *slot;
		return 0;
	}
	if (index != MSR_IA32_SPEC_CTRL)
		return -ENOENT;
	*data = boot_cpu_has(X86_FEATURE_V_SPEC_CTRL) ? svm->vmcb->save.spec_ctrl : svm->spec_ctrl;
	return 0;
}

int svm_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 *slot = svm_msr_slot(svm, index);

	if (slot) {
		*slot = data;
		return 0;
	}
	if (index != MSR_IA32_SPEC_CTRL)
		return -ENOENT;
	svm->vmcb->save.spec_ctrl = data;
	svm->spec_ctrl = data;
	svm->spec_ctrl_used |= data != 0;
	return 0;
}

/* VMRUN with another CR3 flushes nothing by itself: tags know no CR3. */
void svm_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (nested)
		svm->vmcb->control.nested_cr3 = root;
	else
		svm->vmcb->save.cr3 = root;
	svm->flush |= svm->root != root;
	svm->root = root;
}

static void svm_reset_segment(struct vmcb_seg *s, u16 selector, u16 attrib, u64 base)
{
	*s = (struct vmcb_seg) {
		.selector = selector, .attrib = attrib, .limit = 0xffff, .base = base,
	};
}

static void svm_reset_segments(struct vmcb_save_area *save)
{
	const u16 data = SVM_SELECTOR_P_MASK | SVM_SELECTOR_S_MASK | SVM_SELECTOR_WRITE_MASK | 1;
	struct vmcb_seg *const flat[] = { &save->es, &save->ss, &save->ds, &save->fs, &save->gs };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flat); i++)
		svm_reset_segment(flat[i], 0, data, 0);
	svm_reset_segment(&save->cs, 0xf000, data | SVM_SELECTOR_CODE_MASK, 0xffff0000);
	svm_reset_segment(&save->tr, 0, SVM_SELECTOR_P_MASK | 11, 0);
	svm_reset_segment(&save->ldtr, 0, SVM_SELECTOR_P_MASK | 2, 0);
	svm_reset_segment(&save->gdtr, 0, 0, 0);
	svm_reset_segment(&save->idtr, 0, 0, 0);
	save->cpl = 0;
}

static void svm_reset_intercepts(struct svm_vcpu *svm)
{
	unsigned int i;

	memset(svm->own, 0, sizeof(svm->own));
	memset(svm->asked, 0, sizeof(svm->asked));
	for (i = 0; i < ARRAY_SIZE(svm_always); i++)
		svm_intercept(svm, svm_always[i]);
	if (svm->nested)
		return;
	for (i = 0; i < ARRAY_SIZE(svm_shadow); i++)
		svm_intercept(svm, svm_shadow[i]);
	if (boot_cpu_has(X86_FEATURE_INVPCID))
		svm_intercept(svm, INTERCEPT_INVPCID);
}

void svm_vcpu_reset(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	memset(vmcb, 0, sizeof(*vmcb));
	svm_reset_intercepts(svm);
	vmcb->control.iopm_base_pa = svm_iopm_pa();
	vmcb->control.msrpm_base_pa = __sme_pa(svm->msrpm);
	vmcb->control.int_ctl = V_INTR_MASKING_MASK;
	/* Without nested paging the guest's PAT field is not used: the host's counts. */
	if (svm->nested) {
		vmcb->control.nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
		vmcb->control.nested_cr3 = svm->root;
	}
	svm_reset_segments(&vmcb->save);
	svm->asid_generation = 0;
	svm->window_step = false;
	svm->virq = false;
	svm->soft_len = 0;
	svm->iret_seen = false;
	svm->as_is = false;
	svm->spec_ctrl = 0;
	svm_sync_crs(vcpu);
	svm_sync_debug(vcpu);
	svm_sync_tsc(vcpu);
}

int svm_vcpu_create(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);
	struct page *map;

	if (!svm)
		return -ENOMEM;
	svm->nested = vcpu->vm->mmu_mode == UMBRA_MMU_NESTED;
	svm->vmcb = (struct vmcb *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb)
		goto free_svm;
	map = alloc_pages(GFP_KERNEL_ACCOUNT, SVM_MSRPM_ORDER);
	if (!map)
		goto free_vmcb;
	svm->msrpm = page_address(map);
	memset(svm->msrpm, 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	svm->vmcb_pa = __sme_pa(svm->vmcb);
	vcpu->hw = svm;
	return 0;

free_vmcb:
	free_page((unsigned long)svm->vmcb);
free_svm:
	kfree(svm);
	return -ENOMEM;
}

void svm_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!svm)
		return;
	umbra_branches_forget(vcpu);
	kfree(svm->inner);
	free_pages((unsigned long)svm->msrpm, SVM_MSRPM_ORDER);
	free_page((unsigned long)svm->vmcb);
	kfree(svm);
	vcpu->hw = NULL;
}
