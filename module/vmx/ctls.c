// SPDX-License-Identifier: GPL-2.0
/*
 * What the processor's VMX can do, and the execution controls that follow: one
 * question to each capability MSR. Turns nothing on and knows no guest.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/tsc.h>
#include "vmx.h"

struct vmx_ctls vmx_ctls __ro_after_init;

/**
 * struct vmx_question - which of its controls a capability MSR shall grant
 * @name: the group, for messages
 * @msr: capability MSR
 * @true_msr: the one that tells more where there is one
 * @must: controls to turn on; without one of them the CPU is refused
 * @able: controls that some guests will have on; as @must
 * @may: controls to turn on where they exist
 */
struct vmx_question {
	const char *name;
	u32 msr;
	u32 true_msr;
	u32 must;
	u32 able;
	u32 may;
};

static const struct vmx_question vmx_ask_pin = {
	.name = "pin-based",
	.msr = MSR_IA32_VMX_PINBASED_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
	.must = PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING | PIN_BASED_VIRTUAL_NMIS,
	.may = PIN_BASED_VMX_PREEMPTION_TIMER,
};

static const struct vmx_question vmx_ask_cpu = {
	.name = "processor-based",
	.msr = MSR_IA32_VMX_PROCBASED_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
	.must = CPU_BASED_HLT_EXITING | CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING |
		CPU_BASED_RDPMC_EXITING | CPU_BASED_CR8_LOAD_EXITING |
		CPU_BASED_CR8_STORE_EXITING | CPU_BASED_USE_TSC_OFFSETTING |
		CPU_BASED_MOV_DR_EXITING | CPU_BASED_UNCOND_IO_EXITING |
		CPU_BASED_USE_MSR_BITMAPS | CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
	.able = CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING | VMX_EXEC_SHADOW,
};

static const struct vmx_question vmx_ask_cpu2 = {
	.name = "secondary",
	.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
	.true_msr = MSR_IA32_VMX_PROCBASED_CTLS2,
	.must = SECONDARY_EXEC_WBINVD_EXITING,
	.able = VMX_EXEC2_NESTED,
	.may = SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP |
	       SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_ENCLS_EXITING |
	       SECONDARY_EXEC_PT_CONCEAL_VMX,
};

static const struct vmx_question vmx_ask_exit = {
	.name = "exit",
	.msr = MSR_IA32_VMX_EXIT_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
	.must = VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_LOAD_IA32_PAT | VM_EXIT_LOAD_IA32_EFER,
	.may = VM_EXIT_PT_CONCEAL_PIP,
};

static const struct vmx_question vmx_ask_entry = {
	.name = "entry",
	.msr = MSR_IA32_VMX_ENTRY_CTLS,
	.true_msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
	.must = VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_LOAD_IA32_PAT | VM_ENTRY_LOAD_IA32_EFER,
	.able = VM_ENTRY_IA32E_MODE,
	.may = VM_ENTRY_PT_CONCEAL_PIP,
};

/* The low half of the answer has to be on, the high half may be. */
static int vmx_ask(const struct vmx_question *q, bool true_ctls, u32 *granted)
{
	u32 required, allowed, missing;

	rdmsr(true_ctls ? q->true_msr : q->msr, required, allowed);
	missing = (q->must | q->able) & ~allowed;
	if (missing) {
		pr_err("VT-x of this CPU lacks %s controls that Umbra needs: %#x\n",
		       q->name, missing);
		return -EOPNOTSUPP;
	}
	*granted = required | ((q->must | q->may) & allowed);
	return 0;
}

/* Before the questions, so that the two that old CPUs lack have a message of their own. */
static int vmx_check_generation(bool true_ctls)
{
	u64 cpu, cpu2 = 0;

	rdmsrl(true_ctls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS, cpu);
	/* The high half has what may be on. */
	if (cpu >> 32 & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, cpu2);
	cpu2 >>= 32;
	if (!(cpu2 & SECONDARY_EXEC_ENABLE_EPT)) {
		pr_err("VT-x of this CPU has no extended page tables (EPT): run on a newer CPU, or have the outer hypervisor offer them\n");
		return -EOPNOTSUPP;
	}
	if (!(cpu2 & SECONDARY_EXEC_UNRESTRICTED_GUEST)) {
		pr_err("VT-x of this CPU has no unrestricted guest, and Umbra runs guests without paging by it: run on a newer CPU, or have the outer hypervisor offer it\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int vmx_check_ept(u64 cap)
{
	const u64 must = VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT | VMX_EPT_2MB_PAGE_BIT |
			 VMX_EPT_INVEPT_BIT;

	if ((cap & must) == must &&
	    (cap & (VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT)))
		return 0;
	pr_err("the extended page tables (EPT) of this CPU lack what Umbra needs: capabilities %#llx\n",
	       cap);
	return -EOPNOTSUPP;
}

/* Tags are of use only where translations can be dropped by tag, or all at once. */
static bool vmx_vpid_usable(u64 cap)
{
	return (cap & VMX_CAP_INVVPID) && (cap & VMX_CAP_INVVPID_ALL);
}

static int vmx_ask_all(bool true_ctls)
{
	struct vmx_ctls *c = &vmx_ctls;
	int r = vmx_ask(&vmx_ask_pin, true_ctls, &c->pin);

	if (!r)
		r = vmx_ask(&vmx_ask_cpu, true_ctls, &c->cpu);
	if (!r)
		r = vmx_ask(&vmx_ask_cpu2, true_ctls, &c->cpu2);
	if (!r)
		r = vmx_ask(&vmx_ask_exit, true_ctls, &c->exit);
	if (!r)
		r = vmx_ask(&vmx_ask_entry, true_ctls, &c->entry);
	return r;
}

/* A millisecond, in what the timer counts in: the TSC's ticks, or powers of 2 of them. */
static u32 vmx_one_ms(void)
{
	u64 misc;

	rdmsrl(MSR_IA32_VMX_MISC, misc);
	return max(tsc_khz >> vmx_misc_preemption_timer_rate(misc), 1u);
}

/* 0, or -EOPNOTSUPP with a message. */
int vmx_settle_controls(void)
{
	struct vmx_ctls *c = &vmx_ctls;
	bool true_ctls;
	u64 basic;
	int r;

	rdmsrl(MSR_IA32_VMX_BASIC, basic);
	if (vmx_basic_vmcs_size(basic) > PAGE_SIZE) {
		pr_err("a VMCS of this CPU is larger than a page\n");
		return -EOPNOTSUPP;
	}
	true_ctls = basic & VMX_BASIC_TRUE_CTLS;
	c->revision = vmx_basic_vmcs_revision_id(basic);
	r = vmx_check_generation(true_ctls);
	if (r)
		return r;
	rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, c->ept_vpid);
	r = vmx_check_ept(c->ept_vpid);
	if (!r)
		r = vmx_ask_all(true_ctls);
	if (r)
		return r;
	if (!vmx_vpid_usable(c->ept_vpid))
		c->cpu2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	c->timer = vmx_one_ms();
	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, c->cr0_ones);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, c->cr4_ones);
	return 0;
}

bool vmx_l1d_leaks(void)
{
	u64 caps = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF) || cpu_mitigations_off())
		return false;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, caps);
	return !(caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH);
}
