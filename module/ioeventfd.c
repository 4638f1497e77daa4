// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_IOEVENTFD: a guest's write to a port or address signals an eventfd
 * without an exit to user space. Writers of the list hold vm->slots_lock,
 * readers a read section of vm->srcu and may be atomic.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include "compat.h"
#include "iobus.h"
#include "vm.h"

#define VALID_FLAGS \
	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

/**
 * struct ioeventfd - one registration; constant while on the list
 * @list: in vm->bus.ioeventfds
 * @ctx: the eventfd, one reference
 * @bus: which kind of access
 * @addr: exact address or port
 * @len: exact size of the access, 0 for any
 * @match: only writes of @value signal
 * @value: zero extended
 */
struct ioeventfd {
	struct list_head list;
	struct eventfd_ctx *ctx;
	enum umbra_bus_kind bus;
	gpa_t addr;
	u32 len;
	bool match;
	u64 value;
};

static bool at(const struct ioeventfd *e, enum umbra_bus_kind bus, gpa_t addr, unsigned int len)
{
	return e->bus == bus && e->addr == addr && (!e->len || e->len == len);
}

/**
 * umbra_ioeventfd_write() - signal whoever waits for this write
 * @vm: VM, inside an SRCU read section
 * @bus: kind of access
 * @addr: address or port
 * @len: bytes written
 * @data: their value
 *
 * Context: may be atomic.
 * Return: whether somebody took the write.
 */
bool umbra_ioeventfd_write(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			   unsigned int len, const void *data)
{
	const struct ioeventfd *e;
	u64 value = 0;

	memcpy(&value, data, min_t(unsigned int, len, sizeof(value)));
	list_for_each_entry_srcu(e, &vm->bus.ioeventfds, list, srcu_read_lock_held(&vm->srcu)) {
		if (!at(e, bus, addr, len) || (e->match && e->value != value))
			continue;
		umbra_eventfd_signal(e->ctx);
		return true;
	}
	return false;
}

bool umbra_ioeventfd_listens(struct umbra_vm *vm, enum umbra_bus_kind bus, gpa_t addr,
			     unsigned int len)
{
	const struct ioeventfd *e;

	list_for_each_entry_srcu(e, &vm->bus.ioeventfds, list, srcu_read_lock_held(&vm->srcu))
		if (at(e, bus, addr, len))
			return true;
	return false;
}

/* Two registrations collide when one write could mean both. */
static bool collides(struct umbra_vm *vm, const struct ioeventfd *new)
{
	const struct ioeventfd *e;

	list_for_each_entry(e, &vm->bus.ioeventfds, list) {
		if (e->bus != new->bus || e->addr != new->addr)
			continue;
		if (e->len && new->len && e->len != new->len)
			continue;
		if (!e->match || !new->match || e->value == new->value)
			return true;
	}
	return false;
}

static struct ioeventfd *find(struct umbra_vm *vm, const struct ioeventfd *like)
{
	struct ioeventfd *e;

	list_for_each_entry(e, &vm->bus.ioeventfds, list) {
		if (e->ctx != like->ctx || e->bus != like->bus || e->addr != like->addr)
			continue;
		if (e->len != like->len || e->match != like->match)
			continue;
		if (!e->match || e->value == like->value)
			return e;
	}
	return NULL;
}

static void release(struct ioeventfd *e)
{
	eventfd_ctx_put(e->ctx);
	kfree(e);
}

static int assign(struct umbra_vm *vm, const struct ioeventfd *like)
{
	struct umbra_iobus *bus = &vm->bus;
	struct ioeventfd *e;
	int r = 0;

	e = kmemdup(like, sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	mutex_lock(&vm->slots_lock);
	if (collides(vm, e)) {
		r = -EEXIST;
	} else if (bus->nr_ioeventfds >= UMBRA_MAX_LISTENERS) {
		r = -ENOSPC;
	} else {
		bus->nr_ioeventfds++;
		list_add_tail_rcu(&e->list, &bus->ioeventfds);
	}
	mutex_unlock(&vm->slots_lock);
	if (r)
		kfree(e);
	return r;
}

static int deassign(struct umbra_vm *vm, const struct ioeventfd *like)
{
	struct ioeventfd *e;

	mutex_lock(&vm->slots_lock);
	e = find(vm, like);
	if (e) {
		list_del_rcu(&e->list);
		vm->bus.nr_ioeventfds--;
	}
	mutex_unlock(&vm->slots_lock);
	if (!e)
		return -ENOENT;
	synchronize_srcu_expedited(&vm->srcu);
	release(e);
	return 0;
}

static int check_args(const struct kvm_ioeventfd *args)
{
	if (args->flags & ~VALID_FLAGS)
		return -EINVAL;
	switch (args->len) {
	case 0:
		/* Any size has no one value to compare with. */
		if (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
			return -EINVAL;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}
	return args->addr + args->len < args->addr ? -EINVAL : 0;
}

/**
 * umbra_ioeventfd() - KVM_IOEVENTFD
 * @vm: VM
 * @args: copy of the caller's structure
 *
 * Context: sleeps; takes vm->slots_lock.
 * Return: 0; -EINVAL unknown flag, bad length, wrap; -EBADF or -EINVAL no
 * eventfd; -EEXIST collision; -ENOENT nothing to remove; -ENOSPC; -ENOMEM.
 */
int umbra_ioeventfd(struct umbra_vm *vm, const struct kvm_ioeventfd *args)
{
	struct ioeventfd like = {
		.bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? UMBRA_BUS_PIO : UMBRA_BUS_MMIO,
		.addr = args->addr,
		.len = args->len,
		.match = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
		.value = args->datamatch,
	};
	bool remove = args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	int r = check_args(args);

	if (r)
		return r;
	like.ctx = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(like.ctx))
		return PTR_ERR(like.ctx);
	r = remove ? deassign(vm, &like) : assign(vm, &like);
	/* A registration keeps the reference; everything else drops it. */
	if (r || remove)
		eventfd_ctx_put(like.ctx);
	return r;
}

void umbra_ioeventfd_destroy(struct umbra_vm *vm)
{
	struct ioeventfd *e, *next;

	list_for_each_entry_safe(e, next, &vm->bus.ioeventfds, list) {
		list_del(&e->list);
		release(e);
	}
	vm->bus.nr_ioeventfds = 0;
}
