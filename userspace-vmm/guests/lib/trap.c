// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt table of the tiny guests: build it, record what comes.
 *
 * Works with the descriptor table a guest starts with.
 */
#include "trap.h"

#ifdef __x86_64__
#define CODE_SELECTOR	0x18
#define GATE_WORDS	4
#else
#define CODE_SELECTOR	0x08
#define GATE_WORDS	2
#endif

#define GATE_INTERRUPT	0x8e00
#define STUB_SIZE	16

struct trap_record trap;
unsigned long trap_resume;

static u32 idt[256][GATE_WORDS] __attribute__((aligned(16)));

/**
 * trap_setup() - Load an interrupt table on this vCPU, for all vectors.
 */
void trap_setup(void)
{
	struct {
		u16 limit;
		unsigned long base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (unsigned long)idt };
	unsigned int i;

	for (i = 0; i < 256; i++) {
		u32 stub = (u32)(unsigned long)trap_stubs + i * STUB_SIZE;

		idt[i][0] = CODE_SELECTOR << 16 | (stub & 0xffff);
		idt[i][1] = (stub & 0xffff0000) | GATE_INTERRUPT;
	}
	asm volatile("lidt %0" : : "m"(idtr), "m"(idt));
}

static bool is_fault(unsigned long vector)
{
	return vector < 32 && vector != VECTOR_DB && vector != VECTOR_NMI && vector != VECTOR_BP;
}

/**
 * trap_handler() - Record an event; called by the stubs.
 * @frame: what was interrupted
 */
void trap_handler(struct trap_frame *frame)
{
	trap.vector = frame->vector;
	trap.error = frame->error;
	trap.ip = frame->ip;
	trap.total++;
	trap.count[frame->vector]++;
	if (frame->vector == VECTOR_PF)
		trap.cr2 = read_cr2();
	if (!is_fault(frame->vector))
		return;
	if (!trap_resume) {
		print("unexpected exception ");
		print_dec(frame->vector);
		print(" error ");
		print_hex(frame->error);
		print(" at ");
		print_hex(frame->ip);
		print(" CR2 ");
		print_hex(read_cr2());
		print("\n");
		guest_exit(1);
	}
	frame->ip = trap_resume;
	trap_resume = 0;
}
