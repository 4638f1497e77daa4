// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only process of the guests that QEMU boots here. What it does is on the kernel's
 * command line, which the kernel turns into its environment: work=boot looks once whether
 * processors, interrupts and clocks of the machine work, and ends; work=memory keeps rewriting and
 * checking memory on all processors until it is told to end (guest_memory.c). Each line that counts
 * begins with "guest: "; a passed run ends QEMU with a status that nothing else ends it with.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define PASS_PORT	0xf4
#define PASS_VALUE	16
#define PORT_TRIES	100	/* looks at the serial port's interrupts, so far apart */
#define PORT_WAIT_US	50000
#define ROUNDS		300	/* handed from thread to thread so many times */
#define STALL_SECONDS	60

int cpus;

void say(const char *format, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One call for each line: the kernel writes to this port as well. */
	if (write(STDOUT_FILENO, line, len) != len)
		_exit(1);
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		end_guest("no processor %d: %s", cpu, strerror(errno));
}

void end_guest(const char *wrong, ...)
{
	char why[200];
	va_list args;

	if (wrong) {
		va_start(args, wrong);
		vsnprintf(why, sizeof(why), wrong, args);
		va_end(args);
		say("guest: failed: %s\n", why);
	} else {
		say("guest: passed\n");
	}
	/* What was written must be out before QEMU is gone. */
	tcdrain(STDOUT_FILENO);
	usleep(200000);
	if (!wrong && !ioperm(PASS_PORT, 1, 1))
		outb(PASS_VALUE, PASS_PORT);
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* One line of /proc/interrupts: the counts of each processor; false when there is none. */
static bool read_counts(const char *word, unsigned long *counts)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[1024], *at;
	bool found = false;
	int i;

	while (f && !found && fgets(line, sizeof(line), f)) {
		at = strchr(line, ':');
		if (!at || !strstr(line, word))
			continue;
		found = true;
		for (i = 0, at++; i < cpus; i++)
			counts[i] = strtoul(at, &at, 10);
	}
	if (f)
		fclose(f);
	return found;
}

static unsigned long sum(const unsigned long *counts)
{
	unsigned long all = 0;
	int i;

	for (i = 0; i < cpus; i++)
		all += counts[i];
	return all;
}

/* A ball goes round the threads, each on a processor of its own, who sleep until it comes. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned long at;
} ball = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void *player(void *arg)
{
	unsigned long me = (unsigned long)arg, spin;

	pin(me);
	pthread_mutex_lock(&ball.lock);
	while (ball.at < ROUNDS) {
		if (ball.at % cpus != me) {
			pthread_cond_wait(&ball.moved, &ball.lock);
			continue;
		}
		ball.at++;
		pthread_cond_broadcast(&ball.moved);
	}
	pthread_mutex_unlock(&ball.lock);
	/* Both ways of being interrupted by the timer: out of sleep, and out of work. */
	for (spin = 0; spin < 20; spin++) {
		uint64_t until = clock_ns() + 10000000;

		while (clock_ns() < until)
			;
		usleep(5000);
	}
	return NULL;
}

static void play(void)
{
	pthread_t threads[MAX_CPUS];
	long i;

	for (i = 0; i < cpus; i++)
		if (pthread_create(&threads[i], NULL, player, (void *)i))
			end_guest("no thread %ld", i);
	for (i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	say("guest: %lu hand-overs between %d threads\n", ball.at, cpus);
}

struct counts {
	unsigned long timer[MAX_CPUS], wake_up[MAX_CPUS], call[MAX_CPUS], port[MAX_CPUS];
};

static void take(struct counts *c)
{
	if (!read_counts("LOC:", c->timer) || !read_counts("RES:", c->wake_up) ||
	    !read_counts("CAL:", c->call) || !read_counts("ttyS0", c->port))
		end_guest("/proc/interrupts lacks a line");
}

/* Every processor's timer, the interrupts between them, and the serial port's. */
static void check_interrupts(void)
{
	unsigned long between[2], port[2];
	struct counts c[2];
	int i;

	take(&c[0]);
	play();
	take(&c[1]);
	for (i = 0; i < cpus; i++) {
		say("guest: processor %d: %lu timer interrupts, %lu then\n", i, c[0].timer[i],
		    c[1].timer[i]);
		if (c[1].timer[i] < c[0].timer[i] + 10)
			end_guest("the timer of processor %d stands still", i);
	}
	for (i = 0; i < 2; i++) {
		between[i] = sum(c[i].wake_up) + sum(c[i].call);
		port[i] = sum(c[i].port);
	}
	say("guest: %lu interrupts between processors, %lu then\n", between[0], between[1]);
	if (cpus > 1 && between[1] < between[0] + ROUNDS / 10)
		end_guest("processors do not interrupt each other");
	/* What was said may still be on its way, to a processor that sleeps. */
	for (i = 0; port[1] <= port[0] && i < PORT_TRIES; i++) {
		usleep(PORT_WAIT_US);
		take(&c[1]);
		port[1] = sum(c[1].port);
	}
	say("guest: %lu interrupts of the serial port, %lu then\n", port[0], port[1]);
	if (port[1] <= port[0])
		end_guest("the serial port does not interrupt");
}

/* Whoever waits for an interrupt that was lost would wait for ever. */
static void stalled(int signal)
{
	end_guest("no end after %d seconds", STALL_SECONDS);
}

static void check_clock(void)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
	uint64_t before = clock_ns();
	char name[32] = "";

	if (!f || fscanf(f, "%31s", name) != 1)
		end_guest("no clock source");
	fclose(f);
	say("guest: clock source %s\n", name);
	if (strcmp(name, "kvm-clock") && strcmp(name, "tsc"))
		end_guest("a slow clock source");
	usleep(300000);
	if (clock_ns() - before < 300000000ull)
		end_guest("slept too short");
}

static void mount_all(void)
{
	int fd;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	fd = open("/dev/ttyS0", O_RDWR);
	if (fd < 0)
		_exit(1);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

int main(void)
{
	const char *wanted = getenv("vcpus"), *work = getenv("work");

	mount_all();
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	say("\nguest: user space is up, %d processors, %llu ms\n", cpus,
	    (unsigned long long)clock_ns() / 1000000);
	if (!wanted || atoi(wanted) != cpus || cpus > MAX_CPUS)
		end_guest("%d processors instead of %s", cpus, wanted ?: "a number");
	check_clock();
	if (work && !strcmp(work, "memory")) {
		work_in_memory();
	} else {
		signal(SIGALRM, stalled);
		alarm(STALL_SECONDS);
		check_interrupts();
	}
	end_guest(NULL);
}
