/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's FPU, XSAVE area, XCR0 and PKRU, and their swap with the host's.
 *
 * Between umbra_fpu_enter() and umbra_fpu_leave() (preemption off, inside
 * kernel_fpu_begin()) the guest's registers are in the processor; otherwise
 * they are in @area. XCR0 and PKRU change only around the entry itself.
 */
#ifndef UMBRA_FPU_H
#define UMBRA_FPU_H

#include <linux/types.h>

struct kvm_fpu;
struct kvm_xcrs;
struct kvm_xsave;
struct umbra_vcpu;

/**
 * struct umbra_fpu - floating point state of one vCPU
 * @area: XSAVE area in standard format, 64-byte aligned, umbra_xsave_size bytes
 * @xcr0: the guest's XCR0
 * @host_xcr0: constant of this host
 * @pkru: the guest's PKRU while not in the processor
 * @loaded: the guest's registers are in the processor
 */
struct umbra_fpu {
	void *area;
	u64 xcr0;
	u64 host_xcr0;
	u32 pkru;
	u32 host_pkru;
	bool loaded;
};

#define UMBRA_XCOMPS	10	/* state components up to PKRU */

/**
 * struct umbra_xcomp - where a component lies in the standard format
 * @size: bytes, 0 when this host does not have it
 * @offset: from the start of the area
 * @align64: starts on 64 bytes in the compacted format
 */
struct umbra_xcomp {
	u32 size;
	u32 offset;
	bool align64;
};

extern u64 umbra_host_xcr0;		/* 0 when the host has no XSAVE */
extern u32 umbra_xsave_size;		/* bytes, at least 4096 for the ABI */
extern u32 umbra_mxcsr_mask;		/* MXCSR bits that exist */
extern struct umbra_xcomp umbra_xcomps[UMBRA_XCOMPS];	/* constant after umbra_fpu_init() */

int umbra_fpu_init(void);		/* at module init */
int umbra_fpu_create(struct umbra_vcpu *vcpu);
void umbra_fpu_destroy(struct umbra_vcpu *vcpu);
void umbra_fpu_reset(struct umbra_vcpu *vcpu);
void umbra_fpu_init_area(void *area);

void umbra_fpu_enter(struct umbra_vcpu *vcpu);	/* preemption off */
void umbra_fpu_leave(struct umbra_vcpu *vcpu);
void umbra_fpu_guest_xcr0(struct umbra_vcpu *vcpu);	/* irqs off, just before entry */
void umbra_fpu_host_xcr0(struct umbra_vcpu *vcpu);	/* irqs off, just after exit */
/* PKRU for guest table walks; the vCPU is not running. */
u32 umbra_guest_pkru(const struct umbra_vcpu *vcpu);
/* Vector register @nr (XMM 16 bytes, YMM 32) for the emulator; state in @area. 0 or -EINVAL */
int umbra_fpu_read_vec(struct umbra_vcpu *vcpu, int nr, void *data, int bytes);
int umbra_fpu_write_vec(struct umbra_vcpu *vcpu, int nr, const void *data, int bytes);

void umbra_get_fpu(struct umbra_vcpu *vcpu, struct kvm_fpu *out);
int umbra_set_fpu(struct umbra_vcpu *vcpu, const struct kvm_fpu *in);
int umbra_get_xsave(struct umbra_vcpu *vcpu, void __user *user, u32 bytes);
int umbra_set_xsave(struct umbra_vcpu *vcpu, const void __user *user);
void umbra_get_xcrs(struct umbra_vcpu *vcpu, struct kvm_xcrs *out);
int umbra_set_xcrs(struct umbra_vcpu *vcpu, const struct kvm_xcrs *in);

#endif
