/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtio 1.x devices behind registers in memory (virtio-mmio, version 2): what is common
 * to all of them, and what each one brings.
 */
#ifndef UMBRA_VMM_VIRTIO_H
#define UMBRA_VMM_VIRTIO_H

#include <pthread.h>

#include "irq.h"
#include "virtqueue.h"

#define VIRTIO_BASE		0xd1000000ULL
#define VIRTIO_SIZE		0x1000
#define VIRTIO_FIRST_GSI	16
#define VIRTIO_MAX_QUEUES	2
#define VIRTIO_CONFIG_MAX	64

struct virtio;

/**
 * struct virtio_kind - what a kind of device brings
 * @name: for messages
 * @id: device number of the virtio specification
 * @nr_queues: up to VIRTIO_MAX_QUEUES
 * @service: something may have come by a queue; called with the device's lock held
 * @destroy: free @state; NULL for nothing
 */
struct virtio_kind {
	const char *name;
	u32 id;
	unsigned int nr_queues;
	void (*service)(struct virtio *d);
	void (*destroy)(struct virtio *d);
};

/**
 * struct virtio - one device. A letter says what guards it: (c) constant once the vCPUs
 * run, (l) @lock, (a) atomic.
 * @kind: (c) what it is
 * @m: (c) machine
 * @index: (c) number among the machine's devices
 * @state: (c) the kind's own
 * @features: (c) offered feature bits
 * @config: (c) device configuration space
 * @config_size: (c) bytes of @config
 * @irq: (l) interrupt line
 * @kick: (c) eventfd, written when the device has something to do
 * @stop: (a) the thread shall end
 * @started: (c) @thread exists
 * @thread: (c) serves the queues
 * @lock: the device's lock, after the machine's device lock
 * @status: (l) status register
 * @features_sel: (l) which half of @features is read
 * @driver_sel: (l) which half of @driver is written
 * @driver: (l) feature bits the driver took
 * @queue_sel: (l) queue that the queue registers mean
 * @queues: (l) the queues
 * @isr: (a) reasons of the last interrupts
 */
struct virtio {
	const struct virtio_kind *kind;
	struct machine *m;
	unsigned int index;
	void *state;
	u64 features;
	u8 config[VIRTIO_CONFIG_MAX];
	u32 config_size;
	struct irq_line irq;
	int kick;
	atomic_bool stop;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	u32 status;
	u32 features_sel;
	u32 driver_sel;
	u64 driver;
	u32 queue_sel;
	struct virtqueue queues[VIRTIO_MAX_QUEUES];
	atomic_uint isr;
};

static inline u64 virtio_base(unsigned int index)
{
	return VIRTIO_BASE + index * (u64)VIRTIO_SIZE;
}

static inline u32 virtio_gsi(unsigned int index)
{
	return VIRTIO_FIRST_GSI + index;
}

struct virtio *virtio_add(struct machine *m, const struct virtio_kind *kind, void *state);
int virtio_start_all(struct machine *m);
void virtio_stop_all(struct machine *m);
void virtio_destroy_all(struct machine *m);
void virtio_kick(struct virtio *d);
void virtio_done(struct virtio *d, struct virtqueue *q, const struct vq_chain *chain, u32 written);
void virtio_check(struct virtio *d, const struct virtqueue *q);

/* The registers, virtio_mmio.c. */
struct virtio *virtio_at(const struct machine *m, u64 gpa, u32 len);
void virtio_access(struct virtio *d, u64 gpa, u8 *data, u32 len, bool write);
void virtio_interrupt(struct virtio *d, u32 reason);

#endif
