// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI tables, by chapter 5.2 of the ACPI specification, written into guest memory from
 * ACPI_BASE on: RSDP, FACS, DSDT, FADT, MADT, XSDT.
 *
 * They say what pc.c, virtio.c and the hypervisor's interrupt controllers are; they must
 * name nothing that is not there.
 */
#include <stdio.h>
#include <string.h>

#include "acpi.h"
#include "aml.h"
#include "pc.h"
#include "virtio.h"

#define LAPIC_ADDRESS	0xfee00000
#define IOAPIC_ADDRESS	0xfec00000
#define DSDT_MAX	2048
#define MADT_MAX	(44 + 8 * MACHINE_MAX_CPUS + 12 + 10 + 6)

#define FADT_WBINVD		BIT_ULL(0)
#define FADT_PROC_C1		BIT_ULL(2)
#define FADT_NO_POWER_BUTTON	BIT_ULL(4)
#define FADT_NO_SLEEP_BUTTON	BIT_ULL(5)
#define FADT_NO_RTC_WAKE	BIT_ULL(6)
#define FADT_RESET_REGISTER	BIT_ULL(10)
#define FADT_HEADLESS		BIT_ULL(12)
#define FADT_LEGACY_DEVICES	BIT_ULL(0)
#define FADT_NO_VGA		BIT_ULL(2)
#define MADT_8259		BIT_ULL(0)
#define ACTIVE_HIGH_LEVEL	0x000d
#define SPACE_IO		1

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __attribute__((packed));

struct acpi_facs {
	char signature[4];
	u32 length;
	u8 zero[24];
	u8 version;
	u8 reserved[31];
} __attribute__((packed));

struct acpi_address {
	u8 space;
	u8 bits;
	u8 offset;
	u8 access;
	u64 address;
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	u32 facs;
	u32 dsdt;
	u8 reserved0;
	u8 profile;
	u16 sci;
	u32 smi_command;
	u8 enable[4];
	u32 pm1a_event;
	u32 pm1b_event;
	u32 pm1a_control;
	u32 pm1b_control;
	u32 pm2_control;
	u32 pm_timer;
	u32 gpe0;
	u32 gpe1;
	u8 pm1_event_length;
	u8 pm1_control_length;
	u8 pm2_control_length;
	u8 pm_timer_length;
	u8 gpe[4];
	u16 c2_latency;
	u16 c3_latency;
	u8 flush_and_duty[6];
	u8 day_alarm;
	u8 month_alarm;
	u8 century;
	u16 boot_flags;
	u8 reserved1;
	u32 flags;
	struct acpi_address reset_register;
	u8 reset_value;
	u8 reserved2[3];
	u64 x_facs;
	u64 x_dsdt;
	struct acpi_address x_pm1a_event;
	struct acpi_address x_pm1b_event;
	struct acpi_address x_pm1a_control;
	struct acpi_address x_pm1b_control;
	struct acpi_address x_pm2_control;
	struct acpi_address x_pm_timer;
	struct acpi_address x_gpe[2];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_header) == 36, "size of a table's header");
_Static_assert(sizeof(struct acpi_facs) == 64, "size of the FACS");
_Static_assert(sizeof(struct acpi_fadt) == 244, "size of a FADT of revision 4");

/**
 * struct writer - where tables go
 * @m: machine
 * @next: guest-physical address of the next table
 * @failed: something did not fit
 */
struct writer {
	struct machine *m;
	u64 next;
	bool failed;
};

static u8 checksum(const void *data, size_t n)
{
	const u8 *bytes = data;
	u8 sum = 0;

	while (n--)
		sum += *bytes++;
	return -sum;
}

/* Put @n bytes where there is room, on a boundary. Their address. */
static u64 place(struct writer *w, const void *data, size_t n)
{
	u64 at = (w->next + 63) & ~63ULL;
	u8 *host = at + n <= ACPI_END ? machine_ram(w->m, at, n) : NULL;

	if (!host) {
		w->failed = true;
		return 0;
	}
	memcpy(host, data, n);
	w->next = at + n;
	return at;
}

static void fill_header(struct acpi_header *h, const char *signature, u8 revision, u32 length)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->signature, signature, 4);
	h->length = length;
	h->revision = revision;
	memcpy(h->oem_id, "UMBRA ", 6);
	memcpy(h->oem_table_id, "UMBRAVMM", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "UMBR", 4);
	h->creator_revision = 1;
}

static u64 place_table(struct writer *w, struct acpi_header *h)
{
	h->checksum = 0;
	h->checksum = checksum(h, h->length);
	return place(w, h, h->length);
}

static void describe_serial(struct aml *a)
{
	aml_device(a, "COM1");
	aml_name_eisa(a, "_HID", "PNP0501");
	aml_name_int(a, "_UID", 1);
	aml_resources(a);
	aml_io(a, SERIAL_PORT, 8);
	aml_irq(a, SERIAL_IRQ);
	aml_end_resources(a);
	aml_end(a);
}

static void describe_rtc(struct aml *a)
{
	aml_device(a, "RTC_");
	aml_name_eisa(a, "_HID", "PNP0B00");
	aml_resources(a);
	aml_io(a, RTC_PORT_INDEX, 2);
	aml_end_resources(a);
	aml_end(a);
}

static void describe_virtio(struct aml *a, unsigned int index)
{
	char name[5];

	snprintf(name, sizeof(name), "VR%02u", index % 100);
	aml_device(a, name);
	aml_name_text(a, "_HID", "LNRO0005");
	aml_name_int(a, "_UID", index);
	aml_resources(a);
	aml_memory(a, virtio_base(index), VIRTIO_SIZE);
	aml_interrupt(a, virtio_gsi(index));
	aml_end_resources(a);
	aml_end(a);
}

static u64 place_dsdt(struct writer *w)
{
	static const u8 soft_off[4] = { PC_SLEEP_OFF, PC_SLEEP_OFF };
	u8 table[DSDT_MAX];
	struct aml a = { .data = table, .size = sizeof(table), .n = sizeof(struct acpi_header) };
	unsigned int i;

	aml_name_package(&a, "\\_S5", soft_off, sizeof(soft_off));
	aml_scope(&a, "\\_SB");
	describe_serial(&a);
	describe_rtc(&a);
	for (i = 0; i < w->m->nr_virtio; i++)
		describe_virtio(&a, i);
	aml_end(&a);
	if (a.failed) {
		w->failed = true;
		return 0;
	}
	fill_header((struct acpi_header *)table, "DSDT", 2, a.n);
	return place_table(w, (struct acpi_header *)table);
}

static struct acpi_address io_address(u16 port, u8 bytes)
{
	return (struct acpi_address){
		.space = SPACE_IO,
		.bits = 8 * bytes,
		.access = bytes == 4 ? 3 : bytes,
		.address = port,
	};
}

static u64 place_fadt(struct writer *w, u64 facs, u64 dsdt)
{
	struct acpi_fadt t = {
		.facs = facs,
		.dsdt = dsdt,
		.sci = PC_SCI_IRQ,
		.pm1a_event = PC_PM_EVENT,
		.pm1a_control = PC_PM_CONTROL,
		.pm_timer = PC_PM_TIMER,
		.pm1_event_length = 4,
		.pm1_control_length = 2,
		.pm_timer_length = 4,
		.c2_latency = 0xfff,
		.c3_latency = 0xfff,
		.century = 0x32,
		.boot_flags = FADT_LEGACY_DEVICES | FADT_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_NO_RTC_WAKE | FADT_RESET_REGISTER | FADT_HEADLESS,
		.reset_register = io_address(PC_PORT_RESET, 1),
		.reset_value = PC_RESET_VALUE,
		.x_dsdt = dsdt,
		.x_pm1a_event = io_address(PC_PM_EVENT, 4),
		.x_pm1a_control = io_address(PC_PM_CONTROL, 2),
		.x_pm_timer = io_address(PC_PM_TIMER, 4),
	};

	fill_header(&t.header, "FACP", 4, sizeof(t));
	return place_table(w, &t.header);
}

static size_t append(u8 *table, size_t at, const void *entry, size_t n)
{
	memcpy(table + at, entry, n);
	return at + n;
}

static u64 place_madt(struct writer *w)
{
	static const u32 fixed[2] = { LAPIC_ADDRESS, MADT_8259 };
	u8 ioapic[12] = { 1, sizeof(ioapic) };
	u8 sci[10] = { 2, sizeof(sci), 0, PC_SCI_IRQ, PC_SCI_IRQ, 0, 0, 0, ACTIVE_HIGH_LEVEL };
	u8 nmi[6] = { 4, sizeof(nmi), 0xff, 0, 0, 1 };
	u32 address = IOAPIC_ADDRESS;
	u8 table[MADT_MAX];
	unsigned int i;
	size_t n;

	memcpy(ioapic + 4, &address, sizeof(address));
	n = append(table, sizeof(struct acpi_header), fixed, sizeof(fixed));
	for (i = 0; i < w->m->nr_vcpus; i++) {
		u8 cpu[8] = { 0, sizeof(cpu), i, i, 1 };

		n = append(table, n, cpu, sizeof(cpu));
	}
	n = append(table, n, ioapic, sizeof(ioapic));
	n = append(table, n, sci, sizeof(sci));
	n = append(table, n, nmi, sizeof(nmi));
	fill_header((struct acpi_header *)table, "APIC", 3, n);
	return place_table(w, (struct acpi_header *)table);
}

static u64 place_xsdt(struct writer *w, u64 fadt, u64 madt)
{
	struct {
		struct acpi_header header;
		u64 tables[2];
	} __attribute__((packed)) t = { .tables = { fadt, madt } };

	fill_header(&t.header, "XSDT", 1, sizeof(t));
	return place_table(w, &t.header);
}

/**
 * acpi_build() - Write the tables.
 * @m: machine with memory, all of its vCPUs and devices added
 *
 * Return: false when they do not fit.
 */
bool acpi_build(struct machine *m)
{
	struct writer w = { .m = m, .next = ACPI_BASE + sizeof(struct acpi_rsdp) };
	struct acpi_facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };
	struct acpi_rsdp rsdp = { .revision = 2, .length = sizeof(rsdp) };
	u64 dsdt = place_dsdt(&w);
	u64 fadt = place_fadt(&w, place(&w, &facs, sizeof(facs)), dsdt);

	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, "UMBRA ", 6);
	rsdp.xsdt = place_xsdt(&w, fadt, place_madt(&w));
	/* The first sum is of what the first version of the specification had. */
	rsdp.checksum = checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	w.next = ACPI_RSDP;
	place(&w, &rsdp, sizeof(rsdp));
	return !w.failed;
}
