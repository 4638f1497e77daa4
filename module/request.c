// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to vCPUs, kicks, and waiting until no CPU runs a guest on state
 * that is being taken away. See request.h for the order that makes it safe.
 */
#include <linux/cpumask.h>
#include <linux/rcuwait.h>
#include <linux/smp.h>
#include "compat.h"
#include "request.h"
#include "vcpu.h"
#include "vm.h"

void umbra_request(struct umbra_vcpu *vcpu, enum umbra_request req)
{
	set_bit(req, &vcpu->requests);
	/* Pairs with the barrier after vcpu->mode = UMBRA_IN_GUEST in run.c. */
	smp_mb__after_atomic();
}

bool umbra_take_request(struct umbra_vcpu *vcpu, enum umbra_request req)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	/* What the requester wrote before the bit is seen after it. */
	smp_mb__after_atomic();
	return true;
}

static bool in_guest(const struct umbra_vcpu *vcpu, int *cpu)
{
	*cpu = READ_ONCE(vcpu->cpu);
	return READ_ONCE(vcpu->mode) == UMBRA_IN_GUEST && *cpu >= 0;
}

void umbra_kick(struct umbra_vcpu *vcpu)
{
	int this = get_cpu();
	int cpu;

	if (in_guest(vcpu, &cpu) && cpu != this && cpu_online(cpu))
		umbra_kick_cpu(cpu);
	put_cpu();
}

void umbra_vcpu_wake(struct umbra_vcpu *vcpu)
{
	/* Who sleeps is not in the guest. */
	if (!rcuwait_wake_up(&vcpu->wait))
		umbra_kick(vcpu);
}

/* Being interrupted is the whole effect. */
static void umbra_ack(void *unused)
{
}

/*
 * Interrupt all other CPUs that run vCPUs of @vm, and wait for it. A vCPU that
 * has left the guest since its request was set serves it before it is back, so
 * it does not matter who is missed. Without memory for a mask, interrupt all.
 */
static void interrupt_several(struct umbra_vm *vm)
{
	struct umbra_vcpu *vcpu;
	cpumask_var_t mask;
	int i, cpu;

	if (!zalloc_cpumask_var(&mask, GFP_NOWAIT | __GFP_NOWARN)) {
		smp_call_function_many(cpu_online_mask, umbra_ack, NULL, true);
		return;
	}
	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++)
		if (in_guest(vcpu, &cpu))
			cpumask_set_cpu(cpu, mask);
	smp_call_function_many(mask, umbra_ack, NULL, true);
	free_cpumask_var(mask);
}

void umbra_request_all(struct umbra_vm *vm, enum umbra_request req)
{
	struct umbra_vcpu *vcpu;
	int running = 0;
	int only = 0;
	int i, cpu;

	preempt_disable();
	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++) {
		umbra_request(vcpu, req);
		if (!in_guest(vcpu, &cpu) || cpu == smp_processor_id())
			continue;
		running++;
		only = cpu;
	}
	if (running == 1)
		smp_call_function_many(cpumask_of(only), umbra_ack, NULL, true);
	else if (running)
		interrupt_several(vm);
	preempt_enable();
}

void umbra_flush_remote_tlbs(struct umbra_vm *vm)
{
	umbra_vm_stat_inc(vm, flushes_remote);
	umbra_request_all(vm, UMBRA_REQ_FLUSH_TLB);
}
