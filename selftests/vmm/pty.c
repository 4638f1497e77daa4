// SPDX-License-Identifier: GPL-2.0
/*
 * Run a command on a terminal of its own, wait for what it prints and type keys, as a user
 * would: for tests of what only a terminal has.
 *
 * usage: pty [wait:TEXT | type:KEYS]... -- COMMAND [ARG...]
 *
 * Steps are taken in order; in KEYS, "\\" and three octal digits are a byte. What COMMAND
 * prints is copied to standard output. Exit status: COMMAND's; 124 when a text does not come
 * within LIMIT seconds (environment, default 120) of the step before; 125 for other failures.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#define TIMED_OUT	124
#define FAILED		125
#define SEEN_MAX	(1 << 20)

static char seen[SEEN_MAX + 1];
static size_t n_seen;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Read once, until @end at the latest; false at the end of the output or of time. */
static bool copy(int fd, double end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	double left = end - now();
	ssize_t n;
	char *at;

	if (left <= 0 || poll(&p, 1, left * 1000 + 1) <= 0)
		return false;
	/* What is old gives way: texts are looked for in what is new. */
	if (n_seen > SEEN_MAX / 2) {
		memmove(seen, seen + n_seen / 2, n_seen - n_seen / 2);
		n_seen -= n_seen / 2;
	}
	n = read(fd, seen + n_seen, SEEN_MAX - n_seen);
	if (n <= 0)
		return false;
	/* Texts are looked for as strings. */
	for (at = seen + n_seen; at < seen + n_seen + n; at++)
		if (!*at)
			*at = '?';
	if (write(STDOUT_FILENO, seen + n_seen, n) != n)
		return false;
	n_seen += n;
	seen[n_seen] = 0;
	return true;
}

static bool wait_text(int fd, const char *text, double limit)
{
	double end = now() + limit;
	char *found;

	while (!(found = strstr(seen, text))) {
		if (!copy(fd, end)) {
			fprintf(stderr, "pty: '%s' did not come\n", text);
			return false;
		}
	}
	/* It counts once. */
	found += strlen(text);
	n_seen -= found - seen;
	memmove(seen, found, n_seen + 1);
	return true;
}

static bool type(int fd, const char *keys)
{
	char byte;

	while (*keys) {
		if (keys[0] == '\\' && strspn(keys + 1, "01234567") >= 3) {
			byte = (keys[1] - '0') << 6 | (keys[2] - '0') << 3 | (keys[3] - '0');
			keys += 4;
		} else {
			byte = *keys++;
		}
		if (write(fd, &byte, 1) != 1)
			return false;
	}
	return true;
}

static int finish(int fd, pid_t child, double limit)
{
	double end = now() + limit;
	pid_t ended = 0;
	int status;

	/* The terminal stays open here, so that its end of file says nothing. */
	while (!ended && now() < end) {
		while (now() < end && copy(fd, now() + 0.1))
			;
		ended = waitpid(child, &status, WNOHANG);
	}
	if (!ended) {
		fprintf(stderr, "pty: the command does not end\n");
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		return TIMED_OUT;
	}
	while (copy(fd, now() + 0.1))
		;
	return ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

/* The terminal must be left as it was found. */
static bool same_mode(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;
}

int main(int argc, char **argv)
{
	double limit = getenv("LIMIT") ? atof(getenv("LIMIT")) : 120;
	struct termios before, after;
	int master, slave, i, result;
	bool good = true;
	int command = 1;
	pid_t child;

	while (command < argc && strcmp(argv[command], "--"))
		command++;
	if (command + 1 >= argc || openpty(&master, &slave, NULL, NULL, NULL))
		return FAILED;
	if (tcgetattr(slave, &before))
		return FAILED;
	child = fork();
	if (!child) {
		close(master);
		if (!login_tty(slave))
			execvp(argv[command + 1], argv + command + 1);
		_exit(FAILED);
	}
	for (i = 1; i < command && good; i++) {
		if (!strncmp(argv[i], "wait:", 5))
			good = wait_text(master, argv[i] + 5, limit);
		else if (!strncmp(argv[i], "type:", 5))
			good = type(master, argv[i] + 5);
		else
			good = false;
	}
	if (!good) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		return TIMED_OUT;
	}
	result = finish(master, child, limit);
	if (tcgetattr(slave, &after) || !same_mode(&before, &after)) {
		fprintf(stderr, "pty: the command left the terminal in another mode\n");
		return FAILED;
	}
	return result;
}
