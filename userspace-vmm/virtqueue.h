/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues of virtio 1.x as the device sees them.
 *
 * All of a queue is the guest's memory: whatever is read of it is checked, once, and
 * a queue that breaks the rules is broken until it is set up again.
 */
#ifndef UMBRA_VMM_VIRTQUEUE_H
#define UMBRA_VMM_VIRTQUEUE_H

#include <sys/uio.h>

#include "machine.h"

#define VIRTQUEUE_MAX	128

/**
 * struct virtqueue - one queue
 * @size: entries, a power of two up to VIRTQUEUE_MAX
 * @ready: the driver has set it up
 * @broken: the driver broke the rules
 * @desc: guest-physical address of the descriptor table
 * @avail: of the driver's ring
 * @used: of the device's ring
 * @next: index of the next entry of the driver's ring
 * @done: index of the next entry of the device's ring
 */
struct virtqueue {
	u32 size;
	bool ready;
	bool broken;
	u64 desc;
	u64 avail;
	u64 used;
	u16 next;
	u16 done;
};

/**
 * struct vq_chain - one request: buffers to read from, then buffers to write to
 * @head: its first descriptor, which names it
 * @nr_out: number of @out
 * @nr_in: number of @in
 * @out_size: bytes the device may read
 * @in_size: bytes the device may write
 * @out: host addresses to read from
 * @in: host addresses to write to
 */
struct vq_chain {
	u16 head;
	unsigned int nr_out;
	unsigned int nr_in;
	u64 out_size;
	u64 in_size;
	struct iovec out[VIRTQUEUE_MAX];
	struct iovec in[VIRTQUEUE_MAX];
};

void vq_reset(struct virtqueue *q);
bool vq_enable(const struct machine *m, struct virtqueue *q);
bool vq_pop(const struct machine *m, struct virtqueue *q, struct vq_chain *chain);
void vq_push(const struct machine *m, struct virtqueue *q, const struct vq_chain *chain,
	     u32 written);
bool vq_interrupt_wanted(const struct machine *m, const struct virtqueue *q);

size_t iov_take(struct iovec **iov, unsigned int *n, void *to, size_t size);
size_t iov_put(const struct iovec *iov, unsigned int n, u64 offset, const void *from, size_t size);
unsigned int iov_cut(struct iovec *iov, unsigned int n, u64 size);

#endif
