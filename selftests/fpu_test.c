// SPDX-License-Identifier: GPL-2.0
/*
 * Floating point and vector state: round trips of the three interfaces, what
 * the guest sees of it, that host and guest state do not mix.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define XSAVE_MXCSR	24	/* byte offsets in the legacy area */
#define XSAVE_XMM(n)	(160 + 16 * (n))
#define XSAVE_HEADER	512
#define X87		BIT_ULL(0)
#define SSE		BIT_ULL(1)

static void guest_xmm(void)
{
	u64 lo, hi;

	for (;;) {
		asm volatile("movq %%xmm7, %0\n\t"
			     "movhlps %%xmm7, %%xmm6\n\t"
			     "movq %%xmm6, %1\n\t"
			     "pcmpeqd %%xmm5, %%xmm5" : "=r"(lo), "=r"(hi));
		guest_sync_args(1, lo, hi, 0);
	}
}

FIXTURE(fpu) {
	struct ut_vcpu *vcpu;
	union {
		struct kvm_xsave xsave;
		u8 raw[4096];
		u32 word[1024];
		u64 quad[512];
	} set, get;
};

FIXTURE_SETUP(fpu)
{
	self->vcpu = ut_long_guest(guest_xmm);
	memset(&self->set, 0, sizeof(self->set));
}

FIXTURE_TEARDOWN(fpu)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(fpu, fpu_round_trip)
{
	struct kvm_fpu set, get;
	int i;

	memset(&set, 0, sizeof(set));
	for (i = 0; i < 8; i++)
		memset(set.fpr[i], 0x10 + i, 10);
	for (i = 0; i < 16; i++)
		memset(set.xmm[i], 0xa0 + i, 16);
	set.fcw = 0x27f;
	set.fsw = 0x3800;
	set.ftwx = 0xff;
	set.mxcsr = 0x1fa0;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_FPU, &set));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_FPU, &get));
	ASSERT_EQ(set.fcw, get.fcw);
	ASSERT_EQ(set.fsw, get.fsw);
	ASSERT_EQ(set.ftwx, get.ftwx);
	ASSERT_EQ(0, memcmp(set.fpr, get.fpr, sizeof(set.fpr)));
	ASSERT_EQ(0, memcmp(set.xmm, get.xmm, sizeof(set.xmm)));
}

TEST_F(fpu, guest_and_host_apart)
{
	struct kvm_fpu fpu;
	struct ut_ucall uc;
	u64 host[2];

	/* KVM keeps what KVM_SET_FPU set only once the guest has used SSE. */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_FPU, &fpu));
	memset(fpu.xmm[7], 0x77, 8);
	memset(fpu.xmm[7] + 8, 0x88, 8);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_FPU, &fpu));
	asm volatile("movq %0, %%xmm5" : : "r"(0x5555aaaa5555aaaaull) : "xmm5");
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x7777777777777777ull, uc.arg[1]);
	ASSERT_EQ(0x8888888888888888ull, uc.arg[2]);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_FPU, &fpu));
	memcpy(host, fpu.xmm[5], sizeof(host));
	ASSERT_EQ(~0ull, host[0]);
	ASSERT_EQ(~0ull, host[1]);
}

/* Around the bare ioctl, with nothing between that could save registers. */
TEST_F(fpu, host_registers_survive)
{
	u64 before[2] = { 0x0123456789abcdefull, 0xfedcba9876543210ull }, after[2];
	long ret;

	asm volatile("movdqu %2, %%xmm5\n\t"
		     "xor %%edx, %%edx\n\t"
		     "syscall\n\t"
		     "movdqu %%xmm5, %1"
		     : "=a"(ret), "=m"(after)
		     : "m"(before), "0"(16L), "D"((long)self->vcpu->fd), "S"(KVM_RUN)
		     : "rcx", "rdx", "r11", "xmm5", "memory");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(before[0], after[0]);
	ASSERT_EQ(before[1], after[1]);
}

TEST_F(fpu, xsave_round_trip)
{
	struct ut_ucall uc;

	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_XSAVE))
		SKIP(return, "KVM_CAP_XSAVE is not offered");
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE, &self->set));
	memset(self->set.raw + XSAVE_XMM(7), 0x42, 16);
	self->set.quad[XSAVE_HEADER / 8] |= X87 | SSE;
	self->set.word[XSAVE_MXCSR / 4] = 0x1fa0;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_XSAVE, &self->set));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE, &self->get));
	ASSERT_EQ(0, memcmp(self->set.raw + XSAVE_XMM(0), self->get.raw + XSAVE_XMM(0), 256));
	ASSERT_EQ(0x1fa0, self->get.word[XSAVE_MXCSR / 4]);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x4242424242424242ull, uc.arg[1]);
}

TEST_F(fpu, xsave2_matches)
{
	int size = ut_cap(self->vcpu->vm->fd, KVM_CAP_XSAVE2);

	if (!size)
		SKIP(return, "KVM_CAP_XSAVE2 is not offered");
	ASSERT_LE((int)sizeof(struct kvm_xsave), size);
	ASSERT_GE((int)sizeof(self->set), size);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE, &self->set));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE2, &self->get));
	ASSERT_EQ(0, memcmp(&self->set, &self->get, sizeof(self->set)));
}

TEST_F(fpu, xsave_illegal)
{
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE, &self->get));
	/* A component that nobody has; reserved MXCSR bits; junk in the header. */
	self->set = self->get;
	self->set.quad[XSAVE_HEADER / 8] = 1ull << 62;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_XSAVE, &self->set));
	self->set = self->get;
	self->set.quad[XSAVE_HEADER / 8] |= SSE;
	self->set.word[XSAVE_MXCSR / 4] = 0xffff0000;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_XSAVE, &self->set));
	self->set = self->get;
	self->set.quad[XSAVE_HEADER / 8 + 2] = 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_XSAVE, &self->set));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_XSAVE, &self->set));
	ASSERT_EQ(0, memcmp(&self->set, &self->get, sizeof(self->set)));
}

static void guest_xcr0(void)
{
	u32 lo, hi;

	guest_write_cr4(guest_read_cr(4) | BIT_ULL(18));
	for (;;) {
		asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
		guest_sync_args(1, lo | (u64)hi << 32, 0, 0);
		asm volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
	}
}

TEST_F(fpu, xcr0)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *entry = ut_cpuid_entry(cpuid, 0xd, 0);
	struct kvm_xcrs xcrs;
	struct ut_ucall uc;

	if (!entry || (entry->eax & 7) != 7)
		SKIP(return, "no AVX in the supported CPUID");
	ut_get_xcrs(self->vcpu, &xcrs);
	ASSERT_EQ(1, xcrs.nr_xcrs);
	ASSERT_EQ(1, xcrs.xcrs[0].value);
	xcrs.xcrs[0].value = 7;
	ut_set_xcrs(self->vcpu, &xcrs);
	ut_restart(self->vcpu, guest_xcr0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(7, uc.arg[1]);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(1, uc.arg[1]);
	/*
	 * QEMU's processor ignores the intercept of XSETBV: Umbra has to notice what
	 * KVM does not.
	 */
	if (ut_on_umbra() || !ut_emulated_by("qemu")) {
		ut_get_xcrs(self->vcpu, &xcrs);
		ASSERT_EQ(1, xcrs.xcrs[0].value);
	}
	free(cpuid);
}

/* Faults of XSETBV are the guest's. */
static void guest_bad_xsetbv(void)
{
	guest_catch(UT_GP_VECTOR);
	guest_catch(UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $1, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; xsetbv"),
			UT_UD_VECTOR);
	guest_write_cr4(guest_read_cr(4) | BIT_ULL(18));
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; xsetbv"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $5, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; xsetbv"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $1, %%eax; xor %%edx, %%edx; mov $2, %%ecx; xsetbv"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $1, %%eax; xor %%edx, %%edx; xor %%ecx, %%ecx; xsetbv"), 0);
	guest_done();
}

TEST_F(fpu, xsetbv_faults)
{
	ut_restart(self->vcpu, guest_bad_xsetbv);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
