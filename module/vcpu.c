// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual processor's lifetime, its descriptor and the shared pages that
 * user space maps. Its calls are in vcpu_ioctl.c, running it is run.c.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "debug.h"
#include "emulate.h"
#include "request.h"
#include "tsc.h"
#include "vcpu.h"
#include "vcpu_ioctl.h"
#include "vendor.h"

static void vcpu_free_pages(struct umbra_vcpu *vcpu)
{
	if (vcpu->run_page)
		__free_page(vcpu->run_page);
	if (vcpu->pio_page)
		__free_page(vcpu->pio_page);
}

static int vcpu_alloc_pages(struct umbra_vcpu *vcpu)
{
	vcpu->run_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	vcpu->pio_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run_page || !vcpu->pio_page) {
		vcpu_free_pages(vcpu);
		return -ENOMEM;
	}
	vcpu->run = page_address(vcpu->run_page);
	return 0;
}

/**
 * umbra_vcpu_reset() - the state after power-up or INIT
 * @vcpu: its mutex is held, or nobody knows it yet
 * @init: INIT, which leaves alone what the manuals say
 */
void umbra_vcpu_reset(struct umbra_vcpu *vcpu, bool init)
{
	umbra_emulate_cancel(vcpu);
	umbra_events_reset(vcpu);
	vcpu->inner = (struct umbra_inner) { };
	if (!init) {
		umbra_msrs_reset(vcpu);
		umbra_fpu_reset(vcpu);
		umbra_tsc_vcpu_init(vcpu);
	}
	umbra_kvmclock_reset(vcpu);
	umbra_pv_eoi_set(vcpu, 0);
	WRITE_ONCE(vcpu->pv_kicked, false);
	umbra_regs_reset(vcpu, init);
	umbra_vendor->vcpu_reset(vcpu);
	if (vcpu->lapic)
		umbra_lapic_reset(vcpu, init);
	umbra_cpuid_update_dynamic(vcpu);
	umbra_mmu_registers_set(vcpu);
	umbra_request(vcpu, UMBRA_REQ_NEW_ROOT);
	umbra_request(vcpu, UMBRA_REQ_MSR_FILTER);
}

/* Processors that the local APIC has to start wait for it, but the first one. */
static u32 first_mp_state(const struct umbra_vcpu *vcpu)
{
	if (!vcpu->lapic || umbra_is_boot_cpu(&vcpu->vm->irq, vcpu->id))
		return KVM_MP_STATE_RUNNABLE;
	return KVM_MP_STATE_UNINITIALIZED;
}

static int vcpu_create_parts(struct umbra_vcpu *vcpu)
{
	int r = vcpu_alloc_pages(vcpu);

	if (r)
		return r;
	r = umbra_fpu_create(vcpu);
	if (r)
		goto free_pages;
	r = umbra_emulate_create(vcpu);
	if (r)
		goto free_fpu;
	r = umbra_mmu_vcpu_create(vcpu);
	if (r)
		goto free_emulate;
	r = umbra_vendor->vcpu_create(vcpu);
	if (r)
		goto free_mmu;
	r = vcpu->vm->irq.chip == UMBRA_IRQCHIP_NONE ? 0 : umbra_lapic_create(vcpu);
	if (r)
		goto free_hw;
	return 0;

free_hw:
	umbra_vendor->vcpu_destroy(vcpu);
free_mmu:
	umbra_mmu_vcpu_destroy(vcpu);
free_emulate:
	umbra_emulate_destroy(vcpu);
free_fpu:
	umbra_fpu_destroy(vcpu);
free_pages:
	vcpu_free_pages(vcpu);
	return r;
}

/**
 * umbra_vcpu_destroy() - free a vCPU; nobody can reach it any more
 * @vcpu: from the VM's last put, or a creation that failed
 */
void umbra_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	if (vcpu->lapic)
		umbra_lapic_destroy(vcpu);
	umbra_vendor->vcpu_destroy(vcpu);
	umbra_mmu_vcpu_destroy(vcpu);
	umbra_emulate_destroy(vcpu);
	umbra_fpu_destroy(vcpu);
	umbra_cpuid_free(vcpu);
	vcpu_free_pages(vcpu);
	mutex_destroy(&vcpu->mutex);
	kfree(vcpu);
}

static struct umbra_vcpu *vcpu_create(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int r;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	mutex_init(&vcpu->mutex);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	vcpu->last_cpu = -1;
	rcuwait_init(&vcpu->wait);
	umbra_cpuid_init(vcpu);
	r = vcpu_create_parts(vcpu);
	if (r) {
		umbra_cpuid_free(vcpu);
		kfree(vcpu);
		return ERR_PTR(r);
	}
	umbra_vcpu_reset(vcpu, false);
	vcpu->mp_state = first_mp_state(vcpu);
	return vcpu;
}

static vm_fault_t vcpu_mmap_fault(struct vm_fault *vmf)
{
	struct umbra_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page;

	switch (vmf->pgoff) {
	case 0:
		page = vcpu->run_page;
		break;
	case KVM_PIO_PAGE_OFFSET:
		page = vcpu->pio_page;
		break;
	case KVM_COALESCED_MMIO_PAGE_OFFSET:
		page = READ_ONCE(vcpu->vm->bus.ring);
		break;
	default:
		page = NULL;
	}
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_mmap_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct umbra_vcpu *vcpu = file->private_data;

	umbra_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = umbra_vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

static bool id_taken(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu;
	int i;

	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++)
		if (vcpu->id == id)
			return true;
	return false;
}

/*
 * The descriptor is made before the vCPU is published, and installed after:
 * nobody can use a number that was guessed, and a failure leaves no trace.
 */
static int vcpu_publish(struct umbra_vm *vm, struct umbra_vcpu *vcpu)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile("umbra-vcpu", &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	umbra_vm_get(vm);
	vcpu->index = vm->nr_vcpus;
	vm->vcpu[vcpu->index] = vcpu;
	/* Pairs with umbra_vcpu_at(): the pointer before the number. */
	smp_store_release(&vm->nr_vcpus, vcpu->index + 1);
	fd_install(fd, file);
	return fd;
}

/**
 * umbra_vcpu_create_fd() - KVM_CREATE_VCPU
 * @vm: the VM
 * @id: the caller's number, also the initial APIC id
 *
 * Return: a descriptor; -EINVAL for an id or a number of vCPUs beyond the
 * limits, -EEXIST for an id in use, -ENOMEM.
 */
int umbra_vcpu_create_fd(struct umbra_vm *vm, u32 id)
{
	struct umbra_vcpu *vcpu;
	int r;

	mutex_lock(&vm->lock);
	if (id >= (vm->max_vcpu_id ? : UMBRA_MAX_VCPU_ID) || vm->nr_vcpus >= UMBRA_MAX_VCPUS)
		r = -EINVAL;
	else if (id_taken(vm, id))
		r = -EEXIST;
	else
		r = 0;
	if (r)
		goto unlock;
	vcpu = vcpu_create(vm, id);
	if (IS_ERR(vcpu)) {
		r = PTR_ERR(vcpu);
		goto unlock;
	}
	r = vcpu_publish(vm, vcpu);
	if (r < 0)
		umbra_vcpu_destroy(vcpu);
unlock:
	mutex_unlock(&vm->lock);
	return r;
}
