// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: 24 pins, each with an entry that says which message a rising edge or a
 * high level becomes. Knows nothing of routes: a pin's number is all it is given.
 *
 * Everything in struct umbra_ioapic is under its lock, except where said. Delivery to local APICs
 * happens below the lock, so that an EOI finds the remote IRR that belongs to it; whoever waits
 * for acknowledgements is told without it.
 */
#include "irq_env.h"
#include "ioapic.h"
#include "irqfd.h"

#define IOAPIC_BASE		0xfec00000ull
#define IOAPIC_LENGTH		0x100u

/* Registers in the page, and those that are reached through them. */
#define MMIO_SELECT		0x00
#define MMIO_WINDOW		0x10
#define REG_ID			0
#define REG_VERSION		1
#define REG_ARBITRATION		2
#define REG_ENTRIES		0x10
#define VERSION			(0x11 | (UMBRA_IOAPIC_PINS - 1) << 16)
#define ID_SHIFT		24
#define ID_MASK			0xfu

/* A redirection entry. */
#define ENTRY_VECTOR		GENMASK_ULL(7, 0)
#define ENTRY_MODE_SHIFT	8
#define ENTRY_MODE_MASK		7
#define ENTRY_LOGICAL		BIT_ULL(11)
#define ENTRY_STATUS		BIT_ULL(12)
#define ENTRY_REMOTE_IRR	BIT_ULL(14)
#define ENTRY_LEVEL		BIT_ULL(15)
#define ENTRY_MASKED		BIT_ULL(16)
#define ENTRY_DEST_SHIFT	56
#define ENTRY_WRITABLE		((GENMASK_ULL(16, 0) | GENMASK_ULL(63, ENTRY_DEST_SHIFT)) & \
				 ~(ENTRY_STATUS | ENTRY_REMOTE_IRR))

/*
 * A level that is high again at each EOI keeps the guest in its handler for ever. On a PC an EOI
 * takes a while to arrive, and the guest gets on in the meantime; here it would not. After so
 * many in a row let it run before the next one.
 */
#define STORM_LIMIT		10000
#define STORM_PAUSE		(HZ / 100 + 1)

/**
 * struct umbra_ioapic - the chip
 * @lock: raw, irq-safe; below it nothing but delivery to local APICs
 * @base: address of the registers; written when the client sets the state, read without @lock
 * @select: register that the window shows
 * @id: of the chip, 4 bits
 * @line: by source, pins it holds high
 * @irr: pins that are high
 * @remote_irr: level-triggered pins whose interrupt a local APIC has accepted, without an EOI yet
 * @entry: the redirection table, without the remote IRR
 * @storm: by pin, EOIs in a row that found it high
 * @calm: delivers again what a storm has held back
 * @vm: for @calm
 */
struct umbra_ioapic {
	raw_spinlock_t lock;
	gpa_t base;
	u32 select;
	u32 id;
	u32 line[UMBRA_IRQ_SOURCES];
	u32 irr;
	u32 remote_irr;
	u64 entry[UMBRA_IOAPIC_PINS];
	u16 storm[UMBRA_IOAPIC_PINS];
	struct delayed_work calm;
	struct umbra_vm *vm;
};

/* Send what @pin's entry says, unless it is masked or waits for its EOI. Lock held. */
static int send_pin(struct umbra_ioapic *ioapic, u32 pin)
{
	u64 entry = ioapic->entry[pin];
	struct umbra_irq_msg msg = {
		.dest = entry >> ENTRY_DEST_SHIFT,
		.mode = entry >> ENTRY_MODE_SHIFT & ENTRY_MODE_MASK,
		.shorthand = UMBRA_TO_DEST,
		.vector = entry & ENTRY_VECTOR,
		.logical = entry & ENTRY_LOGICAL,
		.level = entry & ENTRY_LEVEL,
		.assert = true,
	};
	int r;

	if (entry & ENTRY_MASKED)
		return -1;
	if (ioapic->remote_irr & BIT(pin))
		return 0;
	r = umbra_apic_deliver(ioapic->vm, NULL, &msg);
	/* Where it waits already, the EOI of that one counts for this one too. */
	if (msg.level && r >= 0)
		ioapic->remote_irr |= BIT(pin);
	return r;
}

int umbra_ioapic_set_irq(struct umbra_vm *vm, u32 pin, int source, bool level)
{
	struct umbra_ioapic *ioapic = vm->irq.ioapic;
	u32 mask = BIT(pin);
	unsigned long flags;
	bool was, is;
	int r = 1;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	was = ioapic->irr & mask;
	if (level)
		ioapic->line[source] |= mask;
	else
		ioapic->line[source] &= ~mask;
	is = (ioapic->line[0] | ioapic->line[1] | ioapic->line[2]) & mask;
	if (!is) {
		ioapic->irr &= ~mask;
	} else {
		ioapic->irr |= mask;
		/* An edge at a pin that is masked is lost, as the manual says. */
		if (!was || ioapic->entry[pin] & ENTRY_LEVEL)
			r = send_pin(ioapic, pin);
		else
			r = 0;
	}
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return r;
}

/* Deliver pins of @pins that are level-triggered and high. Lock held. */
static void send_levels(struct umbra_ioapic *ioapic, unsigned long pins)
{
	u32 pin;

	pins &= ioapic->irr;
	for_each_set_bit(pin, &pins, UMBRA_IOAPIC_PINS)
		if (ioapic->entry[pin] & ENTRY_LEVEL)
			send_pin(ioapic, pin);
}

static void calm(struct work_struct *work)
{
	struct umbra_ioapic *ioapic = container_of(work, struct umbra_ioapic, calm.work);

	raw_spin_lock_irq(&ioapic->lock);
	send_levels(ioapic, ioapic->irr);
	raw_spin_unlock_irq(&ioapic->lock);
}

/* Pins that wait for the EOI of @vector. Lock held. */
static unsigned long eoi_pins(const struct umbra_ioapic *ioapic, u8 vector)
{
	unsigned long waiting = ioapic->remote_irr;
	unsigned long pins = 0;
	u32 pin;

	for_each_set_bit(pin, &waiting, UMBRA_IOAPIC_PINS)
		if ((ioapic->entry[pin] & ENTRY_VECTOR) == vector)
			pins |= BIT(pin);
	return pins;
}

/* The EOI has arrived at @pins. True if one of them has to calm down first. Lock held. */
static bool end_pins(struct umbra_ioapic *ioapic, unsigned long pins)
{
	bool storm = false;
	u32 pin;

	ioapic->remote_irr &= ~pins;
	for_each_set_bit(pin, &pins, UMBRA_IOAPIC_PINS) {
		if (!(ioapic->irr & BIT(pin))) {
			ioapic->storm[pin] = 0;
		} else if (++ioapic->storm[pin] < STORM_LIMIT) {
			send_pin(ioapic, pin);
		} else {
			ioapic->storm[pin] = 0;
			storm = true;
		}
	}
	return storm;
}

static void tell_acked(struct umbra_vm *vm, unsigned long pins)
{
	u32 pin;

	for_each_set_bit(pin, &pins, UMBRA_IOAPIC_PINS)
		umbra_irqfd_ack(vm, KVM_IRQCHIP_IOAPIC, pin);
}

/**
 * umbra_ioapic_eoi() - a local APIC has finished a level-triggered interrupt
 * @vcpu: whose
 * @vector: which
 *
 * Resamplers are told while the remote IRR is still set: what they raise meanwhile is found
 * after that, like a line that has stayed high.
 */
void umbra_ioapic_eoi(struct umbra_vcpu *vcpu, u8 vector)
{
	struct umbra_ioapic *ioapic = vcpu->vm->irq.ioapic;
	unsigned long flags, pins;
	bool storm;

	if (!ioapic)
		return;
	/* No look without the lock: one whose vector has arrived may still be about to be set. */
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	pins = eoi_pins(ioapic, vector);
	if (pins && umbra_irqfd_wants_acks(vcpu->vm)) {
		raw_spin_unlock_irqrestore(&ioapic->lock, flags);
		tell_acked(vcpu->vm, pins);
		raw_spin_lock_irqsave(&ioapic->lock, flags);
	}
	storm = end_pins(ioapic, pins);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	if (storm)
		schedule_delayed_work(&ioapic->calm, STORM_PAUSE);
}

bool umbra_ioapic_mmio(struct umbra_vm *vm, gpa_t addr, unsigned int len)
{
	gpa_t base = READ_ONCE(vm->irq.ioapic->base);

	return addr - base < IOAPIC_LENGTH && len <= IOAPIC_LENGTH - (addr - base);
}

static u64 shown_entry(const struct umbra_ioapic *ioapic, u32 pin)
{
	return ioapic->entry[pin] | (ioapic->remote_irr & BIT(pin) ? ENTRY_REMOTE_IRR : 0);
}

static u32 read_window(const struct umbra_ioapic *ioapic)
{
	u32 reg = ioapic->select;
	u32 pin = (reg - REG_ENTRIES) / 2;

	switch (reg) {
	case REG_ID:
	case REG_ARBITRATION:
		return ioapic->id << ID_SHIFT;
	case REG_VERSION:
		return VERSION;
	}
	if (reg < REG_ENTRIES || pin >= UMBRA_IOAPIC_PINS)
		return 0;
	pin = array_index_nospec(pin, UMBRA_IOAPIC_PINS);
	return shown_entry(ioapic, pin) >> (reg & 1 ? 32 : 0);
}

void umbra_ioapic_read(struct umbra_vm *vm, gpa_t addr, unsigned int len, void *data)
{
	struct umbra_ioapic *ioapic = vm->irq.ioapic;
	gpa_t offset = addr & (IOAPIC_LENGTH - 1);
	unsigned long flags;
	u32 value = 0;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if (offset == MMIO_SELECT)
		value = ioapic->select;
	else if (offset == MMIO_WINDOW)
		value = read_window(ioapic);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	memset(data, 0, len);
	memcpy(data, &value, min_t(unsigned int, len, sizeof(value)));
}

/* Lock held. */
static void write_entry(struct umbra_ioapic *ioapic, u32 pin, u64 entry)
{
	ioapic->entry[pin] = entry;
	/* Kernels clear a remote IRR whose EOI was lost by making the pin edge-triggered. */
	if (!(entry & ENTRY_LEVEL))
		ioapic->remote_irr &= ~BIT(pin);
	send_levels(ioapic, BIT(pin));
}

static void write_window(struct umbra_ioapic *ioapic, u32 value)
{
	u32 reg = ioapic->select;
	u32 pin = (reg - REG_ENTRIES) / 2;
	u64 entry;

	if (reg == REG_ID)
		ioapic->id = value >> ID_SHIFT & ID_MASK;
	if (reg < REG_ENTRIES || pin >= UMBRA_IOAPIC_PINS)
		return;
	pin = array_index_nospec(pin, UMBRA_IOAPIC_PINS);
	entry = ioapic->entry[pin];
	if (reg & 1)
		entry = (u32)entry | (u64)value << 32;
	else
		entry = (entry & ~(u64)U32_MAX) | value;
	write_entry(ioapic, pin, entry & ENTRY_WRITABLE);
}

void umbra_ioapic_write(struct umbra_vm *vm, gpa_t addr, unsigned int len, const void *data)
{
	struct umbra_ioapic *ioapic = vm->irq.ioapic;
	gpa_t offset = addr & (IOAPIC_LENGTH - 1);
	unsigned long flags;
	u32 value = 0;

	memcpy(&value, data, min_t(unsigned int, len, sizeof(value)));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if (offset == MMIO_SELECT)
		ioapic->select = value & 0xff;
	else if (offset == MMIO_WINDOW)
		write_window(ioapic, value);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

void umbra_ioapic_get(struct umbra_vm *vm, struct kvm_ioapic_state *state)
{
	struct umbra_ioapic *ioapic = vm->irq.ioapic;
	u32 pin;

	memset(state, 0, sizeof(*state));
	raw_spin_lock_irq(&ioapic->lock);
	state->base_address = ioapic->base;
	state->ioregsel = ioapic->select;
	state->id = ioapic->id;
	for (pin = 0; pin < UMBRA_IOAPIC_PINS; pin++) {
		state->redirtbl[pin].bits = shown_entry(ioapic, pin);
		/* An edge that was sent would be sent again, if it were said to wait. */
		if (ioapic->entry[pin] & (ENTRY_LEVEL | ENTRY_MASKED))
			state->irr |= ioapic->irr & BIT(pin);
	}
	raw_spin_unlock_irq(&ioapic->lock);
}

/**
 * umbra_ioapic_set() - KVM_SET_IRQCHIP
 * @vm: VM with the chip
 * @state: copy of the caller's structure
 *
 * What the sources hold high stays known, and rules from their next change on.
 * Return: 0, or -EINVAL, nothing changed then: registers outside of a page.
 */
int umbra_ioapic_set(struct umbra_vm *vm, const struct kvm_ioapic_state *state)
{
	struct umbra_ioapic *ioapic = vm->irq.ioapic;
	unsigned long pins;
	u32 pin;

	if (!IS_ALIGNED(state->base_address, IOAPIC_LENGTH))
		return -EINVAL;
	pins = state->irr & GENMASK(UMBRA_IOAPIC_PINS - 1, 0);
	raw_spin_lock_irq(&ioapic->lock);
	WRITE_ONCE(ioapic->base, state->base_address);
	ioapic->select = state->ioregsel & 0xff;
	ioapic->id = state->id & ID_MASK;
	ioapic->irr = pins;
	ioapic->remote_irr = 0;
	for (pin = 0; pin < UMBRA_IOAPIC_PINS; pin++) {
		u64 entry = state->redirtbl[pin].bits;

		ioapic->entry[pin] = entry & ENTRY_WRITABLE;
		ioapic->storm[pin] = 0;
		if (entry & ENTRY_REMOTE_IRR && entry & ENTRY_LEVEL)
			ioapic->remote_irr |= BIT(pin);
	}
	for_each_set_bit(pin, &pins, UMBRA_IOAPIC_PINS)
		send_pin(ioapic, pin);
	raw_spin_unlock_irq(&ioapic->lock);
	return 0;
}

int umbra_ioapic_create(struct umbra_vm *vm)
{
	struct umbra_ioapic *ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	u32 pin;

	if (!ioapic)
		return -ENOMEM;
	raw_spin_lock_init(&ioapic->lock);
	INIT_DELAYED_WORK(&ioapic->calm, calm);
	ioapic->vm = vm;
	ioapic->base = IOAPIC_BASE;
	for (pin = 0; pin < UMBRA_IOAPIC_PINS; pin++)
		ioapic->entry[pin] = ENTRY_MASKED;
	vm->irq.ioapic = ioapic;
	return 0;
}

void umbra_ioapic_retire(struct umbra_vm *vm)
{
	if (vm->irq.ioapic)
		cancel_delayed_work_sync(&vm->irq.ioapic->calm);
}

void umbra_ioapic_destroy(struct umbra_vm *vm)
{
	kfree(vm->irq.ioapic);
	vm->irq.ioapic = NULL;
}
