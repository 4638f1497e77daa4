// SPDX-License-Identifier: GPL-2.0
/*
 * The library's code that runs in the guest: ucalls and exceptions. Calls
 * nothing of the C library. String functions that the compiler may call are
 * in string.c.
 */
#include <string.h>
#include "guest_internal.h"

ut_handler_t ut_handlers[256];
static u64 caught_error;

static void ucall(struct ut_ucall *uc)
{
	guest_outl(UT_UCALL_PORT, (u32)(u64)uc);
}

void guest_sync_args(u64 stage, u64 a, u64 b, u64 c)
{
	struct ut_ucall uc = { .cmd = UT_SYNC, .arg = { stage, a, b, c } };

	ucall(&uc);
}

void guest_sync(u64 stage)
{
	guest_sync_args(stage, 0, 0, 0);
}

void guest_done(void)
{
	struct ut_ucall uc = { .cmd = UT_DONE };

	for (;;)
		ucall(&uc);
}

void guest_printf(const char *fmt, u64 a, u64 b, u64 c)
{
	struct ut_ucall uc = { .cmd = UT_PRINTF, .arg = { (u64)fmt, a, b, c } };

	ucall(&uc);
}

void guest_abort(const char *what, const char *file, u64 line, u64 a, u64 b)
{
	struct ut_ucall uc = {
		.cmd = UT_ABORT,
		.arg = { (u64)what, (u64)file, line, a, b },
	};

	for (;;)
		ucall(&uc);
}

static void report_exception(const struct ut_ex_regs *regs)
{
	struct ut_ucall uc = {
		.cmd = UT_EXCEPTION,
		.arg = { regs->vector, regs->error_code, regs->rip, guest_read_cr(2), regs->rsp },
	};

	for (;;)
		ucall(&uc);
}

void ut_guest_exception(struct ut_ex_regs *regs)
{
	ut_handler_t fn = ut_read_once(ut_handlers[regs->vector]);

	if (fn)
		fn(regs);
	else
		report_exception(regs);
}

void guest_set_handler(int vector, ut_handler_t fn)
{
	ut_write_once(ut_handlers[vector], fn);
}

/* The other end of guest_try(). */
static void catch_fault(struct ut_ex_regs *regs)
{
	ut_write_once(caught_error, regs->error_code);
	regs->r10 = regs->vector;
	regs->rip = regs->r11;
}

void guest_catch(int vector)
{
	guest_set_handler(vector, catch_fault);
}

u64 guest_caught_error(void)
{
	return ut_read_once(caught_error);
}
