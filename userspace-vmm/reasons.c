// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers from struct kvm_run in words: exit reasons, hardware entry failures,
 * internal errors.
 *
 * Text only; which guest state is at fault is statecheck.c's.
 */
#include <linux/kvm.h>
#include <stdlib.h>

#include "cpu.h"
#include "reasons.h"

static const char * const exit_names[] = {
	[KVM_EXIT_UNKNOWN] = "unknown",
	[KVM_EXIT_EXCEPTION] = "exception",
	[KVM_EXIT_IO] = "io",
	[KVM_EXIT_HYPERCALL] = "hypercall",
	[KVM_EXIT_DEBUG] = "debug",
	[KVM_EXIT_HLT] = "hlt",
	[KVM_EXIT_MMIO] = "mmio",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq-window",
	[KVM_EXIT_SHUTDOWN] = "shutdown",
	[KVM_EXIT_FAIL_ENTRY] = "fail-entry",
	[KVM_EXIT_INTR] = "intr",
	[KVM_EXIT_SET_TPR] = "set-tpr",
	[KVM_EXIT_TPR_ACCESS] = "tpr-access",
	[KVM_EXIT_NMI] = "nmi",
	[KVM_EXIT_INTERNAL_ERROR] = "internal-error",
	[KVM_EXIT_SYSTEM_EVENT] = "system-event",
	[KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
	[KVM_EXIT_HYPERV] = "hyperv",
	[KVM_EXIT_X86_RDMSR] = "rdmsr",
	[KVM_EXIT_X86_WRMSR] = "wrmsr",
	[KVM_EXIT_DIRTY_RING_FULL] = "dirty-ring-full",
	[KVM_EXIT_AP_RESET_HOLD] = "ap-reset-hold",
	[KVM_EXIT_X86_BUS_LOCK] = "bus-lock",
	[KVM_EXIT_XEN] = "xen",
	[KVM_EXIT_NOTIFY] = "notify",
};

/* VM-instruction error numbers that an entry can give, by Intel's manual. */
static const char * const vmx_errors[] = {
	[4] = "VMLAUNCH with a VMCS that is not clear",
	[5] = "VMRESUME with a VMCS that was never launched",
	[6] = "VMRESUME after VMXOFF and VMXON",
	[7] = "invalid control fields in the VMCS",
	[8] = "invalid host state in the VMCS",
	[25] = "invalid executive VMCS",
	[26] = "events blocked by MOV SS",
};

/**
 * exit_reason_name() - Short name of an exit reason.
 * @reason: KVM_EXIT_*
 *
 * Return: constant string, "other" for what x86 guests do not have.
 */
const char *exit_reason_name(u32 reason)
{
	if (reason < ARRAY_SIZE(exit_names) && exit_names[reason])
		return exit_names[reason];
	return "other";
}

static const char *vmx_entry_text(u64 reason)
{
	if (reason & BIT_ULL(31)) {
		switch (reason & 0xffff) {
		case 33:
			return "VM entry found invalid guest state";
		case 34:
			return "VM entry failed to load MSRs";
		case 41:
			return "machine check during VM entry";
		}
		return "VM entry failed";
	}
	if (reason < ARRAY_SIZE(vmx_errors) && vmx_errors[reason])
		return vmx_errors[reason];
	return "VM entry instruction failed";
}

/**
 * fail_entry_text() - What the hardware reason of a failed entry says.
 * @reason: hardware_entry_failure_reason
 *
 * Return: constant string.
 */
const char *fail_entry_text(u64 reason)
{
	/* VMEXIT_INVALID is -1; some report 32 bits of it. */
	if (reason == ~0ULL || reason == ~0U)
		return "VMRUN found the guest state in the VMCB invalid";
	if (cpu_vendor() == CPU_INTEL)
		return vmx_entry_text(reason);
	return "VMRUN left with an exit code the hypervisor does not expect";
}

/**
 * internal_error_text() - What the suberror of an internal error says.
 * @suberror: KVM_INTERNAL_ERROR_*
 *
 * Return: constant string.
 */
const char *internal_error_text(u32 suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "an instruction that cannot be emulated";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "two exceptions at once";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "an exit while an event was being delivered";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "a hardware exit that was not expected";
	default:
		return "unknown suberror";
	}
}
