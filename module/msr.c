// SPDX-License-Identifier: GPL-2.0
/*
 * Access to a vCPU's MSRs: find the row, obey filters, leave to user space
 * when it asked for that, or inject #GP. What each MSR means is in
 * msr_arch.c, mtrr.c, mce.c and inner.c. vcpu->mutex is held.
 */
#include <linux/bsearch.h>
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include "cpuid.h"
#include "event.h"
#include "exit.h"
#include "msr.h"
#include "msr_internal.h"
#include "vcpu.h"
#include "vendor.h"

#define APIC_BASE_RESET	0xfee00000ULL

const u32 umbra_msr_passthrough[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	0
};

static int compare_row(const void *key, const void *elem)
{
	const struct umbra_msr_row *row = elem;
	u32 index = *(const u32 *)key;

	if (index < row->first)
		return -1;
	return index > (row->last ?: row->first);
}

static const struct umbra_msr_row *find_row(u32 index)
{
	return bsearch(&index, umbra_msr_rows, umbra_msr_nr_rows, sizeof(*umbra_msr_rows),
		       compare_row);
}

int umbra_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	const struct umbra_msr_row *row = find_row(index);

	if (!row)
		return -ENOENT;
	*data = 0;
	return row->get ? row->get(vcpu, index, data, host) : 0;
}

int umbra_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const struct umbra_msr_row *row = find_row(index);

	if (!row)
		return -ENOENT;
	if (row->set)
		return row->set(vcpu, index, data, host);
	return data ? -EINVAL : 0;
}

/**
 * umbra_msrs_reset() - MSRs as after power-up
 * @vcpu: virtual processor; user space's MCE setup is undone
 */
void umbra_msrs_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_msrs *msrs = &vcpu->msrs;

	memset(msrs, 0, sizeof(*msrs));
	msrs->apic_base = APIC_BASE_RESET | MSR_IA32_APICBASE_ENABLE;
	if (umbra_is_boot_cpu(&vcpu->vm->irq, vcpu->id))
		msrs->apic_base |= MSR_IA32_APICBASE_BSP;
	msrs->misc_enable = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL |
			    MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;
	msrs->arch_caps = umbra_host_arch_caps();
	msrs->ucode_rev = umbra_host_is_amd() ? 0x01000065 : 0x100000000ULL;
	umbra_mtrr_reset(vcpu);
	umbra_mce_reset(vcpu);
	umbra_cpuid_update_dynamic(vcpu);
}

bool umbra_msr_intercepted(struct umbra_vcpu *vcpu, u32 index, bool write)
{
	const u32 *msr;

	for (msr = umbra_msr_passthrough; *msr && *msr != index; msr++)
		;
	if (!*msr)
		return true;
	/* Intel's are 64 bits wide, which AMD hardware does not keep. */
	if ((index == MSR_IA32_SYSENTER_ESP || index == MSR_IA32_SYSENTER_EIP) &&
	    umbra_host_is_amd() && !umbra_cpuid_is_amd(vcpu))
		return true;
	return !umbra_msr_filter_allows(vcpu->vm, index, write);
}

static u32 exit_reason(int err)
{
	switch (err) {
	case -ENOENT:
		return KVM_MSR_EXIT_REASON_UNKNOWN;
	case -EPERM:
		return KVM_MSR_EXIT_REASON_FILTER;
	default:
		return KVM_MSR_EXIT_REASON_INVAL;
	}
}

/*
 * The run page is user space's: only the answer is taken from it. User space
 * that moved the vCPU elsewhere has given the access up.
 */
static bool access_granted(struct umbra_vcpu *vcpu)
{
	if (vcpu->rip != vcpu->msrs.asked_rip)
		return false;
	if (!READ_ONCE(vcpu->run->msr.error))
		return true;
	umbra_queue_gp(vcpu);
	return false;
}

static int complete_write(struct umbra_vcpu *vcpu)
{
	return access_granted(vcpu) ? umbra_skip_insn(vcpu, false) : UMBRA_CONTINUE;
}

static int complete_read(struct umbra_vcpu *vcpu)
{
	u64 data = READ_ONCE(vcpu->run->msr.data);

	if (!access_granted(vcpu))
		return UMBRA_CONTINUE;
	vcpu->gpr[UMBRA_RAX] = (u32)data;
	vcpu->gpr[UMBRA_RDX] = data >> 32;
	return umbra_skip_insn(vcpu, false);
}

/* Ask user space, when it wants to be asked about @err. */
static bool fill_exit(struct umbra_vcpu *vcpu, u32 index, u64 data, bool write, int err)
{
	struct kvm_run *run = vcpu->run;
	u32 reason = exit_reason(err);

	if (!(READ_ONCE(vcpu->vm->user_msr_mask) & reason))
		return false;
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	memset(&run->msr, 0, sizeof(run->msr));
	run->msr.reason = reason;
	run->msr.index = index;
	run->msr.data = write ? data : 0;
	vcpu->msrs.asked_rip = vcpu->rip;
	vcpu->complete = write ? complete_write : complete_read;
	return true;
}

static int guest_access(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool write)
{
	if (!umbra_msr_filter_allows(vcpu->vm, index, write))
		return -EPERM;
	if (write)
		return umbra_set_msr(vcpu, index, *data, false);
	return umbra_get_msr(vcpu, index, data, false);
}

bool umbra_msr_write_quick(struct umbra_vcpu *vcpu, u32 index, u64 data)
{
	if (index >> 8 == UMBRA_MSR_X2APIC >> 8)
		return !umbra_lapic_set_msr(vcpu, index, data);
	if (index != MSR_IA32_TSC_DEADLINE || !umbra_msr_filter_allows(vcpu->vm, index, true))
		return false;
	umbra_lapic_set_deadline(vcpu, data);
	return true;
}

/**
 * umbra_msr_emulated() - the emulator met RDMSR or WRMSR
 * @vcpu: virtual processor
 * @index: MSR
 * @data: value, in or out
 * @write: WRMSR
 *
 * Return: 0, -EINVAL for #GP, or 1: the exit to user space is prepared, and
 * the instruction will be completed from outside the emulator.
 */
int umbra_msr_emulated(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool write)
{
	int err = guest_access(vcpu, index, data, write);

	if (!err)
		return 0;
	return fill_exit(vcpu, index, *data, write, err) ? 1 : -EINVAL;
}

int umbra_msr_exit(struct umbra_vcpu *vcpu, bool write)
{
	u32 index = vcpu->gpr[UMBRA_RCX];
	u64 data = (u32)vcpu->gpr[UMBRA_RAX] | vcpu->gpr[UMBRA_RDX] << 32;
	int err = umbra_msr_emulated(vcpu, index, &data, write);

	if (err > 0)
		return UMBRA_TO_USER;
	if (err) {
		umbra_queue_gp(vcpu);
		return UMBRA_CONTINUE;
	}
	if (!write) {
		vcpu->gpr[UMBRA_RAX] = (u32)data;
		vcpu->gpr[UMBRA_RDX] = data >> 32;
	}
	return umbra_skip_insn(vcpu, false);
}
