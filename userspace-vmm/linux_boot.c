// SPDX-License-Identifier: GPL-2.0
/*
 * Start of a Linux kernel: its parameters and memory map, the tables it starts with, the
 * state of the first vCPU at the 64-bit entry point.
 *
 * The other vCPUs wait for the kernel as they come out of reset.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "acpi.h"
#include "boot.h"
#include "linux_image.h"
#include "umbra.h"

#define ENTRY_64		0x200
#define LOADER_UNKNOWN		0xff
#define VIDEO_NORMAL		0xffff
#define SELECTOR_CODE		0x10
#define SELECTOR_DATA		0x18
#define E820_RAM		1
#define E820_RESERVED		2
#define MSR_MTRR_DEFAULT	0x2ff
#define MTRR_ON_WRITE_BACK	0x806
#define LAPIC_LINT0		0x350
#define LAPIC_LINT1		0x360
#define LVT_EXTINT		0x700
#define LVT_NMI			0x400

static void add_range(struct boot_params *p, u64 start, u64 end, u32 type)
{
	if (end > start)
		p->e820_table[p->e820_entries++] =
			(struct boot_e820_entry){ start, end - start, type };
}

static void write_params(struct machine *m, const struct linux_image *image)
{
	struct boot_params *p = (void *)(m->ram + LINUX_PARAMS);

	memset(p, 0, sizeof(*p));
	p->hdr = image->header;
	p->hdr.type_of_loader = LOADER_UNKNOWN;
	p->hdr.vid_mode = VIDEO_NORMAL;
	p->hdr.cmd_line_ptr = LINUX_CMDLINE;
	p->hdr.ramdisk_image = image->initrd ? image->initrd_at : 0;
	p->hdr.ramdisk_size = image->initrd_size;
	p->acpi_rsdp_addr = ACPI_RSDP;
	add_range(p, 0, LINUX_LOW_END, E820_RAM);
	add_range(p, LINUX_LOW_END, MIB(1), E820_RESERVED);
	add_range(p, MIB(1), m->ram_size, E820_RAM);
	add_range(p, MACHINE_INTEL_PAGES, MACHINE_INTEL_PAGES_END, E820_RESERVED);
}

static void write_memory(struct machine *m, const struct linux_image *image)
{
	static const u64 gdt[] = { 0, 0, 0x00af9b000000ffffULL, 0x00cf93000000ffffULL };

	memcpy(m->ram + LINUX_GDT, gdt, sizeof(gdt));
	boot_identity_map(m);
	strcpy((char *)m->ram + LINUX_CMDLINE, m->boot.cmdline);
	memcpy(m->ram + image->load, image->data + image->offset, image->size - image->offset);
	if (image->initrd)
		memcpy(m->ram + image->initrd_at, image->initrd, image->initrd_size);
	write_params(m, image);
}

static struct kvm_segment flat(u16 selector)
{
	bool code = selector == SELECTOR_CODE;

	return (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = code ? 0xb : 0x3,
		.present = 1,
		.s = 1,
		.db = !code,
		.l = code,
		.g = 1,
	};
}

static int set_registers(struct vcpu *v, const struct linux_image *image)
{
	struct kvm_regs regs = {
		.rip = image->load + ENTRY_64,
		.rsi = LINUX_PARAMS,
		.rflags = 2,
	};
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return -1;
	s.cs = flat(SELECTOR_CODE);
	s.ds = flat(SELECTOR_DATA);
	s.es = s.ds;
	s.ss = s.ds;
	s.fs = s.ds;
	s.gs = s.ds;
	s.gdt.base = LINUX_GDT;
	s.gdt.limit = 4 * 8 - 1;
	s.idt.base = 0;
	s.idt.limit = 0;
	boot_long_mode(&s);
	if (ioctl(v->fd, KVM_SET_SREGS, &s))
		return -1;
	return ioctl(v->fd, KVM_SET_REGS, &regs);
}

/* What firmware does on each processor: all memory is write-back. */
static int set_mtrr(struct vcpu *v)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_MTRR_DEFAULT, .data = MTRR_ON_WRITE_BACK },
	};

	if (ioctl(v->fd, KVM_SET_MSRS, &msrs) == 1)
		return 0;
	errno = EINVAL;
	return -1;
}

static void set_lapic_register(struct kvm_lapic_state *lapic, unsigned int offset, u32 value)
{
	memcpy(lapic->regs + offset, &value, sizeof(value));
}

/* As firmware leaves it: the 8259s reach the first processor, NMIs all of them. */
static int set_lapic(struct vcpu *v)
{
	struct kvm_lapic_state lapic;

	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic))
		return -1;
	if (!v->index)
		set_lapic_register(&lapic, LAPIC_LINT0, LVT_EXTINT);
	set_lapic_register(&lapic, LAPIC_LINT1, LVT_NMI);
	return ioctl(v->fd, KVM_SET_LAPIC, &lapic);
}

/**
 * linux_boot() - Put the kernel into memory and the first vCPU at its entry.
 * @m: machine with interrupt controllers, all of its devices added, and @boot filled in
 * @image: kernel, read with the size of @m's memory
 *
 * Return: 0, or -1 after a message.
 */
int linux_boot(struct machine *m, const struct linux_image *image)
{
	unsigned int i;

	write_memory(m, image);
	if (!acpi_build(m)) {
		complain("no room for the ACPI tables");
		return -1;
	}
	for (i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		if (!set_mtrr(v) && !set_lapic(v) && (i || !set_registers(v, image)))
			continue;
		complain("%s refused the start state of vCPU %u: %s", m->hv.path, i,
			 strerror(errno));
		return -1;
	}
	return 0;
}
