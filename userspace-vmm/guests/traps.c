// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts and exceptions, 32 and 64 bit: faults with and without error code,
 * software interrupts, breakpoint, single step, external interrupts held back and
 * let through, wake-up from HLT, NMI.
 */
#include "trap.h"

#define RFLAGS_TF	0x100
#define IRQ_VECTOR	0x40
#define HIGH_VECTOR	0x52
#define SOFT_VECTOR	0x80
#define ILLEGAL_SEL	0x1238

static void check_faults(void)
{
	asm volatile(EXPECT_FAULT "ud2" RESUME_HERE : : : "memory");
	CHECK(trap.vector == VECTOR_UD && trap.error == 0);
	asm volatile(EXPECT_FAULT "divl %0" RESUME_HERE : : "r"(0), "a"(1), "d"(0)
		     : "memory", "cc");
	CHECK(trap.vector == VECTOR_DE && trap.error == 0);
	/* Beyond the table: the error code is the selector. */
	asm volatile(EXPECT_FAULT "mov %0, %%es" RESUME_HERE : : "r"(ILLEGAL_SEL) : "memory");
	CHECK(trap.vector == VECTOR_GP && trap.error == ILLEGAL_SEL);
	CHECK(trap.total == 3);
	print("traps: #UD, #DE and #GP with its error code\n");
}

#ifdef __x86_64__
/* Above the 4 GiB that are mapped. The 32-bit build has no paging: see paging32. */
static void check_page_fault(void)
{
	asm volatile(EXPECT_FAULT "movb $1, (%0)" RESUME_HERE : : "r"(0x123456789ULL) : "memory");
	CHECK(trap.vector == VECTOR_PF && trap.error == PF_WRITE && trap.cr2 == 0x123456789ULL);
	print("traps: #PF with address and error code\n");
}
#else
static void check_page_fault(void)
{
	unsigned long cr2 = 0x12345678;

	/* CR2 is plain storage here; it must come through exits. */
	write_cr2(cr2);
	in8(SERIAL_PORT + 7);
	CHECK(read_cr2() == cr2);
	print("traps: CR2 kept through an exit\n");
}
#endif

static void check_software(void)
{
	unsigned long after;

	asm volatile("int $0x80" : : : "memory");
	CHECK(trap.vector == SOFT_VECTOR && trap.count[SOFT_VECTOR] == 1);
	asm volatile("int3\n2:\tmov $2b, %0" : "=r"(after) : : "memory");
	CHECK(trap.vector == VECTOR_BP && trap.ip == after);
	asm volatile("int $3" : : : "memory");
	CHECK(trap.count[VECTOR_BP] == 2);
	print("traps: INT 0x80 and breakpoints\n");
}

/* The first POPF does not trap, the two NOPs, PUSHF, AND and the second POPF do. */
static void check_single_step(void)
{
	asm volatile("pushf\n\t"
		     "orl %0, (%%esp)\n\t"
		     "popf\n\t"
		     "nop\n\t"
		     "nop\n\t"
		     "pushf\n\t"
		     "andl %1, (%%esp)\n\t"
		     "popf"
		     : : "i"(RFLAGS_TF), "i"(~RFLAGS_TF) : "memory", "cc");
	CHECK(trap.vector == VECTOR_DB && trap.count[VECTOR_DB] == 5);
	print("traps: single steps counted\n");
}

static void check_external(void)
{
	/* Interrupts off: nothing may come, however many exits pass. */
	out32(PORT_INTERRUPT, IRQ_VECTOR);
	out32(PORT_INTERRUPT, HIGH_VECTOR);
	in8(SERIAL_PORT + 7);
	CHECK(trap.count[IRQ_VECTOR] == 0 && trap.count[HIGH_VECTOR] == 0);
	asm volatile("sti; nop; nop; nop; nop; cli" : : : "memory");
	CHECK(trap.count[IRQ_VECTOR] == 1 && trap.count[HIGH_VECTOR] == 1);
	CHECK(trap.vector == IRQ_VECTOR);
	print("traps: external interrupts wait for IF, the highest vector first\n");

	out32(PORT_INTERRUPT, IRQ_VECTOR);
	asm volatile("sti; hlt; cli" : : : "memory");
	CHECK(trap.count[IRQ_VECTOR] == 2);
	print("traps: HLT ends at an interrupt\n");
}

static void check_nmi(void)
{
	out32(PORT_INTERRUPT, INTERRUPT_NMI);
	asm volatile("nop; nop" : : : "memory");
	CHECK(trap.count[VECTOR_NMI] == 1);
	out32(PORT_INTERRUPT, INTERRUPT_NMI);
	asm volatile("nop; nop" : : : "memory");
	CHECK(trap.count[VECTOR_NMI] == 2);
	print("traps: NMI comes with interrupts off, and again after IRET\n");
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	(void)info;
	print("traps: interrupts and exceptions\n");
	CHECK(magic == BOOT_MAGIC);
	trap_setup();
	check_faults();
	check_page_fault();
	check_software();
	check_single_step();
	check_external();
	check_nmi();
	println("traps: events in all: ", trap.total);
	return 0;
}
