// SPDX-License-Identifier: GPL-2.0
/*
 * VMs and their slots: create, back with memory, find the test's address of
 * guest memory, destroy. Knows no guest state: see tables.c and setup.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/umbra.h>
#include "umbra_util.h"

u32 ut_mmu_mode;

static int create_vm(int dev_fd)
{
	struct umbra_create_vm args = { .mmu_mode = ut_mmu_mode };

	if (!ut_mmu_mode)
		return ut_must_ioctl(dev_fd, KVM_CREATE_VM, 0);
	return ut_must_ioctl(dev_fd, UMBRA_CREATE_VM, &args);
}

struct ut_vm *ut_vm_new(void)
{
	struct ut_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		ut_die("out of memory");
	vm->dev_fd = ut_open_device();
	vm->fd = create_vm(vm->dev_fd);
	return vm;
}

static void vcpu_free(struct ut_vcpu *vcpu)
{
	munmap(vcpu->run, vcpu->run_size);
	close(vcpu->fd);
	free(vcpu);
}

void ut_vm_free(struct ut_vm *vm)
{
	int i;

	if (!vm)
		return;
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_free(vm->vcpu[i]);
	close(vm->fd);
	close(vm->dev_fd);
	for (i = 0; i < UT_MAX_SLOTS; i++)
		if (vm->slot[i].own)
			munmap(vm->slot[i].hva, vm->slot[i].size);
	free(vm);
}

int ut_set_region(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, void *hva,
		  u32 flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
	};

	return ut_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

void ut_add_slot_hva(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, void *hva,
		     u32 flags)
{
	int ret;

	if (slot >= UT_MAX_SLOTS)
		ut_die("slot %u is beyond the library's %d", slot, UT_MAX_SLOTS);
	ret = ut_set_region(vm, slot, gpa, size, hva, flags);
	if (ret)
		ut_die("slot %u at gpa %#llx: %s", slot, (unsigned long long)gpa, strerror(-ret));
	vm->slot[slot].gpa = gpa;
	vm->slot[slot].size = size;
	vm->slot[slot].hva = hva;
}

void *ut_add_slot(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, u32 flags)
{
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (hva == MAP_FAILED)
		ut_die("mmap of %llu bytes: %s", (unsigned long long)size, strerror(errno));
	ut_add_slot_hva(vm, slot, gpa, size, hva, flags);
	vm->slot[slot].own = true;
	return hva;
}

void ut_del_slot(struct ut_vm *vm, u32 slot)
{
	struct ut_slot *s = &vm->slot[slot];
	int ret = ut_set_region(vm, slot, s->gpa, 0, s->hva, 0);

	if (ret)
		ut_die("deletion of slot %u: %s", slot, strerror(-ret));
	if (s->own)
		munmap(s->hva, s->size);
	memset(s, 0, sizeof(*s));
}

void *ut_hva(struct ut_vm *vm, u64 gpa)
{
	const struct ut_slot *s;

	for (s = vm->slot; s < vm->slot + UT_MAX_SLOTS; s++)
		if (gpa >= s->gpa && gpa - s->gpa < s->size)
			return (char *)s->hva + (gpa - s->gpa);
	ut_die("gpa %#llx is in no slot", (unsigned long long)gpa);
}

static void *map_run(struct ut_vcpu *vcpu)
{
	void *run;

	vcpu->run_size = ut_must_ioctl(vcpu->vm->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		ut_die("mmap of the run page: %s", strerror(errno));
	return run;
}

struct ut_vcpu *ut_vcpu_new(struct ut_vm *vm, int id)
{
	struct ut_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	struct kvm_cpuid2 *cpuid;

	if (!vcpu || vm->nr_vcpus == UT_MAX_VCPUS)
		ut_die("no room for vCPU %d", id);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ut_must_ioctl(vm->fd, KVM_CREATE_VCPU, id);
	vcpu->run = map_run(vcpu);
	cpuid = ut_supported_cpuid(vm->dev_fd);
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	vm->vcpu[vm->nr_vcpus++] = vcpu;
	return vcpu;
}
