// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET/SET_FPU, KVM_GET/SET_XSAVE, KVM_GET_XSAVE2, KVM_GET/SET_XCRS:
 * user space's view of the register image. Everything that comes in is
 * checked here, so that fpu.c may hand it to XRSTOR. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/processor.h>
#include "cpuid.h"
#include "fpu.h"
#include "regs.h"
#include "vcpu.h"

/* The FPU and SSE parts that no XSAVE header describes on a host without it. */
static u64 present_features(const struct xregs_state *x)
{
	u64 features;

	if (!umbra_host_xcr0)
		return XFEATURE_MASK_FPSSE;
	features = x->header.xfeatures;
	/* MXCSR belongs to SSE but is not counted as a reason to save it. */
	if (x->i387.mxcsr != MXCSR_DEFAULT)
		features |= XFEATURE_MASK_SSE;
	return features;
}

/* Bytes of components marked initial are stale: show the initial value. */
static void make_plain(struct xregs_state *x)
{
	u64 features = present_features(x);
	int nr;

	if (!(features & XFEATURE_MASK_FP)) {
		memset(&x->i387, 0, offsetof(struct fxregs_state, mxcsr));
		x->i387.cwd = 0x37f;
		memset(x->i387.st_space, 0, sizeof(x->i387.st_space));
	}
	if (!(features & XFEATURE_MASK_SSE))
		memset(x->i387.xmm_space, 0, sizeof(x->i387.xmm_space));
	for (nr = FIRST_EXTENDED_XFEATURE; nr < UMBRA_XCOMPS; nr++)
		if (umbra_xcomps[nr].size && !(features & BIT_ULL(nr)))
			memset((void *)x + umbra_xcomps[nr].offset, 0, umbra_xcomps[nr].size);
	x->i387.mxcsr_mask = umbra_mxcsr_mask;
	x->header.xfeatures = features;
}

/**
 * umbra_get_fpu() - KVM_GET_FPU
 * @vcpu: virtual processor
 * @out: filled
 */
void umbra_get_fpu(struct umbra_vcpu *vcpu, struct kvm_fpu *out)
{
	struct fxregs_state *fx = vcpu->fpu.area;

	make_plain(vcpu->fpu.area);
	memset(out, 0, sizeof(*out));
	memcpy(out->fpr, fx->st_space, sizeof(out->fpr));
	out->fcw = fx->cwd;
	out->fsw = fx->swd;
	out->ftwx = fx->twd;
	out->last_opcode = fx->fop;
	out->last_ip = fx->rip;
	out->last_dp = fx->rdp;
	memcpy(out->xmm, fx->xmm_space, sizeof(out->xmm));
	out->mxcsr = fx->mxcsr;
}

/**
 * umbra_set_fpu() - KVM_SET_FPU
 * @vcpu: virtual processor
 * @in: new values
 *
 * Return: 0, or -EINVAL when MXCSR has bits this processor lacks.
 */
int umbra_set_fpu(struct umbra_vcpu *vcpu, const struct kvm_fpu *in)
{
	struct xregs_state *x = vcpu->fpu.area;
	struct fxregs_state *fx = &x->i387;

	if (in->mxcsr & ~umbra_mxcsr_mask)
		return -EINVAL;
	make_plain(x);
	memcpy(fx->st_space, in->fpr, sizeof(in->fpr));
	fx->cwd = in->fcw;
	fx->swd = in->fsw;
	fx->twd = in->ftwx;
	fx->fop = in->last_opcode;
	fx->rip = in->last_ip;
	fx->rdp = in->last_dp;
	memcpy(fx->xmm_space, in->xmm, sizeof(in->xmm));
	fx->mxcsr = in->mxcsr;
	if (umbra_host_xcr0)
		x->header.xfeatures |= XFEATURE_MASK_FPSSE;
	return 0;
}

static void *pkru_place(void *area)
{
	return area + umbra_xcomps[XFEATURE_PKRU].offset;
}

/**
 * umbra_get_xsave() - KVM_GET_XSAVE and KVM_GET_XSAVE2
 * @vcpu: virtual processor
 * @user: caller's buffer
 * @bytes: its size; what lies behind the image is not touched
 *
 * Return: 0 or -EFAULT.
 */
int umbra_get_xsave(struct umbra_vcpu *vcpu, void __user *user, u32 bytes)
{
	struct xregs_state *x = vcpu->fpu.area;

	make_plain(x);
	if (umbra_host_xcr0 & XFEATURE_MASK_PKRU) {
		memcpy(pkru_place(x), &vcpu->fpu.pkru, sizeof(u32));
		if (vcpu->fpu.pkru)
			x->header.xfeatures |= XFEATURE_MASK_PKRU;
		else
			x->header.xfeatures &= ~(u64)XFEATURE_MASK_PKRU;
	}
	return copy_to_user(user, x, min(bytes, umbra_xsave_size)) ? -EFAULT : 0;
}

static int check_image(const struct xregs_state *x)
{
	u64 allowed = umbra_host_xcr0 ?: XFEATURE_MASK_FPSSE;

	if (x->header.xfeatures & ~allowed)
		return -EINVAL;
	if (x->header.xcomp_bv || memchr_inv(x->header.reserved, 0, sizeof(x->header.reserved)))
		return -EINVAL;
	if (x->header.xfeatures & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM) &&
	    x->i387.mxcsr & ~umbra_mxcsr_mask)
		return -EINVAL;
	return 0;
}

/* Replace the vCPU's image by the checked @x, which becomes its area. */
static void take_image(struct umbra_vcpu *vcpu, struct xregs_state *x)
{
	u64 features = x->header.xfeatures;
	void *old = vcpu->fpu.area;

	if (!(features & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM)))
		x->i387.mxcsr = MXCSR_DEFAULT;
	if (umbra_host_xcr0 && !(features & XFEATURE_MASK_SSE))
		memset(x->i387.xmm_space, 0, sizeof(x->i387.xmm_space));
	memset(x->i387.sw_reserved, 0, sizeof(x->i387.sw_reserved));
	make_plain(x);
	vcpu->fpu.pkru = 0;
	if (features & XFEATURE_MASK_PKRU)
		memcpy(&vcpu->fpu.pkru, pkru_place(x), sizeof(u32));
	vcpu->fpu.area = x;
	free_pages_exact(old, umbra_xsave_size);
}

/**
 * umbra_set_xsave() - KVM_SET_XSAVE
 * @vcpu: virtual processor
 * @user: image of umbra_xsave_size bytes in standard format
 *
 * Return: 0, -EFAULT, -ENOMEM, or -EINVAL: a component this host lacks, the
 * compacted format, or bits in MXCSR or the header that must be zero.
 */
int umbra_set_xsave(struct umbra_vcpu *vcpu, const void __user *user)
{
	void *x = alloc_pages_exact(umbra_xsave_size, GFP_KERNEL_ACCOUNT);
	int err;

	if (!x)
		return -ENOMEM;
	err = copy_from_user(x, user, umbra_xsave_size) ? -EFAULT : check_image(x);
	if (err)
		free_pages_exact(x, umbra_xsave_size);
	else
		take_image(vcpu, x);
	return err;
}

/**
 * umbra_get_xcrs() - KVM_GET_XCRS
 * @vcpu: virtual processor
 * @out: filled; empty when the host has no XSAVE
 */
void umbra_get_xcrs(struct umbra_vcpu *vcpu, struct kvm_xcrs *out)
{
	memset(out, 0, sizeof(*out));
	if (!umbra_host_xcr0)
		return;
	out->nr_xcrs = 1;
	out->xcrs[0].value = vcpu->fpu.xcr0;
}

/**
 * umbra_set_xcrs() - KVM_SET_XCRS
 * @vcpu: virtual processor
 * @in: list of extended control registers; only XCR0 exists
 *
 * Return: 0 or -EINVAL.
 */
int umbra_set_xcrs(struct umbra_vcpu *vcpu, const struct kvm_xcrs *in)
{
	u32 i;

	if (!umbra_host_xcr0 || in->nr_xcrs > KVM_MAX_XCRS || in->flags)
		return -EINVAL;
	for (i = 0; i < in->nr_xcrs; i++)
		if (in->xcrs[i].xcr == 0)
			return umbra_set_xcr0(vcpu, in->xcrs[i].value);
	return 0;
}
