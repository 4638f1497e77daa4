/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The clock and the bytes of CMOS memory of a PC, without alarm and interrupts.
 */
#ifndef UMBRA_VMM_RTC_H
#define UMBRA_VMM_RTC_H

#include <time.h>

#include "types.h"

#define RTC_PORT_INDEX	0x70
#define RTC_PORT_DATA	0x71
#define RTC_BYTES	128

/**
 * struct rtc - state of the chip
 * @index: byte that the data port reaches
 * @ram: the bytes; those of the time only while it is being set
 * @ahead: seconds the guest's clock is ahead of the host's
 */
struct rtc {
	u8 index;
	u8 ram[RTC_BYTES];
	long long ahead;
};

void rtc_init(struct rtc *r);
void rtc_write(struct rtc *r, u16 port, u8 value, time_t now);
u8 rtc_read(const struct rtc *r, u16 port, time_t now);

#endif
