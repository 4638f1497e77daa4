/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the library's guest part (entry.S, guest.c) and its test part
 * (tables.c) share. Private to the library.
 */
#ifndef SELFTESTS_GUEST_INTERNAL_H
#define SELFTESTS_GUEST_INTERNAL_H

#include "guest.h"

/* 16 bytes of code for each vector. */
extern const char ut_exception_stubs[];
/* The guest's copy is the one that counts. */
extern ut_handler_t ut_handlers[256];

/* Called by the stubs with the interrupted registers. */
void ut_guest_exception(struct ut_ex_regs *regs);

#endif
