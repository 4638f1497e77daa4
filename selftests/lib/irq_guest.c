// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's side of the interrupt controllers: local APIC in both forms, I/O APIC, 8259A,
 * and handlers that count by vCPU and vector.
 */
#include "irq_internal.h"

#define IOAPIC_SELECT	UT_IOAPIC_GPA
#define IOAPIC_WINDOW	(UT_IOAPIC_GPA + 0x10)
#define IOAPIC_REDIR	0x10
#define PIC_ICW1	0x11	/* ICW4 follows, cascade, edges */

struct ut_irq_cpu ut_irq_cpus[UT_MAX_VCPUS];

static struct ut_irq_cpu *this_cpu(void)
{
	return &ut_irq_cpus[guest_cpu()];
}

u32 guest_apic_read(u32 reg)
{
	if (ut_read_once(this_cpu()->x2apic))
		return guest_rdmsr(UT_MSR_X2APIC + (reg >> 4));
	return guest_read32(UT_APIC_GPA + reg);
}

void guest_apic_write(u32 reg, u32 value)
{
	if (ut_read_once(this_cpu()->x2apic))
		guest_wrmsr(UT_MSR_X2APIC + (reg >> 4), value);
	else
		guest_write32(UT_APIC_GPA + reg, value);
}

void guest_apic_icr(u32 dest, u32 low)
{
	if (ut_read_once(this_cpu()->x2apic)) {
		guest_wrmsr(UT_MSR_X2APIC + (UT_APIC_ICR >> 4), (u64)dest << 32 | low);
		return;
	}
	guest_apic_write(UT_APIC_ICR2, dest << 24);
	guest_apic_write(UT_APIC_ICR, low);
	while (guest_apic_read(UT_APIC_ICR) & UT_ICR_BUSY)
		guest_pause();
}

void guest_apic_on(void)
{
	guest_apic_write(UT_APIC_SVR, UT_SVR_ENABLE | UT_SPURIOUS_VECTOR);
}

void guest_x2apic_on(void)
{
	guest_wrmsr(UT_MSR_APICBASE, guest_rdmsr(UT_MSR_APICBASE) | UT_APICBASE_X2);
	ut_write_once(this_cpu()->x2apic, true);
}

void guest_eoi(void)
{
	guest_apic_write(UT_APIC_EOI, 0);
}

bool guest_apic_bit(u32 reg, int vector)
{
	return guest_apic_read(reg + vector / 32 * 0x10) >> vector % 32 & 1;
}

u32 guest_ioapic_read(u32 reg)
{
	guest_write32(IOAPIC_SELECT, reg);
	return guest_read32(IOAPIC_WINDOW);
}

void guest_ioapic_write(u32 reg, u32 value)
{
	guest_write32(IOAPIC_SELECT, reg);
	guest_write32(IOAPIC_WINDOW, value);
}

void guest_ioapic_redir(int pin, u64 entry)
{
	guest_ioapic_write(IOAPIC_REDIR + 2 * pin + 1, entry >> 32);
	guest_ioapic_write(IOAPIC_REDIR + 2 * pin, entry);
}

void guest_pic_init(u16 port, u8 base, u8 icw3, u8 icw4)
{
	guest_outb(port, PIC_ICW1);
	guest_outb(port + 1, base);
	guest_outb(port + 1, icw3);
	guest_outb(port + 1, icw4);
}

void guest_line(u64 gsi, u64 level)
{
	guest_sync_args(UT_LINE_STAGE, gsi, level, 0);
}

void guest_irq_count(struct ut_ex_regs *regs)
{
	struct ut_irq_cpu *cpu = this_cpu();
	u64 n = ut_read_once(cpu->logged);

	ut_write_once(cpu->hits[regs->vector], ut_read_once(cpu->hits[regs->vector]) + 1);
	if (n < UT_IRQ_LOG) {
		ut_write_once(cpu->log[n], regs->vector);
		ut_write_once(cpu->logged, n + 1);
	}
}

void guest_irq_eoi(struct ut_ex_regs *regs)
{
	struct ut_irq_cpu *cpu = this_cpu();

	/* The emulated processor delivers one now and then that its hypervisor had delivered. */
	if (!guest_apic_bit(UT_APIC_ISR, regs->vector)) {
		ut_write_once(cpu->phantoms, ut_read_once(cpu->phantoms) + 1);
		return;
	}
	guest_irq_count(regs);
	guest_eoi();
}

u64 guest_hits(int vector)
{
	return ut_read_once(this_cpu()->hits[vector]);
}

u64 guest_hits_of(int cpu, int vector)
{
	return ut_read_once(ut_irq_cpus[cpu].hits[vector]);
}

void guest_wait_hits(int vector, u64 n)
{
	guest_sti();
	while (guest_hits(vector) < n)
		guest_pause();
	guest_cli();
}
