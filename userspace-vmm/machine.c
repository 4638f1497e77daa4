// SPDX-License-Identifier: GPL-2.0
/*
 * The VM as an object: create it with its memory, start its vCPU threads, end it
 * once and for all with one verdict, take it down.
 *
 * Guest contents are the loaders', CPU state boot.c's, running vcpu.c's.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/umbra.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"
#include "mmu.h"
#include "umbra.h"
#include "vcpu.h"
#include "virtio.h"

#define IDENTITY_MAP_ADDRESS	MACHINE_INTEL_PAGES
#define TSS_ADDRESS		(MACHINE_INTEL_PAGES + 0x1000)
#define MAX_CPUID_ENTRIES	256

static int reserve_intel_pages(struct machine *m)
{
	u64 identity = IDENTITY_MAP_ADDRESS;

	if (hv_capability(&m->hv, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity))
		return -1;
	if (hv_capability(&m->hv, KVM_CAP_SET_TSS_ADDR) &&
	    ioctl(m->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS))
		return -1;
	return 0;
}

static int add_ram(struct machine *m, u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = 0,
		.guest_phys_addr = 0,
		.memory_size = size,
	};

	m->ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->ram == MAP_FAILED) {
		m->ram = NULL;
		complain("no room for %llu MiB of guest memory: %s", size >> 20,
			 strerror(errno));
		return -1;
	}
	m->ram_size = size;
	region.userspace_addr = (uintptr_t)m->ram;
	if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region)) {
		complain("%s refused %llu MiB of guest memory: %s", m->hv.path, size >> 20,
			 strerror(errno));
		return -1;
	}
	return 0;
}

static int get_cpuid(struct machine *m)
{
	size_t size = sizeof(*m->cpuid) +
		      MAX_CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2);

	m->cpuid = calloc(1, size);
	if (!m->cpuid)
		return -1;
	m->cpuid->nent = MAX_CPUID_ENTRIES;
	if (!ioctl(m->hv.fd, KVM_GET_SUPPORTED_CPUID, m->cpuid))
		return 0;
	complain("%s does not tell its CPUID table: %s", m->hv.path, strerror(errno));
	return -1;
}

static int add_vcpus(struct machine *m, unsigned int cpus)
{
	int limit = hv_capability(&m->hv, KVM_CAP_MAX_VCPUS);
	unsigned int i;

	if (limit && (int)cpus > limit) {
		complain("%s allows %d vCPUs, %u asked for", m->hv.path, limit, cpus);
		return -1;
	}
	m->vcpus = calloc(cpus, sizeof(*m->vcpus));
	if (!m->vcpus)
		return -1;
	for (i = 0; i < cpus; i++) {
		m->vcpus[i].fd = -1;
		m->vcpus[i].m = m;
		m->vcpus[i].index = i;
	}
	m->nr_vcpus = cpus;
	for (i = 0; i < cpus; i++)
		if (vcpu_create(&m->vcpus[i]))
			return -1;
	return 0;
}

/* A VM file, or -1 and errno. */
static int open_vm(struct machine *m)
{
	struct umbra_create_vm args = { .mmu_mode = m->mmu_mode };
	struct mmu_choice choice;

	if (m->mmu_mode)
		return ioctl(m->hv.fd, UMBRA_CREATE_VM, &args);
	if (!mmu_choice(m->hv.fd, &choice))
		m->mmu_mode = choice.preset;
	return ioctl(m->hv.fd, KVM_CREATE_VM, 0);
}

/* The controllers come before the vCPUs, which get their local part then. */
static int add_controllers(struct machine *m)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (!m->pc)
		return 0;
	if (!ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) && !ioctl(m->vm, KVM_CREATE_PIT2, &pit))
		return 0;
	complain("%s offers no interrupt controllers and timer: %s", m->hv.path, strerror(errno));
	return -1;
}

static int create_vm(struct machine *m)
{
	char text[256];

	m->vm = open_vm(m);
	if (m->vm < 0) {
		hv_explain_vm(errno, text, sizeof(text));
		complain("%s: %s", m->hv.path, text);
		return -1;
	}
	if (reserve_intel_pages(m)) {
		complain("%s: cannot reserve pages: %s", m->hv.path, strerror(errno));
		return -1;
	}
	return add_controllers(m);
}

/**
 * machine_create() - Make a VM with memory and vCPUs, nothing loaded yet.
 * @m: zeroed by the caller, but for @mmu_mode if one is wanted, and @pc
 * @device: hypervisor's device node; must outlive @m
 * @ram_size: bytes of memory from guest-physical 0, whole pages
 * @cpus: number of vCPUs, at most MACHINE_MAX_CPUS
 *
 * Return: 0, or -1 after a message. Either way machine_destroy() takes it down.
 */
int machine_create(struct machine *m, const char *device, u64 ram_size, unsigned int cpus)
{
	m->vm = -1;
	m->hv.fd = -1;
	m->output.fd = -1;
	m->guest_value = -1;
	m->main = pthread_self();
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->dev_lock, NULL);
	if (hv_open(&m->hv, device))
		return -1;
	if (create_vm(m) || add_ram(m, ram_size) || get_cpuid(m))
		return -1;
	return add_vcpus(m, cpus);
}

/**
 * machine_destroy() - Take a machine down.
 * @m: given to machine_create(); its threads have been joined
 */
void machine_destroy(struct machine *m)
{
	unsigned int i;

	virtio_destroy_all(m);
	output_close(&m->output);
	for (i = 0; i < m->nr_vcpus; i++)
		vcpu_destroy(&m->vcpus[i]);
	free(m->vcpus);
	free(m->cpuid);
	if (m->ram)
		munmap(m->ram, m->ram_size);
	if (m->vm >= 0)
		close(m->vm);
	if (m->hv.fd >= 0)
		hv_close(&m->hv);
	pthread_mutex_destroy(&m->lock);
	pthread_mutex_destroy(&m->dev_lock);
}

/**
 * machine_start() - Start all vCPU threads, and the guest with them.
 * @m: machine with a loaded guest
 *
 * Return: 0, or -1 after a message, no thread left behind.
 */
int machine_start(struct machine *m)
{
	unsigned int i, j;

	/* On a PC those that wait for their start do so in the hypervisor. */
	m->active = m->pc ? m->nr_vcpus : 1;
	for (i = 0; i < m->active; i++)
		m->vcpus[i].state = VCPU_RUNNING;
	for (i = 0; i < m->nr_vcpus; i++) {
		if (!pthread_create(&m->vcpus[i].thread, NULL, vcpu_thread, &m->vcpus[i]))
			continue;
		complain("cannot start the thread of vCPU %u", i);
		machine_end(m, NULL, STATUS_HOST, "no thread for vCPU %u", i);
		for (j = 0; j < i; j++)
			pthread_join(m->vcpus[j].thread, NULL);
		return -1;
	}
	return 0;
}

/**
 * machine_join() - Wait for all vCPU threads after the end.
 * @m: machine that machine_end() was called on
 */
void machine_join(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_vcpus; i++)
		pthread_join(m->vcpus[i].thread, NULL);
}

/**
 * machine_end() - End the guest; only the first call counts.
 * @m: machine
 * @v: vCPU at which it ended, or NULL
 * @status: enum run_status, or the guest's status
 * @fmt: why, as for printf()
 *
 * Context: any thread, machine lock not held. Wakes the main thread by SIGUSR2.
 */
void machine_end(struct machine *m, struct vcpu *v, int status, const char *fmt, ...)
{
	unsigned int i;
	va_list args;

	pthread_mutex_lock(&m->lock);
	if (!m->ended) {
		va_start(args, fmt);
		vsnprintf(m->detail, sizeof(m->detail), fmt, args);
		va_end(args);
		m->status = status;
		m->culprit = v;
		m->ended = true;
		for (i = 0; i < m->nr_vcpus; i++) {
			pthread_cond_signal(&m->vcpus[i].wake);
			if (m->vcpus[i].state == VCPU_RUNNING && &m->vcpus[i] != v)
				vcpu_kick(&m->vcpus[i]);
		}
		pthread_kill(m->main, SIGUSR2);
	}
	pthread_mutex_unlock(&m->lock);
}
