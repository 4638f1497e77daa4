// SPDX-License-Identifier: GPL-2.0
/*
 * Registers of a virtio device: negotiation of features, setup of queues, reset, the
 * interrupt's reasons, the device's configuration.
 *
 * What the driver writes is kept as it is; setting a queue up or going on after a breach
 * of the rules is refused here.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "virtio.h"

#define MAGIC		0x74726976	/* "virt" in memory order */
#define VERSION		2
#define VENDOR		0x41524d55	/* "UMRA" in memory order */
#define STATUS_BITS	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
			 VIRTIO_CONFIG_S_FAILED)

/**
 * virtio_at() - Which device answers an access.
 * @m: machine
 * @gpa: guest-physical address
 * @len: bytes
 *
 * Return: device, or NULL.
 */
struct virtio *virtio_at(const struct machine *m, u64 gpa, u32 len)
{
	u64 offset = gpa - VIRTIO_BASE;

	if (gpa < VIRTIO_BASE || offset >= m->nr_virtio * (u64)VIRTIO_SIZE ||
	    offset % VIRTIO_SIZE + len > VIRTIO_SIZE)
		return NULL;
	return m->virtio[offset / VIRTIO_SIZE];
}

static struct virtqueue *selected(struct virtio *d)
{
	return d->queue_sel < d->kind->nr_queues ? &d->queues[d->queue_sel] : NULL;
}

static void reset(struct virtio *d)
{
	unsigned int i;

	for (i = 0; i < VIRTIO_MAX_QUEUES; i++)
		vq_reset(&d->queues[i]);
	d->status = 0;
	d->features_sel = 0;
	d->driver_sel = 0;
	d->driver = 0;
	d->queue_sel = 0;
	d->isr = 0;
}

static void write_status(struct virtio *d, u32 value)
{
	if (!value) {
		reset(d);
		return;
	}
	/* Features that were not offered, or the old protocol, are no agreement. */
	if (d->driver & ~d->features || !(d->driver & BIT_ULL(VIRTIO_F_VERSION_1)))
		value &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(value & VIRTIO_CONFIG_S_FEATURES_OK))
		value &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	d->status = (d->status & VIRTIO_CONFIG_S_NEEDS_RESET) | (value & STATUS_BITS);
	/* What was put into the queues before that has waited for it. */
	if (value & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_kick(d);
}

static void write_driver_features(struct virtio *d, u32 value)
{
	unsigned int shift = 32 * d->driver_sel;

	if (d->driver_sel > 1 || d->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	d->driver = (d->driver & ~(0xffffffffULL << shift)) | (u64)value << shift;
}

static void write_ready(struct virtio *d, struct virtqueue *q, u32 value)
{
	if (!(value & 1))
		q->ready = false;
	else if (!q->ready && !vq_enable(d->m, q))
		virtio_check(d, q);
}

static void set_half(u64 *address, u32 value, bool high)
{
	if (high)
		*address = (*address & 0xffffffffULL) | (u64)value << 32;
	else
		*address = (*address & ~0xffffffffULL) | value;
}

/* Size and places of a queue stay as they are while it is in use. */
static void write_queue(struct virtio *d, u32 reg, u32 value)
{
	struct virtqueue *q = selected(d);

	if (!q)
		return;
	if (reg == VIRTIO_MMIO_QUEUE_READY) {
		write_ready(d, q, value);
		return;
	}
	if (q->ready)
		return;
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->desc, value, reg == VIRTIO_MMIO_QUEUE_DESC_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->avail, value, reg == VIRTIO_MMIO_QUEUE_AVAIL_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used, value, reg == VIRTIO_MMIO_QUEUE_USED_HIGH);
		break;
	}
}

static void write_register(struct virtio *d, u32 reg, u32 value)
{
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->driver_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_driver_features(d, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->queue_sel = value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(d, value);
		break;
	default:
		write_queue(d, reg, value);
		break;
	}
}

static u32 read_register(struct virtio *d, u32 reg)
{
	const struct virtqueue *q = selected(d);

	switch (reg) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->kind->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return d->features_sel > 1 ? 0 : d->features >> 32 * d->features_sel;
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? VIRTQUEUE_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q && q->ready;
	case VIRTIO_MMIO_STATUS:
		return d->status;
	default:
		return 0;
	}
}

static void access_config(struct virtio *d, u32 offset, u8 *data, u32 len, bool write)
{
	/* No device here has anything in it that a driver may change. */
	if (write)
		return;
	memset(data, 0, len);
	if (offset < d->config_size && len <= d->config_size - offset)
		memcpy(data, d->config + offset, len);
}

/* Those used at each interrupt: no lock, so that they wait for no request. */
static bool access_quickly(struct virtio *d, u32 reg, u8 *data, bool write)
{
	u32 value;

	memcpy(&value, data, sizeof(value));
	if (write && reg == VIRTIO_MMIO_QUEUE_NOTIFY) {
		virtio_kick(d);
	} else if (write && reg == VIRTIO_MMIO_INTERRUPT_ACK) {
		atomic_fetch_and(&d->isr, ~value);
	} else if (!write && reg == VIRTIO_MMIO_INTERRUPT_STATUS) {
		value = d->isr;
		memcpy(data, &value, sizeof(value));
	} else {
		return false;
	}
	return true;
}

/**
 * virtio_access() - The guest reads or writes a device's registers.
 * @d: device
 * @gpa: address, virtio_at() is @d
 * @data: bytes read or to write
 * @len: number of bytes
 * @write: direction
 *
 * Context: vCPU thread. A write of the status register waits for the request at work.
 */
void virtio_access(struct virtio *d, u64 gpa, u8 *data, u32 len, bool write)
{
	u32 offset = gpa % VIRTIO_SIZE;
	u32 value = 0;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		access_config(d, offset - VIRTIO_MMIO_CONFIG, data, len, write);
		return;
	}
	/* Registers are 32 bits wide; other accesses have no meaning. */
	if (len != sizeof(value) || offset % sizeof(value)) {
		if (!write)
			memset(data, 0, len);
		return;
	}
	if (access_quickly(d, offset, data, write))
		return;
	pthread_mutex_lock(&d->lock);
	if (write) {
		memcpy(&value, data, sizeof(value));
		write_register(d, offset, value);
	} else {
		value = read_register(d, offset);
		memcpy(data, &value, sizeof(value));
	}
	pthread_mutex_unlock(&d->lock);
}
