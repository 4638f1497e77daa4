// SPDX-License-Identifier: GPL-2.0
/*
 * The pair of 8259A of a PC: the second one hangs on pin 2 of the first. Their output goes to
 * the local APICs, which ask for it by umbra_pic_output() and acknowledge it by
 * umbra_pic_intack(). Knows nothing of routes.
 *
 * All is under pic->lock, and below that is nothing: kicks, and news of acknowledgments, come
 * after it is dropped.
 */
#include "irq_env.h"
#include "irqfd.h"
#include "pic.h"

#define PINS			8
#define CASCADE			2	/* pin of the first chip */
#define SPURIOUS		7
#define NONE			8	/* no pin: lower than the lowest priority */

#define PORT_FIRST		0x20
#define PORT_SECOND		0xa0
#define PORT_ELCR		0x4d0

/* Command words at the even port. */
#define ICW1			BIT(4)
#define ICW1_LEVEL		BIT(3)	/* all pins level-triggered: not on a PC, where ELCR says */
#define ICW1_SINGLE		BIT(1)
#define ICW1_ICW4		BIT(0)
#define OCW3			BIT(3)
#define OCW3_POLL		BIT(2)
#define OCW3_READ		BIT(1)
#define OCW3_READ_ISR		BIT(0)
#define OCW3_SET_MASK_MODE	BIT(6)
#define OCW3_MASK_MODE		BIT(5)
#define ICW4_AEOI		BIT(1)
#define ICW4_FULLY_NESTED	BIT(4)

/* OCW2, bits 7:5. */
enum {
	ROTATE_AEOI_CLEAR,
	EOI,
	OCW2_NOTHING,
	EOI_SPECIFIC,
	ROTATE_AEOI_SET,
	EOI_ROTATE,
	SET_PRIORITY,
	EOI_SPECIFIC_ROTATE,
};

/* What byte of the initialization comes next; kvm_pic_state.init_state. */
enum {
	READY,
	WANTS_ICW2,
	WANTS_ICW3,
	WANTS_ICW4,
};

/**
 * struct umbra_pic - both chips
 * @lock: raw, irq-safe, the innermost
 * @chip: the first and the second, as the client sees them
 * @line: by source, pins it holds high: 0 to 7 of the first chip, 8 to 15 of the second
 * @output: the first one's INTR line; read without @lock
 * @raised: it went from low to high since @lock was taken
 * @acked: pins whose interrupt was finished since @lock was taken
 */
struct umbra_pic {
	raw_spinlock_t lock;
	struct kvm_pic_state chip[2];
	u16 line[UMBRA_IRQ_SOURCES];
	bool output;
	bool raised;
	u16 acked;
};

/* Places from the pin of the highest priority in @pins; NONE when there is none. */
static unsigned int rank(const struct kvm_pic_state *s, u8 pins)
{
	unsigned int add = s->priority_add & 7;

	pins = pins >> add | pins << (PINS - add);
	return pins ? __ffs(pins) : NONE;
}

static unsigned int pin_of_rank(const struct kvm_pic_state *s, unsigned int rank)
{
	return (rank + s->priority_add) & 7;
}

/* The pin that this chip asks to be served, or -1. */
static int request_of(const struct umbra_pic *pic, int chip)
{
	const struct kvm_pic_state *s = &pic->chip[chip];
	unsigned int first = rank(s, s->irr & ~s->imr);
	u8 served = s->isr;

	if (first == NONE)
		return -1;
	/* Special mask mode: what is masked keeps no other from being served. */
	if (s->special_mask)
		served &= ~s->imr;
	/* Special fully nested mode: the other chip sees to its own priorities. */
	if (s->special_fully_nested_mode && !chip)
		served &= ~BIT(CASCADE);
	return first < rank(s, served) ? pin_of_rank(s, first) : -1;
}

/* Pin @pin of one chip is at @level now. As umbra_apic_deliver(). */
static int set_pin(struct kvm_pic_state *s, u32 pin, bool level)
{
	u8 mask = BIT(pin);
	int r = 1;

	if (!level) {
		/* An edge that came is kept, though the pin is low again. */
		if (s->elcr & mask)
			s->irr &= ~mask;
		s->last_irr &= ~mask;
	} else {
		if (s->elcr & mask || !(s->last_irr & mask)) {
			r = !(s->irr & mask);
			s->irr |= mask;
		}
		s->last_irr |= mask;
	}
	return s->imr & mask ? -1 : r;
}

/* Pass the second chip's output on to the first, and the first one's on. */
static void update(struct umbra_pic *pic)
{
	bool output;

	/* Kept like any edge: if the second chip has nothing any more, that is a spurious one. */
	if (request_of(pic, 1) >= 0)
		pic->chip[0].irr |= BIT(CASCADE);
	output = request_of(pic, 0) >= 0;
	if (output && !pic->output)
		pic->raised = true;
	WRITE_ONCE(pic->output, output);
}

static void lock(struct umbra_pic *pic, unsigned long *flags)
	__acquires(&pic->lock)
{
	raw_spin_lock_irqsave(&pic->lock, *flags);
	pic->raised = false;
	pic->acked = 0;
}

static void tell_acked(struct umbra_vm *vm, unsigned long pins)
{
	u32 pin;

	for_each_set_bit(pin, &pins, 2 * PINS)
		umbra_irqfd_ack(vm, pin / PINS, pin % PINS);
}

/* Drop the lock, then tell those who have to know. */
static void unlock(struct umbra_vm *vm, struct umbra_pic *pic, unsigned long flags)
	__releases(&pic->lock)
{
	bool raised = pic->raised;
	u16 acked = pic->acked;

	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (raised)
		umbra_apic_extint_kick(vm);
	if (acked && umbra_irqfd_wants_acks(vm))
		tell_acked(vm, acked);
}

int umbra_pic_set_irq(struct umbra_vm *vm, u32 pin, int source, bool level)
{
	struct umbra_pic *pic = vm->irq.pic;
	unsigned long flags;
	int r;

	lock(pic, &flags);
	if (level)
		pic->line[source] |= BIT(pin);
	else
		pic->line[source] &= ~BIT(pin);
	level = (pic->line[0] | pic->line[1] | pic->line[2]) & BIT(pin);
	r = set_pin(&pic->chip[pin / PINS], pin % PINS, level);
	update(pic);
	unlock(vm, pic, flags);
	return r;
}

bool umbra_pic_output(struct umbra_vm *vm)
{
	return READ_ONCE(vm->irq.pic->output);
}

static void finish(struct umbra_pic *pic, int chip, unsigned int pin)
{
	if (pic->chip[chip].isr & BIT(pin))
		pic->acked |= BIT(chip * PINS + pin);
	pic->chip[chip].isr &= ~BIT(pin);
}

/* INTA: @pin is in service now, and, with automatic EOI, finished. */
static void serve(struct umbra_pic *pic, int chip, unsigned int pin)
{
	struct kvm_pic_state *s = &pic->chip[chip];

	s->isr |= BIT(pin);
	/* A level stays requested for as long as it is there. */
	if (!(s->elcr & BIT(pin)))
		s->irr &= ~BIT(pin);
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (pin + 1) & 7;
	finish(pic, chip, pin);
}

/* The pin that an acknowledgment gets; nothing is served if the request is gone. */
static unsigned int acknowledge(struct umbra_pic *pic, int chip)
{
	int pin = request_of(pic, chip);

	if (pin < 0)
		return SPURIOUS;
	serve(pic, chip, pin);
	return pin;
}

/**
 * umbra_pic_intack() - the processor acknowledges what the first chip asks for
 * @vm: VM
 *
 * Return: a vector; that of pin 7, of the chip that knows of none, if nothing is requested.
 */
int umbra_pic_intack(struct umbra_vm *vm)
{
	struct umbra_pic *pic = vm->irq.pic;
	unsigned long flags;
	unsigned int pin;
	int chip = 0;
	int vector;

	lock(pic, &flags);
	pin = request_of(pic, 0) == CASCADE ? CASCADE : acknowledge(pic, 0);
	if (pin == CASCADE) {
		/* The second one first: its request is the first one's. */
		pin = acknowledge(pic, 1);
		serve(pic, 0, CASCADE);
		chip = 1;
	}
	vector = (u8)(pic->chip[chip].irq_base + pin);
	/* The line drops for a moment, so that whoever listens hears of the next request. */
	WRITE_ONCE(pic->output, false);
	update(pic);
	unlock(vm, pic, flags);
	return vector;
}

/* ICW1. Lines that are high make no edge, and levels are requested again. */
static void initialize(struct umbra_pic *pic, int chip, u8 value)
{
	struct kvm_pic_state *s = &pic->chip[chip];
	u8 elcr = s->elcr, elcr_mask = s->elcr_mask;
	u8 last_irr = s->last_irr, irr = s->irr & elcr;

	/* Nobody will end these any more. */
	pic->acked |= s->isr << (chip * PINS);
	*s = (struct kvm_pic_state) {
		.elcr = elcr, .elcr_mask = elcr_mask, .last_irr = last_irr, .irr = irr,
		.init_state = WANTS_ICW2, .init4 = value & ICW1_ICW4,
	};
}

static void write_ocw3(struct kvm_pic_state *s, u8 value)
{
	if (value & OCW3_POLL)
		s->poll = 1;
	if (value & OCW3_READ)
		s->read_reg_select = value & OCW3_READ_ISR;
	if (value & OCW3_SET_MASK_MODE)
		s->special_mask = !!(value & OCW3_MASK_MODE);
}

/* EOI of the pin of the highest priority in service, except those that special mode ignores. */
static void eoi(struct umbra_pic *pic, int chip, bool rotate)
{
	struct kvm_pic_state *s = &pic->chip[chip];
	u8 served = s->special_mask ? s->isr & ~s->imr : s->isr;
	unsigned int place = rank(s, served);
	unsigned int pin;

	if (place == NONE)
		return;
	pin = pin_of_rank(s, place);
	if (rotate)
		s->priority_add = (pin + 1) & 7;
	finish(pic, chip, pin);
}

static void write_ocw2(struct umbra_pic *pic, int chip, u8 value)
{
	struct kvm_pic_state *s = &pic->chip[chip];
	unsigned int pin = value & 7;

	switch (value >> 5) {
	case ROTATE_AEOI_CLEAR:
	case ROTATE_AEOI_SET:
		s->rotate_on_auto_eoi = value >> 7;
		break;
	case EOI:
	case EOI_ROTATE:
		eoi(pic, chip, value >> 7);
		break;
	case EOI_SPECIFIC_ROTATE:
		s->priority_add = (pin + 1) & 7;
		fallthrough;
	case EOI_SPECIFIC:
		finish(pic, chip, pin);
		break;
	case SET_PRIORITY:
		s->priority_add = (pin + 1) & 7;
		break;
	}
}

static void write_even(struct umbra_pic *pic, int chip, u8 value)
{
	if (value & ICW1)
		initialize(pic, chip, value);
	else if (value & OCW3)
		write_ocw3(&pic->chip[chip], value);
	else
		write_ocw2(pic, chip, value);
}

static void write_odd(struct umbra_pic *pic, int chip, u8 value)
{
	struct kvm_pic_state *s = &pic->chip[chip];

	switch (s->init_state) {
	case WANTS_ICW2:
		s->irq_base = value & 0xf8;
		s->init_state = WANTS_ICW3;
		break;
	case WANTS_ICW3:
		/* Which pin the cascade is at: a PC leaves no choice. */
		s->init_state = s->init4 ? WANTS_ICW4 : READY;
		break;
	case WANTS_ICW4:
		s->special_fully_nested_mode = !!(value & ICW4_FULLY_NESTED);
		s->auto_eoi = !!(value & ICW4_AEOI);
		s->init_state = READY;
		break;
	default:
		s->imr = value;
		break;
	}
}

/* Poll mode: a read acknowledges as the processor would, and says which pin it was. */
static u8 poll(struct umbra_pic *pic, int chip)
{
	int pin = request_of(pic, chip);

	pic->chip[chip].poll = 0;
	if (pin < 0)
		return SPURIOUS;
	serve(pic, chip, pin);
	/* This was what it told the first one of. */
	if (chip)
		pic->chip[0].irr &= ~BIT(CASCADE);
	return BIT(7) | pin;
}

static u8 read_chip(struct umbra_pic *pic, int chip, bool odd)
{
	struct kvm_pic_state *s = &pic->chip[chip];
	u8 value;

	if (s->poll) {
		value = poll(pic, chip);
		update(pic);
		return value;
	}
	if (odd)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

/* Pins of either chip whose trigger mode the guest may choose: not the timer, keyboard, RTC. */
static u8 elcr_mask(int chip)
{
	return chip ? 0xde : 0xf8;
}

bool umbra_pic_port(u16 port)
{
	switch (port) {
	case PORT_FIRST:
	case PORT_FIRST + 1:
	case PORT_SECOND:
	case PORT_SECOND + 1:
	case PORT_ELCR:
	case PORT_ELCR + 1:
		return true;
	default:
		return false;
	}
}

static int chip_of_port(u16 port)
{
	return port >= PORT_ELCR ? port & 1 : port >= PORT_SECOND;
}

void umbra_pic_read(struct umbra_vm *vm, u16 port, u8 *value)
{
	struct umbra_pic *pic = vm->irq.pic;
	int chip = chip_of_port(port);
	unsigned long flags;

	lock(pic, &flags);
	if (port >= PORT_ELCR)
		*value = pic->chip[chip].elcr;
	else
		*value = read_chip(pic, chip, port & 1);
	unlock(vm, pic, flags);
}

void umbra_pic_write(struct umbra_vm *vm, u16 port, u8 value)
{
	struct umbra_pic *pic = vm->irq.pic;
	int chip = chip_of_port(port);
	unsigned long flags;

	lock(pic, &flags);
	if (port >= PORT_ELCR)
		pic->chip[chip].elcr = value & elcr_mask(chip);
	else if (port & 1)
		write_odd(pic, chip, value);
	else
		write_even(pic, chip, value);
	update(pic);
	unlock(vm, pic, flags);
}

void umbra_pic_get(struct umbra_vm *vm, u32 chip, struct kvm_pic_state *state)
{
	struct umbra_pic *pic = vm->irq.pic;

	raw_spin_lock_irq(&pic->lock);
	*state = pic->chip[chip];
	raw_spin_unlock_irq(&pic->lock);
}

/* Every value means something, or is cut to what does. */
void umbra_pic_set(struct umbra_vm *vm, u32 chip, const struct kvm_pic_state *state)
{
	struct umbra_pic *pic = vm->irq.pic;
	struct kvm_pic_state *s = &pic->chip[chip];
	unsigned long flags;

	lock(pic, &flags);
	*s = *state;
	s->priority_add &= 7;
	s->elcr_mask = elcr_mask(chip);
	s->elcr &= s->elcr_mask;
	if (s->init_state > WANTS_ICW4)
		s->init_state = READY;
	WRITE_ONCE(pic->output, false);
	update(pic);
	unlock(vm, pic, flags);
}

int umbra_pic_create(struct umbra_vm *vm)
{
	struct umbra_pic *pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);

	if (!pic)
		return -ENOMEM;
	raw_spin_lock_init(&pic->lock);
	pic->chip[0].elcr_mask = elcr_mask(0);
	pic->chip[1].elcr_mask = elcr_mask(1);
	vm->irq.pic = pic;
	return 0;
}

void umbra_pic_destroy(struct umbra_vm *vm)
{
	kfree(vm->irq.pic);
	vm->irq.pic = NULL;
}
