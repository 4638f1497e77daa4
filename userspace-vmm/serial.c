// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's serial port: registers of a 16550, bytes to and from file descriptors.
 *
 * The interrupt line follows the registers, if there is one; without it a guest
 * polls the line status. Callers hold the device lock.
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

#define IER_RECEIVED	0x01
#define IER_EMPTY	0x02
#define LCR_DLAB	0x80
#define MCR_OUT2	0x08	/* lets the interrupt reach the controller */
#define MCR_LOOP	0x10
#define FCR_CLEAR_RX	0x02
#define LSR_DATA	0x01
#define LSR_IDLE	0x60	/* holding and shift register empty */
#define IIR_NONE	0x01
#define IIR_EMPTY	0x02
#define IIR_RECEIVED	0x04
#define IIR_FIFO	0xc0
#define MSR_CONNECTED	0xb0	/* carrier, data set ready, clear to send */

/**
 * serial_init() - Reset the port.
 * @s: port
 * @in_fd: input, or -1
 * @output: where sent bytes go; must outlive the port
 * @keep: keep a copy of the output for a report
 */
void serial_init(struct serial *s, int in_fd, struct output *output, bool keep)
{
	memset(s, 0, sizeof(*s));
	s->in_fd = in_fd;
	s->output = output;
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
	if (s->out_len)
		output_write(s->output, s->out, s->out_len);
	s->out_len = 0;
}

/* What the interrupt identification register says; received bytes go first. */
static u8 reason(const struct serial *s)
{
	if (s->ier & IER_RECEIVED && s->rx_count)
		return IIR_RECEIVED;
	if (s->ier & IER_EMPTY && s->thr_pending)
		return IIR_EMPTY;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	bool level = reason(s) != IIR_NONE && s->mcr & MCR_OUT2 && !(s->mcr & MCR_LOOP);

	if (!s->set_irq || level == s->irq_level)
		return;
	s->irq_level = level;
	s->set_irq(s->irq_context, level);
}

/**
 * serial_connect() - Give the port an interrupt line.
 * @s: port, fresh from serial_init()
 * @set_irq: sets the line's level
 * @context: for @set_irq
 */
void serial_connect(struct serial *s, void (*set_irq)(void *context, bool level), void *context)
{
	s->set_irq = set_irq;
	s->irq_context = context;
}

static void push_byte(struct serial *s, u8 byte)
{
	s->rx[(s->rx_first + s->rx_count++) % SERIAL_FIFO] = byte;
}

/**
 * serial_receive() - Bytes arrive at the port.
 * @s: port
 * @bytes: what arrives
 * @n: number of @bytes
 *
 * Return: how many of them there was room for; a looped back port takes none.
 */
size_t serial_receive(struct serial *s, const u8 *bytes, size_t n)
{
	size_t taken = 0;

	if (s->mcr & MCR_LOOP)
		return 0;
	while (taken < n && s->rx_count < SERIAL_FIFO)
		push_byte(s, bytes[taken++]);
	update_irq(s);
	return taken;
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
	/* It is sent at once, so that the transmitter is empty again. */
	s->thr_pending = true;
	if (s->mcr & MCR_LOOP) {
		if (s->rx_count < SERIAL_FIFO)
			push_byte(s, byte);
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
	u8 byte;

	if (s->rx_count || s->in_fd < 0 || s->mcr & MCR_LOOP)
		return;
	if (poll(&p, 1, 0) <= 0)
		return;
	n = read(s->in_fd, &byte, 1);
	if (n == 1)
		push_byte(s, byte);
	else if (n == 0 || errno != EINTR)
		s->in_fd = -1;
}

static u8 line_status(struct serial *s)
{
	/* One look per byte is a sender's; a second one means waiting: show the prompt. */
	if (++s->polls == 2)
		serial_flush(s);
	receive(s);
	return LSR_IDLE | (s->rx_count ? LSR_DATA : 0);
}

/* An empty FIFO reads as the byte read last. */
static u8 read_byte(struct serial *s)
{
	u8 byte;

	receive(s);
	byte = s->rx[s->rx_first];
	if (s->rx_count > 1)
		s->rx_first = (s->rx_first + 1) % SERIAL_FIFO;
	if (s->rx_count)
		s->rx_count--;
	return byte;
}

static void write_ier(struct serial *s, u8 value)
{
	/* Who switches it on is told of a transmitter that is empty already. */
	if (value & IER_EMPTY && !(s->ier & IER_EMPTY))
		s->thr_pending = true;
	/* Who switches it off has nothing more to send. */
	if (!(value & IER_EMPTY) && s->ier & IER_EMPTY)
		serial_flush(s);
	s->ier = value & 0x0f;
}

static u8 read_iir(struct serial *s)
{
	u8 value = reason(s);

	if (value == IIR_EMPTY)
		s->thr_pending = false;
	return value | (s->fifo ? IIR_FIFO : 0);
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
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		s->fifo = value & 1;
		if (value & FCR_CLEAR_RX)
			s->rx_count = 0;
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
	update_irq(s);
}

static u8 read_register(struct serial *s, unsigned int reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return dlab ? s->divisor & 0xff : read_byte(s);
	case REG_IER:
		return dlab ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
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

/**
 * serial_read() - The guest reads a register.
 * @s: port
 * @reg: 0 to 7
 *
 * Return: byte.
 */
u8 serial_read(struct serial *s, unsigned int reg)
{
	u8 value = read_register(s, reg);

	update_irq(s);
	return value;
}
