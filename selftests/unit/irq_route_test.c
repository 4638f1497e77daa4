// SPDX-License-Identifier: GPL-2.0
/*
 * The routing table against a plain list, what a table may not have, messages of MSIs, and the
 * VM's calls where it has no chips, or only local APICs.
 */
#include "irq_lib.h"
#include "irq/lapic.h"

#define ROUNDS		300
#define MAX		UMBRA_MAX_ROUTES
#define VECTOR		0x61

static struct {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry entry[MAX + 1];
} table;

static long call(unsigned int cmd, void *arg)
{
	return umbra_irq_vm_ioctl(&unit.vm, cmd, (unsigned long)arg);
}

static int setup_kernel(void **state)
{
	int i, r = unit_setup(UMBRA_IRQCHIP_KERNEL, 4);

	srandom(1);
	memset(&table, 0, sizeof(table));
	for (i = 0; i < 4 && !r; i++)
		unit_enable(i, false);
	return r;
}

static int setup_split(void **state)
{
	int i, r = unit_setup(UMBRA_IRQCHIP_SPLIT, 2);

	memset(&table, 0, sizeof(table));
	for (i = 0; i < 2 && !r; i++)
		unit_enable(i, false);
	return r;
}

static long publish(void)
{
	return call(KVM_SET_GSI_ROUTING, &table);
}

static void add_pin(u32 gsi, u32 chip, u32 pin)
{
	table.entry[table.head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static void add_msi(u32 gsi, u32 low, u32 high, u32 data)
{
	table.entry[table.head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = low, .address_hi = high, .data = data },
	};
}

static int line(u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	assert_int_equal(call(KVM_IRQ_LINE_STATUS, &irq), 0);
	return irq.status;
}

/* Pins that are high: those of the 8259As, then those of the I/O APIC. */
static u64 pins(void)
{
	struct kvm_irqchip chip = {};
	u64 mask = 0;
	u32 i;

	for (i = 0; i < 3; i++) {
		chip.chip_id = i;
		assert_int_equal(unit_get_chip(&chip), 0);
		mask |= i == 2 ? (u64)chip.chip.ioapic.irr << 16 :
				 (u64)chip.chip.pic.last_irr << 8 * i;
	}
	return mask;
}

static void first_table(void **state)
{
	u32 gsi;

	for (gsi = 0; gsi < 64; gsi++) {
		line(gsi, 1);
		assert_int_equal(pins(), gsi < 16 ? 0x10001ULL << gsi :
				 gsi < 24 ? 0x10000ULL << gsi : 0);
		line(gsi, 0);
		assert_int_equal(pins(), 0);
	}
	assert_int_equal(line(24, 1), -1);
	assert_int_equal(line(~0u, 1), -1);
}

static void refused(const char *what)
{
	if (publish() != -EINVAL)
		fail_msg("%s", what);
	/* The old table is still the one. */
	line(20, 1);
	assert_int_equal(pins(), 1ULL << (16 + 20));
	line(20, 0);
	memset(&table, 0, sizeof(table));
}

static void bad_tables(void **state)
{
	u32 i;

	table.head.flags = 1;
	refused("flags of the table");
	for (i = 0; i <= MAX; i++)
		add_msi(i, 0, 0, 0);
	refused("too many");
	add_msi(MAX, 0, 0, 0);
	refused("GSI");
	add_pin(0, 3, 0);
	refused("chip");
	add_pin(0, KVM_IRQCHIP_IOAPIC, 24);
	refused("pin of the I/O APIC");
	add_pin(0, KVM_IRQCHIP_PIC_MASTER, 8);
	refused("pin of a 8259A");
	add_msi(0, 0, 0, 0);
	table.entry[0].flags = KVM_MSI_VALID_DEVID;
	refused("device id");
	for (i = 0; i < 8; i++) {
		if (i == KVM_IRQ_ROUTING_IRQCHIP || i == KVM_IRQ_ROUTING_MSI)
			continue;
		add_msi(0, 0, 0, 0);
		table.entry[0].type = i;
		refused("type");
	}
	add_pin(5, KVM_IRQCHIP_IOAPIC, 1);
	add_pin(5, KVM_IRQCHIP_IOAPIC, 2);
	refused("twice the same chip");
	add_pin(5, KVM_IRQCHIP_IOAPIC, 1);
	add_msi(5, 0, 0, 0);
	refused("a message after a pin");
	add_msi(5, 0, 0, 0);
	add_pin(5, KVM_IRQCHIP_IOAPIC, 1);
	refused("a pin after a message");
	add_msi(5, 0, 0, 0);
	add_msi(5, 0, 0, 0);
	refused("two messages");
	assert_int_equal(call(KVM_SET_GSI_ROUTING, NULL), -EFAULT);
}

static void no_memory(void **state)
{
	int i;

	add_pin(7, KVM_IRQCHIP_IOAPIC, 1);
	for (i = 0; i < 3; i++) {
		unit.fail_alloc = i;
		assert_int_equal(publish(), -ENOMEM);
		unit.fail_alloc = -1;
		line(20, 1);
		assert_int_equal(pins(), 1ULL << (16 + 20));
		line(20, 0);
	}
	assert_int_equal(publish(), 0);
	line(7, 1);
	assert_int_equal(pins(), 1ULL << (16 + 1));
}

/* Random tables, in random order, and every GSI asked for. */
static void against_list(void **state)
{
	u64 expected[64];
	u32 round, i, j, chip, pin, gsi;

	for (round = 0; round < ROUNDS; round++) {
		memset(&table, 0, sizeof(table));
		memset(expected, 0, sizeof(expected));
		for (chip = 0; chip < 3; chip++) {
			for (pin = 0; pin < (chip == 2 ? 24 : 8); pin++) {
				u64 bit = 1ULL << (chip * 8 + pin);
				u64 mask = (chip == 2 ? 0xffffffULL << 16 : 0xffULL << 8 * chip);

				gsi = random() % 64;
				if (expected[gsi] & mask || !(random() % 4))
					continue;
				expected[gsi] |= bit;
				add_pin(gsi, chip, pin);
			}
		}
		for (i = 1; i < table.head.nr; i++) {
			struct kvm_irq_routing_entry e = table.entry[i];

			j = random() % i;
			table.entry[i] = table.entry[j];
			table.entry[j] = e;
		}
		assert_int_equal(publish(), 0);
		for (gsi = 0; gsi < 64; gsi++) {
			line(gsi, 1);
			assert_int_equal(pins(), expected[gsi]);
			line(gsi, 0);
		}
	}
	/* All there can be, and none. */
	memset(&table, 0, sizeof(table));
	for (i = 0; i < MAX; i++)
		add_msi(MAX - 1 - i, 0, 0, VECTOR);
	assert_int_equal(publish(), 0);
	assert_int_equal(line(0, 1), 1);
	assert_int_equal(line(MAX - 1, 1), 0);
	table.head.nr = 0;
	assert_int_equal(publish(), 0);
	assert_int_equal(line(0, 1), -1);
}

/* Which vCPUs have @vector waiting; they take it. */
static u32 got(u8 vector)
{
	u32 i, mask = 0;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		if (unit_serve(i) == vector)
			mask |= 1 << i;
	return mask;
}

static void messages(void **state)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000 | 2 << 12, .data = VECTOR };
	u32 i;

	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	assert_int_equal(got(VECTOR), 1 << 2);
	msi.address_lo = 0xfeeff000;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 4);
	assert_int_equal(got(VECTOR), 0xf);
	for (i = 0; i < 4; i++)
		unit_set_reg(i, APIC_LDR, 1u << (24 + i));
	msi.address_lo = 0xfee00000 | 0xa << 12 | 4;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 2);
	assert_int_equal(got(VECTOR), 0xa);
	/* Lowest priority by the hint, and by the mode. */
	msi.address_lo |= 8;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	i = got(VECTOR);
	assert_true(i == 2 || i == 8);
	msi.address_lo &= ~8;
	msi.data |= 1 << 8;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	i = got(VECTOR);
	assert_true(i == 2 || i == 8);
	msi.data = 4 << 8;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 2);
	assert_int_equal(unit.told[1].nmis, 1);
	msi.address_lo = 0xfee00000 | 9 << 12;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), -1);
	msi.flags = 1;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), -EINVAL);
	/* A route has no lower edge. */
	add_msi(30, 0xfee00000, 0, VECTOR);
	assert_int_equal(publish(), 0);
	assert_int_equal(line(30, 0), -1);
	assert_int_equal(line(30, 1), 1);
	assert_int_equal(line(30, 1), 0);
	assert_int_equal(got(VECTOR), 1);
}

static void wide_ids(void **state)
{
	struct kvm_msi msi = {
		.address_lo = 0xfee00000 | 1 << 12, .address_hi = 0x100, .data = VECTOR,
	};

	/* Without the capability the upper half says nothing. */
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	assert_int_equal(got(VECTOR), 2);
	unit.vm.irq.x2apic_ids = true;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), -1);
	msi.address_hi = 0;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), 1);
	assert_int_equal(got(VECTOR), 2);
	msi.address_hi = 1;
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), -EINVAL);
	add_msi(30, 0, 1, 0);
	assert_int_equal(publish(), -EINVAL);
}

static void split(void **state)
{
	struct kvm_irqchip chip = {};

	assert_int_equal(unit_get_chip(&chip), -ENXIO);
	assert_int_equal(unit_set_chip(&chip), -ENXIO);
	assert_int_equal(line(0, 1), -1);
	add_pin(0, KVM_IRQCHIP_IOAPIC, 0);
	assert_int_equal(publish(), -EINVAL);
	memset(&table, 0, sizeof(table));
	/* Levels of user space's pins are its matter, and of no others. */
	add_msi(23, 0xfee00000, 0, VECTOR | 0x8000);
	add_msi(22, 0xfee00000, 0, (VECTOR + 1));
	add_msi(24, 0xfee00000, 0, (VECTOR + 2) | 0x8000);
	assert_int_equal(publish(), 0);
	assert_true(umbra_route_wants_eoi(&unit.vcpu[1], VECTOR));
	assert_false(umbra_route_wants_eoi(&unit.vcpu[1], VECTOR + 1));
	assert_false(umbra_route_wants_eoi(&unit.vcpu[1], VECTOR + 2));
	assert_int_equal(line(23, 1), 1);
	assert_int_equal(got(VECTOR), 1);
	assert_int_equal(unit.told[0].eois, 1);
	assert_int_equal(unit.told[0].eoi, VECTOR);
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_PIO, 0x20, 1));
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfec00000, 4));
	assert_true(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_MMIO, UNIT_APIC_BASE, 4));
	assert_int_equal(umbra_irqchip_create(&unit.vm), -EEXIST);
	assert_int_equal(call(KVM_SET_BOOT_CPU_ID, (void *)1), -EBUSY);
}

/* A VM without any: each call says so, in its own way. */
static void none(void **state)
{
	struct kvm_irq_level irq = {};
	struct kvm_pit_state2 pit;
	struct kvm_msi msi = {};
	u8 byte;

	memset(&unit, 0, sizeof(unit));
	unit.fail_alloc = -1;
	unit.vcpu[0].vm = &unit.vm;
	assert_int_equal(umbra_irq_vm_create(&unit.vm), 0);
	assert_int_equal(call(KVM_IRQ_LINE, &irq), -ENXIO);
	assert_int_equal(call(KVM_IRQ_LINE_STATUS, &irq), -ENXIO);
	assert_int_equal(call(KVM_IRQ_LINE, NULL), -EFAULT);
	assert_int_equal(call(KVM_GET_PIT2, &pit), -ENXIO);
	assert_int_equal(call(KVM_REINJECT_CONTROL, &pit), -ENXIO);
	assert_int_equal(call(KVM_CREATE_PIT, NULL), -ENOENT);
	assert_int_equal(call(KVM_SIGNAL_MSI, &msi), -EINVAL);
	memset(&table, 0, sizeof(table));
	assert_int_equal(publish(), -EINVAL);
	assert_int_equal(call(KVM_RUN, NULL), -ENOTTY);
	assert_int_equal(umbra_irq_io_read(&unit.vcpu[0], UMBRA_BUS_PIO, 0x20, 1, &byte),
			 -EOPNOTSUPP);
	assert_int_equal(call(KVM_SET_BOOT_CPU_ID, (void *)3), 0);
	assert_int_equal(unit.vm.irq.boot_cpu, 3);
	assert_int_equal(call(KVM_SET_BOOT_CPU_ID, (void *)UMBRA_MAX_VCPU_ID), -EINVAL);
	assert_int_equal(umbra_irqchip_split(&unit.vm, UMBRA_MAX_ROUTES + 1), -EINVAL);
	unit.vm.nr_vcpus = 1;
	assert_int_equal(call(KVM_CREATE_IRQCHIP, NULL), -EINVAL);
	assert_int_equal(umbra_irqchip_split(&unit.vm, 24), -EEXIST);
	unit.vm.nr_vcpus = 0;
}

/* Whatever fails, it can be tried again. */
static void create_fails(void **state)
{
	int n;

	none(state);
	for (n = 0; ; n++) {
		unit.fail_alloc = n;
		if (!call(KVM_CREATE_IRQCHIP, NULL))
			break;
		assert_int_equal(unit.vm.irq.chip, UMBRA_IRQCHIP_NONE);
	}
	assert_in_range(n, 4, 10);
	assert_int_equal(call(KVM_CREATE_IRQCHIP, NULL), -EEXIST);
	assert_int_equal(umbra_irqchip_split(&unit.vm, 24), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_table, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(bad_tables, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(against_list, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(messages, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(wide_ids, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(split, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(none, NULL, unit_teardown),
		cmocka_unit_test_setup_teardown(create_fails, NULL, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
