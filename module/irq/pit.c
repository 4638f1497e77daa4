// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254: three counters of 1193182 Hz. The first raises GSI 0, the third is the speaker's,
 * with a gate and an output at port 0x61.
 *
 * Counters are computed from the time they were loaded at, when somebody asks. Only the first
 * has a timer, for its rising edges. Binary counting only: nobody counts in BCD.
 *
 * All is under pit->lock, also arming and disarming the timer; ticks are delivered after it
 * is dropped.
 */
#include "irq_env.h"
#include "pit.h"

#define COUNTERS		3
#define SPEAKER			2	/* the counter with a gate */
#define FREQUENCY		1193182u
#define GSI			0

#define PORT_FIRST		0x40
#define PORT_CONTROL		0x43
#define PORT_SPEAKER		0x61

/* Control word. */
#define CONTROL_COUNTER_SHIFT	6
#define CONTROL_READ_BACK	3
#define CONTROL_ACCESS_SHIFT	4
#define CONTROL_MODE_SHIFT	1
#define CONTROL_BCD		BIT(0)
#define READ_BACK_NO_COUNT	BIT(5)
#define READ_BACK_NO_STATUS	BIT(4)
#define STATUS_OUT		BIT(7)

/* Port 0x61. */
#define SPEAKER_GATE		BIT(0)
#define SPEAKER_DATA		BIT(1)
#define SPEAKER_REFRESH		BIT(4)
#define SPEAKER_OUT		BIT(5)
#define REFRESH_SHIFT		14	/* it toggles each 15 us or so */

/* Bytes of a counter; kvm_pit_channel_state's rw_mode, read_state and write_state. */
enum {
	ACCESS_LATCH,
	ACCESS_LOW,
	ACCESS_HIGH,
	ACCESS_BOTH,
	ACCESS_BOTH_SECOND,
};

/* Modes. What is above was never programmed, and does nothing. */
enum {
	TERMINAL_COUNT,		/* out rises once, when the count has run out */
	ONE_SHOT,		/* likewise, counting from the gate's rise */
	RATE,			/* out falls for one cycle in each period */
	SQUARE,			/* out is high in the first half of each period */
	STROBE,			/* out falls for one cycle, once */
	HARDWARE_STROBE,	/* likewise, counting from the gate's rise */
	UNPROGRAMMED = 0xff,
};

/* A guest may not keep the host busy with more ticks than this allows. */
#define MIN_PERIOD		(200 * NSEC_PER_USEC)
/* Times as long as a tick's delivery took there is none. */
#define PAUSE			3
/* Ticks to make up for, at most: what is more is a guest that was stopped, not a slow one. */
#define MAX_MISSED		65536

/**
 * struct umbra_pit - the chip
 * @lock: raw, irq-safe, nothing below but the timer's own
 * @counter: as the client sees them; count_load_time in ns of the monotonic clock
 * @stopped: ns that the speaker's counter had run for when its gate went low
 * @flags: KVM_PIT_FLAGS_*
 * @speaker: port 0x61 is here (constant)
 * @reinject: ticks that found the last one still waiting are made up for
 * @armed: @timer means something
 * @next: next rising edge of the first counter, without those to be made up for
 * @period: of it; 0: once
 * @missed: ticks to make up for
 * @timer: expires at @next or before
 * @vm: for @timer
 */
struct umbra_pit {
	raw_spinlock_t lock;
	struct kvm_pit_channel_state counter[COUNTERS];
	s64 stopped;
	u32 flags;
	bool speaker;
	bool reinject;
	bool armed;
	s64 next;
	s64 period;
	u32 missed;
	struct hrtimer timer;
	struct umbra_vm *vm;
};

static s64 now(void)
{
	return ktime_to_ns(ktime_get());
}

static s64 cycles_to_ns(u64 cycles)
{
	return mul_u64_u32_div(cycles, NSEC_PER_SEC, FREQUENCY);
}

/* Input cycles since @s was loaded, or its gate went up. */
static u64 cycles(const struct umbra_pit *pit, const struct kvm_pit_channel_state *s)
{
	s64 ns = now() - s->count_load_time;

	if (!s->gate && (s->mode == TERMINAL_COUNT || s->mode == STROBE))
		ns = pit->stopped;
	return mul_u64_u32_div(max_t(s64, ns, 0), FREQUENCY, NSEC_PER_SEC);
}

/* What the counter shows. */
static u16 count_of(const struct umbra_pit *pit, const struct kvm_pit_channel_state *s)
{
	u64 c = cycles(pit, s);
	u32 rest;

	div_u64_rem(c, s->count, &rest);
	switch (s->mode) {
	case RATE:
		return s->count - rest;
	case SQUARE:
		/* It counts by two, twice in each period. */
		div_u64_rem(2 * c, s->count, &rest);
		return s->count - (rest & ~1u);
	default:
		return s->count - c;
	}
}

static bool output_of(const struct umbra_pit *pit, const struct kvm_pit_channel_state *s)
{
	u64 c = cycles(pit, s);
	u32 rest;

	div_u64_rem(c, s->count, &rest);
	switch (s->mode) {
	case TERMINAL_COUNT:
	case ONE_SHOT:
		return c >= s->count;
	case RATE:
		return rest != s->count - 1;
	case SQUARE:
		return rest < (s->count + 1) / 2;
	case STROBE:
	case HARDWARE_STROBE:
		return c != s->count;
	default:
		return true;
	}
}

/* Lock held. Whoever runs as the timer's callback now finds that it is not armed. */
static void disarm(struct umbra_pit *pit)
{
	pit->armed = false;
	pit->missed = 0;
	hrtimer_try_to_cancel(&pit->timer);
}

/* The first counter was loaded. Its gate is always up, so nothing starts modes 1 and 5. */
static void arm(struct umbra_pit *pit)
{
	const struct kvm_pit_channel_state *s = &pit->counter[0];
	s64 ns = cycles_to_ns(s->count);

	disarm(pit);
	if (pit->flags & KVM_PIT_FLAGS_HPET_LEGACY)
		return;
	switch (s->mode) {
	case TERMINAL_COUNT:
	case STROBE:
		pit->period = 0;
		break;
	case RATE:
	case SQUARE:
		ns = max_t(s64, ns, MIN_PERIOD);
		pit->period = ns;
		break;
	default:
		return;
	}
	pit->armed = true;
	pit->next = s->count_load_time + ns;
	hrtimer_start(&pit->timer, ns_to_ktime(pit->next), HRTIMER_MODE_ABS_HARD);
}

/* @count: 0 means 65536 */
static void load(struct umbra_pit *pit, unsigned int counter, u32 count)
{
	struct kvm_pit_channel_state *s = &pit->counter[counter];

	s->count = count ? count : 0x10000;
	s->count_load_time = now();
	if (counter == SPEAKER)
		pit->stopped = 0;
	if (!counter)
		arm(pit);
}

/*
 * The tick that is due now, and when the next one is: at the next edge, or, while there are
 * some to make up for, half a period after this one. True if the first counter ticks.
 */
static bool tick(struct umbra_pit *pit)
{
	s64 time = now();
	s64 again;

	/* Loaded or disarmed meanwhile, by somebody who held the lock until now. */
	if (!pit->armed || hrtimer_is_queued(&pit->timer))
		return false;
	if (!pit->period) {
		pit->armed = false;
		return true;
	}
	if (time < pit->next) {
		/* One that is made up for. */
		pit->missed -= !!pit->missed;
	} else {
		s64 late = div64_s64(time - pit->next, pit->period);

		pit->next += (late + 1) * pit->period;
		if (pit->reinject)
			pit->missed = min_t(s64, pit->missed + late, MAX_MISSED);
	}
	again = pit->next;
	if (pit->missed)
		again = min(again, time + max_t(s64, pit->period / 2, MIN_PERIOD / 2));
	hrtimer_set_expires(&pit->timer, ns_to_ktime(again));
	return true;
}

/*
 * A tick has been delivered, since @begin; @taken: as umbra_irq_set(). If many vCPUs get it as an
 * NMI that takes a while, in interrupt context. Most of the time has to be the host's: the next
 * one comes after a pause, whenever it is due.
 */
static enum hrtimer_restart delivered(struct umbra_pit *pit, s64 begin, int taken)
{
	enum hrtimer_restart r = HRTIMER_NORESTART;
	unsigned long flags;
	s64 end, next;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (pit->armed && !hrtimer_is_queued(&pit->timer)) {
		/* The guest has not taken the last one yet, or not all of them. */
		if (!taken && pit->reinject && pit->missed < MAX_MISSED)
			pit->missed++;
		end = now();
		next = end + max_t(s64, MIN_PERIOD / 2, PAUSE * (end - begin));
		if (ktime_to_ns(hrtimer_get_expires(&pit->timer)) < next)
			hrtimer_set_expires(&pit->timer, ns_to_ktime(next));
		r = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return r;
}

static enum hrtimer_restart fire(struct hrtimer *timer)
{
	struct umbra_pit *pit = container_of(timer, struct umbra_pit, timer);
	struct umbra_vm *vm = pit->vm;
	unsigned long flags;
	s64 begin = now();
	bool ticks;
	int taken;

	raw_spin_lock_irqsave(&pit->lock, flags);
	ticks = tick(pit);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	if (!ticks)
		return HRTIMER_NORESTART;
	taken = umbra_irq_pulse(vm, UMBRA_IRQ_SOURCE_PIT, GSI);
	umbra_apic_pit_nmi(vm);
	return delivered(pit, begin, taken);
}

static void latch_count(const struct umbra_pit *pit, struct kvm_pit_channel_state *s)
{
	if (s->count_latched)
		return;
	s->latched_count = count_of(pit, s);
	s->count_latched = s->rw_mode;
}

static void latch_status(const struct umbra_pit *pit, struct kvm_pit_channel_state *s)
{
	if (s->status_latched)
		return;
	s->status = (output_of(pit, s) ? STATUS_OUT : 0) |
		    s->rw_mode << CONTROL_ACCESS_SHIFT |
		    (s->mode & 7) << CONTROL_MODE_SHIFT | s->bcd;
	s->status_latched = 1;
}

static void write_control(struct umbra_pit *pit, u8 value)
{
	unsigned int counter = value >> CONTROL_COUNTER_SHIFT;
	unsigned int access = value >> CONTROL_ACCESS_SHIFT & 3;
	unsigned int mode = value >> CONTROL_MODE_SHIFT & 7;
	struct kvm_pit_channel_state *s;

	if (counter == CONTROL_READ_BACK) {
		for (counter = 0; counter < COUNTERS; counter++) {
			if (!(value & BIT(counter + 1)))
				continue;
			if (!(value & READ_BACK_NO_COUNT))
				latch_count(pit, &pit->counter[counter]);
			if (!(value & READ_BACK_NO_STATUS))
				latch_status(pit, &pit->counter[counter]);
		}
		return;
	}
	counter = array_index_nospec(counter, COUNTERS);
	s = &pit->counter[counter];
	if (access == ACCESS_LATCH) {
		latch_count(pit, s);
		return;
	}
	s->rw_mode = access;
	s->read_state = access;
	s->write_state = access;
	s->count_latched = 0;
	s->status_latched = 0;
	/* Of the three bits, the upper one says nothing in modes 2 and 3. */
	s->mode = mode > HARDWARE_STROBE ? mode - 4 : mode;
	s->bcd = value & CONTROL_BCD;
	/* It counts again when it is loaded. */
	if (!counter)
		disarm(pit);
}

static void write_counter(struct umbra_pit *pit, unsigned int counter, u8 value)
{
	struct kvm_pit_channel_state *s = &pit->counter[counter];

	switch (s->write_state) {
	case ACCESS_LOW:
		load(pit, counter, value);
		break;
	case ACCESS_HIGH:
		load(pit, counter, value << 8);
		break;
	case ACCESS_BOTH:
		s->write_latch = value;
		s->write_state = ACCESS_BOTH_SECOND;
		break;
	case ACCESS_BOTH_SECOND:
		load(pit, counter, s->write_latch | value << 8);
		s->write_state = ACCESS_BOTH;
		break;
	}
}

/* The byte of @count that is next by *@state, which advances. */
static u8 next_byte(u16 count, u8 *state)
{
	switch (*state) {
	case ACCESS_HIGH:
		return count >> 8;
	case ACCESS_BOTH:
		*state = ACCESS_BOTH_SECOND;
		return count;
	case ACCESS_BOTH_SECOND:
		*state = ACCESS_BOTH;
		return count >> 8;
	default:
		return count;
	}
}

static u8 read_counter(struct umbra_pit *pit, unsigned int counter)
{
	struct kvm_pit_channel_state *s = &pit->counter[counter];
	u8 state, value;

	if (s->status_latched) {
		s->status_latched = 0;
		return s->status;
	}
	if (!s->count_latched)
		return next_byte(count_of(pit, s), &s->read_state);
	state = s->count_latched;
	value = next_byte(s->latched_count, &s->count_latched);
	/* After its last byte the latch is open again. */
	if (state != ACCESS_BOTH)
		s->count_latched = 0;
	return value;
}

static void set_gate(struct umbra_pit *pit, bool gate)
{
	struct kvm_pit_channel_state *s = &pit->counter[SPEAKER];

	if (gate == !!s->gate)
		return;
	switch (s->mode) {
	case TERMINAL_COUNT:
	case STROBE:
		/* It stops while the gate is down. */
		if (gate)
			s->count_load_time = now() - pit->stopped;
		else
			pit->stopped = now() - s->count_load_time;
		break;
	default:
		/* The rise starts it again. */
		if (gate)
			s->count_load_time = now();
		break;
	}
	s->gate = gate;
}

static void write_speaker(struct umbra_pit *pit, u8 value)
{
	set_gate(pit, value & SPEAKER_GATE);
	if (value & SPEAKER_DATA)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
}

static u8 read_speaker(struct umbra_pit *pit)
{
	const struct kvm_pit_channel_state *s = &pit->counter[SPEAKER];

	return (s->gate ? SPEAKER_GATE : 0) |
	       (pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? SPEAKER_DATA : 0) |
	       (now() >> REFRESH_SHIFT & 1 ? SPEAKER_REFRESH : 0) |
	       (output_of(pit, s) ? SPEAKER_OUT : 0);
}

/* It may come at any time, also while the guest runs. */
static struct umbra_pit *pit_of(struct umbra_vm *vm)
{
	/* Pairs with the release in umbra_pit_create(). */
	return smp_load_acquire(&vm->irq.pit);
}

bool umbra_pit_port(struct umbra_vm *vm, u16 port)
{
	const struct umbra_pit *pit = pit_of(vm);

	if (!pit)
		return false;
	return (port >= PORT_FIRST && port <= PORT_CONTROL) ||
	       (port == PORT_SPEAKER && pit->speaker);
}

void umbra_pit_read(struct umbra_vm *vm, u16 port, u8 *value)
{
	struct umbra_pit *pit = pit_of(vm);
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (port == PORT_SPEAKER)
		*value = read_speaker(pit);
	else if (port == PORT_CONTROL)
		*value = 0;
	else
		*value = read_counter(pit, array_index_nospec(port - PORT_FIRST, COUNTERS));
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

void umbra_pit_write(struct umbra_vm *vm, u16 port, u8 value)
{
	struct umbra_pit *pit = pit_of(vm);
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (port == PORT_SPEAKER)
		write_speaker(pit, value);
	else if (port == PORT_CONTROL)
		write_control(pit, value);
	else
		write_counter(pit, array_index_nospec(port - PORT_FIRST, COUNTERS), value);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

int umbra_pit_get(struct umbra_vm *vm, struct kvm_pit_state2 *state)
{
	struct umbra_pit *pit = pit_of(vm);

	if (!pit)
		return -ENXIO;
	memset(state, 0, sizeof(*state));
	raw_spin_lock_irq(&pit->lock);
	memcpy(state->channels, pit->counter, sizeof(state->channels));
	state->flags = pit->flags;
	raw_spin_unlock_irq(&pit->lock);
	return 0;
}

/* Nothing but what the code above can go on from. */
static bool acceptable(const struct kvm_pit_channel_state *s)
{
	return s->count <= 0x10000 && s->rw_mode <= ACCESS_BOTH &&
	       s->read_state <= ACCESS_BOTH_SECOND && s->write_state <= ACCESS_BOTH_SECOND &&
	       s->count_latched <= ACCESS_BOTH_SECOND && s->status_latched <= 1 &&
	       s->bcd <= 1 && s->gate <= 1;
}

/**
 * umbra_pit_set() - KVM_SET_PIT and KVM_SET_PIT2
 * @vm: VM
 * @state: copy of the caller's structure
 *
 * The counters start from their counts now, whenever they were loaded.
 * Return: 0; -ENXIO no 8254; -EINVAL what cannot be, nothing changed then.
 */
int umbra_pit_set(struct umbra_vm *vm, const struct kvm_pit_state2 *state)
{
	struct umbra_pit *pit = pit_of(vm);
	unsigned int i;

	if (!pit)
		return -ENXIO;
	if (state->flags & ~(KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON))
		return -EINVAL;
	for (i = 0; i < COUNTERS; i++)
		if (!acceptable(&state->channels[i]))
			return -EINVAL;
	raw_spin_lock_irq(&pit->lock);
	pit->flags = state->flags;
	memcpy(pit->counter, state->channels, sizeof(pit->counter));
	for (i = 0; i < COUNTERS; i++)
		load(pit, i, pit->counter[i].count);
	raw_spin_unlock_irq(&pit->lock);
	return 0;
}

int umbra_pit_reinject(struct umbra_vm *vm, bool reinject)
{
	struct umbra_pit *pit = pit_of(vm);

	if (!pit)
		return -ENXIO;
	raw_spin_lock_irq(&pit->lock);
	pit->reinject = reinject;
	pit->missed = 0;
	raw_spin_unlock_irq(&pit->lock);
	return 0;
}

/* As after power-up: the gates of the first two counters are wired up, nothing counts. */
static struct umbra_pit *alloc_pit(struct umbra_vm *vm, u32 flags)
{
	struct umbra_pit *pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!pit)
		return NULL;
	raw_spin_lock_init(&pit->lock);
	umbra_hrtimer_setup(&pit->timer, fire, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	pit->vm = vm;
	pit->reinject = true;
	pit->speaker = flags & KVM_PIT_SPEAKER_DUMMY;
	for (i = 0; i < COUNTERS; i++) {
		pit->counter[i].mode = UNPROGRAMMED;
		pit->counter[i].gate = i != SPEAKER;
		pit->counter[i].count = 0x10000;
		pit->counter[i].count_load_time = now();
	}
	return pit;
}

/**
 * umbra_pit_create() - KVM_CREATE_PIT and KVM_CREATE_PIT2
 * @vm: VM
 * @config: copy of the caller's structure
 *
 * Context: sleeps; takes vm->lock. vCPUs may be running.
 * Return: 0; -EINVAL unknown flags; -ENOENT no 8259A in the kernel; -EEXIST; -ENOMEM.
 */
int umbra_pit_create(struct umbra_vm *vm, const struct kvm_pit_config *config)
{
	struct umbra_pit *pit;
	int r = 0;

	if (config->flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (umbra_irq_chip(vm) != UMBRA_IRQCHIP_KERNEL) {
		r = -ENOENT;
	} else if (vm->irq.pit) {
		r = -EEXIST;
	} else {
		pit = alloc_pit(vm, config->flags);
		if (pit)
			/* Pairs with the acquire in pit_of(). */
			smp_store_release(&vm->irq.pit, pit);
		else
			r = -ENOMEM;
	}
	mutex_unlock(&vm->lock);
	return r;
}

void umbra_pit_retire(struct umbra_vm *vm)
{
	struct umbra_pit *pit = vm->irq.pit;

	if (!pit)
		return;
	raw_spin_lock_irq(&pit->lock);
	disarm(pit);
	raw_spin_unlock_irq(&pit->lock);
	hrtimer_cancel(&pit->timer);
}

void umbra_pit_destroy(struct umbra_vm *vm)
{
	kfree(vm->irq.pit);
	vm->irq.pit = NULL;
}
