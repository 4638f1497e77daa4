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
#define UMBRA_API_VERSION 1

/* struct umbra_info.vendor */
#define UMBRA_VENDOR_SVM 1
#define UMBRA_VENDOR_VMX 2

/* struct umbra_info.mmu_modes: bits of modes that VMs can be created with */
#define UMBRA_MMU_MODE_NESTED _BITUL(0)

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
 * @mmu_modes: UMBRA_MMU_MODE_* that can be chosen
 * @mmu_mode: the one that new VMs get, one bit of @mmu_modes
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

#endif
