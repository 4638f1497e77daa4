// SPDX-License-Identifier: GPL-2.0
/*
 * The /dev/umbra node: version, capabilities, lists, and making VMs.
 */
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/umbra.h>
#include <asm/kvm.h>
#include "caps.h"
#include "cpuid.h"
#include "dev.h"
#include "fpu.h"
#include "mode.h"
#include "msr.h"
#include "vendor.h"
#include "vm.h"

static int dev_get_info(void __user *user)
{
	struct umbra_info info = {
		.api_version = UMBRA_API_VERSION,
		.vendor = strcmp(umbra_vendor->name, "svm") ? UMBRA_VENDOR_VMX : UMBRA_VENDOR_SVM,
		.mmu_modes = umbra_mode_bits(),
		.mmu_mode = umbra_mode_to_bit(umbra_mode_default()),
		.features = (umbra_caps.nested ? UMBRA_FEATURE_NESTED : 0) |
			    (umbra_caps.nested_1g ? UMBRA_FEATURE_NESTED_1G : 0) |
			    (umbra_caps.insn_len ? UMBRA_FEATURE_INSN_LEN : 0) |
			    (umbra_caps.insn_bytes ? UMBRA_FEATURE_INSN_BYTES : 0) |
			    (umbra_caps.flush_by_asid ? UMBRA_FEATURE_FLUSH_BY_ASID : 0),
		.asids = umbra_caps.asids,
		.max_vcpus = UMBRA_MAX_VCPUS,
		.max_memslots = UMBRA_MAX_SLOTS,
	};

	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static int dev_create_vm(const void __user *user)
{
	struct umbra_create_vm args;
	enum umbra_mmu_mode mode;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (args.flags || memchr_inv(args.reserved, 0, sizeof(args.reserved)))
		return -EINVAL;
	if (!args.mmu_mode)
		mode = umbra_mode_default();
	else if (!umbra_mode_from_bit(args.mmu_mode, &mode))
		return -EINVAL;
	if (!umbra_mode_offered(mode))
		return -EOPNOTSUPP;
	return umbra_vm_create_fd(mode);
}

/* Attributes of the system: only the XSAVE components a guest may be given. */
static int dev_attr(const void __user *user, bool get)
{
	struct kvm_device_attr attr;

	if (copy_from_user(&attr, user, sizeof(attr)))
		return -EFAULT;
	if (attr.group || attr.attr != KVM_X86_XCOMP_GUEST_SUPP)
		return -ENXIO;
	if (!get)
		return 0;
	return put_user(umbra_host_xcr0, (u64 __user *)u64_to_user_ptr(attr.addr));
}

static int dev_mce_supported(void __user *user)
{
	u64 cap = umbra_mce_supported();

	return copy_to_user(user, &cap, sizeof(cap)) ? -EFAULT : 0;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return arg ? -EINVAL : umbra_vm_create_fd(umbra_mode_default());
	case KVM_CHECK_EXTENSION:
		return umbra_check_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		/* The run page, port data, and the coalescing ring. */
		return arg ? -EINVAL : 3 * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return umbra_get_supported_cpuid(user, false);
	case KVM_GET_EMULATED_CPUID:
		return umbra_get_supported_cpuid(user, true);
	case KVM_GET_MSR_INDEX_LIST:
		return umbra_msr_index_list(user);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return umbra_msr_feature_list(user);
	case KVM_GET_MSRS:
		return umbra_system_msrs_ioctl(user);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return dev_mce_supported(user);
	case KVM_GET_DEVICE_ATTR:
		return dev_attr(user, true);
	case KVM_HAS_DEVICE_ATTR:
		return dev_attr(user, false);
	case UMBRA_GET_INFO:
		return dev_get_info(user);
	case UMBRA_CREATE_VM:
		return dev_create_vm(user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

/* The mode lets root alone in until the udev rule gives it to group kvm. */
static struct miscdevice umbra_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "umbra",
	.fops = &dev_fops,
	.mode = 0600,
};

int umbra_dev_register(void)
{
	return misc_register(&umbra_dev);
}

void umbra_dev_unregister(void)
{
	misc_deregister(&umbra_dev);
}
