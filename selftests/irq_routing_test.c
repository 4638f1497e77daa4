// SPDX-License-Identifier: GPL-2.0
/*
 * Routing of GSIs, and MSIs: who gets what after KVM_SET_GSI_ROUTING, what is refused, what
 * KVM_SIGNAL_MSI returns, and changes while interrupts arrive.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x60
#define MSI_DEST(n)	(UT_APIC_GPA | (n) << 12)
#define MSI_LOGICAL	BIT_ULL(2)
#define MSI_REDIRECT	BIT_ULL(3)
#define NCPUS		3

FIXTURE(routing) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(routing)
{
	u64 i;

	self->vm = ut_irq_vm();
	for (i = 0; i < NCPUS; i++) {
		self->vcpu = ut_vcpu_long(self->vm, i, guest_done);
		ut_lapic_set_reg(self->vcpu, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
		ut_lapic_set_reg(self->vcpu, UT_APIC_LDR, BIT_ULL(24 + i));
	}
	self->vcpu = self->vm->vcpu[0];
}

FIXTURE_TEARDOWN(routing)
{
	ut_vm_free(self->vm);
}

#define MAX_ENTRIES	64

struct table {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entry[MAX_ENTRIES];
};

static struct kvm_irq_routing_entry *add(struct table *table, u32 gsi, u32 type)
{
	struct kvm_irq_routing_entry *entry = &table->entry[table->head.nr++];

	memset(entry, 0, sizeof(*entry));
	entry->gsi = gsi;
	entry->type = type;
	return entry;
}

static void add_pin(struct table *table, u32 gsi, u32 chip, u32 pin)
{
	struct kvm_irq_routing_entry *entry = add(table, gsi, KVM_IRQ_ROUTING_IRQCHIP);

	entry->u.irqchip.irqchip = chip;
	entry->u.irqchip.pin = pin;
}

static void add_msi(struct table *table, u32 gsi, u32 addr, u32 data)
{
	struct kvm_irq_routing_entry *entry = add(table, gsi, KVM_IRQ_ROUTING_MSI);

	entry->u.msi.address_lo = addr;
	entry->u.msi.data = data;
}

static int set_table(struct ut_vm *vm, struct table *table)
{
	return ut_ioctl(vm->fd, KVM_SET_GSI_ROUTING, table);
}

static bool pending(struct ut_vcpu *vcpu, int vector)
{
	return ut_lapic_bit(vcpu, UT_APIC_IRR, vector);
}

static u8 pic_irr(struct ut_vm *vm, u32 id)
{
	struct kvm_irqchip chip;

	ut_get_chip(vm, id, &chip);
	return chip.chip.pic.irr;
}

/* At first: GSI n is pin n of the I/O APIC, and below 16 that of the 8259 as well. */
TEST_F(routing, at_first)
{
	int gsi;

	for (gsi = 0; gsi < UT_IOAPIC_PINS; gsi++)
		ut_set_redir(self->vm, gsi, VECTOR + gsi);
	for (gsi = 0; gsi < UT_IOAPIC_PINS; gsi++) {
		ut_line(self->vm, gsi, 1);
		EXPECT_TRUE(pending(self->vcpu, VECTOR + gsi)) {
			TH_LOG("GSI %d", gsi);
		}
		if (gsi < 8 && gsi != 2)
			EXPECT_TRUE(pic_irr(self->vm, KVM_IRQCHIP_PIC_MASTER) & 1 << gsi);
		if (gsi >= 8 && gsi < 16)
			EXPECT_TRUE(pic_irr(self->vm, KVM_IRQCHIP_PIC_SLAVE) & 1 << (gsi - 8));
		ut_line(self->vm, gsi, 0);
	}
}

TEST_F(routing, another_table)
{
	struct table table = { 0 };

	ut_set_redir(self->vm, 2, VECTOR);
	ut_set_redir(self->vm, 5, VECTOR + 1);
	/* As on a PC: GSI 0 is pin 2. GSI 5 goes nowhere, 30 is a message, 31 two things. */
	add_pin(&table, 0, KVM_IRQCHIP_IOAPIC, 2);
	add_pin(&table, 0, KVM_IRQCHIP_PIC_MASTER, 0);
	add_msi(&table, 30, MSI_DEST(1), VECTOR + 2);
	add_pin(&table, 31, KVM_IRQCHIP_IOAPIC, 5);
	ASSERT_EQ(0, set_table(self->vm, &table));
	ut_line(self->vm, 0, 1);
	EXPECT_TRUE(pending(self->vcpu, VECTOR));
	EXPECT_EQ(1, pic_irr(self->vm, KVM_IRQCHIP_PIC_MASTER));
	ut_line(self->vm, 5, 1);
	EXPECT_FALSE(pending(self->vcpu, VECTOR + 1));
	ut_line(self->vm, 30, 0);
	EXPECT_FALSE(pending(self->vm->vcpu[1], VECTOR + 2));
	ut_line(self->vm, 30, 1);
	EXPECT_TRUE(pending(self->vm->vcpu[1], VECTOR + 2));
	ut_line(self->vm, 31, 1);
	EXPECT_TRUE(pending(self->vcpu, VECTOR + 1));
	/* The empty one. */
	table.head.nr = 0;
	EXPECT_EQ(0, set_table(self->vm, &table));
	EXPECT_EQ(-1, ut_line_status(self->vm, 0, 1));
}

/* Refused as a whole: the old table stays. */
TEST_F(routing, refused)
{
	struct table table;
	u32 i;

	ut_set_redir(self->vm, 17, VECTOR);
	for (i = 0; i < 8; i++) {
		memset(&table, 0, sizeof(table));
		add_msi(&table, 17, MSI_DEST(1), VECTOR);
		switch (i) {
		case 0:
			table.head.flags = 1;
			break;
		case 1:
			add(&table, 3, 99);
			break;
		case 2:
			add_pin(&table, 3, 3, 0);
			break;
		case 3:
			add_pin(&table, 3, KVM_IRQCHIP_IOAPIC, UT_IOAPIC_PINS);
			break;
		case 4:
			add_pin(&table, 3, KVM_IRQCHIP_PIC_SLAVE, 8);
			break;
		case 5:
			/* Beyond the largest GSI. */
			add_msi(&table, ut_cap(self->vm->fd, KVM_CAP_IRQ_ROUTING), 0, 0);
			break;
		case 6:
			/* A message and a second thing for one GSI. */
			add_msi(&table, 17, MSI_DEST(2), VECTOR);
			break;
		case 7:
			add_pin(&table, 3, KVM_IRQCHIP_IOAPIC, 4);
			table.entry[1].flags = 1;
			break;
		}
		EXPECT_EQ(-EINVAL, set_table(self->vm, &table)) {
			TH_LOG("case %u", i);
		}
	}
	table.head.flags = 0;
	table.head.nr = ut_cap(self->vm->fd, KVM_CAP_IRQ_ROUTING) + 1;
	EXPECT_EQ(-EINVAL, set_table(self->vm, &table));
	ut_line(self->vm, 17, 1);
	EXPECT_TRUE(pending(self->vcpu, VECTOR));
	EXPECT_FALSE(pending(self->vm->vcpu[1], VECTOR));
}

static u32 msi_went_to(struct ut_vm *vm, u32 addr, u32 data)
{
	u32 mask = 0, i, v = data & 0xff;

	ut_msi(vm, addr, data);
	for (i = 0; i < NCPUS; i++) {
		if (!pending(vm->vcpu[i], v))
			continue;
		mask |= 1u << i;
		ut_lapic_set_reg(vm->vcpu[i], UT_APIC_IRR + v / 32 * 0x10, 0);
	}
	return mask;
}

TEST_F(routing, msi_destinations)
{
	u32 i;

	for (i = 0; i < NCPUS; i++)
		EXPECT_EQ(1u << i, msi_went_to(self->vm, MSI_DEST(i), VECTOR));
	EXPECT_EQ(7, msi_went_to(self->vm, MSI_DEST(0xff), VECTOR));
	EXPECT_EQ(0, msi_went_to(self->vm, MSI_DEST(0x44), VECTOR));
	for (i = 1; i < 8; i++)
		EXPECT_EQ(i, msi_went_to(self->vm, MSI_DEST(i) | MSI_LOGICAL, VECTOR));
	for (i = 1; i < 8; i++) {
		u32 one = msi_went_to(self->vm, MSI_DEST(i) | MSI_LOGICAL | MSI_REDIRECT,
				      VECTOR | UT_DM_LOWEST);

		EXPECT_TRUE(one && !(one & (one - 1)) && !(one & ~i)) {
			TH_LOG("%#x went to %#x", i, one);
		}
	}
}

/* 1: delivered to somebody, 0: to nobody who listens, less: not possible. */
TEST_F(routing, msi_results)
{
	struct kvm_msi msi = { .address_lo = UT_APIC_GPA, .data = VECTOR, .flags = 2 };
	struct ut_vm *bare;

	EXPECT_EQ(1, ut_msi(self->vm, MSI_DEST(0), VECTOR));
	/* Merged with the first: as delivered for KVM, coalesced for others. */
	EXPECT_LE(0, ut_msi(self->vm, MSI_DEST(0), VECTOR));
	EXPECT_GE(0, ut_msi(self->vm, MSI_DEST(0x44), VECTOR));
	ut_lapic_set_reg(self->vm->vcpu[1], UT_APIC_SVR, UT_SPURIOUS_VECTOR);
	EXPECT_GE(0, ut_msi(self->vm, MSI_DEST(1), VECTOR));
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_SIGNAL_MSI, &msi));
	bare = ut_irq_vm_bare();
	EXPECT_EQ(-EINVAL, ut_msi(bare, MSI_DEST(0), VECTOR));
	ut_vm_free(bare);
}

/* The table changes all the time; every interrupt arrives at the one or the other vector. */
static u64 stop;

static void guest_listens(void)
{
	guest_apic_on();
	guest_sync(1);
	guest_sti();
	while (!ut_read_once(stop))
		guest_pause();
	guest_cli();
	guest_done();
}

static void *changer(void *arg)
{
	struct ut_vm *vm = arg;
	struct table table;
	u64 i;

	for (i = 0; !ut_read_once(stop); i++) {
		memset(&table, 0, sizeof(table));
		add_msi(&table, 40, MSI_DEST(0), VECTOR + (i & 1));
		/* And of another size. */
		if (i & 2)
			add_pin(&table, 3, KVM_IRQCHIP_IOAPIC, 3);
		if (set_table(vm, &table))
			ut_die("no table any more");
	}
	return NULL;
}

#define CHANGES	150

TEST_F_TIMEOUT(routing, changes_under_load, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;
	pthread_t thread;
	u64 i;

	ut_restart(self->vcpu, guest_listens);
	ut_until(self->vcpu, 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, changer, self->vm));
	while (ut_line_status(self->vm, 40, 1) < 0)
		ut_msleep(1);
	runner = ut_runner_start(self->vcpu);
	ut_wait(ut_hits(self->vm, 0, VECTOR) + ut_hits(self->vm, 0, VECTOR + 1));
	ut_clear_hits(self->vm);
	for (i = 1; i <= CHANGES; i++) {
		ASSERT_EQ(1, ut_line_status(self->vm, 40, 1));
		ut_wait(ut_hits(self->vm, 0, VECTOR) + ut_hits(self->vm, 0, VECTOR + 1) >= i);
	}
	ut_write_once(stop, 1);
	pthread_join(thread, NULL);
	ut_push_var(self->vm, stop);
	ASSERT_EQ(UT_DONE, ut_runner_join(runner));
	EXPECT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR) + ut_hits(self->vm, 0, VECTOR + 1),
			       CHANGES));
	/* The threads did run side by side. */
	EXPECT_LT(0, ut_hits(self->vm, 0, VECTOR));
	EXPECT_LT(0, ut_hits(self->vm, 0, VECTOR + 1));
}

TEST_HARNESS_MAIN
