// SPDX-License-Identifier: GPL-2.0
/*
 * See irq_lib.h: the functions behind irq_shim.h, and what tests share.
 */
#include "irq_lib.h"

struct unit unit;
u32 tsc_khz = 2500000;
u64 umbra_tsc_lost;
struct delayed_work *unit_delayed;
void (*unit_blocked)(void);
int unit_lookups;

static struct hrtimer *timers;		/* all that are queued, in no order */

void unit_elsewhere(void)
{
	void (*action)(void) = unit.elsewhere;

	unit.elsewhere = NULL;
	if (action)
		action();
}

ktime_t ktime_get(void)
{
	unit_elsewhere();
	return unit.now;
}

u64 rdtsc(void)
{
	unit_elsewhere();
	return mul_u64_u32_div(unit.now, tsc_khz, 1000000) + unit.drift;
}

void umbra_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
			 clockid_t clock, enum hrtimer_mode mode)
{
	memset(timer, 0, sizeof(*timer));
	timer->function = function;
}

static void dequeue(struct hrtimer *timer)
{
	struct hrtimer **p = &timers;

	if (!timer->queued)
		return;
	while (*p != timer)
		p = &(*p)->next;
	*p = timer->next;
	timer->queued = false;
}

static void enqueue(struct hrtimer *timer)
{
	timer->next = timers;
	timers = timer;
	timer->queued = true;
}

void hrtimer_start(struct hrtimer *timer, ktime_t time, enum hrtimer_mode mode)
{
	unit_elsewhere();
	assert(time >= 0);
	dequeue(timer);
	timer->expires = mode & HRTIMER_MODE_REL ? (s64)unit.now + time : time;
	enqueue(timer);
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	bool was = timer->queued;

	if (timer->running)
		return -1;
	dequeue(timer);
	return was;
}

/* The kernel's waits for a callback that runs: here that would be for ever. */
int hrtimer_cancel(struct hrtimer *timer)
{
	int r = hrtimer_try_to_cancel(timer);

	assert(r >= 0);
	return r;
}

u64 hrtimer_forward_now(struct hrtimer *timer, ktime_t interval)
{
	s64 late = (s64)unit.now - timer->expires;
	s64 periods;

	assert(interval > 0 && !timer->queued);
	if (late < 0)
		return 0;
	periods = late / interval + 1;
	timer->expires += periods * interval;
	return periods;
}

/* The kernel's would break the queue's order. */
void hrtimer_set_expires(struct hrtimer *timer, ktime_t time)
{
	assert(!timer->queued);
	timer->expires = time;
}

static struct hrtimer *first_timer(void)
{
	struct hrtimer *t, *first = timers;

	for (t = timers; t; t = t->next)
		if (t->expires < first->expires)
			first = t;
	return first;
}

static void expire(struct hrtimer *timer)
{
	enum hrtimer_restart again;

	if (timer->expires > (s64)unit.now)
		unit.now = timer->expires;
	dequeue(timer);
	timer->running = true;
	again = timer->function(timer);
	timer->running = false;
	if (again == HRTIMER_RESTART && !timer->queued)
		enqueue(timer);
}

void unit_pass(u64 ns)
{
	u64 end = unit.now + ns;
	struct hrtimer *timer;

	while ((timer = first_timer()) && timer->expires <= (s64)end)
		expire(timer);
	unit.now = end;
}

bool unit_pass_to_timer(void)
{
	struct hrtimer *timer = first_timer();

	if (timer)
		expire(timer);
	return timer;
}

int unit_timers(void)
{
	struct hrtimer *t;
	int n = 0;

	for (t = timers; t; t = t->next)
		n++;
	return n;
}

bool unit_work(void)
{
	struct delayed_work *work = unit_delayed;

	unit_delayed = NULL;
	if (work)
		work->work.function(&work->work);
	return work;
}

void *unit_zalloc(size_t n)
{
	void *p;

	if (unit.fail_alloc >= 0 && !unit.fail_alloc--)
		return NULL;
	p = calloc(1, n);
	assert(p);
	unit.objects++;
	return p;
}

void unit_free(void *p)
{
	unit.objects -= !!p;
	free(p);
}

unsigned long copy_from_user(void *to, const void *from, size_t n)
{
	if (!from)
		return n;
	memcpy(to, from, n);
	return 0;
}

unsigned long copy_to_user(void *to, const void *from, size_t n)
{
	return copy_from_user(to, to ? from : NULL, n);
}

void *vmemdup_user(const void *from, size_t n)
{
	void *p = unit_zalloc(n);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, from, n)) {
		unit_free(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

/* The rest of the module. */
bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature)
{
	assert(x86_feature == X86_FEATURE_TSC_DEADLINE_TIMER);
	unit_elsewhere();
	return !unit.no_deadline;
}

void umbra_request(struct umbra_vcpu *vcpu, enum umbra_request req)
{
	vcpu->requests |= BIT(req);
}

/* Who waits or runs looks at its requests: to wake it without one would do nothing. */
void umbra_vcpu_wake(struct umbra_vcpu *vcpu)
{
	assert(vcpu->requests);
	unit.told[vcpu->index].woken++;
	if (unit.at_wake)
		unit.at_wake();
}

void umbra_event_kick_nmi(struct umbra_vcpu *vcpu)
{
	unit.told[vcpu->index].nmis++;
	unit.now += unit.nmi_time;
}

void umbra_eoi_exit(struct umbra_vcpu *vcpu, u8 vector)
{
	unit.told[vcpu->index].eois++;
	unit.told[vcpu->index].eoi = vector;
}

void umbra_tpr_accessed(struct umbra_vcpu *vcpu, bool write)
{
	unit.told[vcpu->index].tpr++;
}

/* irqfd.c, which is not linked: it is about eventfds and threads alone. */
int umbra_irqfds_create(struct umbra_vm *vm)
{
	return 0;
}

void umbra_irqfds_retire(struct umbra_vm *vm)
{
}

void umbra_irqfds_destroy(struct umbra_vm *vm)
{
}

int umbra_irqfd(struct umbra_vm *vm, const struct kvm_irqfd *args)
{
	return -ENODEV;
}

bool umbra_irqfd_wants_acks(struct umbra_vm *vm)
{
	return unit.wants_acks;
}

void umbra_irqfd_ack(struct umbra_vm *vm, u32 chip, u32 pin)
{
	unit.acks[chip][pin]++;
	if (unit.at_ack)
		unit.at_ack(chip, pin);
}

static int create_vcpu(int i)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[i];

	vcpu->vm = &unit.vm;
	vcpu->id = i;
	vcpu->index = i;
	vcpu->msrs.apic_base = UNIT_APIC_BASE | MSR_IA32_APICBASE_ENABLE;
	if (umbra_lapic_create(vcpu))
		return -1;
	umbra_lapic_reset(vcpu, false);
	unit.vm.vcpu[i] = vcpu;
	unit.vm.nr_vcpus = i + 1;
	return 0;
}

int unit_setup(enum umbra_irqchip chip, int vcpus)
{
	int i, r = 0;

	memset(&unit, 0, sizeof(unit));
	unit.fail_alloc = -1;
	unit.now = 1000 * (u64)NSEC_PER_SEC;
	tsc_khz = 2500000;
	umbra_tsc_lost = 0;
	assert(!timers && vcpus <= UNIT_VCPUS);
	if (umbra_irq_vm_create(&unit.vm))
		return -1;
	if (chip == UMBRA_IRQCHIP_KERNEL)
		r = umbra_irqchip_create(&unit.vm);
	else
		r = umbra_irqchip_split(&unit.vm, UMBRA_IOAPIC_PINS);
	for (i = 0; i < vcpus && !r; i++)
		r = create_vcpu(i);
	if (r)
		unit_teardown(NULL);
	return r ? -1 : 0;
}

int unit_teardown(void **state)
{
	int i;

	umbra_irq_vm_retire(&unit.vm);
	for (i = 0; i < unit.vm.nr_vcpus; i++)
		umbra_lapic_destroy(&unit.vcpu[i]);
	umbra_irq_vm_destroy(&unit.vm);
	return unit.objects || timers || unit.vm.srcu.readers ? -1 : 0;
}

void unit_out(u16 port, u8 value)
{
	assert_int_equal(umbra_irq_io_write(&unit.vcpu[0], UMBRA_BUS_PIO, port, 1, &value), 0);
}

u8 unit_in(u16 port)
{
	u8 value = 0;

	assert_int_equal(umbra_irq_io_read(&unit.vcpu[0], UMBRA_BUS_PIO, port, 1, &value), 0);
	return value;
}

u32 unit_reg(int i, u32 offset)
{
	u32 value = 0xdeadbeef;

	umbra_lapic_read(&unit.vcpu[i], offset, sizeof(value), &value);
	return value;
}

void unit_set_reg(int i, u32 offset, u32 value)
{
	umbra_lapic_write(&unit.vcpu[i], offset, sizeof(value), &value);
}

int unit_rdmsr(int i, u32 offset, u64 *value)
{
	return umbra_lapic_get_msr(&unit.vcpu[i], APIC_BASE_MSR + (offset >> 4), value);
}

int unit_wrmsr(int i, u32 offset, u64 value)
{
	return umbra_lapic_set_msr(&unit.vcpu[i], APIC_BASE_MSR + (offset >> 4), value);
}

void unit_enable(int i, bool x2apic)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[i];

	if (!x2apic) {
		unit_set_reg(i, APIC_SPIV, 0x1ff);
		return;
	}
	assert_false(umbra_lapic_set_base(vcpu, vcpu->msrs.apic_base | X2APIC_ENABLE, false));
	assert_int_equal(unit_wrmsr(i, APIC_SPIV, 0x1ff), 0);
}

bool unit_waits(int i, u8 vector)
{
	struct kvm_lapic_state state;
	u32 word;

	umbra_lapic_get_state(&unit.vcpu[i], &state);
	memcpy(&word, state.regs + APIC_IRR + vector / 32 * 0x10, sizeof(word));
	return word >> vector % 32 & 1;
}

int unit_get_chip(struct kvm_irqchip *chip)
{
	return umbra_irq_vm_ioctl(&unit.vm, KVM_GET_IRQCHIP, (unsigned long)chip);
}

int unit_set_chip(const struct kvm_irqchip *chip)
{
	return umbra_irq_vm_ioctl(&unit.vm, KVM_SET_IRQCHIP, (unsigned long)chip);
}

int unit_serve(int i)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[i];
	int vector;

	if (!umbra_irq_has(vcpu))
		return -1;
	vector = umbra_irq_take(vcpu);
	if (vector >= 0)
		umbra_lapic_eoi(vcpu);
	return vector;
}
