/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550 serial port on standard input and output, for guests that poll it.
 */
#ifndef UMBRA_VMM_SERIAL_H
#define UMBRA_VMM_SERIAL_H

#include "types.h"

#define SERIAL_PORT		0x3f8
#define SERIAL_CONSOLE_MAX	MIB(1)

/**
 * struct serial - state of the port
 * @in_fd: where received bytes come from, -1 after its end
 * @out_fd: where sent bytes go
 * @keep: keep a copy of what was sent
 * @ier: interrupt enable register; kept, but interrupts are not offered
 * @lcr: line control register
 * @mcr: modem control register
 * @scr: scratch register
 * @divisor: baud rate divisor, without effect
 * @fifo: FIFOs are switched on
 * @rx: received byte
 * @rx_full: @rx holds one
 * @polls: line status reads since the last byte was sent
 * @out: bytes not written to @out_fd yet
 * @out_len: of @out
 * @console: copy of all that was sent, up to SERIAL_CONSOLE_MAX bytes
 * @console_len: of @console
 * @console_size: allocated
 * @truncated: @console lacks something
 */
struct serial {
	int in_fd;
	int out_fd;
	bool keep;
	u8 ier, lcr, mcr, scr;
	u16 divisor;
	bool fifo;
	u8 rx;
	bool rx_full;
	unsigned int polls;
	u8 out[512];
	size_t out_len;
	char *console;
	size_t console_len;
	size_t console_size;
	bool truncated;
};

void serial_init(struct serial *s, int in_fd, int out_fd, bool keep);
void serial_destroy(struct serial *s);
void serial_write(struct serial *s, unsigned int reg, u8 value);
u8 serial_read(struct serial *s, unsigned int reg);
void serial_flush(struct serial *s);

#endif
