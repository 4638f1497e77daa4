// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced MMIO and PIO: writes to registered zones are collected in a ring
 * that user space reads at its next exit. The ring lies in a page that user
 * space can write: every index is read once and checked. Writers of the zone
 * list hold vm->slots_lock, readers a read section of vm->srcu.
 */
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include "iobus.h"
#include "vm.h"

/**
 * struct umbra_zone - one registration; constant while on the list
 * @list: in vm->bus.zones
 * @bus: kind of access
 * @first: first address or port
 * @size: bytes; @first + @size does not wrap
 */
struct umbra_zone {
	struct list_head list;
	enum umbra_bus_kind bus;
	gpa_t first;
	u32 size;
};

/* Does @z hold all of [@addr, @addr + @len)? */
static bool holds(const struct umbra_zone *z, enum umbra_bus_kind bus, gpa_t addr, u64 len)
{
	if (z->bus != bus || addr < z->first || addr + len < addr)
		return false;
	return addr + len <= z->first + z->size;
}

bool umbra_coalesced_listens(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			     unsigned int len)
{
	const struct umbra_zone *z;

	list_for_each_entry_srcu(z, &vm->bus.zones, list, srcu_read_lock_held(&vm->srcu))
		if (holds(z, bus, addr, len))
			return true;
	return false;
}

/* Append to the ring. False when it is full, or user space spoiled its indexes. */
static bool ring_put(struct umbra_iobus *bus, bool pio, gpa_t addr, unsigned int len,
		     const void *data)
{
	struct kvm_coalesced_mmio_ring *ring = page_address(bus->ring);
	u32 last = READ_ONCE(ring->last);
	u32 first = READ_ONCE(ring->first);
	struct kvm_coalesced_mmio *entry;
	u32 next;

	if (last >= KVM_COALESCED_MMIO_MAX || first >= KVM_COALESCED_MMIO_MAX)
		return false;
	next = (last + 1) % KVM_COALESCED_MMIO_MAX;
	if (next == first)
		return false;
	entry = &ring->coalesced_mmio[array_index_nospec(last, KVM_COALESCED_MMIO_MAX)];
	entry->phys_addr = addr;
	entry->len = len;
	memcpy(entry->data, data, len);
	entry->pio = pio;
	/* User space sees the entry before the index that covers it. */
	smp_store_release(&ring->last, next);
	return true;
}

/**
 * umbra_coalesced_write() - collect a write for later
 * @vm: VM, inside an SRCU read section
 * @bus: kind of access
 * @addr: address or port
 * @len: bytes written
 * @data: their value
 *
 * Context: may be atomic.
 * Return: whether the write was taken; a full ring takes none.
 */
bool umbra_coalesced_write(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			   unsigned int len, const void *data)
{
	bool taken;

	if (len > sizeof_field(struct kvm_coalesced_mmio, data))
		return false;
	if (!umbra_coalesced_listens(vm, bus, addr, len))
		return false;
	spin_lock(&vm->bus.ring_lock);
	taken = ring_put(&vm->bus, bus == UMBRA_BUS_PIO, addr, len, data);
	spin_unlock(&vm->bus.ring_lock);
	return taken;
}

static int check_zone(const struct kvm_coalesced_mmio_zone *zone)
{
	if (zone->pio > 1 || zone->addr + zone->size < zone->addr)
		return -EINVAL;
	return 0;
}

static enum umbra_bus_kind zone_bus(const struct kvm_coalesced_mmio_zone *zone)
{
	return zone->pio ? UMBRA_BUS_PIO : UMBRA_BUS_MMIO;
}

/**
 * umbra_coalesced_register() - KVM_REGISTER_COALESCED_MMIO
 * @vm: VM
 * @zone: copy of the caller's structure
 *
 * Zones may overlap, and the same one may be registered again.
 * Context: sleeps; takes vm->slots_lock.
 * Return: 0; -EINVAL bad kind or wrap; -ENOSPC; -ENOMEM.
 */
int umbra_coalesced_register(struct umbra_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	int r = check_zone(zone);
	struct umbra_zone *z;

	if (r)
		return r;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->bus = zone_bus(zone);
	z->first = zone->addr;
	z->size = zone->size;
	mutex_lock(&vm->slots_lock);
	if (vm->bus.nr_zones < UMBRA_MAX_LISTENERS) {
		vm->bus.nr_zones++;
		list_add_tail_rcu(&z->list, &vm->bus.zones);
	} else {
		r = -ENOSPC;
	}
	mutex_unlock(&vm->slots_lock);
	if (r)
		kfree(z);
	return r;
}

/* The first zone that holds all of the range, taken off the list. */
static struct umbra_zone *take_zone(struct umbra_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct umbra_zone *z;

	list_for_each_entry(z, &vm->bus.zones, list) {
		if (!holds(z, zone_bus(zone), zone->addr, zone->size))
			continue;
		list_del_rcu(&z->list);
		vm->bus.nr_zones--;
		return z;
	}
	return NULL;
}

/**
 * umbra_coalesced_unregister() - KVM_UNREGISTER_COALESCED_MMIO
 * @vm: VM
 * @zone: copy of the caller's structure
 *
 * Removes every zone that holds the whole range; none is no error.
 * Context: sleeps; takes vm->slots_lock.
 * Return: 0; -EINVAL bad kind or wrap.
 */
int umbra_coalesced_unregister(struct umbra_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	int r = check_zone(zone);
	struct umbra_zone *z;

	if (r)
		return r;
	mutex_lock(&vm->slots_lock);
	while ((z = take_zone(vm, zone))) {
		synchronize_srcu_expedited(&vm->srcu);
		kfree(z);
	}
	mutex_unlock(&vm->slots_lock);
	return 0;
}

void umbra_coalesced_destroy(struct umbra_vm *vm)
{
	struct umbra_zone *z, *next;

	list_for_each_entry_safe(z, next, &vm->bus.zones, list) {
		list_del(&z->list);
		kfree(z);
	}
	vm->bus.nr_zones = 0;
}
