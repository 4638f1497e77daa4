/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Model-specific registers of a vCPU: the table of emulated ones, guest and
 * user space access, MSR lists, filters and exits to user space.
 */
#ifndef UMBRA_MSR_H
#define UMBRA_MSR_H

#include <linux/types.h>

struct kvm_msr_filter;
struct kvm_msr_list;
struct kvm_msrs;
struct umbra_msr_filter;
struct umbra_vcpu;
struct umbra_vm;

/* Machine-check banks a guest can have: the answer to KVM_CAP_MCE. */
#define UMBRA_MCE_BANKS		32

/* MSR values that live in struct umbra_vcpu, see msr.c for the table. */
struct umbra_msrs {
	u64 apic_base;
	u64 pat;
	u64 misc_enable;
	u64 mcg_cap;
	u64 mcg_status;
	u64 mcg_ctl;
	u64 mce_banks[UMBRA_MCE_BANKS * 4];
	u64 mtrr_def_type;
	u64 mtrr_fixed[11];
	u64 mtrr_var[16];
	u64 tsc_aux;
	u64 spec_ctrl;
	u64 smi_count;
	u64 hwcr;
	u64 arch_caps;
	u64 ucode_rev;
	u64 platform_info;
	u64 feat_ctl;
	u64 misc_features;
	u64 power_ctl;
	u64 tsc_adjust;
	u64 decfg;
	u64 vm_cr;
	u64 vm_hsave;
	u64 asked_rip;		/* where user space was asked about an access */
};

int umbra_msrs_init(void);	/* at module init: which MSRs this host lets us offer */
void umbra_msrs_reset(struct umbra_vcpu *vcpu);

/*
 * One access. @host: by user space (may write more, skips CPUID checks).
 * 0; -EINVAL not allowed or bad value (#GP); -ENOENT unknown (#GP).
 */
int umbra_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);

/*
 * RDMSR or WRMSR exit: ECX, EDX:EAX from the vCPU. Applies filter and exits
 * to user space. UMBRA_CONTINUE, UMBRA_TO_USER. umbra_msr_exit() steps RIP.
 */
int umbra_msr_exit(struct umbra_vcpu *vcpu, bool write);
/* The guest's write of an x2APIC register or TSC_DEADLINE; false: not done. Atomic. */
bool umbra_msr_write_quick(struct umbra_vcpu *vcpu, u32 index, u64 data);
/* Same for the emulator: 0, -EINVAL (#GP), 1 = exit to user space is set up. */
int umbra_msr_emulated(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool write);

int umbra_set_apic_base(struct umbra_vcpu *vcpu, u64 data, bool host);
bool umbra_apic_base_valid(const struct umbra_vcpu *vcpu, u64 data);

/* Must an access to @index leave the guest? Asked by the vendor's map builder. */
bool umbra_msr_intercepted(struct umbra_vcpu *vcpu, u32 index, bool write);
/* MSRs that may be passed through at all; terminated by 0. */
extern const u32 umbra_msr_passthrough[];

/* ioctl bodies; @user points to the caller's structure. */
int umbra_msr_index_list(struct kvm_msr_list __user *user);
int umbra_msr_feature_list(struct kvm_msr_list __user *user);
int umbra_msr_get_feature(u32 index, u64 *data);
int umbra_vcpu_msrs_ioctl(struct umbra_vcpu *vcpu, struct kvm_msrs __user *user, bool write);
int umbra_system_msrs_ioctl(struct kvm_msrs __user *user);
int umbra_msr_filter_set(struct umbra_vm *vm, const struct kvm_msr_filter *filter);
void umbra_msr_filter_free(struct umbra_vm *vm);
int umbra_mce_setup(struct umbra_vcpu *vcpu, u64 mcg_cap);
u64 umbra_mce_supported(void);		/* MCG_CAP without the number of banks */
struct kvm_x86_mce;
int umbra_mce_inject(struct umbra_vcpu *vcpu, const struct kvm_x86_mce *mce);

#endif
