/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guest code may use. Guest code is ordinary C in the test's own file:
 * the library copies the program's image into the guest at the same addresses,
 * so a function or a string literal has one address on both sides. Variables
 * are copied too: each side has its own, see ut_guest_var().
 *
 * Guest code must not call the C library and must not touch thread-local data.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#endif
#define BIT_ULL(nr)		(1ull << (nr))
#define UT_PAGE_SIZE		0x1000ull
#define UT_UCALL_PORT		0x5e0

/* Selectors of the long mode guest's GDT. */
#define UT_SEL_CODE64		0x08
#define UT_SEL_DATA		0x10
#define UT_SEL_USER_DATA	0x1b
#define UT_SEL_USER_CODE	0x23
#define UT_SEL_TSS		0x28
#define UT_SEL_CODE32		0x38
#define UT_SEL_CODE16		0x40
#define UT_SEL_DATA16		0x48

#define UT_RFLAGS_CF		BIT_ULL(0)
#define UT_RFLAGS_FIXED		BIT_ULL(1)
#define UT_RFLAGS_ZF		BIT_ULL(6)
#define UT_RFLAGS_TF		BIT_ULL(8)
#define UT_RFLAGS_IF		BIT_ULL(9)
#define UT_RFLAGS_DF		BIT_ULL(10)

#define UT_DB_VECTOR		1
#define UT_NMI_VECTOR		2
#define UT_BP_VECTOR		3
#define UT_UD_VECTOR		6
#define UT_DF_VECTOR		8
#define UT_SS_VECTOR		12
#define UT_GP_VECTOR		13
#define UT_PF_VECTOR		14
#define UT_AC_VECTOR		17

/* The address of a label in assembler text; make it .global. */
#define ut_label(name) ({						\
	u64 __addr;							\
									\
	asm("lea " #name "(%%rip), %0" : "=r"(__addr));			\
	__addr;								\
})

/* For values that the other side, another vCPU or a handler changes. */
#define ut_read_once(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define ut_write_once(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

enum ut_cmd {
	UT_EXIT,	/* never sent: an exit that is no ucall, see ut_next() */
	UT_SYNC,
	UT_DONE,
	UT_PRINTF,
	UT_ABORT,
	UT_EXCEPTION,
};

/**
 * struct ut_ucall - what the guest says to the test
 * @cmd: enum ut_cmd
 * @arg: for UT_SYNC: the stage and up to five values of the test's choice
 */
struct ut_ucall {
	u64 cmd;
	u64 arg[6];
};

/**
 * struct ut_ex_regs - the interrupted registers, as a handler finds them
 *
 * A handler may change them: the changed ones are loaded on return.
 */
struct ut_ex_regs {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vector;
	u64 error_code;
	u64 rip, cs, rflags, rsp, ss;
};

typedef void (*ut_handler_t)(struct ut_ex_regs *regs);

/* Install @fn for @vector from inside the guest; NULL: report and stop. */
void guest_set_handler(int vector, ut_handler_t fn);

/* Say something to the test. Each of them leaves the guest once. */
void guest_sync(u64 stage);
void guest_sync_args(u64 stage, u64 a, u64 b, u64 c);
void guest_done(void);
/* @fmt must be a literal; values are passed as 64 bits each: use %lx, %lu. */
void guest_printf(const char *fmt, u64 a, u64 b, u64 c);
void guest_abort(const char *what, const char *file, u64 line, u64 a, u64 b);

#define GUEST_ASSERT(cond) do {						\
	if (!(cond))							\
		guest_abort(#cond, __FILE__, __LINE__, 0, 0);		\
} while (0)

#define GUEST_ASSERT_EQ(a, b) do {					\
	u64 __a = (u64)(a), __b = (u64)(b);		\
									\
	if (__a != __b)							\
		guest_abort(#a " == " #b, __FILE__, __LINE__, __a, __b); \
} while (0)

/*
 * Execute @insn, a literal without operands that names registers with %%. The result is the
 * vector of the fault, or 0 when there was none. guest_catch() must have been called for the
 * vectors that are expected. May use RAX to RDX.
 */
void guest_catch(int vector);
u64 guest_caught_error(void);
#define guest_try(insn) ({						\
	u64 __vec;							\
									\
	asm volatile("lea 1f(%%rip), %%r11\n\t"				\
		     "xor %%r10d, %%r10d\n\t"				\
		     insn "\n"						\
		     "1:\tmov %%r10, %0"				\
		     : "=r"(__vec) :					\
		     : "rax", "rcx", "rdx", "rbx", "r10", "r11", "memory", "cc"); \
	__vec;								\
})

static inline void guest_outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void guest_outw(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void guest_outl(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline u8 guest_inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u16 guest_inw(u16 port)
{
	u16 v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u32 guest_inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u64 guest_rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void guest_wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(msr) : "memory");
}

static inline u64 guest_read_cr(int nr)
{
	u64 v;

	switch (nr) {
	case 0:
		asm volatile("mov %%cr0, %0" : "=r"(v));
		return v;
	case 2:
		asm volatile("mov %%cr2, %0" : "=r"(v));
		return v;
	case 3:
		asm volatile("mov %%cr3, %0" : "=r"(v));
		return v;
	case 8:
		asm volatile("mov %%cr8, %0" : "=r"(v));
		return v;
	default:
		asm volatile("mov %%cr4, %0" : "=r"(v));
		return v;
	}
}

static inline void guest_write_cr3(u64 v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline void guest_write_cr4(u64 v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline void guest_invlpg(u64 gva)
{
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
}

static inline void guest_hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

static inline void guest_cli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void guest_sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void guest_pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* Plain accesses that the compiler can neither merge, split nor drop. */
static inline u8 guest_read8(u64 gva)
{
	u8 v;

	asm volatile("movb (%1), %0" : "=q"(v) : "r"(gva) : "memory");
	return v;
}

static inline u32 guest_read32(u64 gva)
{
	u32 v;

	asm volatile("movl (%1), %0" : "=r"(v) : "r"(gva) : "memory");
	return v;
}

static inline u64 guest_read64(u64 gva)
{
	u64 v;

	asm volatile("movq (%1), %0" : "=r"(v) : "r"(gva) : "memory");
	return v;
}

static inline void guest_write8(u64 gva, u8 v)
{
	asm volatile("movb %0, (%1)" : : "q"(v), "r"(gva) : "memory");
}

static inline void guest_write32(u64 gva, u32 v)
{
	asm volatile("movl %0, (%1)" : : "r"(v), "r"(gva) : "memory");
}

static inline void guest_write64(u64 gva, u64 v)
{
	asm volatile("movq %0, (%1)" : : "r"(v), "r"(gva) : "memory");
}

#endif
