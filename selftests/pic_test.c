// SPDX-License-Identifier: GPL-2.0
/*
 * The pair of 8259A interrupt controllers, as PC software programs them, and the way of their
 * interrupts through LINT0 of the local APIC.
 */
#include <kselftest_harness.h>
#include "irq.h"

#define PIC1		UT_PIC1
#define PIC2		UT_PIC2
#define ELCR1		0x4d0
#define ELCR2		0x4d1
#define BASE1		0x40
#define BASE2		0x48

#define ICW1		0x11		/* ICW4 follows, cascade, edges */
#define ICW4		0x01		/* 8086 */
#define ICW4_AUTO_EOI	0x02
#define ICW4_NESTED	0x10		/* special fully nested */
#define OCW2_EOI	0x20
#define OCW2_SPECIFIC	0x60
#define OCW2_ROTATE_EOI	0xa0
#define OCW2_ROTATE_SPECIFIC	0xe0
#define OCW2_PRIORITY	0xc0
#define OCW3_IRR	0x0a
#define OCW3_ISR	0x0b
#define OCW3_POLL	0x0c

FIXTURE(pic) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(pic)
{
	int i;

	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	for (i = 0; i < 16; i++)
		ut_set_handler(self->vm, BASE1 + i, guest_irq_count);
}

FIXTURE_TEARDOWN(pic)
{
	ut_vm_free(self->vm);
}

static void set_up(u8 icw4)
{
	guest_pic_init(PIC1, BASE1, 4, icw4);
	guest_pic_init(PIC2, BASE2, 2, icw4);
}

static u8 irr(u16 port)
{
	guest_outb(port, OCW3_IRR);
	return guest_inb(port);
}

static u8 isr(u16 port)
{
	guest_outb(port, OCW3_ISR);
	return guest_inb(port);
}

static void pulse(u64 line)
{
	guest_line(line, 1);
	guest_line(line, 0);
}

static u64 hits(int line)
{
	return guest_hits(BASE1 + line);
}

static void guest_all_lines(void)
{
	int i;

	set_up(ICW4);
	for (i = 0; i < 16; i++) {
		if (i == 2)
			continue;
		guest_line(i, 1);
		GUEST_ASSERT_TAKEN(BASE1 + i, 1);
		GUEST_ASSERT_EQ(isr(i < 8 ? PIC1 : PIC2), 1u << (i & 7));
		GUEST_ASSERT_EQ(isr(PIC1), i < 8 ? 1u << i : 4);
		if (i >= 8)
			guest_outb(PIC2, OCW2_EOI);
		guest_outb(PIC1, OCW2_EOI);
		GUEST_ASSERT_EQ(isr(PIC1), 0);
		GUEST_ASSERT_EQ(isr(PIC2), 0);
		/* High still, but an edge counts once. */
		GUEST_ASSERT_TAKEN(BASE1 + i, 1);
		guest_line(i, 0);
	}
	guest_done();
}

TEST_F(pic, each_line)
{
	ut_run_with_lines(self->vcpu, guest_all_lines);
}

static void guest_masks(void)
{
	set_up(ICW4);
	guest_outb(PIC1 + 1, 0xfb & ~0x08);
	guest_outb(PIC2 + 1, 0xff);
	GUEST_ASSERT_EQ(guest_inb(PIC1 + 1), 0xf3);
	GUEST_ASSERT_EQ(guest_inb(PIC2 + 1), 0xff);
	guest_line(4, 1);
	guest_line(3, 1);
	guest_line(9, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 3, 1);
	GUEST_ASSERT_EQ(hits(4), 0);
	GUEST_ASSERT_EQ(hits(9), 0);
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_EQ(irr(PIC1) & 0x10, 0x10);
	GUEST_ASSERT_EQ(irr(PIC2), 2);
	/* Behind the mask it has waited. */
	guest_outb(PIC1 + 1, 0);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 1);
	guest_outb(PIC1, OCW2_EOI);
	guest_outb(PIC2 + 1, 0);
	GUEST_ASSERT_TAKEN(BASE1 + 9, 1);
	guest_outb(PIC2, OCW2_EOI);
	guest_outb(PIC1, OCW2_EOI);
	/* ICW1 unmasks and forgets. */
	guest_outb(PIC1 + 1, 0x55);
	set_up(ICW4);
	GUEST_ASSERT_EQ(guest_inb(PIC1 + 1), 0);
	guest_done();
}

TEST_F(pic, masks)
{
	ut_run_with_lines(self->vcpu, guest_masks);
}

/* The lower number first; one in service keeps back what is below, not what is above. */
static void guest_priorities(void)
{
	set_up(ICW4);
	guest_line(5, 1);
	guest_line(3, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 3, 1);
	GUEST_ASSERT_EQ(hits(5), 0);
	guest_line(1, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 1, 1);
	GUEST_ASSERT_EQ(isr(PIC1), 0x0a);
	/* EOI without a number is for the highest. */
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_EQ(isr(PIC1), 0x08);
	GUEST_ASSERT_TAKEN(BASE1 + 5, 0);
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_TAKEN(BASE1 + 5, 1);
	guest_outb(PIC1, OCW2_EOI);
	guest_done();
}

TEST_F(pic, priorities)
{
	ut_run_with_lines(self->vcpu, guest_priorities);
}

static void guest_specific(void)
{
	set_up(ICW4);
	guest_line(6, 1);
	guest_take_all();
	guest_line(1, 1);
	guest_take_all();
	GUEST_ASSERT_EQ(isr(PIC1), 0x42);
	guest_outb(PIC1, OCW2_SPECIFIC | 6);
	GUEST_ASSERT_EQ(isr(PIC1), 0x02);
	guest_outb(PIC1, OCW2_SPECIFIC | 1);
	GUEST_ASSERT_EQ(isr(PIC1), 0);
	guest_done();
}

TEST_F(pic, specific_eoi)
{
	ut_run_with_lines(self->vcpu, guest_specific);
}

/* Who has been served goes to the end of the queue. */
static void guest_rotation(void)
{
	set_up(ICW4);
	guest_line(3, 1);
	guest_take_all();
	guest_outb(PIC1, OCW2_ROTATE_EOI);
	guest_line(3, 0);
	/* Now 4 is the highest and 3 the lowest. */
	guest_line(3, 1);
	guest_line(4, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 1);
	GUEST_ASSERT_EQ(hits(3), 1);
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_TAKEN(BASE1 + 3, 2);
	guest_outb(PIC1, OCW2_ROTATE_SPECIFIC | 3);
	GUEST_ASSERT_EQ(isr(PIC1), 0);
	guest_line(3, 0);
	guest_line(4, 0);
	/* By command: 7 the lowest, as at the start. */
	guest_outb(PIC1, OCW2_PRIORITY | 7);
	guest_line(3, 1);
	guest_line(4, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 3, 3);
	GUEST_ASSERT_EQ(hits(4), 1);
	guest_done();
}

TEST_F(pic, rotation)
{
	ut_run_with_lines(self->vcpu, guest_rotation);
}

static void guest_auto_eoi(void)
{
	int i;

	set_up(ICW4 | ICW4_AUTO_EOI);
	for (i = 1; i <= 5; i++) {
		pulse(4);
		guest_take_all();
		GUEST_ASSERT_EQ(isr(PIC1), 0);
		GUEST_ASSERT_EQ(hits(4), i);
		guest_line(12, 1);
		guest_take_all();
		guest_line(12, 0);
		GUEST_ASSERT_EQ(isr(PIC1), 0);
		GUEST_ASSERT_EQ(isr(PIC2), 0);
	}
	GUEST_ASSERT_EQ(hits(12), 5);
	guest_done();
}

TEST_F(pic, auto_eoi)
{
	ut_run_with_lines(self->vcpu, guest_auto_eoi);
}

/* ELCR makes lines levels: they come again after EOI, and are forgotten when they fall. */
static void guest_levels(void)
{
	int i;

	set_up(ICW4);
	/* The system's own lines stay edges. */
	guest_outb(ELCR1, 0xff);
	guest_outb(ELCR2, 0xff);
	GUEST_ASSERT_EQ(guest_inb(ELCR1), 0xf8);
	GUEST_ASSERT_EQ(guest_inb(ELCR2), 0xde);
	guest_line(5, 1);
	for (i = 1; i <= 4; i++) {
		guest_take_all();
		GUEST_ASSERT_TAKEN(BASE1 + 5, i);
		guest_outb(PIC1, OCW2_EOI);
	}
	guest_line(5, 0);
	guest_take_all();
	/* Withdrawn before it was taken: nothing in service, at most the spurious 7. */
	GUEST_ASSERT_EQ(hits(5), 4);
	GUEST_ASSERT_EQ(isr(PIC1), 0);
	GUEST_ASSERT_EQ(irr(PIC1) & 0x20, 0);
	guest_line(10, 1);
	guest_take_all();
	guest_line(10, 0);
	guest_outb(PIC2, OCW2_EOI);
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_TAKEN(BASE1 + 10, 1);
	guest_done();
}

TEST_F(pic, levels)
{
	ut_run_with_lines(self->vcpu, guest_levels);
}

/* Without interrupts: the processor asks. */
static void guest_polls(u64 told)
{
	set_up(ICW4);
	guest_outb(PIC1, OCW3_POLL);
	GUEST_ASSERT_EQ(guest_inb(PIC1) & 0x80, 0);
	guest_line(6, 1);
	guest_line(4, 1);
	guest_outb(PIC1, OCW3_POLL);
	GUEST_ASSERT_EQ(guest_inb(PIC1) & 0x87, told | 4);
	/* The read was the acknowledge, and the mode lasts for one read. */
	GUEST_ASSERT_EQ(irr(PIC1), 0x40);
	guest_outb(PIC1, OCW2_SPECIFIC | 4);
	guest_outb(PIC1, OCW3_POLL);
	GUEST_ASSERT_EQ(guest_inb(PIC1) & 0x87, told | 6);
	guest_outb(PIC1, OCW2_SPECIFIC | 6);
	guest_take_all();
	GUEST_ASSERT_EQ(hits(4) + hits(6), 0);
	guest_done();
}

TEST_F(pic, polling)
{
	ut_restart(self->vcpu, guest_polls);
	/* Bit 7 says that there is one; KVM forgets it. */
	ut_set_args(self->vcpu, ut_on_umbra() ? 0x80 : 0, 0);
	ut_serve_lines(self->vcpu);
}

/* A higher line of the second chip, while a lower one of it is in service. */
static void guest_cascade(void)
{
	set_up(ICW4);
	guest_line(12, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 12, 1);
	guest_line(8, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 8, 0);
	guest_outb(PIC2, OCW2_EOI);
	guest_outb(PIC1, OCW2_EOI);
	GUEST_ASSERT_TAKEN(BASE1 + 8, 1);
	guest_outb(PIC2, OCW2_EOI);
	guest_outb(PIC1, OCW2_EOI);
	guest_line(12, 0);
	guest_line(8, 0);
	/* The first chip in the special fully nested mode lets it through. */
	set_up(ICW4 | ICW4_NESTED);
	guest_line(12, 1);
	guest_take_all();
	guest_line(8, 1);
	GUEST_ASSERT_TAKEN(BASE1 + 12, 2);
	GUEST_ASSERT_EQ(hits(8), 2);
	GUEST_ASSERT_EQ(isr(PIC2), 0x11);
	guest_done();
}

TEST_F(pic, cascade)
{
	ut_run_with_lines(self->vcpu, guest_cascade);
}

/* LINT0 is the door. */
static void guest_lint0(void)
{
	set_up(ICW4 | ICW4_AUTO_EOI);
	guest_apic_on();
	pulse(4);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 1);
	/* Not the local APIC's business what vector it was. */
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, BASE1 + 4));
	guest_apic_write(UT_APIC_LVT0, UT_DM_EXTINT | UT_LVT_MASKED);
	pulse(4);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 1);
	guest_apic_write(UT_APIC_LVT0, UT_DM_EXTINT);
	/* KVM looks at the chip when something else gives it a reason. */
	guest_apic_icr(0, UT_ICR_SELF | UT_ICR_ASSERT | 0x90);
	GUEST_ASSERT_TAKEN(0x90, 1);
	GUEST_ASSERT_EQ(hits(4), 2);
	/* TPR does not hold it back. */
	guest_apic_write(UT_APIC_TPR, 0xf0);
	pulse(4);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 3);
	/* No local APIC: the wire goes straight to the processor. */
	guest_wrmsr(UT_MSR_APICBASE, UT_APIC_GPA | UT_APICBASE_BSP);
	pulse(4);
	GUEST_ASSERT_TAKEN(BASE1 + 4, 4);
	guest_done();
}

TEST_F(pic, through_lint0)
{
	ut_run_with_lines(self->vcpu, guest_lint0);
}

/* Only the way of the initialization words decides what the second port means. */
static void guest_init_words(void)
{
	/* No ICW4. */
	guest_outb(PIC1, 0x10);
	guest_outb(PIC1 + 1, BASE1);
	guest_outb(PIC1 + 1, 4);
	guest_outb(PIC1 + 1, 0xef);
	GUEST_ASSERT_EQ(guest_inb(PIC1 + 1), 0xef);
	/* Broken off in the middle and begun anew. */
	guest_outb(PIC1, ICW1);
	guest_outb(PIC1 + 1, 0x99);
	set_up(ICW4);
	guest_outb(PIC1 + 1, 0xaa);
	GUEST_ASSERT_EQ(guest_inb(PIC1 + 1), 0xaa);
	guest_outb(PIC1 + 1, 0);
	pulse(1);
	GUEST_ASSERT_TAKEN(BASE1 + 1, 1);
	guest_outb(PIC1, OCW2_EOI);
	/* Only the upper five bits of the base count. */
	guest_pic_init(PIC1, BASE1 | 7, 4, ICW4 | ICW4_AUTO_EOI);
	pulse(1);
	GUEST_ASSERT_TAKEN(BASE1 + 1, 2);
	guest_done();
}

TEST_F(pic, initialization_words)
{
	ut_run_with_lines(self->vcpu, guest_init_words);
}

static void guest_half_way(void)
{
	set_up(ICW4);
	guest_outb(PIC1 + 1, 0x80);
	guest_outb(ELCR2, 0x04);
	guest_outb(PIC1, OCW2_PRIORITY | 1);
	guest_line(6, 1);
	guest_take_all();
	guest_line(1, 1);
	guest_line(10, 1);
	guest_outb(PIC1, OCW3_ISR);
	guest_done();
}

static void guest_other_half(void)
{
	GUEST_ASSERT_EQ(guest_inb(PIC1), 0x40);
	GUEST_ASSERT_EQ(guest_inb(PIC1 + 1), 0x80);
	GUEST_ASSERT_EQ(guest_inb(ELCR2), 0x04);
	guest_take_all();
	/* 10 comes by way of 2, which is above 6, and above 1 that is the last. */
	GUEST_ASSERT_EQ(hits(10), 1);
	guest_outb(PIC2, OCW2_EOI);
	guest_outb(PIC1, OCW2_EOI);
	guest_done();
}

TEST_F(pic, state_moves_to_another)
{
	struct kvm_irqchip first, second, again;
	struct ut_vcpu *other;
	struct ut_vm *vm;
	int i;

	ut_run_with_lines(self->vcpu, guest_half_way);
	ut_get_chip(self->vm, KVM_IRQCHIP_PIC_MASTER, &first);
	ut_get_chip(self->vm, KVM_IRQCHIP_PIC_SLAVE, &second);
	EXPECT_EQ(BASE1, first.chip.pic.irq_base);
	EXPECT_EQ(BASE2, second.chip.pic.irq_base);
	EXPECT_EQ(0x40, first.chip.pic.isr);
	EXPECT_EQ(0x06, first.chip.pic.irr & 0x46);
	EXPECT_EQ(0x80, first.chip.pic.imr);
	EXPECT_EQ(2, first.chip.pic.priority_add);
	EXPECT_EQ(0x04, second.chip.pic.irr);
	EXPECT_EQ(0x04, second.chip.pic.elcr);
	vm = ut_irq_vm();
	other = ut_vcpu_long(vm, 0, guest_other_half);
	for (i = 0; i < 16; i++)
		ut_set_handler(vm, BASE1 + i, guest_irq_count);
	ut_set_chip(vm, &first);
	ut_set_chip(vm, &second);
	ut_get_chip(vm, KVM_IRQCHIP_PIC_MASTER, &again);
	EXPECT_EQ(0, memcmp(&first, &again, sizeof(first)));
	ut_get_chip(vm, KVM_IRQCHIP_PIC_SLAVE, &again);
	EXPECT_EQ(0, memcmp(&second, &again, sizeof(second)));
	ut_serve_lines(other);
	ut_vm_free(vm);
}

TEST_HARNESS_MAIN
