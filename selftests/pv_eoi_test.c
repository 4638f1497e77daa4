// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: the guest ends interrupts by a bit in its memory. It may do so only when nothing but the
 * vector's end depends on it; nothing may be lost by it, and nothing of it may be seen from
 * outside. KVM sets the bit in the same cases.
 */
#include <errno.h>
#include <asm/kvm_para.h>
#include <kselftest_harness.h>
#include "irq.h"
#include "stats.h"

#define FLAG_GPA(cpu)	(UT_FREE_GPA + 0x100 + (cpu) * UT_PAGE_SIZE)
#define SLOT_GPA	0x40000000ull
#define VECTOR		0x70
#define LOW_VECTOR	0x51
#define HIGH_VECTOR	0x91
#define PIN		20
#define ASSERTED	UT_ICR_ASSERT
#define ROUNDS		2000

/* ---- guest ---- */

/* The address of the bit for vCPU 0; what handlers found, by vector; messages between vCPUs. */
static u64 flag_gva = FLAG_GPA(0), pv_ends[256], real_ends[256], round, told, seen, peer;

static u8 *flag(void)
{
	return guest_cpu() ? (u8 *)FLAG_GPA(guest_cpu()) : (u8 *)ut_read_once(flag_gva);
}

static bool take_flag(void)
{
	bool was;

	asm volatile("btrl $0, %1" : "=@ccc"(was), "+m"(*(u32 *)flag()) : : "memory");
	return was;
}

/* As guest systems end an interrupt. */
static void end(u64 vector)
{
	if (take_flag()) {
		__atomic_add_fetch(&pv_ends[vector], 1, __ATOMIC_SEQ_CST);
	} else {
		__atomic_add_fetch(&real_ends[vector], 1, __ATOMIC_SEQ_CST);
		guest_eoi();
	}
}

static void handler(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	end(regs->vector);
}

static void enable(u64 gpa)
{
	guest_wrmsr(MSR_KVM_PV_EOI_EN, gpa | KVM_MSR_ENABLED);
}

static void to_self(int vector)
{
	guest_apic_icr(0, UT_ICR_SELF | ASSERTED | vector);
	guest_take_all();
}

static void guest_many(u64 gpa, u64 x2apic)
{
	int i;

	if (x2apic)
		guest_x2apic_on();
	guest_apic_on();
	if (gpa)
		enable(gpa);
	for (i = 0; i < ROUNDS; i++) {
		to_self(VECTOR);
		guest_wait_hits(VECTOR, i + 1);
	}
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, VECTOR));
	guest_done();
}

/* Something of lower priority waits: its turn must not be missed. */
static void low_first(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	guest_apic_icr(0, UT_ICR_SELF | ASSERTED | LOW_VECTOR);
	end(regs->vector);
}

static void guest_two(void)
{
	int i;

	guest_apic_on();
	enable(FLAG_GPA(0));
	for (i = 1; i <= 100; i++) {
		to_self(VECTOR);
		guest_wait_hits(LOW_VECTOR, i);
	}
	GUEST_ASSERT_EQ(100, guest_hits(VECTOR));
	GUEST_ASSERT_EQ(100, real_ends[VECTOR]);
	GUEST_ASSERT_EQ(0, pv_ends[VECTOR]);
	guest_done();
}

/* One handler in another: the inner one's end must not be taken for the outer one's. */
static void outer(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	guest_apic_icr(0, UT_ICR_SELF | ASSERTED | HIGH_VECTOR);
	guest_take_all();
	guest_wait_hits(HIGH_VECTOR, guest_hits(VECTOR));
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, HIGH_VECTOR));
	GUEST_ASSERT(guest_apic_bit(UT_APIC_ISR, VECTOR));
	end(regs->vector);
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, VECTOR));
}

static void guest_nested(void)
{
	int i;

	guest_apic_on();
	enable(FLAG_GPA(0));
	for (i = 1; i <= 100; i++) {
		to_self(VECTOR);
		guest_wait_hits(VECTOR, i);
	}
	GUEST_ASSERT_EQ(100, guest_hits(HIGH_VECTOR));
	guest_done();
}

/* The I/O APIC waits for the end of a level-triggered interrupt, to send it again. */
static void guest_level(void)
{
	guest_apic_on();
	enable(FLAG_GPA(0));
	guest_ioapic_redir(PIN, UT_ICR_LEVEL | VECTOR);
	guest_sync(1);
	guest_wait_hits(VECTOR, 20);
	GUEST_ASSERT_EQ(0, pv_ends[VECTOR]);
	guest_done();
}

/* The test looks in from outside, before and after the end. */
static void show(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	guest_sync(1);
	end(regs->vector);
	guest_sync(2);
}

static void guest_show(u64 gpa)
{
	guest_apic_on();
	enable(gpa);
	for (;;)
		to_self(VECTOR);
}

static void tell(struct ut_ex_regs *regs)
{
	handler(regs);
	__atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
}

/*
 * While this one's handler runs, an interrupt comes from elsewhere. The emulated processor may
 * call it once more than it should.
 */
static void wait_inside(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	ut_write_once(told, ut_read_once(round));
	while (ut_read_once(peer) < ut_read_once(round))
		guest_pause();
	end(regs->vector);
}

static void guest_interrupted(void)
{
	int i;

	guest_apic_on();
	enable(FLAG_GPA(0));
	for (i = 1; i <= 300; i++) {
		ut_write_once(round, i);
		to_self(VECTOR);
		while (ut_read_once(seen) < i) {
			guest_sti();
			guest_pause();
			guest_cli();
		}
	}
	guest_done();
}

static void guest_interrupter(void)
{
	u64 i;

	guest_apic_on();
	for (i = 1; i <= 300; i++) {
		while (ut_read_once(told) < i)
			guest_pause();
		guest_apic_icr(0, ASSERTED | LOW_VECTOR);
		ut_write_once(peer, i);
	}
	guest_done();
}

static u64 try_enable(u64 value)
{
	u64 vec;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "wrmsr\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec) : "c"(MSR_KVM_PV_EOI_EN), "a"((u32)value), "d"(value >> 32)
		     : "r10", "r11", "memory");
	return vec;
}

static void guest_registers(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(0, guest_rdmsr(MSR_KVM_PV_EOI_EN));
	GUEST_ASSERT_EQ(UT_GP_VECTOR, try_enable(FLAG_GPA(0) | 2));
	GUEST_ASSERT_EQ(UT_GP_VECTOR, try_enable(FLAG_GPA(0) | 3));
	GUEST_ASSERT_EQ(0, guest_rdmsr(MSR_KVM_PV_EOI_EN));
	GUEST_ASSERT_EQ(0, try_enable(FLAG_GPA(0) | 1));
	GUEST_ASSERT_EQ(FLAG_GPA(0) | 1, guest_rdmsr(MSR_KVM_PV_EOI_EN));
	GUEST_ASSERT_EQ(0, try_enable(0));
	/* Off: the bit stays as it is. */
	guest_apic_on();
	to_self(VECTOR);
	guest_wait_hits(VECTOR, 1);
	GUEST_ASSERT_EQ(1, real_ends[VECTOR]);
	guest_done();
}

/* ---- test ---- */

FIXTURE(pv_eoi)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(pv_eoi)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_many);
	ut_set_handler(self->vm, VECTOR, handler);
	ut_set_handler(self->vm, LOW_VECTOR, handler);
	ut_set_handler(self->vm, HIGH_VECTOR, handler);
}

FIXTURE_TEARDOWN(pv_eoi)
{
	ut_vm_free(self->vm);
}

static u64 count(struct ut_vm *vm, u64 *array, int vector)
{
	return ut_guest_copy(vm, array)[vector];
}

static u64 exits(struct ut_vcpu *vcpu)
{
	int fd = ut_stats_fd(vcpu->fd);
	u64 n = ut_stat(fd, "exits");

	close(fd);
	return n;
}

static u64 run_many(struct ut_vcpu *vcpu, u64 gpa, u64 x2apic)
{
	u64 before = exits(vcpu);

	ut_clear_hits(vcpu->vm);
	ut_restart(vcpu, guest_many);
	ut_set_args(vcpu, gpa, x2apic);
	ut_until(vcpu, UT_UNTIL_DONE);
	return exits(vcpu) - before;
}

TEST_F_TIMEOUT(pv_eoi, saves_exits, UT_IRQ_TIMEOUT)
{
	u64 without, with;

	without = run_many(self->vcpu, 0, 0);
	EXPECT_LE(ROUNDS, count(self->vm, real_ends, VECTOR));
	EXPECT_EQ(0, count(self->vm, pv_ends, VECTOR));
	with = run_many(self->vcpu, FLAG_GPA(0), 0);
	/* The host's own interrupts may take a few back. */
	EXPECT_LT(ROUNDS * 9 / 10, count(self->vm, pv_ends, VECTOR));
	TH_LOG("%d interrupts: %lu exits, %lu without", ROUNDS, with, without);
	EXPECT_GT(without - ROUNDS / 2, with);
}

TEST_F_TIMEOUT(pv_eoi, x2apic, UT_IRQ_TIMEOUT)
{
	run_many(self->vcpu, FLAG_GPA(0), 1);
	EXPECT_LT(ROUNDS * 9 / 10, count(self->vm, pv_ends, VECTOR));
}

TEST_F(pv_eoi, registers)
{
	ut_restart(self->vcpu, guest_registers);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(pv_eoi, another_waits)
{
	ut_set_handler(self->vm, VECTOR, low_first);
	ut_restart(self->vcpu, guest_two);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(pv_eoi, nested)
{
	ut_set_handler(self->vm, VECTOR, outer);
	ut_restart(self->vcpu, guest_nested);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(pv_eoi, level_triggered)
{
	ut_restart(self->vcpu, guest_level);
	ut_until(self->vcpu, 1);
	ut_line(self->vm, PIN, 1);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* Who saves the guest between two entries must find all of it in the local APIC. */
TEST_F(pv_eoi, seen_from_outside)
{
	u8 *byte = ut_hva(self->vm, FLAG_GPA(0));
	int i;

	ut_set_handler(self->vm, VECTOR, show);
	ut_restart(self->vcpu, guest_show);
	ut_set_args(self->vcpu, FLAG_GPA(0), 0);
	for (i = 0; i < 20; i++) {
		ut_until(self->vcpu, 1);
		EXPECT_EQ(0, *byte);
		EXPECT_TRUE(ut_lapic_bit(self->vcpu, UT_APIC_ISR, VECTOR));
		ut_until(self->vcpu, 2);
		EXPECT_EQ(0, *byte);
		EXPECT_FALSE(ut_lapic_bit(self->vcpu, UT_APIC_ISR, VECTOR));
	}
	EXPECT_EQ(20, count(self->vm, pv_ends, VECTOR) + count(self->vm, real_ends, VECTOR));
}

TEST_F_TIMEOUT(pv_eoi, interrupted_by_another, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *other = ut_vcpu_long(self->vm, 1, guest_interrupter);
	struct ut_runner *runner[2];

	ut_set_mp(other, KVM_MP_STATE_RUNNABLE);
	ut_set_handler(self->vm, VECTOR, wait_inside);
	ut_set_handler(self->vm, LOW_VECTOR, tell);
	ut_restart(self->vcpu, guest_interrupted);
	runner[0] = ut_runner_start(self->vcpu);
	runner[1] = ut_runner_start(other);
	EXPECT_EQ(UT_DONE, ut_runner_join(runner[0]));
	EXPECT_EQ(UT_DONE, ut_runner_join(runner[1]));
	EXPECT_LE(300, *ut_guest_var(self->vm, seen));
}

/* The guest's address of the bit may be anything: then it has to end interrupts itself. */
TEST_F_TIMEOUT(pv_eoi, no_memory, UT_IRQ_TIMEOUT)
{
	if (!ut_on_umbra())
		SKIP(return, "KVM refuses addresses without memory");
	run_many(self->vcpu, SLOT_GPA, 0);
	EXPECT_LE(ROUNDS, count(self->vm, real_ends, VECTOR));
	EXPECT_EQ(0, count(self->vm, pv_ends, VECTOR));
	run_many(self->vcpu, ~0ull - 3, 0);
	EXPECT_EQ(0, count(self->vm, pv_ends, VECTOR));
}

TEST_F_TIMEOUT(pv_eoi, read_only_memory, UT_IRQ_TIMEOUT)
{
	u64 *mem;

	if (!ut_on_umbra())
		SKIP(return, "not tried on KVM");
	mem = ut_add_slot(self->vm, 1, SLOT_GPA, UT_PAGE_SIZE, KVM_MEM_READONLY);
	*mem = 0xfe;
	run_many(self->vcpu, SLOT_GPA, 0);
	EXPECT_EQ(0, count(self->vm, pv_ends, VECTOR));
	EXPECT_EQ(0xfe, *mem);
}

/* The byte's page is write-protected for the dirty log, again and again. */
TEST_F_TIMEOUT(pv_eoi, dirty_log, UT_IRQ_TIMEOUT)
{
	u64 bits = 0;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = &bits };
	u8 *mem = ut_add_slot(self->vm, 1, SLOT_GPA, UT_PAGE_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	int i;

	*mem = 0;
	ut_map(self->vm, SLOT_GPA, SLOT_GPA, 1, UT_PTE_W);
	*ut_guest_var(self->vm, flag_gva) = SLOT_GPA;
	ut_set_handler(self->vm, VECTOR, show);
	ut_restart(self->vcpu, guest_show);
	ut_set_args(self->vcpu, SLOT_GPA, 0);
	for (i = 0; i < 20; i++) {
		ut_until(self->vcpu, 1);
		ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
		ut_until(self->vcpu, 2);
		ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
		EXPECT_EQ(1, bits);
		EXPECT_FALSE(ut_lapic_bit(self->vcpu, UT_APIC_ISR, VECTOR));
	}
}

TEST_HARNESS_MAIN
