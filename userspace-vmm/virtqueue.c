// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues: take the driver's requests out of guest memory, put answers back.
 *
 * Vetting the driver is done here and nowhere else: what a chain names is guest memory,
 * all of it, and there is an end to it. Requests and their meaning are the devices'.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtqueue.h"

/**
 * vq_reset() - Forget all that the driver said.
 * @q: queue
 */
void vq_reset(struct virtqueue *q)
{
	memset(q, 0, sizeof(*q));
}

static bool aligned(u64 address, u64 to)
{
	return !(address & (to - 1));
}

static u64 avail_bytes(u32 size)
{
	return 4 + 2 * (u64)size;
}

static u64 used_bytes(u32 size)
{
	return 4 + sizeof(struct vring_used_elem) * (u64)size;
}

/**
 * vq_enable() - The driver says that the queue is set up.
 * @m: machine whose memory it lies in
 * @q: queue, addresses and size as the driver wrote them
 *
 * Return: false when any of it is not in memory, not aligned, or no possible size; the
 * queue is broken then.
 */
bool vq_enable(const struct machine *m, struct virtqueue *q)
{
	bool good = q->size && q->size <= VIRTQUEUE_MAX && aligned(q->size, q->size) &&
		    aligned(q->desc, 16) && aligned(q->avail, 2) && aligned(q->used, 4) &&
		    machine_ram(m, q->desc, sizeof(struct vring_desc) * (u64)q->size) &&
		    machine_ram(m, q->avail, avail_bytes(q->size)) &&
		    machine_ram(m, q->used, used_bytes(q->size));

	q->ready = good;
	q->broken = !good;
	q->next = 0;
	q->done = 0;
	return good;
}

static u16 load16(const struct machine *m, u64 gpa)
{
	return __atomic_load_n((u16 *)(m->ram + gpa), __ATOMIC_ACQUIRE);
}

/* A copy, so that what was checked is what is used. */
static struct vring_desc load_desc(const struct machine *m, const struct virtqueue *q, u16 index)
{
	const volatile struct vring_desc *desc = (void *)(m->ram + q->desc);

	return (struct vring_desc){
		.addr = desc[index].addr,
		.len = desc[index].len,
		.flags = desc[index].flags,
		.next = desc[index].next,
	};
}

static bool add_buffer(struct vq_chain *chain, const struct vring_desc *d, void *host)
{
	struct iovec buffer = { .iov_base = host, .iov_len = d->len };

	if (d->flags & VRING_DESC_F_WRITE) {
		chain->in[chain->nr_in++] = buffer;
		chain->in_size += d->len;
		return true;
	}
	/* What the device reads comes before what it writes. */
	if (chain->nr_in)
		return false;
	chain->out[chain->nr_out++] = buffer;
	chain->out_size += d->len;
	return true;
}

static bool collect(const struct machine *m, const struct virtqueue *q, struct vq_chain *chain)
{
	u16 index = chain->head;
	struct vring_desc d;
	unsigned int i;
	void *host;

	/* More steps than descriptors is a loop. */
	for (i = 0; i < q->size; i++) {
		if (index >= q->size)
			return false;
		d = load_desc(m, q, index);
		host = machine_ram(m, d.addr, d.len);
		if (!host || d.flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE))
			return false;
		if (!add_buffer(chain, &d, host))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		index = d.next;
	}
	return false;
}

/**
 * vq_pop() - Take the next request.
 * @m: machine
 * @q: queue
 * @chain: filled in
 *
 * Return: false when there is none, or the queue is, or has just become, broken.
 */
bool vq_pop(const struct machine *m, struct virtqueue *q, struct vq_chain *chain)
{
	u16 waiting;

	if (!q->ready || q->broken)
		return false;
	waiting = load16(m, q->avail + 2) - q->next;
	if (!waiting)
		return false;
	chain->head = load16(m, q->avail + 4 + 2 * (q->next % q->size));
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_size = 0;
	chain->in_size = 0;
	if (waiting > q->size || !collect(m, q, chain)) {
		q->broken = true;
		return false;
	}
	q->next++;
	return true;
}

/**
 * vq_push() - Give a request back.
 * @m: machine
 * @q: queue it came from
 * @chain: request
 * @written: bytes written to it
 */
void vq_push(const struct machine *m, struct virtqueue *q, const struct vq_chain *chain,
	     u32 written)
{
	struct vring_used_elem *ring = (void *)(m->ram + q->used + 4);

	if (!q->ready || q->broken)
		return;
	ring[q->done % q->size] = (struct vring_used_elem){ .id = chain->head, .len = written };
	q->done++;
	/* The entry has to be there before the index says so. */
	__atomic_store_n((u16 *)(m->ram + q->used + 2), q->done, __ATOMIC_RELEASE);
}

/**
 * vq_interrupt_wanted() - Whether the driver wants to hear of what was given back.
 * @m: machine
 * @q: queue
 *
 * Return: true unless it has said that it polls.
 */
bool vq_interrupt_wanted(const struct machine *m, const struct virtqueue *q)
{
	if (!q->ready || q->broken)
		return false;
	/* Reading this before the driver sees the index could lose an interrupt. */
	atomic_thread_fence(memory_order_seq_cst);
	return !(load16(m, q->avail) & VRING_AVAIL_F_NO_INTERRUPT);
}

/**
 * iov_take() - Copy the first bytes of a list of buffers, and drop them from it.
 * @iov: list; moved forward
 * @n: its length; made less
 * @to: where to
 * @size: bytes wanted
 *
 * Return: bytes copied, fewer than @size at the end of the list.
 */
size_t iov_take(struct iovec **iov, unsigned int *n, void *to, size_t size)
{
	size_t done = 0, piece;

	while (*n && done < size) {
		piece = (*iov)->iov_len < size - done ? (*iov)->iov_len : size - done;
		memcpy((u8 *)to + done, (*iov)->iov_base, piece);
		done += piece;
		(*iov)->iov_base = (u8 *)(*iov)->iov_base + piece;
		(*iov)->iov_len -= piece;
		if ((*iov)->iov_len)
			break;
		(*iov)++;
		(*n)--;
	}
	return done;
}

/**
 * iov_put() - Copy bytes into a list of buffers.
 * @iov: list
 * @n: its length
 * @offset: where in the list to begin
 * @from: bytes
 * @size: how many
 *
 * Return: bytes copied, fewer than @size at the end of the list.
 */
size_t iov_put(const struct iovec *iov, unsigned int n, u64 offset, const void *from, size_t size)
{
	size_t done = 0, piece;

	for (; n && done < size; iov++, n--) {
		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		piece = iov->iov_len - offset;
		if (piece > size - done)
			piece = size - done;
		memcpy((u8 *)iov->iov_base + offset, (const u8 *)from + done, piece);
		done += piece;
		offset = 0;
	}
	return done;
}

/**
 * iov_cut() - Shorten a list of buffers.
 * @iov: list; the buffer in which it ends now is shortened
 * @n: its length
 * @size: bytes that remain
 *
 * Return: its new length.
 */
unsigned int iov_cut(struct iovec *iov, unsigned int n, u64 size)
{
	unsigned int i;

	for (i = 0; i < n && size; i++) {
		if (iov[i].iov_len > size)
			iov[i].iov_len = size;
		size -= iov[i].iov_len;
	}
	return i;
}
