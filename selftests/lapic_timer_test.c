// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer against the guest's time stamp counter: never early, however it is
 * programmed. How late it may be is the emulated host's business, so there is no such limit.
 */
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x60
#define MS		1000000u	/* ticks: the bus of KVM's APIC has 1 GHz */

static u64 tsc_khz, when[16], stop_at;
static u32 reload;

static void note(struct ut_ex_regs *regs)
{
	u64 n = guest_hits(VECTOR);

	if (n < ARRAY_SIZE(when))
		ut_write_once(when[n], guest_rdtsc());
	if (n + 1 == ut_read_once(stop_at))
		guest_apic_write(UT_APIC_LVTT, UT_LVT_MASKED | VECTOR);
	guest_irq_eoi(regs);
}

FIXTURE(timer) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(timer)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	ut_set_handler(self->vm, VECTOR, note);
	tsc_khz = ut_must_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);
	ut_push_var(self->vm, tsc_khz);
}

FIXTURE_TEARDOWN(timer)
{
	ut_vm_free(self->vm);
}

/* Nanoseconds in cycles; one part in 256 less, as clocks of emulated hosts drift a little. */
static u64 cycles(u64 ns)
{
	u64 all = ns * ut_read_once(tsc_khz) / 1000000;

	return all - all / 256;
}

static void assert_not_early(u64 at, u64 start, u64 ns)
{
	if (at - start < cycles(ns))
		guest_abort("too early: cycles, nanoseconds", __FILE__, __LINE__, at - start, ns);
}

/* TDCR: the divisor's logarithm, where 7 means 0. */
static u32 tdcr(u32 log)
{
	u32 code = (log + 7) & 7;

	return (code & 3) | (code & 4) << 1;
}

static void guest_one_shot(void)
{
	u64 start, n;
	u32 log;

	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	for (log = 0; log < 8; log++) {
		n = guest_hits(VECTOR);
		/* Stop it first: KVM starts one that has expired again on a new divisor. */
		guest_apic_write(UT_APIC_TMICT, 0);
		guest_apic_write(UT_APIC_TDCR, tdcr(log));
		start = guest_rdtsc();
		/* Two milliseconds by each of the divisors. */
		guest_apic_write(UT_APIC_TMICT, (2 * MS) >> log);
		guest_wait_hits(VECTOR, n + 1);
		assert_not_early(ut_read_once(when[n]), start, 2 * MS);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMICT), (2 * MS) >> log);
	}
	/* And no second time. */
	start = guest_rdtsc();
	guest_sti();
	while (guest_rdtsc() - start < cycles(5 * MS))
		guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 8);
	guest_done();
}

TEST_F_TIMEOUT(timer, one_shot_by_all_divisors, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_one_shot);
}

static void guest_count_down(void)
{
	u32 now, last;
	u64 start, end;

	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, UT_LVT_MASKED | VECTOR);
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	start = guest_rdtsc();
	guest_apic_write(UT_APIC_TMICT, 0xffffffff);
	last = guest_apic_read(UT_APIC_TMCCT);
	do {
		end = guest_rdtsc();
		now = guest_apic_read(UT_APIC_TMCCT);
		GUEST_ASSERT(now <= last);
		last = now;
	} while (end - start < cycles(10 * MS));
	/* As much as the processor's clock, and no more. */
	GUEST_ASSERT(0xffffffff - last >= 9 * MS);
	GUEST_ASSERT(cycles(0xffffffff - last) <= guest_rdtsc() - start);
	/* Stopped by a count of 0. */
	guest_apic_write(UT_APIC_TMICT, 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
	guest_done();
}

TEST_F_TIMEOUT(timer, counts_down, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_count_down);
}

static void guest_periodic(void)
{
	u64 start, i;

	guest_apic_on();
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_PERIODIC | VECTOR);
	ut_write_once(stop_at, 10);
	start = guest_rdtsc();
	guest_apic_write(UT_APIC_TMICT, 3 * MS);
	guest_wait_hits(VECTOR, 10);
	/* One may be late; the next is then nearer, but none comes before its time. */
	for (i = 0; i < 10; i++)
		assert_not_early(ut_read_once(when[i]), start, (i + 1) * 3 * MS);
	guest_apic_write(UT_APIC_TMICT, 0);
	guest_done();
}

TEST_F_TIMEOUT(timer, periodic, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_periodic);
}

/* Masked it runs all the same, and what it would have said is lost. */
static void guest_masked(u64 on_umbra)
{
	u64 start;

	guest_apic_on();
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	guest_apic_write(UT_APIC_LVTT, UT_LVT_MASKED | VECTOR);
	start = guest_rdtsc();
	guest_apic_write(UT_APIC_TMICT, MS);
	while (guest_rdtsc() - start < cycles(4 * MS))
		guest_pause();
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
	guest_take_all();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	guest_take_all();
	/* KVM keeps it until it is unmasked. */
	GUEST_ASSERT(guest_hits(VECTOR) <= !on_umbra);
	guest_done();
}

TEST_F_TIMEOUT(timer, masked, UT_IRQ_TIMEOUT)
{
	ut_restart(self->vcpu, guest_masked);
	ut_set_args(self->vcpu, ut_on_umbra(), 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

static void guest_deadline(void)
{
	u64 i, deadline;

	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_DEADLINE | VECTOR);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_TSC_DEADLINE), 0);
	for (i = 0; i < 6; i++) {
		deadline = guest_rdtsc() + i * cycles(MS);
		guest_wrmsr(UT_MSR_TSC_DEADLINE, deadline);
		guest_wait_hits(VECTOR, i + 1);
		GUEST_ASSERT(ut_read_once(when[i]) >= deadline);
		/* Disarmed by having fired. */
		GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_TSC_DEADLINE), 0);
	}
	/* The count has no meaning in this mode. */
	guest_apic_write(UT_APIC_TMICT, MS);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
	/* Taken back in time. */
	guest_cli();
	guest_wrmsr(UT_MSR_TSC_DEADLINE, guest_rdtsc() + cycles(1000ull * MS));
	guest_wrmsr(UT_MSR_TSC_DEADLINE, 0);
	/* Another mode disarms it, and the MSR is deaf there. */
	guest_wrmsr(UT_MSR_TSC_DEADLINE, guest_rdtsc() + cycles(20 * MS));
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	guest_wrmsr(UT_MSR_TSC_DEADLINE, 1);
	deadline = guest_rdtsc() + cycles(25 * MS);
	guest_sti();
	while (guest_rdtsc() < deadline)
		guest_pause();
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_TSC_DEADLINE), 0);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 6);
	guest_done();
}

TEST_F_TIMEOUT(timer, deadline, UT_IRQ_TIMEOUT)
{
	ASSERT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_TSC_DEADLINE_TIMER));
	ut_cpuid_deadline(self->vcpu);
	ut_run_through(self->vcpu, guest_deadline);
}

/* From HLT: the vCPU sleeps in the kernel, no exit in between. */
static void guest_halted(void)
{
	u64 start, i;

	guest_apic_on();
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	for (i = 0; i < 5; i++) {
		guest_cli();
		start = guest_rdtsc();
		guest_apic_write(UT_APIC_TMICT, 5 * MS);
		while (guest_hits(VECTOR) == i) {
			guest_sti_hlt();
			guest_cli();
		}
		assert_not_early(ut_read_once(when[i]), start, 5 * MS);
	}
	guest_done();
}

TEST_F_TIMEOUT(timer, wakes_from_hlt, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_halted);
}

/* Changes on the way: a new count starts anew, a new divisor goes on from what is left. */
static void guest_changes(void)
{
	u64 start, i;

	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	guest_sti();
	for (i = 0; i < 20; i++) {
		start = guest_rdtsc();
		guest_apic_write(UT_APIC_TMICT, 2000u * MS);
	}
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	guest_apic_write(UT_APIC_TMICT, 2 * MS);
	start = guest_rdtsc();
	guest_cli();
	guest_wait_hits(VECTOR, 1);
	assert_not_early(guest_rdtsc(), start, MS);
	/* One-shot made periodic on the way goes on for ever. */
	guest_apic_write(UT_APIC_TMICT, 2 * MS);
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_PERIODIC | VECTOR);
	guest_wait_hits(VECTOR, 4);
	guest_apic_write(UT_APIC_TMICT, 0);
	guest_done();
}

TEST_F_TIMEOUT(timer, changes_on_the_way, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_changes);
}

/* The running timer is part of the state: it goes on in the heir, not anew and not early. */
static void guest_leaves(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_TDCR, tdcr(0));
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	guest_apic_write(UT_APIC_TMICT, 400u * MS);
	guest_sync(1);
	guest_done();
}

static void guest_arrives(void)
{
	u32 left = guest_apic_read(UT_APIC_TMCCT);
	u64 start = guest_rdtsc();

	GUEST_ASSERT(left <= ut_read_once(reload));
	guest_wait_hits(VECTOR, 1);
	/* 20 ms for the time between the two reads on a slow host. */
	if (left > 20 * MS)
		assert_not_early(ut_read_once(when[0]), start, left - 20 * MS);
	guest_done();
}

TEST_F_TIMEOUT(timer, state, UT_IRQ_TIMEOUT)
{
	struct kvm_lapic_state state;
	struct ut_vcpu *heir;
	struct ut_vm *vm;

	ut_restart(self->vcpu, guest_leaves);
	ut_until(self->vcpu, 1);
	ut_must_ioctl(self->vcpu->fd, KVM_GET_LAPIC, &state);
	reload = *(u32 *)(state.regs + UT_APIC_TMCCT);
	ASSERT_GE(400u * MS, reload);
	vm = ut_irq_vm();
	heir = ut_vcpu_long(vm, 0, guest_arrives);
	ut_set_handler(vm, VECTOR, note);
	ut_push_var(vm, tsc_khz);
	ut_push_var(vm, reload);
	ASSERT_EQ(0, ut_ioctl(heir->fd, KVM_SET_LAPIC, &state));
	ut_until(heir, UT_UNTIL_DONE);
	ut_vm_free(vm);
}

/* A deadline moves as an MSR, after the state that has its mode. */
static void guest_far_deadline(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_DEADLINE | VECTOR);
	guest_wrmsr(UT_MSR_TSC_DEADLINE, guest_rdtsc() + cycles(100000ull * MS));
	guest_sync(1);
	/* User space has put it into the past. */
	guest_wait_hits(VECTOR, 1);
	guest_done();
}

TEST_F_TIMEOUT(timer, deadline_is_an_msr, UT_IRQ_TIMEOUT)
{
	u64 deadline = 0;

	ut_cpuid_deadline(self->vcpu);
	ut_restart(self->vcpu, guest_far_deadline);
	ut_until(self->vcpu, 1);
	ASSERT_EQ(1, ut_read_msr(self->vcpu, UT_MSR_TSC_DEADLINE, &deadline));
	ASSERT_LT(100000ull * tsc_khz / 2, deadline);
	ASSERT_EQ(1, ut_write_msr(self->vcpu, UT_MSR_TSC_DEADLINE, 1));
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_HARNESS_MAIN
