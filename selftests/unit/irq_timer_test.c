// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer by a clock that stands still unless the test moves it: each mode
 * to the nanosecond or tick, moved while it expires, saved and restored.
 */
#include "irq_lib.h"
#include "irq/lapic.h"

#define VECTOR		0x41
#define ONE_SHOT	VECTOR
#define PERIODIC	(VECTOR | APIC_LVT_TIMER_PERIODIC)
#define DEADLINE	(VECTOR | APIC_LVT_TIMER_TSCDEADLINE)
#define MIN_PERIOD	200000u
#define HOUR		(3600ULL * NSEC_PER_SEC)

static struct umbra_vcpu *const vcpu = &unit.vcpu[0];

static int setup(void **state)
{
	int r = unit_setup(UMBRA_IRQCHIP_KERNEL, 1);

	srandom(1);
	if (!r) {
		unit_enable(0, false);
		unit_set_reg(0, APIC_LVT0, APIC_LVT_MASKED);
	}
	return r;
}

static bool fired(void)
{
	return unit_serve(0) == VECTOR;
}

/* It fires @ns from now: not before, and once. */
static void expect_at(u64 ns)
{
	if (ns) {
		assert_false(fired());
		unit_pass(ns - 1);
		assert_false(fired());
		unit_pass(1);
	}
	assert_true(fired());
	assert_false(fired());
}

static void expect_never(void)
{
	unit_pass(HOUR);
	assert_false(fired());
}

/* The divide configurations of the manual's table. */
static const struct {
	u32 reg;
	u32 divisor;
} divides[] = {
	{ 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 },
	{ 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
};

static void one_shot(void **state)
{
	static const u32 counts[] = { 1, 2, 1000, 12345678, 0x80000000, 0xffffffff };
	u32 i, j, left;
	u64 ns;

	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	for (i = 0; i < ARRAY_SIZE(divides); i++) {
		for (j = 0; j < ARRAY_SIZE(counts); j++) {
			unit_set_reg(0, APIC_TDCR, divides[i].reg | 0xfffffff4);
			assert_int_equal(unit_reg(0, APIC_TDCR), divides[i].reg);
			unit_set_reg(0, APIC_TMICT, counts[j]);
			assert_int_equal(unit_reg(0, APIC_TMICT), counts[j]);
			assert_int_equal(unit_reg(0, APIC_TMCCT), counts[j]);
			ns = (u64)counts[j] * divides[i].divisor;
			unit_pass(ns / 3);
			/* A step is made at its end: the count is 0 when the interrupt comes. */
			left = counts[j] - ns / 3 / divides[i].divisor;
			assert_int_equal(unit_reg(0, APIC_TMCCT), left);
			expect_at(ns - ns / 3);
			assert_int_equal(unit_reg(0, APIC_TMCCT), 0);
			assert_int_equal(unit_reg(0, APIC_TMICT), counts[j]);
		}
	}
	expect_never();
	assert_int_equal(unit_timers(), 0);
}

static void stopped(void **state)
{
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TMICT, 1000000);
	unit_set_reg(0, APIC_TMICT, 0);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 0);
	expect_never();
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TMICT, 1000000);
	unit_set_reg(0, APIC_TMICT, 0);
	expect_never();
	assert_int_equal(unit_timers(), 0);
}

static void masked(void **state)
{
	unit_set_reg(0, APIC_LVTT, PERIODIC | APIC_LVT_MASKED);
	unit_set_reg(0, APIC_TMICT, 500000);
	unit_pass(NSEC_PER_SEC);
	assert_false(fired());
	/* It went on, and an interrupt that was masked is lost. */
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	assert_false(fired());
	expect_at(1000000);
	unit_set_reg(0, APIC_SPIV, 0xff);
	unit_pass(NSEC_PER_SEC);
	assert_false(fired());
}

static void periodic(void **state)
{
	u32 i;

	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TDCR, 0x3);
	unit_set_reg(0, APIC_TMICT, 62500);
	for (i = 0; i < 1000; i++)
		expect_at(1000000);
	unit_pass(250000);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 62500 * 3 / 4);
	/* Late by some periods: one interrupt, and the phase stays. */
	unit.now += 3 * 1000000;
	assert_int_equal(unit_reg(0, APIC_TMCCT), 62500 * 3 / 4);
	unit_pass(0);
	assert_true(fired());
	assert_false(fired());
	expect_at(750000);
	expect_at(1000000);
}

/* A guest cannot keep the host busy. */
static void shortest_period(void **state)
{
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TDCR, 0xb);
	unit_set_reg(0, APIC_TMICT, 1);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 1);
	expect_at(MIN_PERIOD);
	expect_at(MIN_PERIOD);
	unit_set_reg(0, APIC_TMICT, 0xffffffff);
	expect_at(0xffffffff);
	/* The divider is part of it. */
	unit_set_reg(0, APIC_TDCR, 0xa);
	unit_set_reg(0, APIC_TMICT, MIN_PERIOD / 128 + 1);
	expect_at((MIN_PERIOD / 128 + 1) * 128);
}

static void divide_changes(void **state)
{
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TDCR, 0xb);
	unit_set_reg(0, APIC_TMICT, 1000000);
	unit_pass(400000);
	unit_set_reg(0, APIC_TDCR, 0x1);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 600000);
	expect_at(4 * 600000);
	/* It starts nothing that has run out. */
	unit_set_reg(0, APIC_TDCR, 0xb);
	expect_never();
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TMICT, 1000000);
	unit_pass(400000);
	unit_set_reg(0, APIC_TDCR, 0x0);
	expect_at(2 * 600000);
	expect_at(2 * 1000000);
}

static void one_shot_and_periodic(void **state)
{
	unit_set_reg(0, APIC_TDCR, 0xb);
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TMICT, 1000000);
	unit_pass(300000);
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	expect_at(700000);
	expect_at(1000000);
	unit_pass(100000);
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	expect_at(900000);
	expect_never();
}

/* Nothing of one mode gets over into the other. */
static void count_and_deadline(void **state)
{
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	umbra_lapic_set_deadline(vcpu, 1);
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), 0);
	unit_set_reg(0, APIC_TMICT, 1000);
	unit_set_reg(0, APIC_LVTT, DEADLINE);
	assert_int_equal(unit_reg(0, APIC_TMICT), 0);
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), 0);
	expect_never();
	unit_set_reg(0, APIC_TMICT, 1000);
	assert_int_equal(unit_reg(0, APIC_TMICT), 0);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 0);
	umbra_lapic_set_deadline(vcpu, rdtsc() + 1000);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 0);
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), 0);
	expect_never();
	/* The mode that does not exist. */
	unit_set_reg(0, APIC_LVTT, VECTOR | APIC_LVT_TIMER_PERIODIC | APIC_LVT_TIMER_TSCDEADLINE);
	unit_set_reg(0, APIC_TMICT, 1000);
	umbra_lapic_set_deadline(vcpu, 1);
	expect_never();
	assert_int_equal(unit_timers(), 0);
}

static u64 guest_tsc(void)
{
	return rdtsc() + umbra_tsc_hw_offset(vcpu);
}

/* Fires when the guest's TSC is @deadline: not before, and at most @slack ns after. */
static void expect_deadline(u64 deadline, u64 slack)
{
	int expirations = 0;

	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), deadline);
	while (guest_tsc() < deadline) {
		assert_false(umbra_irq_has(vcpu));
		assert_true(unit_pass_to_timer());
		expirations++;
		/* However far it is, and however clocks drift, it is no busy loop. */
		assert_in_range(expirations, 0, 100);
	}
	assert_true(fired());
	assert_in_range(guest_tsc() - deadline, 0, slack * tsc_khz / 1000000 + 1);
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), 0);
	assert_int_equal(unit_timers(), 0);
}

static void deadline(void **state)
{
	static const u32 khz[] = { 1000000, 1000001, 2500000, 3999999, 800000 };
	u64 d;
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(khz); i++) {
		tsc_khz = khz[i];
		unit_set_reg(0, APIC_LVTT, DEADLINE);
		for (j = 0; j < 1000; j++) {
			vcpu->tsc_offset = random() * 0x100000001ULL;
			d = guest_tsc() + 1 + random() % (1 << random() % 31);
			umbra_lapic_set_deadline(vcpu, d);
			expect_deadline(d, 2);
		}
	}
	/* Past, and this very tick: at once. */
	umbra_lapic_set_deadline(vcpu, 1);
	expect_at(0);
	umbra_lapic_set_deadline(vcpu, guest_tsc());
	expect_at(0);
	umbra_lapic_set_deadline(vcpu, guest_tsc() + 100000);
	umbra_lapic_set_deadline(vcpu, 0);
	expect_never();
	assert_int_equal(unit_timers(), 0);
}

static void far_deadline(void **state)
{
	u64 d = guest_tsc() + 5ULL * tsc_khz * 1000 * 3600;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	umbra_lapic_set_deadline(vcpu, d);
	expect_deadline(d, 2);
	umbra_lapic_set_deadline(vcpu, -1ULL);
	unit_pass(24 * HOUR);
	assert_false(fired());
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), -1ULL);
	assert_int_equal(unit_timers(), 1);
	umbra_lapic_set_deadline(vcpu, 0);
	assert_int_equal(unit_timers(), 0);
}

/* The host's clock is faster than its TSC says: the hrtimer is early, the guest must not see it. */
static void drift(void **state)
{
	u64 d = guest_tsc() + 2500000;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	umbra_lapic_set_deadline(vcpu, d);
	unit.drift -= 1000;
	assert_true(unit_pass_to_timer());
	assert_false(fired());
	unit.drift -= 10;
	expect_deadline(d, 2);
}

static void tsc_moves(void **state)
{
	u64 d = guest_tsc() + 2500000;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	umbra_lapic_set_deadline(vcpu, d);
	vcpu->tsc_offset += 1250000;
	umbra_lapic_tsc_changed(vcpu);
	expect_deadline(d, 2);
	umbra_lapic_set_deadline(vcpu, d = guest_tsc() + 2500000);
	vcpu->tsc_offset -= 2500000;
	umbra_lapic_tsc_changed(vcpu);
	unit_pass(1500000);
	expect_deadline(d, 2);
	umbra_lapic_set_deadline(vcpu, guest_tsc() + 2500000);
	vcpu->tsc_offset += 2500000;
	umbra_lapic_tsc_changed(vcpu);
	expect_at(0);
	/* It is no affair of a count's. */
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TDCR, 0xb);
	unit_set_reg(0, APIC_TMICT, 1000000);
	vcpu->tsc_offset += 2500000;
	umbra_lapic_tsc_changed(vcpu);
	expect_at(1000000);
}

/* The host slept and lost its TSC; the guest's goes on, and so do its deadlines. */
static void host_sleeps(void **state)
{
	u64 lost = rdtsc() - 1000, d = guest_tsc() + 2500000;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	umbra_lapic_set_deadline(vcpu, d);
	unit.drift -= lost;
	umbra_tsc_lost += lost;
	umbra_lapic_tsc_changed(vcpu);
	expect_deadline(d, 2);
	d = guest_tsc() + 2500000;
	umbra_lapic_set_deadline(vcpu, d);
	unit_pass(999000);
	assert_false(fired());
	unit_pass(1010);
	assert_true(fired());
}

/*
 * The vCPU writes while the callback runs on another CPU: at each of the points where that
 * uses a barrier, a clock or a timer.
 */
static int points;
static u64 second;

static void write_second(void)
{
	if (points--)
		unit.elsewhere = write_second;
	else
		umbra_lapic_set_deadline(vcpu, second);
}

static void race(u64 first, u64 delta, bool early)
{
	u64 now = guest_tsc();
	int n;

	umbra_lapic_set_deadline(vcpu, now + first);
	second = delta ? now + delta : 0;
	/* Make the callback start the hrtimer again. */
	unit.drift -= early ? 5000 : 0;
	unit.elsewhere = write_second;
	assert_true(unit_pass_to_timer());
	if (unit.elsewhere) {
		/* It has fewer points than that. */
		unit.elsewhere = NULL;
		umbra_lapic_set_deadline(vcpu, second);
	}
	/* The first may have fired, if it was time: but neither comes twice, and none early. */
	if (umbra_irq_has(vcpu))
		assert_true(guest_tsc() >= now + first || (second && guest_tsc() >= second));
	while (unit_serve(0) >= 0)
		;
	if (second && guest_tsc() < second)
		assert_int_equal(umbra_lapic_get_deadline(vcpu, false), second);
	for (n = 0; umbra_lapic_get_deadline(vcpu, false); n++) {
		assert_int_equal(umbra_lapic_get_deadline(vcpu, false), second);
		assert_in_range(n, 0, 10);
		assert_true(unit_pass_to_timer());
		assert_int_equal(umbra_irq_has(vcpu), guest_tsc() >= second);
	}
	unit_serve(0);
	/* One that is left over does no harm. */
	unit_pass(HOUR);
	assert_false(fired());
	assert_int_equal(unit_timers(), 0);
}

static void races(void **state)
{
	static const u64 deltas[] = { 0, 1, 1000, 2500, 9999, 10000, 10001, 12500, 1000000 };
	u32 i;
	int at;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	for (at = 0; at < 10; at++) {
		for (i = 0; i < ARRAY_SIZE(deltas); i++) {
			points = at;
			race(10000, deltas[i], false);
			points = at;
			race(10000, deltas[i], true);
		}
	}
}

/* The second write is the one that counts, wherever it comes: nothing is lost. */
static void race_keeps_second(void **state)
{
	int at;

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	for (at = 0; at < 20; at++) {
		umbra_lapic_set_deadline(vcpu, guest_tsc() + 10000);
		unit.drift -= 8000;
		second = guest_tsc() + 12000;
		points = at;
		unit.elsewhere = write_second;
		assert_true(unit_pass_to_timer());
		if (unit.elsewhere)
			break;
		while (guest_tsc() < second) {
			assert_false(umbra_irq_has(vcpu));
			assert_true(unit_pass_to_timer());
		}
		assert_true(fired());
		assert_in_range(guest_tsc() - second, 0, 10);
		unit_pass(HOUR);
		assert_false(fired());
	}
	/* Barrier, clock, start, barrier: at the least. */
	assert_in_range(at, 4, 19);
	unit.elsewhere = NULL;
}

static void wakes(void **state)
{
	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TMICT, 1000);
	vcpu->requests = 0;
	unit.told[0].woken = 0;
	unit_pass(10000);
	assert_int_equal(unit.told[0].woken, 1);
	assert_int_equal(vcpu->requests, BIT(UMBRA_REQ_EVENT));
	/* It has not been taken yet: no need to say so again. */
	unit_set_reg(0, APIC_TMICT, 1000);
	unit_pass(10000);
	assert_int_equal(unit.told[0].woken, 1);
	assert_true(fired());
	assert_false(fired());
}

static void put(struct kvm_lapic_state *s, u32 offset, u32 value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

static void restored(u32 lvt, u32 initial, u32 count)
{
	struct kvm_lapic_state s;

	umbra_lapic_get_state(vcpu, &s);
	put(&s, APIC_LVTT, lvt);
	put(&s, APIC_TMICT, initial);
	put(&s, APIC_TMCCT, count);
	put(&s, APIC_TDCR, 0x1);
	assert_int_equal(umbra_lapic_set_state(vcpu, &s), 0);
}

static void save_and_restore(void **state)
{
	struct kvm_lapic_state s;
	u64 d;

	restored(ONE_SHOT, 1000000, 250000);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 250000);
	expect_at(1000000);
	/* It had run out: not once more. */
	restored(ONE_SHOT, 1000000, 0);
	expect_never();
	/* No more than the whole. */
	restored(ONE_SHOT, 1000, 0xffffffff);
	expect_at(4000);
	restored(PERIODIC, 1000000, 250000);
	expect_at(1000000);
	expect_at(4000000);
	restored(PERIODIC, 1000000, 0);
	expect_at(4000000);
	restored(PERIODIC, 0, 250000);
	expect_never();
	/* A short period is no way around the limit. */
	restored(PERIODIC, 1, 1);
	unit_pass(4);
	assert_true(fired());
	expect_at(MIN_PERIOD);
	/* The deadline is not part of the registers, and goes on. */
	restored(DEADLINE, 0, 0);
	d = guest_tsc() + 1000000;
	umbra_lapic_set_deadline(vcpu, d);
	unit_pass(1000);
	umbra_lapic_get_state(vcpu, &s);
	umbra_lapic_set_state(vcpu, &s);
	expect_deadline(d, 2);
	/* Saved while it runs, and restored an hour later. */
	restored(ONE_SHOT, 1000000, 1000000);
	unit_pass(1000000);
	umbra_lapic_get_state(vcpu, &s);
	unit_set_reg(0, APIC_TMICT, 0);
	unit_pass(HOUR);
	umbra_lapic_set_state(vcpu, &s);
	expect_at(3000000);
}

/* It is due, and its callback has yet to run: whatever happens now, the interrupt comes. */
static void callback_is_late(void **state)
{
	struct kvm_lapic_state s;

	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TDCR, 0x1);
	unit_set_reg(0, APIC_TMICT, 1000);
	unit.now += 1000000;
	assert_int_equal(unit_reg(0, APIC_TMCCT), 1);
	umbra_lapic_get_state(vcpu, &s);
	unit_set_reg(0, APIC_TMICT, 0);
	umbra_lapic_set_state(vcpu, &s);
	expect_at(4);
	assert_int_equal(unit_reg(0, APIC_TMCCT), 0);

	unit_set_reg(0, APIC_TMICT, 1000);
	unit.now += 1000000;
	unit_set_reg(0, APIC_TDCR, 0xb);
	expect_at(0);
	expect_never();

	unit_set_reg(0, APIC_TMICT, 1000000);
	unit.now += 1000000;
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	expect_at(1);
	expect_at(1000000);
}

static void expire_now(void)
{
	assert_true(unit_pass_to_timer());
}

/* The timer runs out while, or between what, user space saves: it is not lost. */
static void saved_as_it_fires(void **state)
{
	struct kvm_lapic_state s;
	u32 irr, count;
	u64 d;

	unit_set_reg(0, APIC_LVTT, ONE_SHOT);
	unit_set_reg(0, APIC_TMICT, 1000);
	unit.now += 1000000;
	unit.elsewhere = expire_now;
	umbra_lapic_get_state(vcpu, &s);
	assert_null(unit.elsewhere);
	memcpy(&irr, s.regs + APIC_IRR + VECTOR / 32 * 0x10, sizeof(irr));
	memcpy(&count, s.regs + APIC_TMCCT, sizeof(count));
	assert_true(irr >> VECTOR % 32 & 1 || count);
	assert_true(fired());

	unit_set_reg(0, APIC_LVTT, DEADLINE);
	d = guest_tsc() + 10000;
	umbra_lapic_set_deadline(vcpu, d);
	umbra_lapic_get_state(vcpu, &s);
	assert_true(unit_pass_to_timer());
	/* The guest sees that it has fired; user space's registers do not have it yet. */
	assert_int_equal(umbra_lapic_get_deadline(vcpu, false), 0);
	assert_int_equal(umbra_lapic_get_deadline(vcpu, true), d);
	umbra_lapic_set_state(vcpu, &s);
	umbra_lapic_set_deadline(vcpu, d);
	assert_true(fired());
	assert_int_equal(umbra_lapic_get_deadline(vcpu, true), 0);
}

static void reset_stops(void **state)
{
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TMICT, 1000000);
	umbra_lapic_reset(vcpu, true);
	assert_int_equal(unit_timers(), 0);
	assert_int_equal(unit_reg(0, APIC_TMICT), 0);
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVTT, DEADLINE);
	umbra_lapic_set_deadline(vcpu, guest_tsc() + 1000000);
	umbra_lapic_reset(vcpu, true);
	assert_int_equal(unit_timers(), 0);
	/* Teardown finds that nothing is left of this one, either. */
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVTT, PERIODIC);
	unit_set_reg(0, APIC_TMICT, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_shot, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(stopped, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(masked, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(periodic, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(shortest_period, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(divide_changes, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(one_shot_and_periodic, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(count_and_deadline, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(deadline, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(far_deadline, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(drift, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(tsc_moves, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(host_sleeps, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(races, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(race_keeps_second, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(wakes, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(save_and_restore, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(callback_is_late, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(saved_as_it_fires, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(reset_stops, setup, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
