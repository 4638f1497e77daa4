/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUID: what this host can offer, what user space chose for a vCPU, and the
 * answer to the guest's instruction.
 */
#ifndef UMBRA_CPUID_H
#define UMBRA_CPUID_H

#include <linux/types.h>

#define UMBRA_MAX_CPUID		256
#define UMBRA_CPUID_CLASSES	3	/* basic, hypervisor, extended */
#define UMBRA_CPUID_QUICK	64	/* leaves of a class found without a search */

struct kvm_cpuid;
struct kvm_cpuid2;
struct kvm_cpuid_entry2;
struct umbra_vcpu;
struct umbra_vm;

/**
 * struct umbra_cpuid - a vCPU's table
 * @entries: user space's entries, NULL when none
 * @count: their number
 * @cr4_allowed: CR4 bits that the table allows
 * @xcr0_allowed: XCR0 bits that the table and the host allow
 * @efer_allowed: EFER bits that the table allows
 * @phys_bits: guest physical address width
 * @first: place in @entries of the first entry of each low leaf, by class
 */
struct umbra_cpuid {
	struct kvm_cpuid_entry2 *entries;
	int count;
	u64 cr4_allowed;
	u64 xcr0_allowed;
	u64 efer_allowed;
	u8 phys_bits;
	u16 first[UMBRA_CPUID_CLASSES][UMBRA_CPUID_QUICK];
};

/* Execute CPUID on the vCPU's registers. Atomic. */
void umbra_cpuid_execute(struct umbra_vcpu *vcpu);
/* Answer for @eax, @ecx (in and out), @ebx and @edx out. Atomic. */
void umbra_cpuid_lookup(struct umbra_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
/* Does the vCPU's table have feature bit X86_FEATURE_* (word and bit as the kernel's)? */
bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature);
/* May the guest use MONITOR and MWAIT? Without the CPUID bit it may, unless user space minds. */
bool umbra_cpuid_allows_monitor(const struct umbra_vcpu *vcpu);
/* Family, model and stepping that the table gives, family 6 where there is none. */
u32 umbra_cpuid_signature(const struct umbra_vcpu *vcpu);
/* May the guest use KVM_FEATURE_* @feature? Any, unless user space wants its table obeyed. */
bool umbra_pv_has(const struct umbra_vcpu *vcpu, unsigned int feature);
/* CR4.OSXSAVE, APIC enable and the like changed: dynamic bits follow. */
void umbra_cpuid_update_dynamic(struct umbra_vcpu *vcpu);

/* What this host lets any guest have; cpuid_host.c. */
u64 umbra_host_cr4(void);
u64 umbra_host_efer(const struct umbra_vm *vm);
bool umbra_host_is_amd(void);			/* AMD or Hygon: their manual counts */
bool umbra_cpuid_is_amd(const struct umbra_vcpu *vcpu);	/* vendor the guest sees */
/* Bytes of an XSAVE area for @xcr0, standard or compacted. */
u32 umbra_xsave_bytes(u64 xcr0, bool compacted);

void umbra_cpuid_init(struct umbra_vcpu *vcpu);
void umbra_cpuid_free(struct umbra_vcpu *vcpu);

/* ioctl bodies */
int umbra_get_supported_cpuid(struct kvm_cpuid2 __user *user, bool emulated);
int umbra_set_cpuid(struct umbra_vcpu *vcpu, struct kvm_cpuid __user *user);
int umbra_set_cpuid2(struct umbra_vcpu *vcpu, struct kvm_cpuid2 __user *user);
int umbra_get_cpuid2(struct umbra_vcpu *vcpu, struct kvm_cpuid2 __user *user);

#endif
