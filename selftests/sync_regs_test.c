// SPDX-License-Identifier: GPL-2.0
/*
 * Registers in the run page (KVM_CAP_SYNC_REGS): stored on exit where asked
 * for, loaded on entry where marked dirty, unknown bits refused.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define ALL	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

static void guest_count(u64 n)
{
	for (;; n++) {
		asm volatile("mov %0, %%r15\n\tout %%al, $0x80" : : "r"(n) : "r15", "memory");
		asm volatile("mov %%r15, %0" : "=r"(n));
	}
}

FIXTURE(sync) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
};

FIXTURE_SETUP(sync)
{
	int fd = ut_open_device();

	if (!ut_cap(fd, KVM_CAP_SYNC_REGS))
		SKIP(_exit(255), "KVM_CAP_SYNC_REGS is not offered");
	self->vcpu = ut_long_guest(guest_count);
	self->run = self->vcpu->run;
	ut_set_args(self->vcpu, 100, 0);
	close(fd);
}

FIXTURE_TEARDOWN(sync)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(sync, capability)
{
	ASSERT_EQ(ALL, ut_cap(self->vcpu->vm->dev_fd, KVM_CAP_SYNC_REGS));
}

TEST_F(sync, unknown_bits)
{
	self->run->kvm_valid_regs = ALL + 1;
	ASSERT_EQ(-EINVAL, ut_run(self->vcpu));
	self->run->kvm_valid_regs = 1ull << 63;
	ASSERT_EQ(-EINVAL, ut_run(self->vcpu));
	self->run->kvm_valid_regs = 0;
	self->run->kvm_dirty_regs = 1ull << 30;
	ASSERT_EQ(-EINVAL, ut_run(self->vcpu));
	self->run->kvm_dirty_regs = 0;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
}

TEST_F(sync, valid)
{
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	self->run->kvm_valid_regs = ALL;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ut_get_regs(self->vcpu, &regs);
	ut_get_sregs(self->vcpu, &sregs);
	ut_get_events(self->vcpu, &events);
	ASSERT_EQ(100, regs.r15);
	ASSERT_EQ(0, memcmp(&regs, &self->run->s.regs.regs, sizeof(regs)));
	ASSERT_EQ(0, memcmp(&sregs, &self->run->s.regs.sregs, sizeof(sregs)));
	ASSERT_EQ(0, memcmp(&events, &self->run->s.regs.events, sizeof(events)));
}

TEST_F(sync, not_asked_not_stored)
{
	memset(&self->run->s.regs, 0xaa, sizeof(self->run->s.regs));
	self->run->kvm_valid_regs = 0;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(0xaaaaaaaaaaaaaaaaull, self->run->s.regs.regs.r15);
	self->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(101, self->run->s.regs.regs.r15);
	ASSERT_EQ(0xaaaaaaaaaaaaaaaaull, self->run->s.regs.sregs.cr2);
}

TEST_F(sync, dirty)
{
	struct kvm_regs regs;

	self->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	ASSERT_EQ(0, ut_run(self->vcpu));
	self->run->s.regs.regs.r15 = 5000;
	/* Not marked: without effect. */
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(101, self->run->s.regs.regs.r15);
	self->run->s.regs.regs.r15 = 5000;
	self->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(5001, self->run->s.regs.regs.r15);
	/* Taken, and the mark is off. */
	ASSERT_EQ(0, self->run->kvm_dirty_regs);
	ut_get_regs(self->vcpu, &regs);
	ASSERT_EQ(5001, regs.r15);
}

TEST_F(sync, dirty_sregs)
{
	struct kvm_sregs sregs;

	self->run->kvm_valid_regs = ALL;
	ASSERT_EQ(0, ut_run(self->vcpu));
	self->run->s.regs.sregs.fs.base = 0x123000;
	self->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0x123000, sregs.fs.base);
	/* Illegal ones are refused like KVM_SET_SREGS refuses them. */
	self->run->s.regs.sregs.cr4 |= 1ull << 63;
	self->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	ASSERT_EQ(-EINVAL, ut_run(self->vcpu));
	self->run->kvm_dirty_regs = 0;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0, sregs.cr4 >> 63);
}

TEST_F(sync, dirty_events)
{
	self->run->kvm_valid_regs = ALL;
	ASSERT_EQ(0, ut_run(self->vcpu));
	self->run->s.regs.events.nmi.masked = 1;
	self->run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(1, self->run->s.regs.events.nmi.masked);
	self->run->s.regs.events.exception.injected = 1;
	self->run->s.regs.events.exception.nr = 200;
	self->run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	ASSERT_EQ(-EINVAL, ut_run(self->vcpu));
}

TEST_HARNESS_MAIN
