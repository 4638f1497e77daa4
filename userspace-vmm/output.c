// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's output: written in full as long as the machine runs, however slow the reader is,
 * and given up soon after it has ended.
 *
 * Any thread may write. Knows nothing of consoles; the file descriptor stays the caller's, as it
 * is: it may be shared with other programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "umbra.h"

#define SLICE_MS	10
/* A slow reader gets that much time for what was written last. */
#define LAST_SLICES	100

/* A pipe or terminal, where a write may block, and a second file means the same. */
static bool may_block(int fd)
{
	unsigned int number;
	struct stat st;

	if (!fstat(fd, &st) && S_ISFIFO(st.st_mode))
		return true;
	/* To open the controlling side of a terminal is to make another terminal. */
	return isatty(fd) && ioctl(fd, TIOCGPTN, &number);
}

/**
 * output_open() - Set up a machine's output.
 * @o: filled in
 * @fd: where it goes
 * @ended: set when the machine ends; must outlive @o
 *
 * A file of its own does not block, without that those who share @fd with this program learn of
 * it. Where there can be none, poll() has to do.
 *
 * Return: 0, or -1 after a message.
 */
int output_open(struct output *o, int fd, const atomic_bool *ended)
{
	char path[32];

	o->fd = -1;
	o->ended = ended;
	o->waited = 0;
	if (may_block(fd)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		o->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (o->fd < 0)
		o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (o->fd >= 0)
		return 0;
	complain("no output: %s", strerror(errno));
	return -1;
}

/**
 * output_close() - Close a machine's output.
 * @o: given to output_open(), or its @fd -1
 */
void output_close(struct output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

/* Bytes that were taken, 0 when there was no room, or -1 when there is never going to be any. */
static ssize_t write_some(const struct output *o, const u8 *bytes, size_t n)
{
	struct pollfd p = { .fd = o->fd, .events = POLLOUT };
	ssize_t done;

	if (poll(&p, 1, SLICE_MS) <= 0)
		return 0;
	done = write(o->fd, bytes, n);
	if (done > 0)
		return done;
	if (!done || (errno != EAGAIN && errno != EINTR))
		return -1;
	/* A terminal may have room, but too little for a line's end. */
	poll(NULL, 0, SLICE_MS);
	return 0;
}

/**
 * output_write() - Write to a machine's output.
 * @o: output
 * @bytes: what to write
 * @n: number of @bytes
 *
 * Blocks while the machine runs. An output that cannot take them, or has no room after the end,
 * loses them.
 */
void output_write(struct output *o, const void *bytes, size_t n)
{
	const u8 *at = bytes;
	ssize_t done;

	if (o->fd < 0)
		return;
	while (n) {
		done = write_some(o, at, n);
		if (done < 0)
			return;
		if (!done && *o->ended && atomic_fetch_add(&o->waited, 1) >= LAST_SLICES)
			return;
		at += done;
		n -= done;
	}
}
