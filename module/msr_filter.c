// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_X86_SET_MSR_FILTER: which MSRs user space lets the guest touch. A
 * filter is immutable; vm->slots_lock replaces it, SRCU readers use it. The
 * filter binds the guest only, never user space.
 */
#include <linux/bitops.h>
#include <linux/kvm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include "msr.h"
#include "msr_internal.h"
#include "request.h"
#include "vm.h"

/**
 * struct umbra_msr_filter - a VM's filter
 * @deny: what no range covers is denied
 * @count: used entries of @range
 * @range: MSRs [base, base + count) and, a bit each, whether they are allowed
 */
struct umbra_msr_filter {
	bool deny;
	u32 count;
	struct {
		u32 flags;
		u32 base;
		u32 count;
		unsigned long *allowed;
	} range[KVM_MSR_FILTER_MAX_RANGES];
};

static bool allows(const struct umbra_msr_filter *f, u32 index, u32 type)
{
	u32 i;

	for (i = 0; i < f->count; i++) {
		u32 bit = index - f->range[i].base;

		if (bit < f->range[i].count && (f->range[i].flags & type))
			return test_bit(array_index_nospec(bit, f->range[i].count),
					f->range[i].allowed);
	}
	return !f->deny;
}

bool umbra_msr_filter_allows(struct umbra_vm *vm, u32 index, bool write)
{
	const struct umbra_msr_filter *f;
	bool ok = true;
	int idx;

	/* The local APIC's registers cannot be filtered, as on KVM. */
	if (!rcu_access_pointer(vm->msr_filter) || index >> 8 == UMBRA_MSR_X2APIC >> 8)
		return true;
	idx = srcu_read_lock(&vm->srcu);
	f = srcu_dereference(vm->msr_filter, &vm->srcu);
	if (f)
		ok = allows(f, index, write ? KVM_MSR_FILTER_WRITE : KVM_MSR_FILTER_READ);
	srcu_read_unlock(&vm->srcu, idx);
	return ok;
}

static void free_filter(struct umbra_msr_filter *f)
{
	u32 i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++)
		kfree(f->range[i].allowed);
	kfree(f);
}

static int take_range(struct umbra_msr_filter *f, const struct kvm_msr_filter_range *in)
{
	const u32 known = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
	size_t bytes = BITS_TO_LONGS((u64)in->nmsrs) * sizeof(long);
	unsigned long *allowed;

	if (!in->nmsrs)
		return 0;
	if (!in->flags || in->flags & ~known || bytes > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	allowed = memdup_user((const void __user *)in->bitmap, bytes);
	if (IS_ERR(allowed))
		return PTR_ERR(allowed);
	f->range[f->count].flags = in->flags;
	f->range[f->count].base = in->base;
	f->range[f->count].count = in->nmsrs;
	f->range[f->count].allowed = allowed;
	f->count++;
	return 0;
}

/* A filter of what user space wrote, or an ERR_PTR(). */
static struct umbra_msr_filter *build(const struct kvm_msr_filter *in)
{
	struct umbra_msr_filter *f;
	int i, err = 0;

	if (in->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return ERR_PTR(-EINVAL);
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->deny = in->flags & KVM_MSR_FILTER_DEFAULT_DENY;
	for (i = 0; !err && i < ARRAY_SIZE(in->ranges); i++)
		err = take_range(f, &in->ranges[i]);
	/* Denying everything would be a guest that cannot do anything. */
	if (!err && f->deny && !f->count)
		err = -EINVAL;
	if (!err)
		return f;
	free_filter(f);
	return ERR_PTR(err);
}

/**
 * umbra_msr_filter_set() - KVM_X86_SET_MSR_FILTER
 * @vm: virtual machine
 * @filter: ranges; their bitmaps are still in user space
 *
 * When this returns no vCPU runs under the old filter.
 *
 * Context: may sleep; takes vm->slots_lock.
 * Return: 0, -EINVAL, -EFAULT, -ENOMEM; the old filter stays on failure.
 */
int umbra_msr_filter_set(struct umbra_vm *vm, const struct kvm_msr_filter *filter)
{
	struct umbra_msr_filter *new = build(filter), *old;

	if (IS_ERR(new))
		return PTR_ERR(new);
	mutex_lock(&vm->slots_lock);
	old = rcu_replace_pointer(vm->msr_filter, new, lockdep_is_held(&vm->slots_lock));
	synchronize_srcu(&vm->srcu);
	mutex_unlock(&vm->slots_lock);
	free_filter(old);
	umbra_request_all(vm, UMBRA_REQ_MSR_FILTER);
	return 0;
}

/**
 * umbra_msr_filter_free() - the VM goes away
 * @vm: virtual machine without users
 */
void umbra_msr_filter_free(struct umbra_vm *vm)
{
	free_filter(rcu_dereference_protected(vm->msr_filter, true));
	RCU_INIT_POINTER(vm->msr_filter, NULL);
}
