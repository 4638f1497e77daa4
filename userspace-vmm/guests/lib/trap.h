/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt table of the tiny guests: every vector is recorded; faults that a
 * guest expects resume where it says, all others end it.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include "guest.h"

#define VECTOR_DE	0
#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_BP	3
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14

#define PF_PRESENT	1
#define PF_WRITE	2
#define PF_FETCH	16

#ifdef __x86_64__
#define WORD_SUFFIX	"q"
#define NR_PUSHED	15
#else
#define WORD_SUFFIX	"l"
#define NR_PUSHED	7
#endif

struct trap_frame {
	unsigned long regs[NR_PUSHED];
	unsigned long vector;
	unsigned long error;
	unsigned long ip;
	unsigned long cs;
	unsigned long flags;
};

/**
 * struct trap_record - what the handler saw last
 * @vector: of the last event
 * @error: its error code, 0 when it has none
 * @ip: instruction pointer it was taken at
 * @cr2: faulting address of a page fault
 * @total: events so far
 * @count: events by vector
 */
struct trap_record {
	unsigned long vector;
	unsigned long error;
	unsigned long ip;
	unsigned long cr2;
	unsigned long total;
	u32 count[256];
};

extern struct trap_record trap;
extern unsigned long trap_resume;

/* Put before an instruction that faults, and RESUME_HERE behind it. */
#define EXPECT_FAULT	"mov" WORD_SUFFIX " $1f, trap_resume\n\t"
#define RESUME_HERE	"\n1:"

/* In trap_entry.S: 256 stubs of 16 bytes. */
extern const char trap_stubs[];

void trap_setup(void);
void trap_handler(struct trap_frame *frame);

#endif
