// SPDX-License-Identifier: GPL-2.0
/*
 * virtio console, one port: what the guest sends goes to the machine's output, what comes for
 * it waits here until the guest has given buffers for it.
 */
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "umbra.h"
#include "virtio_dev.h"

#define RECEIVE_QUEUE	0
#define TRANSMIT_QUEUE	1
#define INPUT_MAX	256
/* No driver sends that much at once; what is beyond is dropped. */
#define MAX_REQUEST	MIB(1)

/**
 * struct console_state - what is on the way
 * @input: (the device's lock) bytes for the guest
 * @n: of @input
 */
struct console_state {
	u8 input[INPUT_MAX];
	size_t n;
};

static void transmit(struct virtio *d)
{
	struct virtqueue *q = &d->queues[TRANSMIT_QUEUE];
	struct vq_chain chain;
	unsigned int i, n;

	while (vq_pop(d->m, q, &chain)) {
		n = iov_cut(chain.out, chain.nr_out, MAX_REQUEST);
		for (i = 0; i < n; i++)
			output_write(&d->m->output, chain.out[i].iov_base, chain.out[i].iov_len);
		virtio_done(d, q, &chain, 0);
	}
	virtio_check(d, q);
}

static void deliver(struct virtio *d)
{
	struct console_state *s = d->state;
	struct virtqueue *q = &d->queues[RECEIVE_QUEUE];
	struct vq_chain chain;
	size_t done;

	while (s->n && vq_pop(d->m, q, &chain)) {
		done = iov_put(chain.in, chain.nr_in, 0, s->input, s->n);
		s->n -= done;
		memmove(s->input, s->input + done, s->n);
		virtio_done(d, q, &chain, done);
	}
	virtio_check(d, q);
}

static void service(struct virtio *d)
{
	transmit(d);
	deliver(d);
}

static void destroy(struct virtio *d)
{
	free(d->state);
}

static const struct virtio_kind kind = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.nr_queues = 2,
	.service = service,
	.destroy = destroy,
};

/**
 * virtio_console_add() - Give the machine a console.
 * @m: machine whose vCPUs do not run
 *
 * Return: device, or NULL after a message.
 */
struct virtio *virtio_console_add(struct machine *m)
{
	struct console_state *s = calloc(1, sizeof(*s));
	struct virtio *d;

	if (!s) {
		complain("no memory for a console");
		return NULL;
	}
	d = virtio_add(m, &kind, s);
	/* Columns, rows, ports, emergency output: none of these features is offered. */
	if (d)
		d->config_size = 12;
	return d;
}

/**
 * virtio_console_receive() - Bytes arrive at the console.
 * @d: device from virtio_console_add()
 * @bytes: what arrives
 * @n: number of @bytes
 *
 * Return: how many of them there was room for.
 */
size_t virtio_console_receive(struct virtio *d, const u8 *bytes, size_t n)
{
	struct console_state *s = d->state;

	pthread_mutex_lock(&d->lock);
	if (n > INPUT_MAX - s->n)
		n = INPUT_MAX - s->n;
	memcpy(s->input + s->n, bytes, n);
	s->n += n;
	pthread_mutex_unlock(&d->lock);
	virtio_kick(d);
	return n;
}
