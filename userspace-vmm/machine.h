/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One running guest: its memory, vCPUs and devices, and how it ended.
 *
 * Locks, a letter on each field: (L) machine lock, (D) device lock, (c) constant
 * once the vCPU threads exist, (v) only its own vCPU thread until that is joined.
 * The machine lock may be taken with the device lock held, never the other way.
 */
#ifndef UMBRA_VMM_MACHINE_H
#define UMBRA_VMM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "hypervisor.h"
#include "irq.h"
#include "output.h"
#include "rtc.h"
#include "serial.h"
#include "testdev.h"
#include "types.h"

#define MACHINE_MAX_CPUS	64
#define MACHINE_MIN_RAM		MIB(1)
#define MACHINE_MAX_RAM		GIB(3)
#define MACHINE_MAX_VIRTIO	8
#define NR_EXIT_REASONS		64

/* Three pages and one more for Intel CPUs that cannot run real mode as it is. */
#define MACHINE_INTEL_PAGES	0xfffbc000ULL
#define MACHINE_INTEL_PAGES_END	0xfffc0000ULL

enum cpu_mode {
	MODE_REAL,
	MODE_PROTECTED,
	MODE_LONG,
};

/**
 * struct boot_state - where and how vCPUs start
 * @mode: CPU mode of a starting vCPU
 * @entry: guest-physical address of vCPU 0's first instruction
 * @multiboot: whether the image asked for the multiboot protocol
 * @name: image file, for messages and the boot information
 * @cmdline: command line for the guest
 */
struct boot_state {
	enum cpu_mode mode;
	u64 entry;
	bool multiboot;
	const char *name;
	const char *cmdline;
};

enum vcpu_state {
	VCPU_OFF,
	VCPU_RUNNING,
	VCPU_WAITING,
};

struct machine;
struct virtio;

/**
 * struct vcpu - one virtual CPU and its thread
 * @m: (c) machine
 * @index: (c) number from 0
 * @fd: (c) vCPU file
 * @run: (c) shared page; the contents are (v) but for immediate_exit
 * @thread: (c) runs the vCPU
 * @state: (L) off until started, waiting after HLT with interrupts on
 * @start: (L) address to start at when @start_pending
 * @start_pending: (L) another vCPU asked for a start
 * @pending: (L) external interrupts not injected yet, one bit per vector
 * @nmi: (L) an NMI not injected yet
 * @wake: (L) signalled when any of the three above changes
 * @latch: (D) start address last written by this vCPU
 * @exits: (v) exits by reason, the last for reasons beyond the table
 * @interrupted: (v) KVM_RUN calls that a signal ended
 */
struct vcpu {
	struct machine *m;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	enum vcpu_state state;
	u64 start;
	bool start_pending;
	u64 pending[4];
	bool nmi;
	pthread_cond_t wake;
	u32 latch;
	u64 exits[NR_EXIT_REASONS];
	u64 interrupted;
};

/**
 * struct machine - the guest as a whole
 * @hv: (c) hypervisor device
 * @vm: (c) VM file
 * @mmu_mode: (c) UMBRA_MMU_MODE_*; 0 where the hypervisor has no modes, and before
 *	machine_create() for its default
 * @pc: (c) a PC with the hypervisor's interrupt controllers and timer, which then starts and
 *	wakes vCPUs; set before machine_create()
 * @reboots: (c) how often its guest has rebooted, which each time makes another machine
 * @ram: (c) guest memory, guest-physical 0 and up
 * @ram_size: (c) in bytes
 * @nr_vcpus: (c) number of @vcpus
 * @vcpus: (c) virtual CPUs
 * @cpuid: (c) CPUID table all vCPUs get
 * @boot: (c) start state
 * @main: (c) thread that waits for the end
 * @lock: the machine lock
 * @active: (L) vCPUs that run or are about to
 * @ended: set with @lock held once the guest is over, read anywhere
 * @status: (L) exit status, valid when @ended
 * @guest_value: (L) what the guest wrote to the debug exit port, or -1
 * @culprit: (L) vCPU that ended the machine, or NULL
 * @detail: (L) why, one sentence
 * @output: (c) what the consoles write to; it has no need of a lock
 * @dev_lock: the device lock
 * @serial: (D) serial port
 * @testdev: (D) MMIO test device
 * @serial_irq: (D) interrupt line of @serial, on a PC
 * @rtc: (D) clock, on a PC
 * @pm_enable: (D) ACPI's event enable register, on a PC
 * @pm_control: (D) ACPI's control register, on a PC
 * @nr_virtio: (c) number of @virtio
 * @virtio: (c) virtio devices, on a PC
 * @unclaimed: (D) accesses to ports and addresses nothing answers
 */
struct machine {
	struct hypervisor hv;
	int vm;
	u32 mmu_mode;
	bool pc;
	unsigned int reboots;
	u8 *ram;
	u64 ram_size;
	unsigned int nr_vcpus;
	struct vcpu *vcpus;
	struct kvm_cpuid2 *cpuid;
	struct boot_state boot;
	pthread_t main;
	pthread_mutex_t lock;
	unsigned int active;
	atomic_bool ended;
	int status;
	long long guest_value;
	struct vcpu *culprit;
	char detail[256];
	struct output output;
	pthread_mutex_t dev_lock;
	struct serial serial;
	struct testdev testdev;
	struct irq_line serial_irq;
	struct rtc rtc;
	u16 pm_enable;
	u16 pm_control;
	unsigned int nr_virtio;
	struct virtio *virtio[MACHINE_MAX_VIRTIO];
	u64 unclaimed;
};

int machine_create(struct machine *m, const char *device, u64 ram_size, unsigned int cpus);
void machine_destroy(struct machine *m);
int machine_start(struct machine *m);
void machine_join(struct machine *m);
void machine_end(struct machine *m, struct vcpu *v, int status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * machine_ram() - Look up guest memory.
 * @m: machine
 * @gpa: guest-physical address
 * @size: bytes wanted
 *
 * Return: host pointer, or NULL when any of it is not memory.
 */
static inline void *machine_ram(const struct machine *m, u64 gpa, u64 size)
{
	if (gpa > m->ram_size || size > m->ram_size - gpa)
		return NULL;
	return m->ram + gpa;
}

#endif
