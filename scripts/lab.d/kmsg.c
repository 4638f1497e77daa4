// SPDX-License-Identifier: GPL-2.0
/*
 * Watch the kernel log of the emulated host for reports that make a run worthless:
 * oops, BUG, WARN, lockdep, sanitizers, stalls, leaks.  The patterns come from the file
 * "reports", which scripts/lab applies to the console log as well; this file must not
 * know any of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define MAX_PATTERNS 64
/* The console level at which all but debug messages are there. */
#define VERBOSE 7

static int kmsg_fd = -1;
static char *first_report;
static regex_t patterns[MAX_PATTERNS];
static int nr_patterns;

static void load_patterns(void)
{
	FILE *file = fopen("/lab/reports", "re");
	char line[256];

	if (!file)
		return;
	while (nr_patterns < MAX_PATTERNS && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (*line && !regcomp(&patterns[nr_patterns], line, REG_NOSUB))
			nr_patterns++;
	}
	fclose(file);
}

bool kmsg_is_report(const char *text)
{
	for (int i = 0; i < nr_patterns; i++)
		if (!regexec(&patterns[i], text, 0, NULL, 0))
			return true;
	return false;
}

int kmsg_open(void)
{
	load_patterns();
	/* Without patterns every log would look clean. */
	if (!nr_patterns)
		return -1;
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return kmsg_fd;
}

static void judge(char *record)
{
	char *text = strchr(record, ';');

	if (first_report || !text)
		return;
	text++;
	text[strcspn(text, "\n")] = 0;
	if (kmsg_is_report(text))
		first_report = strdup(text);
}

void kmsg_drain(void)
{
	char record[8192];
	ssize_t len;

	/* A record lost to a full ring reads as EPIPE once; go on with the next one. */
	for (int lost = 0; lost < 1000;) {
		len = read(kmsg_fd, record, sizeof(record) - 1);
		if (len > 0) {
			record[len] = 0;
			judge(record);
		} else if (len < 0 && errno == EPIPE) {
			lost++;
		} else {
			return;
		}
	}
}

/* What is at and above this level has not been on the console: /proc/sys/kernel/printk. */
static int console_level(void)
{
	FILE *file = fopen("/proc/sys/kernel/printk", "re");
	int level = VERBOSE;

	if (file && fscanf(file, "%d", &level) != 1)
		level = VERBOSE;
	if (file)
		fclose(file);
	return level;
}

pid_t kmsg_complete_console(int console)
{
	int level = console_level();
	char record[8192];
	pid_t pid;
	int fd;

	if (level >= VERBOSE)
		return 0;
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	pid = fork();
	if (pid)
		return pid < 0 ? 0 : pid;
	for (;;) {
		ssize_t len = read(fd, record, sizeof(record) - 1);
		unsigned long long usec;
		unsigned int prio;
		char *text;

		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			_exit(0);
		record[len] = 0;
		text = strchr(record, ';');
		if (!text || sscanf(record, "%u,%*u,%llu", &prio, &usec) != 2 ||
		    (int)(prio & 7) < level)
			continue;
		text++;
		text[strcspn(text, "\n")] = 0;
		dprintf(console, "[%5llu.%06llu] %s\n", usec / 1000000, usec % 1000000, text);
	}
}

const char *kmsg_report(void)
{
	return first_report;
}
