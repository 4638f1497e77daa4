// SPDX-License-Identifier: GPL-2.0
/*
 * The task priority between guest, local APIC and user space: exits that report accesses,
 * and the page through which a patched guest changes it without one.
 */
#include "irq.h"
#include "kselftest_harness.h"

#define VAPIC_GPA	0x40000000ull	/* a slot of its own */
#define TPR		(UT_APIC_GPA + UT_APIC_TPR)

FIXTURE(tpr) {
	struct ut_vm *vm;
};

FIXTURE_SETUP(tpr)
{
	self->vm = ut_irq_vm();
}

FIXTURE_TEARDOWN(tpr)
{
	ut_vm_free(self->vm);
}

static void report(struct ut_vcpu *vcpu, int on)
{
	struct kvm_tpr_access_ctl ctl = { .enabled = on };

	ut_must_ioctl(vcpu->fd, KVM_TPR_ACCESS_REPORTING, &ctl);
}

static void guest_accesses(void)
{
	guest_sync(1);
	guest_write32(TPR, 0x30);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x30);
	guest_sync(2);
	guest_write32(TPR, 0x40);
	guest_done();
}

/* The instruction is over when user space is told, and its address is what is told. */
TEST_F(tpr, accesses_are_reported)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_accesses);
	struct ut_ucall uc;
	u64 first;

	ut_until(vcpu, 1);
	report(vcpu, 1);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, &uc));
	ASSERT_EQ((u32)KVM_EXIT_TPR_ACCESS, vcpu->run->exit_reason);
	ASSERT_EQ(1, vcpu->run->tpr_access.is_write);
	ASSERT_EQ(0x30u, ut_lapic_reg(vcpu, UT_APIC_TPR));
	first = vcpu->run->tpr_access.rip;
	ASSERT_NE(0, first);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, &uc));
	ASSERT_EQ((u32)KVM_EXIT_TPR_ACCESS, vcpu->run->exit_reason);
	ASSERT_EQ(0, vcpu->run->tpr_access.is_write);
	ASSERT_NE(first, vcpu->run->tpr_access.rip);
	report(vcpu, 0);
	ut_until(vcpu, 2);
	ut_until(vcpu, UT_UNTIL_DONE);
}

static void guest_page(void)
{
	guest_apic_on();
	/* 1: by the page alone. */
	guest_write8(VAPIC_GPA, 0x50);
	guest_sync(1);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x50);
	/* 2: a vector waits, which the page shows. */
	guest_write8(VAPIC_GPA, 0x60);
	guest_apic_icr(0, UT_ICR_SELF | 0x41);
	guest_sync(2);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x60);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA + 3), 0x41);
	/* 3: the page lets it in. */
	guest_sti();
	GUEST_ASSERT_EQ(guest_hits(0x41), 0);
	guest_write8(VAPIC_GPA, 0x30);
	guest_sync(3);
	guest_wait_hits(0x41, 1);
	guest_done();
}

static void set_page(struct ut_vcpu *vcpu)
{
	struct kvm_vapic_addr vapic = { .vapic_addr = VAPIC_GPA };

	ut_must_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic);
}

TEST_F(tpr, page_stands_for_it)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_page);

	ut_add_slot(self->vm, 1, VAPIC_GPA, UT_PAGE_SIZE, 0);
	ut_map(self->vm, VAPIC_GPA, VAPIC_GPA, 1, UT_PTE_W);
	set_page(vcpu);
	ut_until(vcpu, 1);
	ut_until(vcpu, 2);
	ut_until(vcpu, 3);
	ut_until(vcpu, UT_UNTIL_DONE);
}

/* Written past the page: it is the page that follows. */
static void guest_past_the_page(void)
{
	guest_apic_on();
	guest_write32(TPR, 0x50);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x50);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x50);
	guest_write_cr8(6);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x60);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x60);
	/* The write of the page came first. */
	guest_write8(VAPIC_GPA, 0x30);
	guest_write32(TPR, 0x40);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x40);
	guest_sync(1);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x70);
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x70);
	guest_done();
}

TEST_F(tpr, page_follows)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_past_the_page);

	if (!ut_on_umbra())
		SKIP(return, "on KVM the page undoes what it was not told in time");
	ut_add_slot(self->vm, 1, VAPIC_GPA, UT_PAGE_SIZE, 0);
	ut_map(self->vm, VAPIC_GPA, VAPIC_GPA, 1, UT_PTE_W);
	set_page(vcpu);
	ut_until(vcpu, 1);
	ut_lapic_set_reg(vcpu, UT_APIC_TPR, 0x70);
	ut_until(vcpu, UT_UNTIL_DONE);
}

static void guest_finds_page(void)
{
	GUEST_ASSERT_EQ(guest_read8(VAPIC_GPA), 0x20);
	GUEST_ASSERT_EQ(guest_read32(TPR), 0x20);
	guest_done();
}

/* A local APIC that had a priority before there was a page. */
TEST_F(tpr, page_comes_later)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_finds_page);
	u8 *page = ut_add_slot(self->vm, 1, VAPIC_GPA, UT_PAGE_SIZE, 0);

	if (!ut_on_umbra())
		SKIP(return, "on KVM the page undoes what it was not told in time");
	ut_lapic_set_reg(vcpu, UT_APIC_TPR, 0x20);
	*page = 0x90;
	ut_map(self->vm, VAPIC_GPA, VAPIC_GPA, 1, UT_PTE_W);
	set_page(vcpu);
	ut_until(vcpu, UT_UNTIL_DONE);
}

static void guest_sleeps(void)
{
	guest_apic_on();
	guest_write8(VAPIC_GPA, 0x50);
	guest_apic_icr(0, UT_ICR_SELF | 0x41);
	guest_write8(VAPIC_GPA, 0);
	guest_sti_hlt();
	GUEST_ASSERT_EQ(guest_hits(0x41), 1);
	guest_done();
}

/* The page lets in what waits, and the next exit is a HLT: it must not sleep. */
TEST_F(tpr, page_before_hlt)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_sleeps);

	ut_add_slot(self->vm, 1, VAPIC_GPA, UT_PAGE_SIZE, 0);
	ut_map(self->vm, VAPIC_GPA, VAPIC_GPA, 1, UT_PTE_W);
	set_page(vcpu);
	ut_until(vcpu, UT_UNTIL_DONE);
}

/* Memory that goes away takes the page along, and nothing else. */
TEST_F(tpr, page_goes_away)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_accesses);

	ut_add_slot(self->vm, 1, VAPIC_GPA, UT_PAGE_SIZE, 0);
	set_page(vcpu);
	ut_until(vcpu, 1);
	ut_del_slot(self->vm, 1);
	ut_until(vcpu, 2);
	ut_until(vcpu, UT_UNTIL_DONE);
}

TEST_F(tpr, page_outside_of_memory)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(self->vm, 0, guest_accesses);
	struct kvm_vapic_addr vapic = { .vapic_addr = 0xfffffffff000ull };

	if (!ut_on_umbra())
		SKIP(return, "the reference takes any address");
	ASSERT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
	vapic.vapic_addr = 0;
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_VAPIC_ADDR, &vapic));
}

TEST_HARNESS_MAIN
