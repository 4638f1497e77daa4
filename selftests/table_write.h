/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions of table_write_test.c, which are assembler (table_write_forms.S), and what
 * runs one of them in a given state. Knows nothing of tables.
 */
#ifndef SELFTESTS_TABLE_WRITE_H
#define SELFTESTS_TABLE_WRITE_H

#include "guest.h"

/* Where the operand is in tw_plain or tw_table, for those that name their operand. */
#define TW_OPERAND	0xc00

/* Names near to the code, so that it can name them; what lies there the guest's tables say. */
extern u8 tw_plain[UT_PAGE_SIZE], tw_table[UT_PAGE_SIZE];

/**
 * struct tw_form - one instruction, followed by RET
 * @plain: with its operand in tw_plain
 * @table: with its operand in tw_table
 * @undefined: flags that the manual leaves undefined behind it
 *
 * The operand is at (%rdi), (%r12), (%r13), (%rsi,%rcx,8), -0x80(%rbx), 0x12345678(%r14),
 * %fs:0x40, %gs:(%r9), or named.
 */
struct tw_form {
	const char *plain, *table;
	u64 undefined;
};

extern const struct tw_form tw_forms[], tw_forms_end[];

/**
 * struct tw_regs - general registers by number, and flags
 * @gpr: that of RSP is only stored
 * @rflags: RFLAGS
 */
struct tw_regs {
	u64 gpr[16];
	u64 rflags;
};

/* Load @regs, call @code, store what it leaves. */
void tw_run(struct tw_regs *regs, const char *code);

#endif
