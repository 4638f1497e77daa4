/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two halves of the emulated host's PID 1 tell each other: init.c brings the
 * host up, runs the command and gives the verdict; kmsg.c watches the kernel log.
 */
#ifndef UMBRA_LAB_H
#define UMBRA_LAB_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * kmsg_open() - start watching the kernel log from its oldest record
 *
 * Return: a file descriptor that polls readable when there is more, or -1.
 */
int kmsg_open(void);

/**
 * kmsg_drain() - read what the kernel log has, look for reports of a sick host
 *
 * Remembers the first such report.
 */
void kmsg_drain(void);

/**
 * kmsg_complete_console() - write what a quiet boot has kept from the console
 * @console: the serial port of the console
 *
 * A process of its own does it, while the command runs: the port is slow.
 *
 * Return: that process, which ends by itself, or 0 when nothing is missing.
 */
pid_t kmsg_complete_console(int console);

/**
 * kmsg_report() - the first report of a sick host
 *
 * Return: its text, or NULL when the log has been clean.
 */
const char *kmsg_report(void);

/**
 * kmsg_is_report() - whether a line of the kernel log means that the host is sick
 * @text: the line without time stamp and level
 *
 * Return: true for oops, BUG, WARN, lockdep, sanitizer, stall and leak reports.
 */
bool kmsg_is_report(const char *text);

#endif /* UMBRA_LAB_H */
