// SPDX-License-Identifier: GPL-2.0
/*
 * The VM's part of the interrupt controllers: whether it has them, its calls, and which chip a
 * port or an address belongs to. What a chip does is in its own file.
 */
#include "irq_env.h"
#include "ioapic.h"
#include "irqfd.h"
#include "pic.h"
#include "pit.h"
#include "route.h"

int umbra_irq_vm_create(struct umbra_vm *vm)
{
	return umbra_irqfds_create(vm);
}

void umbra_irq_vm_retire(struct umbra_vm *vm)
{
	umbra_irqfds_retire(vm);
	umbra_pit_retire(vm);
	umbra_ioapic_retire(vm);
}

void umbra_irq_vm_destroy(struct umbra_vm *vm)
{
	umbra_pit_destroy(vm);
	umbra_ioapic_destroy(vm);
	umbra_pic_destroy(vm);
	umbra_routes_destroy(vm);
	umbra_irqfds_destroy(vm);
}

/* Can the VM still be given chips? vm->lock held. */
static int check_new(struct umbra_vm *vm, int late)
{
	if (vm->irq.chip != UMBRA_IRQCHIP_NONE)
		return -EEXIST;
	return vm->nr_vcpus ? late : 0;
}

static int create_chips(struct umbra_vm *vm)
{
	int r = umbra_pic_create(vm);

	if (r)
		return r;
	r = umbra_ioapic_create(vm);
	if (r)
		goto free_pic;
	r = umbra_routes_create(vm, UMBRA_IRQCHIP_KERNEL);
	if (r)
		goto free_ioapic;
	return 0;

free_ioapic:
	umbra_ioapic_destroy(vm);
free_pic:
	umbra_pic_destroy(vm);
	return r;
}

/**
 * umbra_irqchip_create() - KVM_CREATE_IRQCHIP
 * @vm: VM
 *
 * Return: 0; -EEXIST it has chips, or local APICs, already; -EINVAL it has a vCPU; -ENOMEM.
 */
int umbra_irqchip_create(struct umbra_vm *vm)
{
	int r;

	mutex_lock(&vm->lock);
	r = check_new(vm, -EINVAL);
	if (!r)
		r = create_chips(vm);
	if (!r)
		/* Pairs with umbra_irq_chip(): who sees it sees the chips. */
		smp_store_release(&vm->irq.chip, UMBRA_IRQCHIP_KERNEL);
	mutex_unlock(&vm->lock);
	return r;
}

/**
 * umbra_irqchip_split() - KVM_CAP_SPLIT_IRQCHIP
 * @vm: VM
 * @pins: GSIs from 0 on that are pins of user space's I/O APIC
 *
 * Return: 0; -EINVAL too many pins; -EEXIST it has local APICs already, or a vCPU; -ENOMEM.
 */
int umbra_irqchip_split(struct umbra_vm *vm, u64 pins)
{
	int r;

	if (pins > UMBRA_MAX_ROUTES)
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = check_new(vm, -EEXIST);
	if (!r)
		r = umbra_routes_create(vm, UMBRA_IRQCHIP_SPLIT);
	if (!r) {
		vm->irq.user_pins = pins;
		/* As above. */
		smp_store_release(&vm->irq.chip, UMBRA_IRQCHIP_SPLIT);
	}
	mutex_unlock(&vm->lock);
	return r;
}

/* KVM_GET_IRQCHIP. 0; -ENXIO no chips; -EINVAL no such one. */
static int get_chip(struct umbra_vm *vm, struct kvm_irqchip *chip)
{
	if (umbra_irq_chip(vm) != UMBRA_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		umbra_pic_get(vm, array_index_nospec(chip->chip_id, 2), &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		umbra_ioapic_get(vm, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/* KVM_SET_IRQCHIP. As above, and nothing changed then. */
static int set_chip(struct umbra_vm *vm, const struct kvm_irqchip *chip)
{
	if (umbra_irq_chip(vm) != UMBRA_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		umbra_pic_set(vm, array_index_nospec(chip->chip_id, 2), &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		return umbra_ioapic_set(vm, &chip->chip.ioapic);
	default:
		return -EINVAL;
	}
}

/* All chips at ports are 8 bits wide; a wider access is one for each byte, as on a PC's bus. */
static bool chip_port(struct umbra_vm *vm, gpa_t addr, unsigned int len)
{
	gpa_t port;

	if (umbra_irq_chip(vm) != UMBRA_IRQCHIP_KERNEL)
		return false;
	for (port = addr; port < addr + len; port++)
		if (!umbra_pic_port(port) && !umbra_pit_port(vm, port))
			return false;
	return true;
}

static bool ioapic_mmio(struct umbra_vm *vm, gpa_t addr, unsigned int len)
{
	return umbra_irq_chip(vm) == UMBRA_IRQCHIP_KERNEL && umbra_ioapic_mmio(vm, addr, len);
}

static int port_read(struct umbra_vm *vm, gpa_t addr, unsigned int len, u8 *data)
{
	unsigned int i;

	if (!chip_port(vm, addr, len))
		return -EOPNOTSUPP;
	for (i = 0; i < len; i++) {
		if (umbra_pic_port(addr + i))
			umbra_pic_read(vm, addr + i, &data[i]);
		else
			umbra_pit_read(vm, addr + i, &data[i]);
	}
	return 0;
}

static int port_write(struct umbra_vm *vm, gpa_t addr, unsigned int len, const u8 *data)
{
	unsigned int i;

	if (!chip_port(vm, addr, len))
		return -EOPNOTSUPP;
	for (i = 0; i < len; i++) {
		if (umbra_pic_port(addr + i))
			umbra_pic_write(vm, addr + i, data[i]);
		else
			umbra_pit_write(vm, addr + i, data[i]);
	}
	return 0;
}

int umbra_irq_io_read(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		      unsigned int len, void *data)
{
	if (bus == UMBRA_BUS_PIO)
		return port_read(vcpu->vm, addr, len, data);
	if (umbra_lapic_mmio(vcpu, addr, len)) {
		umbra_lapic_read(vcpu, addr & (PAGE_SIZE - 1), len, data);
		return 0;
	}
	if (!ioapic_mmio(vcpu->vm, addr, len))
		return -EOPNOTSUPP;
	umbra_ioapic_read(vcpu->vm, addr, len, data);
	return 0;
}

int umbra_irq_io_write(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		       unsigned int len, const void *data)
{
	if (bus == UMBRA_BUS_PIO)
		return port_write(vcpu->vm, addr, len, data);
	if (umbra_lapic_mmio(vcpu, addr, len)) {
		umbra_lapic_write(vcpu, addr & (PAGE_SIZE - 1), len, data);
		return 0;
	}
	if (!ioapic_mmio(vcpu->vm, addr, len))
		return -EOPNOTSUPP;
	umbra_ioapic_write(vcpu->vm, addr, len, data);
	return 0;
}

bool umbra_irq_io_listens(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
			  unsigned int len)
{
	if (bus == UMBRA_BUS_PIO)
		return chip_port(vcpu->vm, addr, len);
	return umbra_lapic_mmio(vcpu, addr, len) || ioapic_mmio(vcpu->vm, addr, len);
}

static int line_call(struct umbra_vm *vm, unsigned int cmd, struct kvm_irq_level __user *user)
{
	struct kvm_irq_level line;
	int status;

	if (copy_from_user(&line, user, sizeof(line)))
		return -EFAULT;
	if (umbra_irq_chip(vm) == UMBRA_IRQCHIP_NONE)
		return -ENXIO;
	status = umbra_irq_set(vm, UMBRA_IRQ_SOURCE_USER, line.irq, line.level);
	if (cmd == KVM_IRQ_LINE_STATUS)
		return put_user(status, &user->status);
	return 0;
}

static int irqchip_call(struct umbra_vm *vm, unsigned int cmd, void __user *user)
{
	struct kvm_irqchip *chip = memdup_user(user, sizeof(*chip));
	int r;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	if (cmd == KVM_SET_IRQCHIP)
		r = set_chip(vm, chip);
	else
		r = get_chip(vm, chip);
	if (!r && cmd == KVM_GET_IRQCHIP && copy_to_user(user, chip, sizeof(*chip)))
		r = -EFAULT;
	kfree(chip);
	return r;
}

static int create_pit_call(struct umbra_vm *vm, unsigned int cmd, const void __user *user)
{
	/* The older call has no argument, and a dummy speaker. */
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (cmd == KVM_CREATE_PIT2 && copy_from_user(&config, user, sizeof(config)))
		return -EFAULT;
	return umbra_pit_create(vm, &config);
}

/* The older structure is the newer one's beginning, without the flags. */
static int get_pit_call(struct umbra_vm *vm, unsigned int cmd, void __user *user)
{
	struct kvm_pit_state2 state;
	int r = umbra_pit_get(vm, &state);

	if (r)
		return r;
	return copy_to_user(user, &state, _IOC_SIZE(cmd)) ? -EFAULT : 0;
}

static int set_pit_call(struct umbra_vm *vm, unsigned int cmd, const void __user *user)
{
	struct kvm_pit_state2 state = {};
	int r;

	/* Flags that the older call does not know stay. */
	if (cmd == KVM_SET_PIT) {
		r = umbra_pit_get(vm, &state);
		if (r)
			return r;
	}
	if (copy_from_user(&state, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	return umbra_pit_set(vm, &state);
}

static int reinject_call(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_reinject_control control;

	if (copy_from_user(&control, user, sizeof(control)))
		return -EFAULT;
	return umbra_pit_reinject(vm, control.pit_reinject);
}

static int msi_call(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_msi msi;

	if (copy_from_user(&msi, user, sizeof(msi)))
		return -EFAULT;
	return umbra_msi_signal(vm, &msi);
}

static int irqfd_call(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_irqfd args;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	return umbra_irqfd(vm, &args);
}

static int boot_cpu_call(struct umbra_vm *vm, unsigned long id)
{
	int r = 0;

	if (id >= UMBRA_MAX_VCPU_ID)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->nr_vcpus)
		r = -EBUSY;
	else
		vm->irq.boot_cpu = id;
	mutex_unlock(&vm->lock);
	return r;
}

long umbra_irq_vm_ioctl(struct umbra_vm *vm, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_IRQ_LINE:
	case KVM_IRQ_LINE_STATUS:
		return line_call(vm, cmd, user);
	case KVM_SIGNAL_MSI:
		return msi_call(vm, user);
	case KVM_CREATE_IRQCHIP:
		return umbra_irqchip_create(vm);
	case KVM_GET_IRQCHIP:
	case KVM_SET_IRQCHIP:
		return irqchip_call(vm, cmd, user);
	case KVM_CREATE_PIT:
	case KVM_CREATE_PIT2:
		return create_pit_call(vm, cmd, user);
	case KVM_GET_PIT:
	case KVM_GET_PIT2:
		return get_pit_call(vm, cmd, user);
	case KVM_SET_PIT:
	case KVM_SET_PIT2:
		return set_pit_call(vm, cmd, user);
	case KVM_REINJECT_CONTROL:
		return reinject_call(vm, user);
	case KVM_SET_GSI_ROUTING:
		return umbra_routes_set(vm, user);
	case KVM_IRQFD:
		return irqfd_call(vm, user);
	case KVM_SET_BOOT_CPU_ID:
		return boot_cpu_call(vm, arg);
	default:
		return -ENOTTY;
	}
}
