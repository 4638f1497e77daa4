// SPDX-License-Identifier: GPL-2.0
/*
 * The ports of a PC's board: ACPI's fixed registers, reset, CMOS clock.
 *
 * They end the machine or tell the time; none raises an interrupt. Interrupt controllers
 * and the timer are the hypervisor's. Runs with the device lock held.
 */
#include <string.h>
#include <time.h>

#include "irq.h"
#include "pc.h"
#include "umbra.h"

#define PM_EVENT_ENABLE		(PC_PM_EVENT + 2)
#define PM_CONTROL_ACPI		BIT_ULL(0)
#define PM_CONTROL_SLEEP_SHIFT	10
#define PM_CONTROL_SLEEP	BIT_ULL(13)
#define PM_TIMER_HZ		3579545ULL
#define PM_TIMER_MASK		0xffffffu
#define RESET_NOW		BIT_ULL(2)
#define KEYBOARD_RESET		0xfe
/* Ready for a command, none of whose answers ever comes. */
#define KEYBOARD_IDLE		0x00

static void set_serial_irq(void *context, bool level)
{
	irq_set(context, level);
}

/**
 * pc_init() - Reset the board, and connect the serial port.
 * @m: machine with a VM and an initialized serial port
 */
void pc_init(struct machine *m)
{
	rtc_init(&m->rtc);
	m->pm_enable = 0;
	m->pm_control = PM_CONTROL_ACPI;
	irq_init(&m->serial_irq, m, SERIAL_IRQ);
	serial_connect(&m->serial, set_serial_irq, &m->serial_irq);
}

static void reboot(struct vcpu *v, const char *how)
{
	serial_flush(&v->m->serial);
	machine_end(v->m, v, STATUS_REBOOT, "the guest rebooted by %s", how);
}

static void write_pm_control(struct vcpu *v, u32 value)
{
	u32 type = value >> PM_CONTROL_SLEEP_SHIFT & 7;

	v->m->pm_control = (value & ~PM_CONTROL_SLEEP) | PM_CONTROL_ACPI;
	/* The tables name no other sleep; the machine does not know of any. */
	if (!(value & PM_CONTROL_SLEEP) || type != PC_SLEEP_OFF)
		return;
	serial_flush(&v->m->serial);
	machine_end(v->m, v, 0, "the guest powered off");
}

static bool port_write(struct vcpu *v, u16 port, u32 value)
{
	struct machine *m = v->m;

	switch (port) {
	case PC_PM_EVENT:
		/* Status bits that are never set have nothing to clear. */
		return true;
	case PM_EVENT_ENABLE:
		m->pm_enable = value;
		return true;
	case PC_PM_CONTROL:
		write_pm_control(v, value);
		return true;
	case PC_PORT_RESET:
		if (value & RESET_NOW)
			reboot(v, "the reset register");
		return true;
	case PC_PORT_KEYBOARD:
		if (value == KEYBOARD_RESET)
			reboot(v, "the keyboard controller");
		return true;
	case RTC_PORT_INDEX:
	case RTC_PORT_DATA:
		rtc_write(&m->rtc, port, value, time(NULL));
		return true;
	default:
		return false;
	}
}

static u32 pm_timer(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * PM_TIMER_HZ + now.tv_nsec * PM_TIMER_HZ / 1000000000) & PM_TIMER_MASK;
}

static bool port_read(const struct machine *m, u16 port, u32 *value)
{
	switch (port) {
	case PC_PM_EVENT:
		*value = (u32)m->pm_enable << 16;
		return true;
	case PM_EVENT_ENABLE:
		*value = m->pm_enable;
		return true;
	case PC_PM_CONTROL:
		*value = m->pm_control;
		return true;
	case PC_PM_TIMER:
		*value = pm_timer();
		return true;
	case PC_PORT_RESET:
		*value = 0;
		return true;
	case PC_PORT_KEYBOARD:
		*value = KEYBOARD_IDLE;
		return true;
	case RTC_PORT_INDEX:
	case RTC_PORT_DATA:
		*value = rtc_read(&m->rtc, port, time(NULL));
		return true;
	default:
		return false;
	}
}

/**
 * pc_port() - The guest accesses a port.
 * @v: vCPU of the calling thread
 * @port: I/O port
 * @data: @size bytes, read or to write
 * @size: 1, 2 or 4
 * @write: direction
 *
 * Return: whether the port is one of the board's.
 */
bool pc_port(struct vcpu *v, u16 port, u8 *data, u32 size, bool write)
{
	u32 value = 0;

	if (write) {
		memcpy(&value, data, size);
		return port_write(v, port, value);
	}
	if (!port_read(v->m, port, &value))
		return false;
	memcpy(data, &value, size);
	return true;
}
