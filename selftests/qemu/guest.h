/* SPDX-License-Identifier: GPL-2.0 */
/* Between guest_init.c and guest_memory.c, which together are /init of QEMU's guests. */
#ifndef QEMU_GUEST_H
#define QEMU_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_CPUS	8

extern int cpus;	/* that are online */

/* Write a line to the serial port. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t clock_ns(void);
/* Keep the calling thread on one processor. */
void pin(int cpu);
/* End the guest: @wrong says what failed, NULL that all was well. */
void end_guest(const char *wrong, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Rewrite and check memory until told to end; does not return when something was wrong. */
void work_in_memory(void);

#endif
