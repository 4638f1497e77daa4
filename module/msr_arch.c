// SPDX-License-Identifier: GPL-2.0
/*
 * The table of emulated MSRs and the rules of each, but for memory types
 * (mtrr.c) and machine checks (mce.c). What is not in the table does not
 * exist. Knows nothing of filters and exits: see msr.c.
 */
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/msr-index.h>
#include "cpuid.h"
#include "kvmclock.h"
#include "msr.h"
#include "msr_internal.h"
#include "regs.h"
#include "tsc.h"
#include "vcpu.h"
#include "vendor.h"

#define APIC_BASE_X2APIC	BIT_ULL(10)
#define APIC_BASE_LOW_RESERVED	0x2ffULL

/* HWCR: writes that ask for what an emulated processor has anyway. */
#define HWCR_TLB_CACHE_DIS	BIT_ULL(3)
#define HWCR_FLUSH_FILTER_DIS	BIT_ULL(6)
#define HWCR_IGNNE_EM		BIT_ULL(8)
#define HWCR_MC_STATUS_WRITE	BIT_ULL(18)

static int tsc_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	/* User space sees the guest's own, not that of an inner one. */
	*data = umbra_guest_tsc(vcpu) + (host ? 0 : vcpu->inner.tsc_offset);
	return 0;
}

static int tsc_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (host) {
		umbra_tsc_host_write(vcpu, data);
		return 0;
	}
	data -= vcpu->inner.tsc_offset;
	vcpu->msrs.tsc_adjust += data - umbra_guest_tsc(vcpu);
	umbra_set_guest_tsc(vcpu, data);
	return 0;
}

static int tsc_adjust_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !umbra_cpuid_has(vcpu, X86_FEATURE_TSC_ADJUST))
		return -EINVAL;
	*data = vcpu->msrs.tsc_adjust;
	return 0;
}

static int tsc_adjust_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host) {
		if (!umbra_cpuid_has(vcpu, X86_FEATURE_TSC_ADJUST))
			return -EINVAL;
		umbra_tsc_adjust(vcpu, data - vcpu->msrs.tsc_adjust);
	}
	vcpu->msrs.tsc_adjust = data;
	return 0;
}

/**
 * umbra_apic_base_valid() - may the APIC_BASE MSR be @data?
 * @vcpu: virtual processor
 * @data: candidate
 */
bool umbra_apic_base_valid(const struct umbra_vcpu *vcpu, u64 data)
{
	if (data & (APIC_BASE_LOW_RESERVED | ~0ULL << vcpu->cpuid.phys_bits))
		return false;
	if (!(data & APIC_BASE_X2APIC))
		return true;
	return umbra_cpuid_has(vcpu, X86_FEATURE_X2APIC) && (data & MSR_IA32_APICBASE_ENABLE);
}

/**
 * umbra_set_apic_base() - write APIC_BASE
 * @vcpu: virtual processor
 * @data: value
 * @host: by user space, which may go from any valid value to any other
 *
 * Return: 0, or -EINVAL.
 */
int umbra_set_apic_base(struct umbra_vcpu *vcpu, u64 data, bool host)
{
	int err = umbra_apic_base_valid(vcpu, data) ? 0 : -EINVAL;

	if (!err && vcpu->lapic)
		err = umbra_lapic_set_base(vcpu, data, host);
	else if (!err)
		vcpu->msrs.apic_base = data;
	if (!err)
		umbra_cpuid_update_dynamic(vcpu);
	return err;
}

static int apic_base_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.apic_base;
	return 0;
}

static int apic_base_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return umbra_set_apic_base(vcpu, data, host);
}

/* The local APIC's registers, while it is in x2APIC mode. */
static int x2apic_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	return vcpu->lapic ? umbra_lapic_get_msr(vcpu, index, data) : -ENOENT;
}

static int x2apic_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return vcpu->lapic ? umbra_lapic_set_msr(vcpu, index, data) : -ENOENT;
}

static int deadline_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->lapic ? umbra_lapic_get_deadline(vcpu, host) : 0;
	return 0;
}

static int deadline_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (vcpu->lapic)
		umbra_lapic_set_deadline(vcpu, data);
	return 0;
}

/* Bits that can be written to this processor's SPEC_CTRL without #GP. */
static u64 host_spec_ctrl_bits(void)
{
	u64 bits = 0;

	if (!boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		return 0;
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL) || boot_cpu_has(X86_FEATURE_AMD_IBRS))
		bits |= SPEC_CTRL_IBRS;
	if (boot_cpu_has(X86_FEATURE_INTEL_STIBP) || boot_cpu_has(X86_FEATURE_AMD_STIBP))
		bits |= SPEC_CTRL_STIBP;
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD) || boot_cpu_has(X86_FEATURE_AMD_SSBD))
		bits |= SPEC_CTRL_SSBD;
	return bits;
}

static u64 spec_ctrl_bits(const struct umbra_vcpu *vcpu, bool host)
{
	u64 bits = 0;

	if (host)
		return host_spec_ctrl_bits();
	if (umbra_cpuid_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
	    umbra_cpuid_has(vcpu, X86_FEATURE_AMD_IBRS))
		bits |= SPEC_CTRL_IBRS;
	if (umbra_cpuid_has(vcpu, X86_FEATURE_INTEL_STIBP) ||
	    umbra_cpuid_has(vcpu, X86_FEATURE_AMD_STIBP))
		bits |= SPEC_CTRL_STIBP;
	if (umbra_cpuid_has(vcpu, X86_FEATURE_SPEC_CTRL_SSBD) ||
	    umbra_cpuid_has(vcpu, X86_FEATURE_AMD_SSBD))
		bits |= SPEC_CTRL_SSBD;
	return bits & host_spec_ctrl_bits();
}

static int spec_ctrl_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!spec_ctrl_bits(vcpu, host))
		return -EINVAL;
	if (umbra_vendor->get_msr(vcpu, index, data))
		*data = vcpu->msrs.spec_ctrl;
	return 0;
}

static int spec_ctrl_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 bits = spec_ctrl_bits(vcpu, host);

	if (!bits || data & ~bits)
		return -EINVAL;
	vcpu->msrs.spec_ctrl = data;
	umbra_vendor->set_msr(vcpu, index, data);
	return 0;
}

static bool has_ibpb(const struct umbra_vcpu *vcpu)
{
	return umbra_cpuid_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
	       umbra_cpuid_has(vcpu, X86_FEATURE_AMD_IBPB);
}

static int pred_cmd_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!boot_cpu_has(X86_FEATURE_IBPB) || (!host && !has_ibpb(vcpu)))
		return -EINVAL;
	if (data & ~(u64)PRED_CMD_IBPB)
		return -EINVAL;
	if (data)
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	return 0;
}

static int write_only(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	return -EINVAL;
}

static int read_only(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return -EINVAL;
}

/* Configuration that firmware and old kernels write without looking. */
static int ignore_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return 0;
}

static int ucode_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.ucode_rev;
	return 0;
}

/* Guests write 0 before they ask for the revision. */
static int ucode_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (host)
		vcpu->msrs.ucode_rev = data;
	return 0;
}

static int platform_info_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && READ_ONCE(vcpu->vm->no_platform_info))
		return -EINVAL;
	*data = vcpu->msrs.platform_info;
	return 0;
}

/* Ratios of frequencies, as user space likes. CPUID faulting is not offered. */
static int platform_info_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host || data & MSR_PLATFORM_INFO_CPUID_FAULT)
		return -EINVAL;
	vcpu->msrs.platform_info = data;
	return 0;
}

/* Intel's register in which firmware allows VMX and its like: none of them is offered. */
static int feat_ctl_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (umbra_cpuid_is_amd(vcpu))
		return -ENOENT;
	*data = vcpu->msrs.feat_ctl;
	return 0;
}

/* It can be locked as it is, which firmware does, and systems that find it open. */
static int feat_ctl_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (umbra_cpuid_is_amd(vcpu))
		return -ENOENT;
	if (data & ~(u64)FEAT_CTL_LOCKED)
		return -EINVAL;
	if (!host && (vcpu->msrs.feat_ctl & FEAT_CTL_LOCKED))
		return -EINVAL;
	vcpu->msrs.feat_ctl = data;
	return 0;
}

static int arch_caps_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !umbra_cpuid_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES))
		return -EINVAL;
	*data = vcpu->msrs.arch_caps;
	return 0;
}

static int arch_caps_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host || data & ~umbra_host_arch_caps())
		return -EINVAL;
	vcpu->msrs.arch_caps = data;
	return 0;
}

static int misc_enable_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.misc_enable;
	return 0;
}

static int misc_enable_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const u64 fixed = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |
			  MSR_IA32_MISC_ENABLE_EMON;

	/* The guest cannot make hardware appear by claiming it. */
	if (!host && ((data ^ vcpu->msrs.misc_enable) & fixed))
		return -EINVAL;
	/* Processors without SSE3 have no MONITOR, and no bit for it. */
	if (!umbra_has_quirk(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) &&
	    (data ^ vcpu->msrs.misc_enable) & MSR_IA32_MISC_ENABLE_MWAIT &&
	    !umbra_cpuid_has(vcpu, X86_FEATURE_XMM3))
		return -EINVAL;
	vcpu->msrs.misc_enable = data;
	umbra_cpuid_update_dynamic(vcpu);
	return 0;
}

/* What a guest says about saving power is kept, and means nothing here. */
static int power_ctl_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.power_ctl;
	return 0;
}

static int power_ctl_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	vcpu->msrs.power_ctl = data;
	return 0;
}

/* MSRs in the vendor's control block. */
static int vendor_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	return umbra_vendor->get_msr(vcpu, index, data);
}

static int vendor_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return umbra_vendor->set_msr(vcpu, index, data);
}

static bool canonical(const struct umbra_vcpu *vcpu, u64 address)
{
	int unused = 64 - (vcpu->cr4 & X86_CR4_LA57 ? 57 : 48);

	return (u64)((s64)(address << unused) >> unused) == address;
}

static int address_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!canonical(vcpu, data))
		return -EINVAL;
	return umbra_vendor->set_msr(vcpu, index, data);
}

/* AMD processors accept any value here and use what fits. */
static int sysenter_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!canonical(vcpu, data)) {
		if (!host && !umbra_cpuid_is_amd(vcpu))
			return -EINVAL;
		data = (u64)((s64)(data << 16) >> 16);
	}
	return umbra_vendor->set_msr(vcpu, index, data);
}

/* Intel's processors have 32 bits here and refuse others. */
static int syscall_mask_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host && data >> 32 && !umbra_cpuid_is_amd(vcpu))
		return -EINVAL;
	return umbra_vendor->set_msr(vcpu, index, data);
}

static int pv_eoi_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !umbra_pv_has(vcpu, KVM_FEATURE_PV_EOI))
		return -EINVAL;
	*data = vcpu->pv_eoi.msr;
	return 0;
}

static int pv_eoi_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!host && !umbra_pv_has(vcpu, KVM_FEATURE_PV_EOI))
		return -EINVAL;
	return umbra_pv_eoi_set(vcpu, data);
}

static int efer_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->efer;
	return 0;
}

static int efer_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	return host ? umbra_set_efer_host(vcpu, data) : umbra_set_efer(vcpu, data);
}

static bool has_tsc_aux(const struct umbra_vcpu *vcpu, bool host)
{
	if (!boot_cpu_has(X86_FEATURE_RDTSCP) && !boot_cpu_has(X86_FEATURE_RDPID))
		return false;
	return host || umbra_cpuid_has(vcpu, X86_FEATURE_RDTSCP) ||
	       umbra_cpuid_has(vcpu, X86_FEATURE_RDPID);
}

static int tsc_aux_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!has_tsc_aux(vcpu, host))
		return -EINVAL;
	*data = vcpu->msrs.tsc_aux;
	return 0;
}

static int tsc_aux_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!has_tsc_aux(vcpu, host))
		return -EINVAL;
	if (data >> 32 && !umbra_cpuid_is_amd(vcpu))
		return -EINVAL;
	vcpu->msrs.tsc_aux = (u32)data;
	/* The vendor's load() puts the value into the processor; it may be past that. */
	preempt_disable();
	if (vcpu->cpu == smp_processor_id())
		wrmsrl(MSR_TSC_AUX, vcpu->msrs.tsc_aux);
	preempt_enable();
	return 0;
}

static int hwcr_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.hwcr;
	return 0;
}

static int hwcr_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	data &= ~(HWCR_TLB_CACHE_DIS | HWCR_FLUSH_FILTER_DIS | HWCR_IGNNE_EM);
	if (data & ~HWCR_MC_STATUS_WRITE)
		return -EINVAL;
	vcpu->msrs.hwcr = data;
	return 0;
}

static int clk_ctl_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = 0x20000000;
	return 0;
}

/* Errata list: its length covers the known ones, and none applies here. */
static int osvw_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!host && !umbra_cpuid_has(vcpu, X86_FEATURE_OSVW))
		return -EINVAL;
	*data = index == MSR_AMD64_OSVW_ID_LENGTH ? 4 : 0;
	return 0;
}

static int decfg_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.decfg;
	return 0;
}

static int decfg_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	u64 supported;

	if (umbra_msr_get_feature(MSR_AMD64_DE_CFG, &supported))
		supported = 0;
	if (data & ~supported)
		return -EINVAL;
	/* A guest may only ask for what it has already. */
	if (!host && data != vcpu->msrs.decfg)
		return -EINVAL;
	vcpu->msrs.decfg = data;
	return 0;
}

const struct umbra_msr_row umbra_msr_rows[] = {
	{ MSR_IA32_TSC, 0, tsc_get, tsc_set },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, umbra_kvmclock_get_msr, umbra_kvmclock_set_msr },
	{ MSR_IA32_PLATFORM_ID, 0, NULL, read_only },
	{ MSR_IA32_APICBASE, 0, apic_base_get, apic_base_set },
	{ MSR_IA32_EBL_CR_POWERON, 0, NULL, NULL },
	{ MSR_IA32_FEAT_CTL, 0, feat_ctl_get, feat_ctl_set },
	{ MSR_IA32_TSC_ADJUST, 0, tsc_adjust_get, tsc_adjust_set },
	{ MSR_IA32_SPEC_CTRL, 0, spec_ctrl_get, spec_ctrl_set },
	{ MSR_IA32_PRED_CMD, 0, write_only, pred_cmd_set },
	{ MSR_IA32_UCODE_WRITE, 0, write_only, ignore_set },
	{ MSR_IA32_UCODE_REV, 0, ucode_get, ucode_set },
	{ MSR_IA32_PERFCTR0, MSR_IA32_PERFCTR1, NULL, NULL },
	{ MSR_PLATFORM_INFO, 0, platform_info_get, platform_info_set },
	{ UMBRA_MTRR_CAP, 0, umbra_mtrr_get, read_only },
	{ MSR_IA32_ARCH_CAPABILITIES, 0, arch_caps_get, arch_caps_set },
	{ MSR_MISC_FEATURES_ENABLES, 0, NULL, NULL },
	{ MSR_IA32_SYSENTER_CS, 0, vendor_get, vendor_set },
	{ MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, vendor_get, sysenter_set },
	{ MSR_IA32_MCG_CAP, MSR_IA32_MCG_CTL, umbra_mce_get, umbra_mce_set },
	{ MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1, NULL, NULL },
	{ MSR_IA32_PERF_STATUS, MSR_IA32_PERF_CTL, NULL, NULL },
	{ MSR_IA32_MISC_ENABLE, 0, misc_enable_get, misc_enable_set },
	/* Branch records and branch stepping stay off. */
	{ MSR_IA32_DEBUGCTLMSR, 0, NULL, ignore_set },
	{ MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP, NULL, NULL },
	{ MSR_IA32_POWER_CTL, 0, power_ctl_get, power_ctl_set },
	{ UMBRA_MTRR_VAR_FIRST, UMBRA_MTRR_VAR_LAST, umbra_mtrr_get, umbra_mtrr_set },
	{ UMBRA_MTRR_64K, 0, umbra_mtrr_get, umbra_mtrr_set },
	{ UMBRA_MTRR_16K_FIRST, UMBRA_MTRR_16K_LAST, umbra_mtrr_get, umbra_mtrr_set },
	{ UMBRA_MTRR_4K_FIRST, UMBRA_MTRR_4K_LAST, umbra_mtrr_get, umbra_mtrr_set },
	{ MSR_IA32_CR_PAT, 0, umbra_pat_get, umbra_pat_set },
	{ UMBRA_MTRR_DEF_TYPE, 0, umbra_mtrr_get, umbra_mtrr_set },
	{ MSR_IA32_MC0_CTL, MSR_IA32_MC0_CTL + 32 * 4 - 1, umbra_mce_get, umbra_mce_set },
	{ MSR_IA32_TSC_DEADLINE, 0, deadline_get, deadline_set },
	{ UMBRA_MSR_X2APIC, UMBRA_MSR_X2APIC + 0xff, x2apic_get, x2apic_set },
	{ MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW, umbra_kvmclock_get_msr,
	  umbra_kvmclock_set_msr },
	{ MSR_KVM_PV_EOI_EN, 0, pv_eoi_get, pv_eoi_set },
	{ MSR_EFER, 0, efer_get, efer_set },
	{ MSR_STAR, 0, vendor_get, vendor_set },
	{ MSR_LSTAR, MSR_CSTAR, vendor_get, address_set },
	{ MSR_SYSCALL_MASK, 0, vendor_get, syscall_mask_set },
	{ MSR_FS_BASE, MSR_KERNEL_GS_BASE, vendor_get, address_set },
	{ MSR_TSC_AUX, 0, tsc_aux_get, tsc_aux_set },
	{ MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, NULL, NULL },
	{ MSR_AMD64_SYSCFG, 0, NULL, NULL },
	{ MSR_K7_HWCR, 0, hwcr_get, hwcr_set },
	{ MSR_K7_CLK_CTL, 0, clk_ctl_get, ignore_set },
	{ MSR_AMD64_NB_CFG, 0, NULL, ignore_set },
	{ MSR_AMD64_PATCH_LOADER, 0, write_only, ignore_set },
	{ MSR_K7_FID_VID_CTL, MSR_K7_FID_VID_STATUS, NULL, NULL },
	{ MSR_K8_INT_PENDING_MSG, 0, NULL, NULL },
	{ MSR_FAM10H_MMIO_CONF_BASE, 0, NULL, NULL },
	{ MSR_VM_CR, 0, umbra_inner_get_msr, umbra_inner_set_msr },
	{ MSR_VM_HSAVE_PA, 0, umbra_inner_get_msr, umbra_inner_set_msr },
	{ MSR_AMD64_OSVW_ID_LENGTH, MSR_AMD64_OSVW_STATUS, osvw_get, read_only },
	{ MSR_AMD64_DC_CFG, MSR_AMD64_TW_CFG, NULL, ignore_set },
	{ MSR_AMD64_DE_CFG, 0, decfg_get, decfg_set },
	{ MSR_AMD64_BU_CFG2, 0, NULL, ignore_set },
	{ MSR_F15H_EX_CFG, 0, NULL, ignore_set },
};

const unsigned int umbra_msr_nr_rows = ARRAY_SIZE(umbra_msr_rows);
