/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550 serial port on standard input and output, for guests that poll it and, where
 * there is an interrupt controller, for those that wait for its interrupt.
 */
#ifndef UMBRA_VMM_SERIAL_H
#define UMBRA_VMM_SERIAL_H

#include "output.h"
#include "types.h"

#define SERIAL_PORT		0x3f8
#define SERIAL_IRQ		4
#define SERIAL_FIFO		64
#define SERIAL_CONSOLE_MAX	MIB(1)

/**
 * struct serial - state of the port
 * @in_fd: where the port fetches bytes itself, -1 after its end, or if serial_receive() brings
 *	them
 * @output: where sent bytes go; its owner is the machine
 * @keep: keep a copy of what was sent
 * @set_irq: drives the interrupt line; NULL where there is none
 * @irq_context: for @set_irq
 * @irq_level: what the line was set to
 * @ier: interrupt enable register
 * @lcr: line control register
 * @mcr: modem control register
 * @scr: scratch register
 * @divisor: baud rate divisor, without effect
 * @fifo: FIFOs are switched on
 * @rx: received bytes, a ring
 * @rx_first: index of the oldest of @rx
 * @rx_count: bytes in @rx
 * @thr_pending: the transmitter has become empty, and that was not told yet
 * @polls: line status reads since the last byte was sent
 * @out: bytes not written to @output yet
 * @out_len: of @out
 * @console: copy of all that was sent, up to SERIAL_CONSOLE_MAX bytes
 * @console_len: of @console
 * @console_size: allocated
 * @truncated: @console lacks something
 */
struct serial {
	int in_fd;
	struct output *output;
	bool keep;
	void (*set_irq)(void *context, bool level);
	void *irq_context;
	bool irq_level;
	u8 ier, lcr, mcr, scr;
	u16 divisor;
	bool fifo;
	u8 rx[SERIAL_FIFO];
	unsigned int rx_first;
	unsigned int rx_count;
	bool thr_pending;
	unsigned int polls;
	u8 out[512];
	size_t out_len;
	char *console;
	size_t console_len;
	size_t console_size;
	bool truncated;
};

void serial_init(struct serial *s, int in_fd, struct output *output, bool keep);
void serial_destroy(struct serial *s);
void serial_connect(struct serial *s, void (*set_irq)(void *context, bool level), void *context);
size_t serial_receive(struct serial *s, const u8 *bytes, size_t n);
void serial_write(struct serial *s, unsigned int reg, u8 value);
u8 serial_read(struct serial *s, unsigned int reg);
void serial_flush(struct serial *s);

#endif
