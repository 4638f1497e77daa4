// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC by its registers: edges and levels, remote IRR and EOI, lines with several
 * sources, a line that never falls, and the state that user space saves.
 */
#include "irq_lib.h"
#include "irq/ioapic.h"

#define STEPS		50000
#define BASE		0xfec00000ULL
#define PIN		19
#define VECTOR		0x51
#define ENTRY(pin)	(0x10 + 2 * (pin))
#define LEVEL		0x8000u
#define REMOTE_IRR	0x4000u
#define MASKED		0x10000u
#define STORM		10000

static void mmio(gpa_t addr, u32 value)
{
	assert_int_equal(umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_MMIO, addr, 4, &value), 0);
}

static void set_reg(u32 reg, u32 value)
{
	mmio(BASE, reg);
	mmio(BASE + 0x10, value);
}

static u32 reg(u32 reg)
{
	u32 value = 0xdeadbeef;

	mmio(BASE, reg);
	assert_int_equal(umbra_irq_io_read(&unit.vcpu[0], UMBRA_BUS_MMIO, BASE + 0x10, 4, &value),
			 0);
	return value;
}

static void program(u32 pin, u32 low)
{
	set_reg(ENTRY(pin) + 1, 0);
	set_reg(ENTRY(pin), low);
}

static int line(u32 pin, bool level)
{
	return umbra_ioapic_set_irq(&unit.vm, pin, UMBRA_IRQ_SOURCE_USER, level);
}

static struct kvm_ioapic_state get(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	assert_int_equal(unit_get_chip(&chip), 0);
	return chip.chip.ioapic;
}

static int set(const struct kvm_ioapic_state *s)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC, .chip.ioapic = *s };

	return unit_set_chip(&chip);
}

static int setup(void **state)
{
	int r = unit_setup(UMBRA_IRQCHIP_KERNEL, 2);

	srandom(1);
	if (!r) {
		unit_enable(0, false);
		unit_enable(1, false);
		unit_set_reg(0, APIC_LVT0, APIC_LVT_MASKED);
	}
	return r;
}

/* vCPU 0 takes the interrupt, without EOI. */
static int take(void)
{
	return umbra_irq_has(&unit.vcpu[0]) ? umbra_irq_take(&unit.vcpu[0]) : -1;
}

static void eoi(void)
{
	unit_set_reg(0, APIC_EOI, 0);
}

static void registers(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	u64 wide;
	u32 i;

	assert_int_equal(reg(0), 0);
	set_reg(0, 0xffffffff);
	assert_int_equal(reg(0), 0xf << 24);
	assert_int_equal(reg(2), 0xf << 24);
	assert_int_equal(reg(1), 0x170011);
	set_reg(1, 0);
	assert_int_equal(reg(1), 0x170011);
	for (i = 0; i < UMBRA_IOAPIC_PINS; i++) {
		assert_int_equal(reg(ENTRY(i)), MASKED);
		assert_int_equal(reg(ENTRY(i) + 1), 0);
		set_reg(ENTRY(i), 0xffffffff);
		set_reg(ENTRY(i) + 1, 0xffffffff);
		/* Delivery status and remote IRR are not the guest's to write. */
		assert_int_equal(reg(ENTRY(i)), 0x1afff);
		assert_int_equal(reg(ENTRY(i) + 1), 0xff000000);
	}
	for (i = ENTRY(UMBRA_IOAPIC_PINS); i < 0x100; i++) {
		set_reg(i, 0xffffffff);
		assert_int_equal(reg(i), 0);
	}
	/* The page's other addresses are nothing, but the chip's; beyond it is nobody's. */
	wide = ~0ULL;
	mmio(BASE, 1);
	assert_int_equal(umbra_irq_io_read(vcpu, UMBRA_BUS_MMIO, BASE + 0x10, 8, &wide), 0);
	assert_int_equal(wide, 0x170011);
	assert_int_equal(umbra_irq_io_read(vcpu, UMBRA_BUS_MMIO, BASE + 0x20, 8, &wide), 0);
	assert_int_equal(wide, 0);
	assert_true(umbra_irq_io_listens(vcpu, UMBRA_BUS_MMIO, BASE + 0xfc, 4));
	assert_false(umbra_irq_io_listens(vcpu, UMBRA_BUS_MMIO, BASE + 0xfe, 4));
	assert_false(umbra_irq_io_listens(vcpu, UMBRA_BUS_MMIO, BASE - 4, 4));
	assert_false(umbra_irq_io_listens(vcpu, UMBRA_BUS_MMIO, BASE + 0x100, 4));
}

static void edges(void **state)
{
	program(PIN, VECTOR);
	assert_int_equal(line(PIN, true), 1);
	assert_int_equal(line(PIN, true), 0);
	assert_int_equal(take(), VECTOR);
	assert_int_equal(take(), -1);
	line(PIN, false);
	assert_int_equal(line(PIN, true), 1);
	line(PIN, false);
	/* The last one is still in IRR. */
	assert_int_equal(line(PIN, true), 0);
	line(PIN, false);
	eoi();
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(take(), -1);
	/* Behind a mask it is lost. */
	program(PIN, VECTOR | MASKED);
	assert_int_equal(line(PIN, true), -1);
	program(PIN, VECTOR);
	assert_int_equal(take(), -1);
	line(PIN, false);
	/* Nobody has this id. */
	set_reg(ENTRY(PIN) + 1, 0x33u << 24);
	assert_int_equal(line(PIN, true), -1);
}

static void levels(void **state)
{
	program(PIN, VECTOR | LEVEL);
	assert_int_equal(line(PIN, true), 1);
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL | REMOTE_IRR);
	assert_int_equal(line(PIN, true), 0);
	assert_int_equal(take(), VECTOR);
	line(PIN, false);
	line(PIN, true);
	assert_int_equal(take(), -1);
	/* Still high at the EOI: again. */
	eoi();
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL | REMOTE_IRR);
	assert_int_equal(take(), VECTOR);
	line(PIN, false);
	eoi();
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL);
	assert_int_equal(take(), -1);
	/* Behind a mask it waits. */
	program(PIN, VECTOR | LEVEL | MASKED);
	assert_int_equal(line(PIN, true), -1);
	assert_int_equal(take(), -1);
	program(PIN, VECTOR | LEVEL);
	assert_int_equal(take(), VECTOR);
	/* Masked in service: nothing comes of the EOI, but of the unmasking. */
	set_reg(ENTRY(PIN), VECTOR | LEVEL | MASKED);
	eoi();
	assert_int_equal(take(), -1);
	set_reg(ENTRY(PIN), VECTOR | LEVEL);
	assert_int_equal(take(), VECTOR);
	line(PIN, false);
	eoi();
	assert_int_equal(take(), -1);
}

static void shared_vector(void **state)
{
	program(PIN, VECTOR | LEVEL);
	program(PIN + 1, VECTOR | LEVEL);
	assert_int_equal(line(PIN, true), 1);
	assert_int_equal(line(PIN + 1, true), 0);
	assert_int_equal(take(), VECTOR);
	line(PIN, false);
	eoi();
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL);
	assert_int_equal(take(), VECTOR);
	line(PIN + 1, false);
	eoi();
	assert_int_equal(reg(ENTRY(PIN + 1)), VECTOR | LEVEL);
	assert_int_equal(take(), -1);
}

static void sources(void **state)
{
	program(PIN, VECTOR | LEVEL);
	line(PIN, true);
	umbra_ioapic_set_irq(&unit.vm, PIN, UMBRA_IRQ_SOURCE_RESAMPLE, true);
	line(PIN, false);
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(take(), VECTOR);
	umbra_ioapic_set_irq(&unit.vm, PIN, UMBRA_IRQ_SOURCE_RESAMPLE, false);
	eoi();
	assert_int_equal(take(), -1);
}

/* Kernels make a pin edge-triggered for a moment to get rid of a remote IRR. */
static void clear_remote_irr(void **state)
{
	program(PIN, VECTOR | LEVEL);
	line(PIN, true);
	set_reg(ENTRY(PIN), VECTOR | MASKED);
	set_reg(ENTRY(PIN), VECTOR | LEVEL | MASKED);
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL | MASKED);
	set_reg(ENTRY(PIN), VECTOR | LEVEL);
	assert_int_equal(reg(ENTRY(PIN)), VECTOR | LEVEL | REMOTE_IRR);
}

static u32 ack_pin;

static void lower(u32 chip, u32 pin)
{
	assert_int_equal(chip, KVM_IRQCHIP_IOAPIC);
	ack_pin = pin;
	line(pin, false);
}

static void lower_and_raise(u32 chip, u32 pin)
{
	line(pin, false);
	line(pin, true);
}

static void acks(void **state)
{
	program(PIN, VECTOR | LEVEL);
	unit.wants_acks = true;
	unit.at_ack = lower;
	line(PIN, true);
	assert_int_equal(take(), VECTOR);
	assert_int_equal(unit.acks[2][PIN], 0);
	eoi();
	assert_int_equal(unit.acks[2][PIN], 1);
	assert_int_equal(ack_pin, PIN);
	assert_int_equal(take(), -1);
	/* What is raised from there comes once. */
	unit.at_ack = lower_and_raise;
	line(PIN, true);
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(take(), VECTOR);
	unit.at_ack = lower;
	eoi();
	assert_int_equal(take(), -1);
	assert_int_equal(unit.acks[2][PIN], 3);
}

/* An edge's EOI is one, too. It is nobody else's: a level of the same vector goes on waiting. */
static void acks_of_edges(void **state)
{
	program(PIN, VECTOR);
	line(PIN, true);
	assert_int_equal(take(), VECTOR);
	/* The next one comes to where nobody waited for the first. */
	assert_int_equal(umbra_lapic_pv_eoi_vector(&unit.vcpu[0]), VECTOR);
	unit.wants_acks = true;
	assert_int_equal(umbra_lapic_pv_eoi_vector(&unit.vcpu[0]), -1);
	unit.at_ack = lower_and_raise;
	eoi();
	assert_int_equal(unit.acks[2][PIN], 1);
	unit.at_ack = lower;
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(unit.acks[2][PIN], 2);
	assert_int_equal(ack_pin, PIN);
	assert_int_equal(take(), -1);
	unit.at_ack = NULL;
	program(PIN + 1, VECTOR | LEVEL);
	line(PIN + 1, true);
	assert_int_equal(take(), VECTOR);
	line(PIN, true);
	umbra_ioapic_eoi(&unit.vcpu[0], VECTOR, false);
	assert_int_equal(unit.acks[2][PIN], 3);
	assert_int_equal(reg(ENTRY(PIN + 1)), VECTOR | LEVEL | REMOTE_IRR);
	unit.wants_acks = false;
	umbra_ioapic_eoi(&unit.vcpu[0], VECTOR, false);
	assert_int_equal(unit.acks[2][PIN], 3);
}

static void make_edge(u32 chip, u32 pin)
{
	program(pin, VECTOR);
}

/* The guest changes the pin while its resamplers are told: the line that is high is no edge. */
static void changed_at_ack(void **state)
{
	program(PIN, VECTOR | LEVEL);
	unit.wants_acks = true;
	unit.at_ack = make_edge;
	line(PIN, true);
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(unit.acks[2][PIN], 1);
	assert_int_equal(take(), -1);
	assert_int_equal(reg(ENTRY(PIN)), VECTOR);
}

static void storm(void **state)
{
	u32 i;

	program(PIN, VECTOR | LEVEL);
	line(PIN, true);
	for (i = 1; i < STORM; i++) {
		assert_int_equal(take(), VECTOR);
		eoi();
		assert_false(unit_delayed);
	}
	assert_int_equal(take(), VECTOR);
	eoi();
	/* Held back, and only for a while. */
	assert_int_equal(take(), -1);
	assert_true(unit_work());
	assert_int_equal(take(), VECTOR);
	eoi();
	assert_int_equal(take(), VECTOR);
	/* A line that falls now and then is no storm. */
	for (i = 0; i < 3 * STORM; i++) {
		line(PIN, i & 64);
		eoi();
		line(PIN, true);
		take();
	}
	assert_false(unit_delayed);
}

static void save_and_restore(void **state)
{
	struct kvm_ioapic_state s, again;

	program(PIN, VECTOR | LEVEL);
	program(PIN + 1, (VECTOR + 1) | LEVEL | MASKED);
	program(PIN + 2, VECTOR + 2);
	line(PIN, true);
	line(PIN + 1, true);
	line(PIN + 2, true);
	s = get();
	assert_int_equal(s.base_address, BASE);
	assert_int_equal(s.irr, 3u << PIN);
	assert_int_equal(s.redirtbl[PIN].bits, VECTOR | LEVEL | REMOTE_IRR);
	assert_int_equal(take(), VECTOR + 2);
	assert_int_equal(take(), -1);
	eoi();
	assert_int_equal(take(), VECTOR);
	/* A level that waits for its EOI is not sent again, an edge is not made up. */
	assert_int_equal(set(&s), 0);
	again = get();
	assert_memory_equal(&s, &again, sizeof(s));
	assert_int_equal(take(), -1);
	eoi();
	assert_int_equal(take(), VECTOR);
	eoi();
	/* But it is sent where it was not yet, and an edge that is said to wait. */
	s.redirtbl[PIN].bits &= ~(u64)REMOTE_IRR;
	s.irr |= 1u << (PIN + 2);
	assert_int_equal(set(&s), 0);
	assert_int_equal(take(), VECTOR + 2);
	eoi();
	assert_int_equal(take(), VECTOR);
	eoi();
	/* What the state does not say is forgotten. */
	line(PIN, true);
	s.redirtbl[PIN].bits = VECTOR | LEVEL | MASKED;
	s.irr = 0;
	assert_int_equal(set(&s), 0);
	assert_int_equal(get().redirtbl[PIN].bits, VECTOR | LEVEL | MASKED);
	/* The next that a source says counts again. */
	line(PIN, false);
	s.base_address = 0xfed00000;
	s.irr = 0;
	assert_int_equal(set(&s), 0);
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_MMIO, BASE, 4));
	assert_true(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfed00000, 4));
	s.base_address = 0xfed00004;
	assert_int_equal(set(&s), -EINVAL);
	again = get();
	assert_int_equal(again.base_address, 0xfed00000);
}

/* After anything at all, a level still comes exactly until it falls. */
static void chaos(void **state)
{
	struct kvm_ioapic_state s;
	u32 i, j;

	unit.wants_acks = true;
	for (i = 0; i < STEPS; i++) {
		switch (random() % 8) {
		case 0:
			for (j = 0; j < sizeof(s); j++)
				((u8 *)&s)[j] = random();
			s.base_address = BASE;
			assert_int_equal(set(&s), 0);
			break;
		case 1:
			set_reg(random() % 0x100, random() << 16 ^ random());
			break;
		case 2:
			reg(random() % 0x100);
			break;
		case 3:
			umbra_ioapic_eoi(&unit.vcpu[0], random(), random() % 2);
			break;
		case 4:
			unit_work();
			break;
		default:
			umbra_ioapic_set_irq(&unit.vm, random() % UMBRA_IOAPIC_PINS, random() % 3,
					     random() % 2);
		}
	}
	unit.wants_acks = false;
	for (i = 0; i < UMBRA_IOAPIC_PINS; i++) {
		program(i, MASKED);
		for (j = 0; j < UMBRA_IRQ_SOURCES; j++)
			umbra_ioapic_set_irq(&unit.vm, i, j, false);
	}
	for (i = 0; i < UNIT_VCPUS && i < 2; i++)
		umbra_lapic_reset(&unit.vcpu[i], false);
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVT0, APIC_LVT_MASKED);
	levels(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(edges, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(levels, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(shared_vector, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(sources, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(clear_remote_irr, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(acks, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(acks_of_edges, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(changed_at_ack, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(storm, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(save_and_restore, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(chaos, setup, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
