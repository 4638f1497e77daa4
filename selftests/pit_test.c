// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 interval timer and port 0x61: programming, latches, read back, the modes that PC
 * software uses, the rate of its interrupts, and its state for user space.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define PIT(channel)	(0x40 + (channel))
#define PIT_COMMAND	0x43
#define SPEAKER		0x61
#define PIT_HZ		1193182ull
#define VECTOR		0x40

#define CHANNEL(n)	((n) << 6)
#define LATCH		(0 << 4)
#define LOW_BYTE	(1 << 4)
#define HIGH_BYTE	(2 << 4)
#define WORD		(3 << 4)
#define MODE(n)		((n) << 1)
#define READ_BACK	0xc0
#define NO_COUNT	0x20
#define NO_STATUS	0x10
#define STATUS_OUT	0x80
#define STATUS_NULL	0x40

/* Port 0x61 */
#define GATE2		1
#define SPEAKER_ON	2
#define OUT2		0x20

static u64 tsc_khz;

FIXTURE(pit) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(pit)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	self->vm = ut_irq_vm();
	ut_must_ioctl(self->vm->fd, KVM_CREATE_PIT2, &config);
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	tsc_khz = ut_must_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);
	ut_push_var(self->vm, tsc_khz);
	ut_set_handler(self->vm, VECTOR, guest_irq_count);
}

FIXTURE_TEARDOWN(pit)
{
	ut_vm_free(self->vm);
}

/* Ticks of the PIT in cycles; one part in 256 less, as clocks of emulated hosts drift. */
static u64 cycles(u64 ticks)
{
	u64 all = ticks * ut_read_once(tsc_khz) * 1000 / PIT_HZ;

	return all - all / 256;
}

static void wait_ticks(u64 ticks)
{
	u64 end = guest_rdtsc() + cycles(ticks);

	while (guest_rdtsc() < end)
		guest_pause();
}

static void program(int channel, u8 command, u16 count)
{
	guest_outb(PIT_COMMAND, CHANNEL(channel) | WORD | command);
	guest_outb(PIT(channel), count);
	guest_outb(PIT(channel), count >> 8);
}

static u16 read_word(int channel)
{
	u8 low = guest_inb(PIT(channel));

	return low | guest_inb(PIT(channel)) << 8;
}

static u16 latched(int channel)
{
	guest_outb(PIT_COMMAND, CHANNEL(channel) | LATCH);
	return read_word(channel);
}

static u8 status(int channel)
{
	guest_outb(PIT_COMMAND, READ_BACK | NO_COUNT | 2 << channel);
	return guest_inb(PIT(channel));
}

/* A latch holds, the counter goes on. */
static void guest_latch(void)
{
	u16 first, second;

	program(0, MODE(2), 0xffff);
	first = latched(0);
	GUEST_ASSERT(first <= 0xffff);
	guest_outb(PIT_COMMAND, CHANNEL(0) | LATCH);
	wait_ticks(2000);
	/* The second latch command is ignored while the first is unread. */
	guest_outb(PIT_COMMAND, CHANNEL(0) | LATCH);
	second = read_word(0);
	GUEST_ASSERT(second <= first);
	GUEST_ASSERT((u16)(first - second) < 60000);
	/* Unlatched, after a rest. */
	wait_ticks(2000);
	GUEST_ASSERT(latched(0) != second);
	guest_done();
}

TEST_F(pit, latch)
{
	ut_run_through(self->vcpu, guest_latch);
}

/* The rate of the counter against the processor's clock: not faster. */
static void guest_rate(void)
{
	u64 start, end, begin;
	u16 first, last;

	program(0, MODE(2), 0);
	begin = guest_rdtsc();
	first = latched(0);
	start = guest_rdtsc();
	wait_ticks(20000);
	end = guest_rdtsc();
	last = latched(0);
	/* Between the two the counter has run at least from start to end, if it has not wrapped. */
	if (guest_rdtsc() - begin < cycles(60000)) {
		GUEST_ASSERT((u16)(first - last) >= 20000 - 20000 / 50);
		GUEST_ASSERT(cycles((u16)(first - last)) <= guest_rdtsc() - begin);
	}
	GUEST_ASSERT(end > start);
	guest_done();
}

TEST_F(pit, rate)
{
	ut_run_through(self->vcpu, guest_rate);
}

/* One byte only, either of them; and both halves in turn. */
static void guest_bytes(void)
{
	u8 low, high;

	/* Gate of channel 2 is off: its counter stands still. */
	guest_outb(SPEAKER, 0);
	program(2, MODE(2), 0x1234);
	GUEST_ASSERT_EQ(status(2) & 0x3f, WORD | MODE(2));
	guest_outb(PIT_COMMAND, CHANNEL(2) | LOW_BYTE | MODE(2));
	guest_outb(PIT(2), 0x56);
	GUEST_ASSERT_EQ(status(2) & 0x3f, LOW_BYTE | MODE(2));
	low = guest_inb(PIT(2));
	GUEST_ASSERT(low <= 0x56);
	guest_outb(PIT_COMMAND, CHANNEL(2) | HIGH_BYTE | MODE(2));
	guest_outb(PIT(2), 0x78);
	GUEST_ASSERT_EQ(status(2) & 0x3f, HIGH_BYTE | MODE(2));
	high = guest_inb(PIT(2));
	GUEST_ASSERT(high <= 0x78);
	guest_done();
}

TEST_F(pit, bytes)
{
	ut_run_through(self->vcpu, guest_bytes);
}

static void guest_read_back(void)
{
	u8 st;

	program(0, MODE(2), 0x8000);
	program(2, MODE(0), 0x4000);
	/* Status and count of both: the status comes first. */
	guest_outb(PIT_COMMAND, READ_BACK | 2 | 8);
	st = guest_inb(PIT(0));
	GUEST_ASSERT_EQ(st & 0x3f, WORD | MODE(2));
	GUEST_ASSERT(read_word(0) <= 0x8000);
	st = guest_inb(PIT(2));
	GUEST_ASSERT_EQ(st & 0x3f, WORD | MODE(0));
	GUEST_ASSERT(read_word(2) <= 0x4000);
	/* Count only. */
	guest_outb(PIT_COMMAND, READ_BACK | NO_STATUS | 2);
	GUEST_ASSERT(read_word(0) <= 0x8000);
	/* Mode 6 and 7 are 2 and 3. */
	program(0, MODE(7), 0x8000);
	GUEST_ASSERT_EQ(status(0) & MODE(3), MODE(3));
	guest_done();
}

TEST_F(pit, read_back)
{
	ut_run_through(self->vcpu, guest_read_back);
}

/* Mode 0: low until the count is through, high from then on. Channel 2 shows it. */
static void guest_mode_0(void)
{
	u64 start;

	guest_outb(SPEAKER, GATE2);
	start = guest_rdtsc();
	program(2, MODE(0), 20000);
	GUEST_ASSERT(!(guest_inb(SPEAKER) & OUT2) || guest_rdtsc() - start >= cycles(20000));
	GUEST_ASSERT(!(status(2) & STATUS_OUT) || guest_rdtsc() - start >= cycles(20000));
	while (!(guest_inb(SPEAKER) & OUT2))
		guest_pause();
	GUEST_ASSERT(guest_rdtsc() - start >= cycles(20000));
	GUEST_ASSERT(status(2) & STATUS_OUT);
	wait_ticks(3000);
	GUEST_ASSERT(guest_inb(SPEAKER) & OUT2);
	guest_done();
}

TEST_F_TIMEOUT(pit, mode_0, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_mode_0);
}

/* Mode 3: a square wave, whose halves have the same length. */
static void guest_mode_3(void)
{
	u64 start, i;
	u8 out;

	guest_outb(SPEAKER, GATE2);
	program(2, MODE(3), 20000);
	start = guest_rdtsc();
	for (i = 0; i < 6; i++) {
		out = guest_inb(SPEAKER) & OUT2;
		while ((guest_inb(SPEAKER) & OUT2) == out)
			guest_pause();
	}
	/* The first half may have begun before. */
	GUEST_ASSERT(guest_rdtsc() - start >= cycles(5 * 10000));
	/* Two bits keep what is written. */
	guest_outb(SPEAKER, GATE2 | SPEAKER_ON);
	GUEST_ASSERT_EQ(guest_inb(SPEAKER) & 3, GATE2 | SPEAKER_ON);
	guest_outb(SPEAKER, 0);
	GUEST_ASSERT_EQ(guest_inb(SPEAKER) & 3, 0);
	guest_done();
}

TEST_F_TIMEOUT(pit, mode_3, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_mode_3);
}

/* Bit 4 of port 0x61 toggles with the refresh of old. */
static void guest_refresh(void)
{
	u64 seen = 0;

	while (seen != 3)
		seen |= guest_inb(SPEAKER) & 0x10 ? 1 : 2;
	guest_done();
}

TEST_F_TIMEOUT(pit, refresh_bit, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_refresh);
}

static void open_irq0(void)
{
	guest_pic_init(UT_PIC1, VECTOR, 4, 3);
	guest_outb(UT_PIC1 + 1, 0xfe);
}

/* Interrupts: never more of them than time has passed for. */
static void guest_interrupts(u64 mode)
{
	u64 start;

	open_irq0();
	start = guest_rdtsc();
	program(0, mode, 2386);		/* 2 ms */
	guest_wait_hits(VECTOR, 20);
	GUEST_ASSERT(guest_rdtsc() - start >= cycles(19 * 2386));
	/* Mode 0 has one, and the end of the others. */
	program(0, MODE(0), 2386);
	guest_take_all();
	start = guest_hits(VECTOR);
	guest_wait_hits(VECTOR, start + 1);
	start = guest_hits(VECTOR);
	guest_sti();
	wait_ticks(12000);
	guest_cli();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), start);
	guest_done();
}

TEST_F_TIMEOUT(pit, interrupts_mode_2, UT_IRQ_TIMEOUT)
{
	ut_restart(self->vcpu, guest_interrupts);
	ut_set_args(self->vcpu, MODE(2), 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F_TIMEOUT(pit, interrupts_mode_3, UT_IRQ_TIMEOUT)
{
	ut_restart(self->vcpu, guest_interrupts);
	ut_set_args(self->vcpu, MODE(3), 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* It wakes from HLT. */
static void guest_asleep(void)
{
	u64 i;

	open_irq0();
	program(0, MODE(2), 6000);
	for (i = 0; i < 20; i++) {
		guest_sti_hlt();
		guest_cli();
		GUEST_ASSERT(guest_hits(VECTOR) > i);
	}
	guest_done();
}

TEST_F_TIMEOUT(pit, wakes_from_hlt, UT_IRQ_TIMEOUT)
{
	ut_run_through(self->vcpu, guest_asleep);
}

/* ---- user space ---- */

static void guest_programs(void)
{
	guest_outb(SPEAKER, GATE2 | SPEAKER_ON);
	program(0, MODE(2), 0x4321);
	guest_outb(PIT_COMMAND, CHANNEL(1) | LOW_BYTE | MODE(2));
	guest_outb(PIT(1), 18);
	program(2, MODE(3), 0x1000);
	guest_outb(PIT_COMMAND, CHANNEL(0) | LATCH);
	guest_inb(PIT(0));
	guest_done();
}

TEST_F(pit, state)
{
	struct kvm_pit_config config = { 0 };
	struct kvm_pit_state2 state, again;
	struct ut_vm *vm;
	int i;

	ut_run_through(self->vcpu, guest_programs);
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_GET_PIT2, &state));
	EXPECT_EQ(0x4321, state.channels[0].count);
	EXPECT_EQ(2, state.channels[0].mode);
	EXPECT_EQ(3, state.channels[0].rw_mode);
	EXPECT_EQ(18, state.channels[1].count);
	EXPECT_EQ(1, state.channels[1].rw_mode);
	EXPECT_EQ(0x1000, state.channels[2].count);
	EXPECT_EQ(3, state.channels[2].mode);
	EXPECT_EQ(1, state.channels[2].gate);
	EXPECT_EQ(0, state.flags & KVM_PIT_FLAGS_HPET_LEGACY);
	EXPECT_EQ(KVM_PIT_FLAGS_SPEAKER_DATA_ON, state.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	vm = ut_irq_vm();
	ut_must_ioctl(vm->fd, KVM_CREATE_PIT2, &config);
	ut_vcpu_long(vm, 0, guest_done);
	ASSERT_EQ(0, ut_ioctl(vm->fd, KVM_SET_PIT2, &state));
	ASSERT_EQ(0, ut_ioctl(vm->fd, KVM_GET_PIT2, &again));
	for (i = 0; i < 3; i++) {
		/* When it was loaded is another time now. */
		state.channels[i].count_load_time = 0;
		again.channels[i].count_load_time = 0;
		EXPECT_EQ(0, memcmp(&state.channels[i], &again.channels[i],
				    sizeof(state.channels[i])));
	}
	ut_vm_free(vm);
}

TEST_F(pit, without_speaker)
{
	struct kvm_pit_config config = { 0 };
	struct ut_vm *vm = ut_irq_vm();
	struct ut_vcpu *vcpu;

	ut_must_ioctl(vm->fd, KVM_CREATE_PIT2, &config);
	vcpu = ut_vcpu_long(vm, 0, guest_refresh);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	ASSERT_EQ(SPEAKER, vcpu->run->io.port);
	ut_vm_free(vm);
}

TEST_F(pit, refused)
{
	struct kvm_pit_config config = { 0 };
	struct kvm_pit_state2 state;
	struct ut_vm *vm = ut_irq_vm_bare();

	/* There is one already. */
	EXPECT_EQ(-EEXIST, ut_ioctl(self->vm->fd, KVM_CREATE_PIT2, &config));
	/* Here is none. */
	EXPECT_EQ(-ENXIO, ut_ioctl(vm->fd, KVM_GET_PIT2, &state));
	memset(&state, 0, sizeof(state));
	EXPECT_EQ(-ENXIO, ut_ioctl(vm->fd, KVM_SET_PIT2, &state));
	ut_vm_free(vm);
}

TEST_HARNESS_MAIN
