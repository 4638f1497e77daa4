// SPDX-License-Identifier: GPL-2.0
/*
 * Standard input for a guest: the terminal's mode, and a thread that takes what is typed to
 * the serial port or the virtio console and knows the keys that are the user's own.
 *
 * A port that is full makes the thread wait, not lose what was typed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine.h"
#include "terminal.h"
#include "umbra.h"
#include "virtio_dev.h"

#define RETRY_MS	10
#define INPUT_SIZE	64

/**
 * terminal_set() - Make the terminal fit a guest, if standard input is one and ours.
 * @t: filled in
 * @mode: how
 */
void terminal_set(struct terminal *t, enum terminal_mode mode)
{
	struct termios raw;

	t->changed = false;
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &t->saved))
		return;
	raw = t->saved;
	if (mode == TERMINAL_RAW)
		cfmakeraw(&raw);
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	t->changed = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/**
 * terminal_restore() - Leave the terminal as it was.
 * @t: given to terminal_set()
 */
void terminal_restore(struct terminal *t)
{
	if (t->changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
	t->changed = false;
}

/**
 * console_input_filter() - Take the user's own commands out of what was typed.
 * @c: where they are to go; remembers a Ctrl-A between calls
 * @bytes: what was typed; what is the guest's is moved to the front
 * @n: number of @bytes
 * @leave: set when the user wants to leave
 *
 * Ctrl-A x leaves, Ctrl-A twice or with a is one Ctrl-A for the guest, and any other key
 * after it is dropped with it.
 *
 * Return: number of bytes for the guest.
 */
size_t console_input_filter(struct console_input *c, u8 *bytes, size_t n, bool *leave)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (c->escaped) {
			c->escaped = false;
			if (bytes[i] == 'x')
				*leave = true;
			else if (bytes[i] == TERMINAL_ESCAPE || bytes[i] == 'a')
				bytes[kept++] = TERMINAL_ESCAPE;
		} else if (c->escapes && bytes[i] == TERMINAL_ESCAPE) {
			c->escaped = true;
		} else {
			bytes[kept++] = bytes[i];
		}
	}
	return kept;
}

static size_t offer(struct console_input *c, const u8 *bytes, size_t n)
{
	size_t taken;

	if (c->virtio)
		return virtio_console_receive(c->virtio, bytes, n);
	pthread_mutex_lock(&c->m->dev_lock);
	taken = serial_receive(&c->m->serial, bytes, n);
	pthread_mutex_unlock(&c->m->dev_lock);
	return taken;
}

/* Wait for input, or, with @timeout, for room; false when the thread shall end. */
static bool wait_for(const struct console_input *c, bool input, int timeout)
{
	struct pollfd p[2] = {
		{ .fd = c->stop, .events = POLLIN },
		{ .fd = input ? STDIN_FILENO : -1, .events = POLLIN },
	};

	while (poll(p, 2, timeout) < 0)
		if (errno != EINTR)
			return false;
	return !p[0].revents;
}

static void *bring(void *arg)
{
	struct console_input *c = arg;
	u8 bytes[INPUT_SIZE];
	bool leave = false;
	size_t n, done;
	ssize_t got;

	while (wait_for(c, true, -1)) {
		got = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			break;
		n = console_input_filter(c, bytes, got, &leave);
		if (leave) {
			machine_end(c->m, NULL, STATUS_SIGNAL, "ended by Ctrl-A x");
			break;
		}
		for (done = offer(c, bytes, n); done < n; done += offer(c, bytes + done, n - done))
			if (!wait_for(c, false, RETRY_MS))
				return NULL;
	}
	return NULL;
}

/**
 * console_input_start() - Start the thread.
 * @c: @m and @virtio filled in, all else zero
 *
 * Return: 0, or -1 after a message; console_input_stop() is due only after 0.
 */
int console_input_start(struct console_input *c)
{
	c->escapes = isatty(STDIN_FILENO);
	c->stop = eventfd(0, EFD_CLOEXEC);
	if (c->stop >= 0 && !pthread_create(&c->thread, NULL, bring, c))
		return 0;
	complain("cannot start the thread for input");
	if (c->stop >= 0)
		close(c->stop);
	return -1;
}

/**
 * console_input_stop() - End the thread.
 * @c: started
 */
void console_input_stop(struct console_input *c)
{
	u64 one = 1;

	if (write(c->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(c->thread, NULL);
	close(c->stop);
}
