// SPDX-License-Identifier: GPL-2.0
/*
 * The pair of 8259A by its ports: who is served, against a plain model; each way to end an
 * interrupt; spurious ones; levels, polling, and the state that user space saves.
 */
#include "irq_lib.h"

#define STEPS		50000
#define MASTER		0x20
#define SLAVE		0xa0
#define ELCR		0x4d0
#define BASE		0x30	/* vectors of the first chip; the second's follow */
#define EOI		0x20
#define EOI_SPECIFIC	0x60
#define EOI_ROTATE	0xa0
#define EOI_SPECIFIC_ROTATE	0xe0
#define SET_PRIORITY	0xc0
#define READ_IRR	0x0a
#define READ_ISR	0x0b
#define POLL		0x0c
#define SPECIAL_ON	0x68
#define SPECIAL_OFF	0x48

static int line(u32 pin, bool level)
{
	return umbra_pic_set_irq(&unit.vm, pin, UMBRA_IRQ_SOURCE_USER, level);
}

static int pulse(u32 pin)
{
	int r = line(pin, true);

	line(pin, false);
	return r;
}

/* As a PC's firmware does it; @icw4: of the first chip. */
static void init(u8 icw4)
{
	unit_out(MASTER, 0x11);
	unit_out(MASTER + 1, BASE);
	unit_out(MASTER + 1, 1 << 2);
	unit_out(MASTER + 1, icw4);
	unit_out(SLAVE, 0x11);
	unit_out(SLAVE + 1, BASE + 8);
	unit_out(SLAVE + 1, 2);
	unit_out(SLAVE + 1, icw4 & ~0x10);
	unit_out(MASTER + 1, 0);
	unit_out(SLAVE + 1, 0);
}

static int setup(void **state)
{
	int r = unit_setup(UMBRA_IRQCHIP_KERNEL, 2);

	srandom(1);
	if (!r)
		init(1);
	return r;
}

/* The next interrupt as the processor takes it, as a pin; -1: there is none. */
static int take(void)
{
	return umbra_pic_output(&unit.vm) ? umbra_pic_intack(&unit.vm) - BASE : -1;
}

static void eoi(u32 pin)
{
	if (pin >= 8)
		unit_out(SLAVE, EOI);
	unit_out(MASTER, EOI);
}

static void fixed_priorities(void **state)
{
	static const u32 order[] = { 0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7 };
	u32 i;

	for (i = 0; i < 16; i++)
		if (i != 2)
			assert_int_equal(pulse(i), 1);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(take(), order[i]);
		/* Nothing lower gets through before the EOI. */
		assert_int_equal(take(), -1);
		eoi(order[i]);
	}
	assert_int_equal(take(), -1);
}

static void nesting(void **state)
{
	pulse(5);
	assert_int_equal(take(), 5);
	pulse(9);
	assert_int_equal(take(), 9);
	/* Its own chip lets a higher one through, the first does not, but in special mode. */
	pulse(8);
	assert_int_equal(take(), -1);
	pulse(1);
	assert_int_equal(take(), 1);
	eoi(1);
	eoi(9);
	assert_int_equal(take(), 8);
	eoi(8);
	eoi(5);
	init(0x11);
	pulse(9);
	assert_int_equal(take(), 9);
	pulse(8);
	assert_int_equal(take(), 8);
	pulse(10);
	assert_int_equal(take(), -1);
	unit_out(SLAVE, EOI);
	assert_int_equal(take(), -1);
	unit_out(SLAVE, EOI);
	assert_int_equal(take(), 10);
}

static void masked(void **state)
{
	unit_out(MASTER + 1, 0x08);
	assert_int_equal(unit_in(MASTER + 1), 0x08);
	assert_int_equal(pulse(3), -1);
	assert_int_equal(take(), -1);
	/* The edge is kept. */
	unit_out(MASTER + 1, 0);
	assert_int_equal(take(), 3);
	assert_int_equal(pulse(3), 1);
	assert_int_equal(pulse(3), 0);
	eoi(3);
	assert_int_equal(take(), 3);
	assert_int_equal(take(), -1);
}

static void spurious(void **state)
{
	pulse(3);
	unit_out(MASTER + 1, 0xff);
	assert_false(umbra_pic_output(&unit.vm));
	assert_int_equal(umbra_pic_intack(&unit.vm), BASE + 7);
	unit_out(MASTER, READ_ISR);
	assert_int_equal(unit_in(MASTER), 0);
	init(1);
	pulse(11);
	unit_out(SLAVE + 1, 0xff);
	/* The first chip knows of no change, and has one in service then. */
	assert_int_equal(take(), 15);
	unit_out(MASTER, READ_ISR);
	unit_out(SLAVE, READ_ISR);
	assert_int_equal(unit_in(MASTER), 1 << 2);
	assert_int_equal(unit_in(SLAVE), 0);
	unit_out(MASTER, EOI);
	assert_int_equal(take(), -1);
	unit_out(SLAVE + 1, 0);
	assert_int_equal(take(), 11);
}

static void automatic_eoi(void **state)
{
	init(3);
	pulse(4);
	assert_int_equal(take(), 4);
	pulse(5);
	assert_int_equal(take(), 5);
	unit_out(MASTER, READ_ISR);
	assert_int_equal(unit_in(MASTER), 0);
	/* Rotating: the one served is the lowest then. */
	unit_out(MASTER, 0x80);
	pulse(4);
	assert_int_equal(take(), 4);
	pulse(4);
	pulse(3);
	pulse(5);
	assert_int_equal(take(), 5);
	assert_int_equal(take(), 3);
	assert_int_equal(take(), 4);
	unit_out(MASTER, 0x00);
	pulse(7);
	pulse(6);
	assert_int_equal(take(), 6);
	assert_int_equal(take(), 7);
}

static void rotation(void **state)
{
	pulse(1);
	pulse(4);
	assert_int_equal(take(), 1);
	unit_out(MASTER, EOI_ROTATE);
	pulse(1);
	assert_int_equal(take(), 4);
	unit_out(MASTER, EOI_SPECIFIC_ROTATE | 4);
	pulse(4);
	pulse(0);
	assert_int_equal(take(), 0);
	unit_out(MASTER, EOI_SPECIFIC | 0);
	assert_int_equal(take(), 1);
	unit_out(MASTER, EOI);
	unit_out(MASTER, SET_PRIORITY | 3);
	pulse(0);
	assert_int_equal(take(), 4);
	/* An EOI that names another one ends nothing. */
	unit_out(MASTER, EOI_SPECIFIC | 0);
	assert_int_equal(take(), -1);
	unit_out(MASTER, EOI);
	assert_int_equal(take(), 0);
}

static void special_mask(void **state)
{
	pulse(3);
	assert_int_equal(take(), 3);
	unit_out(MASTER + 1, 1 << 3);
	pulse(6);
	assert_int_equal(take(), -1);
	unit_out(MASTER, SPECIAL_ON);
	assert_int_equal(take(), 6);
	/* The masked one in service is not what is meant. */
	unit_out(MASTER, EOI);
	unit_out(MASTER, READ_ISR);
	assert_int_equal(unit_in(MASTER), 1 << 3);
	unit_out(MASTER, SPECIAL_OFF);
	pulse(6);
	assert_int_equal(take(), -1);
	unit_out(MASTER, EOI);
	assert_int_equal(take(), 6);
}

static void levels(void **state)
{
	/* The timer, the keyboard, the cascade, the clock and the FPU are edges for ever. */
	unit_out(ELCR, 0xff);
	unit_out(ELCR + 1, 0xff);
	assert_int_equal(unit_in(ELCR), 0xf8);
	assert_int_equal(unit_in(ELCR + 1), 0xde);
	assert_int_equal(line(11, true), 1);
	assert_int_equal(take(), 11);
	eoi(11);
	assert_int_equal(take(), 11);
	line(11, false);
	eoi(11);
	assert_int_equal(take(), -1);
	/* A level that falls before it is served was none. */
	line(5, true);
	line(5, false);
	assert_int_equal(take(), -1);
	/* It is high for as long as anybody says so. */
	line(5, true);
	umbra_pic_set_irq(&unit.vm, 5, UMBRA_IRQ_SOURCE_RESAMPLE, true);
	line(5, false);
	assert_int_equal(take(), 5);
	umbra_pic_set_irq(&unit.vm, 5, UMBRA_IRQ_SOURCE_RESAMPLE, false);
	eoi(5);
	assert_int_equal(take(), -1);
}

static void poll_mode(void **state)
{
	pulse(6);
	pulse(12);
	unit_out(SLAVE, POLL);
	assert_int_equal(unit_in(SLAVE), 0x80 | 4);
	assert_int_equal(unit_in(SLAVE + 1), 0);
	unit_out(MASTER, POLL);
	assert_int_equal(unit_in(MASTER), 0x80 | 6);
	unit_out(MASTER, READ_ISR);
	assert_int_equal(unit_in(MASTER), 1 << 6);
	assert_int_equal(take(), -1);
	unit_out(MASTER, POLL);
	assert_int_equal(unit_in(MASTER), 7);
	unit_out(MASTER, READ_IRR);
	pulse(7);
	assert_int_equal(unit_in(MASTER), 1 << 7);
}

/* An acknowledged pin is told of without the lock, and may be raised from there. */
static void raise_again(u32 chip, u32 pin)
{
	unit.at_ack = NULL;
	line(chip * 8 + pin, true);
}

static void acks(void **state)
{
	unit.wants_acks = true;
	pulse(3);
	assert_int_equal(take(), 3);
	assert_int_equal(unit.acks[0][3], 0);
	unit.at_ack = raise_again;
	eoi(3);
	assert_int_equal(unit.acks[0][3], 1);
	assert_int_equal(take(), 3);
	/* EOIs that end nothing are nobody's, and an initialization ends all. */
	eoi(3);
	eoi(3);
	assert_int_equal(unit.acks[0][3], 2);
	pulse(13);
	assert_int_equal(take(), 13);
	unit_out(SLAVE, 0x11);
	assert_int_equal(unit.acks[1][5], 1);
	assert_int_equal(unit.acks[0][2], 0);
}

/* Who listens is woken for each request, not for each pin. */
static void kicks(void **state)
{
	int before;

	unit_enable(0, false);
	before = unit.told[0].woken;
	pulse(3);
	assert_int_equal(unit.told[0].woken, before + 1);
	pulse(4);
	assert_int_equal(unit.told[0].woken, before + 1);
	assert_int_equal(unit.told[1].woken, 0);
	assert_true(umbra_irq_has(&unit.vcpu[0]));
	assert_int_equal(umbra_irq_take(&unit.vcpu[0]), BASE + 3);
	assert_false(umbra_irq_has(&unit.vcpu[0]));
	before = unit.told[0].woken;
	eoi(3);
	assert_int_equal(unit.told[0].woken, before + 1);
	assert_int_equal(umbra_irq_take(&unit.vcpu[0]), BASE + 4);
	/* What still waits after an acknowledgment is another request. */
	init(3);
	pulse(3);
	pulse(4);
	before = unit.told[0].woken;
	assert_int_equal(umbra_irq_take(&unit.vcpu[0]), BASE + 3);
	assert_int_equal(unit.told[0].woken, before + 1);
}

/* A model of one chip without the other: pins in the order of their priority. */
static struct {
	u8 irr, isr, imr;
	u32 lowest;
} model;

static int model_next(void)
{
	u32 i;

	for (i = 1; i <= 8; i++) {
		u8 bit = 1 << (model.lowest + i) % 8;

		if (model.isr & bit)
			return -1;
		if (model.irr & ~model.imr & bit)
			return (model.lowest + i) % 8;
	}
	return -1;
}

static void model_eoi(bool rotate)
{
	u32 i;

	for (i = 1; i <= 8; i++) {
		u32 pin = (model.lowest + i) % 8;

		if (!(model.isr & 1 << pin))
			continue;
		model.isr &= ~(1 << pin);
		if (rotate)
			model.lowest = pin;
		return;
	}
}

static void against_model(void **state)
{
	u32 i, pin;
	int next;

	model.lowest = 7;
	for (i = 0; i < STEPS; i++) {
		pin = random() % 8;
		switch (random() % 6) {
		case 0:
		case 1:
			/* Pin 2 has nobody but the other chip. */
			if (pin == 2)
				break;
			pulse(pin);
			model.irr |= 1 << pin;
			break;
		case 2:
			model.imr = random() & random();
			unit_out(MASTER + 1, model.imr);
			break;
		case 3:
			next = model_next();
			assert_int_equal(take(), next);
			if (next >= 0) {
				model.irr &= ~(1 << next);
				model.isr |= 1 << next;
			}
			break;
		case 4:
			unit_out(MASTER, pin & 1 ? EOI_ROTATE : EOI);
			model_eoi(pin & 1);
			break;
		case 5:
			unit_out(MASTER, EOI_SPECIFIC | pin);
			model.isr &= ~(1 << pin);
			break;
		}
		unit_out(MASTER, READ_IRR);
		assert_int_equal(unit_in(MASTER), model.irr);
		unit_out(MASTER, READ_ISR);
		assert_int_equal(unit_in(MASTER), model.isr);
	}
}

static void save_and_restore(void **state)
{
	struct kvm_irqchip chip[2] = { { .chip_id = 0 }, { .chip_id = 1 } };
	struct kvm_irqchip again;
	u32 i;

	pulse(14);
	pulse(6);
	assert_int_equal(take(), 14);
	for (i = 0; i < 2; i++)
		assert_int_equal(unit_get_chip(&chip[i]), 0);
	assert_int_equal(chip[0].chip.pic.isr, 1 << 2);
	assert_int_equal(chip[1].chip.pic.irq_base, BASE + 8);
	init(1);
	assert_int_equal(take(), -1);
	for (i = 0; i < 2; i++)
		assert_int_equal(unit_set_chip(&chip[i]), 0);
	for (i = 0; i < 2; i++) {
		again = chip[i];
		assert_int_equal(unit_get_chip(&again), 0);
		assert_memory_equal(&again, &chip[i], sizeof(again));
	}
	assert_int_equal(take(), -1);
	eoi(14);
	assert_int_equal(take(), 6);
	again.chip_id = 3;
	assert_int_equal(unit_get_chip(&again), -EINVAL);
	assert_int_equal(unit_set_chip(&again), -EINVAL);
}

/* Anything at all, from both sides: no crash, no vector but those of the two chips. */
static void chaos(void **state)
{
	static const u16 ports[] = { MASTER, MASTER + 1, SLAVE, SLAVE + 1, ELCR, ELCR + 1 };
	struct kvm_irqchip chip;
	u32 i, j, vector;

	unit.wants_acks = true;
	for (i = 0; i < STEPS; i++) {
		switch (random() % 8) {
		case 0:
			for (j = 0; j < sizeof(chip); j++)
				((u8 *)&chip)[j] = random();
			chip.chip_id = random() % 2;
			assert_int_equal(unit_set_chip(&chip), 0);
			break;
		case 1:
			vector = umbra_pic_intack(&unit.vm);
			assert_in_range(vector, 0, 255);
			break;
		case 2:
		case 3:
			unit_in(ports[random() % 6]);
			break;
		case 4:
		case 5:
			unit_out(ports[random() % 6], random());
			break;
		default:
			line(random() % 16, random() % 2);
		}
	}
	init(1);
	for (i = 0; i < 16; i++)
		line(i, false);
	unit_out(ELCR, 0);
	unit_out(ELCR + 1, 0);
	init(1);
	pulse(8);
	assert_int_equal(take(), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fixed_priorities, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(nesting, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(masked, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(spurious, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(automatic_eoi, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(rotation, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(special_mask, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(levels, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(poll_mode, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(acks, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(kicks, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(against_model, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(save_and_restore, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(chaos, setup, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
