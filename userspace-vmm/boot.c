// SPDX-License-Identifier: GPL-2.0
/*
 * Start state of a guest: what is in memory below it and in the vCPU's registers.
 *
 * Every mode gets the Multiboot information structure, so that any guest finds
 * its command line and memory size in one place. Images are the loaders'.
 */
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "boot.h"
#include "multiboot.h"
#include "umbra.h"

#define CR0_PE			BIT_ULL(0)
#define CR0_MP			BIT_ULL(1)
#define CR0_ET			BIT_ULL(4)
#define CR0_NE			BIT_ULL(5)
#define CR0_PG			BIT_ULL(31)
#define CR4_PAE			BIT_ULL(5)
#define CR4_OSFXSR		BIT_ULL(9)
#define CR4_OSXMMEXCPT		BIT_ULL(10)
#define EFER_LME		BIT_ULL(8)
#define EFER_LMA		BIT_ULL(10)
#define RFLAGS_FIXED		BIT_ULL(1)

#define PTE_PRESENT		BIT_ULL(0)
#define PTE_WRITABLE		BIT_ULL(1)
#define PTE_LARGE		BIT_ULL(7)

enum {
	GDT_NULL,
	GDT_CODE32,
	GDT_DATA,
	GDT_CODE64,
	GDT_CODE16,
	GDT_DATA16,
	GDT_ENTRIES,
};

static const u64 gdt[GDT_ENTRIES] = {
	[GDT_CODE32] = 0x00cf9b000000ffffULL,
	[GDT_DATA] = 0x00cf93000000ffffULL,
	[GDT_CODE64] = 0x00af9b000000ffffULL,
	[GDT_CODE16] = 0x00009b000000ffffULL,
	[GDT_DATA16] = 0x000093000000ffffULL,
};

/**
 * boot_mode_name() - Name of a start mode, as options and reports spell it.
 * @mode: start mode
 *
 * Return: constant string.
 */
const char *boot_mode_name(enum cpu_mode mode)
{
	static const char * const names[] = { "real", "protected", "long" };

	return names[mode];
}

/**
 * boot_area_overlaps() - Whether a range touches what the VMM itself puts in memory.
 * @mode: start mode; only long mode has page tables
 * @gpa: start of the range
 * @size: of the range
 *
 * Return: true when it does.
 */
bool boot_area_overlaps(enum cpu_mode mode, u64 gpa, u64 size)
{
	u64 end = mode == MODE_LONG ? BOOT_PAGE_TABLES_END : BOOT_INFO_END;

	return size && gpa < end && gpa + size > BOOT_GDT;
}

/**
 * boot_address_valid() - Whether a vCPU can start at an address.
 * @m: machine
 * @address: guest-physical
 *
 * Return: true when it is memory and the start mode can address it.
 */
bool boot_address_valid(const struct machine *m, u64 address)
{
	return machine_ram(m, address, 1) && (m->boot.mode != MODE_REAL || address < MIB(1));
}

/**
 * boot_identity_map() - Write page tables for long mode at BOOT_PAGE_TABLES.
 * @m: machine
 *
 * 4 GiB one to one in 2 MiB pages: one PML4, one PDPT, four directories.
 */
void boot_identity_map(struct machine *m)
{
	u64 *table = (u64 *)(m->ram + BOOT_PAGE_TABLES);
	u64 *directory = table + 1024;
	u64 i;

	memset(table, 0, 2 * 4096);
	table[0] = (BOOT_PAGE_TABLES + 0x1000) | PTE_PRESENT | PTE_WRITABLE;
	for (i = 0; i < 4; i++)
		table[512 + i] = (BOOT_PAGE_TABLES + 0x2000 + i * 0x1000) | PTE_PRESENT |
				 PTE_WRITABLE;
	for (i = 0; i < 4 * 512; i++)
		directory[i] = i << 21 | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE;
}

static int write_info(struct machine *m)
{
	struct multiboot_info *info = (void *)(m->ram + BOOT_INFO);
	struct multiboot_mmap *map = (void *)(info + 1);
	char *text = (char *)(map + 2);
	size_t length = strlen(m->boot.cmdline) + 1;

	if (length > BOOT_CMDLINE_MAX) {
		complain("the guest's command line is longer than %d bytes", BOOT_CMDLINE_MAX - 1);
		return -1;
	}
	memset(info, 0, sizeof(*info));
	info->flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MMAP |
		      MULTIBOOT_INFO_LOADER;
	info->mem_lower = 640;
	info->mem_upper = (m->ram_size - MIB(1)) >> 10;
	map[0] = (struct multiboot_mmap){ sizeof(*map) - 4, 0, 0xa0000, 1 };
	map[1] = (struct multiboot_mmap){ sizeof(*map) - 4, MIB(1), m->ram_size - MIB(1), 1 };
	info->mmap_addr = (u8 *)map - m->ram;
	info->mmap_length = m->ram_size > MIB(1) ? 2 * sizeof(*map) : sizeof(*map);
	info->cmdline = (u8 *)text - m->ram;
	memcpy(text, m->boot.cmdline, length);
	text += length;
	info->boot_loader_name = (u8 *)text - m->ram;
	strcpy(text, "umbra");
	return 0;
}

static struct kvm_segment segment(unsigned int index)
{
	bool code = index != GDT_DATA && index != GDT_DATA16;
	bool small = index == GDT_CODE16 || index == GDT_DATA16;

	return (struct kvm_segment){
		.selector = index * 8,
		.limit = small ? 0xffff : 0xffffffff,
		.type = code ? 0xb : 0x3,
		.present = 1,
		.s = 1,
		.db = index == GDT_CODE32 || index == GDT_DATA,
		.l = index == GDT_CODE64,
		.g = !small,
	};
}

static void set_segments(struct kvm_sregs *s, struct kvm_segment code, struct kvm_segment data)
{
	s->cs = code;
	s->ds = data;
	s->es = data;
	s->fs = data;
	s->gs = data;
	s->ss = data;
}

static void set_real(struct kvm_sregs *s, u64 address)
{
	struct kvm_segment code = segment(GDT_CODE16);
	struct kvm_segment data = segment(GDT_DATA16);

	data.selector = 0;
	/* Below 64 KiB offset and address are the same, the layout of a boot sector. */
	code.selector = address < 0x10000 ? 0 : address >> 4;
	code.base = code.selector << 4;
	set_segments(s, code, data);
	s->cr0 = CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
}

static void set_protected(struct kvm_sregs *s)
{
	set_segments(s, segment(GDT_CODE32), segment(GDT_DATA));
	s->cr0 = CR0_PE | CR0_ET | CR0_NE;
	s->cr4 = 0;
	s->efer = 0;
}

/**
 * boot_long_mode() - Control registers of a vCPU in long mode, with boot_identity_map().
 * @s: registers, segments apart
 */
void boot_long_mode(struct kvm_sregs *s)
{
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
	s->cr3 = BOOT_PAGE_TABLES;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->efer = EFER_LME | EFER_LMA;
}

static void set_sregs(struct vcpu *v, struct kvm_sregs *s, u64 address)
{
	memset(s->interrupt_bitmap, 0, sizeof(s->interrupt_bitmap));
	s->gdt.base = BOOT_GDT;
	s->gdt.limit = sizeof(gdt) - 1;
	s->idt.base = 0;
	s->idt.limit = v->m->boot.mode == MODE_REAL ? 0x3ff : 0;
	s->cr3 = 0;
	s->cr2 = 0;
	switch (v->m->boot.mode) {
	case MODE_REAL:
		set_real(s, address);
		break;
	case MODE_PROTECTED:
		set_protected(s);
		break;
	case MODE_LONG:
		set_segments(s, segment(GDT_CODE64), segment(GDT_DATA));
		boot_long_mode(s);
		break;
	}
}

static void set_regs(struct vcpu *v, struct kvm_regs *r, u64 rip)
{
	bool real = v->m->boot.mode == MODE_REAL;

	memset(r, 0, sizeof(*r));
	r->rip = rip;
	r->rflags = RFLAGS_FIXED;
	r->rax = MULTIBOOT_BOOT_MAGIC;
	r->rbx = BOOT_INFO;
	r->rdi = v->index;
	/* Real-mode stacks are small: the area between boot information and 0x7c00. */
	if (real)
		r->rsp = BOOT_REAL_STACK - v->index * 0x100;
	else
		r->rsp = BOOT_STACK - v->index * BOOT_STACK_SIZE;
}

/**
 * boot_vcpu() - Put a vCPU into the start state.
 * @v: vCPU that does not run
 * @address: guest-physical address of its first instruction
 *
 * Return: 0, or -1 with errno set.
 */
int boot_vcpu(struct vcpu *v, u64 address)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		return -1;
	set_sregs(v, &sregs, address);
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs))
		return -1;
	set_regs(v, &regs, address - sregs.cs.base);
	if (ioctl(v->fd, KVM_SET_REGS, &regs))
		return -1;
	if (!hv_capability(&v->m->hv, KVM_CAP_MP_STATE))
		return 0;
	return ioctl(v->fd, KVM_SET_MP_STATE, &runnable);
}

/**
 * boot_prepare() - Write tables and boot information, and start vCPU 0.
 * @m: machine with a loaded image and @boot filled in
 *
 * Return: 0, or -1 after a message.
 */
int boot_prepare(struct machine *m)
{
	memcpy(m->ram + BOOT_GDT, gdt, sizeof(gdt));
	if (m->boot.mode == MODE_LONG)
		boot_identity_map(m);
	if (write_info(m))
		return -1;
	if (!boot_address_valid(m, m->boot.entry)) {
		complain("%s: the entry point 0x%llx is not in memory that %s mode reaches",
			 m->boot.name, m->boot.entry, boot_mode_name(m->boot.mode));
		return -1;
	}
	if (!boot_vcpu(&m->vcpus[0], m->boot.entry))
		return 0;
	complain("%s refused the start state: %m", m->hv.path);
	return -1;
}
