// SPDX-License-Identifier: GPL-2.0
/*
 * Runtime of the tiny guests: console by polled serial port, verdict by the debug
 * exit port, command line, the memory functions the compiler may call.
 *
 * Knows nothing of what a guest demonstrates.
 */
#include "guest.h"

#define LSR_PORT	(SERIAL_PORT + 5)
#define LSR_EMPTY	0x20
#define FIFO_SIZE	16

void *memset(void *to, int value, size_t n)
{
	void *d = to;

	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(value) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;

	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

/**
 * print() - Send text to the serial port.
 * @text: text; newlines go out as they are
 */
void print(const char *text)
{
	unsigned int room = 0;

	for (; *text; text++, room--) {
		if (!room) {
			while (!(in8(LSR_PORT) & LSR_EMPTY))
				relax();
			room = FIFO_SIZE;
		}
		out8(SERIAL_PORT, *text);
	}
}

/**
 * print_dec() - Send a number in decimal.
 * @value: number
 */
void print_dec(u64 value)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;
	u32 high, low, rest;

	/* Two 32-bit divisions: 32-bit guests have no library for 64-bit ones. */
	digits[at] = '\0';
	do {
		high = value >> 32;
		low = value;
		rest = high % 10;
		high /= 10;
		asm("divl %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(rest), "r"(10u));
		value = (u64)high << 32 | low;
		digits[--at] = '0' + rest;
	} while (value);
	print(digits + at);
}

/**
 * print_hex() - Send a number in hexadecimal, with 0x before it.
 * @value: number
 */
void print_hex(u64 value)
{
	char digits[20];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	print("0x");
	print(digits + at);
}

/**
 * println() - Print a line that ends in a number.
 * @text: what goes before
 * @value: printed in decimal
 */
void println(const char *text, u64 value)
{
	print(text);
	print_dec(value);
	print("\n");
}

/**
 * guest_exit() - End the whole guest.
 * @status: exit status of umbra, 0 to 99
 */
void guest_exit(u32 status)
{
	out32(PORT_DEBUG_EXIT, status);
	for (;;)
		asm volatile("cli; hlt");
}

/**
 * failed() - End the guest with status 1 and a message.
 * @file: source file of the check
 * @line: its line
 * @what: the condition that does not hold
 */
void failed(const char *file, int line, const char *what)
{
	print("FAILED ");
	print(file);
	print(":");
	print_dec(line);
	print(": ");
	print(what);
	print("\n");
	guest_exit(1);
}

/**
 * guest_arg() - One word of the command line.
 * @info: boot information
 * @n: which, from 0
 * @buffer: room for it
 * @size: of @buffer
 *
 * Return: @buffer, holding an empty string when there are fewer words.
 */
const char *guest_arg(const struct boot_info *info, unsigned int n, char *buffer, size_t size)
{
	const char *p = (const char *)(unsigned long)info->cmdline;
	size_t length = 0;

	for (; n && *p; p++)
		if (*p == ' ')
			n--;
	for (; !n && *p && *p != ' ' && length < size - 1; p++)
		buffer[length++] = *p;
	buffer[length] = '\0';
	return buffer;
}

/**
 * guest_number() - A number from the command line.
 * @info: boot information
 * @n: which word, from 0
 * @fallback: value when the word is missing
 *
 * Return: the number; the guest fails on a word that is none.
 */
unsigned long guest_number(const struct boot_info *info, unsigned int n, unsigned long fallback)
{
	char word[24];
	const char *p = guest_arg(info, n, word, sizeof(word));
	unsigned long value = 0;

	if (!*p)
		return fallback;
	for (; *p; p++) {
		CHECK(*p >= '0' && *p <= '9');
		value = value * 10 + (*p - '0');
	}
	return value;
}
