// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: the bytes are what two vCPUs, devices and user space do to all of the
 * interrupt controllers. Nothing is checked but what must always hold: no lock is left held, no
 * timer runs without pause, a vector is real. Built by `make fuzz`.
 */
#include "irq_lib.h"
#include "irq/ioapic.h"
#include "irq/lapic.h"
#include "irq/pic.h"
#include "irq/pit.h"
#include "irq/route.h"

#define VCPUS	2

struct input {
	const u8 *data;
	size_t size;
};

static u64 take(struct input *in, size_t bytes)
{
	u64 value = 0;

	if (bytes > in->size)
		bytes = in->size;
	memcpy(&value, in->data, bytes);
	in->data += bytes;
	in->size -= bytes;
	return value;
}

static void fill(struct input *in, void *to, size_t bytes)
{
	size_t n = bytes < in->size ? bytes : in->size;

	memset(to, 0, bytes);
	memcpy(to, in->data, n);
	in->data += n;
	in->size -= n;
}

static void access(struct input *in, struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr)
{
	unsigned int len = 1 << (take(in, 1) & 3);
	u64 value = 0;

	if (take(in, 1) & 1) {
		value = take(in, len);
		umbra_irq_io_write(vcpu, bus, addr, len, &value);
	} else {
		umbra_irq_io_read(vcpu, bus, addr, len, &value);
	}
}

static void port(struct input *in, struct umbra_vcpu *vcpu)
{
	static const u16 ports[] = {
		0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61,
	};

	access(in, vcpu, UMBRA_BUS_PIO, ports[take(in, 1) % ARRAY_SIZE(ports)]);
}

static void mmio(struct input *in, struct umbra_vcpu *vcpu)
{
	access(in, vcpu, UMBRA_BUS_MMIO, take(in, 1) & 1 ? 0xfec00000 + (take(in, 1) & 0x1f) :
	       (vcpu->msrs.apic_base & MSR_IA32_APICBASE_BASE) + take(in, 2) % 0x1000);
}

static void set_state(struct input *in, struct umbra_vcpu *vcpu)
{
	struct kvm_lapic_state lapic;
	struct kvm_irqchip chip;
	struct kvm_pit_state2 pit;

	switch (take(in, 1) % 3) {
	case 0:
		fill(in, &lapic, sizeof(lapic));
		umbra_lapic_set_state(vcpu, &lapic);
		umbra_lapic_get_state(vcpu, &lapic);
		break;
	case 1:
		fill(in, &chip, sizeof(chip));
		chip.chip_id %= 4;
		unit_set_chip(&chip);
		unit_get_chip(&chip);
		break;
	default:
		fill(in, &pit, sizeof(pit));
		umbra_pit_set(&unit.vm, &pit);
		umbra_pit_get(&unit.vm, &pit);
	}
}

static void set_routes(struct input *in)
{
	u32 nr = take(in, 1) % 8;
	size_t size = sizeof(struct kvm_irq_routing) + nr * sizeof(struct kvm_irq_routing_entry);
	struct kvm_irq_routing *routes = malloc(size);
	u32 i;

	fill(in, routes, size);
	routes->nr = nr;
	routes->flags = 0;
	for (i = 0; i < nr; i++) {
		routes->entries[i].flags = 0;
		routes->entries[i].type = 1 + (routes->entries[i].type & 1);
	}
	umbra_routes_set(&unit.vm, routes);
	free(routes);
}

static void serve(struct umbra_vcpu *vcpu)
{
	int vector = umbra_irq_has(vcpu) ? umbra_irq_take(vcpu) : -1;

	assert(vector >= -1 && vector < 256);
}

/* However it is programmed, time passes in bounded work. */
static void pass(u64 ns)
{
	u64 end = unit.now + ns;
	u64 limit = 1000 + ns / 10000;

	while (unit.now < end && unit_pass_to_timer())
		assert(limit--);
}

static void step(struct input *in)
{
	static const u64 modes[] = { 0, XAPIC_ENABLE, XAPIC_ENABLE | X2APIC_ENABLE };
	u8 action = take(in, 1);
	struct umbra_vcpu *vcpu = &unit.vcpu[action & 1];

	switch (action >> 1 & 15) {
	case 0 ... 2:
		mmio(in, vcpu);
		break;
	case 3 ... 4:
		port(in, vcpu);
		break;
	case 5:
		umbra_lapic_set_msr(vcpu, APIC_BASE_MSR + take(in, 1), take(in, 8));
		break;
	case 6:
		/* As msr_arch.c lets it through: x2APIC mode only where it is on. */
		umbra_lapic_set_base(vcpu, UNIT_APIC_BASE | modes[take(in, 1) % ARRAY_SIZE(modes)],
				     action & 0x80);
		break;
	case 7:
		umbra_irq_set(&unit.vm, take(in, 1) % 3, take(in, 1) % 32, action & 0x80);
		break;
	case 8:
		umbra_lapic_set_deadline(vcpu, rdtsc() + (s64)(take(in, 8)));
		break;
	case 9:
		pass(take(in, 3));
		break;
	case 10:
		set_state(in, vcpu);
		break;
	case 11:
		set_routes(in);
		break;
	case 12:
		umbra_lapic_reset(vcpu, true);
		break;
	case 13:
		umbra_lapic_pv_ipi(vcpu, take(in, 8), take(in, 8), take(in, 1), take(in, 3),
				   action & 0x80);
		break;
	default:
		serve(vcpu);
		if (action & 0x80)
			umbra_lapic_eoi(vcpu);
	}
	unit.vcpu[0].requests = 0;
	unit.vcpu[1].requests = 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct kvm_pit_config config = {};
	struct input in = { data, size };

	assert(!unit_setup(UMBRA_IRQCHIP_KERNEL, VCPUS));
	assert(!umbra_pit_create(&unit.vm, &config));
	while (in.size)
		step(&in);
	assert(!unit_teardown(NULL));
	return 0;
}
