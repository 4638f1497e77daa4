// SPDX-License-Identifier: GPL-2.0
/*
 * A VM without interrupt controllers in the kernel: the calls that need them refuse, and
 * change nothing.
 */
#include <sys/eventfd.h>
#include "irq.h"
#include "kselftest_harness.h"

FIXTURE(bare) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

static void guest_nop(void)
{
	guest_done();
}

FIXTURE_SETUP(bare)
{
	self->vm = ut_irq_vm_bare();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_nop);
}

FIXTURE_TEARDOWN(bare)
{
	ut_vm_free(self->vm);
}

TEST_F(bare, vcpu_calls)
{
	struct kvm_tpr_access_ctl tpr = { .enabled = 1, .flags = 1 };
	struct kvm_vapic_addr vapic = { .vapic_addr = 0x1000 };
	struct kvm_lapic_state state = { 0 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_GET_LAPIC, &state));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_LAPIC, &state));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_TPR_ACCESS_REPORTING, &tpr));
	tpr.flags = 0;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_TPR_ACCESS_REPORTING, &tpr));
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(bare, states_that_nobody_ends)
{
	struct kvm_mp_state state;
	u32 s;

	for (s = KVM_MP_STATE_UNINITIALIZED; s <= KVM_MP_STATE_SIPI_RECEIVED; s++) {
		state.mp_state = s;
		ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_MP_STATE, &state));
		ASSERT_EQ((u32)KVM_MP_STATE_RUNNABLE, ut_mp_state(self->vcpu));
	}
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(bare, vm_calls)
{
	struct kvm_irqfd irqfd = { .fd = eventfd(0, EFD_CLOEXEC), .gsi = 4 };
	struct kvm_irq_level line = { .irq = 4, .level = 1 };
	struct kvm_msi msi = { .address_lo = UT_APIC_GPA, .data = 0x40 };
	struct kvm_irq_routing routing = { .nr = 0 };
	struct kvm_pit_config config = { .flags = 0 };
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_pit_state2 pit;

	ASSERT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_IRQ_LINE, &line));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &chip));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_SET_IRQCHIP, &chip));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vm->fd, KVM_GET_PIT2, &pit));
	/* Linux 6.1's KVM makes one that interrupts nobody; later ones do not. */
	if (ut_on_umbra())
		ASSERT_EQ(-ENOENT, ut_ioctl(self->vm->fd, KVM_CREATE_PIT2, &config));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_IRQFD, &irqfd));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_SET_GSI_ROUTING, &routing));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_SIGNAL_MSI, &msi));
	/* Too late for one. */
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CREATE_IRQCHIP, 0));
}

/* The first write is a write to memory that is not there. */
static void guest_asks_apic(void)
{
	guest_write32(UT_APIC_GPA + UT_APIC_EOI, 0);
	guest_done();
}

TEST_F(bare, page_is_user_spaces)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 1, guest_asks_apic);
	struct ut_ucall uc;

	ASSERT_EQ(UT_EXIT, ut_next(vcpu, &uc));
	ASSERT_EQ((u32)KVM_EXIT_MMIO, vcpu->run->exit_reason);
	ASSERT_EQ(UT_APIC_GPA + UT_APIC_EOI, vcpu->run->mmio.phys_addr);
	ut_until(vcpu, UT_UNTIL_DONE);
}

TEST_HARNESS_MAIN
