// SPDX-License-Identifier: GPL-2.0
/*
 * How long the harness waits for a test. Its limits are meant for Debian's own kernel;
 * UMBRA_TEST_PATIENCE multiplies them on hosts that are slower by their nature, such as
 * those of scripts/debug-kernel. Must change nothing else about a test.
 */
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define MOST	100

/* Takes the place of the C library's, for the harness's only use of it. */
unsigned int alarm(unsigned int seconds)
{
	const char *text = getenv("UMBRA_TEST_PATIENCE");
	struct itimerval new = { .it_value.tv_sec = seconds }, old;
	int factor = text ? atoi(text) : 1;

	if (factor > 1 && factor <= MOST)
		new.it_value.tv_sec *= factor;
	if (setitimer(ITIMER_REAL, &new, &old))
		return 0;
	return old.it_value.tv_sec + !!old.it_value.tv_usec;
}
