// SPDX-License-Identifier: GPL-2.0
/*
 * NMIs: delivered with interrupts off, one at a time until IRET, two kept at
 * most, in and out of the state that user space saves.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

static u64 taken, depth;

static void handler(struct ut_ex_regs *regs)
{
	(void)regs;
	GUEST_ASSERT_EQ(ut_read_once(depth), 0);
	ut_write_once(depth, 1);
	ut_write_once(taken, ut_read_once(taken) + 1);
	guest_sync_args(200, ut_read_once(taken), 0, 0);
	/* Time for a second one to break in, if it could. */
	guest_sync_args(201, ut_read_once(taken), 0, 0);
	ut_write_once(depth, 0);
}

static void guest_loop(void)
{
	for (;;)
		guest_sync_args(1, ut_read_once(taken), 0, 0);
}

FIXTURE(nmi) {
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;
};

FIXTURE_SETUP(nmi)
{
	self->vcpu = ut_long_guest(guest_loop);
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_USER_NMI))
		SKIP(_exit(255), "KVM_CAP_USER_NMI is not offered");
	ut_set_handler(self->vcpu->vm, UT_NMI_VECTOR, handler);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
}

FIXTURE_TEARDOWN(nmi)
{
	ut_vm_free(self->vcpu->vm);
}

static void send(struct ut_vcpu *vcpu)
{
	ut_must_ioctl(vcpu->fd, KVM_NMI, 0);
}

#define EXPECT_STAGE(stage, n) do {						\
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));			\
	ASSERT_EQ(stage, self->uc.arg[0]);					\
	ASSERT_EQ(n, self->uc.arg[1]);						\
} while (0)

TEST_F(nmi, one)
{
	send(self->vcpu);
	EXPECT_STAGE(200, 1);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(1, 1);
	EXPECT_STAGE(1, 1);
}

TEST_F(nmi, blocked_until_iret)
{
	send(self->vcpu);
	EXPECT_STAGE(200, 1);
	/* Inside the handler: the second has to wait for its end. */
	send(self->vcpu);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(200, 2);
	EXPECT_STAGE(201, 2);
	EXPECT_STAGE(1, 2);
}

TEST_F(nmi, one_waits_while_blocked)
{
	int i;

	send(self->vcpu);
	EXPECT_STAGE(200, 1);
	for (i = 0; i < 5; i++)
		send(self->vcpu);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(200, 2);
	EXPECT_STAGE(201, 2);
	EXPECT_STAGE(1, 2);
	EXPECT_STAGE(1, 2);
}

TEST_F(nmi, two_kept_when_open)
{
	int i;

	for (i = 0; i < 5; i++)
		send(self->vcpu);
	EXPECT_STAGE(200, 1);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(200, 2);
	EXPECT_STAGE(201, 2);
	EXPECT_STAGE(1, 2);
	EXPECT_STAGE(1, 2);
}

TEST_F(nmi, state_in_the_handler)
{
	struct kvm_vcpu_events ev;

	send(self->vcpu);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(0, ev.nmi.masked);
	ASSERT_EQ(1, ev.nmi.pending);
	EXPECT_STAGE(200, 1);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(1, ev.nmi.masked);
	ASSERT_EQ(0, ev.nmi.pending);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(1, 1);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(0, ev.nmi.masked);
}

static void guest_iret(void)
{
	guest_sync_args(2, ut_read_once(taken), 0, 0);
	asm volatile("mov %%rsp, %%rcx\n\t"
		     "mov %%ss, %%eax\n\tpushq %%rax\n\tpushq %%rcx\n\tpushfq\n\t"
		     "mov %%cs, %%eax\n\tpushq %%rax\n\t"
		     "lea 1f(%%rip), %%rax\n\tpushq %%rax\n\t"
		     "iretq\n1:" : : : "rax", "rcx", "memory");
	guest_sync_args(3, ut_read_once(taken), 0, 0);
	guest_done();
}

TEST_F(nmi, masked_by_user_space)
{
	struct kvm_vcpu_events ev;

	ut_restart(self->vcpu, guest_iret);
	ut_get_events(self->vcpu, &ev);
	ev.nmi.masked = 1;
	ut_set_events(self->vcpu, &ev);
	send(self->vcpu);
	EXPECT_STAGE(2, 0);
	/* The guest's own IRET opens. */
	EXPECT_STAGE(200, 1);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(3, 1);
}

TEST_F(nmi, injected_by_user_space)
{
	struct kvm_vcpu_events ev;

	ut_get_events(self->vcpu, &ev);
	ev.nmi.injected = 1;
	ut_set_events(self->vcpu, &ev);
	EXPECT_STAGE(200, 1);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(1, 1);
}

static void guest_hlt_loop(void)
{
	for (;;) {
		guest_hlt();
		guest_sync_args(4, ut_read_once(taken), 0, 0);
	}
}

/* RFLAGS.IF is off: only an NMI gets through. */
TEST_F(nmi, after_hlt)
{
	ut_restart(self->vcpu, guest_hlt_loop);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, self->vcpu->run->exit_reason);
	send(self->vcpu);
	EXPECT_STAGE(200, 1);
	EXPECT_STAGE(201, 1);
	EXPECT_STAGE(4, 1);
}

TEST_HARNESS_MAIN
