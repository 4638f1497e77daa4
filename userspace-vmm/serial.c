// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's serial port: registers of a 16550, bytes to and from file descriptors.
 *
 * Without an interrupt controller nothing is ever signalled: a guest polls the
 * line status. Callers hold the device lock.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial.h"

enum {
	REG_DATA,
	REG_IER,
	REG_IIR_FCR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR,
};

#define LCR_DLAB	0x80
#define MCR_LOOP	0x10
#define LSR_DATA	0x01
#define LSR_IDLE	0x60	/* holding and shift register empty */
#define IIR_NONE	0x01
#define IIR_FIFO	0xc0
#define MSR_CONNECTED	0xb0	/* carrier, data set ready, clear to send */

/**
 * serial_init() - Reset the port.
 * @s: port
 * @in_fd: input, or -1
 * @out_fd: output
 * @keep: keep a copy of the output for a report
 */
void serial_init(struct serial *s, int in_fd, int out_fd, bool keep)
{
	memset(s, 0, sizeof(*s));
	s->in_fd = in_fd;
	s->out_fd = out_fd;
	s->keep = keep;
	s->divisor = 1;
	s->lcr = 3;
}

/**
 * serial_destroy() - Write out what is left and free the copy.
 * @s: port
 */
void serial_destroy(struct serial *s)
{
	serial_flush(s);
	free(s->console);
	s->console = NULL;
}

/**
 * serial_flush() - Write the bytes sent so far to the output.
 * @s: port
 *
 * An output that cannot take them loses them: a guest must not hang on it.
 */
void serial_flush(struct serial *s)
{
	size_t done = 0;
	ssize_t n;

	while (done < s->out_len) {
		n = write(s->out_fd, s->out + done, s->out_len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	s->out_len = 0;
}

static void keep_byte(struct serial *s, u8 byte)
{
	size_t size = s->console_size ? 2 * s->console_size : 4096;
	char *larger;

	if (s->console_len == s->console_size) {
		larger = size > SERIAL_CONSOLE_MAX ? NULL : realloc(s->console, size);
		if (!larger) {
			s->truncated = true;
			return;
		}
		s->console = larger;
		s->console_size = size;
	}
	s->console[s->console_len++] = byte;
}

static void send_byte(struct serial *s, u8 byte)
{
	s->polls = 0;
	if (s->mcr & MCR_LOOP) {
		s->rx = byte;
		s->rx_full = true;
		return;
	}
	if (s->keep)
		keep_byte(s, byte);
	s->out[s->out_len++] = byte;
	if (byte == '\n' || s->out_len == sizeof(s->out))
		serial_flush(s);
}

static void receive(struct serial *s)
{
	struct pollfd p = { .fd = s->in_fd, .events = POLLIN };
	ssize_t n;

	if (s->rx_full || s->in_fd < 0 || s->mcr & MCR_LOOP)
		return;
	if (poll(&p, 1, 0) <= 0)
		return;
	n = read(s->in_fd, &s->rx, 1);
	if (n == 1)
		s->rx_full = true;
	else if (n == 0 || errno != EINTR)
		s->in_fd = -1;
}

static u8 line_status(struct serial *s)
{
	/* One look per byte is a sender's; a second one means waiting: show the prompt. */
	if (++s->polls == 2)
		serial_flush(s);
	receive(s);
	return LSR_IDLE | (s->rx_full ? LSR_DATA : 0);
}

static u8 modem_status(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_CONNECTED;
	/* Looped back: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
	return (s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 | (s->mcr & 0x01) << 5;
}

/**
 * serial_write() - The guest writes a register.
 * @s: port
 * @reg: 0 to 7
 * @value: byte
 */
void serial_write(struct serial *s, unsigned int reg, u8 value)
{
	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			s->divisor = (s->divisor & 0xff00) | value;
		else
			send_byte(s, value);
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB)
			s->divisor = (s->divisor & 0xff) | value << 8;
		else
			s->ier = value & 0x0f;
		break;
	case REG_IIR_FCR:
		s->fifo = value & 1;
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & 0x1f;
		break;
	case REG_SCR:
		s->scr = value;
		break;
	}
}

/**
 * serial_read() - The guest reads a register.
 * @s: port
 * @reg: 0 to 7
 *
 * Return: byte.
 */
u8 serial_read(struct serial *s, unsigned int reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			return s->divisor & 0xff;
		receive(s);
		s->rx_full = false;
		return s->rx;
	case REG_IER:
		return dlab ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		return IIR_NONE | (s->fifo ? IIR_FIFO : 0);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return line_status(s);
	case REG_MSR:
		return modem_status(s);
	default:
		return s->scr;
	}
}
