// SPDX-License-Identifier: GPL-2.0
/*
 * The MMIO test device. Owns its registers; knows nothing of vCPUs or exits.
 *
 * Callers hold the device lock.
 */
#include <string.h>

#include "testdev.h"

/**
 * testdev_owns() - Whether an access is for this device.
 * @gpa: guest-physical address
 * @len: bytes
 *
 * Return: true when all of it lies in the device's page.
 */
bool testdev_owns(u64 gpa, u32 len)
{
	return gpa >= TESTDEV_BASE && len <= TESTDEV_SIZE &&
	       gpa - TESTDEV_BASE <= TESTDEV_SIZE - len;
}

static bool within(u32 offset, u32 len, u32 reg, u32 size)
{
	return offset >= reg && offset + len <= reg + size;
}

static void complement(u8 *data, const u8 *from, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		data[i] = ~from[i];
}

static void read_reg(struct testdev *d, u32 offset, u8 *data, u32 len)
{
	const u64 id = TESTDEV_ID;

	if (within(offset, len, TESTDEV_REG_ID, 8)) {
		memcpy(data, (const u8 *)&id + offset, len);
	} else if (within(offset, len, TESTDEV_REG_SCRATCH, 8)) {
		memcpy(data, d->scratch + offset - TESTDEV_REG_SCRATCH, len);
	} else if (offset == TESTDEV_REG_COUNTER && len <= 8) {
		d->counter++;
		memcpy(data, &d->counter, len);
	} else if (within(offset, len, TESTDEV_REG_ECHO, 8)) {
		complement(data, d->echo + offset - TESTDEV_REG_ECHO, len);
	} else if (within(offset, len, TESTDEV_REG_LAST, 4)) {
		memcpy(data, (u8 *)&d->last + offset - TESTDEV_REG_LAST, len);
	} else if (within(offset, len, TESTDEV_BUFFER, TESTDEV_BUFFER_SIZE)) {
		memcpy(data, d->buffer + offset - TESTDEV_BUFFER, len);
	} else {
		memset(data, 0xff, len);
	}
}

static void write_reg(struct testdev *d, u32 offset, const u8 *data, u32 len)
{
	if (within(offset, len, TESTDEV_REG_SCRATCH, 8)) {
		memcpy(d->scratch + offset - TESTDEV_REG_SCRATCH, data, len);
	} else if (offset == TESTDEV_REG_COUNTER && len <= 8) {
		d->counter = 0;
		memcpy(&d->counter, data, len);
	} else if (within(offset, len, TESTDEV_REG_ECHO, 8)) {
		memcpy(d->echo + offset - TESTDEV_REG_ECHO, data, len);
	} else if (within(offset, len, TESTDEV_BUFFER, TESTDEV_BUFFER_SIZE)) {
		memcpy(d->buffer + offset - TESTDEV_BUFFER, data, len);
	}
}

/**
 * testdev_access() - The guest reads or writes the device.
 * @d: device
 * @gpa: address, testdev_owns() it
 * @data: bytes read or to write
 * @len: number of bytes
 * @write: direction
 */
void testdev_access(struct testdev *d, u64 gpa, u8 *data, u32 len, bool write)
{
	u32 offset = gpa - TESTDEV_BASE;

	if (write)
		write_reg(d, offset, data, len);
	else
		read_reg(d, offset, data, len);
	/* Reading the record must not change it. */
	if (!within(offset, len, TESTDEV_REG_LAST, 4))
		d->last = len | (write ? TESTDEV_LAST_WRITE : 0) | offset << 16;
}
