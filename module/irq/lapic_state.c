// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_LAPIC and KVM_SET_LAPIC: a local APIC's state as the 1 KiB page of registers.
 * It is user space's: every value in it may be any. vCPU.
 *
 * What the page cannot tell: APIC_BASE, which comes first, and the TSC deadline, which
 * comes after; errors that ESR does not show yet; INIT and SIPI that wait, see halt.c.
 */
#include "irq_env.h"
#include "lapic.h"

#define REG_SIZE	0x10
#define BITMAP_REGS	8

static u32 get_reg(const struct kvm_lapic_state *state, u32 offset)
{
	u32 value;

	memcpy(&value, state->regs + offset, sizeof(value));
	return value;
}

static void put_reg(struct kvm_lapic_state *state, u32 offset, u32 value)
{
	memcpy(state->regs + offset, &value, sizeof(value));
}

static void get_regs(struct umbra_lapic *lapic, struct kvm_lapic_state *state)
{
	u32 offset, value;

	memset(state, 0, sizeof(*state));
	for (offset = 0; offset < sizeof(state->regs); offset += REG_SIZE)
		if (!umbra_lapic_reg_read(lapic, offset, &value))
			put_reg(state, offset, value);
}

int umbra_lapic_get_state(struct umbra_vcpu *vcpu, struct kvm_lapic_state *state)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u64 due;

	/* A timer that runs out meanwhile must not be missed in the count and in IRR. */
	do {
		due = READ_ONCE(lapic->timer.due);
		/* Pairs with the order in which the callback of the timer writes both. */
		smp_rmb();
		get_regs(lapic, state);
		/* Likewise. */
		smp_rmb();
	} while (READ_ONCE(lapic->timer.due) != due);
	if (lapic->mode != UMBRA_LAPIC_X2APIC)
		return 0;
	/* One register of 64 bits, but the page has it in two; and DFR, which hides. */
	put_reg(state, APIC_ICR2, lapic->icr >> 32);
	put_reg(state, APIC_DFR, lapic->dfr);
	if (!vcpu->vm->irq.x2apic_ids)
		put_reg(state, APIC_ID, lapic->id << 24);
	return 0;
}

static void set_bits(unsigned long *bits, const struct kvm_lapic_state *state, u32 offset)
{
	int i;

	for (i = 0; i < BITMAP_REGS; i += 2)
		WRITE_ONCE(bits[i / 2], get_reg(state, offset + i * REG_SIZE) |
			   (u64)get_reg(state, offset + (i + 1) * REG_SIZE) << 32);
}

/* That a software disabled local APIC masks them is a rule for what the guest writes. */
static void set_lvts(struct umbra_lapic *lapic, const struct kvm_lapic_state *state)
{
	u32 value;
	int i;

	for (i = 0; i < UMBRA_NR_LVT; i++) {
		value = get_reg(state, APIC_LVTT + i * REG_SIZE);
		value &= umbra_lapic_lvt_writable(lapic, i);
		if (i == UMBRA_LVT_TIMER)
			umbra_lapic_timer_restore(lapic, value, get_reg(state, APIC_TMICT),
						  get_reg(state, APIC_TMCCT),
						  get_reg(state, APIC_TDCR));
		else
			WRITE_ONCE(lapic->lvt[i], value);
	}
}

/* In x2APIC mode ids are the hardware's. */
static void set_ids(struct umbra_lapic *lapic, const struct kvm_lapic_state *state)
{
	if (umbra_lapic_mode_of(lapic->vcpu->msrs.apic_base) == UMBRA_LAPIC_X2APIC) {
		umbra_lapic_default_ids(lapic);
	} else {
		umbra_lapic_set_xapic_id(lapic, get_reg(state, APIC_ID) >> 24);
		WRITE_ONCE(lapic->ldr, get_reg(state, APIC_LDR) >> 24);
	}
	WRITE_ONCE(lapic->dfr, get_reg(state, APIC_DFR) | APIC_DFR_CLUSTER);
}

static void set_icr(struct umbra_lapic *lapic, const struct kvm_lapic_state *state)
{
	u32 dest = get_reg(state, APIC_ICR2);

	if (lapic->mode != UMBRA_LAPIC_X2APIC)
		dest &= APIC_LDR_MASK;
	lapic->icr = (get_reg(state, APIC_ICR) & ~APIC_ICR_BUSY) | (u64)dest << 32;
}

int umbra_lapic_set_state(struct umbra_vcpu *vcpu, const struct kvm_lapic_state *state)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	if (lapic->mode == UMBRA_LAPIC_X2APIC && vcpu->vm->irq.x2apic_ids &&
	    get_reg(state, APIC_ID) != vcpu->id)
		return -EINVAL;
	/* The interrupt of the timer that was is none of the new state's. */
	umbra_lapic_timer_pause(lapic);
	set_ids(lapic, state);
	set_icr(lapic, state);
	set_bits(lapic->isr, state, APIC_ISR);
	set_bits(lapic->tmr, state, APIC_TMR);
	set_bits(lapic->irr, state, APIC_IRR);
	lapic->esr = get_reg(state, APIC_ESR) & UMBRA_LAPIC_ERRORS;
	lapic->svr = get_reg(state, APIC_SPIV) & UMBRA_LAPIC_SVR_WRITABLE;
	/* Before the timer: it may fire at once. */
	umbra_lapic_refresh(lapic);
	set_lvts(lapic, state);
	umbra_lapic_set_tpr(vcpu, get_reg(state, APIC_TASKPRI));
	umbra_lapic_service_changed(lapic);
	umbra_lapic_refresh(lapic);
	return 0;
}
