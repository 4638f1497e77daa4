// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 by its ports and by a clock that stands still unless the test moves it: counters
 * in each mode, latches, ticks and those that are made up for, the speaker's port.
 */
#include "irq_lib.h"

#define STEPS		50000
#define FREQUENCY	1193182u
#define CONTROL		0x43
#define SPEAKER		0x61
#define VECTOR		0x30
#define MIN_PERIOD	200000
#define LATCH(c)	((c) << 6)
#define MODE(c, m)	((c) << 6 | 3 << 4 | (m) << 1)
#define READ_BACK(c)	(0xc0 | 2 << (c))
#define NO_COUNT	0x20
#define NO_STATUS	0x10

static void program(u32 counter, u32 mode, u32 count)
{
	unit_out(CONTROL, MODE(counter, mode));
	unit_out(0x40 + counter, count);
	unit_out(0x40 + counter, count >> 8);
}

static u32 count(u32 counter)
{
	u32 low = unit_in(0x40 + counter);

	return low | unit_in(0x40 + counter) << 8;
}

static long call(unsigned int cmd, void *arg)
{
	return umbra_irq_vm_ioctl(&unit.vm, cmd, (unsigned long)arg);
}

/* The time after which @n cycles have passed. */
static u64 ns(u64 n)
{
	return DIV_ROUND_UP(n * NSEC_PER_SEC, FREQUENCY);
}

static int setup(void **state)
{
	const struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int r = unit_setup(UMBRA_IRQCHIP_KERNEL, 2);

	srandom(1);
	if (r)
		return r;
	/* Pin 0 of the I/O APIC; the 8259A keeps out of it. */
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVT0, APIC_LVT_MASKED);
	unit_out(0x21, 0xff);
	umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfec00000, 4, &(u32) { 0x10 });
	umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfec00010, 4, &(u32) { VECTOR });
	return umbra_pit_create(&unit.vm, &config);
}

static bool ticked(void)
{
	return unit_serve(0) == VECTOR;
}

static void creation(void **state)
{
	struct kvm_pit_config config = { .flags = 2 };

	assert_int_equal(umbra_pit_create(&unit.vm, &config), -EINVAL);
	config.flags = 0;
	assert_int_equal(umbra_pit_create(&unit.vm, &config), -EEXIST);
	unit_teardown(NULL);
	unit_setup(UMBRA_IRQCHIP_SPLIT, 1);
	assert_int_equal(umbra_pit_create(&unit.vm, &config), -ENOENT);
	unit_teardown(NULL);
	unit_setup(UMBRA_IRQCHIP_KERNEL, 1);
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_PIO, 0x40, 1));
	unit.fail_alloc = 0;
	assert_int_equal(umbra_pit_create(&unit.vm, &config), -ENOMEM);
	assert_int_equal(umbra_pit_create(&unit.vm, &config), 0);
	assert_true(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_PIO, 0x40, 4));
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_PIO, 0x40, 8));
	assert_false(umbra_irq_io_listens(&unit.vcpu[0], UMBRA_BUS_PIO, SPEAKER, 1));
	unit_pass(NSEC_PER_SEC);
	assert_int_equal(unit_timers(), 0);
}

/* What the counter shows and puts out after @cycles. */
static void expect(u32 counter, u64 cycles, u32 shown, bool output)
{
	unit_out(CONTROL, READ_BACK(counter));
	assert_int_equal(unit_in(0x40 + counter) >> 7, output);
	assert_int_equal(count(counter), shown);
}

static void modes(void **state)
{
	/* Mode, load, cycles, what is shown and put out then. */
	static const struct {
		u32 mode, load;
		u64 cycles;
		u32 shown;
		bool output;
	} cases[] = {
		{ 0, 1000, 0, 1000, false }, { 0, 1000, 999, 1, false },
		{ 0, 1000, 1000, 0, true }, { 0, 1000, 1001, 0xffff, true },
		{ 0, 0, 65535, 1, false }, { 0, 0, 65536, 0, true },
		{ 2, 1000, 0, 1000, true }, { 2, 1000, 999, 1, false },
		{ 2, 1000, 1000, 1000, true },
		{ 2, 1000, 5999, 1, false }, { 2, 0, 65536 * 7 + 5, 65531, true },
		{ 3, 1000, 0, 1000, true }, { 3, 1000, 499, 2, true },
		{ 3, 1000, 500, 1000, false },
		{ 3, 1000, 999, 2, false }, { 3, 1000, 1000, 1000, true }, { 3, 7, 3, 1, true },
		{ 3, 7, 4, 7, false }, { 4, 1000, 999, 1, true }, { 4, 1000, 1000, 0, false },
		{ 4, 1000, 1001, 0xffff, true },
		/* The upper mode bit means nothing in these. */
		{ 6, 1000, 999, 1, false }, { 7, 1000, 500, 1000, false },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		program(1, cases[i].mode, cases[i].load);
		unit_pass(ns(cases[i].cycles));
		expect(1, cases[i].cycles, cases[i].shown, cases[i].output);
	}
}

static void latches(void **state)
{
	program(1, 2, 0x4321);
	unit_out(CONTROL, LATCH(1));
	unit_pass(ns(0x100));
	/* The first latch stays until it is read. */
	unit_out(CONTROL, LATCH(1));
	assert_int_equal(count(1), 0x4321);
	assert_int_equal(count(1), 0x4221);
	/* Both at once, of several: status first. */
	program(2, 0, 0x1234);
	unit_out(CONTROL, READ_BACK(1) | READ_BACK(2));
	unit_pass(ns(1));
	assert_int_equal(unit_in(0x41), 0x80 | 3 << 4 | 2 << 1);
	assert_int_equal(unit_in(0x42), 3 << 4);
	assert_int_equal(count(1), 0x4221);
	assert_int_equal(count(2), 0x1234);
	unit_out(CONTROL, READ_BACK(1) | NO_COUNT);
	assert_int_equal(unit_in(0x41), 0x80 | 3 << 4 | 2 << 1);
	assert_int_equal(count(1), 0x4220);
	unit_out(CONTROL, READ_BACK(1) | NO_STATUS);
	assert_int_equal(count(1), 0x4220);
	/* One byte only. */
	unit_out(CONTROL, 1 << 6 | 1 << 4 | 2 << 1);
	unit_out(0x41, 0x55);
	assert_int_equal(unit_in(0x41), 0x55);
	assert_int_equal(unit_in(0x41), 0x55);
	unit_out(CONTROL, 1 << 6 | 2 << 4 | 2 << 1);
	unit_out(0x41, 0x55);
	assert_int_equal(unit_in(0x41), 0x55);
	unit_out(CONTROL, LATCH(1));
	assert_int_equal(unit_in(0x41), 0x55);
	/* A control word forgets what was latched. */
	unit_out(CONTROL, LATCH(1));
	program(1, 2, 0x8765);
	assert_int_equal(count(1), 0x8765);
}

static void once(void **state)
{
	u64 n = (u64)1000 * NSEC_PER_SEC / FREQUENCY;

	program(0, 0, 1000);
	unit_pass(n - 1);
	assert_false(ticked());
	unit_pass(1);
	assert_true(ticked());
	unit_pass(NSEC_PER_SEC);
	assert_false(ticked());
	assert_int_equal(unit_timers(), 0);
	/* Nothing starts these: the gate is wired up. */
	program(0, 1, 1000);
	program(0, 5, 1000);
	assert_int_equal(unit_timers(), 0);
	/* Loaded again before it ran out, and stopped by a control word. */
	program(0, 4, 1000);
	unit_pass(n - 1);
	program(0, 4, 1000);
	unit_pass(n - 1);
	assert_false(ticked());
	unit_pass(1);
	assert_true(ticked());
	program(0, 0, 1000);
	unit_out(CONTROL, MODE(0, 0));
	unit_pass(NSEC_PER_SEC);
	assert_false(ticked());
}

static u32 ticks_in(u64 time, u64 step)
{
	u32 n = 0;
	u64 t;

	for (t = 0; t < time; t += step) {
		unit_pass(step);
		n += ticked();
	}
	return n;
}

static void periodic(void **state)
{
	program(0, 2, 11932);
	assert_in_range(ticks_in(10 * NSEC_PER_SEC, NSEC_PER_MSEC), 999, 1000);
	program(0, 3, 0);
	assert_in_range(ticks_in(60 * NSEC_PER_SEC, NSEC_PER_MSEC), 1091, 1093);
	/* No guest keeps the host busy for ever. */
	program(0, 2, 1);
	assert_in_range(ticks_in(NSEC_PER_SEC, 10000), 4999, 5000);
}

/* A guest that did not look for a while gets all its ticks, and then no more of them. */
static void made_up_for(void **state)
{
	struct kvm_reinject_control control = { .pit_reinject = 0 };
	u32 n;

	program(0, 2, 11932);
	unit_pass(NSEC_PER_SEC);
	n = ticks_in(NSEC_PER_SEC, 100000);
	assert_in_range(n, 197, 201);
	n = ticks_in(NSEC_PER_SEC, 100000);
	assert_in_range(n, 99, 101);
	/* Late timers are caught up with as well. */
	unit.now += NSEC_PER_SEC;
	n = ticks_in(2 * NSEC_PER_SEC, 100000);
	assert_in_range(n, 297, 301);
	assert_int_equal(call(KVM_REINJECT_CONTROL, &control), 0);
	unit_pass(NSEC_PER_SEC);
	n = ticks_in(NSEC_PER_SEC, 100000);
	assert_in_range(n, 99, 102);
}

/* What is masked is not waited for, so nothing is made up for. */
static void masked(void **state)
{
	program(0, 2, 11932);
	umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfec00010, 4, &(u32) { 0x10000 });
	unit_pass(NSEC_PER_SEC);
	umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_MMIO, 0xfec00010, 4, &(u32) { VECTOR });
	assert_in_range(ticks_in(NSEC_PER_SEC, 100000), 99, 101);
}

static void nmi_watchdog(void **state)
{
	unit_set_reg(1, APIC_SPIV, 0x1ff);
	unit_set_reg(1, APIC_LVT0, 4 << 8);
	program(0, 2, 11932);
	unit_pass(NSEC_PER_SEC);
	assert_in_range(unit.told[1].nmis, 99, 200);
	assert_int_equal(unit.told[0].nmis, 0);
}

/* Where NMIs take longer to send than a period lasts, the host gets on with other things, too. */
static void slow_delivery(void **state)
{
	unit_set_reg(1, APIC_SPIV, 0x1ff);
	unit_set_reg(1, APIC_LVT0, 4 << 8);
	unit.nmi_time = 3 * MIN_PERIOD / 2;
	program(0, 2, 1);
	unit_pass(NSEC_PER_SEC);
	assert_in_range(unit.told[1].nmis * unit.nmi_time, NSEC_PER_SEC / 5,
			NSEC_PER_SEC / 4 + unit.nmi_time);
	/* None is lost: they are made up for as soon as that is possible. */
	unit.nmi_time = 0;
	while (unit_serve(0) >= 0)
		;
	assert_in_range(ticks_in(NSEC_PER_SEC, 10000), 8000, 10000);
}

static void speaker(void **state)
{
	u8 refresh;

	program(2, 0, 1000);
	/* The gate is down at first: it does not count. */
	unit_pass(NSEC_PER_SEC);
	assert_int_equal(unit_in(SPEAKER) & 0x2f, 0);
	assert_int_equal(count(2), 1000);
	unit_out(SPEAKER, 1);
	unit_pass(ns(400));
	assert_int_equal(count(2), 600);
	unit_out(SPEAKER, 2);
	unit_pass(ns(2000));
	assert_int_equal(count(2), 600);
	assert_int_equal(unit_in(SPEAKER) & 0x2f, 2);
	unit_out(SPEAKER, 3);
	unit_pass(ns(599));
	assert_int_equal(unit_in(SPEAKER) & 0x2f, 3);
	unit_pass(ns(2));
	assert_int_equal(unit_in(SPEAKER) & 0x2f, 0x23);
	/* Others start again when it rises. */
	program(2, 2, 1000);
	unit_pass(ns(300));
	unit_out(SPEAKER, 0);
	unit_out(SPEAKER, 1);
	assert_int_equal(count(2), 1000);
	refresh = unit_in(SPEAKER) & 0x10;
	unit_pass(1 << 14);
	assert_int_not_equal(unit_in(SPEAKER) & 0x10, refresh);
}

static void save_and_restore(void **state)
{
	struct kvm_pit_state2 s, again;

	assert_int_equal(call(KVM_GET_PIT2, &s), 0);
	assert_int_equal(s.channels[0].mode, 0xff);
	assert_int_equal(s.channels[2].gate, 0);
	program(0, 2, 11932);
	program(1, 2, 0x4321);
	unit_in(0x41);
	unit_out(SPEAKER, 2);
	assert_int_equal(call(KVM_GET_PIT2, &s), 0);
	assert_int_equal(s.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	assert_int_equal(s.channels[0].count, 11932);
	assert_int_equal(s.channels[1].read_state, 4);
	unit_out(CONTROL, MODE(0, 0));
	unit_out(SPEAKER, 0);
	assert_int_equal(call(KVM_SET_PIT2, &s), 0);
	assert_int_equal(call(KVM_GET_PIT2, &again), 0);
	s.channels[2].count_load_time = again.channels[2].count_load_time;
	s.channels[1].count_load_time = again.channels[1].count_load_time;
	s.channels[0].count_load_time = again.channels[0].count_load_time;
	assert_memory_equal(&s, &again, sizeof(s));
	assert_in_range(ticks_in(NSEC_PER_SEC, 100000), 99, 101);
	/* The older structure knows no flags: they stay. */
	assert_int_equal(call(KVM_SET_PIT, &s), 0);
	assert_int_equal(unit_in(SPEAKER) & 2, 2);
	/* A HPET has taken the place of the first counter. */
	s.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	assert_int_equal(call(KVM_SET_PIT2, &s), 0);
	assert_int_equal(unit_timers(), 0);
	s.flags = 4;
	assert_int_equal(call(KVM_SET_PIT2, &s), -EINVAL);
	s.flags = 0;
	s.channels[1].count = 0x10001;
	assert_int_equal(call(KVM_SET_PIT2, &s), -EINVAL);
	assert_int_equal(call(KVM_SET_PIT2, NULL), -EFAULT);
	assert_int_equal(unit_timers(), 0);
}

/* Another processor programs it while the timer's callback runs. */
static void stop_it(void)
{
	struct kvm_pit_state2 s = {};

	assert_int_equal(call(KVM_SET_PIT2, &s), 0);
	unit_out(CONTROL, MODE(0, 2));
}

static void chaos(void **state)
{
	struct kvm_pit_state2 s;
	u32 i, j;
	int r;

	for (i = 0; i < STEPS; i++) {
		switch (random() % 8) {
		case 0:
			memset(&s, 0, sizeof(s));
			for (j = 0; j < sizeof(s.channels); j++)
				((u8 *)&s.channels)[j] = random();
			for (j = 0; j < 3; j++) {
				s.channels[j].count = random() % 0x10003;
				s.channels[j].rw_mode = random() % 5;
				s.channels[j].read_state = random() % 6;
				s.channels[j].write_state = random() % 5;
				s.channels[j].count_latched = random() % 5;
				s.channels[j].status_latched = random() % 2;
				s.channels[j].bcd = random() % 2;
				s.channels[j].gate = random() % 2;
			}
			s.flags = random() % 4;
			r = call(KVM_SET_PIT2, &s);
			assert_true(!r || r == -EINVAL);
			break;
		case 1:
			unit_pass(random() % 10000000);
			break;
		case 2:
		case 3:
			unit_in(random() % 5 ? 0x40 + random() % 4 : SPEAKER);
			break;
		case 4:
			unit_serve(0);
			break;
		default:
			unit_out(random() % 5 ? 0x40 + random() % 4 : SPEAKER, random());
		}
	}
	stop_it();
	assert_int_equal(unit_timers(), 0);
	while (unit_serve(0) >= 0)
		;
	periodic(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(creation, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(modes, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(latches, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(once, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(periodic, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(made_up_for, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(masked, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(nmi_watchdog, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(slow_delivery, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(speaker, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(save_and_restore, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(chaos, setup, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
