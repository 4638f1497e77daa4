// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: its registers, edges and levels, remote IRR and EOI, what is pending behind a
 * mask, destinations, and its state for user space.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x60
#define PIN		17		/* one that no 8259 shares */
#define IOAPIC_ID	0
#define IOAPIC_VERSION	1
#define IOAPIC_ARB	2
#define IOAPIC_REDIR(n)	(0x10 + 2 * (n))
#define DEST(n)		((u64)(n) << 56)

FIXTURE(ioapic) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(ioapic)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(ioapic)
{
	ut_vm_free(self->vm);
}

static void guest_registers(void)
{
	int i;

	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_ID), 0);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_VERSION), (UT_IOAPIC_PINS - 1) << 16 | 0x11);
	guest_ioapic_write(IOAPIC_ID, 0x05000000);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_ID), 0x05000000);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_ARB), 0x05000000);
	guest_ioapic_write(IOAPIC_VERSION, 0);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_VERSION), (UT_IOAPIC_PINS - 1) << 16 | 0x11);
	for (i = 0; i < UT_IOAPIC_PINS; i++) {
		GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(i)), UT_REDIR_MASKED);
		GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(i) + 1), 0);
	}
	/* The two bits that the chip sets cannot be written. */
	guest_ioapic_redir(3, DEST(0xab) | 0x1ffff);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(3)),
			0x1ffff & ~(UT_REDIR_PENDING | UT_REDIR_REMOTE));
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(3) + 1), 0xab000000);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(2)), UT_REDIR_MASKED);
	GUEST_ASSERT_EQ(guest_ioapic_read(IOAPIC_REDIR(4)), UT_REDIR_MASKED);
	/* The register select can be read back. */
	guest_write32(UT_IOAPIC_GPA, 0x15);
	GUEST_ASSERT_EQ(guest_read32(UT_IOAPIC_GPA) & 0xff, 0x15);
	guest_done();
}

TEST_F(ioapic, registers)
{
	ut_run_with_lines(self->vcpu, guest_registers);
}

/* One for each rise, none for the fall, none for a second rise without a fall. */
static void guest_edges(void)
{
	u64 i;

	guest_apic_on();
	guest_ioapic_redir(PIN, VECTOR);
	for (i = 1; i <= 10; i++) {
		guest_line(PIN, 1);
		GUEST_ASSERT_TAKEN(VECTOR, i);
		GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE));
		guest_line(PIN, 1);
		GUEST_ASSERT_TAKEN(VECTOR, i);
		guest_line(PIN, 0);
		GUEST_ASSERT_TAKEN(VECTOR, i);
	}
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_TMR, VECTOR));
	guest_done();
}

TEST_F(ioapic, edges)
{
	ut_run_with_lines(self->vcpu, guest_edges);
}

/* PIN is a level and high; EOI is left to the caller. */
static void raise_level(void)
{
	guest_apic_on();
	guest_set_handler(VECTOR, guest_irq_count);
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL);
	guest_line(PIN, 1);
}

/* As long as the line is high, each EOI brings the next one. */
static void guest_levels(void)
{
	u64 i;

	raise_level();
	for (i = 1; i <= 10; i++) {
		GUEST_ASSERT_TAKEN(VECTOR, i);
		GUEST_ASSERT(guest_apic_bit(UT_APIC_TMR, VECTOR));
		GUEST_ASSERT(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE);
		/* Nothing more before EOI. */
		guest_line(PIN, 1);
		GUEST_ASSERT_TAKEN(VECTOR, i);
		GUEST_ASSERT(!guest_apic_bit(UT_APIC_IRR, VECTOR));
		guest_eoi();
	}
	/* The last one is on its way already. */
	guest_line(PIN, 0);
	GUEST_ASSERT_TAKEN(VECTOR, 11);
	guest_eoi();
	GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE));
	GUEST_ASSERT_TAKEN(VECTOR, 11);
	guest_done();
}

TEST_F(ioapic, levels)
{
	ut_run_with_lines(self->vcpu, guest_levels);
}

/* Down and up again before EOI: once more, and once only. */
static void guest_level_again(void)
{
	raise_level();
	guest_take_all();
	guest_line(PIN, 0);
	GUEST_ASSERT(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE);
	guest_line(PIN, 1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_eoi();
	guest_line(PIN, 0);
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	guest_eoi();
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	guest_done();
}

TEST_F(ioapic, level_again_before_eoi)
{
	ut_run_with_lines(self->vcpu, guest_level_again);
}

/* Behind a mask an edge is lost and a level waits. */
static void guest_masks(void)
{
	guest_apic_on();
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_MASKED);
	guest_line(PIN, 1);
	guest_ioapic_redir(PIN, VECTOR);
	GUEST_ASSERT_TAKEN(VECTOR, 0);
	guest_line(PIN, 0);
	guest_line(PIN, 1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_line(PIN, 0);

	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL | UT_REDIR_MASKED);
	guest_line(PIN, 1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_set_handler(VECTOR, guest_irq_count);
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL);
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	/* Masked while it is in service: EOI is heard all the same. */
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL | UT_REDIR_MASKED);
	guest_eoi();
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE));
	/* Gone before it is unmasked: nothing. */
	guest_line(PIN, 0);
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL);
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	guest_done();
}

TEST_F(ioapic, behind_a_mask)
{
	ut_run_with_lines(self->vcpu, guest_masks);
}

/* Old kernels clear a stuck remote IRR by making the entry an edge for a moment. */
static void guest_stuck(void)
{
	raise_level();
	guest_take_all();
	guest_line(PIN, 0);
	guest_ioapic_write(IOAPIC_REDIR(PIN), VECTOR | UT_REDIR_MASKED);
	guest_ioapic_write(IOAPIC_REDIR(PIN), VECTOR | UT_REDIR_LEVEL | UT_REDIR_MASKED);
	GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE));
	guest_done();
}

TEST_F(ioapic, remote_irr_cleared_by_edge)
{
	ut_run_with_lines(self->vcpu, guest_stuck);
}

/* Polarity is a matter of wires; the level that KVM_IRQ_LINE gives is the logical one. */
static void guest_polarity(void)
{
	guest_apic_on();
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LOW);
	GUEST_ASSERT_TAKEN(VECTOR, 0);
	guest_line(PIN, 1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_line(PIN, 0);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_done();
}

TEST_F(ioapic, polarity)
{
	ut_run_with_lines(self->vcpu, guest_polarity);
}

/* A vector that several pins share: EOI is for all of them. */
static void guest_shared(void)
{
	guest_apic_on();
	guest_set_handler(VECTOR, guest_irq_count);
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL);
	guest_ioapic_redir(PIN + 1, VECTOR | UT_REDIR_LEVEL);
	guest_line(PIN, 1);
	guest_line(PIN + 1, 1);
	guest_take_all();
	guest_line(PIN, 0);
	guest_line(PIN + 1, 0);
	guest_eoi();
	GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN)) & UT_REDIR_REMOTE));
	GUEST_ASSERT(!(guest_ioapic_read(IOAPIC_REDIR(PIN + 1)) & UT_REDIR_REMOTE));
	guest_done();
}

TEST_F(ioapic, shared_vector)
{
	ut_run_with_lines(self->vcpu, guest_shared);
}

/* ---- destinations: nobody runs, IRR shows where it went ---- */

#define NCPUS	3

/* The mask of CPUs that have got @entry's interrupt; taken back at once. */
static u32 went_to(struct ut_vm *vm, u64 entry)
{
	u32 mask = 0;
	int i;

	ut_set_redir(vm, PIN, entry);
	ut_line(vm, PIN, 1);
	ut_line(vm, PIN, 0);
	for (i = 0; i < NCPUS; i++) {
		if (!ut_lapic_bit(vm->vcpu[i], UT_APIC_IRR, entry & 0xff))
			continue;
		mask |= 1u << i;
		ut_lapic_set_reg(vm->vcpu[i], UT_APIC_IRR + (entry & 0xff) / 32 * 0x10, 0);
	}
	return mask;
}

/* One after the other: a vCPU that has not run has no APIC that is on. */
static void more_cpus(struct ut_vm *vm, bool cluster)
{
	u32 ldr;
	int i;

	for (i = 0; i < NCPUS; i++) {
		if (i)
			ut_vcpu_long(vm, i, guest_done);
		ldr = cluster ? 0x10u << i | 1 : 1u << i;
		ut_lapic_set_reg(vm->vcpu[i], UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
		ut_lapic_set_reg(vm->vcpu[i], UT_APIC_LDR, ldr << 24);
		ut_lapic_set_reg(vm->vcpu[i], UT_APIC_DFR, cluster ? 0x0fffffff : 0xffffffff);
	}
}

TEST_F(ioapic, destinations_flat)
{
	u64 i;

	more_cpus(self->vm, false);
	for (i = 0; i < NCPUS; i++)
		EXPECT_EQ(1u << i, went_to(self->vm, DEST(i) | VECTOR));
	EXPECT_EQ(0, went_to(self->vm, DEST(9) | VECTOR));
	EXPECT_EQ(7, went_to(self->vm, DEST(0xff) | VECTOR));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i, went_to(self->vm, DEST(i) | UT_DEST_LOGICAL | VECTOR));
	EXPECT_EQ(7, went_to(self->vm, DEST(0xff) | UT_DEST_LOGICAL | VECTOR));
	EXPECT_EQ(0, went_to(self->vm, DEST(0xf0) | UT_DEST_LOGICAL | VECTOR));
	EXPECT_EQ(0, went_to(self->vm, DEST(1) | UT_REDIR_MASKED | VECTOR));
}

TEST_F(ioapic, destinations_cluster)
{
	u64 i;

	more_cpus(self->vm, true);
	for (i = 0; i < NCPUS; i++) {
		EXPECT_EQ(1u << i, went_to(self->vm, DEST(i) | VECTOR));
		EXPECT_EQ(1u << i,
			  went_to(self->vm, DEST(0x10 << i | 1) | UT_DEST_LOGICAL | VECTOR));
		EXPECT_EQ(0, went_to(self->vm, DEST(0x10 << i | 2) | UT_DEST_LOGICAL | VECTOR));
	}
}

/* One of those that are meant; over time each has its turn. */
TEST_F(ioapic, lowest_priority)
{
	u64 entry = DEST(6) | UT_DEST_LOGICAL | UT_DM_LOWEST;
	u32 v, mask, all = 0;
	int i;

	more_cpus(self->vm, false);
	for (v = VECTOR; v < VECTOR + 20; v++) {
		ut_set_redir(self->vm, PIN, entry | v);
		ut_line(self->vm, PIN, 1);
		ut_line(self->vm, PIN, 0);
		for (i = 0, mask = 0; i < NCPUS; i++)
			mask |= (u32)ut_lapic_bit(self->vm->vcpu[i], UT_APIC_IRR, v) << i;
		EXPECT_TRUE(mask == 2 || mask == 4) {
			TH_LOG("vector %#x went to %#x", v, mask);
		}
		all |= mask;
	}
	EXPECT_EQ(6, all);
}

/* ---- user space ---- */

TEST_F(ioapic, line_status)
{
	ut_lapic_set_reg(self->vcpu, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
	/* Masked: nobody takes it. */
	EXPECT_EQ(-1, ut_line_status(self->vm, PIN, 1));
	ut_line_status(self->vm, PIN, 0);
	ut_set_redir(self->vm, PIN, VECTOR);
	EXPECT_EQ(1, ut_line_status(self->vm, PIN, 1));
	/* Coalesced: it is high already. */
	EXPECT_EQ(0, ut_line_status(self->vm, PIN, 1));
	EXPECT_EQ(1, ut_line_status(self->vm, PIN, 0));
}

TEST_F(ioapic, state)
{
	struct kvm_irqchip chip, again;
	struct ut_vm *vm;
	size_t i;

	ut_lapic_set_reg(self->vcpu, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
	ut_set_redir(self->vm, PIN, VECTOR | UT_REDIR_LEVEL);
	ut_set_redir(self->vm, 5, DEST(0x12) | UT_REDIR_MASKED | UT_DM_NMI);
	ut_line(self->vm, PIN, 1);
	ut_get_chip(self->vm, KVM_IRQCHIP_IOAPIC, &chip);
	EXPECT_EQ(UT_IOAPIC_GPA, chip.chip.ioapic.base_address);
	EXPECT_EQ(1u << PIN, chip.chip.ioapic.irr);
	EXPECT_EQ(VECTOR | UT_REDIR_LEVEL | UT_REDIR_REMOTE, chip.chip.ioapic.redirtbl[PIN].bits);
	EXPECT_EQ(DEST(0x12) | UT_REDIR_MASKED | UT_DM_NMI, chip.chip.ioapic.redirtbl[5].bits);
	vm = ut_irq_vm();
	ut_vcpu_long(vm, 0, guest_done);
	ut_set_chip(vm, &chip);
	ut_get_chip(vm, KVM_IRQCHIP_IOAPIC, &again);
	for (i = 0; i < UT_IOAPIC_PINS; i++)
		EXPECT_EQ(chip.chip.ioapic.redirtbl[i].bits, again.chip.ioapic.redirtbl[i].bits);
	EXPECT_EQ(chip.chip.ioapic.irr, again.chip.ioapic.irr);
	EXPECT_EQ(chip.chip.ioapic.id, again.chip.ioapic.id);
	ut_vm_free(vm);
}

TEST_F(ioapic, no_such_chip)
{
	struct kvm_irqchip chip = { .chip_id = 3 };

	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_SET_IRQCHIP, &chip));
	chip.chip_id = ~0u;
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_GET_IRQCHIP, &chip));
}

/* A level that is high for a guest that never serves it must not stop the guest. */
static void guest_flood(void)
{
	u64 i;

	guest_apic_on();
	guest_ioapic_redir(PIN, VECTOR | UT_REDIR_LEVEL);
	guest_line(PIN, 1);
	guest_sti();
	for (i = 0; guest_hits(VECTOR) < 500; i++)
		guest_pause();
	guest_cli();
	guest_line(PIN, 0);
	guest_done();
}

TEST_F_TIMEOUT(ioapic, flood, UT_IRQ_TIMEOUT)
{
	ut_run_with_lines(self->vcpu, guest_flood);
}

TEST_HARNESS_MAIN
