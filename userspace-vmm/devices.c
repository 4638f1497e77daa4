// SPDX-License-Identifier: GPL-2.0
/*
 * Which device answers which port or address, and the control ports: debug exit,
 * start of a vCPU, interrupts between vCPUs.
 *
 * Owns the device lock's use: everything below runs with it held, but for virtio
 * devices, which have a lock each.
 */
#include <string.h>

#include "devices.h"
#include "pc.h"
#include "umbra.h"
#include "vcpu.h"
#include "virtio.h"

static void debug_exit(struct vcpu *v, u32 value)
{
	struct machine *m = v->m;
	int status = value <= STATUS_GUEST_MAX ? (int)value : STATUS_GUEST_MAX;

	serial_flush(&m->serial);
	pthread_mutex_lock(&m->lock);
	if (!m->ended)
		m->guest_value = value;
	pthread_mutex_unlock(&m->lock);
	machine_end(m, v, status, "the guest wrote %u to the debug exit port", value);
}

static void start_vcpu(struct vcpu *v, u32 index)
{
	if (!vcpu_start(v->m, index, v->latch))
		complain("vCPU %u cannot start vCPU %u at 0x%x", v->index, index, v->latch);
}

static void send_interrupt(struct vcpu *v, u32 value)
{
	unsigned int target = value >> 8 & 0xff;
	bool sent;

	if (value & INTERRUPT_NMI)
		sent = vcpu_nmi(v->m, target);
	else
		sent = vcpu_interrupt(v->m, target, value & 0xff);
	if (!sent)
		complain("vCPU %u cannot interrupt vCPU %u (value 0x%x)", v->index, target, value);
}

static bool port_write(struct vcpu *v, u16 port, u32 value)
{
	if (port == PORT_DEBUG_EXIT) {
		debug_exit(v, value);
		return true;
	}
	/* On a PC the hypervisor's controllers start and interrupt vCPUs. */
	if (v->m->pc)
		return false;
	switch (port) {
	case PORT_START_ADDRESS:
		v->latch = value;
		return true;
	case PORT_START_VCPU:
		start_vcpu(v, value);
		return true;
	case PORT_INTERRUPT:
		send_interrupt(v, value);
		return true;
	default:
		return false;
	}
}

static bool port_read(const struct vcpu *v, u16 port, u32 *value)
{
	if (v->m->pc)
		return false;
	switch (port) {
	case PORT_START_ADDRESS:
		*value = v->index;
		return true;
	case PORT_START_VCPU:
		*value = v->m->nr_vcpus;
		return true;
	default:
		return false;
	}
}

static void serial_access(struct serial *s, u16 port, u8 *data, u32 size, bool write)
{
	u32 i;

	/* A wider access reaches the registers that follow, as on an 8-bit bus. */
	for (i = 0; i < size; i++) {
		unsigned int reg = (port - SERIAL_PORT + i) & 7;

		if (write)
			serial_write(s, reg, data[i]);
		else
			data[i] = serial_read(s, reg);
	}
}

/**
 * port_access() - The guest executes IN or OUT, or one step of INS or OUTS.
 * @v: vCPU of the calling thread
 * @port: I/O port
 * @data: @size bytes, read or to write
 * @size: 1, 2 or 4
 * @write: OUT
 *
 * Ports without a device read as ones and swallow writes, as on an ISA bus.
 */
void port_access(struct vcpu *v, u16 port, u8 *data, u32 size, bool write)
{
	struct machine *m = v->m;
	bool known = true;
	u32 value = ~0u;

	pthread_mutex_lock(&m->dev_lock);
	if (port >= SERIAL_PORT && port < SERIAL_PORT + 8) {
		serial_access(&m->serial, port, data, size, write);
	} else if (m->pc && pc_port(v, port, data, size, write)) {
		known = true;
	} else if (write) {
		value = 0;
		memcpy(&value, data, size);
		known = port_write(v, port, value);
	} else {
		known = port_read(v, port, &value);
		memcpy(data, &value, size);
	}
	if (!known)
		m->unclaimed++;
	pthread_mutex_unlock(&m->dev_lock);
}

/**
 * mmio_access() - The guest touches an address that is not memory.
 * @v: vCPU of the calling thread
 * @gpa: guest-physical address
 * @data: @len bytes, read or to write
 * @len: 1 to 8
 * @write: direction
 */
void mmio_access(struct vcpu *v, u64 gpa, u8 *data, u32 len, bool write)
{
	struct machine *m = v->m;
	struct virtio *d = virtio_at(m, gpa, len);

	if (d) {
		virtio_access(d, gpa, data, len, write);
		return;
	}
	pthread_mutex_lock(&m->dev_lock);
	if (testdev_owns(gpa, len)) {
		testdev_access(&m->testdev, gpa, data, len, write);
	} else {
		m->unclaimed++;
		if (!write)
			memset(data, 0xff, len);
	}
	pthread_mutex_unlock(&m->dev_lock);
}
