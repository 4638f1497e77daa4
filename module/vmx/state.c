// SPDX-License-Identifier: GPL-2.0
/*
 * Guest state that lives in the VMCS: segments, descriptor tables and MSRs. Kept
 * in a cache that is filled when somebody asks and written back at the next
 * entry, so that it can be had while the VMCS is not current. Decides nothing
 * about controls.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include "insn.h"
#include "vmx.h"

/* Fields of one kind follow one another: ES, CS, SS, DS, FS, GS, LDTR, TR. */
static unsigned int vmx_seg_place(enum umbra_seg seg)
{
	switch (seg) {
	case UMBRA_SEG_LDTR:
		return 6;
	case UMBRA_SEG_TR:
		return 7;
	default:
		return seg;
	}
}

static void vmx_fetch_segment(struct vmx_vcpu *vmx, enum umbra_seg seg)
{
	unsigned int at = 2 * vmx_seg_place(seg);
	struct vmx_seg *s = &vmx->seg[seg];

	s->selector = vmx_read(GUEST_ES_SELECTOR + at);
	s->limit = vmx_read(GUEST_ES_LIMIT + at);
	s->base = vmx_read(GUEST_ES_BASE + at);
}

static void vmx_fetch_tables(struct vmx_vcpu *vmx)
{
	vmx->gdt.limit = vmx_read(GUEST_GDTR_LIMIT);
	vmx->gdt.base = vmx_read(GUEST_GDTR_BASE);
	vmx->idt.limit = vmx_read(GUEST_IDTR_LIMIT);
	vmx->idt.base = vmx_read(GUEST_IDTR_BASE);
}

static void vmx_fetch_sysenter(struct vmx_vcpu *vmx)
{
	vmx->sysenter[0] = vmx_read(GUEST_SYSENTER_CS);
	vmx->sysenter[1] = vmx_read(GUEST_SYSENTER_ESP);
	vmx->sysenter[2] = vmx_read(GUEST_SYSENTER_EIP);
}

void vmx_fetch(struct vmx_vcpu *vmx, u32 what)
{
	enum umbra_seg seg;

	what &= ~vmx->valid;
	for (seg = 0; seg < VMX_NR_SEGS; seg++) {
		if (what & VMX_SEG(seg))
			vmx_fetch_segment(vmx, seg);
		if (what & VMX_SEG_AR(seg))
			vmx->seg[seg].ar = vmx_read(GUEST_ES_AR_BYTES + 2 * vmx_seg_place(seg));
	}
	if (what & VMX_TABLES)
		vmx_fetch_tables(vmx);
	if (what & VMX_SYSENTER)
		vmx_fetch_sysenter(vmx);
	/* Last: another CPU may wait for the cache to be complete. */
	smp_store_release(&vmx->valid, vmx->valid | what);
}

void vmx_need(struct vmx_vcpu *vmx, u32 what)
{
	if (!(what & ~vmx->valid))
		return;
	if (vmx->loaded)
		vmx_fetch(vmx, what);
	else
		vmx_complete_cache(vmx);
}

/* The limit decides on granularity: the entry checks compare the two. */
static void vmx_fit_limit(struct vmx_seg *s)
{
	if (s->limit > 0xfffff) {
		s->limit |= 0xfff;
		s->ar |= VMX_AR_G_MASK;
	} else if ((s->limit & 0xfff) != 0xfff) {
		s->ar &= ~VMX_AR_G_MASK;
	}
}

static void vmx_set_ar_dpl(struct vmx_seg *s, u32 dpl)
{
	s->ar = (s->ar & ~(3u << VMX_AR_DPL_SHIFT)) | dpl << VMX_AR_DPL_SHIFT;
}

/*
 * An entry with paging and without a second level checks as processors did before
 * the unrestricted guest. What a guest may have kept from real mode would not
 * pass: a code segment with a data type, RPLs that do not match the CPL.
 */
static void vmx_fit_restricted(enum umbra_seg seg, struct vmx_seg *s, u32 cpl)
{
	switch (seg) {
	case UMBRA_SEG_CS:
		if (!(s->ar & VMX_AR_TYPE_CODE_MASK)) {
			s->ar |= VMX_AR_TYPE_CODE_MASK;
			vmx_set_ar_dpl(s, cpl);
		}
		fallthrough;
	case UMBRA_SEG_SS:
		s->selector = (s->selector & ~3) | cpl;
		break;
	default:
		if (VMX_AR_DPL(s->ar) < (s->selector & 3u))
			vmx_set_ar_dpl(s, s->selector & 3);
		break;
	}
}

/* Code and data segments have been accessed, TR is a busy TSS, as loading them would make it. */
static void vmx_fit_segment(const struct umbra_vcpu *vcpu, enum umbra_seg seg, struct vmx_seg *s)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool v8086 = vcpu->rflags & X86_EFLAGS_VM;

	switch (seg) {
	case UMBRA_SEG_TR:
		s->ar &= ~(VMX_AR_UNUSABLE_MASK | VMX_AR_S_MASK);
		s->ar |= VMX_AR_P_MASK | VMX_AR_TYPE_BUSY_16_TSS;
		if (vcpu->efer & EFER_LMA)
			s->ar |= VMX_AR_TYPE_BUSY_64_TSS;
		vmx_fit_limit(s);
		break;
	case UMBRA_SEG_LDTR:
		vmx_fit_limit(s);
		break;
	default:
		if (!(s->ar & VMX_AR_UNUSABLE_MASK)) {
			s->ar |= VMX_AR_TYPE_ACCESSES_MASK;
			vmx_fit_limit(s);
		}
		if (!vmx->nested && !v8086)
			vmx_fit_restricted(seg, s, VMX_AR_DPL(vmx_seg_ar(vmx, UMBRA_SEG_SS)));
		break;
	}
}

static void vmx_write_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg)
{
	unsigned int at = 2 * vmx_seg_place(seg);
	struct vmx_seg *s = &to_vmx(vcpu)->seg[seg];

	vmx_fit_segment(vcpu, seg, s);
	vmx_write(GUEST_ES_SELECTOR + at, s->selector);
	vmx_write(GUEST_ES_LIMIT + at, s->limit);
	vmx_write(GUEST_ES_AR_BYTES + at, s->ar);
	vmx_write(GUEST_ES_BASE + at, s->base);
}

void vmx_write_cached(struct umbra_vcpu *vcpu, u32 dirty)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	enum umbra_seg seg;

	for (seg = 0; seg < VMX_NR_SEGS; seg++)
		if (dirty & VMX_SEG_BOTH(seg))
			vmx_write_segment(vcpu, seg);
	if (dirty & VMX_TABLES) {
		vmx_write(GUEST_GDTR_LIMIT, vmx->gdt.limit);
		vmx_write(GUEST_GDTR_BASE, vmx->gdt.base);
		vmx_write(GUEST_IDTR_LIMIT, vmx->idt.limit);
		vmx_write(GUEST_IDTR_BASE, vmx->idt.base);
	}
	if (dirty & VMX_SYSENTER) {
		vmx_write(GUEST_SYSENTER_CS, vmx->sysenter[0]);
		vmx_write(GUEST_SYSENTER_ESP, vmx->sysenter[1]);
		vmx_write(GUEST_SYSENTER_EIP, vmx->sysenter[2]);
	}
}

void vmx_get_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, struct kvm_segment *out)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const struct vmx_seg *s = &vmx->seg[seg];

	vmx_need(vmx, VMX_SEG_BOTH(seg));
	*out = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->ar & VMX_AR_TYPE_MASK,
		.s = !!(s->ar & VMX_AR_S_MASK),
		.dpl = VMX_AR_DPL(s->ar),
		.present = !(s->ar & VMX_AR_UNUSABLE_MASK),
		.avl = !!(s->ar & VMX_AR_AVL_MASK),
		.l = !!(s->ar & VMX_AR_L_MASK),
		.db = !!(s->ar & VMX_AR_DB_MASK),
		.g = !!(s->ar & VMX_AR_G_MASK),
		.unusable = !!(s->ar & VMX_AR_UNUSABLE_MASK),
	};
}

void vmx_set_segment(struct umbra_vcpu *vcpu, enum umbra_seg seg, const struct kvm_segment *in)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool unusable = in->unusable || !in->present;

	vmx_need(vmx, VMX_SEG_BOTH(seg));
	vmx->seg[seg] = (struct vmx_seg) {
		.selector = in->selector,
		.limit = in->limit,
		.base = in->base,
		.ar = (in->type & VMX_AR_TYPE_MASK) |
		      (in->s ? VMX_AR_S_MASK : 0) |
		      (in->dpl & 3u) << VMX_AR_DPL_SHIFT |
		      (in->present ? VMX_AR_P_MASK : 0) |
		      (in->avl ? VMX_AR_AVL_MASK : 0) |
		      (in->l ? VMX_AR_L_MASK : 0) |
		      (in->db ? VMX_AR_DB_MASK : 0) |
		      (in->g ? VMX_AR_G_MASK : 0) |
		      (unusable ? VMX_AR_UNUSABLE_MASK : 0),
	};
	vmx->dirty |= VMX_SEG_BOTH(seg);
}

void vmx_get_table(struct umbra_vcpu *vcpu, enum umbra_table which, struct kvm_dtable *out)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_need(vmx, VMX_TABLES);
	*out = which == UMBRA_TABLE_GDT ? vmx->gdt : vmx->idt;
}

void vmx_set_table(struct umbra_vcpu *vcpu, enum umbra_table which, const struct kvm_dtable *in)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct kvm_dtable *table = which == UMBRA_TABLE_GDT ? &vmx->gdt : &vmx->idt;

	vmx_need(vmx, VMX_TABLES);
	*table = (struct kvm_dtable) { .base = in->base, .limit = in->limit };
	vmx->dirty |= VMX_TABLES;
}

int vmx_cpl(struct umbra_vcpu *vcpu)
{
	return VMX_AR_DPL(vmx_seg_ar(to_vmx(vcpu), UMBRA_SEG_SS));
}

/* Where the cache has @index; *@group is what has to be known and becomes dirty. */
static u64 *vmx_cached_msr(struct vmx_vcpu *vmx, u32 index, u32 *group)
{
	switch (index) {
	case MSR_FS_BASE:
		*group = VMX_SEG_BOTH(UMBRA_SEG_FS);
		return &vmx->seg[UMBRA_SEG_FS].base;
	case MSR_GS_BASE:
		*group = VMX_SEG_BOTH(UMBRA_SEG_GS);
		return &vmx->seg[UMBRA_SEG_GS].base;
	case MSR_IA32_SYSENTER_CS:
		*group = VMX_SYSENTER;
		return &vmx->sysenter[0];
	case MSR_IA32_SYSENTER_ESP:
		*group = VMX_SYSENTER;
		return &vmx->sysenter[1];
	case MSR_IA32_SYSENTER_EIP:
		*group = VMX_SYSENTER;
		return &vmx->sysenter[2];
	default:
		return NULL;
	}
}

/* MSRs that are never in the VMCS. The processor has KERNEL_GS_BASE while loaded. */
static u64 *vmx_plain_msr(struct vmx_vcpu *vmx, u32 index)
{
	switch (index) {
	case MSR_KERNEL_GS_BASE:
		return &vmx->msr[VMX_MSR_KERNEL_GS_BASE];
	case MSR_STAR:
		return &vmx->msr[VMX_MSR_STAR];
	case MSR_LSTAR:
		return &vmx->msr[VMX_MSR_LSTAR];
	case MSR_SYSCALL_MASK:
		return &vmx->msr[VMX_MSR_SYSCALL_MASK];
	case MSR_CSTAR:
		return &vmx->cstar;
	case MSR_IA32_SPEC_CTRL:
		return &vmx->spec.guest;
	default:
		return NULL;
	}
}

int vmx_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const u64 *slot;
	u32 group;

	slot = vmx_cached_msr(vmx, index, &group);
	if (slot) {
		vmx_need(vmx, group);
		*data = *slot;
		return 0;
	}
	slot = vmx_plain_msr(vmx, index);
	if (!slot)
		return -ENOENT;
	if (index == MSR_KERNEL_GS_BASE && vmx->loaded)
		rdmsrl(index, *data);
	else
		*data = *slot;
	return 0;
}

int vmx_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 group;
	u64 *slot;

	slot = vmx_cached_msr(vmx, index, &group);
	if (slot) {
		vmx_need(vmx, group);
		*slot = data;
		vmx->dirty |= group;
		return 0;
	}
	slot = vmx_plain_msr(vmx, index);
	if (!slot)
		return -ENOENT;
	/* The processor refuses what user space may restore from one that does not. */
	*slot = index == MSR_SYSCALL_MASK ? (u32)data : data;
	if (index == MSR_IA32_SPEC_CTRL)
		vmx->spec.swap |= data != 0;
	else if (index != MSR_CSTAR && vmx->loaded)
		wrmsrl(index, *slot);
	return 0;
}

void vmx_reset_state(struct vmx_vcpu *vmx)
{
	enum umbra_seg seg;

	for (seg = 0; seg < VMX_NR_SEGS; seg++)
		vmx->seg[seg] = (struct vmx_seg) { .limit = 0xffff, .ar = VMX_AR_RESET_DATA };
	vmx->seg[UMBRA_SEG_CS].selector = 0xf000;
	vmx->seg[UMBRA_SEG_CS].base = 0xffff0000;
	vmx->seg[UMBRA_SEG_CS].ar = VMX_AR_RESET_CODE;
	vmx->seg[UMBRA_SEG_TR].ar = VMX_AR_RESET_TR;
	vmx->seg[UMBRA_SEG_LDTR].ar = VMX_AR_RESET_LDTR;
	vmx->gdt = (struct kvm_dtable) { .limit = 0xffff };
	vmx->idt = (struct kvm_dtable) { .limit = 0xffff };
	memset(vmx->sysenter, 0, sizeof(vmx->sysenter));
	memset(vmx->msr, 0, sizeof(vmx->msr));
	vmx->cstar = 0;
	vmx->spec = (struct vmx_spec) {};
	vmx->valid = VMX_CACHED;
	vmx->dirty = VMX_ALL;
}
