// SPDX-License-Identifier: GPL-2.0
/*
 * The other ways out of the guest: HLT, shutdown, a state the processor
 * refuses, signals, immediate_exit, CR8.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

FIXTURE(leave) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
};

static void guest_spin(void)
{
	guest_sync(1);
	for (;;)
		guest_pause();
}

FIXTURE_SETUP(leave)
{
	self->vcpu = ut_long_guest(guest_spin);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(leave)
{
	ut_vm_free(self->vcpu->vm);
}

static void guest_halts(void)
{
	guest_hlt();
	guest_sync(7);
	guest_hlt();
	guest_done();
}

TEST_F(leave, hlt)
{
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_halts);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, self->run->exit_reason);
	/* Without in-kernel interrupts the next run goes on behind it. */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(7, uc.arg[0]);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, self->run->exit_reason);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_triple_fault(void)
{
	u64 none[2] = { 0, 0 };	/* limit and base of an empty IDT */

	guest_sync(1);
	asm volatile("lidt (%0)\n\tud2" : : "r"(none), "m"(none));
	guest_sync(2);
}

TEST_F(leave, triple_fault)
{
	struct kvm_vcpu_events events = { 0 };
	struct kvm_sregs sregs;

	ut_get_sregs(self->vcpu, &sregs);
	if (ut_no_triple_faults())
		SKIP(return, "Bochs ends when a guest of AMD-V has a triple fault");
	ut_restart(self->vcpu, guest_triple_fault);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_SHUTDOWN, self->run->exit_reason);
	/* A reset by user space brings it back. */
	ut_set_events(self->vcpu, &events);
	ut_set_sregs(self->vcpu, &sregs);
	ut_restart(self->vcpu, guest_halts);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, self->run->exit_reason);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

/* Run with @bad; the processor's refusal becomes an exit, and @good still works. */
static u32 try_state(struct ut_vcpu *vcpu, const struct kvm_sregs *good,
		     const struct kvm_sregs *bad)
{
	u32 reason;

	ut_set_sregs(vcpu, bad);
	if (ut_run(vcpu))
		ut_die("KVM_RUN failed instead of reporting the state");
	reason = vcpu->run->exit_reason;
	if (reason == KVM_EXIT_FAIL_ENTRY &&
	    !vcpu->run->fail_entry.hardware_entry_failure_reason)
		ut_die("no reason given");
	ut_set_sregs(vcpu, good);
	ut_restart(vcpu, guest_spin);
	if (ut_next(vcpu, NULL) != UT_SYNC)
		ut_die("the vCPU does not recover");
	return reason;
}

TEST_F(leave, fail_entry_efer)
{
	struct kvm_sregs good, bad;

	ut_get_sregs(self->vcpu, &good);
	bad = good;
	bad.efer |= BIT_ULL(1);
	/* Umbra does not let it come to that: it refuses such an EFER at once. */
	if (ut_on_umbra()) {
		ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS, &bad));
		return;
	}
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, try_state(self->vcpu, &good, &bad));
}

TEST_F(leave, fail_entry_code_segment)
{
	struct kvm_sregs good, bad;

	/* A code segment that is 64-bit and 32-bit at once. */
	ut_get_sregs(self->vcpu, &good);
	bad = good;
	bad.cs.l = 1;
	bad.cs.db = 1;
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, try_state(self->vcpu, &good, &bad));
}

TEST_F(leave, immediate_exit)
{
	struct kvm_regs before, after;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	self->run->immediate_exit = 1;
	/* Completes the OUT that is under way, then leaves at once. */
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ut_get_regs(self->vcpu, &before);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ut_get_regs(self->vcpu, &after);
	ASSERT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

static void guest_in_then_talk(void)
{
	u8 v = guest_inb(0x60);

	guest_sync_args(1, v, 0, 0);
	guest_done();
}

TEST_F(leave, immediate_exit_completes_io)
{
	struct kvm_regs before, after;
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_in_then_talk);
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
	*(u8 *)ut_io_data(self->vcpu) = 0x5a;
	ut_get_regs(self->vcpu, &before);
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ut_get_regs(self->vcpu, &after);
	/* The answer has arrived: so a snapshot taken now is whole. */
	ASSERT_EQ(0x5a, after.rax & 0xff);
	self->run->immediate_exit = 0;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x5a, uc.arg[1]);
}

static int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void catch_alarm(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
}

static void timer(long usec)
{
	struct itimerval it = { .it_value.tv_usec = usec };

	setitimer(ITIMER_REAL, &it, NULL);
}

TEST_F(leave, signal)
{
	int i;

	catch_alarm();
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	for (i = 1; i <= 5; i++) {
		timer(3000 * i);
		ASSERT_EQ(-EINTR, ut_run(self->vcpu));
		ASSERT_EQ(KVM_EXIT_INTR, self->run->exit_reason);
		ASSERT_EQ(i, alarms);
	}
}

/* In the guest with the interrupt flag off: the host's interrupts come all the same. */
TEST_F(leave, signal_with_guest_if_off_and_on)
{
	struct kvm_regs regs;

	catch_alarm();
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ut_get_regs(self->vcpu, &regs);
	ASSERT_EQ(0, regs.rflags & UT_RFLAGS_IF);
	timer(5000);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ut_get_regs(self->vcpu, &regs);
	regs.rflags |= UT_RFLAGS_IF;
	ut_set_regs(self->vcpu, &regs);
	timer(5000);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ASSERT_EQ(2, alarms);
}

static void set_mask(struct ut_vcpu *vcpu, const sigset_t *set)
{
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} mask = { .head.len = sizeof(u64) };

	memcpy(&mask.set, set, sizeof(u64));
	ut_must_ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask);
}

TEST_F(leave, signal_mask)
{
	sigset_t set, none;

	catch_alarm();
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* Blocked here, open while the guest runs. */
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	set_mask(self->vcpu, &none);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));
	ASSERT_EQ(0, alarms);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	/* Still blocked outside, and not taken: the next run leaves as well. */
	ASSERT_EQ(0, alarms);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ASSERT_EQ(0, sigprocmask(SIG_UNBLOCK, &set, NULL));
	ASSERT_EQ(1, alarms);
	/* The other way: blocked only while the guest runs. */
	set_mask(self->vcpu, &set);
	ASSERT_EQ(0, pthread_kill(pthread_self(), SIGUSR1));
	ASSERT_EQ(2, alarms);
	ut_must_ioctl(self->vcpu->fd, KVM_SET_SIGNAL_MASK, 0);
}

static void guest_cr8(void)
{
	asm volatile("mov %0, %%cr8" : : "r"(9ul));
	guest_sync_args(1, guest_read_cr(8), 0, 0);
	asm volatile("mov %0, %%cr8" : : "r"(3ul));
	guest_sync_args(2, guest_read_cr(8), 0, 0);
	guest_done();
}

TEST_F(leave, cr8)
{
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_cr8);
	/* Raised: no exit needed. Lowered: interrupts may be deliverable now. */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(9, uc.arg[1]);
	ASSERT_EQ(9, self->run->cr8);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_SET_TPR, self->run->exit_reason);
	ASSERT_EQ(3, self->run->cr8);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(3, uc.arg[1]);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
