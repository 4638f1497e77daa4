// SPDX-License-Identifier: GPL-2.0
/*
 * As little of QEMU's control protocol as is needed here: one line of JSON each way, in which
 * values are found by the words around them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "qmp.h"

#define MAX_ANSWER	0x40000
#define ANSWER_SECONDS	600

/* Read lines until one with @word or an error has come; false at the end of them. */
static bool read_answer(int fd, char *buf, const char *word)
{
	size_t len = 0;

	while (len < MAX_ANSWER - 1 && read(fd, buf + len, 1) == 1) {
		if (buf[len++] != '\n')
			continue;
		buf[len] = 0;
		if (strstr(buf, word) || strstr(buf, "{\"error\": "))
			return true;
		len = 0;
	}
	return false;
}

static bool ask(int fd, const char *question, char *buf)
{
	ssize_t len = strlen(question);

	return write(fd, question, len) == len && read_answer(fd, buf, "{\"return\": ");
}

char *qmp_execute(int fd, const char *command)
{
	char *buf = malloc(MAX_ANSWER);

	if (buf && !ask(fd, command, buf)) {
		free(buf);
		buf = NULL;
	}
	return buf;
}

int qmp_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *buf = malloc(MAX_ANSWER);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (fd >= 0 && (!buf || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
			!read_answer(fd, buf, "\"QMP\"") ||
			!ask(fd, "{\"execute\":\"qmp_capabilities\"}\n", buf))) {
		close(fd);
		fd = -1;
	}
	free(buf);
	return fd;
}

/* In { "name": "exits", "value": 17 } the two can come in either order. */
static bool find_value(char *answer, const char *name, uint64_t *value)
{
	char quoted[128], *at, *end;

	snprintf(quoted, sizeof(quoted), "\"name\": \"%s\"", name);
	at = strstr(answer, quoted);
	if (!at)
		return false;
	end = strchr(at, '}');
	if (end)
		*end = 0;
	while (at > answer && *at != '{')
		at--;
	at = strstr(at, "\"value\": ");
	if (!at)
		return false;
	*value = strtoull(at + strlen("\"value\": "), NULL, 10);
	return true;
}

bool qmp_statistic(int fd, const char *target, const char *name, uint64_t *value)
{
	char *buf = malloc(MAX_ANSWER), question[128];
	bool found;

	if (!buf)
		return false;
	snprintf(question, sizeof(question),
		 "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"%s\"}}\n", target);
	found = ask(fd, question, buf) && find_value(buf, name, value);
	free(buf);
	return found;
}
