/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user's terminal, and the way from it to the guest's console.
 */
#ifndef UMBRA_VMM_TERMINAL_H
#define UMBRA_VMM_TERMINAL_H

#include <pthread.h>
#include <termios.h>

#include "types.h"

struct machine;
struct virtio;

#define TERMINAL_ESCAPE	1	/* Ctrl-A */

/**
 * enum terminal_mode - what the terminal does with keys
 * @TERMINAL_KEYS: they come as they are pressed; those that send signals still do
 * @TERMINAL_RAW: all of them are the guest's
 */
enum terminal_mode {
	TERMINAL_KEYS,
	TERMINAL_RAW,
};

/**
 * struct terminal - standard input, if it is a terminal of ours
 * @changed: @saved is to be restored
 * @saved: how it was
 */
struct terminal {
	bool changed;
	struct termios saved;
};

void terminal_set(struct terminal *t, enum terminal_mode mode);
void terminal_restore(struct terminal *t);

/**
 * struct console_input - the thread that brings input to the guest
 * @m: machine
 * @virtio: console that gets it, or NULL for the serial port
 * @escapes: Ctrl-A is a command's begin
 * @escaped: the last byte was such a Ctrl-A
 * @stop: eventfd that ends the thread, -1 while there is none
 * @thread: the thread
 */
struct console_input {
	struct machine *m;
	struct virtio *virtio;
	bool escapes;
	bool escaped;
	int stop;
	pthread_t thread;
};

int console_input_start(struct console_input *c);
void console_input_stop(struct console_input *c);
size_t console_input_filter(struct console_input *c, u8 *bytes, size_t n, bool *leave);

#endif
