// SPDX-License-Identifier: GPL-2.0
/*
 * Four vCPUs that ask one another, nap by their timers and answer a device, while one of them
 * is killed and started again by INIT and SIPI, threads are stopped and go on, and VMs come and
 * go. Whoever waits does so in HLT for exactly one interrupt: one that is lost is a vCPU that
 * makes no progress any more.
 *
 * UMBRA_STORM_IRQSECONDS is how long, SECONDS unless it is set; UMBRA_STORM_IRQSEED repeats a run.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <kselftest_harness.h>
#include "irq.h"

#define SECONDS		15
#define LIMIT		3600	/* the harness's: the test's own limits come first */
#define NCPUS		4
#define VICTIM		3	/* who is killed: no device's interrupts for this one */
#define GSI		20
#define PORT		0x440
#define IPI_VECTOR	0x40	/* somebody asks */
#define WAKE_VECTOR	0x50	/* somebody has answered */
#define TIMER_VECTOR	0x60
#define DEVICE_VECTOR	0x70
#define LIFE_MS		2500	/* of a VM, at most */

/* Where trampoline finds what it needs, and its own place: the SIPI's page. */
#define PARAM_GPA	0x7000ull
#define PAGE		8

struct param {
	u64 cr3, entry, stack;
	u64 pad;
	u16 gdt_limit;
	u32 gdt_base;
	u16 pad2[5];
	u16 idt_limit;
	u64 idt_base;
} __attribute__((packed));

/* From real mode to 64-bit code on a stack of its own. The GDT is the first vCPU's. */
UT_BLOB(trampoline,
	".code16\n"
	"	cli\n"
	"	xor	%ax, %ax\n"
	"	mov	%ax, %ds\n"
	"	lgdtl	0x7020\n"
	"	mov	%cr4, %eax\n"
	"	or	$0x620, %eax\n"
	"	mov	%eax, %cr4\n"
	"	mov	0x7000, %eax\n"
	"	mov	%eax, %cr3\n"
	"	mov	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	or	$0x901, %eax\n"
	"	wrmsr\n"
	"	mov	$0x80010033, %eax\n"
	"	mov	%eax, %cr0\n"
	"	ljmpl	$0x08, $0x8000 + 1f - trampoline\n"
	".code64\n"
	"1:	mov	$0x10, %eax\n"
	"	mov	%eax, %ds\n"
	"	mov	%eax, %es\n"
	"	mov	%eax, %ss\n"
	"	mov	0x7010, %rsp\n"
	"	lidt	0x7030\n"
	"	jmp	*0x7008\n");

/* In the guest; indexed by vCPU. */
static u64 use_x2apic, stop, seed, rounds[NCPUS], boots[NCPUS], random_state[NCPUS];
static u64 asked[NCPUS][NCPUS], answered[NCPUS][NCPUS];
static u64 device_asked, device_answered, device_doubled;

static u64 guest_random(int cpu)
{
	u64 v = random_state[cpu];

	v ^= v << 13;
	v ^= v >> 7;
	v ^= v << 17;
	random_state[cpu] = v;
	return v;
}

/* Answer whoever has asked this vCPU. */
static void serve(int cpu)
{
	int from;
	u64 n;

	for (from = 0; from < NCPUS; from++) {
		n = __atomic_load_n(&asked[cpu][from], __ATOMIC_SEQ_CST);
		if (answered[cpu][from] == n)
			continue;
		__atomic_store_n(&answered[cpu][from], n, __ATOMIC_SEQ_CST);
		guest_apic_icr(from, UT_ICR_ASSERT | WAKE_VECTOR);
	}
}

static void handle_ipi(struct ut_ex_regs *regs)
{
	guest_irq_eoi(regs);
	serve(guest_cpu());
}

static void handle_device(struct ut_ex_regs *regs)
{
	u64 n = __atomic_load_n(&device_asked, __ATOMIC_SEQ_CST);

	guest_irq_eoi(regs);
	if (__atomic_exchange_n(&device_answered, n, __ATOMIC_SEQ_CST) != n)
		guest_outw(PORT, 1);
	else
		__atomic_fetch_add(&device_doubled, 1, __ATOMIC_SEQ_CST);
}

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_SEQ_CST);
}

/* Interrupts are off but in HLT: a handler must not come between the halves of ICR. */
static void ask(int cpu, int to)
{
	u64 n = asked[to][cpu] + 1;

	__atomic_store_n(&asked[to][cpu], n, __ATOMIC_SEQ_CST);
	guest_apic_icr(to, UT_ICR_ASSERT | IPI_VECTOR);
	while (__atomic_load_n(&answered[to][cpu], __ATOMIC_SEQ_CST) != n && !stopped()) {
		guest_sti_hlt();
		guest_cli();
	}
}

static void nap(int cpu)
{
	u64 n = guest_hits(TIMER_VECTOR);

	guest_apic_write(UT_APIC_LVTT, TIMER_VECTOR);
	guest_apic_write(UT_APIC_TDCR, 0xb);
	guest_apic_write(UT_APIC_TMICT, 1000 + guest_random(cpu) % 500000);
	while (guest_hits(TIMER_VECTOR) == n && !stopped()) {
		guest_sti_hlt();
		guest_cli();
	}
}

static void start_cpu(int cpu)
{
	guest_apic_icr(cpu, UT_DM_INIT | UT_ICR_ASSERT);
	guest_apic_icr(cpu, UT_DM_SIPI | UT_ICR_ASSERT | PAGE);
	guest_apic_icr(cpu, UT_DM_SIPI | UT_ICR_ASSERT | PAGE);
}

static void work(int cpu)
{
	u64 i;

	while (!stopped()) {
		switch (guest_random(cpu) % 4) {
		case 0:
		case 1:
			ask(cpu, (cpu + 1 + guest_random(cpu) % (NCPUS - 1)) % NCPUS);
			break;
		case 2:
			nap(cpu);
			break;
		default:
			for (i = guest_random(cpu) % 64; i; i--)
				guest_take_all();
		}
		if (!cpu && guest_random(cpu) % 32 == 0)
			start_cpu(VICTIM);
		ut_write_once(rounds[cpu], rounds[cpu] + 1);
	}
	guest_done();
}

static void come_up(int cpu)
{
	/* INIT leaves the mode as it is. */
	if (ut_read_once(use_x2apic))
		guest_x2apic_on();
	guest_apic_on();
	random_state[cpu] = (ut_read_once(seed) + cpu + 1) * 0x9e3779b97f4a7c15ull + rounds[cpu];
	__atomic_fetch_add(&boots[cpu], 1, __ATOMIC_SEQ_CST);
}

/* Asked while it was down, or killed before its answer was sent. */
static void guest_other(void)
{
	int cpu = guest_cpu();

	come_up(cpu);
	serve(cpu);
	guest_apic_icr(0, UT_ICR_OTHERS | UT_ICR_ASSERT | WAKE_VECTOR);
	work(cpu);
}

static void guest_first(void)
{
	struct param *param = (void *)PARAM_GPA;
	int cpu;

	come_up(0);
	for (cpu = 1; cpu < NCPUS; cpu++) {
		ut_write_once(param->stack, UT_STACKS_GPA + (cpu + 1) * UT_STACK_SIZE - 8);
		start_cpu(cpu);
		while (!ut_read_once(boots[cpu]))
			guest_pause();
	}
	work(0);
}

/**
 * struct life - one VM
 * @vm: it
 * @runner: its vCPUs' threads
 * @irqfd: signals the device's interrupt
 * @answer: signalled by the guest for each of them
 * @sent: interrupts of the device that were answered
 * @stop: for the device's thread
 * @device: that thread
 */
struct life {
	struct ut_vm *vm;
	struct ut_runner *runner[NCPUS];
	int irqfd;
	int answer;
	u64 sent;
	bool stop;
	pthread_t device;
};

static void route(struct life *life, int cpu)
{
	ut_route_msi(life->vm, GSI, UT_APIC_GPA | cpu << 12, DEVICE_VECTOR);
}

/* Each signal is answered once, whoever is stopped or killed meanwhile. */
static void *device_thread(void *arg)
{
	struct life *life = arg;
	struct pollfd fd = { .fd = life->answer, .events = POLLIN };
	u64 n;

	while (!ut_read_once(life->stop)) {
		if (life->sent % 8 == 0)
			route(life, life->sent / 8 % VICTIM);
		__atomic_store_n(ut_guest_var(life->vm, device_asked), life->sent + 1,
				 __ATOMIC_SEQ_CST);
		ut_signal(life->irqfd);
		if (poll(&fd, 1, UT_HANG_MS) != 1)
			ut_die("interrupt %lu of the device is lost", life->sent);
		n = ut_signals(life->answer);
		if (n != 1)
			ut_die("interrupt %lu of the device came %lu times", life->sent, n);
		ut_write_once(life->sent, life->sent + 1);
		if (life->sent % 16 == 0)
			ut_msleep(1);
	}
	return NULL;
}

static void make_vm(struct life *life, u64 value)
{
	struct param param = { .entry = (u64)guest_other, .gdt_limit = 0x4f, .idt_limit = 0xfff };
	struct kvm_ioeventfd answer = { .addr = PORT, .len = 2, .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct kvm_irqfd irqfd = { .gsi = GSI };
	struct kvm_sregs sregs;
	int i;

	seed = value;
	use_x2apic = value & 1;
	life->vm = ut_irq_vm();
	ut_set_handler(life->vm, IPI_VECTOR, handle_ipi);
	ut_set_handler(life->vm, DEVICE_VECTOR, handle_device);
	ut_vcpu_long(life->vm, 0, guest_first);
	for (i = 1; i < NCPUS; i++)
		ut_vcpu_new(life->vm, i);
	ut_get_sregs(life->vm->vcpu[0], &sregs);
	param.cr3 = sregs.cr3;
	param.gdt_base = sregs.gdt.base;
	param.idt_base = sregs.idt.base;
	memcpy(ut_hva(life->vm, PARAM_GPA), &param, sizeof(param));
	memcpy(ut_hva(life->vm, PAGE << 12), trampoline, UT_BLOB_LEN(trampoline));
	life->irqfd = eventfd(0, EFD_NONBLOCK);
	life->answer = eventfd(0, EFD_NONBLOCK);
	irqfd.fd = life->irqfd;
	answer.fd = life->answer;
	route(life, 0);
	ut_must_ioctl(life->vm->fd, KVM_IRQFD, &irqfd);
	ut_must_ioctl(life->vm->fd, KVM_IOEVENTFD, &answer);
	for (i = 0; i < NCPUS; i++)
		life->runner[i] = ut_runner_start(life->vm->vcpu[i]);
}

static u64 progress(struct life *life, int cpu)
{
	return ut_read_once((*ut_guest_var(life->vm, rounds))[cpu]);
}

/* Of a vCPU that hangs: what it waits for, and what its local APIC has. */
static void tell_vcpu(struct life *life, int cpu)
{
	struct ut_vcpu *vcpu = life->vm->vcpu[cpu];
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	int v;

	ut_runner_stop(life->runner[cpu]);
	ut_get_regs(vcpu, &regs);
	ut_must_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events);
	fprintf(stderr, "# vCPU %d: rip %llx rflags %llx mp_state %u boots %lu rounds %lu", cpu,
		regs.rip, regs.rflags, ut_mp_state(vcpu), (*ut_guest_var(life->vm, boots))[cpu],
		progress(life, cpu));
	fprintf(stderr, " injected %u nr %u TMICT %x TMCCT %x SVR %x", events.interrupt.injected,
		events.interrupt.nr, ut_lapic_reg(vcpu, UT_APIC_TMICT),
		ut_lapic_reg(vcpu, UT_APIC_TMCCT), ut_lapic_reg(vcpu, UT_APIC_SVR));
	for (v = 16; v < 256; v++) {
		if (ut_lapic_bit(vcpu, UT_APIC_IRR, v))
			fprintf(stderr, " IRR %x", v);
		if (ut_lapic_bit(vcpu, UT_APIC_ISR, v))
			fprintf(stderr, " ISR %x", v);
	}
	fputs("\n", stderr);
}

static void tell(struct life *life)
{
	u64 (*asks)[NCPUS] = *ut_guest_var(life->vm, asked);
	u64 (*answers)[NCPUS] = *ut_guest_var(life->vm, answered);
	int cpu, from;

	for (cpu = 0; cpu < NCPUS; cpu++)
		tell_vcpu(life, cpu);
	for (cpu = 0; cpu < NCPUS; cpu++)
		for (from = 0; from < NCPUS; from++)
			if (asks[cpu][from] != answers[cpu][from])
				fprintf(stderr, "# vCPU %d waits for vCPU %d\n", from, cpu);
}

/* Everybody has done @n more rounds. The victim starts anew now and then, and goes on. */
static void wait_for_progress(struct life *life, u64 n)
{
	u64 end = ut_now_ms() + UT_HANG_MS;
	u64 goal[NCPUS];
	int i;

	for (i = 0; i < NCPUS; i++)
		goal[i] = progress(life, i) + n;
	for (i = 0; i < NCPUS; i++) {
		while (progress(life, i) < goal[i] && ut_now_ms() <= end)
			ut_msleep(1);
		if (progress(life, i) >= goal[i])
			continue;
		tell(life);
		ut_die("vCPU %d is at round %lu, not %lu", i, progress(life, i), goal[i]);
	}
}

static void stop_and_go_on(struct life *life, int cpu)
{
	if (ut_runner_stop(life->runner[cpu]) >= 0)
		ut_die("vCPU %d has left by itself", cpu);
	ut_msleep(random() % 3);
	life->runner[cpu] = ut_runner_start(life->vm->vcpu[cpu]);
}

/* They leave by themselves, or are killed where they are. */
static void end_vm(struct life *life, bool kindly)
{
	int i;

	if (kindly)
		__atomic_store_n(ut_guest_var(life->vm, stop), 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < NCPUS; i++) {
		if (kindly)
			ut_msi(life->vm, UT_APIC_GPA | i << 12, WAKE_VECTOR);
		else if (ut_runner_stop(life->runner[i]) >= 0)
			ut_die("vCPU %d has left by itself", i);
	}
	for (i = 0; i < NCPUS && kindly; i++)
		if (ut_runner_join(life->runner[i]) != UT_DONE)
			ut_die("vCPU %d has not come to its end", i);
}

static u64 end_life(struct life *life, bool kindly)
{
	struct ut_vm *vm = life->vm;
	u64 victim_boots, doubled;

	ut_write_once(life->stop, true);
	pthread_join(life->device, NULL);
	end_vm(life, kindly);
	doubled = *ut_guest_var(vm, device_doubled);
	if (!ut_counted(life->sent + doubled, life->sent))
		ut_die("%lu interrupts of the device, and %lu twice", life->sent, doubled);
	victim_boots = (*ut_guest_var(vm, boots))[VICTIM];
	/* Sometimes the VM before its eventfds. */
	if (kindly)
		ut_vm_free(vm);
	close(life->irqfd);
	close(life->answer);
	if (!kindly)
		ut_vm_free(vm);
	return victim_boots;
}

static u64 number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

FIXTURE(stress) {
};

FIXTURE_SETUP(stress)
{
}

FIXTURE_TEARDOWN(stress)
{
}

TEST_F_TIMEOUT(stress, no_interrupt_is_lost, LIMIT)
{
	u64 value = number("UMBRA_STORM_IRQSEED", ut_now_ms()), lives = 0, boots_done = 0, sent = 0;
	u64 end = ut_now_ms() + number("UMBRA_STORM_IRQSECONDS", SECONDS) * 1000;
	struct life life;
	u64 death;

	fprintf(stderr, "# UMBRA_STORM_IRQSEED=%lu\n", value);
	srandom(value);
	do {
		memset(&life, 0, sizeof(life));
		make_vm(&life, value + lives);
		wait_for_progress(&life, 1);
		ASSERT_EQ(0, pthread_create(&life.device, NULL, device_thread, &life));
		death = ut_now_ms() + random() % LIFE_MS;
		do {
			wait_for_progress(&life, 10);
			stop_and_go_on(&life, random() % NCPUS);
		} while (ut_now_ms() < death);
		boots_done += end_life(&life, lives & 1);
		sent += life.sent;
		lives++;
	} while (ut_now_ms() < end);
	fprintf(stderr, "# %lu VMs, victim booted %lu times, %lu interrupts of the device\n",
		lives, boots_done, sent);
	EXPECT_LT(lives, boots_done);
	EXPECT_LT(lives, sent);
}

TEST_HARNESS_MAIN
