/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What answers a guest's port and MMIO access inside the kernel: ioeventfds
 * the coalescing ring, and the chips of irq/.
 */
#ifndef UMBRA_IOBUS_H
#define UMBRA_IOBUS_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "types.h"

struct kvm_coalesced_mmio_zone;
struct kvm_ioeventfd;
struct page;
struct umbra_vcpu;
struct umbra_vm;

/* Listeners of each kind that one VM can have; more fail with -ENOSPC. */
#define UMBRA_MAX_LISTENERS	1000

enum umbra_bus_kind {
	UMBRA_BUS_MMIO,
	UMBRA_BUS_PIO,
};

/**
 * struct umbra_iobus - the in-kernel listeners of a VM
 * @ioeventfds: registered eventfds; written under vm->slots_lock, read under vm->srcu
 * @zones: coalescing zones; the same rules
 * @nr_ioeventfds: length of @ioeventfds; vm->slots_lock
 * @nr_zones: length of @zones; vm->slots_lock
 * @ring: page shared with user space through the vCPU's mmap; lives as long as the VM
 * @ring_lock: serialises writers of the ring
 */
struct umbra_iobus {
	struct list_head ioeventfds;
	struct list_head zones;
	int nr_ioeventfds;
	int nr_zones;
	struct page *ring;
	spinlock_t ring_lock;	/* indexes and entries of @ring */
};

int umbra_iobus_init(struct umbra_vm *vm);
void umbra_iobus_destroy(struct umbra_vm *vm);
/* Offer a write. 0 taken, -EOPNOTSUPP nobody wants it. SRCU read section. Atomic. */
int umbra_iobus_write(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		      unsigned int len, const void *data);
int umbra_iobus_read(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		     unsigned int len, void *data);
/* Could a write of @len bytes at @addr be taken, with some value? As above. */
bool umbra_iobus_listens(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
			 unsigned int len);

/* ioeventfd.c */
int umbra_ioeventfd(struct umbra_vm *vm, const struct kvm_ioeventfd *args);
bool umbra_ioeventfd_write(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			   unsigned int len, const void *data);
bool umbra_ioeventfd_listens(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			     unsigned int len);
void umbra_ioeventfd_destroy(struct umbra_vm *vm);

/* coalesced.c */
int umbra_coalesced_register(struct umbra_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
int umbra_coalesced_unregister(struct umbra_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
bool umbra_coalesced_write(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			   unsigned int len, const void *data);
bool umbra_coalesced_listens(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			     unsigned int len);
void umbra_coalesced_destroy(struct umbra_vm *vm);

#endif
