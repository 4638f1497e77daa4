// SPDX-License-Identifier: GPL-2.0
/*
 * Starting processors: INIT and SIPI in every order, KVM_GET/SET_MP_STATE, and which vCPU is
 * the first. The started ones run real mode code at the page that the SIPI names.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define PAGE		0x8		/* SIPI vector: code at 0x8000 */
#define OTHER_PAGE	0x9
#define COUNTS		0x7000ull	/* one word each: starts by page, then a beat */
#define BEAT		(COUNTS + 0x20)
#define CMD_INIT	(UT_DM_INIT | UT_ICR_ASSERT)
#define CMD_SIPI	(UT_DM_SIPI | UT_ICR_ASSERT)

/*
 * Real mode: count the start in the word of this code's page, then beat for ever. CS is the
 * page, so that a wrong start shows.
 */
UT_BLOB(starter,
	".code16\n"
	"	cli\n"
	"	mov	%cs, %bx\n"
	"	shr	$8, %bx\n"		/* 0x800 -> 8 */
	"	xor	%ax, %ax\n"
	"	mov	%ax, %ds\n"
	"	shl	$1, %bx\n"
	"	lock incw 0x7000(%bx)\n"
	"1:	lock incw 0x7020\n"
	"	pause\n"
	"	jmp	1b");

FIXTURE(sipi) {
	struct ut_vm *vm;
	struct ut_vcpu *bsp, *ap;
	struct ut_runner *runner;
};

FIXTURE_SETUP(sipi)
{
	self->vm = ut_irq_vm();
	/* Slot 0 begins at 0, and low memory below the tables is nobody's. */
	memcpy(ut_hva(self->vm, PAGE << 12), starter, UT_BLOB_LEN(starter));
	memcpy(ut_hva(self->vm, OTHER_PAGE << 12), starter, UT_BLOB_LEN(starter));
	self->bsp = ut_vcpu_long(self->vm, 0, guest_done);
	self->ap = ut_vcpu_new(self->vm, 1);
}

FIXTURE_TEARDOWN(sipi)
{
	ut_vm_free(self->vm);
}

static u16 starts(struct ut_vm *vm, int page)
{
	return ut_read_once(*(u16 *)ut_hva(vm, COUNTS + 2 * page));
}

static u16 beat(struct ut_vm *vm)
{
	return ut_read_once(*(u16 *)ut_hva(vm, BEAT));
}

static bool beats(struct ut_vm *vm)
{
	u16 before = beat(vm);

	ut_msleep(20);
	return beat(vm) != before;
}

static void guest_send(u64 first, u64 second)
{
	guest_apic_on();
	guest_apic_icr(1, first);
	if (second)
		guest_apic_icr(1, second);
	guest_done();
}

/* The first processor sends these. */
static void send(struct ut_vcpu *bsp, u32 first, u32 second)
{
	ut_restart(bsp, guest_send);
	ut_set_args(bsp, first, second);
	ut_until(bsp, UT_UNTIL_DONE);
}

TEST_F(sipi, first_states)
{
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, ut_mp_state(self->bsp));
	ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, ut_mp_state(self->ap));
}

TEST_F_TIMEOUT(sipi, init_and_sipi, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = ut_runner_start(self->ap);

	ut_msleep(20);
	ASSERT_EQ(0, beat(self->vm));
	send(self->bsp, CMD_INIT, CMD_SIPI | PAGE);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, PAGE));
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, ut_mp_state(self->ap));
}

/* As the manuals say to do it: the second SIPI finds it running and means nothing. */
TEST_F_TIMEOUT(sipi, second_sipi_is_ignored, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = ut_runner_start(self->ap);

	send(self->bsp, CMD_INIT, CMD_SIPI | PAGE);
	ut_wait(beats(self->vm));
	send(self->bsp, CMD_SIPI | OTHER_PAGE, CMD_SIPI | PAGE);
	ASSERT_TRUE(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, PAGE));
	ASSERT_EQ(0, starts(self->vm, OTHER_PAGE));
}

TEST_F_TIMEOUT(sipi, sipi_without_init, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = ut_runner_start(self->ap);

	send(self->bsp, CMD_SIPI | PAGE, CMD_SIPI | PAGE);
	ut_msleep(50);
	EXPECT_EQ(0, beat(self->vm));
	/* And it is not remembered. */
	send(self->bsp, CMD_INIT, 0);
	ut_msleep(50);
	EXPECT_EQ(0, beat(self->vm));
	send(self->bsp, CMD_SIPI | OTHER_PAGE, 0);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(0, starts(self->vm, PAGE));
	ASSERT_EQ(1, starts(self->vm, OTHER_PAGE));
}

/* All of it before the vCPU's thread exists: kept until it runs. */
TEST_F_TIMEOUT(sipi, before_it_runs, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	send(self->bsp, CMD_INIT, CMD_SIPI | PAGE);
	runner = ut_runner_start(self->ap);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, PAGE));
}

/* A running processor is stopped by INIT, and has the state of a reset when it starts again. */
TEST_F_TIMEOUT(sipi, init_of_a_running_one, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = ut_runner_start(self->ap);
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int i;

	for (i = 1; i <= 20; i++) {
		send(self->bsp, CMD_INIT, CMD_SIPI | PAGE);
		ut_wait(starts(self->vm, PAGE) == i);
	}
	ut_wait(beats(self->vm));
	send(self->bsp, CMD_INIT, 0);
	ut_wait(!beats(self->vm));
	ut_runner_stop(runner);
	ASSERT_EQ(KVM_MP_STATE_INIT_RECEIVED, ut_mp_state(self->ap));
	ut_get_regs(self->ap, &regs);
	ut_get_sregs(self->ap, &sregs);
	EXPECT_EQ(0xfff0, regs.rip);
	EXPECT_EQ(2, regs.rflags);
	EXPECT_EQ(0xf000, sregs.cs.selector);
	EXPECT_EQ(0xffff0000, sregs.cs.base);
	EXPECT_EQ(0x10, sregs.cr0 & ~0x60000000ull);
	EXPECT_EQ(0, sregs.cr3);
	EXPECT_EQ(0, sregs.cr4);
	EXPECT_EQ(0, sregs.efer);
	runner = ut_runner_start(self->ap);
	send(self->bsp, CMD_SIPI | OTHER_PAGE, 0);
	ut_wait(starts(self->vm, OTHER_PAGE) == 1);
	ut_runner_stop(runner);
}

/* All but its ID. */
static void guest_own_state(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_LVTERR, UT_LVT_MASKED | 0x44);
	guest_apic_write(UT_APIC_TPR, 0x50);
	guest_sync(1);
	for (;;)
		guest_pause();
}

TEST_F_TIMEOUT(sipi, init_resets_the_apic, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *ap = ut_vcpu_long(self->vm, 2, guest_own_state);
	struct ut_runner *runner;

	ut_until(ap, 1);
	runner = ut_runner_start(ap);
	ut_restart(self->bsp, guest_send);
	ut_set_args(self->bsp, CMD_INIT | UT_ICR_OTHERS, 0);
	ut_until(self->bsp, UT_UNTIL_DONE);
	ut_wait(({
		ut_runner_stop(runner);
		runner = ut_runner_start(ap);
		ut_mp_state(ap) == KVM_MP_STATE_INIT_RECEIVED;
	}));
	ut_runner_stop(runner);
	EXPECT_EQ(0xff, ut_lapic_reg(ap, UT_APIC_SVR));
	EXPECT_EQ(UT_LVT_MASKED, ut_lapic_reg(ap, UT_APIC_LVTERR));
	EXPECT_EQ(0, ut_lapic_reg(ap, UT_APIC_TPR));
	EXPECT_EQ(2u << 24, ut_lapic_reg(ap, UT_APIC_ID));
}

/* INIT with the level taken away only synchronizes the arbitration of old: nothing happens. */
TEST_F_TIMEOUT(sipi, deassert, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner = ut_runner_start(self->ap);

	send(self->bsp, CMD_INIT, CMD_SIPI | PAGE);
	ut_wait(beats(self->vm));
	send(self->bsp, UT_DM_INIT | UT_ICR_LEVEL, 0);
	ut_msleep(20);
	ASSERT_TRUE(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, PAGE));
}

/* Both at once from two processors, again and again: each round starts it at least once. */
static void guest_race(u64 rounds)
{
	u64 i, k;

	guest_apic_on();
	for (i = 0; i < rounds; i++) {
		guest_apic_icr(1, CMD_INIT);
		guest_apic_icr(1, CMD_SIPI | PAGE);
		guest_apic_icr(1, CMD_SIPI | PAGE);
		for (k = 0; k < (i * 37 & 0xff); k++)
			guest_pause();
	}
	guest_done();
}

TEST_F_TIMEOUT(sipi, race_of_two, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *other = ut_vcpu_long(self->vm, 2, guest_race);
	struct ut_runner *runner = ut_runner_start(self->ap), *second;

	ut_restart(self->bsp, guest_race);
	ut_set_args(self->bsp, 200, 0);
	ut_set_args(other, 200, 0);
	second = ut_runner_start(other);
	ut_until(self->bsp, UT_UNTIL_DONE);
	ASSERT_EQ(UT_DONE, ut_runner_join(second));
	ut_wait(beats(self->vm));
	ASSERT_LE(1, starts(self->vm, PAGE));
	/* It still obeys. */
	send(self->bsp, CMD_INIT, CMD_SIPI | OTHER_PAGE);
	ut_wait(starts(self->vm, OTHER_PAGE) == 1);
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

/* ---- KVM_GET/SET_MP_STATE ---- */

static void guest_beat(void)
{
	for (;;)
		__atomic_fetch_add((u16 *)BEAT, 1, __ATOMIC_SEQ_CST);
}

TEST_F_TIMEOUT(sipi, runnable_by_user_space, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *ap = ut_vcpu_long(self->vm, 2, guest_beat);
	struct ut_runner *runner;

	/* ut_vcpu_long() has set it runnable; not so any more. */
	ut_set_mp(ap, KVM_MP_STATE_UNINITIALIZED);
	ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, ut_mp_state(ap));
	runner = ut_runner_start(ap);
	ut_msleep(30);
	ASSERT_EQ(0, beat(self->vm));
	ut_runner_stop(runner);
	ut_set_mp(ap, KVM_MP_STATE_RUNNABLE);
	runner = ut_runner_start(ap);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
}

TEST_F_TIMEOUT(sipi, halted_by_user_space, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *ap = ut_vcpu_long(self->vm, 2, guest_beat);
	struct ut_runner *runner;
	struct kvm_regs regs;

	ut_get_regs(ap, &regs);
	regs.rflags |= UT_RFLAGS_IF;
	ut_set_regs(ap, &regs);
	ut_lapic_set_reg(ap, UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
	ut_set_mp(ap, KVM_MP_STATE_HALTED);
	ASSERT_EQ(KVM_MP_STATE_HALTED, ut_mp_state(ap));
	runner = ut_runner_start(ap);
	ut_msleep(30);
	ASSERT_EQ(0, beat(self->vm));
	ASSERT_EQ(1, ut_msi(self->vm, UT_APIC_GPA | 2 << 12, 0x50));
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, ut_hits(self->vm, 2, 0x50));
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, ut_mp_state(ap));
}

/* Waiting for the SIPI, set by user space, as after a migration. */
TEST_F_TIMEOUT(sipi, init_received_by_user_space, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	ut_set_mp(self->ap, KVM_MP_STATE_INIT_RECEIVED);
	ASSERT_EQ(KVM_MP_STATE_INIT_RECEIVED, ut_mp_state(self->ap));
	runner = ut_runner_start(self->ap);
	send(self->bsp, CMD_SIPI | PAGE, 0);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, PAGE));
}

/* Its SIPI has come, set by user space, which knows the vector. */
TEST_F_TIMEOUT(sipi, sipi_received_by_user_space, UT_IRQ_TIMEOUT)
{
	struct kvm_vcpu_events events;
	struct ut_runner *runner;

	ut_must_ioctl(self->ap->fd, KVM_GET_VCPU_EVENTS, &events);
	EXPECT_EQ(0, events.flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR);
	events.flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	events.sipi_vector = OTHER_PAGE;
	ut_must_ioctl(self->ap->fd, KVM_SET_VCPU_EVENTS, &events);
	/* Without the flag it means nothing. */
	events.flags &= ~KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	events.sipi_vector = PAGE;
	ut_must_ioctl(self->ap->fd, KVM_SET_VCPU_EVENTS, &events);
	ut_set_mp(self->ap, KVM_MP_STATE_SIPI_RECEIVED);
	runner = ut_runner_start(self->ap);
	ut_wait(beats(self->vm));
	ASSERT_EQ(-EINTR, ut_runner_stop(runner));
	ASSERT_EQ(1, starts(self->vm, OTHER_PAGE));
	ASSERT_EQ(0, starts(self->vm, PAGE));
}

/* States of other architectures, and junk. */
TEST_F(sipi, refused_states)
{
	static const u32 none[] = {
		KVM_MP_STATE_STOPPED, KVM_MP_STATE_CHECK_STOP, KVM_MP_STATE_OPERATING,
		KVM_MP_STATE_LOAD, KVM_MP_STATE_SUSPENDED, 0x1234, ~0u,
	};
	struct kvm_mp_state state;
	u32 i;

	if (!ut_on_umbra())
		SKIP(return, "KVM takes them, and runs the vCPU as it likes");
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		state.mp_state = none[i];
		EXPECT_EQ(-EINVAL, ut_ioctl(self->ap->fd, KVM_SET_MP_STATE, &state));
		EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, ut_mp_state(self->ap));
	}
}

TEST_HARNESS_MAIN
