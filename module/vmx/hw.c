// SPDX-License-Identifier: GPL-2.0
/*
 * The host processor's side of VT-x: may this machine run guests, and turning
 * VMX on and off on a CPU. Knows no guest state.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "../compat.h"
#include "insn.h"
#include "vmx.h"

/* CPUID.1:ECX. The kernel's own feature bit goes when firmware locks VT-x off. */
#define VMX_CPUID_BIT	BIT(5)

static bool ept = true;
module_param(ept, bool, 0444);
MODULE_PARM_DESC(ept, "offer extended page tables for whole guests (default: yes)");

DEFINE_PER_CPU(struct vmx_cpu, umbra_vmx_cpu);

bool vmx_flush_l1d __ro_after_init;

void vmx_write_failed(unsigned long field, unsigned long value)
{
	pr_err_once("VMWRITE of %#lx to field %#lx failed: error %lu\n", value, field,
		    vmx_read(VM_INSTRUCTION_ERROR));
}

/* Firmware that says nothing leaves the choice open: then the first VMXON closes it. */
static bool vmx_locked_off(u64 feat_ctl)
{
	return (feat_ctl & FEAT_CTL_LOCKED) && !(feat_ctl & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
}

/* Tell apart the reasons for a CPU without usable VMX. */
static int vmx_check_cpu(void)
{
	u64 feat_ctl;

	if (!(cpuid_ecx(1) & VMX_CPUID_BIT)) {
		if (boot_cpu_has(X86_FEATURE_HYPERVISOR))
			pr_err("VT-x is hidden by an outer hypervisor: enable nested virtualization there\n");
		else
			pr_err("no VT-x (VMX) in this CPU: run on a CPU that has it, or in scripts/lab\n");
		return -ENODEV;
	}
	if (!rdmsrl_safe(MSR_IA32_FEAT_CTL, &feat_ctl) && vmx_locked_off(feat_ctl)) {
		pr_err("VT-x is disabled by firmware (FEATURE_CONTROL, locked): enable VT-x in the firmware setup\n");
		return -EOPNOTSUPP;
	}
	if (!umbra_can_set_vmxe()) {
		pr_err("this build cannot turn VT-x on: the kernel keeps CR4.VMXE to KVM (CLOSED=1)\n");
		return -EOPNOTSUPP;
	}
	if (umbra_host_has_fred()) {
		pr_err("the kernel uses FRED, under which Umbra cannot pass on NMIs: boot with fred=off\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

int vmx_probe(void)
{
	bool vpid;
	int r = vmx_check_cpu();

	if (!r)
		r = vmx_settle_controls();
	if (r)
		return r;
	if (!ept)
		pr_info("extended page tables (EPT) are turned off by ept=0: mode nested is not offered\n");
	vmx_flush_l1d = vmx_l1d_leaks() && boot_cpu_has(X86_FEATURE_FLUSH_L1D);
	if (vmx_l1d_leaks() && !vmx_flush_l1d)
		pr_warn("this CPU leaks its L1 cache to guests (L1TF) and cannot flush it: update its microcode\n");
	vpid = vmx_ctls.cpu2 & SECONDARY_EXEC_ENABLE_VPID;
	umbra_caps = (struct umbra_host_caps) {
		.nested = ept,
		.nested_1g = vmx_ctls.ept_vpid & VMX_EPT_1GB_PAGE_BIT,
		.nested_ad = vmx_ctls.ept_vpid & VMX_EPT_AD_BIT,
		.unpaged_nested = true,
		.insn_len = true,
		.flush_by_asid = true,
		.fmt = UMBRA_FMT_EPT,
		.asids = vpid ? VMX_NR_VPIDS : 1,
	};
	return 0;
}

static void vmx_free_regions(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *vc = per_cpu_ptr(&umbra_vmx_cpu, cpu);

		free_page((unsigned long)vc->vmxon);
		vc->vmxon = NULL;
	}
}

int vmx_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *vc = per_cpu_ptr(&umbra_vmx_cpu, cpu);

		INIT_LIST_HEAD(&vc->active);
		vc->vmxon = (void *)get_zeroed_page(GFP_KERNEL);
		if (!vc->vmxon) {
			vmx_free_regions();
			return -ENOMEM;
		}
		*(u32 *)vc->vmxon = vmx_ctls.revision;
	}
	vmx_crash_init();
	return 0;
}

void vmx_teardown(void)
{
	vmx_crash_exit();
	vmx_free_regions();
}

/* This CPU's firmware may have treated it unlike the one that was probed. */
static bool vmx_unlock(void)
{
	u64 feat_ctl;

	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &feat_ctl))
		return true;
	if (!(feat_ctl & FEAT_CTL_LOCKED))
		return !wrmsrl_safe(MSR_IA32_FEAT_CTL, feat_ctl | FEAT_CTL_LOCKED |
				    FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX);
	return !vmx_locked_off(feat_ctl);
}

/* Whoever had VMX before may have left translations with our tags. */
static void vmx_drop_translations(void)
{
	if (vmx_ctls.ept_vpid & VMX_EPT_EXTENT_GLOBAL_BIT)
		vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmx_ctls.cpu2 & SECONDARY_EXEC_ENABLE_VPID)
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

int vmx_cpu_enable(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&umbra_vmx_cpu);

	if ((__read_cr4() & X86_CR4_VMXE) || !vmx_unlock())
		return -EBUSY;
	umbra_set_vmxe(true);
	umbra_trace_vmx(true);
	if (!vmx_vmxon(__pa(vc->vmxon))) {
		umbra_trace_vmx(false);
		umbra_set_vmxe(false);
		return -EBUSY;
	}
	vmx_drop_translations();
	vc->current_vmcs = 0;
	vc->vpid_generation++;
	vc->next_vpid = 1;
	umbra_branches_unknown();
	vc->enabled = true;
	return 0;
}

void vmx_cpu_disable(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&umbra_vmx_cpu);

	if (!vc->enabled)
		return;
	vmx_deactivate_all(vc);
	vc->enabled = false;
	vmx_vmxoff();
	umbra_trace_vmx(false);
	umbra_set_vmxe(false);
}
