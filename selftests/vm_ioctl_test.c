// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on a VM's descriptor: refusals, and that a refused call changed
 * nothing. Memory slots have a file of their own.
 */
#include <sys/eventfd.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define BAD_PTR		((void *)0x10)

FIXTURE(vm) {
	struct ut_vm *vm;
	int fd;
};

FIXTURE_SETUP(vm)
{
	self->vm = ut_vm_new();
	self->fd = self->vm->fd;
}

FIXTURE_TEARDOWN(vm)
{
	ut_vm_free(self->vm);
}

TEST_F(vm, vcpu_ids)
{
	int max_id = ut_cap(self->fd, KVM_CAP_MAX_VCPU_ID);
	int fd = ut_ioctl(self->fd, KVM_CREATE_VCPU, 0);

	ASSERT_LT(0, fd);
	ASSERT_EQ(-EEXIST, ut_ioctl(self->fd, KVM_CREATE_VCPU, 0));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VCPU, max_id));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VCPU, -1));
	ASSERT_LT(0, ut_ioctl(self->fd, KVM_CREATE_VCPU, max_id - 1));
	ASSERT_EQ(-EEXIST, ut_ioctl(self->fd, KVM_CREATE_VCPU, max_id - 1));
}

TEST_F(vm, vcpu_limit)
{
	int max = ut_cap(self->fd, KVM_CAP_MAX_VCPUS), i, fd;

	for (i = 0; i < max; i++) {
		fd = ut_ioctl(self->fd, KVM_CREATE_VCPU, i);
		ASSERT_LT(0, fd);
		close(fd);
	}
	/* Closed or not, each counts as long as the VM lives. */
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VCPU, max));
}

TEST_F(vm, wrong_kind)
{
	struct kvm_regs regs;

	ASSERT_EQ(-ENOTTY, ut_ioctl(self->fd, KVM_RUN, 0));
	ASSERT_EQ(-ENOTTY, ut_ioctl(self->fd, KVM_GET_REGS, &regs));
	ASSERT_EQ(-ENOTTY, ut_ioctl(self->fd, KVM_CREATE_VM, 0));
	ASSERT_EQ(-ENOTTY, ut_ioctl(self->fd, KVM_GET_API_VERSION, 0));
	ASSERT_EQ(-ENOTTY, ut_ioctl(self->fd, _IO(KVMIO, 0xff), 0));
}

/* Calls that Umbra does not have say so like calls that nobody has. */
TEST_F(vm, absent_calls)
{
	static const unsigned long calls[] = {
		KVM_XEN_HVM_SET_ATTR, KVM_HYPERV_EVENTFD, KVM_XEN_HVM_CONFIG,
		KVM_MEMORY_ENCRYPT_OP, KVM_CREATE_DEVICE,
	};
	u8 buf[1024] = { 0 };
	unsigned int i;

	if (!ut_on_umbra())
		SKIP(return, "the reference hypervisor has these calls");
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT_EQ(-ENOTTY, ut_ioctl(self->fd, calls[i], buf))
			TH_LOG("call %#lx", calls[i]);
}

TEST_F(vm, bad_pointers)
{
	static const unsigned long calls[] = {
		KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG,
		KVM_IOEVENTFD, KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO,
		KVM_ENABLE_CAP, KVM_SET_CLOCK, KVM_GET_CLOCK, KVM_X86_SET_MSR_FILTER,
		KVM_SET_IDENTITY_MAP_ADDR,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, calls[i], BAD_PTR))
			TH_LOG("call %#lx", calls[i]);
}

TEST_F(vm, tss_and_identity_map)
{
	__u64 addr = 0xfffbc000;

	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_TSS_ADDR, 0xfffffffful));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
	/* Too late once there is a vCPU. */
	ASSERT_LT(0, ut_ioctl(self->fd, KVM_CREATE_VCPU, 0));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
}

TEST_F(vm, enable_cap)
{
	struct kvm_enable_cap cap = { .cap = 0x7fffffff };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	cap.cap = KVM_CAP_X86_USER_SPACE_MSR;
	cap.args[0] = ~0ull;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = KVM_MSR_EXIT_REASON_FILTER;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	cap.cap = KVM_CAP_EXCEPTION_PAYLOAD;
	cap.flags = 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 0;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
}

TEST_F(vm, manual_dirty_log_flags)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
	u64 offered = ut_cap(self->fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);

	if (!offered)
		SKIP(return, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is not offered");
	cap.args[0] = ~offered;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	/* "Initially set" is meaningless without the manual clearing. */
	cap.args[0] = KVM_DIRTY_LOG_INITIALLY_SET;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_ENABLE_CAP, &cap));
}

TEST_F(vm, clock)
{
	struct kvm_clock_data set = { .clock = 123456789000ull }, get;

	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_CLOCK, &set));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_CLOCK, &get));
	ASSERT_LE(set.clock, get.clock);
	/* The emulated host is slow, not a minute slow. */
	ASSERT_GT(set.clock + 60000000000ull, get.clock);
	set.flags = ~0u;
	set.clock = 0;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_CLOCK, &set));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_CLOCK, &get));
	ASSERT_LE(123456789000ull, get.clock);
}

TEST_F(vm, ioeventfd)
{
	struct kvm_ioeventfd arg = { .addr = 0x1000, .len = 4, .fd = eventfd(0, 0) };

	ASSERT_LE(0, arg.fd);
	arg.len = 3;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.len = 16;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.len = 4;
	arg.flags = 1 << 31;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.flags = 0;
	arg.addr = ~0ull;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	/* A match needs a length. */
	arg.addr = 0x1000;
	arg.len = 0;
	arg.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	ASSERT_EQ(-ENOENT, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.flags = 0;
	arg.len = 4;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	ASSERT_EQ(-EEXIST, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.fd = self->fd;
	arg.addr = 0x2000;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
	arg.fd = -1;
	ASSERT_EQ(-EBADF, ut_ioctl(self->fd, KVM_IOEVENTFD, &arg));
}

TEST_F(vm, coalesced_zone)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = 0x1000, .size = 4, .pio = 2 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	zone.pio = 0;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone));
	/* Nothing there any more: no error, as KVM has it. */
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone));
	zone.pio = 2;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone));
}

TEST_F(vm, msr_filter)
{
	__u8 bitmap[8] = { 0 };
	struct kvm_msr_filter filter = { .flags = 1u << 31 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	filter.flags = 0;
	filter.ranges[0].nmsrs = 1;
	filter.ranges[0].bitmap = bitmap;
	/* Neither reads nor writes. */
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	filter.ranges[0].flags = 1u << 31 | KVM_MSR_FILTER_READ;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	filter.ranges[0].flags = KVM_MSR_FILTER_READ;
	filter.ranges[0].nmsrs = 0x10000000;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	filter.ranges[0].nmsrs = 64;
	filter.ranges[0].bitmap = BAD_PTR;
	ASSERT_EQ(-EFAULT, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	/* No range and everything denied: nobody could have meant that. */
	memset(&filter, 0, sizeof(filter));
	filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
	filter.flags = 0;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_X86_SET_MSR_FILTER, &filter));
}

TEST_F(vm, dirty_log_of_nothing)
{
	u64 bitmap[8] = { 0 };
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = bitmap };

	/* No such slot, a slot that does not log, a slot beyond all. */
	ASSERT_EQ(-ENOENT, ut_ioctl(self->fd, KVM_GET_DIRTY_LOG, &log));
	ut_add_slot(self->vm, 0, 0, UT_PAGE_SIZE, 0);
	ASSERT_EQ(-ENOENT, ut_ioctl(self->fd, KVM_GET_DIRTY_LOG, &log));
	log.slot = 0x7fffffff;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_GET_DIRTY_LOG, &log));
}

TEST_HARNESS_MAIN
