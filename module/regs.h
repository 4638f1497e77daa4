/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest registers: get and set for user space, and the legality rules of
 * control registers for guest and user space alike. vcpu->mutex is held.
 */
#ifndef UMBRA_REGS_H
#define UMBRA_REGS_H

#include <linux/types.h>

struct kvm_debugregs;
struct kvm_fpu;
struct kvm_regs;
struct kvm_segment;
struct kvm_sregs;
struct kvm_sregs2;
struct umbra_vcpu;

/* Index of a general register in vcpu->gpr, the encoding of instructions. */
enum umbra_gpr {
	UMBRA_RAX, UMBRA_RCX, UMBRA_RDX, UMBRA_RBX, UMBRA_RSP, UMBRA_RBP, UMBRA_RSI, UMBRA_RDI,
};

bool umbra_is_long_mode(const struct umbra_vcpu *vcpu);	/* EFER.LMA */
bool umbra_is_paging(const struct umbra_vcpu *vcpu);	/* CR0.PG */
bool umbra_is_pae(const struct umbra_vcpu *vcpu);		/* CR4.PAE, paging or not */
bool umbra_is_64bit_code(struct umbra_vcpu *vcpu);		/* LMA and CS.L */

/* PDPTEs are in use: paging with PAE outside long mode. */
bool umbra_is_pae_paging(const struct umbra_vcpu *vcpu);

/*
 * A guest's write. 0 and the state is changed (MMU and vendor are told), or
 * -EINVAL and nothing changed: the caller injects #GP.
 */
int umbra_set_cr0(struct umbra_vcpu *vcpu, u64 value);
int umbra_set_cr3(struct umbra_vcpu *vcpu, u64 value);
int umbra_set_cr4(struct umbra_vcpu *vcpu, u64 value);
int umbra_set_cr8(struct umbra_vcpu *vcpu, u64 value);
/* The same by MOV CR8, which may mean the virtual priority of an inner guest. */
int umbra_guest_set_cr8(struct umbra_vcpu *vcpu, u64 value);
int umbra_set_efer(struct umbra_vcpu *vcpu, u64 value);
int umbra_set_xcr0(struct umbra_vcpu *vcpu, u64 value);
/* User space's write of EFER: as the guest's, but CPUID is not asked. */
int umbra_set_efer_host(struct umbra_vcpu *vcpu, u64 value);
bool umbra_cr0_valid(u64 value);
/*
 * All of CR0, CR3, CR4 and EFER were replaced in @vcpu: MMU, vendor and CPUID follow, and
 * every translation goes. PDPTEs, where they are in use, are read, or @pdptes. 0; -EINVAL when
 * PDPTEs are bad: then all but those followed. Sleeps; SRCU read section held.
 */
int umbra_paging_replaced(struct umbra_vcpu *vcpu, const u64 *pdptes);
u64 umbra_cr3_reserved(const struct umbra_vcpu *vcpu);
/* Guest's MOV DR: -EINVAL means #GP (reserved bits). */
int umbra_set_dr(struct umbra_vcpu *vcpu, int nr, u64 value);
u64 umbra_get_dr(struct umbra_vcpu *vcpu, int nr);
/* CR4 bits that this vCPU's CPUID allows; recomputed by umbra_cpuid_updated(). */
u64 umbra_cr4_allowed(const struct umbra_vcpu *vcpu);

void umbra_regs_reset(struct umbra_vcpu *vcpu, bool init);
void umbra_get_regs(struct umbra_vcpu *vcpu, struct kvm_regs *out);
int umbra_set_regs(struct umbra_vcpu *vcpu, const struct kvm_regs *in);
void umbra_get_sregs(struct umbra_vcpu *vcpu, struct kvm_sregs *out);
int umbra_set_sregs(struct umbra_vcpu *vcpu, const struct kvm_sregs *in);
void umbra_get_sregs2(struct umbra_vcpu *vcpu, struct kvm_sregs2 *out);
int umbra_set_sregs2(struct umbra_vcpu *vcpu, const struct kvm_sregs2 *in);
void umbra_get_debugregs(struct umbra_vcpu *vcpu, struct kvm_debugregs *out);
int umbra_set_debugregs(struct umbra_vcpu *vcpu, const struct kvm_debugregs *in);

#endif
