// SPDX-License-Identifier: GPL-2.0
/*
 * What makes a machine of "umbra run --kernel" a PC, in user space under ASan and UBSan:
 * ACPI tables, CMOS clock, board ports, processor numbers, the serial port's interrupt, keys
 * of the user's own, and headers of kernels that are none.
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "acpi.h"
#include "aml.h"
#include "linux_image.h"
#include "pc.h"
#include "terminal.h"
#include "topology.h"
#include "umbra.h"
#include "virtio_dev.h"

#define RAM_SIZE	MIB(2)
#define NOW		1700000000	/* Tuesday, November 14, 2023, 22:13:20 UTC */

static struct machine machine;
static struct vcpu vcpu = { .m = &machine };
static int ended;
static int level;
static unsigned int edges;

void complain(const char *fmt, ...)
{
	(void)fmt;
}

void machine_end(struct machine *m, struct vcpu *v, int status, const char *fmt, ...)
{
	(void)m;
	(void)v;
	(void)fmt;
	ended = status;
}

void irq_init(struct irq_line *line, struct machine *m, u32 gsi)
{
	line->m = m;
	line->gsi = gsi;
}

void irq_set(struct irq_line *line, bool to)
{
	assert_int_equal(line->gsi, 4);
	assert_int_not_equal(level, to);
	edges += to;
	level = to;
}

size_t virtio_console_receive(struct virtio *d, const u8 *bytes, size_t n)
{
	(void)d;
	(void)bytes;
	return n;
}

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.ram = calloc(1, RAM_SIZE);
	machine.ram_size = RAM_SIZE;
	ended = -1;
	level = 0;
	edges = 0;
	return !machine.ram;
}

static int teardown(void **state)
{
	(void)state;
	free(machine.ram);
	return 0;
}

static u64 get(const u8 *from, unsigned int bytes)
{
	u64 value = 0;

	memcpy(&value, from, bytes);
	return value;
}

static void assert_sum(const u8 *table, size_t n)
{
	u8 sum = 0;

	while (n--)
		sum += *table++;
	assert_int_equal(sum, 0);
}

/* A table that is in memory, has that name, and whose bytes add up to 0. */
static const u8 *table_at(u64 gpa, const char *name)
{
	const u8 *table;

	assert_true(gpa >= ACPI_BASE && gpa + 36 <= ACPI_END);
	table = machine.ram + gpa;
	assert_memory_equal(table, name, 4);
	assert_true(gpa + get(table + 4, 4) <= ACPI_END);
	assert_sum(table, get(table + 4, 4));
	return table;
}

static const u8 *find(const u8 *in, size_t n, const void *what, size_t size)
{
	return memmem(in, n, what, size);
}

static void check_madt(const u8 *t, unsigned int cpus)
{
	const u8 *at = t + 44, *end = t + get(t + 4, 4);
	unsigned int seen[5] = { 0 };

	assert_int_equal(get(t + 36, 4), 0xfee00000);
	while (at < end) {
		assert_true(at[0] < 5 && at[1] >= 6);
		if (at[0] == 0) {
			assert_int_equal(at[2], seen[0]);
			assert_int_equal(at[3], seen[0]);
			assert_int_equal(get(at + 4, 4), 1);
		} else if (at[0] == 1) {
			assert_int_equal(get(at + 4, 4), 0xfec00000);
			assert_int_equal(get(at + 8, 4), 0);
		} else if (at[0] == 2) {
			assert_int_equal(at[3], 9);
			assert_int_equal(get(at + 4, 4), 9);
		}
		seen[at[0]]++;
		at += at[1];
	}
	assert_ptr_equal(at, end);
	assert_int_equal(seen[0], cpus);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 1);
	assert_int_equal(seen[4], 1);
}

static void check_dsdt(const u8 *t, unsigned int devices)
{
	static const u8 off[] = { 8, '\\', '_', 'S', '5', '_', 0x12, 0x4b, 0x00, 4, 10, 5, 10, 5 };
	static const u8 serial[] = { 0x0c, 0x41, 0xd0, 0x05, 0x01 };
	u32 length = get(t + 4, 4);
	u8 memory[12] = { 0x86, 9, 0, 1 };
	u8 irq[9] = { 0x89, 6, 0, 3, 1 };
	unsigned int i;

	assert_non_null(find(t, length, off, sizeof(off)));
	assert_non_null(find(t, length, serial, sizeof(serial)));
	for (i = 0; i < devices; i++) {
		u32 base = virtio_base(i), size = VIRTIO_SIZE, gsi = virtio_gsi(i);

		memcpy(memory + 4, &base, 4);
		memcpy(memory + 8, &size, 4);
		memcpy(irq + 5, &gsi, 4);
		assert_non_null(find(t, length, memory, sizeof(memory)));
		assert_non_null(find(t, length, irq, sizeof(irq)));
	}
	/* And none that is not there. */
	memcpy(memory + 4, &(u32){ virtio_base(devices) }, 4);
	assert_null(find(t, length, memory, 8));
}

static void check_tables(unsigned int cpus, unsigned int devices)
{
	const u8 *rsdp = machine.ram + ACPI_RSDP, *xsdt, *fadt;

	memset(machine.ram, 0, RAM_SIZE);
	machine.nr_vcpus = cpus;
	machine.nr_virtio = devices;
	assert_true(acpi_build(&machine));
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_sum(rsdp, 20);
	assert_sum(rsdp, 36);
	xsdt = table_at(get(rsdp + 24, 8), "XSDT");
	assert_int_equal(get(xsdt + 4, 4), 36 + 16);
	fadt = table_at(get(xsdt + 36, 8), "FACP");
	assert_int_equal(get(fadt + 4, 4), 244);
	assert_int_equal(get(fadt + 64, 4), PC_PM_CONTROL);
	assert_int_equal(get(fadt + 148 + 4, 8), PC_PM_EVENT);
	assert_int_equal(get(fadt + 116 + 4, 8), PC_PORT_RESET);
	assert_memory_equal(machine.ram + get(fadt + 36, 4), "FACS", 4);
	assert_int_equal(get(fadt + 36, 4) % 64, 0);
	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
	check_dsdt(table_at(get(fadt + 140, 8), "DSDT"), devices);
	check_madt(table_at(get(xsdt + 44, 8), "APIC"), cpus);
}

static void test_acpi(void **state)
{
	(void)state;
	check_tables(1, 0);
	check_tables(4, 3);
	check_tables(MACHINE_MAX_CPUS, MACHINE_MAX_VIRTIO);
	/* Memory that ends before the tables do. */
	machine.ram_size = ACPI_BASE + 256;
	assert_false(acpi_build(&machine));
}

/* Whatever the room, nothing is written beyond it, and that is known. */
static void test_aml_room(void **state)
{
	size_t size;

	(void)state;
	for (size = 0; size < 60; size++) {
		u8 *data = malloc(size ? size : 1);
		struct aml a = { .data = data, .size = size };

		aml_device(&a, "COM1");
		aml_resources(&a);
		aml_io(&a, 0x3f8, 8);
		aml_irq(&a, 4);
		aml_end_resources(&a);
		aml_end(&a);
		assert_int_equal(a.failed, a.n < 34);
		free(data);
	}
}

static u8 rtc_get(struct rtc *r, u8 index, time_t now)
{
	rtc_write(r, RTC_PORT_INDEX, index, now);
	return rtc_read(r, RTC_PORT_DATA, now);
}

static void rtc_set(struct rtc *r, u8 index, u8 value, time_t now)
{
	rtc_write(r, RTC_PORT_INDEX, index, now);
	rtc_write(r, RTC_PORT_DATA, value, now);
}

static void test_rtc(void **state)
{
	static const u8 expected[] = { 0x20, 0, 0x13, 0, 0x22, 0, 3, 0x14, 0x11, 0x23 };
	struct rtc r;
	u8 i;

	(void)state;
	rtc_init(&r);
	for (i = 0; i < sizeof(expected); i++)
		assert_int_equal(rtc_get(&r, i, NOW), expected[i]);
	assert_int_equal(rtc_get(&r, 0x32, NOW), 0x20);
	assert_int_equal(rtc_get(&r, 0x0b, NOW), 2);
	assert_int_equal(rtc_get(&r, 0x0d, NOW), 0x80);
	assert_int_equal(rtc_get(&r, 0x8d, NOW), 0x80);		/* with NMIs masked */
	rtc_set(&r, 0x00, 0x59, NOW);				/* not while it runs */
	assert_int_equal(rtc_get(&r, 0x00, NOW), 0x20);
	rtc_set(&r, 0x0b, 0x82, NOW);
	rtc_set(&r, 0x00, 0x59, NOW);
	rtc_set(&r, 0x02, 0x14, NOW);
	rtc_set(&r, 0x09, 0x24, NOW);
	assert_int_equal(rtc_get(&r, 0x00, NOW + 5), 0x59);	/* it stands */
	rtc_set(&r, 0x0b, 0x02, NOW + 5);
	assert_int_equal(rtc_get(&r, 0x00, NOW + 6), 0x00);
	assert_int_equal(rtc_get(&r, 0x02, NOW + 6), 0x15);
	assert_int_equal(rtc_get(&r, 0x09, NOW + 6), 0x24);
	rtc_set(&r, 0x40, 0xab, NOW);
	assert_int_equal(rtc_get(&r, 0x40, NOW), 0xab);
	/* Nonsense stays the guest's own. */
	rtc_set(&r, 0x0b, 0x82, NOW);
	for (i = 0; i < RTC_BYTES; i++)
		rtc_set(&r, i, 0xff, NOW);
	rtc_set(&r, 0x0b, 0x02, NOW);
	for (i = 0; i < RTC_BYTES; i++)
		rtc_get(&r, i, NOW);
}

static u32 in(u16 port, u32 size)
{
	u32 value = 0;

	assert_true(pc_port(&vcpu, port, (u8 *)&value, size, false));
	return value;
}

static void out(u16 port, u32 value, u32 size)
{
	assert_true(pc_port(&vcpu, port, (u8 *)&value, size, true));
}

static void test_board(void **state)
{
	u32 before, value;

	(void)state;
	machine.output.fd = -1;
	serial_init(&machine.serial, -1, &machine.output, false);
	pc_init(&machine);
	assert_int_equal(in(PC_PM_CONTROL, 2), 1);
	out(PC_PM_EVENT + 2, 0x20, 2);
	assert_int_equal(in(PC_PM_EVENT, 4), 0x200000);
	out(PC_PM_CONTROL, 5 << 10, 2);			/* the type alone */
	assert_int_equal(ended, -1);
	assert_int_equal(in(PC_PM_CONTROL, 2), 5 << 10 | 1);
	out(PC_PM_CONTROL, 3 << 10 | 1 << 13, 2);	/* a sleep there is not */
	assert_int_equal(ended, -1);
	out(PC_PM_CONTROL, 5 << 10 | 1 << 13, 2);
	assert_int_equal(ended, 0);
	ended = -1;
	out(PC_PORT_RESET, 2, 1);			/* what kind, not yet */
	assert_int_equal(ended, -1);
	out(PC_PORT_RESET, 6, 1);
	assert_int_equal(ended, STATUS_REBOOT);
	ended = -1;
	out(PC_PORT_KEYBOARD, 0xd1, 1);
	assert_int_equal(ended, -1);
	out(PC_PORT_KEYBOARD, 0xfe, 1);
	assert_int_equal(ended, STATUS_REBOOT);
	before = in(PC_PM_TIMER, 4);
	usleep(1000);
	assert_in_range((in(PC_PM_TIMER, 4) - before) & 0xffffff, 3579, 3579545);
	assert_false(pc_port(&vcpu, 0x1234, (u8 *)&value, 1, false));
}

static const struct kvm_cpuid_entry2 *entry(const struct kvm_cpuid2 *t, u32 function, u32 index)
{
	u32 i;

	for (i = 0; i < t->nent; i++)
		if (t->entries[i].function == function && t->entries[i].index == index)
			return &t->entries[i];
	fail_msg("no leaf %x.%x", function, index);
	return NULL;
}

static struct kvm_cpuid2 *host_table(u32 vendor)
{
	static const struct kvm_cpuid_entry2 host[] = {
		{ .function = 0 },
		{ .function = 1, .ebx = 0x01020304, .edx = 1u << 28 },
		{ .function = 4, .eax = 0x21 | 0xfc000000 },
		{ .function = 4, .index = 3, .eax = 0x63 },
		{ .function = 0xb, .eax = 4, .edx = 99 },
		{ .function = 0x1f, .eax = 4 },
		{ .function = 0x80000001 },
		{ .function = 0x80000008, .ecx = 0xffff },
		{ .function = 0x8000001e, .eax = 7 },
	};
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + (ARRAY_SIZE(host) + TOPOLOGY_EXTRA) *
				      sizeof(host[0]));

	memcpy(t->entries, host, sizeof(host));
	t->nent = ARRAY_SIZE(host);
	t->entries[0].ebx = vendor;
	return t;
}

static void test_topology(void **state)
{
	struct kvm_cpuid2 *t = host_table(0x68747541);

	(void)state;
	topology_fill(t, 2, 3, true);
	assert_int_equal(entry(t, 1, 0)->ebx, 0x02040304);
	assert_int_equal(entry(t, 1, 0)->ecx, BIT_ULL(31) | BIT_ULL(24));
	assert_int_equal(entry(t, 0xb, 0)->ebx, 1);
	assert_int_equal(entry(t, 0xb, 0)->edx, 2);
	assert_int_equal(entry(t, 0xb, 1)->eax, 2);
	assert_int_equal(entry(t, 0xb, 1)->ebx, 3);
	assert_int_equal(entry(t, 0xb, 1)->ecx, 0x201);
	assert_int_equal(entry(t, 0xb, 2)->ecx, 2);
	assert_int_equal(entry(t, 0x80000001, 0)->ecx, 2);
	assert_int_equal(entry(t, 0x80000008, 0)->ecx, 0x2002);
	assert_int_equal(entry(t, 0x8000001e, 0)->eax, 2);
	free(t);
	t = host_table(0x756e6547);
	topology_fill(t, 0, 1, false);
	assert_int_equal(entry(t, 1, 0)->ebx, 0x00010304);
	assert_int_equal(entry(t, 1, 0)->edx, 0);
	assert_int_equal(entry(t, 4, 0)->eax, 0x21);
	assert_int_equal(entry(t, 4, 3)->eax, 0x63);
	assert_int_equal(entry(t, 0x80000001, 0)->ecx, 0);
	assert_int_equal(entry(t, 0x80000008, 0)->ecx, 0xffff);
	free(t);
	t = host_table(0x756e6547);
	topology_fill(t, 3, 4, false);
	assert_int_equal(entry(t, 4, 0)->eax, 0x21 | 3 << 26);
	assert_int_equal(entry(t, 4, 3)->eax, 0x63 | 3 << 14 | 3 << 26);
	free(t);
}

#define IIR(s)	(serial_read(s, 2) & 0xf)

static void test_serial_irq(void **state)
{
	struct serial *s = &machine.serial;
	u8 many[100] = { 0 };
	unsigned int i;

	(void)state;
	machine.output.fd = -1;
	serial_init(s, -1, &machine.output, false);
	pc_init(&machine);
	serial_write(s, 1, 3);			/* both, but OUT2 is off */
	assert_int_equal(level, 0);
	serial_write(s, 4, 8);
	assert_int_equal(level, 1);		/* the transmitter is empty */
	assert_int_equal(IIR(s), 2);		/* which reading takes back */
	assert_int_equal(level, 0);
	serial_write(s, 0, 'x');
	assert_int_equal(level, 1);
	assert_int_equal(serial_receive(s, (const u8 *)"ab", 2), 2);
	assert_int_equal(IIR(s), 4);		/* bytes go first */
	assert_int_equal(IIR(s), 4);
	assert_int_equal(serial_read(s, 0), 'a');
	assert_int_equal(serial_read(s, 5), 0x61);
	assert_int_equal(serial_read(s, 0), 'b');
	assert_int_equal(serial_read(s, 5), 0x60);
	assert_int_equal(IIR(s), 2);
	assert_int_equal(IIR(s), 1);
	assert_int_equal(level, 0);
	edges = 0;
	assert_int_equal(serial_receive(s, many, sizeof(many)), SERIAL_FIFO);
	assert_int_equal(serial_receive(s, many, 1), 0);
	assert_int_equal(edges, 1);
	for (i = 0; i < SERIAL_FIFO; i++) {
		assert_int_equal(level, 1);
		serial_read(s, 0);
	}
	assert_int_equal(level, 0);
	serial_receive(s, many, 10);
	serial_write(s, 2, 3);			/* FIFO on, and emptied */
	assert_int_equal(level, 0);
	serial_write(s, 4, 0x18);		/* looped back: no line, no input */
	assert_int_equal(serial_receive(s, many, 1), 0);
	serial_write(s, 0, 'l');
	assert_int_equal(level, 0);
	assert_int_equal(serial_read(s, 0), 'l');
	serial_write(s, 4, 8);
	serial_write(s, 1, 0);
	assert_int_equal(level, 0);
	serial_write(s, 1, 2);			/* on again: told again */
	assert_int_equal(level, 1);
	serial_destroy(s);
}

static void filter(struct console_input *c, const char *typed, const char *wanted, bool leaves)
{
	bool leave = false;
	u8 bytes[64];
	size_t n = strlen(typed);

	memcpy(bytes, typed, n);
	n = console_input_filter(c, bytes, n, &leave);
	assert_int_equal(n, strlen(wanted));
	assert_memory_equal(bytes, wanted, n);
	assert_int_equal(leave, leaves);
}

static void test_keys(void **state)
{
	struct console_input c = { .escapes = true };

	(void)state;
	filter(&c, "plain x\003\032", "plain x\003\032", false);
	filter(&c, "a\001ab\001\001c", "a\001b\001c", false);
	filter(&c, "a\001qb", "ab", false);
	filter(&c, "a\001", "a", false);	/* the rest comes later */
	filter(&c, "x", "", true);
	c.escaped = false;
	filter(&c, "\001\001x", "\001x", false);
	c.escapes = false;
	filter(&c, "\001x", "\001x", false);
}

/* Any header at all: refused, or a place in memory that holds all of it. */
static void test_headers(void **state)
{
	char path[] = "/tmp/umbra-kernel-XXXXXX";
	int fd = mkstemp(path), round;
	struct linux_image image;
	struct setup_header h;
	unsigned int taken = 0;
	u8 file[8192] = { 0 };

	(void)state;
	assert_true(fd >= 0);
	srandom(7);
	for (round = 0; round < 4000; round++) {
		size_t i;

		h = (struct setup_header){ .setup_sects = random() % 20, .boot_flag = 0xaa55,
			.jump = 0x6aeb, .header = 0x53726448, .version = 0x20f, .loadflags = 1,
			.initrd_addr_max = random(), .cmdline_size = random() % 3000,
			.xloadflags = 1, .pref_address = (u64)random() << random() % 40,
			.init_size = random() >> random() % 31 };
		for (i = random() % 3; i; i--)
			((u8 *)&h)[random() % sizeof(h)] = random();
		if (random() % 2)
			h.pref_address = MIB(1) << random() % 3;
		memcpy(file + 0x1f1, &h, sizeof(h));
		assert_int_equal(pwrite(fd, file, sizeof(file), 0), sizeof(file));
		if (!linux_read(&image, path, random() % 2 ? path : NULL, "x", MIB(8))) {
			u64 size = image.size - image.offset;

			taken++;
			assert_true(image.load >= MIB(1) && image.load + size <= MIB(8));
			assert_true(image.load + image.header.init_size <= MIB(8));
			assert_true(!image.initrd ||
				    (image.initrd_at >= image.load + size &&
				     image.initrd_at + image.initrd_size <= MIB(8)));
		}
		linux_free(&image);
	}
	close(fd);
	unlink(path);
	assert_in_range(taken, 100, 3900);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_acpi),
		TEST(test_aml_room),
		TEST(test_rtc),
		TEST(test_board),
		TEST(test_topology),
		TEST(test_serial_irq),
		TEST(test_keys),
		TEST(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
