/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU with one of the guests of guest_init.c: start it, read what the guest says, steer it.
 * Nothing here judges, but all of it gives up (give_up()) when QEMU or the guest is not there any
 * more, says that something is wrong, or does not come on in time.
 */
#ifndef QEMU_MACHINE_H
#define QEMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What all machines of a test have in common; migration wants them the same. */
struct machine_config {
	const char *folder;	/* of vmlinuz, initramfs, firmware/ */
	const char *chip;	/* kernel-irqchip: on, split; "default": not said */
	const char *cpu;	/* for -cpu; "default": not said */
	int vcpus;
	const char *work;	/* what the guest does, see guest_init.c */
	int patience;		/* factor for the limits of time */
};

/**
 * struct machine - a running QEMU
 * @name: for messages, and its control socket
 * @at: pages that the guest said it had checked, last
 * @ms: its clock then
 * @host_ms: the host's clock when that was read
 * @reports: how often it said so
 * @bytes: all that it has written, in bytes
 */
struct machine {
	const char *name;
	pid_t pid;
	int in, out, qmp, status;
	char *log;
	size_t bytes, line;
	bool up, passed, ended;
	uint64_t at, ms, host_ms, reports;
	char said[256];
};

extern struct machine_config config;

/* Start QEMU, with more words for its command line (NULL: none), and connect to it. */
void machine_start(struct machine *m, const char *name, const char * const *more);
/* Read what all machines say, for so many milliseconds. */
void machines_listen(unsigned int ms);
/* Wait until the guest is up. */
void machine_wait_up(struct machine *m);
/* Wait until the guest has reported @number times more. */
void machine_wait_reports(struct machine *m, unsigned int number);
/* Send the guest a line, wait for one of its own that has @answer; it is in m->said then. */
void machine_ask(struct machine *m, const char *line, const char *answer);
/* Wait for the end of QEMU: its exit status, -1 when a signal ended it. */
int machine_wait_end(struct machine *m);
/*
 * Execute a command of QMP with arguments as in JSON (NULL: none); ' may stand for ". The answer
 * lives until the next call.
 */
const char *machine_execute(struct machine *m, const char *command, const char *arguments, ...)
	__attribute__((format(printf, 3, 4)));
/* A command for humans, and its answer. */
const char *machine_monitor(struct machine *m, const char *command);
/* Repeat @command until the answer has @word, never @wrong; the answer. */
const char *machine_poll(struct machine *m, const char *command, const char *word,
			 const char *wrong);
/* Milliseconds of processor time that QEMU has used. */
uint64_t machine_busy_ms(struct machine *m);
void machine_quit(struct machine *m);

/* From here on guests may say that something is wrong. */
void expect_failure(void);
uint64_t host_ms(void);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
