// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU lifetime, its thread, and what vCPUs do to each other: start, interrupt, NMI.
 *
 * Unless the machine is a PC there is no interrupt controller: a vCPU is off until
 * another starts it, a HLT with interrupts on waits for the interrupt port, one with
 * interrupts off switches the vCPU off. What an exit means is exits.c's.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot.h"
#include "topology.h"
#include "umbra.h"
#include "vcpu.h"

#define CPUID_FEATURES		1
#define CPUID_TOPOLOGY		0xb
#define CPUID_TOPOLOGY_V2	0x1f

static void number_vcpu(struct kvm_cpuid2 *table, const struct vcpu *v)
{
	u32 i;

	for (i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function == CPUID_FEATURES)
			e->ebx = (e->ebx & 0xffff) | v->m->nr_vcpus << 16 | v->index << 24;
		else if (e->function == CPUID_TOPOLOGY || e->function == CPUID_TOPOLOGY_V2)
			e->edx = v->index;
	}
}

static int set_cpuid(struct vcpu *v)
{
	const struct kvm_cpuid2 *all = v->m->cpuid;
	size_t size = sizeof(*all) + all->nent * sizeof(all->entries[0]);
	struct kvm_cpuid2 *own = malloc(size + TOPOLOGY_EXTRA * sizeof(all->entries[0]));
	int result;

	if (!own)
		return -1;
	memcpy(own, all, size);
	if (v->m->pc)
		topology_fill(own, v->index, v->m->nr_vcpus,
			      hv_capability(&v->m->hv, KVM_CAP_TSC_DEADLINE_TIMER));
	else
		number_vcpu(own, v);
	result = ioctl(v->fd, KVM_SET_CPUID2, own);
	free(own);
	return result;
}

/**
 * vcpu_create() - Make the vCPU and map its shared page.
 * @v: @m and @index set, @fd -1
 *
 * Return: 0, or -1 after a message; vcpu_destroy() takes down either.
 */
int vcpu_create(struct vcpu *v)
{
	pthread_cond_init(&v->wake, NULL);
	v->fd = ioctl(v->m->vm, KVM_CREATE_VCPU, v->index);
	if (v->fd < 0) {
		complain("%s: cannot create vCPU %u: %s", v->m->hv.path, v->index,
			 strerror(errno));
		return -1;
	}
	v->run = mmap(NULL, v->m->hv.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		complain("%s: cannot map the page of vCPU %u: %s", v->m->hv.path, v->index,
			 strerror(errno));
		return -1;
	}
	if (set_cpuid(v)) {
		complain("%s: CPUID table of vCPU %u refused: %s", v->m->hv.path, v->index,
			 strerror(errno));
		return -1;
	}
	return 0;
}

/**
 * vcpu_destroy() - Take a vCPU down.
 * @v: vCPU, its thread gone or never started
 */
void vcpu_destroy(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->m->hv.run_size);
	if (v->fd >= 0) {
		close(v->fd);
		pthread_cond_destroy(&v->wake);
	}
}

/**
 * vcpu_kick() - Make a running vCPU leave the guest soon.
 * @v: vCPU with a thread
 *
 * immediate_exit catches a thread that is about to enter, the signal one that
 * has entered. Whatever the thread shall notice must be stored before.
 */
void vcpu_kick(struct vcpu *v)
{
	atomic_thread_fence(memory_order_seq_cst);
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (v->thread)
		pthread_kill(v->thread, SIGUSR1);
}

/**
 * vcpu_start() - Start a vCPU that is off.
 * @m: machine
 * @index: which one
 * @address: guest-physical address of its first instruction
 *
 * Return: false when there is no such vCPU, it is not off, or it cannot start there.
 */
bool vcpu_start(struct machine *m, unsigned int index, u64 address)
{
	struct vcpu *v;
	bool started;

	if (index >= m->nr_vcpus || !boot_address_valid(m, address))
		return false;
	v = &m->vcpus[index];
	pthread_mutex_lock(&m->lock);
	started = v->state == VCPU_OFF;
	if (started) {
		v->start = address;
		v->start_pending = true;
		v->state = VCPU_RUNNING;
		m->active++;
		pthread_cond_signal(&v->wake);
	}
	pthread_mutex_unlock(&m->lock);
	return started;
}

/* Called with the machine lock held, after the event was stored. */
static void notify(struct vcpu *v)
{
	if (v->state == VCPU_WAITING) {
		v->state = VCPU_RUNNING;
		v->m->active++;
		pthread_cond_signal(&v->wake);
	} else {
		vcpu_kick(v);
	}
}

/**
 * vcpu_interrupt() - Send an external interrupt to a vCPU.
 * @m: machine
 * @index: which vCPU
 * @vector: 16 to 255
 *
 * Return: false when the vCPU is off or does not exist, or @vector is out of range.
 */
bool vcpu_interrupt(struct machine *m, unsigned int index, unsigned int vector)
{
	struct vcpu *v;
	bool sent;

	if (index >= m->nr_vcpus || vector < 16 || vector > 255)
		return false;
	v = &m->vcpus[index];
	pthread_mutex_lock(&m->lock);
	sent = v->state != VCPU_OFF;
	if (sent) {
		v->pending[vector / 64] |= BIT_ULL(vector % 64);
		notify(v);
	}
	pthread_mutex_unlock(&m->lock);
	return sent;
}

/**
 * vcpu_nmi() - Send a non-maskable interrupt to a vCPU.
 * @m: machine
 * @index: which vCPU
 *
 * Return: false when the vCPU is off or does not exist.
 */
bool vcpu_nmi(struct machine *m, unsigned int index)
{
	struct vcpu *v;
	bool sent;

	if (index >= m->nr_vcpus)
		return false;
	v = &m->vcpus[index];
	pthread_mutex_lock(&m->lock);
	sent = v->state != VCPU_OFF;
	if (sent) {
		v->nmi = true;
		notify(v);
	}
	pthread_mutex_unlock(&m->lock);
	return sent;
}

/* Highest pending vector, or -1. */
static int highest_pending(const struct vcpu *v)
{
	int i;

	for (i = 3; i >= 0; i--)
		if (v->pending[i])
			return i * 64 + 63 - __builtin_clzll(v->pending[i]);
	return -1;
}

/**
 * vcpu_halted() - The vCPU executed HLT: wait, go off, or go on.
 * @v: vCPU of the calling thread
 *
 * The machine ends when this was the last vCPU that could do anything.
 */
void vcpu_halted(struct vcpu *v)
{
	struct machine *m = v->m;
	bool last = false;

	pthread_mutex_lock(&m->lock);
	if (!v->nmi && (!v->run->if_flag || highest_pending(v) < 0)) {
		v->state = v->run->if_flag ? VCPU_WAITING : VCPU_OFF;
		if (v->state == VCPU_OFF)
			memset(v->pending, 0, sizeof(v->pending));
		last = --m->active == 0;
	}
	pthread_mutex_unlock(&m->lock);
	if (last)
		machine_end(m, v, STATUS_HALTED,
			    "all vCPUs halted, the last with interrupts %s; none reported a status",
			    v->run->if_flag ? "on" : "off");
}

/* Called with the machine lock held. */
static int inject(struct vcpu *v)
{
	int vector = highest_pending(v);
	struct kvm_interrupt irq = { .irq = vector };

	if (v->nmi) {
		v->nmi = false;
		if (ioctl(v->fd, KVM_NMI))
			return -1;
	}
	if (vector >= 0 && v->run->ready_for_interrupt_injection && v->run->if_flag) {
		if (ioctl(v->fd, KVM_INTERRUPT, &irq))
			return -1;
		v->pending[vector / 64] &= ~BIT_ULL(vector % 64);
	}
	v->run->request_interrupt_window = highest_pending(v) >= 0;
	return 0;
}

/* Wait until the vCPU has something to run; false when the machine ended. */
static bool prepare(struct vcpu *v)
{
	struct machine *m = v->m;
	int err = 0;

	pthread_mutex_lock(&m->lock);
	while (!m->ended && v->state != VCPU_RUNNING)
		pthread_cond_wait(&v->wake, &m->lock);
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (!m->ended && v->start_pending) {
		v->start_pending = false;
		err = boot_vcpu(v, v->start);
	}
	if (!m->ended && !err && !m->pc)
		err = inject(v);
	pthread_mutex_unlock(&m->lock);
	if (err)
		machine_end(m, v, STATUS_HOST, "cannot set the state of vCPU %u: %s", v->index,
			    strerror(errno));
	return !m->ended;
}

/**
 * vcpu_thread() - Run a vCPU until the machine ends.
 * @arg: struct vcpu
 *
 * Return: NULL.
 */
void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;

	while (prepare(v)) {
		if (!ioctl(v->fd, KVM_RUN, 0)) {
			vcpu_handle_exit(v);
		} else if (errno == EINTR) {
			v->interrupted++;
		} else if (errno != EAGAIN) {
			machine_end(v->m, v, STATUS_UNKNOWN_EXIT, "KVM_RUN failed: %s",
				    strerror(errno));
		}
	}
	return NULL;
}
