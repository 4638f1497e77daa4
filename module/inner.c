// SPDX-License-Identifier: GPL-2.0
/*
 * Hypervisors inside guests, as far as it is no vendor's: the module parameter "nested" and
 * the MSRs by which AMD-V is turned on. Knows no VMCB.
 */
#include <linux/moduleparam.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/svm.h>
#include "cpuid.h"
#include "inner.h"
#include "msr_internal.h"
#include "vcpu.h"
#include "vendor.h"

static bool nested;
module_param(nested, bool, 0644);
MODULE_PARM_DESC(nested, "let guests of new VMs run guests of their own: experimental, AMD only (default: no)");

bool umbra_inner_offered(void)
{
	return umbra_caps.inner && READ_ONCE(nested);
}

static bool has_svm(const struct umbra_vcpu *vcpu, bool host)
{
	return vcpu->vm->nested && (host || umbra_cpuid_has(vcpu, X86_FEATURE_SVM));
}

int umbra_inner_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!has_svm(vcpu, host))
		return -ENOENT;
	*data = index == MSR_VM_CR ? vcpu->msrs.vm_cr : vcpu->msrs.vm_hsave;
	return 0;
}

/* Firmware's switch of the extension. INIT is never redirected, and no other bit does anything. */
static int set_vm_cr(struct umbra_vcpu *vcpu, u64 data, bool host)
{
	if (data & ~(SVM_VM_CR_SVM_LOCK_MASK | SVM_VM_CR_SVM_DIS_MASK))
		return -EINVAL;
	/* Locked, both bits ignore writes. */
	if (!host && (vcpu->msrs.vm_cr & SVM_VM_CR_SVM_LOCK_MASK))
		return 0;
	if ((data & SVM_VM_CR_SVM_DIS_MASK) && (vcpu->efer & EFER_SVME))
		return -EINVAL;
	vcpu->msrs.vm_cr = data;
	return 0;
}

int umbra_inner_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!has_svm(vcpu, host))
		return -ENOENT;
	if (index == MSR_VM_CR)
		return set_vm_cr(vcpu, data, host);
	/* Where a processor puts its state at VMRUN; Umbra keeps it to itself. */
	if (data & (~0ULL << vcpu->cpuid.phys_bits | ~PAGE_MASK))
		return -EINVAL;
	vcpu->msrs.vm_hsave = data;
	return 0;
}
