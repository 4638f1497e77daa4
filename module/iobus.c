// SPDX-License-Identifier: GPL-2.0
/*
 * The order in which in-kernel listeners are offered a guest's access, and
 * the lifetime of what they share. Listeners themselves are in ioeventfd.c and
 * coalesced.c; this file must not know what they do with a value.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include "iobus.h"
#include "vcpu.h"
#include "vm.h"

/**
 * umbra_iobus_init() - prepare a VM's listeners
 * @vm: VM that nobody else sees yet
 *
 * Return: 0 or -ENOMEM. Sleeps.
 */
int umbra_iobus_init(struct umbra_vm *vm)
{
	struct umbra_iobus *bus = &vm->bus;

	INIT_LIST_HEAD(&bus->ioeventfds);
	INIT_LIST_HEAD(&bus->zones);
	spin_lock_init(&bus->ring_lock);
	bus->ring = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return bus->ring ? 0 : -ENOMEM;
}

/**
 * umbra_iobus_destroy() - drop all listeners
 * @vm: VM whose vCPUs are gone
 *
 * A mapping of the ring in user space keeps its own reference to the page.
 */
void umbra_iobus_destroy(struct umbra_vm *vm)
{
	if (!vm->bus.ring)
		return;
	umbra_ioeventfd_destroy(vm);
	umbra_coalesced_destroy(vm);
	__free_page(vm->bus.ring);
	vm->bus.ring = NULL;
}

int umbra_iobus_write(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		      unsigned int len, const void *data)
{
	struct umbra_vm *vm = vcpu->vm;

	if (vcpu->lapic && !umbra_irq_io_write(vcpu, bus, addr, len, data))
		return 0;
	if (umbra_ioeventfd_write(vm, bus, addr, len, data))
		return 0;
	if (umbra_coalesced_write(vm, bus, addr, len, data))
		return 0;
	return -EOPNOTSUPP;
}

/* Neither eventfds nor the ring answer reads, only the interrupt controllers and timers. */
int umbra_iobus_read(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		     unsigned int len, void *data)
{
	return vcpu->lapic ? umbra_irq_io_read(vcpu, bus, addr, len, data) : -EOPNOTSUPP;
}

bool umbra_iobus_listens(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
			 unsigned int len)
{
	if (vcpu->lapic && umbra_irq_io_listens(vcpu, bus, addr, len))
		return true;
	return umbra_ioeventfd_listens(vcpu->vm, bus, addr, len) ||
	       umbra_coalesced_listens(vcpu->vm, bus, addr, len);
}
