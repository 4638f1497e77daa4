// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks of a guest: its banks of MSRs, KVM_X86_SETUP_MCE, and errors
 * that user space injects with KVM_X86_SET_MCE. The host's own machine checks
 * have nothing to do with this file. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <asm/mce.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "cpuid.h"
#include "event.h"
#include "msr.h"
#include "msr_internal.h"
#include "request.h"
#include "vcpu.h"

#define HWCR_MC_STATUS_WRITE	BIT_ULL(18)

enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC };

static unsigned int nr_banks(const struct umbra_vcpu *vcpu)
{
	return vcpu->msrs.mcg_cap & MCG_BANKCNT_MASK;
}

/* Capabilities a VMM may give to a guest besides the number of banks. */
u64 umbra_mce_supported(void)
{
	return MCG_CTL_P | MCG_SER_P;
}

static u64 *bank_slot(struct umbra_vcpu *vcpu, u32 index)
{
	u32 offset = index - MSR_IA32_MC0_CTL;

	if (offset >= nr_banks(vcpu) * 4)
		return NULL;
	return &vcpu->msrs.mce_banks[array_index_nospec(offset, UMBRA_MCE_BANKS * 4)];
}

int umbra_mce_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	const struct umbra_msrs *msrs = &vcpu->msrs;
	const u64 *slot;

	switch (index) {
	case MSR_IA32_MCG_CAP:
		*data = msrs->mcg_cap;
		return 0;
	case MSR_IA32_MCG_STATUS:
		*data = msrs->mcg_status;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!(msrs->mcg_cap & MCG_CTL_P) && !host)
			return -EINVAL;
		*data = msrs->mcg_ctl;
		return 0;
	}
	slot = bank_slot(vcpu, index);
	if (!slot)
		return -ENOENT;
	*data = *slot;
	return 0;
}

static int set_global_ctl(struct umbra_vcpu *vcpu, u64 data, bool host)
{
	if (!(vcpu->msrs.mcg_cap & MCG_CTL_P) && (data || !host))
		return -EINVAL;
	if (data != 0 && data != ~0ULL)
		return -EINVAL;
	vcpu->msrs.mcg_ctl = data;
	return 0;
}

/* AMD's processors let their kernel write what a machine check would report. */
static bool status_writable(const struct umbra_vcpu *vcpu)
{
	return umbra_cpuid_is_amd(vcpu) && (vcpu->msrs.hwcr & HWCR_MC_STATUS_WRITE);
}

static int set_bank(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 *slot = bank_slot(vcpu, index);

	if (!slot)
		return -ENOENT;
	switch (index & 3) {
	case BANK_CTL:
		/* All or nothing; systems leave out bit 10 or bit 0 around errata. */
		if (data != 0 && (data | BIT_ULL(10) | 1) != ~0ULL)
			return -EINVAL;
		break;
	case BANK_STATUS:
		if (!host && data && !status_writable(vcpu))
			return -EINVAL;
		break;
	}
	*slot = data;
	return 0;
}

int umbra_mce_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	switch (index) {
	case MSR_IA32_MCG_CAP:
		return -EINVAL;
	case MSR_IA32_MCG_STATUS:
		vcpu->msrs.mcg_status = data;
		return 0;
	case MSR_IA32_MCG_CTL:
		return set_global_ctl(vcpu, data, host);
	default:
		return set_bank(vcpu, index, data, host);
	}
}

void umbra_mce_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_msrs *msrs = &vcpu->msrs;

	msrs->mcg_cap = UMBRA_MCE_BANKS;
	msrs->mcg_status = 0;
	msrs->mcg_ctl = 0;
	memset(msrs->mce_banks, 0, sizeof(msrs->mce_banks));
}

/**
 * umbra_mce_setup() - KVM_X86_SETUP_MCE
 * @vcpu: virtual processor
 * @mcg_cap: MCG_CAP for the guest: number of banks and capabilities
 *
 * Return: 0, or -EINVAL for no bank, too many, or a capability not offered.
 */
int umbra_mce_setup(struct umbra_vcpu *vcpu, u64 mcg_cap)
{
	unsigned int banks = mcg_cap & MCG_BANKCNT_MASK;
	unsigned int i;

	if (!banks || banks > UMBRA_MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(umbra_mce_supported() | MCG_BANKCNT_MASK | MCG_EXT_CNT_MASK))
		return -EINVAL;
	vcpu->msrs.mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		vcpu->msrs.mcg_ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		vcpu->msrs.mce_banks[i * 4 + BANK_CTL] = ~0ULL;
	return 0;
}

static void record(struct umbra_vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *mce)
{
	u64 lost = bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0;

	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
	bank[BANK_STATUS] = mce->status | lost;
}

static void uncorrected(struct umbra_vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *mce)
{
	struct umbra_msrs *msrs = &vcpu->msrs;

	if ((msrs->mcg_cap & MCG_CTL_P) && msrs->mcg_ctl != ~0ULL)
		return;
	if (bank[BANK_CTL] != ~0ULL)
		return;
	/* One while another is handled, or before CR4.MCE: the processor shuts down. */
	if ((msrs->mcg_status & MCG_STATUS_MCIP) || !(vcpu->cr4 & X86_CR4_MCE)) {
		vcpu->ev.triple_fault = true;
		return;
	}
	record(vcpu, bank, mce);
	msrs->mcg_status = mce->mcg_status;
	umbra_queue_exception(vcpu, MC_VECTOR);
}

/**
 * umbra_mce_inject() - KVM_X86_SET_MCE
 * @vcpu: virtual processor
 * @mce: the error
 *
 * Return: 0, or -EINVAL for a bank the guest does not have or a status that
 * does not say it is valid.
 */
int umbra_mce_inject(struct umbra_vcpu *vcpu, const struct kvm_x86_mce *mce)
{
	u64 *bank;

	if (mce->bank >= nr_banks(vcpu) || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &vcpu->msrs.mce_banks[array_index_nospec(mce->bank, UMBRA_MCE_BANKS) * 4];
	if (mce->status & MCI_STATUS_UC)
		uncorrected(vcpu, bank, mce);
	else if (!(bank[BANK_STATUS] & MCI_STATUS_VAL) || !(bank[BANK_STATUS] & MCI_STATUS_UC))
		record(vcpu, bank, mce);
	else
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
	umbra_request(vcpu, UMBRA_REQ_EVENT);
	return 0;
}
