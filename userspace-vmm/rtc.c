// SPDX-License-Identifier: GPL-2.0
/*
 * CMOS clock: the host's time in UTC, in BCD and 24 hours, and what the guest sets it to.
 *
 * Callers hold the device lock and say what time it is. The clock raises no interrupt.
 */
#include <string.h>

#include "rtc.h"

enum {
	REG_SECONDS = 0x00,
	REG_MINUTES = 0x02,
	REG_HOURS = 0x04,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_CENTURY = 0x32,
};

#define A_DIVIDER	0x26	/* 32768 Hz, 1024 Hz for an interrupt that never comes */
#define B_24_HOURS	0x02
#define B_SET		0x80
#define D_VALID		0x80

/**
 * rtc_init() - Reset the chip.
 * @r: chip
 */
void rtc_init(struct rtc *r)
{
	memset(r, 0, sizeof(*r));
	r->ram[REG_A] = A_DIVIDER;
	r->ram[REG_B] = B_24_HOURS;
	r->ram[REG_D] = D_VALID;
}

static u8 to_bcd(int n)
{
	return n / 10 << 4 | n % 10;
}

/* What is no BCD gives a number all the same; the guest's clock is its own. */
static int from_bcd(u8 value)
{
	return (value >> 4) * 10 + (value & 0xf);
}

static bool is_time(u8 index)
{
	switch (index) {
	case REG_SECONDS:
	case REG_MINUTES:
	case REG_HOURS:
	case REG_WEEKDAY:
	case REG_DAY:
	case REG_MONTH:
	case REG_YEAR:
	case REG_CENTURY:
		return true;
	default:
		return false;
	}
}

static u8 time_byte(const struct rtc *r, u8 index, time_t now)
{
	time_t when = now + r->ahead;
	struct tm tm;

	if (!gmtime_r(&when, &tm))
		return 0;
	switch (index) {
	case REG_SECONDS:
		return to_bcd(tm.tm_sec);
	case REG_MINUTES:
		return to_bcd(tm.tm_min);
	case REG_HOURS:
		return to_bcd(tm.tm_hour);
	case REG_WEEKDAY:
		return to_bcd(tm.tm_wday + 1);
	case REG_DAY:
		return to_bcd(tm.tm_mday);
	case REG_MONTH:
		return to_bcd(tm.tm_mon + 1);
	case REG_YEAR:
		return to_bcd(tm.tm_year % 100);
	default:
		return to_bcd((tm.tm_year + 1900) / 100 % 100);
	}
}

static void begin_setting(struct rtc *r, time_t now)
{
	u8 i;

	for (i = 0; i < RTC_BYTES; i++)
		if (is_time(i))
			r->ram[i] = time_byte(r, i, now);
}

static void end_setting(struct rtc *r, time_t now)
{
	struct tm tm = {
		.tm_sec = from_bcd(r->ram[REG_SECONDS]),
		.tm_min = from_bcd(r->ram[REG_MINUTES]),
		.tm_hour = from_bcd(r->ram[REG_HOURS]),
		.tm_mday = from_bcd(r->ram[REG_DAY]),
		.tm_mon = from_bcd(r->ram[REG_MONTH]) - 1,
		.tm_year = from_bcd(r->ram[REG_CENTURY]) * 100 + from_bcd(r->ram[REG_YEAR]) - 1900,
	};

	r->ahead = timegm(&tm) - now;
}

static void write_b(struct rtc *r, u8 value, time_t now)
{
	bool was = r->ram[REG_B] & B_SET;

	if (!was && value & B_SET)
		begin_setting(r, now);
	if (was && !(value & B_SET))
		end_setting(r, now);
	/* Format and hours stay as they are; interrupts are not offered. */
	r->ram[REG_B] = (value & B_SET) | B_24_HOURS;
}

/**
 * rtc_write() - The guest writes a port.
 * @r: chip
 * @port: RTC_PORT_INDEX or RTC_PORT_DATA
 * @value: byte
 * @now: the host's time
 */
void rtc_write(struct rtc *r, u16 port, u8 value, time_t now)
{
	if (port == RTC_PORT_INDEX) {
		/* The highest bit masks NMIs on a PC; here none come by it. */
		r->index = value % RTC_BYTES;
	} else if (r->index == REG_B) {
		write_b(r, value, now);
	} else if (is_time(r->index)) {
		if (r->ram[REG_B] & B_SET)
			r->ram[r->index] = value;
	} else if (r->index < REG_A || r->index > REG_D) {
		r->ram[r->index] = value;
	}
}

/**
 * rtc_read() - The guest reads a port.
 * @r: chip
 * @port: RTC_PORT_INDEX or RTC_PORT_DATA
 * @now: the host's time
 *
 * Return: byte.
 */
u8 rtc_read(const struct rtc *r, u16 port, time_t now)
{
	if (port == RTC_PORT_INDEX)
		return 0xff;
	if (is_time(r->index) && !(r->ram[REG_B] & B_SET))
		return time_byte(r, r->index, now);
	return r->ram[r->index];
}
