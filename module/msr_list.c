// SPDX-License-Identifier: GPL-2.0
/*
 * Lists of MSRs and bulk access by user space: KVM_GET_MSR_INDEX_LIST,
 * KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_GET_MSRS and KVM_SET_MSRS on a vCPU and
 * on the device. A list names what a migration has to carry.
 */
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/msr-index.h>
#include "cpuid.h"
#include "inner.h"
#include "msr.h"
#include "msr_internal.h"
#include "vcpu.h"

#define MAX_BULK	256	/* entries of one KVM_GET_MSRS or KVM_SET_MSRS */

static const u32 always_listed[] = {
	MSR_IA32_TSC, MSR_IA32_APICBASE, MSR_IA32_TSC_ADJUST, MSR_IA32_UCODE_REV,
	MSR_PLATFORM_INFO, MSR_IA32_ARCH_CAPABILITIES, MSR_MISC_FEATURES_ENABLES,
	MSR_IA32_POWER_CTL,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL, MSR_IA32_MISC_ENABLE, MSR_IA32_CR_PAT,
	MSR_IA32_TSC_DEADLINE, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_K7_HWCR,
	MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW,
	MSR_KVM_PV_EOI_EN,
};

static const struct {
	u32 first;
	u32 last;
} listed_ranges[] = {
	{ UMBRA_MTRR_VAR_FIRST, UMBRA_MTRR_VAR_LAST },
	{ UMBRA_MTRR_64K, UMBRA_MTRR_64K },
	{ UMBRA_MTRR_16K_FIRST, UMBRA_MTRR_16K_LAST },
	{ UMBRA_MTRR_4K_FIRST, UMBRA_MTRR_4K_LAST },
	{ UMBRA_MTRR_DEF_TYPE, UMBRA_MTRR_DEF_TYPE },
};

/* Behind all others, for those who are offered hypervisors inside guests. */
static const u32 inner_listed[] = { MSR_VM_CR, MSR_VM_HSAVE_PA };

#define MAX_RANGED	28	/* MSRs in all ranges */
#define MAX_OPTIONAL	6

static u32 listed[ARRAY_SIZE(always_listed) + MAX_RANGED + MAX_OPTIONAL];
static u32 nr_listed;
static u32 features[3];
static u32 nr_features;
static u64 host_arch_caps;

/* ARCH_CAPABILITIES that state absent faults or work the same in a guest. */
#define ARCH_CAPS_OFFERED	(ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA |	\
				 ARCH_CAP_SKIP_VMENTRY_L1DFLUSH | ARCH_CAP_SSB_NO |	\
				 ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |		\
				 ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO |		\
				 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO |			\
				 ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO |	\
				 ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO |			\
				 ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO)

static u64 compute_arch_caps(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES) &&
	    !rdmsrl_safe(MSR_IA32_ARCH_CAPABILITIES, &caps))
		caps &= ARCH_CAPS_OFFERED;
	/* What the kernel knows not to affect this processor, in this MSR's words. */
	if (!boot_cpu_has_bug(X86_BUG_CPU_MELTDOWN))
		caps |= ARCH_CAP_RDCL_NO;
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		caps |= ARCH_CAP_SSB_NO;
	if (!boot_cpu_has_bug(X86_BUG_MDS))
		caps |= ARCH_CAP_MDS_NO;
	if (!boot_cpu_has_bug(X86_BUG_GDS))
		caps |= ARCH_CAP_GDS_NO;
	if (!boot_cpu_has_bug(X86_BUG_RFDS))
		caps |= ARCH_CAP_RFDS_NO;
	if (!boot_cpu_has_bug(X86_BUG_ITS))
		caps |= ARCH_CAP_ITS_NO;
	/* Nested entries never keep a large executable page that is being changed. */
	if (!boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT))
		caps |= ARCH_CAP_PSCHANGE_MC_NO;
	return caps;
}

u64 umbra_host_arch_caps(void)
{
	return host_arch_caps;
}

static void list_always(void)
{
	unsigned int i;
	u32 index;

	nr_listed = 0;
	for (i = 0; i < ARRAY_SIZE(always_listed); i++)
		listed[nr_listed++] = always_listed[i];
	for (i = 0; i < ARRAY_SIZE(listed_ranges); i++)
		for (index = listed_ranges[i].first; index <= listed_ranges[i].last; index++)
			listed[nr_listed++] = index;
}

/**
 * umbra_msrs_init() - learn which MSRs this host lets Umbra offer
 *
 * Context: module init, before any vCPU.
 * Return: 0.
 */
int umbra_msrs_init(void)
{
	u64 data;

	host_arch_caps = compute_arch_caps();
	list_always();
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		listed[nr_listed++] = MSR_TSC_AUX;
	if (boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		listed[nr_listed++] = MSR_IA32_SPEC_CTRL;
	if (!umbra_host_is_amd())
		listed[nr_listed++] = MSR_IA32_FEAT_CTL;
	nr_features = 0;
	features[nr_features++] = MSR_IA32_ARCH_CAPABILITIES;
	features[nr_features++] = MSR_IA32_UCODE_REV;
	if (!umbra_msr_get_feature(MSR_AMD64_DE_CFG, &data) && data) {
		features[nr_features++] = MSR_AMD64_DE_CFG;
		listed[nr_listed++] = MSR_AMD64_DE_CFG;
	}
	memcpy(&listed[nr_listed], inner_listed, sizeof(inner_listed));
	return 0;
}

/**
 * umbra_msr_get_feature() - a property of this host that a guest may be given
 * @index: one of the feature MSRs
 * @data: filled
 *
 * Return: 0, or -ENOENT when @index is no feature MSR.
 */
int umbra_msr_get_feature(u32 index, u64 *data)
{
	*data = 0;
	switch (index) {
	case MSR_IA32_ARCH_CAPABILITIES:
		*data = host_arch_caps;
		return 0;
	case MSR_IA32_UCODE_REV:
		rdmsrl_safe(index, data);
		return 0;
	case MSR_AMD64_DE_CFG:
		if (!umbra_host_is_amd())
			return -ENOENT;
		if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
			*data = MSR_AMD64_DE_CFG_LFENCE_SERIALIZE;
		return 0;
	default:
		return -ENOENT;
	}
}

static int copy_list(struct kvm_msr_list __user *user, const u32 *list, u32 count)
{
	u32 room;

	if (get_user(room, &user->nmsrs))
		return -EFAULT;
	if (put_user(count, &user->nmsrs))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	return copy_to_user(user->indices, list, count * sizeof(*list)) ? -EFAULT : 0;
}

/**
 * umbra_msr_index_list() - KVM_GET_MSR_INDEX_LIST
 * @user: room in, list out; nmsrs is the full number in any case
 *
 * Return: 0, -EFAULT, or -E2BIG when there is too little room.
 */
int umbra_msr_index_list(struct kvm_msr_list __user *user)
{
	u32 more = umbra_inner_offered() ? ARRAY_SIZE(inner_listed) : 0;

	return copy_list(user, listed, nr_listed + more);
}

/**
 * umbra_msr_feature_list() - KVM_GET_MSR_FEATURE_INDEX_LIST
 * @user: as for umbra_msr_index_list()
 *
 * Return: as umbra_msr_index_list().
 */
int umbra_msr_feature_list(struct kvm_msr_list __user *user)
{
	return copy_list(user, features, nr_features);
}

static int one_access(struct umbra_vcpu *vcpu, struct kvm_msr_entry *e, bool write)
{
	u64 data = e->data;
	int err;

	if (!vcpu)
		err = umbra_msr_get_feature(e->index, &data);
	else if (write)
		err = umbra_set_msr(vcpu, e->index, data, true);
	else
		err = umbra_get_msr(vcpu, e->index, &data, true);
	if (!err)
		e->data = data;
	return err;
}

/* Returns how many entries were served before the first that could not be. */
static int bulk(struct umbra_vcpu *vcpu, struct kvm_msrs __user *user, bool write)
{
	struct kvm_msr_entry *entries;
	u32 count, done = 0;
	int ret;

	if (get_user(count, &user->nmsrs))
		return -EFAULT;
	if (count >= MAX_BULK)
		return -E2BIG;
	if (!count)
		return 0;
	entries = vmemdup_user(user->entries, count * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	while (done < count && !one_access(vcpu, &entries[done], write))
		done++;
	ret = done;
	if (!write && copy_to_user(user->entries, entries, count * sizeof(*entries)))
		ret = -EFAULT;
	kvfree(entries);
	return ret;
}

/**
 * umbra_vcpu_msrs_ioctl() - KVM_GET_MSRS and KVM_SET_MSRS
 * @vcpu: virtual processor, mutex held
 * @user: caller's entries
 * @write: KVM_SET_MSRS
 *
 * Return: number of entries served, in order, up to the first refused one;
 * -E2BIG, -EFAULT or -ENOMEM.
 */
int umbra_vcpu_msrs_ioctl(struct umbra_vcpu *vcpu, struct kvm_msrs __user *user, bool write)
{
	return bulk(vcpu, user, write);
}

/**
 * umbra_system_msrs_ioctl() - KVM_GET_MSRS on the device: feature MSRs
 * @user: caller's entries
 *
 * Return: as umbra_vcpu_msrs_ioctl().
 */
int umbra_system_msrs_ioctl(struct kvm_msrs __user *user)
{
	return bulk(NULL, user, false);
}
