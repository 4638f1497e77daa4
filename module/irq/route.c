// SPDX-License-Identifier: GPL-2.0
/*
 * The routing table: to which pins, or to which message, a GSI leads. The table
 * never changes: a writer, who holds vm->slots_lock, replaces it as a whole;
 * readers are in a read section of vm->srcu. What a pin or a message does is
 * the chips' and msi.c's matter.
 */
#include "irq_env.h"
#include "route.h"

/* Chips that routes know, by KVM_IRQCHIP_*: two 8259A with 8 pins each and the I/O APIC. */
#define NR_CHIPS	3
#define PIC_PINS	8

/**
 * struct route - where one GSI leads
 * @msi: a message; otherwise a pin
 * @chip: KVM_IRQCHIP_*
 * @pin: of @chip
 * @low: lower half of the message's address
 * @high: upper half
 * @data: of the message
 */
struct route {
	bool msi;
	u8 chip;
	u8 pin;
	u32 low;
	u32 high;
	u32 data;
};

/**
 * struct umbra_irq_routes - a table; constant once it is published
 * @nr_gsis: GSIs from here on have no route
 * @gsi: by chip and pin, the GSI that leads there, or -1
 * @eoi_vectors: split: level-triggered vectors of user space's I/O APIC
 * @first: by GSI, its first place in @route; the next one's is behind its last
 * @route: all routes, by GSI
 */
struct umbra_irq_routes {
	u32 nr_gsis;
	s16 gsi[NR_CHIPS][UMBRA_IOAPIC_PINS];
	DECLARE_BITMAP(eoi_vectors, 256);
	u16 first[UMBRA_MAX_ROUTES + 1];
	struct route route[];
};

static int set_route(struct umbra_vm *vm, const struct route *r, int source, bool level)
{
	if (r->msi)
		/* Messages have no lower edge. */
		return level ? umbra_msi_deliver(vm, r->low, r->high, r->data) : -1;
	if (r->chip == KVM_IRQCHIP_IOAPIC)
		return umbra_ioapic_set_irq(vm, r->pin, source, level);
	return umbra_pic_set_irq(vm, r->chip * PIC_PINS + r->pin, source, level);
}

/* All of @gsi's routes, of which there may be none. SRCU read section. */
static int set_routes(struct umbra_vm *vm, int source, u32 gsi, bool level)
{
	const struct umbra_irq_routes *routes = srcu_dereference(vm->irq.routes, &vm->srcu);
	int result = -1;
	int i, end, r;

	if (!routes || gsi >= routes->nr_gsis)
		return -1;
	gsi = array_index_nospec(gsi, routes->nr_gsis);
	end = routes->first[gsi + 1];
	for (i = routes->first[gsi]; i < end; i++) {
		r = set_route(vm, &routes->route[i], source, level);
		if (r >= 0)
			result = result < 0 ? r : result + r;
	}
	return result;
}

/**
 * umbra_irq_set() - raise or lower a GSI
 * @vm: VM
 * @source: UMBRA_IRQ_SOURCE_*; what different sources say is OR-ed
 * @gsi: any number
 * @level: its new level
 *
 * Context: any but NMI.
 * Return: number of local APICs that took it newly; 0: it waited there already; -1: it led
 * nowhere, or was masked.
 */
int umbra_irq_set(struct umbra_vm *vm, int source, u32 gsi, bool level)
{
	int idx = srcu_read_lock(&vm->srcu);
	int r = set_routes(vm, source, gsi, level);

	srcu_read_unlock(&vm->srcu, idx);
	return r;
}

/* Raise a GSI and lower it at once: the same as above for the rise. */
int umbra_irq_pulse(struct umbra_vm *vm, int source, u32 gsi)
{
	int idx = srcu_read_lock(&vm->srcu);
	int r = set_routes(vm, source, gsi, true);

	set_routes(vm, source, gsi, false);
	srcu_read_unlock(&vm->srcu, idx);
	return r;
}

int umbra_route_gsi(struct umbra_vm *vm, u32 chip, u32 pin)
{
	const struct umbra_irq_routes *routes = srcu_dereference(vm->irq.routes, &vm->srcu);

	return routes ? routes->gsi[chip][pin] : -1;
}

bool umbra_route_wants_eoi(struct umbra_vcpu *vcpu, u8 vector)
{
	struct umbra_vm *vm = vcpu->vm;
	const struct umbra_irq_routes *routes;
	int idx = srcu_read_lock(&vm->srcu);
	bool wants;

	routes = srcu_dereference(vm->irq.routes, &vm->srcu);
	wants = routes && test_bit(vector, routes->eoi_vectors);
	srcu_read_unlock(&vm->srcu, idx);
	return wants;
}

static int parse_pin(struct umbra_vm *vm, const struct kvm_irq_routing_irqchip *pin,
		     struct route *r)
{
	u32 pins = pin->irqchip == KVM_IRQCHIP_IOAPIC ? UMBRA_IOAPIC_PINS : PIC_PINS;

	if (!vm->irq.ioapic)
		return -EINVAL;
	if (pin->irqchip >= NR_CHIPS || pin->pin >= pins)
		return -EINVAL;
	*r = (struct route) { .chip = pin->irqchip, .pin = pin->pin };
	return 0;
}

static int parse_entry(struct umbra_vm *vm, const struct kvm_irq_routing_entry *entry,
		       struct route *r)
{
	const struct kvm_irq_routing_msi *msi = &entry->u.msi;

	/* The only flag there is says "has a device id", which needs a capability. */
	if (entry->flags)
		return -EINVAL;
	switch (entry->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return parse_pin(vm, &entry->u.irqchip, r);
	case KVM_IRQ_ROUTING_MSI:
		if (!umbra_msi_valid(vm, msi->address_hi))
			return -EINVAL;
		*r = (struct route) {
			.msi = true, .low = msi->address_lo, .high = msi->address_hi,
			.data = msi->data,
		};
		return 0;
	default:
		return -EINVAL;
	}
}

/* One GSI may lead to one pin of each chip, or to one message: so @n is never above NR_CHIPS. */
static bool fits(const struct route *of_gsi, int n, const struct route *new)
{
	int i;

	for (i = 0; i < n; i++)
		if (new->msi || of_gsi[i].msi || of_gsi[i].chip == new->chip)
			return false;
	return true;
}

static void note(struct umbra_vm *vm, struct umbra_irq_routes *routes, u32 gsi,
		 const struct route *r)
{
	if (!r->msi)
		routes->gsi[r->chip][r->pin] = gsi;
	else if (gsi < vm->irq.user_pins && umbra_msi_is_level(r->data))
		__set_bit((u8)r->data, routes->eoi_vectors);
}

/* Place the entries by GSI; @used counts those placed of each. */
static int place(struct umbra_vm *vm, struct umbra_irq_routes *routes, u16 *used,
		 const struct kvm_irq_routing_entry *entries, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 gsi = array_index_nospec(entries[i].gsi, UMBRA_MAX_ROUTES);
		struct route *of_gsi = &routes->route[routes->first[gsi]];
		struct route new;
		int r = parse_entry(vm, &entries[i], &new);

		if (r)
			return r;
		if (!fits(of_gsi, used[gsi], &new))
			return -EINVAL;
		of_gsi[used[gsi]++] = new;
		note(vm, routes, gsi, &new);
	}
	return 0;
}

/* Count the entries of each GSI, and so find where they begin. */
static int count(struct umbra_irq_routes *routes, const struct kvm_irq_routing_entry *entries,
		 u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		if (entries[i].gsi >= UMBRA_MAX_ROUTES)
			return -EINVAL;
		routes->first[entries[i].gsi + 1]++;
		routes->nr_gsis = max(routes->nr_gsis, entries[i].gsi + 1);
	}
	for (i = 0; i < UMBRA_MAX_ROUTES; i++)
		routes->first[i + 1] += routes->first[i];
	return 0;
}

/* A table of @nr entries, at most UMBRA_MAX_ROUTES, or ERR_PTR. */
static struct umbra_irq_routes *build(struct umbra_vm *vm,
				      const struct kvm_irq_routing_entry *entries, u32 nr)
{
	struct umbra_irq_routes *routes;
	int r = -ENOMEM;
	u16 *used;

	routes = kvzalloc(struct_size(routes, route, nr), GFP_KERNEL_ACCOUNT);
	used = kvcalloc(UMBRA_MAX_ROUTES, sizeof(*used), GFP_KERNEL_ACCOUNT);
	if (routes && used) {
		memset(routes->gsi, 0xff, sizeof(routes->gsi));
		r = count(routes, entries, nr);
		if (!r)
			r = place(vm, routes, used, entries, nr);
	}
	kvfree(used);
	if (!r)
		return routes;
	kvfree(routes);
	return ERR_PTR(r);
}

/* As a PC has it: GSIs are pins of the I/O APIC, the first 16 also of the 8259A. */
static struct umbra_irq_routes *build_default(struct umbra_vm *vm)
{
	const u32 nr = UMBRA_IOAPIC_PINS + 2 * PIC_PINS;
	struct kvm_irq_routing_entry *entries;
	struct umbra_irq_routes *routes;
	u32 i;

	entries = kcalloc(nr, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < nr; i++) {
		bool pic = i >= UMBRA_IOAPIC_PINS;
		u32 gsi = pic ? i - UMBRA_IOAPIC_PINS : i;

		entries[i].gsi = gsi;
		entries[i].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[i].u.irqchip.irqchip = pic ? gsi / PIC_PINS : KVM_IRQCHIP_IOAPIC;
		entries[i].u.irqchip.pin = pic ? gsi % PIC_PINS : gsi;
	}
	routes = build(vm, entries, nr);
	kfree(entries);
	return routes;
}

int umbra_routes_create(struct umbra_vm *vm, enum umbra_irqchip chip)
{
	struct umbra_irq_routes *routes;

	routes = chip == UMBRA_IRQCHIP_KERNEL ? build_default(vm) : build(vm, NULL, 0);
	if (IS_ERR(routes))
		return PTR_ERR(routes);
	rcu_assign_pointer(vm->irq.routes, routes);
	return 0;
}

void umbra_routes_destroy(struct umbra_vm *vm)
{
	kvfree(rcu_dereference_protected(vm->irq.routes, true));
	RCU_INIT_POINTER(vm->irq.routes, NULL);
}

static void publish(struct umbra_vm *vm, struct umbra_irq_routes *routes)
{
	struct umbra_irq_routes *old;

	mutex_lock(&vm->slots_lock);
	old = rcu_dereference_protected(vm->irq.routes, lockdep_is_held(&vm->slots_lock));
	rcu_assign_pointer(vm->irq.routes, routes);
	synchronize_srcu_expedited(&vm->srcu);
	mutex_unlock(&vm->slots_lock);
	kvfree(old);
}

/**
 * umbra_routes_set() - KVM_SET_GSI_ROUTING
 * @vm: VM
 * @user: the caller's table
 *
 * Interrupts already on their way arrive where the old table led them.
 * Return: 0; -EINVAL no chip in the kernel, unknown flags or types, pins that do not exist,
 * too many entries, or a GSI that leads to several pins of one chip; -EFAULT; -ENOMEM.
 */
int umbra_routes_set(struct umbra_vm *vm, const struct kvm_irq_routing __user *user)
{
	struct kvm_irq_routing_entry *entries = NULL;
	struct umbra_irq_routes *routes;
	struct kvm_irq_routing head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (umbra_irq_chip(vm) == UMBRA_IRQCHIP_NONE)
		return -EINVAL;
	if (head.nr > UMBRA_MAX_ROUTES || head.flags)
		return -EINVAL;
	if (head.nr) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), head.nr));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	routes = build(vm, entries, head.nr);
	kvfree(entries);
	if (IS_ERR(routes))
		return PTR_ERR(routes);
	publish(vm, routes);
	return 0;
}
