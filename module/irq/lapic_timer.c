// SPDX-License-Identifier: GPL-2.0
/*
 * The timer of a local APIC: one-shot, periodic, and TSC deadline. Owns struct
 * umbra_lapic_timer and the timer's LVT entry. The count runs at 1 GHz, so that a count
 * is so many nanoseconds, before the divider.
 *
 * The hrtimer's callback runs on any CPU and only reads @due and, in periodic mode,
 * moves it on. There is no lock. One-shot and deadline: the vCPU stores @due, then
 * starts the hrtimer; the callback that finds @due in the future, because it was moved or
 * because the host's clock and TSC drift, starts the hrtimer itself and looks again whether
 * @due is still the one it started it for. Who comes last has seen what the other stored.
 * Whatever else changes (mode, period, TSC offset) changes while the hrtimer is
 * stopped, which waits for the callback.
 */
#include "irq_env.h"
#include "lapic.h"

/* A shorter period would cost the host more than it gives the guest. */
#define MIN_PERIOD_NS	200000u
/* No deadline is looked at later than this, so that no conversion can overflow. */
#define MAX_WAIT_SEC	600u

#define TIMER_MODES	(APIC_LVT_TIMER_PERIODIC | APIC_LVT_TIMER_TSCDEADLINE)

static u32 mode(u32 lvt)
{
	return lvt & TIMER_MODES;
}

/* One-shot or periodic: the fourth mode that two bits allow does not exist. */
static bool counts(u32 lvt)
{
	return !(lvt & APIC_LVT_TIMER_TSCDEADLINE);
}

static u64 guest_tsc(const struct umbra_lapic *lapic)
{
	return rdtsc() + umbra_tsc_hw_offset(lapic->vcpu);
}

static u64 tsc_to_ns(u64 ticks)
{
	u64 most = (u64)tsc_khz * 1000 * MAX_WAIT_SEC;

	/* Upwards: the hrtimer need not find that it is early. */
	return div_u64(min(ticks, most) * 1000000, tsc_khz) + 1;
}

static u64 now_ns(void)
{
	return ktime_to_ns(ktime_get());
}

/* Let the hrtimer expire at @due; false: it is due already. */
static bool start(struct umbra_lapic *lapic, u64 due)
{
	struct hrtimer *hr = &lapic->timer.hr;
	u64 now;

	if (counts(READ_ONCE(lapic->lvt[UMBRA_LVT_TIMER]))) {
		if (due <= now_ns())
			return false;
		hrtimer_start(hr, ns_to_ktime(due), HRTIMER_MODE_ABS_PINNED_HARD);
		return true;
	}
	now = guest_tsc(lapic);
	if (due <= now)
		return false;
	hrtimer_start(hr, ns_to_ktime(tsc_to_ns(due - now)), HRTIMER_MODE_REL_PINNED_HARD);
	return true;
}

static enum hrtimer_restart expire_period(struct umbra_lapic *lapic)
{
	struct umbra_lapic_timer *timer = &lapic->timer;

	umbra_lapic_local(lapic, UMBRA_LVT_TIMER);
	/* Periods that were missed altogether are lost, as their interrupts would merge. */
	hrtimer_forward_now(&timer->hr, ns_to_ktime(timer->period));
	WRITE_ONCE(timer->due, ktime_to_ns(hrtimer_get_expires(&timer->hr)));
	return HRTIMER_RESTART;
}

static enum hrtimer_restart expire(struct hrtimer *hr)
{
	struct umbra_lapic *lapic = container_of(hr, struct umbra_lapic, timer.hr);
	u64 due;

	if (mode(READ_ONCE(lapic->lvt[UMBRA_LVT_TIMER])) == APIC_LVT_TIMER_PERIODIC)
		return expire_period(lapic);
	for (;;) {
		/* Pairs with arm(): there @due, then the hrtimer's start. */
		smp_mb();
		due = READ_ONCE(lapic->timer.due);
		if (!due)
			return HRTIMER_NORESTART;
		if (start(lapic, due)) {
			/* The vCPU may have stored another one, and started the hrtimer before. */
			smp_mb();
			if (READ_ONCE(lapic->timer.due) == due)
				return HRTIMER_NORESTART;
		} else {
			/* Who saves the state meanwhile has to find one of the two. */
			WRITE_ONCE(lapic->timer.fired, due);
			umbra_lapic_local(lapic, UMBRA_LVT_TIMER);
			if (cmpxchg(&lapic->timer.due, due, 0) == due)
				return HRTIMER_NORESTART;
		}
	}
}

/* One-shot or deadline: fire at @due, at once if that is past; 0: never. */
static void arm(struct umbra_lapic *lapic, u64 due)
{
	WRITE_ONCE(lapic->timer.due, due);
	if (due && start(lapic, due))
		return;
	/* If the callback, still under way for an earlier one, has done it: two are one. */
	if (due) {
		WRITE_ONCE(lapic->timer.due, 0);
		umbra_lapic_local(lapic, UMBRA_LVT_TIMER);
	}
	hrtimer_try_to_cancel(&lapic->timer.hr);
}

static void stop(struct umbra_lapic *lapic)
{
	hrtimer_cancel(&lapic->timer.hr);
	WRITE_ONCE(lapic->timer.due, 0);
}

static unsigned int divide_shift(u32 divide)
{
	return ((divide & 3) + (divide >> 1 & 4) + 1) & 7;
}

static u64 count_to_ns(const struct umbra_lapic *lapic, u32 count)
{
	return (u64)count << divide_shift(lapic->timer.divide);
}

/* Counting modes, the hrtimer is stopped: @left ns to go now, of @initial each. */
static void count_down(struct umbra_lapic *lapic, u64 left)
{
	struct umbra_lapic_timer *timer = &lapic->timer;
	u64 now = now_ns();

	if (mode(lapic->lvt[UMBRA_LVT_TIMER]) != APIC_LVT_TIMER_PERIODIC) {
		arm(lapic, now + left);
		return;
	}
	timer->period = max_t(u64, count_to_ns(lapic, timer->initial), MIN_PERIOD_NS);
	WRITE_ONCE(timer->due, now + left);
	hrtimer_start(&timer->hr, ns_to_ktime(now + left), HRTIMER_MODE_ABS_PINNED_HARD);
}

void umbra_lapic_timer_init(struct umbra_lapic *lapic)
{
	umbra_hrtimer_setup(&lapic->timer.hr, expire, CLOCK_MONOTONIC,
			    HRTIMER_MODE_ABS_PINNED_HARD);
}

void umbra_lapic_timer_reset(struct umbra_lapic *lapic)
{
	stop(lapic);
	lapic->timer.period = 0;
	lapic->timer.initial = 0;
	lapic->timer.divide = 0;
}

/* What is left of the count, in ns; 0: it has run out and the interrupt is out, or never ran. */
static u64 ns_left(const struct umbra_lapic *lapic)
{
	const struct umbra_lapic_timer *timer = &lapic->timer;
	u64 due = READ_ONCE(timer->due);
	u64 now = now_ns();

	if (!due || !counts(lapic->lvt[UMBRA_LVT_TIMER]))
		return 0;
	if (due > now)
		return due - now;
	/* The callback is late: what it has to do yet must not get lost. */
	if (mode(lapic->lvt[UMBRA_LVT_TIMER]) != APIC_LVT_TIMER_PERIODIC)
		return 1;
	/* Here the count is not late with it. */
	return timer->period - (now - due) % timer->period;
}

/* Stop counting: what was left. Waits for the callback, so that it is either done or not. */
static u64 stop_counting(struct umbra_lapic *lapic)
{
	u64 left;

	hrtimer_cancel(&lapic->timer.hr);
	left = ns_left(lapic);
	WRITE_ONCE(lapic->timer.due, 0);
	return left;
}

u32 umbra_lapic_timer_current(const struct umbra_lapic *lapic)
{
	unsigned int shift = divide_shift(lapic->timer.divide);

	/*
	 * It is 0 when the interrupt is out, not before. Where the period is longer than the
	 * guest wanted, the count waits at its start.
	 */
	return min_t(u64, lapic->timer.initial, (ns_left(lapic) + BIT(shift) - 1) >> shift);
}

void umbra_lapic_timer_set_initial(struct umbra_lapic *lapic, u32 count)
{
	u32 lvt = lapic->lvt[UMBRA_LVT_TIMER];

	if (!counts(lvt))
		return;
	lapic->timer.initial = count;
	if (!count) {
		stop(lapic);
	} else if (mode(lvt) == APIC_LVT_TIMER_PERIODIC) {
		stop(lapic);
		count_down(lapic, max_t(u64, count_to_ns(lapic, count), MIN_PERIOD_NS));
	} else {
		arm(lapic, now_ns() + count_to_ns(lapic, count));
	}
}

void umbra_lapic_timer_set_divide(struct umbra_lapic *lapic, u32 divide)
{
	struct umbra_lapic_timer *timer = &lapic->timer;
	unsigned int old = divide_shift(timer->divide);
	u64 left;

	timer->divide = divide & 0xb;
	if (divide_shift(divide) == old || !counts(lapic->lvt[UMBRA_LVT_TIMER]))
		return;
	left = stop_counting(lapic);
	if (left)
		count_down(lapic, left >> old << divide_shift(divide));
}

void umbra_lapic_timer_set_lvt(struct umbra_lapic *lapic, u32 lvt)
{
	u32 old = lapic->lvt[UMBRA_LVT_TIMER];
	u64 left;

	if (mode(lvt) == mode(old)) {
		WRITE_ONCE(lapic->lvt[UMBRA_LVT_TIMER], lvt);
		return;
	}
	left = stop_counting(lapic);
	WRITE_ONCE(lapic->lvt[UMBRA_LVT_TIMER], lvt);
	if (!counts(lvt) || !counts(old))
		lapic->timer.initial = 0;
	else if (left)
		count_down(lapic, left);
}

void umbra_lapic_timer_pause(struct umbra_lapic *lapic)
{
	hrtimer_cancel(&lapic->timer.hr);
}

void umbra_lapic_timer_restore(struct umbra_lapic *lapic, u32 lvt, u32 initial, u32 count,
			       u32 divide)
{
	struct umbra_lapic_timer *timer = &lapic->timer;
	u64 deadline = umbra_lapic_get_deadline(lapic->vcpu, false);

	stop(lapic);
	WRITE_ONCE(lapic->lvt[UMBRA_LVT_TIMER], lvt);
	timer->initial = initial;
	timer->divide = divide & 0xb;
	if (mode(lvt) == APIC_LVT_TIMER_TSCDEADLINE) {
		/* The deadline is an MSR, and no part of this. */
		arm(lapic, deadline);
		return;
	}
	if (!counts(lvt) || !initial)
		return;
	/* A one-shot timer that has run out stays so; a periodic one never has. */
	if (!count && mode(lvt) != APIC_LVT_TIMER_PERIODIC)
		return;
	count_down(lapic, count_to_ns(lapic, count ? min(count, initial) : initial));
}

u64 umbra_lapic_get_deadline(struct umbra_vcpu *vcpu, bool host)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u32 lvt = lapic->lvt[UMBRA_LVT_TIMER];
	u64 due = READ_ONCE(lapic->timer.due);

	if (mode(lvt) != APIC_LVT_TIMER_TSCDEADLINE)
		return 0;
	/* User space may have saved the registers before the interrupt was in them. */
	if (!due && host && test_bit((u8)lvt, lapic->irr))
		return READ_ONCE(lapic->timer.fired);
	return due;
}

void umbra_lapic_set_deadline(struct umbra_vcpu *vcpu, u64 deadline)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	if (mode(lapic->lvt[UMBRA_LVT_TIMER]) == APIC_LVT_TIMER_TSCDEADLINE)
		arm(lapic, deadline);
}

void umbra_lapic_tsc_changed(struct umbra_vcpu *vcpu)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	if (!umbra_lapic_get_deadline(vcpu, false))
		return;
	/* A callback under way may start the hrtimer by the old offset yet, or use it up. */
	hrtimer_cancel(&lapic->timer.hr);
	arm(lapic, READ_ONCE(lapic->timer.due));
}
