// SPDX-License-Identifier: GPL-2.0
/*
 * VMs with interrupt controllers in the kernel, the state of those, and threads that run
 * vCPUs and can be called back by a signal.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "irq_internal.h"

struct ut_vm *ut_irq_vm_bare(void)
{
	struct ut_vm *vm = ut_vm_long();
	int v;

	ut_map(vm, UT_APIC_GPA, UT_APIC_GPA, 1, UT_PTE_W);
	ut_map(vm, UT_IOAPIC_GPA, UT_IOAPIC_GPA, 1, UT_PTE_W);
	for (v = 32; v < 256; v++)
		ut_set_handler(vm, v, guest_irq_eoi);
	return vm;
}

struct ut_vm *ut_irq_vm(void)
{
	struct ut_vm *vm = ut_irq_vm_bare();

	ut_must_ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0);
	return vm;
}

static struct ut_irq_cpu *cpu_of(struct ut_vm *vm, int cpu)
{
	return &ut_guest_var(vm, ut_irq_cpus)[0][cpu];
}

u64 ut_hits(struct ut_vm *vm, int cpu, int vector)
{
	return ut_read_once(cpu_of(vm, cpu)->hits[vector]);
}

u64 ut_phantoms(struct ut_vm *vm, int cpu)
{
	return ut_read_once(cpu_of(vm, cpu)->phantoms);
}

bool ut_counted(u64 hits, u64 n)
{
	if (!getenv("UMBRA_LAB"))
		return hits == n;
	return hits >= n && hits <= n + n / 4 + 4;
}

void ut_clear_hits(struct ut_vm *vm)
{
	int i;

	for (i = 0; i < UT_MAX_VCPUS; i++) {
		memset(cpu_of(vm, i)->hits, 0, sizeof(cpu_of(vm, i)->hits));
		memset(cpu_of(vm, i)->log, 0, sizeof(cpu_of(vm, i)->log));
		cpu_of(vm, i)->logged = 0;
	}
}

int ut_logged(struct ut_vm *vm, int cpu, int n)
{
	return ut_read_once(cpu_of(vm, cpu)->log[n]);
}

void ut_cpuid_deadline(struct ut_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);

	ut_cpuid_entry(cpuid, 1, 0)->ecx |= BIT_ULL(24);
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

u32 ut_lapic_reg(struct ut_vcpu *vcpu, u32 reg)
{
	struct kvm_lapic_state state;
	u32 value;

	ut_must_ioctl(vcpu->fd, KVM_GET_LAPIC, &state);
	memcpy(&value, state.regs + reg, sizeof(value));
	return value;
}

void ut_lapic_set_reg(struct ut_vcpu *vcpu, u32 reg, u32 value)
{
	struct kvm_lapic_state state;

	ut_must_ioctl(vcpu->fd, KVM_GET_LAPIC, &state);
	memcpy(state.regs + reg, &value, sizeof(value));
	ut_must_ioctl(vcpu->fd, KVM_SET_LAPIC, &state);
}

bool ut_lapic_bit(struct ut_vcpu *vcpu, u32 reg, int vector)
{
	return ut_lapic_reg(vcpu, reg + vector / 32 * 0x10) >> vector % 32 & 1;
}

u32 ut_mp_state(struct ut_vcpu *vcpu)
{
	struct kvm_mp_state state;

	ut_get_mp_state(vcpu, &state);
	return state.mp_state;
}

void ut_set_mp(struct ut_vcpu *vcpu, u32 value)
{
	struct kvm_mp_state state = { .mp_state = value };

	ut_set_mp_state(vcpu, &state);
}

void ut_line(struct ut_vm *vm, u32 gsi, int level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	ut_must_ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

int ut_msi(struct ut_vm *vm, u32 addr, u32 data)
{
	struct kvm_msi msi = { .address_lo = addr, .data = data };

	return ut_ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

void ut_route_msi(struct ut_vm *vm, u32 gsi, u32 addr, u32 data)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} table = {
		.head.nr = 1,
		.entry = {
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = addr, .data = data },
		},
	};

	ut_must_ioctl(vm->fd, KVM_SET_GSI_ROUTING, &table);
}

void ut_until(struct ut_vcpu *vcpu, u64 stage)
{
	struct ut_ucall uc;
	int cmd = ut_next(vcpu, &uc);

	if (cmd == UT_EXIT)
		ut_die("vCPU %d: exit %u %s before stage %lu", vcpu->id, vcpu->run->exit_reason,
		       ut_exit_name(vcpu->run->exit_reason), stage);
	if (stage == UT_UNTIL_DONE ? cmd != UT_DONE : cmd != UT_SYNC || uc.arg[0] != stage)
		ut_die("vCPU %d: command %d, stage %lu instead of %lu", vcpu->id, cmd, uc.arg[0],
		       stage);
}

void ut_run_through(struct ut_vcpu *vcpu, void *fn)
{
	ut_restart(vcpu, fn);
	ut_until(vcpu, UT_UNTIL_DONE);
}

void ut_serve_lines(struct ut_vcpu *vcpu)
{
	struct ut_ucall uc;
	int cmd;

	while ((cmd = ut_next(vcpu, &uc)) == UT_SYNC && uc.arg[0] == UT_LINE_STAGE)
		ut_line(vcpu->vm, uc.arg[1], uc.arg[2]);
	if (cmd != UT_DONE)
		ut_die("vCPU %d: command %d, exit %s", vcpu->id, cmd,
		       ut_exit_name(vcpu->run->exit_reason));
}

void ut_run_with_lines(struct ut_vcpu *vcpu, void *fn)
{
	ut_restart(vcpu, fn);
	ut_serve_lines(vcpu);
}

int ut_line_status(struct ut_vm *vm, u32 gsi, int level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	ut_must_ioctl(vm->fd, KVM_IRQ_LINE_STATUS, &line);
	return line.status;
}

void ut_get_chip(struct ut_vm *vm, u32 id, struct kvm_irqchip *chip)
{
	memset(chip, 0, sizeof(*chip));
	chip->chip_id = id;
	ut_must_ioctl(vm->fd, KVM_GET_IRQCHIP, chip);
}

void ut_set_chip(struct ut_vm *vm, const struct kvm_irqchip *chip)
{
	ut_must_ioctl(vm->fd, KVM_SET_IRQCHIP, chip);
}

void ut_set_redir(struct ut_vm *vm, int pin, u64 entry)
{
	struct kvm_irqchip chip;

	ut_get_chip(vm, KVM_IRQCHIP_IOAPIC, &chip);
	chip.chip.ioapic.redirtbl[pin].bits = entry;
	ut_set_chip(vm, &chip);
}

static void do_nothing(int sig)
{
	(void)sig;
}

/* Must interrupt KVM_RUN and nothing more. */
static void catch_signal(void)
{
	struct sigaction action = { .sa_handler = do_nothing };

	if (sigaction(SIGUSR1, &action, NULL))
		ut_die("no handler for SIGUSR1");
}

static void *runner_fn(void *arg)
{
	struct ut_runner *runner = arg;
	struct ut_ucall uc;
	int cmd;

	ut_write_once(runner->tid, gettid());
	do {
		cmd = ut_next_or_signal(runner->vcpu, &uc);
		if (cmd == UT_SYNC)
			__atomic_store_n(&runner->stage, uc.arg[0], __ATOMIC_RELEASE);
	} while (cmd == UT_SYNC || (cmd < 0 && !ut_read_once(runner->stop)));
	runner->result = cmd;
	__atomic_store_n(&runner->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

struct ut_runner *ut_runner_start(struct ut_vcpu *vcpu)
{
	struct ut_runner *runner = calloc(1, sizeof(*runner));

	if (!runner)
		ut_die("out of memory");
	catch_signal();
	runner->vcpu = vcpu;
	vcpu->run->immediate_exit = 0;
	if (pthread_create(&runner->thread, NULL, runner_fn, runner))
		ut_die("no thread for vCPU %d", vcpu->id);
	return runner;
}

int ut_runner_join(struct ut_runner *runner)
{
	int result;

	ut_wait(__atomic_load_n(&runner->ended, __ATOMIC_ACQUIRE));
	pthread_join(runner->thread, NULL);
	result = runner->result;
	free(runner);
	return result;
}

int ut_runner_stop(struct ut_runner *runner)
{
	struct kvm_run *run = runner->vcpu->run;
	int result;

	ut_write_once(runner->stop, true);
	ut_write_once(run->immediate_exit, 1);
	pthread_kill(runner->thread, SIGUSR1);
	result = ut_runner_join(runner);
	run->immediate_exit = 0;
	return result;
}

u64 ut_runner_cpu_us(struct ut_runner *runner)
{
	struct timespec ts;
	clockid_t clock;

	if (pthread_getcpuclockid(runner->thread, &clock) || clock_gettime(clock, &ts))
		ut_die("no clock of the thread");
	return ts.tv_sec * 1000000ull + ts.tv_nsec / 1000;
}

u64 ut_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}
