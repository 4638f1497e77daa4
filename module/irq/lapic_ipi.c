// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to local APICs, from each other, from the I/O APIC and from MSIs: whom a
 * destination means, and what each kind of message does to who takes it. Any context;
 * of a local APIC that is not the sender's only what lapic.h marks so is touched.
 */
#include "irq_env.h"
#include "lapic.h"

#define NOBODY		(-1)

#define DFR_MODEL(dfr)	((dfr) >> 28)
#define DFR_FLAT	0xfu
#define DFR_CLUSTER	0x0u

/*
 * The all-ones destination of 8 bits means everybody. From the I/O APIC and MSIs,
 * which know no other form as long as interrupts are not remapped, it does so for an
 * x2APIC, too, unless user space said that it means the APIC id.
 */
static bool to_everybody(const struct umbra_vcpu *from, const struct umbra_irq_msg *msg,
			 const struct umbra_lapic *to)
{
	if (likely(msg->dest != UMBRA_XAPIC_ALL))
		return msg->dest == UMBRA_X2APIC_ALL && msg->x2apic;
	if (from)
		return !msg->x2apic;
	return umbra_lapic_in(to, UMBRA_LAPIC_XAPIC) || !to->vcpu->vm->irq.no_broadcast_quirk;
}

static bool is_logical_dest(u32 dest, const struct umbra_lapic *to)
{
	u32 id = READ_ONCE(to->ldr);

	if (umbra_lapic_in(to, UMBRA_LAPIC_X2APIC))
		return id >> 16 == dest >> 16 && id & dest & 0xffff;
	if (dest > UMBRA_XAPIC_ALL)
		return false;
	switch (DFR_MODEL(READ_ONCE(to->dfr))) {
	case DFR_FLAT:
		return id & dest;
	case DFR_CLUSTER:
		return id >> 4 == dest >> 4 && id & dest & 0xf;
	default:
		return false;
	}
}

/* Is @msg for @to? One that is off hears nothing. */
static bool addressed(const struct umbra_vcpu *from, const struct umbra_irq_msg *msg,
		      const struct umbra_lapic *to)
{
	if (umbra_lapic_in(to, UMBRA_LAPIC_OFF))
		return false;
	if (unlikely(msg->shorthand != UMBRA_TO_DEST))
		return msg->shorthand == UMBRA_TO_ALL || to->vcpu != from;
	if (to_everybody(from, msg, to))
		return true;
	if (msg->logical)
		return is_logical_dest(msg->dest, to);
	return msg->dest == READ_ONCE(to->id);
}

static int take_vector(struct umbra_lapic *to, const struct umbra_vcpu *from,
		       const struct umbra_irq_msg *msg)
{
	if (!READ_ONCE(to->accepts))
		return NOBODY;
	if (unlikely(msg->vector < UMBRA_LAPIC_FIRST)) {
		umbra_lapic_error(to, APIC_ESR_RECVILL);
		return NOBODY;
	}
	/* What waited already has been told of. */
	if (!umbra_lapic_pend(to, msg->vector, msg->level))
		return 0;
	if (to->vcpu == from)
		to->vcpu->ev.look = true;
	else
		umbra_lapic_notify(to);
	return 1;
}

static void signal_vcpu(struct umbra_lapic *to)
{
	umbra_request(to->vcpu, UMBRA_REQ_HALT);
	umbra_vcpu_wake(to->vcpu);
}

/* A SIPI that came before an INIT is not for the state behind it. */
static int take_init(struct umbra_lapic *to, const struct umbra_irq_msg *msg)
{
	if (!msg->assert)
		return 0;
	xchg(&to->signals, UMBRA_APIC_INIT);
	signal_vcpu(to);
	return 1;
}

static int take_sipi(struct umbra_lapic *to, const struct umbra_irq_msg *msg)
{
	WRITE_ONCE(to->sipi_vector, msg->vector);
	/* The vector is there before the signal; set_bit() orders that on x86 alone. */
	smp_mb__before_atomic();
	set_bit(__ffs(UMBRA_APIC_SIPI), &to->signals);
	signal_vcpu(to);
	return 1;
}

/* 1: it is new to @to, 0: it waited there already, NOBODY: not taken. */
static int take(struct umbra_lapic *to, const struct umbra_vcpu *from,
		const struct umbra_irq_msg *msg)
{
	switch (msg->mode) {
	case UMBRA_DELIVER_FIXED:
	case UMBRA_DELIVER_LOWEST:
		return take_vector(to, from, msg);
	case UMBRA_DELIVER_NMI:
		umbra_event_kick_nmi(to->vcpu);
		return 1;
	case UMBRA_DELIVER_INIT:
		return take_init(to, msg);
	case UMBRA_DELIVER_SIPI:
		return take_sipi(to, msg);
	default:
		/* There is no SMM here, and an ExtINT comes by LINT0 alone. */
		return NOBODY;
	}
}

static int deliver_to_all(struct umbra_vm *vm, const struct umbra_vcpu *from,
			  const struct umbra_irq_msg *msg)
{
	struct umbra_vcpu *vcpu;
	int result = NOBODY;
	int i, r;

	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++) {
		if (!addressed(from, msg, vcpu->lapic))
			continue;
		r = take(vcpu->lapic, from, msg);
		if (r >= 0)
			result = max(result, 0) + r;
	}
	return result;
}

/*
 * Who has the lowest priority is the hardware's secret: they take turns. Senders on
 * several CPUs may count the same turn twice, which harms nobody.
 */
static int deliver_to_lowest(struct umbra_vm *vm, const struct umbra_vcpu *from,
			     const struct umbra_irq_msg *msg)
{
	struct umbra_lapic *best = NULL;
	struct umbra_vcpu *vcpu;
	int i;

	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++) {
		struct umbra_lapic *to = vcpu->lapic;

		if (!READ_ONCE(to->accepts) || !addressed(from, msg, to))
			continue;
		if (!best || (s32)(READ_ONCE(to->arbitration) - READ_ONCE(best->arbitration)) < 0)
			best = to;
	}
	if (!best)
		return NOBODY;
	WRITE_ONCE(best->arbitration, READ_ONCE(best->arbitration) + 1);
	return take(best, from, msg);
}

/* Nearly always vCPUs have the ids of their places: NULL where not. */
static struct umbra_lapic *at_its_place(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu = umbra_vcpu_at(vm, id);

	if (!vcpu || READ_ONCE(vcpu->lapic->id) != id ||
	    umbra_lapic_in(vcpu->lapic, UMBRA_LAPIC_OFF))
		return NULL;
	return vcpu->lapic;
}

static struct umbra_lapic *only_one(struct umbra_vm *vm, const struct umbra_irq_msg *msg)
{
	if (msg->shorthand != UMBRA_TO_DEST || msg->logical || msg->dest >= UMBRA_MAX_VCPU_ID)
		return NULL;
	/* Everybody, in some forms. */
	if (msg->dest == UMBRA_XAPIC_ALL)
		return NULL;
	return at_its_place(vm, msg->dest);
}

int umbra_apic_deliver(struct umbra_vm *vm, struct umbra_vcpu *from,
		       const struct umbra_irq_msg *msg)
{
	struct umbra_lapic *to = only_one(vm, msg);

	if (likely(to))
		return take(to, from, msg);
	if (msg->shorthand == UMBRA_TO_SELF)
		return from ? take(from->lapic, from, msg) : NOBODY;
	/* Everybody at once, and one of them: what comes of both is everybody. */
	if (msg->mode == UMBRA_DELIVER_LOWEST &&
	    (msg->logical || msg->shorthand != UMBRA_TO_DEST || msg->dest < UMBRA_XAPIC_ALL))
		return deliver_to_lowest(vm, from, msg);
	return deliver_to_all(vm, from, msg);
}

static bool carries_vector(u8 mode)
{
	return mode == UMBRA_DELIVER_FIXED || mode == UMBRA_DELIVER_LOWEST;
}

void umbra_lapic_icr_write(struct umbra_lapic *lapic, u64 icr)
{
	struct umbra_vcpu *vcpu = lapic->vcpu;
	bool x2apic = lapic->mode == UMBRA_LAPIC_X2APIC;
	struct umbra_irq_msg msg = {
		.dest = x2apic ? icr >> 32 : icr >> 56,
		.mode = GET_APIC_DELIVERY_MODE(icr),
		.shorthand = icr >> 18 & 3,
		.vector = icr,
		.logical = icr & APIC_DEST_LOGICAL,
		/* All but the de-assert of INIT are edges, whatever bit 15 says. */
		.assert = !(icr & APIC_INT_LEVELTRIG) || icr & APIC_INT_ASSERT,
		.x2apic = x2apic,
	};

	lapic->icr = icr & ~(u64)APIC_ICR_BUSY;
	if (unlikely(msg.vector < UMBRA_LAPIC_FIRST && carries_vector(msg.mode)))
		umbra_lapic_error(lapic, APIC_ESR_SENDILL);
	else
		umbra_apic_deliver(vcpu->vm, vcpu, &msg);
}

/* x2APIC's register for that: a fixed interrupt, which leaves no trace in the ICR. */
void umbra_lapic_send_self(struct umbra_lapic *lapic, u8 vector)
{
	const struct umbra_irq_msg msg = {
		.shorthand = UMBRA_TO_SELF,
		.mode = UMBRA_DELIVER_FIXED,
		.vector = vector,
		.x2apic = true,
	};

	if (unlikely(vector < UMBRA_LAPIC_FIRST))
		umbra_lapic_error(lapic, APIC_ESR_SENDILL);
	else
		take(lapic, lapic->vcpu, &msg);
}

#define PV_IPI_BITS	128

/* Those of @set, counted from @min, that are not at their places: one search for all. */
static int pv_search(struct umbra_vcpu *from, const unsigned long *set, u32 min,
		     const struct umbra_irq_msg *msg)
{
	struct umbra_vcpu *vcpu;
	int i, count = 0;
	u32 id;

	for (i = 0; (vcpu = umbra_vcpu_at(from->vm, i)); i++) {
		id = READ_ONCE(vcpu->lapic->id);
		if (id < min || id - min >= PV_IPI_BITS || !test_bit(id - min, set) ||
		    umbra_lapic_in(vcpu->lapic, UMBRA_LAPIC_OFF))
			continue;
		count += take(vcpu->lapic, from, msg) >= 0;
	}
	return count;
}

/**
 * umbra_lapic_pv_ipi() - hypercall KVM_HC_SEND_IPI: an IPI to a set of vCPUs
 * @vcpu: the sender
 * @low: set of APIC ids, counted from @min
 * @high: its second word
 * @min: APIC id of the lowest bit
 * @icr: vector and delivery mode, as in the ICR
 * @mode64: words have 64 bits, else 32
 *
 * Return: number of vCPUs that took it, or -KVM_EINVAL when @icr has a destination.
 */
int umbra_lapic_pv_ipi(struct umbra_vcpu *vcpu, u64 low, u64 high, u32 min, u64 icr, bool mode64)
{
	const struct umbra_irq_msg msg = {
		.mode = GET_APIC_DELIVERY_MODE(icr),
		.vector = icr,
		.assert = true,
	};
	unsigned long set[] = { low, high };
	struct umbra_lapic *to;
	unsigned int bit;
	int count = 0;

	if (icr & (APIC_DEST_LOGICAL | APIC_DEST_ALLBUT))
		return -KVM_EINVAL;
	if (!mode64) {
		set[0] = (u32)low | high << 32;
		set[1] = 0;
	}
	if (min >= UMBRA_MAX_VCPU_ID)
		return 0;
	/* A guest may ask for many that do not exist: no search for each of them. */
	for_each_set_bit(bit, set, PV_IPI_BITS) {
		to = at_its_place(vcpu->vm, min + bit);
		if (!to)
			continue;
		__clear_bit(bit, set);
		count += take(to, vcpu, &msg) >= 0;
	}
	if (set[0] | set[1])
		count += pv_search(vcpu, set, min, &msg);
	return count;
}

void umbra_apic_extint_kick(struct umbra_vm *vm)
{
	struct umbra_vcpu *vcpu;
	int i;

	/* After the 8259A's output: who opens LINT0 meanwhile looks at that in its turn. */
	smp_mb();
	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++)
		if (READ_ONCE(vcpu->lapic->extint_open))
			umbra_lapic_notify(vcpu->lapic);
}

void umbra_apic_pit_nmi(struct umbra_vm *vm)
{
	struct umbra_vcpu *vcpu;
	int i;

	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++)
		if (GET_APIC_DELIVERY_MODE(READ_ONCE(vcpu->lapic->lvt[UMBRA_LVT_LINT0])) ==
		    UMBRA_DELIVER_NMI)
			umbra_lapic_local(vcpu->lapic, UMBRA_LVT_LINT0);
}
