// SPDX-License-Identifier: GPL-2.0
/*
 * HLT with the chips in the kernel: who may end it, what is no reason to, that no wake-up is
 * lost, and that a guest that waits costs the host no processor time.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x50
#define IDLE_MS		400
#define ROUNDS		300

FIXTURE(hlt) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(hlt)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(hlt)
{
	ut_vm_free(self->vm);
}

static u64 woken, nmis;

static void count_nmi(struct ut_ex_regs *regs)
{
	(void)regs;
	ut_write_once(nmis, ut_read_once(nmis) + 1);
}

static void guest_sleeper(void)
{
	guest_apic_on();
	for (;;) {
		guest_sti_hlt();
		guest_cli();
		ut_write_once(woken, ut_read_once(woken) + 1);
	}
}

static u64 wakes(struct ut_vm *vm)
{
	return ut_read_once(*ut_guest_var(vm, woken));
}

/* In HLT, as its thread makes no progress. */
static void wait_for_sleep(struct ut_runner *runner)
{
	ut_wait(({
		u64 before = ut_runner_cpu_us(runner);

		ut_msleep(20);
		before && ut_runner_cpu_us(runner) == before;
	}));
}

static struct ut_runner *sleeper(struct ut_vcpu *vcpu)
{
	struct ut_runner *runner;

	ut_set_handler(vcpu->vm, UT_NMI_VECTOR, count_nmi);
	ut_restart(vcpu, guest_sleeper);
	runner = ut_runner_start(vcpu);
	wait_for_sleep(runner);
	return runner;
}

/* The thread's own clock stands still. One millisecond is for the host's own doings. */
TEST_F_TIMEOUT(hlt, costs_nothing, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);
	u64 before = ut_runner_cpu_us(runner);

	ut_msleep(IDLE_MS);
	EXPECT_GE(1000, ut_runner_cpu_us(runner) - before);
	EXPECT_EQ(0, wakes(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(KVM_MP_STATE_HALTED, ut_mp_state(self->vcpu));
}

TEST_F_TIMEOUT(hlt, msi, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);
	u64 i;

	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR));
		ut_wait(ut_hits(self->vm, 0, VECTOR) >= i);
	}
	ASSERT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR), ROUNDS));
	/* One may come before the last HLT's end has been counted. */
	ASSERT_LT(0, wakes(self->vm));
	ASSERT_GE(ut_hits(self->vm, 0, VECTOR), wakes(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

/* Without sleep in between: some find it awake, some halfway to sleep. */
TEST_F_TIMEOUT(hlt, msi_without_pause, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);
	u64 i;

	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR));
		while (ut_hits(self->vm, 0, VECTOR) < i)
			;
	}
	ASSERT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR), ROUNDS));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

TEST_F_TIMEOUT(hlt, line_through_the_8259, UT_IRQ_TIMEOUT)
{
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct ut_runner *runner;
	u64 i;

	/* As if the guest had programmed it: vectors from 0x50, all masked but IRQ 4, AEOI. */
	ut_must_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &pic);
	pic.chip.pic.irq_base = VECTOR;
	pic.chip.pic.imr = 0xef;
	pic.chip.pic.auto_eoi = 1;
	pic.chip.pic.init4 = 1;
	ut_must_ioctl(self->vm->fd, KVM_SET_IRQCHIP, &pic);
	ut_set_handler(self->vm, VECTOR + 4, guest_irq_count);
	runner = sleeper(self->vcpu);
	for (i = 1; i <= 50; i++) {
		ut_line(self->vm, 4, 1);
		ut_line(self->vm, 4, 0);
		ut_wait(ut_hits(self->vm, 0, VECTOR + 4) >= i);
	}
	ASSERT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR + 4), 50));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

TEST_F_TIMEOUT(hlt, nmi, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);
	u64 i;

	for (i = 1; i <= 50; i++) {
		/* Delivery mode NMI of an MSI, and the call. */
		if (i & 1) {
			ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, UT_DM_NMI));
		} else {
			ASSERT_EQ(-EINTR, ut_runner_stop(runner));
			ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
			runner = ut_runner_start(self->vcpu);
		}
		/* It may come just before HLT, which it then does not end. */
		ut_wait(ut_read_once(*ut_guest_var(self->vm, nmis)) >= i);
	}
	ASSERT_LT(0, wakes(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

/* Interrupts off: what is pending does not wake it, an NMI does. */
static void guest_deep_sleep(void)
{
	guest_apic_on();
	guest_cli();
	guest_hlt();
	ut_write_once(woken, 1);
	GUEST_ASSERT(guest_apic_bit(UT_APIC_IRR, VECTOR));
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	guest_take_all();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	guest_done();
}

TEST_F_TIMEOUT(hlt, interrupts_off, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	ut_set_handler(self->vm, UT_NMI_VECTOR, count_nmi);
	ut_lapic_set_reg(self->vcpu, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
	ut_restart(self->vcpu, guest_deep_sleep);
	runner = ut_runner_start(self->vcpu);
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR));
	wait_for_sleep(runner);
	ASSERT_EQ(0, wakes(self->vm));
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, UT_DM_NMI));
	ASSERT_EQ(UT_DONE, ut_runner_join(runner));
}

/* Held back by TPR it is no reason either. */
static void guest_high_priority(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_TPR, 0x60);
	guest_sti_hlt();
	guest_cli();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	GUEST_ASSERT_EQ(guest_hits(0x71), 1);
	guest_apic_write(UT_APIC_TPR, 0);
	guest_take_all();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	guest_done();
}

TEST_F_TIMEOUT(hlt, held_back_by_tpr, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	ut_lapic_set_reg(self->vcpu, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
	ut_restart(self->vcpu, guest_high_priority);
	runner = ut_runner_start(self->vcpu);
	ut_wait(ut_msi(self->vm, UT_APIC_GPA, 0x41) == 1);
	ut_msleep(20);
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR));
	ut_msleep(50);
	ASSERT_FALSE(ut_read_once(runner->ended));
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, 0x71));
	ASSERT_EQ(UT_DONE, ut_runner_join(runner));
}

/* A signal ends KVM_RUN and not HLT. */
TEST_F_TIMEOUT(hlt, signals, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(-EINTR, ut_runner_stop(runner));
		ASSERT_EQ(KVM_MP_STATE_HALTED, ut_mp_state(self->vcpu));
		ASSERT_EQ(0, wakes(self->vm));
		runner = ut_runner_start(self->vcpu);
	}
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR));
	ut_wait(wakes(self->vm) == 1);
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

/* KVM_CAP_X86_DISABLE_EXITS must not be what makes HLT cheap here: no exit reaches us. */
TEST_F_TIMEOUT(hlt, is_no_exit, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = sleeper(self->vcpu);

	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(KVM_EXIT_INTR, self->vcpu->run->exit_reason);
}

TEST_HARNESS_MAIN
