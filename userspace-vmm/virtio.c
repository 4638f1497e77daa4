// SPDX-License-Identifier: GPL-2.0
/*
 * virtio devices as the machine's parts: make them, run their threads, tell the driver of
 * what was done. A thread for each, so that a slow disk holds up nobody else.
 *
 * Registers are virtio_mmio.c's, queues virtqueue.c's, requests the kinds'.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "umbra.h"
#include "virtio.h"

/**
 * virtio_add() - Give the machine one more device.
 * @m: machine whose vCPUs do not run
 * @kind: what it is
 * @state: the kind's own; freed by its destroy, here on failure
 *
 * Return: the device, its features and configuration still to be set, or NULL after a
 * message.
 */
struct virtio *virtio_add(struct machine *m, const struct virtio_kind *kind, void *state)
{
	struct virtio *d = calloc(1, sizeof(*d));

	if (!d || m->nr_virtio == MACHINE_MAX_VIRTIO) {
		complain("no room for another virtio device (%s)", kind->name);
		free(d);
		free(state);
		return NULL;
	}
	d->kind = kind;
	d->m = m;
	d->index = m->nr_virtio;
	d->state = state;
	d->features = BIT_ULL(VIRTIO_F_VERSION_1);
	d->kick = -1;
	irq_init(&d->irq, m, virtio_gsi(d->index));
	pthread_mutex_init(&d->lock, NULL);
	m->virtio[m->nr_virtio++] = d;
	return d;
}

/**
 * virtio_kick() - Make the device's thread look at its queues.
 * @d: device
 */
void virtio_kick(struct virtio *d)
{
	u64 one = 1;

	/* The thread takes all of the counter at once: it does not get full. */
	if (write(d->kick, &one, sizeof(one)) < 0)
		return;
}

static void *serve(void *arg)
{
	struct virtio *d = arg;
	u64 count;

	while (!d->stop) {
		if (read(d->kick, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
		pthread_mutex_lock(&d->lock);
		if (d->status & VIRTIO_CONFIG_S_DRIVER_OK)
			d->kind->service(d);
		pthread_mutex_unlock(&d->lock);
	}
	return NULL;
}

/* Where it is offered, a kick need not leave the kernel. */
static int bind_kick(struct virtio *d)
{
	struct kvm_ioeventfd bind = {
		.addr = virtio_base(d->index) + VIRTIO_MMIO_QUEUE_NOTIFY,
		.len = 4,
		.fd = d->kick,
	};

	if (!hv_capability(&d->m->hv, KVM_CAP_IOEVENTFD) || !ioctl(d->m->vm, KVM_IOEVENTFD, &bind))
		return 0;
	complain("%s: cannot bind a %s device: %s", d->m->hv.path, d->kind->name, strerror(errno));
	return -1;
}

static int connect_device(struct virtio *d)
{
	d->kick = eventfd(0, EFD_CLOEXEC);
	if (d->kick < 0) {
		complain("no event for a %s device: %s", d->kind->name, strerror(errno));
		return -1;
	}
	if (bind_kick(d) || irq_bind(&d->irq))
		return -1;
	if (pthread_create(&d->thread, NULL, serve, d)) {
		complain("cannot start the thread of a %s device", d->kind->name);
		return -1;
	}
	d->started = true;
	return 0;
}

/**
 * virtio_start_all() - Connect all devices to the VM and start their threads.
 * @m: machine with a VM
 *
 * Return: 0, or -1 after a message; virtio_stop_all() ends those that were started.
 */
int virtio_start_all(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_virtio; i++)
		if (connect_device(m->virtio[i]))
			return -1;
	return 0;
}

/**
 * virtio_stop_all() - End the threads of all devices.
 * @m: machine whose vCPUs do not run
 */
void virtio_stop_all(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_virtio; i++) {
		struct virtio *d = m->virtio[i];

		if (!d->started)
			continue;
		d->stop = true;
		virtio_kick(d);
		pthread_join(d->thread, NULL);
		d->started = false;
	}
}

/**
 * virtio_destroy_all() - Take all devices down.
 * @m: machine, their threads ended
 */
void virtio_destroy_all(struct machine *m)
{
	while (m->nr_virtio) {
		struct virtio *d = m->virtio[--m->nr_virtio];

		if (d->kind->destroy)
			d->kind->destroy(d);
		irq_release(&d->irq);
		if (d->kick >= 0)
			close(d->kick);
		pthread_mutex_destroy(&d->lock);
		free(d);
	}
}

/**
 * virtio_interrupt() - Interrupt the driver.
 * @d: device, its lock held
 * @reason: VIRTIO_MMIO_INT_*
 */
void virtio_interrupt(struct virtio *d, u32 reason)
{
	atomic_fetch_or(&d->isr, reason);
	irq_pulse(&d->irq);
}

/**
 * virtio_done() - Give a request back, and tell the driver if it wants to know.
 * @d: device, its lock held
 * @q: queue the request came from
 * @chain: request
 * @written: bytes written to it
 */
void virtio_done(struct virtio *d, struct virtqueue *q, const struct vq_chain *chain, u32 written)
{
	vq_push(d->m, q, chain, written);
	if (vq_interrupt_wanted(d->m, q))
		virtio_interrupt(d, VIRTIO_MMIO_INT_VRING);
}

/**
 * virtio_check() - Tell a driver that broke the rules that its device needs a reset.
 * @d: device, its lock held
 * @q: queue that was just used
 */
void virtio_check(struct virtio *d, const struct virtqueue *q)
{
	if (!q->broken || d->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_interrupt(d, VIRTIO_MMIO_INT_CONFIG);
}
