// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's local APIC: its life, what waits and what is in service, priorities, EOI.
 * Registers are in lapic_reg.c, messages between local APICs in lapic_ipi.c, the timer
 * in lapic_timer.c. No lock: see irq_internal.h. Must not look at RFLAGS or inject.
 */
#include "irq_env.h"
#include "irqfd.h"
#include "lapic.h"

/**
 * umbra_lapic_create() - give a vCPU its local APIC
 * @vcpu: virtual processor under construction; umbra_lapic_reset() follows
 *
 * Return: 0 or -ENOMEM.
 */
int umbra_lapic_create(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = kzalloc(sizeof(*lapic), GFP_KERNEL_ACCOUNT);

	if (!lapic)
		return -ENOMEM;
	lapic->vcpu = vcpu;
	lapic->user_extint = -1;
	umbra_lapic_timer_init(lapic);
	vcpu->lapic = lapic;
	return 0;
}

void umbra_lapic_destroy(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	vcpu->lapic = NULL;
	umbra_lapic_timer_reset(lapic);
	kfree(lapic);
}

/* The 8259A's output is wired to LINT0, and past a local APIC that is off. */
static bool extint_open(const struct umbra_lapic *lapic)
{
	u32 lint0 = lapic->lvt[UMBRA_LVT_LINT0];

	if (lapic->mode == UMBRA_LAPIC_OFF)
		return true;
	return !(lint0 & UMBRA_LAPIC_LVT_MASKED) &&
	       GET_APIC_DELIVERY_MODE(lint0) == UMBRA_DELIVER_EXTINT;
}

void umbra_lapic_refresh(struct umbra_lapic *lapic)
{
	bool accepts;

	WRITE_ONCE(lapic->mode, umbra_lapic_mode_of(lapic->vcpu->msrs.apic_base));
	accepts = lapic->mode != UMBRA_LAPIC_OFF && lapic->svr & UMBRA_LAPIC_SW_ENABLED;
	WRITE_ONCE(lapic->accepts, accepts);
	WRITE_ONCE(lapic->extint_open, extint_open(lapic));
	lapic->vcpu->ev.look = true;
}

static void update_ppr(struct umbra_lapic *lapic)
{
	u8 service = lapic->isr_top & 0xf0;

	lapic->ppr = (lapic->tpr & 0xf0) >= service ? lapic->tpr : service;
}

static void set_tpr(struct umbra_lapic *lapic, u8 tpr)
{
	lapic->tpr = tpr;
	update_ppr(lapic);
	lapic->vcpu->ev.look = true;
}

void umbra_lapic_set_tpr(struct umbra_vcpu *vcpu, u8 tpr)
{
	vcpu->cr8 = tpr >> 4;
	set_tpr(vcpu->lapic, tpr);
}

void umbra_lapic_set_cr8(struct umbra_vcpu *vcpu, u64 cr8)
{
	if (vcpu->lapic->tpr != cr8 << 4)
		set_tpr(vcpu->lapic, cr8 << 4);
}

void umbra_lapic_service_changed(struct umbra_lapic *lapic)
{
	int top = umbra_lapic_highest(lapic->isr);

	lapic->isr_top = top < 0 ? 0 : top;
	update_ppr(lapic);
	lapic->vcpu->ev.look = true;
}

/*
 * A vCPU whose id does not fit is known by it all the same, and by no other: so it can be
 * started, and then switch to x2APIC mode.
 */
void umbra_lapic_set_xapic_id(struct umbra_lapic *lapic, u8 id)
{
	u32 own = lapic->vcpu->id;

	WRITE_ONCE(lapic->id, id == (u8)own ? own : id);
}

/* In x2APIC mode they cannot be written; an xAPIC starts without a logical one. */
void umbra_lapic_default_ids(struct umbra_lapic *lapic)
{
	u32 id = lapic->vcpu->id;
	bool x2apic = umbra_lapic_mode_of(lapic->vcpu->msrs.apic_base) == UMBRA_LAPIC_X2APIC;

	WRITE_ONCE(lapic->id, id);
	WRITE_ONCE(lapic->ldr, x2apic ? (id >> 4) << 16 | BIT(id % 16) : 0);
}

static u32 default_lint0(const struct umbra_vcpu *vcpu)
{
	/* Where there is no firmware to do it: virtual wire mode. */
	if (umbra_is_boot_cpu(&vcpu->vm->irq, vcpu->id))
		return APIC_DM_EXTINT;
	return UMBRA_LAPIC_LVT_MASKED;
}

void umbra_lapic_reset(struct umbra_vcpu *vcpu, bool init)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	bool x2apic = umbra_lapic_mode_of(vcpu->msrs.apic_base) == UMBRA_LAPIC_X2APIC;
	int i;

	umbra_lapic_timer_reset(lapic);
	for (i = 0; i < UMBRA_NR_LVT; i++)
		WRITE_ONCE(lapic->lvt[i], UMBRA_LAPIC_LVT_MASKED);
	WRITE_ONCE(lapic->lvt[UMBRA_LVT_LINT0], default_lint0(vcpu));
	for (i = 0; i < UMBRA_LAPIC_WORDS; i++) {
		WRITE_ONCE(lapic->irr[i], 0);
		WRITE_ONCE(lapic->tmr[i], 0);
		lapic->isr[i] = 0;
	}
	if (!init)
		umbra_lapic_default_ids(lapic);
	if (!x2apic)
		WRITE_ONCE(lapic->ldr, 0);
	WRITE_ONCE(lapic->dfr, APIC_DFR_FLAT);
	WRITE_ONCE(lapic->errors, 0);
	lapic->esr = 0;
	lapic->icr = 0;
	lapic->svr = 0xff;
	lapic->user_extint = -1;
	umbra_lapic_set_tpr(vcpu, 0);
	umbra_lapic_service_changed(lapic);
	umbra_lapic_refresh(lapic);
}

void umbra_lapic_notify(struct umbra_lapic *lapic)
{
	umbra_request(lapic->vcpu, UMBRA_REQ_EVENT);
	umbra_vcpu_wake(lapic->vcpu);
}

void umbra_lapic_local(struct umbra_lapic *lapic, enum umbra_lvt lvt)
{
	u32 entry = READ_ONCE(lapic->lvt[lvt]);

	if (entry & UMBRA_LAPIC_LVT_MASKED || !READ_ONCE(lapic->accepts))
		return;
	switch (GET_APIC_DELIVERY_MODE(entry)) {
	case UMBRA_DELIVER_FIXED:
		if ((u8)entry < UMBRA_LAPIC_FIRST)
			umbra_lapic_error(lapic, APIC_ESR_RECVILL);
		else if (umbra_lapic_pend(lapic, entry, false))
			umbra_lapic_notify(lapic);
		break;
	case UMBRA_DELIVER_NMI:
		umbra_event_kick_nmi(lapic->vcpu);
		break;
	}
}

void umbra_lapic_error(struct umbra_lapic *lapic, u32 esr_bit)
{
	/* One interrupt for each kind until the guest asks; so an illegal vector here ends, too. */
	if (!test_and_set_bit(__ffs(esr_bit), &lapic->errors))
		umbra_lapic_local(lapic, UMBRA_LVT_ERROR);
}

/* The highest vector that the priorities let through now, or -1. */
static int deliverable(const struct umbra_lapic *lapic)
{
	int vector = umbra_lapic_highest(lapic->irr);

	return vector > (lapic->ppr | 0xf) && lapic->mode != UMBRA_LAPIC_OFF ? vector : -1;
}

static bool extint_waits(const struct umbra_lapic *lapic)
{
	struct umbra_vm *vm = lapic->vcpu->vm;

	if (vm->irq.chip == UMBRA_IRQCHIP_SPLIT)
		return lapic->user_extint >= 0;
	return umbra_pic_output(vm);
}

bool umbra_irq_has(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	if (lapic->extint_open && extint_waits(lapic))
		return true;
	return deliverable(lapic) >= 0;
}

static int take_extint(struct umbra_lapic *lapic)
{
	int vector = lapic->user_extint;

	if (lapic->vcpu->vm->irq.chip != UMBRA_IRQCHIP_SPLIT)
		return umbra_pic_intack(lapic->vcpu->vm);
	lapic->user_extint = -1;
	return vector;
}

int umbra_irq_take(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	int vector;

	if (lapic->extint_open && extint_waits(lapic))
		return take_extint(lapic);
	vector = deliverable(lapic);
	if (vector < 0)
		return -1;
	clear_bit(vector, lapic->irr);
	__set_bit(vector, lapic->isr);
	/* It went through because its class is above the task's and all others' in service. */
	lapic->isr_top = vector;
	lapic->ppr = vector & 0xf0;
	return vector;
}

int umbra_irq_user_extint(struct umbra_vcpu *vcpu, u8 vector)
{
	if (vcpu->lapic->user_extint >= 0)
		return -EEXIST;
	vcpu->lapic->user_extint = vector;
	vcpu->ev.look = true;
	return 0;
}

bool umbra_irq_extint_wanted(struct umbra_vcpu *vcpu)
{
	return vcpu->lapic->extint_open && vcpu->lapic->user_extint < 0;
}

/* Those of edges as well, while a resampler waits for one. */
static bool eoi_matters(const struct umbra_lapic *lapic, u8 vector)
{
	return test_bit(vector, lapic->tmr) || umbra_irqfd_wants_acks(lapic->vcpu->vm);
}

static void pass_on_eoi(struct umbra_vcpu *vcpu, u8 vector)
{
	if (vcpu->vm->irq.chip == UMBRA_IRQCHIP_KERNEL)
		umbra_ioapic_eoi(vcpu, vector, test_bit(vector, vcpu->lapic->tmr));
	else if (umbra_route_wants_eoi(vcpu, vector))
		umbra_eoi_exit(vcpu, vector);
}

void umbra_lapic_eoi(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u8 vector = lapic->isr_top;
	int top;

	if (!vector)
		return;
	__clear_bit(vector, lapic->isr);
	top = umbra_lapic_highest(lapic->isr);
	lapic->isr_top = top < 0 ? 0 : top;
	update_ppr(lapic);
	if (umbra_lapic_highest(lapic->irr) >= 0)
		vcpu->ev.look = true;
	if (unlikely(eoi_matters(lapic, vector)))
		pass_on_eoi(vcpu, vector);
}

int umbra_lapic_pv_eoi_vector(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u8 vector = lapic->isr_top;

	if (!vector || eoi_matters(lapic, vector) || umbra_lapic_highest(lapic->irr) >= 0)
		return -1;
	return vector;
}

u32 umbra_lapic_vapic(struct umbra_vcpu *vcpu)
{
	const struct umbra_lapic *lapic = vcpu->lapic;
	int waits = umbra_lapic_highest(lapic->irr);

	return lapic->tpr | (lapic->isr_top & 0xf0) << 8 | (waits < 0 ? 0 : (u32)waits << 24);
}

unsigned long umbra_lapic_signals(struct umbra_vcpu *vcpu)
{
	return READ_ONCE(vcpu->lapic->signals);
}

unsigned long umbra_lapic_take_signals(struct umbra_vcpu *vcpu)
{
	unsigned long *signals = &vcpu->lapic->signals;

	return READ_ONCE(*signals) ? xchg(signals, 0) : 0;
}

u8 umbra_lapic_sipi_vector(struct umbra_vcpu *vcpu)
{
	return READ_ONCE(vcpu->lapic->sipi_vector);
}

void umbra_lapic_set_sipi_vector(struct umbra_vcpu *vcpu, u8 vector)
{
	WRITE_ONCE(vcpu->lapic->sipi_vector, vector);
}
