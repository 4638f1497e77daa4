// SPDX-License-Identifier: GPL-2.0
/*
 * Memory-mapped and port I/O, 32 and 64 bit: the VMM's test device in all widths
 * and through many kinds of instruction, string I/O on ports.
 *
 * The device's registers are listed in umbra.1.
 */
#include "guest.h"

#define DEVICE		0xd0000000ul
#define ID		(DEVICE + 0x00)
#define SCRATCH		(DEVICE + 0x08)
#define COUNTER		(DEVICE + 0x10)
#define ECHO		(DEVICE + 0x18)
#define LAST		(DEVICE + 0x20)
#define BUFFER		(DEVICE + 0x100)
#define NOWHERE		(DEVICE + 0x800)

#define DEVICE_ID	0x41524d55u
#define WAS_WRITE	0x100u
#define SERIAL_SCRATCH	(SERIAL_PORT + 7)

static void check_last(u32 expected)
{
	CHECK(load32(LAST) == expected);
}

static void check_widths(void)
{
	u32 i;

	CHECK(load32(ID) == DEVICE_ID);
	store32(SCRATCH, 0x11223344);
	check_last(4 | WAS_WRITE | 8 << 16);
	store16(SCRATCH + 4, 0x5566);
	store8(SCRATCH + 6, 0x77);
	check_last(1 | WAS_WRITE | 14 << 16);
	store8(SCRATCH + 7, 0x88);
	CHECK(load32(SCRATCH + 4) == 0x88775566);
	CHECK(load16(SCRATCH + 1) == 0x2233);
	check_last(2 | 9 << 16);
	for (i = 0; i < 4; i++)
		CHECK(load8(SCRATCH + i) == 0x44 - 0x11 * i);
	store32(ECHO, 0x0f0f1234);
	CHECK(load32(ECHO) == 0xf0f0edcb && load8(ECHO + 1) == 0xed);
	store32(COUNTER, 41);
	CHECK(load32(COUNTER) == 42 && load16(COUNTER) == 43 && load8(COUNTER) == 44);
	CHECK(load32(NOWHERE) == 0xffffffff);
	store32(ID, 0);
	CHECK(load32(ID) == DEVICE_ID);
#ifdef __x86_64__
	CHECK(load64(SCRATCH) == 0x8877556611223344ULL);
	store64(SCRATCH, 0x0102030405060708ULL);
	check_last(8 | WAS_WRITE | 8 << 16);
	CHECK(load8(SCRATCH) == 8 && load8(SCRATCH + 7) == 1);
#endif
	print("mmio: all widths, both directions\n");
}

static void check_extending(void)
{
	u32 value;

	store32(SCRATCH, 0x8001ff80);
	asm volatile("movzbl (%1), %0" : "=r"(value) : "r"(SCRATCH) : "memory");
	CHECK(value == 0x80);
	asm volatile("movsbl (%1), %0" : "=r"(value) : "r"(SCRATCH) : "memory");
	CHECK(value == 0xffffff80);
	asm volatile("movzwl (%1), %0" : "=r"(value) : "r"(SCRATCH + 2) : "memory");
	CHECK(value == 0x8001);
	asm volatile("movswl (%1), %0" : "=r"(value) : "r"(SCRATCH + 2) : "memory");
	CHECK(value == 0xffff8001);
	asm volatile("movl $0x600df00d, (%0)" : : "r"(SCRATCH) : "memory");
	CHECK(load32(SCRATCH) == 0x600df00d);
	print("mmio: zero and sign extension, immediates\n");
}

static void check_modifying(void)
{
	u32 value = 5;
	bool carry;

	store32(SCRATCH, 0xfffffff0);
	asm volatile("addl $0x20, (%1); setc %0" : "=q"(carry) : "r"(SCRATCH) : "memory", "cc");
	CHECK(carry && load32(SCRATCH) == 0x10);
	asm volatile("orb $0x81, (%0)" : : "r"(SCRATCH) : "memory", "cc");
	asm volatile("notl (%0)" : : "r"(SCRATCH) : "memory", "cc");
	CHECK(load32(SCRATCH) == ~0x91u);
	asm volatile("incw (%0)" : : "r"(SCRATCH) : "memory", "cc");
	CHECK(load32(SCRATCH) == ~0x91u + 1);
	asm volatile("shrl $4, (%0)" : : "r"(SCRATCH) : "memory", "cc");
	CHECK(load32(SCRATCH) == (~0x91u + 1) >> 4);
	asm volatile("xchgl %0, (%1)" : "+r"(value) : "r"(SCRATCH) : "memory");
	CHECK(value == (~0x91u + 1) >> 4 && load32(SCRATCH) == 5);
	asm volatile("lock xaddl %0, (%1)" : "+r"(value) : "r"(SCRATCH) : "memory", "cc");
	CHECK(value == 5);
	store32(SCRATCH, 7);
	value = 7;
	asm volatile("lock cmpxchgl %2, (%1)" : "+a"(value) : "r"(SCRATCH), "r"(9)
		     : "memory", "cc");
	CHECK(value == 7 && load32(SCRATCH) == 9);
	asm volatile("btsl $8, (%1); setc %0" : "=q"(carry) : "r"(SCRATCH) : "memory", "cc");
	CHECK(!carry && load32(SCRATCH) == 0x109);
	print("mmio: read-modify-write instructions\n");
}

static void check_testing(void)
{
	bool equal, zero;

	store32(SCRATCH, 0x1234);
	asm volatile("cmpl $0x1234, (%1); sete %0" : "=q"(equal) : "r"(SCRATCH) : "memory", "cc");
	asm volatile("testb $0x0b, (%1); setz %0" : "=q"(zero) : "r"(SCRATCH) : "memory", "cc");
	CHECK(equal && zero);
	print("mmio: comparisons\n");
}

static void check_strings(void)
{
	static u8 ram[64];
	const void *from;
	void *to;
	unsigned long n;
	u32 i;

	for (i = 0; i < sizeof(ram); i++)
		ram[i] = 3 * i + 1;
	from = ram;
	to = (void *)BUFFER;
	n = sizeof(ram) / 4;
	asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	CHECK(n == 0 && from == ram + sizeof(ram) && to == (void *)(BUFFER + sizeof(ram)));
	for (i = 0; i < sizeof(ram); i += 7)
		CHECK(load8(BUFFER + i) == ram[i]);
	memset(ram, 0, sizeof(ram));
	memcpy(ram, (void *)BUFFER, 33);
	CHECK(ram[32] == 97 && ram[33] == 0 && ram[0] == 1);
	memset((void *)(BUFFER + 8), 0xee, 5);
	CHECK(load32(BUFFER + 8) == 0xeeeeeeee && load8(BUFFER + 13) == 3 * 13 + 1);
	print("mmio: string instructions\n");
}

static void check_ports(void)
{
	static const u8 text[] = "mmio: this line was sent by one REP OUTSB\n";
	const void *from = text;
	unsigned long n = sizeof(text) - 1;
	u8 bytes[4] = { 0 };
	void *to = bytes;
	u32 value;

	asm volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(SERIAL_PORT) : "memory");
	CHECK(n == 0 && from == text + sizeof(text) - 1);
	out8(SERIAL_SCRATCH, 0xa5);
	n = 3;
	asm volatile("rep insb" : "+D"(to), "+c"(n) : "d"(SERIAL_SCRATCH) : "memory");
	CHECK(n == 0 && to == bytes + 3);
	CHECK(bytes[0] == 0xa5 && bytes[2] == 0xa5 && bytes[3] == 0);
	/* Nothing answers there: ones, and only as wide as asked. */
	value = 0x12340000;
	asm volatile("inw %w1, %w0" : "+a"(value) : "d"(0x5678));
	CHECK(value == 0x1234ffff);
	CHECK(in8(0x5678) == 0xff && in32(0x5678) == 0xffffffff);
	print("mmio: ports by string and by width\n");
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	(void)info;
	print("mmio: the test device\n");
	CHECK(magic == BOOT_MAGIC);
	check_widths();
	check_extending();
	check_modifying();
	check_testing();
	check_strings();
	check_ports();
	return 0;
}
