// SPDX-License-Identifier: GPL-2.0
/*
 * virtio source of random numbers: the host's, as many as the guest asks for.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "virtio_dev.h"

/* A request for more gets less, which the specification allows. */
#define MAX_REQUEST	4096

static void service(struct virtio *d)
{
	struct virtqueue *q = &d->queues[0];
	u8 bytes[MAX_REQUEST];
	struct vq_chain chain;
	ssize_t n;

	while (vq_pop(d->m, q, &chain)) {
		n = getrandom(bytes, chain.in_size < sizeof(bytes) ? chain.in_size : sizeof(bytes),
			      0);
		if (n < 0)
			n = 0;
		virtio_done(d, q, &chain, iov_put(chain.in, chain.nr_in, 0, bytes, n));
	}
	virtio_check(d, q);
}

static const struct virtio_kind kind = {
	.name = "random number",
	.id = VIRTIO_ID_RNG,
	.nr_queues = 1,
	.service = service,
};

/*
 * Later the device's lock is held, and vCPUs wait for that. No request of MAX_REQUEST or less
 * blocks any more once the first one has been answered.
 */
static void wait_for_pool(void)
{
	u8 byte;

	while (getrandom(&byte, sizeof(byte), 0) < 0 && errno == EINTR)
		;
}

/**
 * virtio_rng_add() - Give the machine a source of random numbers.
 * @m: machine whose vCPUs do not run
 *
 * Context: main thread; SIGINT and SIGTERM end the program. Waits, without a limit, until a host
 * that has just booted has random numbers at all: to wait for them makes it gather them, which
 * takes about a second.
 *
 * Return: 0, or -1 after a message.
 */
int virtio_rng_add(struct machine *m)
{
	wait_for_pool();
	return virtio_add(m, &kind, NULL) ? 0 : -1;
}
