// SPDX-License-Identifier: GPL-2.0
/*
 * The calls on a VM's descriptor: copy the argument in, hand it to its owner,
 * copy the answer out.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>
#include "caps.h"
#include "emulate.h"
#include "iobus.h"
#include "kvmclock.h"
#include "msr.h"
#include "request.h"
#include "tsc.h"
#include "vcpu.h"
#include "vm.h"
#include "vm_ioctl.h"

/* Kept for clients that insist; the emulated real mode needs neither. */
static int vm_set_tss_addr(struct umbra_vm *vm, unsigned long arg)
{
	if (arg > (u32)(-3 * PAGE_SIZE))
		return -EINVAL;
	vm->tss_addr = arg;
	return 0;
}

static int vm_set_identity_map(struct umbra_vm *vm, const u64 __user *user)
{
	u64 addr;
	int r = 0;

	if (copy_from_user(&addr, user, sizeof(addr)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	if (vm->nr_vcpus)
		r = -EINVAL;
	else
		vm->identity_map = addr;
	mutex_unlock(&vm->lock);
	return r;
}

static int vm_memory_region(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_userspace_memory_region mem;

	if (copy_from_user(&mem, user, sizeof(mem)))
		return -EFAULT;
	return umbra_set_memory_region(vm, &mem);
}

static int vm_dirty_log(struct umbra_vm *vm, unsigned int cmd, const void __user *user)
{
	struct kvm_clear_dirty_log clear;
	struct kvm_dirty_log log;

	if (cmd == KVM_GET_DIRTY_LOG) {
		if (copy_from_user(&log, user, sizeof(log)))
			return -EFAULT;
		return umbra_get_dirty_log(vm, &log);
	}
	if (copy_from_user(&clear, user, sizeof(clear)))
		return -EFAULT;
	return umbra_clear_dirty_log(vm, &clear);
}

static int vm_coalesced(struct umbra_vm *vm, unsigned int cmd, const void __user *user)
{
	struct kvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, user, sizeof(zone)))
		return -EFAULT;
	if (cmd == KVM_REGISTER_COALESCED_MMIO)
		return umbra_coalesced_register(vm, &zone);
	return umbra_coalesced_unregister(vm, &zone);
}

static int vm_ioeventfd(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_ioeventfd args;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	return umbra_ioeventfd(vm, &args);
}

static int vm_get_clock(struct umbra_vm *vm, void __user *user)
{
	struct kvm_clock_data data = {};

	umbra_get_clock(vm, &data);
	return copy_to_user(user, &data, sizeof(data)) ? -EFAULT : 0;
}

static int vm_set_clock(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_clock_data data;

	if (copy_from_user(&data, user, sizeof(data)))
		return -EFAULT;
	return umbra_set_clock(vm, &data);
}

static int vm_msr_filter(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_msr_filter filter;

	if (copy_from_user(&filter, user, sizeof(filter)))
		return -EFAULT;
	return umbra_msr_filter_set(vm, &filter);
}

/* The frequency that vCPUs created from now on start with. */
static int vm_set_tsc_khz(struct umbra_vm *vm, unsigned long khz)
{
	int r = 0;

	mutex_lock(&vm->lock);
	if (vm->nr_vcpus || khz > U32_MAX)
		r = -EINVAL;
	else if (khz && !umbra_tsc_khz_supported(khz))
		r = -EINVAL;
	else
		vm->default_tsc_khz = khz ? khz : tsc_khz;
	mutex_unlock(&vm->lock);
	return r;
}

static int vm_enable_cap(struct umbra_vm *vm, const void __user *user)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, user, sizeof(cap)))
		return -EFAULT;
	return umbra_vm_enable_cap(vm, &cap);
}

/* Bounds the tables of shadow paging, as a mode without them accepts as well. */
static int vm_set_nr_mmu_pages(struct umbra_vm *vm, unsigned long tables)
{
	if (tables < UMBRA_MIN_MMU_PAGES)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	umbra_mmu_set_limit(vm, tables);
	mutex_unlock(&vm->slots_lock);
	return 0;
}

/**
 * umbra_vm_ioctl() - every call on a VM's descriptor
 * @file: the descriptor
 * @cmd: KVM's number
 * @arg: its argument
 *
 * Return: as KVM's call; -EIO from a process other than the VM's; -ENOTTY.
 */
long umbra_vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_vm *vm = file->private_data;
	void __user *user = (void __user *)arg;

	if (vm->mm != current->mm)
		return -EIO;
	switch (cmd) {
	case KVM_CREATE_VCPU:
		return arg > U32_MAX ? -EINVAL : umbra_vcpu_create_fd(vm, arg);
	case KVM_CHECK_EXTENSION:
		return umbra_check_extension(arg);
	case KVM_ENABLE_CAP:
		return vm_enable_cap(vm, user);
	case KVM_SET_USER_MEMORY_REGION:
		return vm_memory_region(vm, user);
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
		return vm_dirty_log(vm, cmd, user);
	case KVM_REGISTER_COALESCED_MMIO:
	case KVM_UNREGISTER_COALESCED_MMIO:
		return vm_coalesced(vm, cmd, user);
	case KVM_IOEVENTFD:
		return vm_ioeventfd(vm, user);
	case KVM_SET_TSS_ADDR:
		return vm_set_tss_addr(vm, arg);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return vm_set_identity_map(vm, user);
	case KVM_GET_CLOCK:
		return vm_get_clock(vm, user);
	case KVM_SET_CLOCK:
		return vm_set_clock(vm, user);
	case KVM_X86_SET_MSR_FILTER:
		return vm_msr_filter(vm, user);
	case KVM_SET_TSC_KHZ:
		return vm_set_tsc_khz(vm, arg);
	case KVM_GET_TSC_KHZ:
		return vm->default_tsc_khz;
	case KVM_SET_NR_MMU_PAGES:
		return vm_set_nr_mmu_pages(vm, arg);
	case KVM_GET_NR_MMU_PAGES:
		return min_t(unsigned long, umbra_mmu_limit(vm), INT_MAX);
	case KVM_GET_STATS_FD:
		return umbra_vm_stats_fd(vm);
	default:
		return umbra_irq_vm_ioctl(vm, cmd, arg);
	}
}
