// SPDX-License-Identifier: GPL-2.0
/*
 * What happens on two processors at once, at the one point where it matters: the second one
 * acts where the first takes a barrier, wakes a vCPU, or holds a lock. The timer's races of
 * its own are in irq_timer_test.c.
 */
#include "irq_lib.h"
#include "irq/lapic.h"

#define IOAPIC		0xfec00000ULL
#define PIN		19
#define ENTRY		(0x10 + 2 * PIN)
#define LEVEL		0x8000u
#define REMOTE_IRR	0x4000u
#define VECTOR		0x51

static struct umbra_vcpu *const vcpu = &unit.vcpu[0];

static int setup(void **state)
{
	int r = unit_setup(UMBRA_IRQCHIP_KERNEL, 2);

	if (!r)
		unit_enable(0, false);
	return r;
}

static int teardown(void **state)
{
	unit_blocked = NULL;
	return unit_teardown(state);
}

static void mmio(gpa_t addr, u32 value)
{
	assert_int_equal(umbra_irq_io_write(vcpu, UMBRA_BUS_MMIO, addr, 4, &value), 0);
}

static void set_entry(u32 low)
{
	mmio(IOAPIC, ENTRY + 1);
	mmio(IOAPIC + 0x10, 0);
	mmio(IOAPIC, ENTRY);
	mmio(IOAPIC + 0x10, low);
}

static u32 entry(void)
{
	u32 value = 0xdeadbeef;

	mmio(IOAPIC, ENTRY);
	assert_int_equal(umbra_irq_io_read(vcpu, UMBRA_BUS_MMIO, IOAPIC + 0x10, 4, &value), 0);
	return value;
}

static jmp_buf at_lock;

static void wait_for_lock(void)
{
	longjmp(at_lock, 1);
}

static bool waited;

/* The handler runs at once, and gets as far as the lock lets it. */
static void handle(void)
{
	unit.at_wake = NULL;
	unit_blocked = wait_for_lock;
	if (setjmp(at_lock)) {
		waited = true;
	} else {
		assert_int_equal(umbra_irq_take(vcpu), VECTOR);
		unit_set_reg(0, APIC_EOI, 0);
	}
	unit_blocked = NULL;
}

/* The EOI may come before the I/O APIC knows that its message was taken: it has to wait. */
static void eoi_while_it_is_sent(void **state)
{
	set_entry(VECTOR | LEVEL);
	waited = false;
	unit.at_wake = handle;
	assert_int_equal(umbra_ioapic_set_irq(&unit.vm, PIN, UMBRA_IRQ_SOURCE_USER, true), 1);
	assert_null(unit.at_wake);
	assert_true(waited);
	/* The line has been served; now the lock is free. */
	assert_int_equal(umbra_ioapic_set_irq(&unit.vm, PIN, UMBRA_IRQ_SOURCE_USER, false), 1);
	umbra_ioapic_eoi(vcpu, VECTOR, true);
	assert_int_equal(entry(), VECTOR | LEVEL);
	assert_int_equal(umbra_ioapic_set_irq(&unit.vm, PIN, UMBRA_IRQ_SOURCE_USER, true), 1);
	assert_int_equal(entry(), VECTOR | LEVEL | REMOTE_IRR);
}

static void open_lint0(void)
{
	unit_set_reg(1, APIC_LVT0, APIC_DM_EXTINT);
	unit.vcpu[1].ev.look = false;
}

/* LINT0 is opened between the 8259A's output and the look for who has it open. */
static void extint_opened_as_it_comes(void **state)
{
	unit_enable(1, false);
	unit.elsewhere = open_lint0;
	unit.told[1].woken = 0;
	umbra_apic_extint_kick(&unit.vm);
	assert_null(unit.elsewhere);
	assert_int_equal(unit.told[1].woken, 1);
}

static void expire_now(void)
{
	unit_pass_to_timer();
}

/* The old timer expires while user space restores another state: that has no interrupt. */
static void timer_of_the_old_state(void **state)
{
	struct kvm_lapic_state s;

	umbra_lapic_get_state(vcpu, &s);
	unit_set_reg(0, APIC_LVTT, VECTOR);
	unit_set_reg(0, APIC_TMICT, 1000);
	unit.elsewhere = expire_now;
	assert_int_equal(umbra_lapic_set_state(vcpu, &s), 0);
	assert_null(unit.elsewhere);
	assert_false(unit_waits(0, VECTOR));
	assert_int_equal(unit_timers(), 0);
}

/* But a deadline is no part of that state: it goes on, whether or not it is over by now. */
static void deadline_of_the_old_state(void **state)
{
	struct kvm_lapic_state s;

	unit_set_reg(0, APIC_LVTT, VECTOR | APIC_LVT_TIMER_TSCDEADLINE);
	umbra_lapic_get_state(vcpu, &s);
	umbra_lapic_set_deadline(vcpu, rdtsc() + 1000);
	unit.elsewhere = expire_now;
	assert_int_equal(umbra_lapic_set_state(vcpu, &s), 0);
	assert_null(unit.elsewhere);
	unit_pass(1000);
	assert_int_equal(unit_serve(0), VECTOR);
	assert_int_equal(unit_serve(0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(eoi_while_it_is_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(extint_opened_as_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_of_the_old_state, setup, teardown),
		cmocka_unit_test_setup_teardown(deadline_of_the_old_state, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
