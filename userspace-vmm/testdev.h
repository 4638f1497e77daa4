/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The MMIO test device: a page of registers that let a guest check every width,
 * direction and order of memory-mapped access. umbra.1 has the register list.
 */
#ifndef UMBRA_VMM_TESTDEV_H
#define UMBRA_VMM_TESTDEV_H

#include "types.h"

#define TESTDEV_BASE		0xd0000000ULL
#define TESTDEV_SIZE		0x1000
#define TESTDEV_ID		0x41524d55u	/* "UMRA" in memory order */

#define TESTDEV_REG_ID		0x00
#define TESTDEV_REG_SCRATCH	0x08
#define TESTDEV_REG_COUNTER	0x10
#define TESTDEV_REG_ECHO	0x18
#define TESTDEV_REG_LAST	0x20
#define TESTDEV_BUFFER		0x100
#define TESTDEV_BUFFER_SIZE	0x100

#define TESTDEV_LAST_WRITE	(1u << 8)

/**
 * struct testdev - registers of the device
 * @scratch: keeps what is written, byte by byte
 * @counter: reads as a number one higher each time, writes set it
 * @echo: reads as the complement of what was written
 * @last: the access before: length, direction, offset << 16
 * @buffer: plain memory, reached by exits
 */
struct testdev {
	u8 scratch[8];
	u64 counter;
	u8 echo[8];
	u32 last;
	u8 buffer[TESTDEV_BUFFER_SIZE];
};

bool testdev_owns(u64 gpa, u32 len);
void testdev_access(struct testdev *d, u64 gpa, u8 *data, u32 len, bool write);

#endif
