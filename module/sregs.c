// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET/SET_SREGS and KVM_GET/SET_SREGS2. Checks the whole set of system
 * registers before the first of them changes. vcpu->mutex is held.
 */
#include <linux/bitmap.h>
#include <linux/kvm.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "mmu/mmu.h"
#include "msr.h"
#include "regs.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

#define NR_VECTORS_ABI	256

/* Both ioctls' structures begin alike; the tails differ. */
#define COMMON_BYTES	offsetof(struct kvm_sregs, interrupt_bitmap)

static_assert(offsetof(struct kvm_sregs2, flags) == COMMON_BYTES);

static void get_common(struct umbra_vcpu *vcpu, struct kvm_sregs2 *out)
{
	memset(out, 0, sizeof(*out));
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &out->cs);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_DS, &out->ds);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_ES, &out->es);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_FS, &out->fs);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_GS, &out->gs);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_SS, &out->ss);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_TR, &out->tr);
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_LDTR, &out->ldt);
	umbra_vendor->get_table(vcpu, UMBRA_TABLE_GDT, &out->gdt);
	umbra_vendor->get_table(vcpu, UMBRA_TABLE_IDT, &out->idt);
	out->cr0 = vcpu->cr0;
	out->cr2 = vcpu->cr2;
	out->cr3 = vcpu->cr3;
	out->cr4 = vcpu->cr4;
	out->cr8 = vcpu->cr8;
	out->efer = vcpu->efer;
	out->apic_base = vcpu->msrs.apic_base;
}

static bool sregs_pae_paging(const struct kvm_sregs2 *in)
{
	return (in->cr0 & X86_CR0_PG) && (in->cr4 & X86_CR4_PAE) && !(in->efer & EFER_LMA);
}

static bool mode_valid(const struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	if ((in->efer & EFER_LME) && (in->cr0 & X86_CR0_PG))
		return (in->cr4 & X86_CR4_PAE) && (in->efer & EFER_LMA) &&
		       !(in->cr3 & umbra_cr3_reserved(vcpu));
	if (in->efer & EFER_LMA || in->cs.l)
		return false;
	/* Without paging PCIDE says nothing yet, and KVM lets user space set it. */
	return !(in->cr4 & X86_CR4_PCIDE) || !(in->cr0 & X86_CR0_PG);
}

static int check(const struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	if (!umbra_cr0_valid(in->cr0) || in->cr4 & ~umbra_cr4_allowed(vcpu))
		return -EINVAL;
	if (in->cr8 > 15 || in->efer & ~(umbra_host_efer(vcpu->vm) | EFER_LMA))
		return -EINVAL;
	if (!mode_valid(vcpu, in))
		return -EINVAL;
	return umbra_apic_base_valid(vcpu, in->apic_base) ? 0 : -EINVAL;
}

static void set_segments(struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_CS, &in->cs);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_DS, &in->ds);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_ES, &in->es);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_FS, &in->fs);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_GS, &in->gs);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_SS, &in->ss);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_TR, &in->tr);
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_LDTR, &in->ldt);
	umbra_vendor->set_table(vcpu, UMBRA_TABLE_GDT, &in->gdt);
	umbra_vendor->set_table(vcpu, UMBRA_TABLE_IDT, &in->idt);
}

/*
 * PDPTEs are read from memory, but one that is not there yet is no reason to
 * fail: user space may restore registers before memory.
 */
static void load_pdptes(struct umbra_vcpu *vcpu)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);

	umbra_mmu_load_pdptes(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

static void apply(struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in, const u64 *pdptes)
{
	set_segments(vcpu, in);
	vcpu->cr0 = in->cr0 | X86_CR0_ET;
	vcpu->cr2 = in->cr2;
	vcpu->cr3 = in->cr3;
	vcpu->cr4 = in->cr4;
	vcpu->efer = in->efer;
	/* Bits of the task priority that CR8 lacks are KVM_SET_LAPIC's, which may have been. */
	if (in->cr8 != vcpu->cr8)
		umbra_set_cr8(vcpu, in->cr8);
	umbra_set_apic_base(vcpu, in->apic_base, true);
	if (pdptes)
		memcpy(vcpu->pdpte, pdptes, sizeof(vcpu->pdpte));
	else if (sregs_pae_paging(in))
		load_pdptes(vcpu);
	umbra_vendor->sync_crs(vcpu);
	umbra_mmu_registers_set(vcpu);
	umbra_cpuid_update_dynamic(vcpu);
	umbra_request(vcpu, UMBRA_REQ_EVENT);
}

/* An interrupt that was on its way into the guest when it was last stopped. */
static int pending_vector(const struct umbra_vcpu *vcpu)
{
	if (vcpu->ev.injected.type == UMBRA_EVENT_IRQ)
		return vcpu->ev.injected.vector;
	if (vcpu->ev.irq.type == UMBRA_EVENT_IRQ)
		return vcpu->ev.irq.vector;
	return -1;
}

/* It takes the place of one under way, which get_sregs reported in the bitmap too. */
static void set_interrupt(struct umbra_events *ev, u8 vector)
{
	if (ev->injected.type == UMBRA_EVENT_IRQ)
		ev->injected.type = UMBRA_EVENT_NONE;
	ev->irq = (struct umbra_event) { .type = UMBRA_EVENT_IRQ, .vector = vector };
}

/**
 * umbra_get_sregs() - KVM_GET_SREGS
 * @vcpu: virtual processor
 * @out: filled
 */
void umbra_get_sregs(struct umbra_vcpu *vcpu, struct kvm_sregs *out)
{
	struct kvm_sregs2 common;
	int vector = pending_vector(vcpu);

	get_common(vcpu, &common);
	memset(out, 0, sizeof(*out));
	memcpy(out, &common, COMMON_BYTES);
	if (vector >= 0)
		__set_bit(vector, (unsigned long *)out->interrupt_bitmap);
}

/**
 * umbra_set_sregs() - KVM_SET_SREGS
 * @vcpu: virtual processor
 * @in: new values; the lowest vector of the bitmap is delivered next
 *
 * Return: 0, or -EINVAL and nothing changed.
 */
int umbra_set_sregs(struct umbra_vcpu *vcpu, const struct kvm_sregs *in)
{
	struct kvm_sregs2 common = {};
	unsigned long vector;
	int err;

	memcpy(&common, in, COMMON_BYTES);
	err = check(vcpu, &common);
	if (err)
		return err;
	apply(vcpu, &common, NULL);
	vector = find_first_bit((const unsigned long *)in->interrupt_bitmap, NR_VECTORS_ABI);
	if (vector < NR_VECTORS_ABI)
		set_interrupt(&vcpu->ev, vector);
	return 0;
}

/**
 * umbra_get_sregs2() - KVM_GET_SREGS2
 * @vcpu: virtual processor
 * @out: filled; PDPTRs only while PAE paging uses them
 */
void umbra_get_sregs2(struct umbra_vcpu *vcpu, struct kvm_sregs2 *out)
{
	get_common(vcpu, out);
	if (!umbra_is_pae_paging(vcpu))
		return;
	memcpy(out->pdptrs, vcpu->pdpte, sizeof(out->pdptrs));
	out->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

/**
 * umbra_set_sregs2() - KVM_SET_SREGS2
 * @vcpu: virtual processor
 * @in: new values
 *
 * Return: 0, or -EINVAL and nothing changed.
 */
int umbra_set_sregs2(struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	bool pdptrs = in->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	int err;

	if (in->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (pdptrs && !sregs_pae_paging(in))
		return -EINVAL;
	err = check(vcpu, in);
	if (err)
		return err;
	apply(vcpu, in, pdptrs ? in->pdptrs : NULL);
	return 0;
}
