/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Calls of /dev/umbra beyond KVM's. Everything that KVM has is called by KVM's
 * own numbers and structures, from <linux/kvm.h>.
 */
#ifndef _UAPI_LINUX_UMBRA_H
#define _UAPI_LINUX_UMBRA_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/kvm.h>
#include <linux/types.h>

/* An ioctl type that Documentation/userspace-api/ioctl does not list. */
#define UMBRAIO 0xDE

/* Version of the calls in this file; grows when one is added. */
#define UMBRA_API_VERSION 2

/* struct umbra_info.vendor */
#define UMBRA_VENDOR_SVM 1
#define UMBRA_VENDOR_VMX 2

/* How a VM's memory is virtualized: struct umbra_info.mmu_modes, umbra_create_vm.mmu_mode */
#define UMBRA_MMU_MODE_NESTED	_BITUL(0)	/* the processor walks a second table (NPT, EPT) */
#define UMBRA_MMU_MODE_SHADOW	_BITUL(1)	/* shadow tables follow the guest's tables */
#define UMBRA_MMU_MODE_VTLB	_BITUL(2)	/* shadow tables are an emulated TLB */

/* struct umbra_info.features: what the host's processor helps with */
#define UMBRA_FEATURE_NESTED		_BITUL(0)	/* NPT or EPT */
#define UMBRA_FEATURE_NESTED_1G		_BITUL(1)	/* 1 GiB nested mappings */
#define UMBRA_FEATURE_INSN_LEN		_BITUL(2)	/* exits tell the next RIP */
#define UMBRA_FEATURE_INSN_BYTES	_BITUL(3)	/* faults bring the instruction */
#define UMBRA_FEATURE_FLUSH_BY_ASID	_BITUL(4)	/* one guest flushed alone */

/**
 * struct umbra_info - what this Umbra is and what it runs on
 * @api_version: UMBRA_API_VERSION of the module
 * @vendor: UMBRA_VENDOR_*
 * @mmu_modes: UMBRA_MMU_MODE_* that can be chosen on this host
 * @mmu_mode: the one that VMs get which do not name one: the parameter "mmu" of the module
 * @features: UMBRA_FEATURE_*
 * @asids: address space tags of a processor
 * @max_vcpus: vCPUs a VM can have
 * @max_memslots: memory slots a VM can have
 * @reserved: 0
 */
struct umbra_info {
	__u32 api_version;
	__u32 vendor;
	__u32 mmu_modes;
	__u32 mmu_mode;
	__u32 features;
	__u32 asids;
	__u32 max_vcpus;
	__u32 max_memslots;
	__u32 reserved[8];
};

/* On /dev/umbra. Fills the caller's structure. -EFAULT for a bad pointer. */
#define UMBRA_GET_INFO _IOR(UMBRAIO, 0x00, struct umbra_info)

/**
 * struct umbra_create_vm - a VM that names its mode
 * @mmu_mode: one bit UMBRA_MMU_MODE_*, or 0 for the default mode
 * @flags: 0
 * @reserved: 0
 */
struct umbra_create_vm {
	__u32 mmu_mode;
	__u32 flags;
	__u64 reserved[7];
};

/*
 * On /dev/umbra, since version 2. As KVM_CREATE_VM of type 0, whatever the parameter "mmu"
 * of the module says: returns a VM's descriptor. A VM keeps its mode. -EFAULT for a bad
 * pointer; -EINVAL for more than one bit or an unknown one in mmu_mode, or anything in
 * flags or reserved; -EOPNOTSUPP for a mode that this host does not offer; and the errors
 * of KVM_CREATE_VM.
 */
#define UMBRA_CREATE_VM _IOW(UMBRAIO, 0x01, struct umbra_create_vm)

#endif
