// SPDX-License-Identifier: GPL-2.0
/*
 * Legality and effects of writes to CR0, CR3, CR4, CR8, EFER and XCR0, as the
 * processor manuals have them. A refused write changes nothing. Injects
 * nothing: the caller turns -EINVAL into #GP. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/svm.h>
#include "cpuid.h"
#include "mmu/mmu.h"
#include "regs.h"
#include "vcpu.h"
#include "vendor.h"

#define CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET |	\
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD |	\
			 X86_CR0_PG)
#define CR0_LOADS_PDPTES	(X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)
#define CR4_LOADS_PDPTES	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP)
#define CR0_TRANSLATION		(X86_CR0_PG | X86_CR0_WP)
#define CR4_TRANSLATION		(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_LA57 |	\
				 X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_PCIDE)
#define EFER_TRANSLATION	(EFER_NX | EFER_LMA)
#define CR3_NOFLUSH		BIT_ULL(63)
#define CR3_PCID		0xfffULL

bool umbra_is_long_mode(const struct umbra_vcpu *vcpu)
{
	return vcpu->efer & EFER_LMA;
}

bool umbra_is_paging(const struct umbra_vcpu *vcpu)
{
	return vcpu->cr0 & X86_CR0_PG;
}

bool umbra_is_pae(const struct umbra_vcpu *vcpu)
{
	return vcpu->cr4 & X86_CR4_PAE;
}

/**
 * umbra_is_64bit_code() - does the current code segment run 64-bit code?
 * @vcpu: virtual processor
 */
bool umbra_is_64bit_code(struct umbra_vcpu *vcpu)
{
	struct kvm_segment cs;

	if (!umbra_is_long_mode(vcpu))
		return false;
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	return cs.l;
}

u64 umbra_cr4_allowed(const struct umbra_vcpu *vcpu)
{
	return vcpu->cpuid.cr4_allowed;
}

/* @translation: a bit changed on which the meaning of tables or TLB entries depends. */
static void crs_changed(struct umbra_vcpu *vcpu, bool translation)
{
	umbra_vendor->sync_crs(vcpu);
	if (translation)
		umbra_mmu_context_changed(vcpu);
}

/* The registers that decide the paging mode, to go back to on a refusal. */
struct paging_state {
	u64 cr0, cr3, cr4, efer;
	u64 pdpte[4];
};

static void remember(const struct umbra_vcpu *vcpu, struct paging_state *old)
{
	old->cr0 = vcpu->cr0;
	old->cr3 = vcpu->cr3;
	old->cr4 = vcpu->cr4;
	old->efer = vcpu->efer;
	memcpy(old->pdpte, vcpu->pdpte, sizeof(old->pdpte));
}

static void go_back(struct umbra_vcpu *vcpu, const struct paging_state *old)
{
	vcpu->cr0 = old->cr0;
	vcpu->cr3 = old->cr3;
	vcpu->cr4 = old->cr4;
	vcpu->efer = old->efer;
	memcpy(vcpu->pdpte, old->pdpte, sizeof(old->pdpte));
}

/**
 * umbra_is_pae_paging() - are PDPTEs in use: PAE paging outside long mode?
 * @vcpu: virtual processor
 */
bool umbra_is_pae_paging(const struct umbra_vcpu *vcpu)
{
	return umbra_is_paging(vcpu) && umbra_is_pae(vcpu) && !umbra_is_long_mode(vcpu);
}

/* The new registers are in @vcpu already; -EINVAL puts @old back. */
static int reload_pdptes(struct umbra_vcpu *vcpu, const struct paging_state *old)
{
	int idx, err;

	if (!umbra_is_pae_paging(vcpu))
		return 0;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	err = umbra_mmu_load_pdptes(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	if (err)
		go_back(vcpu, old);
	return err ? -EINVAL : 0;
}

/**
 * umbra_cr0_valid() - may CR0 have @value in some mode?
 * @value: candidate
 */
bool umbra_cr0_valid(u64 value)
{
	if (value >> 32)
		return false;
	if ((value & X86_CR0_PG) && !(value & X86_CR0_PE))
		return false;
	return !(value & X86_CR0_NW) || (value & X86_CR0_CD);
}

/* Turning paging on with LME enters long mode, which has conditions. */
static int paging_on(struct umbra_vcpu *vcpu)
{
	struct kvm_segment cs;

	if (!(vcpu->efer & EFER_LME))
		return vcpu->cr4 & X86_CR4_PCIDE ? -EINVAL : 0;
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	if (!umbra_is_pae(vcpu) || cs.l)
		return -EINVAL;
	vcpu->efer |= EFER_LMA;
	return 0;
}

static int paging_off(struct umbra_vcpu *vcpu)
{
	if ((vcpu->cr4 & X86_CR4_PCIDE) || umbra_is_64bit_code(vcpu))
		return -EINVAL;
	vcpu->efer &= ~(u64)EFER_LMA;
	return 0;
}

int umbra_set_cr0(struct umbra_vcpu *vcpu, u64 value)
{
	struct paging_state old;
	u64 changed;
	int err = 0;

	if (!umbra_cr0_valid(value))
		return -EINVAL;
	value = (value & CR0_DEFINED) | X86_CR0_ET;
	changed = vcpu->cr0 ^ value;
	remember(vcpu, &old);
	if (changed & X86_CR0_PG)
		err = (value & X86_CR0_PG) ? paging_on(vcpu) : paging_off(vcpu);
	if (err)
		return err;
	vcpu->cr0 = value;
	if (changed & CR0_LOADS_PDPTES)
		err = reload_pdptes(vcpu, &old);
	if (!err && changed)
		crs_changed(vcpu, changed & (CR0_TRANSLATION | CR0_LOADS_PDPTES));
	return err;
}

/**
 * umbra_cr3_reserved() - CR3 bits that must be zero in long mode
 * @vcpu: virtual processor
 */
u64 umbra_cr3_reserved(const struct umbra_vcpu *vcpu)
{
	return ~0ULL << vcpu->cpuid.phys_bits;
}

int umbra_set_cr3(struct umbra_vcpu *vcpu, u64 value)
{
	struct paging_state old;
	int err;

	if (vcpu->cr4 & X86_CR4_PCIDE)
		value &= ~CR3_NOFLUSH;
	if (umbra_is_long_mode(vcpu)) {
		if (value & umbra_cr3_reserved(vcpu))
			return -EINVAL;
	} else {
		value &= U32_MAX;
	}
	remember(vcpu, &old);
	vcpu->cr3 = value;
	err = reload_pdptes(vcpu, &old);
	if (err)
		return err;
	umbra_vendor->sync_crs(vcpu);
	umbra_mmu_new_cr3(vcpu);
	return 0;
}

static int cr4_transition_valid(const struct umbra_vcpu *vcpu, u64 value)
{
	u64 set = value & ~vcpu->cr4;
	u64 changed = value ^ vcpu->cr4;

	if (umbra_is_long_mode(vcpu)) {
		if (!(value & X86_CR4_PAE) || (changed & X86_CR4_LA57))
			return -EINVAL;
	} else if (value & X86_CR4_PCIDE) {
		return -EINVAL;
	}
	if ((set & X86_CR4_PCIDE) && (vcpu->cr3 & CR3_PCID))
		return -EINVAL;
	return 0;
}

int umbra_set_cr4(struct umbra_vcpu *vcpu, u64 value)
{
	struct paging_state old;
	u64 changed = value ^ vcpu->cr4;
	int err;

	if (value & ~umbra_cr4_allowed(vcpu))
		return -EINVAL;
	err = cr4_transition_valid(vcpu, value);
	if (err)
		return err;
	remember(vcpu, &old);
	vcpu->cr4 = value;
	if (changed & CR4_LOADS_PDPTES)
		err = reload_pdptes(vcpu, &old);
	if (err || !changed)
		return err;
	crs_changed(vcpu, changed & CR4_TRANSLATION);
	if (changed & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		umbra_cpuid_update_dynamic(vcpu);
	return 0;
}

int umbra_set_cr8(struct umbra_vcpu *vcpu, u64 value)
{
	if (value > 15)
		return -EINVAL;
	if (vcpu->cr8 != value) {
		vcpu->cr8 = value;
		umbra_vendor->sync_crs(vcpu);
	}
	/* Also when it stays: the task priority has bits that a write of CR8 clears. */
	if (vcpu->lapic)
		umbra_lapic_set_cr8(vcpu, value);
	return 0;
}

int umbra_guest_set_cr8(struct umbra_vcpu *vcpu, u64 value)
{
	if (likely(!vcpu->inner.masked))
		return umbra_set_cr8(vcpu, value);
	if (value > 15)
		return -EINVAL;
	vcpu->inner.tpr = value;
	vcpu->ev.look = true;
	return 0;
}

int umbra_paging_replaced(struct umbra_vcpu *vcpu, const u64 *pdptes)
{
	int err = 0;

	if (pdptes)
		memmove(vcpu->pdpte, pdptes, sizeof(vcpu->pdpte));
	else if (umbra_is_pae_paging(vcpu))
		err = umbra_mmu_load_pdptes(vcpu);
	umbra_vendor->sync_crs(vcpu);
	umbra_mmu_context_changed(vcpu);
	umbra_cpuid_update_dynamic(vcpu);
	return err;
}

/* LMA follows LME and PG alone; whatever a write says about it is ignored. */
static void store_efer(struct umbra_vcpu *vcpu, u64 value)
{
	u64 changed;

	value = (value & ~(u64)EFER_LMA) | (vcpu->efer & EFER_LMA);
	changed = vcpu->efer ^ value;
	if (!changed)
		return;
	vcpu->efer = value;
	crs_changed(vcpu, changed & EFER_TRANSLATION);
}

int umbra_set_efer(struct umbra_vcpu *vcpu, u64 value)
{
	if (value & ~vcpu->cpuid.efer_allowed)
		return -EINVAL;
	if ((value & EFER_SVME) && (vcpu->msrs.vm_cr & SVM_VM_CR_SVM_DIS_MASK))
		return -EINVAL;
	if (umbra_is_paging(vcpu) && ((value ^ vcpu->efer) & EFER_LME))
		return -EINVAL;
	store_efer(vcpu, value);
	return 0;
}

/**
 * umbra_set_efer_host() - user space writes EFER through KVM_SET_MSRS
 * @vcpu: virtual processor
 * @value: new value; what the host lacks is refused, CPUID is not asked
 *
 * Return: 0 or -EINVAL.
 */
int umbra_set_efer_host(struct umbra_vcpu *vcpu, u64 value)
{
	if (value & ~umbra_host_efer(vcpu->vm))
		return -EINVAL;
	if (umbra_is_paging(vcpu) && ((value ^ vcpu->efer) & EFER_LME))
		return -EINVAL;
	store_efer(vcpu, value);
	return 0;
}

/* Components that only make sense together, and x87 always. */
static bool xcr0_consistent(u64 value)
{
	u64 avx512 = value & XFEATURE_MASK_AVX512;

	if (!(value & XFEATURE_MASK_FP))
		return false;
	if ((value & XFEATURE_MASK_YMM) && !(value & XFEATURE_MASK_SSE))
		return false;
	if (!avx512)
		return true;
	return avx512 == XFEATURE_MASK_AVX512 && (value & XFEATURE_MASK_YMM);
}

int umbra_set_xcr0(struct umbra_vcpu *vcpu, u64 value)
{
	if (!xcr0_consistent(value))
		return -EINVAL;
	if (value & ~(vcpu->cpuid.xcr0_allowed | XFEATURE_MASK_FP))
		return -EINVAL;
	if (vcpu->fpu.xcr0 != value) {
		vcpu->fpu.xcr0 = value;
		umbra_cpuid_update_dynamic(vcpu);
	}
	return 0;
}
