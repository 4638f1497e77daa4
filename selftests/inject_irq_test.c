// SPDX-License-Identifier: GPL-2.0
/*
 * External interrupts without an interrupt controller in the kernel:
 * KVM_INTERRUPT, the interrupt window, what the run page tells, shadows.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

static u64 hits, last_vector;

static void count(struct ut_ex_regs *regs)
{
	ut_write_once(hits, ut_read_once(hits) + 1);
	ut_write_once(last_vector, regs->vector);
}

static void guest_open(void)
{
	guest_sti();
	for (;;)
		guest_sync_args(1, ut_read_once(hits), ut_read_once(last_vector), 0);
}

FIXTURE(irq) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
	struct ut_ucall uc;
};

FIXTURE_SETUP(irq)
{
	int i;

	self->vcpu = ut_long_guest(guest_open);
	self->run = self->vcpu->run;
	for (i = 32; i < 256; i++)
		ut_set_handler(self->vcpu->vm, i, count);
}

FIXTURE_TEARDOWN(irq)
{
	ut_vm_free(self->vcpu->vm);
}

static void interrupt(struct ut_vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	ut_must_ioctl(vcpu->fd, KVM_INTERRUPT, &irq);
}

TEST_F(irq, each_vector)
{
	u32 v;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	for (v = 32; v < 256; v++) {
		interrupt(self->vcpu, v);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		ASSERT_EQ(v - 31, self->uc.arg[1]);
		ASSERT_EQ(v, self->uc.arg[2]);
	}
	/* And no more by itself. */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(256 - 32, self->uc.arg[1]);
}

/* Delivered twice, or with IF clear, shows as a handler inside of itself. */
static u64 inside, nested;

static void slow_count(struct ut_ex_regs *regs)
{
	int i;

	ut_write_once(nested, ut_read_once(nested) + ut_read_once(inside));
	ut_write_once(inside, 1);
	for (i = 0; i < 100000; i++)
		asm volatile("" : : : "memory");
	ut_write_once(inside, 0);
	ut_write_once(hits, ut_read_once(hits) + 1);
}

static void guest_nested(void)
{
	guest_sti();
	for (;;)
		guest_sync_args(1, ut_read_once(hits), ut_read_once(nested), 0);
}

#define MANY 1000

TEST_F(irq, exactly_once)
{
	int i;

	ut_set_handler(self->vcpu->vm, 0x50, slow_count);
	ut_restart(self->vcpu, guest_nested);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	for (i = 1; i <= MANY; i++) {
		interrupt(self->vcpu, 0x50);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		ASSERT_EQ(i, self->uc.arg[1]);
		ASSERT_EQ(0, self->uc.arg[2]);
	}
}

TEST_F(irq, visible_in_state)
{
	struct kvm_vcpu_events ev;
	struct kvm_sregs sregs;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	interrupt(self->vcpu, 0x77);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(1, ev.interrupt.injected);
	ASSERT_EQ(0x77, ev.interrupt.nr);
	ASSERT_EQ(0, ev.interrupt.soft);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(1ull << (0x77 & 63), sregs.interrupt_bitmap[0x77 / 64]);
	/* Taken back by user space: as if it had never been. */
	ev.interrupt.injected = 0;
	ut_set_events(self->vcpu, &ev);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[1]);
}

TEST_F(irq, by_events)
{
	struct kvm_vcpu_events ev;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ut_get_events(self->vcpu, &ev);
	ev.interrupt.injected = 1;
	ev.interrupt.nr = 0x88;
	ut_set_events(self->vcpu, &ev);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0x88, self->uc.arg[2]);
	ASSERT_EQ(1, self->uc.arg[1]);
}

TEST_F(irq, by_sregs)
{
	struct kvm_sregs sregs;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ut_get_sregs(self->vcpu, &sregs);
	sregs.interrupt_bitmap[2] = 1ull << 5;
	ut_set_sregs(self->vcpu, &sregs);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(128 + 5, self->uc.arg[2]);
}

static void guest_flags(void)
{
	guest_sync(1);
	guest_sti();
	asm volatile("nop");
	guest_sync(2);
	guest_cli();
	guest_sync(3);
	guest_done();
}

TEST_F(irq, run_page_tells)
{
	int i;

	ut_restart(self->vcpu, guest_flags);
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		ASSERT_EQ(i == 2, self->run->if_flag);
		ASSERT_EQ(i == 2, self->run->ready_for_interrupt_injection);
	}
}

static void guest_window(void)
{
	guest_sync(1);
	asm volatile("sti\n"
		     ".global window_shut\nwindow_shut:\n\tnop\n"
		     ".global window_open\nwindow_open:\n\tnop\n\tnop\n\tnop");
	guest_sync_args(2, ut_read_once(hits), 0, 0);
	guest_done();
}

TEST_F(irq, window_and_sti_shadow)
{
	struct kvm_regs regs;

	ut_restart(self->vcpu, guest_window);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	self->run->request_interrupt_window = 1;
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, self->run->exit_reason);
	ASSERT_EQ(1, self->run->if_flag);
	ASSERT_EQ(1, self->run->ready_for_interrupt_injection);
	/* One instruction after STI is still safe. */
	ut_get_regs(self->vcpu, &regs);
	ASSERT_EQ(ut_label(window_open), regs.rip);
	interrupt(self->vcpu, 0x99);
	self->run->request_interrupt_window = 0;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(1, self->uc.arg[1]);
}

/* Not asked for, not given. */
TEST_F(irq, no_window_by_itself)
{
	ut_restart(self->vcpu, guest_window);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(2, self->uc.arg[0]);
}

TEST_F(irq, window_already_open)
{
	struct kvm_regs before, after;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	/* Finish the output first: what is under test is the run that finds it open. */
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	self->run->immediate_exit = 0;
	self->run->request_interrupt_window = 1;
	ut_get_regs(self->vcpu, &before);
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, self->run->exit_reason);
	ut_get_regs(self->vcpu, &after);
	ASSERT_EQ(before.rip, after.rip);
}

/* A shadow that user space sets covers exactly one instruction. */
static u64 rip_of_window(struct ut_vcpu *vcpu, u8 shadow)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs regs;

	ut_restart(vcpu, guest_window);
	ut_get_regs(vcpu, &regs);
	regs.rip = ut_label(window_shut);
	regs.rflags |= UT_RFLAGS_IF;
	ut_set_regs(vcpu, &regs);
	ut_get_events(vcpu, &ev);
	ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
	ev.interrupt.shadow = shadow;
	ut_set_events(vcpu, &ev);
	vcpu->run->request_interrupt_window = 1;
	if (ut_run(vcpu) || vcpu->run->exit_reason != KVM_EXIT_IRQ_WINDOW_OPEN)
		ut_die("no window, but %s", ut_exit_name(vcpu->run->exit_reason));
	ut_get_regs(vcpu, &regs);
	return regs.rip;
}

TEST_F(irq, shadows)
{
	ASSERT_EQ(ut_label(window_shut), rip_of_window(self->vcpu, 0));
	if (ut_emulated_by("qemu"))
		SKIP(return, "QEMU's processor ignores a shadow at entry");
	if (ut_emulated_by("bochs") && !ut_on_vmx())
		SKIP(return, "Bochs ends at a trap of TF in AMD-V");
	if (ut_faults_end_shadow())
		SKIP(return, "Bochs reports no blocking by STI with an exit by a page fault");
	ASSERT_EQ(ut_label(window_open), rip_of_window(self->vcpu, KVM_X86_SHADOW_INT_STI));
	ASSERT_EQ(ut_label(window_open), rip_of_window(self->vcpu, KVM_X86_SHADOW_INT_MOV_SS));
}

static void guest_mov_ss(void)
{
	guest_sti();
	/* From a device, so that the emulator does it. */
	asm volatile("movw (%0), %%ss\n\tnop\n\tnop" : : "r"(UT_MMIO_GPA) : "memory");
	guest_sync_args(2, ut_read_once(hits), 0, 0);
	guest_done();
}

TEST_F(irq, mov_ss_shadow)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs before, after;

	ut_restart(self->vcpu, guest_mov_ss);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
	ASSERT_EQ(2, self->run->mmio.len);
	ut_get_regs(self->vcpu, &before);
	self->run->mmio.data[0] = UT_SEL_DATA;
	self->run->mmio.data[1] = 0;
	/* Complete it and stop right behind: the next instruction is in the shadow. */
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	self->run->immediate_exit = 0;
	ut_get_regs(self->vcpu, &after);
	ASSERT_LT(before.rip, after.rip);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(KVM_X86_SHADOW_INT_MOV_SS, ev.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS);
	ASSERT_EQ(1, self->run->if_flag);
	ASSERT_EQ(0, self->run->ready_for_interrupt_injection);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(0, ev.interrupt.shadow);
}

static void guest_hlt_loop(void)
{
	for (;;) {
		asm volatile("sti\n\thlt\n\tcli");
		guest_sync_args(1, ut_read_once(hits), 0, 0);
	}
}

TEST_F(irq, wakes_from_hlt)
{
	int i;

	ut_restart(self->vcpu, guest_hlt_loop);
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_HLT, self->run->exit_reason);
		ASSERT_EQ(1, self->run->if_flag);
		ASSERT_EQ(1, self->run->ready_for_interrupt_injection);
		interrupt(self->vcpu, 0x30 + i);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		ASSERT_EQ(i, self->uc.arg[1]);
	}
}

TEST_HARNESS_MAIN
