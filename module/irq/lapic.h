/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct umbra_lapic: a vCPU's local APIC, as the lapic files see it. pv_eoi.c aside,
 * nobody else in irq/ includes this.
 *
 * Legend: (c) constant after creation; (o) written by the vCPU, under its mutex, with
 * WRITE_ONCE, and read by anybody; (a) bits that anybody sets or clears, atomically;
 * (t) the vCPU and its timer, see lapic_timer.c; without a letter: the vCPU's alone.
 */
#ifndef UMBRA_LAPIC_H
#define UMBRA_LAPIC_H

#include "irq_env.h"
#include "irq_internal.h"

#define UMBRA_LAPIC_VECTORS	256
#define UMBRA_LAPIC_WORDS	(UMBRA_LAPIC_VECTORS / BITS_PER_LONG)
/* Vectors below are the processor's own exceptions: a local APIC does not carry them. */
#define UMBRA_LAPIC_FIRST	16

#define UMBRA_LAPIC_VERSION	0x50014		/* integrated, six LVT entries */
#define UMBRA_LAPIC_LVT_MASKED	BIT(16)
#define UMBRA_LAPIC_SW_ENABLED	BIT(8)		/* in SVR */

#define UMBRA_LAPIC_SVR_WRITABLE	0x3ffu
#define UMBRA_LAPIC_ERRORS	0xefu		/* what ESR can show */

/* A destination that means everybody. */
#define UMBRA_XAPIC_ALL		0xffu
#define UMBRA_X2APIC_ALL	0xffffffffu

enum umbra_lapic_mode {
	UMBRA_LAPIC_OFF,
	UMBRA_LAPIC_XAPIC,
	UMBRA_LAPIC_X2APIC,
};

/* In the order of their registers. */
enum umbra_lvt {
	UMBRA_LVT_TIMER,
	UMBRA_LVT_THERMAL,
	UMBRA_LVT_PERF,
	UMBRA_LVT_LINT0,
	UMBRA_LVT_LINT1,
	UMBRA_LVT_ERROR,
	UMBRA_NR_LVT,
};

/**
 * struct umbra_lapic_timer - the timer; owned by lapic_timer.c
 * @hr: expires at @due; nothing else is known of it, see lapic_timer.c
 * @due: (t) when it fires, 0: never; guest TSC in deadline mode, else ns of hrtimers' clock
 * @period: (t) ns, periodic mode; changes only while @hr is stopped
 * @fired: (t) what @due was when it fired last in deadline mode
 * @initial: register: initial count
 * @divide: register: divide configuration
 */
struct umbra_lapic_timer {
	struct hrtimer hr;
	u64 due;
	u64 period;
	u64 fired;
	u32 initial;
	u32 divide;
};

/**
 * struct umbra_lapic - a vCPU's local APIC
 * @vcpu: (c) whose it is
 * @mode: (o) enum umbra_lapic_mode, as APIC_BASE says
 * @accepts: (o) takes interrupts: in a mode, and enabled in SVR
 * @extint_open: (o) takes ExtINT from the 8259A
 * @id: (o) APIC id; the register of an xAPIC shows 8 bits of it
 * @ldr: (o) logical id; in xAPIC mode 8 bits
 * @dfr: (o) register: bits 31:28 are the model of logical ids
 * @arbitration: (o, lossy) interrupts taken by lowest priority; for taking turns
 * @lvt: (o) registers, by enum umbra_lvt
 * @irr: (a) vectors that wait
 * @tmr: (a) those of them, and in service, that are level-triggered
 * @errors: (a) bits of ESR since it was written last
 * @signals: (a) UMBRA_APIC_INIT, UMBRA_APIC_SIPI
 * @sipi_vector: (a) of the last SIPI
 * @isr: vectors in service
 * @isr_top: the highest of them, 0 without
 * @tpr: register
 * @ppr: register, follows @tpr and @isr_top
 * @svr: register
 * @esr: register: errors at the last write of it
 * @icr: both registers; the destination as the mode has it
 * @user_extint: split: KVM_INTERRUPT's vector, -1 without
 * @timer: see above
 */
struct umbra_lapic {
	struct umbra_vcpu *vcpu;
	u8 mode;
	bool accepts;
	bool extint_open;
	u32 id;
	u32 ldr;
	u32 dfr;
	u32 arbitration;
	u32 lvt[UMBRA_NR_LVT];
	unsigned long irr[UMBRA_LAPIC_WORDS];
	unsigned long tmr[UMBRA_LAPIC_WORDS];
	unsigned long errors;
	unsigned long signals;
	u8 sipi_vector;
	unsigned long isr[UMBRA_LAPIC_WORDS];
	u8 isr_top;
	u8 tpr;
	u8 ppr;
	u32 svr;
	u32 esr;
	u64 icr;
	int user_extint;
	struct umbra_lapic_timer timer;
};

static inline enum umbra_lapic_mode umbra_lapic_mode_of(u64 apic_base)
{
	if (!(apic_base & XAPIC_ENABLE))
		return UMBRA_LAPIC_OFF;
	return apic_base & X2APIC_ENABLE ? UMBRA_LAPIC_X2APIC : UMBRA_LAPIC_XAPIC;
}

static inline bool umbra_lapic_in(const struct umbra_lapic *lapic, enum umbra_lapic_mode mode)
{
	return READ_ONCE(lapic->mode) == mode;
}

/* The highest vector in @bits, or -1. */
static inline int umbra_lapic_highest(const unsigned long *bits)
{
	int i;

	for (i = UMBRA_LAPIC_WORDS - 1; i >= 0; i--) {
		unsigned long word = READ_ONCE(bits[i]);

		if (word)
			return i * BITS_PER_LONG + __fls(word);
	}
	return -1;
}

/* lapic.c */
/*
 * Let @vector wait: false when it waited already. What makes its vCPU look at it is the
 * caller's part. Any context.
 */
static inline bool umbra_lapic_pend(struct umbra_lapic *lapic, u8 vector, bool level)
{
	/* First how it was triggered: its EOI may follow at once. */
	if (unlikely(test_bit(vector, lapic->tmr) != level)) {
		if (level)
			set_bit(vector, lapic->tmr);
		else
			clear_bit(vector, lapic->tmr);
	}
	return !test_and_set_bit(vector, lapic->irr);
}

/* Make the vCPU look at what waits: not for its own thread. Any context. */
void umbra_lapic_notify(struct umbra_lapic *lapic);
/* The source of @lvt asks for its interrupt. Any context. */
void umbra_lapic_local(struct umbra_lapic *lapic, enum umbra_lvt lvt);
/* Note an error, APIC_ESR_*, and tell the guest if it wants to know. Any context. */
void umbra_lapic_error(struct umbra_lapic *lapic, u32 esr_bit);
/* Ids as the mode in APIC_BASE has them at first. vCPU. */
void umbra_lapic_default_ids(struct umbra_lapic *lapic);
/* xAPIC mode: the register is written. vCPU. */
void umbra_lapic_set_xapic_id(struct umbra_lapic *lapic, u8 id);
/* Bits of @isr were written. vCPU. */
void umbra_lapic_service_changed(struct umbra_lapic *lapic);
/* Anything that the flags above depend on may have changed. vCPU. */
void umbra_lapic_refresh(struct umbra_lapic *lapic);

/* lapic_reg.c: vCPU, atomic; @offset as in the MMIO page. 0, or -EINVAL: no such register. */
int umbra_lapic_reg_read(struct umbra_lapic *lapic, u32 offset, u32 *value);
int umbra_lapic_reg_write(struct umbra_lapic *lapic, u32 offset, u32 value);
u32 umbra_lapic_lvt_writable(const struct umbra_lapic *lapic, enum umbra_lvt lvt);
u32 umbra_lapic_word(const unsigned long *bits, unsigned int i);

/* lapic_ipi.c: the guest wrote the ICR; vCPU, atomic. */
void umbra_lapic_icr_write(struct umbra_lapic *lapic, u64 icr);
void umbra_lapic_send_self(struct umbra_lapic *lapic, u8 vector);

/* lapic_timer.c: vCPU, atomic */
void umbra_lapic_timer_init(struct umbra_lapic *lapic);
void umbra_lapic_timer_reset(struct umbra_lapic *lapic);
void umbra_lapic_timer_set_lvt(struct umbra_lapic *lapic, u32 lvt);
void umbra_lapic_timer_set_initial(struct umbra_lapic *lapic, u32 count);
void umbra_lapic_timer_set_divide(struct umbra_lapic *lapic, u32 divide);
u32 umbra_lapic_timer_current(const struct umbra_lapic *lapic);
/* It fires no more; umbra_lapic_timer_restore() has to follow. */
void umbra_lapic_timer_pause(struct umbra_lapic *lapic);
/* All registers at once: @count is what is left, 0: the timer has run out. */
void umbra_lapic_timer_restore(struct umbra_lapic *lapic, u32 lvt, u32 initial, u32 count,
			       u32 divide);

#endif
