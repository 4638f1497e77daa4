// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's lifetime and its descriptor. Its calls are in vm_ioctl.c; what it is
 * made of belongs to memslot.c, mmu/, iobus.c and the rest.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "host.h"
#include "inner.h"
#include "kvmclock.h"
#include "msr.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_ioctl.h"

static int vm_create_parts(struct umbra_vm *vm)
{
	int r = -ENOMEM;

	vm->vcpu = kvcalloc(UMBRA_MAX_VCPUS, sizeof(*vm->vcpu), GFP_KERNEL_ACCOUNT);
	if (!vm->vcpu)
		return r;
	r = init_srcu_struct(&vm->srcu);
	if (r)
		goto free_vcpus;
	r = umbra_memslots_init(vm);
	if (r)
		goto free_srcu;
	r = umbra_iobus_init(vm);
	if (r)
		goto free_slots;
	r = umbra_irq_vm_create(vm);
	if (r)
		goto free_bus;
	r = umbra_mmu_vm_create(vm);
	if (r)
		goto free_irq;
	r = umbra_notifier_register(vm);
	if (r)
		goto free_mmu;
	return 0;

free_mmu:
	umbra_mmu_vm_destroy(vm);
free_irq:
	umbra_irq_vm_destroy(vm);
free_bus:
	umbra_iobus_destroy(vm);
free_slots:
	umbra_memslots_destroy(vm);
free_srcu:
	cleanup_srcu_struct(&vm->srcu);
free_vcpus:
	kvfree(vm->vcpu);
	return r;
}

/*
 * No descriptor is left, so no vCPU runs and none can be reached. The host's
 * mm may still call the notifier until it is unregistered: that comes first.
 */
static void vm_destroy(struct kref *ref)
{
	struct umbra_vm *vm = container_of(ref, struct umbra_vm, ref);
	int i, nr = vm->nr_vcpus;

	/* Interrupts from outside end before those who would take them. */
	umbra_irq_vm_retire(vm);
	umbra_notifier_unregister(vm);
	umbra_mmu_vm_retire(vm);
	/* Flushes on the way must not look for those that are freed already. */
	vm->nr_vcpus = 0;
	for (i = 0; i < nr; i++)
		umbra_vcpu_destroy(vm->vcpu[i]);
	umbra_irq_vm_destroy(vm);
	umbra_mmu_vm_destroy(vm);
	umbra_msr_filter_free(vm);
	umbra_iobus_destroy(vm);
	umbra_memslots_destroy(vm);
	cleanup_srcu_struct(&vm->srcu);
	kvfree(vm->vcpu);
	mmdrop(vm->mm);
	mutex_destroy(&vm->slots_lock);
	mutex_destroy(&vm->lock);
	kfree(vm);
	umbra_host_put();
}

void umbra_vm_get(struct umbra_vm *vm)
{
	kref_get(&vm->ref);
}

void umbra_vm_put(struct umbra_vm *vm)
{
	kref_put(&vm->ref, vm_destroy);
}

static int vm_release(struct inode *inode, struct file *file)
{
	umbra_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = umbra_vm_ioctl,
	.llseek = noop_llseek,
};

static struct umbra_vm *vm_create(enum umbra_mmu_mode mode)
{
	struct umbra_vm *vm;
	int r = umbra_host_get();

	if (r)
		return ERR_PTR(r);
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm) {
		umbra_host_put();
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	vm->mmu_mode = mode;
	vm->nested = umbra_inner_offered();
	mmgrab(current->mm);
	vm->mm = current->mm;
	umbra_clock_init(vm);
	r = vm_create_parts(vm);
	if (r) {
		mmdrop(vm->mm);
		kfree(vm);
		umbra_host_put();
		return ERR_PTR(r);
	}
	return vm;
}

/**
 * umbra_vm_create_fd() - KVM_CREATE_VM and UMBRA_CREATE_VM
 * @mode: how its memory is virtualized, for as long as it lives; the host offers it
 *
 * Return: a descriptor; -EBUSY when another hypervisor owns a CPU; -ENOMEM;
 * -EMFILE.
 */
int umbra_vm_create_fd(enum umbra_mmu_mode mode)
{
	struct umbra_vm *vm;
	int fd;

	vm = vm_create(mode);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("umbra-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		umbra_vm_put(vm);
	return fd;
}
