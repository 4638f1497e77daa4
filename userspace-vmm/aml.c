// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI Machine Language, by chapter 20 of the ACPI specification, resource descriptors by
 * chapter 6.4. Too much for the room given is remembered, not written.
 *
 * What devices there are is acpi.c's.
 */
#include <string.h>

#include "aml.h"

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_DWORD = 0x0c,
	OP_TEXT = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXTENDED = 0x5b,
	OP_DEVICE = 0x82,
};

/* A package's length in two bytes: 4 bits, how many bytes follow, and 8 bits. */
#define LENGTH_BYTES	2
#define LENGTH_MAX	0xfff
/* Of a buffer before its contents: opcode, length, opcode and 4 bytes of its size. */
#define SIZE_BYTES	5

static void put(struct aml *a, const void *data, size_t n)
{
	if (a->failed || n > a->size - a->n) {
		a->failed = true;
		return;
	}
	memcpy(a->data + a->n, data, n);
	a->n += n;
}

static void put8(struct aml *a, u8 value)
{
	put(a, &value, 1);
}

static void put16(struct aml *a, u16 value)
{
	put(a, &value, 2);
}

static void put32(struct aml *a, u32 value)
{
	put(a, &value, 4);
}

/* A name: "\" and one segment, or one segment. Segments have four characters. */
static void put_name(struct aml *a, const char *name)
{
	char segment[4] = { '_', '_', '_', '_' };
	size_t length;

	if (*name == '\\')
		put8(a, *name++);
	length = strlen(name);
	memcpy(segment, name, length < sizeof(segment) ? length : sizeof(segment));
	put(a, segment, sizeof(segment));
}

static void begin(struct aml *a)
{
	if (a->depth == AML_MAX_DEPTH) {
		a->failed = true;
		return;
	}
	a->open[a->depth++] = a->n;
	put16(a, 0);
}

/**
 * aml_end() - Close what was opened last.
 * @a: code
 */
void aml_end(struct aml *a)
{
	size_t start, length;

	if (a->failed || !a->depth) {
		a->failed = true;
		return;
	}
	start = a->open[--a->depth];
	length = a->n - start;
	if (length > LENGTH_MAX) {
		a->failed = true;
		return;
	}
	a->data[start] = (LENGTH_BYTES - 1) << 6 | (length & 0xf);
	a->data[start + 1] = length >> 4;
}

/**
 * aml_scope() - Open a scope.
 * @a: code
 * @name: of a namespace object
 */
void aml_scope(struct aml *a, const char *name)
{
	put8(a, OP_SCOPE);
	begin(a);
	put_name(a, name);
}

/**
 * aml_device() - Open a device.
 * @a: code
 * @name: one segment
 */
void aml_device(struct aml *a, const char *name)
{
	put8(a, OP_EXTENDED);
	put8(a, OP_DEVICE);
	begin(a);
	put_name(a, name);
}

static void put_int(struct aml *a, u32 value)
{
	put8(a, OP_DWORD);
	put32(a, value);
}

/**
 * aml_name_int() - Name an integer.
 * @a: code
 * @name: one segment
 * @value: integer
 */
void aml_name_int(struct aml *a, const char *name, u32 value)
{
	put8(a, OP_NAME);
	put_name(a, name);
	put_int(a, value);
}

/**
 * aml_name_text() - Name a string.
 * @a: code
 * @name: one segment
 * @text: string
 */
void aml_name_text(struct aml *a, const char *name, const char *text)
{
	put8(a, OP_NAME);
	put_name(a, name);
	put8(a, OP_TEXT);
	put(a, text, strlen(text) + 1);
}

static u32 hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/**
 * aml_name_eisa() - Name an EISA identity.
 * @a: code
 * @name: one segment
 * @id: three capital letters and four capital hexadecimal digits
 */
void aml_name_eisa(struct aml *a, const char *name, const char *id)
{
	u32 value = (id[0] & 0x1f) << 26 | (id[1] & 0x1f) << 21 | (id[2] & 0x1f) << 16 |
		    hex_digit(id[3]) << 12 | hex_digit(id[4]) << 8 | hex_digit(id[5]) << 4 |
		    hex_digit(id[6]);

	aml_name_int(a, name, __builtin_bswap32(value));
}

/**
 * aml_name_package() - Name a package of small integers.
 * @a: code
 * @name: one segment, with "\" before it or not
 * @values: integers
 * @n: number of @values
 */
void aml_name_package(struct aml *a, const char *name, const u8 *values, u8 n)
{
	u8 i;

	put8(a, OP_NAME);
	put_name(a, name);
	put8(a, OP_PACKAGE);
	begin(a);
	put8(a, n);
	for (i = 0; i < n; i++) {
		put8(a, OP_BYTE);
		put8(a, values[i]);
	}
	aml_end(a);
}

/**
 * aml_resources() - Open a device's current resources.
 * @a: code
 */
void aml_resources(struct aml *a)
{
	put8(a, OP_NAME);
	put_name(a, "_CRS");
	put8(a, OP_BUFFER);
	begin(a);
	put_int(a, 0);
}

/**
 * aml_end_resources() - Close them.
 * @a: code
 */
void aml_end_resources(struct aml *a)
{
	u32 size;

	put8(a, 0x79);		/* end tag; a checksum of 0 is none */
	put8(a, 0);
	if (a->failed || !a->depth)
		return;
	size = a->n - a->open[a->depth - 1] - LENGTH_BYTES - SIZE_BYTES;
	memcpy(a->data + a->open[a->depth - 1] + LENGTH_BYTES + 1, &size, sizeof(size));
	aml_end(a);
}

/**
 * aml_io() - Resource: I/O ports.
 * @a: code
 * @port: first one
 * @length: how many
 */
void aml_io(struct aml *a, u16 port, u8 length)
{
	put8(a, 0x47);		/* small item 8, 7 bytes */
	put8(a, 1);		/* all 16 bits are decoded */
	put16(a, port);
	put16(a, port);
	put8(a, 1);
	put8(a, length);
}

/**
 * aml_irq() - Resource: an ISA interrupt, edge, active high, not shared.
 * @a: code
 * @irq: 0 to 15
 */
void aml_irq(struct aml *a, u8 irq)
{
	put8(a, 0x22);		/* small item 4, 2 bytes */
	put16(a, 1 << irq);
}

/**
 * aml_memory() - Resource: a fixed range of 32-bit addresses, writable.
 * @a: code
 * @base: first address
 * @length: bytes
 */
void aml_memory(struct aml *a, u32 base, u32 length)
{
	put8(a, 0x86);		/* large item 6 */
	put16(a, 9);
	put8(a, 1);
	put32(a, base);
	put32(a, length);
}

/**
 * aml_interrupt() - Resource: an interrupt by its number, edge, active high, not shared.
 * @a: code
 * @gsi: number
 */
void aml_interrupt(struct aml *a, u32 gsi)
{
	put8(a, 0x89);		/* large item 9 */
	put16(a, 6);
	put8(a, 0x03);		/* consumer, edge */
	put8(a, 1);		/* one number */
	put32(a, gsi);
}
