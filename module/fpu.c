// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's floating point registers in the processor and out of it, and
 * the swap of XCR0, XSS and PKRU around an entry. Owns vcpu->fpu.area, which
 * always holds an image that XRSTOR accepts. The ioctls are in xsave.c.
 */
#include <linux/gfp.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/pkru.h>
#include <asm/processor.h>
#include <asm/special_insns.h>
#include "cpuid.h"
#include "fpu.h"
#include "vcpu.h"

/* Tile registers, whose use a host process must ask for, are not offered. */
#define UMBRA_XCR0_KNOWN	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM |	\
				 XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

/* MXCSR of processors that do not tell: all but denormals-are-zero. */
#define UMBRA_MXCSR_OLD		0xffbfu

u64 umbra_host_xcr0;
u32 umbra_xsave_size;
u32 umbra_mxcsr_mask;
struct umbra_xcomp umbra_xcomps[UMBRA_XCOMPS];

static u64 host_raw_xcr0;	/* all of it, also what no guest gets */
static u64 host_xss;		/* supervisor state the host itself manages */
static bool host_pkeys;

static void find_components(void)
{
	u32 eax, ebx, ecx, edx;
	u32 size = 0;
	int nr;

	for (nr = FIRST_EXTENDED_XFEATURE; nr < UMBRA_XCOMPS; nr++) {
		if (!(umbra_host_xcr0 & BIT_ULL(nr)))
			continue;
		cpuid_count(0xd, nr, &eax, &ebx, &ecx, &edx);
		umbra_xcomps[nr].size = eax;
		umbra_xcomps[nr].offset = ebx;
		umbra_xcomps[nr].align64 = ecx & 2;
		size = max(size, eax + ebx);
	}
	umbra_xsave_size = max_t(u32, size, sizeof(struct kvm_xsave));
}

/* MXCSR bits this processor has; it tells only in an image it saved. */
static void find_mxcsr_mask(void)
{
	static struct fxregs_state probe __aligned(16);

	kernel_fpu_begin();
	asm volatile("fxsave64 %[area]" : [area] "+m" (probe));
	kernel_fpu_end();
	umbra_mxcsr_mask = probe.mxcsr_mask ?: UMBRA_MXCSR_OLD;
}

/**
 * umbra_fpu_init() - learn which register state this host can keep for guests
 *
 * Context: module init.
 * Return: 0.
 */
int umbra_fpu_init(void)
{
	find_mxcsr_mask();
	umbra_xsave_size = sizeof(struct kvm_xsave);
	if (!boot_cpu_has(X86_FEATURE_XSAVE) || !boot_cpu_has(X86_FEATURE_OSXSAVE))
		return 0;
	host_raw_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	umbra_host_xcr0 = host_raw_xcr0 & UMBRA_XCR0_KNOWN;
	host_pkeys = boot_cpu_has(X86_FEATURE_OSPKE);
	if (!host_pkeys)
		umbra_host_xcr0 &= ~(u64)XFEATURE_MASK_PKRU;
	if (boot_cpu_has(X86_FEATURE_XSAVES) && rdmsrl_safe(MSR_IA32_XSS, &host_xss))
		host_xss = 0;
	find_components();
	return 0;
}

/**
 * umbra_fpu_init_area() - make @area the state after power-up
 * @area: XSAVE area of umbra_xsave_size bytes
 */
void umbra_fpu_init_area(void *area)
{
	struct xregs_state *x = area;

	memset(area, 0, umbra_xsave_size);
	x->i387.cwd = 0x37f;
	x->i387.mxcsr = MXCSR_DEFAULT;
	x->i387.mxcsr_mask = umbra_mxcsr_mask;
}

/**
 * umbra_fpu_create() - allocate the area of a new vCPU
 * @vcpu: virtual processor under construction
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int umbra_fpu_create(struct umbra_vcpu *vcpu)
{
	/* XSAVE wants 64-byte alignment; whole pages give it on every kernel. */
	vcpu->fpu.area = alloc_pages_exact(umbra_xsave_size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->fpu.area)
		return -ENOMEM;
	vcpu->fpu.host_xcr0 = host_raw_xcr0;
	umbra_fpu_reset(vcpu);
	return 0;
}

void umbra_fpu_destroy(struct umbra_vcpu *vcpu)
{
	if (vcpu->fpu.area)
		free_pages_exact(vcpu->fpu.area, umbra_xsave_size);
	vcpu->fpu.area = NULL;
}

/**
 * umbra_fpu_reset() - registers, XCR0 and PKRU as after power-up
 * @vcpu: virtual processor, mutex held, state not in the processor
 */
void umbra_fpu_reset(struct umbra_vcpu *vcpu)
{
	umbra_fpu_init_area(vcpu->fpu.area);
	vcpu->fpu.xcr0 = XFEATURE_MASK_FP;
	vcpu->fpu.pkru = 0;
	umbra_cpuid_update_dynamic(vcpu);
}

/* 0, or -EFAULT when the processor refused the image: then @err stays. */
static int restore_area(const void *area, u64 mask)
{
	int err = -EFAULT;

	if (umbra_host_xcr0)
		asm volatile("1: xrstor64 %[area]\n"
			     "xor %[err], %[err]\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : [err] "+r" (err)
			     : [area] "m" (*(const u8 *)area), "a" ((u32)mask),
			       "d" ((u32)(mask >> 32))
			     : "memory", "cc");
	else
		asm volatile("1: fxrstor64 %[area]\n"
			     "xor %[err], %[err]\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : [err] "+r" (err)
			     : [area] "m" (*(const u8 *)area)
			     : "memory", "cc");
	return err;
}

/*
 * Older AMD processors restore the last x87 instruction's addresses only while
 * an exception is pending: overwrite what another task left there.
 */
static void forget_x87_pointers(const struct umbra_vcpu *vcpu)
{
	if (static_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex\n\t"
			     "emms\n\t"
			     "fildl %[any]"
			     : : [any] "m" (vcpu->fpu.pkru));
}

static void save_area(void *area, u64 mask)
{
	/* Not XSAVEOPT: its shortcut trusts that nobody wrote the area since. */
	if (umbra_host_xcr0)
		asm volatile("xsave64 %[area]"
			     : [area] "+m" (*(u8 *)area)
			     : "a" ((u32)mask), "d" ((u32)(mask >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 %[area]" : [area] "+m" (*(u8 *)area) : : "memory");
}

/**
 * umbra_fpu_enter() - put the guest's registers into the processor
 * @vcpu: virtual processor of the current thread
 *
 * From here to umbra_fpu_leave() interrupts see the FPU as taken and use
 * none of it. PKRU is left alone: host accesses to user memory obey it.
 *
 * Context: preemption off until umbra_fpu_leave().
 */
void umbra_fpu_enter(struct umbra_vcpu *vcpu)
{
	u64 mask = umbra_host_xcr0 & ~(u64)XFEATURE_MASK_PKRU;

	if (vcpu->fpu.loaded)
		return;
	kernel_fpu_begin_mask(0);
	forget_x87_pointers(vcpu);
	if (unlikely(restore_area(vcpu->fpu.area, mask))) {
		pr_err_ratelimited("umbra: vcpu %d: FPU image refused, reset\n", vcpu->id);
		umbra_fpu_init_area(vcpu->fpu.area);
		restore_area(vcpu->fpu.area, mask);
	}
	vcpu->fpu.loaded = true;
}

/**
 * umbra_fpu_leave() - save the guest's registers and give the FPU back
 * @vcpu: virtual processor of the current thread
 */
void umbra_fpu_leave(struct umbra_vcpu *vcpu)
{
	if (!vcpu->fpu.loaded)
		return;
	save_area(vcpu->fpu.area, umbra_host_xcr0 & ~(u64)XFEATURE_MASK_PKRU);
	vcpu->fpu.loaded = false;
	kernel_fpu_end();
}

/* The guest reaches PKRU by RDPKRU, WRPKRU, or by XSAVE and XRSTOR. */
static bool guest_has_pkru(const struct umbra_vcpu *vcpu)
{
	return host_pkeys && ((vcpu->cr4 & X86_CR4_PKE) ||
			      (vcpu->fpu.xcr0 & XFEATURE_MASK_PKRU));
}

/**
 * umbra_fpu_guest_xcr0() - make XCR0, XSS and PKRU the guest's
 * @vcpu: virtual processor about to enter
 *
 * Context: interrupts off until umbra_fpu_host_xcr0().
 */
void umbra_fpu_guest_xcr0(struct umbra_vcpu *vcpu)
{
	struct umbra_fpu *fpu = &vcpu->fpu;

	if (vcpu->cr4 & X86_CR4_OSXSAVE) {
		if (fpu->xcr0 != host_raw_xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, fpu->xcr0);
		if (host_xss)
			wrmsrl(MSR_IA32_XSS, 0);
	}
	if (guest_has_pkru(vcpu)) {
		fpu->host_pkru = rdpkru();
		if (fpu->pkru != fpu->host_pkru)
			wrpkru(fpu->pkru);
	}
}

/*
 * QEMU's processor ignores the intercept of XSETBV, so that the guest has changed
 * the real XCR0 unseen. Without a look at it the host would go on with it.
 */
static void xcr0_slipped(struct umbra_vcpu *vcpu, u64 xcr0)
{
	vcpu->fpu.xcr0 = xcr0;
	umbra_cpuid_update_dynamic(vcpu);
}

/**
 * umbra_fpu_host_xcr0() - make XCR0, XSS and PKRU the host's again
 * @vcpu: virtual processor that just exited; CR4 and XCR0 as at entry
 */
void umbra_fpu_host_xcr0(struct umbra_vcpu *vcpu)
{
	struct umbra_fpu *fpu = &vcpu->fpu;
	u64 xcr0;

	if (guest_has_pkru(vcpu)) {
		fpu->pkru = rdpkru();
		if (fpu->pkru != fpu->host_pkru)
			wrpkru(fpu->host_pkru);
	}
	if (vcpu->cr4 & X86_CR4_OSXSAVE) {
		if (host_xss)
			wrmsrl(MSR_IA32_XSS, host_xss);
		xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		if (xcr0 != host_raw_xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, host_raw_xcr0);
		if (unlikely(xcr0 != fpu->xcr0))
			xcr0_slipped(vcpu, xcr0);
	}
}

u32 umbra_guest_pkru(const struct umbra_vcpu *vcpu)
{
	return vcpu->fpu.pkru;
}

/*
 * Where the upper half of YMM registers lies, or NULL. A component that the
 * area marks as initial holds stale bytes: clear them before they are used.
 */
static void *vec_part(struct umbra_vcpu *vcpu, int nr, u64 feature)
{
	struct xregs_state *x = vcpu->fpu.area;
	const struct umbra_xcomp *high = &umbra_xcomps[XFEATURE_YMM];
	void *base = x->i387.xmm_space;
	u32 size = sizeof(x->i387.xmm_space);

	if (feature == XFEATURE_MASK_YMM) {
		base = vcpu->fpu.area + high->offset;
		size = high->size;
	}
	if (umbra_host_xcr0 && !(x->header.xfeatures & feature)) {
		memset(base, 0, size);
		x->header.xfeatures |= feature;
	}
	return base + nr * 16;
}

static bool vec_valid(const struct umbra_vcpu *vcpu, int nr, int bytes)
{
	if (vcpu->fpu.loaded || nr < 0 || nr > 15)
		return false;
	return bytes == 16 || (bytes == 32 && (umbra_host_xcr0 & XFEATURE_MASK_YMM));
}

/**
 * umbra_fpu_read_vec() - read XMM or YMM register @nr
 * @vcpu: virtual processor, state not in the processor
 * @nr: 0 to 15
 * @data: destination
 * @bytes: 16 or 32
 *
 * Return: 0 or -EINVAL.
 */
int umbra_fpu_read_vec(struct umbra_vcpu *vcpu, int nr, void *data, int bytes)
{
	if (!vec_valid(vcpu, nr, bytes))
		return -EINVAL;
	memcpy(data, vec_part(vcpu, nr, XFEATURE_MASK_SSE), 16);
	if (bytes == 32)
		memcpy(data + 16, vec_part(vcpu, nr, XFEATURE_MASK_YMM), 16);
	return 0;
}

/**
 * umbra_fpu_write_vec() - write XMM or YMM register @nr
 * @vcpu: virtual processor, state not in the processor
 * @nr: 0 to 15
 * @data: source
 * @bytes: 16 or 32; what lies above is left as it is
 *
 * Return: 0 or -EINVAL.
 */
int umbra_fpu_write_vec(struct umbra_vcpu *vcpu, int nr, const void *data, int bytes)
{
	if (!vec_valid(vcpu, nr, bytes))
		return -EINVAL;
	memcpy(vec_part(vcpu, nr, XFEATURE_MASK_SSE), data, 16);
	if (bytes == 32)
		memcpy(vec_part(vcpu, nr, XFEATURE_MASK_YMM), data + 16, 16);
	return 0;
}
