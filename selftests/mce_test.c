// SPDX-License-Identifier: GPL-2.0
/*
 * Machine check banks: set up, refused when too many, seen by the guest, an
 * injected error found in its bank.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MSR_MCG_CAP	0x179
#define MSR_MCG_STATUS	0x17a
#define MSR_MC0_CTL	0x400
#define MCI_STATUS_VAL	BIT_ULL(63)
#define MCI_STATUS_EN	BIT_ULL(60)

static void guest_reads(u64 bank)
{
	guest_sync_args(1, guest_rdmsr(MSR_MCG_CAP), guest_rdmsr(MSR_MC0_CTL + 4 * bank + 1),
			guest_rdmsr(MSR_MC0_CTL + 4 * bank + 2));
	guest_done();
}

FIXTURE(banks) {
	struct ut_vcpu *vcpu;
	u64 cap;
	int banks;
};

FIXTURE_SETUP(banks)
{
	__u64 cap;

	self->vcpu = ut_long_guest(guest_reads);
	self->banks = ut_cap(self->vcpu->vm->fd, KVM_CAP_MCE);
	if (!self->banks)
		SKIP(_exit(255), "KVM_CAP_MCE is not offered");
	ut_must_ioctl(self->vcpu->vm->dev_fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap);
	self->cap = (cap & ~0xffull) | 4;
}

FIXTURE_TEARDOWN(banks)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(banks, set_up)
{
	__u64 cap = self->cap;
	struct ut_ucall uc;

	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	/* The guest of an AMD host has the count and the control bit alone. */
	ASSERT_EQ(self->cap & 0x1ff, uc.arg[1] & 0x1ff);
	ASSERT_EQ(0, uc.arg[1] & ~self->cap);
}

TEST_F(banks, refused)
{
	__u64 cap = (self->cap & ~0xffull) | (self->banks + 1);

	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
	cap = self->cap & ~0xffull;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
	cap = self->cap | 1ull << 63;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
}

TEST_F(banks, corrected_error)
{
	struct kvm_x86_mce mce = {
		.status = MCI_STATUS_VAL | MCI_STATUS_EN | 0x9f,
		.addr = 0x123456000,
		.bank = 2,
	};
	__u64 cap = self->cap;
	struct ut_ucall uc;

	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_X86_SETUP_MCE, &cap));
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_MC0_CTL + 8, ~0ull));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_X86_SET_MCE, &mce));
	ut_set_args(self->vcpu, 2, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(mce.status, uc.arg[2]);
	ASSERT_EQ(mce.addr, uc.arg[3]);
	/* A bank that is not there; nothing valid in the report. */
	mce.bank = 4;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SET_MCE, &mce));
	mce.bank = 255;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SET_MCE, &mce));
	mce.bank = 2;
	mce.status = 0;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_X86_SET_MCE, &mce));
}

TEST_HARNESS_MAIN
