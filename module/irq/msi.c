// SPDX-License-Identifier: GPL-2.0
/*
 * Message-signalled interrupts: what an address and a data word mean to the
 * local APICs. Knows nothing of routes.
 */
#include "irq_env.h"
#include "route.h"

/* In the lower half of the address. */
#define MSI_DEST_SHIFT		12
#define MSI_DEST_MASK		0xffu
#define MSI_REDIRECT		BIT(3)	/* to the one of lowest priority */
#define MSI_LOGICAL		BIT(2)
/* In the upper half, where the client said that ids have 32 bits. */
#define MSI_HIGH_DEST		0xffffff00u
/* In the data. */
#define MSI_MODE_SHIFT		8
#define MSI_MODE_MASK		7u

/* With 32 bit ids the upper half of the address has more of the id, and nothing else. */
bool umbra_msi_valid(const struct umbra_vm *vm, u32 address_high)
{
	return !READ_ONCE(vm->irq.x2apic_ids) || !(address_high & ~MSI_HIGH_DEST);
}

int umbra_msi_deliver(struct umbra_vm *vm, u32 low, u32 high, u32 data)
{
	struct umbra_irq_msg msg = {
		.dest = low >> MSI_DEST_SHIFT & MSI_DEST_MASK,
		.mode = data >> MSI_MODE_SHIFT & MSI_MODE_MASK,
		.shorthand = UMBRA_TO_DEST,
		.vector = data,
		.logical = low & MSI_LOGICAL,
		.level = umbra_msi_is_level(data),
		.assert = true,
		.x2apic = READ_ONCE(vm->irq.x2apic_ids),
	};

	if (msg.x2apic)
		msg.dest |= high & MSI_HIGH_DEST;
	if (low & MSI_REDIRECT && msg.mode == UMBRA_DELIVER_FIXED)
		msg.mode = UMBRA_DELIVER_LOWEST;
	return umbra_apic_deliver(vm, NULL, &msg);
}

/**
 * umbra_msi_signal() - KVM_SIGNAL_MSI
 * @vm: VM
 * @msi: copy of the caller's structure
 *
 * Return: number of local APICs that took it, at least 1, also when it waited there already;
 * -1 (which the caller sees as EPERM) when nobody takes it; -EINVAL no local APIC in the kernel,
 * a device id (KVM_CAP_MSI_DEVID is not offered), or a bad address.
 */
int umbra_msi_signal(struct umbra_vm *vm, const struct kvm_msi *msi)
{
	int r;

	if (umbra_irq_chip(vm) == UMBRA_IRQCHIP_NONE || msi->flags)
		return -EINVAL;
	if (!umbra_msi_valid(vm, msi->address_hi))
		return -EINVAL;
	r = umbra_msi_deliver(vm, msi->address_lo, msi->address_hi, msi->data);
	return r < 0 ? r : max(r, 1);
}
