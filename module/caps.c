// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities. The answers are honest: what is not offered answers 0, even
 * where a client would be content with a lie.
 */
#include <linux/cpumask.h>
#include <linux/kvm.h>
#include <linux/mutex.h>
#include "caps.h"
#include "fpu.h"
#include "memslot.h"
#include "msr.h"
#include "tsc.h"
#include "vcpu.h"

#define MSR_EXIT_REASONS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | \
			  KVM_MSR_EXIT_REASON_FILTER)
#define MANUAL_DIRTY (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)
#define X2APIC_API (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
#define GUEST_DEBUG (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | \
		     KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | \
		     KVM_GUESTDBG_BLOCKIRQ)

/* Offered whatever the host: the answer is 1. */
static bool always_offered(long cap)
{
	switch (cap) {
	case KVM_CAP_HLT:
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_SET_TSS_ADDR:
	case KVM_CAP_SET_IDENTITY_MAP_ADDR:
	case KVM_CAP_EXT_CPUID:
	case KVM_CAP_EXT_EMUL_CPUID:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_COALESCED_PIO:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_USER_NMI:
	case KVM_CAP_VCPU_EVENTS:
	case KVM_CAP_DEBUGREGS:
	case KVM_CAP_XSAVE:
	case KVM_CAP_SREGS2:
	case KVM_CAP_GET_TSC_KHZ:
	case KVM_CAP_GET_MSR_FEATURES:
	case KVM_CAP_SET_GUEST_DEBUG:
	case KVM_CAP_X86_ROBUST_SINGLESTEP:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_EXCEPTION_PAYLOAD:
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
	case KVM_CAP_X86_MSR_FILTER:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_ENFORCE_PV_FEATURE_CPUID:
	case KVM_CAP_KVMCLOCK_CTRL:
	case KVM_CAP_SYS_ATTRIBUTES:
	case KVM_CAP_VCPU_ATTRIBUTES:
	case KVM_CAP_MMU_SHADOW_CACHE_CONTROL:
	case KVM_CAP_MSR_PLATFORM_INFO:
	case KVM_CAP_DISABLE_QUIRKS:
	case KVM_CAP_BINARY_STATS_FD:
	case KVM_CAP_IRQCHIP:
	case KVM_CAP_SPLIT_IRQCHIP:
	case KVM_CAP_IRQ_INJECT_STATUS:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_IRQFD:
	case KVM_CAP_IRQFD_RESAMPLE:
	case KVM_CAP_PIT:
	case KVM_CAP_PIT2:
	case KVM_CAP_PIT_STATE2:
	case KVM_CAP_REINJECT_CONTROL:
	case KVM_CAP_SET_BOOT_CPU_ID:
	case KVM_CAP_TSC_DEADLINE_TIMER:
		return true;
	default:
		return false;
	}
}

int umbra_check_extension(long cap)
{
	if (always_offered(cap))
		return 1;
	switch (cap) {
	case KVM_CAP_NR_VCPUS:
		return min_t(int, num_online_cpus(), UMBRA_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return UMBRA_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return UMBRA_MAX_VCPU_ID;
	case KVM_CAP_NR_MEMSLOTS:
		return UMBRA_MAX_SLOTS;
	case KVM_CAP_MULTI_ADDRESS_SPACE:
		return 1;
	case KVM_CAP_COALESCED_MMIO:
		return KVM_COALESCED_MMIO_PAGE_OFFSET;
	case KVM_CAP_SYNC_REGS:
		return KVM_SYNC_X86_VALID_FIELDS;
	case KVM_CAP_SET_GUEST_DEBUG2:
		return GUEST_DEBUG;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return MANUAL_DIRTY;
	case KVM_CAP_DISABLE_QUIRKS2:
		return UMBRA_QUIRKS;
	case KVM_CAP_IRQ_ROUTING:
		return UMBRA_MAX_ROUTES;
	case KVM_CAP_X2APIC_API:
		return X2APIC_API;
	case KVM_CAP_X86_USER_SPACE_MSR:
		return MSR_EXIT_REASONS;
	case KVM_CAP_XCRS:
		return !!umbra_host_xcr0;
	case KVM_CAP_XSAVE2:
		return umbra_xsave_size;
	case KVM_CAP_MCE:
		return UMBRA_MCE_BANKS;
	case KVM_CAP_ADJUST_CLOCK:
		return KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	default:
		return 0;
	}
}

static int enable_manual_dirty(struct umbra_vm *vm, u64 flags)
{
	if (flags & ~MANUAL_DIRTY)
		return -EINVAL;
	/* Initially-set makes sense only together with manual protection. */
	if (flags == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	vm->manual_dirty = flags;
	mutex_unlock(&vm->slots_lock);
	return 0;
}

static int enable_user_msr(struct umbra_vm *vm, u64 reasons)
{
	if (reasons & ~(u64)MSR_EXIT_REASONS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->user_msr_mask, reasons);
	mutex_unlock(&vm->lock);
	return 0;
}

/* The older form takes any bits: those of quirks that Umbra never had change nothing. */
static int disable_quirks(struct umbra_vm *vm, u64 quirks, bool strict)
{
	if (strict && quirks & ~(u64)UMBRA_QUIRKS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->disabled_quirks, quirks & UMBRA_QUIRKS);
	mutex_unlock(&vm->lock);
	return 0;
}

/* How many ids vCPUs may have: chosen once, before there are any. */
static int enable_max_vcpu_id(struct umbra_vm *vm, u64 max)
{
	int r = 0;

	if (!max || max > UMBRA_MAX_VCPU_ID)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->max_vcpu_id)
		r = vm->max_vcpu_id == max ? 0 : -EINVAL;
	else if (vm->nr_vcpus)
		r = -EINVAL;
	else
		vm->max_vcpu_id = max;
	mutex_unlock(&vm->lock);
	return r;
}

/* What is on already stays on. */
static int enable_x2apic_api(struct umbra_vm *vm, u64 flags)
{
	if (flags & ~(u64)X2APIC_API)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (flags & KVM_X2APIC_API_USE_32BIT_IDS)
		WRITE_ONCE(vm->irq.x2apic_ids, true);
	if (flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		WRITE_ONCE(vm->irq.no_broadcast_quirk, true);
	mutex_unlock(&vm->lock);
	return 0;
}

static int enable_flag(struct umbra_vm *vm, bool *flag, u64 on)
{
	mutex_lock(&vm->lock);
	WRITE_ONCE(*flag, !!on);
	mutex_unlock(&vm->lock);
	return 0;
}

int umbra_vcpu_enable_cap(struct umbra_vcpu *vcpu, const struct kvm_enable_cap *cap)
{
	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->pv_enforce = cap->args[0];
	return 0;
}

int umbra_vm_enable_cap(struct umbra_vm *vm, const struct kvm_enable_cap *cap)
{
	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return enable_manual_dirty(vm, cap->args[0]);
	case KVM_CAP_X86_USER_SPACE_MSR:
		return enable_user_msr(vm, cap->args[0]);
	case KVM_CAP_MSR_PLATFORM_INFO:
		return enable_flag(vm, &vm->no_platform_info, !cap->args[0]);
	case KVM_CAP_DISABLE_QUIRKS:
	case KVM_CAP_DISABLE_QUIRKS2:
		return disable_quirks(vm, cap->args[0], cap->cap == KVM_CAP_DISABLE_QUIRKS2);
	case KVM_CAP_MAX_VCPU_ID:
		return enable_max_vcpu_id(vm, cap->args[0]);
	case KVM_CAP_SPLIT_IRQCHIP:
		return umbra_irqchip_split(vm, cap->args[0]);
	case KVM_CAP_X2APIC_API:
		return enable_x2apic_api(vm, cap->args[0]);
	case KVM_CAP_EXCEPTION_PAYLOAD:
		return enable_flag(vm, &vm->exception_payload, cap->args[0]);
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		return enable_flag(vm, &vm->triple_fault_event, cap->args[0]);
	default:
		return -EINVAL;
	}
}
