// SPDX-License-Identifier: GPL-2.0
/*
 * Guest that ends the way its argument says, for tests of the VMM:
 *
 * exit N, echo (lines from the serial port until an empty one), hang, halt, wait
 * (HLT with interrupts on), triple (fault), fetch (instructions from a device),
 * bytes (every byte value on the serial port).
 */
#include "guest.h"

#define LSR_PORT	(SERIAL_PORT + 5)
#define LSR_DATA	0x01
#define DEVICE		0xd0000100u

static u8 get_byte(void)
{
	while (!(in8(LSR_PORT) & LSR_DATA))
		relax();
	return in8(SERIAL_PORT);
}

static void repeat(const struct boot_info *info)
{
	u8 byte, last = '\n';

	(void)info;
	print("echo: ");
	for (;;) {
		byte = get_byte();
		if (byte == '\n' && last == '\n')
			guest_exit(0);
		out8(SERIAL_PORT, byte);
		last = byte;
	}
}

static void do_exit(const struct boot_info *info)
{
	guest_exit(guest_number(info, 1, 0));
}

static void hang(const struct boot_info *info)
{
	(void)info;
	print("hangs now\n");
	for (;;)
		barrier();
}

static void halt(const struct boot_info *info)
{
	(void)info;
	asm volatile("cli; hlt");
	print("FAILED: ran on after HLT\n");
}

static void wait(const struct boot_info *info)
{
	(void)info;
	asm volatile("sti; hlt");
	print("FAILED: ran on after HLT\n");
}

static void triple(const struct boot_info *info)
{
	static const struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) empty;

	(void)info;
	asm volatile("lidt %0; ud2" : : "m"(empty));
}

static void fetch(const struct boot_info *info)
{
	(void)info;
	((void (*)(void))DEVICE)();
}

static void bytes(const struct boot_info *info)
{
	u32 i;

	(void)info;
	for (i = 0; i < 256; i++)
		out8(SERIAL_PORT, i);
	guest_exit(0);
}

static const struct {
	const char *name;
	void (*act)(const struct boot_info *info);
} acts[] = {
	{ "exit", do_exit },
	{ "echo", repeat },
	{ "hang", hang },
	{ "halt", halt },
	{ "wait", wait },
	{ "triple", triple },
	{ "fetch", fetch },
	{ "bytes", bytes },
};

u32 guest_main(const struct boot_info *info, u32 magic)
{
	char word[16];
	u32 i;

	CHECK(magic == BOOT_MAGIC);
	guest_arg(info, 0, word, sizeof(word));
	for (i = 0; i < ARRAY_SIZE(acts); i++)
		if (!strcmp(word, acts[i].name))
			acts[i].act(info);
	print("misc: wants one of: exit N, echo, hang, halt, wait, triple, fetch, bytes\n");
	return 2;
}
