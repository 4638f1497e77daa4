// SPDX-License-Identifier: GPL-2.0
/*
 * The chips as user space divides them: all in the kernel, local APICs only
 * (KVM_CAP_SPLIT_IRQCHIP), none. What is refused where, EOIs for an I/O APIC in user space,
 * the first vCPU's number, and reports of TPR accesses.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x60
#define PINS		24
#define MSI_LEVEL	BIT_ULL(15)

FIXTURE(chips) {
	struct ut_vm *vm;
};

FIXTURE_SETUP(chips)
{
	self->vm = ut_irq_vm_bare();
}

FIXTURE_TEARDOWN(chips)
{
	ut_vm_free(self->vm);
}

static int split(struct ut_vm *vm, u64 pins)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args[0] = pins };

	return ut_ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static int interrupt(struct ut_vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return ut_ioctl(vcpu->fd, KVM_INTERRUPT, &irq);
}

TEST_F(chips, offered)
{
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_IRQCHIP));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_SPLIT_IRQCHIP));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_IRQFD));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_IRQFD_RESAMPLE));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_SIGNAL_MSI));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_PIT2));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_PIT_STATE2));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_MP_STATE));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_SET_BOOT_CPU_ID));
	EXPECT_LE(1024, ut_cap(self->vm->fd, KVM_CAP_IRQ_ROUTING));
}

TEST_F(chips, only_once_and_before_vcpus)
{
	EXPECT_EQ(0, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, split(self->vm, PINS));
	ut_vcpu_long(self->vm, 0, guest_done);
	EXPECT_EQ(-EEXIST, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
}

TEST_F(chips, not_after_vcpus)
{
	ut_vcpu_long(self->vm, 0, guest_done);
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-EEXIST, split(self->vm, PINS));
}

TEST_F(chips, split_is_exclusive)
{
	EXPECT_EQ(-EINVAL, split(self->vm, 100000));
	EXPECT_EQ(0, split(self->vm, PINS));
	EXPECT_EQ(-EEXIST, split(self->vm, PINS));
	EXPECT_EQ(-EEXIST, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
}

/* What needs a chip says so. */
TEST_F(chips, calls_without_chips)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_irq_level line = { .irq = 4, .level = 1 };
	struct kvm_lapic_state state;

	memset(&state, 0, sizeof(state));
	EXPECT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_IRQ_LINE, &line));
	EXPECT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_GET_LAPIC, &state));
	EXPECT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_LAPIC, &state));
	EXPECT_EQ(0, interrupt(vcpu, 0x40));
	EXPECT_EQ(-EINVAL, interrupt(vcpu, 256));
}

TEST_F(chips, calls_with_chips)
{
	struct ut_vcpu *vcpu;

	ut_must_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0);
	vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	EXPECT_EQ(-ENXIO, interrupt(vcpu, 0x40));
	EXPECT_EQ(-EINVAL, interrupt(vcpu, 256));
}

TEST_F(chips, calls_with_half_of_them)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_lapic_state state;
	struct ut_vcpu *vcpu;

	ASSERT_EQ(0, split(self->vm, PINS));
	vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	EXPECT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(0, ut_ioctl(vcpu->fd, KVM_GET_LAPIC, &state));
	/* The 8259 is user space's: one interrupt of it may wait at a time. */
	EXPECT_EQ(0, interrupt(vcpu, 0x40));
	EXPECT_EQ(-EEXIST, interrupt(vcpu, 0x41));
}

/* The I/O APIC is user space's: it hears of EOIs of levels that it has routed. */
static void guest_split(void)
{
	guest_apic_on();
	guest_sync(1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_sync(2);
	GUEST_ASSERT_TAKEN(VECTOR + 1, 1);
	guest_done();
}

TEST_F(chips, eoi_for_user_space)
{
	struct ut_vcpu *vcpu;
	struct kvm_run *run;

	ASSERT_EQ(0, split(self->vm, PINS));
	vcpu = ut_vcpu_long(self->vm, 0, guest_split);
	run = vcpu->run;
	ut_until(vcpu, 1);
	ut_route_msi(self->vm, 9, UT_APIC_GPA, VECTOR | MSI_LEVEL | UT_ICR_ASSERT);
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR | MSI_LEVEL | UT_ICR_ASSERT));
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IOAPIC_EOI, run->exit_reason);
	ASSERT_EQ(VECTOR, run->eoi.vector);
	ut_until(vcpu, 2);
	/* An edge needs none. */
	ut_route_msi(self->vm, 9, UT_APIC_GPA, VECTOR + 1);
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA, VECTOR + 1));
	ut_until(vcpu, UT_UNTIL_DONE);
}

/* The 8259 in user space asks for the window and gives the vector. */
static void guest_extint(void)
{
	guest_apic_on();
	guest_sync(1);
	guest_sti();
	while (!guest_hits(0x51))
		guest_pause();
	guest_cli();
	guest_done();
}

TEST_F(chips, vector_from_user_space)
{
	struct ut_vcpu *vcpu;

	ASSERT_EQ(0, split(self->vm, PINS));
	vcpu = ut_vcpu_long(self->vm, 0, guest_extint);
	ut_set_handler(self->vm, 0x51, guest_irq_count);
	ut_until(vcpu, 1);
	vcpu->run->request_interrupt_window = 1;
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, vcpu->run->exit_reason);
	ASSERT_EQ(1, vcpu->run->ready_for_interrupt_injection);
	vcpu->run->request_interrupt_window = 0;
	ASSERT_EQ(0, interrupt(vcpu, 0x51));
	ut_until(vcpu, UT_UNTIL_DONE);
	EXPECT_EQ(1, ut_hits(self->vm, 0, 0x51));
}

/* LINT0 is shut: user space may ask for what it likes, the guest gets on, until it opens it. */
static void guest_shuts_lint0(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_LVT0, UT_LVT_MASKED);
	guest_sti();
	guest_sync(1);
	guest_sync(2);
	guest_apic_write(UT_APIC_LVT0, UT_DM_EXTINT);
	while (!guest_hits(0x51))
		guest_pause();
	guest_cli();
	guest_done();
}

TEST_F_TIMEOUT(chips, window_behind_lint0, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *vcpu;

	ASSERT_EQ(0, split(self->vm, PINS));
	vcpu = ut_vcpu_long(self->vm, 0, guest_shuts_lint0);
	ut_set_handler(self->vm, 0x51, guest_irq_count);
	ut_until(vcpu, 1);
	vcpu->run->request_interrupt_window = 1;
	ut_until(vcpu, 2);
	EXPECT_EQ(0, vcpu->run->ready_for_interrupt_injection);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, vcpu->run->exit_reason);
	ASSERT_EQ(1, vcpu->run->ready_for_interrupt_injection);
	vcpu->run->request_interrupt_window = 0;
	ASSERT_EQ(0, interrupt(vcpu, 0x51));
	ut_until(vcpu, UT_UNTIL_DONE);
	EXPECT_EQ(1, ut_hits(self->vm, 0, 0x51));
}

/* Ports and the page of the I/O APIC are user space's. */
static void guest_touches(void)
{
	guest_apic_on();
	guest_inb(0x21);
	guest_inb(0x40);
	guest_read32(UT_IOAPIC_GPA);
	guest_done();
}

TEST_F(chips, half_leaves_the_rest)
{
	struct ut_vcpu *vcpu;
	int i;

	ASSERT_EQ(0, split(self->vm, PINS));
	vcpu = ut_vcpu_long(self->vm, 0, guest_touches);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
		ASSERT_EQ(i ? 0x40 : 0x21, vcpu->run->io.port);
	}
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	ASSERT_EQ(UT_IOAPIC_GPA, vcpu->run->mmio.phys_addr);
	ut_until(vcpu, UT_UNTIL_DONE);
}

/* ---- the first vCPU's number ---- */

TEST_F(chips, boot_cpu_id)
{
	struct ut_vcpu *first, *other;
	struct kvm_sregs sregs;

	ut_must_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0);
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 3));
	other = ut_vcpu_new(self->vm, 0);
	first = ut_vcpu_new(self->vm, 3);
	ut_get_sregs(first, &sregs);
	EXPECT_EQ(UT_APICBASE_BSP, sregs.apic_base & UT_APICBASE_BSP);
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, ut_mp_state(first));
	EXPECT_EQ(UT_DM_EXTINT, ut_lapic_reg(first, UT_APIC_LVT0));
	ut_get_sregs(other, &sregs);
	EXPECT_EQ(0, sregs.apic_base & UT_APICBASE_BSP);
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, ut_mp_state(other));
	/* Too late. */
	EXPECT_EQ(-EBUSY, ut_ioctl(self->vm->fd, KVM_SET_BOOT_CPU_ID, 0));
}

/* ---- TPR accesses ---- */

static void guest_tpr(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_TPR, 0x20);
	guest_apic_read(UT_APIC_TPR);
	guest_done();
}

TEST_F(chips, tpr_access_reporting)
{
	struct kvm_tpr_access_ctl ctl = { .enabled = 1 };
	struct ut_vcpu *vcpu;
	int i;

	ut_must_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0);
	vcpu = ut_vcpu_long(self->vm, 0, guest_tpr);
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_TPR_ACCESS_REPORTING, &ctl));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_TPR_ACCESS, vcpu->run->exit_reason);
		ASSERT_EQ(!i, vcpu->run->tpr_access.is_write);
		ASSERT_NE(0, vcpu->run->tpr_access.rip);
	}
	ut_until(vcpu, UT_UNTIL_DONE);
	ctl.enabled = 0;
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_TPR_ACCESS_REPORTING, &ctl));
	ut_restart(vcpu, guest_tpr);
	ut_until(vcpu, UT_UNTIL_DONE);
}

TEST_F(chips, vapic_addr)
{
	struct kvm_vapic_addr addr = { .vapic_addr = UT_FREE_GPA };
	struct ut_vcpu *vcpu;
	struct ut_vm *bare;

	ut_must_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0);
	vcpu = ut_vcpu_long(self->vm, 0, guest_tpr);
	EXPECT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &addr));
	ut_until(vcpu, UT_UNTIL_DONE);
	/* None any more. */
	addr.vapic_addr = 0;
	EXPECT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &addr));
	/* No memory there. */
	addr.vapic_addr = 0x7ffffff000ull;
	EXPECT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &addr));
	EXPECT_EQ(-EFAULT, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, 8));
	EXPECT_EQ(-EFAULT, ut_ioctl(vcpu->fd, KVM_TPR_ACCESS_REPORTING, 8));
	bare = ut_irq_vm_bare();
	vcpu = ut_vcpu_long(bare, 0, guest_done);
	EXPECT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &addr));
	ut_vm_free(bare);
}

TEST_HARNESS_MAIN
