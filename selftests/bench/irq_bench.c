// SPDX-License-Identifier: GPL-2.0
/*
 * What interrupts cost a guest whose interrupt controllers are in the kernel: each case does
 * one thing N times and 2N times, each time in a new VM, and the difference by N is the price
 * of the thing, in ticks of the TSC. With scripts/lab --icount a tick is one instruction that
 * the emulated host executes.
 *
 * usage: irq_bench [CASE...]; one line for each case: name, ticks, exits, description.
 * Judges nothing: see scripts/bench.
 */
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "irq.h"
#include "bench.h"

#define VECTOR		0x40
#define IOEVENTFD_PORT	0x500
#define IRQFD_PORT	0x508
#define IRQFD_GSI	24
#define READY		7	/* the second vCPU hears IPIs */
#define DELAY		200000	/* ticks from arming a timer to its interrupt, for a HLT */

/* Interrupts that each vCPU has taken. */
static u64 taken[2];

/* Nothing but what any handler does. */
static void take(struct ut_ex_regs *regs)
{
	taken[guest_cpu()]++;
	guest_eoi();
}

static void wait_taken(u64 n)
{
	guest_sti();
	while (ut_read_once(taken[guest_cpu()]) < n)
		guest_pause();
	guest_cli();
}

/* What was prepared does not count. */
static u64 begin(void)
{
	guest_sync(0);
	return guest_rdtsc();
}

static void report(u64 start)
{
	guest_sync_args(1, guest_rdtsc() - start, 0, 0);
	guest_done();
}

static void x2apic(void)
{
	guest_x2apic_on();
	guest_apic_on();
}

/* EOI with nothing in service: the exit, and the look for what comes next. */
static void eoi(u64 n)
{
	u64 start, i;

	guest_apic_on();
	guest_eoi();
	start = begin();
	for (i = 0; i < n; i++)
		guest_eoi();
	report(start);
}

static void eoi_x2apic(u64 n)
{
	u64 start, i;

	x2apic();
	guest_eoi();
	start = begin();
	for (i = 0; i < n; i++)
		guest_eoi();
	report(start);
}

static void self_ipi(u64 n)
{
	u64 start, i;

	x2apic();
	guest_sti();
	start = begin();
	for (i = 0; i < n; i++)
		guest_wrmsr(UT_MSR_X2APIC + (UT_APIC_SELF_IPI >> 4), VECTOR);
	wait_taken(n);
	report(start);
}

/* A deadline that is over when it is set. */
static void timer(u64 n)
{
	u64 start, i;

	x2apic();
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_DEADLINE | VECTOR);
	start = begin();
	for (i = 0; i < n; i++) {
		guest_wrmsr(UT_MSR_TSC_DEADLINE, 1);
		wait_taken(i + 1);
	}
	report(start);
}

static void halt_until(u64 n)
{
	while (ut_read_once(taken[guest_cpu()]) < n) {
		guest_sti_hlt();
		guest_cli();
	}
}

/* Each deadline is DELAY ahead: what is above that is the way to sleep and back. */
static void halt(u64 n)
{
	u64 start, i;

	x2apic();
	guest_apic_write(UT_APIC_LVTT, UT_LVTT_DEADLINE | VECTOR);
	start = begin();
	for (i = 0; i < n; i++) {
		guest_wrmsr(UT_MSR_TSC_DEADLINE, guest_rdtsc() + DELAY);
		halt_until(i + 1);
	}
	report(start + n * DELAY);
}

/* Two vCPUs in turn, each asleep while the other one runs: one IPI each way. */
static void ping(u64 n)
{
	u64 start = 0, i;

	x2apic();
	if (guest_cpu()) {
		guest_sync(READY);
		for (i = 0; i < n; i++) {
			halt_until(i + 1);
			guest_apic_icr(0, VECTOR);
		}
		guest_done();
		return;
	}
	start = begin();
	for (i = 0; i < n; i++) {
		guest_apic_icr(1, VECTOR);
		halt_until(i + 1);
	}
	report(start);
}

static void pio_eventfd(u64 n)
{
	u64 start, i;

	guest_outb(IOEVENTFD_PORT, 0);
	start = begin();
	for (i = 0; i < n; i++)
		guest_outb(IOEVENTFD_PORT, 0);
	report(start);
}

/* The port's eventfd is that of an irqfd: port, eventfd, route, handler, EOI. */
static void irqfd(u64 n)
{
	u64 start, i;

	x2apic();
	start = begin();
	for (i = 0; i < n; i++) {
		guest_outb(IRQFD_PORT, 0);
		wait_taken(i + 1);
	}
	report(start);
}

static const struct bench_case cases[] = {
	{ "eoi", eoi, 1000, 1, 0, "EOI to the local APIC's page" },
	{ "eoi-x2apic", eoi_x2apic, 1000, 1, 0, "EOI to the local APIC's MSR" },
	{ "self-ipi", self_ipi, 1000, 1, 0, "IPI to itself, handler and EOI (x2APIC)" },
	{ "timer", timer, 1000, 1, 0, "deadline that is over, handler and EOI (x2APIC)" },
	{ "halt", halt, 200, 1, 0, "HLT until a timer's interrupt, without the time to it" },
	{ "ipi-halt", ping, 500, 2, 0, "two IPIs, there and back, to vCPUs in HLT" },
	{ "pio-ioeventfd", pio_eventfd, 1000, 1, 0, "OUT to a port with an ioeventfd" },
	{ "irqfd", irqfd, 1000, 1, 0, "OUT to an ioeventfd that is an irqfd, handler and EOI" },
};

/* GSI IRQFD_GSI is an MSI with VECTOR to vCPU 0. */
static int irqfd_setup(struct ut_vm *vm)
{
	struct kvm_irqfd irqfd = { .fd = eventfd(0, EFD_CLOEXEC), .gsi = IRQFD_GSI };
	struct kvm_ioeventfd port = {
		.addr = IRQFD_PORT, .len = 1, .fd = irqfd.fd, .flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	ut_route_msi(vm, IRQFD_GSI, UT_APIC_GPA, VECTOR);
	ut_must_ioctl(vm->fd, KVM_IRQFD, &irqfd);
	ut_must_ioctl(vm->fd, KVM_IOEVENTFD, &port);
	return irqfd.fd;
}

static int ioeventfd_setup(struct ut_vm *vm)
{
	struct kvm_ioeventfd port = {
		.addr = IOEVENTFD_PORT, .len = 1, .fd = eventfd(0, EFD_CLOEXEC),
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	ut_must_ioctl(vm->fd, KVM_IOEVENTFD, &port);
	return port.fd;
}

/* Ticks for @n times, in a VM of its own; exits of the first vCPU in @exits. */
static u64 once(const struct bench_case *c, u64 n, u64 *exits)
{
	struct ut_vm *vm = ut_irq_vm();
	struct ut_runner *other = NULL;
	struct ut_vcpu *vcpu[2];
	struct ut_ucall uc;
	int i, fd[2] = { irqfd_setup(vm), ioeventfd_setup(vm) };

	ut_set_handler(vm, VECTOR, take);
	for (i = 0; i < c->vcpus; i++) {
		vcpu[i] = ut_vcpu_long(vm, i, c->fn);
		ut_cpuid_deadline(vcpu[i]);
		ut_set_mp(vcpu[i], KVM_MP_STATE_RUNNABLE);
		ut_set_args(vcpu[i], n, 0);
	}
	if (c->vcpus > 1) {
		other = ut_runner_start(vcpu[1]);
		ut_wait(__atomic_load_n(&other->stage, __ATOMIC_ACQUIRE) == READY);
	}
	*exits = -bench_exits(c, vcpu[0], &uc);
	*exits += bench_exits(c, vcpu[0], &uc);
	if (other)
		ut_runner_join(other);
	for (i = 0; i < 2; i++)
		close(fd[i]);
	ut_vm_free(vm);
	return uc.arg[1];
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, cases, ARRAY_SIZE(cases), once);
}
