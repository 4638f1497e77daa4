// SPDX-License-Identifier: GPL-2.0
/*
 * MSR accesses that user space decides: KVM_CAP_X86_USER_SPACE_MSR and
 * KVM_X86_SET_MSR_FILTER. Every access the guest makes either faults, is done,
 * or leaves with the right index, direction, data and reason.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MSR_NOBODYS	0x38000000
#define MSR_LSTAR	0xc0000082
#define MSR_CSTAR	0xc0000083
#define MSR_PAT		0x277

static void guest_access(u64 index, u64 write)
{
	u64 vec, v = 0;

	guest_catch(UT_GP_VECTOR);
	if (write)
		asm volatile("lea 1f(%%rip), %%r11\n\txor %%r10d, %%r10d\n\twrmsr\n"
			     "1:\tmov %%r10, %0"
			     : "=&r"(vec) : "c"(index), "a"(0x11223344), "d"(0)
			     : "r10", "r11", "memory");
	else
		asm volatile("lea 1f(%%rip), %%r11\n\txor %%r10d, %%r10d\n\trdmsr\n"
			     "1:\tmov %%r10, %0\n\tshl $32, %%rdx\n\tor %%rdx, %%rax"
			     : "=&r"(vec), "=a"(v) : "c"(index), "1"(0)
			     : "rdx", "r10", "r11", "memory");
	guest_sync_args(vec, v, 0, 0);
	guest_done();
}

FIXTURE(msr) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
	struct ut_ucall uc;
};

FIXTURE_SETUP(msr)
{
	self->vcpu = ut_long_guest(guest_access);
	self->run = self->vcpu->run;
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_X86_USER_SPACE_MSR))
		SKIP(_exit(255), "KVM_CAP_X86_USER_SPACE_MSR is not offered");
}

FIXTURE_TEARDOWN(msr)
{
	ut_vm_free(self->vcpu->vm);
}

static void enable(struct ut_vm *vm, u64 reasons)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args[0] = reasons,
	};

	ut_must_ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

/* Deny @index for @flags, allow all else. */
static void deny(struct ut_vm *vm, u32 index, u32 flags)
{
	__u8 bitmap[1] = { 0xfe };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = { .flags = flags, .nmsrs = 8, .base = index, .bitmap = bitmap },
	};

	ut_must_ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

static int start(struct ut_vcpu *vcpu, u32 index, bool write, struct ut_ucall *uc)
{
	ut_restart(vcpu, guest_access);
	ut_set_args(vcpu, index, write);
	return ut_next(vcpu, uc);
}

TEST_F(msr, off_means_fault)
{
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_NOBODYS, false, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_NOBODYS, true, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
}

TEST_F(msr, unknown_read)
{
	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_UNKNOWN);
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_NOBODYS, false, NULL));
	ASSERT_EQ(KVM_EXIT_X86_RDMSR, self->run->exit_reason);
	ASSERT_EQ(MSR_NOBODYS, self->run->msr.index);
	ASSERT_EQ(KVM_MSR_EXIT_REASON_UNKNOWN, self->run->msr.reason);
	self->run->msr.data = 0x123456789abcdef0ull;
	self->run->msr.error = 0;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
	ASSERT_EQ(0x123456789abcdef0ull, self->uc.arg[1]);
}

TEST_F(msr, unknown_write)
{
	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_UNKNOWN);
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_NOBODYS, true, NULL));
	ASSERT_EQ(KVM_EXIT_X86_WRMSR, self->run->exit_reason);
	ASSERT_EQ(MSR_NOBODYS, self->run->msr.index);
	ASSERT_EQ(0x11223344, self->run->msr.data);
	ASSERT_EQ(KVM_MSR_EXIT_REASON_UNKNOWN, self->run->msr.reason);
	self->run->msr.error = 0;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
}

TEST_F(msr, user_says_fault)
{
	int write;

	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_UNKNOWN);
	for (write = 0; write < 2; write++) {
		ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_NOBODYS, write, NULL));
		self->run->msr.error = 1;
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	}
}

TEST_F(msr, invalid_value)
{
	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_INVAL);
	/* 0x44 and the like are no memory types. */
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_PAT, true, NULL));
	ASSERT_EQ(KVM_EXIT_X86_WRMSR, self->run->exit_reason);
	ASSERT_EQ(KVM_MSR_EXIT_REASON_INVAL, self->run->msr.reason);
	self->run->msr.error = 1;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
}

TEST_F(msr, filter_without_exit_faults)
{
	deny(self->vcpu->vm, MSR_LSTAR, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_LSTAR, false, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_LSTAR, true, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_CSTAR, true, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
}

TEST_F(msr, filter_one_direction)
{
	u64 value = 0;

	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_FILTER);
	deny(self->vcpu->vm, MSR_LSTAR, KVM_MSR_FILTER_WRITE);
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_LSTAR, true, NULL));
	ASSERT_EQ(KVM_EXIT_X86_WRMSR, self->run->exit_reason);
	ASSERT_EQ(KVM_MSR_EXIT_REASON_FILTER, self->run->msr.reason);
	ASSERT_EQ(MSR_LSTAR, self->run->msr.index);
	ASSERT_EQ(0x11223344, self->run->msr.data);
	self->run->msr.error = 0;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	/* Swallowed by user space: the register has not changed, reading is free. */
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_LSTAR, &value));
	ASSERT_EQ(0, value);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_LSTAR, false, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
	/* User space itself is not filtered. */
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_LSTAR, 0x1000));
}

/* Takes effect for vCPUs that have run, with registers passed to the guest. */
TEST_F(msr, filter_comes_and_goes)
{
	struct kvm_msr_filter none = { 0 };

	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_FILTER);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_CSTAR, true, &self->uc));
	deny(self->vcpu->vm, MSR_CSTAR, KVM_MSR_FILTER_READ);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_CSTAR, true, &self->uc));
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_CSTAR, false, NULL));
	ASSERT_EQ(KVM_EXIT_X86_RDMSR, self->run->exit_reason);
	self->run->msr.error = 0;
	self->run->msr.data = 77;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(77, self->uc.arg[1]);
	ut_must_ioctl(self->vcpu->vm->fd, KVM_X86_SET_MSR_FILTER, &none);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_CSTAR, false, &self->uc));
	ASSERT_EQ(0x11223344, self->uc.arg[1]);
}

TEST_F(msr, default_deny)
{
	__u8 bitmap[1] = { 0x01 };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = 8, .base = MSR_LSTAR, .bitmap = bitmap,
		},
	};

	enable(self->vcpu->vm, KVM_MSR_EXIT_REASON_FILTER);
	ut_must_ioctl(self->vcpu->vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
	ASSERT_EQ(UT_SYNC, start(self->vcpu, MSR_LSTAR, true, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
	/* In the range with bit 0, and outside. */
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_CSTAR, true, NULL));
	self->run->msr.error = 1;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_EXIT, start(self->vcpu, MSR_PAT, false, NULL));
	ASSERT_EQ(MSR_PAT, self->run->msr.index);
}

TEST_HARNESS_MAIN
