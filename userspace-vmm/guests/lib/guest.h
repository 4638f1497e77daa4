/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runtime of the tiny guests: ports, console, verdict. Freestanding, 32 and 64 bit.
 *
 * The start state and the ports are umbra's, see umbra.1. Nothing here allocates.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SERIAL_PORT		0x3f8
#define PORT_DEBUG_EXIT		0x501
#define PORT_START_ADDRESS	0x520
#define PORT_START_VCPU		0x524
#define PORT_INTERRUPT		0x528
#define INTERRUPT_NMI		(1u << 16)

#define BOOT_MAGIC		0x2badb002u

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

/* Boot information in every start mode: the Multiboot structure. */
struct boot_info {
	u32 flags;
	u32 mem_lower;
	u32 mem_upper;
	u32 boot_device;
	u32 cmdline;
	u32 mods_count;
	u32 mods_addr;
	u32 syms[4];
	u32 mmap_length;
	u32 mmap_addr;
};

static inline void out8(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u8 in8(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u32 in32(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void cpuid(u32 leaf, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	asm volatile("cpuid" : "=a"(*eax), "=b"(*ebx), "=c"(*ecx), "=d"(*edx)
		     : "a"(leaf), "c"(0));
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(msr) : "memory");
}

static inline u64 read_tsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

#define DEFINE_CONTROL(reg)						\
static inline unsigned long read_##reg(void)				\
{									\
	unsigned long value;						\
									\
	asm volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory");	\
	return value;							\
}									\
									\
static inline void write_##reg(unsigned long value)			\
{									\
	asm volatile("mov %0, %%" #reg : : "r"(value) : "memory");	\
}

DEFINE_CONTROL(cr0)
DEFINE_CONTROL(cr2)
DEFINE_CONTROL(cr3)
DEFINE_CONTROL(cr4)

static inline void flush_page(const void *address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/*
 * Memory by address, behind the compiler's back: an alias set up in page tables is
 * nothing it can know of.
 */
static inline u8 load8(unsigned long at)
{
	u8 value;

	asm volatile("movb (%1), %0" : "=q"(value) : "r"(at) : "memory");
	return value;
}

static inline void store8(unsigned long at, u8 value)
{
	asm volatile("movb %0, (%1)" : : "q"(value), "r"(at) : "memory");
}

static inline u16 load16(unsigned long at)
{
	u16 value;

	asm volatile("movw (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void store16(unsigned long at, u16 value)
{
	asm volatile("movw %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

static inline u32 load32(unsigned long at)
{
	u32 value;

	asm volatile("movl (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void store32(unsigned long at, u32 value)
{
	asm volatile("movl %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

#ifdef __x86_64__
static inline u64 load64(unsigned long at)
{
	u64 value;

	asm volatile("movq (%1), %0" : "=r"(value) : "r"(at) : "memory");
	return value;
}

static inline void store64(unsigned long at, u64 value)
{
	asm volatile("movq %0, (%1)" : : "r"(value), "r"(at) : "memory");
}
#endif

/* Keep the compiler from caching what the CPU or another vCPU changes. */
static inline void barrier(void)
{
	asm volatile("" : : : "memory");
}

static inline void relax(void)
{
	asm volatile("pause" : : : "memory");
}

void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int strcmp(const char *a, const char *b);

void print(const char *text);
void print_dec(u64 value);
void print_hex(u64 value);
void println(const char *text, u64 value);
void __attribute__((noreturn)) guest_exit(u32 status);

/* The guest is wrong: say where and exit with 1. */
void __attribute__((noreturn)) failed(const char *file, int line, const char *what);

#define CHECK(condition)						\
	do {								\
		if (!(condition))					\
			failed(__FILE__, __LINE__, #condition);		\
	} while (0)

const char *guest_arg(const struct boot_info *info, unsigned int n, char *buffer, size_t size);
unsigned long guest_number(const struct boot_info *info, unsigned int n, unsigned long fallback);

/* Supplied by each guest; its result is the exit status. */
u32 guest_main(const struct boot_info *info, u32 magic);
void secondary_main(u32 index);

/* End of the guest's image, from guest.ld. */
extern char image_end[];

/* In start.S: where other vCPUs are started. */
void secondary_start(void);

#endif
