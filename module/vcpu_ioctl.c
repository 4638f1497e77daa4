// SPDX-License-Identifier: GPL-2.0
/*
 * The calls on a vCPU's descriptor: copy the argument in, hand it to its
 * owner, copy the answer out. No rules about values live here.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include "caps.h"
#include "debug.h"
#include "emulate.h"
#include "halt.h"
#include "mmu/mmu.h"
#include "tsc.h"
#include "vcpu.h"
#include "vcpu_ioctl.h"
#include "vendor.h"

union vcpu_arg {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_guest_debug debug;
	struct kvm_translation translation;
	struct kvm_interrupt interrupt;
	struct kvm_x86_mce mce;
	struct kvm_lapic_state lapic;
	struct kvm_tpr_access_ctl tpr;
	struct kvm_vapic_addr vapic;
	u64 mcg_cap;
};

static int vcpu_translate(struct umbra_vcpu *vcpu, struct kvm_translation *t)
{
	struct umbra_walk w = {};
	int idx = srcu_read_lock(&vcpu->vm->srcu);
	int r = umbra_mmu_walk(vcpu, t->linear_address, UMBRA_ACC_READ, false, &w);

	srcu_read_unlock(&vcpu->vm->srcu, idx);
	t->valid = !r;
	t->physical_address = r ? UMBRA_INVALID_GPA : w.gpa;
	t->writeable = 1;
	t->usermode = 0;
	return 0;
}

static int vcpu_set_sigmask(struct umbra_vcpu *vcpu, struct kvm_signal_mask __user *user)
{
	struct kvm_signal_mask head;
	sigset_t set;

	if (!user) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static int vcpu_set_regs(struct umbra_vcpu *vcpu, const struct kvm_regs *in)
{
	int r = umbra_set_regs(vcpu, in);

	if (!r)
		umbra_emulate_cancel(vcpu);
	return r;
}

/*
 * Calls that fill a structure for the caller, and KVM_TPR_ACCESS_REPORTING, which is one
 * by its number. -ENOTTY: not one of them.
 */
static int vcpu_get(struct umbra_vcpu *vcpu, unsigned int cmd, union vcpu_arg *a)
{
	switch (cmd) {
	case KVM_GET_REGS:
		umbra_get_regs(vcpu, &a->regs);
		return 0;
	case KVM_GET_SREGS:
		umbra_get_sregs(vcpu, &a->sregs);
		return 0;
	case KVM_GET_SREGS2:
		umbra_get_sregs2(vcpu, &a->sregs2);
		return 0;
	case KVM_GET_FPU:
		umbra_get_fpu(vcpu, &a->fpu);
		return 0;
	case KVM_GET_XCRS:
		umbra_get_xcrs(vcpu, &a->xcrs);
		return 0;
	case KVM_GET_DEBUGREGS:
		umbra_get_debugregs(vcpu, &a->debugregs);
		return 0;
	case KVM_GET_VCPU_EVENTS:
		umbra_event_get(vcpu, &a->events);
		return 0;
	case KVM_GET_MP_STATE:
		return umbra_get_mp_state(vcpu, &a->mp_state);
	case KVM_TPR_ACCESS_REPORTING:
		return umbra_tpr_reporting(vcpu, &a->tpr);
	case KVM_GET_LAPIC:
		return vcpu->lapic ? umbra_lapic_get_state(vcpu, &a->lapic) : -EINVAL;
	case KVM_TRANSLATE:
		return vcpu_translate(vcpu, &a->translation);
	default:
		return -ENOTTY;
	}
}

/* Calls that take a structure from the caller. -ENOTTY: not one of them. */
static int vcpu_set(struct umbra_vcpu *vcpu, unsigned int cmd, const union vcpu_arg *a)
{
	switch (cmd) {
	case KVM_SET_REGS:
		return vcpu_set_regs(vcpu, &a->regs);
	case KVM_SET_SREGS:
		return umbra_set_sregs(vcpu, &a->sregs);
	case KVM_SET_SREGS2:
		return umbra_set_sregs2(vcpu, &a->sregs2);
	case KVM_SET_FPU:
		return umbra_set_fpu(vcpu, &a->fpu);
	case KVM_SET_XCRS:
		return umbra_set_xcrs(vcpu, &a->xcrs);
	case KVM_SET_DEBUGREGS:
		return umbra_set_debugregs(vcpu, &a->debugregs);
	case KVM_SET_VCPU_EVENTS:
		return umbra_event_set(vcpu, &a->events);
	case KVM_SET_MP_STATE:
		return umbra_set_mp_state(vcpu, &a->mp_state);
	case KVM_SET_VAPIC_ADDR:
		return umbra_set_vapic_addr(vcpu, &a->vapic);
	case KVM_SET_LAPIC:
		return vcpu->lapic ? umbra_lapic_set_state(vcpu, &a->lapic) : -EINVAL;
	case KVM_SET_GUEST_DEBUG:
		return umbra_set_guest_debug(vcpu, &a->debug);
	case KVM_INTERRUPT:
		return umbra_event_interrupt(vcpu, a->interrupt.irq);
	case KVM_X86_SETUP_MCE:
		return umbra_mce_setup(vcpu, a->mcg_cap);
	case KVM_X86_SET_MCE:
		return umbra_mce_inject(vcpu, &a->mce);
	default:
		return -ENOTTY;
	}
}

/* Every call of vcpu_get() and vcpu_set(), found before memory is touched. */
static bool vcpu_struct_known(unsigned int cmd)
{
	switch (cmd) {
	case KVM_GET_REGS:
	case KVM_SET_REGS:
	case KVM_GET_SREGS:
	case KVM_SET_SREGS:
	case KVM_GET_SREGS2:
	case KVM_SET_SREGS2:
	case KVM_GET_FPU:
	case KVM_SET_FPU:
	case KVM_GET_XCRS:
	case KVM_SET_XCRS:
	case KVM_GET_DEBUGREGS:
	case KVM_SET_DEBUGREGS:
	case KVM_GET_VCPU_EVENTS:
	case KVM_SET_VCPU_EVENTS:
	case KVM_GET_MP_STATE:
	case KVM_SET_MP_STATE:
	case KVM_GET_LAPIC:
	case KVM_SET_LAPIC:
	case KVM_TPR_ACCESS_REPORTING:
	case KVM_SET_VAPIC_ADDR:
	case KVM_SET_GUEST_DEBUG:
	case KVM_TRANSLATE:
	case KVM_INTERRUPT:
	case KVM_X86_SETUP_MCE:
	case KVM_X86_SET_MCE:
		return true;
	default:
		return false;
	}
}

/*
 * Copy in, call, copy out, by the direction that the call's number carries. A
 * bad pointer is found before anything changes: the copy in comes first, and
 * calls that copy out change nothing.
 */
static int vcpu_struct_ioctl(struct umbra_vcpu *vcpu, unsigned int cmd, void __user *user)
{
	size_t size = _IOC_SIZE(cmd);
	bool out = _IOC_DIR(cmd) & _IOC_READ;
	union vcpu_arg *a;
	int r;

	if (!vcpu_struct_known(cmd))
		return -ENOTTY;
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(a, user, size))
		r = -EFAULT;
	else
		r = out ? vcpu_get(vcpu, cmd, a) : vcpu_set(vcpu, cmd, a);
	if (!r && out && copy_to_user(user, a, size))
		r = -EFAULT;
	kfree(a);
	return r;
}

/* Attributes of a vCPU: only what its TSC is ahead of the host's. */
static int vcpu_attr(struct umbra_vcpu *vcpu, unsigned int cmd, const void __user *user)
{
	struct kvm_device_attr attr;
	u64 __user *value;
	u64 offset;

	if (copy_from_user(&attr, user, sizeof(attr)))
		return -EFAULT;
	if (attr.group != KVM_VCPU_TSC_CTRL || attr.attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	value = u64_to_user_ptr(attr.addr);
	switch (cmd) {
	case KVM_HAS_DEVICE_ATTR:
		return 0;
	case KVM_GET_DEVICE_ATTR:
		return put_user(umbra_tsc_hw_offset(vcpu), value);
	default:
		if (get_user(offset, value))
			return -EFAULT;
		umbra_tsc_set_offset(vcpu, offset);
		return 0;
	}
}

static int vcpu_enable_cap(struct umbra_vcpu *vcpu, const void __user *user)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, user, sizeof(cap)))
		return -EFAULT;
	return umbra_vcpu_enable_cap(vcpu, &cap);
}

/* Calls without a fixed structure. */
static int vcpu_ioctl_locked(struct umbra_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : umbra_vcpu_run(vcpu);
	case KVM_NMI:
		umbra_event_kick_nmi(vcpu);
		return 0;
	case KVM_SET_SIGNAL_MASK:
		return vcpu_set_sigmask(vcpu, user);
	case KVM_GET_MSRS:
		return umbra_vcpu_msrs_ioctl(vcpu, user, false);
	case KVM_SET_MSRS:
		return umbra_vcpu_msrs_ioctl(vcpu, user, true);
	case KVM_SET_CPUID:
		return umbra_set_cpuid(vcpu, user);
	case KVM_SET_CPUID2:
		return umbra_set_cpuid2(vcpu, user);
	case KVM_GET_CPUID2:
		return umbra_get_cpuid2(vcpu, user);
	case KVM_GET_XSAVE:
		return umbra_get_xsave(vcpu, user, sizeof(struct kvm_xsave));
	case KVM_GET_XSAVE2:
		return umbra_get_xsave(vcpu, user, umbra_xsave_size);
	case KVM_SET_XSAVE:
		return umbra_set_xsave(vcpu, user);
	case KVM_SET_TSC_KHZ:
		return arg > U32_MAX ? -EINVAL : umbra_set_tsc_khz(vcpu, arg);
	case KVM_GET_TSC_KHZ:
		return vcpu->tsc_khz;
	case KVM_HAS_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return vcpu_attr(vcpu, cmd, user);
	case KVM_GET_STATS_FD:
		return umbra_vcpu_stats_fd(vcpu);
	case KVM_KVMCLOCK_CTRL:
		return umbra_kvmclock_stopped(vcpu);
	case KVM_ENABLE_CAP:
		return vcpu_enable_cap(vcpu, user);
	default:
		return vcpu_struct_ioctl(vcpu, cmd, user);
	}
}

/**
 * umbra_vcpu_ioctl() - every call on a vCPU's descriptor
 * @file: the descriptor
 * @cmd: KVM's number
 * @arg: its argument
 *
 * Return: as KVM's call; -EIO from a process other than the VM's; -ENOTTY.
 */
long umbra_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct umbra_vcpu *vcpu = file->private_data;
	long r;

	if (vcpu->vm->mm != current->mm)
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return -ENOTTY;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	r = vcpu_ioctl_locked(vcpu, cmd, arg);
	mutex_unlock(&vcpu->mutex);
	return r;
}
